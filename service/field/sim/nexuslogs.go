package sim

import (
	"encoding/binary"
	"math"

	"metermanager/logdb"
)

// Sizes of the Nexus style, and what its memory holds: the historical records are those of the manual's example memory of 1,851,392 bytes.
const (
	nexusHistorySize = 32
	nexusTriggerSize = 256
	nexusSamplesSize = 16384
	nexusSets        = 1024
	nexusHistorical  = 1851392 / nexusHistorySize
	nexusCaptures    = 96
	nexusRoomy       = 65000
)

// nexusRow is record i of a historical log: its time with the marks of intervals that are not whole, and the values.
func (m *Meter) nexusRow(h *historical, l *meterLog, i int) []byte {
	at := l.moment(i)
	b := m.zone.appendStamp8(make([]byte, 0, nexusHistorySize), at.meter)
	if i == 0 {
		b[6] |= 0x80
	} else if before := l.moment(i - 1); at.meter-at.at != before.meter-before.at {
		b[5] |= 0x80 // the clock was set
	} else if at.at-before.at > h.interval {
		b[6] |= 0x80 // the supply was off
	}
	s := m.historicalSnapshot(h, l, i)
	for n := range h.items {
		b = appendF7(b, m.secondary(h.items[n].channel, h.items[n].float(&s)))
	}
	return append(b, make([]byte, nexusHistorySize-len(b))...)
}

// secondary is a primary value at the meter's terminals.
func (m *Meter) secondary(channel logdb.ChannelKey, v float64) float64 {
	switch {
	case len(channel) > 17 && channel[:17] == "readings.voltage.":
		return v / m.site.ptRatio()
	case len(channel) > 17 && channel[:17] == "readings.current.":
		return v / m.site.ctRatio()
	}
	return v
}

// nexusLine is where the table of readings has a channel. Line 11 is the manual's; the others are made up, and no profile knows them.
func nexusLine(channel logdb.ChannelKey) (line uint16, point byte) {
	switch channel {
	case "readings.voltage.an":
		return 11, 0
	case "readings.voltage.bn":
		return 11, 1
	case "readings.voltage.cn":
		return 11, 2
	case "readings.current.a":
		return 901, 0
	case "readings.power.watts":
		return 902, 3
	case "readings.frequency":
		return 903, 0
	}
	return 0xFFFF, 0xFF
}

func nexusPointerBytes(h *historical) []byte {
	var b []byte
	for i := range 64 {
		line, point := uint16(0xFFFF), byte(0xFF)
		if i < len(h.items) {
			line, point = nexusLine(h.items[i].channel)
		}
		b = append(append16(b, line), point, 0)
	}
	return b
}

// nexusLimitSettings is 32 limits of 8 bytes: comparison 1 looks above, comparison 2 below.
func (m *Meter) nexusLimitSettings() []byte {
	var b []byte
	for i := range 32 {
		line, point, mode := uint16(0xFFFF), byte(0xFF), byte(0)
		var above, below int16
		if i < len(m.plan.limits) && m.plan.limits[i].addr != noLimit {
			l := m.plan.limits[i]
			for k := range m.items {
				if m.items[k].addr == l.addr {
					line, point = nexusLine(m.items[k].channel)
				}
			}
			mode, above, below = 2, l.above, l.below
		}
		b = append(append16(b, line), point, mode)
		b = append16(append16(b, uint16(above)), uint16(below))
	}
	return b
}

// nexusLimit is record i of the limit trigger log: all states behind a change, and what changed.
func (m *Meter) nexusLimit(i int) []byte {
	m.plan.mu.RLock()
	list := m.plan.alarms[: i+1 : i+1]
	m.plan.mu.RUnlock()
	for n := len(m.limitStates); n <= i; n++ {
		var s [2]uint32
		if n > 0 {
			s = m.limitStates[n-1]
			if d := m.plan.day(list[n].at); d.on > list[n-1].at && d.on <= list[n].at { // limits are detected afresh after power-up
				s = [2]uint32{}
			}
		}
		c, bit := 0, uint32(1)<<(31-list[n].limit)
		if list[n].below {
			c = 1
		}
		if s[c] &^= bit; list[n].out {
			s[c] |= bit
		}
		m.limitStates = append(m.limitStates, s)
	}
	r, s := list[i], m.limitStates[i]
	var delta [2]uint32
	if bit := uint32(1) << (31 - r.limit); r.below {
		delta[1] = bit
	} else {
		delta[0] = bit
	}
	b := m.zone.appendStamp8(make([]byte, 0, 32), r.meter)
	for _, v := range [...]uint32{s[0], s[1], delta[0], delta[1], s[0] | s[1], delta[0] | delta[1]} {
		b = append32(b, v)
	}
	return b
}

// nexusPQ is a record of the PQ log: the phases that left their limits. The rest of it is not known and stays 0.
func (m *Meter) nexusPQ(r *pqRecord) []byte {
	b := make([]byte, 128)
	m.zone.appendStamp8(b[:0], r.meter)
	b[8] = byte(floorMod(r.meter, 10))
	var above, below uint16
	for p := range 3 {
		bit := uint16(1) << (15 - p)
		if r.present&r.event&(1<<(m.layout.pq.SurgeBit+p)) != 0 {
			above |= bit
		}
		if r.present&r.event&(1<<(m.layout.pq.SagBit+p)) != 0 {
			below |= bit
		}
	}
	binary.BigEndian.PutUint16(b[9:], above)
	binary.BigEndian.PutUint16(b[11:], below)
	return b
}

