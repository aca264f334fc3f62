package device_test

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/service/field/device"
)

func nexus(t testing.TB) *device.Profile {
	t.Helper()
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	p, ok := set.Get("eig-nexus-1252")
	if !ok {
		t.Fatal("no profile eig-nexus-1252")
	}
	return p
}

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// manualHeader is the header of the worked example of GEK-113017, 5.1.3: records of 64 bytes, oldest 501, newest 500, of 28928.
const manualHeader = "001C4000" + "0040" + "01F5" + "01F4" + "1363070A0C200000" + "1363071E0E280000" + "FFFC000000000000" + "7100"

// TestRingManualExample: the figures that the manual works out.
func TestRingManualExample(t *testing.T) {
	t.Parallel()
	h, err := device.ParseRingHeader(bytesOf(t, manualHeader))
	if err != nil {
		t.Fatal(err)
	}
	if h.MemoryBytes != 1851392 || h.RecordSize != 64 || h.First != 501 || h.Last != 500 || h.Max != 28928 || h.Used() != 28928 || h.Check(64) != nil {
		t.Errorf("header %+v holds %d records, %v", h, h.Used(), h.Check(64))
	}
	if got := hex.EncodeToString(h.Append(nil)); got != hexLower(manualHeader) {
		t.Errorf("packed again: %s", got)
	}
	for _, tc := range []struct {
		stamp [8]byte
		want  string
	}{{h.FirstStamp, "1999-07-10 12:32:00"}, {h.LastStamp, "1999-07-30 14:40:00"}} {
		if ts, err := device.ParseTStamp8(tc.stamp[:]); err != nil || ts.String() != tc.want {
			t.Errorf("% x is %v, %v; want %s", tc.stamp, ts, err, tc.want)
		}
	}
	// All records from the oldest on: from window 250, offset 64, up to the end of the memory at 14464, then from 0 up to window 250, offset 64.
	spans := h.Spans(501, h.Used())
	if len(spans) != 2 || spans[0].From != 250*128+64 || spans[0].To != 14464*128 || spans[1].From != 0 || spans[1].To != 250*128+64 {
		t.Errorf("spans %+v", spans)
	}
	if first, end := spans[0].Windows(); first != 250 || end != 14464 {
		t.Errorf("windows %d to %d, want 250 to 14464", first, end)
	}
	if first, end := spans[1].Windows(); first != 0 || end != 251 {
		t.Errorf("windows %d to %d, want 0 to 251", first, end)
	}
}

func hexLower(s string) string {
	b, _ := hex.DecodeString(s)
	return hex.EncodeToString(b)
}

// TestRingFormats: the printed examples of the formats F7 and F60, and packed digits as F19 describes them.
func TestRingFormats(t *testing.T) {
	t.Parallel()
	p := nexus(t)
	for _, tc := range []struct {
		addr  device.Addr
		bytes string
		want  float64
	}{
		{152, "00014000", 1.25}, {152, "FFFEC000", -1.25},
		{53266, "04D2162E", 12_345_678_000}, {53266, "0000270F", 9_999_000},
		{2849, "0000000012345678", 12_345_678}, {2849, "9999999999999999", 9_999_999_999_999_999},
		{53266, "27100000", math.NaN()}, {2849, "000000000000000A", math.NaN()},
	} {
		x, ok := p.PointAt(tc.addr)
		if !ok {
			t.Fatalf("no point at %s", tc.addr)
		}
		img := device.NewImage(3)
		img.Put(3, tc.addr, bytesOf(t, tc.bytes))
		r := p.Decode([]device.Point{x}, img)[0]
		if r.Value != tc.want && !(math.IsNaN(tc.want) && r.Quality == device.Invalid) {
			t.Errorf("%s at %s is %v (%s), want %v", tc.bytes, tc.addr, r.Value, r.Quality, tc.want)
		}
	}
}

