package analysis_test

import (
	"math"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/pq"
)

// TestFlickerOfAWeek: the week has the 84 values of Plt that end in it, the one at its end among them; those whose two hours an event touches are left out;
// a scale that is not verified gives no verdict.
func TestFlickerOfAWeek(t *testing.T) {
	t.Parallel()
	const plt logdb.ChannelKey = "flicker.plt.b"
	from, to := day0, day0+7*logdb.DayMillis
	for name, tc := range map[string]struct {
		over       []int // which of the week's values are above 1
		event      logdb.Millis
		unverified bool
		want       pq.Verdict
		valid      int
	}{
		"four above are within 5 %":        {over: []int{0, 40, 41, 83}, want: pq.Pass, valid: 84},
		"five above are not":               {over: []int{0, 40, 41, 42, 83}, want: pq.Fail, valid: 84},
		"one of five is left out":          {over: []int{0, 40, 41, 42, 83}, event: day0 + 83*hour, want: pq.Pass, valid: 83},
		"the event was in the next one":    {over: []int{0, 40, 41, 42, 83}, event: day0 + 86*hour, want: pq.Fail, valid: 83},
		"a scale that nobody knows is not": {unverified: true, want: pq.NotMeasured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := logdbtest.NewModel(logdbtest.Config{})
			h := rows(2, plt, from-2*hour, to+2*hour, 2*hour, 0.5)
			if h.Times[0] != from || len(h.Times) != 86 {
				t.Fatalf("%d rows from %d on", len(h.Times), h.Times[0])
			}
			h.Columns[0][0], h.Columns[0][85] = 9, 9 // of the weeks around
			for _, k := range tc.over {
				h.Columns[0][k+1] = 1.5
			}
			accept(t, s, journalA, 1, h)
			settings := logdb.Settings{UID: "m", NominalVolts: 230, NominalHz: 50}
			if tc.unverified {
				settings.UnverifiedChannels = []logdb.ChannelKey{plt}
			}
			if tc.event > 0 {
				x := &logdb.Excursion{Channel: volts, Type: logdb.ExcursionBelow, DurationSeconds: 0.2, Worst: 150, WorstPercent: math.NaN(), Threshold: 207}
				p := logdb.Page{Meter: "m", Kind: logdb.KindPQ, Stream: logdb.StreamID{Journal: journalB, Policy: "0"}, JournalEnd: 1,
					Entries: []logdb.Entry{{Op: logdb.OpAdd, Position: 1, Time: tc.event + 1000, Excursion: x}}}
				if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
					t.Fatal(err)
				}
			}
			week, err := analysis.EN50160Week(t.Context(), s, "m", settings, from)
			if err != nil {
				t.Fatal(err)
			}
			var items []pq.Item
			for _, it := range pq.Evaluate(week, pq.LowVoltage2010()).Items {
				if strings.HasPrefix(it.Name, "flicker") {
					items = append(items, it)
				}
			}
			if len(items) != 1 {
				t.Fatalf("%+v", items)
			}
			if items[0].Name != "flicker Plt B" || items[0].Verdict != tc.want || items[0].Valid != tc.valid || items[0].Expected != 84 {
				t.Errorf("%+v, want %s of %d", items, tc.want, tc.valid)
			}
			if h := items[0].High; h != nil && *h != 1.5 {
				t.Errorf("the highest is %v: of another week", *h)
			}
			if tc.unverified && !strings.Contains(items[0].Note, "not verified") {
				t.Errorf("the note does not say why: %q", items[0].Note)
			}
		})
	}
}
