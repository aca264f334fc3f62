package fetch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
)

// ErrNotFound marks a request that is not there, or not in the scope.
var ErrNotFound = errors.New("no such request")

// Request is a request with where it came from.
type Request struct {
	api.FetchRequest
	// Origin is the id that the request has at the cloud which this node relays to; "" for one made here.
	Origin string
	// Query is what was asked for, by which a request that is made twice is known.
	Query string
}

// Filter selects requests; they come newest first.
type Filter struct {
	Meter  logdb.MeterUID // "": all of the scope
	ID     string
	Origin string
	Open   bool // only queued and taken ones
	// Before continues behind an earlier answer's last request.
	Before      logdb.Millis
	BeforeID    string
	Limit       int // 0: all
	WithStreams bool
}

// Store keeps requests. Every method is one transaction.
type Store interface {
	CreateFetch(ctx context.Context, s account.Scope, r Request) error
	// Fetches lists the requests for meters of the scope.
	Fetches(ctx context.Context, s account.Scope, f Filter) ([]Request, error)
	// UpdateFetch stores the state of a request that is in the state from; ErrNotFound when it is not, or not there.
	UpdateFetch(ctx context.Context, s account.Scope, r Request, from string) error
}

// Logs is where the sets are.
type Logs interface {
	Streams(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error)
	Series(ctx context.Context, meter logdb.MeterUID) ([]logdb.Series, error)
	ReadEvents(ctx context.Context, q logdb.EventQuery, visit func(logdb.StreamID, *logdb.Entry) error) error
}

// Meters decides who may do what with a meter.
type Meters interface {
	Access(ctx context.Context, p account.Principal, perm permission.Permission, uid logdb.MeterUID) (registry.Meter, error)
}

// Config sets a desk. The zero value works.
type Config struct {
	MaxOpen     int           // requests of one meter that may be open; default 100
	ExpireAfter time.Duration // when a request is given up that no manager finished; default 30 days
	Now         func() time.Time
	// OnReport is told that a request or an instruction of the cloud that this node relays to has come to its end; it must not wait. nil: nobody cares.
	OnReport func()
}

// Desk keeps the requests of a node.
type Desk struct {
	store  Store
	logs   Logs
	meters Meters
	cfg    Config

	making sync.Mutex // held from looking for an equal request to storing one

	mu      sync.Mutex
	waiting map[logdb.MeterUID]int
}

// New opens the desk.
func New(ctx context.Context, store Store, logs Logs, meters Meters, cfg Config) (*Desk, error) {
	if cfg.MaxOpen <= 0 {
		cfg.MaxOpen = 100
	}
	if cfg.ExpireAfter <= 0 {
		cfg.ExpireAfter = 30 * 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &Desk{store: store, logs: logs, meters: meters, cfg: cfg, waiting: map[logdb.MeterUID]int{}}
	open, err := store.Fetches(ctx, account.NodeScope(), Filter{Open: true})
	if err != nil {
		return nil, fmt.Errorf("list the open requests: %w", err)
	}
	for _, r := range open {
		d.waiting[r.MeterUID]++
	}
	return d, nil
}

// Waiting returns how many requests for a meter are open. It asks nobody and never waits.
func (d *Desk) Waiting(meter logdb.MeterUID) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting[meter]
}

