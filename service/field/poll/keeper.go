package poll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// Store is what a keeper needs of the log database.
type Store interface {
	Append(ctx context.Context, b logdb.Batch) (logdb.Appended, error)
	Series(ctx context.Context, meter logdb.MeterUID) ([]logdb.Series, error)
	Journal(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) (logdb.JournalHead, error)
	ReadStream(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, first logdb.Position, max int) (logdb.Page, error)
}

// flushGap is how long an open gap grows before it is written, after its first interval.
const flushGap = 15 * time.Minute

// Keeper keeps the historical log of a meter without memory: one row at each boundary of
// the interval. It is used by one goroutine.
type Keeper struct {
	store    Store
	meter    logdb.MeterUID
	interval logdb.Millis
	now      func() time.Time

	loaded   bool
	lastRow  logdb.Millis // boundary of the newest row, 0: none
	covered  logdb.Millis // boundary up to which rows and gaps account for
	counters map[string]*counter
	blocks   map[string]block // counters at the last end of a demand block
	run      uint32
	gen      uint32
	gap      *logdb.Gap // missed, not written yet
	gapSeen  bool       // the first interval of this outage is written
	resting  string     // why nothing may be written, since covered
}

// NewKeeper returns the keeper of meter's log with one row every interval (1 s to 1 day,
// cut to whole seconds).
func NewKeeper(store Store, meter logdb.MeterUID, interval time.Duration, now func() time.Time) *Keeper {
	interval = min(max(interval.Truncate(time.Second), time.Second), 24*time.Hour)
	if now == nil {
		now = time.Now
	}
	return &Keeper{store: store, meter: meter, interval: logdb.Millis(interval.Milliseconds()), now: now, counters: map[string]*counter{}, blocks: map[string]block{}}
}

// Next returns the boundary after t.
func (k *Keeper) Next(t time.Time) time.Time {
	return (logdb.MillisOf(t).Floor(k.interval) + k.interval).Time()
}

// Tolerance is how long after a boundary a reading still counts for it.
func (k *Keeper) Tolerance() time.Duration {
	return min(time.Duration(k.interval)*time.Millisecond/4, 15*time.Second)
}

// load finds what the log holds. The last stored counter is the base of the next interval.
func (k *Keeper) load(ctx context.Context) error {
	if k.loaded {
		return nil
	}
	last, anew, err := k.loadHead(ctx)
	if err != nil {
		return err
	}
	series, err := k.store.Series(ctx, k.meter)
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
		return fmt.Errorf("read what is logged: %w", err)
	}
	if last != nil {
		k.lastRow = last.Time
	} else {
		for _, s := range series {
			if s.Log == 0 {
				k.lastRow = max(k.lastRow, s.Last)
			}
		}
	}
	for _, s := range series {
		if anew || s.Log != 0 || !strings.HasPrefix(string(s.Channel), "energy.total.") || math.IsNaN(s.LastValue) {
			continue
		}
		c := &counter{known: true, last: s.LastValue, at: s.Last}
		if last != nil && s.Last > last.Time { // our own clock was ahead then
			if i := slices.Index(last.Row.Channels, s.Channel); i >= 0 && !math.IsNaN(last.Row.Values[i]) {
				c.last, c.at = last.Row.Values[i], last.Time
			}
		}
		k.counters[string(s.Channel)] = c
	}
	if k.covered == 0 {
		k.covered = k.lastRow
	}
	k.loaded = true
	return nil
}

// account writes the boundaries before at that nobody has tried: the manager was down, or
// the machine asleep.
func (k *Keeper) account(ctx context.Context, at logdb.Millis) error {
	if err := k.load(ctx); err != nil {
		return err
	}
	if k.covered > 0 && at < k.covered-k.interval {
		return k.setBack(ctx, at)
	}
	if k.covered == 0 || at <= k.covered+k.interval {
		return nil
	}
	if err := k.flush(ctx); err != nil {
		return err
	}
	g := &logdb.Gap{From: k.covered, To: at - k.interval, Cause: logdb.GapStopped, Detail: "no reading was tried"}
	if k.resting != "" {
		g.Cause, g.Detail = logdb.GapNoRoom, k.resting
	}
	if err := k.write(ctx, g); err != nil {
		return err
	}
	k.covered, k.resting = g.To, ""
	return nil
}

// setBack begins a new run before the boundary at, since our own clock was ahead: what is on record of the times to come was
// recorded before, and accounts for none of them.
func (k *Keeper) setBack(ctx context.Context, at logdb.Millis) error {
	if err := k.flush(ctx); err != nil {
		return err
	}
	k.run++
	k.lastRow, k.covered, k.gapSeen = 0, at-k.interval, false
	return nil
}

// Rest notes that nothing may be written for now, and why: the gap is written when rows come again.
func (k *Keeper) Rest(why string) { k.resting = why }

// The end of the journal is read in steps of so many entries, at most so many.
const (
	endStep  = 200
	endSteps = 100
)

