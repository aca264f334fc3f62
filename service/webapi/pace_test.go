package webapi_test

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/clouddb"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqldb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/host"
	"metermanager/rpc/rpctest"
	"metermanager/service/webapi"
)

// TestRateOfAKey: a key and a login have so many requests, wherever they call from and whichever way they are sent;
// others are not touched, and the answer says when to come back.
func TestRateOfAKey(t *testing.T) {
	t.Parallel()
	s, db := emptyServer(t, func(c *webapi.Config) { c.KeyRate, c.KeyBurst = 0.25, 3 })
	s.populate(db)
	path := api.Root + "/push/historical"
	body := strings.Replace(rows(day0, 2), "{", `{"meter_uid":"`+string(s.uid)+`","apikey":"`+s.upload+`",`, 1)
	for i := range 3 {
		key, text := s.upload, strings.Replace(body, `"apikey":"`+s.upload+`",`, "", 1)
		if i == 1 {
			key, text = "", body // the key inside counts as the same one
		}
		if r := s.call(key, "POST", path, text); r.status != http.StatusOK {
			t.Fatalf("request %d: status %d: %s", i, r.status, r.body)
		}
	}
	for _, key := range []string{s.upload, ""} {
		r := s.call(key, "POST", path, body)
		s.refused(r, 429, "rate_limited")
		if r.header.Get("Retry-After") != "4" {
			t.Errorf("Retry-After %q, want 4", r.header.Get("Retry-After"))
		}
	}
	if r := s.call(s.reader, "GET", s.meterPath(""), ""); r.status != http.StatusOK {
		t.Errorf("another key: status %d", r.status)
	}
	s.now = s.now.Add(4 * time.Second)
	if r := s.call(s.upload, "POST", path, body); r.status != http.StatusOK {
		t.Errorf("when the time is over: status %d: %s", r.status, r.body)
	}
	s.refused(s.call(s.upload, "GET", api.Root+"/user", ""), 429, "rate_limited")
}

// held is a store whose queries wait until they are let go.
type held struct {
	logdb.Store
	entered chan struct{}
	release chan struct{}
}

func (h *held) Series(ctx context.Context, meter logdb.MeterUID) ([]logdb.Series, error) {
	h.entered <- struct{}{}
	select {
	case <-h.release:
	case <-ctx.Done():
	}
	return h.Store.Series(ctx, meter)
}

// TestQueriesWaitForTheirTurn: so many at a time, others in a queue, and who waited too long hears when to come back.
func TestQueriesWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	h := &held{entered: make(chan struct{}, 100), release: make(chan struct{})}
	s, db, handler := emptyNode(t, func(c *webapi.Config) { c.Queries, c.QueryWait = 2, 100*time.Millisecond })
	h.Store = handler.Logs
	s.populate(db)
	handler.Logs = h
	s.serve(handler)
	answers := make(chan response, 100)
	ask := func(key string) { answers <- s.call(key, "GET", api.Root+"/meters", "") }
	go ask(s.reader)
	go ask(s.admin)
	<-h.entered
	<-h.entered
	r := s.call(s.reader, "GET", api.Root+"/meters", "")
	s.refused(r, 503, "unavailable")
	if seconds, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	if r := s.call(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0, 2)); r.status != http.StatusOK {
		t.Errorf("an upload does not wait for queries: status %d: %s", r.status, r.body)
	}
	close(h.release)
	for range 2 {
		if r := <-answers; r.status != http.StatusOK {
			t.Errorf("a query that was let in: status %d: %s", r.status, r.body)
		}
	}
	if r := s.call(s.reader, "GET", api.Root+"/meters", ""); r.status != http.StatusOK {
		t.Errorf("a query after all: status %d: %s", r.status, r.body)
	}
}

