package sim

import (
	"slices"
	"sort"
	"sync"
)

// moment is when a record was made: the true time, and what the meter's clock showed.
type moment struct {
	at    int64 // true ms
	meter int64 // ms UTC by the meter's own clock
}

// systemRecord, alarmRecord and pqRecord are log records before they become bytes.
type systemRecord struct {
	moment
	event   eventName
	channel byte
	param   uint32
}

type alarmRecord struct {
	moment
	limit      int
	below, out bool
	value      int16 // in 0.1 % of full scale
}

type pqRecord struct {
	moment
	present, event uint16
	capture        byte
	level          [3]float64 // worst of nominal per phase, 0 where untouched
}

// ioRecord is a change of the output that follows the power limit.
type ioRecord struct {
	moment
	on bool
}

// capture is one waveform recording.
type capture struct {
	moment
	number      byte
	disturbance disturbance
}

// plan is the timeline of a history: the days of the schedule and the event records that
// follow from them. It grows as time goes on; what is there never changes place, but for the
// log retrievals, which are noted as they happen.
type plan struct {
	seed   seed
	begin  int64
	clock  []ClockStep // nil: by the schedule
	zone   *zone
	layout *layout
	limits []limitSetting
	amps   func(at int64, d *day) float64 // what the load draws on phase A, of full scale
	hertz  float64                        // nominal
	// tellsDST: the system log tells of daylight time.
	tellsDST bool
	// perVolt turns a share of the nominal voltage into one of full scale.
	perVolt float64

	mu       sync.RWMutex
	days     []*day
	segments []segment
	system   []systemRecord
	alarms   []alarmRecord
	pq       []pqRecord
	captures []capture
	io       []ioRecord
	inputs   []digitalRecord
	resets   []systemRecord // those of system that a reset log has
	noted    int64          // true ms of the last note
}

// segment is a stretch in which the meter was on and its clock ran evenly.
type segment struct {
	from, to int64 // true ms, [from, to)
	shift    int64 // clock minus true time
	offset   int64 // local time minus UTC
}

// day returns the day of the schedule that true time t falls into.
func (p *plan) day(t int64) *day {
	if t < p.begin {
		return &day{start: t}
	}
	n := int((t - p.begin) / dayMs)
	p.mu.RLock()
	if n < len(p.days) {
		d := p.days[n]
		p.mu.RUnlock()
		return d
	}
	p.mu.RUnlock()
	p.reach(t)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.days[n]
}

// reach makes sure that the timeline covers true time t.
func (p *plan) reach(t int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := int64(len(p.days)); p.begin+n*dayMs <= t; n++ {
		p.addDay(n)
	}
}

func (p *plan) addDay(n int64) {
	d := planDay(p.seed, p.begin, n, p.clock)
	dropNoteless(d)
	for _, change := range p.zone.changes {
		if p.tellsDST && change >= d.start && change < d.start+dayMs && !d.isOff(change) {
			event := eventDSTOff
			if _, dst := p.zone.at(change); dst {
				event = eventDSTOn
			}
			d.notes = append(d.notes, note{at: change, event: event})
		}
	}
	slices.SortStableFunc(d.notes, func(a, b note) int { return int(a.at - b.at) })
	for i := range d.disturbances {
		p.addCapture(d, &d.disturbances[i])
	}
	p.days = append(p.days, d)
	p.addSegments(d)
	for _, x := range d.notes {
		channel := byte(7)
		if x.event == eventPowerLoss || x.event == eventStartUp || x.event == eventDSTOn || x.event == eventDSTOff {
			channel = 0
		}
		r := systemRecord{d.moment(x.at), x.event, channel, x.param}
		if p.system = append(p.system, r); isReset(x.event) {
			p.resets = append(p.resets, r)
		}
	}
	alarms, pq := len(p.alarms), len(p.pq)
	for i := range d.disturbances {
		p.addAlarms(d, &d.disturbances[i])
		p.addPQ(d, &d.disturbances[i])
	}
	slices.SortStableFunc(p.alarms[alarms:], func(a, b alarmRecord) int { return int(a.at - b.at) })
	for _, r := range p.alarms[alarms:] {
		if r.limit == limitWatts {
			p.io = append(p.io, ioRecord{r.moment, r.out})
		}
	}
	slices.SortStableFunc(p.pq[pq:], func(a, b pqRecord) int { return int(a.at - b.at) })
	p.addInputs(d)
}

// dropNoteless removes notes of a time at which the meter was off.
func dropNoteless(d *day) {
	d.notes = slices.DeleteFunc(d.notes, func(x note) bool {
		return x.event != eventPowerLoss && x.event != eventStartUp && d.isOff(x.at)
	})
}

func (d *day) isOff(t int64) bool { return t >= d.off && t < d.on }

// shift returns by how much the meter's clock is ahead at true time t.
func (d *day) shift(t int64) int64 {
	ms := int64(0)
	for _, s := range d.shifts {
		if t >= s.at {
			ms = s.ms
		}
	}
	return ms
}

func (d *day) moment(t int64) moment { return moment{t, t + d.shift(t)} }

// addSegments cuts the day where the clock jumps, the zone changes or the supply fails.
func (p *plan) addSegments(d *day) {
	cuts := []int64{d.start, d.start + dayMs}
	if d.on > 0 {
		cuts = append(cuts, d.off, d.on)
	}
	for _, s := range d.shifts {
		cuts = append(cuts, s.at)
	}
	for _, change := range p.zone.changes {
		// The meter's clock reaches the change when true time plus its shift does.
		for _, at := range [...]int64{change, change - d.shift(change)} {
			if at > d.start && at < d.start+dayMs {
				cuts = append(cuts, at)
			}
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i := 1; i < len(cuts); i++ {
		from, to := cuts[i-1], cuts[i]
		if d.isOff(from) {
			continue
		}
		shift := d.shift(from)
		offset, _ := p.zone.at(from + shift)
		if from == p.begin {
			from++ // the first record closes an interval
		}
		p.segments = append(p.segments, segment{from, to, shift, offset})
	}
}

// captureGapMs is how long the meter needs before it can record again.
const captureGapMs = 2 * secondMs

func (p *plan) addCapture(d *day, x *disturbance) {
	if !x.pq() || x.lost || x.headless {
		return
	}
	deep := x.kind == kindInrush
	for ph := range x.end {
		deep = deep || x.end[ph] > 0 && (x.level[ph] < 0.8 || x.level[ph] > 1.15)
	}
	if n := len(p.captures); !deep || n > 0 && x.start-p.captures[n-1].at < captureGapMs {
		return
	}
	x.capture = len(p.captures)
	p.captures = append(p.captures, capture{d.moment(x.start), byte(len(p.captures) + 1), *x})
}

// bitsOf returns the state bits of the phases that are out, of those that touched says.
func (p *plan) bitsOf(x *disturbance, touched func(phase int) bool) uint16 {
	var bits uint16
	for ph := range x.end {
		if x.end[ph] == 0 || !touched(ph) {
			continue
		}
		if x.level[ph] > 1 {
			bits |= 1 << (p.layout.pq.SurgeBit + ph)
		} else {
			bits |= 1 << (p.layout.pq.SagBit + ph)
		}
	}
	return bits
}

func (p *plan) addPQ(d *day, x *disturbance) {
	if !x.pq() {
		return
	}
	number := byte(0)
	if x.capture >= 0 {
		number = p.captures[x.capture].number
	}
	present := p.bitsOf(x, func(int) bool { return true })
	started := present
	if x.headless { // the meter finds the phase low, but saw no start
		started = 0
	}
	p.pq = append(p.pq, pqRecord{d.moment(x.start), present, started, number, x.level})
	if x.lost {
		return
	}
	ends := append([]int64(nil), x.end[:]...)
	slices.Sort(ends)
	for _, end := range slices.Compact(ends) {
		if end == 0 {
			continue
		}
		back := p.bitsOf(x, func(ph int) bool { return x.end[ph] == end })
		present &^= back
		p.pq = append(p.pq, pqRecord{d.moment(end), present, back, number, x.level})
	}
}

// upTo returns how many records of a list were made at or before true time t.
func upTo[T any](list []T, t int64, at func(*T) int64) int {
	return sort.Search(len(list), func(i int) bool { return at(&list[i]) > t })
}

// note adds a system event that happens now, behind all that happened before, even if the
// computer's clock was set back. It returns the time used.
func (p *plan) note(at int64, event eventName, channel byte, param uint32) int64 {
	p.mu.Lock()
	at = max(at, p.noted)
	p.noted = at
	p.mu.Unlock()
	m := p.day(at).moment(at)
	p.mu.Lock()
	defer p.mu.Unlock()
	r := systemRecord{m, event, channel, param}
	when := func(r *systemRecord) int64 { return r.at }
	p.system = slices.Insert(p.system, upTo(p.system, at, when), r)
	if isReset(event) {
		p.resets = slices.Insert(p.resets, upTo(p.resets, at, when), r)
	}
	return at
}
