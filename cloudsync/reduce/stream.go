package reduce

import (
	"context"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// Stream is one policy generation of a journal with the fates decided under it.
//
// The sender's fates say one thing more than the receiver's: a row that came late for a closed
// minute is reduced into a position *before* it. It travels, at its own position, as a
// revise of that one, so the receiver knows it as stored.
type Stream struct {
	ID     logdb.StreamID
	Policy Policy
	Fates  logdb.FateSet
	// Closed is the position at which the stream ended, 0 while it is open.
	Closed logdb.Position
	// Asked are the positions that somebody at the receiver asked for: they travel on requested pages, and
	// whether the receiver has them is not known yet.
	Asked logdb.FateSet
	// Whole are the positions that the receiver got on request, as they are in the journal: rows that are not
	// combined, recordings that are not shortened.
	Whole logdb.FateSet
	// Fetched are the positions of rows, and changes of these, that the receiver's limits had skipped and that it got on request, as they were decided.
	Fetched logdb.FateSet
	// Refused are the positions that the receiver's own limits skipped, with its reasons.
	Refused logdb.FateSet
}

// Learn takes up what the receiver got on request although nothing here says so, and returns those positions: it was
// sent by a copy of this node, by a cloud that passes on, or before this node went back to a backup. Of an interval of which it has one row the others
// are learned too, whether it has them yet or not: their sum would hold that one once more. What is in Asked is not concluded here.
func (s *Stream) Learn(there *logdb.FateSet) (learned logdb.FateSet) {
	learn := func(p logdb.Position) {
		if !s.Whole.Has(p) {
			learned.Put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateStored})
		}
	}
	for _, r := range there.Ranges() {
		if r.Fate != logdb.FateStored {
			continue
		}
		for p := r.First; p <= r.Last; p++ {
			here, ok := s.Fates.At(p)
			if !ok {
				continue
			}
			late := here.Fate == logdb.FateReduced && here.Into < p // it travels at its own position
			switch {
			case here.Fate == logdb.FateSkipped && !s.Asked.Has(p):
				learn(p)
			case here.Fate == logdb.FateReduced && !late && !s.Asked.Has(p):
				learn(p)
				learn(here.Into)
			case here.Fate != logdb.FateSkipped:
				p = max(p, min(here.Last, r.Last))
			}
		}
	}
	first, late := map[logdb.Position]logdb.Position{}, []logdb.FateRange{}
	if learned.Len() > 0 {
		for _, r := range s.Fates.Ranges() {
			switch {
			case r.Fate != logdb.FateReduced || !learned.Has(r.Into):
			case r.Into < r.First:
				late = append(late, r)
			default:
				if _, ok := first[r.Into]; !ok {
					first[r.Into] = r.First
				}
				for p := r.First; p <= r.Last; p++ {
					learn(p)
				}
			}
		}
	}
	for _, r := range learned.Ranges() {
		for p := r.First; p <= r.Last; p++ {
			one := logdb.FateRange{First: p, Last: p, Fate: logdb.FateStored}
			s.Whole.Put(one)
			s.Fates.Put(one)
		}
	}
	for _, r := range late { // whoever sent the rows has a late one change the first of them, as they were not combined
		if r.Into = first[r.Into]; r.Into != 0 {
			s.Fates.Put(r)
			learned.Put(r)
		}
	}
	return learned
}

// AsIs reports whether the receiver got p on request as it was recorded, or is to get it on request: a recording is not shortened then.
func (s *Stream) AsIs(p logdb.Position) bool { return s.Whole.Has(p) || s.Asked.Has(p) }

// Cut is all streams that carry the same part of one journal, oldest first. A position is
// decided once in a cut. The last stream is the one that decides.
type Cut struct {
	Streams []*Stream
	// Next is the first position that no decision has looked at; those before it that have no fate lie in
	// intervals that are still open.
	Next logdb.Position

	first map[logdb.Position]logdb.Position   // combined row -> first position reduced into it
	late  map[logdb.Position][]logdb.Position // combined row -> late rows, rising
}

// NewCut indexes the streams.
func NewCut(streams ...*Stream) *Cut {
	c := &Cut{Streams: streams, first: map[logdb.Position]logdb.Position{}, late: map[logdb.Position][]logdb.Position{}}
	for _, s := range streams {
		for _, r := range s.Fates.Ranges() {
			c.index(r)
		}
	}
	return c
}

func (c *Cut) index(r logdb.FateRange) {
	if r.Fate != logdb.FateReduced {
		return
	}
	if r.Into > r.Last {
		if first, ok := c.first[r.Into]; !ok || r.First < first {
			c.first[r.Into] = r.First
		}
		return
	}
	for p := r.First; p <= r.Last; p++ {
		list := c.late[r.Into]
		if i, found := slices.BinarySearch(list, p); !found {
			c.late[r.Into] = slices.Insert(list, i, p)
		}
	}
}

