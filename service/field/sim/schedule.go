package sim

import (
	"slices"
	"time"
)

// dayMs is the length of a day of the schedule. Days count from the begin of the history,
// not from midnight, so that every history begins with a day on which everything happens.
const dayMs = 86_400_000

const (
	secondMs = 1000
	minuteMs = 60 * secondMs
	hourMs   = 60 * minuteMs
)

// kind is a sort of disturbance.
type kind uint8

const (
	kindSag kind = iota
	kindSwell
	kindInterruption
	kindInrush
	kindOverload // the load leaves its usual range: a limit event, not a PQ event
	kindHertz    // the frequency leaves its band
)

// disturbance is something that happens to voltage, load or frequency.
type disturbance struct {
	kind  kind
	start int64      // true ms
	end   [3]int64   // true ms per phase, 0 where the phase is not touched; overload and hertz use [0]
	level [3]float64 // of nominal voltage per phase; overload: of full-scale power; hertz: Hz
	// lost is set when the meter loses power before the end, headless when it was off at the start.
	lost, headless bool
	capture        int // number of the waveform capture, -1 when there is none
}

// last returns when the last phase is back.
func (d *disturbance) last() int64 { return max(d.end[0], d.end[1], d.end[2]) }

// pq reports whether the disturbance is one of voltage.
func (d *disturbance) pq() bool { return d.kind <= kindInrush }

// shift is a change of the meter's clock: from at on it shows true time plus ms.
type shift struct{ at, ms int64 }

// note is a system event that people or the meter cause.
type note struct {
	at    int64
	event eventName
	param uint32
}

// day is everything that happens on one day of the schedule.
type day struct {
	start        int64
	disturbances []disturbance // by start
	off, on      int64         // the outage [off, on), 0 when there is none
	shifts       []shift       // by time; the day begins and ends with a right clock
	notes        []note        // by time
}

// dayLong is dayMs.
const dayLong = dayMs * time.Millisecond

// setClock plans that the clock shows true time plus ms from at on.
func (d *day) setClock(at, ms int64) {
	by := ms - d.shift(at)
	d.shifts = append(d.shifts, shift{at, ms})
	d.notes = append(d.notes, note{at, eventClock, uint32(by / 1000)})
}

// planDay draws day n of the history that began at begin, but for the steps of the clock if there are some. It depends on nothing else.
func planDay(s seed, begin, n int64, clock []ClockStep) *day {
	d := &day{start: begin + n*dayMs}
	r := &draws{seed: s, stream: streamDay, key: n * 4096}
	slots := slotPicker{draws: r, used: map[int64]bool{}, start: d.start}
	if n%15 == 0 {
		d.planOutage(r)
		slots.reserve(28, 41)
	}
	for _, step := range clock {
		if at := begin + step.After.Milliseconds(); at >= d.start && at < d.start+dayMs {
			d.setClock(at, step.Ahead.Milliseconds())
		}
	}
	if n%12 == 0 && clock == nil {
		forward := d.start + 12*hourMs + r.below(20*minuteMs)
		back := forward + 2*hourMs + r.below(30*minuteMs)
		ms := 60_000*(4+r.below(9)) + 1000*r.below(60)
		d.setClock(forward, ms)
		d.setClock(back, 0)
	}
	d.planVoltage(r, &slots, n)
	d.planLoad(r, &slots, n)
	d.planPeople(r, n)
	slices.SortStableFunc(d.disturbances, func(a, b disturbance) int { return int(a.start - b.start) })
	slices.SortStableFunc(d.notes, func(a, b note) int { return int(a.at - b.at) })
	return d
}

// planOutage takes the meter's supply away for a while. The collapse before has no end that
// the meter could see, and one phase is still low when it wakes up.
func (d *day) planOutage(r *draws) {
	d.off = d.start + 5*hourMs + r.below(20*minuteMs)
	d.on = d.off + 25*minuteMs + r.below(60*minuteMs)
	before := disturbance{kind: kindSag, start: d.off - 2300, lost: true, capture: -1}
	after := disturbance{kind: kindSag, start: d.on, headless: true, capture: -1}
	for p := range before.end {
		before.end[p], before.level[p] = d.off, r.between(0.35, 0.55)
	}
	after.end[2], after.level[2] = d.on+3200, r.between(0.78, 0.85)
	d.disturbances = append(d.disturbances, before, after)
	d.notes = append(d.notes, note{d.off, eventPowerLoss, 0}, note{d.on, eventStartUp, 0})
}

