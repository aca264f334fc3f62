package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// pass answers a request for records of a journal that others sent here: from what is stored here, and of nothing else than was asked for,
// so that the cloud's limits hold for the rest. What is not here is asked for where it comes from, and sent when it has come.
func (s *Service) pass(ctx context.Context, desk Requests, cloud Cloud, conf Destination, meter MeterConfig, kind logdb.Kind, r api.FetchRequest) (text string, more bool, err error) {
	wanted, err := wantedOf(kind, r)
	if err != nil || conf.OwnOnly {
		return "", false, nil // of a newer cloud, perhaps to somebody else
	}
	budget := s.cfg.PagesAtOnce
	if wanted.Full { // the sets do not tell which recordings are there in full: they are sent at once, or again from the first
		budget = 1 << 30
	}
	var sum Sum
	var have held
	var upstream api.FetchReport
	for range 2 { // again when all is said to have come: it may have come since this was looked at
		err := again(func() (err error) {
			u := s.newUpload(conf, cloud, meter, kind, budget)
			have, err = u.answer(ctx, &wanted, logdb.JournalID(r.Journal))
			sum.add(u.sum)
			return err
		})
		if errors.Is(err, fault.Stale) {
			return "", true, nil // later: somebody else sends it at this moment
		}
		if err != nil {
			return "", true, err
		}
		if sum != (Sum{}) {
			text = sum.String()
		}
		if have.more || have.lacks == 0 && have.any {
			break
		}
		if s.cfg.PassOn == nil {
			return text, false, nil
		}
		var ended bool
		if upstream, ended, err = s.cfg.PassOn(ctx, meter.Meter, r); err != nil {
			return text, true, fmt.Errorf("pass a request on: %w", err)
		}
		if !have.any {
			return text, false, nil // another manager's
		}
		if !ended {
			return text, false, report(ctx, desk, r, api.FetchReport{State: api.FetchTaken})
		}
		if upstream.State == "" {
			break
		}
	}
	if have.more || have.behind && upstream.State != api.FetchFailed { // it comes by itself, or from whoever has it
		return text, have.more, nil
	}
	if have.lacks > 0 && upstream.State == api.FetchFailed {
		return text, false, report(ctx, desk, r, upstream)
	}
	if rest := have.lacks; rest > 0 {
		for _, c := range upstream.Cannot {
			have.cannot[c.Reason] += c.Count
			rest -= c.Count
		}
		why := api.FetchOutside // only who keeps the journal knows the times of what was skipped
		if upstream.State == "" {
			why = reduce.CannotElse
		}
		if rest > 0 {
			have.cannot[why] += rest
		}
	}
	return "request " + r.ID + ": " + sum.String(), false, report(ctx, desk, r, api.FetchReport{State: api.FetchDone, Cannot: cannotList(have.cannot)})
}

// report says what became of a request; one that is not open any more, or says so already, stays as it is.
func report(ctx context.Context, desk Requests, r api.FetchRequest, to api.FetchReport) error {
	if r.State == to.State {
		return nil
	}
	err := desk.ReportRequest(ctx, r.MeterUID, r.ID, to)
	if err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Conflict) {
		return fmt.Errorf("say that it is %s: %w", to.State, err)
	}
	return nil
}

// held is what a node has of what was asked for.
type held struct {
	any    bool // of the journal something came here
	lacks  int  // records that are not here
	behind bool // of these, some of which this node knows nothing yet
	more   bool // the sending goes on, or it is not known yet what came of it
	cannot map[string]int
}

