package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// Cloud is one cloud as this node calls it. Its errors carry fault codes.
type Cloud interface {
	// Login asks for a token; User says who the present credential is.
	Login(ctx context.Context, q api.LoginRequest) (api.LoginAnswer, error)
	User(ctx context.Context) (api.UserAnswer, error)
	// Register answers for a meter that it knows with what it was told of it before; PutSettings changes that.
	Register(ctx context.Context, q api.RegisterRequest) (api.RegisterAnswer, error)
	PutSettings(ctx context.Context, meter logdb.MeterUID, s logdb.Settings) error
	Meters(ctx context.Context) ([]api.Meter, error)
	// Streams returns the sets of positions that the cloud holds of a meter and kind.
	Streams(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error)
	// Marks returns what stands at positions of a journal (logdb.Marks).
	Marks(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, first, last logdb.Position) (map[logdb.Position]logdb.Mark, error)
	// PushPage uploads a page. An answer without any count is a receipt only.
	PushPage(ctx context.Context, page *logdb.Page) (api.UploadAnswer, error)
}

// Dial makes the client of a destination. It does not connect.
type Dial func(Destination) (Cloud, error)

// Logs is this node's log database.
type Logs = logdb.Store

// Config of a Service. The zero value works.
type Config struct {
	Logger *slog.Logger
	Now    func() time.Time
	// PassOn is told of a request for a journal of a meter that is not this node's own, of which not all is here: it may wait here for the
	// manager that keeps it. It tells what became of that: ended with the last report, whose state is "" when there is nobody to ask. nil:
	// such requests are left to others.
	PassOn func(ctx context.Context, meter logdb.MeterUID, r api.FetchRequest) (report api.FetchReport, ended bool, err error)
	// Fingerprint connects to the address of a cloud and returns the fingerprint of its certificate; nil: nobody can.
	Fingerprint func(ctx context.Context, address string) (string, error)
	// Instruct passes on an instruction for a meter that posts to this node, and tells what became of it: ended with the last report.
	// nil: instructions are left to others.
	Instruct func(ctx context.Context, meter logdb.MeterUID, r api.FetchRequest) (report api.FetchReport, ended bool, err error)
	// Found lists the meters that are to be registered and uploaded without being asked; nil: those of the log database.
	Found func(ctx context.Context) ([]logdb.MeterUID, error)

	TickEvery    time.Duration  // how often this node's own side is looked at; default 30 s
	SyncEvery    time.Duration  // server sync; default 10 min
	ScanEvery    time.Duration  // comparison of all sets with the cloud; default 6 h
	FetchEvery   time.Duration  // questions for requests, unless an answer says that some wait; default 1 min
	RecheckEvery time.Duration  // after an answer that was a receipt only; default 30 s
	PageBytes    int            // estimated text of a page; default 768 KiB
	PagesAtOnce  int            // pages of what has waited that one upload sends before others get their turn; default 64
	DrainFor     time.Duration  // how long one log's share of an upload is at most; default 1 s, and one page
	Retry        runner.Backoff // within an action; default 2 tries, since the client repeats by itself
	// Pauses is the backoff of a cloud that does not answer; default 5 s to 15 min.
	Pauses runner.Backoff
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.TickEvery, 30*time.Second)
	set(&c.SyncEvery, 10*time.Minute)
	set(&c.ScanEvery, 6*time.Hour)
	set(&c.FetchEvery, time.Minute)
	set(&c.RecheckEvery, 30*time.Second)
	set(&c.DrainFor, time.Second)
	if c.Retry.Tries <= 0 {
		c.Retry.Tries = 2 // the client tries again by itself
	}
	if c.PagesAtOnce <= 0 {
		c.PagesAtOnce = 64
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	set(&c.Pauses.First, 5*time.Second)
	set(&c.Pauses.Max, 15*time.Minute)
	return c
}

// Service is the cloud sync service runner. By itself it is the Link to the first of its clouds.
type Service struct {
	Link
	cfg     Config
	log     *slog.Logger
	dial    Dial
	logs    Logs
	store   Store
	wake    chan struct{}
	started chan struct{} // there are queues to start

	setting turn // held while settings are read, changed and written

	mu       sync.Mutex // guards what follows; never held while anything waits
	seen     time.Time  // the latest that the clock has shown
	loaded   bool
	over     bool // no queue is started any more
	unlooked bool // a cloud is new: look at all meters
	dests    map[DestinationID]*destination
	dirty    map[logdb.MeterUID]bool // told of by Notify
	gaveUp   map[place]string        // why something that was asked for cannot be sent
	deciding map[logKey]turn         // held while decisions about a log are made
	first    map[logdb.MeterUID]firstRows
}

