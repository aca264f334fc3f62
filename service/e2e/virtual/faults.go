package virtual

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"metermanager/service/field/sim"
)

// Event is something that goes wrong in a run: at a time after its begin, for a while.
type Event struct {
	At, For time.Duration
	Kind    EventKind
	Host    string // of node events
	Link    Link   // of link events
	Trouble LinkFault
	Meter   sim.Fault
	N       int64
	By      time.Duration
	// Retrieve lets a retrieval begin at that moment, so that the fault meets one.
	Retrieve bool
}

// EventKind is a sort of event.
type EventKind string

// The sorts of events.
const (
	Kill      EventKind = "kill"       // power cut at that moment, back after For
	KillAfter EventKind = "kill after" // power cut at the N-th change of the disk from then on
	Restart   EventKind = "restart"    // stopped and started in order
	LinkEvent EventKind = "link"
	MeterOdd  EventKind = "meter"        // a fault of the simulated meter
	HangUp    EventKind = "meter closes" // the meter ends its connections
	DiskFull  EventKind = "disk full"
	ReadOnly  EventKind = "disk read-only"
	FailSync  EventKind = "sync fails" // N times

	Rewind     EventKind = "restore"        // For later the disk is again as it was at that moment
	Clone      EventKind = "clone"          // a second site goes on from a copy of the disk
	Second     EventKind = "second manager" // a second site reads the same meter
	Reinstall  EventKind = "reinstall"      // the site's disk is empty, it is told of meter and cloud again
	EmptyCloud EventKind = "empty cloud"    // the cloud's disk is as at first
	WrongClock EventKind = "wrong clock"    // the node's clock is By off
	Forget     EventKind = "forget"         // the cloud forgets a range, to be sent again
	Channels   EventKind = "channels"       // only some channels are uploaded
	Limits     EventKind = "limits"         // other numbers of records are uploaded
	Zone       EventKind = "zone"           // the site believes that the meter stands in another zone
	Scale      EventKind = "scale"          // the site multiplies voltages and currents
	SecondUp   EventKind = "second cloud"   // sites upload to another cloud too, and the first one passes on to it
	Away       EventKind = "cloud away"     // for weeks
	Refresh    EventKind = "refresh"

	ResetLog    EventKind = "reset log" // log N
	Reprogram   EventKind = "reprogram" // log N
	ResetEnergy EventKind = "reset energy"
	Replace     EventKind = "replace" // another meter at the address

	CloneCloud EventKind = "clone cloud" // a copy of the cloud's disk runs beside it or instead of it (N) for a while
	Archive    EventKind = "archive"     // what the node holds is old enough for the archive

	Strict EventKind = "strict cloud" // the cloud takes fewer records than sites send
)

// String tells an event in a line.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s for %s: %s", e.At, e.For, e.Kind)
	switch e.Kind {
	case LinkEvent, Away:
		fmt.Fprintf(&b, " %s->%s %s chance %.2f", e.Link.From, e.Link.To, e.Trouble.Trouble, e.Trouble.Chance)
		if e.Trouble.For > 0 {
			fmt.Fprintf(&b, " by %s", e.Trouble.For)
		}
		if e.Trouble.Code > 0 {
			fmt.Fprintf(&b, " code %d after %d", e.Trouble.Code, e.Trouble.After)
		}
	case MeterOdd:
		fmt.Fprintf(&b, " %s times %d skip %d delay %s code %d value %d function %d registers %d+%d",
			e.Meter.Kind, e.Meter.Times, e.Meter.Skip, e.Meter.Delay, e.Meter.Code, e.Meter.Value, e.Meter.Function, e.Meter.Addr, e.Meter.Registers)
	default:
		if e.Host != "" {
			b.WriteString(" " + e.Host)
		}
		if e.By != 0 {
			fmt.Fprintf(&b, " by %s", e.By)
		}
		if e.N > 0 {
			fmt.Fprintf(&b, " n %d", e.N)
		}
	}
	if e.Retrieve {
		b.WriteString(", during a retrieval")
	}
	return b.String()
}

// Plan is everything that a seed decides about a run.
type Plan struct {
	Seed    uint64
	Begin   time.Time
	Zone    string
	History time.Duration // of the meter before the begin
	Length  time.Duration // with faults
	Memory  int           // records of each historical log, 0: many
	Latency time.Duration // of each request between the nodes
	Events  []Event
	// Clock is when somebody sets the meter's clock; empty: at noon of the history's first day.
	Clock []sim.ClockStep
	// Interval is how far apart historical rows lie that sites upload; 0: as by itself.
	Interval time.Duration
	// Requested asks at the end for what limits had skipped.
	Requested bool
	// Thin lets the cloud keep sums only at the end.
	Thin bool
}

