package analysis_test

import (
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
)

// A journal comes under two names, with a row of 1 Wh a minute combined to five minutes under one, and as it is under the other, of which the cloud's
// limits skip some. Each hour is answered by what is complete: the rows where nothing was skipped, the sums elsewhere, or the rows where the sums
// lack it too.
func TestNamesOfWhichLimitsSkippedSome(t *testing.T) {
	t.Parallel()
	const sums5, rows1 = logdb.JournalID("aaaaaaaaaaaaaaaaaaaaaaaa00000001"), logdb.JournalID("aaaaaaaaaaaaaaaaaaaaaaaa00000002")
	minute := logdb.Millis(60_000)
	page := func(j logdb.JournalID) logdb.Page {
		return logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: j, Policy: "1"}, JournalEnd: 180}
	}
	for name, tt := range map[string]struct {
		skipped  func(minute logdb.Position) bool // of the rows, from minute 1 on
		lacks    logdb.Position                   // sums from this position on have not come
		want     []float64                        // by hour
		coarse   bool                             // the second hour is that of the sums
		combined bool                             // the rows are combined in pairs, of which some are skipped
	}{
		"nothing":                     {func(logdb.Position) bool { return false }, 181, []float64{60, 60, 60}, false, false},
		"most of an hour":             {func(p logdb.Position) bool { return p > 60 && p <= 120 && p%5 != 0 }, 181, []float64{60, 60, 60}, true, false},
		"one row of an hour":          {func(p logdb.Position) bool { return p == 70 }, 181, []float64{60, 60, 60}, true, false},
		"of an hour that is not here": {func(p logdb.Position) bool { return p == 70 }, 61, []float64{60, 59, 60}, false, false},
		"pairs":                       {func(p logdb.Position) bool { return p > 60 && p <= 120 && p%4 == 0 }, 181, []float64{60, 60, 60}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := logdbtest.NewModel(logdbtest.Config{})
			coarse, fine := page(sums5), page(rows1)
			h5 := logdb.History{Channels: []logdb.ChannelKey{energy}, Columns: [][]float64{nil}}
			h1 := logdb.History{Channels: []logdb.ChannelKey{energy}, Columns: [][]float64{nil}}
			row := func(h *logdb.History, p logdb.Position, v float64) {
				h.Positions, h.Times = append(h.Positions, p), append(h.Times, day0+logdb.Millis(p)*minute)
				h.Columns[0] = append(h.Columns[0], v)
			}
			fate := func(page *logdb.Page, p logdb.Position, f logdb.FateRange) {
				f.First, f.Last, f.FirstTime, f.LastTime = p, p, day0+logdb.Millis(p)*minute, day0+logdb.Millis(p)*minute
				page.Fates = append(page.Fates, f)
			}
			for p := logdb.Position(1); p <= 180; p++ {
				switch {
				case tt.lacks <= p:
				case p%5 == 0:
					row(&h5, p, 5)
				default:
					fate(&coarse, p, logdb.FateRange{Fate: logdb.FateReduced, Into: p - p%5 + 5})
				}
				switch {
				case tt.combined && p%2 == 1:
					fate(&fine, p, logdb.FateRange{Fate: logdb.FateReduced, Into: p + 1})
				case tt.skipped(p):
					fate(&fine, p, logdb.FateRange{Fate: logdb.FateSkipped, Reason: "receiver:minute"})
				case tt.combined:
					row(&h1, p, 2)
				default:
					row(&h1, p, 1)
				}
			}
			coarse.Rows, fine.Rows = []logdb.History{h5}, []logdb.History{h1}
			for _, p := range []logdb.Page{coarse, fine} {
				if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
					t.Fatal(err)
				}
			}
			if have := sums(t, s, energy, day0, day0+hour, day0+2*hour, day0+3*hour); !slices.Equal(have, tt.want) {
				t.Errorf("%v Wh by hour, want %v", have, tt.want)
			}
			half := sums(t, s, energy, day0+hour, day0+hour+minute, day0+hour+5*minute)
			if coarse := half[1] == 5; coarse != tt.coarse {
				t.Errorf("the second hour begins with %v Wh, want that of the sums: %v", half, tt.coarse)
			}
		})
	}
}
