package device_test

import (
	"encoding/binary"
	"encoding/hex"
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
	f.Add(append(device.AppendTStamp8(device.AppendTStamp8(nil, at), at), make([]byte, 16)...))
	flicker := device.NewRingFlicker(*l.Flicker)
	raw, _ := p.LogOf("reset")
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
		if dec, err := flicker.Of(b); err == nil {
			_, _ = dec.Decode(b, make([]float64, len(dec.Channels)))
		}
		_, _, _ = raw.RingRaw(b)
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

// TestRingFlickerRecords: two records written by hand after the manual's table: the short and the long one of 2025-07-30 14:00, written a second and two
// later. The time of a row is the end of its interval, which comes second.
func TestRingFlickerRecords(t *testing.T) {
	t.Parallel()
	p := nexus(t)
	log, ok := p.LogOf("flicker")
	if !ok {
		t.Fatal("no log of flicker")
	}
	const (
		short = "1419071E0E000100" + "1419071E0E000000" + "00008000" + "00010000" + "FFFF8000" + "00" + "000000"
		long  = "1419071E0E000200" + "1419071E0E000000" + "00018000" + "00020000" + "00000000" + "01" + "000000"
	)
	d := device.NewRingFlicker(*p.Layouts.Ring.Flicker)
	for text, want := range map[string]struct {
		channel logdb.ChannelKey
		values  []float64
	}{short: {"flicker.pst.a", []float64{0.5, 1, -0.5}}, long: {"flicker.plt.a", []float64{1.5, 2, 0}}} {
		rec := bytesOf(t, text)
		dec, err := d.Of(rec)
		if err != nil || dec.Channels[0] != want.channel || len(dec.Channels) != 3 {
			t.Fatalf("%s: %v, %v", text, dec, err)
		}
		row := make([]float64, 3)
		at, err := dec.Decode(rec, row)
		if err != nil || at.String() != "2025-07-30 14:00:00" || !slices.Equal(row, want.values) {
			t.Errorf("%s: %v at %v, %v; want %v", text, row, at, err, want.values)
		}
		if alone, err := log.ParseStamp(rec); err != nil || alone != at {
			t.Errorf("%s: the log says %v, %v, the row %v", text, alone, err, at)
		}
	}
	a, b := bytesOf(t, short), bytesOf(t, long)
	marked := bytesOf(t, short)
	marked[7], marked[14], marked[15] = 0x81, 0x80, 0x80
	if log.SameFlicker(a, b) || !log.SameFlicker(a, marked) {
		t.Error("a short and a long record are taken for one, or marks for a time")
	}
	if slices.Compare(log.StampOrder(a), log.StampOrder(b)) != 0 || len(log.StampOrder(a[:8])) != 8 || log.StampOrder(a[:8])[6] != 1 {
		t.Error("records of one time are in an order, or the time of a header is not read")
	}
	for _, bad := range []string{short[:62], short[:56] + "02" + "000000", long + "00"} {
		if _, err := d.Of(bytesOf(t, bad)); err == nil {
			t.Errorf("%s was taken for a record of flicker", bad)
		}
	}
	bad := bytesOf(t, short)
	bad[10] = 13
	if dec, err := d.Of(bad); err != nil {
		t.Error(err)
	} else if _, err := dec.Decode(bad, make([]float64, 3)); err == nil {
		t.Error("a thirteenth month was decoded")
	}
}

// TestRingRawRecords: of a record that no document lays out the time is read and the bytes are shown, however long it is.
func TestRingRawRecords(t *testing.T) {
	t.Parallel()
	log, ok := nexus(t).LogOf("digital_input")
	if !ok {
		t.Fatal("no log of digital inputs")
	}
	// The mark of a record that does not follow on the one before is no part of the hundredth, 0x63.
	at, ev, err := log.RingRaw(bytesOf(t, "1419071E0E2801E3"+"80FF00000000A55A"))
	if err != nil || at.String() != "2025-07-30 14:40:01.99" || !at.Apart || ev.Type != logdb.SystemOther || ev.Description != "digital input, not decoded: 80 ff 00 00 00 00 a5 5a" {
		t.Errorf("%v, %+v, %v", at, ev, err)
	}
	rec := append(bytesOf(t, "1419071E0E280100"), make([]byte, 248)...)
	if _, ev, err := log.RingRaw(rec); err != nil || len(ev.Description) > 260 || !strings.HasSuffix(ev.Description, "00 ... (248 bytes, kept whole)") {
		t.Errorf("%+v, %v", ev, err)
	}
	for _, bad := range []string{"", "1419071E0E2801", "1419071E19280100" + "00"} {
		if _, ev, err := log.RingRaw(bytesOf(t, bad)); err == nil {
			t.Errorf("%q is %+v", bad, ev)
		}
	}
	h := device.RingHeader{MemoryBytes: 4096, RecordSize: 12, First: 0, Last: 3, Max: 100}
	if err := h.Check(0); err != nil {
		t.Errorf("records of 12 bytes: %v", err)
	}
	if h.RecordSize = 8; h.Check(0) == nil {
		t.Error("a record of nothing but its time is read")
	}
}

// TestRingProfileRules: what a profile with these logs must say.
func TestRingProfileRules(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(assets.Profiles(), "eig-nexus-1252.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ old, new, want string }{
		{`"flicker": {"unverified": true, "scale": 1.52587890625e-05}`, `"flicker": {"unverified": true, "scale": 0}`, "scale"},
		{`,
      "flicker": {"unverified": true, "scale": 1.52587890625e-05}`, ``, "layouts.ring.flicker"},
		{`{"name": "digital_input", "kind": "system", "log": 2`, `{"name": "digital_input", "kind": "system", "log": 3`, "both are system log 3"},
		{`{"name": "digital_input", "kind": "system", "log": 2`, `{"name": "digital_input", "kind": "historical", "log": 9`, "of the kind system"},
		{`{"name": "flicker", "kind": "historical", "log": 2`, `{"name": "flicker", "kind": "system", "log": 9`, "of the kind historical"},
	} {
		if strings.Count(string(text), tc.old) != 1 {
			t.Fatalf("the profile does not hold %s", tc.old)
		}
		_, err := device.Parse([]byte(strings.Replace(string(text), tc.old, tc.new, 1)))
		if !errors.Is(err, device.ErrProfile) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.new, err, tc.want)
		}
	}
}
