package subscription

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/audit"
)

// Meter is what matters of a meter here.
type Meter struct {
	UID          logdb.MeterUID
	Customer     account.CustomerID // "" until a customer has it
	Make, Serial string
	Enabled      bool
	Expires      logdb.Millis // 0: no date was set
	Removed      logdb.Millis // 0: on the list
}

// Period is a time in which a meter or an extension of a customer was on. To is 0 while it is.
type Period struct {
	ID        int64
	Customer  account.CustomerID
	Meter     logdb.MeterUID // of a meter
	Extension api.Extension  // or of an extension
	From, To  logdb.Millis
}

// ErrNotFound marks a meter that is not there, or not in the scope.
var ErrNotFound = errors.New("no such meter to subscribe for")

// Store keeps expirations and periods. Every method is one transaction.
type Store interface {
	LicenceMeters(ctx context.Context, s account.Scope) ([]Meter, error)
	LicenceMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID) (Meter, error)
	// SetExpiration stores a date, and whether the meter is enabled.
	SetExpiration(ctx context.Context, s account.Scope, uid logdb.MeterUID, expires logdb.Millis, enabled bool) error
	// Periods lists those of a customer in the scope that reach into [from, to), of meters and of extensions; OpenPeriods those of meters that
	// have no end.
	Periods(ctx context.Context, s account.Scope, of account.CustomerID, from, to logdb.Millis) ([]Period, error)
	OpenPeriods(ctx context.Context) ([]Period, error)
	// Settle ends periods of meters and begins others. What somebody else has ended or begun meanwhile stays.
	Settle(ctx context.Context, end, begin []Period) error
	// Extensions lists the extensions that a customer has switched on.
	Extensions(ctx context.Context, s account.Scope, c account.CustomerID) ([]api.Extension, error)
	SwitchExtension(ctx context.Context, s account.Scope, c account.CustomerID, e api.Extension, on bool, at logdb.Millis) error
	// UsedBy lists so many customers of the scope by id, from one on: those that are there, and those that had something in [from, to).
	UsedBy(ctx context.Context, s account.Scope, q UsedBy) ([]CustomerName, error)
	// Renewals lists so many meters of the scope whose date lies in [since, until), by date and UID, behind a place.
	Renewals(ctx context.Context, s account.Scope, since, until logdb.Millis, after RenewalPlace, limit int) ([]Due, error)
	NodeSettings(ctx context.Context) (map[string]string, error)
	PutNodeSettings(ctx context.Context, values map[string]string) error
}

// Config of a Service. The zero value works.
type Config struct {
	// Name returns what people call a meter; nil: its serial.
	Name func(ctx context.Context, uid logdb.MeterUID) string
	// Expired is told of each meter that was switched off since its date is over; nil: nobody.
	Expired func(ctx context.Context, m Meter)
	// SettleEvery is how often the periods are brought up to date; a minute by default.
	SettleEvery time.Duration
	Now         func() time.Time
	Logger      *slog.Logger
}

// Service is the rules of subscriptions.
type Service struct {
	store    Store
	cfg      Config
	settling sync.Mutex
	policy   atomic.Pointer[Policy]
}

// Policy is what this node asks its customers to pay for.
type Policy struct {
	// Required: a meter without a date cannot be read.
	Required bool
	// Billable are the extensions that must be switched on to be used; the others are free.
	Billable []api.Extension
}

const (
	settingRequired = "licence.required"
	settingBillable = "licence.billable."
)

// New opens the subscriptions in store.
func New(ctx context.Context, store Store, cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.SettleEvery <= 0 {
		cfg.SettleEvery = time.Minute
	}
	s := &Service{store: store, cfg: cfg}
	settings, err := store.NodeSettings(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what is paid for: %w", err)
	}
	p := Policy{Required: settings[settingRequired] == "true"}
	for _, e := range api.Extensions() {
		if settings[settingBillable+string(e.Name)] == "true" {
			p.Billable = append(p.Billable, e.Name)
		}
	}
	s.policy.Store(&p)
	return s, nil
}

func (s *Service) now() logdb.Millis { return logdb.MillisOf(s.cfg.Now()) }

// Policy returns what is asked for.
func (s *Service) Policy() Policy { return *s.policy.Load() }

// Required reports whether a meter without a date cannot be read.
func (s *Service) Required() bool { return s.policy.Load().Required }

// SetPolicy changes what is asked for.
func (s *Service) SetPolicy(ctx context.Context, p account.Principal, want Policy) error {
	if err := account.Allow(p, permission.System, account.Resource{}); err != nil {
		return err
	}
	values := map[string]string{settingRequired: fmt.Sprint(want.Required)}
	for _, e := range api.Extensions() {
		values[settingBillable+string(e.Name)] = "false"
	}
	for _, e := range want.Billable {
		if _, ok := api.LookupExtension(e); !ok {
			return errExtension
		}
		values[settingBillable+string(e)] = "true"
	}
	before := s.policy.Load()
	say(ctx, "required_before", fmt.Sprint(before.Required), "required", fmt.Sprint(want.Required), "billable_before", fmt.Sprint(before.Billable), "billable", fmt.Sprint(want.Billable))
	if err := s.store.PutNodeSettings(ctx, values); err != nil {
		return fmt.Errorf("store what is paid for: %w", err)
	}
	s.policy.Store(&want)
	return s.Settle(ctx)
}

