package retrieve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
)

// unit is a running meter: a goroutine for live readings (and the log kept for meters
// without memory) and one for retrieval.
type unit struct {
	m       *Manager
	meter   Meter
	profile *device.Profile
	zone    *time.Location
	end     *endpoint
	conn    *modbus.Unit
	source  *poll.Source
	cancel  context.CancelFunc
	ending  <-chan struct{} // closed when it is cancelled
	done    chan struct{}
	now     chan order // "retrieve now"

	mu sync.Mutex
	st liveState

	// Of keepLoop:
	watcher *poll.Watcher
}

// liveState is what a unit tells about itself.
type liveState struct {
	online      bool
	known       bool // online is known
	serial      string
	lastSuccess logdb.Millis
	lastAnswer  logdb.Millis
	nextDue     logdb.Millis
	silent      trouble // it does not answer
	failing     trouble // it is not retrieved from, or what was read is not stored
	logs        map[string]LogState
	action      string
	session     string
	drift       *time.Duration
	readings    []device.Reading
	readAt      logdb.Millis
	records     int64
	schedule    Schedule
}

// Schedule is how often a meter was read in its time since the program started, and how often not: of one whose log is kept
// here the rows of that log count, of others the live readings.
type Schedule struct {
	EverySeconds int   `json:"every_s"`
	Kept         int64 `json:"kept"`
	Missed       int64 `json:"missed"`
}

// order asks for a retrieval of one kind of log, or of all (0).
type order struct {
	kind  logdb.Kind
	reply chan<- retrieved
	// task, when set, is done instead of a retrieval.
	task func(ctx context.Context, states map[string]LogState) error
}

type retrieved struct {
	item HistoryItem
	err  error
}

// order has the meter's own goroutine do what do makes of its unit, and returns how that ended. When the unit ends meanwhile, since the
// meter's settings were changed, the next one does it.
func (m *Manager) order(ctx context.Context, x Meter, do func(*unit) order) (HistoryItem, error) {
	for {
		u, err := m.await(ctx, x)
		if err != nil {
			return HistoryItem{}, err
		}
		o, reply := do(u), make(chan retrieved, 1)
		o.reply = reply
		select {
		case u.now <- o:
		case <-u.done:
			continue
		case <-ctx.Done():
			return HistoryItem{}, ctx.Err()
		}
		select {
		case out := <-reply:
			if !errors.Is(out.err, context.Canceled) || !isClosed(u.ending) {
				return out.item, out.err
			}
		case <-ctx.Done():
			return HistoryItem{}, ctx.Err()
		}
	}
}

func newUnit(m *Manager, x Meter, p *device.Profile, zone *time.Location, e *endpoint) *unit {
	conn := e.Unit(x.Unit, unitConfig(p, m.cfg.Modbus.Timeout))
	return &unit{
		m: m, meter: x, profile: p, zone: zone, end: e, conn: conn, source: poll.NewSource(p, conn, m.cfg.Now),
		done: make(chan struct{}), now: make(chan order), st: liveState{serial: x.Serial},
	}
}

// unitConfig is how a meter of a profile is asked. most, when not 0, bounds the wait for an answer.
func unitConfig(p *device.Profile, most time.Duration) modbus.UnitConfig {
	d := p.Defaults
	timeout := d.Timeout()
	if most > 0 {
		timeout = min(timeout, most)
	}
	return modbus.UnitConfig{
		WriteAllow: p.WriteList(), Timeout: timeout, Retries: d.Retries,
		RequestDelay: time.Duration(d.RequestDelayMS) * time.Millisecond,
	}
}

func (u *unit) run(ctx context.Context) {
	var wg sync.WaitGroup
	if u.profile.HasMemory() {
		wg.Go(func() { u.retrieveLoop(ctx) })
		wg.Go(func() { u.liveLoop(ctx) })
	} else {
		wg.Go(func() { u.keepLoop(ctx) })
	}
	wg.Wait()
}

