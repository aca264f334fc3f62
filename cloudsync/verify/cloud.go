package verify

import (
	"context"
	"fmt"
	"slices"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// Reasons why something cannot be compared.
const (
	ReasonOpen    = "the interval is still open"
	ReasonThinned = "the day is no longer held at full resolution"
	ReasonLost    = "values of the day were lost with an archive file, and the loss was accepted (retention.losses)"
	ReasonHeld    = "the receiver has the day from another source"
	ReasonCleared = "cleared here before it was sent"
	ReasonAsked   = "sent on request"
)

// patience is how often a comparison begins anew because the receiver got more meanwhile.
const patience = 4

// cloud compares what was sent with what the receiver holds. A node that is at work retrieves and uploads while it
// is compared: where either side has grown since it was looked at, the comparison is done again.
func (r *run) cloud(ctx context.Context, view reduce.View) error {
	auditor, _ := r.cfg.Cloud.(logdb.Auditor)
	base := api.VerifyDay{Meter: view.Meter, Between: CloudClaim, Kind: view.Kind.String()}
	if auditor != nil {
		strays, err := auditor.Audit(ctx, view.There, view.Kind, logdb.StreamID{})
		if err != nil {
			return fmt.Errorf("ask what belongs to no stream at the cloud: %w", err)
		}
		r.audited(ctx, base, strays, false)
	}
	sets, others, err := r.sets(ctx, view)
	if err != nil {
		return err
	}
	if auditor != nil {
		for _, stream := range others {
			audit, err := auditor.Audit(ctx, view.There, view.Kind, stream)
			if err != nil {
				return fmt.Errorf("ask for the digests of stream %s: %w", stream, err)
			}
			base.Stream = stream.String()
			r.audited(ctx, base, audit, false)
		}
	}
	for try := 1; ; try++ {
		part := &run{site: r.site, logs: r.logs, cfg: r.cfg, name: r.name, own: r.own, ends: r.ends}
		was := decided(view)
		if err := part.once(ctx, view, sets); err != nil {
			return err
		}
		after, _, err := r.sets(ctx, view)
		if err != nil {
			return err
		}
		if try >= patience || part.report.Different == 0 && part.report.Pending == 0 {
			r.merge(part.report)
			return nil
		}
		newer, ok, err := r.site.View(ctx, view.Meter, view.Kind)
		if err != nil {
			return err
		}
		if !ok || sameSets(sets, after) && view.Head.ID == newer.Head.ID && view.Head.End == newer.Head.End && sameSets(was, decided(newer)) { // not ok: switched off meanwhile
			r.merge(part.report)
			return nil
		}
		view, sets = newer, after
	}
}

// sets asks for the receiver's sets by stream, and lists its streams of other journals.
func (r *run) sets(ctx context.Context, view reduce.View) (out map[logdb.StreamID]*logdb.FateSet, others []logdb.StreamID, err error) {
	states, err := r.cfg.Cloud.Streams(ctx, view.There, view.Kind)
	if err != nil {
		return nil, nil, fmt.Errorf("ask which positions the cloud holds: %w", err)
	}
	known := map[logdb.StreamID]bool{}
	for _, cut := range view.Cuts {
		for _, st := range cut.Streams {
			known[st.ID] = true
		}
	}
	out = map[logdb.StreamID]*logdb.FateSet{}
	for i := range states {
		st := &states[i]
		if !st.Own && st.Stream.Journal == view.Name {
			r.ends[st.Stream] = st.JournalEnd
			out[st.Stream] = &st.Fates
		}
		if !known[st.Stream] {
			others = append(others, st.Stream)
		}
	}
	return out, others, nil
}

func sameSets(a, b map[logdb.StreamID]*logdb.FateSet) bool {
	if len(a) != len(b) {
		return false
	}
	for id, set := range a {
		if b[id] == nil || !slices.Equal(set.Ranges(), b[id].Ranges()) {
			return false
		}
	}
	return true
}

// decided are the sets of a node's own decisions, as they are now.
func decided(view reduce.View) map[logdb.StreamID]*logdb.FateSet {
	out := map[logdb.StreamID]*logdb.FateSet{}
	for _, cut := range view.Cuts {
		for _, st := range cut.Streams {
			fates := st.Fates.Clone()
			out[st.ID] = &fates
		}
	}
	return out
}

func (r *run) once(ctx context.Context, view reduce.View, sets map[logdb.StreamID]*logdb.FateSet) error {
	for id, set := range sets {
		if highest := max(set.Highest(), r.ends[id]); highest > view.Head.End {
			r.different(api.VerifyDay{
				Meter: view.Meter, Between: SiteCloud, Kind: view.Kind.String(), Stream: id.String(),
				Here: int64(view.Head.End), There: int64(highest), Reason: "the cloud knows more of this journal than this node: it was restored from a backup",
			})
		}
	}
	if len(view.Cuts) == 0 {
		if view.Head.End > 0 { // nothing was decided yet
			r.add(api.VerifyDay{Meter: view.Meter, Between: SiteCloud, Kind: view.Kind.String(), Count: int64(view.Head.End)}, StatePending)
		}
		return nil
	}
	for _, cut := range view.Cuts {
		cut = learned(cut, sets)
		if err := r.cutOf(ctx, view, cut, sets); err != nil {
			return err
		}
	}
	return nil
}

// learned returns a cut with what the receiver got on request of somebody else who has this journal, or before this
// node went back to a backup: its records are in the journal, and can be compared.
func learned(cut *reduce.Cut, sets map[logdb.StreamID]*logdb.FateSet) *reduce.Cut {
	for _, st := range cut.Streams {
		if set := sets[st.ID]; set != nil {
			st.Learn(set)
		}
	}
	out := reduce.NewCut(cut.Streams...)
	out.Next = cut.Next
	return out
}

// cutOf compares the streams of one cut: after a change of policy a revise travels in the
// new stream and changes a record of the old one, so their digests are added.
func (r *run) cutOf(ctx context.Context, view reduce.View, cut *reduce.Cut, sets map[logdb.StreamID]*logdb.FateSet) error {
	want := newExpectation(view, cut, sets)
	if err := want.read(ctx); err != nil {
		return err
	}
	r.report.Skipped += want.skipped
	have, err := r.digests(ctx, view, cut, sets)
	if err != nil {
		return err
	}
	base := api.VerifyDay{Meter: view.Meter, Between: SiteCloud, Kind: view.Kind.String(), Stream: cut.Current().ID.String()}
	r.apart(want, base)
	r.unsaid(want, base)
	var keys []key
	for k := range want.days {
		keys = append(keys, k)
	}
	for k := range have {
		if want.days[k] == nil {
			keys = append(keys, k)
		}
	}
	sortKeys(keys)
	var bad []key
	for _, k := range keys {
		if r.day(k, want, have[k], base) {
			bad = append(bad, k)
		}
	}
	if err := r.nameRecords(ctx, want, bad); err != nil {
		return err
	}
	r.onlyOnce()
	return nil
}

// apart reports what is pending or cannot be compared.
func (r *run) apart(want *expectation, base api.VerifyDay) {
	var keys []key
	for k := range want.pending {
		keys = append(keys, k)
	}
	sortKeys(keys)
	for _, k := range keys {
		d := base
		d.Log, d.Day, d.Count, d.Here = k.log, k.day, want.pending[k], want.pending[k]
		r.add(d, StatePending)
	}
	keys = keys[:0]
	for k := range want.apart {
		keys = append(keys, k)
	}
	sortKeys(keys)
	for _, k := range keys {
		for reason, n := range want.apart[k] {
			d := base
			d.Log, d.Day, d.Count, d.Here, d.Reason = k.log, k.day, n, n, reason
			r.add(d, StateNotComparable)
		}
	}
}

// unsaid reports what the receiver has decided although what this node decided of it is gone.
func (r *run) unsaid(want *expectation, base api.VerifyDay) {
	var keys []key
	for k := range want.unsaid {
		keys = append(keys, k)
	}
	sortKeys(keys)
	for _, k := range keys {
		d := base
		d.Log, d.Day, d.Count, d.There = k.log, k.day, int64(len(want.unsaid[k])), int64(len(want.unsaid[k]))
		d.Reason, d.Positions = "the cloud has decided positions of which this node's decision is gone", ranges(want.unsaid[k])
		for _, p := range want.unsaid[k] {
			addRecord(&d, api.VerifyRecord{Place: logdb.PlaceFate, Fault: logdb.FaultMissing, Position: p})
		}
		r.different(d)
	}
}

// digests adds up the receiver's digests of the streams of a cut.
func (r *run) digests(ctx context.Context, view reduce.View, cut *reduce.Cut, sets map[logdb.StreamID]*logdb.FateSet) (map[key]*logdb.DayDigest, error) {
	out := map[key]*logdb.DayDigest{}
	for _, st := range cut.Streams {
		if sets[st.ID] == nil {
			continue
		}
		audit, err := r.auditThere(ctx, view, st.ID)
		if err != nil {
			return nil, err
		}
		addDigests(out, audit.Days)
	}
	return out, nil
}

// notFull says why a day is not held at full resolution.
func notFull(d *logdb.DayDigest) string {
	if d.Lost {
		return ReasonLost
	}
	return ReasonThinned
}

// addDigests adds the digests of one stream to those of its cut.
func addDigests(out map[key]*logdb.DayDigest, days []logdb.DayDigest) {
	for _, d := range days {
		k := key{d.Log, d.Channel, d.Day}
		if out[k] == nil {
			out[k] = &logdb.DayDigest{Log: d.Log, Channel: d.Channel, Day: d.Day, Full: true}
		}
		out[k].Data.Merge(d.Data)
		out[k].Claim.Merge(d.Claim)
		out[k].Full, out[k].Lost = out[k].Full && d.Full, out[k].Lost || d.Lost
	}
}

// auditThere asks the receiver for the digests of a stream and reports what it finds wrong with it.
func (r *run) auditThere(ctx context.Context, view reduce.View, id logdb.StreamID) (audit logdb.Audit, err error) {
	if auditor, ok := r.cfg.Cloud.(logdb.Auditor); ok {
		audit, err = auditor.Audit(ctx, view.There, view.Kind, id)
	} else {
		audit.Days, err = r.cfg.Cloud.Digests(ctx, view.There, view.Kind, id)
	}
	if err != nil {
		return audit, fmt.Errorf("ask for the digests of stream %s: %w", id, err)
	}
	r.audited(ctx, api.VerifyDay{Meter: view.Meter, Between: CloudClaim, Kind: view.Kind.String(), Stream: id.String()}, audit, false)
	return audit, nil
}

// day compares one day and reports whether the two sides differ.
func (r *run) day(k key, want *expectation, have *logdb.DayDigest, base api.VerifyDay) bool {
	var expected logdb.Tally
	if t := want.days[k]; t != nil {
		expected = *t
	}
	if have == nil {
		have = &logdb.DayDigest{Full: true}
	}
	d := base
	d.Log, d.Channel, d.Day, d.Here, d.There = k.log, k.channel, k.day, expected.Count, have.Data.Count
	switch {
	case !have.Full:
		d.Count, d.Reason = expected.Count, notFull(have)
		if d.Count > 0 {
			r.add(d, StateNotComparable)
		}
		return false
	case have.Data == expected:
		r.report.Compared += expected.Count
		return false
	case want.pending[key{log: k.log, day: k.day}] > 0:
		return false // reported as pending already
	}
	switch {
	case have.Claim == expected:
		d.Reason = claimReason("the cloud", *have)
		if have.Data.Count > have.Claim.Count { // this node agrees with what the cloud says it stored: nothing is amiss here
			d.Advice = restoreCloud
		}
	case have.Data == have.Claim && have.Data.Count > expected.Count:
		d.Reason = "the cloud holds records that this node's journal does not: lost here, or sent by a copy of it"
	case have.Data == have.Claim && have.Data.Count < expected.Count:
		d.Reason = "the cloud calls records decided that it does not hold"
	default:
		d.Reason = "the values differ"
	}
	r.different(d)
	r.report.Compared += max(0, expected.Count-max(d.Here-d.There, d.There-d.Here, 1))
	return true
}
