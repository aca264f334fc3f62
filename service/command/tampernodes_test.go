package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/clouddb"
	"metermanager/logdb"
	"metermanager/logdb/postgres"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/host"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/fetch"
	"metermanager/service/cloud/ingest"
	"metermanager/service/cloud/realtime"
	"metermanager/service/cloud/registry"
	"metermanager/service/command"
	"metermanager/service/metadb"
	"metermanager/service/webapi"
)

// The times and channels of the records that are tampered with.
const (
	tamperDay = logdb.Millis(1_767_225_600_000) // 2026-01-01
	oneMinute = logdb.Millis(60_000)
	volts     = logdb.ChannelKey("readings.voltage.an")
	wh        = logdb.ChannelKey("energy.interval.wh.received")
)

// twoNodes is a site and a cloud that are wired like the program wires them: the site speaks to the cloud's web API.
type twoNodes struct {
	t     testing.TB
	dir   string
	logs  *sqlite.Store
	there *sqlite.Store
	sync  *cloudsync.Service
	store *clouddb.Store
	key   string
	url   string
	close []func()
}

// openTwoNodes opens the data folders of dir.
func openTwoNodes(t testing.TB, dir string) *twoNodes {
	t.Helper()
	return openTwoNodesAt(t, dir, "")
}

// openTwoNodesAt opens the data folders of dir, but for the cloud's logs those in the PostgreSQL database at place, if there is one.
func openTwoNodesAt(t testing.TB, dir, place string) *twoNodes {
	t.Helper()
	b := &twoNodes{t: t, dir: dir}
	now := func() time.Time { return (tamperDay + 40*logdb.DayMillis).Time() }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	later := func(f func() error) { b.close = append(b.close, func() { _ = f() }) }
	meta, err := sqldb.Open(t.Context(), filepath.Join(dir, "cloud-meta.db"), sqldb.Config{})
	must(err)
	later(meta.Close)
	accounts, err := metadb.OpenCloud(t.Context(), meta)
	must(err)
	sealer, err := account.NewSealer(make([]byte, 32))
	must(err)
	people, err := account.New(accounts, sealer, account.Config{BcryptCost: 4, HashParallel: 64, Now: now})
	must(err)
	if place == "" {
		b.there, err = sqlite.Open(t.Context(), filepath.Join(dir, cloudLogs), sqlite.Config{Now: now})
	} else {
		b.there, err = postgres.Open(t.Context(), place, filepath.Join(dir, "archive"), sqlite.Config{Now: now})
	}
	must(err)
	later(b.there.Close)
	meters := registry.New(accounts, b.there, people, registry.Config{Now: now})
	board := realtime.New(realtime.Config{Now: now})
	desk, err := fetch.New(t.Context(), accounts, b.there, meters, fetch.Config{Now: now})
	must(err)
	node := command.NewNode(meters, b.there, board, command.NodeConfig{Version: "test", Now: now})
	table, err := command.New(command.Config{Now: now}, command.NodeHandlers(node))
	must(err)
	handler, err := webapi.New(webapi.Parts{
		Accounts: people, Meters: meters, Push: ingest.New(b.there, meters, ingest.Config{Now: now}), Fetch: desk, Logs: b.there, Board: board, Commands: table, Status: node,
	}, webapi.Config{Now: now})
	must(err)
	stack, err := host.Stack(handler, host.Config{Rate: -1})
	must(err)
	server := httptest.NewServer(stack)
	b.close = append(b.close, server.Close)
	b.url = server.URL
	b.key = account.KeyPrefix + strings.Repeat("s", 40)
	_, err = people.EnsureBootstrap(t.Context(), account.Bootstrap{
		User: "owner", Password: "a long password", Customer: "Ours", Key: b.key, KeyPermissions: permission.Everything(),
	})
	must(err)

	b.logs, err = sqlite.Open(t.Context(), filepath.Join(dir, "site-logs.db"), sqlite.Config{Now: now})
	must(err)
	later(b.logs.Close)
	db, err := sqldb.Open(t.Context(), filepath.Join(dir, "site-meta.db"), sqldb.Config{})
	must(err)
	later(db.Close)
	b.store, err = clouddb.New(t.Context(), db, clouddb.Config{MasterKey: make([]byte, 32)})
	must(err)
	_, err = metadb.OpenField(t.Context(), db)
	must(err)
	dial := func(cloudsync.Destination) (cloudsync.Cloud, error) {
		return client.New(b.url, client.Config{APIKey: b.key, Retries: -1})
	}
	b.sync = cloudsync.New(dial, b.logs, b.store, cloudsync.Config{TickEvery: time.Hour, Now: now})
	return b
}

func (b *twoNodes) stop() {
	for i := len(b.close) - 1; i >= 0; i-- {
		b.close[i]()
	}
	b.close = nil
}

