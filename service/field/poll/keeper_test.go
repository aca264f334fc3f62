package poll_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
)

const uid logdb.MeterUID = "m"

var base = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// keeper is one that reads a counter and a voltage each minute.
type keeper struct {
	t     *testing.T
	store *logdbtest.Model
	k     *poll.Keeper
}

func newKeeper(t *testing.T) *keeper {
	x := &keeper{t: t, store: logdbtest.NewModel(logdbtest.Config{})}
	x.restart()
	return x
}

func (x *keeper) restart() {
	x.k = poll.NewKeeper(x.store, uid, time.Minute, func() time.Time { return base })
}

func minute(n int) time.Time { return base.Add(time.Duration(n) * time.Minute) }

func (x *keeper) row(n int, wh float64) {
	x.t.Helper()
	if err := x.k.Row(x.t.Context(), minute(n), []device.Reading{
		{Channel: "readings.voltage.an", Kind: device.KindGauge, Value: 230, Quality: device.Good},
		{Channel: "energy.total.wh.received", Kind: device.KindCounter, Value: wh, Quality: device.Good, Modulus: 1e6},
		{Channel: "readings.voltage.bn", Kind: device.KindGauge, Value: math.NaN(), Quality: device.Invalid},
	}); err != nil {
		x.t.Fatal(err)
	}
}

func (x *keeper) miss(n int, err error) {
	x.t.Helper()
	if err := x.k.Miss(x.t.Context(), minute(n), err); err != nil {
		x.t.Fatal(err)
	}
}

// values returns minute -> value of a channel.
func (x *keeper) values(channel logdb.ChannelKey) map[int]float64 {
	x.t.Helper()
	series, err := x.store.Series(x.t.Context(), uid)
	if err != nil {
		x.t.Fatal(err)
	}
	out := map[int]float64{}
	for _, s := range series {
		if s.Channel != channel {
			continue
		}
		if err := x.store.ReadSeries(x.t.Context(), []logdb.SeriesID{s.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			for i, v := range b.AppendValues(nil) {
				out[int(b.Times[i].Time().Sub(base)/time.Minute)] = v
			}
			return nil
		}); err != nil {
			x.t.Fatal(err)
		}
	}
	return out
}

func (x *keeper) gaps() []string {
	x.t.Helper()
	var out []string
	if err := x.store.ReadEvents(x.t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindHistorical, Gaps: true}, func(_ logdb.StreamID, e *logdb.Entry) error {
		m := func(t logdb.Millis) int { return int(t.Time().Sub(base) / time.Minute) }
		out = append(out, fmt.Sprintf("%d-%d %s", m(e.Gap.From), m(e.Gap.To), e.Gap.Cause))
		return nil
	}); err != nil {
		x.t.Fatal(err)
	}
	return out
}

func equal[K comparable](t *testing.T, what string, got, want map[K]float64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestIntervalEnergy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name            string
		wh              []float64
		interval, total map[int]float64
	}{
		{"rising", []float64{7974004, 7974024, 7974024}, map[int]float64{1: 20, 2: 0}, map[int]float64{0: 7974004, 1: 7974024, 2: 7974024}},
		{"transient zero", []float64{500, 0, 520, 530}, map[int]float64{3: 10}, map[int]float64{0: 500, 2: 520, 3: 530}},
		{"two zeros", []float64{500, 0, 0, 530}, map[int]float64{}, map[int]float64{0: 500, 3: 530}},
		{"reset", []float64{500, 1, 2, 4, 9}, map[int]float64{4: 5}, map[int]float64{0: 500, 3: 4, 4: 9}},
		{"wobbling below", []float64{500, 3, 2, 1, 520}, map[int]float64{}, map[int]float64{0: 500, 4: 520}},
		{"rollover", []float64{999990, 5, 10}, map[int]float64{1: 15, 2: 5}, map[int]float64{0: 999990, 1: 5, 2: 10}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			x := newKeeper(t)
			for n, wh := range tc.wh {
				x.row(n, wh)
			}
			equal(t, "interval", x.values("energy.interval.wh.received"), tc.interval)
			equal(t, "total", x.values("energy.total.wh.received"), tc.total)
			if v := x.values("readings.voltage.an"); len(v) != len(tc.wh) {
				t.Errorf("voltage in %d of %d rows", len(v), len(tc.wh))
			}
			if v := x.values("readings.voltage.bn"); len(v) != 0 {
				t.Errorf("an invalid value was logged: %v", v)
			}
		})
	}
}

