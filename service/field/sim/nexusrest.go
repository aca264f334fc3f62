package sim

import (
	"math"
	"slices"
	"sort"

	"metermanager/logdb"
)

// The logs that only a Nexus has. Their numbers go on behind those of a Shark.
const (
	LogFlicker               = 12
	LogLimitSnapshot         = 13
	LogDigitalInput          = 14
	LogDigitalInputSnapshot  = 15
	LogDigitalOutput         = 16
	LogDigitalOutputSnapshot = 17
	LogReset                 = 18
)

// Record sizes. That of flicker is the manual's, which says of snapshots that they have 16 to 256 bytes; the others are made up.
const (
	nexusFlickerSize  = 32
	nexusSnapshotSize = 64
	nexusLimitSnap    = 256
	nexusDigitalSize  = 16
	nexusResetSize    = 12
)

// shortMs and longMs are the intervals of flicker, Pst and Plt. A record is written after the end of its interval, the long one behind the short one.
const (
	shortMs        = 10 * minuteMs
	longMs         = 120 * minuteMs
	shortWrittenMs = secondMs
	longWrittenMs  = 2 * secondMs
)

// flicker finds the records of two intervals in the order in which they were written.
type flicker struct{ short, long historical }

// total returns how many there are at true time t. The plan must reach t, and is locked.
func (f *flicker) total(p *plan, t int64) int {
	return f.short.total(p, t-shortWrittenMs) + f.long.total(p, t-longWrittenMs)
}

// of returns the end of the interval of record i, and whether it is a long one. Behind the short record k stand all long ones that end with or before it.
func (f *flicker) of(p *plan, i int) (end moment, long bool) {
	f.short.grow(p)
	all := f.short.sums[len(p.segments)]
	place := func(k int) int { return k + f.long.total(p, f.short.moment(p, k).at-1) }
	k := sort.Search(min(all, i+1), func(k int) bool { return place(k) > i }) - 1
	return f.short.moment(p, k), place(k) != i
}

// pst is the short-term flicker of a phase over the ten minutes before true time at; plt is made from the twelve of two hours, as IEC 61000-4-15 says.
func (m *Meter) pst(at int64, phase int) float64 {
	return 0.15 + 1.1*math.Pow(m.model.seed.unit(streamFlicker, 3*floorDiv(at, shortMs)+int64(phase)), 3)
}

func (m *Meter) plt(at int64, phase int) float64 {
	var sum float64
	for n := range int64(12) {
		sum += math.Pow(m.pst(at-n*shortMs, phase), 3)
	}
	return math.Cbrt(sum / 12)
}

// nexusFlicker is a record of flicker: its time, the end of the interval, three values in 1/65536, which is the manual's format of other values (for these
// it names none), 0 short or 1 long, and three bytes that are not used.
func (m *Meter) nexusFlicker(end moment, long bool) []byte {
	written, measure, term := end.meter+shortWrittenMs, m.pst, byte(0)
	if long {
		written, measure, term = end.meter+longWrittenMs, m.plt, 1
	}
	b := m.zone.appendStamp8(make([]byte, 0, nexusFlickerSize), written)
	b = m.zone.appendStamp8(b, end.meter)
	for phase := range 3 {
		b = appendF7(b, measure(end.at, phase))
	}
	return append(b, term, 0, 0, 0)
}

func (m *Meter) flickerValues(end moment, long bool) (out []Value) {
	measure, name := m.pst, "flicker.pst."
	if long {
		measure, name = m.plt, "flicker.plt."
	}
	for phase, p := range [...]string{"a", "b", "c"} {
		out = append(out, Value{logdb.ChannelKey(name + p), math.Round(measure(end.at, phase)*65536) / 65536})
	}
	return out
}

// flickerAt returns what record i of the flicker log is.
func (m *Meter) flickerAt(i int) (end moment, long bool) {
	m.plan.mu.Lock()
	defer m.plan.mu.Unlock()
	return m.flicker.of(m.plan, i)
}

func (m *Meter) flickerLog() *meterLog {
	m.flicker = &flicker{historical{interval: shortMs}, historical{interval: longMs}}
	return &meterLog{
		number: LogFlicker, name: "flicker", size: nexusFlickerSize, max: nexusRoomy,
		total: func(now int64) int {
			m.plan.reach(now)
			m.plan.mu.Lock()
			defer m.plan.mu.Unlock()
			return m.flicker.total(m.plan, now)
		},
		moment: func(i int) moment {
			end, long := m.flickerAt(i)
			after := shortWrittenMs
			if long {
				after = longWrittenMs
			}
			return moment{end.at + int64(after), end.meter + int64(after)}
		},
		data: func(i int) ([]byte, error) {
			end, long := m.flickerAt(i)
			return m.nexusFlicker(end, long), nil
		},
	}
}

