package retrieve

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// replay pairs the kept records of an event log once more, in memory. It is the Store of the
// decoders meanwhile; they ask for nothing but open starts and earlier events.
type replay struct {
	Store
	log  logdb.LogNo
	adds []logdb.Entry
	open []logdb.OpenStart
}

// OpenStarts returns the starts that wait.
func (p *replay) OpenStarts(context.Context, logdb.MeterUID, logdb.Kind) ([]logdb.OpenStart, error) {
	return slices.Clone(p.open), nil
}

// ReadEvents visits what was paired so far, in order of (time, position).
func (p *replay) ReadEvents(_ context.Context, q logdb.EventQuery, visit func(logdb.StreamID, *logdb.Entry) error) error {
	var list []*logdb.Entry
	for i := range p.adds {
		if e := &p.adds[i]; e.Excursion != nil && e.Time < q.Last && slices.Contains(q.Channels, e.Excursion.Channel) {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b *logdb.Entry) int { return cmp.Compare(a.Time, b.Time) })
	for _, e := range list {
		if err := visit(logdb.StreamID{}, e); err != nil {
			return err
		}
	}
	return nil
}

// insert puts in what no record tells of.
func (p *replay) insert(i int, e logdb.Entry) {
	p.adds = slices.Insert(p.adds, i, e)
	for ; i < len(p.adds); i++ {
		p.adds[i].Position = logdb.Position(i + 1)
	}
}

// take applies what a decoder made.
func (p *replay) take(batches []logdb.Batch) {
	for _, b := range batches {
		for _, e := range b.Entries {
			if e.Op == logdb.OpRevise {
				p.adds[e.Target-1].Excursion = e.Excursion
				continue
			}
			e.Position = logdb.Position(len(p.adds) + 1)
			p.adds = append(p.adds, e)
		}
		if b.Open != nil {
			p.open = b.Open.Starts
		}
	}
}

