package cloudsync_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/clouddb"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqldb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

const meter = logdb.MeterUID("site-1")

// fakeCloud is a receiver over a log store in this process, with a network that may be told to misbehave.
type fakeCloud struct {
	store  logdb.Store
	limits logdb.Limits
	known  map[logdb.MeterUID]bool
	told   map[logdb.MeterUID]logdb.Settings
	bare   map[logdb.MeterUID]bool // of those, whose settings were lost
	takes  func(*logdb.Settings)   // what becomes of settings that it is told
	// versions is how many of settings were stored.
	versions int
	// fail is asked before and after each call.
	before, after func(call string) error
	// hold keeps pages instead of storing them: the answer is a receipt only.
	hold       bool
	held       []logdb.Page
	name       logdb.MeterUID // of the meter in the store; "": as it is called here
	maxSamples int            // pages with a longer recording are too large; 0: none
	started    logdb.Millis
	blind      bool // it takes pages whatever their senders saw
	chainless  bool // what it is sent comes without chains
	maxRow     int  // pages with more rows and entries are too large; 0: none
	pages      int
	refuse     map[logdb.Kind]error
	users      map[string]string
}

func newFakeCloud() *fakeCloud {
	return &fakeCloud{
		store: logdbtest.NewModel(logdbtest.Config{}), limits: logdb.DefaultLimits(),
		known: map[logdb.MeterUID]bool{}, told: map[logdb.MeterUID]logdb.Settings{}, users: map[string]string{"engineer": "secret"},
	}
}

