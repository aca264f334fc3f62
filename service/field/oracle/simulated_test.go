package oracle_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/sim"
)

// noon is the present of the simulated meters that are read: just as a record is written.
var noon = time.Date(2025, 11, 3, 12, 0, 0, 0, time.UTC)

// simulated runs a meter whose history holds the end of daylight time.
func simulated(t *testing.T, cfg sim.Config) *sim.Meter {
	t.Helper()
	cfg.Seed, cfg.Start, cfg.Now = 23, noon.Add(-40*time.Hour), func() time.Time { return noon }
	m, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	background(t, m.Run)
	return m
}

// TestClientsOfOthers lets every client read a simulated Shark 200: readings, energy, the status
// of a log and its records window by window; and compares with what the simulation knows.
func TestClientsOfOthers(t *testing.T) {
	t.Parallel()
	m := simulated(t, sim.Config{Serial: "SIM0000000000023", Unit: 17})
	// A log has one session at a time: one client after the other.
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) { readShark(t, m, l.dial(t, m.Addr(), 17)) })
	}
	t.Run("mbpoll", func(t *testing.T) { readShark(t, m, dialMbpoll(t, m.Addr(), 17)) })
	t.Run("function 0x23 by pymodbus", func(t *testing.T) { readCapture(t, m, libraries[0].dial(t, m.Addr(), 17)) })
}

func mustRead(t *testing.T, c client, addr uint16, count int) []byte {
	t.Helper()
	for {
		data, exception := c.read(t, addr, count)
		if exception == 0 {
			return data
		}
		if exception != 6 {
			t.Fatalf("%d registers at %#x: exception %d", count, addr, exception)
		}
	}
}

func readShark(t *testing.T, m *sim.Meter, c client) {
	t.Helper()
	if got := string(mustRead(t, c, 0x0008, 8)); got != m.Serial() {
		t.Errorf("serial %q, want %q", got, m.Serial())
	}
	now, b := m.At(noon), mustRead(t, c, 0x03E7, 30)
	for addr, want := range map[uint16]float64{
		0x03E7: now.Volts[0], 0x03E9: now.Volts[1], 0x03F1: now.VoltsLL[2], 0x03F5: now.Amps[1], 0x03F9: now.TotalWatts,
		0x03FB: now.TotalVars, 0x03FD: now.TotalVA, 0x03FF: now.TotalPF, 0x0401: now.Hertz, 0x0403: now.AmpsN,
	} {
		if got := math.Float32frombits(binary.BigEndian.Uint32(b[2*(addr-0x03E7):])); got != float32(want) {
			t.Errorf("register %#x: %v, the meter measures %v", addr, got, want)
		}
	}
	if _, exception := c.read(t, 0xFFFF, 2); exception != 2 {
		t.Errorf("registers beyond the last: exception %d, want 2", exception)
	}
	energy(t, m, c)
	readLog(t, m, c)
}

// energy: the counters at noon are those of the record that was written at noon.
func energy(t *testing.T, m *sim.Meter, c client) {
	t.Helper()
	var last sim.Record
	for r, err := range m.Records(sim.LogHist2) {
		if err != nil {
			t.Fatal(err)
		}
		last = r
	}
	if !last.True.Equal(noon) {
		t.Fatalf("the last record is of %v, not of noon", last.True)
	}
	if format := mustRead(t, c, 0x7535, 1); format[0] != 0x33 || format[1] != 0x32 {
		t.Fatalf("energy format % x, want 8 digits, kilo, 2 decimals: 10 Wh", format)
	}
	compared := 0
	for _, v := range last.Values {
		addr, ok := map[logdb.ChannelKey]uint16{
			"energy.total.wh.received": 0x05DB, "energy.total.wh.delivered": 0x05DD, "energy.total.varh.received": 0x05E3,
			"energy.total.varh.delivered": 0x05E5, "energy.total.vah": 0x05EB, "energy.interval.wh.received": 0x0821,
		}[v.Channel]
		if !ok {
			continue
		}
		compared++
		got := 10 * float64(int32(binary.BigEndian.Uint32(mustRead(t, c, addr, 2))))
		if strings.HasSuffix(string(v.Channel), ".delivered") {
			got = -got
		}
		if got != v.Value {
			t.Errorf("%s: %v, the record of this moment says %v", v.Channel, got, v.Value)
		}
	}
	if compared < 3 {
		t.Errorf("only %d counters were compared", compared)
	}
}