// digitalRecord is a change of an input or output.
type digitalRecord struct {
	moment
	state, changed byte
	apart          bool // does not follow on the record before: the supply was off
}

// addInputs lets some of eight inputs change within a day.
func (p *plan) addInputs(d *day) {
	draw := draws{seed: p.seed, stream: streamInput, key: floorDiv(d.start, minuteMs)}
	var at []int64
	for range 4 + int(8*draw.unit()) {
		if t := d.start + int64(draw.unit()*dayMs); t > p.begin && !d.isOff(t) {
			at = append(at, t)
		}
	}
	slices.Sort(at)
	for _, t := range at {
		r := digitalRecord{moment: d.moment(t), changed: 1 << int(8*draw.unit())}
		if n := len(p.inputs); n > 0 {
			r.state = p.inputs[n-1].state
			r.apart = d.on > p.inputs[n-1].at && d.on <= t
		}
		r.state ^= r.changed
		p.inputs = append(p.inputs, r)
	}
}

// isReset reports whether an event goes into the reset log too.
func isReset(e eventName) bool {
	return e == eventDemandReset || e == eventMaxMinReset || e == eventEnergyReset || e == eventLogReset
}

// The bodies of the records below are made up: no document prints them. They are as long as the manual says, or says that they may be.

func (m *Meter) nexusDigital(r *digitalRecord) []byte {
	b := m.zone.appendStamp8(make([]byte, 0, nexusDigitalSize), r.meter)
	if r.apart {
		b[7] |= 0x80
	}
	return append(b, r.state, r.changed, 0, 0, 0, 0, 0, 0)
}

// nexusSnapshot is what the meter measured at a moment.
func (m *Meter) nexusSnapshot(t moment, apart bool, size int) []byte {
	b := m.zone.appendStamp8(make([]byte, 0, size), t.meter)
	if apart {
		b[7] |= 0x80
	}
	r := m.model.at(t.at)
	for _, list := range [...][]float64{r.Volts[:], r.Amps[:], r.Vars[:]} {
		for _, v := range list {
			if len(b)+4 <= size {
				b = appendF7(b, v/m.site.ptRatio())
			}
		}
	}
	return append(b, make([]byte, size-len(b))...)
}

func (m *Meter) nexusReset(r *systemRecord) []byte {
	b := m.zone.appendStamp8(make([]byte, 0, nexusResetSize), r.meter)
	return append(b, nexusEvents[r.event][1], byte(r.param), 0, 0)
}

// nexusRest makes the logs of which only the time is documented, and that of flicker.
func (m *Meter) nexusRest() []*meterLog {
	p := m.plan
	alarm := func(r *alarmRecord) moment { return r.moment }
	input := func(r *digitalRecord) moment { return r.moment }
	output := func(r *ioRecord) moment { return r.moment }
	return []*meterLog{
		eventLog(m, LogLimitSnapshot, "limit snapshot", 0, nexusLimitSnap, &p.alarms, alarm, func(r *alarmRecord) []byte { return m.nexusSnapshot(r.moment, false, nexusLimitSnap) }),
		eventLog(m, LogDigitalInput, "digital input", 0, nexusDigitalSize, &p.inputs, input, m.nexusDigital),
		eventLog(m, LogDigitalInputSnapshot, "digital input snapshot", 0, nexusSnapshotSize, &p.inputs, input, func(r *digitalRecord) []byte { return m.nexusSnapshot(r.moment, r.apart, nexusSnapshotSize) }),
		eventLog(m, LogDigitalOutput, "digital output", 0, nexusDigitalSize, &p.io, output, func(r *ioRecord) []byte {
			x := digitalRecord{moment: r.moment, changed: 1}
			if r.on {
				x.state = 1
			}
			return m.nexusDigital(&x)
		}),
		eventLog(m, LogDigitalOutputSnapshot, "digital output snapshot", 0, nexusSnapshotSize, &p.io, output, func(r *ioRecord) []byte { return m.nexusSnapshot(r.moment, false, nexusSnapshotSize) }),
		m.flickerLog(),
		eventLog(m, LogReset, "reset", 0, nexusResetSize, &p.resets, func(r *systemRecord) moment { return r.moment }, m.nexusReset),
	}
}

// restRings are the memories of the logs of nexusRest, in their order.
var restRings = [...]int{3, 4, 5, 6, 7, 8, 13}
