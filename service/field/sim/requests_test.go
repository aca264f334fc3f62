package sim_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"metermanager/service/field/sim"
)

// TestRequests checks the limits of each function code.
func TestRequests(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(24 * time.Hour)
	p := dial(t, start(t, cfg).Addr())
	for request, want := range map[string]string{
		"03 0000 0000":             "8303",
		"03 0000 007E":             "8303",
		"03 FFFF 0002":             "8302",
		"03 FFFF 0001":             "03020000", // not in the map: 0
		"03 0000":                  "8303",
		"04 0000 0001":             "8401",
		"2B 0E 01 00":              "ab01",
		"11":                       "9101",
		"06 1234 5678":             "0612345678", // accepted, does nothing
		"10 1234 0001 02 5678":     "1012340001",
		"10 1234 0001 04 5678":     "9003",
		"10 1234 0000 00":          "9003",
		"10 FFFF 0002 04 00000000": "9002",
		"23 0008 0001 00":          "a303",
		"23 0008 0001 09":          "a303",
		"23 1234 0002 02":          "2300080000000000000000",
	} {
		if got := hex.EncodeToString(p.do(request)); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

// TestUnits: another unit's requests are not answered.
func TestUnits(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(24 * time.Hour)
	cfg.Unit = 17
	p := dial(t, start(t, cfg).Addr())
	p.send("03 0000 0001") // unit 1
	if _, err := p.conn.Write(unhex(t, "0042 0000 0006 11 03 0000 0001")); err != nil {
		t.Fatal(err)
	}
	if tid, unit, pdu, err := p.receive(); err != nil || tid != 0x42 || unit != 17 || len(pdu) != 4 {
		t.Errorf("transaction %#x of unit %d: % x, %v", tid, unit, pdu, err)
	}
}

// TestHostileFrames: a frame that cannot be one ends the connection, and only that.
func TestHostileFrames(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(24 * time.Hour)
	m := start(t, cfg)
	for _, frame := range []string{"0001 0000 0000 01", "0001 0000 0001 01", "0001 0000 FFFF 01 03", "0001 1234 0006 01 03 0000 0001"} {
		p := dial(t, m.Addr())
		if _, err := p.conn.Write(unhex(t, frame)); err != nil {
			t.Fatal(err)
		}
		closed(0)(t, p, nil)
	}
	dial(t, m.Addr()).registers(0, 1)
}

// TestSunSpec walks the models as SunSpec clients do.
func TestSunSpec(t *testing.T) {
	t.Parallel()
	cfg, c := quiet(24 * time.Hour)
	cfg.Kind, cfg.Serial = sim.SunSpec, "SN-0042"
	m := start(t, cfg)
	p := dial(t, m.Addr())
	if got := string(p.registers(40000, 2)); got != "SunS" {
		t.Fatalf("marker %q", got)
	}
	models := map[uint16][]byte{}
	for addr := uint16(40002); ; {
		head := p.registers(addr, 2)
		id, n := binary.BigEndian.Uint16(head), int(binary.BigEndian.Uint16(head[2:]))
		if id == 0xFFFF {
			break
		}
		body := head
		for at := 2; at < n+2; at += 100 {
			body = append(body, p.registers(addr+uint16(at), min(100, n+2-at))...)
		}
		models[id] = body
		addr += uint16(n) + 2
	}
	if got := strings.TrimRight(string(models[1][100:132]), "\x00"); got != "SN-0042" {
		t.Errorf("serial %q", got)
	}
	ints, floats, now := models[203], models[213], m.At(c.now())
	if len(ints) != 2*107 || len(floats) != 2*126 {
		t.Fatalf("models of %d and %d bytes", len(ints), len(floats))
	}
	i16 := func(off int) float64 { return float64(int16(binary.BigEndian.Uint16(ints[2*off:]))) }
	f32 := func(off int) float64 { return float64(math.Float32frombits(binary.BigEndian.Uint32(floats[2*off:]))) }
	for _, x := range []struct {
		name             string
		off, scale, foff int
		want             float64
	}{
		{"A phase A", 3, 6, 4, now.Amps[0]}, {"V phase C", 10, 15, 16, now.Volts[2]}, {"V BC", 13, 15, 22, now.VoltsLL[1]},
		{"Hz", 16, 17, 26, now.Hertz}, {"W", 18, 22, 28, now.TotalWatts}, {"W phase B", 20, 22, 32, now.Watts[1]},
		{"VA", 23, 27, 36, now.TotalVA}, {"VAR phase A", 29, 32, 46, now.Vars[0]}, {"PF", 33, 37, 52, 100 * now.TotalPF},
	} {
		unit := math.Pow10(int(i16(x.scale)))
		if got := i16(x.off) * unit; math.Abs(got-x.want) > 0.51*unit {
			t.Errorf("203 %s: %v, the meter measures %v", x.name, got, x.want)
		}
		if got := f32(x.foff); math.Abs(got-x.want) > 1e-6*math.Abs(x.want) {
			t.Errorf("213 %s: %v, the meter measures %v", x.name, got, x.want)
		}
	}
	counts := float64(binary.BigEndian.Uint32(ints[2*46:])) * math.Pow10(int(i16(54)))
	want := math.Floor((312e9+float64(m.EnergyAt(c.now())[0]))/1e4) * 10
	if counts != want || math.Abs(f32(68)-want) > 32 {
		t.Errorf("Wh imported %v and %v, want %v", counts, f32(68), want)
	}
	if got := binary.BigEndian.Uint32(floats[2*62:]); got != 0x7FC00000 {
		t.Errorf("an energy that is not implemented: %#x", got)
	}
	for request, want := range map[string]string{"03 0000 0002": "8302", "04 9C40 0002": "8401", "06 9C40 0000": "8601", "03 9C40 0000": "8303"} {
		if got := hex.EncodeToString(p.do(request)); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

// TestMbpoll lets a Modbus client of other authors read identification and readings.
func TestMbpoll(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("mbpoll")
	if err != nil {
		t.Skip("SKIP mbpoll is not installed (Debian package mbpoll): the simulated meter was not read by a foreign client")
	}
	cfg, c := quiet(24 * time.Hour)
	cfg.Serial = "SIM0000000000042"
	m := start(t, cfg)
	_, port, _ := strings.Cut(m.Addr().String(), ":")
	poll := func(args ...string) string {
		args = append([]string{"-m", "tcp", "-p", port, "-a", "1", "-0", "-1", "-q"}, args...)
		out, err := exec.Command(path, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("mbpoll %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	var serial []byte
	for _, line := range strings.Split(poll("-r", "8", "-c", "8", "-t", "4:hex", "127.0.0.1"), "\n") {
		var addr, value int
		if _, err := fmt.Sscanf(line, "[%d]: 0x%X", &addr, &value); err == nil {
			serial = append(serial, byte(value>>8), byte(value))
		}
	}
	if string(serial) != cfg.Serial {
		t.Errorf("serial %q, want %q", serial, cfg.Serial)
	}
	now, values := m.At(c.now()), map[int]float64{}
	for _, line := range strings.Split(poll("-r", "999", "-c", "15", "-t", "4:float", "-B", "127.0.0.1"), "\n") {
		var addr int
		var value float64
		if _, err := fmt.Sscanf(line, "[%d]: %g", &addr, &value); err == nil {
			values[addr] = value
		}
	}
	for addr, want := range map[int]float64{0x03E7: now.Volts[0], 0x03F1: now.VoltsLL[2], 0x03F7: now.Amps[2], 0x03F9: now.TotalWatts, 0x0401: now.Hertz} {
		if got, ok := values[addr]; !ok || math.Abs(got-want) > 1e-5*math.Abs(want) {
			t.Errorf("register %#x: mbpoll reads %v, the meter measures %v", addr, got, want)
		}
	}
	if out := poll("-t", "4:hex", "-r", "49999", "127.0.0.1", "0x0280"); !strings.Contains(out, "Written 1 references") {
		t.Errorf("mbpoll write: %s", out)
	}
	if got := dial(t, m.Addr()).status(sim.LogHist1).port; got != 3 {
		t.Errorf("after mbpoll engaged the log it is in use by port %d", got)
	}
}

// FuzzAnswer gives the meter any request.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"03c351007d", "0300000016", "06c34f0280", "06c34f0b80", "10c350000306050100000000", "23c351007c04", "2303e7007d08", "03", "10c3500003ff"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	c := clockAt(epoch.Add(30 * time.Hour))
	m, err := sim.New(sim.Config{Seed: 1, Start: epoch, Now: c.now})
	if err != nil {
		f.Fatal(err)
	}
	s, err := sim.New(sim.Config{Seed: 1, Start: epoch, Now: c.now, Kind: sim.SunSpec})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, pdu []byte) {
		if len(pdu) == 0 || len(pdu) > 253 {
			return
		}
		request := bytes.Clone(pdu)
		for _, meter := range []*sim.Meter{m, s} {
			answer := meter.Answer(pdu)
			if !bytes.Equal(request, pdu) {
				t.Fatal("the request was changed")
			}
			switch {
			case len(answer) == 2 && answer[0] == pdu[0]|0x80 && answer[1] > 0:
			case len(answer) < 2 || answer[0] != pdu[0]:
				t.Fatalf("% x answered with % x", pdu, answer)
			case pdu[0] == 3 && int(answer[1])+2 != len(answer):
				t.Fatalf("byte count %d of % x", answer[1], answer)
			case pdu[0] == 0x23 && int(binary.BigEndian.Uint16(answer[1:]))+3 != len(answer):
				t.Fatalf("byte count of % x", answer[:3])
			}
		}
	})
}