// loadHead takes up run, generation and what is accounted for where the journal ends. It returns the last row, nil when none
// is near the end, and whether a new generation began behind it. What a person corrected since says nothing of all that.
func (k *Keeper) loadHead(ctx context.Context) (last *logdb.Entry, anew bool, err error) {
	head, err := k.store.Journal(ctx, k.meter, logdb.KindHistorical)
	if errors.Is(err, logdb.ErrNotFound) || errors.Is(err, logdb.ErrUnknownMeter) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the end of the journal: %w", err)
	}
	first := true
	for end, step := head.End, 0; end > 0 && step < endSteps; step++ {
		from := end - min(end, endStep) + 1
		page, err := k.store.ReadStream(ctx, k.meter, logdb.KindHistorical, logdb.StreamID{Journal: head.ID, Policy: "0"}, from, endStep)
		if err != nil {
			return nil, false, fmt.Errorf("read the last entries of the journal: %w", err)
		}
		for _, e := range backward(page, end) {
			if first {
				k.run, k.gen, first = e.Run, e.Generation, false
			}
			anew = anew || e.Generation < k.gen
			switch {
			case e.Op == logdb.OpGap && k.covered == 0:
				k.covered = e.Gap.To
			case e.Op == logdb.OpAdd:
				return &e, anew, nil
			}
		}
		end = from - 1
	}
	return nil, anew, nil
}

// backward returns the entries of a page that the keeper wrote, up to position end, the newest first.
func backward(page logdb.Page, end logdb.Position) []logdb.Entry {
	var out []logdb.Entry
	for i := range page.Rows {
		for n := range page.Rows[i].Times {
			out = append(out, page.Rows[i].Entry(n))
		}
	}
	out = append(out, page.Entries...)
	out = slices.DeleteFunc(out, func(e logdb.Entry) bool {
		return e.Position > end || e.Log != 0 || e.By != "" || e.Op != logdb.OpAdd && e.Op != logdb.OpGap && e.Op != logdb.OpClose
	})
	slices.SortFunc(out, func(a, b logdb.Entry) int { return cmp.Compare(b.Position, a.Position) })
	return out
}

// Row logs what was read for boundary. A counter that went back is left out of the row.
// Interval energy stands only in a row whose counter was good one interval before: what
// flowed in a gap stays in the counter's series, and makes no interval look like a peak.
func (k *Keeper) Row(ctx context.Context, boundary time.Time, readings []device.Reading) error {
	at := logdb.MillisOf(boundary)
	if err := k.account(ctx, at); err != nil {
		return err
	}
	if at == k.lastRow {
		return nil // this boundary is in the log
	}
	if at <= k.lastRow {
		k.run++ // our own clock was set back
	}
	h := logdb.History{Run: k.run, Generation: k.gen, Times: []logdb.Millis{at}}
	put := func(key logdb.ChannelKey, v float64) {
		h.Channels = append(h.Channels, key)
		h.Columns = append(h.Columns, []float64{v})
	}
	var resets []string
	for _, r := range readings {
		if r.Channel == "" || r.Quality != device.Good || math.IsNaN(r.Value) {
			continue
		}
		if r.Kind != device.KindCounter {
			put(r.Channel, r.Value)
			continue
		}
		c := k.counters[string(r.Channel)]
		if c == nil {
			c = &counter{}
			k.counters[string(r.Channel)] = c
		}
		before, since := c.last, c.at
		delta, s := c.read(r, at)
		if s == stepHeld {
			continue
		}
		put(r.Channel, r.Value)
		if s == stepReset {
			resets = append(resets, fmt.Sprintf("%s went from %v to %v", r.Channel, before, r.Value))
		}
		rest, isEnergy := strings.CutPrefix(string(r.Channel), "energy.total.")
		if isEnergy && since == at-k.interval && (s == stepUp || s == stepRolled) {
			put(logdb.ChannelKey("energy.interval."+rest), delta)
		}
		if key, v, ok := k.demand(rest, c, s, at); ok {
			put(key, v)
		}
	}
	if len(h.Channels) == 0 {
		return k.Miss(ctx, boundary, fmt.Errorf("%w: no good value in %d readings", errImplausible, len(readings)))
	}
	if err := k.flush(ctx); err != nil {
		return err
	}
	if _, err := k.store.Append(ctx, logdb.Batch{Meter: k.meter, Kind: logdb.KindHistorical, Rows: []logdb.History{h}, At: logdb.MillisOf(k.now())}); err != nil {
		return fmt.Errorf("log the row of %s: %w", at, err)
	}
	k.lastRow, k.covered, k.gapSeen, k.resting = at, at, false, ""
	for _, text := range resets {
		if err := k.note(ctx, at, logdb.SystemEnergyReset, text); err != nil {
			return err
		}
	}
	return nil
}

// ErrLate marks a boundary that passed before a reading could be tried.
var ErrLate = errors.New("the boundary had passed before a reading could be taken")

