package reduce_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// A page that is cut has all of it in its parts, once, and what is combined into a row stays with that row until nothing else is left to cut.
func TestSplit(t *testing.T) {
	t.Parallel()
	row := func(positions ...logdb.Position) logdb.History {
		h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: [][]float64{nil}, Positions: positions}
		for _, p := range positions {
			h.Times, h.Columns[0] = append(h.Times, logdb.Millis(p)), append(h.Columns[0], float64(p))
		}
		return h
	}
	reduced := func(first, last, into logdb.Position) logdb.FateRange {
		return logdb.FateRange{First: first, Last: last, Fate: logdb.FateReduced, Into: into}
	}
	for name, x := range map[string]struct {
		page logdb.Page
		want string
	}{
		"one row":           {logdb.Page{Rows: []logdb.History{row(7)}}, "7"},
		"rows":              {logdb.Page{Rows: []logdb.History{row(1, 2, 3)}}, "1|2|3"},
		"two sums":          {logdb.Page{Rows: []logdb.History{row(4, 8)}, Fates: []logdb.FateRange{reduced(1, 3, 4), reduced(5, 7, 8)}}, "1-3>4|4|5-7>8|8"},
		"sums that overlap": {logdb.Page{Rows: []logdb.History{row(6, 8)}, Fates: []logdb.FateRange{reduced(1, 1, 8), reduced(2, 2, 6), reduced(3, 3, 8), reduced(4, 5, 6)}}, "2-2>6|4-5>6|6|1-1>8|3-3>8|8"},
		"the sum is elsewhere": {logdb.Page{
			Rows: []logdb.History{row(4)}, Entries: []logdb.Entry{{Op: logdb.OpRevise, Position: 9, Target: 4}}, Fates: []logdb.FateRange{reduced(1, 3, 40), {First: 5, Last: 6, Fate: logdb.FateSkipped}},
		}, "1-3>40|4|5-6>0|9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var parts []string
			var cut func(p *logdb.Page)
			cut = func(p *logdb.Page) {
				var all []string
				if a, b, ok := reduce.Split(p); ok {
					apart := func(x, y *logdb.Page) bool { // a sum in x of what is in y
						held := reduce.Positions(&logdb.Page{Rows: x.Rows})
						return slices.ContainsFunc(y.Fates, func(f logdb.FateRange) bool { return f.Fate == logdb.FateReduced && held.Has(f.Into) })
					}
					sums := 0
					for _, h := range p.Rows {
						sums += h.Len()
					}
					if sums > 1 && (apart(a, b) || apart(b, a)) {
						t.Errorf("%+v was cut into %+v and %+v", p, a, b)
					}
					cut(a)
					cut(b)
					return
				}
				for _, h := range p.Rows {
					for _, q := range h.Positions {
						all = append(all, fmt.Sprint(q))
					}
				}
				for _, e := range p.Entries {
					all = append(all, fmt.Sprint(e.Position))
				}
				for _, f := range p.Fates {
					all = append(all, fmt.Sprintf("%d-%d>%d", f.First, f.Last, f.Into))
				}
				if len(all) != 1 {
					t.Errorf("%v cannot be cut", all)
				}
				parts = append(parts, all...)
			}
			cut(&x.page)
			if got := strings.Join(parts, "|"); got != x.want {
				t.Errorf("%s\nwant %s", got, x.want)
			}
		})
	}
}
