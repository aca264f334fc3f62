package daemon

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// recorder notes in which order stages end.
type recorder struct {
	mu    sync.Mutex
	ended []string
}

func (r *recorder) stage(name string, end error) stage {
	return stage{name, func(ctx context.Context) error {
		<-ctx.Done()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, name)
		return end
	}}
}

func TestStagesStopInReverse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var r recorder
		stopping := false
		done := make(chan error)
		go func() {
			done <- runStages(ctx, []stage{r.stage("store", nil), r.stage("field", nil), r.stage("web", nil)}, func() { stopping = true })
		}()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if want := []string{"web", "field", "store"}; !slices.Equal(r.ended, want) {
			t.Errorf("ended %v, want %v", r.ended, want)
		}
		if !stopping {
			t.Error("nobody was told that the stop begins")
		}
	})
}

func TestStageThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		broken := errors.New("disk on fire")
		err := runStages(t.Context(), []stage{
			r.stage("store", nil), {"field", func(context.Context) error { return broken }}, r.stage("web", nil),
		}, func() {})
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "field: ") {
			t.Errorf("got %v, want the failure of field", err)
		}
		if want := []string{"web", "store"}; !slices.Equal(r.ended, want) {
			t.Errorf("ended %v, want %v", r.ended, want)
		}
	})
}

func TestStageThatEndsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		err := runStages(t.Context(), []stage{r.stage("store", nil), {"field", func(context.Context) error { return nil }}}, func() {})
		if err == nil || !strings.Contains(err.Error(), "field ended by itself") {
			t.Errorf("got %v", err)
		}
	})
}

func TestStageThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		done := make(chan error)
		go func() {
			done <- runStages(ctx, []stage{{"field", func(context.Context) error { <-release; return nil }}}, func() {})
		}()
		synctest.Wait()
		cancel()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "field did not stop within 20s") {
			t.Errorf("got %v", err)
		}
		close(release)
	})
}
