package retrieve_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// inZone gives the site another zone of the meter's clock.
func (s *site) inZone(name string) *site {
	s.t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.zone = zone
	return s
}

// redecode decodes all logs again and returns how many records changed.
func (s *site) redecode(dry bool) (changed int64) {
	s.t.Helper()
	for _, l := range s.profile.Logs {
		r := s.reader()
		r.Node = "site-1"
		d, err := r.Redecode(s.t.Context(), s.target(), l, s.states[l.Name].SetsDST, dry)
		if err != nil {
			s.t.Fatalf("decode %s again: %v", l.Name, err)
		}
		if d.Note != "" || d.Unreadable != 0 {
			s.t.Errorf("%s: %+v", l.Name, d)
		}
		changed += d.Changed
	}
	return changed
}

// liveRows returns the live historical rows of a log: position, time and values by channel.
func (s *site) liveRows(log logdb.LogNo) (times map[logdb.Position]logdb.Millis, values map[logdb.ChannelKey]map[logdb.Position]float64) {
	s.t.Helper()
	times, values = map[logdb.Position]logdb.Millis{}, map[logdb.ChannelKey]map[logdb.Position]float64{}
	series, err := s.store.Series(s.t.Context(), uid)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, x := range series {
		if x.Log != log {
			continue
		}
		values[x.Channel] = map[logdb.Position]float64{}
		if err := s.store.ReadSeries(s.t.Context(), []logdb.SeriesID{x.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			for i, v := range b.AppendValues(nil) {
				times[b.Positions[i]] = b.Times[i]
				values[x.Channel][b.Positions[i]] = v
			}
			return nil
		}); err != nil {
			s.t.Fatal(err)
		}
	}
	return times, values
}

// sameLive compares everything that is live, place by place, with a site that was right from the start.
func (s *site) sameLive(want *site) {
	s.t.Helper()
	for _, l := range s.profile.Logs {
		if l.LogKind() != logdb.KindHistorical {
			continue
		}
		a, av := s.liveRows(l.Log)
		b, bv := want.liveRows(l.Log)
		if len(a) != len(b) || len(av) != len(bv) {
			s.t.Errorf("%s: %d rows of %d channels, want %d of %d", l.Name, len(a), len(av), len(b), len(bv))
		}
		// Gaps and notes may stand at other places: rows are compared in their order.
		i, rows := 0, want.sorted(b)
		for _, p := range s.sorted(a) {
			if i < len(rows) && a[p] != b[rows[i]] {
				s.t.Errorf("%s row %d: %v, want %v", l.Name, i, a[p], b[rows[i]])
				break
			}
			for c := range av {
				if i < len(rows) && av[c][p] != bv[c][rows[i]] {
					s.t.Errorf("%s row %d: %s is %v, want %v", l.Name, i, c, av[c][p], bv[c][rows[i]])
					break
				}
			}
			i++
		}
	}
	for _, k := range []logdb.Kind{logdb.KindLimit, logdb.KindPQ, logdb.KindWaveform} {
		a, b := s.events(k, false), want.events(k, false)
		if len(a) != len(b) || len(a) == 0 {
			s.t.Errorf("%s: %d events, want %d", k, len(a), len(b))
			continue
		}
		for i := range a {
			if a[i].ContentDigest() != b[i].ContentDigest() {
				s.t.Errorf("%s: event %d is %+v at %v, want %+v at %v", k, i, a[i].Excursion, a[i].Time, b[i].Excursion, b[i].Time)
				break
			}
		}
		one, err := s.store.OpenStarts(s.t.Context(), uid, k)
		if err != nil {
			s.t.Fatal(err)
		}
		two, err := want.store.OpenStarts(s.t.Context(), uid, k)
		if err != nil || len(one) != len(two) {
			s.t.Errorf("%s: %d open starts, want %d; %v", k, len(one), len(two), err)
			continue
		}
		for i := range one {
			if one[i].Start != two[i].Start || one[i].Event.Worst != two[i].Event.Worst {
				s.t.Errorf("%s: open start %+v, want %+v", k, one[i], two[i])
			}
		}
	}
}

func (s *site) sorted(m map[logdb.Position]logdb.Millis) []logdb.Position {
	var out []logdb.Position
	for p := logdb.Position(1); len(out) < len(m); p++ {
		if _, ok := m[p]; ok {
			out = append(out, p)
		}
	}
	return out
}

