package retrieve

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// rawPage is how many raw records are looked at in one step.
const rawPage = 10_000

// bounds are what the gaps of a log lie between.
type bounds struct {
	generations map[uint32]generationEnds
	unreadable  map[logdb.Position]bound // by the position of their gap
}

// generationEnds are the times of the first and the last record of a generation.
type generationEnds struct {
	first, last logdb.Millis
	under       logdb.Millis // the first one's time under zone
	zone        string       // that it was retrieved by; "" when no record of it is kept
}

// bound is where a record stands that does not decode.
type bound struct {
	at   logdb.Millis
	zone string
}

// gaps tells anew of the gaps in the meter's memory whose bounds moved with the zone: they are times of the meter's clock as those
// of its records are. What the manager noted by its own clock stays.
func (x *redecoder) gaps(ctx context.Context, journal logdb.JournalID, setsDST bool) error {
	var all []logdb.Entry
	err := x.w.r.Store.ReadEvents(ctx, logdb.EventQuery{Meter: x.w.t.UID, Kind: x.w.kind, Gaps: true}, func(s logdb.StreamID, e *logdb.Entry) error {
		if s.Journal == journal && e.Log == x.w.log.Log && e.Position <= x.end {
			all = append(all, *e)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the gaps of the log: %w", err)
	}
	if len(all) == 0 {
		return nil
	}
	known := bounds{generations: map[uint32]generationEnds{}, unreadable: map[logdb.Position]bound{}}
	for i := range all {
		known.unreadable[cmp.Or(all[i].Gap.Replaces, all[i].Position)] = bound{}
	}
	if err := x.walk(ctx, &known, setsDST); err != nil {
		return err
	}
	for g, last := range x.bareEnds {
		if _, ok := known.generations[g]; !ok {
			known.generations[g] = generationEnds{last: last}
		}
	}
	for i := range all {
		e := &all[i]
		again, noted, ok := known.of(e)
		if !ok || noted == x.now.Zone && e.Gap.Replaces == 0 || again.From == e.Gap.From && again.To == e.Gap.To {
			continue
		}
		x.out.Gaps++
		again.Replaces = cmp.Or(e.Gap.Replaces, e.Position)
		if !x.dry {
			x.revises = append(x.revises, logdb.Entry{
				Op: logdb.OpGap, Log: e.Log, Run: e.Run, Generation: e.Generation, Time: again.From, Gap: &again,
				By: x.w.r.by(), At: x.w.r.now(), Why: "zone changed to " + x.now.Zone,
			})
		}
	}
	return nil
}

// of returns a gap with the bounds that it has under the present zone, and the zone that its meter was in at first; false
// when nothing is known of them.
func (k *bounds) of(e *logdb.Entry) (out logdb.Gap, zone string, ok bool) {
	out = *e.Gap
	if b := k.unreadable[cmp.Or(out.Replaces, e.Position)]; b.zone != "" {
		out.From, out.To = b.at, b.at
		return out, b.zone, true
	}
	if !fromMemory(out.Cause) {
		return out, "", false
	}
	// A gap enters behind the first records that follow it: its generation tells where it belongs.
	behind, ok := k.generations[e.Generation]
	before, known := generationEnds{}, false
	for g := e.Generation; g > 0 && !known; {
		g--
		before, known = k.generations[g]
	}
	if !ok || behind.zone == "" || !known {
		return out, "", false
	}
	out.From = before.last
	switch {
	case out.Cause != logdb.GapReplaced, e.Gap.To == max(e.Gap.From, behind.under):
		out.To = max(out.From, behind.first)
	default: // the manager's clock said when the other meter was there
		out.To = max(out.From, behind.first, e.Gap.To)
	}
	return out, behind.zone, true
}

// fromMemory reports whether a gap tells that a memory does not continue what is stored.
func fromMemory(cause logdb.GapCause) bool {
	switch cause {
	case logdb.GapReset, logdb.GapOverwritten, logdb.GapSettings, logdb.GapReplaced:
		return true
	}
	return false
}

// walk goes through the kept raw records of the log in the order of the meter.
func (x *redecoder) walk(ctx context.Context, known *bounds, setsDST bool) error {
	clock, last := device.NewClock(x.w.t.Zone, 0, setsDST), logdb.Millis(0)
	for first := logdb.Position(1); first <= x.end; {
		list, err := x.w.r.Store.ReadRaw(ctx, x.w.t.UID, x.w.kind, x.w.log.Log, first, rawPage)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrStored, err)
		}
		for _, raw := range list {
			s, err := x.of(ctx, raw.Snapshot)
			if err != nil {
				return err
			}
			if _, gap := known.unreadable[raw.Position]; gap {
				known.unreadable[raw.Position] = bound{last, s.Zone}
				continue
			}
			if s.decoder == nil {
				continue
			}
			for _, rec := range s.decoder.records(raw.Bytes) {
				t, err := x.w.log.ParseStamp(rec)
				if err != nil {
					continue
				}
				ends, begun := known.generations[raw.Generation]
				if !begun {
					alone, under := device.NewClock(x.w.t.Zone, 0, setsDST), s.clock(setsDST)
					clocks := []*device.Clock{alone, under}
					if len(known.generations) == 0 || x.breaks[raw.Generation] {
						clocks = append(clocks, clock)
					}
					if err := x.foresee(ctx, s, raw, clocks...); err != nil {
						return err
					}
					ends = generationEnds{first: alone.UTC(t), under: under.UTC(t), zone: s.Zone}
				}
				last = clock.UTC(t)
				ends.last = last
				known.generations[raw.Generation] = ends
			}
		}
		if len(list) < rawPage {
			return nil
		}
		first = list[len(list)-1].Position + 1
	}
	return nil
}

// clock is one under the settings' own zone, that of UTC when it is none any more.
func (s *settings) clock(setsDST bool) *device.Clock {
	return device.NewClock(s.location(), 0, setsDST)
}

func (s *settings) location() *time.Location {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		zone = time.UTC
	}
	return zone
}
