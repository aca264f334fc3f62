package logdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// MarksMost is how many positions are marked at once.
const MarksMost = 256

// A Mark tells what stands at a position of a journal from something else that may stand there: another journal under the same id. It is the same
// under all names and policies of the journal, so that it holds nothing of values, and of a row no more than its log: an add here may be a new version of
// a combined row there.
type Mark struct {
	Time Millis // of a row that was combined, or changes one, the end of its interval
	Sort Digest // hash of what it records
}

// Mark returns the mark of an entry.
func (e *Entry) Mark() Mark {
	op := e.Op
	if op == OpRevise || op == OpWithdraw {
		op = OpAdd
	}
	b := binary.AppendVarint([]byte{byte(op)}, int64(e.Log))
	number := func(n int64) { b = binary.AppendVarint(b, n) }
	at := e.Time
	switch {
	case e.System != nil:
		number(int64(e.System.Type))
		number(e.System.Code)
	case e.Excursion != nil:
		number(e.Excursion.Type)
		number(e.Excursion.LimitID)
		b = appendString(b, string(e.Excursion.Channel))
	case e.Waveform != nil:
		number(int64(e.Waveform.TriggerTime))
		if e.Waveform.Source != nil { // a shortened one may begin later
			at = e.Waveform.Source.Start
		}
	}
	return Mark{at, DigestOf(b)}
}

// Marks returns the mark of each entry that a log database holds at the positions first to last of a journal, under any of its names, MarksMost
// positions at most; none where the journal is not known.
func Marks(ctx context.Context, logs Source, meter MeterUID, kind Kind, journal JournalID, first, last Position) (map[Position]Mark, error) {
	if first == 0 || last < first || last-first >= MarksMost {
		return nil, fmt.Errorf("%w: marks of positions %d to %d, at most %d at once", ErrInvalid, first, last, MarksMost)
	}
	out := map[Position]Mark{}
	streams, err := logs.Streams(ctx, meter, kind)
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnknownMeter) {
		return nil, fmt.Errorf("list the streams: %w", err)
	}
	put := func(e Entry) {
		if e.Position <= last {
			out[e.Position] = e.Mark()
		}
	}
	for i := range streams {
		st := &streams[i]
		if st.Stream.Journal.Family() != journal.Family() || !st.Fates.Overlaps(first, last) {
			continue
		}
		page, err := logs.ReadStream(ctx, meter, kind, st.Stream, first, int(last-first)+1)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read what stands from position %d of stream %s: %w", first, st.Stream, err)
		}
		for j := range page.Rows {
			for k, p := range page.Rows[j].Positions {
				put(Entry{Op: OpAdd, Position: p, Log: page.Rows[j].Log, Time: page.Rows[j].Times[k]})
			}
		}
		for _, e := range page.Entries {
			put(e)
		}
	}
	return out, nil
}
