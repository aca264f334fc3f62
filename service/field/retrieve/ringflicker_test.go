package retrieve_test

import (
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// flickerRows returns the stored rows of the flicker log, in the order of the journal.
func (s *site) flickerRows() (out []logdb.Entry) {
	for _, e := range s.stream(logdb.KindHistorical) {
		if e.Log == 2 && e.Op == logdb.OpAdd {
			out = append(out, e)
		}
	}
	return out
}

// TestRingFlicker: rows of Pst and Plt with the times and values of the meter, in one run as long as its clock goes on. A channel never has two values
// of one time and run, and a query by channel gives its own rows only.
func TestRingFlicker(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, Start: time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC)}) // the clock goes back on 1 November
	s.must("flicker")
	rows, want := s.flickerRows(), s.memory(sim.LogFlicker)
	if len(rows) != len(want) {
		t.Fatalf("%d rows, the meter has %d", len(rows), len(want))
	}
	count, together, set := map[logdb.ChannelKey]int{}, 0, 0
	type once struct {
		channel logdb.ChannelKey
		run     uint32
		at      logdb.Millis
	}
	seen := map[once]bool{}
	for i, e := range rows {
		w := want[i]
		if !e.Time.Time().Equal(w.Time) || len(e.Row.Channels) != 3 {
			t.Fatalf("row %d of %v has %q, want the three of %v", i, e.Time.Time(), e.Row.Channels, w.Time)
		}
		for k, v := range w.Values {
			if e.Row.Channels[k] != v.Channel || e.Row.Values[k] != v.Value {
				t.Fatalf("row of %v: %s %v, want %s %v", w.Time, e.Row.Channels[k], e.Row.Values[k], v.Channel, v.Value)
			}
			at := once{v.Channel, e.Run, e.Time}
			if seen[at] {
				t.Fatalf("%s has two values at %v in run %d", v.Channel, e.Time.Time(), e.Run)
			}
			seen[at] = true
			count[v.Channel]++
		}
		if i == 0 {
			continue
		}
		if rows[i-1].Time == e.Time && rows[i-1].Run == e.Run {
			together++
		}
		// By its own clock the meter wrote this one later, and both of one moment.
		switch d := w.Time.Sub(want[i-1].Time); {
		case d < 0:
			set++
			if e.Run == rows[i-1].Run {
				t.Errorf("the clock was set back before %v, and the run goes on", w.Time)
			}
		case d > 0 && e.Run != rows[i-1].Run:
			t.Errorf("row of %v begins a run", w.Time)
		}
	}
	if together < 100 || set == 0 || count["flicker.pst.b"] < 11*count["flicker.plt.b"] || count["flicker.plt.c"] < together {
		t.Errorf("%d times both kinds at one time, %d steps back, rows %v: the test shows less than it says", together, set, count)
	}
	_, values := s.liveRows(2)
	if len(values) != 6 {
		t.Errorf("%d channels, want 6", len(values))
	}
	for key, got := range values {
		for p, v := range got {
			if math.IsNaN(v) {
				t.Errorf("%s has no value at position %d", key, p)
			}
		}
		if len(got) != count[key] {
			t.Errorf("%s: %d values by a query, want %d", key, len(got), count[key])
		}
	}
}

// TestRingFlickerBetween: the program ends between the short and the long record of one time; with or without its state it goes on with the long one,
// in the same run, and the clock has not been set.
func TestRingFlickerBetween(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{true, false} {
		s := newSite(t, sim.Config{Kind: sim.Nexus, Start: time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC)})
		s.now.Add(time.Hour + 1500*time.Millisecond) // 08:00 in New York: the short record is written after a second, the long one after two
		s.must("flicker")
		before := s.flickerRows()
		if last := before[len(before)-1]; last.Row.Channels[0] != "flicker.pst.a" || last.Time.Time().Minute() != 0 {
			t.Fatalf("the last row is %+v of %v: the test shows nothing", last.Row, last.Time.Time())
		}
		if !kept {
			s.states = map[string]retrieve.LogState{}
		}
		s.now.Add(time.Second)
		if out := s.must("flicker"); out.Records != 1 || out.Entries != 1 || out.Gap != "" {
			t.Fatalf("state kept %v: %+v", kept, out)
		}
		rows := s.flickerRows()
		short, long := rows[len(rows)-2], rows[len(rows)-1]
		if long.Row.Channels[0] != "flicker.plt.a" || long.Time != short.Time || long.Run != short.Run || long.Generation != short.Generation {
			t.Errorf("state kept %v: %q of %v in run %d behind %q of %v in run %d", kept, long.Row.Channels, long.Time, long.Run, short.Row.Channels, short.Time, short.Run)
		}
		if out := s.must("flicker"); out.Records != 0 {
			t.Errorf("state kept %v: nothing is new, and %+v is stored", kept, out)
		}
		s.sameAsMeter("flicker", sim.LogFlicker)
		for _, e := range s.systemNotes() {
			t.Errorf("state kept %v: %s", kept, e)
		}
	}
}

// systemNotes returns what the manager itself noted of the clock.
func (s *site) systemNotes() (out []string) {
	head, err := s.store.Journal(s.t.Context(), uid, logdb.KindSystem)
	if errors.Is(err, logdb.ErrNotFound) || head.End == 0 {
		return nil
	}
	for _, e := range s.events(logdb.KindSystem, false) {
		if e.System.Type == logdb.SystemTimeChanged {
			out = append(out, e.System.Description)
		}
	}
	return out
}

