package rpctest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/rpc/permission"
)

// Credentials that a Cloud takes.
const (
	Key      = "mmk_rpctest"
	User     = "engineer"
	Password = "correct horse battery"
)

// Cloud is a receiver for tests: registration, uploads, sets and a login over any store,
// behind the real middleware. It has one customer and sees every meter.
type Cloud struct {
	Store  logdb.Store
	Limits logdb.Limits
	// Before is asked before each request and may answer it itself, by returning true: to
	// refuse, to wait, to cut the connection (panic(http.ErrAbortHandler)).
	Before func(w http.ResponseWriter, r *http.Request) bool
	// After is called when a request was carried out, before its answer is sent: returning
	// true loses the answer on the way.
	After func(r *http.Request) bool

	mu     sync.Mutex
	tokens map[string]bool
	meters map[logdb.MeterUID]logdb.Settings
	seen   []Request
}

// Request is a request as it arrived, with its body unpacked.
type Request struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// Start serves the cloud until the test ends and returns its address.
func (c *Cloud) Start(t testing.TB) string {
	t.Helper()
	stack, err := host.Stack(c, host.Config{Rate: -1})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(stack)
	t.Cleanup(s.Close)
	return s.URL
}

// Requests returns what arrived so far.
func (c *Cloud) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}

// Revoke makes every token void.
func (c *Cloud) Revoke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = nil
}

// ServeHTTP answers one request.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		host.WriteError(w, r, err)
		return
	}
	c.mu.Lock()
	c.seen = append(c.seen, Request{r.Method, r.URL.Path, r.Header.Clone(), body})
	c.mu.Unlock()
	if c.Before != nil && c.Before(w, r) {
		return
	}
	mux := http.NewServeMux()
	for _, route := range c.routes(body) {
		op, ok := api.Lookup(route.id)
		if !ok {
			continue
		}
		mux.HandleFunc(op.Pattern(), func(w http.ResponseWriter, r *http.Request) { c.answer(w, r, op, route.do) })
	}
	if _, pattern := mux.Handler(r); pattern == "" {
		host.WriteError(w, r, fault.New(fault.NotFound, "There is no such path."))
		return
	}
	mux.ServeHTTP(w, r)
}

type route struct {
	id string
	do func(r *http.Request) (any, error)
}

