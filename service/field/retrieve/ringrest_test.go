package retrieve_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// rest are the logs of a ring whose records have two times, or of which no document prints the body.
var rest = []struct {
	name   string
	number int
}{
	{"flicker", sim.LogFlicker}, {"limit_snapshot", sim.LogLimitSnapshot}, {"reset", sim.LogReset},
	{"digital_input", sim.LogDigitalInput}, {"digital_input_snapshot", sim.LogDigitalInputSnapshot},
	{"digital_output", sim.LogDigitalOutput}, {"digital_output_snapshot", sim.LogDigitalOutputSnapshot},
}

// memory is what the meter holds of a log.
func (s *site) memory(number int) (out []sim.Record) {
	s.t.Helper()
	for r, err := range s.meter.Records(number) {
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// sameAsMeter fails unless the newest stored records of a log are all that the meter holds, byte by byte and with their times.
func (s *site) sameAsMeter(name string, number int) []logdb.RawRecord {
	s.t.Helper()
	log, _ := s.profile.LogOf(name)
	stored, want := s.raws(log.LogKind(), log.Log), s.memory(number)
	if len(want) == 0 || len(stored) < len(want) {
		s.t.Fatalf("%s: %d records are stored, the meter has %d", name, len(stored), len(want))
	}
	for i, r := range stored[len(stored)-len(want):] {
		// To the hundredth: times of records have no more.
		if at := want[i].Time.Truncate(10 * time.Millisecond); !bytes.Equal(r.Bytes, want[i].Raw) || !r.Time.Time().Equal(at) {
			s.t.Fatalf("%s: record %d is % x of %v, want % x of %v", name, i, r.Bytes, r.Time.Time(), want[i].Raw, at)
		}
	}
	return stored
}

// TestRingRestIsTheMeters: every record of these logs is stored once and whole, however often the meter is asked, and also behind a memory that has
// come round or was emptied.
func TestRingRestIsTheMeters(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 12 * 24 * time.Hour})
	for _, l := range rest {
		if l.name == "reset" { // a meter is reset now and then
			s.meter.ResetEnergy()
		}
		first := s.must(l.name)
		if n := len(s.memory(l.number)); n == 0 || first.Records != n || first.Gap != "" {
			t.Errorf("%s: %+v, the meter has %d", l.name, first, n)
		}
		s.sameAsMeter(l.name, l.number)
		if again := s.must(l.name); again.Records != 0 || again.Entries != 0 {
			t.Errorf("%s: nothing is new, and %+v is stored", l.name, again)
		}
	}
	for range 4 {
		s.advance(31 * time.Hour)
		s.meter.ResetEnergy()
		for _, l := range rest {
			if out := s.must(l.name); out.Gap != "" {
				t.Errorf("%s: %+v", l.name, out)
			}
			if have, want := len(s.sameAsMeter(l.name, l.number)), len(s.memory(l.number)); have != want {
				t.Errorf("%s: %d records are stored, the meter has %d", l.name, have, want)
			}
		}
	}
	for _, l := range rest {
		before := len(s.memory(l.number))
		if err := s.meter.ResetLog(l.number); err != nil {
			t.Fatal(err)
		}
		s.advance(6 * 24 * time.Hour)
		s.meter.ResetEnergy()
		if out := s.must(l.name); out.Gap != logdb.GapReset {
			t.Errorf("%s was emptied: %+v", l.name, out)
		}
		if have, want := len(s.sameAsMeter(l.name, l.number)), before+len(s.memory(l.number)); have > want {
			t.Errorf("%s: %d records are stored, the meter made %d", l.name, have, want)
		}
	}
	s.free()
	if n := s.meter.Counters().Paused; n != 0 {
		t.Errorf("logs were paused %d times", n)
	}
}

// TestRingRestComesRound: what a full memory has overwritten is a gap, what it still holds is stored.
func TestRingRestComesRound(t *testing.T) {
	t.Parallel()
	most := map[int]int{}
	for _, l := range rest {
		most[l.number] = 7
	}
	most[sim.LogFlicker] = 100
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 20 * 24 * time.Hour, MaxRecords: most})
	for _, l := range rest {
		s.must(l.name)
		if n := len(s.memory(l.number)); l.name != "reset" && n != most[l.number] {
			t.Fatalf("%s holds %d records: it is not full, and the test shows nothing", l.name, n)
		}
		s.sameAsMeter(l.name, l.number)
	}
	s.advance(20 * 24 * time.Hour)
	for range 9 {
		s.meter.ResetEnergy()
		s.now.Add(time.Minute)
	}
	for _, l := range rest {
		if out := s.must(l.name); out.Gap != logdb.GapOverwritten && l.name != "reset" || out.Gap == "" {
			t.Errorf("%s: %+v", l.name, out)
		}
		s.sameAsMeter(l.name, l.number)
	}
}

