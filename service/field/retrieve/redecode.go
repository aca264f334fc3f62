package retrieve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// Redecoded is what decoding a log's kept records again did, or would do.
type Redecoded struct {
	Log     string `json:"log"`
	Records int64  `json:"records"` // kept records that were looked at
	Changed int64  `json:"changed"` // records that got a new version
	// Gaps of the meter's memory got other times.
	Gaps int64 `json:"gaps,omitempty"`
	// Corrected records keep what a person or another program made of them.
	Corrected int64 `json:"corrected,omitempty"`
	// Unreadable records still have no values.
	Unreadable int64 `json:"unreadable,omitempty"`
	// Note says why the log was left as it is.
	Note string `json:"note,omitempty"`
}

// byRetrieval marks changes that the node made by itself.
const byRetrieval = "retrieval"

// The sizes of a step: entries read at once, of recordings fewer, and new versions written in one transaction.
const (
	redecodePage  = 10_000
	redecodeWaves = 50
	redecodeBatch = 500
)

// Redecode decodes the kept raw records of a log again, under t's zone, profile and correction, and enters
// what differs as new versions; the old ones stay in history. It can be cut off anywhere: what is
// done stays, and the next run does the rest. dry only counts.
func (r *Reader) Redecode(ctx context.Context, t *Target, log device.Log, setsDST, dry bool) (out Redecoded, err error) {
	out.Log = log.Name
	head, err := r.Store.Journal(ctx, t.UID, log.LogKind())
	if errors.Is(err, logdb.ErrNotFound) || errors.Is(err, logdb.ErrUnknownMeter) {
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("read the end of the journal: %w", err)
	}
	x := &redecoder{
		w: &work{r: r, t: t, log: log, kind: log.LogKind(), clock: device.NewClock(t.Zone, 0, setsDST)}, out: &out, dry: dry, end: head.End,
		stream: logdb.StreamID{Journal: head.ID, Policy: "0"}, live: map[logdb.Position]version{}, whys: map[string]string{},
		settings: map[logdb.Digest]*settings{}, breaks: map[uint32]bool{}, bareEnds: map[uint32]logdb.Millis{},
	}
	x.now = snapshot{Profile: t.Profile.ID, Version: t.Profile.Version(), Zone: t.Zone.String(), CT: t.Correction.CT, PT: t.Correction.PT}
	if err := x.versions(ctx); err != nil {
		return out, err
	}
	if log.Pairs() {
		err = x.events(ctx)
	} else {
		err = x.records(ctx)
	}
	if err == nil {
		err = x.gaps(ctx, head.ID, setsDST)
	}
	if err != nil {
		return out, err
	}
	return out, x.flush(ctx)
}

// redecoder is one log on its way.
type redecoder struct {
	w        *work
	now      snapshot // zone, profile and correction only
	out      *Redecoded
	dry      bool
	stream   logdb.StreamID
	end      logdb.Position
	live     map[logdb.Position]version // of records that were changed
	whys     map[string]string          // the same text is kept once
	settings map[logdb.Digest]*settings
	breaks   map[uint32]bool         // generations that begin behind a gap
	bareEnds map[uint32]logdb.Millis // of generations with events without bytes: when the newest of these began
	revises  []logdb.Entry
}

// version is the newest change of a record.
type version struct {
	digest  logdb.Digest
	dead    bool
	foreign bool
	why     string
}

// settings is a kept snapshot, with its decoder under the present profile.
type settings struct {
	snapshot
	decoder decoder
	same    bool // as now: what was decoded under it is right
	err     error
}

// pages visits the log's entries in order of their positions.
func (x *redecoder) pages(ctx context.Context, visit func(page []logdb.Entry) error) error {
	size := redecodePage
	if x.w.kind == logdb.KindWaveform {
		size = redecodeWaves
	}
	for first := logdb.Position(1); first <= x.end; {
		p, err := x.w.r.Store.ReadStream(ctx, x.w.t.UID, x.w.kind, x.stream, first, size)
		if err != nil {
			return fmt.Errorf("read the journal from %d: %w", first, err)
		}
		var page []logdb.Entry
		last := first
		keep := func(e logdb.Entry) {
			last = max(last, e.Position)
			if e.Log == x.w.log.Log && e.Position <= x.end {
				page = append(page, e)
			}
		}
		for i := range p.Rows {
			for k := range p.Rows[i].Times {
				keep(p.Rows[i].Entry(k))
			}
		}
		for _, e := range p.Entries {
			keep(e)
		}
		for _, f := range p.Fates {
			last = max(last, f.Last)
		}
		if len(p.Rows) == 0 && len(p.Entries) == 0 && len(p.Fates) == 0 {
			return nil
		}
		slices.SortFunc(page, func(a, b logdb.Entry) int { return cmp.Compare(a.Position, b.Position) })
		if err := visit(page); err != nil {
			return err
		}
		first = last + 1
	}
	return nil
}

