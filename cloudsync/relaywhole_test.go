package cloudsync_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// energy sums the interval energy of a meter up to a time, in Wh.
func energy(t testing.TB, store logdb.Store, uid logdb.MeterUID, until logdb.Millis) (wh float64) {
	t.Helper()
	for _, p := range points(t, store, uid, "") {
		if p.channel == "energy.interval.wh.received" && p.time <= until {
			wh += p.value
		}
	}
	return wh
}

// chain is a site with twenty minutes of rows four times a minute, its cloud, which keeps requests, and the next one.
type chain struct {
	*testing.T
	site, middle *site
	near         *desk
	far          *fakeCloud
}

func newChain(t *testing.T) *chain { return newChainOf(t, modelLogs) }

func newChainOf(t *testing.T, logs func(testing.TB) logdb.Store) *chain {
	t.Helper()
	s, d := newDeskOf(t, logs)
	x := &chain{t, s, nil, d, newFakeCloud()}
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 4*20)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
	s.upload()
	x.middle = relay(t, d.fakeCloud, x.far)
	return x
}

// fetch lets the relay have the rows of the combined ones.
func (x *chain) fetch() {
	x.Helper()
	x.near.request(x, logdb.KindHistorical, 0, 0, api.FetchReduced)
	x.site.fetch(x.near)
	if n := len(points(x, x.near.store, "cloud-4711", "")); n != 80*len(channels) {
		x.Fatalf("%d values at the relay", n)
	}
}

// forget makes the next cloud forget what it has of some time.
func (x *chain) forget(first, last logdb.Millis) {
	x.Helper()
	stream := logdb.StreamID{Journal: x.far.journals(x, logdb.KindHistorical)[0], Policy: "1"}
	if n, err := x.far.store.Forget(x.Context(), "cloud-4711", logdb.KindHistorical, stream, first, last); err != nil || n == 0 {
		x.Fatalf("%d forgotten, %v", n, err)
	}
}

// pass lets the relay compare and pass on what is missing.
func (x *chain) pass() {
	x.Helper()
	x.middle.pass()
}

