package sim_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"metermanager/service/field/sim"
)

// TestManualTraces replays the byte traces that the manuals print (meters.md 1.4 and 7), on
// raw TCP.
func TestManualTraces(t *testing.T) {
	t.Parallel()
	zeros, ff := strings.Repeat("00", 8), func(n int) string { return strings.Repeat("ff", n) }
	cfg := sim.Config{Start: time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC), Zone: "UTC", NotReadyEvery: -1,
		Now: clockAt(time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC)).now}
	m := start(t, cfg)
	m.UseManualLogs()
	p := dial(t, m.Addr())

	m.EngageAs(2, 0x0280)
	steps := []struct{ name, request, answer string }{
		{"status block of a log in use by COM2", "03 C757 0010",
			"03 20 00000100 00000064 0012 0002 060717101511 060718101511" + zeros},
		{"engaging is acknowledged, though another port has the log", "06 C34F 0280", "06 C34F 0280"},
		{"... and nothing has changed", "03 C757 0010",
			"03 20 00000100 00000064 0012 0002 060717101511 060718101511" + zeros},
	}
	run := func() {
		for _, s := range steps {
			if got, want := hex.EncodeToString(p.do(s.request)), strings.ToLower(strings.ReplaceAll(s.answer, " ", "")); got != want {
				t.Errorf("%s: %s\n got %s\nwant %s", s.name, s.request, got, want)
			}
		}
	}
	run()
	m.EngageAs(2, 0x0000)
	records := ""
	for i := range 12 {
		records += "0C071710" + hex.EncodeToString([]byte{byte(22 + i)}) + "00 42FAAACF 42FAAD18 42FAA9A8"
	}
	steps = []struct{ name, request, answer string }{
		{"available", "03 C757 0010", "03 20 00000100 00000064 0012 0000 060717101511 060718101511" + zeros},
		{"engage historical log 1", "06 C34F 0280", "06 C34F 0280"},
		{"in use by our port", "03 C757 0010", "03 20 00000100 00000064 0012 0003 060717101511 060718101511" + zeros},
		{"the session's port", "03 C34E 0001", "03 02 0003"},
		{"13 records a window, auto-increment, index 0", "10 C350 0003 06 0D01 0000 0000", "10 C350 0003"},
		{"disengage", "06 C34F 0000", "06 C34F 0000"},
		{"no session", "03 C34E 0001", "03 02 0000"},
		{"engage historical log 2", "06 C34F 0380", "06 C34F 0380"},
		{"window setup", "10 C350 0003 06 0D01 0000 0000", "10 C350 0003"},
		{"window 0: ready, index 0, the filler, then readings", "03 C351 007D",
			"03 FA 00000000 0C0717101511" + ff(12) + records + ff(246-13*18)},
		{"the index has moved by the records of a window", "03 C351 0002", "03 04 0000000D"},
		{"not yet: the last register was not read", "03 C351 0002", "03 04 0000000D"},
	}
	run()
}

// TestSettingsAddresses: where the manual prints an address within a block, the meter answers there
// what stands at that place of the block.
func TestSettingsAddresses(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(24 * time.Hour)
	p := dial(t, start(t, cfg).Addr())
	limits := p.registers(0x754B, 40)
	for limit, addr := range map[int]uint16{7: 0x7569, 8: 0x756E} {
		if got, want := p.registers(addr, 5), limits[10*(limit-1):10*limit]; !bytes.Equal(got, want) {
			t.Errorf("limit %d at %#x: % x, the block says % x", limit, addr, got, want)
		}
	}
	for _, start := range []uint16{0x7917, 0x79D7, 0x7A97} { // 192 registers each
		head, descriptors := p.registers(start, 1), p.registers(start+0x77, 1)
		if list := p.registers(start+2, 117); head[0] == 0 || head[0] > 117 || descriptors[0] == 0xFF || list[0] == 0xFF || list[2*int(head[0])-2] == 0xFF {
			t.Errorf("log at %#x: % x registers, list %x, first descriptor %x", start, head, list[:4], descriptors)
		}
	}
}

// TestTimestamps checks the clock format against the manual's two examples.
func TestTimestamps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		zone, at, want string
	}{
		{"UTC", "2006-07-23T16:21:17Z", "060717101511"},
		{"America/New_York", "2049-10-12T13:35:07Z", "310a0c492307"}, // 09:35:07 in daylight time
		{"America/New_York", "2025-11-02T05:59:59Z", "190b02413b3b"}, // the last second of daylight time
		{"America/New_York", "2025-11-02T06:00:00Z", "190b02010000"}, // the same hour again
		{"Asia/Kolkata", "2025-11-02T06:00:00Z", "190b020b1e00"},
	}
	for _, test := range tests {
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		m := mustNew(t, sim.Config{Zone: test.zone, Start: at.AddDate(0, -1, 0)})
		if got := hex.EncodeToString(m.Stamp(at)); got != test.want {
			t.Errorf("%s in %s: %s, want %s", test.at, test.zone, got, test.want)
		}
	}
}

// TestWaveformRequest checks the vendor's function 0x23 as the manual's waveform example uses it.
func TestWaveformRequest(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(3 * 24 * time.Hour)
	m := start(t, cfg)
	p := dial(t, m.Addr())
	p.do("06 C34F 0B80")
	p.do("10 C350 0003 06 0104 0000 0001") // record 0 is the filler
	got := p.do("23 C351 007C 04")
	if len(got) != 3+992 || got[0] != 0x23 || got[1] != 0x03 || got[2] != 0xE0 {
		t.Fatalf("answer of %d bytes, begins % x; want 23 03 E0 and 992 bytes", len(got), got[:3])
	}
	var record []byte
	for i := range 4 {
		block := got[3+i*248:][:248]
		if hex.EncodeToString(block[:4]) != "00000001" {
			t.Fatalf("block %d begins % x, want ready at index 1", i, block[:4])
		}
		record = append(record, block[4:]...)
	}
	if hex.EncodeToString(record[970:]) != "ffffffffffff" {
		t.Errorf("behind the record: % x", record[970:])
	}
	header := record[8:]
	if header[2] != 6 || header[5] != record[6] || hex.EncodeToString(header[8:12]) != "000007ff" {
		t.Errorf("header % x: want rate code 6, the capture's number, samples 0 to 0x07FF", header[:36])
	}
	if got, want := hex.EncodeToString(header[24:28]), "d321196c"; got != want {
		t.Errorf("calibration of Va and Ia %s, want those of the manual's dump, %s", got, want)
	}
	if got := string(header[424:426]); got != "AN" {
		t.Errorf("first channel %q, want AN at offset 424", got)
	}
	// The index has moved by one record, though four windows were read.
	if next := p.do("23 C351 007C 04"); hex.EncodeToString(next[3:7]) != "00000002" {
		t.Errorf("next window % x, want index 2", next[3:7])
	}
	if bad := p.do("23 C351 007C 03"); hex.EncodeToString(bad) != "a303" {
		t.Errorf("another repeat than programmed: % x, want exception 3", bad)
	}
}
