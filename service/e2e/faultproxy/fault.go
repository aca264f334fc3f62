package faultproxy

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind is something that happens to a message.
type Kind string

// What can happen. Not every proxy knows every kind.
const (
	Pass            Kind = "pass"
	Delay           Kind = "delay"            // request or answer waits for a while
	DropRequest     Kind = "drop request"     // it never arrives; the connection ends or stays silent
	DropAnswer      Kind = "drop answer"      // the request arrives, its answer does not
	DoubleRequest   Kind = "double request"   // it arrives twice
	LateRequest     Kind = "late request"     // it arrives after the sender has given up
	CutRequest      Kind = "cut request"      // only its beginning arrives
	CutAnswer       Kind = "cut answer"       // only its beginning arrives, then the connection ends
	ChangeRequest   Kind = "change request"   // some bytes are others
	ChangeAnswer    Kind = "change answer"    // HTTP: some bytes are others; Modbus: of the head only
	Refuse          Kind = "refuse"           // the proxy answers by itself: an HTTP status, a Modbus exception
	RefuseDone      Kind = "refuse done"      // the request arrives and is answered, but the proxy answers an error
	Portal          Kind = "portal"           // 200 with a page for people, as hotel networks do
	Stall           Kind = "stall"            // nothing happens any more on this connection
	Reset           Kind = "reset"            // the connection ends hard
	DoubleAnswer    Kind = "double answer"    // Modbus: it comes twice
	LateAnswer      Kind = "late answer"      // Modbus: it comes after the answer to a later request
	FragmentAnswer  Kind = "fragment answer"  // it comes in small pieces
	DoubleAtOnce    Kind = "double at once"   // HTTP: it arrives twice at the same time
	OtherConnection Kind = "other connection" // Modbus: somebody else takes the log meanwhile
)

// Mix is what happens to messages and how often: weights of kinds. The share of messages
// that are hit is Rate.
type Mix struct {
	Rate    float64
	Weights map[Kind]int
	Longest time.Duration // of a delay; 1 s when 0
}

// RandomMix draws a mix of some of the kinds.
func RandomMix(r *rand.Rand, kinds []Kind, rate float64, longest time.Duration) Mix {
	m := Mix{Rate: rate, Weights: map[Kind]int{}, Longest: longest}
	n := 2 + r.IntN(len(kinds)-1)
	for _, i := range r.Perm(len(kinds))[:n] {
		m.Weights[kinds[i]] = 1 + r.IntN(4)
	}
	return m
}

// String names the mix.
func (m Mix) String() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m.Weights)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m.Weights[k]))
	}
	return fmt.Sprintf("%.0f %% of %s", 100*m.Rate, strings.Join(parts, ", "))
}

// dice draws what happens, and counts it.
type dice struct {
	mu    sync.Mutex
	rand  *rand.Rand
	mix   Mix
	count map[Kind]int
	calm  chan struct{} // closed when the faults end
}

func newDice(seed uint64) *dice {
	d := &dice{rand: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), count: map[Kind]int{}, calm: make(chan struct{})}
	close(d.calm)
	return d
}

// set changes the mix. An empty one ends all faults and wakes whoever stalls.
func (d *dice) set(m Mix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.calm:
		d.calm = make(chan struct{})
	default:
	}
	d.mix = m
	if m.Rate == 0 {
		close(d.calm)
	}
}

// draw returns what happens to the next message, a time and a channel that is closed when the faults end.
func (d *dice) draw() (Kind, time.Duration, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	kind := Pass
	if d.rand.Float64() < d.mix.Rate {
		kind = d.pick()
	}
	d.count[kind]++
	longest := d.mix.Longest
	if longest <= 0 {
		longest = time.Second
	}
	return kind, time.Duration(d.rand.Int64N(int64(longest)) + 1), d.calm
}

func (d *dice) pick() Kind {
	total := 0
	for _, w := range d.mix.Weights {
		total += w
	}
	if total == 0 {
		return Pass
	}
	n := d.rand.IntN(total)
	for _, k := range slices.Sorted(maps.Keys(d.mix.Weights)) {
		if n -= d.mix.Weights[k]; n < 0 {
			return k
		}
	}
	return Pass
}

// intN draws a number below n.
func (d *dice) intN(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.IntN(max(n, 1))
}

// counts returns how often each kind happened.
func (d *dice) counts() map[Kind]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.count)
}

// pause waits, or until the faults end; false in that case.
func pause(d time.Duration, calm <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-calm:
		return false
	}
}
