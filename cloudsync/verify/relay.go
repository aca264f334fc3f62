package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// Reasons of what a relay cannot compare.
const (
	ReasonElsewhere = "the cloud has it by another way, and under another name or in a newer version"
	ReasonGone      = "it is not held here any more"
)

// RelaySite is a Site that passes on what others sent to it; ok is false where nothing is passed on.
type RelaySite interface {
	Relays(ctx context.Context, meter logdb.MeterUID) (there logdb.MeterUID, ok bool, err error)
}

// relays returns under which name the receiver knows a meter whose received streams are passed on.
func (r *run) relays(ctx context.Context, meter logdb.MeterUID) (there logdb.MeterUID, ok bool, err error) {
	site, is := r.site.(RelaySite)
	if !is || r.cfg.Cloud == nil {
		return "", false, nil
	}
	return site.Relays(ctx, meter)
}

// relayed compares the streams of one kind that this node received with what the receiver has of them.
func (r *run) relayed(ctx context.Context, meter, there logdb.MeterUID, kind logdb.Kind) error {
	here, err := r.logs.Streams(ctx, meter, kind)
	if errors.Is(err, logdb.ErrNotFound) || errors.Is(err, logdb.ErrUnknownMeter) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the streams here: %w", err)
	}
	own := map[logdb.JournalID]bool{}
	for _, st := range here {
		own[st.Stream.Journal] = own[st.Stream.Journal] || st.Own
	}
	here = slices.DeleteFunc(here, func(st logdb.StreamState) bool { return own[st.Stream.Journal] })
	for try := 1; len(here) > 0; try++ {
		states, err := r.cfg.Cloud.Streams(ctx, there, kind)
		if err != nil {
			return fmt.Errorf("ask which positions the cloud holds: %w", err)
		}
		part := &run{site: r.site, logs: r.logs, cfg: r.cfg, name: r.name, own: r.own}
		for _, cut := range cutsOf(here) {
			x := newRelayed(part, reduce.View{Meter: meter, There: there, Kind: kind}, cut, states)
			if err := x.compare(ctx); err != nil {
				return err
			}
		}
		if part.report.Clean() || try >= patience {
			r.merge(part.report)
			return nil
		}
		// Both go on while they are compared: what grew is looked at again.
		if here, err = r.logs.Streams(ctx, meter, kind); err != nil {
			return fmt.Errorf("list the streams here: %w", err)
		}
		here = slices.DeleteFunc(here, func(st logdb.StreamState) bool { return own[st.Stream.Journal] || st.Own })
	}
	return nil
}

// cutsOf sorts streams into those that carry the same part of one journal.
func cutsOf(streams []logdb.StreamState) [][]logdb.StreamState {
	var out [][]logdb.StreamState
	for _, st := range streams {
		i := slices.IndexFunc(out, func(cut []logdb.StreamState) bool { return cut[0].Stream.SameCut(st.Stream) })
		if i < 0 {
			out = append(out, nil)
			i = len(out) - 1
		}
		out[i] = append(out[i], st)
	}
	return out
}

// relayed is one cut of a journal that somebody else keeps, here and there.
type relayed struct {
	*run
	view  reduce.View
	here  []logdb.StreamState
	there map[logdb.StreamID]*logdb.StreamState // of the same journal
	base  api.VerifyDay

	both    map[logdb.StreamID]*logdb.FateSet // stored on both sides
	extra   bool                              // the receiver has more of the cut than this node
	seen    int                               // of both, what is held here
	held    map[logdb.Position]bool
	newest  map[logdb.Position]logdb.Entry // changes, by target, that both sides have
	days    map[key]*logdb.Tally           // what must be there
	pending map[key]int64                  // without channel
	asides  map[key]map[string]int64       // without channel
	theirs  map[logdb.Position]bool        // combined rows here of which the receiver has rows
	sums    sums
}

type relayedRecord struct {
	record
	shortened bool
}