// destination is one cloud with everything known about it.
type destination struct {
	id      DestinationID
	name    string
	queue   *queue
	conf    Destination
	cloud   Cloud // nil: to be made
	cache   Cache
	breaker breaker
	paces   paces
	info    CloudInfo
	program logdb.Millis // when the program was started that answered last
}

// New makes the service; it does nothing before Run, but answers.
func New(dial Dial, logs Logs, store Store, cfg Config) *Service {
	cfg = cfg.withDefaults()
	s := &Service{
		cfg: cfg, log: cfg.Logger.With("component", "cloudsync"), dial: dial, logs: logs, store: store,
		wake: make(chan struct{}, 1), started: make(chan struct{}, 1),
		dests: map[DestinationID]*destination{}, dirty: map[logdb.MeterUID]bool{}, gaveUp: map[place]string{}, deciding: map[logKey]turn{},
		first:   map[logdb.MeterUID]firstRows{},
		setting: newTurn(),
	}
	s.Link = Link{service: s}
	return s
}

// Run looks at both sides from time to time, or when woken, and executes what is wanted, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.runQueues(ctx) }()
	defer func() { cancel(); <-ended }()

	tick := time.NewTicker(s.cfg.TickEvery)
	defer tick.Stop()
	full := true
	for {
		if err := s.look(ctx, full); err != nil && ctx.Err() == nil {
			s.log.Error("look at the log database", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			full = true
		case <-s.wake:
			full = false
		}
	}
}

// Notify says that logs of a meter have grown: what log retrieval calls. It never waits.
func (s *Service) Notify(meter logdb.MeterUID) {
	s.mu.Lock()
	s.dirty[meter] = true
	s.mu.Unlock()
	s.poke()
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// look renews this node's side of the caches, of all meters or of those that Notify named, and enqueues what is wanted.
func (s *Service) look(ctx context.Context, full bool) error {
	if err := s.lookOnly(ctx, full); err != nil {
		return err
	}
	return s.enqueuePlan(ctx, s.destinations()...)
}

// lookOnly renews this node's side of the caches. A meter that cannot be read keeps no other waiting: it is looked at
// again, and who uploads it hears why.
func (s *Service) lookOnly(ctx context.Context, full bool) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if len(s.destinations()) == 0 {
		return nil
	}
	s.clock() // heeds one that was set back
	meters, err := s.meters(ctx, full)
	if err != nil {
		return err
	}
	for _, uid := range meters {
		err := s.lookAt(ctx, uid)
		if err == nil {
			continue
		}
		s.mu.Lock()
		s.dirty[uid] = true
		s.mu.Unlock()
		if ctx.Err() == nil {
			s.log.Error("look at a meter", "meter", string(uid), "err", err)
		}
	}
	return ctx.Err()
}

// meters lists those that are to be looked at. They are not marked any more, unless it fails.
func (s *Service) meters(ctx context.Context, full bool) (out []logdb.MeterUID, err error) {
	s.mu.Lock()
	var dirty []logdb.MeterUID
	for uid := range s.dirty {
		dirty = append(dirty, uid)
	}
	clear(s.dirty)
	unlooked := s.unlooked
	full = full || unlooked
	s.unlooked = false
	s.mu.Unlock()
	defer func() {
		if err == nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unlooked = s.unlooked || unlooked
		for _, uid := range dirty {
			s.dirty[uid] = true
		}
	}()
	if s.cfg.Found == nil {
		if full {
			return s.logs.Meters(ctx)
		}
		return dirty, nil
	}
	if len(dirty) == 0 && !full {
		return nil, nil
	}
	found, err := s.cfg.Found(ctx)
	if err != nil || full {
		return found, err
	}
	return slices.DeleteFunc(dirty, func(uid logdb.MeterUID) bool { return !slices.Contains(found, uid) }), nil
}

// load reads the destinations and their meters once.
func (s *Service) load(ctx context.Context) error {
	s.mu.Lock()
	loaded := s.loaded
	s.mu.Unlock()
	if loaded {
		return nil
	}
	s.setting.Lock()
	defer s.setting.Unlock()
	list, err := s.store.Destinations(ctx)
	if err != nil {
		return err
	}
	found := map[DestinationID]*destination{}
	for _, d := range list {
		if found[d.ID], err = s.loadDestination(ctx, d); err != nil {
			return err
		}
	}
	s.mu.Lock()
	fresh := !s.loaded
	if fresh {
		s.dests, s.loaded = found, true
	}
	s.mu.Unlock()
	if fresh {
		s.startQueues()
	}
	return nil
}

