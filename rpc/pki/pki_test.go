package pki_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/rpc/pki"
)

// memory keeps settings as metadb does.
type memory map[string]string

func (m memory) NodeSettings(context.Context) (map[string]string, error) { return m, nil }

func (m memory) PutNodeSetting(_ context.Context, name, value string) error {
	m[name] = value
	return nil
}

// flip is a sealer that can be told from nothing.
type flip byte

func (f flip) Seal(plain []byte) ([]byte, error) {
	out := []byte{byte(f)}
	for _, b := range plain {
		out = append(out, b^byte(f))
	}
	return out, nil
}

func (f flip) Open(sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != byte(f) {
		return nil, errors.New("sealed with another key")
	}
	out, err := f.Seal(sealed[1:])
	return out[1:], err
}

func open(t *testing.T, store memory, cfg pki.Config) *pki.Authority {
	t.Helper()
	a, err := pki.Open(t.Context(), store, flip(0x5a), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// shake makes a connection between a server and a client and returns what each says.
func shake(t *testing.T, server, client *tls.Config) (fromServer, fromClient error) {
	t.Helper()
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	done := make(chan error, 1)
	go func() {
		c := tls.Server(far, server)
		err := c.HandshakeContext(t.Context())
		if err == nil {
			_, err = c.Write([]byte("x"))
		}
		done <- err
		_ = far.Close()
	}()
	c := tls.Client(near, client)
	fromClient = c.HandshakeContext(t.Context())
	if fromClient == nil {
		_, fromClient = c.Read(make([]byte, 1))
	}
	_ = near.Close()
	return <-done, fromClient
}

func pinned(t *testing.T, fingerprint string, now func() time.Time) *tls.Config {
	t.Helper()
	c := &tls.Config{ServerName: "whatever.example.net"}
	if err := pki.Pin(c, fingerprint, now); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAuthorityIsMadeOnceAndSealed(t *testing.T) {
	t.Parallel()
	store := memory{}
	a := open(t, store, pki.Config{})
	if b := open(t, store, pki.Config{}); b.Fingerprint() != a.Fingerprint() {
		t.Error("a second start made another authority")
	}
	for name, text := range store {
		if strings.Contains(text, "PRIVATE") || strings.Contains(name, "key") && len(text) < 100 {
			t.Errorf("%s: %.60s", name, text)
		}
	}
	if _, err := pki.Open(t.Context(), store, flip(1), pki.Config{}); err == nil {
		t.Error("another master key opens the authority")
	}
	other := memory{}
	open(t, other, pki.Config{})
	other["pki.ca.cert"] = store["pki.ca.cert"]
	if _, err := pki.Open(t.Context(), other, flip(0x5a), pki.Config{}); err == nil {
		t.Error("a certificate with the key of another one is taken")
	}
}

func TestWhoIsTrusted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := open(t, memory{}, pki.Config{Names: []string{"cloud.example.net", "192.0.2.7"}})
	server := pki.ServerConfig(a)
	leaf, err := a.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.PEM())
	stranger := open(t, memory{}, pki.Config{})
	thief, err := stranger.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := pem.Decode(a.PEM())
	// Who shows a certificate of his own and, behind it, the authority that is pinned.
	forged := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{thief.Certificate[0], root.Bytes}, PrivateKey: thief.PrivateKey}}}
	clock := func() time.Time { return now }
	for _, c := range []struct {
		name           string
		server, client *tls.Config
		ok             bool
		unverified     string
	}{
		{"authority as a file, by name", server, &tls.Config{RootCAs: pool, ServerName: "cloud.example.net"}, true, ""},
		{"authority as a file, by address", server, &tls.Config{RootCAs: pool, ServerName: "192.0.2.7"}, true, ""},
		{"authority as a file, by another name", server, &tls.Config{RootCAs: pool, ServerName: "evil.example.net"}, false, ""},
		{"nothing", server, &tls.Config{ServerName: "cloud.example.net"}, false, a.Fingerprint()},
		{"authority by fingerprint", server, pinned(t, a.Fingerprint(), clock), true, ""},
		{"without colons", server, pinned(t, strings.ToLower(strings.ReplaceAll(a.Fingerprint(), ":", "")), clock), true, ""},
		{"certificate by fingerprint", server, pinned(t, pki.FingerprintOf(leaf.Leaf), clock), true, ""},
		{"fingerprint of another authority", server, pinned(t, stranger.Fingerprint(), clock), false, a.Fingerprint()},
		{"the pinned authority behind a stranger's certificate", forged, pinned(t, a.Fingerprint(), clock), false, ""},
		{"when the certificate has ended", server, pinned(t, a.Fingerprint(), func() time.Time { return now.Add(91 * 24 * time.Hour) }), false, ""},
		{"when the pinned certificate has ended", server, pinned(t, pki.FingerprintOf(leaf.Leaf), func() time.Time { return now.Add(91 * 24 * time.Hour) }), false, ""},
		{"TLS 1.1", server, &tls.Config{RootCAs: pool, ServerName: "cloud.example.net", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false, ""},
	} {
		_, err := shake(t, c.server, c.client)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := pki.Unverified(err); got != c.unverified {
			t.Errorf("%s: to be trusted by %q, want %q", c.name, got, c.unverified)
		}
	}
}

