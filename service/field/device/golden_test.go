package device_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"metermanager/service/field/device"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decode reads one point of a type from register bytes.
func decode(t *testing.T, typ, order string, scale string, b []byte) device.Reading {
	t.Helper()
	doc := `{"schema":1,"id":"test-meter","vendor":"v","model":"m","source":"s","kind":"registers","address_base":0,
"defaults":{"fc":3,"order":"` + order + `","max_regs":125,"gap":0,"timeout_ms":1000,"request_delay_ms":0,"retries":0},
"identify":[],"points":[{"name":"a","addr":0,"type":"` + typ + `"` + scale + `}],"write_allow":[],"logs":[]}`
	p, err := device.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	img := device.NewImage(3)
	img.Put(3, 0, b)
	return p.Decode(p.Points, img)[0]
}

func TestGoldenValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, typ, order, extra, bytes string
		want                           float64
		quality                        device.Quality
	}{
		{"f32 ABCD", "f32", "ABCD", "", "42F0 8000", 120.25, device.Good},
		{"f32 ABCD again", "f32", "ABCD", "", "4366 8000", 230.5, device.Good},
		{"s32 CDAB tenths", "s32", "CDAB", `,"scale":0.1`, "FB2E FFFF", -123.4, device.Good},
		{"s64 ABCD", "s64", "ABCD", "", "0000 0000 075B CD15", 123456789, device.Good},
		{"f32 DCBA", "f32", "DCBA", "", "0080 F042", 120.25, device.Good},
		{"f32 BADC", "f32", "BADC", "", "F042 0080", 120.25, device.Good},
		{"s64 CDAB", "s64", "CDAB", "", "CD15 075B 0000 0000", 123456789, device.Good},
		{"the sign is the direction", "s32", "ABCD", `,"magnitude":true`, "FFFF FF85", 123, device.Good},
		{"no sign", "s32", "ABCD", `,"magnitude":true`, "0000 007B", 123, device.Good},
		{"NaN", "f32", "ABCD", "", "7FC0 0000", math.NaN(), device.Invalid},
		{"infinity", "f32", "ABCD", "", "7F80 0000", math.NaN(), device.Invalid},
		{"sentinel", "s16", "ABCD", `,"invalid":["8000"]`, "8000", math.NaN(), device.Invalid},
		{"over its range", "u16", "ABCD", `,"max":70`, "0100", 256, device.OutOfRange},
		{"short", "f32", "ABCD", "", "42F0", math.NaN(), device.NoData},
	} {
		r := decode(t, tc.typ, tc.order, tc.extra, unhex(t, tc.bytes))
		if r.Quality != tc.quality || r.Value != tc.want && !(math.IsNaN(r.Value) && math.IsNaN(tc.want)) {
			t.Errorf("%s: %v (%s), want %v (%s)", tc.name, r.Value, r.Quality, tc.want, tc.quality)
		}
		if r.Magnitude != strings.Contains(tc.extra, "magnitude") {
			t.Errorf("%s: taken without its sign: %t", tc.name, r.Magnitude)
		}
	}
	for _, bits := range []uint32{0x42FAAACF, 0x42FAAD18, 0x42FAA9A8} { // MP200: 125.33
		v := device.Float32(math.Float32frombits(bits))
		if math.Float32bits(float32(v)) != bits || math.Abs(v-125.33) > 0.02 {
			t.Errorf("%08x gives %v", bits, v)
		}
	}
}

