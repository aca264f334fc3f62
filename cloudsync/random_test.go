package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/fault"
)

// world plays a random life of a meter, its node, the network and the cloud.
type world struct {
	*site
	t0      *testing.T
	real    bool // logs in SQLite, here and at the cloud
	one     bool // one log of rows alone
	rng     *rand.Rand
	step    time.Duration // interval of log 0
	batches []logdb.Batch
	ids     int
	clock   map[logdb.LogNo]logdb.Millis
	run     uint32
	adds    map[logdb.Kind][]logdb.Position // of rows and events that may be changed
	frozen  map[string]bool                 // minutes that hold a row which was withdrawn or has no values
	empties bool                            // some rows have no values
	chosen  []logdb.ChannelKey              // of which many rows have none; nil: all
	trace   []string
}

// newLogs makes an empty log database: the reference model, or the real one.
func (w *world) newLogs(id func() logdb.JournalID) logdb.Store {
	w.t0.Helper()
	if !w.real {
		return logdbtest.NewModel(logdbtest.Config{NewJournalID: id})
	}
	return realLogsOf(w.t0, id)
}

func modelLogs(testing.TB) logdb.Store { return logdbtest.NewModel(logdbtest.Config{}) }

func realLogs(t testing.TB) logdb.Store { return realLogsOf(t, nil) }

func realLogsOf(t testing.TB, id func() logdb.JournalID) logdb.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "logs.db"), sqlite.Config{NewJournalID: id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the log database: %v", err)
		}
	})
	return store
}

func (w *world) newID() logdb.JournalID {
	w.ids++
	return logdb.JournalID(fmt.Sprintf("%024x00000000", w.ids))
}

func newWorld(t *testing.T, seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := &world{
		rng: rng, step: []time.Duration{10 * time.Second, 15 * time.Second, 25 * time.Second, time.Minute, 15 * time.Minute}[rng.IntN(5)],
		clock: map[logdb.LogNo]logdb.Millis{}, adds: map[logdb.Kind][]logdb.Position{}, frozen: map[string]bool{},
	}
	w.t0, w.real = t, seed%4 == 3
	cloud := newFakeCloud()
	cloud.store = w.newLogs(nil)
	w.site = newSite(t, w.newLogs(w.newID), cloud)
	w.empties = seed%3 == 1
	w.cfg.PageBytes = []int{300, 3000, 0}[rng.IntN(3)]
	w.cfg.PagesAtOnce = []int{1, 3, 0}[rng.IntN(3)]
	w.restart()
	w.settings(w.step)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("interval %v\n%s", w.step, strings.Join(w.trace, "\n"))
		}
	})
	return w
}

// choose sets which channels are uploaded.
func (w *world) choose() {
	w.t0.Helper()
	if w.chosen == nil {
		return
	}
	if err := w.sync.Set(w.t0.Context(), cloudsync.SettingChannels, string(w.chosen[0]+","+w.chosen[1])); err != nil {
		w.t0.Fatal(err)
	}
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *world) append(b logdb.Batch) logdb.Appended {
	w.t.Helper()
	b.Meter = meter
	w.batches = append(w.batches, b)
	a, err := w.logs.Append(w.t.Context(), b)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) bucket(log logdb.LogNo, run uint32, t logdb.Millis) string {
	return fmt.Sprint(log, run, w.bucketTime(log, t))
}

// slow logs have intervals from the full minute on, the others up to it.
func (w *world) slow(log logdb.LogNo) bool { return log == 0 && w.step >= time.Minute }

func (w *world) bucketTime(log logdb.LogNo, t logdb.Millis) logdb.Millis {
	f := t.Floor(60_000)
	if !w.slow(log) && f != t {
		f += 60_000
	}
	return f
}