// String tells the plan.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: from %s, zone %s, history %s, %s long, memory %d, latency %s\n",
		p.Seed, p.Begin.Format(time.RFC3339), p.Zone, p.History, p.Length, p.Memory, p.Latency)
	for i, e := range p.Events {
		fmt.Fprintf(&b, "  %2d %s\n", i, e)
	}
	for _, s := range p.Clock {
		fmt.Fprintf(&b, "  the meter's clock is set to %s ahead after %s of its history\n", s.Ahead, s.After)
	}
	if p.Interval > 0 {
		fmt.Fprintf(&b, "  a row each %s is uploaded\n", p.Interval)
	}
	if p.Thin {
		b.WriteString("  at the end the cloud keeps sums only\n")
	}
	return b.String()
}

// Contents names the sorts of events, troubles and faults that the plan holds.
func (p Plan) Contents() []string {
	var out []string
	for _, e := range p.Events {
		switch e.Kind {
		case LinkEvent:
			out = append(out, "link "+string(e.Trouble.Trouble))
		case MeterOdd:
			out = append(out, "meter "+string(e.Meter.Kind))
		default:
			out = append(out, string(e.Kind))
		}
		if e.Host == "site2" || e.Host == "cloud2" {
			out = append(out, string(e.Kind)+" "+e.Host)
		}
		if e.Link != (Link{}) {
			out = append(out, "link "+e.Link.From+"->"+e.Link.To)
		}
	}
	if len(p.Clock) > 0 {
		out = append(out, "clock steps")
	}
	if p.Interval > 0 {
		out = append(out, "a row each "+p.Interval.String())
	}
	if p.Thin {
		out = append(out, "thin")
	}
	if p.Requested {
		out = append(out, "requested")
	}
	if p.Memory > 0 {
		out = append(out, "small memory")
	}
	return append(out, "around "+p.Zone, "latency "+p.Latency.String())
}

// moments are times at which clocks do odd things: changes to and from daylight saving time in
// several zones, and turns of the year.
func moments() []struct {
	zone string
	at   time.Time
} {
	day := func(zone string, year int, month time.Month, d, hour int) struct {
		zone string
		at   time.Time
	} {
		return struct {
			zone string
			at   time.Time
		}{zone, time.Date(year, month, d, hour, 0, 0, 0, time.UTC)}
	}
	return []struct {
		zone string
		at   time.Time
	}{
		day("America/New_York", 2026, 3, 8, 7), day("America/New_York", 2026, 11, 1, 6),
		day("Europe/Berlin", 2026, 3, 29, 1), day("Europe/Berlin", 2026, 10, 25, 1),
		day("Australia/Lord_Howe", 2026, 4, 4, 15), day("Australia/Lord_Howe", 2026, 10, 3, 15),
		day("America/St_Johns", 2026, 11, 1, 4), day("Asia/Kolkata", 2027, 1, 1, 0),
		day("Pacific/Auckland", 2026, 9, 26, 14), day("UTC", 2028, 2, 29, 0),
		day("Europe/London", 2026, 12, 31, 23), day("America/Sao_Paulo", 2026, 6, 15, 15), day("Australia/Perth", 2026, 5, 2, 4), // noons
	}
}

// FirstOfShort is the first seed whose plan is a short life: 10 to 80 minutes after 10 to 40 minutes that the meter has recorded before, with as many
// faults as a long one, so that these meet more often, and many are played in the time of one.
const FirstOfShort = 70_000_000