// versions finds the newest version of each record that was changed, and the generations that do not go on where the one before ended.
func (x *redecoder) versions(ctx context.Context) error {
	return x.pages(ctx, func(page []logdb.Entry) error {
		for i := range page {
			e := &page[i]
			if e.Op == logdb.OpGap && fromMemory(e.Gap.Cause) {
				x.breaks[e.Generation] = true
			}
			if e.Op != logdb.OpRevise && e.Op != logdb.OpWithdraw {
				continue
			}
			why, ok := x.whys[e.Why]
			if !ok {
				why = e.Why
				x.whys[why] = why
			}
			x.live[e.Target] = version{e.ContentDigest(), e.Op == logdb.OpWithdraw, !strings.HasPrefix(e.By, byRetrieval), why}
		}
		return nil
	})
}

// by is who changes records here.
func (r *Reader) by() string {
	if r.Node == "" {
		return byRetrieval
	}
	return byRetrieval + " at " + r.Node
}

// raws returns the raw records of a page, by position.
func (x *redecoder) raws(ctx context.Context, page []logdb.Entry) (map[logdb.Position]logdb.RawRecord, error) {
	out := map[logdb.Position]logdb.RawRecord{}
	if len(page) == 0 {
		return out, nil
	}
	list, err := x.w.r.Store.ReadRaw(ctx, x.w.t.UID, x.w.kind, x.w.log.Log, page[0].Position, len(page))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStored, err)
	}
	for _, raw := range list {
		out[raw.Position] = raw
	}
	return out, nil
}

// of returns the settings that a record was decoded under.
func (x *redecoder) of(ctx context.Context, id logdb.Digest) (*settings, error) {
	if s := x.settings[id]; s != nil {
		return s, nil
	}
	s := &settings{}
	x.settings[id] = s
	data, err := x.w.r.Store.Snapshot(ctx, x.w.t.UID, id)
	if errors.Is(err, logdb.ErrNotFound) {
		s.err = fmt.Errorf("%w: its settings were not kept", device.ErrRecord)
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read kept settings: %w", err)
	}
	if s.snapshot, err = parseSnapshot(data); err != nil {
		return nil, fmt.Errorf("read kept settings: %w", err)
	}
	if s.Profile != x.now.Profile {
		s.err = fmt.Errorf("%w: it was decoded by profile %s", device.ErrRecord, s.Profile)
		return s, nil
	}
	s.same = s.Version == x.now.Version && s.Zone == x.now.Zone && device.Correction{CT: s.CT, PT: s.PT} == device.Correction{CT: x.now.CT, PT: x.now.PT}
	s.decoder, s.err = s.snapshot.decoder(x.w.t.Profile, x.w.log)
	return s, nil
}

