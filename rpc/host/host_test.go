package host_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/rpc/rpctest"
)

// echo answers with the body, or the fault that reading it gave.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		host.WriteError(w, r, err)
		return
	}
	_, _ = w.Write(body)
}

func stack(t *testing.T, h http.HandlerFunc, cfg host.Config) http.Handler {
	t.Helper()
	out, err := host.Stack(h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func zip(t *testing.T, plain string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zst(t *testing.T, plain string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(z.EncodeAll([]byte(plain), nil))
}

func digest(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func TestBodies(t *testing.T) {
	t.Parallel()
	h := stack(t, echo, host.Config{WireBytes: 4000, BodyBytes: 100_000})
	packed := zip(t, "hello")
	rpctest.Run(t, h, []rpctest.Scenario{
		{Name: "plain", Method: "POST", Path: "/", Body: "hello", Status: 200, Want: []string{"hello"}},
		{Name: "none", Method: "POST", Path: "/", Status: 200},
		{Name: "gzip", Method: "POST", Path: "/", Body: packed, Header: map[string]string{"Content-Encoding": "gzip"}, Status: 200, Want: []string{"hello"}},
		{Name: "zstd", Method: "POST", Path: "/", Body: zst(t, "hello"), Header: map[string]string{"Content-Encoding": "zstd"}, Status: 200, Want: []string{"hello"}},
		{Name: "gzip with its digest", Method: "POST", Path: "/", Body: packed, Header: map[string]string{"Content-Encoding": "gzip", "Content-Digest": digest(packed)}, Status: 200, Want: []string{"hello"}},
		{Name: "another digest", Method: "POST", Path: "/", Body: "hello", Header: map[string]string{"Content-Digest": digest("hell")}, Status: 400, Code: fault.Damaged},
		{Name: "gzip with another digest", Method: "POST", Path: "/", Body: packed, Header: map[string]string{"Content-Encoding": "gzip", "Content-Digest": digest("x")}, Status: 400, Code: fault.Damaged},
		{Name: "nothing, with a digest of something", Method: "POST", Path: "/", Header: map[string]string{"Content-Digest": digest("hello")}, Status: 400, Code: fault.Damaged},
		{Name: "cut gzip with the digest of the whole", Method: "POST", Path: "/", Body: packed[:len(packed)-6], Header: map[string]string{"Content-Encoding": "gzip", "Content-Digest": digest(packed)}, Status: 400, Code: fault.Damaged},
		{Name: "changed gzip with the digest of the whole", Method: "POST", Path: "/", Body: "x" + packed[1:], Header: map[string]string{"Content-Encoding": "gzip", "Content-Digest": digest(packed)}, Status: 400, Code: fault.Damaged},
		{Name: "no digest at all", Method: "POST", Path: "/", Body: "hello", Header: map[string]string{"Content-Digest": "sha-256=:x:"}, Status: 400, Code: fault.Invalid},
		{Name: "an unknown digest", Method: "POST", Path: "/", Body: "hello", Header: map[string]string{"Content-Digest": "md5=:x:"}, Status: 200},
		{Name: "an unknown encoding", Method: "POST", Path: "/", Body: "x", Header: map[string]string{"Content-Encoding": "br"}, Status: 415, Code: fault.UnsupportedMedia},
		{Name: "two encodings", Method: "POST", Path: "/", Body: "x", Header: map[string]string{"Content-Encoding": "gzip, gzip"}, Status: 415, Code: fault.UnsupportedMedia},
		{Name: "no gzip", Method: "POST", Path: "/", Body: "hello", Header: map[string]string{"Content-Encoding": "gzip"}, Status: 400, Code: fault.Invalid},
		{Name: "cut gzip", Method: "POST", Path: "/", Body: packed[:len(packed)-6], Header: map[string]string{"Content-Encoding": "gzip"}, Status: 400, Code: fault.Invalid},
		{Name: "no zstd", Method: "POST", Path: "/", Body: "hello", Header: map[string]string{"Content-Encoding": "zstd"}, Status: 400, Code: fault.Invalid},
		{Name: "too large on the wire", Method: "POST", Path: "/", Body: strings.Repeat("x", 4001), Status: 413, Code: fault.TooLarge},
		{Name: "a bomb", Method: "POST", Path: "/", Body: zip(t, strings.Repeat("x", 1_000_000)), Header: map[string]string{"Content-Encoding": "gzip"}, Status: 413, Code: fault.TooLarge},
		{Name: "a bomb of zstd", Method: "POST", Path: "/", Body: zst(t, strings.Repeat("x", 1_000_000)), Header: map[string]string{"Content-Encoding": "zstd"}, Status: 413, Code: fault.TooLarge},
		{Name: "just fits", Method: "POST", Path: "/", Body: zip(t, strings.Repeat("x", 100_000)), Header: map[string]string{"Content-Encoding": "gzip"}, Status: 200},
	})
	t.Run("a small bad body never reaches its handler", func(t *testing.T) {
		t.Parallel()
		reached := false
		h := stack(t, func(http.ResponseWriter, *http.Request) { reached = true }, host.Config{})
		r := httptest.NewRequest("POST", "/", strings.NewReader("hello"))
		r.Header.Set("Content-Encoding", "gzip")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != 400 || reached {
			t.Errorf("status %d, reached %v", rec.Code, reached)
		}
	})
	t.Run("a stated length that is not", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequest("POST", "/", struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 5000))})
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != 413 {
			t.Errorf("status %d", rec.Code)
		}
	})
}

