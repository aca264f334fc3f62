package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// interval is a combined row that a receiver was told of, and the records of which it is made.
type interval struct {
	group reduce.Group      // rising; the position of the combined row is into
	into  logdb.Position    // where it travels
	told  []logdb.FateRange // of the group, what the receiver was not told yet to be reduced
}

// pick parts what is missing there into what can be sent as it is here, and into the intervals that must come whole: what their combined
// rows stand for came here as rows, on request, and such a row alone would pass for the sum of all. What is only a part of one stays behind:
// whoever has the rest sends it.
func (r *relayReader) pick(ctx context.Context, missing [][2]logdb.Position, there *logdb.FateSet) (plain [][2]logdb.Position, whole []interval, err error) {
	var left logdb.FateSet
	for _, m := range missing {
		left.Put(logdb.FateRange{First: m[0], Last: m[1], Fate: logdb.FateStored})
	}
	out := map[logdb.Position]bool{} // of what is missing, what does not go as it is
	changes, err := r.changesOfRows(ctx, missing, combinedThere(&r.stream.Fates, there))
	if err != nil {
		return nil, nil, err
	}
	if err := r.rowsElsewhere(ctx, missing, out); err != nil {
		return nil, nil, err
	}
	kept := r.kept(there)
	parts := map[logdb.Position][]logdb.FateRange{}
	for _, f := range there.Ranges() {
		if f.Fate == logdb.FateReduced && (left.Has(f.Into) || len(changes[f.Into]) > 0) {
			parts[f.Into] = append(parts[f.Into], f)
		}
	}
	for _, into := range slices.Sorted(maps.Keys(parts)) {
		stored := 0
		for _, f := range parts[into] {
			for p := f.First; p <= f.Last; p++ {
				if here, ok := r.stream.Fates.At(p); ok && here.Fate == logdb.FateStored {
					stored++
				}
			}
		}
		if here, ok := r.stream.Fates.At(into); stored == 0 || ok && here.Fate != logdb.FateStored {
			continue // it is the combined row here, too
		}
		x, complete, err := r.interval(ctx, into, parts[into], func(p logdb.Position) bool { return left.Has(p) && !out[p] })
		if err != nil {
			return nil, nil, err
		}
		x.group = append(x.group, changes[into]...)
		for _, p := range x.group {
			out[p] = true
		}
		if complete && (left.Has(into) || !kept[x.group[0]]) {
			whole = append(whole, x)
		}
	}
	if err := r.sumsOfRows(ctx, missing, there, out); err != nil {
		return nil, nil, err
	}
	others := slices.Sorted(maps.Keys(out))
	for _, m := range missing {
		for ; len(others) > 0 && others[0] <= m[1]; others = others[1:] {
			if p := others[0]; p >= m[0] {
				if p > m[0] {
					plain = append(plain, [2]logdb.Position{m[0], p - 1})
				}
				m[0] = p + 1
			}
		}
		if m[0] <= m[1] {
			plain = append(plain, m)
		}
	}
	return plain, whole, nil
}

// sumsOfRows notes in out what is missing there of the sums of what stands there as rows, with what else they are the sums of, and with their changes:
// they would count twice. What stands there at the place of a sum of which nothing else is known there may be the row: the others are to be sent
// again then, by who sent them as rows.
func (r *relayReader) sumsOfRows(ctx context.Context, missing [][2]logdb.Position, there *logdb.FateSet, out map[logdb.Position]bool) error {
	sums, combined := map[logdb.Position]bool{}, map[logdb.Position]bool{}
	for _, f := range there.Ranges() {
		if f.Fate == logdb.FateReduced {
			combined[f.Into] = true
		}
	}
	for _, f := range r.stream.Fates.Ranges() {
		if t, ok := there.At(f.Into); f.Fate == logdb.FateReduced && ok && t.Fate == logdb.FateStored && !combined[f.Into] && !sums[f.Into] {
			row, err := r.rowThere(ctx, f.Into)
			if err != nil {
				return err
			}
			sums[f.Into] = row
			combined[f.Into] = !row
		}
		for p := f.First; p <= f.Last && f.Fate == logdb.FateReduced; p++ {
			if t, ok := there.At(p); ok && t.Fate == logdb.FateStored {
				sums[f.Into] = true
			} else if ok {
				p = min(t.Last, f.Last)
			}
		}
	}
	if len(sums) == 0 {
		return nil
	}
	for _, m := range missing {
		for p := m[0]; p <= m[1]; p++ {
			held, err := r.held(ctx, p, p)
			if err != nil {
				return err
			}
			f, _ := r.stream.Fates.At(p)
			if e, ok := held[p]; sums[p] || f.Fate == logdb.FateReduced && sums[f.Into] || ok && e.Target != 0 && sums[e.Target] {
				out[p] = true
			}
		}
	}
	return nil
}

// rowThere reports whether what stands there at the place of a sum here bears another time. A row that ends its interval bears the same one, and is not
// told from the sum.
func (r *relayReader) rowThere(ctx context.Context, into logdb.Position) (bool, error) {
	held, err := r.held(ctx, into, into)
	if err != nil {
		return false, err
	}
	e, ok := held[into]
	if !ok {
		return isSkipped(&r.stream.Fates, into), nil // it came there from somebody else, who tells what it is
	}
	marks, err := r.u.cloud.Marks(ctx, r.u.conf.CloudUID, r.u.kind, r.stream.Stream.Journal, into, into)
	switch code := fault.CodeOf(err); {
	case err == nil:
		m, ok := marks[into]
		return ok && m.Time != e.Time, nil
	case ctx.Err() == nil && (code == fault.Internal || code == fault.NotFound || code == fault.Invalid):
		return false, nil // damage there, or a cloud that does not tell
	}
	return false, fmt.Errorf("ask what stands at position %d of journal %s: %w", into, r.stream.Stream.Journal, err)
}

// combinedThere returns, by row that is held here, the combined row that stands for it there.
func combinedThere(here, there *logdb.FateSet) map[logdb.Position]logdb.Position {
	into := map[logdb.Position]logdb.Position{}
	for _, f := range there.Ranges() {
		for p := f.First; p <= f.Last && f.Fate == logdb.FateReduced; p++ {
			h, ok := here.At(p)
			if ok && h.Fate == logdb.FateStored {
				into[p], into[f.Into] = f.Into, f.Into
			} else if ok {
				p = min(h.Last, f.Last)
			}
		}
	}
	return into
}

// rowsElsewhere sends the rows of combined ones that an earlier stream of the cut brought there, where changes of these rows are missing there: the
// sum there cannot be changed by who has it not. It notes in out what waits for them.
func (r *relayReader) rowsElsewhere(ctx context.Context, missing [][2]logdb.Position, out map[logdb.Position]bool) error {
	for _, o := range r.cut {
		there := r.u.received(o.Stream)
		into := combinedThere(&o.Fates, there)
		changes, err := r.changesOfRows(ctx, missing, into)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			continue
		}
		parts := map[logdb.Position][]logdb.FateRange{}
		for _, f := range there.Ranges() {
			if f.Fate == logdb.FateReduced && len(changes[f.Into]) > 0 {
				parts[f.Into] = append(parts[f.Into], f)
			}
		}
		other := newRelayReader(r.u, o, nil)
		kept := other.kept(there)
		var whole []interval
		for _, at := range slices.Sorted(maps.Keys(parts)) {
			for _, p := range changes[at] {
				out[p] = true
			}
			x, complete, err := other.interval(ctx, at, parts[at], func(logdb.Position) bool { return false })
			if err != nil {
				return err
			}
			if complete && (!there.Has(at) || !kept[x.group[0]]) {
				whole = append(whole, x)
			}
		}
		if len(whole) == 0 || r.u.unsure {
			continue
		}
		if err := other.intervals(ctx, whole); err != nil {
			return err
		}
		r.early = true // the changes follow
	}
	return nil
}