// answer sends what is wanted of a journal that others sent here, as far as it is stored here.
func (u *upload) answer(ctx context.Context, w *Wanted, journal logdb.JournalID) (out held, err error) {
	out.cannot = map[string]int{}
	if err := u.ask(ctx); err != nil {
		return out, err
	}
	here, err := Received(ctx, u.s.logs, u.key.Meter, u.kind)
	if err != nil {
		return out, err
	}
	left := maps.Clone(w.Only) // what stands here under no name
	sent := map[logdb.StreamID][]reduce.Group{}
	for i := range here {
		st := &here[i]
		if st.Stream.Journal.Family() != journal.Family() {
			continue
		}
		out.any = true
		why, own := contradiction(st, u.there)
		if why == "" && !own && st.Source != "" { // the next upload renews it
			if why, err = u.foreignSource(ctx, st); err != nil {
				return out, err
			}
		}
		if why == "" && !own {
			if why, err = u.goesOn(ctx, st, here); err != nil {
				return out, err
			}
		}
		if why != "" || own {
			continue
		}
		maps.DeleteFunc(left, func(of logdb.StreamID, _ *logdb.FateSet) bool { return named(of, st.Stream) })
		r := newRelayReader(u, st, here)
		groups, err := r.wanted(ctx, w, &out)
		if err != nil {
			return out, err
		}
		sent[st.Stream] = groups
		if err := r.whole(ctx, groups); errors.Is(err, errMore) {
			out.more = true
			return out, nil
		} else if err != nil {
			return out, err
		}
	}
	for _, set := range left {
		out.lacks += set.Len()
		out.behind = true
	}
	if u.sum.Pages == 0 && !u.unsure {
		return out, nil
	}
	if u.unsure {
		out.more = !w.Full
		return out, nil
	}
	if err := u.ask(ctx); err != nil {
		return out, err
	}
	for id, groups := range sent {
		there := u.received(id)
		for _, g := range groups {
			for _, p := range g {
				switch f, _ := there.At(p); f.Fate {
				case logdb.FateSkipped, logdb.FateHeld:
					out.cannot[cannotTaken]++
				case logdb.FateReduced:
					out.cannot[reduce.CannotChanged]++
				}
			}
		}
	}
	return out, nil
}

// wanted lists what is wanted of a stream and held here, and notes what is not.
func (r *relayReader) wanted(ctx context.Context, w *Wanted, out *held) (groups []reduce.Group, err error) {
	there, only := r.u.received(r.stream.Stream), w.only(r.stream.Stream)
	parts, looked := map[logdb.Position][]logdb.FateRange{}, map[logdb.Position]bool{} // by combined row; what is sent already, or cannot be
	send := func(g reduce.Group) {
		for _, p := range g {
			looked[p] = true
		}
		if g != nil {
			groups = append(groups, g)
		}
	}
	for _, f := range there.Ranges() {
		if f.Fate == logdb.FateReduced {
			parts[f.Into] = append(parts[f.Into], f)
		}
	}
	times := map[logdb.Position]logdb.Millis{} // of the records that were looked at
	in := func(e *logdb.Entry) bool {
		within := func(t logdb.Millis) bool { return t >= w.First && t < w.last() }
		t, ok := times[e.Target]
		return within(e.Time) || ok && within(t)
	}
	for _, f := range there.Ranges() {
		if !w.concerns(r.u.kind, f) {
			continue
		}
		for p := f.First; p <= f.Last; p++ {
			if !only.Has(p) {
				continue
			}
			here, ok := r.stream.Fates.At(p)
			if ok && here.Fate == logdb.FateHeld {
				continue // it stands in another stream here
			}
			if !ok || here.Fate != logdb.FateStored {
				out.lacks++
				out.behind = out.behind || !ok
				continue
			}
			if f.Fate == logdb.FateReduced {
				if looked[f.Into] {
					continue
				}
				looked[f.Into] = true
				g, err := r.rows(ctx, f.Into, parts[f.Into], in, out)
				if err != nil {
					return nil, err
				}
				send(g)
				continue
			}
			if looked[p] {
				continue
			}
			entries, err := r.held(ctx, p, p)
			if err != nil {
				return nil, err
			}
			e, ok := entries[p]
			if !ok {
				out.cannot[reduce.CannotCleared]++
				continue
			}
			times[p] = e.Time
			switch {
			case !in(&e):
				out.cannot[api.FetchOutside]++
				continue
			case e.Op == logdb.OpSkip:
				out.cannot[reduce.CannotElse]++
				continue
			case f.Fate == logdb.FateStored && (e.Waveform == nil || e.Waveform.Source != nil):
				out.lacks++ // shortened here, too
				continue
			}
			of := p
			if e.Target != 0 && r.u.kind == logdb.KindHistorical { // without its record the change would stand for it
				of = e.Target
				if t, _ := there.At(of); t.Fate == logdb.FateReduced {
					of = t.Into
				}
				if !isSkipped(there, of) || !r.stored(of) {
					of = p
				}
			}
			looked[of] = true
			if r.lookAtSums().stored[of] { // beside a row of it stands no sum
				out.cannot[reduce.CannotElse]++
				continue
			}
			g := reduce.Group{of}
			if list := parts[of]; r.asRows(list) {
				g, err = r.rows(ctx, of, list, func(*logdb.Entry) bool { return true }, out)
			} else {
				g, err = r.withChanges(ctx, g)
			}
			if err != nil {
				return nil, err
			}
			send(g)
		}
	}
	return groups, nil
}