// NewPlan draws a plan.
func NewPlan(seed uint64) Plan {
	r := rand.New(rand.NewPCG(seed, 1))
	all := moments()
	m := all[r.IntN(len(all))]
	p := Plan{
		Seed: seed, Zone: m.zone, History: time.Duration(1+r.IntN(4)) * time.Hour, Length: time.Duration(1+r.IntN(8)) * time.Hour,
		Latency: []time.Duration{0, 40 * time.Millisecond, 700 * time.Millisecond}[r.IntN(3)],
	}
	if seed >= FirstOfShort {
		p.History, p.Length = p.History/6, p.Length/6
	}
	p.Begin = m.at.Add(-time.Duration(r.Int64N(int64(p.Length + p.History)))).Truncate(time.Second)
	p.Requested = r.IntN(3) == 0
	if r.IntN(6) == 0 {
		p.Memory = 100 + r.IntN(200)
	}
	if r.IntN(8) == 0 && seed < FirstOfShort { // long enough for a step of the meter's clock, which is set at noon of its first day
		p.Length += 10 * time.Hour
	}
	for range 1 + r.IntN(7) {
		p.Events = append(p.Events, drawEvent(r, p))
	}
	if r.IntN(weeksEvery) == 0 && seed < FirstOfShort {
		e := Event{At: time.Duration(r.Int64N(int64(p.Length))).Truncate(time.Second), Kind: Away}
		e.For = time.Duration(7+r.IntN(8)) * 24 * time.Hour
		e.Link = Link{"site", "cloud"}
		e.Trouble = LinkFault{Trouble: []Trouble{Refuse, NoName, Partition, Stall}[r.IntN(4)], Chance: 1}
		p.Events = append(p.Events, e)
		p.Length = e.At + e.For + 3*time.Hour
	}
	if seed >= FirstOfOld {
		drawOld(seed, &p)
	}
	if seed >= FirstOfReduced {
		drawReduced(seed, &p)
	}
	if seed >= FirstOfClocks {
		drawClock(seed, &p)
	}
	if seed >= FirstOfOthers {
		drawOthers(seed, &p)
	}
	return p
}

// FirstOfOthers is the first seed whose plan also lets power, disks and links of the second site and the second cloud fail.
const FirstOfOthers = 40_000_000

// drawOthers adds a second site and a second cloud more often than by chance, and lets each fail from when it is there.
func drawOthers(seed uint64, p *Plan) {
	r := rand.New(rand.NewPCG(seed, 5))
	moment := func(after time.Duration) time.Duration {
		return after + time.Duration(r.Int64N(int64(p.Length-after))).Truncate(time.Millisecond)
	}
	begins := func(kinds ...EventKind) (at time.Duration, ok bool) {
		for _, e := range p.Events {
			if slices.Contains(kinds, e.Kind) && (!ok || e.At < at) {
				at, ok = e.At, true
			}
		}
		return at, ok
	}
	if r.IntN(3) == 0 {
		p.Events = append(p.Events, Event{At: moment(0), Kind: SecondUp})
		p.Interval = 0 // as drawReduced says
	}
	if r.IntN(6) == 0 {
		p.Events = append(p.Events, Event{At: moment(0), Kind: []EventKind{Clone, Second}[r.IntN(2)]})
	}
	cloud, isCloud := begins(SecondUp)
	site, isSite := begins(Clone, Second)
	type place struct {
		host  string
		links []Link
		from  time.Duration
	}
	var places []place
	if isCloud {
		places = append(places, place{"cloud2", []Link{{"site", "cloud2"}, {"cloud", "cloud2"}}, cloud})
	}
	if isSite {
		places = append(places, place{"site2", []Link{{"site2", "cloud"}}, site})
	}
	if isCloud && isSite {
		places = append(places, place{"cloud2", []Link{{"site2", "cloud2"}}, max(cloud, site)})
	}
	for range len(places) * r.IntN(4) {
		at := places[r.IntN(len(places))]
		e := drawEvent(r, *p)
		switch e.Kind {
		case LinkEvent:
			e.Link = at.links[r.IntN(len(at.links))]
		case Kill, KillAfter, Restart, DiskFull, ReadOnly, FailSync, Rewind, WrongClock:
			e.Host = at.host
		default:
			continue
		}
		e.At = moment(at.from)
		p.Events = append(p.Events, e)
	}
}

// FirstOfClocks is the first seed whose plan also may have the meter's clock set by hours.
const FirstOfClocks = 30_000_000

