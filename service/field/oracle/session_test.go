package oracle_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
	"metermanager/service/metadb"
)

// site is the meter list and the log database of a node, as the service has them.
type site struct {
	*retrieve.Manager
	store *sqlite.Store
	data  chan logdb.MeterUID
}

func newSite(t *testing.T, cfg retrieve.Config) *site {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "logs.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(t.Context(), filepath.Join(dir, "meta.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	state, err := metadb.OpenField(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{store: store, data: make(chan logdb.MeterUID, 100)}
	cfg.OnNewData = func(uid logdb.MeterUID) {
		select {
		case s.data <- uid:
		default:
		}
	}
	if s.Manager, err = retrieve.New(t.Context(), store, state, profiles(t), cfg); err != nil {
		t.Fatal(err)
	}
	background(t, s.Run)
	return s
}

func (s *site) add(t *testing.T, a retrieve.AddRequest) retrieve.Meter {
	t.Helper()
	m, err := s.Add(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// values visits every value of a channel.
func (s *site) values(t *testing.T, uid logdb.MeterUID, channel logdb.ChannelKey) (times []logdb.Millis, values []float64) {
	t.Helper()
	series, err := s.store.Series(t.Context(), uid)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range series {
		if x.Channel != channel {
			continue
		}
		if err := s.store.ReadSeries(t.Context(), []logdb.SeriesID{x.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			times, values = append(times, b.Times...), b.AppendValues(values)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return times, values
}

func (s *site) events(t *testing.T, uid logdb.MeterUID, kind logdb.Kind, gaps bool) []logdb.Entry {
	t.Helper()
	var out []logdb.Entry
	if err := s.store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: kind, Gaps: gaps}, func(_ logdb.StreamID, e *logdb.Entry) error {
		out = append(out, *e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRetrievesASessionOfOthers retrieves logs from servers of other libraries that follow the manual's description of a log
// session; the records are those that the manuals print. Only that of pymodbus has the function by which recordings are read.
func TestRetrievesASessionOfOthers(t *testing.T) {
	t.Parallel()
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			retrievesASession(t, l)
		})
	}
}

// plainLogs writes session.json as lines for a program without JSON: see load_logs of server.c.
func plainLogs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "session.json"))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Port int
		Logs []struct {
			Number      int
			Status      string
			Disabled    bool
			Max, Size   int
			Filler      string
			Records     []string
			EveryMinute *struct {
				Stamp, Data string
				Count       int
			} `json:"every_minute"`
		}
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "port %d\n", spec.Port)
	for _, l := range spec.Logs {
		if l.Disabled {
			fmt.Fprintf(&b, "off %d %s\n", l.Number, l.Status)
			continue
		}
		fmt.Fprintf(&b, "log %d %s %d %d\nrec %s\n", l.Number, l.Status, l.Max, l.Size, l.Filler+strings.Repeat("ff", min(l.Size, 64)-6))
		for _, r := range l.Records {
			fmt.Fprintf(&b, "rec %s\n", strings.ReplaceAll(r, " ", ""))
		}
		if m := l.EveryMinute; m != nil {
			stamp, err := hex.DecodeString(m.Stamp)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2000+int(stamp[0]), time.Month(stamp[1]), int(stamp[2]), int(stamp[3]), int(stamp[4]), int(stamp[5]), 0, time.UTC)
			for range m.Count {
				fmt.Fprintf(&b, "rec %02x%02x%02x%02x%02x%02x%s\n", at.Year()-2000, int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second(), m.Data)
				at = at.Add(time.Minute)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "session.logs")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func retrievesASession(t *testing.T, l library) {
	args := []string{"1:session:shark200.regs"}
	if l.name == "libmodbus" {
		args = append(args, "--logs", plainLogs(t))
	}
	served := l.serve(t, args...)
	s := newSite(t, retrieve.Config{Live: time.Hour, Retrieve: time.Hour})
	m := s.add(t, retrieve.AddRequest{Name: "oracle", Address: served.addr, Unit: 1, Zone: "UTC"})
	for range 3 { // the second and third find nothing new
		if _, err := s.Retrieve(t.Context(), "oracle", 0); err != nil && (l.name == "pymodbus" || !errors.Is(err, retrieve.ErrNoRepeat)) {
			t.Fatal(err)
		}
	}

	start := time.Date(2012, 7, 23, 16, 22, 0, 0, time.UTC)
	for channel, bits := range map[logdb.ChannelKey]uint32{
		"readings.voltage.an": 0x42FAAACF, "readings.voltage.bn": 0x42FAAD18, "readings.voltage.cn": 0x42FAA9A8,
	} {
		times, values := s.values(t, m.UID, channel)
		if len(times) != 99 {
			t.Fatalf("%s: %d values, want the 99 records behind the filler", channel, len(times))
		}
		for i, at := range times {
			if !at.Time().Equal(start.Add(time.Duration(i)*time.Minute)) || math.Float32bits(float32(values[i])) != bits {
				t.Fatalf("%s record %d: %v at %v, want %#08x a minute after the other", channel, i, values[i], at.Time(), bits)
			}
		}
	}
	settings, err := s.store.Settings(t.Context(), m.UID)
	if err != nil || settings.Serial != "0061234501" || settings.CTPrimary != 400 || settings.PTPrimary != 277 || settings.LogIntervalsMillis[0] != 60_000 {
		t.Errorf("settings %+v, %v", settings, err)
	}
	checkAlarms(t, s, m.UID)
	if l.name == "pymodbus" {
		checkCapture(t, s, m.UID)
	} else if list := s.events(t, m.UID, logdb.KindWaveform, false); len(list) != 0 {
		t.Errorf("recordings %+v of a server without function 0x23", list)
	}
	system := s.events(t, m.UID, logdb.KindSystem, false)
	if len(system) != 2 || system[0].Time.Time().Format(time.DateTime) != "2026-11-23 00:00:05" || !strings.Contains(system[1].System.Description, "face plate") {
		t.Errorf("system events %+v", system)
	}
	if _, err := s.Remove(t.Context(), "oracle"); err != nil { // libmodbus serves one connection at a time
		t.Fatal(err)
	}
	free, err := endpoint(t, served.addr, modbus.Config{}).Unit(1, modbus.UnitConfig{}).Read(t.Context(), 3, 0xC34E, 1, modbus.User)
	if err != nil || free[1] != 0 {
		t.Errorf("a session is still open: % x, %v", free, err)
	}
}

// checkAlarms: the manual's tables give 106.0 % out and 107.5 % back of limit 1 (Volts A-N of 277 V,
// set to 105 %), 98.0 and 97.4 % below of limit 8 (frequency, set to 99 %); the last has no end yet.
func checkAlarms(t *testing.T, s *site, uid logdb.MeterUID) {
	t.Helper()
	got := s.events(t, uid, logdb.KindLimit, false)
	if len(got) != 2 {
		t.Fatalf("limit events %+v, want two pairs", got)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
	a, b := got[0].Excursion, got[1].Excursion
	if got[0].Time.Time().Format(time.DateTime) != "2026-11-23 01:02:03" || a.DurationSeconds != 5 || a.Channel != "readings.voltage.an" || a.LimitID != 0 ||
		a.Type != logdb.ExcursionAbove || !near(a.WorstPercent, 107.5) || !near(a.Worst, 297.775) || !near(a.Threshold, 290.85) {
		t.Errorf("limit 1: %+v", a)
	}
	if got[1].Time.Time().Format(time.DateTime) != "2026-11-23 02:00:00" || b.DurationSeconds != 65 || b.Channel != "readings.frequency" || b.LimitID != 7 ||
		b.Type != logdb.ExcursionBelow || !near(b.WorstPercent, 97.4) || !near(b.Worst, 58.44) || !near(b.Threshold, 59.4) {
		t.Errorf("limit 8: %+v", b)
	}
	open, err := s.store.OpenStarts(t.Context(), uid, logdb.KindLimit)
	if err != nil || len(open) != 1 || open[0].Start.Time().Format(time.TimeOnly) != "03:00:00" {
		t.Errorf("open starts %+v, %v, want the alarm of 03:00", open, err)
	}
}

// checkCapture: 26 records by function 0x23 become one recording; its header is the manual's dump.
func checkCapture(t *testing.T, s *site, uid logdb.MeterUID) {
	t.Helper()
	list := s.events(t, uid, logdb.KindWaveform, false)
	if len(list) != 1 {
		t.Fatalf("%d recordings, want 1", len(list))
	}
	head, err := s.store.Journal(t.Context(), uid, logdb.KindWaveform)
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.store.Recording(t.Context(), uid, logdb.StreamID{Journal: head.ID, Policy: "0"}, list[0].Position)
	if err != nil {
		t.Fatal(err)
	}
	w := e.Waveform
	// Cycle tag 0x0200 = 512 ms; 8 cycles of 64 samples before it.
	if w.TriggerTime.Time().Format("2006-01-02 15:04:05.000") != "2012-07-23 16:21:17.512" || w.SampleIntervalMillis != 1000.0/60/64 ||
		!slices.Equal(w.Triggers, []string{"Manual", "Input"}) || len(w.Channels) != 6 {
		t.Errorf("recording at %v, step %v, triggers %v, %d channels", w.TriggerTime.Time(), w.SampleIntervalMillis, w.Triggers, len(w.Channels))
	}
	// The dump's calibrations: Va 54049, Ia 6508, Vb 7344, Ib 612, Vc 54186, Ic 6899.
	calibration := map[string]float64{"Van_Vab": 54049 * 277.0 / 120, "Ia": 6508 * 80, "Vbn_Vbc": 7344 * 277.0 / 120, "Ib": 612 * 80, "Vcn_Vca": 54186 * 277.0 / 120, "Ic": 6899 * 80}
	for c, ch := range w.Channels {
		factor, ok := calibration[ch.Name]
		if !ok || len(ch.Samples) != 2048 {
			t.Errorf("channel %s of %d samples", ch.Name, len(ch.Samples))
			continue
		}
		for k, v := range ch.Samples {
			if want := float64((k%64-32)*(c+1)) * factor / 1e6; math.Abs(v-want) > 1e-9*math.Abs(want) {
				t.Errorf("%s sample %d: %v, want %v", ch.Name, k, v, want)
				break
			}
		}
	}
	raws, err := s.store.LastRaw(t.Context(), uid, logdb.KindWaveform, 0, 9)
	if err != nil || len(raws) != 1 || len(raws[0].Bytes) != 26*970 {
		t.Fatalf("%d raw records, %v", len(raws), err)
	}
	if got, want := hex.EncodeToString(raws[0].Bytes[:8+36]), "0c0717101511"+"4700"+"01800600004702000000"+"07ff"+"074c00260021002000220025"+"d321196c1cb00264d3aa1af3"; got != want {
		t.Errorf("the first record begins %s,\nthe manual prints %s", got, want)
	}
}

// TestKeepsTheLogOfAServerOfOthers: a meter without memory gets a row on each fourth second, with a second's time to read it on a busy
// machine; when it falls silent there is a gap with its cause and not one row more.
func TestKeepsTheLogOfAServerOfOthers(t *testing.T) {
	t.Parallel()
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			served := l.serve(t, "2:strict:sunspec-203.regs")
			s := newSite(t, retrieve.Config{Live: time.Hour, Modbus: modbus.Config{MinBackoff: 50 * time.Millisecond, MaxBackoff: 100 * time.Millisecond}})
			m := s.add(t, retrieve.AddRequest{Name: "pv", Address: served.addr, Unit: 2, Zone: "Europe/Berlin", LogSeconds: 4})
			for range 2 {
				<-s.data
			}
			served.stop()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for silent := time.Now(); len(s.events(t, m.UID, logdb.KindHistorical, true)) == 0 || time.Since(silent) < 11*time.Second; {
				select {
				case <-ctx.Done():
					t.Fatal("no gap is noted for a meter that does not answer")
				case <-tick.C:
				}
			}
			if _, err := s.Remove(t.Context(), "pv"); err != nil { // which notes what is still missing
				t.Fatal(err)
			}
			gaps := s.events(t, m.UID, logdb.KindHistorical, true)
			for channel, want := range integersRead {
				times, values := s.values(t, m.UID, channel)
				if math.IsNaN(want.value) {
					if len(values) != 0 {
						t.Errorf("%s: %v was logged, the meter has no such value", channel, values)
					}
					continue
				}
				if len(values) < 2 {
					t.Errorf("%s: %d values", channel, len(values))
				}
				for i, v := range values {
					if v != want.value || times[i]%4000 != 0 || times[i] > gaps[0].Gap.From {
						t.Errorf("%s: %v at %v, want %v on a fourth second before the gap of %v", channel, v, times[i], want.value, gaps[0].Gap.From)
					}
				}
			}
			for i, g := range gaps {
				if g.Gap.Cause != logdb.GapUnreachable || g.Gap.To <= g.Gap.From || i > 0 && g.Gap.From != gaps[i-1].Gap.To {
					t.Errorf("gap %+v, want one behind the other, unreachable", g.Gap)
				}
			}
			if d := gaps[len(gaps)-1].Gap.To - gaps[0].Gap.From; d < 8000 {
				t.Errorf("the gaps cover %d ms, the meter was silent for eleven seconds", d)
			}
		})
	}
}
