package oracle_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"metermanager/service/field/sim"
)

// TestClientsOfOthersReadNexus lets every client read a simulated Nexus 1252 by the steps of the manual (GEK-113017, 5.1.3): pause, header,
// windows from the oldest record around the end of the memory to the newest, un-pause. What they find is what the simulation wrote.
func TestClientsOfOthersReadNexus(t *testing.T) {
	t.Parallel()
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			m := simulated(t, sim.Config{Kind: sim.Nexus, MaxRecords: map[int]int{sim.LogHist1: 500}})
			readNexus(t, m, l.dial(t, m.Addr(), 1))
		})
	}
	t.Run("mbpoll", func(t *testing.T) {
		m := simulated(t, sim.Config{Kind: sim.Nexus, MaxRecords: map[int]int{sim.LogHist1: 500}})
		readNexus(t, m, dialMbpoll(t, m.Addr(), 1))
	})
}

func readNexus(t *testing.T, m *sim.Meter, c client) {
	t.Helper()
	var want []sim.Record
	for r, err := range m.Records(sim.LogHist1) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, r)
	}
	c.write(t, 38209-1, 0)
	c.write(t, 38145-1, 0)
	h := mustRead(t, c, 36865-1, 18)
	u := func(off int) int { return int(binary.BigEndian.Uint16(h[off:])) }
	size, first, last, most := u(4), u(6), u(8), u(34)
	if size != 32 || most != 500 || (last+1)%most != first || len(want) != most {
		t.Fatalf("header: records of %d bytes, %d to %d of %d; the meter holds %d", size, first, last, most, len(want))
	}
	if !bytes.Equal(h[10:18], plain(want[0].Raw)) || !bytes.Equal(h[18:26], plain(want[most-1].Raw)) {
		t.Errorf("times % x and % x, the records have % x and % x", h[10:18], h[18:26], want[0].Raw[:8], want[most-1].Raw[:8])
	}
	memory := make([]byte, 0, size*most)
	for k := 0; len(memory) < size*most; k++ {
		c.write(t, 38145-1, uint16(k))
		memory = append(memory, mustRead(t, c, 38273-1, 64)...)
	}
	for i, w := range want {
		slot := (first + i) % most
		if rec := memory[slot*size:][:size]; !bytes.Equal(rec, w.Raw) {
			t.Fatalf("record %d in slot %d is % x, the meter wrote % x", i, slot, rec, w.Raw)
		}
		if volts := float64(int32(binary.BigEndian.Uint32(w.Raw[8:]))) / 65536; volts != w.Values[0].Value {
			t.Fatalf("record %d: %v V, the meter measured %v", i, volts, w.Values[0].Value)
		}
	}
	if v := int(binary.BigEndian.Uint16(mustRead(t, c, 38145-1, 1))); v != 124 {
		t.Errorf("the window stands at %d, want 124", v)
	}
	c.write(t, 38145-1, 0xFFFF)
	if n := m.Counters().Paused; n != 1 {
		t.Errorf("the log was paused %d times, want once", n)
	}
	now := m.At(noon)
	ratio := 277.0 / 120 * 80
	if got := float64(int32(binary.BigEndian.Uint32(mustRead(t, c, 153-1, 2)))) / 65536; math.Abs(got-now.Vars[0]/ratio) > 1.0/65536 {
		t.Errorf("register 153: %v var, the meter measures %v", got, now.Vars[0]/ratio)
	}
}

// plain drops the marks of a record's time, which headers do not have.
func plain(rec []byte) []byte {
	b := bytes.Clone(rec[:8])
	b[5], b[6], b[7] = b[5]&0x3F, b[6]&0x3F, b[7]&0x7F
	return b
}
