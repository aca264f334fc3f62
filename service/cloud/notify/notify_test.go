package notify_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"metermanager/logdb/sqldb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/notify"
	"metermanager/service/metadb"
)

// post is a mail server: it takes what is sent over TLS by who logs in, unless it is told to answer otherwise.
type post struct {
	mu       sync.Mutex
	answer   *smtp.SMTPError
	mails    []string
	logins   int
	in       []bool // whether each mail came over TLS
	insecure bool
}

type session struct {
	p    *post
	conn *smtp.Conn
	ok   bool
}

func (p *post) NewSession(c *smtp.Conn) (smtp.Session, error) { return &session{p: p, conn: c}, nil }

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "node" || password != "the password" {
			return smtp.ErrAuthFailed
		}
		s.ok = true
		s.p.mu.Lock()
		defer s.p.mu.Unlock()
		s.p.logins++
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if !s.ok && !s.p.insecure {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(string, *smtp.RcptOptions) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.answer != nil {
		return s.p.answer
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	_, secure := s.conn.TLSConnectionState()
	s.p.mails, s.p.in = append(s.p.mails, string(text)), append(s.p.in, secure)
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (p *post) set(answer *smtp.SMTPError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *post) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.mails...)
}

// certificate is one for 127.0.0.1, and who trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(t, err)
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve starts a mail server; security is what it offers.
func serve(t *testing.T, p *post, security string) (address string, trust *x509.CertPool) {
	t.Helper()
	cert, trust := certificate(t)
	s := smtp.NewServer(p)
	s.Domain, s.AllowInsecureAuth, s.ErrorLog = "127.0.0.1", security == "none", quiet{}
	secure := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	switch security {
	case "starttls":
		s.TLSConfig = secure
	case "tls":
		l = tls.NewListener(l, secure)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return l.Addr().String(), trust
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// world is a node with a customer, and the outbox of its letters.
type world struct {
	t        *testing.T
	now      time.Time
	accounts *account.Service
	store    *metadb.Cloud
	owner    account.Principal
	key      string
	log      bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.now }
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqldb.Config{})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	w.store, err = metadb.OpenCloud(t.Context(), db)
	must(t, err)
	sealer, err := account.NewSealer(make([]byte, 32))
	must(t, err)
	w.accounts, err = account.New(w.store, sealer, account.Config{BcryptCost: 4, HashParallel: 8, Now: now, PublicURL: "https://meters.example.net"})
	must(t, err)
	_, err = w.accounts.EnsureBootstrap(t.Context(), account.Bootstrap{User: "boss", Password: "a long password", Customer: "Zählwerk"})
	must(t, err)
	in, err := w.accounts.Login(t.Context(), account.Login{User: "boss", Password: "a long password"})
	must(t, err)
	w.owner = in.Principal
	address := "boss@example.net"
	_, err = w.accounts.UpdateUser(t.Context(), w.owner, w.owner.User, account.Person{Email: &address, Password: "a long password"})
	must(t, err)
	_, w.key, err = w.accounts.CustomerOf(t.Context(), w.owner)
	must(t, err)
	return w
}

func (w *world) outbox(s notify.Sender) *notify.Outbox {
	return notify.New(w.store, w.accounts, s, notify.Config{Now: func() time.Time { return w.now }, Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
}

func (w *world) sender(address, security string, trust *x509.CertPool) *notify.SMTP {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "password")
	must(w.t, os.WriteFile(file, []byte("the password\n"), 0o600))
	return &notify.SMTP{Server: address, Security: security, User: "node", PasswordFile: file, From: "Meter Manager <node@example.net>", TLS: &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}}
}

func (w *world) states() string {
	w.t.Helper()
	list, err := w.store.Mails(w.t.Context(), "", 100)
	must(w.t, err)
	var out []string
	for _, m := range list {
		out = append(out, m.Kind+" "+m.State)
	}
	return strings.Join(out, ", ")
}

// read takes a mail apart as a mail reader does.
func read(t *testing.T, raw string) (head mail.Header, subject, text string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	must(t, err)
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	must(t, err)
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	must(t, err)
	return m.Header, subject, strings.ReplaceAll(string(body), "\r\n", "\n")
}