var errImplausible = errors.New("implausible readings")

// Cause sorts an error of a read into the cause of a gap.
func Cause(err error) logdb.GapCause {
	x, refused := modbus.ExceptionOf(err)
	switch {
	case errors.Is(err, ErrLate):
		return logdb.GapStopped
	case x == modbus.Busy || x == modbus.Acknowledge:
		return logdb.GapBusy
	case refused:
		return logdb.GapException
	case errors.Is(err, modbus.ErrTimeout), errors.Is(err, modbus.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		return logdb.GapUnreachable // whatever else could not be found out because of it
	case errors.Is(err, errImplausible), errors.Is(err, ErrIdentity), errors.Is(err, device.ErrNotSunSpec), errors.Is(err, modbus.ErrDesync):
		return logdb.GapImplausible
	}
	return logdb.GapUnreachable
}

// Miss notes that nothing could be read for boundary. The first missed interval of an
// outage is written at once, with a close of the open buckets; then it grows for a while.
func (k *Keeper) Miss(ctx context.Context, boundary time.Time, cause error) error {
	at := logdb.MillisOf(boundary)
	if err := k.account(ctx, at); err != nil {
		return err
	}
	if at <= k.covered {
		return nil
	}
	from := at - k.interval
	if k.covered > 0 {
		from = k.covered
	}
	g := logdb.Gap{From: from, To: at, Cause: Cause(cause), Detail: cause.Error()}
	if k.gap != nil && k.gap.Cause != g.Cause {
		if err := k.flush(ctx); err != nil {
			return err
		}
	}
	if k.gap == nil {
		k.gap = &g
	} else {
		k.gap.To, k.gap.Detail = g.To, g.Detail
	}
	k.covered = at
	if !k.gapSeen || k.gap.To-k.gap.From >= logdb.Millis(flushGap.Milliseconds()) {
		return k.flush(ctx)
	}
	return nil
}

// Stop writes what is still open. The manager is about to end, or the meter to be removed.
func (k *Keeper) Stop(ctx context.Context) error { return k.flush(ctx) }

// Replaced begins a new generation: another meter stands at the measuring point.
func (k *Keeper) Replaced(ctx context.Context, at time.Time, detail string) error {
	if err := k.load(ctx); err != nil {
		return err
	}
	t := logdb.MillisOf(at)
	from := t
	if k.lastRow > 0 && k.lastRow < t {
		from = k.lastRow
	}
	return k.begin(ctx, &logdb.Gap{From: from, To: t, Cause: logdb.GapReplaced, Detail: detail})
}

// Rescaled begins a new generation: the same meter's counters are scaled otherwise from the next row on. No time is missing,
// but what the log holds of them is no base.
func (k *Keeper) Rescaled(ctx context.Context, detail string) error {
	if err := k.load(ctx); err != nil || len(k.counters) == 0 {
		return err
	}
	return k.begin(ctx, &logdb.Gap{From: k.covered, To: k.covered, Cause: logdb.GapSettings, Detail: detail})
}

// begin opens a generation with a gap that tells why.
func (k *Keeper) begin(ctx context.Context, g *logdb.Gap) error {
	if err := k.flush(ctx); err != nil {
		return err
	}
	k.gen++
	k.counters, k.blocks = map[string]*counter{}, map[string]block{}
	return k.write(ctx, g)
}

func (k *Keeper) flush(ctx context.Context) error {
	if k.gap == nil {
		return nil
	}
	if err := k.write(ctx, k.gap); err != nil {
		return err
	}
	k.gap, k.gapSeen = nil, true
	return nil
}

func (k *Keeper) write(ctx context.Context, g *logdb.Gap) error {
	copied := *g
	entries := []logdb.Entry{{Op: logdb.OpGap, Run: k.run, Generation: k.gen, Time: g.From, Gap: &copied}}
	if !k.gapSeen && k.interval < 60_000 {
		entries = append(entries, logdb.Entry{Op: logdb.OpClose, Run: k.run, Generation: k.gen, Time: g.To})
	}
	if _, err := k.store.Append(ctx, logdb.Batch{Meter: k.meter, Kind: logdb.KindHistorical, Entries: entries, At: logdb.MillisOf(k.now())}); err != nil {
		return fmt.Errorf("log the gap from %s: %w", g.From, err)
	}
	return nil
}

func (k *Keeper) note(ctx context.Context, at logdb.Millis, t logdb.SystemType, text string) error {
	e := logdb.Entry{Op: logdb.OpAdd, Time: at, System: &logdb.SystemEvent{Type: t, Description: text + " (seen by the manager)"}}
	if _, err := k.store.Append(ctx, logdb.Batch{Meter: k.meter, Kind: logdb.KindSystem, Entries: []logdb.Entry{e}, At: logdb.MillisOf(k.now())}); err != nil {
		return fmt.Errorf("log a system event: %w", err)
	}
	return nil
}
