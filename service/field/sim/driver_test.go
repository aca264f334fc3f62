package sim_test

import (
	"math"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/sim"
)

// beforeWinter is a history of five days with a first day and the end of daylight time.
func beforeWinter() sim.Config {
	begin := time.Date(2025, 10, 30, 0, 0, 0, 0, time.UTC)
	return sim.Config{Seed: 7, Start: begin, Now: clockAt(begin.AddDate(0, 0, 5)).now, NotReadyEvery: -1}
}

func profile(t *testing.T) *device.Profile {
	t.Helper()
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	p, ok := set.Get("eig-shark-200")
	if !ok {
		t.Fatal("no profile")
	}
	return p
}

// TestDriverDecodes decodes the logs with the driver's decoders, which share no code with the
// encoders here, and compares with what the meter measured: values, and times in UTC through
// the clock changes and the end of daylight time.
func TestDriverDecodes(t *testing.T) {
	t.Parallel()
	cfg := beforeWinter()
	m := start(t, cfg)
	p, prof := dial(t, m.Addr()), profile(t)
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	words := p.registers(0x752F, 7)
	w := func(i int) uint16 { return uint16(words[2*i])<<8 | uint16(words[2*i+1]) }
	setup := device.ParseSetup(w(0), w(1), w(2), w(3), w(4), w(6))
	if setup.CTRatio() != 80 || setup.VoltageFullScale() != 277 || setup.Energy.Digits != 8 || setup.HookupName() != "wye" {
		t.Fatalf("setup %+v", setup)
	}
	for log, settings := range map[int]uint16{sim.LogHist1: 0x7917, sim.LogHist2: 0x79D7, sim.LogHist3: 0x7A97} {
		program, err := device.ParseHistoryProgram(append(p.registers(settings, 120), p.registers(settings+120, 72)...))
		if err != nil {
			t.Fatal(err)
		}
		decoder, err := prof.HistoryDecoder(program, setup.Energy)
		if err != nil {
			t.Fatal(err)
		}
		clock, values := device.NewClock(zone, 0, true), make([]float64, len(decoder.Channels))
		for r, err := range m.Records(log) {
			if err != nil {
				t.Fatal(err)
			}
			stamp, err := decoder.Decode(r.Raw, values)
			if err != nil {
				t.Fatal(err)
			}
			if at := clock.UTC(stamp).Time(); !at.Equal(r.Time) {
				t.Fatalf("log %d record %d: the driver says %s, the meter's clock was %s", log, r.Number, at, r.Time)
			}
			for i, v := range r.Values {
				if decoder.Channels[i] != v.Channel || float32(values[i]) != float32(v.Value) {
					t.Fatalf("log %d record %d: the driver says %s %v, the meter measured %s %v", log, r.Number, decoder.Channels[i], values[i], v.Channel, v.Value)
				}
			}
		}
	}
}

// TestDriverReadsEvents does the same for alarms, PQ events, system events and captures.
func TestDriverReadsEvents(t *testing.T) {
	t.Parallel()
	cfg := beforeWinter()
	m := start(t, cfg)
	prof := profile(t)
	limits, err := device.ParseLimits(dial(t, m.Addr()).registers(0x754B, 40))
	if err != nil {
		t.Fatal(err)
	}
	var outs, ins int
	for r := range m.Records(sim.LogAlarm) {
		a, err := prof.Layouts.Alarm.Parse(r.Raw)
		if err != nil {
			t.Fatal(err)
		}
		l := limits[a.Limit]
		if a.Out {
			outs++
			if a.Below && a.Count > l.BelowSet || !a.Below && a.Count < l.AboveSet {
				t.Errorf("limit %d out at %d, its setpoints are %+v", a.Limit+1, a.Count, l)
			}
		} else {
			ins++
		}
	}
	if outs <= ins {
		t.Errorf("%d outs, %d returns: those of the power losses have none", outs, ins)
	}
	for r := range m.Records(sim.LogSystem) {
		rec, err := device.ParseSystem(r.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if e := prof.Layouts.System.Event(rec); e.Type != r.System {
			t.Errorf("%s: the driver says %s, the meter meant %s", r.Time, e.Description, r.System)
		}
	}
	var present uint16
	worst := map[time.Time]float64{}
	for _, e := range m.PQEvents() {
		worst[e.Start] = max(worst[e.Start], e.Worst)
	}
	for r := range m.Records(sim.LogPQ) {
		rec, err := prof.Layouts.PQ.Parse(r.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Millis != r.Time.Nanosecond()/1e6 {
			t.Errorf("%s: cycle tag %d", r.Time, rec.Millis)
		}
		if rec.Event != 0 && present^rec.Event != rec.Present && present != 0 && rec.Present&rec.Event == 0 {
			t.Errorf("%s: states %b to %b by %b", r.Time, present, rec.Present, rec.Event)
		}
		present = rec.Present
		if rec.Present&rec.Event == 0 {
			continue
		}
		var volts float64
		for ph := range 3 {
			for _, counts := range [...]uint16{rec.Surge[ph], rec.Sag[ph]} {
				volts = max(volts, prof.Layouts.Waveform.Primary(float64(counts), rec.Calibration[ph], 277.0/120))
			}
		}
		if math.Abs(volts-worst[r.Time]) > 0.2 {
			t.Errorf("%s: the record says %.2f V, the event %.2f V", r.Time, volts, worst[r.Time])
		}
	}
	checkCaptures(t, m, prof)
}

func checkCaptures(t *testing.T, m *sim.Meter, prof *device.Profile) {
	t.Helper()
	setup := device.Setup{CTNumerator: 400, CTMultiplier: 1, CTDenominator: 5, PTNumerator: 277, PTMultiplier: 1, PTDenominator: 120}
	var truth []sim.Recording
	for r := range m.Recordings() {
		truth = append(truth, r)
	}
	var records [][]byte
	n := 0
	for r, err := range m.Records(sim.LogWaveform) {
		if err != nil {
			t.Fatal(err)
		}
		if records = append(records, r.Raw); len(records) < device.WaveRecords {
			continue
		}
		c, err := device.AssembleCapture(records)
		if err != nil {
			t.Fatal(err)
		}
		want := truth[n]
		n++
		records = nil
		second := logdb.MillisOf(r.Time.Truncate(time.Second))
		w, first, err := prof.Layouts.Waveform.Recording(c, setup, second, 8)
		if err != nil {
			t.Fatal(err)
		}
		if !w.TriggerTime.Time().Equal(want.Trigger) || first.Time().Sub(want.First).Abs() > time.Millisecond || len(w.Triggers) == 0 {
			t.Errorf("capture at %s from %s by %q, want %s from %s", w.TriggerTime.Time(), first.Time(), w.Triggers, want.Trigger, want.First)
		}
		for i, ch := range w.Channels {
			if ch.Name != want.Channels[i].Name {
				t.Fatalf("channel %q, want %q", ch.Name, want.Channels[i].Name)
			}
			for k, v := range ch.Samples {
				if math.Abs(v-want.Channels[i].Samples[k]) > 1e-9*math.Abs(v) {
					t.Fatalf("%s sample %d: %v, want %v", ch.Name, k, v, want.Channels[i].Samples[k])
				}
			}
			if got, want := w.RMS[i].Value, rms(ch.Samples[512:576]); math.Abs(got-want) > 0.001*want+3 { // the header has whole counts
				t.Errorf("%s: RMS of the trigger cycle %v, of the samples %v", ch.Name, got, want)
			}
		}
	}
	if n != len(truth) || n == 0 {
		t.Errorf("%d captures read, %d made", n, len(truth))
	}
}