// changesOfRows returns, by combined row, what is missing there of changes of rows that are held here and combined there: the sum there cannot be
// changed by who has it not, so that the rows must take its place.
func (r *relayReader) changesOfRows(ctx context.Context, missing [][2]logdb.Position, into map[logdb.Position]logdb.Position) (map[logdb.Position][]logdb.Position, error) {
	if len(into) == 0 {
		return nil, nil
	}
	out := map[logdb.Position][]logdb.Position{}
	for _, m := range missing {
		for p := m[0]; p <= m[1]; p++ {
			held, err := r.held(ctx, p, p)
			if err != nil {
				return nil, err
			}
			if e, ok := held[p]; ok && e.Target != 0 && into[e.Target] != 0 && p > into[e.Target] {
				out[into[e.Target]] = append(out[into[e.Target]], p)
			}
		}
	}
	return out, nil
}

// interval reads here what the combined row at into is made of: parts, of which the receiver knows, and rows of the same log between them, or
// changes of those, of which it does not: it was told of a part of the interval only. complete is false when not all of it is held.
func (r *relayReader) interval(ctx context.Context, into logdb.Position, parts []logdb.FateRange, unknown func(logdb.Position) bool) (x interval, complete bool, err error) {
	first, last := into, into
	known := logdb.FateSet{}
	for _, f := range parts {
		first, last = min(first, f.First), max(last, f.Last)
		known.Put(f)
	}
	held, err := r.held(ctx, first, last)
	if err != nil {
		return x, false, err
	}
	sum, ok := held[into]
	complete = ok && sum.Op == logdb.OpAdd && sum.Row != nil
	x = interval{into: into}
	in := map[logdb.Position]bool{}
	for p := first; p <= last; p++ {
		e, is := held[p]
		switch {
		case p == into:
		case known.Has(p):
			complete = complete && is
		case !is || !complete || !unknown(p) || p > into:
			continue
		case e.Op == logdb.OpAdd && e.Row != nil && e.Log == sum.Log && e.Run == sum.Run && e.Generation == sum.Generation,
			e.Target != 0 && in[e.Target]:
			x.told = append(x.told, logdb.FateRange{First: p, Last: p, Fate: logdb.FateReduced, Into: into, FirstTime: e.Time, LastTime: e.Time})
		default:
			continue
		}
		in[p] = true
		x.group = append(x.group, p)
	}
	return x, complete, nil
}

// held reads what is held of the positions first to last, and of some that follow, since these are asked for next.
func (r *relayReader) held(ctx context.Context, first, last logdb.Position) (map[logdb.Position]logdb.Entry, error) {
	if first >= r.ahead.first && last <= r.ahead.last {
		return r.ahead.held, nil
	}
	out := map[logdb.Position]logdb.Entry{}
	last = max(last, first+logdb.Position(r.step)-1)
	r.ahead.first, r.ahead.last, r.ahead.held = first, last, out
	for first <= last {
		page, err := r.u.s.logs.ReadStream(ctx, r.u.key.Meter, r.u.kind, r.stream.Stream, first, min(int(last-first)+1, r.step))
		if errors.Is(err, logdb.ErrNotFound) {
			return out, nil
		}
		if err != nil {
			r.ahead.last = 0
			return nil, fmt.Errorf("read stream %s from position %d: %w", r.stream.Stream, first, err)
		}
		highest := logdb.Position(0)
		take := func(e logdb.Entry) {
			if highest = max(highest, e.Position); e.Position <= last {
				out[e.Position] = e
			}
		}
		for i := range page.Rows {
			for k := range page.Rows[i].Times {
				take(page.Rows[i].Entry(k))
			}
		}
		for _, e := range page.Entries {
			take(e)
		}
		for _, f := range page.Fates {
			highest = max(highest, f.Last)
		}
		if highest == 0 {
			break
		}
		first = highest + 1
	}
	return out, nil
}

// intervals sends rows in the place of the combined ones that the receiver lacks.
func (r *relayReader) intervals(ctx context.Context, list []interval) error {
	var groups []reduce.Group
	for _, x := range list {
		r.plain.AddFates(x.told...)
		groups = append(groups, x.group)
	}
	if len(r.plain.Fates) > 0 {
		r.plain.JournalEnd, r.plain.Chain = r.stream.JournalEnd, r.stream.Chain
		if err := r.flush(ctx); err != nil || r.u.unsure { // else the rest of an interval might come before it is known to be one
			return err
		}
	}
	return r.whole(ctx, groups)
}