// TestRingStamps: flags are told apart from the time, and do not disturb the order.
func TestRingStamps(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]device.TStamp{
		"1419071E0E280063": {Year: 2025, Month: 7, Day: 30, Hour: 14, Minute: 40, Hundredth: 99},
		"1419071E0E288000": {Year: 2025, Month: 7, Day: 30, Hour: 14, Minute: 40, Partial: true},
		"1419071E0EA80000": {Year: 2025, Month: 7, Day: 30, Hour: 14, Minute: 40, Partial: true},
		"1419071E0E680000": {Year: 2025, Month: 7, Day: 30, Hour: 14, Minute: 40, RolledBack: true},
		"1419071E0E280080": {Year: 2025, Month: 7, Day: 30, Hour: 14, Minute: 40, Apart: true},
	} {
		if got, err := device.ParseTStamp8(bytesOf(t, text)); err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "1419071E0E2800", "1419021E0E280000", "14190D010E280000", "1419071E18280000", "1419071E0E3C0000", "FFFFFFFFFFFFFFFF", "5555555555555555"} {
		if got, err := device.ParseTStamp8(bytesOf(t, bad)); err == nil {
			t.Errorf("%s is %v, want an error", bad, got)
		}
	}
	log, _ := nexus(t).LogOf("hist1")
	a, b := bytesOf(t, "1419071E0EA80000"), bytesOf(t, "1419071E0E290000")
	if slices.Compare(log.StampOrder(a), log.StampOrder(b)) >= 0 {
		t.Error("a flagged time does not come before a later one")
	}
	at := time.Date(2025, 7, 30, 14, 40, 1, 990_000_000, time.UTC)
	if got, err := device.ParseTStamp8(device.AppendTStamp8(nil, at)); err != nil || device.NewClock(time.UTC, 0, false).UTC(got) != logdb.MillisOf(at) {
		t.Errorf("%v comes back as %v, %v", at, got, err)
	}
}

// TestRingGain: the printed example of a sample: 4660 with the gain 27650004 is 120 V.
func TestRingGain(t *testing.T) {
	t.Parallel()
	lay := nexus(t).Layouts.Ring.Wave
	if v := lay.Secondary(4660, 27650004); math.Abs(v-120) > 1e-6 {
		t.Errorf("%v V, want 120", v)
	}
	lay.GainDivisor = 32768 // 300 V hardware
	if v := lay.Secondary(4660, 27650004); math.Abs(v-240) > 1e-5 {
		t.Errorf("%v V, want 240", v)
	}
}

// TestRingWaveform puts a recording together and reads it again; 0x38B84000 squared is the printed 120.5 V.
func TestRingWaveform(t *testing.T) {
	t.Parallel()
	lay := nexus(t).Layouts.Ring.Wave
	trigger := time.Date(2025, 7, 30, 14, 40, 1, 480_000_000, time.UTC)
	timing := trigger.Add(-10 * time.Millisecond)
	in := device.RingTrigger{Millis: 3, CycleSamples: 64, Below: 0x8000, BelowDelta: 0x8000, AboveDelta: 0x0800, TimingMillis: 7, TimingIndex: 512,
		Gains: [8]uint32{27650004, 27650004, 27650004, 1, 65536, 65536, 65536, 1}}
	in.RMS[0] = 0x38B84000
	var channels [6][]int16
	for c := range channels {
		channels[c] = make([]int16, device.RingSampleSets)
		for k := range channels[c] {
			channels[c][k] = int16(1000*c + k)
		}
	}
	rec := in.Append(nil, device.AppendTStamp8(nil, trigger), device.AppendTStamp8(nil, timing))
	r, err := device.ParseRingTrigger(rec)
	if err != nil {
		t.Fatal(err)
	}
	at := logdb.MillisOf(trigger)
	w, start, err := lay.Recording(r, device.AppendRingSamples(nil, channels), at, at+logdb.Millis(r.Timing.Sub(r.Time).Milliseconds()))
	if err != nil {
		t.Fatal(err)
	}
	if want := logdb.MillisOf(timing) + 7 - 133; start != want || w.TriggerTime != at+3 {
		t.Errorf("begins at %d and was triggered at %d, want %d and %d", start, w.TriggerTime, want, at+3)
	}
	names := []string{"Ia", "Ib", "Ic", "Van_Vab", "Vbn_Vbc", "Vcn_Vca"}
	for i, c := range w.Channels {
		if want := float64(int16(1000*i+7)) / 16384; c.Name != names[i] || i < 3 && c.Samples[7] != want {
			t.Errorf("channel %d is %s with %v, want %s with %v", i, c.Name, c.Samples[7], names[i], want)
		}
	}
	if w.RMS[3].Name != "Van" || math.Abs(w.RMS[3].Value-120.5) > 1e-9 {
		t.Errorf("RMS %+v, want 120.5 V", w.RMS[3])
	}
	if want := []string{"Ia=Surge_end", "Van=Sag_start"}; !slices.Equal(w.Triggers, want) {
		t.Errorf("triggers %q, want %q", w.Triggers, want)
	}
	in.CycleSamples = 256
	if _, _, err := lay.Recording(in, device.AppendRingSamples(nil, channels), at, at); err == nil {
		t.Error("a rate whose order of channels is not known was decoded")
	}
}

