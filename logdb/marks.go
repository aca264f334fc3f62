package logdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// How many positions are marked at once: recordings are read with their samples for it.
const (
	MarksMost           = 256
	MarkedRecordingsMax = 8
)

// A Mark tells what was recorded at a position of a journal from something else that may stand there: another journal under the same id. It holds
// nothing of values, and is the same under all names and policies of the journal, but for the time of a row that was combined, or stands in place of
// one.
type Mark struct {
	Time Millis // of a shortened recording the start of the whole one
	Sort Digest // hash of operation, log and what sort of event it is
}

// Mark returns the mark of an entry.
func (e *Entry) Mark() Mark {
	b := binary.AppendVarint([]byte{byte(e.Op)}, int64(e.Log))
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

// Marks returns the mark of each entry that a log database holds at the positions first to last of a journal, under any of its names; none where
// the journal is not known. Changes have none: what they change, and when that was, may differ from one policy to another. ErrInvalid for more
// positions than MarksMost, or MarkedRecordingsMax of recordings.
func Marks(ctx context.Context, logs Source, meter MeterUID, kind Kind, journal JournalID, first, last Position) (map[Position]Mark, error) {
	most := Position(MarksMost)
	if kind == KindWaveform {
		most = MarkedRecordingsMax
	}
	if first == 0 || last < first || last-first >= most {
		return nil, fmt.Errorf("%w: marks of positions %d to %d, at most %d at once", ErrInvalid, first, last, most)
	}
	out := map[Position]Mark{}
	streams, err := logs.Streams(ctx, meter, kind)
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnknownMeter) {
		return nil, fmt.Errorf("list the streams: %w", err)
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
				if p <= last {
					e := Entry{Op: OpAdd, Log: page.Rows[j].Log, Time: page.Rows[j].Times[k]}
					out[p] = e.Mark()
				}
			}
		}
		for _, e := range page.Entries {
			if e.Target == 0 && e.Position <= last {
				out[e.Position] = e.Mark()
			}
		}
	}
	return out, nil
}
