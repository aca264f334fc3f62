package sim

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// The registers of a meter of the Nexus 1252 style, as on the wire: one less than the numbers of the manual (GEK-113017).
const (
	nexusClock    = 80
	nexusVarA     = 152
	nexusVAh      = 2849
	nexusHeaders  = 36864 // one log every 64 registers
	nexusIndexes  = 38144
	nexusModes    = 38208
	nexusWindows  = 38272 // one log every 64 registers
	nexusLimits   = 45076
	nexusPointers = 45204 // of historical log 1; those of log 2 follow
	nexusSizes    = 45462
	nexusWh       = 53266

	nexusLogs        = 14
	nexusHeaderRegs  = 18
	nexusWindowRegs  = 64
	nexusWindowBytes = 128
	nexusFree        = 0xFFFF
	nexusPauseMs     = 30 * secondMs
)

// nexusPort is what one port of the meter has written.
type nexusPort struct {
	index, mode [nexusLogs]uint16
	since       [nexusLogs]int64 // ms when the index left 0xFFFF
	written     [nexusLogs]int64 // ms when it was written last
}

func (m *Meter) nexusPort(port int) *nexusPort {
	if m.ports[port] == nil {
		p := &nexusPort{}
		for i := range p.index {
			p.index[i] = nexusFree
		}
		if m.ports == nil {
			m.ports = map[int]*nexusPort{}
		}
		m.ports[port] = p
	}
	return m.ports[port]
}

// nexusAnswer serves functions 3, 6 and 16. Registers outside the map read 0.
func (m *Meter) nexusAnswer(port int, pdu []byte, now int64) ([]byte, byte) {
	fc, rest := pdu[0], pdu[1:]
	word := func(i int) uint16 { return binary.BigEndian.Uint16(rest[i:]) }
	switch {
	case fc == readRegisters && len(rest) == 4:
		data, exception := m.nexusRead(port, int(word(0)), int(word(2)), now)
		return append([]byte{fc, byte(len(data))}, data...), exception
	case fc == writeRegister && len(rest) == 4:
		m.nexusWrite(port, int(word(0)), word(2), now)
		return pdu, 0
	case fc == writeRegisters && len(rest) >= 5:
		count := int(word(2))
		if count < 1 || count > 123 || int(rest[4]) != 2*count || len(rest) != 5+2*count {
			return nil, exceptionValue
		}
		for i := range count {
			m.nexusWrite(port, int(word(0))+i, word(5+2*i), now)
		}
		return pdu[:5], 0
	case fc == readRegisters, fc == writeRegister, fc == writeRegisters:
		return nil, exceptionValue
	}
	return nil, exceptionFunction
}

func (m *Meter) nexusWrite(port, addr int, value uint16, now int64) {
	if m.counters.Writes == nil {
		m.counters.Writes = map[uint16]int{}
	}
	m.counters.Writes[uint16(addr)]++
	p := m.nexusPort(port)
	if i := addr - nexusModes; i >= 0 && i < nexusLogs {
		p.mode[i] = value & 3
		return
	}
	i := addr - nexusIndexes
	if i < 0 || i >= nexusLogs || m.faults.take(FaultIndexStuck) != nil {
		return
	}
	if m.faults.take(FaultIndexTwice) != nil {
		value++
	}
	if was := p.index[i]; (was == nexusFree) != (value == nexusFree) {
		p.since[i] = now
		if r := m.rings[i]; r != nil && value != nexusFree {
			m.noteRead(now, eventLogRead, port, r.log.number)
			if p.mode[i] < 2 {
				m.counters.Paused++
			}
		}
	}
	p.index[i], p.written[i] = value, now
}

// nexusNow is the time up to which a log has recorded: it stands still while a port pauses the log.
func (m *Meter) nexusNow(i int, now int64) int64 {
	now += m.lead
	for _, p := range m.ports {
		if p.index[i] != nexusFree && p.mode[i] < 2 && now-m.lead-p.written[i] < nexusPauseMs {
			now = min(now, p.since[i])
		}
	}
	return now
}

func (m *Meter) nexusRead(port, first, count int, now int64) ([]byte, byte) {
	if count < 1 || count > 125 {
		return nil, exceptionValue
	}
	if first+count > 65536 {
		return nil, exceptionAddress
	}
	b := make([]byte, 2*count)
	var exception byte
	overlap := func(start, registers int, make func() []byte) {
		if first >= start+registers || start >= first+count {
			return
		}
		data := make()
		for i := range 2 * registers {
			if at := 2*(start-first) + i; at >= 0 && at < len(b) && i < len(data) {
				b[at] = data[i]
			}
		}
	}
	m.nexusReadings(overlap, now)
	overlap(nexusLimits, 128, m.nexusLimitSettings)
	for i, h := range m.history[:2] {
		overlap(nexusPointers+128*i, 128, func() []byte { return nexusPointerBytes(h) })
		overlap(nexusSizes+i, 1, func() []byte { return []byte{0, 0} }) // 32 bytes
	}
	p := m.nexusPort(port)
	for i, r := range m.rings {
		overlap(nexusIndexes+i, 1, func() []byte {
			if r != nil && m.faults.taken(r.log.number) != 0 { // another program moves on and on
				m.windows++
				return append16(nil, uint16(m.windows&0xFFF))
			}
			return append16(nil, p.index[i])
		})
		overlap(nexusModes+i, 1, func() []byte { return append16(nil, p.mode[i]) })
		if r == nil {
			continue
		}
		overlap(nexusHeaders+64*i, nexusHeaderRegs, func() []byte { return m.nexusHeader(i, r, now) })
		overlap(nexusWindows+64*i, nexusWindowRegs, func() []byte {
			var w []byte
			w, exception = m.nexusWindow(p, i, r, now)
			return w
		})
	}
	return b, exception
}

