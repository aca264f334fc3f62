package poll

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// MaxLimits is how many limits a meter can have, as the meters that keep logs do.
const MaxLimits = 8

// ErrLimits marks limits that cannot be watched.
var ErrLimits = errors.New("no limits")

// Limit is a value that a reading must not pass: it is out beyond Set and in again only beyond Back, so that a value that
// trembles at the limit makes one event.
type Limit struct {
	ID        int // 0 to 7
	Channel   logdb.ChannelKey
	Type      int64   // logdb.ExcursionAbove or ExcursionBelow
	Set, Back float64 // in the unit of the channel
}

// String is the form that ParseLimits reads.
func (l Limit) String() string {
	return fmt.Sprintf("%d=%s %s %s back %s", l.ID+1, l.Channel, map[int64]string{logdb.ExcursionAbove: "above", logdb.ExcursionBelow: "below"}[l.Type],
		strconv.FormatFloat(l.Set, 'g', -1, 64), strconv.FormatFloat(l.Back, 'g', -1, 64))
}

// FormatLimits is the text of limits, "" for none.
func FormatLimits(list []Limit) string {
	words := make([]string, len(list))
	for i, l := range list {
		words[i] = l.String()
	}
	return strings.Join(words, "; ")
}

// ParseLimits reads "1=readings.voltage.an above 250 back 248; 2=readings.voltage.an below 210 back 212".
func ParseLimits(text string) ([]Limit, error) {
	var out []Limit
	for _, part := range strings.Split(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		number, rest, ok := strings.Cut(part, "=")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if !ok || err != nil || n < 1 || n > MaxLimits {
			return nil, fmt.Errorf("%w: %q, want NUMBER=CHANNEL above|below VALUE back VALUE, the number from 1 to %d", ErrLimits, part, MaxLimits)
		}
		l, err := ParseLimit(n-1, rest)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o Limit) bool { return o.ID == l.ID }) {
			return nil, fmt.Errorf("%w: two have the number %d", ErrLimits, n)
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Limit) int { return a.ID - b.ID })
	return out, nil
}

// ParseLimit reads "readings.voltage.an above 250 back 248".
func ParseLimit(id int, text string) (Limit, error) {
	bad := fmt.Errorf("%w: %q, want CHANNEL above|below VALUE back VALUE, such as readings.voltage.an above 250 back 248", ErrLimits, strings.TrimSpace(text))
	w := strings.Fields(text)
	if len(w) != 5 || w[3] != "back" || w[1] != "above" && w[1] != "below" {
		return Limit{}, bad
	}
	l := Limit{ID: id, Type: logdb.ExcursionAbove}
	var err error
	if l.Channel, err = logdb.NormalizeChannel(w[0]); err != nil {
		return Limit{}, fmt.Errorf("%w: %w", ErrLimits, err)
	}
	set, err1 := strconv.ParseFloat(w[2], 64)
	back, err2 := strconv.ParseFloat(w[4], 64)
	if err := errors.Join(err1, err2); err != nil || math.IsInf(set, 0) || math.IsNaN(set) || math.IsInf(back, 0) || math.IsNaN(back) {
		return Limit{}, bad
	}
	if l.Set, l.Back = set, back; w[1] == "below" {
		l.Type = logdb.ExcursionBelow
	}
	if l.Type == logdb.ExcursionAbove && back > set || l.Type == logdb.ExcursionBelow && back < set {
		return Limit{}, fmt.Errorf("%w: %q comes back beyond the limit itself", ErrLimits, strings.TrimSpace(text))
	}
	return l, nil
}

// out reports whether a value begins an excursion, in whether it ends one.
func (l Limit) out(v float64) bool {
	return l.Type == logdb.ExcursionAbove && v > l.Set || l.Type == logdb.ExcursionBelow && v < l.Set
}

func (l Limit) in(v float64) bool {
	return l.Type == logdb.ExcursionAbove && v <= l.Back || l.Type == logdb.ExcursionBelow && v >= l.Back
}

// LimitStore is what watching limits needs of the log database.
type LimitStore interface {
	Append(ctx context.Context, b logdb.Batch) (logdb.Appended, error)
	OpenStarts(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.OpenStart, error)
}

// Watcher keeps the limit log of a meter that has none: an event enters when its value is in again. What is out is
// kept in the log database, so that an event outlives a restart. It is used by one goroutine.
type Watcher struct {
	store  LimitStore
	meter  logdb.MeterUID
	limits []Limit
	every  time.Duration // between readings
	now    func() time.Time

	loaded bool
	open   []logdb.OpenStart // by limit
	seen   logdb.Millis      // the last reading
	blind  map[int64]bool    // limits whose value was not known for a while: when they came in cannot be told
}

// blindAfter is how many readings may be missing before the end of an event is not known any more.
const blindAfter = 3

