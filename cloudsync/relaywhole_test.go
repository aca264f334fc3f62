package cloudsync_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
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

func newChain(t *testing.T) *chain {
	t.Helper()
	s, d := newDesk(t)
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
	if _, err := x.middle.sync.Refresh(x.Context()); err != nil {
		x.Fatal(err)
	}
	x.middle.upload()
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
		{"cut off at the first page", cutOff(1), start + 3*60_000, 0, 0},
		{"cut off at the second page", cutOff(2), start + 4*60_000, 0, 0},
		{"the next cloud has the rows, and lacks the last of an interval", func(x *chain) {
			x.site.second("direct", x.far)
			if err := x.site.both("direct"); err != nil {
				x.Fatal(err)
			}
			if _, _, err := x.site.sync.For("direct").UploadRequested(x.Context(), meter, cloudsync.Wanted{Reduced: true}); err != nil {
				x.Fatal(err)
			}
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