// drawClock draws that the meter's clock is set forward or back, by seconds to hours, and right again. Not where clocks change by an
// hour of themselves: which of the two it was no record tells.
func drawClock(seed uint64, p *Plan) {
	r := rand.New(rand.NewPCG(seed, 4))
	zone, err := time.LoadLocation(p.Zone)
	if err != nil || r.IntN(2) == 0 {
		return
	}
	_, before := p.Begin.Add(-24 * time.Hour).In(zone).Zone()
	if _, after := p.Begin.Add(p.Length + 24*time.Hour).In(zone).Zone(); before != after {
		return
	}
	steps := []time.Duration{20 * time.Second, 3 * time.Minute, 17 * time.Minute, 40 * time.Minute, 100 * time.Minute, 5 * time.Hour}
	ahead := steps[r.IntN(len(steps))] + time.Duration(r.IntN(10_000))*time.Millisecond
	if r.IntN(2) == 0 {
		ahead = -ahead
	}
	at := p.History + time.Duration(r.Int64N(int64(min(p.Length, 12*time.Hour))))
	back := at + time.Duration(float64(time.Minute)*float64(int(1)<<r.IntN(8))*(1+r.Float64()))
	const off, on = 5*time.Hour - time.Minute, 7 * time.Hour // within which the meter has no supply
	for _, t := range []*time.Duration{&at, &back} {
		if *t > off && *t < on {
			*t += on - off
		}
	}
	if back <= at || back >= 24*time.Hour {
		return
	}
	p.Clock = []sim.ClockStep{{After: at.Truncate(time.Second), Ahead: ahead.Truncate(time.Second)}, {After: back.Truncate(time.Second)}}
}

// FirstOfOld is the first seed whose plan also holds copies of the cloud and data that grow old. Those before stay as they
// were drawn when they found something.
const FirstOfOld = 3_000_000

// drawOld adds events that need each other to show anything: data that grow old at one or both, and new versions of them.
func drawOld(seed uint64, p *Plan) {
	r := rand.New(rand.NewPCG(seed, 2))
	add := func(kind EventKind, host string, n int64) {
		e := Event{At: time.Duration(r.Int64N(int64(p.Length))).Truncate(time.Millisecond), Kind: kind, Host: host, N: n, Retrieve: r.IntN(2) == 0}
		e.For = time.Duration(float64(time.Minute) * float64(int(1)<<r.IntN(9)) * (1 + r.Float64())).Truncate(time.Second)
		p.Events = append(p.Events, e)
	}
	if r.IntN(4) > 0 {
		for _, host := range [...][]string{{"site"}, {"cloud"}, {"site", "cloud"}}[r.IntN(3)] {
			add(Archive, host, 0)
		}
		for range r.IntN(3) {
			add([]EventKind{Zone, Scale}[r.IntN(2)], "", 0)
		}
	}
	if r.IntN(2) == 0 {
		add(CloneCloud, "", r.Int64N(copyWays))
	}
	p.Thin = r.IntN(3) == 0
}

// FirstOfReduced is the first seed whose plan also may have rows combined on their way, and a cloud with limits of its own.
const FirstOfReduced = 20_000_000

