package webapi_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/rpc/host"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/correction"
	"metermanager/service/cloud/fetch"
	"metermanager/service/cloud/ingest"
	"metermanager/service/cloud/realtime"
	"metermanager/service/cloud/registry"
	"metermanager/service/cloud/subscription"
	"metermanager/service/command"
	"metermanager/service/metadb"
	"metermanager/service/webapi"
)

const password = "a long password"

// server is a node with two customers: "ours" has the meter uid, "theirs" has otherUID.
type server struct {
	t        testing.TB
	url      string
	logs     logdb.Store
	accounts *account.Service
	registry *registry.Registry
	desk     *fetch.Desk
	passed   int // reports of requests that were passed on
	board    *realtime.Board
	log      *bytes.Buffer
	now      time.Time
	over     []logdb.MeterUID // whose licences ended

	uid, otherUID logdb.MeterUID
	// Credentials by role.
	upload, reader, admin, system, theirs string
	ours                                  place // what our customer has
}

// place is what a customer has: one of each.
type place struct {
	customer   account.CustomerID
	meter      logdb.MeterUID
	user       account.UserID // has the limited role
	pending    account.UserID // waits for the customer
	facility   account.FacilityID
	role       account.RoleID
	invitation account.InvitationID
}

// furnish makes one of each for a customer; p may do everything in it. name makes them its own.
func (s *server) furnish(p account.Principal, name string, meter logdb.MeterUID) place {
	s.t.Helper()
	ctx := s.t.Context()
	u, err := s.accounts.CreateUser(ctx, p, account.NewUser{Name: "user of " + name, Password: password, Email: "user@" + name + ".example", Customer: p.Customer})
	must(s.t, err)
	_, key, err := s.accounts.CustomerOf(ctx, account.Principal{User: "x", Customer: p.Customer})
	must(s.t, err)
	waits, err := s.accounts.Join(ctx, account.Principal{}, account.Join{NewUser: account.NewUser{Name: "who waits for " + name, Password: password}, CustomerKey: key, Address: name})
	must(s.t, err)
	f, err := s.accounts.CreateFacility(ctx, p, account.Facility{Name: "hall of " + name, Customer: p.Customer})
	must(s.t, err)
	r, err := s.accounts.PutRole(ctx, p, account.Role{Name: "role of " + name, Permissions: permission.Of(permission.LogsRead)})
	must(s.t, err)
	i, err := s.accounts.Invite(ctx, p, account.Invite{Email: "guest@" + name + ".example"})
	must(s.t, err)
	return place{p.Customer, meter, u.ID, waits.User.ID, f.ID, r.ID, i.ID}
}

var (
	readerPermissions = permission.Of(permission.MetersRead, permission.LogsRead, permission.RealtimeRead, permission.RPCRead)
	adminPermissions  = permission.Everything().Without(permission.Of(permission.System, permission.AllCustomers))
)

func newServer(t testing.TB) *server {
	t.Helper()
	s, db := emptyServer(t)
	s.populate(db)
	return s
}

// emptyServer is a node at its first start.
func emptyServer(t testing.TB, set ...func(*webapi.Config)) (*server, *sqldb.DB) {
	t.Helper()
	s, db, handler := emptyNode(t, set...)
	s.serve(handler)
	return s, db
}

// serve serves a node until the test ends.
func (s *server) serve(handler http.Handler) {
	s.t.Helper()
	cfg := host.Config{Rate: -1}
	if a, ok := handler.(*webapi.API); ok {
		cfg.Refused = a.Refused
	}
	stack, err := host.Stack(handler, cfg)
	must(s.t, err)
	h := httptest.NewServer(stack)
	s.t.Cleanup(h.Close)
	s.url = h.URL
}

// emptyNode is a node at its first start that nobody serves yet.
func emptyNode(t testing.TB, set ...func(*webapi.Config)) (*server, *sqldb.DB, *webapi.API) {
	t.Helper()
	s := &server{t: t, log: &bytes.Buffer{}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return s.now }
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqldb.Config{})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	store, err := metadb.OpenCloud(t.Context(), db)
	must(t, err)
	sealer, err := account.NewSealer(make([]byte, 32))
	must(t, err)
	s.accounts, err = account.New(store, sealer, account.Config{BcryptCost: 4, HashParallel: 64, Now: now})
	must(t, err)
	logs, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "logs.db"), sqlite.Config{Now: now, Archive: archive.Folder{Path: t.TempDir()}})
	must(t, err)
	t.Cleanup(func() { _ = logs.Close() })
	s.logs = logs
	licences, err := subscription.New(t.Context(), store, subscription.Config{Now: now, Expired: func(_ context.Context, m subscription.Meter) { s.over = append(s.over, m.UID) }})
	must(t, err)
	s.registry = registry.New(store, s.logs, s.accounts, registry.Config{Now: now, LicenceRequired: licences.Required})
	s.board = realtime.New(realtime.Config{Now: now})
	desk, err := fetch.New(t.Context(), store, s.logs, s.registry, fetch.Config{Now: now, OnReport: func() { s.passed++ }})
	must(t, err)
	s.desk = desk
	push := ingest.New(s.logs, s.registry, ingest.Config{Now: now})
	home := func(ctx context.Context) (account.CustomerID, error) { return store.FirstCustomer(ctx) }
	node := command.NewNode(s.registry, s.logs, s.board, command.NodeConfig{Version: "test", Home: home, Now: now})
	commands, err := command.New(command.Config{Home: home, Now: now}, command.NodeHandlers(node), command.AuditHandlers(store, "test"), command.LogHandlers(s.logs, s.registry), s.sharedCommands())
	must(t, err)
	cfg := webapi.Config{Now: now, Logger: slog.New(slog.NewTextHandler(s.log, nil)), Version: api.VersionAnswer{Program: "metermanager", Version: "test"}, Authority: []byte("-----BEGIN CERTIFICATE-----")}
	for _, f := range set {
		f(&cfg)
	}
	handler, err := webapi.New(webapi.Parts{
		Audit: store, Licences: licences, Accounts: s.accounts, Meters: s.registry, Push: push, Fetch: desk, Logs: s.logs, Board: s.board, Commands: commands, Status: node,
		Correct: correction.New(s.registry, s.logs, correction.Config{Now: now}),
		Backup: func(_ context.Context, _ bool, w io.Writer) error {
			_, err := io.WriteString(w, "the whole state")
			return err
		},
	}, cfg)
	must(t, err)
	return s, db, handler
}