func TestGoldenTStamp(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"06 07 17 10 15 11": "2006-07-23 16:21:17",
		"31 0A 0C 49 23 07": "2049-10-12 09:35:07 DST",
		"86 F7 F7 B0 D5 D1": "2006-07-23 16:21:17", // state bits above the masks
	} {
		got, err := device.ParseTStamp(unhex(t, in))
		if err != nil || got.String() != want {
			t.Errorf("%s is %v, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"06 00 17 10 15 11", "06 0D 17 10 15 11", "06 07 00 10 15 11", "06 02 1E 10 15 11", "06 07 17 18 15 11", "06 07 17 10 3C 11", "06 07"} {
		if got, err := device.ParseTStamp(unhex(t, in)); err == nil {
			t.Errorf("%s is taken for %v", in, got)
		}
	}
	at := time.Date(2049, 10, 12, 9, 35, 7, 0, time.FixedZone("no dst", 0))
	if b := device.AppendTStamp(nil, at); !bytes.Equal(b, unhex(t, "31 0A 0C 09 23 07")) {
		t.Errorf("% x", b)
	}
}

func TestGoldenStatus(t *testing.T) {
	t.Parallel()
	b := unhex(t, "00000100 00000064 0012 0002 060717101511 060718101511 0000000000000000")
	s, err := device.ParseStatus(b)
	if err != nil || s.Max != 256 || s.Used != 100 || s.RecordSize != 18 || s.Availability != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	first, _ := device.ParseTStamp(s.First[:])
	last, _ := device.ParseTStamp(s.Last[:])
	if first.String() != "2006-07-23 16:21:17" || last.String() != "2006-07-24 16:21:17" {
		t.Errorf("from %v to %v", first, last)
	}
	if got := s.Append(nil); !bytes.Equal(got, b) {
		t.Errorf("encoded % x", got)
	}
	if err := s.Check(18); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]device.LogStatus{
		"size 0": {Max: 10, Used: 1}, "size 971": {Max: 10, Used: 1, RecordSize: 971}, "max 0": {Used: 1, RecordSize: 18},
		"used over max": {Max: 10, Used: 11, RecordSize: 18}, "used 0": {Max: 10, RecordSize: 18}, "disabled": {Max: 10, Used: 1, RecordSize: 18, Availability: 0xFFFF},
		"other size": {Max: 10, Used: 1, RecordSize: 20},
	} {
		if bad.Check(18) == nil {
			t.Errorf("%s: nothing wrong is seen in %+v", name, bad)
		}
	}
}

func TestGoldenSessionBytes(t *testing.T) {
	t.Parallel()
	if got := device.EngageWord(2, device.ScopeNormal); got != 0x0280 {
		t.Errorf("engage historical 1: %#04x, the manual writes 0x0280", got)
	}
	if got := device.WindowSetup(13, 1, 0); !bytes.Equal(got, unhex(t, "0D01 0000 0000")) {
		t.Errorf("window setup % x", got)
	}
	for size, want := range map[int]int{30: 8, 18: 13, 14: 17, 10: 24, 6: 41, 970: 1} {
		if got := device.RecordsPerWindow(size); got != want {
			t.Errorf("%d records of %d bytes in a window, the manual says %d", got, size, want)
		}
	}
	// MP200: ready, index 0, the filler, then 2012-07-23 16:22:00 with three floats.
	w, err := device.ParseWindow(unhex(t, "00000000 0C0717101511 FFFFFFFFFFFFFFFFFFFFFFFF 0C0717101600 42FAAACF 42FAAD18 42FAA9A8"))
	if err != nil || !w.Ready || w.Index != 0 {
		t.Fatalf("%+v, %v", w, err)
	}
	if !device.IsFiller(w.Record(0, 18)) || device.IsFiller(w.Record(1, 18)) || w.Record(2, 18) != nil {
		t.Error("the filler is not told from the record")
	}
	at, err := device.ParseTStamp(w.Record(1, 18))
	if err != nil || at.String() != "2012-07-23 16:22:00" {
		t.Errorf("%v, %v", at, err)
	}
	if w, _ := device.ParseWindow(unhex(t, "FF000102 00")); w.Ready || w.Index != 0x102 {
		t.Errorf("not ready at 258 is read as %+v", w)
	}
}

// The manual prints limit 7 at 0x7569 and limit 8 at 0x756E of the block at 0x754B.
func TestGoldenLimitSettings(t *testing.T) {
	t.Parallel()
	block := make([]byte, 2*device.LimitSettingsRegs)
	copy(block[2*(0x7569-0x754B):], unhex(t, "03F9 03E8 03D4 FC18 FC2C"))
	copy(block[2*(0x756E-0x754B):], unhex(t, "0401 041A 0406 0384 0398"))
	got, err := device.ParseLimits(block)
	if err != nil || len(got) != 8 {
		t.Fatalf("%+v, %v", got, err)
	}
	if want := (device.LimitSetting{Addr: 0x03F9, AboveSet: 1000, AboveReturn: 980, BelowSet: -1000, BelowReturn: -980}); got[6] != want {
		t.Errorf("limit 7 is %+v", got[6])
	}
	if want := (device.LimitSetting{Addr: 0x0401, AboveSet: 1050, AboveReturn: 1030, BelowSet: 900, BelowReturn: 920}); got[7] != want {
		t.Errorf("limit 8 is %+v", got[7])
	}
}

