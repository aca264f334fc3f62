package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/ingest"
)

func newGate(cfg ingest.GateConfig) *ingest.Service {
	return ingest.New(&store{}, gate{}, ingest.Config{Gate: cfg})
}

// TestTheGateIsFair: one sender with a hundred pages does not keep others from their turn.
func TestTheGateIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newGate(ingest.GateConfig{MaxPages: 1, MaxWait: time.Hour})
		var mu sync.Mutex
		var order []string
		send := func(sender string) {
			a, err := s.Admit(t.Context(), sender, 1000)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, sender)
			mu.Unlock()
			time.Sleep(time.Second)
			a.Release()
			a.Release() // once too often changes nothing
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { send("greedy") })
		}
		synctest.Wait()
		for i := range 5 {
			wg.Go(func() { send(fmt.Sprint("small ", i)) })
			synctest.Wait()
		}
		wg.Wait()
		for i, who := range order {
			if i > 10 && who != "greedy" {
				t.Fatalf("%s came in at place %d of %d", who, i, len(order))
			}
		}
		if g := s.Gate(); g.Pages != 0 || g.Bytes != 0 || g.Waiting != 0 || g.Admitted != 105 || g.Refused != 0 {
			t.Errorf("at the end: %+v", g)
		}
	})
}

// TestTheGateRefusesWithATimeToComeBack, keeps to its bounds, and forgets who does not wait any more.
func TestTheGateRefusesWithATimeToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newGate(ingest.GateConfig{MaxBytes: 40 << 10, MaxWaiting: 3, MaxWait: 5 * time.Second})
		first, err := s.Admit(t.Context(), "a", 9<<10)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 4)
		for i := range 3 {
			go func() {
				_, err := s.Admit(map[bool]context.Context{true: ctx, false: t.Context()}[i == 0], "b", 9<<10)
				errs <- err
			}()
		}
		synctest.Wait()
		if g := s.Gate(); g.Pages != 1 || g.Waiting != 3 || g.Bytes > 40<<10 {
			t.Errorf("while they wait: %+v", g)
		}
		refused := func(err error) {
			t.Helper()
			var later interface{ RetryAfter() time.Duration }
			if !errors.Is(err, fault.Unavailable) || !errors.As(err, &later) || later.RetryAfter() < 2*time.Second || later.RetryAfter() > 90*time.Second {
				t.Errorf("%v: want a refusal with a time to come back", err)
			}
		}
		_, err = s.Admit(t.Context(), "c", 1)
		refused(err) // too many wait
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("who went away: %v", err)
		}
		refused(<-errs) // waited too long
		refused(<-errs)
		if err := first.Grow(100 << 10); err != nil {
			t.Errorf("a page that is alone may be as large as it is: %v", err)
		}
		go func() {
			a, err := s.Admit(t.Context(), "d", 1000)
			if err == nil {
				defer a.Release()
				err = a.Grow(1 << 20)
			}
			errs <- err
		}()
		synctest.Wait()
		first.Release()
		if err := <-errs; err != nil {
			t.Errorf("after the release: %v", err)
		}
		synctest.Wait()
		if g := s.Gate(); g.Pages != 0 || g.Bytes != 0 || g.Waiting != 0 || g.Refused != 3 {
			t.Errorf("at the end: %+v", g)
		}
	})
}

// TestALargePageThatGivesUpLetsOthersIn: it kept smaller ones out while it waited.
func TestALargePageThatGivesUpLetsOthersIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newGate(ingest.GateConfig{MaxBytes: 40 << 10, MaxWait: time.Minute})
		if _, err := s.Admit(t.Context(), "a", 5<<10); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		errs := make(chan error, 2)
		go func() { _, err := s.Admit(ctx, "large", 9<<10); errs <- err }()
		synctest.Wait()
		began := time.Now()
		go func() { _, err := s.Admit(t.Context(), "small", 1<<10); errs <- err }()
		if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if err := <-errs; err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("the small page: %v after %s", err, time.Since(began))
		}
	})
}

// TestNoRoomOnTheDisk refuses pages before they are read.
func TestNoRoomOnTheDisk(t *testing.T) {
	t.Parallel()
	full := true
	s := ingest.New(&store{}, gate{}, ingest.Config{Room: func() error {
		if full {
			return fault.Wrap(fault.Full, "no room", logdb.ErrFull)
		}
		return nil
	}})
	if _, err := s.Admit(t.Context(), "a", 1); !errors.Is(err, fault.Full) {
		t.Errorf("a full disk: %v", err)
	}
	full = false
	if a, err := s.Admit(t.Context(), "a", 1); err != nil {
		t.Errorf("a disk with room: %v", err)
	} else {
		a.Release()
	}
}