func (s *Service) loadDestination(ctx context.Context, d Destination) (*destination, error) {
	out := &destination{id: d.ID, name: d.label(), queue: s.newQueue(d.label()), conf: d, cache: Cache{
		Destination: d.ID, Enabled: usable(d), SyncEvery: s.cfg.SyncEvery, ScanEvery: s.cfg.ScanEvery,
		FetchEvery: s.cfg.FetchEvery,
		Meters:     map[logdb.MeterUID]*MeterCache{},
	}}
	configs, err := s.store.MeterConfigs(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range configs {
		out.cache.Meters[c.Meter] = newMeterCache(c)
	}
	items, err := s.store.Items(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	out.info = readInfo(items[infoItem])
	return out, nil
}

// usable reports whether a destination is switched on and can be spoken to.
func usable(d Destination) bool {
	return d.Enabled && d.Host != "" && (d.APIKey != "" || d.Token != "" || d.User != "" && d.Password != "")
}

// lookAt renews this node's side of one meter.
func (s *Service) lookAt(ctx context.Context, uid logdb.MeterUID) error {
	settings, err := s.logs.Settings(ctx, uid)
	if errors.Is(err, logdb.ErrUnknownMeter) {
		return nil // nothing to register yet
	}
	if err != nil {
		return err
	}
	heads := map[logdb.Kind]logdb.JournalHead{}
	for _, kind := range logdb.Kinds {
		head, err := s.logs.Journal(ctx, uid, kind)
		if errors.Is(err, logdb.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		heads[kind] = head
	}
	now := s.clock()
	for _, d := range s.destinations() {
		if err := s.found(ctx, d, uid); err != nil {
			return err
		}
		s.mu.Lock()
		m := d.cache.Meters[uid]
		if m == nil { // the cloud was removed meanwhile
			s.mu.Unlock()
			continue
		}
		m.Name, m.Settings = settings.Name, settingsDigest(settings)
		for kind, head := range heads {
			l := m.Logs[kind]
			if l == nil {
				l = &LogCache{}
				m.Logs[kind] = l
			}
			l.Journal, l.End, l.Seen = head.ID, head.End, now
		}
		s.mu.Unlock()
	}
	return nil
}

// found makes the cloud settings of a meter that has none: registered and uploading, unless
// the destination is set to wait for people.
func (s *Service) found(ctx context.Context, d *destination, uid logdb.MeterUID) error {
	s.setting.Lock()
	defer s.setting.Unlock()
	s.mu.Lock()
	known, id, auto := d.cache.Meters[uid] != nil, d.conf.ID, !d.conf.ManualRegister
	s.mu.Unlock()
	if known || s.removed(d) {
		return nil
	}
	c := MeterConfig{Meter: uid, Enabled: auto, UploadEnabled: auto}
	if err := s.store.PutMeterConfig(ctx, id, c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.cache.Meters[uid] = newMeterCache(c)
	return nil
}

// enqueuePlan enqueues what is wanted of the given clouds, each in its own queue.
func (s *Service) enqueuePlan(ctx context.Context, dests ...*destination) error {
	for _, d := range dests {
		s.mu.Lock()
		wanted := plan(&d.cache, s.cfg.Now())
		s.mu.Unlock()
		list := make([]runner.Action, len(wanted))
		for i, a := range wanted {
			list[i] = s.action(d, a)
		}
		if _, err := d.queue.Enqueue(ctx, list...); err != nil && !s.removed(d) {
			return err
		}
	}
	return nil
}

// removed reports whether a cloud was removed: its queue has ended, the others go on.
func (s *Service) removed(d *destination) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dests[d.id] != d
}

// action makes a an action of the queue.
func (s *Service) action(d *destination, a Action) runner.Action {
	params := map[string]string{"destination": fmt.Sprint(a.Destination), "cloud": d.name}
	if a.Meter != "" {
		params["meter"] = string(a.Meter)
	}
	return runner.Action{
		Key:  fmt.Sprintf("%s %d %s", a.Kind, a.Destination, a.Meter),
		Name: string(a.Kind), Meter: string(a.Meter), Params: params,
		Do: func(ctx context.Context) (string, error) { return s.do(ctx, d, a) },
	}
}

func (s *Service) retry() runner.Backoff {
	b := s.cfg.Retry
	b.Permanent = func(err error) bool { return !unreachable(err) }
	return b
}