func newRelayed(r *run, view reduce.View, here []logdb.StreamState, there []logdb.StreamState) *relayed {
	x := &relayed{
		run: r, view: view, here: here, there: map[logdb.StreamID]*logdb.StreamState{},
		base: api.VerifyDay{Meter: view.Meter, Between: SiteCloud, Kind: view.Kind.String(), Stream: here[len(here)-1].Stream.String()},
		both: map[logdb.StreamID]*logdb.FateSet{}, newest: map[logdb.Position]logdb.Entry{}, days: map[key]*logdb.Tally{},
		pending: map[key]int64{}, asides: map[key]map[string]int64{},
	}
	for i := range there {
		if there[i].Stream.Journal == here[0].Stream.Journal {
			x.there[there[i].Stream] = &there[i]
		}
	}
	return x
}

func (x *relayed) compare(ctx context.Context) error {
	for _, t := range x.there {
		if t.Own {
			return nil // the receiver wrote it: it has nothing to get here
		}
	}
	if p := x.contradiction(); p != 0 {
		d := x.base
		d.Count, d.Reason = 1, fmt.Sprintf("up to position %d the cloud holds other entries under the same name", p)
		x.different(d)
		return nil
	}
	x.asRows()
	x.sets()
	x.combined()
	err := x.each(ctx, func(id logdb.StreamID, e *logdb.Entry) {
		x.note(id, e)
		x.gather(e)
	})
	if err != nil {
		return err
	}
	x.combine()
	if err := x.each(ctx, x.count); err != nil {
		return err
	}
	if err := x.digests(ctx); err != nil {
		return err
	}
	x.apart(&expectation{pending: x.pending, apart: x.asides}, x.base)
	return nil
}

// contradiction returns a position at which both sides state another chain; 0 when there is none.
func (x *relayed) contradiction() logdb.Position {
	for i := range x.here {
		ends := append(logdb.Ends{{Position: x.here[i].JournalEnd, Chain: x.here[i].Chain}}, x.here[i].Ends...)
		for _, t := range x.there {
			for _, e := range append(logdb.Ends{{Position: t.JournalEnd, Chain: t.Chain}}, t.Ends...) {
				if ends.Contradict(e.Position, e.Chain) {
					return e.Position
				}
			}
		}
	}
	return 0
}

// sets compares the fates. What the receiver stored in another stream of the cut, since it came to it under another policy by another way, is held
// in this one: both have it.
func (x *relayed) sets() {
	stored := &logdb.FateSet{}
	for _, id := range x.cutThere() {
		for _, r := range x.there[id].Fates.Ranges() {
			if r.Fate == logdb.FateStored {
				putMissing(stored, r.First, r.Last)
			}
		}
	}
	all := &logdb.FateSet{}
	for i := range x.here {
		st := &x.here[i]
		both := &logdb.FateSet{}
		x.both[st.Stream] = both
		there := x.fates(st.Stream)
		for _, r := range st.Fates.Ranges() {
			if r.Fate == logdb.FateStored { // looked at record by record
				p := r.First
				for _, m := range append(stored.Missing(r.First, r.Last), [2]logdb.Position{r.Last + 1, r.Last + 1}) {
					if p < m[0] {
						both.Put(logdb.FateRange{First: p, Last: m[0] - 1, Fate: logdb.FateStored})
						putMissing(all, p, m[0]-1)
					}
					p = m[1] + 1
				}
				continue
			}
			for p := r.First; p <= r.Last; {
				t, ok := there.At(p)
				last := r.Last
				if ok {
					last = min(last, t.Last)
				} else if missing := there.Missing(p, r.Last); len(missing) > 0 {
					last = missing[0][1]
				}
				x.fate(r, t, ok, int64(last-p+1))
				p = last + 1
			}
		}
	}
	for _, r := range stored.Ranges() {
		x.extra = x.extra || len(all.Missing(r.First, r.Last)) > 0
	}
}

