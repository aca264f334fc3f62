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
	ReasonHeld    = "the receiver has the day from another source"
	ReasonCleared = "cleared here before it was sent"
	ReasonAsked   = "sent on request"
)

// patience is how often a comparison begins anew because the receiver got more meanwhile.
const patience = 4

// cloud compares what was sent with what the receiver holds. A node that is at work uploads while it
// is compared: where the receiver's sets have grown between two looks, the comparison is done again.
func (r *run) cloud(ctx context.Context, view reduce.View) error {
	sets, err := r.sets(ctx, view)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		part := &run{site: r.site, logs: r.logs, cfg: r.cfg, name: r.name}
		if err := part.once(ctx, view, sets); err != nil {
			return err
		}
		after, err := r.sets(ctx, view)
		if err != nil {
			return err
		}
		if try >= patience || part.report.Different == 0 && part.report.Pending == 0 || sameSets(sets, after) {
			r.merge(part.report)
			return nil
		}
		newer, ok, err := r.site.View(ctx, view.Meter, view.Kind)
		if err != nil {
			return err
		}
		if !ok { // switched off meanwhile
			r.merge(part.report)
			return nil
		}
		view, sets = newer, after
	}
}

// sets asks for the receiver's sets by stream.
func (r *run) sets(ctx context.Context, view reduce.View) (map[logdb.StreamID]*logdb.FateSet, error) {
	states, err := r.cfg.Cloud.Streams(ctx, view.There, view.Kind)
	if err != nil {
		return nil, fmt.Errorf("ask which positions the cloud holds: %w", err)
	}
	out := map[logdb.StreamID]*logdb.FateSet{}
	for i := range states {
		if st := &states[i]; !st.Own && st.Stream.Journal == view.Head.ID {
			out[st.Stream] = &st.Fates
		}
	}
	return out, nil
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

func (r *run) once(ctx context.Context, view reduce.View, sets map[logdb.StreamID]*logdb.FateSet) error {
	for id, set := range sets {
		if set.Highest() > view.Head.End {
			r.different(api.VerifyDay{
				Meter: view.Meter, Between: SiteCloud, Kind: view.Kind.String(), Stream: id.String(),
				Here: int64(view.Head.End), There: int64(set.Highest()), Reason: "the cloud knows more of this journal than this node: it was restored from a backup",
			})
		}
	}
	if len(view.Cuts) == 0 {
		if view.Head.End > 0 { // nothing was decided yet
			r.add(api.VerifyDay{Meter: view.Meter, Between: SiteCloud, Kind: view.Kind.String(), Records: int64(view.Head.End)}, StatePending)
		}
		return nil
	}
	for _, cut := range view.Cuts {
		if err := r.cutOf(ctx, view, cut, sets); err != nil {
			return err
		}
	}
	return nil
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
	return r.nameRecords(ctx, want, bad)
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
		d.Log, d.Day, d.Records, d.Here = k.log, k.day, want.pending[k], want.pending[k]
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
			d.Log, d.Day, d.Records, d.Here, d.Reason = k.log, k.day, n, n, reason
			r.add(d, StateNotComparable)
		}
	}
}

// digests adds up the receiver's digests of the streams of a cut.
func (r *run) digests(ctx context.Context, view reduce.View, cut *reduce.Cut, sets map[logdb.StreamID]*logdb.FateSet) (map[key]*logdb.DayDigest, error) {
	out := map[key]*logdb.DayDigest{}
	for _, st := range cut.Streams {
		if sets[st.ID] == nil {
			continue
		}
		days, err := r.cfg.Cloud.Digests(ctx, view.There, view.Kind, st.ID)
		if err != nil {
			return nil, fmt.Errorf("ask for the digests of stream %s: %w", st.ID, err)
		}
		addDigests(out, days)
	}
	return out, nil
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
		out[k].Full = out[k].Full && d.Full
	}
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
		d.Records, d.Reason = expected.Count, ReasonThinned
		if d.Records > 0 {
			r.add(d, StateNotComparable)
		}
		return false
	case have.Data == expected:
		r.report.Compared += expected.Count
		if have.Claim != have.Data {
			d.Between, d.Here, d.There, d.Reason = CloudClaim, have.Data.Count, have.Claim.Count, claimReason("the cloud", *have)
			r.different(d)
		}
		return false
	case want.pending[key{log: k.log, day: k.day}] > 0:
		return false // reported as pending already
	}
	switch {
	case have.Claim == expected:
		d.Reason = claimReason("the cloud", *have)
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
