package sim

import (
	"fmt"
	"slices"
	"time"

	"metermanager/logdb"
)

// The log numbers of a Shark 200.
const (
	LogSystem   = 0
	LogAlarm    = 1
	LogHist1    = 2
	LogHist2    = 3
	LogHist3    = 4
	LogIO       = 5
	LogPQ       = 10
	LogWaveform = 11
)

// meterLog is one log: how to count its records and how to make one of them.
type meterLog struct {
	number int
	name   string
	status uint16 // address of the status block
	size   int    // bytes, 0: the log is switched off
	max    int
	real   int // records that the real meter could hold, 0 when not known
	skip   int // records that a log reset has removed
	begin  int64
	born   int // first record of the present programming
	// old is what a slot of a ring still shows of the time before a reset, -1 for nothing; nil before the first.
	old    func(slot int) int
	total  func(now int64) int
	moment func(i int) moment
	data   func(i int) ([]byte, error) // the whole record, with its time
}

// view is a log as somebody sees it who has engaged it: index 0 stays the same record.
type view struct {
	log    *meterLog
	first  int  // record at index 0, or at index 1 behind a filler
	filler bool // index 0 is the dummy of a log that has not rolled over
}

// view latches the log as it is now.
func (l *meterLog) view(now int64) view {
	total := l.total(now) - l.skip
	if total+1 <= l.max {
		return view{l, l.skip, true}
	}
	return view{l, l.skip + total - l.max, false}
}

// used returns how many indexes are valid now. Later records come behind, up to the memory's end.
func (v view) used(now int64) int {
	n := v.log.total(now) - v.first
	if v.filler {
		n++
	}
	return n
}

// record returns the bytes at an index, which must be below used.
func (v view) record(z *zone, i int) ([]byte, error) {
	if v.filler {
		if i == 0 {
			b := z.appendStamp(make([]byte, 0, v.log.size), v.log.begin)
			for len(b) < v.log.size {
				b = append(b, 0xFF)
			}
			return b, nil
		}
		i--
	}
	return v.log.data(v.first + i)
}

func (v view) moment(i int) moment {
	if v.filler {
		if i == 0 {
			return moment{v.log.begin, v.log.begin}
		}
		i--
	}
	return v.log.moment(v.first + i)
}

// What the logs hold when the configuration does not say. Of the real meter the manual gives the
// flash sectors of the historical logs and the number of alarms; the other logs take the same
// number, and the captures are those of the larger model: both unverified.
const (
	roomyHistorical = 8_000_000
	roomyEvents     = 200_000
	roomyCaptures   = 20_000
	realAlarms      = 2048
	realCaptures    = 170
	sectorBytes     = 65536 - 20
)

func (m *Meter) buildLogs() {
	m.history = [3]*historical{
		m.newHistorical(0x7917, 1, 10, "readings.voltage.an", "readings.voltage.bn", "readings.voltage.cn",
			"readings.current.a", "readings.current.b", "readings.current.c",
			"readings.power.watts", "readings.power.vars", "readings.power.factor", "readings.frequency"),
		m.newHistorical(0x79D7, 15, 3, "energy.total.wh.received", "energy.total.wh.delivered",
			"energy.total.varh.received", "energy.total.varh.delivered", "energy.total.vah",
			"energy.interval.wh.received", "energy.interval.wh.delivered",
			"energy.interval.varh.received", "energy.interval.varh.delivered", "energy.interval.vah",
			"demand.max.watts.positive", "demand.max.watts.negative", "demand.max.vars.positive",
			"demand.max.vars.negative", "demand.max.va"),
		m.newHistorical(0x7A97, 5, 2, "readings.voltage.ab", "readings.voltage.bc", "readings.voltage.ca",
			"readings.current.n", "readings.power.va",
			"thd.voltage.a", "thd.voltage.b", "thd.voltage.c", "thd.current.a", "thd.current.b", "thd.current.c"),
	}
	p := m.plan
	m.logs = []*meterLog{
		eventLog(m, LogSystem, "system", 0xC747, 14, &p.system, func(r *systemRecord) moment { return r.moment }, m.systemBytes),
		eventLog(m, LogAlarm, "alarm", 0xC737, 10, &p.alarms, func(r *alarmRecord) moment { return r.moment }, m.alarmBytes),
		m.historicalLog(0), m.historicalLog(1), m.historicalLog(2),
		m.ioLog(),
		eventLog(m, LogPQ, "pq", 0xC797, m.layout.pq.Size, &p.pq, func(r *pqRecord) moment { return r.moment }, m.pqBytes),
		m.waveformLog(),
	}
	for _, l := range m.logs {
		l.begin = p.begin
		if n, ok := m.cfg.MaxRecords[l.number]; ok {
			l.max = n
		}
	}
	m.logs[1].real = realAlarms
}

