package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format/greenbutton"
	"metermanager/rpc/api"
)

// historyReader answers queries of historical data.
type historyReader interface {
	History(ctx context.Context, meter logdb.MeterUID, q api.HistoryQuery) (api.History, error)
}

// greenButtonFits refuses what a feed of interval energy cannot hold.
func (c *logExportCmd) greenButtonFits(q query) error {
	switch {
	case q.kind != logdb.KindHistorical || c.Gaps:
		return usageError{"--format greenbutton: interval energy is in the historical log only"}
	case c.Interval != "" || c.Buckets > 0 || c.Limit > 0:
		return usageError{"--format greenbutton writes the intervals as they were logged: without --interval, --buckets and --limit"}
	}
	return nil
}

// writeGreenButton writes the interval energy of a meter as a feed, and says on notes what is not in it. The range is
// gone through twice, a part at a time: a feed states the unit of its values before the first of them.
func (c *logExportCmd) writeGreenButton(ctx context.Context, service historyReader, q query, w, notes io.Writer) (int, error) {
	ask := q.history()
	ask.Limit = exportRows
	first, err := service.History(ctx, q.meter.UID, ask)
	if err != nil {
		return 0, err
	}
	name := q.meter.Settings.Name
	usage := greenbutton.Usage{Meter: string(q.meter.UID), Title: name, Zone: q.zone, Updated: time.Now()}
	left := 0
	var written []api.SeriesColumn
	for i, col := range first.Columns {
		if !greenbutton.Writable(col.Key) {
			left++
			continue
		}
		step := stepOf(q.meter.Settings, col.Log, first.Times, first.Values[i])
		if step <= 0 {
			fmt.Fprintf(notes, "! %s of log %d is left out: one value alone does not tell the length of its interval.\n", col.Key, col.Log)
			continue
		}
		written = append(written, col)
		usage.Series = append(usage.Series, greenbutton.Energy{Channel: col.Key, Interval: step, Intervals: energyOf(ctx, service, q, col, step)})
	}
	if len(usage.Series) == 0 {
		return 0, fmt.Errorf("%s has no interval energy in that range. What it has: metermanager meter show %s", name, name)
	}
	done, err := greenbutton.Write(w, usage)
	if err != nil {
		return done.Readings, err
	}
	sayUnverified(notes, written)
	if left > 0 {
		fmt.Fprintf(notes, "! A Green Button feed holds interval energy only: %s left out.\n", count(int64(left), "other channel"))
	}
	if done.Rounded > 0 {
		fmt.Fprintf(notes, "! %s rounded: a feed holds whole numbers of at most 48 bits, here with at most nine decimals.\n", count(int64(done.Rounded), "value"))
	}
	return done.Readings, nil
}

// stepOf returns the length of a log's intervals: as the meter's settings say, else the median distance of
// the first values; 0 when neither tells.
func stepOf(s logdb.Settings, log logdb.LogNo, times []logdb.Millis, values []float64) time.Duration {
	if int(log) < len(s.LogIntervalsMillis) && s.LogIntervalsMillis[log] > 0 {
		return time.Duration(s.LogIntervalsMillis[log]) * time.Millisecond
	}
	var steps []logdb.Millis
	last := logdb.Millis(-1)
	for i, at := range times {
		if math.IsNaN(values[i]) {
			continue
		}
		if last >= 0 && at > last {
			steps = append(steps, at-last)
		}
		last = at
	}
	if len(steps) == 0 {
		return 0
	}
	slices.Sort(steps)
	return time.Duration(steps[len(steps)/2]) * time.Millisecond
}

// energyOf goes through the values of one channel of one log. An interval ends at its row and reaches back no
// further than to the row before.
func energyOf(ctx context.Context, service historyReader, q query, col api.SeriesColumn, step time.Duration) iter.Seq2[greenbutton.Interval, error] {
	return func(yield func(greenbutton.Interval, error) bool) {
		ask := q.history()
		ask.Channels, ask.Log, ask.Limit = []logdb.ChannelKey{col.Key}, &col.Log, exportRows
		last := logdb.Millis(-1)
		for {
			answer, err := service.History(ctx, q.meter.UID, ask)
			if err != nil {
				yield(greenbutton.Interval{}, err)
				return
			}
			n := slices.IndexFunc(answer.Columns, func(c api.SeriesColumn) bool { return c.Key == col.Key && c.Log == col.Log })
			for i, at := range answer.Times {
				if n < 0 || math.IsNaN(answer.Values[n][i]) {
					continue
				}
				v := greenbutton.Interval{End: at, Duration: step, Value: answer.Values[n][i]}
				if since := time.Duration(at-last) * time.Millisecond; last >= 0 && since > 0 {
					v.Duration = min(step, since)
				}
				if last = at; !yield(v, nil) {
					return
				}
			}
			if answer.Next == "" {
				return
			}
			ask.Cursor = answer.Next
		}
	}
}