// TestZoneCorrectedAfterDays: a meter in New York was taken for one in another zone while its clock
// went back; then the zone is put right.
func TestZoneCorrectedAfterDays(t *testing.T) {
	t.Parallel()
	// The clocks go back on 1 November. A wrong zone of each side.
	for wrong, days := range map[string]time.Duration{"UTC": 3, "Europe/Berlin": 2} {
		t.Run(wrong, func(t *testing.T) {
			t.Parallel()
			start := time.Date(2026, 11, 3-int(days), 0, 0, 0, 0, time.UTC)
			cfg := sim.Config{Start: start, Zone: "America/New_York"}
			right, s := newSQLite(t, cfg), newSQLite(t, cfg).inZone(wrong)
			for _, x := range []*site{right, s} {
				x.now.Add(start.Add((days - 1) * 24 * time.Hour).Sub(x.now.Now()))
				x.all()
				x.advance(24 * time.Hour)
				x.all()
			}
			s.inZone("America/New_York")
			would := s.redecode(true)
			head, err := s.store.Journal(t.Context(), uid, logdb.KindHistorical)
			if err != nil {
				t.Fatal(err)
			}
			if changed := s.redecode(false); changed != would || changed < 1400*int64(days) {
				t.Errorf("%d records changed, %d were announced", changed, would)
			}
			s.sameLive(right)
			if again := s.redecode(false); again != 0 {
				t.Errorf("%d records changed once more", again)
			}
			// What follows is decoded by the right zone at once, and no clock has stepped.
			for _, x := range []*site{right, s} {
				x.advance(6 * time.Hour)
				x.all()
			}
			s.sameLive(right)
			if again := s.redecode(false); again != 0 {
				t.Errorf("%d new records would change", again)
			}
			runs := map[uint32]bool{}
			var before uint32
			for _, raw := range s.raws(logdb.KindHistorical, 0) {
				if raw.Position > head.End {
					runs[raw.Run] = true
				} else {
					before = raw.Run
				}
			}
			// One of their own: what comes at a time that was another record's before is no second record of that minute.
			if len(runs) != 1 || runs[before] {
				t.Errorf("runs %v behind the correction, %d before", runs, before)
			}
			keptInHistory(t, s, wrong)
		})
	}
}

