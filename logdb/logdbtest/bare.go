package logdbtest

import (
	"encoding/binary"
	"math"

	"metermanager/logdb"
)

// takeContents takes a page without positions: what was seen before is a repeat, and of equal records inside
// one page as many are kept as the page with most copies holds.
func (r *receiver) takeContents() {
	defer func(before logdb.Position) {
		if r.stream.end > before {
			r.stream.batches[r.stream.end] = r.stream.chain
		}
	}(r.stream.end)
	copies := map[string]int{} // on this page, so far
	isNew := func(content string) bool {
		copies[content]++
		if copies[content] <= r.stream.seen[content] {
			return false
		}
		r.stream.seen[content] = copies[content]
		return true
	}
	for _, e := range entries(r.page.Rows, r.page.Entries) {
		if e.Row != nil {
			r.takeRow(e, isNew)
			continue
		}
		content := string(e.AppendContent(nil))
		switch {
		case !isNew(content):
			r.receipt.Repeats++
		case r.endedAlready(e, content):
			r.receipt.Repeats++
		default:
			if start := r.startOf(e); start != nil {
				e.Op, e.Target, e.Replaces = logdb.OpRevise, start.Position, start.ContentDigest()
			}
			r.put(e, content)
		}
	}
}

// takeRow keeps the values of a row that are new: a historical record is (series, time, value).
func (r *receiver) takeRow(e logdb.Entry, isNew func(string) bool) {
	var contents []string
	row := logdb.Row{}
	for i, c := range e.Row.Channels {
		b := binary.BigEndian.AppendUint16(nil, uint16(e.Log))
		b = binary.BigEndian.AppendUint64(b, uint64(e.Time))
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(e.Row.Values[i]))
		content := string(b) + string(c)
		if isNew(content) {
			contents = append(contents, content)
			row.Channels = append(row.Channels, c)
			row.Values = append(row.Values, e.Row.Values[i])
		}
	}
	if len(contents) == 0 { // also a row without values: it says nothing that could be new
		r.receipt.Repeats++
		return
	}
	e.Row = &row
	r.put(e, contents...)
}

// put gives a new record the next position of the journal that is made for the source.
func (r *receiver) put(e logdb.Entry, contents ...string) {
	r.stream.end++
	e.Position = r.stream.end
	r.stream.chain = e.Chain(r.stream.chain)
	r.stream.contents[e.Position] = contents
	if e.Op == logdb.OpAdd {
		if reason := r.overLimit(e); reason != "" {
			r.skip(e, reason)
			return
		}
	}
	r.store(e)
}

// startOf returns the live open event that e ends, the oldest if there are several.
func (r *receiver) startOf(e logdb.Entry) *logdb.Entry {
	if e.Excursion == nil || math.IsNaN(e.Excursion.DurationSeconds) {
		return nil
	}
	for i := range r.stream.held {
		h := &r.stream.held[i]
		if h.Op == logdb.OpAdd && sameStart(h, &e) && math.IsNaN(h.Excursion.DurationSeconds) && !r.revised(h.Position) {
			return h
		}
	}
	return nil
}

// endedAlready reports whether e is the start of an event whose end came first: an ended event
// takes the place of one start, whichever of the two is posted first.
func (r *receiver) endedAlready(e logdb.Entry, content string) bool {
	if e.Excursion == nil || !math.IsNaN(e.Excursion.DurationSeconds) {
		return false
	}
	for i := range r.stream.held {
		h := &r.stream.held[i]
		if h.Op == logdb.OpAdd && sameStart(h, &e) && !math.IsNaN(h.Excursion.DurationSeconds) && !r.stream.closed[h.Position] {
			r.stream.closed[h.Position] = true
			r.stream.contents[h.Position] = append(r.stream.contents[h.Position], content)
			return true
		}
	}
	return false
}

func sameStart(a, b *logdb.Entry) bool {
	return a.Excursion != nil && a.Log == b.Log && a.Time == b.Time && a.Excursion.Channel == b.Excursion.Channel &&
		a.Excursion.Type == b.Excursion.Type && a.Excursion.LimitID == b.Excursion.LimitID
}
