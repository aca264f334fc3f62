package cloudsync_test

import (
	"fmt"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
)

// What becomes of a late row does not depend on when a destination decides it: a cloud may get the row by two ways, from one that decided it at once and
// from one that did so when the rows of its interval had been changed.
func TestLateRowsAreDecidedAlike(t *testing.T) {
	t.Parallel()
	const minute = 60_000
	withdraw := func(s *site, target logdb.Position) {
		s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpWithdraw, Target: target, Time: start + 4*minute - 1000})
	}
	revise := func(s *site, target logdb.Position, at logdb.Millis, values ...float64) {
		s.entries(logdb.KindHistorical, logdb.Entry{
			Op: logdb.OpRevise, Target: target, Time: at, Row: &logdb.Row{Channels: channels[:len(values)], Values: values},
		})
	}
	for _, tt := range []struct {
		name   string
		values int // of the row alone in its interval, at position 9
		before func(*site)
		after  func(*site)
		want   string // what the late row travels as
	}{
		{"as it is", 4, func(*site) {}, func(*site) {}, "revise"},
		{"its row is withdrawn", 4, func(*site) {}, func(s *site) { withdraw(s, 9) }, "revise"},
		{"its row is moved", 4, func(*site) {}, func(s *site) { revise(s, 9, start+hour, 1, 2, 3, 4) }, "revise"},
		{"its row loses its values", 4, func(*site) {}, func(s *site) { revise(s, 9, start+4*minute-1000) }, "revise"},
		{"its row is withdrawn and comes back", 4, func(*site) {}, func(s *site) { withdraw(s, 9); revise(s, 9, start+4*minute-1000, 1) }, "revise"},
		{"its row was withdrawn", 4, func(s *site) { withdraw(s, 9) }, func(*site) {}, "add"},
		{"its row was withdrawn, and comes back", 4, func(s *site) { withdraw(s, 9) }, func(s *site) { revise(s, 9, start+4*minute-1000, 1) }, "add"},
		{"its row was moved, and comes back", 4, func(s *site) { revise(s, 9, start+hour, 1) }, func(s *site) { revise(s, 9, start+4*minute-1000, 1) }, "add"},
		{"its row has no values", 0, func(*site) {}, func(*site) {}, "add"},
		{"its row gets values", 0, func(*site) {}, func(s *site) { revise(s, 9, start+4*minute-1000, 1, 2) }, "add"},
		{"its row got values", 0, func(s *site) { revise(s, 9, start+4*minute-1000, 1, 2) }, func(s *site) { withdraw(s, 9) }, "revise"},
		{"two were withdrawn long ago, and come back", 4, func(s *site) {
			other := s.rows(0, start+4*minute-9000).First
			withdraw(s, 9)
			withdraw(s, other)
			s.rows(0, every(15*time.Second, start+hour, 2100)...)
		}, func(s *site) { revise(s, 9, start+4*minute-1000, 1) }, "add"},
	} {
		for atOnce, logs := range map[bool]func(testing.TB) logdb.Store{true: modelLogs, false: realLogs} {
			t.Run(fmt.Sprintf("%s, decided at once %v", tt.name, atOnce), func(t *testing.T) {
				t.Parallel()
				first, second := newFakeCloud(), newFakeCloud()
				first.limits.HistoricalIntervalMillis, second.limits.HistoricalIntervalMillis = 0, 0
				s := newSite(t, logs(t), first)
				upload := func() {
					if atOnce {
						s.upload()
					}
				}
				s.settings(15 * time.Second)
				s.rows(0, every(15*time.Second, start+15_000, 8)...)
				s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Time: start + 4*minute - 1000, Row: &logdb.Row{Channels: channels[:tt.values], Values: make([]float64, tt.values)}})
				s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
				upload()
				tt.before(s)
				upload()
				row := s.rows(0, start+4*minute-7000).First
				upload()
				tt.after(s)
				s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
				s.upload()
				s.request(cloudsync.Wanted{Reduced: true, Last: start + minute}) // so that the other cloud does not share what was decided
				s.second("second", second)
				for range 3 {
					if err := s.both("second"); err != nil {
						t.Fatal(err)
					}
				}
				for which, cloud := range map[string]*fakeCloud{"first": first, "second": second} {
					if e := cloud.entry(t, row); e.Op.String() != tt.want || tt.want == "revise" && e.Target != 9 {
						t.Errorf("for the %s cloud the late row at %d travels as %s of %d, want %s", which, row, e.Op, e.Target, tt.want)
					}
					s.totals(which, cloud)
				}
			})
		}
	}
}

// entry is what a cloud holds at a position of the journal that is sent there.
func (f *fakeCloud) entry(t testing.TB, p logdb.Position) logdb.Entry {
	t.Helper()
	states, err := f.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range states {
		page, err := f.store.ReadStream(t.Context(), "cloud-4711", logdb.KindHistorical, st.Stream, p, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Rows {
			for k, q := range page.Rows[i].Positions {
				if q == p {
					return page.Rows[i].Entry(k)
				}
			}
		}
		for _, e := range page.Entries {
			if e.Position == p {
				return e
			}
		}
	}
	t.Fatalf("nothing stands at position %d", p)
	return logdb.Entry{}
}
