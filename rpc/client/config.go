package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/klauspost/compress/gzip"

	"metermanager/rpc/fault"
	"metermanager/rpc/pki"
)

// Config of a Client. The zero value works, without a credential.
type Config struct {
	APIKey string // upload key
	// User and Password log in when a token is needed, and again when it is lost.
	User, Password string
	Token          string // of an earlier login

	// Timeout bounds one try of a request; default 2 min. QueryTimeout the same for long
	// answers; default 10 min. CallTimeout for commands; default 15 min.
	Timeout, QueryTimeout, CallTimeout time.Duration
	// HeaderTimeout bounds the wait for the head of an answer (commands excepted); default 60 s.
	HeaderTimeout time.Duration
	// Retries is how often a request is tried again; default 3, below 0 never. The waits grow
	// from RetryWait (0.5 s) to RetryMaxWait (10 s).
	Retries                 int
	RetryWait, RetryMaxWait time.Duration

	// OnRequests is called when an answer says that requests wait for this manager; it must not wait. nil: nobody cares.
	OnRequests func()

	// Dial opens connections; nil: TCP, in 10 s, kept alive.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Proxy   string         // URL; "" takes the environment's
	RootCAs *x509.CertPool // instead of the system's: nil
	// Fingerprint, when not "", is the only certificate that the other side may have: its own, or that of the authority which
	// signed it (package pki). Names are not compared then.
	Fingerprint   string
	HTTP1         bool // never HTTP/2
	NoCompression bool
	CompressFrom  int   // bytes from which bodies are packed; default 1,024
	AnswerBytes   int64 // bound of an answer; default 1 GiB, and 64 MiB where answers are small

	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.Timeout, 2*time.Minute)
	set(&c.QueryTimeout, 10*time.Minute)
	set(&c.CallTimeout, 15*time.Minute)
	set(&c.HeaderTimeout, time.Minute)
	set(&c.RetryWait, 500*time.Millisecond)
	set(&c.RetryMaxWait, 10*time.Second)
	if c.Retries == 0 {
		c.Retries = 3
	}
	if c.CompressFrom <= 0 {
		c.CompressFrom = 1024
	}
	if c.AnswerBytes <= 0 {
		c.AnswerBytes = 1 << 30
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// smallAnswer bounds answers that are documents, not data.
const smallAnswer = 64 << 20

// connect makes the three HTTP clients. Defaults of resty and net/http that lose uploads or
// hang are all replaced here.
func (c *Client) connect() error {
	data, err := c.transport(c.cfg.HeaderTimeout)
	if err != nil {
		return err
	}
	long, err := c.transport(c.cfg.QueryTimeout)
	if err != nil {
		return err
	}
	commands, err := c.transport(c.cfg.CallTimeout)
	if err != nil {
		return err
	}
	c.push = c.resty(data, c.cfg.Timeout, c.cfg.Retries, min(smallAnswer, c.cfg.AnswerBytes))
	c.query = c.resty(long, c.cfg.QueryTimeout, c.cfg.Retries, c.cfg.AnswerBytes)
	c.stream = c.resty(long, 0, -1, c.cfg.AnswerBytes)
	c.once = c.resty(commands, c.cfg.CallTimeout, -1, min(smallAnswer, c.cfg.AnswerBytes))
	return nil
}

func (c *Client) transport(header time.Duration) (*http.Transport, error) {
	proxy := http.ProxyFromEnvironment
	if c.cfg.Proxy != "" {
		u, err := url.Parse(c.cfg.Proxy)
		if err != nil || u.Host == "" {
			return nil, fault.New(fault.Invalid, "The address of a proxy is a URL such as http://gateway.example.net:3128.").At("proxy")
		}
		proxy = http.ProxyURL(u)
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.cfg.RootCAs}
	if c.cfg.Fingerprint != "" {
		if err := pki.Pin(secure, c.cfg.Fingerprint, nil); err != nil {
			return nil, fault.Wrap(fault.Invalid, "That is no fingerprint of a certificate.", err).At("fingerprint").WithHint("64 hex digits, with or without colons.")
		}
	}
	t := &http.Transport{
		Proxy:                 proxy,
		DialContext:           c.cfg.Dial,
		TLSClientConfig:       secure,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: header,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       30 * time.Second, // below the 60 s at which middleboxes forget
		MaxIdleConnsPerHost:   4,
		MaxConnsPerHost:       4,
		ForceAttemptHTTP2:     !c.cfg.HTTP1,
	}
	if c.cfg.HTTP1 {
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return t, nil
}

func (c *Client) resty(t *http.Transport, timeout time.Duration, retries int, answer int64) *resty.Client {
	r := resty.NewWithClient(&http.Client{Transport: t}) // no cookies
	r.SetTimeout(timeout)
	r.SetLogger(quiet{})
	r.SetDisableWarn(true)
	r.SetResponseBodyLimit(int(answer))
	// A redirect is an answer: credentials never follow it.
	r.SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }))
	if retries < 0 {
		return r
	}
	r.SetRetryCount(retries).SetRetryWaitTime(c.cfg.RetryWait).SetRetryMaxWaitTime(c.cfg.RetryMaxWait)
	r.AddRetryCondition(again)
	r.SetRetryAfter(func(_ *resty.Client, res *resty.Response) (time.Duration, error) {
		return retryAfter(res), nil // resty caps it at the longest wait
	})
	r.AddRetryHook(func(res *resty.Response, err error) {
		status, attempt := 0, 0
		if res != nil {
			status = res.StatusCode()
			if res.Request != nil {
				attempt = res.Request.Attempt
			}
		}
		c.log.Debug("try a request again", "attempt", attempt, "status", status, "err", err)
	})
	return r
}

// retryAfter is what the other side asks for; 0: the usual back-off.
func retryAfter(res *resty.Response) time.Duration {
	seconds, err := strconv.Atoi(res.Header().Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

// again reports whether a request is worth another try within the same call.
func again(res *resty.Response, err error) bool {
	if err != nil {
		return !errors.Is(err, resty.ErrResponseBodyTooLarge) && pki.Unverified(err) == ""
	}
	switch status := res.StatusCode(); status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusInsufficientStorage:
		return false
	default:
		return status >= 500
	}
}

// packers are gzip writers at rest: a new one takes a megabyte of tables.
var packers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, 3) // the level is a valid one
	return z
}}

// packed compresses a body.
func packed(body []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(body)/2 + 64)
	z := packers.Get().(*gzip.Writer)
	defer packers.Put(z)
	z.Reset(&out)
	if _, err := z.Write(body); err != nil {
		return nil, fmt.Errorf("compress a body: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress a body: %w", err)
	}
	return out.Bytes(), nil
}

// digestOf returns the Content-Digest of a body (RFC 9530), so that a cut one is refused.
func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// quiet keeps resty from writing to the standard error output.
type quiet struct{}

// Errorf drops a message.
func (quiet) Errorf(string, ...any) {}

// Warnf drops a message.
func (quiet) Warnf(string, ...any) {}

// Debugf drops a message.
func (quiet) Debugf(string, ...any) {}