// Readable reports whether a meter's data can be read at a time.
func (s *Service) Readable(m Meter, at logdb.Millis) bool {
	return m.Customer != "" && m.Enabled && m.Removed == 0 && InTime(m.Expires, s.Required(), at)
}

// InTime reports whether a date allows reading at a time. Without a date it does unless one is required.
func InTime(expires logdb.Millis, required bool, at logdb.Millis) bool {
	if expires == 0 {
		return !required
	}
	return at < expires
}

// Expiration is what came of a new date.
type Expiration struct {
	Expires logdb.Millis
	Enabled bool
	// ChargeMonths is what the new date adds, in months: the rest of a month that has begun is a share of it.
	ChargeMonths float64
}

// SetExpiration sets the date from which a meter cannot be read; with 0 the date is cleared and the meter disabled. A date in the
// future enables it.
func (s *Service) SetExpiration(ctx context.Context, p account.Principal, uid logdb.MeterUID, expires logdb.Millis) (Expiration, error) {
	if err := account.Allow(p, permission.System, account.Resource{}); err != nil {
		return Expiration{}, err
	}
	if expires != 0 && (expires < logdb.MinTime || expires > logdb.MaxTime) {
		return Expiration{}, fault.New(fault.Invalid, "This is no date.").At("expires")
	}
	m, err := s.store.LicenceMeter(ctx, p.Scope(), uid)
	if errors.Is(err, ErrNotFound) {
		return Expiration{}, fault.New(fault.NotFound, "There is no such meter.")
	} else if err != nil {
		return Expiration{}, fmt.Errorf("look up a meter: %w", err)
	}
	now := s.now()
	out := Expiration{Expires: expires, Enabled: expires > now}
	if expires != 0 && expires <= now {
		out.Enabled = m.Enabled // the date alone keeps it from being read
	}
	begin := now
	if m.Enabled && m.Expires > now {
		begin = m.Expires // paid for until then
	}
	out.ChargeMonths = Months(begin, expires)
	say(ctx, "expires_before", dateOf(m.Expires), "expires", dateOf(expires), "enabled_before", fmt.Sprint(m.Enabled), "enabled", fmt.Sprint(out.Enabled))
	if err := s.store.SetExpiration(ctx, p.Scope(), uid, expires, out.Enabled); err != nil {
		return Expiration{}, fmt.Errorf("store the date of a meter: %w", err)
	}
	return out, s.Settle(ctx)
}

// say adds to the event of the request that changes something.
func say(ctx context.Context, pairs ...string) {
	if t := audit.Of(ctx); t != nil {
		t.Say(pairs...)
	}
}

// dateOf is a date for people; "none" without one.
func dateOf(t logdb.Millis) string {
	if t == 0 {
		return "none"
	}
	return t.Time().UTC().Format(time.RFC3339)
}

// Run brings the periods up to date again and again until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.SettleEvery)
	defer tick.Stop()
	for {
		if err := s.Settle(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "bring the periods of meters up to date", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Settle compares what is on with the periods that are open. It sees every way in which a meter changes: enabled, assigned,
// removed, over its date.
func (s *Service) Settle(ctx context.Context) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	ctx = audit.Quiet(ctx) // it follows from what somebody has done, and that left its event
	meters, err := s.store.LicenceMeters(ctx, account.NodeScope())
	if err != nil {
		return fmt.Errorf("list meters: %w", err)
	}
	open, err := s.store.OpenPeriods(ctx)
	if err != nil {
		return fmt.Errorf("list open periods: %w", err)
	}
	now := s.now()
	end, begin, expired := s.changes(meters, open, now)
	if len(end)+len(begin) == 0 {
		return nil
	}
	if err := s.store.Settle(ctx, end, begin); err != nil {
		return fmt.Errorf("store periods: %w", err)
	}
	if s.cfg.Expired != nil {
		for _, m := range expired {
			s.cfg.Expired(ctx, m)
		}
	}
	return nil
}

// changes tells which periods end and which begin.
func (s *Service) changes(meters []Meter, open []Period, now logdb.Millis) (end, begin []Period, expired []Meter) {
	byMeter := map[logdb.MeterUID]Period{}
	for _, p := range open {
		byMeter[p.Meter] = p
	}
	for _, m := range meters {
		p, was := byMeter[m.UID]
		delete(byMeter, m.UID)
		on := s.Readable(m, now)
		if was && (!on || p.Customer != m.Customer) {
			p.To = now
			if over := m.Expires != 0 && m.Expires <= now; over && m.Enabled && p.Customer == m.Customer {
				p.To = max(m.Expires, p.From) // to the moment, whenever it is noticed
				expired = append(expired, m)
			}
			end = append(end, p)
			was = false
		}
		if on && !was {
			begin = append(begin, Period{Customer: m.Customer, Meter: m.UID, From: now})
		}
	}
	for _, p := range byMeter { // of meters that are gone
		p.To = now
		end = append(end, p)
	}
	return end, begin, expired
}
