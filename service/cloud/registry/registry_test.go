package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
	"metermanager/service/metadb"
)

// settingsStore is the part of a log store that the registry needs.
type settingsStore struct {
	mu   sync.Mutex
	data map[logdb.MeterUID]logdb.Settings
	fail error
}

func (s *settingsStore) Meters(context.Context) ([]logdb.MeterUID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.data)), nil
}

func (s *settingsStore) Settings(_ context.Context, m logdb.MeterUID) (logdb.Settings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.data[m]
	if !ok {
		return v, logdb.ErrUnknownMeter
	}
	return v, nil
}

func (s *settingsStore) PutSettings(_ context.Context, m logdb.MeterUID, v logdb.Settings) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.data[m] = v
	return nil
}

type world struct {
	reg      *registry.Registry
	logs     *settingsStore
	accounts *account.Service
	store    *metadb.Cloud
	owner    account.Principal // of the first customer, without system rights
	other    account.Principal // of another customer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := t.Context()
	db, err := sqldb.Open(ctx, filepath.Join(t.TempDir(), "meta.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{logs: &settingsStore{data: map[logdb.MeterUID]logdb.Settings{}}}
	if w.store, err = metadb.OpenCloud(ctx, db); err != nil {
		t.Fatal(err)
	}
	sealer, err := account.NewSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if w.accounts, err = account.New(w.store, sealer, account.Config{BcryptCost: 4}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.accounts.EnsureBootstrap(ctx, account.Bootstrap{User: "owner", Password: "a long password"}); err != nil {
		t.Fatal(err)
	}
	in, err := w.accounts.Login(ctx, account.Login{User: "owner", Password: "a long password"})
	if err != nil {
		t.Fatal(err)
	}
	w.owner = in.Principal
	w.owner.Permissions = permission.Everything().Without(permission.Of(permission.System, permission.AllCustomers))
	// The second customer is written straight into the table, as its own set-up is not offered yet.
	if err := db.Write(ctx, insertOther); err != nil {
		t.Fatal(err)
	}
	w.other = account.Principal{Key: "x", Customer: "other", Permissions: w.owner.Permissions}
	w.reg = registry.New(w.store, w.logs, w.accounts, registry.Config{MaxUnassigned: 3})
	return w
}

func meter(serial string) registry.Registration {
	return registry.Registration{Settings: logdb.Settings{Name: "Main", Make: "EIG", Model: "Shark 200", Serial: serial, Zone: "Europe/Berlin"}}
}

func (w *world) register(t *testing.T, p account.Principal, r registry.Registration) registry.Registered {
	t.Helper()
	out, err := w.reg.Register(t.Context(), p, r)
	if err != nil {
		t.Fatalf("Register: %v", err)
	}
	return out
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("error = %v, want code %s", err, code)
	}
}

func TestRegisterIsIdempotent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.register(t, w.owner, meter("1"))
	if !first.New || len(first.Meter.UID) != 36 || first.APIKey != "" || first.ClaimCode != "" {
		t.Fatalf("first = %+v", first)
	}
	again := meter(" 1 ")
	again.Settings.Make = "eig"
	again.Settings.Name = "Renamed by registering"
	second := w.register(t, w.owner, again)
	if second.New || second.Meter.UID != first.Meter.UID || second.Meter.Settings.Name != "Main" {
		t.Errorf("second = %+v; want the known meter unchanged", second)
	}
	third := w.register(t, w.owner, registry.Registration{Settings: logdb.Settings{Make: "Other make", Serial: "1"}})
	if !third.New || third.Meter.UID == first.Meter.UID {
		t.Error("serials collide across makes")
	}
}

func TestBlankSerialIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for field, s := range map[string]logdb.Settings{"serial": {Make: "EIG", Serial: " \u00a0 "}, "make": {Make: "  ", Serial: "1"}} {
		out, err := w.reg.Register(t.Context(), w.owner, registry.Registration{Settings: s})
		wantCode(t, err, fault.Invalid)
		if f := fault.From(err); f == nil || f.Field != field || out.Meter.UID != "" {
			t.Errorf("a blank %s: %+v, %v", field, out, err)
		}
	}
}

