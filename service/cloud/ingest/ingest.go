package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/bus"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
)

// Logs is the store that pages go to.
type Logs interface {
	Accept(ctx context.Context, p logdb.Page, limits logdb.Limits) (logdb.Receipt, error)
}

// Meters decides who may send data of a meter.
type Meters interface {
	Access(ctx context.Context, p account.Principal, perm permission.Permission, uid logdb.MeterUID) (registry.Meter, error)
}

// Stored is the notice that a page is in the store, or at least what became of its records.
type Stored struct {
	Meter   logdb.MeterUID
	Kind    logdb.Kind
	Last    logdb.Millis // newest time in the page
	At      logdb.Millis
	Receipt logdb.Receipt
}

// Config sets an ingest service.
type Config struct {
	// Limits are the receiver's own; the zero value takes logdb.DefaultLimits.
	Limits *logdb.Limits
	// MaxRecords is the most rows, events and recordings of a page; 200,000 by default.
	MaxRecords int
	// Stored is told of every page that decided something; may be nil.
	Stored *bus.Notices[Stored]
	// Gate bounds what is taken in at a time.
	Gate GateConfig
	// Room tells whether there is room for data; nil: always.
	Room   func() error
	Now    func() time.Time
	Logger *slog.Logger
}

// Service is the push path: authorise, check, hand to the bus, consume into the store.
type Service struct {
	topic  bus.Publisher[logdb.Page, logdb.Receipt]
	logs   Logs
	meters Meters
	cfg    Config
	limits logdb.Limits

	gate *gate

	mu        sync.Mutex // guards limits and what follows
	pushed    map[logdb.MeterUID]logdb.Millis
	conflicts map[logOf]api.Conflicts
}

// logOf is one kind of log of a meter.
type logOf struct {
	meter logdb.MeterUID
	kind  logdb.Kind
}

// New returns the push path into logs over an inline bus.
func New(logs Logs, meters Meters, cfg Config) *Service {
	if cfg.MaxRecords <= 0 {
		cfg.MaxRecords = 200_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{logs: logs, meters: meters, cfg: cfg, limits: logdb.DefaultLimits(), pushed: map[logdb.MeterUID]logdb.Millis{}, conflicts: map[logOf]api.Conflicts{}}
	s.gate = newGate(cfg.Gate, cfg.Now)
	if cfg.Limits != nil {
		s.limits = *cfg.Limits
	}
	s.topic = bus.NewInline("push", s.consume, bus.Config{})
	return s
}

// Push stores a page for p. When it returns nil with Done, the page is durable and the next
// query shows it. A disabled meter keeps uploading.
func (s *Service) Push(ctx context.Context, p account.Principal, page logdb.Page) (bus.Ack[logdb.Receipt], error) {
	var none bus.Ack[logdb.Receipt]
	if _, err := s.meters.Access(ctx, p, permission.Upload, page.Meter); err != nil {
		return none, err
	}
	page.Source = ""
	if page.Stream.IsZero() {
		page.Source = p.Source()
	}
	if n := records(&page); n > s.cfg.MaxRecords {
		return none, fault.Newf(fault.TooLarge, "The page has %d records, at most %d are taken.", n, s.cfg.MaxRecords).
			WithHint("Cut the data into smaller pages; cuts are free.")
	}
	if err := page.Check(); err != nil {
		return none, fault.Wrap(fault.Invalid, publicText(err), err)
	}
	if err := s.room(); err != nil {
		return none, err
	}
	ack, err := s.topic.Publish(ctx, page)
	if err != nil {
		s.contradicted(page.Meter, page.Kind, err)
		return none, toFault(err)
	}
	return ack, nil
}

// consume is the consumer of the push topic.
func (s *Service) consume(ctx context.Context, page logdb.Page) (logdb.Receipt, error) {
	r, err := s.logs.Accept(ctx, page, s.Limits())
	if err != nil {
		return logdb.Receipt{}, fmt.Errorf("store a page: %w", err)
	}
	s.mu.Lock()
	s.pushed[page.Meter] = logdb.MillisOf(s.cfg.Now())
	s.mu.Unlock()
	if s.cfg.Stored != nil && (r.Stored+r.Revised+r.Skipped > 0 || len(page.Fates) > 0) {
		s.cfg.Stored.Publish(ctx, Stored{
			Meter: page.Meter, Kind: page.Kind, Last: newest(&page), At: logdb.MillisOf(s.cfg.Now()), Receipt: r,
		})
	}
	return r, nil
}

// Limits returns the numbers that are applied to what comes in.
func (s *Service) Limits() logdb.Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits
}

// SetLimits changes the numbers for the pages to come. What was decided stays decided.
func (s *Service) SetLimits(l logdb.Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
}

// contradicted counts a page that was refused because it contradicts what is stored.
func (s *Service) contradicted(meter logdb.MeterUID, kind logdb.Kind, err error) {
	if !errors.Is(err, logdb.ErrConflict) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := logOf{meter, kind}
	s.conflicts[key] = api.Conflicts{Count: s.conflicts[key].Count + 1, Last: logdb.MillisOf(s.cfg.Now()), Text: err.Error()}
}

// Conflicts tells of the pages of a log that were refused as contradictions since the start; nil with none.
func (s *Service) Conflicts(meter logdb.MeterUID, kind logdb.Kind) *api.Conflicts {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.conflicts[logOf{meter, kind}]; ok {
		return &c
	}
	return nil
}

// LastPush returns when a page of a meter came last since the node was started; 0: never.
func (s *Service) LastPush(meter logdb.MeterUID) logdb.Millis {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pushed[meter]
}

func records(p *logdb.Page) int {
	n := len(p.Entries)
	for i := range p.Rows {
		n += p.Rows[i].Len()
	}
	return n
}

func newest(p *logdb.Page) logdb.Millis {
	var t logdb.Millis
	for i := range p.Rows {
		for _, u := range p.Rows[i].Times {
			t = max(t, u)
		}
	}
	for i := range p.Entries {
		t = max(t, p.Entries[i].Time)
	}
	return t
}

// publicText is what a sender is told of a broken rule. The rules of logdb name positions,
// channels and lengths, never a credential.
func publicText(err error) string { return "The page breaks a rule: " + err.Error() + "." }

// toFault gives the errors of store and bus their codes.
func toFault(err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, logdb.ErrInvalid):
		return fault.Wrap(fault.Invalid, publicText(err), err)
	case errors.Is(err, logdb.ErrConflict):
		return fault.Wrap(fault.Conflict, "The page contradicts what is stored of its stream.", err).
			WithHint("Ask for the streams of this meter, then draw a new journal if they differ from yours.")
	case errors.Is(err, logdb.ErrStale):
		return fault.Wrap(fault.Stale, "The journal does not end here where you saw its end.", err).
			WithHint("Ask for the streams of this meter, and send what is missing again.")
	case errors.Is(err, logdb.ErrUnknownMeter):
		return fault.Wrap(fault.NotFound, "There is no such meter.", err)
	case errors.Is(err, logdb.ErrFull):
		return fault.Wrap(fault.Full, "The disk here is full; nothing of the page was stored.", err).WithHint("Send it again later.")
	case errors.Is(err, bus.ErrBusy):
		return fault.Wrap(fault.RateLimited, "Too many pages are being stored just now.", err).WithHint("Send it again in a minute.")
	case errors.Is(err, bus.ErrClosed):
		return fault.Wrap(fault.Unavailable, "This node is stopping.", err).WithHint("Send it again in a minute.")
	}
	return err
}
