package sim_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/sim"
)

// statusAddr is where the status block of each log lies.
var statusAddr = map[int]uint16{
	sim.LogSystem: 0xC747, sim.LogAlarm: 0xC737, sim.LogHist1: 0xC757, sim.LogHist2: 0xC767,
	sim.LogHist3: 0xC777, sim.LogPQ: 0xC797, sim.LogWaveform: 0xC7A7,
}

type status struct {
	max, used   int
	size, port  int
	first, last string
}

func (p *peer) status(log int) status {
	b := p.registers(statusAddr[log], 16)
	return status{
		int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:])),
		int(binary.BigEndian.Uint16(b[8:])), int(binary.BigEndian.Uint16(b[10:])),
		hex.EncodeToString(b[12:18]), hex.EncodeToString(b[18:24]),
	}
}

// retrieve reads a whole log as the manual's procedure says, filler included.
func (p *peer) retrieve(log int, scope byte) [][]byte {
	p.t.Helper()
	st := p.status(log)
	p.do(fmt.Sprintf("06 C34F %02X%02X", log, 0x80|scope))
	if got := p.status(log).port; got != 3 {
		p.t.Fatalf("log %d is in use by port %d after engaging", log, got)
	}
	size := st.size
	switch scope {
	case 1:
		size = 6
	case 2:
		size += 6
	}
	var out [][]byte
	for len(out) < st.used {
		n := min(246/size, st.used-len(out), 41)
		if size > 246 {
			n = 1
		}
		repeats := 1
		if size > 246 {
			repeats = 4
		}
		p.do(fmt.Sprintf("10 C350 0003 06 %02X%02X %08X", n, repeats, len(out)))
		for tries := 0; ; tries++ {
			window := p.window(size)
			if window == nil && tries < 5 {
				continue
			}
			if window == nil {
				p.t.Fatalf("log %d index %d: never ready", log, len(out))
			}
			for i := range n {
				out = append(out, window[i*size:(i+1)*size])
			}
			break
		}
	}
	p.do("06 C34F 0000")
	return out
}

// window reads the window, nil when it is not ready.
func (p *peer) window(size int) []byte {
	if size <= 246 {
		b := p.do("03 C351 007D")
		if b[0] != 3 || b[2] == 0xFF {
			return nil
		}
		return b[6:]
	}
	b := p.do("23 C351 007C 04")
	if b[0] != 0x23 {
		return nil
	}
	var out []byte
	for i := range 4 {
		block := b[3+248*i:][:248]
		if block[0] == 0xFF {
			return nil
		}
		out = append(out, block[4:]...)
	}
	return out[:970]
}

// TestRetrieval reads every log over the network, with windows that are not ready and busy
// answers, and compares with what the meter recorded.
func TestRetrieval(t *testing.T) {
	t.Parallel()
	cfg, c := quiet(2*24*time.Hour + 90*time.Minute)
	cfg.NotReadyEvery = 5
	m := start(t, cfg)
	p := dial(t, m.Addr())
	logs := []int{sim.LogAlarm, sim.LogHist1, sim.LogHist2, sim.LogHist3, sim.LogPQ, sim.LogWaveform, sim.LogSystem}
	for _, log := range logs {
		var want [][]byte
		for r, err := range m.Records(log) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, r.Raw)
		}
		got := p.retrieve(log, 0)
		if len(got) != len(want)+1 {
			t.Errorf("log %d: %d records, want %d and the filler", log, len(got), len(want))
			continue
		}
		if bytes.Count(got[0][6:], []byte{0xFF}) != len(got[0])-6 {
			t.Errorf("log %d: record 0 is no filler: % x", log, got[0])
		}
		for i := range want {
			if !bytes.Equal(got[i+1], want[i]) {
				t.Fatalf("log %d record %d:\n got % x\nwant % x", log, i, got[i+1], want[i])
			}
		}
		c.advance(time.Second)
	}
	if len(p.retrieve(sim.LogSystem, 0)) < 2*len(logs) {
		t.Error("reading logs has left no system events")
	}
	for addr := range m.Counters().Writes {
		if addr < 0xC34F || addr > 0xC352 {
			t.Errorf("write to %#x", addr)
		}
	}
}

// TestScopes checks timestamps only, and image mode.
func TestScopes(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(26 * time.Hour)
	m := start(t, cfg)
	p := dial(t, m.Addr())
	full, stamps, images := p.retrieve(sim.LogHist2, 0), p.retrieve(sim.LogHist2, 1), p.retrieve(sim.LogHist2, 2)
	if len(full) != len(stamps) || len(full) != len(images) {
		t.Fatalf("%d, %d and %d records in scopes 0, 1 and 2", len(full), len(stamps), len(images))
	}
	for i := range full {
		if !bytes.Equal(full[i][:6], stamps[i]) || !bytes.Equal(full[i], images[i][6:]) {
			t.Fatalf("record %d differs between scopes", i)
		}
		if got := binary.BigEndian.Uint32(images[i][2:]); got != uint32(i) {
			t.Fatalf("record %d has sequence number %d", i, got)
		}
	}
}