// TestEveryLetterArrives goes the ways on which the node writes, over both sorts of TLS, and follows the links of the letters.
func TestEveryLetterArrives(t *testing.T) {
	t.Parallel()
	for _, security := range []string{"starttls", "tls"} {
		t.Run(security, func(t *testing.T) {
			t.Parallel()
			w, p := newWorld(t), &post{}
			address, trust := serve(t, p, security)
			box := w.outbox(w.sender(address, security, trust))
			ctx := t.Context()
			next := func(to, subject string) string {
				t.Helper()
				before := len(p.got())
				must(t, box.Once(ctx))
				all := p.got()
				if len(all) != before+1 {
					t.Fatalf("%d mails came for %q, want 1: %s", len(all)-before, subject, w.states())
				}
				head, got, text := read(t, all[before])
				if got != subject || head.Get("To") != "<"+to+">" || !strings.HasSuffix(head.Get("Message-ID"), "@example.net>") || head.Get("From") != `"Meter Manager" <node@example.net>` {
					t.Errorf("subject %q to %q, want %q to %q; %v", got, head.Get("To"), subject, to, head)
				}
				return text
			}
			link := func(text, pattern string) string {
				t.Helper()
				m := regexp.MustCompile(pattern).FindStringSubmatch(text)
				if m == nil {
					t.Fatalf("no link in %q", text)
				}
				return m[1]
			}
			// An invitation: its link fills in the key and lets in at once.
			_, err := w.accounts.Invite(ctx, w.owner, account.Invite{Email: "ann@example.net"})
			must(t, err)
			text := next("ann@example.net", "Invitation to Zählwerk")
			secret := link(text, `https://meters\.example\.net/join#invitation=(\S+)`)
			if strings.Contains(text, w.key) {
				t.Error("the mail holds the customer key")
			}
			if i, c, key, err := w.accounts.Invited(ctx, secret, "x"); err != nil || key != w.key || c.Name != "Zählwerk" || i.Email != "ann@example.net" {
				t.Errorf("the link fills in %q of %q for %q, %v", key, c.Name, i.Email, err)
			}
			ann, err := w.accounts.Join(ctx, account.Principal{}, account.Join{NewUser: account.NewUser{Name: "ann", Password: "a fine password"}, Invitation: secret})
			must(t, err)
			if _, _, key, err := w.accounts.Invited(ctx, secret, "x"); !errors.Is(err, fault.NotFound) || key != "" {
				t.Errorf("a link that was used fills in %q, %v", key, err)
			}
			if ann.User.Customer != w.owner.Customer || ann.User.Email != "ann@example.net" {
				t.Errorf("%+v", ann.User)
			}
			// Somebody waits: the owner hears of it, and they hear what came of it.
			var waits [2]account.Joined
			for i, name := range []string{"ben", "cem"} {
				waits[i], err = w.accounts.Join(ctx, account.Principal{}, account.Join{NewUser: account.NewUser{Name: name, Password: "a fine password", Email: name + "@example.net", First: "Ünal"}, CustomerKey: w.key})
				must(t, err)
				if text := next("boss@example.net", "A user waits to join Zählwerk"); !strings.Contains(text, "User name: "+name) || !strings.Contains(text, "Ünal") {
					t.Errorf("%q", text)
				}
			}
			_, err = w.accounts.Approve(ctx, w.owner, waits[0].User.ID, account.Access{})
			must(t, err)
			next("ben@example.net", "Welcome to Zählwerk")
			must(t, w.accounts.Reject(ctx, w.owner, waits[1].User.ID))
			next("cem@example.net", "Your request to Zählwerk")
			// A forgotten password, by a name that is there and by one that is not.
			must(t, w.accounts.Forgot(ctx, "nobody", "x"))
			must(t, w.accounts.Forgot(ctx, "Ann", "x"))
			token := link(next("ann@example.net", "A new password"), `/reset#token=(\S+)`)
			must(t, w.accounts.ResetPassword(ctx, token, "quite another password", "x"))
			next("ann@example.net", "Your password was changed")
			if err := w.accounts.ResetPassword(ctx, token, "yet another password", "x"); !errors.Is(err, fault.Forbidden) {
				t.Errorf("the link works twice: %v", err)
			}
			_, err = w.accounts.Login(ctx, account.Login{User: "ann", Password: "quite another password"})
			must(t, err)
			// An administrator resets it: the password before is worth nothing, whether the link is used or not.
			if handed, err := w.accounts.ResetUser(ctx, w.owner, ann.User.ID); err != nil || handed != "" {
				t.Errorf("%q, %v", handed, err)
			}
			if _, err = w.accounts.Login(ctx, account.Login{User: "ann", Password: "quite another password"}); !errors.Is(err, fault.Unauthenticated) {
				t.Errorf("the old password: %v", err)
			}
			must(t, w.accounts.ResetPassword(ctx, link(next("ann@example.net", "Choose a new password"), `/reset#token=(\S+)`), "a third password", "x"))
			next("ann@example.net", "Your password was changed")
			// Another address: the one before hears of it.
			in, err := w.accounts.Login(ctx, account.Login{User: "ann", Password: "a third password"})
			must(t, err)
			other := "ann@example.org"
			if _, err := w.accounts.UpdateUser(ctx, in.Principal, in.Principal.User, account.Person{Email: &other}); !errors.Is(err, fault.Forbidden) {
				t.Errorf("without the password: %v", err)
			}
			_, err = w.accounts.UpdateUser(ctx, in.Principal, in.Principal.User, account.Person{Email: &other, Password: "a third password"})
			must(t, err)
			next("ann@example.net", "Your e-mail address was changed")
			must(t, w.accounts.ChangePassword(ctx, in.Principal, "a third password", "a fourth password", in.Token, "x"))
			next("ann@example.org", "Your password was changed")
			// A customer that goes tells its owner.
			system := w.owner
			system.Permissions = permission.Everything()
			c, err := w.accounts.Join(ctx, system, account.Join{NewUser: account.NewUser{Name: "dora", Password: "a fine password", Email: "dora@example.net"}, CustomerName: "Gone"})
			must(t, err)
			must(t, w.accounts.DeleteCustomer(ctx, system, c.Customer.ID))
			next("dora@example.net", "Gone was deleted")
			must(t, box.Once(ctx))
			if n := len(p.got()); n != 12 || strings.Contains(w.states(), "waiting") {
				t.Errorf("%d mails: %s", n, w.states())
			}
			for i, secure := range p.in {
				if !secure {
					t.Errorf("mail %d came in the clear", i)
				}
			}
			if strings.Contains(w.log.String(), "the password") || strings.Contains(w.log.String(), "mmr_") || strings.Contains(w.log.String(), "ann@") {
				t.Errorf("the log tells too much:\n%s", w.log.String())
			}
		})
	}
}

