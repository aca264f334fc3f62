package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

func TestEnableAndDisable(t *testing.T) {
	t.Parallel()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
	ctx := t.Context()
	if _, err := s.sync.Enable(ctx, "engineer", "wrong"); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := s.sync.Enable(ctx, "guest", "x"); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("an unknown user: %v", err)
	}
	s.cloud.users["guest"] = "x"
	if _, err := s.sync.Enable(ctx, "guest", "x"); !errors.Is(err, fault.Forbidden) {
		t.Errorf("a user without permission: %v", err)
	}
	if _, err := s.sync.Enable(ctx, "engineer", "secret"); err != nil {
		t.Fatal(err)
	}
	s.restart()
	d, err := s.sync.Destination(ctx)
	if err != nil || d.User != "engineer" || d.Password != "secret" || d.Token != "t-engineer" || !d.Enabled {
		t.Fatalf("after a restart: %+v, %v", d, err)
	}
	info, err := s.sync.Info(ctx)
	if err != nil || strings.Contains(fmt.Sprintf("%+v", info), "secret") {
		t.Errorf("the info shows a secret, or fails: %+v, %v", info, err)
	}
	if err := s.sync.Disable(ctx); err != nil {
		t.Fatal(err)
	}
	if d, _ = s.sync.Destination(ctx); d.Enabled || d.User != "" || d.Password != "" || d.Token != "" {
		t.Errorf("after disabling: %+v", d)
	}
	if status, _ := s.sync.Status(ctx); status.State != "off" {
		t.Errorf("state %q", status.State)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
	tests := []struct {
		name, value string
		ok          bool
	}{
		{cloudsync.SettingHost, "http://127.0.0.1", true}, {cloudsync.SettingPort, "8081", true}, {cloudsync.SettingRootPath, "/mm/", true},
		{cloudsync.SettingLocation, "hall 3", true}, {cloudsync.SettingCustomer, "acme", true},
		{cloudsync.SettingPort, "-1", false}, {cloudsync.SettingPort, "http", false}, {cloudsync.SettingEnabled, "maybe", false},
		{cloudsync.SettingHost, "a b", false}, {"cloud.nothing", "1", false},
		{cloudsync.SettingLimit + "pq", "5/d", true}, {cloudsync.SettingLimit + "pq", "5", false}, {cloudsync.SettingLimit + "x", "5/d", false},
		{cloudsync.SettingChannels, "readings.voltage.an, reading.frequency", true}, {cloudsync.SettingChannels, "Watts", false},
	}
	for _, tt := range tests {
		if err := s.sync.Set(t.Context(), tt.name, tt.value); (err == nil) != tt.ok || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("set %s %q: %v", tt.name, tt.value, err)
		}
	}
	d, err := s.sync.Destination(t.Context())
	if err != nil || d.URL() != "http://127.0.0.1:8081/mm" || !slices.Equal(d.Channels, []logdb.ChannelKey{"readings.voltage.an", "readings.frequency"}) {
		t.Errorf("%s, %+v, %v", d.URL(), d, err)
	}
}

func TestMeterSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 10)...)
	if err := s.sync.SetMeter(t.Context(), meter, cloudsync.SettingMeterUpload, "false"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sync.RegisterMeter(t.Context(), meter); err != nil {
		t.Fatal(err)
	}
	done, err := s.sync.UploadMeter(t.Context(), meter)
	if err != nil || len(done) != 1 || done[0].Result != api.ResultSkipped || s.cloud.pages != 0 {
		t.Errorf("a meter that is registered and does not upload: %+v, %v", done, err)
	}
	c, err := s.sync.Meter(t.Context(), meter)
	if err != nil || c.CloudUID != "cloud-4711" {
		t.Errorf("%+v, %v", c, err)
	}
	uid, err := s.sync.Find(t.Context(), "4711")
	if err != nil || uid != meter {
		t.Errorf("find by serial: %s, %v", uid, err)
	}
	if _, err := s.sync.Find(t.Context(), "nobody"); !errors.Is(err, logdb.ErrUnknownMeter) {
		t.Errorf("find nobody: %v", err)
	}
}

