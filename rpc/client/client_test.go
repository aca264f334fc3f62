package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/rpc/rpctest"
)

// quick retries without waiting long.
func quick(cfg client.Config) client.Config {
	cfg.RetryWait, cfg.RetryMaxWait = time.Millisecond, 2*time.Millisecond
	return cfg
}

func dial(t *testing.T, url string, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.New(url, quick(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func newCloud() *rpctest.Cloud {
	return &rpctest.Cloud{Store: logdbtest.NewModel(logdbtest.Config{})}
}

// page is a positioned page of n rows.
func page(n int) *logdb.Page {
	h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an", "readings.frequency"}, Columns: make([][]float64, 2)}
	for i := range n {
		h.Times = append(h.Times, logdb.Millis(1493590000000+i*60_000))
		h.Positions = append(h.Positions, logdb.Position(i+1))
		h.Columns[0] = append(h.Columns[0], 120+float64(i%7)/10)
		h.Columns[1] = append(h.Columns[1], math.NaN())
	}
	return &logdb.Page{
		Meter: "cloud-1", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: logdb.JournalID(strings.Repeat("a", 32)), Policy: "1"},
		Rows: []logdb.History{h}, JournalEnd: logdb.Position(n),
	}
}

func TestPushAndSets(t *testing.T) {
	t.Parallel()
	cloud := newCloud()
	c := dial(t, cloud.Start(t), client.Config{APIKey: rpctest.Key})
	reg, err := c.Register(t.Context(), api.RegisterRequest{Settings: logdb.Settings{Make: "eig", Serial: "1"}})
	if err != nil || reg.Registered != api.RegisteredNew {
		t.Fatalf("%+v, %v", reg, err)
	}
	if reg, err = c.Register(t.Context(), api.RegisterRequest{Settings: logdb.Settings{Make: "eig", Serial: "1"}}); err != nil || reg.Registered != api.RegisteredKnown {
		t.Fatalf("%+v, %v", reg, err)
	}
	p := page(300)
	for i, want := range []api.UploadAnswer{{Stored: 300}, {Repeats: 300}} {
		got, err := c.PushPage(t.Context(), p)
		if err != nil || got.Stored != want.Stored || got.Repeats != want.Repeats || got.Receipt == "" {
			t.Fatalf("push %d: %+v, %v", i, got, err)
		}
	}
	sets, err := c.Streams(t.Context(), "cloud-1", logdb.KindHistorical)
	if err != nil || len(sets) != 1 || sets[0].Stream != p.Stream || sets[0].Fates.Count(logdb.FateStored) != 300 || sets[0].JournalEnd != 300 {
		t.Fatalf("%+v, %v", sets, err)
	}
	days, err := c.Digests(t.Context(), "cloud-1", logdb.KindHistorical, p.Stream)
	if err != nil || len(days) == 0 {
		t.Fatalf("%v, %v", days, err)
	}
	want, err := cloud.Store.Digests(t.Context(), "cloud-1", logdb.KindHistorical, p.Stream)
	if err != nil || fmt.Sprint(days) != fmt.Sprint(want) {
		t.Errorf("digests %v, want %v (%v)", days, want, err)
	}
	if meters, err := c.Meters(t.Context()); err != nil || len(meters) != 1 || meters[0].UID != "cloud-1" {
		t.Errorf("%v, %v", meters, err)
	}
	for _, r := range cloud.Requests() {
		if strings.HasSuffix(r.Path, "/historical") && len(r.Body) > 0 && r.Header.Get("Content-Digest") == "" {
			t.Error("a push without a digest")
		}
	}
}

// TestRetriesSendTheSameBytes: a reader as a body would be empty at the second try.
func TestRetriesSendTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, failure := range []string{"503", "429", "408", "cut", "lost answer"} {
		t.Run(failure, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud()
			var tries atomic.Int32
			cloud.Before = func(w http.ResponseWriter, _ *http.Request) bool {
				n := tries.Add(1)
				switch {
				case n > 2 || failure == "lost answer":
					return false
				case failure == "cut":
					panic(http.ErrAbortHandler)
				}
				w.Header().Set("Retry-After", "3600") // is capped
				var status int
				_, _ = fmt.Sscan(failure, &status)
				w.WriteHeader(status)
				return true
			}
			cloud.After = func(*http.Request) bool { return failure == "lost answer" && tries.Load() < 3 }
			c := dial(t, cloud.Start(t), client.Config{APIKey: rpctest.Key})
			p := page(200)
			got, err := c.PushPage(t.Context(), p)
			if err != nil || got.Stored+got.Repeats != 200 {
				t.Fatalf("%+v, %v", got, err)
			}
			seen := cloud.Requests()
			want := api.AppendPage(nil, p, api.DialectJSON)
			if len(seen) != 3 {
				t.Fatalf("%d tries", len(seen))
			}
			for i, r := range seen {
				if !bytes.Equal(r.Body, want) {
					t.Errorf("try %d has %d bytes, want %d", i, len(r.Body), len(want))
				}
				if r.Header.Get("Content-Digest") != seen[0].Header.Get("Content-Digest") {
					t.Errorf("try %d differs on the wire", i)
				}
			}
		})
	}
}

func TestNotRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		code   fault.Code
		call   func(context.Context, *client.Client) error
		tries  int
	}{
		{"a bad request, says a proxy", 400, fault.Unavailable, pushOne, 1},
		{"a page too large", 413, fault.TooLarge, pushOne, 1},
		{"a contradiction", 409, fault.Conflict, pushOne, 1},
		{"no credential", 401, fault.Unauthenticated, pushOne, 1},
		{"a full disk", 507, fault.Full, pushOne, 1},
		{"a proxy's error", 502, fault.Unavailable, pushOne, 4},
		{"a redirect", 302, fault.Unavailable, pushOne, 1},
		{"a command", 503, fault.Unavailable, func(ctx context.Context, c *client.Client) error {
			return c.Call(ctx, api.CmdMeterAdd, map[string]string{"name": "x"}, nil)
		}, 1},
		{"a new key", 503, fault.Unavailable, func(ctx context.Context, c *client.Client) error {
			_, err := c.CreateKey(ctx, api.CreateKeyRequest{Name: "x"})
			return err
		}, 1},
		{"a query", 503, fault.Unavailable, func(ctx context.Context, c *client.Client) error { _, err := c.Status(ctx); return err }, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				tries.Add(1)
				w.Header().Set("Location", "http://198.51.100.1/")
				w.WriteHeader(c.status)
			}))
			defer s.Close()
			err := c.call(t.Context(), dial(t, s.URL, client.Config{APIKey: rpctest.Key}))
			if !errors.Is(err, c.code) || int(tries.Load()) != c.tries {
				t.Errorf("%d tries, %v", tries.Load(), err)
			}
		})
	}
}

func pushOne(ctx context.Context, c *client.Client) error {
	_, err := c.PushPage(ctx, page(1))
	return err
}

// TestFaultsCrossTheWire: what the server said is what the caller can test for.
func TestFaultsCrossTheWire(t *testing.T) {
	t.Parallel()
	c := dial(t, newCloud().Start(t), client.Config{APIKey: rpctest.Key})
	_, err := c.Upload(t.Context(), "m", logdb.KindSystem, []byte(`{"header":["time"],"records":[]}`))
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != fault.Invalid || !strings.Contains(f.Message, "byte 10") || f.RequestID == "" {
		t.Errorf("%+v", err)
	}
	c = dial(t, newCloud().Start(t), client.Config{})
	if _, err := c.Meters(t.Context()); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("%v", err)
	}
	if _, err := c.Login(t.Context(), api.LoginRequest{User: "x", Password: "hunter2"}); !errors.Is(err, fault.Unauthenticated) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// TestTokenIsRenewed: several calls that find the token void log in once.