func TestStrangersOnlyHearAlreadyRegistered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.register(t, w.owner, meter("1"))
	change := meter("1")
	change.Settings.Name = "stolen"
	change.Claim = "AAAAA-AAAAA-AAAAA-AAAAA"
	for name, p := range map[string]account.Principal{
		"nobody": {}, "another customer": w.other, "another meter's key": {Key: "k", Meter: "elsewhere", Permissions: permission.Of(permission.Upload)},
	} {
		out, err := w.reg.Register(t.Context(), p, change)
		wantCode(t, err, fault.Conflict)
		if out.Meter.UID != "" || strings.Contains(err.Error(), string(m.Meter.UID)) {
			t.Errorf("%s learns the UID", name)
		}
	}
	if got, _ := w.reg.Meter(t.Context(), w.owner, m.Meter.UID); got.Settings.Name != "Main" {
		t.Errorf("settings changed to %+v", got.Settings)
	}
}

func TestUnassignedMeterWaitsForItsClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	m := w.register(t, account.Principal{}, meter("1"))
	if !m.New || m.APIKey == "" || m.ClaimCode == "" {
		t.Fatalf("registered = %+v", m)
	}
	uid := m.Meter.UID
	own, err := w.accounts.Authenticate(ctx, m.APIKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.reg.Access(ctx, own, permission.Upload, uid); err != nil {
		t.Errorf("the meter's own key cannot upload: %v", err)
	}
	_, err = w.reg.Access(ctx, own, permission.LogsRead, uid)
	wantCode(t, err, fault.Forbidden)
	system := w.owner
	system.Permissions = permission.Everything()
	for _, p := range []account.Principal{w.owner, w.other, system} {
		_, err = w.reg.Access(ctx, p, permission.LogsRead, uid)
		wantCode(t, err, fault.NotFound)
		if list, _ := w.reg.Meters(ctx, p); len(list) != 0 {
			t.Errorf("a meter that is nobody's is listed: %+v", list)
		}
	}
	if again := w.register(t, own, meter("1")); again.New || again.Meter.UID != uid || again.APIKey != "" {
		t.Errorf("registered again with its own key = %+v", again)
	}
	wrong := meter("1")
	wrong.Claim = "AAAAA-BBBBB-CCCCC-DDDDD"
	_, err = w.reg.Register(ctx, w.owner, wrong)
	wantCode(t, err, fault.Conflict)
	claim := meter("1")
	claim.Claim = strings.ToLower(strings.ReplaceAll(m.ClaimCode, "-", " "))
	_, err = w.reg.Register(ctx, account.Principal{}, claim)
	wantCode(t, err, fault.Conflict)
	if got := w.register(t, w.owner, claim); got.Meter.UID != uid || got.Meter.Customer != w.owner.Customer {
		t.Fatalf("claimed = %+v", got)
	}
	if _, err := w.reg.Access(ctx, w.owner, permission.LogsRead, uid); err != nil {
		t.Errorf("read after the claim: %v", err)
	}
	claim.Claim = m.ClaimCode
	_, err = w.reg.Register(ctx, w.other, claim) // the code is used up
	wantCode(t, err, fault.Conflict)
	if own, err = w.accounts.Authenticate(ctx, m.APIKey); err != nil || own.Customer != w.owner.Customer {
		t.Errorf("the meter's key after the claim = %+v, %v", own, err)
	}
}

func TestMeterJoinsByCustomerKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	_, key, err := w.accounts.CustomerOf(ctx, w.owner)
	if err != nil {
		t.Fatal(err)
	}
	r := meter("1")
	r.CustomerKey = key
	m := w.register(t, account.Principal{}, r)
	if m.Meter.Customer != w.owner.Customer || m.APIKey == "" || m.ClaimCode != "" {
		t.Errorf("registered with the customer key = %+v", m)
	}
	waiting := w.register(t, account.Principal{}, meter("2"))
	own, err := w.accounts.Authenticate(ctx, waiting.APIKey)
	if err != nil {
		t.Fatal(err)
	}
	r = meter("2")
	r.CustomerKey = key
	if m = w.register(t, own, r); m.Meter.Customer != w.owner.Customer {
		t.Errorf("a waiting meter that brings the customer key later = %+v", m)
	}
	r = meter("3")
	r.CustomerKey = "mmc_guess"
	_, err = w.reg.Register(ctx, account.Principal{}, r)
	wantCode(t, err, fault.NotFound)
	r.CustomerKey = key
	_, err = w.reg.Register(ctx, w.other, r)
	wantCode(t, err, fault.Forbidden)
}

func TestUnassignedMetersAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, serial := range []string{"1", "2", "3"} {
		w.register(t, account.Principal{}, meter(serial))
	}
	_, err := w.reg.Register(t.Context(), account.Principal{}, meter("4"))
	wantCode(t, err, fault.RateLimited)
	w.register(t, w.owner, meter("4"))
}

func TestCustomersAreIsolated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	uid := w.register(t, w.owner, meter("1")).Meter.UID
	_, err := w.reg.Meter(ctx, w.other, uid)
	wantCode(t, err, fault.NotFound)
	_, err = w.reg.PutSettings(ctx, w.other, uid, all(logdb.Settings{Name: "theirs"}))
	wantCode(t, err, fault.NotFound)
	wantCode(t, w.reg.SetEnabled(ctx, w.other, uid, false), fault.NotFound)
	wantCode(t, w.reg.Remove(ctx, w.other, uid), fault.NotFound)
	_, err = w.reg.Meter(ctx, account.Principal{}, uid)
	wantCode(t, err, fault.Unauthenticated)
	if list, err := w.reg.Meters(ctx, w.other); err != nil || len(list) != 0 {
		t.Errorf("the other customer sees %+v, %v", list, err)
	}
	if list, err := w.reg.Meters(ctx, w.owner); err != nil || len(list) != 1 || list[0].Settings.Zone != "Europe/Berlin" {
		t.Errorf("the owner sees %+v, %v", list, err)
	}
}