// TestPolicyChange uploads two channels, then all: the new rows carry all, and the channels added
// come for the old rows in a stream of their own, revises included.
// TestPolicyBackAndForth: channels that were left out for a while come later, those that had come already do not
// come again.
func TestPolicyBackAndForth(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Minute, 15 * time.Second} {
		s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
		s.settings(step)
		at := logdb.Millis(step.Milliseconds())
		next := start + at
		for _, value := range []string{"*", string(channels[0]), string(channels[1] + "," + channels[2]), "*", string(channels[0]), "*"} {
			if err := s.sync.Set(t.Context(), cloudsync.SettingChannels, value); err != nil {
				t.Fatal(err)
			}
			s.rows(0, every(step, next, 40)...)
			next += 40 * at
			s.upload()
		}
		s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: next})
		s.upload()
		per := map[logdb.ChannelKey]int{}
		for _, p := range points(t, s.cloud.store, "cloud-4711", "") {
			per[p.channel]++
		}
		for _, c := range channels {
			if want := int(240 * step / time.Minute); per[c] != want {
				t.Errorf("a row each %v: %d minutes of %s, want %d", step, per[c], c, want)
			}
		}
		if r := s.verify(); !r.Clean() {
			t.Errorf("a row each %v: verify: %+v", step, r)
		}
	}
}

func TestPolicyChange(t *testing.T) {
	t.Parallel()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
	s.settings(15 * time.Second)
	if err := s.sync.Set(t.Context(), cloudsync.SettingChannels, string(channels[0]+","+channels[1])); err != nil {
		t.Fatal(err)
	}
	s.rows(0, every(15*time.Second, start+15_000, 200)...)
	s.upload()
	for _, p := range points(t, s.cloud.store, "cloud-4711", "") {
		if p.channel != channels[0] && p.channel != channels[1] {
			t.Fatalf("%s was not chosen", p.channel)
		}
	}
	if err := s.sync.Set(t.Context(), cloudsync.SettingChannels, "*"); err != nil {
		t.Fatal(err)
	}
	s.rows(0, every(15*time.Second, start+15_000+200*15_000, 200)...)
	s.upload()
	s.restart()
	revise := logdb.Entry{Op: logdb.OpRevise, Target: 30, Time: start + 30*15_000, Row: &logdb.Row{Channels: channels, Values: []float64{1, 2, 3, 4}}}
	s.entries(logdb.KindHistorical, revise, logdb.Entry{Op: logdb.OpClose, Time: start})
	s.upload()
	got := points(t, s.cloud.store, "cloud-4711", "")
	per := map[logdb.ChannelKey]int{}
	for _, p := range got {
		per[p.channel]++
	}
	for _, c := range channels {
		if per[c] != 100 {
			t.Errorf("%d minutes of %s, want 100", per[c], c)
		}
	}
	raw, sum := points(t, s.logs, meter, ""), 0.0
	for _, p := range raw {
		if p.channel == channels[1] {
			sum += p.value
		}
	}
	for _, p := range got {
		if p.channel == channels[1] {
			sum -= p.value
		}
	}
	if sum > 1e-6 || sum < -1e-6 {
		t.Errorf("energy differs by %v", sum)
	}
	if r := s.verify(); !r.Clean() || r.Compared != 400 {
		t.Errorf("verify: %+v", r)
	}
}