// TestMailsThatAreNotTaken: whatever goes wrong, a mail is tried again until it is taken or refused for good, also by the next process.
func TestMailsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), &post{}
	ctx := t.Context()
	address, trust := serve(t, p, "starttls")
	invite := func() {
		t.Helper()
		_, err := w.accounts.Invite(ctx, w.owner, account.Invite{Email: "ann@example.net"})
		must(t, err)
	}
	mail := func() api.MailState {
		t.Helper()
		list, err := w.store.Mails(ctx, "", 1)
		must(t, err)
		return list[0]
	}
	invite()
	good := w.sender(address, "starttls", trust)
	nobody := *good
	nobody.Server = "127.0.0.1:1" // nothing listens there
	wrong := *good
	wrong.TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	stranger := *good
	stranger.User = "somebody"
	for i, x := range []struct {
		name   string
		sender notify.Sender
		answer *smtp.SMTPError
	}{
		{"no server is given", nil, nil},
		{"nobody answers", &nobody, nil},
		{"the certificate is somebody else's", &wrong, nil},
		{"the login is wrong", &stranger, nil},
		{"the server is busy", good, &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}},
	} {
		p.set(x.answer)
		must(t, w.outbox(x.sender).Once(ctx))
		if m := mail(); m.State != "waiting" || m.Tries != i || (m.Trouble == "") != (i == 0) || len(p.got()) != 0 {
			t.Errorf("%s: %+v, %d mails", x.name, m, len(p.got()))
		}
		must(t, w.outbox(x.sender).Once(ctx)) // not due yet
		if m := mail(); m.Tries != i {
			t.Errorf("%s: tried again at once: %+v", x.name, m)
		}
		w.now = w.now.Add(time.Hour)
	}
	p.set(nil)
	must(t, w.outbox(good).Once(ctx)) // as the next process would
	if m := mail(); m.State != "sent" || len(p.got()) != 1 {
		t.Errorf("%+v, %d mails", m, len(p.got()))
	}
	// Refused for good: tried once.
	w.now = w.now.Add(time.Minute)
	invite()
	p.set(&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"})
	must(t, w.outbox(good).Once(ctx))
	if m := mail(); m.State != "failed" || m.Tries != 1 || !strings.Contains(m.Trouble, "no such mailbox") {
		t.Errorf("%+v", m)
	}
	// Given up after two days, without a server too.
	w.now = w.now.Add(time.Minute)
	invite()
	w.now = w.now.Add(47 * time.Hour)
	must(t, w.outbox(nil).Once(ctx))
	if m := mail(); m.State != "waiting" {
		t.Errorf("before its time: %+v", m)
	}
	w.now = w.now.Add(2 * time.Hour)
	must(t, w.outbox(nil).Once(ctx))
	if m := mail(); m.State != "failed" || !strings.Contains(m.Trouble, "no mail server") {
		t.Errorf("without a server: %+v", m)
	}
	w.now = w.now.Add(time.Minute)
	invite()
	w.now = w.now.Add(49 * time.Hour)
	must(t, w.outbox(&nobody).Once(ctx))
	if m := mail(); m.State != "failed" {
		t.Errorf("%+v", m)
	}
	w.now = w.now.Add(40 * 24 * time.Hour)
	must(t, w.outbox(good).Once(ctx))
	if list := w.states(); list != "" {
		t.Errorf("still there after a month: %s", list)
	}
}