// A counter that was logged with a minus, before its profile took it without: that the sign went is no energy and no demand, of one restart or none.
func TestSignNoLongerTaken(t *testing.T) {
	t.Parallel()
	x := newKeeper(t)
	row := func(n int, wh float64, magnitude bool) {
		t.Helper()
		r := device.Reading{Channel: "energy.total.wh.delivered", Kind: device.KindCounter, Value: wh, Quality: device.Good, Modulus: 1e6, Magnitude: magnitude}
		if err := x.k.Row(t.Context(), minute(n), []device.Reading{r}); err != nil {
			t.Fatal(err)
		}
	}
	row(0, -500_000, false)
	row(15, -500_000, false)
	x.restart()
	for n := 16; n <= 60; n++ {
		row(n, 500_000+float64(n), true)
	}
	interval := x.values("energy.interval.wh.delivered")
	if _, booked := interval[16]; booked || len(interval) != 44 || interval[17] != 1 || interval[60] != 1 {
		t.Errorf("energy of the intervals: %v", interval)
	}
	equal(t, "demand", x.values("demand.max.watts.negative"), map[int]float64{15: 0, 45: 60, 60: 60})
	var notes []string
	if err := x.store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindSystem}, func(_ logdb.StreamID, e *logdb.Entry) error {
		notes = append(notes, e.System.Description)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(notes) != "[energy.total.wh.delivered went from -500000 to 500016 (seen by the manager)]" {
		t.Errorf("notes %q", notes)
	}
}

func TestGapsHaveTheirCause(t *testing.T) {
	t.Parallel()
	x := newKeeper(t)
	x.row(0, 100)
	x.row(1, 110)
	x.miss(2, modbus.ErrTimeout)
	if g := x.gaps(); len(g) != 1 || g[0] != "1-2 unreachable" {
		t.Fatalf("after the first missed minute: %v, want it at once", g)
	}
	x.miss(3, modbus.ErrUnreachable)
	x.miss(4, &modbus.Error{Err: modbus.Busy})
	x.row(5, 150)
	x.row(6, 160)
	want := "[1-2 unreachable 2-3 unreachable 3-4 busy]"
	if g := fmt.Sprint(x.gaps()); g != want {
		t.Errorf("gaps %v, want %v", g, want)
	}
	equal(t, "interval", x.values("energy.interval.wh.received"), map[int]float64{1: 10, 6: 10})
	if v := x.values("readings.voltage.an"); len(v) != 4 {
		t.Errorf("rows at %v", v)
	}
}

func TestRestartGoesOn(t *testing.T) {
	t.Parallel()
	x := newKeeper(t)
	x.row(0, 100)
	x.row(1, 110)
	x.restart()
	x.row(1, 111) // the boundary that is in the log
	x.row(2, 120)
	x.restart()
	x.row(7, 170)
	x.row(8, 180)
	equal(t, "interval", x.values("energy.interval.wh.received"), map[int]float64{1: 10, 2: 10, 8: 10})
	if g := fmt.Sprint(x.gaps()); g != "[2-6 manager stopped]" {
		t.Errorf("gaps %v", g)
	}
}