// whole sends groups of positions as they are held here on requested pages, each group on one page. A group that no page can hold is left.
func (r *relayReader) whole(ctx context.Context, groups []reduce.Group) error {
	page, size, from := r.requested(), 0, 0
	for i, g := range groups {
		for _, p := range g {
			held, err := r.held(ctx, p, p) // a change may stand far behind the rows
			if err != nil {
				return err
			}
			e, ok := held[p]
			if ok {
				size += r.parts(page, p)
			}
			switch {
			case !ok: // it was let go of at this moment: what is left of the group, the receiver does not take
			case e.Op == logdb.OpAdd && e.Row != nil && len(e.Row.Channels) > 0: // a block has one at least
				h := logdb.History{
					Log: e.Log, Run: e.Run, Generation: e.Generation, Channels: e.Row.Channels, Columns: make([][]float64, len(e.Row.Values)),
					Times: []logdb.Millis{e.Time}, Positions: []logdb.Position{p},
				}
				for c := range h.Columns {
					h.Columns[c] = e.Row.Values[c : c+1]
				}
				page.AddRows(&h)
				size += 24 + 20*len(h.Channels)
			default:
				page.Entries = append(page.Entries, e)
				size += entrySize(&e)
			}
		}
		if size < r.max && i+1 < len(groups) {
			continue
		}
		if size > 0 {
			if err := r.pushWhole(ctx, page, groups[from:i+1]); err != nil {
				return err
			}
		}
		page, size, from = r.requested(), 0, i+1
	}
	return nil
}

func (r *relayReader) requested() *logdb.Page {
	return &logdb.Page{
		Meter: r.u.conf.CloudUID, Kind: r.u.kind, Stream: r.stream.Stream, Requested: true, JournalEnd: r.stream.JournalEnd, Chain: r.stream.Chain,
	}
}

// pushWhole sends one page of groups, in halves while the receiver finds it too large.
func (r *relayReader) pushWhole(ctx context.Context, page *logdb.Page, groups []reduce.Group) error {
	if *r.u.budget <= 0 {
		return errMore
	}
	*r.u.budget--
	answer, err := r.u.deliver(ctx, page)
	n := counted(answer)
	partly := err == nil && n > 0 && n < records(page) // it keeps a combined row that was changed there, and leaves the changes of its rows
	switch {
	case partly && len(groups) == 1:
		r.u.sum.took(answer)
		r.keep(groups[0][0])
		return nil
	case partly, errors.Is(err, fault.TooLarge) && len(groups) > 1:
		*r.u.budget += 2
		half := len(groups) / 2
		if err := r.whole(ctx, groups[:half]); err != nil {
			return err
		}
		return r.whole(ctx, groups[half:])
	case errors.Is(err, fault.TooLarge):
		r.u.s.log.Warn("leave records that no page of the cloud can hold together", "meter", string(r.u.key.Meter), "action", "upload",
			"kind", r.u.kind.String(), "cloud", r.u.dest.label(), "count", len(groups[0]))
		return nil
	case err != nil:
		return fmt.Errorf("send a requested page of %s: %w", r.u.kind, err)
	}
	r.u.answered(page, answer)
	return nil
}

// keep notes that the receiver keeps the combined row of the interval that begins at first.
func (r *relayReader) keep(first logdb.Position) {
	r.u.s.mu.Lock()
	defer r.u.s.mu.Unlock()
	if r.u.kept != nil { // else it was asked for: that is tried each time
		r.u.kept[keptSum{r.u.kind, r.stream.Stream, first}] = true
	}
}

// kept returns where the intervals begin of which the receiver was found to keep the combined row. What it does not know any more, it may get anew.
func (r *relayReader) kept(there *logdb.FateSet) map[logdb.Position]bool {
	out := map[logdb.Position]bool{}
	r.u.s.mu.Lock()
	defer r.u.s.mu.Unlock()
	for k := range r.u.kept {
		switch {
		case k.kind != r.u.kind || k.stream != r.stream.Stream:
		case there.Has(k.first):
			out[k.first] = true
		default:
			delete(r.u.kept, k)
		}
	}
	return out
}