// readLog follows the manual's procedure: status, engage, verify, windows, disengage.
func readLog(t *testing.T, m *sim.Meter, c client) {
	t.Helper()
	var want []sim.Record
	for r, err := range m.Records(sim.LogHist2) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, r)
	}
	status := mustRead(t, c, 0xC767, 16)
	used, size := int(binary.BigEndian.Uint32(status[4:])), int(binary.BigEndian.Uint16(status[8:]))
	if used != len(want)+1 || size != len(want[0].Raw) || status[10] != 0 || status[11] != 0 || !bytes.Equal(status[18:24], want[len(want)-1].Raw[:6]) {
		t.Fatalf("status % x: %d records of %d bytes; the meter has %d of %d and the filler", status, used, size, len(want), len(want[0].Raw))
	}
	c.write(t, 0xC34F, 0x0380)
	port := mustRead(t, c, 0x1193, 1)
	if status = mustRead(t, c, 0xC767, 16); status[11] != port[1] {
		t.Fatalf("engaged, the log is in use by port %d; ours is %d", status[11], port[1])
	}
	per := 246 / size
	c.write(t, 0xC350, uint16(per)<<8|1, 0, 0)
	next, waited := 0, 0
	for next < used {
		b, exception := c.read(t, 0xC351, 125)
		if exception == 6 || exception == 0 && b[0] == 0xFF {
			waited++
			continue
		}
		if exception != 0 || b[0] != 0 || int(binary.BigEndian.Uint32(b)) != next {
			t.Fatalf("window of record %d: exception %d, % x", next, exception, b[:4])
		}
		for i := range min(per, used-next) {
			rec := b[4+i*size:][:size]
			if next+i == 0 {
				if strings.Trim(hex.EncodeToString(rec[6:]), "f") != "" {
					t.Errorf("record 0 is % x, want the filler", rec)
				}
				continue
			}
			w := want[next+i-1]
			if !bytes.Equal(rec, w.Raw) {
				t.Fatalf("record %d is % x, the meter wrote % x", next+i, rec, w.Raw)
			}
			checkStamp(t, rec, w)
		}
		next += per
	}
	c.write(t, 0xC34F, 0x0300)
	if b := mustRead(t, c, 0xC34E, 1); b[1] != 0 {
		t.Errorf("disengaged, port %d still has a session", b[1])
	}
	t.Logf("%d records in windows of %d, %d windows were not ready", used, per, waited)
}

// checkStamp reads the six bytes by hand: New York, whose clocks went back on 2 November 2025.
func checkStamp(t *testing.T, rec []byte, w sim.Record) {
	t.Helper()
	wall := time.Date(2000+int(rec[0]&0x7F), time.Month(rec[1]&0x0F), int(rec[2]&0x1F), int(rec[3]&0x1F), int(rec[4]&0x3F), int(rec[5]&0x3F), 0, time.UTC)
	offset := 5 * time.Hour
	if rec[3]&0x40 != 0 {
		offset = 4 * time.Hour
	}
	if !wall.Add(offset).Equal(w.Time) {
		t.Fatalf("time % x is %v, the meter's clock was %v", rec[:6], wall.Add(offset), w.Time)
	}
}

