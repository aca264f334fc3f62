package cloudsync_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/fault"
)

// The next cloud has the sum of an interval, which what came late has changed. A correction of one of its rows, which stand here, is not sent
// while the interval is not all here, and once with all rows when it is: that cloud keeps its sum, and what counts there is the sum alone.
func TestChangeOfARowOfAChangedSum(t *testing.T) {
	t.Parallel()
	near, far := newFakeCloud(), newFakeCloud()
	middle := relay(t, near, far)
	accept := func(f *fakeCloud, page logdb.Page) {
		t.Helper()
		page.Meter, page.Kind, page.JournalEnd, page.Stream = "cloud-4711", logdb.KindHistorical, 12, logdb.StreamID{Journal: "11111111111111111111111111111111", Policy: "1"}
		if _, err := f.store.Accept(t.Context(), page, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	rows := func(values ...float64) (h logdb.History) {
		h = logdb.History{Channels: channels[:1], Columns: [][]float64{values}}
		for i := range values {
			h.Times, h.Positions = append(h.Times, start+logdb.Millis(i)*20_000), append(h.Positions, logdb.Position(1+i))
		}
		return h
	}
	change := func(p, target logdb.Position, at logdb.Millis, v float64) logdb.Entry {
		return logdb.Entry{Op: logdb.OpRevise, Position: p, Target: target, Time: at, Row: &logdb.Row{Channels: channels[:1], Values: []float64{v}}}
	}
	sum := logdb.History{Channels: channels[:1], Times: []logdb.Millis{start + 60_000}, Positions: []logdb.Position{3}, Columns: [][]float64{{6}}}
	accept(far, logdb.Page{
		Fates:   []logdb.FateRange{{First: 1, Last: 2, Fate: logdb.FateReduced, Into: 3, FirstTime: start, LastTime: start + 20_000}},
		Rows:    []logdb.History{sum},
		Entries: []logdb.Entry{change(7, 3, start+60_000, 10)},
	})
	accept(near, logdb.Page{Rows: []logdb.History{rows(1, 2)}, Entries: []logdb.Entry{change(9, 1, start, 5)}})
	for i, pages := range []int{0, 1, 0} {
		if i == 1 {
			third := rows(1, 2, 3)
			third = logdb.History{Channels: third.Channels, Times: third.Times[2:], Positions: third.Positions[2:], Columns: [][]float64{{3}}}
			accept(near, logdb.Page{Rows: []logdb.History{third}})
		}
		before := far.pages
		middle.upload()
		if far.pages-before != pages {
			t.Errorf("upload %d sent %d pages, want %d", i, far.pages-before, pages)
		}
		if have := points(t, far.store, "cloud-4711", ""); len(have) != 1 || have[0].value != 10 {
			t.Errorf("upload %d: the next cloud has %v, want 10 alone", i, have)
		}
		if r := middle.verify(logdb.KindHistorical); !r.Clean() {
			t.Errorf("upload %d: verify: %+v", i, r)
		}
	}
	stream := logdb.StreamID{Journal: "11111111111111111111111111111111", Policy: "1"}
	if n, err := far.store.Forget(t.Context(), "cloud-4711", logdb.KindHistorical, stream, 0, logdb.MaxTime); err != nil || n == 0 {
		t.Fatalf("forgot %d, %v", n, err)
	}
	middle.pass()
	if have, want := points(t, far.store, "cloud-4711", ""), points(t, near.store, "cloud-4711", ""); !slices.Equal(have, want) || len(have) != 3 {
		t.Errorf("sent again, the next cloud has %v, want %v", have, want)
	}
}

// A backlog is sent newest first. Where that begins within an interval, its sum does not go before it is known what is combined into it: a relay that passes on
// what came so far would not know the sum for one.
func TestNewestFirstBeginsWithAnInterval(t *testing.T) {
	t.Parallel()
	for n := 801; n <= 804; n++ { // the newest 500 begin at each of the four rows of an interval
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			near, far := newFakeCloud(), newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), near)
			s.settings(15 * time.Second)
			s.rows(0, every(15*time.Second, start+15_000, n)...)
			pushed := 0
			near.before = func(call string) error {
				if call == "push" {
					if pushed++; pushed > 1 {
						return fault.New(fault.Unavailable, "lost")
					}
				}
				return nil
			}
			_, _ = s.sync.RegisterMeter(t.Context(), meter)
			_, _ = s.sync.UploadMeter(t.Context(), meter) // the newest alone
			near.before = nil
			states, err := near.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical)
			if err != nil || len(states) != 1 {
				t.Fatalf("%d streams, %v", len(states), err)
			}
			first := states[0].Fates.Ranges()[0]
			if first.Fate != logdb.FateReduced || (first.First-1)%4 != 0 {
				t.Errorf("the newest begin with %+v", first)
			}
			middle := relay(t, near, far)
			middle.upload()
			s.upload()
			middle.pass()
			s.correct(303, start+303*15_000, 100, 200, 300, 400)
			s.upload()
			middle.pass()
			if want, have := energy(t, near.store, "cloud-4711", logdb.MaxTime), energy(t, far.store, "cloud-4711", logdb.MaxTime); math.Abs(want-have) > 1e-6 {
				t.Errorf("%v Wh at the next cloud, want %v", have, want)
			}
			if r := middle.verify(logdb.KindHistorical); !r.Clean() || r.Pending > 0 {
				t.Errorf("verify: %+v", r)
			}
		})
	}
}