// verify carries out the command as the program does, for one kind of log or all (0), and returns its report.
func (b *twoNodes) verify(kind logdb.Kind) api.VerifyReport {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	table, err := command.New(command.Config{}, command.VerifyHandlers(b.sync, b.logs, nil))
	if err != nil {
		b.t.Fatal(err)
	}
	args := `{}`
	if kind != 0 {
		args = fmt.Sprintf(`{"kind":%q}`, kind)
	}
	out, err := table.Call(ctx, account.Principal{User: "owner", Permissions: permission.Everything()}, api.CmdVerify, []byte(args))
	if err != nil {
		b.t.Fatalf("verify: %v", err)
	}
	text, err := json.Marshal(out)
	if err != nil {
		b.t.Fatal(err)
	}
	var report api.VerifyReport
	if err := json.Unmarshal(text, &report); err != nil {
		b.t.Fatal(err)
	}
	return report
}

// template is a folder in which both nodes have lived: every table of their databases that can hold something does.
func template(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	b := openTwoNodes(t, dir)
	defer b.stop()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.sync.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for name, value := range map[string]string{
		cloudsync.SettingHost: b.url, cloudsync.SettingAPIKey: b.key, cloudsync.SettingEnabled: "true",
	} {
		if err := b.sync.Set(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	settings := logdb.Settings{Name: "Main", Make: "EIG", Model: "Shark 200", Serial: "1", Zone: "UTC", LogIntervalsMillis: []int64{60_000, 10_000}}
	if err := b.logs.PutSettings(t.Context(), "m", settings); err != nil {
		t.Fatal(err)
	}
	snapshot, err := b.logs.PutSnapshot(t.Context(), "m", []byte("settings block"))
	if err != nil {
		t.Fatal(err)
	}
	upload := func() {
		t.Helper()
		if done, err := b.sync.RegisterMeter(t.Context(), "m"); err != nil || done[0].Result == api.ResultFailed {
			t.Fatalf("register: %+v, %v", done, err)
		}
		done, err := b.sync.UploadMeter(t.Context(), "m")
		if err != nil || len(done) == 0 || done[0].Result == api.ResultFailed {
			t.Fatalf("upload: %+v, %v; %+v", done, err, b.sync.History(9, "", ""))
		}
	}
	b.live(0, snapshot)
	upload()
	there := b.registered()
	for store, uid := range map[*sqlite.Store]logdb.MeterUID{b.logs: "m", b.there: there} {
		if err := store.Compact(t.Context(), uid); err != nil {
			t.Fatal(err)
		}
	}
	b.live(1, snapshot)
	upload()
	b.post(there)
	if r := b.verify(0); !r.Clean() || r.Compared == 0 {
		t.Fatalf("nobody touched it: %+v", r)
	}
	return dir
}

func (b *twoNodes) registered() logdb.MeterUID {
	b.t.Helper()
	all, err := b.there.Meters(b.t.Context())
	if err != nil || len(all) != 1 {
		b.t.Fatal(all, err)
	}
	return all[0]
}

func (b *twoNodes) append(kind logdb.Kind, snapshot logdb.Digest, open *logdb.OpenSet, rows []logdb.History, entries ...logdb.Entry) logdb.Position {
	b.t.Helper()
	batch := logdb.Batch{Meter: "m", Kind: kind, Rows: rows, Entries: entries, Snapshot: snapshot, Open: open}
	n := len(entries)
	for i := range rows {
		n += rows[i].Len()
	}
	for i := range n {
		batch.Raw = append(batch.Raw, []byte(fmt.Sprintf("raw %s %d", kind, i)))
	}
	done, err := b.logs.Append(b.t.Context(), batch)
	if err != nil {
		b.t.Fatal(err)
	}
	return done.First
}

// live lets the site record a day of everything.
func (b *twoNodes) live(day int, snapshot logdb.Digest) {
	b.t.Helper()
	t0 := tamperDay + logdb.Millis(day)*logdb.DayMillis + 10*60*oneMinute
	rows := func(log logdb.LogNo, step logdb.Millis, n int) logdb.History {
		h := logdb.History{Log: log, Channels: []logdb.ChannelKey{volts, wh}, Columns: make([][]float64, 2)}
		for i := range n {
			h.Times = append(h.Times, t0+logdb.Millis(i)*step)
			h.Columns[0], h.Columns[1] = append(h.Columns[0], 230+float64(i%17)/10), append(h.Columns[1], float64(i))
		}
		return h
	}
	first := b.append(logdb.KindHistorical, snapshot, nil, []logdb.History{rows(0, oneMinute, 60), rows(1, oneMinute/6, 60)})
	revised := logdb.Entry{Op: logdb.OpRevise, Target: first + 5, Time: t0 + 5*oneMinute, Replaces: logdb.Digest{1}, Row: &logdb.Row{Channels: []logdb.ChannelKey{volts, wh}, Values: []float64{999, 9}}, Why: "correction"}
	b.append(logdb.KindHistorical, snapshot, nil, nil, revised,
		logdb.Entry{Op: logdb.OpWithdraw, Target: first + 7, Time: t0 + 7*oneMinute, Replaces: logdb.Digest{1}},
		logdb.Entry{Op: logdb.OpGap, Time: t0 + 61*oneMinute, Gap: &logdb.Gap{From: t0 + 61*oneMinute, To: t0 + 70*oneMinute, Cause: logdb.GapUnreachable}},
		logdb.Entry{Op: logdb.OpClose, Log: 1, Time: t0 + 61*oneMinute})
	event := func(i int, v float64) logdb.Entry {
		return logdb.Entry{Op: logdb.OpAdd, Time: t0 + logdb.Millis(i)*7*oneMinute, Excursion: &logdb.Excursion{DurationSeconds: 1.5, Channel: volts, Worst: v, WorstPercent: 80, Threshold: 108}}
	}
	for _, kind := range []logdb.Kind{logdb.KindLimit, logdb.KindPQ} {
		open := &logdb.OpenSet{Starts: []logdb.OpenStart{{Start: t0 + 90*oneMinute, Event: logdb.Excursion{DurationSeconds: math.NaN(), Channel: volts, Worst: 1, WorstPercent: 1, Threshold: 1}, Raw: []byte("start")}}}
		p := b.append(kind, snapshot, open, nil, event(0, 90), event(1, 91), event(2, 92), event(3, 93))
		change := event(1, 95)
		change.Op, change.Target, change.Replaces = logdb.OpRevise, p+1, logdb.Digest{1}
		b.append(kind, snapshot, nil, nil, change)
	}
	var burst []logdb.Entry // more than a limit lets through
	for i := range 14 {
		e := event(0, float64(i))
		e.Time = t0 + 120*oneMinute + logdb.Millis(i)*2000
		burst = append(burst, e)
	}
	b.append(logdb.KindLimit, snapshot, nil, nil, burst...)
	system := func(i int, typ logdb.SystemType) logdb.Entry {
		return logdb.Entry{Op: logdb.OpAdd, Time: t0 + logdb.Millis(i)*oneMinute, System: &logdb.SystemEvent{Type: typ, Code: int64(i), Description: "it happened"}}
	}
	b.append(logdb.KindSystem, snapshot, nil, nil, system(0, logdb.SystemPowerLoss), system(1, logdb.SystemReset), system(2, logdb.SystemLogRetrieval), system(3, logdb.SystemReset))
	var waves []logdb.Entry
	for i := range 3 {
		samples := make([]float64, 128)
		for k := range samples {
			samples[k] = math.Round(325*math.Sin(float64(k+i)/8)*100) / 100
		}
		at := t0 + logdb.Millis(i)*20*oneMinute
		waves = append(waves, logdb.Entry{Op: logdb.OpAdd, Time: at, Waveform: &logdb.Waveform{
			End: at + 128, SampleIntervalMillis: 1, TriggerTime: at + 40, FrequencyHz: 50, Triggers: []string{"Van=Sag_start"}, Channels: []logdb.WaveChannel{{Name: "Van_Vab", Samples: samples}},
		}})
	}
	b.append(logdb.KindWaveform, snapshot, nil, nil, waves...)
}

// post uploads to the cloud what a meter without positions posts, with an end before its start, and what limits refuse.
func (b *twoNodes) post(there logdb.MeterUID) {
	b.t.Helper()
	limits := logdb.DefaultLimits()
	x := func(at logdb.Millis, seconds float64) logdb.Entry {
		return logdb.Entry{Op: logdb.OpAdd, Time: at, Excursion: &logdb.Excursion{DurationSeconds: seconds, Channel: volts, Worst: math.NaN(), WorstPercent: 50, Threshold: 1}}
	}
	t0 := tamperDay + 20*logdb.DayMillis
	rows := logdb.History{Channels: []logdb.ChannelKey{volts}, Times: []logdb.Millis{t0, t0 + 1000, t0 + oneMinute}, Columns: [][]float64{{1, 2, 3}}}
	for _, p := range []logdb.Page{
		{Kind: logdb.KindPQ, Entries: []logdb.Entry{x(t0, 2), x(t0+1000, math.NaN())}},
		{Kind: logdb.KindPQ, Entries: []logdb.Entry{x(t0, math.NaN())}},
		{Kind: logdb.KindHistorical, Rows: []logdb.History{rows}},
	} {
		p.Meter, p.Source = there, "key-1"
		if _, err := b.there.Accept(b.t.Context(), p, limits); err != nil {
			b.t.Fatal(err)
		}
	}
}

// copyFolder makes a copy of the databases.
func copyFolder(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	files, err := filepath.Glob(filepath.Join(from, "*.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(f)), data, 0o600)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return to
}