// withChanges adds to a group of rows, of which the receiver holds none, their changes that its limits skipped: it would have the rows without them.
func (r *relayReader) withChanges(ctx context.Context, g reduce.Group) (reduce.Group, error) {
	if r.u.kind != logdb.KindHistorical {
		return g, nil
	}
	if r.changes == nil {
		r.changes = map[logdb.Position][]logdb.Position{}
		for _, f := range r.u.received(r.stream.Stream).Ranges() {
			for p := f.First; p <= f.Last && f.Fate == logdb.FateSkipped; p++ {
				entries, err := r.held(ctx, p, p)
				if err != nil {
					r.changes = nil
					return nil, err
				}
				if e, ok := entries[p]; ok && e.Target != 0 {
					r.changes[e.Target] = append(r.changes[e.Target], p)
				}
			}
		}
	}
	out := slices.Clone(g)
	for _, p := range g {
		out = append(out, r.changes[p]...)
	}
	return out, nil
}

// asRows reports whether any of what there is combined is held here as it was recorded: then what stands here at the place of the combined row is a row, too.
func (r *relayReader) asRows(parts []logdb.FateRange) bool {
	for _, f := range parts {
		for p := f.First; p <= f.Last; p++ {
			if r.stored(p) {
				return true
			}
		}
	}
	return false
}

// rows returns the rows of the combined one at into, of which some are wanted; nil when none lies in the range, or not all are here.
func (r *relayReader) rows(ctx context.Context, into logdb.Position, parts []logdb.FateRange, in func(*logdb.Entry) bool, out *held) (reduce.Group, error) {
	var g reduce.Group
	n, wanted := 0, false
	for _, f := range parts {
		n += f.Count()
		for p := f.First; p <= f.Last; p++ {
			g = append(g, p)
		}
	}
	g = append(g, into)
	slices.Sort(g)
	entries, err := r.held(ctx, g[0], g[len(g)-1])
	if err != nil {
		return nil, err
	}
	complete := r.stored(into)
	for _, p := range g {
		e, ok := entries[p]
		complete = complete && ok && r.stored(p)
		wanted = wanted || p != into && ok && in(&e)
	}
	switch {
	case !wanted:
		out.cannot[api.FetchOutside] += n
	case complete && isSkipped(r.u.received(r.stream.Stream), into):
		return r.withChanges(ctx, g)
	case complete:
		return g, nil
	default:
		out.cannot[reduce.CannotCleared] += n
	}
	return nil, nil
}

// stored reports whether a position is stored here.
func (r *relayReader) stored(p logdb.Position) bool {
	f, ok := r.stream.Fates.At(p)
	return ok && f.Fate == logdb.FateStored
}
