package sim

import (
	"math"
	"sync"
)

// The five energy registers, in the order used everywhere here.
const (
	whReceived = iota
	whDelivered
	varhReceived
	varhDelivered
	vahTotal
	energyCount
)

// energies holds one number per register, in mWh (mvarh, mVAh) unless said otherwise.
type energies [energyCount]int64

func (e *energies) add(o energies) {
	for i := range e {
		e[i] += o[i]
	}
}

// meterEnergy integrates the model's load. A minute's energy is the load in the middle of the
// minute, rounded once to whole mWh; everything else is sums of integers, so that counters
// never go back and the parts of a period always make the whole, exactly.
type meterEnergy struct {
	model *model

	mu      sync.Mutex
	starts  []energies // counters at the begin of each day of the schedule
	minutes map[int64]*[minutesPerDay + 1]energies
	order   []int64 // days in minutes, oldest first
}

const (
	minutesPerDay  = 1440
	daysRemembered = 6
)

// at returns the energy since the begin of the history at true time t.
func (e *meterEnergy) at(t int64) energies {
	begin := e.model.begin
	if t <= begin {
		return energies{}
	}
	n := (t - begin) / dayMs
	day := e.model.plan.day(t)
	e.mu.Lock()
	sum := e.start(n)
	table := e.day(n)
	e.mu.Unlock()
	minute := (t - day.start) / minuteMs
	from := day.start + minute*minuteMs
	sum.add(table[minute])
	if t > from {
		sum.add(e.part(day, from, t))
	}
	return sum
}

// start returns the counters at the begin of day n, adding up days not yet seen.
func (e *meterEnergy) start(n int64) energies {
	if len(e.starts) == 0 {
		e.starts = append(e.starts, energies{})
	}
	for int64(len(e.starts)) <= n {
		last := int64(len(e.starts)) - 1
		sum := e.starts[last]
		start := e.model.begin + last*dayMs
		day := e.model.plan.day(start)
		for m := range int64(minutesPerDay) {
			from := start + m*minuteMs
			sum.add(e.part(day, from, from+minuteMs))
		}
		e.starts = append(e.starts, sum)
	}
	return e.starts[n]
}

// day returns the running sums of day n by minute.
func (e *meterEnergy) day(n int64) *[minutesPerDay + 1]energies {
	if t, ok := e.minutes[n]; ok {
		return t
	}
	t := new([minutesPerDay + 1]energies)
	start := e.model.begin + n*dayMs
	day := e.model.plan.day(start)
	for m := range int64(minutesPerDay) {
		from := start + m*minuteMs
		t[m+1] = t[m]
		t[m+1].add(e.part(day, from, from+minuteMs))
	}
	if len(e.order) >= daysRemembered {
		delete(e.minutes, e.order[0])
		e.order = e.order[1:]
	}
	if e.minutes == nil {
		e.minutes = map[int64]*[minutesPerDay + 1]energies{}
	}
	e.minutes[n] = t
	e.order = append(e.order, n)
	return t
}

// part returns the energy of [from, to) within the minute that begins at from.
func (e *meterEnergy) part(d *day, from, to int64) energies {
	on := to - from
	if d.on > 0 {
		on -= max(0, min(to, d.on)-max(from, d.off))
	}
	if on == 0 {
		return energies{}
	}
	full := e.minute(d, from)
	for i := range full {
		full[i] = full[i] * on / minuteMs
	}
	return full
}

// minute returns the energy of the whole minute that begins at from.
func (e *meterEnergy) minute(d *day, from int64) energies {
	load := e.model.load(from+minuteMs/2, d.disturbances)
	scale := e.model.site.PowerFullScale()
	w, q := load.watts*scale, load.vars*scale
	milli := func(v float64) int64 { return int64(math.Round(v * 1000 / 60)) }
	var out energies
	out[whReceived], out[whDelivered] = milli(max(w, 0)), milli(max(-w, 0))
	out[varhReceived], out[varhDelivered] = milli(max(q, 0)), milli(max(-q, 0))
	out[vahTotal] = milli(math.Hypot(w, q))
	return out
}

// peaks returns the largest one-minute demand of each register over [from, to], in W, var and VA.
func (e *meterEnergy) peaks(from, to int64) [energyCount]float64 {
	var out [energyCount]float64
	for t := from; t < to; t += minuteMs {
		end := min(t+minuteMs, to)
		a, b := e.at(t), e.at(end)
		for i := range out {
			out[i] = max(out[i], float64(b[i]-a[i])*3600/float64(end-t))
		}
	}
	return out
}
