package bus_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/service/bus"
)

func TestPublishRunsTheConsumer(t *testing.T) {
	t.Parallel()
	refuse := errors.New("refused")
	topic := bus.NewInline("double", func(_ context.Context, n int) (int, error) {
		if n < 0 {
			return 0, refuse
		}
		return 2 * n, nil
	}, bus.Config{})
	ack, err := topic.Publish(t.Context(), 21)
	if err != nil || !ack.Done || ack.Result != 42 {
		t.Fatalf("Publish(21) = %+v, %v; want 42, done", ack, err)
	}
	if ack, err = topic.Publish(t.Context(), -1); !errors.Is(err, refuse) || ack.Done {
		t.Fatalf("Publish(-1) = %+v, %v; want the consumer's error", ack, err)
	}
}

func TestPublishIsRefusedWhenAllSlotsStayTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		topic := bus.NewInline("slow", func(context.Context, int) (int, error) {
			<-release
			return 1, nil
		}, bus.Config{Parallel: 1, Wait: time.Second})
		first := make(chan error)
		go func() {
			_, err := topic.Publish(t.Context(), 1)
			first <- err
		}()
		synctest.Wait()
		if _, err := topic.Publish(t.Context(), 2); !errors.Is(err, bus.ErrBusy) {
			t.Errorf("second publish: %v, want ErrBusy", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := topic.Publish(ctx, 3); !errors.Is(err, context.Canceled) {
			t.Errorf("publish of a caller that went away: %v, want context.Canceled", err)
		}
		close(release)
		if err := <-first; err != nil {
			t.Errorf("first publish: %v", err)
		}
	})
}

func TestCloseWaitsAndRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release, finished := make(chan struct{}), false
		topic := bus.NewInline("t", func(context.Context, int) (int, error) {
			<-release
			finished = true
			return 0, nil
		}, bus.Config{})
		go topic.Publish(t.Context(), 1)
		synctest.Wait()
		go func() {
			time.Sleep(time.Second) // the fake clock of the bubble
			close(release)
		}()
		topic.Close()
		if !finished {
			t.Error("Close returned before the consumer had finished")
		}
		if _, err := topic.Publish(t.Context(), 2); !errors.Is(err, bus.ErrClosed) {
			t.Errorf("publish after Close: %v, want ErrClosed", err)
		}
	})
}

func TestNoticesReachEveryConsumerInOrder(t *testing.T) {
	t.Parallel()
	var got []string
	n := bus.NewNotices(
		func(_ context.Context, m string) { got = append(got, "a"+m) },
		func(_ context.Context, m string) { got = append(got, "b"+m) },
	)
	n.Publish(t.Context(), "1")
	if !slices.Equal(got, []string{"a1", "b1"}) {
		t.Errorf("notices = %v", got)
	}
}