// NewWatcher returns the watcher of a meter's limits, which is read every so often.
func NewWatcher(store LimitStore, meter logdb.MeterUID, limits []Limit, every time.Duration, now func() time.Time) *Watcher {
	if now == nil {
		now = time.Now
	}
	return &Watcher{store: store, meter: meter, limits: limits, every: every, now: now, blind: map[int64]bool{}}
}

// load takes up the events that were open when the program ended. One whose limit is not watched any more ends without
// an end that is known.
func (w *Watcher) load(ctx context.Context) error {
	if w.loaded {
		return nil
	}
	starts, err := w.store.OpenStarts(ctx, w.meter, logdb.KindLimit)
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) && !errors.Is(err, logdb.ErrNotFound) {
		return fmt.Errorf("read the limits that are out: %w", err)
	}
	w.open = slices.Clone(starts)
	for _, o := range w.open {
		w.blind[o.Event.LimitID] = true // nobody knows what was meanwhile
	}
	var ended []logdb.Entry
	w.open = slices.DeleteFunc(w.open, func(o logdb.OpenStart) bool {
		if slices.ContainsFunc(w.limits, func(l Limit) bool { return l.of(o) }) {
			return false
		}
		ended = append(ended, ending(o, math.NaN()))
		return true
	})
	if len(ended) > 0 {
		if err := w.put(ctx, ended); err != nil {
			return err
		}
	}
	w.loaded = true
	return nil
}

// of reports whether an open event is one of l.
func (l Limit) of(o logdb.OpenStart) bool {
	return int64(l.ID) == o.Event.LimitID && l.Channel == o.Event.Channel && l.Type == o.Event.Type && l.Set == o.Event.Threshold
}

func ending(o logdb.OpenStart, seconds float64) logdb.Entry {
	x := o.Event
	x.DurationSeconds = seconds
	return logdb.Entry{Op: logdb.OpAdd, Log: o.Log, Time: o.Start, Excursion: &x}
}

// Check looks at the readings of a time. The start and the end of an event are those of the readings that showed them.
func (w *Watcher) Check(ctx context.Context, at time.Time, readings []device.Reading) error {
	if err := w.load(ctx); err != nil {
		return err
	}
	if len(w.limits) == 0 {
		return nil
	}
	t := logdb.MillisOf(at)
	if w.seen > 0 && (t < w.seen || t-w.seen > logdb.Millis(blindAfter*w.every.Milliseconds())) {
		for _, l := range w.limits {
			w.blind[int64(l.ID)] = true
		}
	}
	w.seen = t
	var ended []logdb.Entry
	open, changed := slices.Clone(w.open), false
	for _, l := range w.limits {
		v, ok := valueOf(readings, l.Channel)
		i := slices.IndexFunc(open, l.of)
		switch {
		case !ok:
			w.blind[int64(l.ID)] = i >= 0 || w.blind[int64(l.ID)]
			continue
		case i < 0 && l.out(v):
			open = append(open, logdb.OpenStart{Start: t, Event: logdb.Excursion{
				DurationSeconds: math.NaN(), Channel: l.Channel, LimitID: int64(l.ID), Type: l.Type, Worst: v, WorstPercent: math.NaN(), Threshold: l.Set,
			}})
			changed = true
		case i >= 0 && l.in(v):
			seconds := float64(t-open[i].Start) / 1000
			if w.blind[int64(l.ID)] || seconds < 0 {
				seconds = math.NaN()
			}
			ended = append(ended, ending(open[i], seconds))
			open, changed = slices.Delete(open, i, i+1), true
		case i >= 0:
			if worst := &open[i].Event.Worst; l.Type == logdb.ExcursionAbove && v > *worst || l.Type == logdb.ExcursionBelow && v < *worst {
				*worst, changed = v, true
			}
		}
		w.blind[int64(l.ID)] = false
	}
	if !changed {
		return nil
	}
	before := w.open
	w.open = open
	if err := w.put(ctx, ended); err != nil {
		w.open = before
		return err
	}
	return nil
}

func (w *Watcher) put(ctx context.Context, ended []logdb.Entry) error {
	b := logdb.Batch{Meter: w.meter, Kind: logdb.KindLimit, Entries: ended, Open: &logdb.OpenSet{Starts: w.open}, At: logdb.MillisOf(w.now())}
	if _, err := w.store.Append(ctx, b); err != nil {
		return fmt.Errorf("log limit events: %w", err)
	}
	return nil
}

func valueOf(readings []device.Reading, channel logdb.ChannelKey) (float64, bool) {
	for _, r := range readings {
		if r.Channel == channel && r.Quality == device.Good && !math.IsNaN(r.Value) {
			return r.Value, true
		}
	}
	return 0, false
}
