package retrieve_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"metermanager/logdb/logdbtest"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// endedBefore is a State that ends its manager just before a retrieval is added to the history.
type endedBefore struct {
	*memory
	end context.CancelFunc
}

func (s *endedBefore) AddHistory(ctx context.Context, h retrieve.HistoryItem, keep int) error {
	s.end()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.memory.AddHistory(ctx, h, keep)
}

// Hole: a retrieval that had ended just when its meter's goroutine was stopped, as for other settings or with the program, was missing
// in the history, and the log called that an error.
func TestRetrievalThatEndedIsKeptWhenTheProgramEnds(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 7, History: time.Hour})
	ctx, end := context.WithCancel(t.Context())
	defer end()
	state := &endedBefore{newMemory(), end}
	var said bytes.Buffer
	m, _ := newManager(t, logdbtest.NewModel(logdbtest.Config{}), state, retrieve.Config{
		Live: time.Hour, Retrieve: time.Hour, Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	if _, err := m.Add(t.Context(), retrieve.AddRequest{Address: meter.Addr().String(), Unit: 1, Zone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(state.history) != 1 || state.history[0].Records == 0 {
		t.Errorf("the history is %+v", state.history)
	}
	if said.Len() > 0 {
		t.Errorf("logged %s", said.String())
	}
}
