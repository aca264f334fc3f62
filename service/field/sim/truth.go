package sim

import (
	"fmt"
	"iter"
	"math"
	"time"

	"metermanager/logdb"
)

// Record is one log record as the meter made it, for comparing with what arrived elsewhere.
type Record struct {
	// Number counts the log's records from 0 on, however many the memory still holds.
	Number int
	// Time is the meter's own clock at that moment, read as UTC: to the second, as the record says,
	// for PQ and waveform records to the millisecond. True is when it really was.
	Time, True time.Time
	Raw        []byte
	Values     []Value          // historical logs, and that of flicker, whose Time is the end of the interval
	System     logdb.SystemType // system log
	Param      uint32           // system log
}

// Value is one channel of a historical record, in primary units. The meter's floats have 32
// bits: compare as float32 with what was read through its bytes.
type Value struct {
	Channel logdb.ChannelKey
	Value   float64
}

// Excursion is a limit or PQ event of which the meter wrote records.
type Excursion struct {
	Channel logdb.ChannelKey
	Limit   int // 1 to 8; 0 for PQ events
	Above   bool
	// Start and End are times of the meter's clock. Start is zero when the meter was off then, End
	// when it lost its supply before.
	Start, End time.Time
	Worst      float64   // primary, of PQ events; of limit events the share of full scale, 1 is 100 %
	First      float64   // what the record of the start says of it
	True       time.Time // when it really began
}

// Recording is a waveform capture.
type Recording struct {
	Number         byte
	Trigger        time.Time // by the meter's clock, to the millisecond
	True           time.Time // when the trigger really was
	First          time.Time // of the first sample, to the microsecond
	SampleInterval time.Duration
	Channels       []logdb.WaveChannel // "Van_Vab", "Ia", "Vbn_Vbc", ...: what the stored counts mean
}