// correction is that of the meter, under its profile.
func (u *unit) correction() device.Correction {
	c := u.meter.correction()
	c.PrimaryEnergy = u.profile.Secondary
	return c
}

// left is how long it is until a time that was set at most longest ahead. What is further ahead was set by
// a clock that has been set back since: to wait for it could take years, so it has come.
func (u *unit) left(t time.Time, longest time.Duration) time.Duration {
	d := t.Sub(u.m.cfg.Now())
	if d > longest {
		return 0
	}
	return d
}

// until sleeps until a time of the manager's clock, at most a minute at once, so that a
// step of the clock is noticed. It reports whether the time has come.
func (u *unit) until(ctx context.Context, t time.Time, longest time.Duration) bool {
	for {
		d := u.left(t, longest)
		if d <= 0 {
			return ctx.Err() == nil
		}
		if sleep(ctx, min(d, time.Minute)) != nil {
			return false
		}
	}
}

// liveLoop reads the present values again and again.
func (u *unit) liveLoop(ctx context.Context) {
	every := seconds(u.meter.LiveSeconds, u.m.cfg.Live)
	for next := u.m.cfg.Now(); u.until(ctx, next, every); {
		_, err := u.readLive(ctx, modbus.Live)
		if err != nil && ctx.Err() == nil {
			u.m.cfg.Logger.Debug("live reading failed", "meter", string(u.meter.UID), "err", err)
		}
		u.scheduled(every, err == nil && u.m.cfg.Now().Before(next.Add(every)))
		next = next.Add(every)
		if now := u.m.cfg.Now(); next.Before(now) || next.Sub(now) > every {
			next = now.Add(every)
		}
	}
}

// scheduled counts a reading that was due.
func (u *unit) scheduled(every time.Duration, kept bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.st.schedule.EverySeconds = int(every / time.Second)
	if kept {
		u.st.schedule.Kept++
	} else {
		u.st.schedule.Missed++
	}
}

func (u *unit) readLive(ctx context.Context, prio modbus.Priority) ([]device.Reading, error) {
	readings, err := u.source.Read(ctx, prio)
	readings = u.correction().Readings(readings)
	if ended := ctx.Err(); ended != nil {
		if errors.Is(ended, context.DeadlineExceeded) && err != nil {
			return nil, err // it tells which request had no answer
		}
		return nil, ended
	}
	at := u.m.cfg.Now()
	u.note(err)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	u.st.readings, u.st.readAt = readings, logdb.MillisOf(at)
	u.mu.Unlock()
	u.m.cfg.OnLive(u.meter.UID, at, readings)
	return readings, nil
}

// note keeps whether the meter answers.
func (u *unit) note(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	was, known := u.st.online, u.st.known
	u.st.online, u.st.known = err == nil, true
	if err != nil {
		u.st.silent.note(err, logdb.MillisOf(u.m.cfg.Now()))
	} else {
		u.st.lastAnswer, u.st.silent.since = logdb.MillisOf(u.m.cfg.Now()), 0
	}
	if known && was == u.st.online {
		return
	}
	if err != nil {
		u.m.cfg.Logger.Warn("meter does not answer", "meter", string(u.meter.UID), "err", err)
	} else {
		u.m.cfg.Logger.Info("meter answers", "meter", string(u.meter.UID))
	}
}