func (m *Meter) nexusReadings(overlap func(int, int, func() []byte), now int64) {
	overlap(nexusClock, 4, func() []byte { return m.zone.appendStamp8(nil, m.plan.day(now).moment(now).meter) })
	overlap(nexusVarA, 2, func() []byte {
		if f := m.faults.take(FaultReadings); f != nil {
			return append32(nil, f.Value)
		}
		return appendF7(nil, m.model.at(now).Vars[0]/(m.site.ptRatio()*m.site.ctRatio()))
	})
	counter := func(i int) int64 {
		if m.faults.take(FaultCounterZero) != nil {
			return 0
		}
		var s snapshot
		m.addEnergy(&s, now, now)
		return int64(float64(s.counters[i]) * m.cfg.Energy.unit())
	}
	overlap(nexusVAh, 4, func() []byte { return appendBCD(nil, counter(vahTotal)) })
	overlap(nexusWh, 2, func() []byte {
		kilo := counter(whReceived) / 1000 % 100_000_000
		return append16(append16(nil, uint16(kilo/10_000)), uint16(kilo%10_000))
	})
}

// appendF7 appends a value at the meter's terminals in units of 1/65536.
func appendF7(b []byte, v float64) []byte { return append32(b, uint32(int32(math.Round(v*65536)))) }

// appendBCD appends 16 packed decimal digits.
func appendBCD(b []byte, v int64) []byte {
	var out [8]byte
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = byte(v%10) | byte(v/10%10)<<4
		v /= 100
	}
	return append(b, out[:]...)
}

// appendStamp8 appends the meter's 8-byte local time.
func (z *zone) appendStamp8(b []byte, meter int64) []byte {
	offset, _ := z.at(meter)
	t := time.UnixMilli(meter + offset).UTC()
	return append(b, byte(t.Year()/100), byte(t.Year()%100), byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()), byte(t.Nanosecond()/10_000_000))
}

// nexusRing is one memory of the meter: what it holds of each record of a log.
type nexusRing struct {
	log  *meterLog
	size int
	data func(i int) ([]byte, error)
}

// slots returns the records that are in the memory, [from, to), and the slot of the first.
func (m *Meter) slots(i int, r *nexusRing, now int64) (from, to, slot int) {
	l := r.log
	to = max(l.skip, l.total(m.nexusNow(i, now)))
	from = max(l.skip, to-l.max)
	return from, to, (from - l.skip) % l.max
}

// keepOld keeps what the memory shows when the log is emptied.
func (l *meterLog) keepOld(now int64) {
	to := max(l.skip, l.total(now))
	from, older := max(l.skip, to-l.max), l.old
	first := (from - l.skip) % l.max
	l.old = func(slot int) int {
		if n := from + (slot-first+l.max)%l.max; n < to {
			return n
		}
		if older != nil {
			return older(slot)
		}
		return -1
	}
}

func (m *Meter) nexusHeader(i int, r *nexusRing, now int64) []byte {
	from, to, slot := m.slots(i, r, now)
	size, last := r.size, (slot+to-from-1+r.log.max)%r.log.max
	if m.faults.take(FaultRecordSizeZero) != nil {
		size = 0
	}
	first := make([]byte, 8)
	newest := make([]byte, 8)
	if to == from {
		slot, last = 0, nexusFree
	} else {
		first = m.zone.appendStamp8(nil, r.log.moment(from).meter)
		newest = m.zone.appendStamp8(nil, r.log.moment(to-1).meter)
	}
	if to > from && m.faults.take(FaultUsedOne) != nil {
		last = slot
	}
	b := append32(nil, uint32(r.log.max*r.size))
	b = append16(append16(append16(b, uint16(size)), uint16(slot)), uint16(last))
	b = append(append(b, first...), newest...)
	b = append(b, 0xFF, 0xFC, 0, 0, 0, 0, 0, 0)
	return append16(b, uint16(r.log.max))
}