// pass lets a relay compare and pass on what is missing.
func (s *site) pass() {
	s.t.Helper()
	if _, err := s.sync.Refresh(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.upload()
}

// A relay gets the rows of combined ones on request, and the next cloud, which was told of the combined ones, lacks some of these: it gets
// all rows of each in their place, or none. A row alone would pass there for the sum of all, and a sum beside its rows count twice.
func TestRelayOfRowsThatStandForASum(t *testing.T) {
	t.Parallel()
	cutOff := func(pages int) func(*chain) {
		return func(x *chain) {
			x.middle.cfg.PageBytes = 700
			x.middle.restart()
			pushed := 0
			x.far.before = func(call string) error {
				if call == "push" {
					if pushed++; pushed > pages {
						return fault.New(fault.Unavailable, "lost")
					}
				}
				return nil
			}
			_, _ = x.middle.sync.RegisterMeter(x.Context(), x.middle.uid)
			_, _ = x.middle.sync.UploadMeter(x.Context(), x.middle.uid)
			x.far.before = nil
			x.fetch()
		}
	}
	within := func(last logdb.Position) func(*chain) { // the next cloud was told of the first rows of an interval
		return func(x *chain) {
			x.middle.upload()
			x.forget(start, start+2*60_000+1)
			page, err := x.far.store.ReadStream(x.Context(), "cloud-4711", logdb.KindHistorical, logdb.StreamID{Journal: x.far.journals(x, logdb.KindHistorical)[0], Policy: "1"}, 1, 1000)
			if err != nil {
				x.Fatal(err)
			}
			fresh := newFakeCloud()
			x.far.store = fresh.store
			name(x.T, x.far)
			page.Meter, page.Rows, page.Entries = "cloud-4711", nil, nil
			page.Fates = []logdb.FateRange{page.Fates[0], page.Fates[1]}
			page.Fates[1].Last = last
			if _, err := x.far.store.Accept(x.Context(), page, x.far.limits); err != nil {
				x.Fatal(err)
			}
			x.fetch()
		}
	}
	again := func(x *chain) {
		x.middle.upload()
		x.fetch()
		x.forget(0, logdb.MaxTime)
	}
	for _, tt := range []struct {
		name  string
		do    func(*chain)
		until logdb.Millis // 0: all; of what comes after, the pace refuses rows that this node got on request
		lacks logdb.Millis // a row that does not come
		rows  int          // at the next cloud
	}{
		{"sent again", again, 0, 0, 80},
		{"a part sent again", func(x *chain) { x.middle.upload(); x.fetch(); x.forget(start+5*60_000+1, start+10*60_000+1) }, 0, 0, 20 + 5*3},
		{"sent again on pages that are too large", func(x *chain) { again(x); x.far.maxRow = 4 }, 0, 0, 80},
		{"the next cloud was told of two rows of an interval", within(6), start + 2*60_000, 0, 0},
		{"the next cloud was told of one row of an interval", within(5), start + 2*60_000, 0, 0},
		{"cut off at the first page", cutOff(1), start + 2*60_000, 0, 0},
		{"cut off at the second page", cutOff(2), start + 3*60_000, 0, 0},
		{"the next cloud has the rows, and lacks the last of an interval", func(x *chain) {
			x.direct()
			x.forget(start+60_000, start+60_000+1)
		}, 0, start + 60_000, 79},
	} {
		for _, pace := range []int64{60_000, 0} {
			t.Run(tt.name+map[bool]string{true: ", without a pace"}[pace == 0], func(t *testing.T) {
				t.Parallel()
				x := newChain(t)
				x.far.limits.HistoricalIntervalMillis = pace
				tt.do(x)
				x.pass()
				until := tt.until
				if until == 0 || pace == 0 {
					until = logdb.MaxTime
				}
				want, have := energy(t, x.site.logs, meter, until), energy(t, x.far.store, "cloud-4711", until)
				if tt.lacks > 0 {
					want -= energy(t, x.site.logs, meter, tt.lacks) - energy(t, x.site.logs, meter, tt.lacks-1)
				}
				if math.Abs(want-have) > 1e-6 {
					t.Errorf("%v Wh at the next cloud, want %v", have, want)
				}
				if n := len(points(t, x.far.store, "cloud-4711", "")) / len(channels); tt.rows > 0 && n != tt.rows {
					t.Errorf("%d rows at the next cloud, want %d", n, tt.rows)
				}
				if r := x.middle.verify(logdb.KindHistorical); r.Different > 0 || r.Pending > 0 && tt.lacks == 0 {
					t.Errorf("verify: %d different, %d pending, %+v", r.Different, r.Pending, r.Days)
				}
			})
		}
	}
}

// Rows without a value travel by themselves: nothing of what stands beside them waits for them.
func TestRelayOfRowsWithoutValues(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	x := &chain{t, s, nil, d, newFakeCloud()}
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 4*2)...)
	var bare []logdb.Entry
	for at := start + 2*60_000 + 15_000; at <= start+3*60_000; at += 15_000 {
		bare = append(bare, logdb.Entry{Op: logdb.OpAdd, Time: at, Row: &logdb.Row{}})
	}
	s.entries(logdb.KindHistorical, bare...)
	s.rows(0, every(15*time.Second, start+3*60_000+15_000, 4*2)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
	s.upload()
	x.middle = relay(t, d.fakeCloud, x.far)
	x.middle.upload()
	d.request(t, logdb.KindHistorical, 0, 0, api.FetchReduced)
	s.fetch(d)
	x.forget(start+2*60_000+1, start+3*60_000+1)
	x.pass()
	want, have := energy(t, s.logs, meter, logdb.MaxTime), energy(t, x.far.store, "cloud-4711", logdb.MaxTime)
	if math.Abs(want-have) > 1e-6 {
		t.Errorf("%v Wh at the next cloud, want %v", have, want)
	}
	if r := x.middle.verify(logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
		t.Errorf("verify: compared %d, different %d, pending %d, %+v", r.Compared, r.Different, r.Pending, r.Days)
	}
}