func (d *day) planVoltage(r *draws, slots *slotPicker, n int64) {
	sags := 1 + r.below(3)
	for range sags {
		d.disturbances = append(d.disturbances, drawSag(r, slots.pick()))
	}
	if n%5 == 0 {
		d.disturbances = append(d.disturbances, drawSwell(r, slots.pick()))
	}
	if n%9 == 0 {
		x := disturbance{kind: kindInterruption, start: slots.pick(), capture: -1}
		dur := 400 + r.below(2600)
		for p := range x.end {
			x.end[p], x.level[p] = x.start+dur, r.between(0.01, 0.05)
		}
		d.disturbances = append(d.disturbances, x)
	}
	if n%4 == 0 {
		x := disturbance{kind: kindInrush, start: slots.pick(), capture: -1}
		x.end[0], x.level[0] = x.start+180+r.below(80), r.between(0.84, 0.885)
		x.end[1], x.level[1] = x.start+120+r.below(60), r.between(0.86, 0.895)
		d.disturbances = append(d.disturbances, x)
	}
	if n%8 == 5 { // a recloser tries four times: several events within one second
		at, phase := slots.pick(), r.below(3)
		for _, after := range [...]int64{0, 450, 900, 1600} {
			x := disturbance{kind: kindSag, start: at + after, capture: -1}
			x.end[phase], x.level[phase] = x.start+100+r.below(80), r.between(0.45, 0.75)
			d.disturbances = append(d.disturbances, x)
		}
	}
}

func (d *day) planLoad(r *draws, slots *slotPicker, n int64) {
	if n%3 == 0 {
		x := disturbance{kind: kindOverload, start: slots.pick(), capture: -1}
		x.end[0], x.level[0] = x.start+minuteMs+r.below(7*minuteMs), r.between(0.85, 0.93)
		d.disturbances = append(d.disturbances, x)
	}
	if n%14 == 6 {
		x := disturbance{kind: kindHertz, start: slots.pick(), capture: -1}
		x.end[0], x.level[0] = x.start+20*secondMs+r.below(40*secondMs), -r.between(0.55, 0.9)
		d.disturbances = append(d.disturbances, x)
	}
}

func (d *day) planPeople(r *draws, n int64) {
	at := d.start + 8*hourMs + r.below(hourMs)
	d.notes = append(d.notes, note{at, eventLogin, 1})
	if n%6 == 0 {
		d.notes = append(d.notes, note{at + 90*secondMs, eventSettings, 7})
	}
	if n%30 == 0 {
		d.notes = append(d.notes, note{at + 4*minuteMs, eventDemandReset, 0})
	}
	if n%45 == 10 {
		d.notes = append(d.notes, note{at + 5*minuteMs, eventPassword, 2})
	}
	if n%60 == 20 {
		d.notes = append(d.notes, note{at + 6*minuteMs, eventMaxMinReset, 0})
	}
}

func drawSag(r *draws, at int64) disturbance {
	x := disturbance{kind: kindSag, start: at, capture: -1}
	dur := 50 + r.below(450)
	if r.unit() < 0.15 {
		dur = 1000 + r.below(9000)
	}
	first, phases := r.below(3), 1
	if u := r.unit(); u < 0.15 {
		phases = 3
	} else if u < 0.4 {
		phases = 2
	}
	for i := range phases {
		p := (int(first) + i) % 3
		x.end[p] = at + dur + int64(i)*r.below(120)
		x.level[p] = r.between(0.4, 0.88)
	}
	return x
}

func drawSwell(r *draws, at int64) disturbance {
	x := disturbance{kind: kindSwell, start: at, capture: -1}
	p := r.below(3)
	x.end[p], x.level[p] = at+60+r.below(800), r.between(1.12, 1.3)
	return x
}

// slotPicker finds free ten-minute slots of a day, so that two disturbances never overlap.
type slotPicker struct {
	draws *draws
	used  map[int64]bool
	start int64
}

func (s *slotPicker) reserve(first, last int64) {
	for i := first; i <= last; i++ {
		s.used[i] = true
	}
}

// pick returns an instant in a free slot with at least eight minutes left in it.
func (s *slotPicker) pick() int64 {
	for {
		if i := s.draws.below(144); !s.used[i] {
			s.used[i] = true
			return s.start + i*10*minuteMs + 10*secondMs + s.draws.below(100*secondMs)
		}
	}
}