// drawReduced draws what makes less arrive than was recorded.
func drawReduced(seed uint64, p *Plan) {
	r := rand.New(rand.NewPCG(seed, 3))
	intervals := []time.Duration{0, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	p.Interval = intervals[r.IntN(len(intervals))]
	if p.Interval > 0 && p.holds(Reprogram) {
		p.Interval = 30 * time.Minute // longer than any that a log is programmed to
	}
	if p.holds(Channels) || p.holds(SecondUp) { // who is told something else begins anew, at a moment that nobody sees
		p.Interval = 0
	}
	if r.IntN(3) == 0 {
		e := Event{At: time.Duration(r.Int64N(int64(p.Length))).Truncate(time.Millisecond), Kind: Strict}
		e.For = time.Duration(float64(time.Minute) * float64(int(1)<<r.IntN(9)) * (1 + r.Float64())).Truncate(time.Second)
		p.Events = append(p.Events, e)
	}
}

// weeksEvery is in how many plans the cloud is away for weeks: they cost as much as many others.
const weeksEvery = 250

func drawEvent(r *rand.Rand, p Plan) Event {
	e := Event{At: time.Duration(r.Int64N(int64(p.Length))).Truncate(time.Millisecond), Retrieve: r.IntN(2) == 0}
	e.For = time.Duration(float64(time.Minute) * float64(int(1)<<r.IntN(9)) * (1 + r.Float64())).Truncate(time.Second)
	e.Host = []string{"site", "cloud"}[r.IntN(2)]
	switch n := r.IntN(100); {
	case n < 8:
		e.Kind = Kill
	case n < 28:
		e.Kind, e.N = KillAfter, 1+r.Int64N(int64(4)<<r.IntN(6))
	case n < 31:
		e.Kind = Restart
	case n < 54:
		e.Kind, e.Host, e.Link = LinkEvent, "", Link{"site", "cloud"}
		e.Trouble = drawTrouble(r)
	case n < 70:
		e.Kind, e.Host = MeterOdd, ""
		e.Meter = drawMeterFault(r)
	case n < 73:
		e.Kind, e.Host = HangUp, ""
	case n < 76:
		e.Kind = []EventKind{DiskFull, ReadOnly}[r.IntN(2)]
	case n < 78:
		e.Kind, e.N = FailSync, 1+r.Int64N(3)
	default:
		drawDisaster(r, &e)
	}
	return e
}

// drawDisaster draws what changes who knows what.
func drawDisaster(r *rand.Rand, e *Event) {
	list := []EventKind{
		Rewind, Rewind, Clone, Second, Reinstall, EmptyCloud, WrongClock, Forget, Channels, Refresh, ResetLog, Reprogram, ResetEnergy, Replace,
		Limits, Zone, Scale, SecondUp,
	}
	e.Kind = list[r.IntN(len(list))]
	switch e.Kind {
	case Rewind, EmptyCloud:
	case WrongClock:
		e.By = time.Duration(r.Int64N(int64(60*24*time.Hour))) - 30*24*time.Hour
		if r.IntN(2) == 0 {
			e.By /= 1000
		}
	case ResetLog:
		e.N, e.Host = []int64{sim.LogHist1, sim.LogHist2, sim.LogHist3, sim.LogAlarm, sim.LogPQ, sim.LogWaveform, sim.LogSystem}[r.IntN(7)], ""
	case Reprogram:
		e.N, e.Host = []int64{sim.LogHist1, sim.LogHist2, sim.LogHist3}[r.IntN(3)], ""
	default:
		e.Host = ""
	}
}

func drawTrouble(r *rand.Rand) LinkFault {
	list := []Trouble{
		Refuse, NoName, Partition, Delay, DelayAnswer, LoseRequest, LoseAnswer, Stall, Twice, Ghost, CutRequest, CutAnswer,
		SpoilBody, SpoilAnswer, Status, StatusAfter, TooLarge, Receipt,
	}
	f := LinkFault{Trouble: list[r.IntN(len(list))], Chance: []float64{0.1, 0.3, 0.7, 1}[r.IntN(4)]}
	switch f.Trouble {
	case Delay, DelayAnswer:
		f.For = time.Duration(r.Int64N(int64(2 * time.Minute)))
	case Ghost:
		f.For = time.Duration(r.Int64N(int64(6 * time.Hour)))
	case Receipt:
		if r.IntN(2) == 0 {
			f.For = time.Duration(r.Int64N(int64(time.Hour)))
		}
	case Status, StatusAfter:
		f.Code = []int{408, 429, 500, 502, 503, 504}[r.IntN(6)]
		if r.IntN(2) == 0 {
			f.After = 1 + r.IntN(900)
		}
	case TooLarge:
		f.Code = 1500 + r.IntN(4000)
	}
	return f
}

func drawMeterFault(r *rand.Rand) sim.Fault {
	list := []sim.FaultKind{
		sim.FaultLate, sim.FaultSilence, sim.FaultException, sim.FaultWrongTransaction, sim.FaultWrongUnit, sim.FaultWrongFunction,
		sim.FaultWrongByteCount, sim.FaultShortAnswer, sim.FaultCloseMidFrame, sim.FaultClose, sim.FaultDribble, sim.FaultTwoReplies,
		sim.FaultLength, sim.FaultProtocol, sim.FaultWindowNotReady, sim.FaultIndexStuck, sim.FaultIndexTwice, sim.FaultLogTaken,
		sim.FaultSessionLost, sim.FaultRecordSizeZero, sim.FaultUsedOne, sim.FaultRepeatedReadOff, sim.FaultRepeatedSilence,
	}
	f := sim.Fault{Kind: list[r.IntN(len(list))], Times: r.IntN(12), Skip: r.IntN(200)}
	if r.IntN(2) == 0 {
		f.Skip = r.IntN(12)
	}
	switch f.Kind {
	case sim.FaultLate:
		f.Delay = time.Duration(r.Int64N(int64(6 * time.Second)))
	case sim.FaultException:
		f.Code = []byte{1, 2, 3, 4, 5, 6, 8, 10, 11}[r.IntN(9)]
	case sim.FaultLogTaken:
		f.Value = []uint32{sim.LogSystem, sim.LogAlarm, sim.LogHist1, sim.LogHist2, sim.LogHist3, sim.LogPQ, sim.LogWaveform}[r.IntN(7)]
	case sim.FaultLength:
		f.Value = uint32(r.IntN(300))
	}
	return f
}