// TestHistoricalValues decodes records by the settings that the meter itself shows.
func TestHistoricalValues(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(26 * time.Hour)
	m := start(t, cfg)
	p := dial(t, m.Addr())
	for log, settings := range map[int]uint16{sim.LogHist1: 0x7917, sim.LogHist2: 0x79D7, sim.LogHist3: 0x7A97} {
		block := append(p.registers(settings, 120), p.registers(settings+120, 72)...)
		if got, want := 6+2*int(block[0]), p.status(log).size; got != want {
			t.Errorf("log %d: settings give %d bytes, the status block %d", log, got, want)
		}
		descriptors := block[4+2*117:]
		i := 0
		for r, err := range m.Records(log) {
			if err != nil {
				t.Fatal(err)
			}
			if i++; i > 200 {
				break
			}
			data := r.Raw[6:]
			for n, v := range r.Values {
				size := int(descriptors[n] & 15)
				got := math.NaN()
				switch raw := data[:size]; descriptors[n] >> 4 {
				case 3:
					got = float64(math.Float32frombits(binary.BigEndian.Uint32(raw)))
				case 4: // 8 digits, kilo, 2 decimals: counts of 10 Wh
					got = 10 * float64(int32(binary.BigEndian.Uint32(raw)))
					if strings.HasSuffix(string(v.Channel), ".delivered") {
						got = -got
					}
				case 5: // the profile says 0.01 %
					got = 0.0001 * float64(binary.BigEndian.Uint16(raw))
				}
				if math.Abs(got-v.Value) > 1e-12*math.Abs(v.Value) {
					t.Fatalf("log %d record %d %s: bytes say %v, the meter measured %v", log, r.Number, v.Channel, got, v.Value)
				}
				data = data[size:]
			}
			if len(data) != 0 {
				t.Fatalf("log %d: %d bytes without a descriptor", log, len(data))
			}
		}
	}
}

// TestIntervalEnergy adds up the intervals of half a year: exactly what the counters moved by,
// through power losses, clock changes and both turns of daylight time.
func TestIntervalEnergy(t *testing.T) {
	t.Parallel()
	c := clockAt(epoch.AddDate(0, 6, 0))
	m := mustNew(t, sim.Config{Seed: 3, Start: epoch, Now: c.now, EnergyStartWh: 800e6})
	totals := []logdb.ChannelKey{"energy.total.wh.received", "energy.total.wh.delivered", "energy.total.varh.received", "energy.total.varh.delivered", "energy.total.vah"}
	intervals := []logdb.ChannelKey{"energy.interval.wh.received", "energy.interval.wh.delivered", "energy.interval.varh.received", "energy.interval.varh.delivered", "energy.interval.vah"}
	const rollover = 1e9 // Wh: 8 digits of 10 Wh
	var first, last, sum [5]float64
	turns, n := [5]float64{}, 0
	for r, err := range m.Records(sim.LogHist2) {
		if err != nil {
			t.Fatal(err)
		}
		values := map[logdb.ChannelKey]float64{}
		for _, v := range r.Values {
			values[v.Channel] = v.Value
		}
		for i := range totals {
			now := values[totals[i]]
			if n == 0 {
				first[i] = now
			} else {
				sum[i] += values[intervals[i]]
				if now < last[i] {
					turns[i]++
				}
			}
			last[i] = now
		}
		n++
	}
	for i := range totals {
		if got := last[i] - first[i] + turns[i]*rollover; got != sum[i] || sum[i] <= 0 {
			t.Errorf("%s moved by %v Wh in %d records (%v roll-overs), the intervals add up to %v", totals[i], got, n, turns[i], sum[i])
		}
	}
	if turns[0] == 0 {
		t.Error("the counter did not roll over")
	}
}

