package sim

import (
	"encoding/hex"
	"time"
)

// UseManualLogs puts the logs of the manuals' printed examples in the place of historical
// logs 1 (Shark 200: engaged by COM2) and 2 (MP200: filler record, then readings).
func (m *Meter) UseManualLogs() {
	m.mu.Lock()
	defer m.mu.Unlock()
	shark, mp := m.logByNumber(LogHist1), m.logByNumber(LogHist2)
	at := func(y, d, h, min, s int) moment {
		ms := time.Date(y, 7, d, h, min, s, 0, time.UTC).UnixMilli()
		return moment{ms, ms}
	}
	data := func(l *meterLog) func(int) ([]byte, error) {
		return func(i int) ([]byte, error) {
			b, err := hex.DecodeString("42FAAACF42FAAD1842FAA9A8")
			return append(m.zone.appendStamp(nil, l.moment(i).meter), b...), err
		}
	}
	for _, l := range []*meterLog{shark, mp} {
		l.size, l.max, l.skip = 18, 256, 0
		l.total = func(int64) int { return 99 }
		l.data = data(l)
	}
	shark.begin = at(2006, 23, 16, 21, 17).meter
	shark.moment = func(int) moment { return at(2006, 24, 16, 21, 17) }
	mp.begin = at(2012, 23, 16, 21, 17).meter
	mp.moment = func(i int) moment { return at(2012, 23, 16, 22+i, 0) }
}

// EngageAs engages a log by another port than that of the connection.
func (m *Meter) EngageAs(port int, value uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.engage(port, value, m.now())
}

// Answer carries out a PDU without a network.
func (m *Meter) Answer(pdu []byte) []byte { return m.answer(3, pdu) }

// Stamp is the meter's 6 bytes for an instant.
func (m *Meter) Stamp(t time.Time) []byte { return m.zone.appendStamp(nil, t.UnixMilli()) }

// EnergyAt returns the five counters in mWh since the begin.
func (m *Meter) EnergyAt(t time.Time) [5]int64 { return m.energy.at(t.UnixMilli()) }