// cutThere lists the receiver's streams that carry the same part of the journal, in a fixed order.
func (x *relayed) cutThere() []logdb.StreamID {
	var out []logdb.StreamID
	for id := range x.there {
		if id.SameCut(x.here[0].Stream) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b logdb.StreamID) int { return strings.Compare(a.String(), b.String()) })
	return out
}

func putMissing(set *logdb.FateSet, first, last logdb.Position) {
	for _, m := range set.Missing(first, last) {
		set.Put(logdb.FateRange{First: m[0], Last: m[1], Fate: logdb.FateStored})
	}
}

func (x *relayed) fates(id logdb.StreamID) *logdb.FateSet {
	if t := x.there[id]; t != nil {
		return &t.Fates
	}
	return &logdb.FateSet{}
}

// fate compares one fate of n positions, which are not stored here.
func (x *relayed) fate(here, there logdb.FateRange, decided bool, n int64) {
	day := key{day: here.FirstTime.Day()}
	switch {
	case here.Fate == logdb.FateHeld: // this node's own verdict
	case !decided && here.Fate == logdb.FateReduced && x.theirs[here.Into]:
		x.setApart(day, ReasonSum, n)
	case !decided:
		x.pending[day] += n
	case there.Fate == here.Fate:
		if here.Fate != logdb.FateNotChosen {
			x.report.Skipped += n
		}
	case there.Fate == logdb.FateStored: // fetched, or by another way
		x.setApart(day, ReasonElsewhere, n)
	default:
		x.setApart(day, "the cloud calls it "+there.Fate.String()+", this node "+here.Fate.String(), n)
	}
}

func (x *relayed) setApart(k key, reason string, n int64) {
	if x.asides[k] == nil {
		x.asides[k] = map[string]int64{}
	}
	x.asides[k][reason] += n
}

// each reads everything that is held of the cut.
func (x *relayed) each(ctx context.Context, visit func(logdb.StreamID, *logdb.Entry)) error {
	step := 1000
	if x.view.Kind == logdb.KindWaveform {
		step = 8
	}
	for i := range x.here {
		id := x.here[i].Stream
		for first := logdb.Position(1); ; {
			page, err := x.logs.ReadStream(ctx, x.view.Meter, x.view.Kind, id, first, step)
			if errors.Is(err, logdb.ErrNotFound) {
				break
			}
			if err != nil {
				return fmt.Errorf("read stream %s from position %d: %w", id, first, err)
			}
			highest := logdb.Position(0)
			for b := range page.Rows {
				for k := range page.Rows[b].Times {
					e := page.Rows[b].Entry(k)
					visit(id, &e)
					highest = max(highest, e.Position)
				}
			}
			for k := range page.Entries {
				visit(id, &page.Entries[k])
				highest = max(highest, page.Entries[k].Position)
			}
			for _, f := range page.Fates {
				highest = max(highest, f.Last)
			}
			if highest == 0 {
				break
			}
			first = highest + 1
		}
	}
	return nil
}

// note gathers the newest changes that both sides have.
func (x *relayed) note(id logdb.StreamID, e *logdb.Entry) {
	if e.Target == 0 || !x.both[id].Has(e.Position) {
		return
	}
	if old, ok := x.newest[e.Target]; !ok || old.Position < e.Position {
		x.newest[e.Target] = *e
	}
}

// count compares one record's fates and adds it to the day on which it must be found.
func (x *relayed) count(id logdb.StreamID, e *logdb.Entry) {
	if x.both[id].Has(e.Position) {
		x.seen++
		x.live(id, e, x.tally)
		return
	}
	if x.countSum(e) {
		return
	}
	t, decided := x.fates(id).At(e.Position)
	day := key{log: e.Log, day: e.Time.Day()}
	switch {
	case !decided && (x.theirs[e.Position] || x.theirs[e.Target] || x.ofSum(id, e)):
		x.setApart(day, ReasonSum, 1)
	case !decided:
		x.pending[day]++
	case t.Fate == logdb.FateSkipped:
		x.report.Skipped++
	case t.Fate == logdb.FateHeld:
		x.setApart(day, ReasonHeld, 1)
	default:
		x.setApart(day, "the cloud calls it "+t.Fate.String()+", this node stored", 1)
	}
}

