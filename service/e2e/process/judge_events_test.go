//go:build unix

package process_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/field/sim"
)

// happening is what makes an excursion one and the same.
type happening struct {
	channel logdb.ChannelKey
	above   bool
	start   int64
}

func (h happening) String() string {
	return fmt.Sprintf("%s above %v at %s", h.channel, h.above, time.UnixMilli(h.start).UTC().Format(time.RFC3339Nano))
}

// excursions compares limit or PQ events with those that the meter saw.
func (is *truth) excursions(who string, kind logdb.Kind, have []logdb.Entry) error {
	list := is.PQEvents()
	if kind == logdb.KindLimit {
		list = is.LimitEvents()
	}
	want := map[happening]sim.Excursion{}
	for _, x := range list {
		if !x.Start.IsZero() { // an end without a start makes no event
			want[happening{x.Channel, x.Above, x.Start.UnixMilli()}] = x
		}
	}
	seen := map[happening]bool{}
	for _, e := range have {
		if e.Excursion == nil {
			return fmt.Errorf("the %s, %s position %d, is no event", who, kind, e.Position)
		}
		h := happening{e.Excursion.Channel, e.Excursion.Type == logdb.ExcursionAbove, int64(e.Time)}
		x, ok := want[h]
		switch {
		case !ok:
			return fmt.Errorf("the %s has a %s event that the meter never saw: %s", who, kind, h)
		case seen[h]:
			return fmt.Errorf("the %s has a %s event twice: %s", who, kind, h)
		}
		seen[h] = true
		d := e.Excursion.DurationSeconds
		if x.End.IsZero() && !math.IsNaN(d) {
			x.End = afterOutage(list, x)
		}
		unknown := x.End.IsZero() || x.End.Before(x.Start) // the clock was set back meanwhile
		if unknown != math.IsNaN(d) || !unknown && math.Abs(d-x.End.Sub(x.Start).Seconds()) > 1e-6 {
			return fmt.Errorf("the %s says that the %s event %s took %v s, it was from %s to %s", who, kind, h, d, x.Start, x.End)
		}
	}
	for h, x := range want {
		if !seen[h] && !x.End.IsZero() && x.End.Before(is.until.Add(-time.Minute)) {
			return fmt.Errorf("the %s lacks the %s event %s", who, kind, h)
		}
	}
	return nil
}

// afterOutage returns the end that the records give an event during which the meter lost its supply:
// that of the same phase after it woke up, since no record of this log tells of the outage.
func afterOutage(list []sim.Excursion, x sim.Excursion) time.Time {
	for _, o := range list {
		if o.Start.IsZero() && o.Channel == x.Channel && o.Above == x.Above && o.End.After(x.Start) {
			return o.End
		}
	}
	return time.Time{}
}

// recordings compares the waveform captures.
func (is *truth) recordings(who string, have []logdb.Entry) error {
	i := 0
	for r := range is.Recordings() {
		if i == len(have) {
			if r.Trigger.Before(is.until.Add(-time.Minute)) {
				return fmt.Errorf("the %s lacks the capture of %s", who, r.Trigger)
			}
			return nil
		}
		w := have[i].Waveform
		i++
		if w == nil || !w.TriggerTime.Time().Equal(r.Trigger) || len(w.Channels) != len(r.Channels) {
			return fmt.Errorf("the %s has something else in the place of the capture of %s", who, r.Trigger)
		}
		for n, c := range w.Channels {
			for k, v := range r.Channels[n].Samples {
				if c.Name != r.Channels[n].Name || k >= len(c.Samples) || math.Abs(c.Samples[k]-v) > 1e-9*math.Abs(v) {
					return fmt.Errorf("the %s, capture of %s: sample %d of %s differs", who, r.Trigger, k, c.Name)
				}
			}
		}
	}
	if i < len(have) {
		return fmt.Errorf("the %s has %d captures, the meter %d", who, len(have), i)
	}
	return nil
}

// seenByManager ends the text of a system event that no record of the meter says.
const seenByManager = ", seen by the manager)"