func TestAnswersArePacked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(`{"chan_key":"readings.voltage.an"},`, 200)
	h := stack(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"17"`)
		_, _ = io.WriteString(w, long)
	}, host.Config{})
	for accept, want := range map[string]string{"": "", "gzip": "gzip", "zstd": "zstd", "gzip, zstd": "zstd", "br": ""} {
		r := httptest.NewRequest("GET", "/", nil)
		if accept != "" {
			r.Header.Set("Accept-Encoding", accept)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if got := rec.Header().Get("Content-Encoding"); got != want {
			t.Errorf("%q is answered with %q, want %q", accept, got, want)
		}
		if tag := rec.Header().Get("ETag"); tag != `W/"17"` {
			t.Errorf("%q: ETag %s", accept, tag)
		}
		if want == "" && rec.Body.String() != long || want != "" && rec.Body.Len() > len(long)/4 {
			t.Errorf("%q: %d bytes", accept, rec.Body.Len())
		}
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h := stack(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			_, _ = io.WriteString(w, strings.Repeat("[1,2],", 10_000))
		}
		panic("the secret is hunter2")
	}, host.Config{Logger: logger})
	s := httptest.NewServer(h)
	defer s.Close()

	res, err := http.Get(s.URL + "/early")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	var p fault.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code != fault.Internal || res.StatusCode != 500 || strings.Contains(string(body), "hunter2") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if p.RequestID == "" || p.RequestID != res.Header.Get("X-Request-Id") || !strings.Contains(log.String(), p.RequestID) || !strings.Contains(log.String(), "hunter2") {
		t.Errorf("request id %q, log %s", p.RequestID, log.String())
	}

	res, err = http.Get(s.URL + "/late")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Error("a cut answer looks whole")
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Unix(1_000_000, 0)
	h := stack(t, echo, host.Config{Rate: 1, Burst: 3, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	ask := func(address string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = address
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	for i := range 5 {
		rec := ask("192.0.2.1:1000")
		if want := []int{200, 200, 200, 429, 429}[i]; rec.Code != want {
			t.Errorf("request %d: status %d, want %d", i, rec.Code, want)
		}
		if rec.Code == 429 && rec.Header().Get("Retry-After") != "1" {
			t.Errorf("header %v", rec.Header())
		}
	}
	if rec := ask("192.0.2.2:1000"); rec.Code != 200 {
		t.Errorf("another address: status %d", rec.Code)
	}
	if rec := ask("[2001:db8::1]:1"); rec.Code != 200 {
		t.Errorf("IPv6: status %d", rec.Code)
	}
	mu.Lock()
	now = now.Add(time.Second)
	mu.Unlock()
	if rec := ask("192.0.2.1:9"); rec.Code != 200 {
		t.Errorf("a second later: status %d", rec.Code)
	}
}

// TestRun: requests that are under way may finish, new ones are not taken.
func TestRun(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	s, err := host.New(t.Context(), "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-leave
		}
		_, _ = io.WriteString(w, "done "+host.RequestID(r.Context()))
	}), host.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get(s.URL() + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer func() { _ = res.Body.Close() }()
		b, _ := io.ReadAll(res.Body)
		answer <- string(b)
	}()
	<-entered
	cancel()
	close(leave)
	if got := <-answer; !strings.HasPrefix(got, "done ") || len(got) < 20 {
		t.Errorf("got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if res, err := http.Get(s.URL()); err == nil {
		_ = res.Body.Close()
		t.Error("still serving")
	}
}

func TestDrainEnds(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	s, err := host.New(t.Context(), "127.0.0.1:0", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done() // until it is cut
	}), host.Config{Drain: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	go func() {
		res, err := http.Get(s.URL())
		if err == nil {
			_ = res.Body.Close()
		}
	}()
	<-entered
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	s, err := host.New(t.Context(), "127.0.0.1:0", http.HandlerFunc(echo), host.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := host.New(t.Context(), s.Addr(), http.HandlerFunc(echo), host.Config{}); err == nil || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("got %v", err)
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		header string
	}{
		{fault.New(fault.Unauthenticated, "x"), 401, "WWW-Authenticate"},
		{fault.New(fault.Full, "x"), 507, "Retry-After"},
		{errors.New("secret"), 500, "Content-Type"},
		{nil, 500, "Content-Type"},
	} {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		host.WriteError(rec, r.WithContext(host.WithRequestID(r.Context(), "r1")), c.err)
		if rec.Code != c.status || rec.Header().Get(c.header) == "" || strings.Contains(rec.Body.String(), "secret") || !strings.Contains(rec.Body.String(), `"r1"`) {
			t.Errorf("%v: %d %v %s", c.err, rec.Code, rec.Header(), rec.Body)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add("gzip", []byte("\x1f\x8b\x08\x00"))
	f.Add("zstd", []byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		h := stack(t, echo, host.Config{WireBytes: 1 << 16, BodyBytes: 1 << 16, Rate: -1})
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Encoding", encoding)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != 200 && rec.Code != 400 && rec.Code != 413 && rec.Code != 415 {
			t.Errorf("status %d", rec.Code)
		}
	})
}
