package registry

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/subscription"
)

// Meter is one measuring point. Its settings live with its data in the log database.
type Meter struct {
	UID      logdb.MeterUID
	Customer account.CustomerID // "" until a customer has claimed it
	Make     string
	Serial   string
	// Enabled meters can be read. A disabled one keeps uploading.
	Enabled bool
	Claim   account.Hash // of the claim code; zero when there is none
	// Facility is where it is, "" at none. Former is the customer whose data it holds after that one has lost it.
	Facility account.FacilityID
	Former   account.CustomerID
	Created  logdb.Millis
	Removed  logdb.Millis // 0: on the list
	Expires  logdb.Millis // from then on its data cannot be read; 0: no date was set
	// Readable is filled in by Registry: whether the data can be read now.
	Readable bool
	// Settings are filled in by Registry, not by Store.
	Settings logdb.Settings
}

// The errors of stores.
var (
	// ErrNotFound marks a meter that is not there, or not in the scope.
	ErrNotFound = errors.New("no such meter in the registry")
	// ErrExists marks a make and serial, or a UID, that is registered.
	ErrExists = errors.New("the meter is in the registry already")
)

// Store keeps the registry. Every method is one transaction.
type Store interface {
	// CreateMeter stores a meter and, unless nil, its own key. ErrExists when make and
	// serial, or the UID, are taken.
	CreateMeter(ctx context.Context, m Meter, key *account.Key) error
	// MeterBySerial finds a meter whoever it belongs to and removed or not: registration
	// needs to know, and tells nobody.
	MeterBySerial(ctx context.Context, manufacturer, serial string) (Meter, error)
	Meter(ctx context.Context, s account.Scope, uid logdb.MeterUID) (Meter, error)
	// Meters lists the meters that are on the list and have a customer, by UID.
	Meters(ctx context.Context, s account.Scope) ([]Meter, error)
	// MetersAfter lists so many of them whose UID follows after, with pool those that are nobody's too.
	MetersAfter(ctx context.Context, s account.Scope, after logdb.MeterUID, pool bool, limit int) ([]Meter, error)
	// AssignMeter gives a meter that is nobody's, and its keys, to a customer and forgets
	// the claim code. ErrNotFound when it is somebody's by now.
	AssignMeter(ctx context.Context, uid logdb.MeterUID, c account.CustomerID) error
	// ReleaseMeter takes a meter from its customer: its own key stays, other keys of it end, and it can be claimed with a code.
	ReleaseMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, claim account.Hash, at logdb.Millis) error
	// MoveMeter puts a meter at a facility of its customer, or with "" at none. ErrNotFound when there is no such facility.
	MoveMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, to account.FacilityID) error
	// ReplaceMeter gives a meter another make and serial and the key of that hardware; the keys of the one before end.
	ReplaceMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, manufacturer, serial string, key account.Key, at logdb.Millis) error
	// Pool lists meters on the list that are nobody's, by UID.
	Pool(ctx context.Context, q PoolQuery) ([]Meter, error)
	HasCustomer(ctx context.Context, id account.CustomerID) (bool, error)
	EnableMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, enabled bool) error
	// RemoveMeter takes a meter off the list, or with at 0 puts it back.
	RemoveMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, at logdb.Millis) error
	// Unassigned counts the meters that are nobody's.
	Unassigned(ctx context.Context) (int, error)
	// KnownMeters lists every UID, removed ones too.
	KnownMeters(ctx context.Context) ([]logdb.MeterUID, error)
	// FirstCustomer returns the customer that runs the node; ErrNotFound before the set-up.
	FirstCustomer(ctx context.Context) (account.CustomerID, error)
}

// Logs is where settings live.
type Logs interface {
	Meters(ctx context.Context) ([]logdb.MeterUID, error)
	Settings(ctx context.Context, meter logdb.MeterUID) (logdb.Settings, error)
	PutSettings(ctx context.Context, meter logdb.MeterUID, s logdb.Settings) error
}

// Accounts is what registration needs of the accounts.
type Accounts interface {
	CustomerByKey(ctx context.Context, key string) (account.Customer, error)
	MeterKey(c account.CustomerID, meter logdb.MeterUID, name string) (account.Key, string)
}

// Config sets a registry. The zero value works.
type Config struct {
	// MaxUnassigned bounds how many meters may wait for a customer; 1000 by default.
	MaxUnassigned int
	// LicenceRequired reports whether a meter without a date of expiration cannot be read; nil: it can.
	LicenceRequired func() bool
	// NewUID makes a UID; a random UUID by default.
	NewUID func() logdb.MeterUID
	Now    func() time.Time
	Logger *slog.Logger
}

