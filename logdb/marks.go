package logdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// MarksMost is how many positions are marked at once.
const MarksMost = 64

// Mark tells an entry from another that may stand at its position: what it records and when, without its values, of which a receiver
// may hold fewer. Two nodes that hold other marks at one position of a stream hold two journals under one id.
func (e *Entry) Mark() Digest {
	b := []byte{byte(e.Op)}
	number := func(n int64) { b = binary.AppendVarint(b, n) }
	number(int64(e.Target))
	number(int64(e.Log))
	at := e.Time
	switch {
	case e.System != nil:
		number(int64(e.System.Type))
		number(e.System.Code)
	case e.Excursion != nil:
		number(int64(e.Excursion.Type))
		number(e.Excursion.LimitID)
		b = appendString(b, string(e.Excursion.Channel))
	case e.Waveform != nil:
		number(int64(e.Waveform.TriggerTime))
		if e.Waveform.Source != nil { // a shortened one may begin later
			at = e.Waveform.Source.Start
		}
	}
	number(int64(at))
	return DigestOf(b)
}

// Marks returns the mark of each entry that a log database holds of a stream from first to last, of MarksMost positions at most; none
// where the stream is not known.
func Marks(ctx context.Context, logs Source, meter MeterUID, kind Kind, stream StreamID, first, last Position) (map[Position]Digest, error) {
	out := map[Position]Digest{}
	if first == 0 || last < first || last-first >= MarksMost {
		return nil, fmt.Errorf("%w: marks of positions %d to %d, at most %d at once", ErrInvalid, first, last, MarksMost)
	}
	page, err := logs.ReadStream(ctx, meter, kind, stream, first, int(last-first)+1)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnknownMeter) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what stands from position %d of stream %s: %w", first, stream, err)
	}
	put := func(e Entry) {
		if e.Position <= last {
			out[e.Position] = e.Mark()
		}
	}
	for i := range page.Rows {
		for k, p := range page.Rows[i].Positions {
			put(Entry{Op: OpAdd, Position: p, Log: page.Rows[i].Log, Time: page.Rows[i].Times[k], Row: &Row{}})
		}
	}
	for _, e := range page.Entries {
		put(e)
	}
	return out, nil
}