func TestGoldenWaveHeader(t *testing.T) {
	t.Parallel()
	b := unhex(t, "01 80 06 00 00 47 02 00 00 00 07 FF 07 4C 00 26 00 21 00 20 00 22 00 25 D3 21 19 6C 1C B0 02 64 D3 AA 1A F3")
	h, err := device.ParseWaveHeader(b)
	if err != nil || h.RateCode != 6 || h.Capture != 0x47 || h.FirstSample != 0 || h.LastSample != 0x07FF {
		t.Fatalf("%+v, %v", h, err)
	}
	if h.Calibration[0] != 54049 || h.Calibration[1] != 6508 || h.Calibration[5] != 6899 {
		t.Errorf("calibration %v, want Va 54049, Ia 6508, Ic 6899", h.Calibration)
	}
	if got := h.Append(nil); !bytes.Equal(got, b) {
		t.Errorf("encoded % x", got)
	}
	l := shark(t).Layouts.Waveform
	if n := l.SamplesPerCycle(6); n != 64 {
		t.Errorf("%d samples a cycle, the manual says 64", n)
	}
	// The dump's trigger cycle: 1868 counts are about 101 V with the divisor of the profile.
	if v := l.Primary(float64(h.RMS[0]), h.Calibration[0], 1); v < 90 || v > 130 {
		t.Errorf("the dump's Volts A are %v", v)
	}
}

func TestEnergyFormatAndSetup(t *testing.T) {
	t.Parallel()
	f := device.EnergyFormat{PowerScale: 3, Digits: 8, Prefix: 3, Decimals: 2}
	if got := device.ParseEnergyFormat(f.Register()); got != f || f.Register() != 0x3332 {
		t.Errorf("%#04x is %+v", f.Register(), got)
	}
	if v := device.Pow10(797402.4, f.Exponent()); v != 7974024 {
		t.Errorf("%v", v)
	}
	s := device.Setup{CTNumerator: 2000, CTMultiplier: 1, CTDenominator: 5, PTNumerator: 144, PTMultiplier: 1000, PTDenominator: 120, Hookup: device.HookupDelta, Energy: f}
	if got := device.ParseSetup(s.Registers()); got != s {
		t.Errorf("%+v", got)
	}
	for reg, want := range map[uint16]string{0x0100: "wye", 0x0101: "delta-2ct", 0x0102: "wye-2.5el", 0x0103: "wye-2.5el", 0x0104: ""} { // 0x0103: IQ 150S, MM-6
		if got := device.ParseSetup(0x0501, 400, 277, 120, reg, 0x3332).HookupName(); got != want {
			t.Errorf("hookup of register %#04x is %q, want %q", reg, got, want)
		}
	}
	if s.CTRatio() != 400 || s.PTRatio() != 1200 || s.VoltageFullScale() != 144000 || math.Abs(s.FullScale("readings.power.watts", 60)/(144000*2000*3*math.Sqrt(3))-1) > 1e-12 {
		t.Errorf("ratios %v %v, full scale %v", s.CTRatio(), s.PTRatio(), s.VoltageFullScale())
	}
}

func TestPlannerOfTheReference(t *testing.T) {
	t.Parallel()
	p := shark(t)
	var basic []device.Point
	for _, x := range p.Points {
		if x.Addr >= 0x03E7 && x.Addr <= 0x0403 {
			basic = append(basic, x)
		}
	}
	got := p.Plan(basic, 0)
	if len(got) != 1 || got[0] != (device.Request{FC: 3, Addr: 0x03E7, Count: 30}) {
		t.Errorf("the Shark's readings take %+v, want [0x03E7,30]", got)
	}
	halves := p.Halve(got[0], basic)
	if len(halves) != 2 || halves[0].Count+halves[1].Count != 30 {
		t.Errorf("halves %+v", halves)
	}
	for i := 1; i < len(basic); i++ {
		basic[i-1], basic[len(basic)-1] = basic[len(basic)-1], basic[i-1]
	}
	if again := p.Plan(basic, 0); again[0] != got[0] {
		t.Errorf("another order of points gives %+v", again)
	}
	if small := p.Plan(basic, 8); len(small) != 4 {
		t.Errorf("with 8 registers at most: %+v", small)
	}
}