func TestRequestedEventsAreSent(t *testing.T) {
	t.Parallel()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
	s.settings(time.Minute)
	var events []logdb.Entry
	for i := range 250 {
		events = append(events, logdb.Entry{Op: logdb.OpAdd, Time: start.Day() + logdb.Millis(i)*300_000, Excursion: &logdb.Excursion{
			DurationSeconds: 0.1, Channel: "readings.voltage.an", Worst: float64(i), WorstPercent: 70, Threshold: 90,
		}})
	}
	s.entries(logdb.KindPQ, events...)
	s.upload()
	held := func() int {
		n := 0
		err := s.cloud.store.ReadEvents(t.Context(), logdb.EventQuery{Meter: "cloud-4711", Kind: logdb.KindPQ}, func(logdb.StreamID, *logdb.Entry) error { n++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := held(); n != 200 {
		t.Fatalf("%d sags of 250 at the cloud, want 200", n)
	}
	if r := s.verify(); !r.Clean() || r.Skipped != 50 {
		t.Errorf("verify: %+v", r)
	}
	// The last 20 of that day that were skipped.
	sum, _, err := s.sync.UploadRequested(t.Context(), meter, cloudsync.Wanted{First: start.Day() + 230*300_000, Skipped: true})
	if err != nil || sum.Stored != 20 || held() != 220 {
		t.Errorf("requested: %+v, %v; %d at the cloud", sum, err, held())
	}
	if r := s.verify(); !r.Clean() || r.Skipped != 30 || r.Compared != 220 {
		t.Errorf("verify: %+v", r)
	}
	s.upload()
	if held() != 220 {
		t.Error("what was requested did not stay")
	}
}

// TestEqualRequestsAreAnsweredAlike: two people ask for the same at once. It is sent once, and both hear what came of it,
// although who asked first did not wait for it.
func TestEqualRequestsAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
		defer s.stop()
		s.settings(time.Minute)
		var events []logdb.Entry
		for i := range 220 {
			events = append(events, logdb.Entry{Op: logdb.OpAdd, Time: start.Day() + logdb.Millis(i)*300_000, Excursion: &logdb.Excursion{
				DurationSeconds: 0.1, Channel: "readings.voltage.an", Worst: float64(i), WorstPercent: 70, Threshold: 90,
			}})
		}
		s.entries(logdb.KindPQ, events...)
		s.upload()
		wanted := cloudsync.Wanted{Skipped: true, First: start.Day() + 10*300_000}
		type answer struct {
			sum    cloudsync.Sum
			cannot map[string]int
			err    error
		}
		answers := make(chan answer, 2)
		ask := func(ctx context.Context) {
			sum, cannot, err := s.sync.UploadRequested(ctx, meter, wanted)
			answers <- answer{sum, cannot, err}
		}
		// The queue is busy before and behind the uploads that precede the requests, so that these wait together.
		pass := make(chan bool)
		s.cloud.before = func(call string) error {
			if call == "user" {
				<-pass
			}
			return nil
		}
		var others sync.WaitGroup
		scan := func() {
			if _, err := s.sync.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		}
		others.Go(scan)
		synctest.Wait()
		impatient, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		go ask(impatient) // what it asked is what is done
		synctest.Wait()
		for range 2 {
			go ask(t.Context())
		}
		synctest.Wait()
		others.Go(scan)
		synctest.Wait()
		pass <- true
		synctest.Wait()
		sent := make(chan bool)
		s.cloud.after = func(call string) error {
			if call == "push" {
				<-sent
			}
			return nil
		}
		close(pass)
		synctest.Wait()
		giveUp()
		if a := <-answers; !errors.Is(a.err, context.Canceled) || a.sum != (cloudsync.Sum{}) {
			t.Errorf("who gave up heard %+v", a)
		}
		close(sent)
		for range 2 {
			if a := <-answers; a.err != nil || a.sum.Stored != 20 {
				t.Errorf("who waited heard %+v, want 20 stored", a)
			}
		}
		others.Wait()
	})
}

// locked makes the fake cloud usable from several goroutines.
type locked struct {
	mu sync.Mutex
	*fakeCloud
}

func (l *locked) Streams(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fakeCloud.Streams(ctx, uid, kind)
}

func (l *locked) PushPage(ctx context.Context, page *logdb.Page) (api.UploadAnswer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fakeCloud.PushPage(ctx, page)
}

func (l *locked) Register(ctx context.Context, q api.RegisterRequest) (api.RegisterAnswer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fakeCloud.Register(ctx, q)
}

func (l *locked) PutSettings(ctx context.Context, uid logdb.MeterUID, s logdb.Settings) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fakeCloud.PutSettings(ctx, uid, s)
}

func (l *locked) User(ctx context.Context) (api.UserAnswer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fakeCloud.User(ctx)
}