// records goes through a log whose records are decoded one by one.
func (x *redecoder) records(ctx context.Context) error {
	gen, begun := uint32(0), false
	return x.pages(ctx, func(page []logdb.Entry) error {
		raws, err := x.raws(ctx, page)
		if err != nil {
			return err
		}
		for i := range page {
			e := &page[i]
			raw, ok := raws[e.Position]
			if !ok || e.Op != logdb.OpAdd && e.Op != logdb.OpGap {
				continue
			}
			x.out.Records++
			s, err := x.of(ctx, raw.Snapshot)
			if err != nil {
				return err
			}
			if !begun || raw.Generation != gen && x.breaks[raw.Generation] {
				if err := x.foresee(ctx, s, raw, x.w.clock); err != nil {
					return err
				}
			}
			gen, begun = raw.Generation, true
			again, err := x.record(ctx, s, raw)
			if err != nil || e.Op == logdb.OpGap {
				x.out.Unreadable++
				continue
			}
			if err := x.compare(ctx, e, &again, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// foresee has clocks look at the records from first on, as retrieval does where nothing precedes.
func (x *redecoder) foresee(ctx context.Context, s *settings, first logdb.RawRecord, clocks ...*device.Clock) error {
	h, ok := s.decoder.(*history)
	if !ok {
		return nil
	}
	next, err := x.w.r.Store.ReadRaw(ctx, x.w.t.UID, x.w.kind, x.w.log.Log, first.Position, minBatch)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStored, err)
	}
	var recs [][]byte
	for _, raw := range next {
		if raw.Generation != first.Generation {
			break
		}
		recs = append(recs, raw.Bytes)
	}
	stamps := x.w.stamps(recs)
	for _, c := range clocks {
		if !h.foresee(stamps, time.Time{}, c) && len(stamps) > 0 {
			c.Recall(stamps[0], first.Time, s.Zone) // when it was read as the newest record, more was known
		}
	}
	return nil
}

// record decodes one raw record again.
func (x *redecoder) record(ctx context.Context, s *settings, raw logdb.RawRecord) (logdb.Entry, error) {
	if s.err != nil {
		return logdb.Entry{}, s.err
	}
	if h, ok := s.decoder.(*history); ok {
		dec, at, values, err := h.row(raw.Bytes, x.w.t.Correction)
		if err != nil {
			return logdb.Entry{}, err
		}
		row := logdb.History{Log: x.w.log.Log, Channels: dec.Channels, Times: []logdb.Millis{x.w.clock.UTC(at)}}
		for _, v := range values {
			row.Columns = append(row.Columns, []float64{v})
		}
		return row.Entry(0), nil
	}
	batches, err := s.decoder.decode(ctx, x.w, s.decoder.records(raw.Bytes))
	if err != nil {
		return logdb.Entry{}, err
	}
	if len(batches) != 1 || len(batches[0].Entries) != 1 || batches[0].Entries[0].Op != logdb.OpAdd {
		return logdb.Entry{}, fmt.Errorf("%w: no record", device.ErrRecord)
	}
	return batches[0].Entries[0], nil
}

// compare enters a new version of e when again says something else than what is live. s is nil
// for a record without raw bytes of its own.
func (x *redecoder) compare(ctx context.Context, e, again *logdb.Entry, s *settings) error {
	live, changed := x.live[e.Position]
	if !changed {
		live.digest = e.ContentDigest()
		if s != nil && s.same {
			return nil
		}
	}
	again.Log = e.Log
	if live.dead || live.foreign {
		if again.ContentDigest() != e.ContentDigest() {
			x.out.Corrected++
		}
		return nil
	}
	if again.ContentDigest() == live.digest {
		return nil
	}
	again.Op, again.Position, again.Target, again.Replaces = logdb.OpRevise, 0, e.Position, live.digest
	again.Run, again.Generation = e.Run, e.Generation
	again.By, again.At, again.Why = x.w.r.by(), x.w.r.now(), x.why(live.why, s)
	x.out.Changed++
	if x.dry {
		return nil
	}
	x.revises = append(x.revises, *again)
	if len(x.revises) >= redecodeBatch {
		return x.flush(ctx)
	}
	return nil
}

// why words what changed since a record was decoded last.
func (x *redecoder) why(last string, s *settings) string {
	before := snapshot{}
	if s != nil {
		before = s.snapshot
	}
	var out []string
	part := func(what, from, to string) {
		if i := strings.LastIndex(last, what+" changed from "); i >= 0 { // it was decoded again before
			rest, _, _ := strings.Cut(last[i:], ";")
			if _, was, ok := strings.Cut(rest, " to "); ok {
				from = was
			}
		}
		if from == "" {
			from = "another one"
		}
		if from != to {
			out = append(out, what+" changed from "+from+" to "+to)
		}
	}
	ratio := func(v float64) string {
		if v == 0 { // none
			v = 1
		}
		return fmt.Sprintf("%g", v)
	}
	part("zone", before.Zone, x.now.Zone)
	part("profile", before.Version, x.now.Version)
	part("CT factor", ratio(before.CT), ratio(x.now.CT))
	part("PT factor", ratio(before.PT), ratio(x.now.PT))
	if len(out) == 0 {
		return "decoded again"
	}
	return strings.Join(out, "; ")
}

// flush writes the new versions gathered so far.
func (x *redecoder) flush(ctx context.Context) error {
	if len(x.revises) == 0 {
		return nil
	}
	if x.w.r.Room != nil {
		if err := x.w.r.Room(); err != nil {
			return err
		}
	}
	b := logdb.Batch{Meter: x.w.t.UID, Kind: x.w.kind, Entries: x.revises, At: x.w.r.now()}
	if _, err := x.w.r.Store.Append(ctx, b); err != nil {
		return fmt.Errorf("store %d records decoded again: %w", len(x.revises), err)
	}
	x.revises = x.revises[:0]
	return nil
}