// keptInHistory: the versions before are there, with who and why.
func keptInHistory(t *testing.T, s *site, wrong string) {
	t.Helper()
	head, err := s.store.Journal(t.Context(), uid, logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.store.ReadStream(t.Context(), uid, logdb.KindHistorical, logdb.StreamID{Journal: head.ID, Policy: "0"}, 1, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	old := map[logdb.Position]logdb.Digest{}
	for i := range page.Rows {
		for k := range page.Rows[i].Times {
			e := page.Rows[i].Entry(k)
			old[e.Position] = e.ContentDigest()
		}
	}
	revises := 0
	for _, e := range page.Entries {
		if e.Op == logdb.OpAdd {
			old[e.Position] = e.ContentDigest()
		}
	}
	for _, e := range page.Entries {
		if e.Op != logdb.OpRevise {
			continue
		}
		revises++
		if e.By != "retrieval at site-1" || e.At == 0 || e.Why != "zone changed from "+wrong+" to America/New_York" || e.Replaces != old[e.Target] {
			t.Fatalf("revise %+v", e)
		}
	}
	if revises < 2000 {
		t.Errorf("%d revises", revises)
	}
}

// TestRedecodeResumes: cut off anywhere, the next run does the rest and doubles nothing.
func TestRedecodeResumes(t *testing.T) {
	t.Parallel()
	right, s := newSQLite(t, sim.Config{History: 30 * time.Hour}), newSQLite(t, sim.Config{History: 30 * time.Hour}).inZone("UTC")
	for _, x := range []*site{right, s} {
		x.all()
	}
	s.inZone("America/New_York")
	would := s.redecode(true)
	var done int64
	for _, limit := range []int{0, 1, 2, 4, 7, 13} {
		for _, l := range s.profile.Logs {
			r := &retrieve.Reader{Store: &fragile{Store: s.store, left: limit}, Now: s.now.Now}
			if _, err := r.Redecode(t.Context(), s.target(), l, s.states[l.Name].SetsDST, false); err != nil && !errors.Is(err, errPower) {
				t.Fatal(err)
			}
		}
	}
	left := s.redecode(true)
	if left != 0 {
		done = s.redecode(false)
	}
	t.Logf("%d records, %d left to the last run", would, done)
	s.sameLive(right)
	for _, k := range []logdb.Kind{logdb.KindHistorical, logdb.KindPQ} {
		seen := map[logdb.Position]bool{}
		head, err := s.store.Journal(t.Context(), uid, k)
		if err != nil {
			t.Fatal(err)
		}
		page, err := s.store.ReadStream(t.Context(), uid, k, logdb.StreamID{Journal: head.ID, Policy: "0"}, 1, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if e.Op == logdb.OpRevise && strings.HasPrefix(e.Why, "zone changed") {
				if seen[e.Target] {
					t.Fatalf("%s: position %d was revised twice", k, e.Target)
				}
				seen[e.Target] = true
			}
		}
	}
}

var errPower = errors.New("power failed")

// fragile is a store that dies after some calls.
type fragile struct {
	logdb.Store
	left int
}

func (f *fragile) Append(ctx context.Context, b logdb.Batch) (logdb.Appended, error) {
	if f.left--; f.left < 0 {
		return logdb.Appended{}, errPower
	}
	return f.Store.Append(ctx, b)
}

func (f *fragile) ReadRaw(ctx context.Context, m logdb.MeterUID, k logdb.Kind, l logdb.LogNo, p logdb.Position, n int) ([]logdb.RawRecord, error) {
	if f.left--; f.left < 0 {
		return nil, errPower
	}
	return f.Store.ReadRaw(ctx, m, k, l, p, n)
}

// TestNothingDiffers: records that are right are left alone, one that a person corrected too.
func TestNothingDiffers(t *testing.T) {
	t.Parallel()
	s := newSQLite(t, sim.Config{Zone: "America/New_York", History: 30 * time.Hour})
	s.all()
	s.advance(3 * time.Hour)
	s.all()
	if n := s.redecode(false); n != 0 {
		t.Errorf("%d records changed though nothing differs", n)
	}
	raws := s.raws(logdb.KindHistorical, 0)
	p := raws[5].Position
	times, _ := s.liveRows(0)
	if _, err := s.store.Append(t.Context(), logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Entries: []logdb.Entry{{
		Op: logdb.OpRevise, Target: p, Time: times[p], Row: &logdb.Row{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Values: []float64{1}},
		By: "user:anna", At: 1, Why: "the fuse had blown",
	}}}); err != nil {
		t.Fatal(err)
	}
	s.inZone("UTC")
	log, _ := s.profile.LogOf("hist1")
	d, err := s.reader().Redecode(t.Context(), s.target(), log, true, false)
	if err != nil || d.Corrected != 1 || d.Changed != d.Records-1 || d.Records != int64(len(raws)) {
		t.Errorf("%+v, %v: want all but the corrected one changed", d, err)
	}
	now, _ := s.liveRows(0)
	if now[p] != times[p] {
		t.Errorf("the corrected record moved from %v to %v", times[p], now[p])
	}
}

// TestRatiosCorrected: a current transformer of twice the ratio doubles currents, powers and energies,
// in records of before and after; and back again.
func TestRatiosCorrected(t *testing.T) {
	t.Parallel()
	s := newSQLite(t, sim.Config{History: 30 * time.Hour})
	s.all()
	_, before := s.liveRows(0)
	limits, waves := s.events(logdb.KindLimit, false), s.events(logdb.KindWaveform, false)
	s.correction = device.Correction{CT: 2, PT: 0.5}
	if s.redecode(false) == 0 {
		t.Error("nothing changed")
	}
	s.advance(time.Hour)
	s.all()
	_, after := s.liveRows(0)
	for c, rows := range before {
		want := 1.0
		switch {
		case strings.HasPrefix(string(c), "readings.voltage."):
			want = 0.5
		case strings.HasPrefix(string(c), "readings.current."):
			want = 2
		}
		for p, v := range rows {
			if got := after[c][p]; math.Abs(got-v*want) > 1e-9*math.Abs(v) {
				t.Fatalf("%s: %v became %v, want %v times as much", c, v, got, want)
			}
		}
	}
	for i, e := range s.events(logdb.KindLimit, false)[:len(limits)] {
		old, now := limits[i].Excursion, e.Excursion
		f := device.Correction{CT: 2, PT: 0.5}.Factor(now.Channel)
		if now.WorstPercent != old.WorstPercent || !math.IsNaN(old.Worst) && (math.Abs(now.Worst-f*old.Worst) > 1e-9*math.Abs(now.Worst) || math.Abs(now.Threshold-f*old.Threshold) > 1e-9*math.Abs(now.Threshold)) {
			t.Errorf("limit event %d: %+v, was %+v", i, now, old)
		}
	}
	for i, e := range s.events(logdb.KindWaveform, false)[:len(waves)] {
		for k, r := range e.Waveform.RMS {
			want := 0.5
			if r.Name[0] == 'I' {
				want = 2
			}
			if old := waves[i].Waveform.RMS[k].Value; math.Abs(r.Value-want*old) > 1e-9*math.Abs(old) {
				t.Errorf("recording %d: %s is %v, was %v", i, r.Name, r.Value, old)
			}
		}
	}
	s.correction = device.Correction{}
	s.redecode(false)
	_, back := s.liveRows(0)
	for c, rows := range before {
		for p, v := range rows {
			if back[c][p] != v {
				t.Fatalf("%s: %v, want %v again", c, back[c][p], v)
			}
		}
	}
}

// TestNewProfile: another version of the profile gives records another meaning.
func TestNewProfile(t *testing.T) {
	t.Parallel()
	s := newSQLite(t, sim.Config{History: 30 * time.Hour})
	s.all()
	times, before := s.liveRows(0)
	s.profile = changedProfile(t, `"channel": "readings.voltage.bn"`, `"channel": "own.voltage.b"`)
	if n := s.redecode(false); n == 0 {
		t.Error("nothing changed")
	}
	again, after := s.liveRows(0)
	if len(again) != len(times) || len(after["readings.voltage.bn"]) != 0 {
		t.Errorf("%d rows, want %d; %d values of the old channel", len(again), len(times), len(after["readings.voltage.bn"]))
	}
	for p, v := range before["readings.voltage.bn"] {
		if after["own.voltage.b"][p] != v {
			t.Fatalf("position %d: %v, want %v", p, after["own.voltage.b"][p], v)
		}
	}
	if n := s.redecode(false); n != 0 {
		t.Errorf("%d records changed once more", n)
	}
}

// logsOfShark are the logs of the profile, whether or not the meter keeps them.
func logsOfShark(t *testing.T) []device.Log {
	t.Helper()
	p, ok := profiles(t).Get("eig-shark-200")
	if !ok {
		t.Fatal("no profile eig-shark-200")
	}
	return p.Logs
}

// TestSetZoneDecodesAgain: the command changes the zone, the meter's goroutine does the rest, once.
func TestSetZoneDecodesAgain(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }
	meter := simulate(t, sim.Config{Seed: 7, History: 6 * time.Hour, Zone: "America/New_York", Now: now})
	store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
	m, ev := newManager(t, store, state, retrieve.Config{Live: time.Hour, Retrieve: time.Hour, Node: "site-1"})
	background(t, m.Run)
	x, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Retrieve(t.Context(), "main", 0); err != nil {
		t.Fatal(err)
	}
	if d, err := m.Redecode(t.Context(), "main", false); err != nil || len(d) != len(logsOfShark(t)) || d[0].Changed != 0 || d[0].Records < 300 {
		t.Errorf("nothing differs: %+v, %v", d, err)
	}
	raws, err := store.LastRaw(t.Context(), x.UID, logdb.KindHistorical, 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for len(ev.data) > 0 {
		<-ev.data
	}
	zone := "America/New_York"
	if _, err := m.Set(t.Context(), "main", retrieve.Change{Zone: &zone}); err != nil {
		t.Fatal(err)
	}
	<-ev.data // the upload is told
	if d, err := m.Redecode(t.Context(), "main", true); err != nil || d[0].Changed != 0 {
		t.Errorf("after the change of zone: %+v, %v", d, err)
	}
	series, err := store.Series(t.Context(), x.UID)
	if err != nil {
		t.Fatal(err)
	}
	newYork, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	_, offset := raws[0].Time.Time().In(newYork).Zone()
	for _, s := range series {
		if s.Log != 0 || s.Channel != "readings.voltage.an" {
			continue
		}
		n := 0
		if err := store.ReadSeries(t.Context(), []logdb.SeriesID{s.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			for i, p := range b.Positions {
				for _, raw := range raws {
					if raw.Position == p && b.Times[i] != raw.Time-logdb.Millis(offset*1000) {
						t.Fatalf("position %d is at %v, was at %v", p, b.Times[i], raw.Time)
					}
				}
				n++
			}
			return nil
		}); err != nil || n < len(raws) {
			t.Errorf("%d rows of %d, %v", n, len(raws), err)
		}
	}
	bad := 0.0
	if _, err := m.Set(t.Context(), "main", retrieve.Change{CTFactor: &bad, PTFactor: ptr(-1.0)}); !errors.Is(err, retrieve.ErrInvalid) {
		t.Errorf("a negative factor: %v", err)
	}
}

func ptr[T any](v T) *T { return &v }

// What the supply is declared to have is the user's: it stays when the meter's own settings are read again.
func TestDeclaredSupply(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }
	meter := simulate(t, sim.Config{Seed: 7, History: time.Hour, Zone: "UTC", Now: now})
	store := logdbtest.NewModel(logdbtest.Config{})
	m, _ := newManager(t, store, newMemory(), retrieve.Config{Live: time.Hour, Retrieve: time.Hour, Node: "site-1"})
	background(t, m.Run)
	if _, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	got, err := m.Set(t.Context(), "main", retrieve.Change{NominalVolts: ptr(277.0), NominalHz: ptr(60.0)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Set(t.Context(), "main", retrieve.Change{Name: ptr("incomer")}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Retrieve(t.Context(), "incomer", 0); err != nil { // which reads the meter's settings
		t.Fatal(err)
	}
	if s, err := store.Settings(t.Context(), got.UID); err != nil || s.NominalVolts != 277 || s.NominalHz != 60 || s.Name != "incomer" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []retrieve.Change{{NominalVolts: ptr(-1.0)}, {NominalVolts: ptr(math.NaN())}, {NominalHz: ptr(400.0)}} {
		if _, err := m.Set(t.Context(), "incomer", bad); !errors.Is(err, retrieve.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// cutStore lets something happen at the first record that is decoded again, and waits until that is called off.
type cutStore struct {
	logdb.Store
	once sync.Once
	cut  func()
}

func (s *cutStore) Append(ctx context.Context, b logdb.Batch) (a logdb.Appended, err error) {
	a, err = s.Store.Append(ctx, b)
	if len(b.Entries) > 0 && b.Entries[0].Op == logdb.OpRevise {
		s.once.Do(func() {
			s.cut()
			<-ctx.Done()
			err = ctx.Err()
		})
	}
	return a, err
}

// TestZoneSetBackInMidDecoding: the zone is set to a wrong one and back while the records are decoded by the wrong one.
// What was entered until then must be decoded once more, though the zone is the one under which all was decoded before.
func TestZoneSetBackInMidDecoding(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }
	meter := simulate(t, sim.Config{Seed: 7, History: 6 * time.Hour, Zone: "UTC", Now: now})
	store := &cutStore{Store: logdbtest.NewModel(logdbtest.Config{})}
	m, _ := newManager(t, store, newMemory(), retrieve.Config{Live: time.Hour, Retrieve: time.Hour})
	set := func(zone string) {
		if _, err := m.Set(t.Context(), "main", retrieve.Change{Zone: &zone}); err != nil {
			t.Error(err)
		}
	}
	cut := make(chan struct{})
	store.cut = func() {
		defer close(cut)
		set("UTC")
	}
	background(t, m.Run)
	if _, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Retrieve(t.Context(), "main", 0); err != nil {
		t.Fatal(err)
	}
	set("Asia/Kathmandu")
	<-cut
	d, err := m.Redecode(t.Context(), "main", true) // by the goroutine that follows on the one that ends
	if err != nil || d[0].Records < 300 || d[0].Changed != 0 {
		t.Errorf("%+v, %v; want nothing left to decode again", d, err)
	}
}