// keepLoop reads live values, and logs those of each boundary.
func (u *unit) keepLoop(ctx context.Context) {
	interval := seconds(u.meter.LogSeconds, u.m.cfg.Log)
	k := poll.NewKeeper(u.m.store, u.meter.UID, interval, u.m.cfg.Now)
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), disengageTime)
		defer cancel()
		if err := k.Stop(stopCtx); err != nil {
			u.m.cfg.Logger.Error("cannot log a gap", "meter", string(u.meter.UID), "err", err)
		}
	}()
	every := seconds(u.meter.LiveSeconds, u.m.cfg.Live)
	limits, err := poll.ParseLimits(u.meter.Limits)
	if err != nil { // was checked when it was set
		u.m.cfg.Logger.Error("the limits of a meter are not watched", "meter", string(u.meter.UID), "err", err)
	}
	u.watcher = poll.NewWatcher(u.m.store, u.meter.UID, limits, min(every, interval), u.m.cfg.Now)
	live, boundary := u.m.cfg.Now(), k.Next(u.m.cfg.Now())
	for identified := false; ; {
		u.mu.Lock()
		u.st.nextDue = logdb.MillisOf(boundary)
		u.mu.Unlock()
		next := boundary
		if live.Before(next) {
			next = live
		}
		if !u.waitOrAnswer(ctx, next, max(every, interval, time.Second), func(order) retrieved { return u.keepNow(ctx) }) {
			return
		}
		now := u.m.cfg.Now()
		if k.Next(now).Before(boundary) { // our clock was set back
			boundary, live = k.Next(now), now
			continue
		}
		if !now.Before(boundary) {
			identified = u.keepRow(ctx, k, boundary, identified)
			u.scheduled(interval, identified)
			boundary = k.Next(u.m.cfg.Now())
		} else {
			// A silent meter must not take the next boundary's time.
			liveCtx, cancel := context.WithTimeout(ctx, boundary.Sub(now))
			readings, err := u.readLive(liveCtx, modbus.Live)
			cancel()
			u.watch(ctx, readings, err)
			identified = identified && err == nil
		}
		live = u.m.cfg.Now().Add(every)
	}
}

// waitOrAnswer waits for t, which is at most longest ahead, answering requests for a retrieval meanwhile.
func (u *unit) waitOrAnswer(ctx context.Context, t time.Time, longest time.Duration, act func(order) retrieved) bool {
	for {
		d := u.left(t, longest)
		if d <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(min(d, time.Minute))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case o := <-u.now:
			timer.Stop()
			o.reply <- act(o)
		case <-timer.C:
		}
	}
}

func (u *unit) keepNow(ctx context.Context) retrieved {
	start := u.m.cfg.Now()
	_, err := u.readLive(ctx, modbus.User)
	return retrieved{u.item(start, "user", 0, err), err}
}

// keepRow logs one boundary: the first good reading within the tolerance, else a gap.
// It returns whether the meter is known to be the one it was.
func (u *unit) keepRow(ctx context.Context, k *poll.Keeper, boundary time.Time, identified bool) bool {
	if err := u.m.cfg.Room(); err != nil {
		u.rest(err)
		k.Rest(err.Error())
		return identified
	}
	deadline := boundary.Add(k.Tolerance())
	var readings []device.Reading
	err := poll.ErrLate
	for try := 0; u.m.cfg.Now().Before(deadline); try++ {
		if try > 0 && !u.until(ctx, u.m.cfg.Now().Add(min(time.Second, k.Tolerance()/4)), time.Second) {
			return false
		}
		readCtx, cancel := context.WithTimeout(ctx, deadline.Sub(u.m.cfg.Now()))
		if !identified {
			err = u.identifyKept(readCtx, k)
			identified = err == nil
		}
		if identified {
			readings, err = u.readLive(readCtx, modbus.Exact)
		}
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return false
	}
	u.watch(ctx, readings, err)
	store := context.WithoutCancel(ctx)
	var serr error
	if err != nil {
		u.note(err)
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, poll.ErrLate) { // else it answers: too late, not wrong
			u.source.Forget()
		}
		serr = k.Miss(store, boundary, err)
	} else if serr = k.Row(store, boundary, readings); serr == nil {
		u.mu.Lock()
		u.st.lastSuccess, u.st.failing.since = logdb.MillisOf(boundary), 0
		u.st.records++
		u.mu.Unlock()
		u.m.cfg.OnNewData(u.meter.UID)
	}
	if serr != nil {
		u.fail(serr)
	}
	return err == nil
}

