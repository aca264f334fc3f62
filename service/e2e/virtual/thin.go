package virtual

import (
	"context"
	"fmt"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/service/e2e/judge"
)

// thin lets the cloud keep sums only, when everything has been judged: full resolution and its archive are let go. Then the site
// decodes all records anew by another factor, compares the sets of both sides and uploads. Sums and fates must stay what they
// were, nothing may come back, and verify must call nothing different (replication.md 6 and 7).
func (w *world) thin(ctx context.Context) error {
	site, err := w.nodes["site"].Client()
	if err != nil {
		return err
	}
	defer site.Close()
	_, uid, err := uids(ctx, site, cloudsync.FirstCloud)
	if err != nil {
		return err
	}
	cloud, err := w.nodes["cloud"].Client()
	if err != nil {
		return err
	}
	defer cloud.Close()
	// What the meter records meanwhile lies behind the edge, even when its clock goes wrong by hours.
	behind := 3 * time.Hour
	for _, s := range w.plan.Clock {
		behind = max(behind, 3*time.Hour-s.Ahead)
	}
	s := &thinned{cloud, uid, logdb.MillisOf(w.begin.AddDate(0, -1, 0)), logdb.MillisOf(time.Now().Add(-behind)).Floor(logdb.DayMillis / 24)}
	before, err := s.look(ctx)
	if err != nil {
		return err
	}
	w.nodes["cloud"].SetAhead(ahead)
	for _, args := range []map[string]any{{"name": "archive", "value": "6mo"}, nil} {
		name := api.CmdRetentionRun
		if args != nil {
			name = api.CmdRetentionSet
		} else {
			args = map[string]any{"wait": true}
		}
		if err := cloud.Call(ctx, name, args, nil); err != nil {
			w.problem("thin the cloud: %s: %v", name, err)
			return nil
		}
	}
	w.note("the cloud keeps sums only")
	gone, err := s.look(ctx)
	if err != nil {
		return err
	}
	if before.values > 0 && gone.values >= before.values {
		w.problem("thin the cloud: %d values before, %d after", before.values, gone.values)
	}
	w.out.Thinned = before.values - gone.values
	w.sameSums("thinned", before, gone)
	if err := w.command(ctx, "site", api.CmdMeterSet, map[string]any{"meter": "main", "name": "ct_factor", "value": "2.5"}); err != nil {
		w.problem("thin the cloud: %v", err)
	}
	if err := sleep(ctx, 3*time.Hour); err != nil { // for the site to decode everything
		return err
	}
	if err := w.command(ctx, "site", api.CmdCloudRefresh, nil); err != nil {
		w.problem("thin the cloud: %v", err)
	}
	if _, err := w.latest(ctx); err != nil {
		return err
	}
	after, err := s.look(ctx)
	if err != nil {
		return err
	}
	w.sameSums("new versions of what is gone", before, after)
	if after.values != gone.values {
		w.problem("thin the cloud: %d values of full resolution, and %d after new versions", gone.values, after.values)
	}
	return w.verify(ctx, "site", site, cloudsync.FirstCloud)
}

// thinned is what is looked at of a cloud: hours of a span.
type thinned struct {
	cloud    *client.Client
	uid      logdb.MeterUID
	from, to logdb.Millis
}

// sums is what a cloud answers, and what it has decided.
type sums struct {
	hours  map[string]float64
	values int // of full resolution
	fates  map[logdb.StreamID]logdb.FateSet
}

func (t *thinned) look(ctx context.Context) (out sums, err error) {
	out = sums{hours: map[string]float64{}, fates: map[logdb.StreamID]logdb.FateSet{}}
	ask := func(q api.HistoryQuery, visit func(log logdb.LogNo, column api.SeriesColumn, at logdb.Millis, v float64)) error {
		for log := range logdb.LogNo(3) {
			q.Log, q.Cursor = &log, ""
			for {
				h, err := t.cloud.History(ctx, t.uid, q)
				if err != nil {
					return fmt.Errorf("ask the cloud: %w", err)
				}
				for c, column := range h.Columns {
					for i, v := range h.Values[c] {
						if v == v { // absent values are NaN
							visit(log, column, h.Times[i], v)
						}
					}
				}
				if q.Cursor = h.Next; q.Cursor == "" {
					break
				}
			}
		}
		return nil
	}
	q := api.HistoryQuery{From: t.from, To: t.to, Zone: "utc"}
	if err := ask(q, func(logdb.LogNo, api.SeriesColumn, logdb.Millis, float64) { out.values++ }); err != nil {
		return out, err
	}
	q.Interval, q.Aggs = "1h", []string{"sum", "min", "max", "count"}
	err = ask(q, func(log logdb.LogNo, c api.SeriesColumn, at logdb.Millis, v float64) {
		if c.Agg != "count" || v > 0 { // each hour has one, also of a channel that begins later
			out.hours[fmt.Sprintf("%s of %s, log %d, at %s", c.Agg, c.Key, log, at)] = v
		}
	})
	if err != nil {
		return out, err
	}
	states, err := t.cloud.Streams(ctx, t.uid, logdb.KindHistorical)
	if err != nil {
		return out, fmt.Errorf("ask the cloud: %w", err)
	}
	for _, st := range states {
		out.fates[st.Stream] = st.Fates
	}
	return out, nil
}

// sameSums compares sums, which may differ in a double's last digits, and asks that no fate has changed.
func (w *world) sameSums(what string, before, after sums) {
	bad := 0
	for k, v := range before.hours {
		if have, ok := after.hours[k]; !ok || !judge.SameSum(have, v) {
			if bad++; bad <= 3 {
				w.problem("%s: %s is %v (%v), was %v", what, k, have, ok, v)
			}
		}
	}
	for k, v := range after.hours {
		if _, ok := before.hours[k]; !ok {
			if bad++; bad <= 3 {
				w.problem("%s: %s is %v, and was not there", what, k, v)
			}
		}
	}
	for stream, set := range before.fates {
		now := after.fates[stream]
		for _, r := range set.Ranges() {
			for p := r.First; p <= r.Last; p++ {
				if have, ok := now.At(p); !ok || have.Fate != r.Fate {
					w.problem("%s: position %d of stream %s is %s, was %s", what, p, stream, have.Fate, r.Fate)
					return
				}
			}
		}
	}
}