func (c *Cloud) answer(w http.ResponseWriter, r *http.Request, op api.Operation, do func(*http.Request) (any, error)) {
	out, err := any(nil), error(nil)
	if op.Permission != permission.Public && !c.known(r) {
		err = fault.New(fault.Unauthenticated, "Log in or send a key.")
	} else {
		out, err = do(r)
	}
	if c.After != nil && c.After(r) {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		host.WriteError(w, r, translate(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the peer is gone
}

// translate gives the sentinels of logdb their codes.
func translate(err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, logdb.ErrInvalid):
		return fault.Wrap(fault.Invalid, "Invalid log data.", err)
	case errors.Is(err, logdb.ErrUnknownMeter), errors.Is(err, logdb.ErrNotFound):
		return fault.Wrap(fault.NotFound, "Not found.", err)
	case errors.Is(err, logdb.ErrConflict):
		return fault.Wrap(fault.Conflict, "Contradicts what is stored.", err)
	case errors.Is(err, logdb.ErrStale):
		return fault.Wrap(fault.Stale, "The journal does not end where it was seen.", err)
	case errors.Is(err, logdb.ErrFull):
		return fault.Wrap(fault.Full, "The disk is full.", err)
	}
	return err
}

func (c *Cloud) known(r *http.Request) bool {
	if r.Header.Get("X-Api-Key") == Key {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens[r.Header.Get("Authorization")]
}

func (c *Cloud) routes(body []byte) []route {
	uid := func(r *http.Request) logdb.MeterUID { return logdb.MeterUID(r.PathValue("meter_uid")) }
	kind := func(r *http.Request) logdb.Kind {
		k, _ := logdb.ParseKind(r.PathValue("kind")) // 0 is refused by the store
		return k
	}
	return []route{
		{api.OpReady, func(*http.Request) (any, error) { return api.HealthAnswer{OK: true}, nil }},
		{api.OpLogin, func(*http.Request) (any, error) { return c.login(body) }},
		{api.OpUser, func(r *http.Request) (any, error) {
			if !c.known(r) {
				return nil, fault.New(fault.Unauthenticated, "Log in or send a key.")
			}
			return api.UserAnswer{User: User, Customer: "customer", Permissions: permission.Everything(), Started: 1}, nil
		}},
		{api.OpRegister, func(*http.Request) (any, error) { return c.register(body) }},
		{api.OpMeters, func(*http.Request) (any, error) { return c.list(), nil }},
		{api.OpUpload, func(r *http.Request) (any, error) { return c.upload(r, uid(r), kind(r), body) }},
		{api.OpStreams, func(r *http.Request) (any, error) {
			states, err := c.Store.Streams(r.Context(), uid(r), kind(r))
			out := api.StreamsAnswer{MeterUID: uid(r), Kind: kind(r).String(), Streams: []api.StreamInfo{}}
			for _, s := range states {
				out.Streams = append(out.Streams, api.StreamInfoOf(s))
			}
			return out, err
		}},
		{api.OpMarks, func(r *http.Request) (any, error) {
			q := r.URL.Query()
			journal := logdb.JournalID(q.Get("journal"))
			first, ferr := strconv.ParseUint(q.Get("first"), 10, 64)
			last, lerr := strconv.ParseUint(q.Get("last"), 10, 64)
			if err := errors.Join(ferr, lerr); err != nil {
				return nil, fault.Wrap(fault.Invalid, "Not a range of positions.", err)
			}
			marks, err := logdb.Marks(r.Context(), c.Store, uid(r), kind(r), journal, logdb.Position(first), logdb.Position(last))
			return api.MarksAnswerOf(uid(r), kind(r), journal, marks), err
		}},
		{api.OpDigests, func(r *http.Request) (any, error) {
			stream, err := logdb.ParseStream(r.URL.Query().Get("stream"))
			if err != nil {
				return nil, fmt.Errorf("read stream: %w", err)
			}
			days, err := c.Store.Digests(r.Context(), uid(r), kind(r), stream)
			return api.DigestsAnswerOf(uid(r), kind(r), stream, logdb.Audit{Days: days}), err
		}},
	}
}

func (c *Cloud) login(body []byte) (any, error) {
	var q api.LoginRequest
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fault.Wrap(fault.Invalid, "Not a login.", err)
	}
	if q.User != User || q.Password != Password {
		return nil, fault.New(fault.Unauthenticated, "User or password is wrong.")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens == nil {
		c.tokens = map[string]bool{}
	}
	token := fmt.Sprintf("mm_token%d", len(c.seen))
	c.tokens["Bearer "+token] = true
	return api.LoginAnswer{Token: token, User: User, Customer: "customer", Permissions: permission.Everything()}, nil
}

func (c *Cloud) register(body []byte) (any, error) {
	var q api.RegisterRequest
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fault.Wrap(fault.Invalid, "Not a registration.", err)
	}
	if q.Make == "" || q.Serial == "" {
		return nil, fault.New(fault.Invalid, "A meter needs make and serial.").At("serial")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for uid, s := range c.meters {
		if s.Make == q.Make && s.Serial == q.Serial {
			return api.RegisterAnswer{MeterUID: uid, Registered: api.RegisteredKnown, Settings: s}, nil
		}
	}
	if c.meters == nil {
		c.meters = map[logdb.MeterUID]logdb.Settings{}
	}
	q.Settings.UID = logdb.MeterUID(fmt.Sprintf("cloud-%d", len(c.meters)+1))
	c.meters[q.Settings.UID] = q.Settings
	return api.RegisterAnswer{MeterUID: q.Settings.UID, Registered: api.RegisteredNew, Settings: q.Settings}, nil
}

func (c *Cloud) list() api.MetersAnswer {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := api.MetersAnswer{Meters: []api.Meter{}}
	for uid, s := range c.meters {
		out.Meters = append(out.Meters, api.Meter{UID: uid, Enabled: true, Customer: "customer", Settings: s})
	}
	slices.SortFunc(out.Meters, func(a, b api.Meter) int {
		if a.UID < b.UID {
			return -1
		}
		return 1
	})
	return out
}

func (c *Cloud) upload(r *http.Request, meter logdb.MeterUID, kind logdb.Kind, body []byte) (any, error) {
	up, err := api.ParsePage(kind, body, api.ScanLimits{})
	if err != nil {
		return nil, err
	}
	up.Page.Meter = meter
	if up.Page.Stream.IsZero() {
		up.Page.Source = "key-1"
	}
	got, err := c.Store.Accept(r.Context(), up.Page, c.Limits)
	if err != nil {
		return nil, err
	}
	return api.UploadAnswer{
		Stored: got.Stored, Repeats: got.Repeats, Revised: got.Revised, Skipped: got.Skipped,
		Refused: api.Fates(got.Refused), Receipt: api.Receipt(body), Ignored: up.Ignored,
	}, nil
}