func TestTokenIsRenewed(t *testing.T) {
	t.Parallel()
	cloud := newCloud()
	c := dial(t, cloud.Start(t), client.Config{User: rpctest.User, Password: rpctest.Password})
	for round := range 2 {
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, err := c.Meters(t.Context()); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		cloud.Revoke()
	}
	if _, err := c.Meters(t.Context()); err != nil {
		t.Fatal(err)
	}
	logins := 0
	for _, r := range cloud.Requests() {
		if strings.HasSuffix(r.Path, "/login") {
			logins++
		}
	}
	if logins != 3 {
		t.Errorf("%d logins", logins)
	}
}

// TestUnreachableIsSaidOnce: who asked names what was asked, once, and the sentence goes on with the cause.
func TestUnreachableIsSaidOnce(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := dial(t, s.URL, client.Config{}).Meters(t.Context())
	want := "GET /api/v1/meters: " + s.URL + " cannot be reached: "
	if !errors.Is(err, fault.Unavailable) || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error()[len(want):], s.Listener.Addr().String()) {
		t.Errorf("%v, want %s ...", err, want)
	}
}

// TestPlainAfter415: gzip that is refused is not tried again.
func TestPlainAfter415(t *testing.T) {
	t.Parallel()
	var packed, plain atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Encoding") != "" {
			packed.Add(1)
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		plain.Add(1)
		_ = json.NewEncoder(w).Encode(api.UploadAnswer{Stored: 300, Receipt: api.Receipt(body)})
	}))
	defer s.Close()
	c := dial(t, s.URL, client.Config{APIKey: rpctest.Key})
	for range 3 {
		if got, err := c.PushPage(t.Context(), page(300)); err != nil || got.Stored != 300 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if packed.Load() != 1 || plain.Load() != 3 {
		t.Errorf("%d packed, %d plain", packed.Load(), plain.Load())
	}
}

// TestChangedOnTheWay: an answer whose receipt is not that of the page is no success.
func TestChangedOnTheWay(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(api.UploadAnswer{Stored: 1, Receipt: api.Receipt([]byte("something else"))})
	}))
	defer s.Close()
	if err := pushOne(t.Context(), dial(t, s.URL, client.Config{})); !errors.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"a page": "<html>", "nothing": "", "another document": `[1]`, "a cut one": `{"meters":[{"meter_uid":"x"`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
			defer s.Close()
			c := dial(t, s.URL, client.Config{})
			if _, err := c.Meters(t.Context()); !errors.Is(err, fault.Unavailable) {
				t.Errorf("%v", err)
			}
			if _, err := c.History(t.Context(), "m", api.HistoryQuery{}); !errors.Is(err, fault.Unavailable) {
				t.Errorf("%v", err)
			}
			if _, err := c.Events(t.Context(), "m", api.EventsQuery{Kind: logdb.KindPQ}); !errors.Is(err, fault.Unavailable) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTimesAndSizes(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			<-hang
			return
		}
		_, _ = io.WriteString(w, `{"meters":[]}`+strings.Repeat(" ", 10_000))
	}))
	defer s.Close()
	defer close(hang)
	c := dial(t, s.URL, client.Config{QueryTimeout: 50 * time.Millisecond, Retries: -1, AnswerBytes: 5000})
	if _, err := c.Status(t.Context()); !errors.Is(err, fault.Timeout) {
		t.Errorf("a stalled answer: %v", err)
	}
	if _, err := c.Meters(t.Context()); !errors.Is(err, fault.TooLarge) {
		t.Errorf("an endless answer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Meters(ctx); !errors.Is(err, fault.Canceled) {
		t.Errorf("a canceled call: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	c = dial(t, "http://"+l.Addr().String(), client.Config{})
	if _, err := c.Meters(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "cloud", "ftp://cloud", "http://", "http://u:secret@cloud", "http://cloud?x=1", "://", "http://cloud#x"} {
		if _, err := client.New(bad, client.Config{}); !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := client.New("http://cloud", client.Config{Proxy: "nowhere"}); !errors.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
	var paths []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.EscapedPath()+"?"+r.URL.RawQuery)
		_, _ = io.WriteString(w, `{}`)
	}))
	defer s.Close()
	c := dial(t, s.URL+"/root/path/", client.Config{})
	if _, err := c.Meter(t.Context(), "../a b/c"); err != nil {
		t.Fatal(err)
	}
	log := logdb.LogNo(1)
	_, _ = c.History(t.Context(), "m", api.HistoryQuery{Channels: []logdb.ChannelKey{"a.b", "a.c"}, From: 1, To: 2, Interval: "1h", Log: &log})
	want := []string{"/root/path/api/v1/meters/..%2Fa%20b%2Fc?", "/root/path/api/v1/meters/m/logs/historical?channels=a.b%2Ca.c&from=1&interval=1h&log=1&to=2"}
	if fmt.Sprint(paths) != fmt.Sprint(want) {
		t.Errorf("%q", paths)
	}
}

