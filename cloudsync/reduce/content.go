package reduce

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// Latest stands for "with everything that is in the journal".
const Latest = logdb.MaxPosition

// Content returns the record that travels at position p, as it stood at position asOf:
// chosen, combined and shortened, with its live version. live is false when nothing remains of it.
// p must be decided as stored and hold an add. What is not in the journal any more is left out.
func (c *Composer) Content(ctx context.Context, p, asOf logdb.Position) (e logdb.Entry, live bool, err error) {
	e, live, _, err = c.content(ctx, p, asOf)
	return e, live, err
}

// cleared says what is not in the journal any more of what a record is made of.
type cleared int

const (
	whole cleared = iota
	told          // something, of which changes tell what it is
	lacks         // something, so that nobody can tell what the record is as a whole
)

// content is Content, and says what is not in the journal any more.
func (c *Composer) content(ctx context.Context, p, asOf logdb.Position) (e logdb.Entry, live bool, gone cleared, err error) {
	if c.kind == logdb.KindHistorical {
		return c.rowContent(ctx, p, asOf)
	}
	e, live, err = c.version(ctx, p, asOf)
	if errors.Is(err, logdb.ErrNotFound) {
		return e, false, lacks, nil
	}
	if err != nil || !live {
		return e, false, whole, err
	}
	return c.shorten(p, e), true, whole, nil
}

// version returns the live version at asOf of the record added at p, under the position of that version.
func (c *Composer) version(ctx context.Context, p, asOf logdb.Position) (e logdb.Entry, live bool, err error) {
	at := p
	changes, err := c.journal.Changes(ctx, p)
	if err != nil {
		return e, false, fmt.Errorf("read the changes of position %d: %w", p, err)
	}
	for _, q := range changes {
		if q <= asOf && q > at {
			at = q
		}
	}
	e, err = c.journal.Entry(ctx, at)
	if err != nil {
		return e, false, fmt.Errorf("read position %d: %w", at, err)
	}
	return e, e.Op == logdb.OpAdd || e.Op == logdb.OpRevise, nil
}

// shorten cuts the recording e, a version of the one added at p, unless the receiver got that version whole.
func (c *Composer) shorten(p logdb.Position, e logdb.Entry) logdb.Entry {
	if e.Waveform == nil || c.cut.asIs(e.Position) {
		return e
	}
	if _, s, ok := c.cut.At(p); ok {
		e, _ = limit.ShortenEntry(&e, s.Policy.Limits)
	}
	return e
}

func (c *Composer) rowContent(ctx context.Context, p, asOf logdb.Position) (out logdb.Entry, live bool, gone cleared, err error) {
	_, s, ok := c.cut.At(p)
	if !ok {
		return out, false, whole, fmt.Errorf("%w: position %d has no fate", logdb.ErrInvalid, p)
	}
	rules := s // of a change that travels as its row: those by which that was not chosen
	var rows []logdb.Entry
	for _, q := range c.cut.members(p, asOf) {
		add, err := c.journal.Entry(ctx, q)
		missing := errors.Is(err, logdb.ErrNotFound)
		if err != nil && !missing {
			return out, false, whole, fmt.Errorf("read position %d: %w", q, err)
		}
		origin := q
		if !missing {
			if origin, err = c.cut.origin(ctx, c.journal, &add); err != nil {
				return out, false, whole, err
			}
		}
		if origin == 0 {
			continue
		}
		if q == p && origin != p {
			_, rules, _ = c.cut.At(origin)
		}
		v, live, err := c.version(ctx, origin, asOf) // a change tells what the row is, also when the row itself was cleared
		if errors.Is(err, logdb.ErrNotFound) {
			gone = lacks
			continue
		}
		if err != nil {
			return out, false, whole, err
		}
		if missing {
			add, gone = v, max(gone, told)
		}
		if q == p {
			out.Log, out.Run, out.Generation, out.Time = add.Log, add.Run, add.Generation, add.Time
		}
		row := rules.Policy.choose(v.Row)
		switch {
		case !live || row == nil:
			continue
		case len(rows) > 0 && len(row.Channels) == 0: // nothing was measured at its time
			continue
		case len(rows) > 0 && len(rows[0].Row.Channels) == 0:
			rows = rows[:0]
		}
		v.Row = row
		rows = append(rows, v)
	}
	if len(rows) == 0 {
		return out, false, gone, nil
	}
	out.Position, out.Op = p, logdb.OpAdd
	out.Row = Combine(rows)
	out.Time = rows[0].Time
	for _, r := range rows {
		out.Time = max(out.Time, r.Time)
	}
	if step := rules.Policy.step(); step > 0 && !rules.Policy.slow(out.Log) && !s.Whole.Has(p) {
		out.Time = bucketEnd(out.Time, step)
	}
	return out, true, gone, nil
}

// Combine makes one row of several, channel by channel, in the order given: journal order.
//
// The arithmetic is fixed, so that every node gets the same bits: sums are added one after another from
// the first value on, in float64, and nothing is multiplied, so no processor can fuse; a mean is such a
// sum divided once. The last value is the one of the newest time, of equal times the later in the journal.
func Combine(rows []logdb.Entry) *logdb.Row {
	if len(rows) == 1 {
		return rows[0].Row
	}
	out := &logdb.Row{}
	for _, r := range rows {
		for _, channel := range r.Row.Channels {
			if !slices.Contains(out.Channels, channel) {
				out.Channels = append(out.Channels, channel)
			}
		}
	}
	for _, channel := range out.Channels {
		var values []float64
		var times []logdb.Millis
		for _, r := range rows {
			if i := slices.Index(r.Row.Channels, channel); i >= 0 {
				values = append(values, r.Row.Values[i])
				times = append(times, r.Time)
			}
		}
		out.Values = append(out.Values, aggregate(logdb.LookupChannel(channel).Agg, values, times))
	}
	return out
}

// aggregate combines at least one value.
func aggregate(agg logdb.Aggregation, values []float64, times []logdb.Millis) float64 {
	out := values[0]
	switch agg {
	case logdb.AggMax:
		return slices.Max(values)
	case logdb.AggMin:
		return slices.Min(values)
	case logdb.AggLast:
		newest := times[0]
		for i, v := range values {
			if times[i] >= newest {
				out, newest = v, times[i]
			}
		}
		return out
	}
	for _, v := range values[1:] {
		out += v
	}
	if agg == logdb.AggMean {
		out /= float64(len(values))
	}
	return out
}