func (s *server) populate(db *sqldb.DB) {
	s.t.Helper()
	ctx := s.t.Context()
	s.system = account.KeyPrefix + strings.Repeat("s", 40)
	_, err := s.accounts.EnsureBootstrap(ctx, account.Bootstrap{
		User: "owner", Password: password, Customer: "Ours", Key: s.system, KeyPermissions: permission.Everything(),
	})
	must(s.t, err)
	owner, err := s.accounts.Authenticate(ctx, s.system)
	must(s.t, err)
	sealer, err := account.NewSealer(make([]byte, 32))
	must(s.t, err)
	sealed, err := sealer.Seal([]byte("mmc_theirs"))
	must(s.t, err)
	hash := account.HashOf("mmc_theirs")
	must(s.t, db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO customer (id, name, key_hash, sealed_key, created_ms) VALUES ('theirs', 'Theirs', ?, ?, 9000000000000)`, hash[:], sealed)
		return err
	}))
	key := func(p account.Principal, perms permission.Set) string {
		_, secret, err := s.accounts.CreateKey(ctx, p, account.NewKey{Name: "test", Permissions: perms})
		must(s.t, err)
		return secret
	}
	s.upload = key(owner, permission.Of(permission.Upload))
	s.reader = key(owner, readerPermissions)
	s.admin = key(owner, adminPermissions)
	their := account.Principal{Key: "x", Customer: "theirs", Permissions: adminPermissions}
	s.theirs = key(their, adminPermissions)
	s.uid = s.register(owner, "1")
	s.otherUID = s.register(their, "2")
	s.ours = s.furnish(owner, "ours", s.uid)
}

func (s *server) register(p account.Principal, serial string) logdb.MeterUID {
	s.t.Helper()
	got, err := s.registry.Register(s.t.Context(), p, registry.Registration{Settings: logdb.Settings{
		Name: "Main incomer", Make: "EIG", Model: "Shark 200", Serial: serial, Zone: "Europe/Berlin",
	}})
	must(s.t, err)
	return got.Meter.UID
}

// response is what came back.
type response struct {
	status int
	header http.Header
	body   string
}

func (r response) json(t testing.TB) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil {
		t.Fatalf("status %d, body %q: %v", r.status, r.body, err)
	}
	return doc
}

// call sends a request with a key; headers come in pairs.
func (s *server) call(key, method, path, body string, headers ...string) response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	must(s.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	must(s.t, err)
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	must(s.t, err)
	return response{res.StatusCode, res.Header, string(got)}
}

// ok is call for a request that must succeed.
func (s *server) ok(key, method, path, body string) map[string]any {
	s.t.Helper()
	r := s.call(key, method, path, body)
	if r.status != http.StatusOK {
		s.t.Fatalf("%s %s: status %d: %s", method, path, r.status, r.body)
	}
	return r.json(s.t)
}

// refused checks the problem document of a refusal.
func (s *server) refused(r response, status int, code string) {
	s.t.Helper()
	if r.status != status {
		s.t.Errorf("status %d, want %d: %s", r.status, status, r.body)
		return
	}
	if ct := r.header.Get("Content-Type"); ct != "application/problem+json" {
		s.t.Errorf("content type %q of %s", ct, r.body)
	}
	if got := r.json(s.t)["code"]; got != code {
		s.t.Errorf("code %v, want %s: %s", got, code, r.body)
	}
}

func (s *server) meterPath(rest string) string { return api.Root + "/meters/" + string(s.uid) + rest }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// day0 is the midnight in Berlin with which the test data begin.
const day0 = 1772319600000 // 2026-02-28T23:00:00Z

// rows makes a page of n rows, a minute apart, from start on.
func rows(start int64, n int) string {
	var b strings.Builder
	b.WriteString(`{"channels":[{"chan_key":"reading.voltage.an"},{"chan_key":"energy.interval.wh.received"}],"records":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "[%d,%d.5,%d]", start+int64(i)*60_000, 120+i%3, 10)
	}
	b.WriteString("]}")
	return b.String()
}