// TestSession checks ports, latching, the five-minute rule and what lies beyond the end.
func TestSession(t *testing.T) {
	t.Parallel()
	cfg, c := quiet(26 * time.Hour)
	cfg.SecondListen = "127.0.0.1:0"
	m := start(t, cfg)
	p, other := dial(t, m.Addr()), dial(t, m.SecondAddr())
	if got := other.registers(0x1193, 1)[1]; got != 4 {
		t.Fatalf("the second card is COM%d", got)
	}
	p.do("06 C34F 0280")
	p.do("10 C350 0003 06 0501 0000 0000")
	before := p.do("03 C351 007D")
	used := p.status(sim.LogHist1).used

	other.do("06 C34F 0280")
	other.do("06 C34F 0000")
	if got := other.status(sim.LogHist1).port; got != 3 {
		t.Errorf("the log is in use by port %d after another port's writes", got)
	}
	if got := hex.EncodeToString(other.do("03 C351 0002")); got != "030400000000" {
		t.Errorf("the other port sees a window: %s", got)
	}
	if again := dial(t, m.Addr()); again.status(sim.LogHist1).port != 3 || hex.EncodeToString(again.do("03 C351 0002")) != "030400000005" {
		t.Error("the session did not survive a new connection of the same port")
	}

	c.advance(4 * time.Minute)
	if got := p.status(sim.LogHist1).used; got != used+4 {
		t.Errorf("%d records after four minutes, want %d", got, used+4)
	}
	p.do("10 C351 0002 04 0000 0000")
	if after := p.do("03 C351 007D"); !bytes.Equal(before, after) {
		t.Error("an index shows another record after new ones have come")
	}
	p.do(fmt.Sprintf("10 C351 0002 04 %08X", used+3))
	window := p.do("03 C351 007D")[6:]
	if window[0] == 0xFF || window[46] != 0xFF {
		t.Errorf("at the end: % x, want one record, then 0xFF", window[:60])
	}

	c.advance(4*time.Minute + 59*time.Second)
	if got := p.status(sim.LogHist1).port; got != 3 {
		t.Errorf("released after less than five minutes (%d)", got)
	}
	c.advance(time.Second)
	if got := p.status(sim.LogHist1).port; got != 0 {
		t.Errorf("still in use by port %d after five minutes", got)
	}
	if got := hex.EncodeToString(p.registers(statusAddr[sim.LogHist1]+0x30, 16)[10:12]); got != "ffff" {
		t.Errorf("the I/O log's availability is %s, want ffff: switched off", got)
	}
}

// TestRollOver has a memory of 100 records.
func TestRollOver(t *testing.T) {
	t.Parallel()
	cfg, c := quiet(99 * time.Minute)
	cfg.MaxRecords = map[int]int{sim.LogHist1: 100}
	m := start(t, cfg)
	p := dial(t, m.Addr())
	filler := func() bool { return bytes.Count(p.retrieve(sim.LogHist1, 0)[0][6:], []byte{0xFF}) == 40 }
	if st := p.status(sim.LogHist1); st.used != 100 || st.max != 100 || !filler() {
		t.Fatalf("%+v, filler %v: want 99 records and the filler", st, filler())
	}
	c.advance(time.Minute)
	if st := p.status(sim.LogHist1); st.used != 100 || filler() {
		t.Fatalf("%+v: want 100 records and no filler", st)
	}
	p.do("06 C34F 0280")
	p.do("10 C350 0003 06 0501 0000 0000")
	first := p.do("03 C351 007D")
	c.advance(3 * time.Minute)
	p.do("10 C351 0002 04 0000 0000")
	if !bytes.Equal(first, p.do("03 C351 007D")) {
		t.Error("index 0 has moved while the log was engaged")
	}
	p.do("06 C34F 0000")
	n := 0
	for r := range m.Records(sim.LogHist1) {
		if n == 0 && r.Number != 3 {
			t.Errorf("the oldest record is number %d, want 3", r.Number)
		}
		n++
	}
	if n != 100 {
		t.Errorf("the truth has %d records", n)
	}
}

// TestRestart makes the same meter again: the same records stand at the same indexes, log
// retrievals included.
func TestRestart(t *testing.T) {
	t.Parallel()
	cfg, c := quiet(50 * time.Hour)
	cfg.State = filepath.Join(t.TempDir(), "meter.state")
	all := func(m *sim.Meter) map[int][]string {
		out := map[int][]string{}
		for log := range statusAddr {
			for r, err := range m.Records(log) {
				if err != nil {
					t.Fatal(err)
				}
				out[log] = append(out[log], hex.EncodeToString(r.Raw))
			}
		}
		return out
	}
	m := start(t, cfg)
	p := dial(t, m.Addr())
	p.retrieve(sim.LogHist2, 0)
	c.advance(3 * time.Minute)
	p.retrieve(sim.LogSystem, 0)
	before := all(m)

	c.advance(24 * time.Hour)
	cfg.Start, cfg.History = time.Time{}, time.Hour // the state file knows the begin
	again := mustNew(t, cfg)
	if !again.Start().Equal(epoch) {
		t.Errorf("the history begins at %s after a restart, want %s", again.Start(), epoch)
	}
	after := all(again)
	for log, records := range before {
		if len(after[log]) < len(records) {
			t.Fatalf("log %d: %d records, %d before the restart", log, len(after[log]), len(records))
		}
		for i := range records {
			if records[i] != after[log][i] {
				t.Fatalf("log %d record %d is %s, was %s", log, i, after[log][i], records[i])
			}
		}
	}
	cfg.Seed++
	if _, err := sim.New(cfg); err == nil {
		t.Error("the state of another meter was taken")
	}
}