func (l *locked) Meters(ctx context.Context) ([]api.Meter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fakeCloud.Meters(ctx)
}

// TestRunUploadsByItself lets the service alone: found meters are registered, new rows uploaded when it
// is told, after days offline everything comes, and everything can be asked for meanwhile.
func TestRunUploadsByItself(t *testing.T) {
	t.Parallel()
	cloud := &locked{fakeCloud: newFakeCloud()}
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud.fakeCloud)
	s.stop()
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 300)...)
	s.start()
	s.stop()
	offline := true
	cloud.before = func(string) error {
		if offline {
			return fault.New(fault.Unavailable, "no route")
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	store, closeStore := s.open()
	defer closeStore()
	s.cfg.TickEvery = 5 * time.Millisecond
	svc := cloudsync.New(func(cloudsync.Destination) (cloudsync.Cloud, error) { return cloud, nil }, s.logs, store, s.cfg)
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	wait := func(what string, ok func() bool) {
		t.Helper()
		deadline := time.NewTimer(20 * time.Second)
		defer deadline.Stop()
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for !ok() {
			select {
			case <-tick.C:
			case <-deadline.C:
				status, err := svc.Status(ctx)
				t.Fatalf("%s does not come: %+v, %v", what, status, err)
			}
		}
	}
	status := func() api.SyncStatus {
		st, err := svc.Status(ctx)
		if err != nil {
			t.Error(err)
		}
		return st
	}
	wait("a failure", func() bool { return status().Failed > 2 })
	if st := status(); st.LastError == "" || st.Pending != 0 || st.NotCompared == 0 || st.Trouble == nil || st.Trouble.Do == "" {
		t.Errorf("offline: %+v", st)
	}
	cloud.mu.Lock()
	offline = false
	cloud.mu.Unlock()
	settled := func() bool {
		st := status()
		return st.Pending == 0 && len(st.Meters) == 1 && st.Meters[0].State == "up_to_date"
	}
	wait("the upload", settled)
	s.rows(0, every(time.Minute, start+300*60_000, 5)...)
	svc.Notify(meter)
	wait("the new rows", func() bool {
		cloud.mu.Lock()
		defer cloud.mu.Unlock()
		st, err := cloud.store.Streams(ctx, "cloud-4711", logdb.KindHistorical)
		return err == nil && len(st) > 0 && st[0].Fates.Highest() == 305
	})
	wait("the end", settled)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	same(t, "values", points(t, cloud.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
	if h := svc.History(0, meter, api.ResultSucceeded); len(h) < 2 {
		t.Errorf("history: %+v", h)
	}
}

// Settings that are changed and, before the cloud could be told, changed back leave nothing to do. The service must see that,
// or it registers without end and without a pause.
func TestSettingsChangedAndChangedBack(t *testing.T) {
	t.Parallel()
	cloud := &locked{fakeCloud: newFakeCloud()}
	logs := logdbtest.NewModel(logdbtest.Config{})
	s := newSite(t, logs, cloud.fakeCloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	s.stop()
	first, err := logs.Settings(t.Context(), s.uid)
	if err != nil {
		t.Fatal(err)
	}
	second := first
	second.Name = "another name"
	back := make(chan error, 1)
	cloud.before = func(call string) error {
		if call != "register" {
			return nil
		}
		select {
		case back <- logs.PutSettings(context.Background(), s.uid, first):
		default:
		}
		return fault.New(fault.Unavailable, "no route")
	}
	if err := logs.PutSettings(t.Context(), s.uid, second); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	store, closeStore := s.open()
	defer closeStore()
	svc := cloudsync.New(func(cloudsync.Destination) (cloudsync.Cloud, error) { return cloud, nil }, s.logs, store, s.cfg)
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if err := <-back; err != nil {
		t.Fatal(err)
	}
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		st, err := svc.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if st.Skipped > 50 {
			t.Fatalf("%d actions had nothing to do", st.Skipped)
		}
		if len(st.Meters) == 1 && st.Meters[0].State == "up_to_date" && st.Current == nil && len(st.Queue) == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("it does not come to rest: %+v", st)
		}
	}
}