func TestDisabledMeterKeepsUploading(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	uid := w.register(t, w.owner, meter("1")).Meter.UID
	if err := w.reg.SetEnabled(ctx, w.owner, uid, false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.reg.Access(ctx, w.owner, permission.Upload, uid); err != nil {
		t.Errorf("upload: %v", err)
	}
	_, err := w.reg.Access(ctx, w.owner, permission.LogsRead, uid)
	wantCode(t, err, fault.Forbidden)
	if err := w.reg.SetEnabled(ctx, w.owner, uid, true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.reg.Access(ctx, w.owner, permission.LogsRead, uid); err != nil {
		t.Errorf("read when enabled again: %v", err)
	}
}

func TestRemovedMeterComesBackAsItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	uid := w.register(t, w.owner, meter("1")).Meter.UID
	if err := w.reg.Remove(ctx, w.owner, uid); err != nil {
		t.Fatal(err)
	}
	_, err := w.reg.Access(ctx, w.owner, permission.Upload, uid)
	wantCode(t, err, fault.NotFound)
	if list, _ := w.reg.Meters(ctx, w.owner); len(list) != 0 {
		t.Errorf("still listed: %+v", list)
	}
	_, err = w.reg.Register(ctx, w.other, meter("1"))
	wantCode(t, err, fault.Conflict)
	if m := w.register(t, w.owner, meter("1")); m.New || m.Meter.UID != uid {
		t.Errorf("registered again = %+v", m)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	uid := w.register(t, w.owner, meter("1")).Meter.UID
	good := meter("1").Settings
	for name, bad := range map[string]func(*logdb.Settings){
		"zone":         func(s *logdb.Settings) { s.Zone = "Mars/Olympus" },
		"local zone":   func(s *logdb.Settings) { s.Zone = "Local" },
		"zone as path": func(s *logdb.Settings) { s.Zone = "../../etc/passwd" },
		"ratio":        func(s *logdb.Settings) { s.CTPrimary = -1 },
		"long name":    func(s *logdb.Settings) { s.Name = strings.Repeat("x", 201) },
		"line break":   func(s *logdb.Settings) { s.Name = "a\nb" },
		"bad text":     func(s *logdb.Settings) { s.Name = "\xff" },
		"interval":     func(s *logdb.Settings) { s.LogIntervalsMillis = []int64{-1} },
		"energy":       func(s *logdb.Settings) { s.Energy.Digits = 99 },
	} {
		s := good
		bad(&s)
		_, err := w.reg.PutSettings(t.Context(), w.owner, uid, all(s))
		wantCode(t, err, fault.Invalid)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	replaced := good
	replaced.Serial = "2"
	_, err := w.reg.PutSettings(t.Context(), w.owner, uid, all(replaced))
	wantCode(t, err, fault.Conflict)
	if got, _ := w.reg.Meter(t.Context(), w.owner, uid); got.Settings.Name != "Main" || got.Settings.Serial != "1" {
		t.Errorf("bad settings changed something: %+v", got.Settings)
	}
	good.Name, good.CTPrimary = "Renamed", 400
	if m, err := w.reg.PutSettings(t.Context(), w.owner, uid, all(good)); err != nil || m.Settings.CTPrimary != 400 {
		t.Errorf("PutSettings = %+v, %v", m, err)
	}
}

func TestSettingsHaveAVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.register(t, w.owner, meter("1")).Meter
	put := func(version, name string) (logdb.Settings, error) {
		m, err := w.reg.PutSettings(t.Context(), w.owner, first.UID, func(s *logdb.Settings) error {
			s.Version, s.Name = version, name
			return nil
		})
		return m.Settings, err
	}
	seen := first.Settings.Version
	same, err := put(seen, first.Settings.Name)
	if err != nil || seen == "" || same.Version != seen {
		t.Errorf("what changes nothing makes version %q of %q: %v", same.Version, seen, err)
	}
	other, err := put(seen, "other")
	if err != nil || other.Version == seen {
		t.Errorf("another name has version %q too: %v", other.Version, err)
	}
	back, err := put("", first.Settings.Name)
	if err != nil || back.Version == seen || back.Version == other.Version {
		t.Errorf("the name before has version %q too: %v", back.Version, err)
	}
	for _, late := range []string{seen, other.Version, "unknown"} {
		_, err := put(late, "late")
		wantCode(t, err, fault.Stale)
	}
	body := func(text string) string { // as requests come
		m, err := w.reg.PutSettings(t.Context(), w.owner, first.UID, func(s *logdb.Settings) error { return json.Unmarshal([]byte(text), s) })
		if err != nil {
			t.Fatal(err)
		}
		return m.Settings.Version
	}
	one := body(`{"log_intervals_ms":[60000]}`)
	if two := body(`{"log_intervals_ms":[900000]}`); one == two {
		t.Errorf("another interval has version %q too", two)
	}
	if one, two := body(`{"unverified":[]}`), body(`{"unverified":[],"unverified_channels":[]}`); one != two {
		t.Errorf("empty lists have versions %q and %q", one, two)
	}
	old, err := w.logs.Settings(t.Context(), first.UID)
	if err != nil {
		t.Fatal(err)
	}
	old.Version = "" // of before there were versions
	if err := w.logs.PutSettings(t.Context(), first.UID, old); err != nil {
		t.Fatal(err)
	}
	m, err := w.reg.Meter(t.Context(), w.owner, first.UID)
	if err != nil || m.Settings.Version == "" {
		t.Fatalf("settings without a version: %+v, %v", m.Settings, err)
	}
	for _, name := range []string{"other", first.Settings.Name} {
		if back, err = put("", name); err != nil {
			t.Fatal(err)
		}
	}
	_, err = put(m.Settings.Version, "late")
	wantCode(t, err, fault.Stale)
	if m, err := w.reg.Meter(t.Context(), w.owner, first.UID); err != nil || m.Settings.Version != back.Version || m.Settings.Name != first.Settings.Name {
		t.Errorf("%+v, %v", m.Settings, err)
	}
}

func TestLostSettingsHealAtTheNextRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.logs.fail = logdb.ErrFull
	if _, err := w.reg.Register(t.Context(), w.owner, meter("1")); !errors.Is(err, logdb.ErrFull) {
		t.Fatalf("Register on a full disk: %v", err)
	}
	w.logs.fail = nil
	if m := w.register(t, w.owner, meter("1")); m.New || m.Meter.Settings.Name != "Main" {
		t.Errorf("registered again = %+v", m)
	}
}

func TestLocalMetersAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	local := meter("1").Settings
	if err := w.logs.PutSettings(ctx, "local-1", local); err != nil {
		t.Fatal(err)
	}
	if err := w.logs.PutSettings(ctx, "local-2", logdb.Settings{Name: "no serial"}); err != nil {
		t.Fatal(err)
	}
	if m, err := w.reg.Meter(ctx, w.owner, "local-2"); err != nil || m.Settings.Name != "no serial" {
		t.Errorf("Meter(local-2) = %+v, %v", m, err)
	}
	list, err := w.reg.Meters(ctx, w.owner)
	if err != nil || len(list) != 2 {
		t.Fatalf("Meters = %+v, %v", list, err)
	}
	if m := w.register(t, w.owner, meter("1")); m.New || m.Meter.UID != "local-1" {
		t.Errorf("a manager that registers a local meter = %+v, want its UID", m)
	}
	if _, err := w.reg.PutSettings(ctx, w.owner, "local-2", all(logdb.Settings{Name: "named", Make: "X", Serial: "9"})); err != nil {
		t.Errorf("PutSettings of a meter without a serial: %v", err)
	}
	if err := w.reg.Remove(ctx, w.owner, "local-2"); err != nil {
		t.Fatal(err)
	}
	if list, _ := w.reg.Meters(ctx, w.owner); len(list) != 1 {
		t.Errorf("a removed local meter came back: %+v", list)
	}
}

// all replaces settings by s.
func all(s logdb.Settings) func(*logdb.Settings) error {
	return func(old *logdb.Settings) error {
		*old = s
		return nil
	}
}

// What this node passes on are the meters that it reads itself and those of its own customer.
func TestNodeMeters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.logs.data["local"] = logdb.Settings{UID: "local", Name: "read here"}
	register := func(p account.Principal, serial string) logdb.MeterUID {
		t.Helper()
		r, err := w.reg.Register(ctx, p, registry.Registration{Settings: logdb.Settings{Make: "EIG", Serial: serial, Name: serial}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Meter.UID
	}
	mine, theirs, removed := register(w.owner, "1"), register(w.other, "2"), register(w.owner, "3")
	stray := register(account.Principal{}, "4")
	if err := w.store.RemoveMeter(ctx, account.CustomerScope(w.owner.Customer), removed, 1); err != nil {
		t.Fatal(err)
	}
	got, err := w.reg.NodeMeters(ctx)
	if err != nil || len(got) != 2 || !slices.Contains(got, mine) || !slices.Contains(got, "local") {
		t.Errorf("got %v, %v; want the local one and %s, without %s, %s and %s", got, err, mine, theirs, removed, stray)
	}
}