// A manager that stops during an outage accounts for each minute once.
func TestRestartInAnOutage(t *testing.T) {
	t.Parallel()
	x := newKeeper(t)
	x.row(0, 100)
	x.miss(1, modbus.ErrTimeout)
	x.miss(2, modbus.ErrTimeout)
	if err := x.k.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.restart()
	x.row(5, 150)
	if g := fmt.Sprint(x.gaps()); g != "[0-1 unreachable 1-2 unreachable 2-4 manager stopped]" {
		t.Errorf("gaps %v", g)
	}
}

func TestClockSetBackKeepsBoth(t *testing.T) {
	t.Parallel()
	x := newKeeper(t)
	x.row(10, 100)
	x.row(11, 110)
	x.row(5, 120)
	x.row(6, 130)
	if v := x.values("energy.total.wh.received"); len(v) != 4 {
		t.Errorf("rows at %v, want both runs", v)
	}
}

func TestReplacedMeter(t *testing.T) {
	t.Parallel()
	x := newKeeper(t)
	x.row(0, 5000)
	if err := x.k.Replaced(t.Context(), minute(1), "serial B instead of A"); err != nil {
		t.Fatal(err)
	}
	x.row(1, 3)
	x.row(2, 8)
	equal(t, "interval", x.values("energy.interval.wh.received"), map[int]float64{2: 5})
	if g := fmt.Sprint(x.gaps()); g != "[0-1 meter replaced]" {
		t.Errorf("gaps %v", g)
	}
}

func TestCause(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]logdb.GapCause{
		modbus.ErrTimeout: logdb.GapUnreachable, modbus.ErrUnreachable: logdb.GapUnreachable, modbus.Busy: logdb.GapBusy,
		modbus.IllegalAddress: logdb.GapException, modbus.ErrDesync: logdb.GapImplausible, poll.ErrLate: logdb.GapStopped,
		// What a silent meter is cannot be found out: it is silent, not another one.
		errors.Join(device.ErrNotSunSpec, modbus.ErrTimeout): logdb.GapUnreachable, device.ErrNotSunSpec: logdb.GapImplausible,
		context.DeadlineExceeded: logdb.GapUnreachable,
	} {
		if got := poll.Cause(fmt.Errorf("read: %w", err)); got != want {
			t.Errorf("%v makes %q, want %q", err, got, want)
		}
	}
}

// picky is a meter that refuses ranges and single registers.
type picky struct {
	max     int
	refuses map[uint16]bool
	reads   int
}

func (p *picky) Read(_ context.Context, _ byte, addr uint16, count int, _ modbus.Priority) ([]byte, error) {
	p.reads++
	if p.max > 0 && count > p.max {
		return nil, modbus.IllegalValue
	}
	for i := range count {
		if p.refuses[addr+uint16(i)] {
			return nil, modbus.IllegalAddress
		}
	}
	b := make([]byte, 2*count)
	for i := range count {
		b[2*i+1] = byte(addr) + byte(i)
	}
	return b, nil
}

