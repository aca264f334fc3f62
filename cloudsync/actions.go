package cloudsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// CloudInfo is what the cloud says about this node's user: the user part of the cache.
type CloudInfo struct {
	User        string                  `json:"user"`
	Customer    string                  `json:"customer"`
	Permissions string                  `json:"permissions"`
	Meters      []logdb.MeterUID        `json:"meters"`
	Disabled    []logdb.MeterUID        `json:"disabled,omitempty"`
	Updated     logdb.Millis            `json:"updated_ms"`
	bare        map[logdb.MeterUID]bool // of those, which have no name there
}

// infoItem is the name of CloudInfo in the stored cache.
const infoItem = "cloud_info"

func readInfo(item Item) CloudInfo {
	var out CloudInfo
	if json.Unmarshal(item.Value, &out) != nil {
		return CloudInfo{} // written by another version: it is asked for again
	}
	return out
}

// do executes an action, and learns from how it ended.
func (s *Service) do(ctx context.Context, d *destination, a Action) (string, error) {
	s.mu.Lock()
	now := s.now()
	enabled, blocked := d.cache.Enabled, d.breaker.until
	s.mu.Unlock()
	switch {
	case s.removed(d):
		return "", fmt.Errorf("%w: %s", ErrNoDestination, d.name)
	case !enabled:
		return "the cloud is switched off", runner.ErrNothing
	case now.Before(blocked):
		return "the cloud does not answer; the next try is at " + blocked.UTC().Format(time.RFC3339), runner.ErrNothing
	}
	text, err := s.execute(ctx, d, a)
	if ctx.Err() == nil {
		s.learn(d, a, err)
		s.poke()
	}
	return text, err
}

func (s *Service) execute(ctx context.Context, d *destination, a Action) (string, error) {
	cloud, conf, err := s.client(d)
	if err != nil {
		return "", err
	}
	switch a.Kind {
	case ActionRegister:
		return s.register(ctx, d, cloud, a.Meter)
	case ActionUpload:
		return s.upload(ctx, d, cloud, conf, a.Meter)
	case ActionServerSync:
		return s.serverSync(ctx, d, cloud)
	case ActionRefreshScan:
		return s.refreshScan(ctx, d, cloud, conf)
	case ActionFetch:
		return s.fetch(ctx, d, cloud, conf)
	}
	return "", fmt.Errorf("unknown action %q", a.Kind)
}