// live visits the live version of the record that e adds, if both sides have it.
func (x *relayed) live(id logdb.StreamID, e *logdb.Entry, visit func(p logdb.Position, k key, r relayedRecord)) {
	p := e.Position
	if e.Op != logdb.OpAdd || !x.both[id].Has(p) {
		return
	}
	if v, ok := x.newest[p]; ok {
		e = &v
	}
	if e.Op != logdb.OpWithdraw {
		parts(p, e, visit)
	}
}

// parts visits what of a record is counted apart: each channel of a row.
func parts(p logdb.Position, e *logdb.Entry, visit func(p logdb.Position, k key, r relayedRecord)) {
	if e.Row == nil {
		visit(p, key{log: e.Log, day: e.Time.Day()}, relayedRecord{record{content: e.ContentDigest()}, e.Waveform != nil && e.Waveform.Source != nil})
		return
	}
	for i, c := range e.Row.Channels {
		visit(p, key{e.Log, c, e.Time.Day()}, relayedRecord{record: record{time: e.Time, value: e.Row.Values[i]}})
	}
}

func (x *relayed) tally(p logdb.Position, k key, r relayedRecord) {
	if x.days[k] == nil {
		x.days[k] = &logdb.Tally{}
	}
	if k.channel == "" {
		x.days[k].AddEntry(p, r.content)
	} else {
		x.days[k].AddValue(p, r.time, r.value)
	}
}

// digests compares day by day, and record by record where that is not enough.
func (x *relayed) digests(ctx context.Context) error {
	have := map[key]*logdb.DayDigest{}
	for _, id := range x.cutThere() {
		audit, err := x.auditThere(ctx, x.view, id)
		if err != nil {
			return err
		}
		addDigests(have, audit.Days)
	}
	var keys, bad []key
	for k := range x.days {
		keys = append(keys, k)
	}
	for k := range have {
		if x.days[k] == nil {
			keys = append(keys, k)
		}
	}
	for k := range x.sums.days {
		if x.days[k] == nil && have[k] == nil {
			keys = append(keys, k)
		}
	}
	sortKeys(keys)
	for _, k := range keys {
		var want logdb.Tally
		if t := x.days[k]; t != nil {
			want = *t
		}
		h := have[k]
		if h == nil {
			h = &logdb.DayDigest{Full: true}
		}
		d := x.base
		d.Log, d.Channel, d.Day, d.Here, d.There = k.log, k.channel, k.day, want.Count, h.Data.Count
		switch {
		case !h.Full:
			if d.Count, d.Reason = want.Count, notFull(h); d.Count > 0 {
				x.add(d, StateNotComparable)
			}
		case h.Claim != h.Data: // reported with what the cloud named
		case h.Data != want || x.sums.days[k]: // of a sum the rows here tell more than a digest of them
			bad = append(bad, k)
		default:
			x.report.Compared += want.Count
		}
	}
	return x.records(ctx, bad, have)
}