// watch holds what was read against the limits. Without a reading, or without room for records, nothing is known.
func (u *unit) watch(ctx context.Context, readings []device.Reading, err error) {
	if err != nil || u.m.cfg.Room() != nil {
		return
	}
	if werr := u.watcher.Check(context.WithoutCancel(ctx), u.m.cfg.Now(), readings); werr != nil {
		u.fail(werr)
	}
}

func (u *unit) fail(err error) {
	u.mu.Lock()
	u.st.failing.note(err, logdb.MillisOf(u.m.cfg.Now()))
	u.mu.Unlock()
	u.m.cfg.Logger.Error("cannot store readings", "meter", string(u.meter.UID), "err", err)
}

// identifyKept checks who answers: another serial number means a replaced meter.
func (u *unit) identifyKept(ctx context.Context, k *poll.Keeper) error {
	id, err := u.source.Identify(ctx, modbus.Exact)
	if err != nil {
		return err
	}
	if old := u.serial(); old != "" && id.Serial != "" && id.Serial != old {
		detail := fmt.Sprintf("serial %s instead of %s", id.Serial, old)
		if err := k.Replaced(context.WithoutCancel(ctx), u.m.cfg.Now(), detail); err != nil {
			return err
		}
	}
	if err := u.rescale(context.WithoutCancel(ctx), k); err != nil {
		return err
	}
	return u.identified(ctx, id, false)
}

// rescale has counters begin anew that are scaled otherwise than what is on record of them: by another correction, or by a profile
// that was corrected. Else the first row would hold all that ever flowed as the energy of one interval.
func (u *unit) rescale(ctx context.Context, k *poll.Keeper) error {
	want := u.profile.ID + " " + u.profile.Scaling(u.correction())
	if u.meter.Decoded == want {
		return nil
	}
	if u.meter.Decoded != "" { // else it was not noted yet, by an older program
		detail := fmt.Sprintf("counters are scaled anew: CT factor %g, PT factor %g, profile %s", cmp.Or(u.meter.CTFactor, 1), cmp.Or(u.meter.PTFactor, 1), u.profile.Version())
		if err := k.Rescaled(ctx, detail); err != nil {
			return err
		}
	}
	return u.m.setDecoded(ctx, u.meter.UID, want)
}

func (u *unit) serial() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.st.serial
}

// identified keeps a meter's identity and settings when they changed. setsDST tells that its records have shown a DST bit.
func (u *unit) identified(ctx context.Context, id poll.Identity, setsDST bool) error {
	ctx = context.WithoutCancel(ctx)
	u.mu.Lock()
	u.st.serial = cmp.Or(id.Serial, u.st.serial)
	u.st.lastAnswer = logdb.MillisOf(u.m.cfg.Now()) // long before its first retrieval ends
	if id.HasClock {
		// In an hour that repeats it is the pass that is next to our own time.
		wall := device.NewClock(u.zone, logdb.MillisOf(u.m.cfg.Now().Add(-15*time.Minute)), setsDST).UTC(id.Clock)
		d := wall.Time().Sub(u.m.cfg.Now()).Round(time.Second)
		u.st.drift = &d
	}
	u.mu.Unlock()
	if id.Serial != "" && id.Serial != u.meter.Serial {
		if err := u.m.setSerial(ctx, u.meter.UID, id.Serial); err != nil {
			return err
		}
	}
	changed, err := u.m.changeSettings(ctx, u.meter.UID, func(s *logdb.Settings) {
		x := u.meter
		u.m.mu.Lock()
		if now, ok := u.m.meters[x.UID]; ok { // renamed, or put into another zone, while this meter was read
			x.Name, x.Zone = now.Name, now.Zone
		}
		u.m.mu.Unlock()
		*s = mergeSettings(*s, x, u.profile, id)
		if len(u.profile.Logs) == 0 { // the manager keeps the log
			setInterval(s, 0, seconds(u.meter.LogSeconds, u.m.cfg.Log))
		}
	})
	if changed {
		u.m.cfg.OnMeter(u.meter.UID)
	}
	return err
}