// A relay holds the rows of what the next cloud holds combined: verify tells whether that is their sum.
func TestVerifyOfASumAgainstItsRows(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do        func(*chain)
		different bool
	}{
		"the sums": {do: func(*chain) {}},
		"their last rows alone": {func(x *chain) { // as an older node passed it on
			stream := logdb.StreamID{Journal: x.far.journals(x, logdb.KindHistorical)[0], Policy: "1"}
			x.forget(0, logdb.MaxTime)
			for p := logdb.Position(4); p <= 80; p += 4 {
				page, err := x.near.store.ReadStream(x.Context(), "cloud-4711", logdb.KindHistorical, stream, p, 1)
				if err != nil {
					x.Fatal(err)
				}
				if _, err := x.far.store.Accept(x.Context(), page, x.far.limits); err != nil {
					x.Fatal(err)
				}
			}
		}, true},
		"rows that were changed since": {do: func(x *chain) {
			x.site.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpRevise, Target: 2, Time: start + 30_000, Row: &logdb.Row{Channels: channels, Values: []float64{1, 2, 3, 4}}})
			x.site.upload()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newChain(t)
			x.middle.upload()
			x.fetch()
			tt.do(x)
			r := x.middle.verify(logdb.KindHistorical)
			if tt.different != (r.Different > 0) || r.Compared == 0 {
				t.Errorf("%d different, %d compared: %+v", r.Different, r.Compared, r.Days)
			}
			for _, d := range r.Days {
				if d.Channel == "energy.interval.wh.received" && (len(d.Positions) != 20 || d.Positions[19].First != 80) {
					t.Errorf("%+v", d)
				}
			}
		})
	}
}

// A relay has the rows of what the next cloud has combined, and one of them is corrected or withdrawn: the sum there cannot be changed by that, so the
// rows take its place.
func TestChangeOfARowThatTheNextCloudHasCombined(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]logdb.Position{"a row within": 6, "the last row": 8} {
		for _, op := range []logdb.Op{logdb.OpRevise, logdb.OpWithdraw} {
			t.Run(fmt.Sprintf("%s, %s", name, op), func(t *testing.T) {
				t.Parallel()
				x := newChain(t)
				x.middle.upload()
				x.fetch()
				e := logdb.Entry{Op: op, Target: target, Time: start + logdb.Millis(target)*15_000}
				if op == logdb.OpRevise {
					e.Row = &logdb.Row{Channels: channels, Values: []float64{1, 2, 3, 4}}
				}
				for range 2 { // the second one finds the rows there
					x.site.entries(logdb.KindHistorical, e)
					x.site.upload()
					x.pass()
					if have, want := energy(x, x.far.store, "cloud-4711", logdb.MaxTime), energy(x, x.site.logs, meter, logdb.MaxTime); math.Abs(have-want) > 1e-6 {
						t.Errorf("energy %v at the next cloud, want %v", have, want)
					}
					if r := x.middle.verify(logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
						t.Errorf("verify at the relay: %+v", r)
					}
					if e.Row != nil {
						e.Row = &logdb.Row{Channels: channels, Values: []float64{5, 6, 7, 8}}
					}
				}
			})
		}
	}
}

// direct lets the site send the next cloud what it has, too, and the rows of the combined ones.
func (x *chain) direct() {
	x.Helper()
	x.site.second("direct", x.far)
	if err := x.site.both("direct"); err != nil {
		x.Fatal(err)
	}
	if _, _, err := x.site.sync.For("direct").UploadRequested(x.Context(), meter, cloudsync.Wanted{Reduced: true}); err != nil {
		x.Fatal(err)
	}
}

// to uploads from the site to one of its clouds.
func (x *chain) to(cloud string) {
	x.Helper()
	if _, err := x.site.sync.For(cloud).UploadMeter(x.Context(), meter); err != nil {
		x.Fatal(err)
	}
}