// nexusWindow is 128 bytes of a memory, or of its times: slots in their physical order.
func (m *Meter) nexusWindow(p *nexusPort, i int, r *nexusRing, now int64) ([]byte, byte) {
	if f := m.faults.take(FaultRolledOver); f != nil {
		m.lead += int64(f.Value) * minuteMs
	}
	if m.faults.take(FaultSessionLost) != nil {
		p.index[i] = nexusFree
	}
	if m.faults.take(FaultWindowNotReady) != nil {
		return nil, exceptionBusy
	}
	if m.cfg.NotReadyEvery > 0 {
		m.windows++
		if m.model.seed.bits(streamWindow, m.windows)%uint64(m.cfg.NotReadyEvery) == 0 {
			return nil, exceptionBusy
		}
	}
	from, to, slot := m.slots(i, r, now)
	size := r.size
	if p.mode[i]&1 != 0 {
		size = 8
	}
	out := make([]byte, nexusWindowBytes)
	for k := range out {
		out[k] = 0xFF
	}
	at := int(p.index[i]) * nexusWindowBytes
	for s := at / size; s*size < at+nexusWindowBytes && s < r.log.max; s++ {
		n := from + (s-slot+r.log.max)%r.log.max
		if n >= to && r.log.old != nil { // emptying a log leaves its memory as it is
			n = r.log.old(s)
		} else if n >= to {
			n = -1
		}
		if n < 0 {
			continue
		}
		rec, err := r.data(n)
		if err != nil {
			m.log.Error("make log record", "log", r.log.name, "index", n, "err", err)
			return nil, exceptionFailure
		}
		for k, v := range rec[:size] {
			if o := s*size + k - at; o >= 0 && o < len(out) {
				out[o] = v
			}
		}
	}
	return out, 0
}

// nexusHistorical is one of the historical logs.
func (m *Meter) nexusHistorical(i int) *meterLog {
	h, l := m.history[i], m.historicalLog(i)
	l.status, l.size, l.max, l.real = 0, nexusHistorySize, nexusRoomy, nexusHistorical
	l.data = func(n int) ([]byte, error) { return m.nexusRow(h, l, n), nil }
	return l
}

// buildNexus makes the logs of a Nexus: two historical ones, limits, PQ, recordings and system events, by the numbers that
// the Shark's have, and those that only a Nexus has.
func (m *Meter) buildNexus() error {
	for i, minutes := range [...]int64{1, 15} {
		m.history[i] = m.newHistorical(0, minutes, 1, "readings.voltage.an", "readings.voltage.bn", "readings.voltage.cn", "readings.current.a")
	}
	m.history[2] = m.newHistorical(0, 60, 0)
	p := m.plan
	m.logs = []*meterLog{
		eventLog(m, LogSystem, "system", 0, 16, &p.system, func(r *systemRecord) moment { return r.moment }, m.nexusSystem),
		eventLog(m, LogAlarm, "limit trigger", 0, 32, &p.alarms, func(r *alarmRecord) moment { return r.moment }, nil),
		m.nexusHistorical(0), m.nexusHistorical(1),
		eventLog(m, LogPQ, "pq", 0, 128, &p.pq, func(r *pqRecord) moment { return r.moment }, m.nexusPQ),
		eventLog(m, LogWaveform, "waveform", 0, nexusTriggerSize, &p.captures, func(c *capture) moment { return c.moment }, nil),
	}
	m.logs[1].data = func(i int) ([]byte, error) { return m.nexusLimit(i), nil }
	w := m.logs[5]
	captures := w.total
	w.total = func(now int64) int { return captures(now - captureMs) }
	w.data = func(i int) ([]byte, error) {
		t, s := m.nexusCapture(i)
		return slices.Concat(t, s), nil
	}
	w.real = nexusCaptures
	rest := m.nexusRest()
	m.logs = append(m.logs, rest...)
	for _, l := range m.logs {
		l.begin, l.max = p.begin, min(l.max, nexusRoomy)
		if m.cfg.RealMemory && l.real > 0 {
			l.max = l.real
		}
		if n, ok := m.cfg.MaxRecords[l.number]; ok {
			l.max = n
		}
		if l.max < 1 || l.max >= nexusFree {
			return fmt.Errorf("%s log of %d records, want 1 to %d", l.name, l.max, nexusFree-1)
		}
	}
	ring := func(l *meterLog, size int) *nexusRing { return &nexusRing{log: l, size: size, data: l.data} }
	m.rings = [nexusLogs]*nexusRing{
		0: ring(m.logs[2], nexusHistorySize), 1: ring(m.logs[3], nexusHistorySize), 2: ring(m.logs[1], 32), 9: ring(w, nexusTriggerSize),
		10: ring(m.logs[0], 16), 11: ring(w, nexusSamplesSize), 12: ring(m.logs[4], 128),
	}
	for i, l := range rest {
		if !slices.Contains(m.cfg.NoLogs, l.number) {
			m.rings[restRings[i]] = ring(l, l.size)
		}
	}
	m.rings[9].data = func(i int) ([]byte, error) { t, _ := m.nexusCapture(i); return t, nil }
	m.rings[11].data = func(i int) ([]byte, error) { _, s := m.nexusCapture(i); return s, nil }
	return nil
}