// TestUploaderWaitsAsItIsTold: a site with a backlog meets a cloud that lets its key ask once in ten seconds, and takes no body
// of more than 4 KB. It sends smaller pages, never comes back before the time that it was told, and loses nothing.
func TestUploaderWaitsAsItIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, db, handler := emptyNode(t, func(c *webapi.Config) { c.KeyRate, c.KeyBurst, c.Now = 0.1, 2, time.Now })
		s.now = time.Now()
		s.populate(db)

		// The wire: what came in while the key had to wait, and how often it was sent away.
		stack, err := host.Stack(handler, host.Config{Rate: -1, BodyBytes: 4096, WireBytes: 4096})
		must(t, err)
		var mu sync.Mutex
		var until time.Time
		early, refused, large := 0, 0, 0
		watched := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			if time.Now().Before(until) {
				early++
			}
			mu.Unlock()
			c := &statusOf{ResponseWriter: w}
			stack.ServeHTTP(c, r)
			mu.Lock()
			defer mu.Unlock()
			switch c.status {
			case http.StatusTooManyRequests:
				refused++
				seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
				if err != nil {
					t.Errorf("a refusal without a time: %v", w.Header())
				}
				until = time.Now().Add(time.Duration(seconds)*time.Second - time.Millisecond)
			case http.StatusRequestEntityTooLarge:
				large++
			}
		})
		listener := rpctest.NewPipes()
		server := &http.Server{Handler: watched}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()

		siteDB, err := sqldb.Open(ctx, t.TempDir()+"/site.db", sqldb.Config{})
		must(t, err)
		store, err := clouddb.New(ctx, siteDB, clouddb.Config{MasterKey: make([]byte, 32)})
		must(t, err)
		logs := logdbtest.NewModel(logdbtest.Config{})
		const meter, count = logdb.MeterUID("site-1"), 600
		must(t, logs.PutSettings(ctx, meter, logdb.Settings{Name: "main", Make: "EIG", Model: "Shark 200", Serial: "1", Zone: "Europe/Berlin", LogIntervalsMillis: []int64{60_000}}))
		h := logdb.History{Run: 0, Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: make([][]float64, 1)}
		want := map[logdb.Millis]float64{}
		for i := range count {
			at, v := logdb.MillisOf(time.Now()).Floor(60_000)-logdb.Millis(count-i)*60_000, 230+float64(i*7919%1000)/1000
			h.Times, h.Columns[0], want[at] = append(h.Times, at), append(h.Columns[0], v), v
		}
		_, err = logs.Append(ctx, logdb.Batch{Meter: meter, Kind: logdb.KindHistorical, Rows: []logdb.History{h}})
		must(t, err)
		svc := cloudsync.New(func(d cloudsync.Destination) (cloudsync.Cloud, error) {
			return client.New(d.URL(), client.Config{APIKey: string(d.APIKey), Dial: listener.Dial, HTTP1: true})
		}, logs, store, cloudsync.Config{})
		for name, value := range map[string]string{
			cloudsync.SettingHost: "http://cloud", cloudsync.SettingAPIKey: s.admin, cloudsync.SettingEnabled: "true",
		} {
			must(t, svc.Set(ctx, name, value))
		}
		synced := make(chan error, 1)
		go func() { synced <- svc.Run(ctx) }()
		var st api.SyncStatus
		for range 24 * 3600 { // a day of the bubble's time at most
			time.Sleep(time.Second)
			if st, err = svc.Status(ctx); err != nil || st.Pending == 0 && st.NotCompared == 0 && len(st.Meters) == 1 && st.Meters[0].State == "up_to_date" {
				break
			}
		}
		must(t, err)
		if st.Pending != 0 || len(st.Meters) != 1 {
			t.Errorf("the upload does not come to an end: %+v", st)
		}
		mu.Lock()
		if refused == 0 || large == 0 {
			t.Errorf("sent away %d times for the rate and %d for the size: the limits were not met", refused, large)
		}
		if early > 0 {
			t.Errorf("%d requests came before the time that the uploader was told", early)
		}
		t.Logf("%d refusals for the rate, %d for the size", refused, large)
		mu.Unlock()
		cancel()
		if err := <-synced; err != nil {
			t.Error(err)
		}
		must(t, server.Shutdown(t.Context()))
		<-served
		got := map[logdb.Millis]float64{}
		series, err := s.logs.Series(t.Context(), s.uid)
		must(t, err)
		for _, one := range series {
			must(t, s.logs.ReadSeries(t.Context(), []logdb.SeriesID{one.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
				for i, v := range b.AppendValues(nil) {
					got[b.Times[i]] = v
				}
				return nil
			}))
		}
		if !maps.Equal(got, want) {
			t.Errorf("%d rows are at the cloud, want %d with the same values", len(got), len(want))
		}
		must(t, siteDB.Close())
	})
}

// statusOf remembers a status.
type statusOf struct {
	http.ResponseWriter
	status int
}

func (s *statusOf) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *statusOf) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}
