package pki

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// FingerprintOf returns the SHA-256 of a certificate as people compare it: pairs of hex digits joined by colons.
func FingerprintOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

// ErrFingerprint marks a text that is no fingerprint.
var ErrFingerprint = errors.New("a fingerprint is the SHA-256 of a certificate: 64 hex digits, with or without colons")

// ParseFingerprint reads a fingerprint with or without colons and returns it as FingerprintOf writes it.
func ParseFingerprint(text string) (string, error) {
	text = strings.TrimSpace(text)
	if len(text) > 7 && strings.EqualFold(text[:7], "sha256:") {
		text = text[7:]
	}
	sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(sum) != sha256.Size {
		return "", ErrFingerprint
	}
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":"), nil
}

// UnknownError says that the other side has a certificate that is not the one that was pinned.
type UnknownError struct{ Fingerprint string }

// Error says which one it has.
func (e *UnknownError) Error() string {
	return "the certificate of the other side is not the expected one; its fingerprint is " + e.Fingerprint
}

// Pin makes c accept whoever shows the certificate of a fingerprint, or one that it has signed for a server, and nobody else. Names are
// not compared: the fingerprint is the name.
func Pin(c *tls.Config, fingerprint string, now func() time.Time) error {
	want, err := ParseFingerprint(fingerprint)
	if err != nil {
		return err
	}
	if now == nil {
		now = time.Now
	}
	c.InsecureSkipVerify = true // VerifyConnection decides instead, also when a session goes on
	c.VerifyConnection = func(s tls.ConnectionState) error { return verify(s.PeerCertificates, want, now()) }
	return nil
}

func verify(chain []*x509.Certificate, want string, now time.Time) error {
	if len(chain) == 0 {
		return &UnknownError{}
	}
	others := x509.NewCertPool()
	for _, c := range chain[1:] {
		others.AddCert(c)
	}
	for i, c := range chain {
		if subtle.ConstantTimeCompare([]byte(FingerprintOf(c)), []byte(want)) != 1 {
			continue
		}
		if i == 0 {
			if now.Before(c.NotBefore) || now.After(c.NotAfter) {
				return x509.CertificateInvalidError{Cert: c, Reason: x509.Expired}
			}
			return nil
		}
		roots := x509.NewCertPool()
		roots.AddCert(c)
		_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		return err
	}
	return &UnknownError{FingerprintOf(chain[len(chain)-1])}
}

// Unverified returns the fingerprint by which the other side could be trusted, when err says that its certificate is
// signed by nobody whom this machine knows, or is not the pinned one; "" otherwise.
func Unverified(err error) string {
	var unknown *UnknownError
	if errors.As(err, &unknown) {
		return unknown.Fingerprint
	}
	var failed *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	if errors.As(err, &failed) && errors.As(err, &authority) && len(failed.UnverifiedCertificates) > 0 {
		return FingerprintOf(failed.UnverifiedCertificates[len(failed.UnverifiedCertificates)-1])
	}
	return ""
}

// Fetch connects to an address and returns the fingerprint by which its side can be trusted: that of the last certificate
// that it shows, which is its authority's, or its own. Nothing is sent and nothing is checked; whoever uses it says that
// the first contact is to be believed, or compares.
func Fetch(ctx context.Context, dial func(ctx context.Context, network, address string) (net.Conn, error), address string) (string, error) {
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("ask for a certificate: %w", err)
	}
	raw, err := dial(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("ask for a certificate: %w", err)
	}
	defer func() { _ = raw.Close() }()
	conn := tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, InsecureSkipVerify: true})
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("ask for a certificate: %w", err)
	}
	chain := conn.ConnectionState().PeerCertificates
	return FingerprintOf(chain[len(chain)-1]), nil
}

// Pool reads certificates of authorities from a PEM file.
func Pool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the certificates of authorities: %s holds none in PEM form", file)
	}
	return pool, nil
}

// FingerprintOfFile returns the fingerprint of the certificate in a PEM file.
func FingerprintOfFile(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read a certificate: %w", err)
	}
	c, err := parseCertificate(text)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return FingerprintOf(c), nil
}