// client returns the client of a destination and its settings.
func (s *Service) client(d *destination) (Cloud, Destination, error) {
	s.mu.Lock()
	cloud, conf := d.cloud, d.conf
	s.mu.Unlock()
	if cloud != nil {
		return cloud, conf, nil
	}
	cloud, err := s.dial(conf)
	if err != nil {
		return nil, conf, fmt.Errorf("make a client of %s: %w", conf.URL(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if reflect.DeepEqual(d.conf, conf) { // else it was changed meanwhile, and this client has the old key or address
		d.cloud = cloud
	}
	return cloud, conf, nil
}

// learn notes what the end of an action means for the next ones.
func (s *Service) learn(d *destination, a Action, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	m := d.cache.Meters[a.Meter]
	if err == nil || errors.Is(err, runner.ErrNothing) {
		d.breaker.succeed(now)
		if m != nil {
			m.Failures, m.Retry, m.LastError, m.Advice, m.Since = 0, time.Time{}, "", "", time.Time{}
		}
	} else {
		do := advice(err, d.name, m != nil)
		if unreachable(err) || a.Meter == "" || errors.Is(err, fault.Unauthenticated) {
			d.breaker.fail(now, err, do, s.cfg.Pauses)
		} else {
			d.breaker.succeed(now)
		}
		if m != nil {
			m.fail(now, err, do, s.cfg.Pauses)
		}
	}
	d.cache.Blocked = d.breaker.until
}

// fail notes a failure of a meter.
func (m *MeterCache) fail(now time.Time, err error, do string, pauses runner.Backoff) {
	if m.Failures == 0 {
		m.Since = now
	}
	m.Failures++
	m.Tried = now
	m.LastError, m.Advice = err.Error(), do
	m.Retry = now.Add(pauses.Pause(m.Failures, err))
}

// upload sends what the cloud is missing of all logs of a meter.
func (s *Service) upload(ctx context.Context, d *destination, cloud Cloud, conf Destination, uid logdb.MeterUID) (string, error) {
	s.mu.Lock()
	var meter MeterConfig
	if m := d.cache.Meters[uid]; m != nil {
		meter = m.Config
	}
	s.mu.Unlock()
	if !meter.UploadEnabled || !meter.Enabled || meter.CloudUID == "" {
		return "the meter does not upload", runner.ErrNothing
	}
	var kept map[keptSum]bool
	s.mu.Lock()
	if m := d.cache.Meters[uid]; m != nil {
		m.relay.dirty = false // before anything is read, so that what comes meanwhile counts
		if m.relay.kept == nil {
			m.relay.kept = map[keptSum]bool{}
		}
		kept = m.relay.kept
	}
	s.mu.Unlock()
	var sum Sum
	var failed error
	for _, kind := range logdb.Kinds {
		var u *upload
		relays := false
		err := again(func() error {
			u = s.newUpload(conf, cloud, meter, kind, max(1, s.cfg.PagesAtOnce/len(logdb.Kinds))) // a share for each kind
			u.pace, u.kept = d.paces.of(kind), kept
			defer func() { sum.add(u.sum) }()
			more, err := u.run(ctx)
			if err != nil {
				return err
			}
			s.note(d, u, more)
			relays, err = u.relay(ctx)
			return err
		})
		if err == nil {
			s.noteRelay(d, u, relays)
			continue
		}
		s.contradicted(d, u, err)
		s.relayAgain(d, uid)
		if failed == nil || errors.Is(failed, fault.Stale) { // that one goes by
			failed = err
		}
		if !ofOneLog(err) {
			break
		}
	}
	if failed != nil {
		return sum.String(), s.refused(ctx, d, uid, failed)
	}
	if meter.Parked != "" { // it was not for good
		if err := s.changeMeter(ctx, d, uid, func(c *MeterConfig) error { c.Parked = ""; return nil }); err != nil {
			return sum.String(), err
		}
	}
	if sum == (Sum{}) {
		return "", runner.ErrNothing
	}
	return sum.String(), nil
}

// ofOneLog reports whether a failure tells nothing of the other logs of the meter, which need not wait for this one: it may be damaged here, or
// contradict what the cloud holds, for good.
func ofOneLog(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Conflict, fault.Stale, fault.Invalid, fault.Damaged, fault.TooLarge, fault.Internal:
		return true
	}
	return false
}

// again does what a receiver found stale anew, from its sets as they are by then.
func again(do func() error) (err error) {
	for range staleTries {
		if err = do(); !errors.Is(err, fault.Stale) {
			return err
		}
	}
	return err
}

// staleTries is how often an upload looks again: who wrote in between is another sender of the same journal, and rarely twice in a row.
const staleTries = 5

// note puts the result of an upload into the cache.
func (s *Service) note(d *destination, u *upload, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	m := d.cache.Meters[u.key.Meter]
	if m == nil || u.head.End == 0 {
		return
	}
	l := m.Logs[u.kind]
	if l == nil {
		l = &LogCache{Journal: u.head.ID, End: u.head.End, Seen: now}
		m.Logs[u.kind] = l
	}
	u.compared(l, more, now)
	if u.sum.Pages > 0 {
		m.LastUpload = now
	}
}

// refused looks whether the cloud refuses a meter, and what is to be done about it.
func (s *Service) refused(ctx context.Context, d *destination, uid logdb.MeterUID, err error) error {
	var change func(*MeterConfig) error
	switch {
	case errors.Is(err, fault.NotFound): // the cloud does not know the meter (any more): register it again
		change = func(c *MeterConfig) error { c.Registered, c.Parked = logdb.Digest{}, ""; return nil }
	case errors.Is(err, fault.Invalid), errors.Is(err, fault.UnsupportedMedia):
		change = func(c *MeterConfig) error { c.Parked = err.Error(); return nil }
	default:
		return err
	}
	return errors.Join(err, s.changeMeter(ctx, d, uid, change))
}

// serverSync reads what the cloud has configured for this node's user.
func (s *Service) serverSync(ctx context.Context, d *destination, cloud Cloud) (string, error) {
	var info CloudInfo
	var listed bool
	var started logdb.Millis
	var held map[logdb.MeterUID]logdb.Settings
	err := runner.Retry(ctx, s.retry(), func(ctx context.Context) error {
		user, err := cloud.User(ctx)
		if err != nil {
			return err
		}
		meters, err := cloud.Meters(ctx)
		listed = err == nil
		if err != nil && !errors.Is(err, fault.Forbidden) { // a key that only uploads sees no list
			return err
		}
		started = user.Started
		info = CloudInfo{User: user.User, Customer: user.Customer, Permissions: user.Permissions.String(), bare: map[logdb.MeterUID]bool{}}
		held = map[logdb.MeterUID]logdb.Settings{}
		for _, m := range meters {
			info.Meters = append(info.Meters, m.UID)
			held[m.UID] = m.Settings
			if m.Settings.Name == "" { // its log database was emptied: it has no more than make and serial
				info.bare[m.UID] = true
			}
			if !m.Enabled {
				info.Disabled = append(info.Disabled, m.UID)
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read the cloud's configuration: %w", err)
	}
	info.Updated = logdb.MillisOf(s.clock())
	text, err := json.Marshal(info)
	if err != nil {
		return "", fmt.Errorf("write the info cache: %w", err)
	}
	s.mu.Lock()
	id := d.conf.ID
	d.program = started
	d.info, d.cache.Synced = info, s.now()
	first := d.cache.Scanned.IsZero()
	if first {
		d.cache.Scanned = d.cache.Synced
	}
	var lost []logdb.MeterUID
	var compare []found
	for uid, m := range d.cache.Meters {
		c := m.Config
		if c.CloudUID == "" || !c.Enabled || c.Registered == (logdb.Digest{}) {
			continue
		}
		version, agreed := m.told.by(c.Registered, started)
		switch h, ok := held[c.CloudUID]; {
		case listed && (!ok || info.bare[c.CloudUID] && m.Name != ""):
			lost = append(lost, uid)
		// Once after each start of either side, and of each program that answers: what was put back to a backup does not know what was told since,
		// nor does a copy what the other one was told.
		case !agreed, ok && h.Version != version:
			compare = append(compare, found{uid, h, started, agreed})
		}
	}
	s.mu.Unlock()
	again, err := s.toldAgain(ctx, d, compare)
	if err != nil {
		return "", err
	}
	for _, uid := range append(lost, again...) {
		if err := s.changeMeter(ctx, d, uid, func(c *MeterConfig) error { c.Registered = logdb.Digest{}; return nil }); err != nil {
			return "", err
		}
	}
	if err := s.store.PutItem(ctx, id, infoItem, Item{Value: text, Updated: info.Updated}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d meters of customer %s", len(info.Meters), info.Customer), nil
}

// refreshScan compares the sets of both sides, log by log, so that the plan enqueues what is missing and nothing else.
func (s *Service) refreshScan(ctx context.Context, d *destination, cloud Cloud, conf Destination) (string, error) {
	s.mu.Lock()
	var meters []MeterConfig
	for _, m := range d.cache.Meters {
		if m.Config.Enabled && m.Config.UploadEnabled && m.Config.CloudUID != "" {
			meters = append(meters, m.Config)
		}
	}
	s.mu.Unlock()
	compared, behind, failed := 0, 0, 0
	for _, meter := range meters {
		n, err := s.scanMeter(ctx, d, cloud, conf, meter)
		behind += n
		if err == nil {
			compared++
			continue
		}
		failed++
		if ctx.Err() != nil || silent(err) || compared == 0 && failed >= mostUnread {
			return "", err
		}
		s.log.Warn("compare no further logs of a meter", "meter", string(meter.Meter), "action", string(ActionRefreshScan), "err", err)
		s.mu.Lock()
		if m := d.cache.Meters[meter.Meter]; m != nil {
			m.fail(s.now(), err, advice(err, d.name, true), s.cfg.Pauses)
		}
		s.mu.Unlock()
		s.relayAgain(d, meter.Meter) // its next upload looks
	}
	s.mu.Lock()
	d.cache.Scanned = s.now()
	s.mu.Unlock()
	text := fmt.Sprintf("%d meters compared, %d logs behind", compared, behind)
	if failed > 0 {
		text += fmt.Sprintf(", %d meters could not be compared", failed)
	}
	return text, nil
}

// mostUnread is how many meters one after another may fail to be compared, until it is no fault of theirs.
const mostUnread = 10

// silent reports whether err means that the cloud answers nothing else either.
func silent(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.RateLimited, fault.Unauthenticated:
		return true
	}
	return false
}

// scanMeter compares the sets of one meter, and says of how many logs the cloud lacks something.
func (s *Service) scanMeter(ctx context.Context, d *destination, cloud Cloud, conf Destination, meter MeterConfig) (behind int, err error) {
	for _, kind := range logdb.Kinds {
		u := &upload{s: s, dest: conf, cloud: cloud, conf: meter, kind: kind, key: StreamKey{Destination: conf.ID, Meter: meter.Meter, Kind: kind}}
		lacks, undecided, err := u.compare(ctx)
		relays := false
		if err == nil {
			relays, err = s.scanRelay(ctx, d, u)
		}
		if errors.Is(err, fault.NotFound) {
			if err := s.refused(ctx, d, meter.Meter, err); err != nil && !errors.Is(err, fault.NotFound) {
				return behind, err
			}
			return behind, nil
		}
		if err != nil {
			return behind, fmt.Errorf("compare %s of meter %s: %w", kind, meter.Meter, err)
		}
		s.noteScan(d, u, lacks, undecided)
		if lacks || relays {
			behind++
		}
	}
	return behind, nil
}

// compare asks for the receiver's sets and says whether they lack anything, and from which position
// on nothing is decided here yet; 0 when the journal is not the one that the receiver knows.
func (u *upload) compare(ctx context.Context) (lacks bool, undecided logdb.Position, err error) {
	if err = u.look(ctx); errors.Is(err, logdb.ErrNotFound) {
		return false, 0, nil
	} else if err != nil {
		return false, 0, err
	}
	if err := u.ask(ctx); err != nil {
		return false, 0, err
	}
	defer u.s.lockLog(u.key.Meter, u.kind)()
	if err = u.look(ctx); err != nil {
		return false, 0, err
	}
	u.key.Journal = u.head.ID
	if err := u.load(ctx); err != nil {
		return false, 0, err
	}
	if foreign, err := u.foreign(ctx); err != nil || foreign {
		return foreign, 0, err
	}
	undecided = 1
	for _, st := range u.streams {
		undecided = max(undecided, st.State.Next)
		lacks = lacks || len(Missing(&st.Fates, u.received(st.ID))) > 0
	}
	return lacks || undecided <= u.head.End, undecided, nil
}

// noteScan notes how both sides of a log stand; one that lacks something is uploaded.
func (s *Service) noteScan(d *destination, u *upload, lacks bool, undecided logdb.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := d.cache.Meters[u.key.Meter]
	if m == nil || u.head.End == 0 {
		return
	}
	l := m.Logs[u.kind]
	if l == nil {
		l = &LogCache{Journal: u.head.ID, End: u.head.End}
		m.Logs[u.kind] = l
	}
	if undecided == 0 {
		l.Known = false // another journal: only an upload can tell
		return
	}
	u.compared(l, lacks, s.now())
	if undecided <= u.head.End {
		l.Missing += int64(u.head.End - undecided + 1)
		l.missingFrom(undecided)
	}
}
