package correction

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// journal returns the journal that a correction becomes an entry of: one that this node numbers.
func (s *Service) journal(ctx context.Context, q *Request) (logdb.StreamState, error) {
	all, err := s.logs.Streams(ctx, q.Meter, q.Kind)
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) && !errors.Is(err, logdb.ErrNotFound) {
		return logdb.StreamState{}, fmt.Errorf("look for the journal: %w", err)
	}
	mine := slices.DeleteFunc(slices.Clone(all), func(j logdb.StreamState) bool {
		return !j.Own && j.Source == "" || !q.Stream.IsZero() && !j.Stream.SameCut(q.Stream)
	})
	switch {
	case len(mine) > 0 && mine[0].Own, len(mine) == 1:
		return mine[0], nil
	case len(mine) > 1:
		return logdb.StreamState{}, fault.Newf(fault.Conflict, "%d sources post this log: name the stream of the record.", len(mine)).At("stream")
	}
	return logdb.StreamState{}, fault.New(fault.NotFound, "This node has recorded nothing of this log itself: its records, if any, came from others.").
		WithHint("Correct the record at the node that reads the meter; the correction comes here by itself.")
}

// write gives an entry the next position of a journal. Pages of a source take positions of the same journal: whoever comes
// second finds the position decided and takes the next.
func (s *Service) write(ctx context.Context, q *Request, j logdb.StreamState, e logdb.Entry) error {
	if j.Own {
		_, err := s.logs.Append(ctx, logdb.Batch{Meter: q.Meter, Kind: q.Kind, Entries: []logdb.Entry{e}})
		return err
	}
	const tries = 100
	for range tries {
		all, err := s.logs.Streams(ctx, q.Meter, q.Kind)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(o logdb.StreamState) bool { return o.Stream == j.Stream })
		if i < 0 {
			return fmt.Errorf("journal %s: %w", j.Stream, logdb.ErrNotFound)
		}
		e.Position = max(all[i].JournalEnd, all[i].Fates.Highest()) + 1
		got, err := s.logs.Accept(ctx, logdb.Page{Meter: q.Meter, Kind: q.Kind, Stream: j.Stream, Entries: []logdb.Entry{e}, JournalEnd: e.Position}, logdb.Limits{})
		if err != nil {
			return err
		}
		if got.Revised == 1 {
			return nil
		}
	}
	return fmt.Errorf("%w: pages of the source kept coming first", logdb.ErrConflict)
}