// TestAnswersKeepAbsence: what is absent at the server is absent here, never 0.
func TestAnswersKeepAbsence(t *testing.T) {
	t.Parallel()
	e := logdb.Entry{Op: logdb.OpAdd, Position: 7, Time: 5, Waveform: &logdb.Waveform{
		End: 6, SampleIntervalMillis: 0.1, TriggerTime: 5, FrequencyHz: math.NaN(), Channels: []logdb.WaveChannel{{Name: "Van_Vab", Samples: []float64{1, math.NaN()}}},
	}}
	stream := logdb.StreamID{Journal: logdb.JournalID(strings.Repeat("b", 32)), Policy: "0"}
	event := api.Event{ID: api.RecordingID{Position: 3, Stream: stream}, Entry: logdb.Entry{
		Op: logdb.OpAdd, Time: 9, Log: 2, Excursion: &logdb.Excursion{DurationSeconds: math.NaN(), Channel: "readings.voltage.an", Type: 1, Worst: 1.5, WorstPercent: math.NaN(), Threshold: 120},
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "waveform"):
			_, _ = w.Write(api.AppendRecording(nil, "m", stream, &e))
		case strings.HasSuffix(r.URL.Path, "pq"):
			_, _ = w.Write(api.AppendEvents(nil, &api.Events{Meter: "m", Kind: logdb.KindPQ, Events: []api.Event{event}, Next: "n", Limits: api.LimitSummary{Skipped: 4}}))
		case strings.HasSuffix(r.URL.Path, "historical") && r.URL.Query().Get("raw") != "":
			_, _ = w.Write(api.AppendPages(nil, &api.Pages{Meter: "m", Kind: logdb.KindHistorical, Pages: []logdb.Page{*page(3), *page(2)}, Next: "x"}, api.DialectJSON))
		default:
			_, _ = io.WriteString(w, `{"values":[{"chan_key":"readings.frequency","value":null}]}`)
		}
	}))
	defer s.Close()
	c := dial(t, s.URL, client.Config{})
	got, err := c.Recording(t.Context(), "m", api.RecordingID{Position: 7, Stream: stream})
	if err != nil || got.ContentDigest() != e.ContentDigest() || got.Position != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	events, err := c.Events(t.Context(), "m", api.EventsQuery{Kind: logdb.KindPQ})
	if err != nil || len(events.Events) != 1 || events.Next != "n" || events.Limits.Skipped != 4 {
		t.Fatalf("%+v, %v", events, err)
	}
	if ev := events.Events[0]; ev.ID != event.ID || ev.Entry.ContentDigest() != event.Entry.ContentDigest() || ev.Entry.Log != 2 {
		t.Errorf("%+v", ev)
	}
	live, err := c.Realtime(t.Context(), "m")
	if err != nil || len(live.Values) != 1 || !math.IsNaN(float64(live.Values[0].Value)) {
		t.Errorf("%+v, %v", live, err)
	}
	pages, err := c.HistoryPages(t.Context(), "m", api.HistoryQuery{})
	if err != nil || len(pages.Pages) != 2 || pages.Next != "x" || pages.Pages[0].Rows[0].Len() != 3 || !math.IsNaN(pages.Pages[0].Rows[0].Columns[1][0]) {
		t.Errorf("%+v, %v", pages, err)
	}
}