// right fails unless the next cloud answers the energy that was recorded, and verify at the site finds nothing.
func (x *chain) right() {
	x.Helper()
	if have, want := energy(x, x.far.store, "cloud-4711", logdb.MaxTime), energy(x, x.site.logs, meter, logdb.MaxTime); math.Abs(have-want) > 1e-6 {
		x.Errorf("energy %v at the next cloud, want %v", have, want)
	}
	x.site.cloud = x.far
	if r := x.site.verifyWith("direct", logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
		x.Errorf("verify: %d compared, %d pending, %d different, %+v", r.Compared, r.Pending, r.Different, r.Days)
	}
}

// A relay has the sums of what the next cloud has as rows, and one of these is corrected: the change of the sum is nothing for the next cloud, which
// gets that of the row from the site.
func TestChangeOfASumOfWhichTheNextCloudHasTheRows(t *testing.T) {
	t.Parallel()
	x := newChain(t)
	x.direct()
	x.site.correct(8, start+2*60_000, 1, 2, 3, 4)
	x.to(cloudsync.FirstCloud)
	x.pass()
	if r := x.middle.verify(logdb.KindHistorical); !r.Clean() {
		t.Errorf("verify at the relay: %+v", r)
	}
	x.to("direct")
	x.right()
}

// A row came late for an interval of which a cloud had the rows; then the cloud is emptied, and gets the sum by another way: the late row is one of
// the sum now.
func TestLateRowOfRowsThatAreCombinedAgain(t *testing.T) {
	t.Parallel()
	x := newChain(t)
	x.direct()
	x.site.rows(0, start+70_000)
	x.to("direct")
	x.to(cloudsync.FirstCloud)
	x.far.store, x.far.known = newFakeCloud().store, map[logdb.MeterUID]bool{}
	name(x.T, x.far)
	x.pass()
	x.to("direct")
	x.to("direct")
	x.right()
}

// The site and another cloud sent at the same moment: the first row of an interval stands beside the sum of all, and of the others it is said that
// they are in that. They come as rows, all of them.
func TestARowBesideItsSum(t *testing.T) {
	t.Parallel()
	x := newChain(t)
	x.direct()
	x.far.store = newFakeCloud().store
	name(x.T, x.far)
	id := logdb.StreamID{Journal: x.near.journals(x, logdb.KindHistorical)[0], Policy: "1"}
	for _, from := range []struct {
		store logdb.Store
		id    logdb.StreamID
		uid   logdb.MeterUID
		p     logdb.Position
	}{{x.site.logs, logdb.StreamID{Journal: id.Journal, Policy: "0"}, meter, 5}, {x.near.store, id, "cloud-4711", 8}} {
		page, err := from.store.ReadStream(x.Context(), from.uid, logdb.KindHistorical, from.id, from.p, 1)
		if err != nil || len(page.Rows)+len(page.Entries) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		page.Meter, page.Stream, page.Fates = "cloud-4711", id, nil
		if from.p == 8 {
			page.Fates = []logdb.FateRange{{First: 5, Last: 7, Fate: logdb.FateReduced, Into: 8, FirstTime: start + 75_000, LastTime: start + 105_000}}
		}
		if _, err := x.far.store.Accept(x.Context(), page, x.far.limits); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		x.to("direct")
	}
	x.right()
}

