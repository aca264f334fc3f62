package pki

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookEvery is how often the files of a certificate are looked at.
const lookEvery = 10 * time.Second

// Files is a certificate with its key in PEM files, which are read again when they change. What cannot be read then is
// reported, and the certificate before stays.
type Files struct {
	cert, key string
	now       func() time.Time
	log       *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate
	stamp  string
	looked time.Time
}

var _ Source = (*Files)(nil)

// NewFiles reads a certificate and its key.
func NewFiles(cert, key string, now func() time.Time, log *slog.Logger) (*Files, error) {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := &Files{cert: cert, key: key, now: now, log: log, looked: now()}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	f.pair, f.stamp = &pair, f.stampOf()
	return f, nil
}

// stampOf tells states of the files apart.
func (f *Files) stampOf() string {
	out := ""
	for _, name := range []string{f.cert, f.key} {
		if s, err := os.Stat(name); err == nil {
			out += fmt.Sprint(s.Size(), " ", s.ModTime().UnixNano(), ";")
		}
	}
	return out
}

// GetCertificate returns the certificate that the files hold.
func (f *Files) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.looked).Abs() < lookEvery {
		return f.pair, nil
	}
	f.looked = now
	stamp := f.stampOf()
	if stamp == f.stamp {
		return f.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil { // one file may be new and the other not yet: the next look sees both
		f.log.Warn("keep the certificate that was read before", "err", err)
		return f.pair, nil
	}
	f.log.Info("read a new certificate", "path", f.cert)
	f.pair, f.stamp = &pair, stamp
	return f.pair, nil
}