// TestCertificateForClientsIsNoServer: what the authority signs for others than servers does not make one.
func TestCertificateForClientsIsNoServer(t *testing.T) {
	t.Parallel()
	make1 := func(parent *x509.Certificate, parentKey *ecdsa.PrivateKey, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if parent == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	root, rootKey := make1(nil, nil, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	for usage, ok := range map[x509.ExtKeyUsage]bool{x509.ExtKeyUsageServerAuth: true, x509.ExtKeyUsageClientAuth: false} {
		leaf, key := make1(root, rootKey, &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: to, ExtKeyUsage: []x509.ExtKeyUsage{usage}})
		server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, root.Raw}, PrivateKey: key}}}
		if _, err := shake(t, server, pinned(t, pki.FingerprintOf(root), nil)); (err == nil) != ok {
			t.Errorf("usage %d: %v", usage, err)
		}
	}
}

func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	a := open(t, memory{}, pki.Config{Now: func() time.Time { return now }})
	serial := func() string {
		c, err := a.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		if now.Before(c.Leaf.NotBefore) || !now.Before(c.Leaf.NotAfter) {
			t.Errorf("at %s a certificate of %s to %s is shown", now, c.Leaf.NotBefore, c.Leaf.NotAfter)
		}
		return c.Leaf.SerialNumber.String()
	}
	first := serial()
	now = now.Add(59 * 24 * time.Hour)
	if serial() != first {
		t.Error("renewed too early")
	}
	now = now.Add(2 * 24 * time.Hour)
	second := serial()
	if second == first {
		t.Error("not renewed when two thirds of its life are over")
	}
	now = now.Add(-200 * 24 * time.Hour) // a clock that was set back to before it was made
	if serial() == second {
		t.Error("a certificate of the future is shown")
	}
}

// write puts a certificate of a fresh authority and its key into files.
func write(t *testing.T, cert, key string, modified time.Time) string {
	t.Helper()
	a := open(t, memory{}, pki.Config{})
	c, err := a.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	return pki.FingerprintOf(c.Leaf)
}

func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	if _, err := pki.NewFiles(cert, key, clock, nil); err == nil {
		t.Error("a missing certificate is accepted")
	}
	first := write(t, cert, key, now)
	f, err := pki.NewFiles(cert, key, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	shown := func() string {
		c, err := f.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pki.FingerprintOf(c.Leaf)
	}
	second := write(t, cert, key, now.Add(time.Second))
	if first == second || shown() != first {
		t.Error("the files are read at every connection")
	}
	now = now.Add(11 * time.Second)
	if shown() != second {
		t.Error("the new certificate is not shown")
	}
	if err := os.WriteFile(cert, []byte("half a certifi"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(11 * time.Second)
	if shown() != second {
		t.Error("a damaged file takes the certificate away")
	}
	third := write(t, cert, key, now)
	now = now.Add(11 * time.Second)
	if shown() != third {
		t.Error("after a damaged file nothing is read any more")
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	a := open(t, memory{}, pki.Config{})
	near, far := net.Pipe()
	go func() { _ = tls.Server(far, pki.ServerConfig(a)).HandshakeContext(t.Context()); _ = far.Close() }()
	got, err := pki.Fetch(t.Context(), func(context.Context, string, string) (net.Conn, error) { return near, nil }, "cloud.example.net:443")
	if err != nil || got != a.Fingerprint() {
		t.Errorf("got %q, %v, want %s", got, err, a.Fingerprint())
	}
}

func FuzzParseFingerprint(f *testing.F) {
	f.Add("SHA256:" + strings.Repeat("ab", 32))
	f.Add(strings.Repeat("AB:", 31) + "CD")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		one, err := pki.ParseFingerprint(text)
		if err != nil {
			if !errors.Is(err, pki.ErrFingerprint) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if again, err := pki.ParseFingerprint(one); err != nil || again != one || len(one) != 95 || !bytes.Equal([]byte(one), bytes.ToUpper([]byte(one))) {
			t.Errorf("%q is %q, and that %q, %v", text, one, again, err)
		}
	})
}