// nexusEvents are the kind of record and its first sub-field.
var nexusEvents = [...][2]byte{
	eventPowerLoss: {0, 0}, eventStartUp: {0, 1}, eventClock: {4, 1}, eventSettings: {2, 0},
	eventDemandReset: {7, 0}, eventMaxMinReset: {7, 1}, eventEnergyReset: {7, 2}, eventLogReset: {7, 3},
	eventLogRead: {6, 0}, eventLogReadEnd: {6, 1}, eventLogin: {1, 4}, eventPassword: {1, 2},
}

// nexusSystem is a system event of 16 bytes.
func (m *Meter) nexusSystem(r *systemRecord) []byte {
	b := m.zone.appendStamp8(make([]byte, 0, 16), r.meter)
	b = append(b, nexusEvents[r.event][0], nexusEvents[r.event][1], 4-min(r.channel, 4))
	return append(append32(b, r.param), 0)
}

// The gains of a recording, in units of 1/65536: the first is that of the manual's example.
const (
	nexusVoltGain = 27650004
	nexusAmpGain  = 60 << 16
)

// nexusCounts are the samples of one channel of a capture.
func (m *Meter) nexusCounts(c *capture, phase int, current bool) []int16 {
	gain, ratio := float64(nexusVoltGain), m.site.ptRatio()
	if current {
		gain, ratio = nexusAmpGain, m.site.ctRatio()
	}
	out := make([]int16, nexusSets)
	for i, v := range m.primaryWave(c, phase, current, nexusSets) {
		out[i] = int16(max(-32768, min(32767, math.Round(v/ratio*65536/gain*16384))))
	}
	return out
}

// nexusSecondary is what a count means.
func nexusSecondary(count int16, current bool) float64 {
	if current {
		return float64(count) / 16384 * nexusAmpGain / 65536
	}
	return float64(count) / 16384 * nexusVoltGain / 65536
}

// nexusCapture returns the trigger record and the samples of capture i.
func (m *Meter) nexusCapture(i int) (trigger, samples []byte) {
	m.plan.mu.RLock()
	c := m.plan.captures[i]
	m.plan.mu.RUnlock()
	m.waveMu.Lock()
	defer m.waveMu.Unlock()
	if m.waveCached != nil && m.waveIndex == i {
		return m.waveCached[:nexusTriggerSize], m.waveCached[nexusTriggerSize:]
	}
	var counts [6][]int16 // Ia Ib Ic Van Vbn Vcn
	for p := range 3 {
		counts[p], counts[3+p] = m.nexusCounts(&c, p, true), m.nexusCounts(&c, p, false)
	}
	t := make([]byte, nexusTriggerSize)
	put := func(off int, v uint16) { binary.BigEndian.PutUint16(t[off:], v) }
	last := c.meter + int64(math.Round((wavePerCycle-1)*m.sampleIntervalMillis()))
	m.zone.appendStamp8(t[:0], last)
	for p := range 3 {
		for k, slot := range [...]int{4 + p, p} {
			var sum float64
			for _, v := range counts[3*k+p][wavePreCycles*wavePerCycle:][:wavePerCycle] {
				sum += math.Pow(nexusSecondary(v, k == 0), 2)
			}
			binary.BigEndian.PutUint32(t[8+4*slot:], uint32(math.Round(sum/wavePerCycle*65536)))
		}
	}
	t[58] = byte(floorMod(last, 10))
	put(60, (wavePreCycles+1)*wavePerCycle-1)
	put(62, wavePerCycle)
	var above, below uint16
	for p, end := range c.disturbance.end {
		if bit := uint16(1) << (15 - p); end > 0 && c.disturbance.level[p] > 1 {
			above |= bit
		} else if end > 0 {
			below |= bit
		}
	}
	for off, v := range map[int]uint16{66: above, 68: below, 70: above, 72: below} {
		put(off, v)
	}
	m.zone.appendStamp8(t[76:76], c.meter)
	t[84] = byte(floorMod(c.meter, 10))
	put(86, wavePreCycles*wavePerCycle)
	for k := range 8 {
		gain := uint32(nexusVoltGain)
		if k >= 4 {
			gain = nexusAmpGain
		}
		binary.BigEndian.PutUint32(t[88+4*k:], gain)
	}
	s := make([]byte, nexusSamplesSize)
	for k, slot := range [...]int{0, 1, 2, 4, 5, 6} {
		for n, v := range counts[k] {
			binary.LittleEndian.PutUint16(s[16*n+2*slot:], uint16(v))
		}
	}
	m.waveCached, m.waveIndex = append(t, s...), i
	return m.waveCached[:nexusTriggerSize], m.waveCached[nexusTriggerSize:]
}

// nexusRecording is what the stored counts mean, at the meter's terminals.
func (m *Meter) nexusRecording(c *capture) (out []logdb.WaveChannel) {
	for p, names := range [...][2]string{{"Van_Vab", "Ia"}, {"Vbn_Vbc", "Ib"}, {"Vcn_Vca", "Ic"}} {
		for k, name := range names {
			w := logdb.WaveChannel{Name: name}
			for _, count := range m.nexusCounts(c, p, k == 1) {
				w.Samples = append(w.Samples, nexusSecondary(count, k == 1))
			}
			out = append(out, w)
		}
	}
	return out
}