func TestSourceLearnsWhatAMeterRefuses(t *testing.T) {
	t.Parallel()
	p, err := device.Parse([]byte(`{"schema":1,"id":"test-meter","vendor":"v","model":"m","source":"s","kind":"registers","address_base":0,
"defaults":{"fc":3,"order":"ABCD","max_regs":125,"gap":8,"timeout_ms":1000,"request_delay_ms":0,"retries":0},
"identify":[],"points":[{"name":"a","addr":1,"type":"u16"},{"name":"b","addr":3,"type":"u16"},{"name":"c","addr":5,"type":"u16"},{"name":"d","addr":7,"type":"u16"}],
"write_allow":[],"logs":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	m := &picky{refuses: map[uint16]bool{5: true}}
	now := base
	s := poll.NewSource(p, m, func() time.Time { return now })
	check := func(reads int) {
		t.Helper()
		m.reads = 0
		got, err := s.Read(t.Context(), modbus.Live)
		if err != nil || m.reads != reads {
			t.Fatalf("%d reads, want %d; %v", m.reads, reads, err)
		}
		for _, r := range got {
			if (r.Quality == device.Good) == (r.Name == "c") {
				t.Errorf("%s is %s", r.Name, r.Quality)
			}
		}
	}
	check(5)
	check(2) // learned: two requests, and c is left out
	now = now.Add(25 * time.Hour)
	check(5) // asked again once a day
	now = now.AddDate(1, 0, 0)
	check(5)
	now = now.AddDate(-1, 0, 0)
	check(5) // the clock was a year ahead when that was learned
	check(2)
	m.refuses = map[uint16]bool{1: true, 3: true, 5: true, 7: true}
	s.Forget()
	if _, err := s.Read(t.Context(), modbus.Live); !errors.Is(err, modbus.IllegalAddress) {
		t.Errorf("a meter that refuses everything gives %v", err)
	}
}

// TestRestWithoutRoom: what was not logged while the disk had no room is one gap that says so, and only that.
func TestRestWithoutRoom(t *testing.T) {
	t.Parallel()
	x := newKeeper(t)
	x.row(1, 10)
	x.k.Rest("no room")
	x.k.Rest("no room")
	x.row(5, 50)
	x.row(9, 90) // the manager was busy meanwhile
	var got []string
	err := x.store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindHistorical, Gaps: true}, func(_ logdb.StreamID, e *logdb.Entry) error {
		got = append(got, fmt.Sprintf("%d-%d %s", (e.Gap.From-logdb.MillisOf(base))/60_000, (e.Gap.To-logdb.MillisOf(base))/60_000, e.Gap.Cause))
		return nil
	})
	want := []string{"1-4 " + string(logdb.GapNoRoom), "5-8 " + string(logdb.GapStopped)}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("gaps %q, %v; want %q", got, err, want)
	}
}

// TestDemand: at the end of each quarter of an hour stands the power on average over it, where the counter was read at both ends.
func TestDemand(t *testing.T) {
	t.Parallel()
	x := newKeeper(t)
	wh := 997_000.0
	for n := 1; n <= 75; n++ {
		switch {
		case n == 40: // no row: the counter goes on
			wh += 100
			x.miss(n, modbus.ErrTimeout)
			continue
		case n == 60: // the end of a block is missed
			wh += 100
			x.miss(n, modbus.ErrTimeout)
			continue
		}
		if wh += 25 * float64((n-1)/15+1); wh >= 1e6 {
			wh -= 1e6 // rolls over in the fourth block
		}
		x.row(n, wh)
	}
	// Block 1 began before the first row, in block 4 the counter rolls over, and block 5 has no reading at its begin.
	equal(t, "demand", x.values("demand.max.watts.positive"), map[int]float64{30: 15 * 50 * 4, 45: (14*75 + 100) * 4})
}

// TestClockSetBackWhileSilent: of the minutes that come again none is taken for accounted for.
func TestClockSetBackWhileSilent(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"going on": false, "started anew": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newKeeper(t)
			x.row(1440, 100)
			x.row(1441, 110)
			if restart {
				x.restart()
			}
			for n := 1; n <= 10; n++ {
				x.miss(n, modbus.ErrTimeout)
			}
			x.row(11, 120)
			x.row(12, 130)
			if restart {
				x.restart()
			}
			x.row(15, 160)
			x.row(16, 170)
			if g := fmt.Sprint(x.gaps()); g != "[0-1 unreachable 1-10 unreachable 12-14 manager stopped]" {
				t.Errorf("gaps %v", g)
			}
			equal(t, "interval", x.values("energy.interval.wh.received"), map[int]float64{1441: 10, 12: 10, 16: 10})
			var at []string
			for _, e := range x.entries() {
				if e.Op == logdb.OpAdd {
					at = append(at, fmt.Sprintf("%d/%d", e.Run, int(e.Time.Time().Sub(base)/time.Minute)))
				}
			}
			if fmt.Sprint(at) != "[0/1440 0/1441 1/11 1/12 1/15 1/16]" {
				t.Errorf("rows by run %v", at)
			}
		})
	}
}

// entries returns the journal.
func (x *keeper) entries() []logdb.Entry {
	x.t.Helper()
	head, err := x.store.Journal(x.t.Context(), uid, logdb.KindHistorical)
	if err != nil {
		x.t.Fatal(err)
	}
	p, err := x.store.ReadStream(x.t.Context(), uid, logdb.KindHistorical, logdb.StreamID{Journal: head.ID, Policy: "0"}, 1, 10_000)
	if err != nil {
		x.t.Fatal(err)
	}
	out := p.Entries
	for i := range p.Rows {
		for n := range p.Rows[i].Times {
			out = append(out, p.Rows[i].Entry(n))
		}
	}
	slices.SortFunc(out, func(a, b logdb.Entry) int { return cmp.Compare(a.Position, b.Position) })
	return out
}

// correct has a person change the voltage of the row of a minute, n times.
func (x *keeper) correct(minute, n int) {
	x.t.Helper()
	var e, last logdb.Entry
	for _, y := range x.entries() {
		if y.Op == logdb.OpAdd && int(y.Time.Time().Sub(base)/time.Minute) == minute {
			e, last = y, y
		}
	}
	for i := range n {
		v := e
		v.Row = &logdb.Row{Channels: e.Row.Channels, Values: slices.Clone(e.Row.Values)}
		v.Row.Values[0] = float64(300 + i)
		v.Op, v.Target, v.Replaces, v.Position, v.By, v.At, v.Why = logdb.OpRevise, e.Position, last.ContentDigest(), 0, "somebody", 5, "read wrongly"
		if _, err := x.store.Append(x.t.Context(), logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Entries: []logdb.Entry{v}, At: 1}); err != nil {
			x.t.Fatal(err)
		}
		last = v
	}
}

// TestRestartBehindCorrections: where the log goes on is told by the keeper's own entries, not by what was corrected since.
func TestRestartBehindCorrections(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 2, 500} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			x := newKeeper(t)
			x.row(10, 1)
			x.row(5, 2) // the clock was set back
			if err := x.k.Replaced(t.Context(), minute(5), "serial B instead of A"); err != nil {
				t.Fatal(err)
			}
			x.row(6, 10)
			x.row(7, 20)
			x.miss(8, modbus.ErrTimeout)
			x.correct(10, n)
			x.restart()
			x.row(9, 30)
			x.row(10, 40)
			for _, e := range x.entries() {
				if e.Op == logdb.OpAdd && e.Position > 4 && (e.Run != 1 || e.Generation != 1) {
					t.Errorf("position %d: run %d and generation %d, want 1 and 1", e.Position, e.Run, e.Generation)
				}
			}
			if g := fmt.Sprint(x.gaps()); g != "[5-5 meter replaced 7-8 unreachable]" {
				t.Errorf("gaps %v", g)
			}
		})
	}
}

// TestNewGenerationSurvivesARestart: what the log holds of the counters before a generation is no base of its first row.
func TestNewGenerationSurvivesARestart(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(x *keeper) error{
		"replaced": func(x *keeper) error { return x.k.Replaced(x.t.Context(), minute(1), "serial B instead of A") },
		"rescaled": func(x *keeper) error { return x.k.Rescaled(x.t.Context(), "CT factor 2") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newKeeper(t)
			x.row(0, 5000)
			x.row(1, 5010)
			if err := begin(x); err != nil {
				t.Fatal(err)
			}
			x.restart()
			x.row(2, 10_020)
			x.restart()
			x.row(3, 10_040)
			equal(t, "interval", x.values("energy.interval.wh.received"), map[int]float64{1: 10, 3: 20})
			if e := x.entries(); e[len(e)-1].Generation != 1 || e[len(e)-2].Generation != 1 {
				t.Errorf("generations %d and %d, want 1", e[len(e)-2].Generation, e[len(e)-1].Generation)
			}
		})
	}
}
