package sim

import (
	"encoding/binary"
	"maps"
	"math"
)

// Modbus exception codes.
const (
	exceptionFunction = 1
	exceptionAddress  = 2
	exceptionValue    = 3
	exceptionFailure  = 4
	exceptionBusy     = 6
)

// Modbus function codes that a Shark 200 knows.
const (
	readRegisters  = 0x03
	writeRegister  = 0x06
	writeRegisters = 0x10
	readRepeated   = 0x23
)

// Counters tells what was asked of the meter.
type Counters struct {
	Requests   int
	Exceptions int
	// Writes counts the writes by register. A meter manager has no business outside 0xC34F to 0xC352.
	Writes map[uint16]int
	// Paused is how often a log of a Nexus was paused: what it would have recorded meanwhile is lost.
	Paused int
}

// Counters returns what was asked so far.
func (m *Meter) Counters() Counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counters
	c.Writes = maps.Clone(c.Writes)
	return c
}

// answer carries out a request that came by port. Nil means silence.
func (m *Meter) answer(port int, pdu []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counters.Requests++
	now := m.now()
	m.expire(now)
	handle := m.sharkAnswer
	switch m.cfg.Kind {
	case SunSpec:
		handle = m.sunSpecAnswer
	case Nexus:
		handle = m.nexusAnswer
	}
	reply, exception := handle(port, pdu, now)
	if exception != 0 {
		m.counters.Exceptions++
		return []byte{pdu[0] | 0x80, exception}
	}
	return reply
}

func (m *Meter) sharkAnswer(port int, pdu []byte, now int64) ([]byte, byte) {
	fc, rest := pdu[0], pdu[1:]
	word := func(i int) uint16 { return binary.BigEndian.Uint16(rest[i:]) }
	switch {
	case fc == readRegisters && len(rest) == 4:
		data, exception := m.read(port, word(0), int(word(2)), 1, now)
		return append([]byte{fc, byte(len(data))}, data...), exception
	case fc == readRepeated && len(rest) == 5:
		if m.faults.take(FaultRepeatedSilence) != nil {
			return nil, 0
		}
		if m.faults.take(FaultRepeatedReadOff) != nil {
			return nil, exceptionFunction
		}
		if rest[4] < 1 || rest[4] > 8 {
			return nil, exceptionValue
		}
		data, exception := m.read(port, word(0), int(word(2)), int(rest[4]), now)
		return append(append16([]byte{fc}, uint16(len(data))), data...), exception
	case fc == writeRegister && len(rest) == 4:
		m.write(port, word(0), word(2), now)
		return pdu, 0
	case fc == writeRegisters && len(rest) >= 5:
		count := int(word(2))
		if count < 1 || count > 123 || int(rest[4]) != 2*count || len(rest) != 5+2*count {
			return nil, exceptionValue
		}
		if int(word(0))+count > 65536 {
			return nil, exceptionAddress
		}
		for i := range count {
			m.write(port, word(0)+uint16(i), word(5+2*i), now)
		}
		return pdu[:5], 0
	case fc == readRegisters, fc == readRepeated, fc == writeRegister, fc == writeRegisters:
		return nil, exceptionValue
	}
	return nil, exceptionFunction
}

// write takes any write, as the real meter does; only the log section has an effect.
func (m *Meter) write(port int, addr, value uint16, now int64) {
	if m.counters.Writes == nil {
		m.counters.Writes = map[uint16]int{}
	}
	m.counters.Writes[addr]++
	if addr >= addrEngage && addr <= addrIndex+1 {
		m.writeSession(port, addr, value, now)
	}
}

// read returns count registers from addr on, passes times.
func (m *Meter) read(port int, addr uint16, count, passes int, now int64) ([]byte, byte) {
	if count < 1 || count > 125 {
		return nil, exceptionValue
	}
	first, last := int(addr), int(addr)+count-1
	if last > 0xFFFF {
		return nil, exceptionAddress
	}
	inWindow := first <= addrWinLast && last >= addrIndex
	s := m.session
	if s != nil && s.port == port && inWindow {
		s.used = now
		if m.faults.take(FaultSessionLost) != nil {
			m.session, s = nil, nil
		}
	}
	mine := s != nil && s.port == port && inWindow
	if mine {
		if f := m.faults.take(FaultRolledOver); f != nil {
			s.view.first += int(f.Value)
		}
		if s.repeats > 1 && passes > 1 && passes != s.repeats {
			return nil, exceptionValue
		}
		if s.busy {
			s.busy = false
			return nil, exceptionBusy
		}
	}
	out := make([]byte, 0, 2*count*passes)
	ready := true
	for pass := range passes {
		b := make([]byte, 2*count)
		if exception := m.copyBlocks(b, port, first, pass, now); exception != 0 {
			return nil, exception
		}
		if at := 2 * (addrIndex - first); mine && at >= 0 && at < len(b) && b[at] == notReady {
			ready = false
		}
		out = append(out, b...)
	}
	if !mine || !ready {
		return out, 0
	}
	// A waveform request ends one register before the window does (manual: 0x7C registers).
	if last >= addrWinLast && !s.isWave() || s.isWave() && passes == waveParts && last >= addrWinLast-1 {
		m.advance(s, passes)
	}
	return out, 0
}