// readCapture reads a waveform by function 0x23, four windows in one answer of 992 bytes.
func readCapture(t *testing.T, m *sim.Meter, c *process) {
	t.Helper()
	var truth []sim.Recording
	for r := range m.Recordings() {
		truth = append(truth, r)
	}
	if len(truth) == 0 {
		t.Fatal("the simulated meter has no recording")
	}
	c.write(t, 0xC34F, 0x0B80)
	c.write(t, 0xC350, 0x0104, 0, 1) // record 0 is the filler
	var data []byte
	for n := 0; n < 26; {
		b, exception := c.repeat(t, 0xC351, 0x7C, 4)
		if exception == 6 || exception == 0 && (b[0] == 0xFF || b[248] == 0xFF || b[496] == 0xFF || b[744] == 0xFF) {
			continue
		}
		if exception != 0 || len(b) != 992 {
			t.Fatalf("record %d: exception %d, %d bytes", n+1, exception, len(b))
		}
		var record []byte
		for i := range 4 {
			if got := binary.BigEndian.Uint32(b[248*i:]); int(got) != n+1 {
				t.Fatalf("block %d is of record %d, want %d", i, got, n+1)
			}
			record = append(record, b[248*i+4:248*(i+1)]...)
		}
		if record[6] != truth[0].Number || int(record[7]) != n {
			t.Fatalf("record %d of capture %d, want %d of %d", record[7], record[6], n, truth[0].Number)
		}
		data = append(data, record[8:970]...)
		n++
	}
	c.write(t, 0xC34F, 0x0B00)
	names := map[string]string{"AN": "Van_Vab", "BN": "Vbn_Vbc", "CN": "Vcn_Vca", "IA": "Ia", "IB": "Ib", "IC": "Ic"}
	calibrations := map[string]int{"AN": 24, "IA": 26, "BN": 28, "IB": 30, "CN": 32, "IC": 34}
	for i := range 6 {
		block := data[424+4098*i:][:4098]
		id := string(block[:2])
		ratio := 277.0 / 120
		if id[0] == 'I' {
			ratio = 80
		}
		factor := float64(binary.BigEndian.Uint16(data[calibrations[id]:])) / 1e6 * ratio
		for _, ch := range truth[0].Channels {
			if ch.Name != names[id] {
				continue
			}
			for k, want := range ch.Samples {
				if got := float64(int16(binary.BigEndian.Uint16(block[2+2*k:]))) * factor; math.Abs(got-want) > 1e-9*math.Abs(want) {
					t.Fatalf("%s sample %d: %v, the meter recorded %v", id, k, got, want)
				}
			}
		}
	}
}

// TestClientsOfOthersReadSunSpec walks the chain of the simulated SunSpec meter with every client.
func TestClientsOfOthersReadSunSpec(t *testing.T) {
	t.Parallel()
	m := simulated(t, sim.Config{Kind: sim.SunSpec, Serial: "SN-0042"})
	walk := func(t *testing.T, c client) {
		t.Helper()
		if got := string(mustRead(t, c, 40000, 2)); got != "SunS" {
			t.Fatalf("marker %q", got)
		}
		lengths, now := "", m.At(noon)
		for at := uint16(40002); ; {
			head := mustRead(t, c, at, 2)
			id, n := binary.BigEndian.Uint16(head), binary.BigEndian.Uint16(head[2:])
			lengths += fmt.Sprintf("%d:%d ", id, n)
			switch id {
			case 1:
				if got := strings.TrimRight(string(mustRead(t, c, at+50, 16)), "\x00"); got != "SN-0042" {
					t.Errorf("serial %q", got)
				}
			case 203:
				b := mustRead(t, c, at+18, 5) // W, its phases, W_SF
				scale := math.Pow10(int(int16(binary.BigEndian.Uint16(b[8:]))))
				if got := float64(int16(binary.BigEndian.Uint16(b))) * scale; math.Abs(got-now.TotalWatts) > scale/2 {
					t.Errorf("203: %v W, the meter measures %v", got, now.TotalWatts)
				}
			case 213:
				b := mustRead(t, c, at+26, 4) // Hz, W
				if hz, w := math.Float32frombits(binary.BigEndian.Uint32(b)), math.Float32frombits(binary.BigEndian.Uint32(b[4:])); hz != float32(now.Hertz) || w != float32(now.TotalWatts) {
					t.Errorf("213: %v Hz, %v W; the meter measures %v, %v", hz, w, now.Hertz, now.TotalWatts)
				}
			}
			if id == 0xFFFF {
				break
			}
			at += 2 + n
		}
		if lengths != "1:66 203:105 213:124 65535:0 " {
			t.Errorf("models %s", lengths)
		}
		if _, exception := c.read(t, 0, 2); exception != 2 {
			t.Errorf("registers that are not there: exception %d, want 2", exception)
		}
	}
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) { walk(t, l.dial(t, m.Addr(), 1)) })
	}
	t.Run("mbpoll", func(t *testing.T) { walk(t, dialMbpoll(t, m.Addr(), 1)) })
}