func (w *world) row(log logdb.LogNo, run uint32, at logdb.Millis) logdb.History {
	h := logdb.History{Log: log, Run: run, Channels: channels, Times: []logdb.Millis{at}}
	empty := w.empties && w.rng.IntN(16) == 0
	if empty { // a late row finds only rows with values, which they may get later
		w.frozen[w.bucket(log, run, at)] = true
	}
	for c := range channels {
		v := math.Trunc(w.rng.Float64()*1e6) / 1000
		if w.rng.IntN(8) == 0 && c > 0 || empty || w.chosen != nil && c > 0 && w.rng.IntN(2) == 0 {
			v = math.NaN()
		}
		h.Columns = append(h.Columns, []float64{v})
	}
	return h
}

func (w *world) appendRows() {
	var b logdb.Batch
	b.Kind = logdb.KindHistorical
	for range 1 + w.rng.IntN(30) {
		log := logdb.LogNo(0)
		step := logdb.Millis(w.step.Milliseconds())
		if w.rng.IntN(4) == 0 && !w.one {
			log, step = 1, 20_000
		}
		if w.clock[log] == 0 {
			w.clock[log] = start + 10*logdb.DayMillis
		}
		w.clock[log] += step
		if w.rng.IntN(10) == 0 {
			w.clock[log] += logdb.Millis(w.rng.IntN(200_000))
		}
		b.Rows = append(b.Rows, w.row(log, w.run, w.clock[log]))
	}
	w.appendHistory(b)
	w.note("%d rows, now %v", len(b.Rows), w.clock)
}

func (w *world) appendHistory(b logdb.Batch) {
	a := w.append(b)
	for p := a.First; p <= a.Last; p++ {
		w.adds[b.Kind] = append(w.adds[b.Kind], p)
	}
}

// lateRow appends a row for an interval that may be closed. One that holds a row which was withdrawn or has no values is left
// alone: where no row has any the late one travels by itself, which is right and not what the oracle here computes.
func (w *world) lateRow() {
	at := w.clock[0] - logdb.Millis(w.rng.IntN(900_000))
	if w.clock[0] == 0 || at < start || w.frozen[w.bucket(0, w.run, at)] {
		return
	}
	w.appendHistory(logdb.Batch{Kind: logdb.KindHistorical, Rows: []logdb.History{w.row(0, w.run, at)}})
	w.note("late row at %d", at)
}

func (w *world) clockBack() {
	w.run++
	for log := range w.clock {
		w.clock[log] -= 240_000 + logdb.Millis(w.rng.IntN(3_000_000))
	}
	// A receiver holds the pace over runs and would refuse a row of the new run in the last minute of the old one.
	w.cloud.limits.HistoricalIntervalMillis = 0
	w.note("clock back, run %d", w.run)
}

func (w *world) change(kind logdb.Kind) {
	list := w.adds[kind]
	if len(list) == 0 {
		return
	}
	target := list[w.rng.IntN(len(list))]
	all := w.journalEntries(kind)
	i := slices.IndexFunc(all, func(e logdb.Entry) bool { return e.Position == target })
	if i < 0 {
		return
	}
	add := all[i]
	e := logdb.Entry{Op: logdb.OpRevise, Target: target, Replaces: add.ContentDigest(), Log: add.Log, Run: add.Run, Generation: add.Generation, Time: add.Time, By: "test", At: 1, Why: "because"}
	if w.chosen != nil && add.Row != nil {
	} else if w.rng.IntN(4) == 0 {
		e.Op = logdb.OpWithdraw
		w.frozen[w.bucket(add.Log, add.Run, add.Time)] = true
	}
	if e.Op == logdb.OpRevise {
		switch {
		case add.Row != nil:
			h := w.row(add.Log, add.Run, add.Time)
			e.Row = h.Entry(0).Row
		case add.Excursion != nil:
			x := *add.Excursion
			x.Worst = w.rng.Float64()
			e.Excursion = &x
		case add.System != nil:
			x := *add.System
			x.Description += "!"
			e.System = &x
		default:
			return
		}
	}
	w.append(logdb.Batch{Kind: kind, Entries: []logdb.Entry{e}})
	w.note("%s of %s %d", e.Op, kind, target)
}