// copyBlocks fills b with the registers from first on; what is not in the map reads 0.
func (m *Meter) copyBlocks(b []byte, port, first, pass int, now int64) byte {
	overlap := func(start, registers int, make func() []byte) {
		if first >= start+registers || start >= first+len(b)/2 {
			return
		}
		data := make()
		for i := range 2 * registers {
			if at := 2*(start-first) + i; at >= 0 && at < len(b) && i < len(data) {
				b[at] = data[i]
			}
		}
	}
	overlap(0x0000, 22, m.identification)
	overlap(0x0383, 6, func() []byte { return m.fast(now) })
	m.copyItems(overlap, now)
	overlap(0x1193, 1, func() []byte { return []byte{0, byte(port)} })
	overlap(0x119B, 3, func() []byte { return m.zone.appendStamp(nil, m.plan.day(now).moment(now).meter) })
	overlap(0x1387, 2, func() []byte { return []byte{0, 0x01, m.limitStatus(now), 0} })
	overlap(0x752F, 7, m.ratios)
	overlap(0x754B, 40, m.limitSettings)
	for _, h := range m.history {
		overlap(int(h.settings), 192, h.block)
	}
	overlap(int(m.layout.wave.RateAddr), 1, func() []byte { return []byte{m.rateCode(), wavePreCycles} })
	percent := func(pu float64) []byte {
		return append16(nil, uint16(math.Round(pu*m.plan.perVolt*100/m.layout.pq.Percent)))
	}
	for _, a := range m.layout.pq.SurgeAddrs {
		overlap(int(a), 1, func() []byte { return percent(1.1) })
	}
	for _, a := range m.layout.pq.SagAddrs {
		overlap(int(a), 1, func() []byte { return percent(0.9) })
	}
	for _, l := range m.logs {
		overlap(int(l.status), 16, func() []byte { return m.statusBlock(l, now) })
	}
	var exception byte
	overlap(0xC34C, addrWinLast-0xC34C+1, func() []byte {
		var data []byte
		data, exception = m.section(port, pass, now)
		return data
	})
	return exception
}

// copyItems adds the readings, measuring only when one is asked for.
func (m *Meter) copyItems(overlap func(start, registers int, make func() []byte), now int64) {
	var s *snapshot
	for i := range m.items {
		it := &m.items[i]
		overlap(int(it.addr), it.registers(), func() []byte {
			if s == nil {
				s = m.live(now)
			}
			if f := m.faults.take(FaultReadings); f != nil && it.float != nil {
				return append32(nil, f.Value)
			}
			if it.energy != nil && m.faults.take(FaultCounterZero) != nil {
				return make([]byte, 4)
			}
			return it.appendTo(nil, s, m.cfg.Energy)
		})
	}
}

// live measures the present. Interval energies are those of the last record of the energy log.
func (m *Meter) live(now int64) *snapshot {
	s := &snapshot{Reading: m.model.at(now)}
	l := m.logByNumber(LogHist2)
	if n := l.total(now); n > 0 {
		before := m.plan.begin
		if n > 1 {
			before = l.moment(n - 2).at
		}
		m.addEnergy(s, before, l.moment(n-1).at)
	}
	var counters snapshot
	m.addEnergy(&counters, now, now)
	s.counters = counters.counters
	return s
}

func (m *Meter) fast(now int64) []byte {
	r := m.model.at(now)
	var b []byte
	for _, v := range [...]float64{r.TotalWatts, r.TotalVars, r.TotalVA} {
		b = append32(b, math.Float32bits(float32(v)))
	}
	return b
}

// identification is registers 0x0000 to 0x0015.
func (m *Meter) identification() []byte {
	b := make([]byte, 32, 44)
	copy(b[:16], m.cfg.Name)
	copy(b[16:], m.cfg.Serial)
	b = append16(b, 0x0006)
	b = append(b, "0061"...)
	return append16(append16(append16(b, 1), 0x0006), 1)
}

// ratios is CT, PT, hookup and energy format: 0x752F to 0x7535.
func (m *Meter) ratios() []byte {
	s := m.site
	b := append16(nil, uint16(s.CTDenominator)<<8|uint16(s.CTMultiplier))
	b = append16(append16(append16(b, uint16(s.CTNumerator)), uint16(s.PTNumerator)), uint16(s.PTDenominator))
	// mmmmmmmm MMMMhhhh: MMMM is the high part of the PT multiplier; hookup 0 is three-element wye.
	b = append16(b, uint16(s.PTMultiplier&0xFF)<<8|uint16(s.PTMultiplier>>8)<<4)
	b = append16(b, 0)
	return append16(b, m.cfg.Energy.register())
}

func (m *Meter) limitSettings() []byte {
	var b []byte
	for _, l := range m.plan.limits {
		b = append16(b, l.addr)
		for _, v := range [...]int16{l.above, l.aboveBack, l.below, l.belowBack} {
			b = append16(b, uint16(v))
		}
	}
	return b
}

// limitStatus has one bit for each limit that is out at present.
func (m *Meter) limitStatus(now int64) byte {
	since := m.plan.day(now)
	m.plan.mu.RLock()
	defer m.plan.mu.RUnlock()
	from := since.start
	if now >= since.on {
		from = max(from, since.on) // limits are detected afresh after power-up
	}
	at := func(r *alarmRecord) int64 { return r.at }
	var out byte
	for _, r := range m.plan.alarms[upTo(m.plan.alarms, from-1, at):upTo(m.plan.alarms, now, at)] {
		if out &^= 1 << r.limit; r.out {
			out |= 1 << r.limit
		}
	}
	return out
}

// block is the programmable settings of a historical log.
func (h *historical) block() []byte {
	b := append16(nil, uint16(h.registers())<<8|uint16(h.sectors))
	b = append16(b, intervalBit(h.interval))
	n := 0
	for i := range h.items {
		for r := range h.items[i].registers() {
			b = append16(b, h.items[i].addr+uint16(r))
			n++
		}
	}
	for ; n < 117; n++ {
		b = append16(b, 0xFFFF)
	}
	for i := range 118 {
		d := byte(0xFF)
		if i < len(h.items) {
			d = h.items[i].descriptor()
		}
		b = append(b, d)
	}
	return append(b, make([]byte, 2*192-len(b))...)
}