// system compares the system events of a site, in the meter's order. Those of the last moments
// are the retrievals themselves.
func (is *truth) system(h *holding) error {
	var have []logdb.Entry
	for _, e := range ownLive(h, logdb.KindSystem) {
		if e.System != nil && !strings.HasSuffix(e.System.Description, seenByManager) {
			have = append(have, e)
		}
	}
	i := 0
	for r, err := range is.Records(sim.LogSystem) {
		if err != nil {
			return err
		}
		if i == len(have) {
			if r.System != logdb.SystemLogRetrieval && r.True.Before(is.until) {
				return fmt.Errorf("the %s lacks the system event %s of %s", h.who, r.System, r.Time)
			}
			continue
		}
		e := have[i]
		i++
		if !e.Time.Time().Equal(r.Time) || e.System.Type != r.System {
			return fmt.Errorf("the %s says %s at %s, the meter %s at %s", h.who, e.System.Type, e.Time, r.System, r.Time)
		}
	}
	if i < len(have) {
		return fmt.Errorf("the %s has %d system events, the meter %d", h.who, len(have), i)
	}
	return nil
}

// cloud compares what the cloud answers to a user with what the meter recorded: every record once,
// although several journals may tell of it.
func (is *truth) cloud(ctx context.Context, h *holding) error {
	for log := range is.rows {
		no := logdb.LogNo(log)
		var rows []answeredRow
		for q := (api.HistoryQuery{Log: &no}); ; {
			a, err := h.c.History(ctx, h.meter, q)
			if err != nil {
				return fmt.Errorf("ask the %s for log %d: %w", h.who, log, err)
			}
			for i, at := range a.Times {
				row := answeredRow{at: at}
				for c, col := range a.Columns {
					if v := a.Values[c][i]; !math.IsNaN(v) { // columns of other journals are absent
						row.channels, row.values = append(row.channels, col.Key), append(row.values, v)
					}
				}
				rows = append(rows, row)
			}
			if q.Cursor = a.Next; q.Cursor == "" {
				break
			}
		}
		if err := is.answered(log, rows); err != nil {
			return err
		}
	}
	for _, kind := range []logdb.Kind{logdb.KindPQ, logdb.KindLimit} {
		if err := is.eventsAnswered(ctx, h, kind); err != nil {
			return err
		}
	}
	return nil
}

// answeredRow is a row of an answer, without absent values.
type answeredRow struct {
	at       logdb.Millis
	channels []logdb.ChannelKey
	values   []float64
}

// answered compares an answer, which is in order of time, with the meter's records.
func (is *truth) answered(log int, rows []answeredRow) error {
	want := slices.Clone(is.rows[log]) // the meter's clock may have been set back
	slices.SortStableFunc(want, func(a, b sim.Record) int { return a.Time.Compare(b.Time) })
	for i, r := range rows {
		if i >= len(want) {
			return fmt.Errorf("the cloud answers %d rows of log %d, the meter has %d", len(rows), log, i)
		}
		if err := sameRow(want[i], r.at, r.channels, r.values); err != nil {
			return fmt.Errorf("the cloud's answer, log %d, row %d: %w", log, i, err)
		}
	}
	for _, r := range want[min(len(rows), len(want)):] {
		if r.True.Before(is.until) {
			return fmt.Errorf("the cloud answers %d rows of log %d, the meter has another of %s", len(rows), log, r.True)
		}
	}
	return nil
}

func (is *truth) eventsAnswered(ctx context.Context, h *holding, kind logdb.Kind) error {
	var have []logdb.Entry
	skipped := 0
	for q := (api.EventsQuery{Kind: kind}); ; {
		a, err := h.c.Events(ctx, h.meter, q)
		if err != nil {
			return fmt.Errorf("ask the %s for %s: %w", h.who, kind, err)
		}
		for _, e := range a.Events {
			have = append(have, e.Entry)
		}
		skipped += a.Limits.Skipped
		if q.Cursor = a.Next; q.Cursor == "" {
			break
		}
	}
	err := is.excursions("cloud's answer", kind, have)
	if err != nil && skipped > 0 && strings.Contains(err.Error(), "lacks") {
		return nil // a limit kept it away, and the answer says so
	}
	return err
}