func (w *world) events() {
	kind := []logdb.Kind{logdb.KindSystem, logdb.KindLimit, logdb.KindPQ, logdb.KindWaveform}[w.rng.IntN(4)]
	at := start + logdb.Millis(w.rng.IntN(20))*3_600_000
	var b logdb.Batch
	b.Kind = kind
	for range 1 + w.rng.IntN(25) {
		at += logdb.Millis(w.rng.IntN(3000))
		e := logdb.Entry{Op: logdb.OpAdd, Time: at}
		switch kind {
		case logdb.KindSystem:
			e.System = &logdb.SystemEvent{Type: logdb.SystemType(1 + w.rng.IntN(13)), Code: int64(w.rng.IntN(3)), Description: "x"}
		case logdb.KindWaveform:
			e.Waveform = w.recording(at)
		default:
			e.Excursion = &logdb.Excursion{DurationSeconds: 1.5, Channel: "readings.voltage.an", Worst: w.rng.Float64(), WorstPercent: 80, Threshold: 90}
		}
		b.Entries = append(b.Entries, e)
	}
	w.appendHistory(b)
	w.note("%d events of %s", len(b.Entries), kind)
}

func (w *world) recording(at logdb.Millis) *logdb.Waveform {
	n := 64
	if w.rng.IntN(3) == 0 {
		n = 3000
	}
	samples := make([]float64, n)
	for i := range samples {
		samples[i] = math.Round(w.rng.Float64() * 1000)
	}
	return &logdb.Waveform{
		End: at + logdb.Millis(n), SampleIntervalMillis: 1, TriggerTime: at + 40, FrequencyHz: 50,
		Triggers: []string{"Van=Sag_start"}, Channels: []logdb.WaveChannel{{Name: "Van_Vab", Samples: samples}},
	}
}

func (w *world) journalEntries(kind logdb.Kind) []logdb.Entry {
	w.t.Helper()
	head, err := w.logs.Journal(w.t.Context(), meter, kind)
	if errors.Is(err, logdb.ErrNotFound) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	page, err := w.logs.ReadStream(w.t.Context(), meter, kind, logdb.StreamID{Journal: head.ID, Policy: "0"}, 1, 1<<30)
	if err != nil {
		w.t.Fatal(err)
	}
	out := page.Entries
	for _, h := range page.Rows {
		for i := range h.Times {
			out = append(out, h.Entry(i))
		}
	}
	slices.SortFunc(out, func(a, b logdb.Entry) int { return compare(uint64(a.Position), uint64(b.Position)) })
	return out
}

// tryUpload uploads once over a network that loses requests and answers.
func (w *world) tryUpload() {
	lose := func(string) error {
		if w.rng.IntN(6) == 0 {
			return fault.New(fault.Unavailable, "lost")
		}
		return nil
	}
	w.cloud.before, w.cloud.after, w.cloud.hold = lose, lose, w.rng.IntN(5) == 0
	if w.rng.IntN(6) == 0 {
		calls := w.rng.IntN(8)
		w.cloud.after = func(string) error {
			if calls--; calls < 0 {
				w.kill() // the node ends between the cloud's answer and what it would do with it
			}
			return nil
		}
	}
	_, err := w.sync.RegisterMeter(w.t.Context(), meter)
	if err == nil {
		_, err = w.sync.UploadMeter(w.t.Context(), meter)
	}
	w.note("upload, %d pages so far: %v", w.cloud.pages, err)
	if errors.Is(err, runner.ErrStopped) || errors.Is(err, context.Canceled) {
		w.restart()
	} else if err != nil && !errors.Is(err, fault.Unavailable) && !errors.Is(err, fault.NotFound) {
		w.t.Fatalf("upload: %v", err)
	}
	w.cloud.before, w.cloud.after, w.cloud.hold = nil, nil, false
	if w.rng.IntN(2) == 0 {
		w.cloud.deliver(w.t, w.rng)
	}
}