// events goes through a log of paired events: the kept records are paired again in the order of the
// meter, and the events compared one by one with those of the journal.
func (x *redecoder) events(ctx context.Context) error {
	p := &replay{Store: x.w.r.Store, log: x.w.log.Log}
	reader := *x.w.r
	reader.Store = p
	w := *x.w
	w.r = &reader
	var stored []logdb.Entry
	var under []*settings
	var last *settings
	left := map[int]bool{} // of stored: those of which is not known under what they were entered
	err := x.pages(ctx, func(page []logdb.Entry) error {
		raws, err := x.raws(ctx, page)
		if err != nil {
			return err
		}
		for _, e := range page {
			raw, kept := raws[e.Position]
			if !kept && e.Op != logdb.OpAdd {
				continue
			}
			var s *settings
			if kept {
				x.out.Records++
				if s, err = x.of(ctx, raw.Snapshot); err != nil {
					return err
				}
				if s.err != nil {
					x.out.Note = s.err.Error()
					return errLeft
				}
				if err := x.pair(ctx, p, &w, s, last, e.Generation, raw.Bytes); err != nil {
					return err
				}
				last = s
			} else { // given up at a break of the memory: they have no bytes
				if last != nil && len(stored) == len(p.adds) {
					batches, err := last.decoder.lost(ctx, &w)
					if err != nil {
						return err
					}
					p.take(batches)
				}
				if i := len(stored); i == len(p.adds) || !samePair(&e, &p.adds[i]) { // its start came behind the last record that was kept
					again := e
					if s = x.enteredUnder(&e); s != nil {
						again = x.bare(&e, s)
						x.bareEnds[e.Generation] = max(x.bareEnds[e.Generation], again.Time)
					}
					left[i] = s == nil
					p.insert(i, again)
				}
			}
			if e.Op != logdb.OpRevise {
				stored, under = append(stored, e), append(under, s)
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errLeft):
		return nil
	case err != nil:
		return err
	case !samePairs(stored, p.adds):
		x.out.Note = "its records make other events now; they are left as they are"
		return nil
	}
	for i := range stored {
		e, again := &stored[i], p.adds[i]
		if e.Op == logdb.OpGap || again.Op == logdb.OpGap || left[i] {
			x.out.Unreadable++
			continue
		}
		x.keepStart(e, &again, under[i])
		if err := x.compare(ctx, e, &again, under[i]); err != nil {
			return err
		}
	}
	x.w.clock, x.w.lastAt = w.clock, w.lastAt
	return x.openStarts(ctx, last, p.open)
}

// enteredUnder returns what an event without bytes was entered under, nil when it does not say.
func (x *redecoder) enteredUnder(e *logdb.Entry) *settings {
	was, ok := wasUnder(e.Why)
	if !ok {
		return nil
	}
	was.Version = x.now.Version
	return &settings{snapshot: was}
}

// bare returns an event without bytes as it is under the present zone and correction.
func (x *redecoder) bare(e *logdb.Entry, s *settings) logdb.Entry {
	out := *e
	if s.Zone != x.now.Zone {
		out.Time = rezoned(e.Time, s.location(), x.w.t.Zone)
	}
	if e.Excursion != nil {
		kept, was := *e.Excursion, device.Correction{CT: s.CT, PT: s.PT}
		f := x.w.t.Correction.Factor(kept.Channel) / was.Factor(kept.Channel)
		kept.Worst, kept.Threshold = kept.Worst*f, kept.Threshold*f
		out.Excursion = &kept
	}
	return out
}

// rezoned reads the wall time of an instant in one zone in another one. In an hour that both repeat it stays in its pass; whether the meter marked daylight
// time is not known any more.
func rezoned(t logdb.Millis, from, to *time.Location) logdb.Millis {
	wall := func(t time.Time, zone *time.Location) device.TStamp {
		t = t.In(zone)
		return device.TStamp{Year: t.Year(), Month: int(t.Month()), Day: t.Day(), Hour: t.Hour(), Minute: t.Minute(), Second: t.Second()}
	}
	at := t.Time()
	stamp := wall(at, from)
	out := device.NewClock(to, 0, false).UTC(stamp)
	for _, pass := range []time.Duration{30 * time.Minute, time.Hour} {
		if later := out.Time().Add(pass); wall(at.Add(-pass), from) == stamp && wall(later, to) == stamp {
			out = logdb.MillisOf(later)
			break
		}
	}
	return out + logdb.Millis(at.Nanosecond()/1_000_000)
}

// keepStart leaves an event what its start was decoded to, where that was read under other settings than its end, which are those
// that are kept: its limit watched something else then. The profile that names the channels is the same.
func (x *redecoder) keepStart(e, again *logdb.Entry, s *settings) {
	if s == nil || s.Version != x.now.Version || e.Excursion == nil || again.Excursion == nil || e.Excursion.Channel == again.Excursion.Channel {
		return
	}
	kept := *e.Excursion
	was := device.Correction{CT: s.CT, PT: s.PT}
	f := x.w.t.Correction.Factor(kept.Channel) / was.Factor(kept.Channel)
	kept.Worst, kept.Threshold, kept.DurationSeconds = kept.Worst*f, kept.Threshold*f, again.Excursion.DurationSeconds
	again.Excursion = &kept
}

// errLeft ends a log that cannot be decoded again.
var errLeft = errors.New("the log is left as it is")

// pair gives the records of one entry to the decoder of their settings.
func (x *redecoder) pair(ctx context.Context, p *replay, w *work, s, last *settings, generation uint32, raw []byte) error {
	w.gen = generation
	if s != last {
		if err := s.decoder.begin(ctx, w); err != nil {
			return err
		}
	}
	for _, rec := range s.decoder.records(raw) {
		batches, err := s.decoder.decode(ctx, w, [][]byte{rec})
		if err != nil {
			return err
		}
		p.take(batches)
	}
	return nil
}

// samePairs reports whether the events are the same ones, whatever their times and values. The
// replay may know more: what follows the last stored entry still waits at the meter.
func samePairs(stored, again []logdb.Entry) bool {
	if len(stored) != len(again) {
		return false
	}
	for i := range stored {
		if !samePair(&stored[i], &again[i]) {
			return false
		}
	}
	return true
}

func samePair(a, b *logdb.Entry) bool {
	return a.Op == b.Op && (a.Excursion == nil || b.Excursion != nil && a.Excursion.LimitID == b.Excursion.LimitID && a.Excursion.Type == b.Excursion.Type)
}

// openStarts decodes the starts that wait beside the journal again: their times must fit the ends to come. Those of paired
// have records that are followed by others which are kept, so that their times are known.
func (x *redecoder) openStarts(ctx context.Context, s *settings, paired []logdb.OpenStart) error {
	all, err := x.w.r.Store.OpenStarts(ctx, x.w.t.UID, x.w.kind)
	if err != nil {
		return fmt.Errorf("read the open starts: %w", err)
	}
	changed, set := false, &logdb.OpenSet{Log: x.w.log.Log}
	for _, o := range all {
		if o.Log != x.w.log.Log {
			continue
		}
		again, ok := x.start(ctx, s, o)
		if i := slices.IndexFunc(paired, func(p logdb.OpenStart) bool { return bytes.Equal(p.Raw, o.Raw) }); i >= 0 {
			again.Start, ok = paired[i].Start, true
		}
		if ok && (again.Start != o.Start || again.Event != o.Event && !sameExcursion(again.Event, o.Event)) {
			changed, o = true, again
			x.out.Changed++
		}
		set.Starts = append(set.Starts, o)
	}
	if !changed || x.dry {
		return nil
	}
	b := logdb.Batch{Meter: x.w.t.UID, Kind: x.w.kind, Open: set, At: x.w.r.now()}
	if _, err := x.w.r.Store.Append(ctx, b); err != nil {
		return fmt.Errorf("store open starts decoded again: %w", err)
	}
	return nil
}

// start decodes the record of a start alone.
func (x *redecoder) start(ctx context.Context, s *settings, o logdb.OpenStart) (logdb.OpenStart, bool) {
	if s == nil { // no record of this log is kept with its settings yet: only the time can be told
		return x.startTime(o)
	}
	p := &replay{Store: x.w.r.Store, log: x.w.log.Log}
	reader := *x.w.r
	reader.Store = p
	clock := *x.w.clock
	w := *x.w
	w.r, w.clock = &reader, &clock
	if s.decoder.begin(ctx, &w) != nil {
		return o, false
	}
	batches, err := s.decoder.decode(ctx, &w, [][]byte{o.Raw})
	if err != nil {
		return o, false
	}
	p.take(batches)
	for _, again := range p.open {
		if again.Event.LimitID != o.Event.LimitID || again.Event.Type != o.Event.Type || again.Event.Channel != o.Event.Channel {
			continue
		}
		// A worse value than at the start was seen since; it keeps its share of the threshold.
		if f := again.Event.Threshold / o.Event.Threshold; f > 0 && !math.IsInf(f, 0) {
			again.Event.Worst = worse(o.Event.Type, again.Event.Worst, o.Event.Worst*f)
		}
		again.Event.WorstPercent = worse(o.Event.Type, again.Event.WorstPercent, o.Event.WorstPercent)
		return again, bytes.Equal(again.Raw, o.Raw)
	}
	return x.startTime(o) // its limit was programmed anew: what it watched then is known no better
}

func (x *redecoder) startTime(o logdb.OpenStart) (logdb.OpenStart, bool) {
	t, err := x.w.log.ParseStamp(o.Raw)
	if err != nil {
		return o, false
	}
	clock := *x.w.clock
	o.Start = clock.UTC(t)
	if x.w.log.Record == device.RecordPQ {
		r, err := x.w.t.Profile.Layouts.PQ.Parse(o.Raw)
		if err != nil {
			return o, false
		}
		o.Start += logdb.Millis(r.Millis)
	}
	return o, true
}

// sameExcursion compares with NaN equal to NaN.
func sameExcursion(a, b logdb.Excursion) bool {
	one, two := logdb.Entry{Excursion: &a}, logdb.Entry{Excursion: &b}
	return one.ContentDigest() == two.ContentDigest()
}