// TestRingRawRecords: a record that is not understood is an event of its own with its time, its log's name and its bytes.
func TestRingRawRecords(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 25 * 24 * time.Hour})
	apart := 0
	for _, l := range rest[1:] {
		s.must(l.name)
		log, _ := s.profile.LogOf(l.name)
		var have []logdb.Entry
		for _, e := range s.events(logdb.KindSystem, false) {
			if e.Log == log.Log {
				have = append(have, e)
			}
		}
		want := s.memory(l.number)
		if len(have) != len(want) {
			t.Fatalf("%s: %d events, the meter has %d records", l.name, len(have), len(want))
		}
		slices.SortFunc(have, func(a, b logdb.Entry) int { return int(a.Position) - int(b.Position) })
		title := strings.ReplaceAll(l.name, "_", " ") + ", not decoded: "
		for i, e := range have {
			if want[i].Raw[7]&0x80 != 0 {
				apart++
			}
			if e.System.Type != logdb.SystemOther || !strings.HasPrefix(e.System.Description, title) || !e.Time.Time().Equal(want[i].Time.Truncate(10*time.Millisecond)) {
				t.Fatalf("%s: %+v at %v, want the record of %v", l.name, e.System, e.Time.Time(), want[i].Time)
			}
		}
	}
	if apart == 0 {
		t.Error("no record bears the mark of one that does not follow on the one before: the test shows less than it says")
	}
	if gaps := s.events(logdb.KindSystem, true); len(gaps) != 0 {
		t.Errorf("gaps %+v", gaps)
	}
}

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
		if last := before[len(before)-1]; last.Row.Channels[0] != "flicker.pst.a" || last.Time.Time().Local().Minute() != 0 {
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

// TestRingWithoutLogs: a meter that does not keep a log, or refuses its address, where that is inferred, is no meter with an error.
func TestRingWithoutLogs(t *testing.T) {
	t.Parallel()
	var none []int
	for _, l := range rest {
		none = append(none, l.number)
	}
	now := func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }
	for _, cfg := range []sim.Config{{NoLogs: none}, {}} {
		cfg.Kind, cfg.Seed, cfg.History, cfg.Now = sim.Nexus, 7, 6*time.Hour, now
		meter := simulate(t, cfg)
		if cfg.NoLogs == nil {
			for _, header := range []uint16{37057, 37121, 37185, 37249, 37313, 37377, 37697} {
				meter.Inject(sim.Fault{Kind: sim.FaultException, Code: 2, Addr: header - 1, Registers: 18})
			}
		}
		store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
		m, ev := newManager(t, store, state, retrieve.Config{Live: time.Hour, Retrieve: time.Hour, Now: now})
		background(t, m.Run)
		x, err := m.Add(t.Context(), retrieve.AddRequest{Name: "nexus", Address: meter.Addr().String(), Unit: 1, Profile: "eig-nexus-1252", Zone: "America/New_York", Serial: "N-1"})
		if err != nil {
			t.Fatal(err)
		}
		<-ev.data
		if _, err := m.Retrieve(t.Context(), "nexus", 0); err != nil {
			t.Errorf("without logs %v: %v", cfg.NoLogs, err)
		}
		s, err := m.Show(t.Context(), "nexus")
		if err != nil || s.State != "ok" || s.LastError != "" || len(s.Memories) != 6 {
			t.Errorf("without logs %v: %d memories, %q, %v", cfg.NoLogs, len(s.Memories), s.LastError, err)
		}
		for _, l := range rest {
			if n := meter.Counters().Writes[38144+ringOf[l.name]]; n != 0 {
				t.Errorf("the window of %s was set %d times", l.name, n)
			}
		}
		if raws, err := store.LastRaw(t.Context(), x.UID, logdb.KindHistorical, 2, 10); err != nil || len(raws) != 0 {
			t.Errorf("%d records of flicker, %v", len(raws), err)
		}
	}
}

// ringOf is the place of a log among those of the meter.
var ringOf = map[string]uint16{
	"limit_snapshot": 3, "digital_input": 4, "digital_input_snapshot": 5, "digital_output": 6, "digital_output_snapshot": 7, "flicker": 8, "reset": 13,
}