// All but the last row of an interval have reached a cloud by another way before the site decides what becomes of that interval there, or while its
// sum is on its way, from the site or from a relay: all of it comes as rows, and no sum beside them.
func TestRowsThatCameBeforeTheirSum(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name                string
		alone, sent, passes bool
	}{
		{"before", true, false, false}, {"before, both clouds alike", false, false, false}, {"meanwhile", true, true, false},
		{"meanwhile, both clouds alike", false, true, false}, {"while a relay sends", true, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			x := newChain(t)
			if tc.alone {
				x.direct()
			} else {
				x.site.second("direct", x.far)
				x.to("direct")
			}
			x.site.rows(0, every(15*time.Second, start+20*60_000+15_000, 4*5)...)
			x.site.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
			journal := x.near.journals(x, logdb.KindHistorical)[0]
			page, err := x.site.logs.ReadStream(x.Context(), meter, logdb.KindHistorical, logdb.StreamID{Journal: journal, Policy: "0"}, 86, 3)
			if err != nil || len(page.Entries) != 3 {
				t.Fatalf("%+v, %v", page, err)
			}
			page.Meter, page.Stream, page.Fates = "cloud-4711", logdb.StreamID{Journal: journal, Policy: "1"}, nil
			came := false
			come := func() {
				if came = true; err == nil {
					_, err = x.far.store.Accept(x.Context(), page, x.far.limits)
				}
			}
			if tc.sent {
				x.far.before = func(call string) error {
					if call == "push" && !came {
						come()
					}
					return nil
				}
			} else {
				come()
			}
			if tc.passes {
				x.to(cloudsync.FirstCloud)
				x.pass()
			}
			for range 3 {
				x.to("direct")
			}
			if !came || err != nil {
				t.Fatalf("the rows came: %v, %v", came, err)
			}
			x.right()
			x.to(cloudsync.FirstCloud)
			if n := len(points(x, x.near.store, "cloud-4711", "")); n != 25*len(channels) {
				t.Errorf("%d values at the first cloud, want %d", n, 25*len(channels))
			}
		})
	}
}

// The newest generation of a journal came to a relay before an older one, with a change of a row of that: the next cloud gets both at once.
func TestChangeOfARowThatCameLater(t *testing.T) {
	t.Parallel()
	near, far := newFakeCloud(), newFakeCloud()
	now := time.UnixMilli(int64(start))
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "logs.db"), sqlite.Config{Now: func() time.Time { now = now.Add(time.Second); return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	near.store = store
	middle := relay(t, near, far)
	row := func(p logdb.Position) []logdb.History {
		return []logdb.History{{Channels: channels[:1], Times: []logdb.Millis{start + logdb.Millis(p)*60_000}, Positions: []logdb.Position{p}, Columns: [][]float64{{float64(p)}}}}
	}
	change := logdb.Entry{Op: logdb.OpRevise, Position: 12, Target: 5, Time: start + 5*60_000, Row: &logdb.Row{Channels: channels[:1], Values: []float64{99}}}
	for _, page := range []logdb.Page{
		{Stream: logdb.StreamID{Journal: "11111111111111111111111111111111", Policy: "2"}, Rows: row(11), Entries: []logdb.Entry{change}},
		{Stream: logdb.StreamID{Journal: "11111111111111111111111111111111", Policy: "1"}, Rows: row(5)},
	} {
		page.Meter, page.Kind, page.JournalEnd = "cloud-4711", logdb.KindHistorical, 12
		if _, err := near.store.Accept(t.Context(), page, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	pushed := 0
	far.before = func(call string) error {
		if call == "push" {
			pushed++
		} else if pushed > 0 && pushed < 3 {
			t.Errorf("the next cloud is asked anew after %d pages of an upload", pushed)
		}
		return nil
	}
	middle.upload()
	if have, want := points(t, far.store, "cloud-4711", ""), points(t, near.store, "cloud-4711", ""); !slices.Equal(have, want) || len(have) != 2 {
		t.Errorf("%v at the next cloud, want %v", have, want)
	}
}

// A row was cleared at a relay, and a correction of it comes: that does not wait for the row.
func TestChangeOfARowThatWasCleared(t *testing.T) {
	t.Parallel()
	near, far := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), near)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 20)...)
	s.upload()
	name(t, near)
	if err := near.store.Clear(t.Context(), "cloud-4711", logdb.KindHistorical); err != nil {
		t.Fatal(err)
	}
	s.correct(3, start+2*60_000, 5, 6, 7, 8)
	s.upload()
	middle := relay(t, near, far)
	middle.upload()
	if states, err := far.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical); err != nil || len(states) != 1 || !states[0].Fates.Has(21) {
		t.Errorf("the next cloud has %+v, %v", states, err)
	}
	if r := middle.verify(logdb.KindHistorical); !r.Clean() {
		t.Errorf("verify: %+v", r)
	}
}

