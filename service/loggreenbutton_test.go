package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format/greenbutton"
	"metermanager/rpc/api"
)

// pagedHistory answers in parts of three rows.
type pagedHistory struct {
	columns []api.SeriesColumn
	times   []logdb.Millis
	values  [][]float64
	asked   int
	fail    error
}

func (h *pagedHistory) History(_ context.Context, _ logdb.MeterUID, q api.HistoryQuery) (api.History, error) {
	if h.asked++; h.fail != nil && h.asked > 2 {
		return api.History{}, h.fail
	}
	from := 0
	if q.Cursor != "" {
		if _, err := fmt.Sscan(q.Cursor, &from); err != nil {
			return api.History{}, err
		}
	}
	to := min(from+3, len(h.times))
	a := api.History{Times: h.times[from:to]}
	for i, c := range h.columns {
		if len(q.Channels) == 0 || q.Channels[0] == c.Key && *q.Log == c.Log {
			a.Columns, a.Values = append(a.Columns, c), append(a.Values, h.values[i][from:to])
		}
	}
	if to < len(h.times) {
		a.Next = fmt.Sprint(to)
	}
	return a, nil
}

func exportQuery(intervals ...int64) query {
	return query{logRange: &logRange{Log: -1}, kind: logdb.KindHistorical, zone: time.UTC,
		meter: api.Meter{UID: "m-1", Settings: logdb.Settings{Name: "main", LogIntervalsMillis: intervals}}}
}

// hourlyHistory has a gap, a row before its time, an absent value, and a channel that is not energy.
func hourlyHistory() *pagedHistory {
	nan, hour := math.NaN(), logdb.Millis(3_600_000)
	return &pagedHistory{
		columns: []api.SeriesColumn{{Key: "energy.interval.wh.received"}, {Key: "readings.frequency"}, {Key: "energy.interval.wh.received", Log: 1}},
		times:   []logdb.Millis{hour, 2 * hour, 2*hour + hour/2, 3 * hour, 7 * hour, 8 * hour},
		values:  [][]float64{{1, 2.5, 3, 4, 5, 6}, {50, 50, 50, 50, 50, 50}, {nan, 10, nan, nan, nan, 20}},
	}
}

func TestExportGreenButton(t *testing.T) {
	t.Parallel()
	h := hourlyHistory()
	var out, notes bytes.Buffer
	n, err := (&logExportCmd{}).writeGreenButton(context.Background(), h, exportQuery(3_600_000), &out, &notes)
	if err != nil || n != 6 {
		t.Fatalf("%d readings, %v", n, err)
	}
	feed, err := greenbutton.Read(&out, greenbutton.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range feed.MeterReadings {
		line := fmt.Sprint(m.Type.IntervalLength, ":")
		for _, r := range m.Readings {
			line += fmt.Sprintf(" %d+%d=%v", r.Start, r.Duration, m.Type.Energy(r))
		}
		got = append(got, line)
	}
	if want := "[3600: 0+3600=1 3600+3600=2.5 7200+1800=3 9000+1800=4 21600+3600=5 25200+3600=6]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if got, want := notes.String(), "! energy.interval.wh.received of log 1 is left out: one value alone does not tell the length of its interval.\n"+
		"! A Green Button feed holds interval energy only: 1 other channel left out.\n"; got != want {
		t.Errorf("notes %q, want %q", got, want)
	}
}

// Energy that nobody may bill is named beside the feed and over a table.
func TestUnverifiedEnergyIsSaid(t *testing.T) {
	t.Parallel()
	h := hourlyHistory()
	h.columns[0].Unverified, h.columns[1].Unverified = true, true
	var out, notes bytes.Buffer
	if _, err := (&logExportCmd{}).writeGreenButton(context.Background(), h, exportQuery(3_600_000), &out, &notes); err != nil {
		t.Fatal(err)
	}
	const want = "! Not to be billed, since their place or scale in the meter was inferred: energy.interval.wh.received\n"
	if !strings.Contains(notes.String(), want) {
		t.Errorf("notes %q, want %q among them", notes.String(), want)
	}
	if head := columnHead(h.columns[0], h.columns[:1]); !strings.Contains(head, "(unverified)") {
		t.Errorf("the head of the column is %q", head)
	}
}

func TestExportGreenButtonFails(t *testing.T) {
	t.Parallel()
	write := func(h *pagedHistory) error {
		_, err := (&logExportCmd{}).writeGreenButton(context.Background(), h, exportQuery(3_600_000), new(bytes.Buffer), new(bytes.Buffer))
		return err
	}
	h := hourlyHistory()
	h.fail = errors.New("the service went away")
	if err := write(h); !errors.Is(err, h.fail) {
		t.Errorf("a service that goes away in mid-export: %v", err)
	}
	h = hourlyHistory()
	h.columns = h.columns[1:2]
	if err := write(h); err == nil || !strings.Contains(err.Error(), "no interval energy") {
		t.Errorf("a meter without energy: %v", err)
	}
	for _, c := range []logExportCmd{{logRange: logRange{Gaps: true}}, {logRange: logRange{Interval: "1h"}}, {logRange: logRange{Limit: 5}}} {
		if err := c.greenButtonFits(exportQuery()); !errors.As(err, new(usageError)) {
			t.Errorf("%+v: %v", c.logRange, err)
		}
	}
}

func TestStepOf(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	times := []logdb.Millis{0, 900_000, 1_800_000, 5_400_000, 6_300_000}
	for _, tt := range []struct {
		settings []int64
		log      logdb.LogNo
		values   []float64
		want     time.Duration
	}{
		{[]int64{60_000}, 0, []float64{1, 1, 1, 1, 1}, time.Minute},
		{[]int64{60_000, 0}, 1, []float64{1, 1, 1, 1, 1}, 15 * time.Minute},
		{nil, 2, []float64{1, nan, 1, nan, nan}, 30 * time.Minute},
		{nil, 0, []float64{nan, nan, 1, nan, nan}, 0},
	} {
		if got := stepOf(logdb.Settings{LogIntervalsMillis: tt.settings}, tt.log, times, tt.values); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