// recount reads anew how many requests for a meter are open.
func (d *Desk) recount(ctx context.Context, meter logdb.MeterUID) error {
	open, err := d.store.Fetches(ctx, account.NodeScope(), Filter{Meter: meter, Open: true})
	if err != nil {
		return fmt.Errorf("count the open requests: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting[meter] = len(open)
	return nil
}

func (d *Desk) now() logdb.Millis { return logdb.MillisOf(d.cfg.Now()) }

// Create asks the managers of a meter for what is not here: one request for each journal; or instructs a meter that calls in. One that is
// open already is not made again. Nothing to ask for is an empty list.
func (d *Desk) Create(ctx context.Context, p account.Principal, meter logdb.MeterUID, q api.FetchQuery) ([]Request, error) {
	if _, err := d.meters.Access(ctx, p, permission.RPCControl, meter); err != nil {
		return nil, err
	}
	if instructs(q) {
		return d.instruct(ctx, p.Scope(), meter, q, p.Name, "")
	}
	w, err := readQuery(q)
	if err != nil {
		return nil, err
	}
	found, err := d.search(ctx, meter, w)
	if err != nil {
		return nil, err
	}
	return d.create(ctx, p.Scope(), meter, w, found, p.Name, "")
}

func (d *Desk) create(ctx context.Context, s account.Scope, meter logdb.MeterUID, w *query, found map[logdb.JournalID][]api.FetchWanted, by, origin string) ([]Request, error) {
	d.making.Lock()
	defer d.making.Unlock()
	open, err := d.store.Fetches(ctx, s, Filter{Meter: meter, Open: true})
	if err != nil {
		return nil, fmt.Errorf("list the open requests: %w", err)
	}
	out, err := d.storeAll(ctx, s, meter, w, found, open, by, origin)
	if rerr := d.recount(context.WithoutCancel(ctx), meter); err == nil { // some may be stored although another was refused
		err = rerr
	}
	return out, err
}

// storeAll stores a request for each journal, unless an equal one is open.
func (d *Desk) storeAll(ctx context.Context, s account.Scope, meter logdb.MeterUID, w *query, found map[logdb.JournalID][]api.FetchWanted, open []Request, by, origin string) (out []Request, err error) {
	for journal, streams := range found {
		same := slices.IndexFunc(open, func(r Request) bool {
			return r.Journal == string(journal) && r.Query == w.text && r.Origin == origin
		})
		if same >= 0 {
			out = append(out, open[same])
			continue
		}
		if len(open) >= d.cfg.MaxOpen {
			return nil, fault.Newf(fault.Conflict, "There are %d open requests for this meter already.", len(open)).
				WithHint("Wait until the manager has sent some, or cancel what is not wanted any more.")
		}
		r := Request{Origin: origin, Query: w.text, FetchRequest: api.FetchRequest{
			ID: newID(), MeterUID: meter, Kind: w.kind.String(), Journal: string(journal), From: w.from, To: w.to, What: w.what,
			State: api.FetchQueued, By: by, Created: d.now(), Streams: streams,
		}}
		for _, part := range streams {
			set := setOf(part.Positions)
			r.Wanted += set.Len()
		}
		if err := d.store.CreateFetch(ctx, s, r); err != nil {
			return nil, fmt.Errorf("store a request: %w", err)
		}
		open, out = append(open, r), append(out, r)
	}
	slices.SortFunc(out, func(a, b Request) int { return int(b.Created - a.Created) })
	return out, nil
}

// newID makes a random id.
func newID() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// List returns the requests for a meter, newest first, with what came of them so far.
func (d *Desk) List(ctx context.Context, p account.Principal, meter logdb.MeterUID, f Filter) ([]Request, error) {
	if _, err := d.meters.Access(ctx, p, permission.LogsRead, meter); err != nil {
		return nil, err
	}
	f.Meter = meter
	list, err := d.store.Fetches(ctx, p.Scope(), f)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	for i := range list {
		if err := d.look(ctx, &list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// look brings an open request up to date: how much of it came, and whether it is too old.
func (d *Desk) look(ctx context.Context, r *Request) error {
	if !r.Open() {
		return nil
	}
	came, err := d.came(ctx, r)
	if err != nil {
		return err
	}
	r.Came = came
	if d.now()-r.Created < logdb.Millis(d.cfg.ExpireAfter.Milliseconds()) {
		return nil
	}
	from := r.State
	r.State, r.Ended = api.FetchFailed, d.now()
	r.Reason = "no manager finished it in time"
	if err := d.store.UpdateFetch(ctx, account.NodeScope(), *r, from); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("end an old request: %w", err)
	}
	return d.recount(ctx, r.MeterUID)
}

// Cancel takes a request back. What a manager has begun to send may still come.
func (d *Desk) Cancel(ctx context.Context, p account.Principal, meter logdb.MeterUID, id string) (Request, error) {
	if _, err := d.meters.Access(ctx, p, permission.RPCControl, meter); err != nil {
		return Request{}, err
	}
	return d.change(ctx, p.Scope(), meter, id, func(r *Request) error {
		if r.State == api.FetchCanceled {
			return nil
		}
		if !r.Open() {
			return fault.Newf(fault.Conflict, "The request is %s already.", r.State)
		}
		r.State, r.Ended = api.FetchCanceled, d.now()
		return nil
	})
}

// Open returns the open requests for all meters that p may send data of: what a manager polls.
func (d *Desk) Open(ctx context.Context, p account.Principal) ([]Request, error) {
	if err := account.Allow(p, permission.Upload, account.Resource{}); err != nil {
		return nil, err
	}
	list, err := d.store.Fetches(ctx, p.Scope(), Filter{Open: true, WithStreams: true})
	if err != nil {
		return nil, fmt.Errorf("list the open requests: %w", err)
	}
	var out []Request
	for _, r := range list {
		if _, err := d.meters.Access(ctx, p, permission.Upload, r.MeterUID); fault.CodeOf(err) == fault.NotFound || fault.CodeOf(err) == fault.Forbidden {
			continue
		} else if err != nil {
			return nil, err
		}
		if err := d.look(ctx, &r); err != nil {
			return nil, err
		}
		if r.Open() {
			out = append(out, r)
		}
	}
	return out, nil
}

// Report takes what a manager says of a request. Saying it twice changes nothing.
func (d *Desk) Report(ctx context.Context, p account.Principal, meter logdb.MeterUID, id string, report api.FetchReport) (Request, error) {
	if _, err := d.meters.Access(ctx, p, permission.Upload, meter); err != nil {
		return Request{}, err
	}
	out, err := d.change(ctx, p.Scope(), meter, id, func(r *Request) error {
		switch report.State {
		case api.FetchTaken, api.FetchDone, api.FetchFailed:
		default:
			return fault.New(fault.Invalid, "The state is taken, done or failed.").At("state")
		}
		if r.State == report.State {
			return nil
		}
		if !r.Open() {
			return fault.Newf(fault.Conflict, "The request is %s already.", r.State)
		}
		came, err := d.came(ctx, r)
		if err != nil {
			return err
		}
		r.State, r.Came, r.Result = report.State, came, report.Result
		if report.State == api.FetchTaken {
			r.Taken = d.now()
			return nil
		}
		r.Ended, r.Reason, r.Cannot = d.now(), report.Reason, nil
		for _, c := range report.Cannot {
			if c.Reason == api.FetchOutside { // was never wanted: only the manager knows the times
				r.Wanted = max(r.Came, r.Wanted-c.Count)
				continue
			}
			r.Cannot = append(r.Cannot, c)
		}
		slices.SortFunc(r.Cannot, func(a, b api.FetchCannot) int { return b.Count - a.Count })
		return nil
	})
	if err == nil && out.Origin != "" && !out.Open() && d.cfg.OnReport != nil {
		d.cfg.OnReport()
	}
	return out, err
}

// change reads a request, changes it and stores it.
func (d *Desk) change(ctx context.Context, s account.Scope, meter logdb.MeterUID, id string, do func(*Request) error) (Request, error) {
	list, err := d.store.Fetches(ctx, s, Filter{Meter: meter, ID: id, WithStreams: true})
	if err != nil {
		return Request{}, fmt.Errorf("look for a request: %w", err)
	}
	if len(list) != 1 {
		return Request{}, fault.Wrap(fault.NotFound, "There is no such request.", ErrNotFound)
	}
	r := list[0]
	from := r.State
	if err := do(&r); err != nil {
		return Request{}, err
	}
	if r.State != from {
		err := d.store.UpdateFetch(ctx, s, r, from)
		if errors.Is(err, ErrNotFound) {
			return Request{}, fault.Wrap(fault.Conflict, "Somebody else has just changed the request.", err).WithHint("Look at it again.")
		}
		if err != nil {
			return Request{}, fmt.Errorf("store a request: %w", err)
		}
	}
	return r, d.recount(ctx, meter)
}