// Registry is the rules of the meter list.
type Registry struct {
	store    Store
	logs     Logs
	accounts Accounts
	cfg      Config
	strays   *rate.Limiter // registrations without any credential
	searches *account.Limiter
	claims   *account.Limiter

	changes sync.Mutex // held from reading settings to storing them

	mu    sync.Mutex
	known map[logdb.MeterUID]bool // UIDs that need not be adopted
}

// New returns the registry in store.
func New(store Store, logs Logs, accounts Accounts, cfg Config) *Registry {
	if cfg.MaxUnassigned <= 0 {
		cfg.MaxUnassigned = 1000
	}
	if cfg.NewUID == nil {
		cfg.NewUID = newUUID
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Registry{
		store: store, logs: logs, accounts: accounts, cfg: cfg,
		strays:   rate.NewLimiter(rate.Every(time.Second), 50),
		searches: account.NewLimiter(30, 2*time.Second), claims: account.NewLimiter(10, 10*time.Second),
		known: map[logdb.MeterUID]bool{},
	}
}

func (r *Registry) now() logdb.Millis { return logdb.MillisOf(r.cfg.Now()) }

// newUUID makes a random UUID (version 4).
func newUUID() logdb.MeterUID {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return logdb.MeterUID(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]))
}

var errNoMeter = fault.New(fault.NotFound, "There is no such meter.")

// readPermissions cannot be used on a meter that is not enabled.
var readPermissions = permission.Of(permission.LogsRead, permission.RealtimeRead)

// Access returns the meter if p may do perm with it. A meter of another customer, and one
// that is nobody's, is not found, but for its own key, which can upload.
func (r *Registry) Access(ctx context.Context, p account.Principal, perm permission.Permission, uid logdb.MeterUID) (Meter, error) {
	if !p.Known() {
		return Meter{}, account.Allow(p, perm, account.Resource{Meter: uid})
	}
	m, err := r.store.Meter(ctx, p.Scope(), uid)
	if errors.Is(err, ErrNotFound) {
		if adopted, aerr := r.adoptLocal(ctx); aerr != nil {
			return Meter{}, aerr
		} else if adopted {
			m, err = r.store.Meter(ctx, p.Scope(), uid)
		}
	}
	if errors.Is(err, ErrNotFound) {
		return Meter{}, errNoMeter
	} else if err != nil {
		return Meter{}, fmt.Errorf("look up a meter: %w", err)
	}
	if m.Customer == "" && p.Meter != uid && !p.System() {
		return Meter{}, errNoMeter
	}
	if err := account.Allow(p, perm, account.Resource{Customer: m.Customer, Meter: uid}); err != nil {
		return Meter{}, err
	}
	if reads := readPermissions.Has(perm); reads && m.Customer == "" {
		return Meter{}, errNoMeter
	} else if m.Readable = r.IsReadable(m); reads && !m.Readable && m.Enabled {
		return Meter{}, fault.New(fault.Forbidden, "This meter's licence is over: its data are kept and go on coming in, but cannot be read.").
			WithHint("Ask the administrator of the system to renew it.")
	} else if reads && !m.Readable {
		return Meter{}, fault.New(fault.Forbidden, "This meter is not enabled: its data are kept, but cannot be read.").
			WithHint("Enable the meter first.")
	}
	return m, nil
}

// Meter returns one meter with its settings.
func (r *Registry) Meter(ctx context.Context, p account.Principal, uid logdb.MeterUID) (Meter, error) {
	m, err := r.Access(ctx, p, permission.MetersRead, uid)
	if err != nil {
		return Meter{}, err
	}
	return r.withSettings(ctx, m)
}

// Meters lists the meters that p may see, with their settings.
func (r *Registry) Meters(ctx context.Context, p account.Principal) ([]Meter, error) {
	if err := account.Allow(p, permission.MetersRead, account.Resource{}); err != nil {
		return nil, err
	}
	if _, err := r.adoptLocal(ctx); err != nil {
		return nil, err
	}
	meters, err := r.store.Meters(ctx, p.Scope())
	if err != nil {
		return nil, fmt.Errorf("list meters: %w", err)
	}
	for i := range meters {
		if meters[i], err = r.withSettings(ctx, meters[i]); err != nil {
			return nil, err
		}
	}
	return meters, nil
}