// Records visits what a log's memory holds at present, oldest first, the filler record left out.
func (m *Meter) Records(log int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		m.mu.Lock()
		l, now := m.logByNumber(log), m.now()
		if l == nil || l.size == 0 || m.cfg.Kind == SunSpec {
			m.mu.Unlock()
			yield(Record{}, fmt.Errorf("log %d: no such log", log))
			return
		}
		first, total := l.view(now).first, l.total(now)
		m.mu.Unlock()
		for i := first; i < total; i++ {
			r, err := m.truth(l, i)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Lifetime visits every record that a log has made since the begin of the history, or since it
// was reprogrammed, whatever has become of it: those that the memory lost, and those before a reset.
func (m *Meter) Lifetime(log int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		m.mu.Lock()
		l := m.logByNumber(log)
		if l == nil || l.size == 0 || m.cfg.Kind == SunSpec {
			m.mu.Unlock()
			yield(Record{}, fmt.Errorf("log %d: no such log", log))
			return
		}
		first, total := l.born, l.total(m.now())
		m.mu.Unlock()
		for i := first; i < total; i++ {
			r, err := m.truth(l, i)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Channels returns what a historical log records.
func (m *Meter) Channels(log int) []logdb.ChannelKey {
	m.mu.Lock()
	defer m.mu.Unlock()
	if log < LogHist1 || log > LogHist3 {
		return nil
	}
	var out []logdb.ChannelKey
	for _, it := range m.history[log-LogHist1].items {
		out = append(out, it.channel)
	}
	return out
}

func (m *Meter) truth(l *meterLog, i int) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := l.moment(i)
	r := Record{Number: i, Time: time.UnixMilli(at.meter).UTC(), True: time.UnixMilli(at.at).UTC()}
	if l.number != LogPQ && l.number != LogWaveform && m.cfg.Kind != Nexus {
		r.Time = time.UnixMilli(floorDiv(at.meter, secondMs) * secondMs).UTC()
	}
	var err error
	if r.Raw, err = l.data(i); err != nil {
		return r, err
	}
	switch l.number {
	case LogSystem:
		m.plan.mu.RLock()
		r.System, r.Param = systemEvents[m.plan.system[i].event].typ, m.plan.system[i].param
		m.plan.mu.RUnlock()
	case LogHist1, LogHist2, LogHist3:
		h := m.history[l.number-LogHist1]
		s := m.historicalSnapshot(h, l, i)
		for n := range h.items {
			it := &h.items[n]
			v := it.value(&s, m.cfg.Energy)
			if m.cfg.Kind == Nexus {
				v = math.Round(m.secondary(it.channel, it.float(&s))*65536) / 65536
			}
			r.Values = append(r.Values, Value{it.channel, v})
		}
	case LogFlicker:
		end, long := m.flickerAt(i)
		r.Time, r.Values = time.UnixMilli(end.meter).UTC(), m.flickerValues(end, long)
	}
	return r, nil
}

// PQEvents returns the voltage events up to the present, by start, from the schedule and not
// from the records.
func (m *Meter) PQEvents() []Excursion {
	keys := [3]logdb.ChannelKey{"readings.voltage.an", "readings.voltage.bn", "readings.voltage.cn"}
	var out []Excursion
	now := m.now()
	for _, d := range m.daysUntil(now) {
		for _, x := range d.disturbances {
			if !x.pq() || x.start > now {
				continue
			}
			for p, end := range x.end {
				if end == 0 {
					continue
				}
				e := Excursion{Channel: keys[p], Above: x.level[p] > 1, Worst: x.level[p] * m.site.NominalVolts, First: x.level[p] * m.site.NominalVolts, True: time.UnixMilli(x.start).UTC()}
				if !x.headless {
					e.Start = d.clock(x.start)
				}
				if !x.lost && end <= now {
					e.End = d.clock(end)
				}
				out = append(out, e)
			}
		}
	}
	return out
}

// LimitEvents returns the limit events up to the present, by start. It pairs the meter's own
// list, which knows more than the records say.
func (m *Meter) LimitEvents() []Excursion {
	now := m.now()
	m.plan.reach(now)
	m.plan.mu.RLock()
	defer m.plan.mu.RUnlock()
	keys := map[uint16]logdb.ChannelKey{}
	for _, it := range m.items {
		keys[it.addr] = it.channel
	}
	var out []Excursion
	open := map[int]int{}
	for _, r := range m.plan.alarms {
		if r.at > now {
			break
		}
		stamp := time.UnixMilli(floorDiv(r.meter, secondMs) * secondMs).UTC()
		worst := float64(r.value) / 1000
		if r.out {
			open[r.limit] = len(out)
			out = append(out, Excursion{Channel: keys[m.plan.limits[r.limit].addr], Limit: r.limit + 1, Above: !r.below, Start: stamp, Worst: worst, First: worst, True: time.UnixMilli(r.at).UTC()})
		} else if i, ok := open[r.limit]; ok {
			out[i].End, out[i].Worst = stamp, worst
			delete(open, r.limit)
		}
	}
	return out
}

// Recordings visits the waveform captures up to the present.
func (m *Meter) Recordings() iter.Seq[Recording] {
	return func(yield func(Recording) bool) {
		now := m.now()
		m.plan.reach(now)
		m.plan.mu.RLock()
		n := upTo(m.plan.captures, now-captureMs, func(c *capture) int64 { return c.at })
		list := append([]capture(nil), m.plan.captures[:n]...)
		m.plan.mu.RUnlock()
		for i := range list {
			if !yield(m.recording(&list[i])) {
				return
			}
		}
	}
}

func (m *Meter) recording(c *capture) Recording {
	interval := time.Duration(m.sampleIntervalMillis() * float64(time.Millisecond))
	trigger := time.UnixMilli(c.meter).UTC()
	r := Recording{Number: c.number, Trigger: trigger, True: time.UnixMilli(c.at).UTC(), SampleInterval: interval,
		First: trigger.Add(-time.Duration(wavePreCycles*wavePerCycle*m.sampleIntervalMillis()*1000) * time.Microsecond)}
	if m.cfg.Kind == Nexus {
		r.Channels = m.nexusRecording(c)
		return r
	}
	for p, names := range [...][2]string{{"Van_Vab", "Ia"}, {"Vbn_Vbc", "Ib"}, {"Vcn_Vca", "Ic"}} {
		for k, name := range names {
			w := logdb.WaveChannel{Name: name}
			for _, count := range m.wave(c, p, k == 1) {
				w.Samples = append(w.Samples, m.toPrimary(float64(count), p, k == 1))
			}
			r.Channels = append(r.Channels, w)
		}
	}
	return r
}

func (m *Meter) daysUntil(now int64) []*day {
	m.plan.reach(now)
	m.plan.mu.RLock()
	defer m.plan.mu.RUnlock()
	if now < m.plan.begin {
		return nil
	}
	return m.plan.days[:(now-m.plan.begin)/dayMs+1]
}

func (d *day) clock(t int64) time.Time { return time.UnixMilli(d.moment(t).meter).UTC() }
