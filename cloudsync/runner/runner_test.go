package runner_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/cloudsync/runner"
)

// start runs a runner and stops it, and waits for it, at the end of the test.
func start(t *testing.T, r *runner.Runner) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return ctx
}

func after(d time.Duration, result string, err error) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		select {
		case <-time.After(d):
			return result, err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func TestStatusQueueAndHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runner.New(runner.Config{})
		ctx := start(t, r)
		n, err := r.Enqueue(ctx,
			runner.Action{Key: "upload a", Name: "upload", Meter: "a", Params: map[string]string{"kind": "pq"}, Do: after(3*time.Second, "9 records", nil)},
			runner.Action{Key: "upload b", Name: "upload", Meter: "b", Do: after(2*time.Second, "", errors.New("no route"))},
			runner.Action{Key: "upload b", Name: "upload", Meter: "b", Do: after(time.Hour, "", nil)},
			runner.Action{Key: "scan", Name: "scan", Do: after(time.Second, "", runner.ErrNothing)},
		)
		if err != nil || n != 3 {
			t.Fatalf("Enqueue = %d, %v; want 3: an equal key is a no-op", n, err)
		}
		synctest.Wait()
		s := r.Status()
		if s.Current == nil || s.Current.Meter != "a" || len(s.Queue) != 2 || s.Queue[0].Meter != "b" {
			t.Fatalf("status while the first runs: %+v", s)
		}
		if n, _ = r.Enqueue(ctx, runner.Action{Key: "upload a", Name: "upload", Meter: "a", Do: after(0, "again", nil)}); n != 1 {
			t.Error("the key of the action that runs must be taken: what it read may be old")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s = r.Status()
		if s.Current != nil || len(s.Queue) != 0 || s.Counts != (runner.Counts{Succeeded: 2, Failed: 1, Skipped: 1}) {
			t.Fatalf("status at the end: %+v", s)
		}
		h := r.History(0)
		var got []string
		for _, rec := range h {
			got = append(got, fmt.Sprintf("%s %s %s %v", rec.Name, rec.Outcome, rec.Result, rec.Duration))
		}
		want := []string{"upload succeeded again 0s", "scan skipped nothing to do 1s", "upload failed no route 2s", "upload succeeded 9 records 3s"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("history = %q, want %q", got, want)
		}
		if h[3].Params["kind"] != "pq" || len(r.History(2)) != 2 {
			t.Error("the history keeps parameters and can be cut")
		}
	})
}

func TestHistoryIsARing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runner.New(runner.Config{})
		ctx := start(t, r)
		var all []runner.Action
		for i := range runner.HistorySize + 7 {
			all = append(all, runner.Action{Key: fmt.Sprint(i), Name: fmt.Sprint(i), Do: after(0, "", nil)})
		}
		if _, err := r.Enqueue(ctx, all...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		h := r.History(0)
		if len(h) != runner.HistorySize || h[0].Name != "1006" || h[len(h)-1].Name != "7" {
			t.Errorf("%d records, newest %s, oldest %s", len(h), h[0].Name, h[len(h)-1].Name)
		}
	})
}

func TestDoWaitsAndJoins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runner.New(runner.Config{})
		ctx := start(t, r)
		if _, err := r.Enqueue(ctx,
			runner.Action{Key: "x", Name: "x", Do: after(time.Second, "", nil)},
			runner.Action{Key: "y", Name: "y", Do: after(time.Second, "first", nil)}); err != nil {
			t.Fatal(err)
		}
		rec, err := r.Do(ctx, runner.Action{Key: "y", Name: "y", Do: after(time.Second, "second", nil)})
		if err != nil || rec.Result != "first" {
			t.Errorf("Do = %+v, %v; want the result of the action that waited", rec, err)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := r.Do(short, runner.Action{Key: "z", Name: "z", Do: after(time.Minute, "", nil)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do of a long action = %v", err)
		}
	})
}

func TestStopCancelsAndWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := runner.New(runner.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		cleaned := false
		_, err := r.Enqueue(ctx, runner.Action{Key: "long", Name: "long", Do: func(ctx context.Context) (string, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // the clean-up
			cleaned = true
			return "", ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		if err := <-done; err != nil || !cleaned {
			t.Errorf("Run = %v, cleaned up %v", err, cleaned)
		}
		if _, err := r.Enqueue(t.Context(), runner.Action{Key: "k"}); !errors.Is(err, runner.ErrStopped) {
			t.Errorf("Enqueue after the end = %v", err)
		}
	})
}

type busy time.Duration

func (b busy) Error() string             { return "busy" }
func (b busy) RetryAfter() time.Duration { return time.Duration(b) }

func TestRetry(t *testing.T) {
	t.Parallel()
	hard := errors.New("hard")
	middle := func() float64 { return 0.5 } // no jitter
	tests := []struct {
		name  string
		back  runner.Backoff
		errs  []error
		calls int
		took  time.Duration
		ok    bool
	}{
		{"at once", runner.Backoff{}, []error{nil}, 1, 0, true},
		{"third time", runner.Backoff{First: time.Second}, []error{busy(0), busy(0), nil}, 3, 3 * time.Second, true},
		{"capped", runner.Backoff{Tries: 5, First: time.Second, Max: 2 * time.Second}, []error{busy(0), busy(0), busy(0), busy(0), busy(0), nil}, 5, 7 * time.Second, false},
		{"permanent", runner.Backoff{Permanent: func(err error) bool { return errors.Is(err, hard) }}, []error{hard, nil}, 1, 0, false},
		{"told to wait", runner.Backoff{First: time.Second, Max: 10 * time.Second}, []error{busy(30 * time.Second), nil}, 2, 30 * time.Second, true},
		{"told to wait for ever", runner.Backoff{First: time.Second, Max: 2 * time.Second}, []error{busy(time.Hour), nil}, 2, 20 * time.Second, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.back.Rand = middle
				calls, begin := 0, time.Now()
				err := runner.Retry(t.Context(), tt.back, func(context.Context) error {
					calls++
					return tt.errs[calls-1]
				})
				if calls != tt.calls || (err == nil) != tt.ok || time.Since(begin) != tt.took {
					t.Errorf("%d calls in %v, %v; want %d in %v", calls, time.Since(begin), err, tt.calls, tt.took)
				}
			})
		})
	}
}

func TestPauseVaries(t *testing.T) {
	t.Parallel()
	for _, r := range []float64{0, 0.25, 0.999} {
		b := runner.Backoff{First: time.Second, Max: 15 * time.Minute, Rand: func() float64 { return r }}
		for n := 1; n < 100; n++ {
			if d := b.Pause(n, nil); d < 800*time.Millisecond || d > 18*time.Minute {
				t.Errorf("pause %d at %v = %v", n, r, d)
			}
		}
	}
}