// TestRingProgram: values behind a pointer that the profile does not know are not decoded, those before are; test mode leaves no values.
func TestRingProgram(t *testing.T) {
	t.Parallel()
	p := nexus(t)
	program := device.RingProgram{Size: 32, Pointers: []device.RingPointer{{Line: 11, Point: 1}, {Line: 11, Point: 0}, {Line: 77}, {Line: 11, Point: 2}}}
	again, err := device.ParseRingProgram(program.Append(nil))
	if err != nil || again.Size != 32 || !slices.Equal(again.Pointers, program.Pointers) {
		t.Fatalf("program %+v, %v", again, err)
	}
	dec := p.RingHistoryDecoder(again)
	if want := []logdb.ChannelKey{"readings.voltage.bn", "readings.voltage.an"}; !slices.Equal(dec.Channels, want) {
		t.Fatalf("channels %q, want %q", dec.Channels, want)
	}
	rec := make([]byte, 32)
	copy(rec, device.AppendTStamp8(nil, at))
	binary.BigEndian.PutUint32(rec[8:], 120<<16|0x8000)
	copy(rec[12:], []byte{0x55, 0x55, 0x55, 0x55})
	row := make([]float64, 2)
	if _, err := dec.Decode(rec, row); err != nil || row[0] != 120.5 || math.Abs(row[1]-0x5555) > 1 {
		t.Errorf("row %v, %v", row, err)
	}
	rec[7] |= 0x80
	if _, err := dec.Decode(rec, row); err != nil || row[0] != 120.5 || !math.IsNaN(row[1]) {
		t.Errorf("in test mode: row %v, %v", row, err)
	}
	if _, err := dec.Decode(rec[:31], row); err == nil {
		t.Error("a short record was decoded")
	}
}

func TestRingSystemEvents(t *testing.T) {
	t.Parallel()
	lay := nexus(t).Layouts.Ring.System
	for text, want := range map[string]logdb.SystemType{
		"0000": logdb.SystemPowerLoss, "0001": logdb.SystemStartUp, "0103": logdb.SystemUserConfig, "0104": logdb.SystemUserLogin,
		"02AB": logdb.SystemSettingsChange, "0301": logdb.SystemFirmware, "0400": logdb.SystemTimeChanged, "0609": logdb.SystemLogRetrieval,
		"0700": logdb.SystemOther, "0900": logdb.SystemOther,
	} {
		r, err := device.ParseRingSystem(append(device.AppendTStamp8(nil, at), bytesOf(t, text+"000000000000")...))
		if err != nil || lay.RingEvent(r).Type != want {
			t.Errorf("%s is %v, %v; want %v", text, lay.RingEvent(r), err, want)
		}
	}
}

func FuzzRing(f *testing.F) {
	p := nexus(f)
	l := p.Layouts.Ring
	f.Add(bytesOf(f, manualHeader))
	f.Add(device.AppendTStamp8(nil, at))
	f.Add(device.RingProgram{Size: 64, Pointers: []device.RingPointer{{Line: 11}}}.Append(nil))
	f.Add(device.RingTrigger{CycleSamples: 64}.Append(nil, device.AppendTStamp8(nil, at), device.AppendTStamp8(nil, at)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if ts, err := device.ParseTStamp8(b); err == nil {
			device.NewClock(time.UTC, 0, false).UTC(ts)
		}
		if h, err := device.ParseRingHeader(b); err == nil && h.Check(0) == nil && !h.Disabled() && h.Used() > 0 {
			n := 0
			for _, s := range h.Spans(int(h.First), h.Used()) {
				n += s.To - s.From
			}
			if h.Used() > int(h.Max) || n != h.Used()*int(h.RecordSize) {
				t.Errorf("header %+v: %d records in %d bytes", h, h.Used(), n)
			}
		}
		if r, err := device.ParseRingSystem(b); err == nil {
			l.System.RingEvent(r)
		}
		_, _ = device.ParseRingLimit(b)
		_, _ = device.ParseRingLimits(b)
		if r, err := l.PQ.Parse(b); err == nil {
			r.Channels()
		}
		if r, err := device.ParseRingTrigger(b); err == nil {
			_, _, _ = l.Wave.Recording(r, make([]byte, device.RingSamplesSize), 0, 0)
		}
		if g, err := device.ParseRingProgram(b); err == nil {
			dec := p.RingHistoryDecoder(g)
			_, _ = dec.Decode(make([]byte, g.Size), make([]float64, len(dec.Channels)))
		}
	})
}