// ioLog is the log of I/O changes, switched off in a meter without a card.
func (m *Meter) ioLog() *meterLog {
	l := eventLog(m, LogIO, "io", 0xC787, 10, &m.plan.io, func(r *ioRecord) moment { return r.moment }, func(r *ioRecord) []byte {
		b := append(m.appendMoment(make([]byte, 0, 10), r.moment), 1<<4, 0, 0, 0)
		if r.on {
			b[7] = 1 << 4
		}
		return b
	})
	if !m.cfg.IOCard {
		l.size = 0
	}
	return l
}

func (m *Meter) newHistorical(settings uint16, minutes int64, sectors byte, channels ...logdb.ChannelKey) *historical {
	h := &historical{settings: settings, interval: minutes * minuteMs, sectors: sectors}
	for _, key := range channels {
		if i := slices.IndexFunc(m.items, func(it item) bool { return it.channel == key }); i >= 0 {
			h.items = append(h.items, m.items[i])
		}
	}
	return h
}

func (m *Meter) historicalLog(i int) *meterLog {
	h := m.history[i]
	l := &meterLog{number: LogHist1 + i, name: fmt.Sprintf("historical %d", i+1), status: 0xC757 + 0x10*uint16(i), size: h.size(),
		max: roomyHistorical, real: int(h.sectors) * sectorBytes / h.size()}
	if m.cfg.RealMemory {
		l.max = l.real
	}
	l.total = func(now int64) int {
		m.plan.reach(now)
		m.plan.mu.Lock()
		defer m.plan.mu.Unlock()
		return h.total(m.plan, now)
	}
	l.moment = func(i int) moment {
		m.plan.mu.Lock()
		defer m.plan.mu.Unlock()
		return h.moment(m.plan, i)
	}
	l.data = func(i int) ([]byte, error) { return m.historicalBytes(h, l, i), nil }
	return l
}

// eventLog makes a log of records that the plan lists.
func eventLog[T any](m *Meter, number int, name string, status uint16, size int, list *[]T, at func(*T) moment, encode func(*T) []byte) *meterLog {
	l := &meterLog{number: number, name: name, status: status, size: size, max: roomyEvents}
	if m.cfg.RealMemory {
		l.max = realAlarms
	}
	l.total = func(now int64) int {
		m.plan.reach(now)
		m.plan.mu.RLock()
		defer m.plan.mu.RUnlock()
		return upTo(*list, now, func(r *T) int64 { return at(r).at })
	}
	get := func(i int) T {
		m.plan.mu.RLock()
		defer m.plan.mu.RUnlock()
		return (*list)[i]
	}
	l.moment = func(i int) moment { r := get(i); return at(&r) }
	l.data = func(i int) ([]byte, error) { r := get(i); return encode(&r), nil }
	return l
}

// captureMs is how long after its trigger a capture is in the log.
const captureMs = 1500

func (m *Meter) waveformLog() *meterLog {
	p := m.plan
	l := eventLog(m, LogWaveform, "waveform", 0xC7A7, waveRecord, &p.captures,
		func(c *capture) moment { return c.moment }, func(*capture) []byte { return nil })
	captures, moments := l.total, l.moment
	l.max, l.real = roomyCaptures*waveRecords, realCaptures*waveRecords
	if m.cfg.RealMemory {
		l.max = l.real
	}
	l.total = func(now int64) int { return captures(now-captureMs) * waveRecords }
	l.moment = func(i int) moment { return moments(i / waveRecords) }
	l.data = m.waveRecordAt
	return l
}

func (m *Meter) logByNumber(number int) *meterLog {
	for _, l := range m.logs {
		if l.number == number {
			return l
		}
	}
	return nil
}

// BeyondReal stands before each of MemoryNotes where a simulated meter is told about.
const BeyondReal = "Larger than in the real meter: "

// ExceedsRealMemory reports whether a log holds, or may hold, more than the real meter could.
func (m *Meter) ExceedsRealMemory() bool { return len(m.MemoryNotes()) > 0 }

// MemoryNotes says, for people, which logs are larger than those of the real meter.
func (m *Meter) MemoryNotes() []string {
	if m.cfg.Kind == SunSpec {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var notes []string
	for _, l := range m.logs {
		if l.real > 0 && l.max > l.real {
			notes = append(notes, fmt.Sprintf("%s log: %d records now, the real meter's memory holds %d", l.name, l.total(m.now())-l.skip, l.real))
		}
	}
	return notes
}

func (m *Meter) appendMoment(b []byte, t moment) []byte { return m.zone.appendStamp(b, t.meter) }

func (m *Meter) systemBytes(r *systemRecord) []byte {
	b := m.appendMoment(make([]byte, 0, 14), r.moment)
	code := m.layout.system[systemEvents[r.event].profile]
	b = append(b, code[0], code[1], 0, r.channel)
	return append32(b, r.param)
}

func (m *Meter) alarmBytes(r *alarmRecord) []byte {
	b := m.appendMoment(make([]byte, 0, 10), r.moment)
	direction, limit := m.layout.alarm.In, byte(r.limit)&m.layout.alarm.ID
	if r.out {
		direction = m.layout.alarm.Out
	}
	if r.below {
		limit |= m.layout.alarm.Below
	}
	return append16(append(b, direction, limit), uint16(r.value))
}

func (m *Meter) pqBytes(r *pqRecord) []byte {
	l := m.layout.pq
	b := make([]byte, l.Size)
	m.appendMoment(b[:0], r.moment)
	put := func(offset int, v uint16) { b[offset], b[offset+1] = byte(v>>8), byte(v) }
	put(l.Present, r.present)
	put(l.Event, r.event)
	b[l.Capture] = r.capture
	if r.capture > 0 {
		b[l.Flags] = 1
	}
	put(l.CycleTag, uint16(floorMod(r.meter, secondMs)))
	for p, level := range r.level {
		v := uint16(0)
		if level > 0 {
			v = uint16(m.counts(level*m.site.NominalVolts, p, false) + 0.5)
		}
		if level > 1 {
			put(l.Surge+2*p, v)
		} else {
			put(l.Sag+2*p, v)
		}
		put(l.Calibration+2*p, calibration[p][0])
	}
	return b
}

// historicalBytes makes record i of a historical log.
func (m *Meter) historicalBytes(h *historical, l *meterLog, i int) []byte {
	at := l.moment(i)
	s := m.historicalSnapshot(h, l, i)
	b := m.appendMoment(make([]byte, 0, l.size), at)
	for n := range h.items {
		b = h.items[n].appendTo(b, &s, m.cfg.Energy)
	}
	return b
}

func (m *Meter) historicalSnapshot(h *historical, l *meterLog, i int) snapshot {
	at := l.moment(i).at
	s := snapshot{Reading: m.model.at(at)}
	if !slices.ContainsFunc(h.items, func(it item) bool { return it.needsEnergy() }) {
		return s
	}
	before := m.plan.begin
	if i > 0 {
		before = l.moment(i - 1).at
	}
	m.addEnergy(&s, before, at)
	return s
}

// addEnergy fills in the energies at a true time, and those of the interval since before.
func (m *Meter) addEnergy(s *snapshot, before, at int64) {
	a, b := m.energy.at(before), m.energy.at(at)
	base := m.start
	for _, r := range m.resets {
		if at >= r.at {
			base = r.base
		}
	}
	f := m.cfg.Energy
	for i := range s.counters {
		s.counters[i] = f.counts(base[i] + b[i])
		s.interval[i] = f.counts(m.start[i]+b[i]) - f.counts(m.start[i]+a[i])
	}
	s.peaks = m.energy.peaks(before, at)
	s.peakPF = [2]float64{factor(s.peaks[whReceived], max(s.peaks[whReceived], s.peaks[vahTotal])), factor(-s.peaks[whDelivered], max(s.peaks[whDelivered], s.peaks[vahTotal]))}
	s.peakPF[1] = min(0, s.peakPF[1])
}

// energyReset is a counter back to zero.
type energyReset struct {
	at   int64
	base energies // mWh to add to the energy since the begin
}

// ResetEnergy sets all energy counters to zero, as register 0x4E20 would, and notes it.
func (m *Meter) ResetEnergy() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.record(m.resetEnergy(m.now()), eventEnergyReset, 0, "")
}

func (m *Meter) resetEnergy(now int64) int64 {
	base := m.energy.at(now)
	for i := range base {
		base[i] = -base[i]
	}
	m.resets = append(m.resets, energyReset{now, base})
	return m.plan.note(now, eventEnergyReset, frontPanel, 0)
}

// frontPanel is the port from which somebody changes the meter.
const frontPanel = 3

// ResetLog empties a log and notes it.
func (m *Meter) ResetLog(number int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, err := m.resetLog(number, m.now())
	if err == nil {
		m.record(at, eventLogReset, uint32(number), "")
	}
	return err
}

func (m *Meter) resetLog(number int, now int64) (int64, error) {
	l := m.logByNumber(number)
	if l == nil {
		return 0, fmt.Errorf("reset log %d: no such log", number)
	}
	if m.cfg.Kind == Nexus {
		l.keepOld(now + m.lead)
	}
	l.skip, l.begin = l.total(now), now
	return m.plan.note(now, eventLogReset, frontPanel, uint32(number)), nil
}

// Reprogram gives a historical log another interval and other channels, which empties it, and
// notes the change: what a meter does when its settings are changed between two retrievals.
func (m *Meter) Reprogram(number int, interval time.Duration, channels ...logdb.ChannelKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, err := m.reprogram(number, interval, channels, m.now())
	if err == nil {
		m.record(at, eventSettings, uint32(number), programText(interval, channels))
	}
	return err
}

func (m *Meter) reprogram(number int, interval time.Duration, channels []logdb.ChannelKey, now int64) (int64, error) {
	i := number - LogHist1
	if i < 0 || i >= len(m.history) || intervalBit(interval.Milliseconds()) == 0 {
		return 0, fmt.Errorf("reprogram log %d to %s: no such log or interval", number, interval)
	}
	old := m.history[i]
	h := m.newHistorical(old.settings, interval.Milliseconds()/minuteMs, old.sectors, channels...)
	most := 117
	if m.cfg.Kind == Nexus {
		most = (nexusHistorySize - 8) / 2
		if i > 1 || slices.ContainsFunc(h.items, func(it item) bool { return it.float == nil }) {
			return 0, fmt.Errorf("reprogram log %d: channels %q cannot be logged", number, channels)
		}
	}
	if len(h.items) != len(channels) || h.registers() == 0 || h.registers() > most {
		return 0, fmt.Errorf("reprogram log %d: channels %q cannot be logged", number, channels)
	}
	m.history[i] = h
	for n, l := range m.logs {
		if l.number == number {
			if m.logs[n] = m.historicalLog(i); m.cfg.Kind == Nexus {
				m.logs[n] = m.nexusHistorical(i)
				m.rings[i] = &nexusRing{log: m.logs[n], size: nexusHistorySize, data: m.logs[n].data}
			}
			m.logs[n].max = l.max
			m.logs[n].skip, m.logs[n].begin = m.logs[n].total(now), now
			m.logs[n].born = m.logs[n].skip
		}
	}
	m.session = nil
	m.plan.note(now, eventSettings, frontPanel, uint32(number))
	return m.plan.note(now, eventLogReset, frontPanel, uint32(number)), nil
}