func (f *fakeCloud) call(name string, do func() error) error {
	if f.before != nil {
		if err := f.before(name); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if f.after != nil {
		return f.after(name)
	}
	return nil
}

func (f *fakeCloud) Login(_ context.Context, q api.LoginRequest) (api.LoginAnswer, error) {
	if p, ok := f.users[q.User]; !ok || p != q.Password {
		return api.LoginAnswer{}, fault.New(fault.Unauthenticated, "user or password is wrong")
	}
	p := permission.Everything()
	if q.User == "guest" {
		p = permission.Of(permission.LogsRead)
	}
	return api.LoginAnswer{Token: "t-" + q.User, User: q.User, Customer: "acme", Permissions: p}, nil
}

func (f *fakeCloud) User(context.Context) (out api.UserAnswer, err error) {
	err = f.call("user", func() error {
		out = api.UserAnswer{User: "engineer", Customer: "acme", Permissions: permission.Everything(), Started: f.started}
		return nil
	})
	return out, err
}

func (f *fakeCloud) Register(_ context.Context, q api.RegisterRequest) (out api.RegisterAnswer, err error) {
	err = f.call("register", func() error {
		uid := logdb.MeterUID("cloud-" + q.Serial)
		out = api.RegisterAnswer{MeterUID: uid, Registered: api.RegisteredNew, Settings: q.Settings, Started: f.started}
		if known, ok := f.told[uid]; f.known[uid] && ok && !f.bare[uid] {
			out.Registered, out.Settings = api.RegisteredKnown, known
			return nil
		}
		f.known[uid] = true
		f.versions++
		q.Settings.Version = fmt.Sprint("v", f.versions)
		f.told[uid] = q.Settings
		delete(f.bare, uid)
		return nil
	})
	return out, err
}

func (f *fakeCloud) PutSettings(_ context.Context, uid logdb.MeterUID, s logdb.Settings) error {
	return f.call("settings", func() error {
		if s.Version != "" && s.Version != f.told[uid].Version {
			return fault.New(fault.Stale, "the settings were changed since")
		}
		body, err := api.SettingsDocument(s)
		if err != nil {
			return err
		}
		var now logdb.Settings
		stored, err := json.Marshal(f.told[uid])
		if err := errors.Join(err, json.Unmarshal(stored, &now), json.Unmarshal(body, &now)); err != nil {
			return err
		}
		if f.takes != nil {
			f.takes(&now)
		}
		f.versions++
		now.Version = fmt.Sprint("v", f.versions)
		f.told[uid] = now
		return nil
	})
}

func (f *fakeCloud) Meters(context.Context) (out []api.Meter, err error) {
	err = f.call("meters", func() error {
		for uid := range f.known {
			m := api.Meter{UID: uid, Enabled: true}
			if !f.bare[uid] {
				m.Settings = f.told[uid]
			}
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

func (f *fakeCloud) Streams(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) (out []logdb.StreamState, err error) {
	err = f.call("streams", func() error {
		if !f.known[uid] {
			return fault.New(fault.NotFound, "no such meter")
		}
		out, err = f.store.Streams(ctx, cmp.Or(f.name, uid), kind)
		if errors.Is(err, logdb.ErrUnknownMeter) || errors.Is(err, logdb.ErrNotFound) {
			return nil
		}
		for i := range out {
			out[i].Fates = out[i].Fates.Clone()
		}
		return err
	})
	return out, err
}

func (f *fakeCloud) Marks(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, first, last logdb.Position) (out map[logdb.Position]logdb.Mark, err error) {
	err = f.call("marks", func() error {
		out, err = logdb.Marks(ctx, f.store, cmp.Or(f.name, uid), kind, journal, first, last)
		return err
	})
	return out, err
}

func (f *fakeCloud) PushPage(ctx context.Context, page *logdb.Page) (out api.UploadAnswer, err error) {
	err = f.call("push", func() error {
		up, err := api.ParsePage(page.Kind, api.AppendPage(nil, page, api.DialectJSON), api.ScanLimits{}) // as it arrives
		if err != nil {
			return err
		}
		page := &up.Page
		n := len(page.Entries)
		for _, h := range page.Rows {
			n += h.Len()
		}
		if f.maxRow > 0 && n > f.maxRow {
			return fault.New(fault.TooLarge, "the page is too large")
		}
		for _, e := range page.Entries {
			if f.maxSamples > 0 && e.Waveform != nil && len(e.Waveform.Channels[0].Samples) > f.maxSamples {
				return fault.New(fault.TooLarge, "the page is too large")
			}
		}
		if err := f.refuse[page.Kind]; err != nil {
			return err
		}
		f.pages++
		if f.blind {
			p := *page
			p.Seen, page = nil, &p
		}
		if f.chainless {
			p := *page
			p.Chain, page = logdb.Digest{}, &p
		}
		if f.hold {
			f.held = append(f.held, *page)
			return nil
		}
		r, err := f.store.Accept(ctx, *page, f.limits)
		if errors.Is(err, logdb.ErrConflict) {
			return fault.Wrap(fault.Conflict, "the chain differs", err)
		}
		if errors.Is(err, logdb.ErrStale) {
			return fault.Wrap(fault.Stale, "the end is another", err)
		}
		out = api.UploadAnswer{Stored: r.Stored, Repeats: r.Repeats, Revised: r.Revised, Skipped: r.Skipped, Refused: r.Refused}
		return err
	})
	return out, err
}

// deliver stores what was held, some of it twice, in any order.
func (f *fakeCloud) deliver(t testing.TB, rng *rand.Rand) {
	t.Helper()
	for _, i := range rng.Perm(len(f.held)) {
		for range 1 + rng.IntN(2) {
			if _, err := f.store.Accept(t.Context(), f.held[i], f.limits); err != nil && !errors.Is(err, logdb.ErrStale) { // it comes again
				t.Fatalf("deliver a held page: %v", err)
			}
		}
	}
	f.held = nil
}

// site is one node with its cloud sync, which can be restarted.
type site struct {
	t      testing.TB
	path   string
	logs   logdb.Store
	cloud  *fakeCloud
	others map[string]cloudsync.Cloud // by host
	sync   *cloudsync.Service
	uid    logdb.MeterUID // of the meter at this node
	stop   func()
	kill   func()
	cfg    cloudsync.Config
}

func newSite(t testing.TB, logs logdb.Store, cloud *fakeCloud) *site {
	t.Helper()
	s := &site{t: t, path: filepath.Join(t.TempDir(), "meta.db"), logs: logs, cloud: cloud, others: map[string]cloudsync.Cloud{}, uid: meter}
	s.cfg = cloudsync.Config{
		TickEvery: time.Hour, RecheckEvery: time.Nanosecond,
		Retry:  runner.Backoff{Tries: 2, First: time.Microsecond, Max: time.Microsecond},
		Pauses: runner.Backoff{First: time.Nanosecond, Max: time.Nanosecond},
	}
	s.start()
	t.Cleanup(func() { s.stop() })
	for name, value := range map[string]string{
		cloudsync.SettingHost: "cloud.example.net", cloudsync.SettingAPIKey: "mmk_test", cloudsync.SettingEnabled: "true",
	} {
		if err := s.sync.Set(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// open opens the sync's own database.
func (s *site) open() (*clouddb.Store, func()) {
	s.t.Helper()
	db, err := sqldb.Open(context.Background(), s.path, sqldb.Config{})
	if err != nil {
		s.t.Fatal(err)
	}
	store, err := clouddb.New(context.Background(), db, clouddb.Config{MasterKey: make([]byte, 32)})
	if err != nil {
		s.t.Fatal(err)
	}
	return store, func() {
		if err := db.Close(); err != nil {
			s.t.Errorf("close: %v", err)
		}
	}
}

func (s *site) start() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	store, closeStore := s.open()
	dial := func(d cloudsync.Destination) (cloudsync.Cloud, error) {
		if other := s.others[d.Host]; other != nil {
			return other, nil
		}
		return s.cloud, nil
	}
	s.sync = cloudsync.New(dial, s.logs, store, s.cfg)
	done := make(chan error, 1)
	go func(r *cloudsync.Service) { done <- r.RunQueue(ctx) }(s.sync)
	s.kill = cancel
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("run the queue: %v", err)
		}
		closeStore()
		s.stop = func() {}
	}
}

func (s *site) restart() { s.stop(); s.start() }

// upload registers and uploads until nothing is missing, through whatever the network does.
func (s *site) upload() {
	s.t.Helper()
	for range 200 {
		_, err := s.sync.RegisterMeter(s.t.Context(), s.uid)
		if err == nil {
			_, err = s.sync.UploadMeter(s.t.Context(), s.uid)
		}
		if err != nil && !errors.Is(err, fault.Unavailable) && !errors.Is(err, fault.NotFound) {
			s.t.Fatalf("upload: %v", err)
		}
		if len(s.cloud.held) > 0 {
			s.cloud.deliver(s.t, rand.New(rand.NewPCG(1, 1)))
			continue
		}
		status, serr := s.sync.Status(s.t.Context())
		if serr != nil {
			s.t.Fatal(serr)
		}
		if err == nil && status.Pending == 0 && status.NotCompared == 0 {
			return
		}
	}
	status, _ := s.sync.Status(s.t.Context())
	s.t.Fatalf("the upload does not come to an end: %+v, last %+v", status, s.sync.History(1, "", ""))
}

// settings of the meter, whose log 0 has the given interval.
func (s *site) settings(interval time.Duration) {
	s.t.Helper()
	err := s.logs.PutSettings(s.t.Context(), meter, logdb.Settings{
		Name: "main", Make: "EIG", Model: "Shark 200", Serial: "4711", Zone: "UTC", LogIntervalsMillis: []int64{interval.Milliseconds(), 20_000},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

var channels = []logdb.ChannelKey{"readings.voltage.an", "energy.interval.wh.received", "demand.max.watts.positive", "energy.total.wh.received"}

// rows appends rows of log 0, every one with values made from its time and number.
func (s *site) rows(run uint32, times ...logdb.Millis) logdb.Appended {
	s.t.Helper()
	h := logdb.History{Run: run, Channels: channels, Times: times, Columns: make([][]float64, len(channels))}
	for i, at := range times {
		for c := range channels {
			h.Columns[c] = append(h.Columns[c], float64(at%1_000_003)/8+float64(c*1000+i))
		}
	}
	a, err := s.logs.Append(s.t.Context(), logdb.Batch{Meter: meter, Kind: logdb.KindHistorical, Rows: []logdb.History{h}})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *site) entries(kind logdb.Kind, entries ...logdb.Entry) logdb.Appended {
	s.t.Helper()
	a, err := s.logs.Append(s.t.Context(), logdb.Batch{Meter: meter, Kind: kind, Entries: entries})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// point is one value of a series.
type point struct {
	channel logdb.ChannelKey
	time    logdb.Millis
	value   float64
}

// points reads all live historical values of a meter in one journal, "" for all, sorted.
func points(t testing.TB, store logdb.Store, uid logdb.MeterUID, journal logdb.JournalID) []point {
	t.Helper()
	all, err := store.Series(t.Context(), uid)
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
		t.Fatal(err)
	}
	var out []point
	for _, s := range all {
		if journal != "" && s.Stream.Journal != journal {
			continue
		}
		err := store.ReadSeries(t.Context(), []logdb.SeriesID{s.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			for i, v := range b.AppendValues(nil) {
				out = append(out, point{s.Channel, b.Times[i], v})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	sortPoints(out)
	return out
}

func sortPoints(list []point) {
	slices.SortFunc(list, func(a, b point) int {
		switch {
		case a.channel != b.channel:
			return compare(a.channel, b.channel)
		case a.time != b.time:
			return compare(a.time, b.time)
		}
		return compare(a.value, b.value)
	})
}

func compare[T ~string | ~int64 | ~float64 | ~uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// same fails when two sorted lists differ and prints the first difference.
func same[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			show := func(list []T) string {
				if i < len(list) {
					return fmt.Sprint(list[i])
				}
				return "nothing"
			}
			t.Fatalf("%s: %d there, want %d; at %d: %s, want %s", what, len(got), len(want), i, show(got), show(want))
		}
	}
}

func journalID(t testing.TB, logs logdb.Store, kind logdb.Kind) logdb.JournalID {
	t.Helper()
	head, err := logs.Journal(t.Context(), meter, kind)
	if err != nil {
		t.Fatal(err)
	}
	return head.ID
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }
