package realtime

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// Value is one present value of a channel.
type Value struct {
	Channel logdb.ChannelKey
	Value   float64
}

// Sample is what a meter showed at one time.
type Sample struct {
	Time     logdb.Millis // when it was read from the meter
	Received logdb.Millis // when this node got it
	Values   []Value      // sorted by channel
}

// Config bounds a board. The zero value works.
type Config struct {
	// History is how many samples of a meter are kept; 120 by default.
	History int
	// MaxMeters is how many meters are kept; the longest silent goes first. 10,000 by default.
	MaxMeters int
	// Stale is the age from which values no longer count as present; 2 minutes by default.
	Stale time.Duration
	Now   func() time.Time
}

// Board holds the present values of all meters. It is safe for concurrent use.
type Board struct {
	cfg Config

	mu     sync.RWMutex
	meters map[logdb.MeterUID][]Sample // oldest first
}

// New returns an empty board.
func New(cfg Config) *Board {
	if cfg.History <= 0 {
		cfg.History = 120
	}
	if cfg.MaxMeters <= 0 {
		cfg.MaxMeters = 10_000
	}
	if cfg.Stale <= 0 {
		cfg.Stale = 2 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Board{cfg: cfg, meters: map[logdb.MeterUID][]Sample{}}
}

// maxAhead is how far ahead of this node's clock a meter's clock may be.
const maxAhead = logdb.Millis(10 * 60 * 1000)

// Post puts a sample of a meter on the board. A sample without a time is one of now. Absent values (NaN) are left out; a time in
// the future, an infinite value and a channel that stands twice are refused, whole.
func (b *Board) Post(meter logdb.MeterUID, at logdb.Millis, values []Value) error {
	now := logdb.MillisOf(b.cfg.Now())
	if at == 0 {
		at = now
	}
	if at < logdb.MinTime || at > now+maxAhead {
		return fault.New(fault.Invalid, "The time is before 1970 or in the future.").At("time_ms")
	}
	if len(values) > 512 {
		return fault.New(fault.TooLarge, "At most 512 values at a time.").At("values")
	}
	s := Sample{Time: at, Received: now, Values: make([]Value, 0, len(values))}
	seen := make(map[logdb.ChannelKey]bool, len(values))
	for _, v := range values {
		key, err := logdb.NormalizeChannel(string(v.Channel))
		if err != nil {
			return fault.Wrap(fault.Invalid, "A channel key is not well formed; it must look like readings.voltage.an.", err).At("values")
		}
		if seen[key] {
			return fault.Newf(fault.Invalid, "Channel %s stands twice.", key).At("values")
		}
		seen[key] = true
		if math.IsInf(v.Value, 0) {
			return fault.Newf(fault.Invalid, "Channel %s has no finite value.", key).At("values")
		}
		if !math.IsNaN(v.Value) {
			s.Values = append(s.Values, Value{key, v.Value})
		}
	}
	slices.SortFunc(s.Values, func(x, y Value) int { return strings.Compare(string(x.Channel), string(y.Channel)) })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(meter, s)
	return nil
}

// put inserts s by its time, replacing a sample of the same time.
func (b *Board) put(meter logdb.MeterUID, s Sample) {
	list := b.meters[meter]
	if list == nil && len(b.meters) >= b.cfg.MaxMeters {
		b.dropSilent()
	}
	i, same := slices.BinarySearchFunc(list, s.Time, func(e Sample, t logdb.Millis) int { return cmp.Compare(e.Time, t) })
	if same {
		list[i] = s
	} else {
		list = slices.Insert(list, i, s)
	}
	if over := len(list) - b.cfg.History; over > 0 {
		list = slices.Delete(list, 0, over)
	}
	b.meters[meter] = list
}

func (b *Board) dropSilent() {
	var silent logdb.MeterUID
	oldest := logdb.MaxTime
	for uid, list := range b.meters {
		if r := list[len(list)-1].Received; r <= oldest {
			silent, oldest = uid, r
		}
	}
	delete(b.meters, silent)
}

// Latest returns a meter's newest sample and whether it is stale; ok is false when there is
// none.
func (b *Board) Latest(meter logdb.MeterUID) (s Sample, stale, ok bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	list := b.meters[meter]
	if len(list) == 0 {
		return Sample{}, false, false
	}
	s = list[len(list)-1]
	return s, b.cfg.Now().Sub(s.Time.Time()) > b.cfg.Stale, true
}

// History returns the samples of a meter that are kept, oldest first.
func (b *Board) History(meter logdb.MeterUID) []Sample {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Clone(b.meters[meter])
}