// records compares the days in bad record by record: the receiver may have more of them by another way.
func (x *relayed) records(ctx context.Context, bad []key, have map[key]*logdb.DayDigest) error {
	if len(bad) == 0 {
		return nil
	}
	here, there, newer, err := x.sides(ctx, bad)
	if err != nil {
		return err
	}
	if there != nil {
		x.putSums(here, there)
	}
	for _, k := range bad {
		d := x.base
		d.Log, d.Channel, d.Day, d.Here = k.log, k.channel, k.day, int64(len(here[k]))
		if have[k] != nil {
			d.There = have[k].Data.Count
		}
		if there == nil { // the receiver cannot be read by day
			if d.Reason = "the values differ"; x.extra || x.gone() || x.sums.days[k] || len(x.sums.unclear) > 0 {
				x.setApart(k, ReasonElsewhere, d.Here)
			} else {
				x.different(d)
			}
			continue
		}
		var positions []logdb.Position
		for p, r := range here[k] {
			o, ok := there[k][p]
			switch {
			case ok && o.record == r.record:
				x.report.Compared++
			case newer[p] || !ok && x.extra:
				x.setApart(key{log: k.log, day: k.day}, ReasonElsewhere, 1)
			case ok && o.shortened != r.shortened:
				x.setApart(key{log: k.log, day: k.day}, "one side has the recording shortened", 1)
			default:
				positions = append(positions, p)
			}
		}
		for p := range there[k] {
			if _, ok := here[k][p]; ok || newer[p] {
				continue
			}
			if x.gone() && !x.held[p] {
				x.setApart(key{log: k.log, day: k.day}, ReasonGone, 1)
				continue
			}
			positions = append(positions, p)
		}
		if len(positions) == 0 {
			continue
		}
		slices.Sort(positions)
		d.Count, d.Positions, d.Reason = int64(len(positions)), ranges(positions), "the values differ"
		for _, p := range positions {
			addRecord(&d, compared(p, plain(here[k]), plain(there[k]), k))
		}
		x.different(d)
	}
	return nil
}

func plain(list map[logdb.Position]relayedRecord) map[logdb.Position]record {
	out := make(map[logdb.Position]record, len(list))
	for p, r := range list {
		out[p] = r.record
	}
	return out
}

// gone reports whether something that was stored here is not held any more.
func (x *relayed) gone() bool {
	n := 0
	for _, set := range x.both {
		n += set.Len()
	}
	return x.seen < n
}

// sides returns the records of the days in bad here and there, and those of which the receiver has a version that this
// node lacks. there is nil when the receiver cannot be read by day.
func (x *relayed) sides(ctx context.Context, bad []key) (here, there map[key]map[logdb.Position]relayedRecord, newer map[logdb.Position]bool, err error) {
	wanted := map[key]bool{}
	days := map[logdb.Millis]bool{}
	for _, k := range bad {
		wanted[k], days[k.day] = true, true
	}
	into := func(m map[key]map[logdb.Position]relayedRecord) func(p logdb.Position, k key, r relayedRecord) {
		return func(p logdb.Position, k key, r relayedRecord) {
			if !wanted[k] {
				return
			}
			if m[k] == nil {
				m[k] = map[logdb.Position]relayedRecord{}
			}
			m[k][p] = r
		}
	}
	here = map[key]map[logdb.Position]relayedRecord{}
	x.held = map[logdb.Position]bool{}
	err = x.each(ctx, func(id logdb.StreamID, e *logdb.Entry) {
		x.held[e.Position] = true
		x.live(id, e, into(here))
	})
	reader, ok := x.cfg.Cloud.(PageReader)
	if err != nil || !ok {
		return here, nil, nil, err
	}
	there, newer = map[key]map[logdb.Position]relayedRecord{}, map[logdb.Position]bool{}
	for day := range days {
		all := map[logdb.Position]logdb.Entry{} // a record may stand in one stream and its changes in another
		for _, id := range x.cutThere() {
			versions, err := readVersions(ctx, reader, x.view, id, day)
			if err != nil {
				return nil, nil, nil, fmt.Errorf("read %v of stream %s at the cloud: %w", day, id, err)
			}
			for p, e := range versions {
				if old, ok := all[p]; !ok || old.Position < e.Position {
					all[p] = e
				}
			}
		}
		for p, e := range all {
			n, changed := x.newest[p]
			switch {
			case !x.known(e.Position):
				newer[p] = true
			case changed && n.Position > e.Position: // the live version lies on another day
			case (e.Op == logdb.OpAdd || e.Op == logdb.OpRevise) && x.known(p): // no gaps
				parts(p, &e, into(there))
			}
		}
	}
	return here, there, newer, nil
}

// known reports whether both sides have decided to store a position.
func (x *relayed) known(p logdb.Position) bool {
	for _, set := range x.both {
		if set.Has(p) {
			return true
		}
	}
	return false
}
