//go:build unix

package process_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"metermanager/service/e2e/faultproxy"
)

// pace is what takes the place of the cloud sync's 30 s; the other intervals follow.
const pace = 150 * time.Millisecond

// slowPace is that of further sites at the meter, which has one log session for all of them.
const slowPace = 4 * pace

// faultsFor is how long faults happen in a run.
const faultsFor = 3500 * time.Millisecond

// act is one thing that happens to a part at a moment.
type act struct {
	at   time.Duration
	what string
	who  string        // site, site2, cloud, cloud2, meter
	wait time.Duration // how long it lasts
	more int           // what else a kind of act needs
}

func (a act) String() string {
	return fmt.Sprintf("%4d ms %s %s %d ms %d", a.at.Milliseconds(), a.what, a.who, a.wait.Milliseconds(), a.more)
}

// plan is everything that a seed decides.
type plan struct {
	seed      uint64
	history   time.Duration
	zone      string
	pageBytes int
	web, wire faultproxy.Mix // of the first site; the second gets others of the same rates
	names     bool           // the cloud has a name that may not resolve
	login     bool           // the site joins by user and password, not by key
	second    bool           // a second site reads the same meter
	clouds    int
	direct    bool          // each site uploads to both clouds
	chain     bool          // the first cloud passes on to the second
	disk      bool          // what was not synced is lost with a process; else only what a real kill loses
	interval  time.Duration // how far apart historical rows lie that sites upload; 0: as by itself
	acts      []act
}

func (p *plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "history %v in %s, pages of %d bytes, %d clouds (direct %v, chain %v), name %v, login %v, second site %v, simulated disk %v, a row each %v\nHTTP: %s\nModbus: %s\n",
		p.history, p.zone, p.pageBytes, p.clouds, p.direct, p.chain, p.names, p.login, p.second, p.disk, p.interval, p.web, p.wire)
	for _, a := range p.acts {
		fmt.Fprintln(&b, a)
	}
	return b.String()
}

// histories are how far back the meter's logs begin. From 5 to 7 hours after it the meter is without supply;
// at noon of the first day its clock is set forward, and two hours later back.
var histories = []time.Duration{2 * time.Hour, 3 * time.Hour, 3 * time.Hour, 7 * time.Hour, 8 * time.Hour, 16 * time.Hour}

var zones = []string{"UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"}

func newPlan(seed uint64) *plan {
	r := rand.New(rand.NewPCG(seed, 0x746f7274757265))
	p := &plan{
		seed: seed, history: histories[r.IntN(len(histories))], zone: zones[r.IntN(len(zones))],
		pageBytes: []int{4 << 10, 16 << 10, 64 << 10, 768 << 10}[r.IntN(4)],
		clouds:    1 + r.IntN(3)/2, names: r.IntN(3) == 0, login: r.IntN(2) == 0, second: r.IntN(5) == 0, disk: r.IntN(5) != 0,
	}
	how := r.IntN(3)
	p.direct, p.chain = p.clouds == 2 && how != 0, p.clouds == 2 && how != 1
	p.names = p.names && p.clouds == 1 // one name resolves
	p.web = faultproxy.RandomMix(r, faultproxy.HTTPKinds, 0.1+0.5*r.Float64(), 800*time.Millisecond)
	p.wire = faultproxy.RandomMix(r, faultproxy.ModbusKinds, 0.12*r.Float64()*r.Float64(), 400*time.Millisecond)
	n := 2 + r.IntN(5)
	for range n {
		a := p.draw(r)
		if a.what == "restore" { // of a copy made some time before
			p.acts = append(p.acts, act{at: time.Duration(r.Int64N(int64(a.at) + 1)), what: "backup", who: a.who})
		}
		p.acts = append(p.acts, a)
	}
	slices.SortStableFunc(p.acts, func(a, b act) int { return int(a.at - b.at) })
	// Who is told something else begins anew, at a moment that nobody sees.
	if seed >= firstOfReduced && !p.direct && !p.holds("policy") {
		p.interval = intervals[rand.New(rand.NewPCG(seed, 3)).IntN(len(intervals))]
		if p.interval > 0 && p.holds("reprogram") { // longer than all logs: none turns into one that is combined
			p.interval = 30 * time.Minute
		}
	}
	return p
}

// firstOfReduced is the first seed whose plan also may have rows combined on their way.
const firstOfReduced = 87000

// intervals are how far apart rows may lie that sites upload.
var intervals = []time.Duration{0, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute}

// kinds of acts with their weights, and whom they may hit.
var kinds = []struct {
	what   string
	weight int
	who    string
}{
	{"kill", 10, "site cloud meter"},
	{"kill twice", 3, "site cloud"},
	{"power cut", 3, "all"},
	{"freeze", 4, "site cloud meter"},
	{"restart", 2, "site cloud meter"},
	{"restore", 6, "site cloud"},
	{"clone", 4, "site cloud"},
	{"empty", 3, "cloud"},
	{"reinstall", 2, "site"},
	{"clock", 3, "site cloud"},
	{"no name", 2, "site"},
	{"mix", 3, "web wire"},
	{"away", 3, "cloud"},
	{"disk", 5, "site cloud"},
	{"policy", 3, "site"},
	{"reset log", 3, "meter"},
	{"reset energy", 1, "meter"},
	{"reprogram", 2, "meter"},
	{"replace", 2, "meter"},
	{"zone", 3, "site"},
	{"scale", 2, "site"},
}

func (p *plan) draw(r *rand.Rand) act {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	n := r.IntN(total)
	for _, k := range kinds {
		if n -= k.weight; n >= 0 {
			continue
		}
		who := strings.Fields(k.who)
		a := act{
			at: time.Duration(r.Int64N(int64(faultsFor))), what: k.what, who: who[r.IntN(len(who))],
			wait: time.Duration(r.Int64N(int64(600 * time.Millisecond))), more: r.IntN(1 << 20),
		}
		if (a.who == "site" && p.second || a.who == "cloud" && p.clouds == 2) && r.IntN(2) == 0 {
			a.who += "2"
		}
		return a
	}
	panic("unreachable")
}
