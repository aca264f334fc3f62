package reduce

import (
	"slices"

	"metermanager/logdb"
)

// Split cuts a page into two at its middle position, for a receiver that finds it too
// large. What is combined into a row of the page goes with it, while there is more: a receiver that knows of rows of that interval must see
// that they belong together. ok is false when there is only one record or range left.
func Split(p *logdb.Page) (a, b *logdb.Page, ok bool) {
	held := Positions(p)
	place := func(f logdb.FateRange) logdb.Position {
		if f.Fate == logdb.FateReduced && held.Has(f.Into) {
			return f.Into
		}
		return f.First
	}
	if a, b, ok = split(p, place); ok {
		return a, b, true
	}
	return split(p, func(f logdb.FateRange) logdb.Position { return f.First })
}

// split cuts a page where the places of its records and ranges halve.
func split(p *logdb.Page, place func(logdb.FateRange) logdb.Position) (a, b *logdb.Page, ok bool) {
	var starts []logdb.Position
	for _, h := range p.Rows {
		starts = append(starts, h.Positions...)
	}
	for i := range p.Entries {
		starts = append(starts, p.Entries[i].Position)
	}
	for _, f := range p.Fates {
		starts = append(starts, place(f))
	}
	slices.Sort(starts)
	halves := slices.Compact(slices.Clone(starts))
	if len(halves) < 2 {
		return nil, nil, false
	}
	mid := max(starts[len(starts)/2], halves[1])
	left, right := *p, *p
	left.Rows, left.Entries, left.Fates = nil, nil, nil
	right.Rows, right.Entries, right.Fates = nil, nil, nil
	for i := range p.Rows {
		h := &p.Rows[i]
		n, _ := slices.BinarySearch(h.Positions, mid)
		if n > 0 {
			left.Rows = append(left.Rows, h.Slice(0, n))
		}
		if n < h.Len() {
			right.Rows = append(right.Rows, h.Slice(n, h.Len()))
		}
	}
	for _, e := range p.Entries {
		if e.Position < mid {
			left.Entries = append(left.Entries, e)
		} else {
			right.Entries = append(right.Entries, e)
		}
	}
	for _, f := range p.Fates {
		if place(f) < mid {
			left.Fates = append(left.Fates, f)
		} else {
			right.Fates = append(right.Fates, f)
		}
	}
	return &left, &right, true
}

// Positions returns the fates that a page gives, as the receiver's set will hold them.
func Positions(p *logdb.Page) logdb.FateSet {
	var out logdb.FateSet
	for _, h := range p.Rows {
		for _, q := range h.Positions {
			out.Put(logdb.FateRange{First: q, Last: q, Fate: logdb.FateStored})
		}
	}
	for i := range p.Entries {
		q := p.Entries[i].Position
		out.Put(logdb.FateRange{First: q, Last: q, Fate: logdb.FateStored})
	}
	for _, f := range p.Fates {
		out.Put(f)
	}
	return out
}
