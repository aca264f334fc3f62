package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"metermanager/rpc/fault"
)

// middleware wraps a handler.
type middleware func(http.Handler) http.Handler

// Stack puts everything that happens to every request around handler, outermost first.
// This list is the order.
func Stack(handler http.Handler, cfg Config) (http.Handler, error) {
	cfg = cfg.withDefaults()
	pack, err := compressed()
	if err != nil {
		return nil, err
	}
	order := []middleware{
		requestIDs,
		logged(cfg),
		recovered(cfg),
		timed(cfg),
		rated(cfg),
		crowded(cfg),
		pack,
		unpacked(cfg),
	}
	for i := len(order) - 1; i >= 0; i-- {
		handler = order[i](handler)
	}
	return handler, nil
}

// refuse answers a request that does not come to its handler.
func (c Config) refuse(w http.ResponseWriter, r *http.Request, err error) {
	c.Refused(r, err)
	WriteError(w, r, err)
}

type requestIDKey struct{}

// RequestID returns the id of the request that ctx belongs to, "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// WithRequestID gives ctx a request id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// requestIDs names every request. A name that comes along is not taken over: whoever reads
// the log must be able to rely on it.
func requestIDs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		id := hex.EncodeToString(b[:])
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(WithRequestID(r.Context(), id)))
	})
}

// logged writes a line for each request. Queries and bodies stay out: they may hold secrets.
func logged(cfg Config) middleware {
	log := cfg.Logger.With("component", "host")
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := cfg.Now()
			c := &counter{ResponseWriter: w}
			defer func() {
				log.DebugContext(r.Context(), "answer a request", "request_id", RequestID(r.Context()), "method", r.Method,
					"path", r.URL.Path, "status", c.status, "bytes", c.bytes, "dur_ms", cfg.Now().Sub(start).Milliseconds(), "conn", r.RemoteAddr)
			}()
			next.ServeHTTP(c, r)
		})
	}
}

// counter remembers what was sent.
type counter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController through.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// WriteHeader notes the status.
func (c *counter) WriteHeader(status int) {
	if c.status == 0 && status >= 200 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write counts bytes.
func (c *counter) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// recovered turns a panic into an internal error, or cuts the connection when an answer is
// under way: a cut answer must never look whole.
func recovered(cfg Config) middleware {
	log := cfg.Logger.With("component", "host")
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := &counter{ResponseWriter: w}
			defer func() {
				p := recover()
				if p == nil {
					return
				}
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(http.ErrAbortHandler)
				}
				log.ErrorContext(r.Context(), "recover from a panic", "request_id", RequestID(r.Context()), "err", fmt.Sprint(p), "stack", string(debug.Stack()))
				if c.status != 0 {
					panic(http.ErrAbortHandler)
				}
				WriteError(c, r, fault.New(fault.Internal, "Something went wrong here."))
			}()
			next.ServeHTTP(c, r)
		})
	}
}

// timed gives the peer a limited time for each piece that it sends or takes.
func timed(cfg Config) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			_ = rc.SetWriteDeadline(time.Now().Add(cfg.WriteTimeout)) // not every writer has deadlines
			if r.Body != nil && r.Body != http.NoBody {
				// For a body that nobody reads: the server waits for its end before it sends the answer.
				_ = rc.SetReadDeadline(time.Now().Add(2 * cfg.ReadTimeout))
				r.Body = &timedBody{ReadCloser: r.Body, rc: rc, timeout: cfg.ReadTimeout, slowest: cfg.SlowestBytes}
			}
			next.ServeHTTP(&timedWriter{ResponseWriter: w, rc: rc, timeout: cfg.WriteTimeout}, r)
		})
	}
}

// compressed sends gzip or zstd to whoever takes it.
//
// Small answers are packed too, although that makes them larger: the checksum of the packing tells
// the receiver of an answer that was cut or changed on the way.
func compressed() (middleware, error) {
	const smallest = 1
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(smallest), gzhttp.CompressionLevel(1), gzhttp.EnableZstd(true), gzhttp.PreferZstd(true),
	)
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	return func(next http.Handler) http.Handler {
		packed := wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			packed.ServeHTTP(&weakETags{ResponseWriter: w}, r)
		})
	}, nil
}

// weakETags makes every ETag weak: one answer in several encodings is the same, but not byte
// for byte.
type weakETags struct {
	http.ResponseWriter
	done bool
}

// Unwrap lets http.ResponseController through.
func (w *weakETags) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader mends the ETag.
func (w *weakETags) WriteHeader(status int) {
	w.mend()
	w.ResponseWriter.WriteHeader(status)
}

// Write mends the ETag of an answer without WriteHeader.
func (w *weakETags) Write(b []byte) (int, error) {
	w.mend()
	return w.ResponseWriter.Write(b)
}

func (w *weakETags) mend() {
	if w.done {
		return
	}
	w.done = true
	if tag := w.Header().Get("ETag"); len(tag) > 0 && tag[0] == '"' {
		w.Header().Set("ETag", "W/"+tag)
	}
}
