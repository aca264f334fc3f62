package cloudsync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/verify"
	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/logdbtest"
)

// lists writes channels as a setting.
func lists(keys ...logdb.ChannelKey) string {
	var out []string
	for _, k := range keys {
		out = append(out, string(k))
	}
	return strings.Join(out, ",")
}

// once fails when a journal at a receiver holds a value twice, or when the channels are in no journal as they are in want.
func (f *fakeCloud) once(t *testing.T, want []point, keys ...logdb.ChannelKey) {
	t.Helper()
	whole := map[logdb.ChannelKey]int{}
	for _, j := range f.journals(t, logdb.KindHistorical) {
		have := points(t, f.store, "cloud-4711", j)
		for i := 1; i < len(have); i++ {
			if have[i].channel == have[i-1].channel && have[i].time == have[i-1].time {
				t.Fatalf("journal %s holds %v twice", j, have[i])
			}
		}
		for _, k := range keys {
			of := func(list []point) []point {
				return slices.DeleteFunc(slices.Clone(list), func(p point) bool { return p.channel != k })
			}
			if slices.Equal(of(have), of(want)) {
				whole[k]++
			}
		}
	}
	for _, k := range keys {
		if whole[k] == 0 {
			t.Errorf("no journal holds all of %s", k)
		}
	}
}