// restore goes back to an older state of the log database, as a backup does.
func (w *world) restore() {
	n := w.rng.IntN(len(w.batches) + 1)
	w.note("restore %d of %d batches", n, len(w.batches))
	w.stop()
	old := w.batches[:n]
	ids := w.ids
	w.ids = 0
	w.logs = w.newLogs(w.newID)
	w.batches = nil
	w.adds = map[logdb.Kind][]logdb.Position{}
	w.settings(w.step)
	for _, b := range old {
		if len(b.Rows) > 0 || len(b.Entries) > 0 && b.Entries[0].Op == logdb.OpAdd {
			w.appendHistory(b)
			continue
		}
		w.append(b)
	}
	w.ids = ids + 100
	w.start()
}

func (w *world) loseRecords() {
	w.note("the sync's own database is lost")
	w.stop()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(w.path + suffix); err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
	}
	w.start()
	for name, value := range map[string]string{"etheria.client~host": "x", "cloud.apikey": "k", "etheria.client~enabled": "true"} {
		if err := w.sync.Set(w.t.Context(), name, value); err != nil {
			w.t.Fatal(err)
		}
	}
	w.choose()
}

func (w *world) play(ops int) {
	for range ops {
		switch n := w.rng.IntN(100); {
		case n < 40:
			w.appendRows()
		case n < 48:
			w.lateRow()
		case n < 51:
			w.clockBack()
		case n < 60:
			w.change(logdb.KindHistorical)
		case n < 63:
			w.append(logdb.Batch{Kind: logdb.KindHistorical, Entries: []logdb.Entry{{Op: logdb.OpClose, Log: logdb.LogNo(w.rng.IntN(2)), Run: w.run, Time: start}}})
			w.note("close")
		case n < 66:
			at := max(w.clock[0], start)
			w.append(logdb.Batch{Kind: logdb.KindHistorical, Entries: []logdb.Entry{{Op: logdb.OpGap, Run: w.run, Time: at, Gap: &logdb.Gap{From: at, To: at + 1000, Cause: logdb.GapUnreachable}}}})
			w.note("gap")
		case n < 76:
			w.events()
		case n < 80:
			w.change([]logdb.Kind{logdb.KindSystem, logdb.KindLimit, logdb.KindPQ}[w.rng.IntN(3)])
		case n < 92:
			w.tryUpload()
		case n < 95:
			for store, uid := range map[logdb.Store]logdb.MeterUID{w.logs: meter, w.cloud.store: "cloud-4711"} {
				if err := store.Compact(w.t.Context(), uid); err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
					w.t.Fatalf("compact: %v", err)
				}
			}
			w.restart()
			w.note("compact and restart")
		case n < 97:
			w.note("the receiver is emptied")
			w.cloud.store, w.cloud.held = w.newLogs(nil), nil
			w.cloud.known = map[logdb.MeterUID]bool{}
		default:
			switch w.rng.IntN(4) {
			case 0, 1:
				w.restore()
			case 2:
				w.loseRecords()
			}
		}
	}
	for log := range logdb.LogNo(2) {
		w.append(logdb.Batch{Kind: logdb.KindHistorical, Entries: []logdb.Entry{{Op: logdb.OpClose, Log: log, Run: w.run, Time: start}}})
	}
	if _, err := w.sync.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.upload()
	w.cloud.deliver(w.t, w.rng)
	if _, err := w.sync.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.upload()
}

func TestRandomLives(t *testing.T) {
	t.Parallel()
	lives := 24 // LIVES=400 for a long run
	if n, err := strconv.Atoi(os.Getenv("LIVES")); err == nil {
		lives = n
	}
	if testing.Short() {
		lives = 8
	}
	for seed := range uint64(lives) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			if seed%3 == 2 {
				w.chosen = channels[1:3]
				w.choose()
			}
			w.play(60)
			view, _, err := w.sync.For("").View(t.Context(), meter, logdb.KindHistorical)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "historical values", points(t, w.cloud.store, "cloud-4711", view.Name), w.wantPoints())
			for _, kind := range logdb.Kinds[1:] {
				head, err := w.logs.Journal(t.Context(), meter, kind)
				if errors.Is(err, logdb.ErrNotFound) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				same(t, kind.String(), w.haveEvents(kind, head.ID), w.wantEvents(kind))
			}
			w.clean()
		})
	}
}