// MetersAfter lists the meters that p may see whose UID follows after, so many at most, and says whether there are more.
func (r *Registry) MetersAfter(ctx context.Context, p account.Principal, after logdb.MeterUID, limit int) (page []Meter, more bool, err error) {
	if err := account.Allow(p, permission.MetersRead, account.Resource{}); err != nil {
		return nil, false, err
	}
	if _, err := r.adoptLocal(ctx); err != nil {
		return nil, false, err
	}
	// Who acts everywhere sees those that are nobody's too.
	page, err = r.store.MetersAfter(ctx, p.Scope(), after, p.Everywhere(), limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("list meters: %w", err)
	}
	if more = len(page) > limit; more {
		page = page[:limit]
	}
	for i := range page {
		if page[i], err = r.withSettings(ctx, page[i]); err != nil {
			return nil, false, err
		}
	}
	return page, more, nil
}

// IsReadable reports whether the data of m can be read now.
func (r *Registry) IsReadable(m Meter) bool {
	required := r.cfg.LicenceRequired != nil && r.cfg.LicenceRequired()
	return m.Enabled && m.Customer != "" && subscription.InTime(m.Expires, required, r.now())
}

func (r *Registry) withSettings(ctx context.Context, m Meter) (Meter, error) {
	s, err := r.logs.Settings(ctx, m.UID)
	if errors.Is(err, logdb.ErrUnknownMeter) {
		s = logdb.Settings{Make: m.Make, Serial: m.Serial}
	} else if err != nil {
		return Meter{}, fmt.Errorf("read settings of meter %s: %w", m.UID, err)
	}
	s.UID, s.Version = m.UID, cmp.Or(s.Version, firstVersion)
	m.Settings, m.Readable = s, r.IsReadable(m)
	return m, nil
}

// PutSettings stores what change makes of a meter's settings. Make and serial are its identity
// and stay as they are. Changes follow each other, so that none takes another one back; one that names another version
// than is stored is refused (fault.Stale), so that a request which comes late, once more, undoes nothing.
func (r *Registry) PutSettings(ctx context.Context, p account.Principal, uid logdb.MeterUID, change func(*logdb.Settings) error) (Meter, error) {
	m, err := r.Access(ctx, p, permission.Upload, uid)
	if err != nil {
		return Meter{}, err
	}
	r.changes.Lock()
	defer r.changes.Unlock()
	if m, err = r.withSettings(ctx, m); err != nil {
		return Meter{}, err
	}
	before, err := content(m.Settings)
	if err != nil {
		return Meter{}, err
	}
	s := m.Settings // whose lists change may change in place
	s.Version = ""
	if err := change(&s); err != nil {
		return Meter{}, err
	}
	if s.Version != "" && s.Version != m.Settings.Version {
		return Meter{}, fault.New(fault.Stale, "The settings were changed since you looked.").At("version").WithHint("Read them again, and send the change with the version that they have now.")
	}
	if s.Make == "" && s.Serial == "" {
		s.Make, s.Serial = m.Settings.Make, m.Settings.Serial
	}
	if mk, serial := identity(s); m.Make != localMake && (mk != m.Make || serial != m.Serial) {
		return Meter{}, fault.New(fault.Conflict, "Make and serial differ from those of this meter.").At("serial").
			WithHint("Another meter at this measuring point is a replacement, not new settings.")
	}
	if s, err = checkSettings(s); err != nil {
		return Meter{}, err
	}
	s.UID = uid
	after, err := content(s)
	if err != nil {
		return Meter{}, err
	}
	if s.Version = m.Settings.Version; after != before {
		s.Version = newVersion()
	}
	if err := r.logs.PutSettings(ctx, uid, s); err != nil {
		return Meter{}, fmt.Errorf("store settings: %w", err)
	}
	m.Settings = s
	return m, nil
}

// SetEnabled makes a meter's data readable, or not.
func (r *Registry) SetEnabled(ctx context.Context, p account.Principal, uid logdb.MeterUID, enabled bool) error {
	if _, err := r.Access(ctx, p, permission.MetersManage, uid); err != nil {
		return err
	}
	if err := r.store.EnableMeter(ctx, p.Scope(), uid, enabled); err != nil {
		return fmt.Errorf("enable a meter: %w", err)
	}
	return nil
}

// Remove takes a meter off the list. Its data and its UID stay: when it registers again,
// they continue.
func (r *Registry) Remove(ctx context.Context, p account.Principal, uid logdb.MeterUID) error {
	if _, err := r.Access(ctx, p, permission.MetersManage, uid); err != nil {
		return err
	}
	if err := r.store.RemoveMeter(ctx, p.Scope(), uid, r.now()); err != nil {
		return fmt.Errorf("remove a meter: %w", err)
	}
	return nil
}
