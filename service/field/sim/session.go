package sim

// The log retrieval section.
const (
	addrPort     = 0xC34E
	addrEngage   = 0xC34F
	addrSetup    = 0xC350
	addrIndex    = 0xC351
	addrWindow   = 0xC353
	addrWinLast  = 0xC3CD
	windowBytes  = 246
	idleMs       = 5 * minuteMs
	wavePart     = 244 // bytes of a waveform record in one of the 4 windows of a request
	waveParts    = 4
	scopeNormal  = 0
	scopeStamp   = 1
	scopeImage   = 2
	imagePrefix  = 6
	stampBytes   = 6
	windowsReady = 0x00
	notReady     = 0xFF
)

// session is an engaged log: one log, one port, at a time.
type session struct {
	port    int
	view    view
	scope   byte
	records int // per window
	repeats int // 0 no auto-increment, 1 auto-increment, 2 to 8 windows per request
	index   int
	used    int64 // ms of the last activity
	waiting bool  // the window is not ready at the next reading
	busy    bool  // likewise, but the meter answers "busy"
}

// expire ends a session that has rested for five minutes.
func (m *Meter) expire(now int64) {
	if m.session != nil && now-m.session.used >= idleMs {
		m.session = nil
	}
}

// engage carries out a write to 0xC34F.
func (m *Meter) engage(port int, value uint16, now int64) {
	number, enable, scope := int(value>>8), value&0x80 != 0, byte(value&0x7F)
	if m.session != nil && m.session.port != port {
		return // another port has it: availability tells
	}
	if m.session != nil {
		ended := m.session.view.log
		m.session = nil
		m.noteRead(now, eventLogReadEnd, port, ended.number)
	}
	if !enable || m.faults.taken(number) != 0 {
		return
	}
	l := m.logByNumber(number)
	if l == nil || l.size == 0 || scope > scopeImage {
		return
	}
	m.session = &session{port: port, view: l.view(now), scope: scope, used: now}
	m.noteRead(now, eventLogRead, port, number)
}

// noteRead writes a log retrieval to the system log, as the real meter does.
func (m *Meter) noteRead(now int64, event eventName, port, number int) {
	at := m.plan.note(now, event, byte(port), uint32(number))
	if err := m.journal.append(at, event, byte(port), uint32(number), ""); err != nil {
		m.log.Warn("keep log retrieval", "err", err)
	}
}

// writeSession handles a write to one register of the section.
func (m *Meter) writeSession(port int, addr, value uint16, now int64) {
	if addr == addrEngage {
		m.engage(port, value, now)
		return
	}
	s := m.session
	if s == nil || s.port != port {
		return
	}
	s.used = now
	switch addr {
	case addrSetup:
		s.records, s.repeats = int(value>>8), int(value&0xFF)
	case addrIndex: // the high byte is the status, which cannot be written
		s.index = int(value&0xFF)<<16 | s.index&0xFFFF
		m.newWindow(s)
	case addrIndex + 1:
		s.index = s.index&^0xFFFF | int(value)
		m.newWindow(s)
	}
}

// newWindow decides whether the window at the new index will be ready at once.
func (m *Meter) newWindow(s *session) {
	s.waiting, s.busy = false, false
	if m.cfg.NotReadyEvery < 1 {
		return
	}
	m.windows++
	if draw := m.model.seed.bits(streamWindow, m.windows); draw%uint64(m.cfg.NotReadyEvery) == 0 {
		s.waiting = draw>>32&1 == 0
		s.busy = !s.waiting
	}
}

// isWave reports whether a record is larger than a window, so that it comes in parts.
func (s *session) isWave() bool { return s.view.log.size > windowBytes && s.scope != scopeStamp }

// section returns registers 0xC34C to 0xC3CD as port sees them, in pass number pass of a
// repeated request.
func (m *Meter) section(port, pass int, now int64) ([]byte, byte) {
	b := make([]byte, 2*(addrWinLast-0xC34C+1))
	s := m.session
	if s == nil {
		return b, 0
	}
	b[2*(addrPort-0xC34C)+1] = byte(s.port)
	if s.port != port {
		return b, 0
	}
	b[2*(addrEngage-0xC34C)] = byte(s.view.log.number)
	b[2*(addrEngage-0xC34C)+1] = 0x80 | s.scope
	b[2*(addrSetup-0xC34C)] = byte(s.records)
	b[2*(addrSetup-0xC34C)+1] = byte(s.repeats)
	index := s.index + pass*s.records
	if s.isWave() {
		index = s.index
	}
	head := b[2*(addrIndex-0xC34C):]
	head[1], head[2], head[3] = byte(index>>16), byte(index>>8), byte(index)
	window := b[2*(addrWindow-0xC34C):]
	for i := range window {
		window[i] = 0xFF
	}
	if s.waiting || m.faults.take(FaultWindowNotReady) != nil {
		s.waiting = false
		head[0] = notReady
		return b, 0
	}
	if err := m.fillWindow(s, window, index, pass, now); err != nil {
		m.log.Error("make log record", "log", s.view.log.name, "index", index, "err", err)
		return nil, exceptionFailure
	}
	return b, 0
}

// fillWindow puts the records from index on into the window.
func (m *Meter) fillWindow(s *session, window []byte, index, pass int, now int64) error {
	used := s.view.used(now)
	if s.isWave() {
		if index >= used {
			return nil
		}
		record, err := s.record(m, index)
		if err != nil {
			return err
		}
		if from := pass * wavePart; from < len(record) {
			copy(window[:wavePart], record[from:])
		}
		return nil
	}
	for range s.records {
		if index >= used {
			return nil
		}
		record, err := s.record(m, index)
		if err != nil {
			return err
		}
		if len(record) > len(window) {
			return nil
		}
		copy(window, record)
		window = window[len(record):]
		index++
	}
	return nil
}

// record returns the bytes at an index in the session's scope.
func (s *session) record(m *Meter, index int) ([]byte, error) {
	if s.scope == scopeStamp {
		return m.zone.appendStamp(make([]byte, 0, stampBytes), s.view.moment(index).meter), nil
	}
	record, err := s.view.record(m.zone, index)
	if err != nil || s.scope == scopeNormal {
		return record, err
	}
	// The manual does not print the checksum; a plain sum keeps the place honest.
	var sum uint16
	for _, v := range record {
		sum += uint16(v)
	}
	b := append16(make([]byte, 0, imagePrefix+len(record)), sum)
	b = append32(b, uint32(s.view.first+index))
	return append(b, record...), nil
}

// advance moves the index after a request that has read the last register of the window.
func (m *Meter) advance(s *session, passes int) {
	if s.repeats == 0 || m.faults.take(FaultIndexStuck) != nil {
		return
	}
	step := passes * s.records
	if s.isWave() {
		step = 1
	}
	if m.faults.take(FaultIndexTwice) != nil {
		step *= 2
	}
	s.index = (s.index + step) & 0xFFFFFF
	m.newWindow(s)
}

// statusBlock is the 32 bytes that describe a log.
func (m *Meter) statusBlock(l *meterLog, now int64) []byte {
	if l.size == 0 {
		b := make([]byte, 32)
		b[10], b[11] = 0xFF, 0xFF
		return b
	}
	v := l.view(now)
	used, size, available := v.used(now), l.size, uint16(0)
	if s := m.session; s != nil && s.view.log == l {
		available = uint16(s.port)
	}
	if p := m.faults.taken(l.number); p != 0 {
		available = p
	}
	if m.faults.take(FaultRecordSizeZero) != nil {
		size = 0
	}
	if m.faults.take(FaultUsedOne) != nil {
		used = 1
	}
	b := append32(make([]byte, 0, 32), uint32(l.max))
	b = append32(b, uint32(used))
	b = append16(append16(b, uint16(size)), available)
	b = m.zone.appendStamp(b, v.moment(0).meter)
	b = m.zone.appendStamp(b, v.moment(used-1).meter)
	return append(b, make([]byte, 8)...)
}
