package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Config of a Server. The zero value works.
type Config struct {
	// TLS serves HTTPS; nil: plain HTTP. TLS 1.2 is the least that is offered.
	TLS *tls.Config
	// WireBytes bounds a request's body as it comes in; default 32 MiB.
	WireBytes int64
	// BodyBytes bounds it when it is unpacked; default 64 MiB.
	BodyBytes int64
	// Rate is how many requests a second one address may make on average, Burst how many at
	// once; default 500 and 1,000, below 0 no limit.
	Rate  float64
	Burst int
	// Requests bounds how many are answered at a time; default 4,000. More are told to come back.
	Requests int
	// ReadTimeout and WriteTimeout bound how long a peer may take for each piece of a
	// request or an answer; default 30 s and 60 s. Long answers may take as long as they flow.
	ReadTimeout, WriteTimeout time.Duration
	// HeaderTimeout bounds how long the head of a request may take, IdleTimeout how long a connection may
	// wait for the next one; default 10 s and 2 min.
	HeaderTimeout, IdleTimeout time.Duration
	// SlowestBytes is the pace in bytes a second below which a body is given up, once it took longer than
	// two ReadTimeouts; default 256.
	SlowestBytes int64
	// Refused is told of each request that is refused before its handler; nil: nobody. It must not wait.
	Refused func(r *http.Request, err error)
	// Drain is how long requests may go on after the end of Run's context; default 15 s.
	Drain time.Duration
	// Listen opens the listener; nil: TCP.
	Listen func(ctx context.Context, address string) (net.Listener, error)
	Now    func() time.Time
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.WireBytes == 0 {
		c.WireBytes = 32 << 20
	}
	if c.BodyBytes == 0 {
		c.BodyBytes = 64 << 20
	}
	if c.Rate == 0 {
		c.Rate = 500
	}
	if c.Burst == 0 {
		c.Burst = 1000
	}
	if c.Requests <= 0 {
		c.Requests = 4000
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = 30 * time.Second
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = time.Minute
	}
	if c.HeaderTimeout == 0 {
		c.HeaderTimeout = 10 * time.Second
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 2 * time.Minute
	}
	if c.SlowestBytes <= 0 {
		c.SlowestBytes = 256
	}
	if c.Drain == 0 {
		c.Drain = 15 * time.Second
	}
	if c.Listen == nil {
		c.Listen = func(ctx context.Context, address string) (net.Listener, error) {
			var lc net.ListenConfig
			return lc.Listen(ctx, "tcp", address)
		}
	}
	if c.Refused == nil {
		c.Refused = func(*http.Request, error) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Server answers HTTP at one address.
type Server struct {
	cfg      Config
	log      *slog.Logger
	listener net.Listener
	server   *http.Server
}

// New listens at an address ("127.0.0.1:8080"; port 0: a free one) for a handler. Requests
// wait until Run. Who does not call Run calls Close.
func New(ctx context.Context, address string, handler http.Handler, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	stack, err := Stack(handler, cfg)
	if err != nil {
		return nil, err
	}
	listener, err := cfg.Listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", address, err)
	}
	s := &Server{cfg: cfg, log: cfg.Logger.With("component", "host"), listener: listener}
	s.server = &http.Server{
		Handler:           stack,
		ReadHeaderTimeout: cfg.HeaderTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	if cfg.TLS != nil {
		t := cfg.TLS.Clone()
		t.MinVersion = max(t.MinVersion, tls.VersionTLS12)
		s.server.TLSConfig = t
	}
	return s, nil
}

// Addr returns the address with the port that is really used.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL returns the address as a URL; a wildcard address becomes loopback.
func (s *Server) URL() string {
	scheme := "http"
	if s.cfg.TLS != nil {
		scheme = "https"
	}
	where, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		return scheme + "://" + s.Addr()
	}
	if ip := net.ParseIP(where); where == "" || ip != nil && ip.IsUnspecified() {
		where = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(where, port)
}

// Close ends a server that never ran.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx ends, then lets requests that are under way finish.
func (s *Server) Run(ctx context.Context) error {
	// Requests outlive ctx by the drain time.
	s.server.BaseContext = func(net.Listener) context.Context { return context.WithoutCancel(ctx) }
	failed := make(chan error, 1)
	go func() {
		if s.server.TLSConfig != nil {
			failed <- s.server.ServeTLS(s.listener, "", "")
			return
		}
		failed <- s.server.Serve(s.listener)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve at %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Drain)
	defer cancel()
	err := s.server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("cut requests that did not end in time", "dur_ms", s.cfg.Drain.Milliseconds())
		err = s.server.Close()
	}
	<-failed
	if err != nil {
		return fmt.Errorf("stop serving at %s: %w", s.Addr(), err)
	}
	return nil
}