// TestNothingGoesInTheClear: a server that does not offer TLS, or from whose offer somebody took it, gets neither password nor mail.
func TestNothingGoesInTheClear(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), &post{insecure: true}
	address, trust := serve(t, p, "none")
	s := w.sender(address, "starttls", trust)
	if err := s.Send(t.Context(), notify.Message{ID: "1", To: "ann@example.net", Subject: "s", Text: "t"}); err == nil {
		t.Error("a mail was sent")
	}
	s.Security, s.User = "none", "" // for a server on this machine
	must(t, s.Send(t.Context(), notify.Message{ID: "1", To: "ann@example.net", Subject: "s\r\nBcc: eve@example.net", Text: "t\n.\nu"}))
	if got := p.got(); len(got) != 1 || p.logins != 0 {
		t.Fatalf("%q, %d logins", got, p.logins)
	}
	if head, _, text := read(t, p.got()[0]); head.Get("Bcc") != "" || text != "t\n.\nu" && text != "t\n.\nu\n" {
		t.Errorf("%v, %q", head, text)
	}
}

// TestSlowServer: a server that says nothing holds nobody up.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	s := &notify.SMTP{Server: l.Addr().String(), Security: "starttls", From: "a@example.net", Timeout: 50 * time.Millisecond}
	if err := s.Send(context.Background(), notify.Message{ID: "1", To: "b@example.net"}); err == nil {
		t.Error("a mail was sent")
	}
}

// TestNobodysMailboxIsFilled: whoever says again and again that somebody forgot their password, from wherever, fills no mailbox, and
// hears the same each time.
func TestNobodysMailboxIsFilled(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), &post{insecure: true}
	address, _ := serve(t, p, "none")
	box := w.outbox(&notify.SMTP{Server: address, Security: "none", From: "node@example.net"})
	for i := range 50 {
		must(t, w.accounts.Forgot(t.Context(), "boss", fmt.Sprintf("192.0.2.%d", i)))
		must(t, box.Once(t.Context()))
	}
	if n := len(p.got()); n != 3 {
		t.Errorf("%d mails came, want 3", n)
	}
	w.now = w.now.Add(21 * time.Minute)
	must(t, w.accounts.Forgot(t.Context(), "boss", "192.0.2.99"))
	must(t, box.Once(t.Context()))
	if n := len(p.got()); n != 4 {
		t.Errorf("%d mails came, want 4", n)
	}
	for i := range 20 { // from one address: told so
		if err := w.accounts.Forgot(t.Context(), fmt.Sprint("user ", i), "198.51.100.1"); (err != nil) != (i >= 10) || err != nil && !errors.Is(err, fault.RateLimited) {
			t.Errorf("try %d: %v", i, err)
		}
	}
}