// A cloud that only gives receipts gets each page once in an upload, and one that does not take rows which it was sent on request still gets what
// came late for them: nothing waits for ever, and nobody is asked without pause.
func TestChangesThatCannotFollow(t *testing.T) {
	t.Parallel()
	t.Run("receipts", func(t *testing.T) {
		t.Parallel()
		pages := map[bool]int{}
		for _, change := range []bool{false, true} {
			cloud := newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			s.cfg.PageBytes = 5000
			s.restart()
			s.settings(time.Minute)
			s.rows(0, every(time.Minute, start, 450)...)
			if change {
				s.correct(3, start+2*60_000, 5, 6, 7, 8)
			}
			cloud.hold = true
			if _, err := s.sync.RegisterMeter(t.Context(), s.uid); err != nil {
				t.Fatal(err)
			}
			if _, err := s.sync.UploadMeter(t.Context(), s.uid); err != nil {
				t.Fatal(err)
			}
			pages[change] = len(cloud.held)
		}
		if pages[true] != pages[false] || pages[true] == 0 {
			t.Errorf("pages by whether there is a change: %v", pages)
		}
	})
	t.Run("not chosen there", func(t *testing.T) {
		t.Parallel()
		s, d := newDesk(t)
		s.settings(15 * time.Second)
		s.rows(0, every(15*time.Second, start+15_000, 4*5)...)
		s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
		s.upload()
		d.request(t, logdb.KindHistorical, 0, 0, api.FetchReduced)
		s.fetch(d)
		s.upload()
		id := logdb.StreamID{Journal: d.journals(t, logdb.KindHistorical)[0], Policy: "1"}
		d.fakeCloud.store = newFakeCloud().store
		name(t, d.fakeCloud)
		page := logdb.Page{Meter: "cloud-4711", Kind: logdb.KindHistorical, Stream: id, JournalEnd: 20, Fates: []logdb.FateRange{{First: 1, Last: 4, Fate: logdb.FateNotChosen}}}
		if _, err := d.store.Accept(t.Context(), page, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
		s.rows(0, start+50_000)
		if _, err := s.sync.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.upload()
		if states, err := d.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical); err != nil || len(states) != 1 || !states[0].Fates.Has(22) {
			t.Errorf("the cloud has %+v, %v", states, err)
		}
	})
}

// A change of a row, and what comes late for an interval, does not go to a cloud before this is there: until then the cloud may get it in another form by another way.
func TestChangesFollowTheirRows(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	far := newFakeCloud()
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 4*20)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
	s.correct(3, start+45_000, 5, 6, 7, 8)
	s.rows(0, start+50_000)
	recorded := energy(t, s.logs, meter, logdb.MaxTime)
	follow := func(t *testing.T, s *site, cloud *fakeCloud) {
		changes := map[logdb.Position]bool{}
		upload := func() {
			t.Helper()
			if _, err := s.sync.RegisterMeter(t.Context(), s.uid); err != nil {
				t.Fatal(err)
			}
			if _, err := s.sync.UploadMeter(t.Context(), s.uid); err != nil {
				t.Fatal(err)
			}
			clear(changes)
			for i := range cloud.held {
				for _, e := range cloud.held[i].Entries {
					if e.Target != 0 {
						changes[e.Position] = true
					}
				}
			}
		}
		cloud.hold = true
		if upload(); len(changes) != 0 || len(cloud.held) == 0 {
			t.Errorf("%d pages, %d changes of rows of which it is not known whether they are there", len(cloud.held), len(changes))
		}
		cloud.deliver(t, rand.New(rand.NewPCG(1, 1)))
		if upload(); len(changes) != 2 {
			t.Errorf("%d changes follow, want 2", len(changes))
		}
		cloud.deliver(t, rand.New(rand.NewPCG(1, 2)))
		cloud.hold = false
		s.upload()
		if have, want := total(cloud.answered(t, energyKey, start+48*hour)), recorded; math.Abs(have-want) > 1e-6 {
			t.Errorf("energy %v there, want %v", have, want)
		}
	}
	t.Run("of a site", func(t *testing.T) { follow(t, s, d.fakeCloud) })
	t.Run("of a cloud that passes on", func(t *testing.T) { follow(t, relay(t, d.fakeCloud, far), far) })
}