// TestRingFlickerInTheRepeatedHour: the memory begins within the hour that comes twice, in either pass, with a short record or a long one: each row has the
// instant of the meter's clock.
func TestRingFlickerInTheRepeatedHour(t *testing.T) {
	t.Parallel()
	const name, room = "Europe/Berlin", 30
	change := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
	long, passes := 0, [2]int{}
	for late := 2 * time.Hour; late < 7*time.Hour; late += 10 * time.Minute {
		s := newSite(t, sim.Config{Kind: sim.Nexus, Zone: name, Start: change.Add(-30 * time.Hour), MaxRecords: map[int]int{sim.LogFlicker: room}}).inZone(name)
		s.now.Add(change.Add(late + time.Minute).Sub(s.now.Now()))
		s.must("flicker")
		s.sameAsMeter("flicker", sim.LogFlicker)
		first := s.memory(sim.LogFlicker)[0]
		if since := first.Time.Sub(change); since >= -time.Hour && since < time.Hour {
			if since < 0 {
				passes[0]++
			} else {
				passes[1]++
			}
			if first.Raw[28] == 1 {
				long++
			}
		}
	}
	if long == 0 || passes[0] < 4 || passes[1] < 4 {
		t.Errorf("%v memories began in the passes of the hour, %d with a long record: the test shows less than it says", passes, long)
	}
}

// nexusWith is the Nexus' profile with a text replaced.
func nexusWith(t *testing.T, old, new string) *device.Profile {
	t.Helper()
	text, err := fs.ReadFile(assets.Profiles(), "eig-nexus-1252.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("the profile does not hold %s", old)
	}
	p, err := device.Parse([]byte(strings.Replace(string(text), old, new, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRingFlickerRedecode: a profile with another scale of flicker gives the kept records other values, and moves nothing else.
func TestRingFlickerRedecode(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 2 * 24 * time.Hour})
	s.must("flicker")
	before := map[logdb.Position]logdb.Entry{}
	for _, e := range s.flickerRows() {
		before[e.Position] = e
	}
	if !slices.Contains(s.profile.UnverifiedChannels(), "flicker.plt.b") || !slices.Contains(s.profile.Unverified(), "flicker scale") {
		t.Errorf("the scale is not shown as unverified: %q, %q", s.profile.Unverified(), s.profile.UnverifiedChannels())
	}
	s.profile = nexusWith(t, `"flicker": {"unverified": true, "scale": 1.52587890625e-05}`, `"flicker": {"unverified": true, "scale": 0.001}`)
	log, _ := s.profile.LogOf("flicker")
	again := func() retrieve.Redecoded {
		d, err := s.reader().Redecode(t.Context(), s.target(), log, false, false)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := again(); d.Records != int64(len(before)) || d.Changed != d.Records || d.Unreadable != 0 || d.Gaps != 0 {
		t.Fatalf("decoded again: %+v, want all of %d", d, len(before))
	}
	n := 0
	for _, e := range s.stream(logdb.KindHistorical) {
		if e.Op != logdb.OpRevise {
			continue
		}
		n++
		old := before[e.Target]
		if e.Time != old.Time || !slices.Equal(e.Row.Channels, old.Row.Channels) {
			t.Fatalf("%q of %v became %q of %v", old.Row.Channels, old.Time.Time(), e.Row.Channels, e.Time.Time())
		}
		for k, v := range e.Row.Values {
			if want := old.Row.Values[k] * 65.536; math.Abs(v-want) > 1e-9*want {
				t.Fatalf("%s of %v is %v, want %v", e.Row.Channels[k], e.Time.Time(), v, want)
			}
		}
	}
	if d := again(); n != len(before) || d.Changed != 0 {
		t.Errorf("%d rows have a new version; a second time %+v", n, d)
	}
}

// A flicker log begins in the second pass of the hour that comes twice. Decoded again, in that hour and later, its rows stay where they are.
func TestFlickerInTheRepeatedHour(t *testing.T) {
	t.Parallel()
	change := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
	for _, read := range []time.Duration{31 * time.Minute, 200 * time.Minute} {
		s := newSite(t, sim.Config{Kind: sim.Nexus, Zone: "Europe/Berlin", Start: change.Add(-30 * time.Hour)}).inZone("Europe/Berlin")
		s.now.Add(change.Add(5 * time.Minute).Sub(s.now.Now()))
		if err := s.meter.ResetLog(sim.LogFlicker); err != nil {
			t.Fatal(err)
		}
		s.advance(read - 5*time.Minute)
		s.must("flicker")
		s.sameAsMeter("flicker", sim.LogFlicker)
		times := map[logdb.Position]logdb.Millis{}
		for _, e := range s.flickerRows() {
			times[e.Position] = e.Time
		}
		s.profile = nexusWith(t, `"flicker": {"unverified": true, "scale": 1.52587890625e-05}`, `"flicker": {"unverified": true, "scale": 0.001}`)
		if s.redecode(false) == 0 {
			t.Fatal("nothing was decoded again")
		}
		for _, e := range s.stream(logdb.KindHistorical) {
			if was, ok := times[e.Target]; ok && e.Op == logdb.OpRevise && e.Time != was {
				t.Errorf("read %v after the change: a row of %v decoded again at %v", read, was, e.Time)
			}
		}
	}
}