// Current returns the stream that decides.
func (c *Cut) Current() *Stream { return c.Streams[len(c.Streams)-1] }

// At returns the fate of p and the stream that decided it.
func (c *Cut) At(p logdb.Position) (logdb.FateRange, *Stream, bool) {
	for i := len(c.Streams) - 1; i >= 0; i-- {
		if r, ok := c.Streams[i].Fates.At(p); ok {
			return r, c.Streams[i], true
		}
	}
	return logdb.FateRange{}, nil, false
}

// Undecided returns the first position from p to end that no stream has decided, end+1 when there is none.
func (c *Cut) Undecided(p, end logdb.Position) logdb.Position {
	for p = max(p, 1); p <= end; {
		r, _, ok := c.At(p)
		if !ok {
			return p
		}
		p = r.Last + 1
	}
	return end + 1
}

// Put decides positions in the current stream.
func (c *Cut) Put(r logdb.FateRange) {
	c.Current().Fates.Put(r)
	c.index(r)
}

// asIs reports whether the recording that travels at p is not shortened.
func (c *Cut) asIs(p logdb.Position) bool {
	for _, s := range c.Streams {
		if s.AsIs(p) {
			return true
		}
	}
	return false
}

// Row returns the position at which the row that was added at p travels: p itself or
// the one that it is combined into. ok is false if it does not travel.
func (c *Cut) Row(p logdb.Position) (logdb.Position, bool) {
	switch r, _, ok := c.At(p); {
	case !ok:
		return 0, false
	case r.Fate == logdb.FateStored:
		return p, true
	case r.Fate == logdb.FateReduced:
		return r.Into, true
	}
	return 0, false
}

// Carrier is Row, and looks for the change that travels as a row which was not chosen.
func (c *Cut) Carrier(ctx context.Context, journal Journal, p logdb.Position) (logdb.Position, bool, error) {
	if at, ok := c.Row(p); ok {
		return at, true, nil
	}
	q, err := c.lead(ctx, journal, p)
	if err != nil || q == 0 {
		return 0, false, err
	}
	at, ok := c.Row(q)
	return at, ok, nil
}

// lead returns the change that travels as the row added at target, which was not chosen: the first one that travels at all.
// 0 when there is none.
func (c *Cut) lead(ctx context.Context, journal Journal, target logdb.Position) (logdb.Position, error) {
	if r, _, ok := c.At(target); !ok || r.Fate != logdb.FateNotChosen {
		return 0, nil
	}
	changes, err := journal.Changes(ctx, target)
	if err != nil {
		return 0, fmt.Errorf("read the changes of position %d: %w", target, err)
	}
	for _, q := range changes {
		if _, ok := c.Row(q); ok {
			return q, nil
		}
	}
	return 0, nil
}

// origin returns the position at which the row was added that e travels as: e's own, or that of the row which was not
// chosen. 0 when e is another change.
func (c *Cut) origin(ctx context.Context, journal Journal, e *logdb.Entry) (logdb.Position, error) {
	if e.Op == logdb.OpAdd {
		return e.Position, nil
	}
	if e.Op != logdb.OpRevise {
		return 0, nil
	}
	if q, err := c.lead(ctx, journal, e.Target); err != nil || q != e.Position {
		return 0, err
	}
	return e.Target, nil
}

// members returns the positions up to asOf that are combined into the row at p, p included,
// rising. Revises that were reduced with their rows are among them.
func (c *Cut) members(p, asOf logdb.Position) []logdb.Position {
	var out []logdb.Position
	if q, ok := c.first[p]; ok {
		for q < p {
			r, _, ok := c.At(q)
			if !ok {
				q++
				continue
			}
			for ; q <= r.Last; q++ {
				if r.Fate == logdb.FateReduced && r.Into == p {
					out = append(out, q)
				}
			}
		}
	}
	out = append(out, p)
	for _, q := range c.late[p] {
		if q <= asOf {
			out = append(out, q)
		}
	}
	return out
}

// Wire returns how the fate r stands in the receiver's set.
func Wire(r logdb.FateRange) logdb.FateRange {
	if r.Fate == logdb.FateReduced && r.Into < r.First {
		return logdb.FateRange{First: r.First, Last: r.Last, Fate: logdb.FateStored}
	}
	return r
}

// View is one journal with everything that was decided about it for one receiver.
type View struct {
	Meter   logdb.MeterUID // as this node names it
	There   logdb.MeterUID // as the receiver names it
	Kind    logdb.Kind
	Head    logdb.JournalHead
	Name    logdb.JournalID // under which it travels to the receiver
	Cuts    []*Cut
	Journal Journal
}
