package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"slices"
	"sync"
	"time"
)

// Source gives a listener its certificate, and another one when it is time. The manager of
// golang.org/x/crypto/acme/autocert is one, too.
type Source interface {
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// ServerConfig is the TLS of a listener with the certificates of s.
func ServerConfig(s Source) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.GetCertificate}
}

// Store keeps the authority: its certificate, and its key as Sealer made it.
type Store interface {
	NodeSettings(ctx context.Context) (map[string]string, error)
	PutNodeSetting(ctx context.Context, name, value string) error
}

// Sealer keeps the key of the authority unreadable where it is stored.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Config of an Authority. The zero value works.
type Config struct {
	// Names are the host names and addresses under which this node is reached, beside those that it knows itself.
	Names  []string
	Now    func() time.Time
	Logger *slog.Logger
}

// How long certificates are valid. A server's is made anew when two thirds of it are over.
const (
	rootLife   = 10 * 365 * 24 * time.Hour
	serverLife = 90 * 24 * time.Hour
	// early lets a certificate begin before now: clocks of clients go wrong.
	early = 24 * time.Hour
)

const (
	settingCert = "pki.ca.cert"
	settingKey  = "pki.ca.key"
)

// Authority is the certificate authority of a node, which signs the certificates of its own listener.
type Authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	cfg  Config

	mu     sync.Mutex
	server *tls.Certificate
	renew  time.Time
}

var _ Source = (*Authority)(nil)

// Open reads the authority from store, or makes it when there is none.
func Open(ctx context.Context, store Store, sealer Sealer, cfg Config) (*Authority, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	settings, err := store.NodeSettings(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the certificate authority: %w", err)
	}
	if settings[settingCert] == "" || settings[settingKey] == "" {
		if err := create(ctx, store, sealer, cfg.Now()); err != nil {
			return nil, fmt.Errorf("make a certificate authority: %w", err)
		}
		if settings, err = store.NodeSettings(ctx); err != nil {
			return nil, fmt.Errorf("look for the certificate authority: %w", err)
		}
		cfg.Logger.Info("made a certificate authority")
	}
	a := &Authority{cfg: cfg}
	if a.root, err = parseCertificate([]byte(settings[settingCert])); err != nil {
		return nil, fmt.Errorf("read the certificate authority: %w", err)
	}
	if a.key, err = openKey(settings[settingKey], sealer); err != nil {
		return nil, fmt.Errorf("read the key of the certificate authority: %w", err)
	}
	if !a.key.PublicKey.Equal(a.root.PublicKey) {
		return nil, errors.New("read the certificate authority: its key is that of another one")
	}
	return a, nil
}

// create makes an authority and stores it.
func create(ctx context.Context, store Store, sealer Sealer, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	root := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Meter Manager local authority " + serial.Text(36)[:8]},
		NotBefore: now.Add(-early), NotAfter: now.Add(rootLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		return err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	sealed, err := sealer.Seal(plain)
	if err != nil {
		return err
	}
	// The key first: a certificate without its key would be taken for a whole authority.
	if err := store.PutNodeSetting(ctx, settingKey, base64.StdEncoding.EncodeToString(sealed)); err != nil {
		return err
	}
	return store.PutNodeSetting(ctx, settingCert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

func openKey(text string, sealer Sealer) (*ecdsa.PrivateKey, error) {
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	plain, err := sealer.Open(sealed)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, err
	}
	p256, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T", key)
	}
	return p256, nil
}

func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}

// PEM returns the certificate of the authority, which is no secret.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// Fingerprint returns that of the authority's certificate.
func (a *Authority) Fingerprint() string { return FingerprintOf(a.root) }

// GetCertificate returns the certificate of the listener, a new one when two thirds of its life are over.
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	if a.server != nil && now.Before(a.renew) && !now.Before(a.server.Leaf.NotBefore) {
		return a.server, nil
	}
	c, err := a.issue(now)
	if err != nil {
		a.cfg.Logger.Error("cannot make a certificate", "err", err)
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	a.server, a.renew = c, now.Add(serverLife*2/3)
	return c, nil
}

// issue makes a certificate for the names of this node.
func (a *Authority) issue(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Meter Manager"}, NotBefore: now.Add(-early), NotAfter: earlier(now.Add(serverLife), a.root.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, name := range append(ownNames(), a.cfg.Names...) {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else if name != "" && !slices.Contains(leaf.DNSNames, name) {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.root, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	if leaf, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	// The root goes along, so that a client can tell it by its fingerprint.
	return &tls.Certificate{Certificate: [][]byte{der, a.root.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("this is no certificate in PEM form")
	}
	return x509.ParseCertificate(block.Bytes)
}
