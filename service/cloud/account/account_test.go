package account_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/logdb/sqldb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/metadb"
)

const testKey = account.KeyPrefix + "0123456789abcdef0123456789abcdef"

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func open(t *testing.T) (*account.Service, *metadb.Cloud, *clock) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := metadb.OpenCloud(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := account.NewSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s, err := account.New(store, sealer, account.Config{BcryptCost: 4, HashParallel: 8, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return s, store, c
}

func bootstrapped(t *testing.T) (*account.Service, account.Principal, *clock) {
	t.Helper()
	s, _, c := open(t)
	made, err := s.EnsureBootstrap(t.Context(), account.Bootstrap{
		User: "Owner", Password: "a long password", Customer: "First", Key: testKey, KeyPermissions: permission.Of(permission.Upload),
	})
	if err != nil || !made {
		t.Fatalf("EnsureBootstrap = %v, %v; want true", made, err)
	}
	in, err := s.Login(t.Context(), account.Login{User: "owner", Password: "a long password", Address: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s, in.Principal, c
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("error = %v, want code %s", err, code)
	}
}

func TestNobodyGetsInBeforeTheSetUp(t *testing.T) {
	t.Parallel()
	s, _, _ := open(t)
	ctx := t.Context()
	for _, name := range []string{"", "admin", "root"} {
		_, err := s.Login(ctx, account.Login{User: name, Password: "admin"})
		wantCode(t, err, fault.Unauthenticated)
	}
	_, err := s.SetUp(ctx, account.Setup{User: "me", Password: "a long password"})
	wantCode(t, err, fault.Forbidden) // no token was made yet, and none is not a token
}

func TestSetUpWorksOnce(t *testing.T) {
	t.Parallel()
	s, _, _ := open(t)
	ctx := t.Context()
	old, err := s.SetupToken(ctx)
	if err != nil || old == "" {
		t.Fatalf("SetupToken = %q, %v", old, err)
	}
	token, _ := s.SetupToken(ctx) // the second start
	_, err = s.SetUp(ctx, account.Setup{Token: old, User: "me", Password: "a long password"})
	wantCode(t, err, fault.Forbidden)
	_, err = s.SetUp(ctx, account.Setup{Token: token, User: "me", Password: "short"})
	wantCode(t, err, fault.Invalid)
	in, err := s.SetUp(ctx, account.Setup{Token: token, User: "me", Password: "a long password"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Authenticate(ctx, in.Token)
	if err != nil || p.Name != "me" || !p.System() {
		t.Fatalf("the first user = %+v, %v", p, err)
	}
	_, err = s.SetUp(ctx, account.Setup{Token: token, User: "you", Password: "a long password"})
	wantCode(t, err, fault.Forbidden)
	if token, err = s.SetupToken(ctx); token != "" || err != nil {
		t.Errorf("SetupToken after the set-up = %q, %v", token, err)
	}
}

func TestEnsureBootstrapChangesNothingTheSecondTime(t *testing.T) {
	t.Parallel()
	s, _, _ := bootstrapped(t)
	made, err := s.EnsureBootstrap(t.Context(), account.Bootstrap{User: "Other", Password: "another password"})
	if made || err != nil {
		t.Fatalf("second EnsureBootstrap = %v, %v; want false", made, err)
	}
	_, err = s.Login(t.Context(), account.Login{User: "Other", Password: "another password"})
	wantCode(t, err, fault.Unauthenticated)
}

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	s, owner, _ := bootstrapped(t)
	long := strings.Repeat("xylophone", account.MaxPassword/9)
	if _, err := s.CreateUser(t.Context(), owner, account.NewUser{Name: "long", Password: long}); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]account.Login{
		"wrong password":          {User: "owner", Password: "wrong"},
		"unknown user":            {User: "nobody", Password: "a long password"},
		"empty":                   {},
		"longer than bcrypt sees": {User: "long", Password: long + "y"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Login(t.Context(), l)
			if f := fault.From(err); f == nil || f.Code != fault.Unauthenticated || f.Message != "User name or password is wrong." {
				t.Errorf("Login = %v; want one answer for all", err)
			}
		})
	}
}

func TestLoginsAreLimitedByUserAndAddress(t *testing.T) {
	t.Parallel()
	s, _, c := bootstrapped(t)
	try := func(user, address string) error {
		_, err := s.Login(t.Context(), account.Login{User: user, Password: "wrong", Address: address})
		return err
	}
	good := account.Login{User: "owner", Password: "a long password", Address: "guesser"}
	for range 10 {
		wantCode(t, try("owner", "guesser"), fault.Unauthenticated)
	}
	wantCode(t, try("OWNER", "guesser"), fault.RateLimited)
	_, err := s.Login(t.Context(), good)
	var wait interface{ RetryAfter() time.Duration }
	if f := fault.From(err); f == nil || f.Code != fault.RateLimited || !strings.Contains(f.Message, "locked") || !errors.As(err, &wait) || wait.RetryAfter() != 6*time.Second {
		t.Errorf("a locked login says %v", err)
	}
	// Whoever guesses on from one address never locks the user out at another one.
	for range 1000 {
		c.t = c.t.Add(time.Second)
		_ = try("owner", "guesser")
	}
	if _, err := s.Login(t.Context(), account.Login{User: "owner", Password: "a long password", Address: "home"}); err != nil {
		t.Errorf("the owner from another address: %v", err)
	}
	c.t = c.t.Add(time.Minute)
	if _, err := s.Login(t.Context(), good); err != nil {
		t.Errorf("the owner a minute later: %v", err)
	}
	for i := range 200 {
		if err = try("owner", fmt.Sprint("a", i)); errors.Is(err, fault.RateLimited) {
			break
		}
	}
	wantCode(t, err, fault.RateLimited) // many addresses
	c.t = c.t.Add(time.Minute)
	for i := range 100 {
		if _, err := s.Login(t.Context(), account.Login{User: "owner", Password: "a long password", Address: "script"}); err != nil {
			t.Fatalf("good login %d from one address: %v", i, err)
		}
	}
	for i := range 60 {
		if err = try(fmt.Sprint("user", i), "one place"); errors.Is(err, fault.RateLimited) {
			break
		}
	}
	wantCode(t, err, fault.RateLimited)
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s, owner, c := bootstrapped(t)
	ctx := t.Context()
	login := func() string {
		t.Helper()
		in, err := s.Login(ctx, account.Login{User: "owner", Password: "a long password"})
		if err != nil {
			t.Fatal(err)
		}
		return in.Token
	}
	token := login()
	if !strings.HasPrefix(token, account.TokenPrefix) || len(token) < 40 {
		t.Errorf("token %q", token)
	}
	if err := s.Logout(ctx, token); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(ctx, token)
	wantCode(t, err, fault.Unauthenticated)

	token = login()
	c.t = c.t.Add(25 * time.Hour) // unused for more than a day
	_, err = s.Authenticate(ctx, token)
	wantCode(t, err, fault.Unauthenticated)

	token = login()
	for range 7 {
		c.t = c.t.Add(23 * time.Hour)
		if _, err = s.Authenticate(ctx, token); err != nil {
			t.Fatalf("a session in use: %v", err)
		}
	}
	c.t = c.t.Add(8 * time.Hour) // older than a week
	_, err = s.Authenticate(ctx, token)
	wantCode(t, err, fault.Unauthenticated)

	u, err := s.CreateUser(ctx, owner, account.NewUser{Name: "reader", Password: "some password", Permissions: permission.Of(permission.LogsRead)})
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Login(ctx, account.Login{User: "reader", Password: "some password"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetDisabled(ctx, owner, u.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(ctx, in.Token)
	wantCode(t, err, fault.Unauthenticated)
	_, err = s.Login(ctx, account.Login{User: "reader", Password: "some password"})
	wantCode(t, err, fault.Forbidden) // told that the account is disabled
	_, err = s.Login(ctx, account.Login{User: "reader", Password: "another password"})
	wantCode(t, err, fault.Unauthenticated) // and only who knows the password
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s, owner, _ := bootstrapped(t)
	ctx := t.Context()
	p, err := s.Authenticate(ctx, testKey)
	if err != nil || p.Permissions != permission.Of(permission.Upload) || p.Customer != owner.Customer {
		t.Fatalf("the first key = %+v, %v", p, err)
	}
	_, _, err = s.CreateKey(ctx, p, account.NewKey{Name: "more"})
	wantCode(t, err, fault.Forbidden)
	k, secret, err := s.CreateKey(ctx, owner, account.NewKey{Name: "one meter", Meter: "m1"})
	if err != nil || !strings.HasPrefix(secret, account.KeyPrefix) {
		t.Fatalf("CreateKey = %q, %v", secret, err)
	}
	if p, err = s.Authenticate(ctx, secret); err != nil || p.Meter != "m1" || p.Key != k.ID {
		t.Fatalf("the new key = %+v, %v", p, err)
	}
	keys, err := s.Keys(ctx, owner, account.KeyPlace{}, 1000)
	if err != nil || len(keys) != 2 {
		t.Fatalf("Keys = %+v, %v", keys, err)
	}
	if err := s.RevokeKey(ctx, owner, k.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(ctx, secret)
	wantCode(t, err, fault.Unauthenticated)
	wantCode(t, s.RevokeKey(ctx, owner, k.ID), fault.NotFound)
	for _, wrong := range []string{"", account.KeyPrefix, account.TokenPrefix, testKey[:len(testKey)-1], strings.ToUpper(testKey)} {
		_, err = s.Authenticate(ctx, wrong)
		wantCode(t, err, fault.Unauthenticated)
	}
}

func TestNobodyGivesAwayMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	s, owner, _ := bootstrapped(t)
	ctx := t.Context()
	if _, err := s.CreateUser(ctx, owner, account.NewUser{Name: "helper", Password: "some password", Permissions: permission.Of(permission.UsersManage)}); err != nil {
		t.Fatal(err)
	}
	in, err := s.Login(ctx, account.Login{User: "helper", Password: "some password"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.CreateKey(ctx, in.Principal, account.NewKey{Name: "k", Permissions: permission.Of(permission.LogsRead)})
	wantCode(t, err, fault.Forbidden)
	_, err = s.CreateUser(ctx, in.Principal, account.NewUser{Name: "u", Password: "some password", Permissions: permission.Everything()})
	wantCode(t, err, fault.Forbidden)
	_, err = s.CreateUser(ctx, owner, account.NewUser{Name: "HELPER", Password: "some password"})
	wantCode(t, err, fault.Conflict)
}

func TestCustomerKeyIsShownToUsersOnly(t *testing.T) {
	t.Parallel()
	s, owner, _ := bootstrapped(t)
	ctx := t.Context()
	c, key, err := s.CustomerOf(ctx, owner)
	if err != nil || c.Name != "First" || key == "" {
		t.Fatalf("CustomerOf(owner) = %+v, %q, %v", c, key, err)
	}
	if found, err := s.CustomerByKey(ctx, key); err != nil || found.ID != c.ID {
		t.Errorf("CustomerByKey = %+v, %v", found, err)
	}
	p, _ := s.Authenticate(ctx, testKey)
	if _, key, err := s.CustomerOf(ctx, p); err != nil || key != "" {
		t.Errorf("CustomerOf(key) = %q, %v; want no customer key", key, err)
	}
	_, err = s.CustomerByKey(ctx, "mmc_guess")
	wantCode(t, err, fault.NotFound)
}

func TestPasswordsAreHashedStrongerWhenTheCostRises(t *testing.T) {
	t.Parallel()
	s, store, c := open(t)
	ctx := t.Context()
	if _, err := s.EnsureBootstrap(ctx, account.Bootstrap{User: "u", Password: "a long password"}); err != nil {
		t.Fatal(err)
	}
	before, _ := store.UserByName(ctx, "u")
	sealer, _ := account.NewSealer(make([]byte, 32))
	stronger, err := account.New(store, sealer, account.Config{BcryptCost: 5, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := stronger.Login(ctx, account.Login{User: "u", Password: "a long password"}); err != nil {
			t.Fatal(err)
		}
	}
	after, _ := store.UserByName(ctx, "u")
	if string(before.PasswordHash) == string(after.PasswordHash) || !strings.HasPrefix(string(after.PasswordHash), "$2a$05$") {
		t.Errorf("hash after the login with a higher cost: %s", after.PasswordHash)
	}
}

func TestSealedSecretsNeedTheirKey(t *testing.T) {
	t.Parallel()
	one, _ := account.NewSealer(make([]byte, 32))
	two, _ := account.NewSealer(append(make([]byte, 31), 1))
	sealed, err := one.Seal([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := one.Open(sealed); err != nil || string(plain) != "secret" {
		t.Errorf("Open = %q, %v", plain, err)
	}
	if _, err := two.Open(sealed); err == nil {
		t.Error("another master key opened it")
	}
	for n := range sealed {
		if _, err := one.Open(sealed[:n]); err == nil {
			t.Errorf("the first %d bytes opened", n)
		}
	}
	if _, err := account.NewSealer(make([]byte, 16)); err == nil {
		t.Error("a short master key was taken")
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	user := account.Principal{User: "u", Customer: "a", Permissions: permission.Of(permission.LogsRead)}
	meterKey := account.Principal{Key: "k", Meter: "m", Permissions: permission.Of(permission.Upload)}
	system := account.Principal{User: "s", Customer: "a", Permissions: permission.Everything()}
	for _, c := range []struct {
		name string
		p    account.Principal
		perm permission.Permission
		r    account.Resource
		want fault.Code
	}{
		{"public", account.Principal{}, permission.Public, account.Resource{Customer: "b"}, ""},
		{"nobody", account.Principal{}, permission.LogsRead, account.Resource{Customer: "a"}, fault.Unauthenticated},
		{"nobody with permissions", account.Principal{Permissions: permission.Everything()}, permission.LogsRead, account.Resource{}, fault.Unauthenticated},
		{"own", user, permission.LogsRead, account.Resource{Customer: "a", Meter: "x"}, ""},
		{"lacking", user, permission.LogsDelete, account.Resource{Customer: "a"}, fault.Forbidden},
		{"other customer", user, permission.LogsRead, account.Resource{Customer: "b"}, fault.NotFound},
		{"other customer, lacking too", user, permission.LogsDelete, account.Resource{Customer: "b"}, fault.NotFound},
		{"nobody's meter", user, permission.LogsRead, account.Resource{Meter: "x"}, fault.NotFound},
		{"own meter", meterKey, permission.Upload, account.Resource{Meter: "m"}, ""},
		{"own meter of a customer", meterKey, permission.Upload, account.Resource{Meter: "m", Customer: "z"}, ""},
		{"other meter", meterKey, permission.Upload, account.Resource{Meter: "x"}, fault.NotFound},
		{"own meter, reading", meterKey, permission.LogsRead, account.Resource{Meter: "m"}, fault.Forbidden},
		{"system", system, permission.LogsRead, account.Resource{Customer: "b"}, ""},
		{"user without a customer", account.Principal{User: "u", Permissions: permission.Of(permission.LogsRead)}, permission.LogsRead, account.Resource{Meter: "x"}, fault.NotFound},
	} {
		err := account.Allow(c.p, c.perm, c.r)
		if got := fault.CodeOf(err); got != c.want {
			t.Errorf("%s: Allow = %q, want %q", c.name, got, c.want)
		}
	}
}