// A correction of a row whose sum the next cloud has waits until the rows have taken the place of the sum: until then verify says so.
func TestVerifyBeforeACorrectionIsPassedOn(t *testing.T) {
	t.Parallel()
	x := newChain(t)
	x.middle.upload()
	x.fetch()
	x.site.correct(6, start+6*15_000, 1000, 2000, 3000, 4000)
	x.site.upload()
	if r := x.middle.verify(logdb.KindHistorical); r.Clean() && r.Pending == 0 {
		t.Errorf("before it is passed on: %+v", r)
	}
	x.pass()
	if r := x.middle.verify(logdb.KindHistorical); !r.Clean() || r.Pending > 0 {
		t.Errorf("after it was passed on: %+v", r)
	}
}

// What is held here as a change of a row that is combined here, too, nobody takes who has the sum: it is not sent again and again.
func TestChangeThatNobodyTakes(t *testing.T) {
	t.Parallel()
	near, far := newFakeCloud(), newFakeCloud()
	middle := relay(t, near, far)
	for _, page := range []logdb.Page{
		{Entries: []logdb.Entry{{Op: logdb.OpRevise, Position: 9, Target: 1, Time: start, Row: &logdb.Row{Channels: channels[:1], Values: []float64{5}}}}}, // before the sum
		{
			Fates: []logdb.FateRange{{First: 1, Last: 2, Fate: logdb.FateReduced, Into: 3, FirstTime: start, LastTime: start + 20_000}},
			Rows:  []logdb.History{{Channels: channels[:1], Times: []logdb.Millis{start + 60_000}, Positions: []logdb.Position{3}, Columns: [][]float64{{6}}}},
		},
	} {
		page.Meter, page.Kind, page.JournalEnd, page.Stream = "cloud-4711", logdb.KindHistorical, 12, logdb.StreamID{Journal: "11111111111111111111111111111111", Policy: "1"}
		if _, err := near.store.Accept(t.Context(), page, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, pages := range []int{1, 0} {
		before := far.pages
		middle.pass()
		if far.pages-before != pages {
			t.Errorf("upload %d sent %d pages, want %d", i, far.pages-before, pages)
		}
	}
}

// The rows of an interval stand here in the stream of an earlier policy, their sum at the next cloud. A correction of the last of them, which comes in
// the stream of another policy, would be taken for one of the sum: the rows go first.
func TestChangeUnderALaterPolicyOfARowWhoseSumIsThere(t *testing.T) {
	t.Parallel()
	near, far := newFakeCloud(), newFakeCloud()
	middle := relay(t, near, far)
	accept := func(f *fakeCloud, policy string, page logdb.Page) {
		t.Helper()
		page.Meter, page.Kind, page.JournalEnd, page.Stream = "cloud-4711", logdb.KindHistorical, 5, logdb.StreamID{Journal: "11111111111111111111111111111111", Policy: policy}
		if _, err := f.store.Accept(t.Context(), page, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	accept(far, "1", logdb.Page{
		Fates: []logdb.FateRange{{First: 1, Last: 2, Fate: logdb.FateReduced, Into: 3, FirstTime: start, LastTime: start + 20_000}},
		Rows:  []logdb.History{{Channels: channels[:1], Times: []logdb.Millis{start + 60_000}, Positions: []logdb.Position{3}, Columns: [][]float64{{6}}}},
	})
	accept(near, "1", logdb.Page{Rows: []logdb.History{{
		Channels: channels[:1], Times: []logdb.Millis{start, start + 20_000, start + 40_000}, Positions: []logdb.Position{1, 2, 3}, Columns: [][]float64{{1, 2, 3}},
	}}})
	accept(near, "2", logdb.Page{
		Rows:    []logdb.History{{Channels: channels[:1], Times: []logdb.Millis{start + 80_000}, Positions: []logdb.Position{4}, Columns: [][]float64{{4}}}},
		Entries: []logdb.Entry{{Op: logdb.OpRevise, Position: 5, Target: 3, Time: start + 40_000, Row: &logdb.Row{Channels: channels[:1], Values: []float64{7}}}},
	})
	middle.upload()
	if have, want := points(t, far.store, "cloud-4711", ""), points(t, near.store, "cloud-4711", ""); !slices.Equal(have, want) || len(have) != 4 {
		t.Errorf("%v at the next cloud, want %v", have, want)
	}
	if r := middle.verify(logdb.KindHistorical); !r.Clean() {
		t.Errorf("verify: %+v", r)
	}
}

// The next cloud had the rows of an interval, and some of them are to be sent again. The relay, which has the sum, does not call these combined: what
// stands there at the place of the sum is a row.
func TestRowsToBeSentAgainBesideTheirSum(t *testing.T) {
	t.Parallel()
	for _, skipped := range []bool{false, true} {
		t.Run(fmt.Sprint("the relay's limits skipped the sum ", skipped), func(t *testing.T) {
			t.Parallel()
			rowsBesideTheirSum(t, skipped)
		})
	}
}

func rowsBesideTheirSum(t *testing.T, skipped bool) {
	t.Helper()
	near, far := newFakeCloud(), newFakeCloud()
	middle := relay(t, near, far)
	stream := logdb.StreamID{Journal: "11111111111111111111111111111111", Policy: "1"}
	accept := func(f *fakeCloud, page logdb.Page) {
		t.Helper()
		page.Meter, page.Kind, page.JournalEnd, page.Stream = "cloud-4711", logdb.KindHistorical, 3, stream
		if _, err := f.store.Accept(t.Context(), page, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	rows := logdb.History{
		Channels: channels[:1], Times: []logdb.Millis{start, start + 20_000, start + 50_000}, Positions: []logdb.Position{1, 2, 3}, Columns: [][]float64{{1, 2, 3}},
	}
	accept(far, logdb.Page{Rows: []logdb.History{rows}, Requested: true})
	sum := logdb.Page{
		Fates: []logdb.FateRange{{First: 1, Last: 2, Fate: logdb.FateReduced, Into: 3, FirstTime: start, LastTime: start + 20_000}},
		Rows:  []logdb.History{{Channels: channels[:1], Times: []logdb.Millis{start + 60_000}, Positions: []logdb.Position{3}, Columns: [][]float64{{6}}}},
	}
	if skipped {
		sum.Rows, sum.Fates = nil, append(sum.Fates, logdb.FateRange{First: 3, Last: 3, Fate: logdb.FateSkipped, Reason: "receiver:minute", FirstTime: start + 60_000, LastTime: start + 60_000})
	}
	accept(near, sum)
	if n, err := far.store.Forget(t.Context(), "cloud-4711", logdb.KindHistorical, stream, start, start+50_000); n != 2 || err != nil {
		t.Fatalf("forgot %d, %v", n, err)
	}
	middle.upload()
	if r := middle.verify(logdb.KindHistorical); r.Different != 0 {
		t.Errorf("verify while they are missing: %+v", r)
	}
	accept(far, logdb.Page{Rows: []logdb.History{rows}}) // whoever sent them sends them again
	middle.upload()
	if have := points(t, far.store, "cloud-4711", ""); len(have) != 3 || have[0].value+have[1].value+have[2].value != 6 {
		t.Errorf("the next cloud has %v", have)
	}
	if r := middle.verify(logdb.KindHistorical); !r.Clean() {
		t.Errorf("verify: %+v", r)
	}
}