// A node sends other channels to one cloud than to another, and the first passes everything on to the second: whatever
// comes first, and whatever is added later, each value is in the second once, and none is missing.
func TestOtherChannelsComeByAnotherWay(t *testing.T) {
	t.Parallel()
	a, b, c := channels[0], channels[1], channels[2]
	type step func(t *testing.T, s, middle *site)
	rows := func(from int) step {
		return func(t *testing.T, s, _ *site) {
			s.rows(0, every(time.Minute, start+logdb.Millis(from)*60_000, 60)...)
		}
	}
	direct := func(t *testing.T, s, _ *site) {
		for range 3 {
			if err := s.both("direct"); err != nil {
				t.Fatal(err)
			}
		}
	}
	around := func(t *testing.T, s, middle *site) {
		for range 3 {
			s.upload()
		}
		if _, err := middle.sync.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		middle.upload()
	}
	choose := func(cloud string, keys ...logdb.ChannelKey) step {
		return func(t *testing.T, s, _ *site) {
			if err := s.sync.For(cloud).Set(t.Context(), cloudsync.SettingChannels, lists(keys...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	revise := func(target logdb.Position) step {
		return func(t *testing.T, s, _ *site) {
			s.entries(logdb.KindHistorical, logdb.Entry{
				Op: logdb.OpRevise, Target: target, Time: start + logdb.Millis(target-1)*60_000,
				Row: &logdb.Row{Channels: channels, Values: []float64{float64(target), 2, 3, 4}},
			})
		}
	}
	restart := func(t *testing.T, s, _ *site) { s.restart() }
	// Other limits: the same part of the journal goes on in another stream.
	limit := func(cloud string) step {
		return func(t *testing.T, s, _ *site) {
			if err := s.sync.For(cloud).Set(t.Context(), cloudsync.SettingLimit+"historical_interval", "30s"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, steps := range map[string][]step{
		"around first":                               {choose("main", a), choose("direct", a, b), rows(0), around, direct, rows(60), around, direct},
		"direct first":                               {choose("main", a), choose("direct", a, b), rows(0), direct, around, rows(60), direct, around},
		"all and some":                               {choose("direct", a, b), rows(0), around, direct, rows(60), around, direct},
		"added around":                               {choose("main", a), choose("direct", a, b), rows(0), around, direct, choose("main", a, b), rows(60), around, direct, rows(120), around, direct},
		"added around, shared":                       {choose("main", a), choose("direct", a), rows(0), around, direct, choose("main", a, b), rows(60), around, direct, rows(120), around, direct, choose("direct", a, b), rows(180), direct, around, rows(240), direct, around},
		"added directly, shared":                     {choose("main", a), choose("direct", a), rows(0), direct, around, choose("direct", a, b), rows(60), around, direct, rows(120), around, direct},
		"added to both, one late":                    {choose("main", a), choose("direct", a), rows(0), direct, around, choose("direct", a, b, c), choose("main", a, b), rows(60), around, direct, choose("main", a, b, c), rows(120), around, direct, restart, rows(180), direct, around},
		"there and back":                             {choose("main", a, b), choose("direct", a, b), rows(0), direct, around, choose("main", a), rows(60), around, direct, choose("main", a, b), rows(120), around, direct, restart, rows(180), direct, around},
		"revised around, other limits":               {choose("main", a, b), choose("direct", a, b), rows(0), direct, around, limit("main"), rows(60), around, direct, revise(7), around, direct, revise(9), around, direct},
		"revised, other limits directly":             {choose("main", a, b), choose("direct", a, b), rows(0), around, direct, limit("direct"), rows(60), around, direct, revise(7), direct, around, revise(9), around, direct, revise(65), direct, around},
		"revised, other limits, then fewer channels": {choose("main", a, b), choose("direct", a, b), rows(0), direct, around, limit("main"), rows(60), around, direct, revise(7), around, revise(7), direct, revise(8), around, choose("main", a), around, direct, revise(9), around, direct},
		"revised":                                    {choose("main", a), choose("direct", a, b), rows(0), around, direct, revise(7), around, direct, choose("main", a, b), rows(60), revise(9), direct, around, direct},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := newFakeCloud(), newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), first)
			s.second("direct", second)
			s.settings(time.Minute)
			middle := relay(t, first, second)
			for _, step := range steps {
				step(t, s, middle)
			}
			want := points(t, s.logs, meter, journalID(t, s.logs, logdb.KindHistorical))
			second.once(t, want, a, b)
			first.once(t, want, a)
			for name, cloud := range map[string]*fakeCloud{cloudsync.FirstCloud: first, "direct": second} {
				r, err := verify.Run(t.Context(), s.sync.For(name), s.logs, verify.Config{Cloud: cloud, Kinds: []logdb.Kind{logdb.KindHistorical}})
				if err != nil || !r.Clean() || r.Compared == 0 || r.NotComparable != 0 {
					t.Errorf("verify of %s: %+v, %v", name, r, err)
				}
			}
			if n := len(second.journals(t, logdb.KindHistorical)); n > 4 {
				t.Error(fmt.Sprint(n, " journals"))
			}
		})
	}
}

// A cloud that is sent fewer channels than another one gets what it had under another name, with every change that follows, of the
// channels that are not sent any more too; what it has under the old name is none of an answer.
func TestOtherNameHoldsWhatWasThere(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} { // nothing new before the change, or rows
		t.Run(fmt.Sprint("busy ", busy), func(t *testing.T) {
			t.Parallel()
			otherNameHoldsWhatWasThere(t, busy)
		})
	}
}

func otherNameHoldsWhatWasThere(t *testing.T, busy bool) {
	first, second := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), first)
	s.second("b", second)
	s.settings(time.Minute)
	send := func() {
		t.Helper()
		s.restart()
		for range 3 {
			s.upload()
			if err := s.both("b"); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.rows(0, every(time.Minute, start, 60)...)
	send()
	if err := s.sync.For("b").Set(t.Context(), cloudsync.SettingChannels, string(channels[0])); err != nil {
		t.Fatal(err)
	}
	send()
	before, after := 60, 60
	if busy {
		s.rows(0, every(time.Minute, start+3_600_000, 60)...)
		send()
		after = 120
	}
	later := start + 86_400_000
	s.entries(logdb.KindHistorical, logdb.Entry{
		Op: logdb.OpRevise, Target: 7, Time: later, Row: &logdb.Row{Channels: channels, Values: []float64{1, 2, 3, 4}},
	})
	send()
	series, err := second.store.Series(t.Context(), "cloud-4711")
	if err != nil {
		t.Fatal(err)
	}
	current, _, err := analysis.Current(t.Context(), second.store, "cloud-4711", series)
	if err != nil {
		t.Fatal(err)
	}
	have := map[logdb.ChannelKey][]logdb.Millis{}
	for _, one := range current {
		err := second.store.ReadSeries(t.Context(), []logdb.SeriesID{one.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			have[one.Channel] = append(have[one.Channel], b.Times...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range channels {
		want := before // all that was sent before
		if i == 0 {
			want = after
		}
		if times := have[c]; len(times) != want || !slices.Contains(times, later) || slices.Contains(times, start+6*60_000) {
			t.Errorf("%s: %d values, want %d, the changed one at its new time", c, len(times), want)
		}
	}
	for name, cloud := range map[string]*fakeCloud{cloudsync.FirstCloud: first, "b": second} {
		if r, err := verify.Run(t.Context(), s.sync.For(name), s.logs, verify.Config{Cloud: cloud}); err != nil || !r.Clean() || r.Compared == 0 {
			t.Errorf("verify of %s: %+v, %v", name, r, err)
		}
	}
}
