package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
)

var (
	ctx    = context.Background()
	stream = logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: "1"}
)

// page makes rows of positions first to last, one a minute, in one channel of each key.
func page(uid logdb.MeterUID, first, last logdb.Position, keys ...logdb.ChannelKey) logdb.Page {
	h := logdb.History{Channels: keys, Columns: make([][]float64, len(keys))}
	for p := first; p <= last; p++ {
		h.Positions, h.Times = append(h.Positions, p), append(h.Times, day0+logdb.Millis(p)*minute)
		for c := range keys {
			h.Columns[c] = append(h.Columns[c], float64(p)/10)
		}
	}
	return logdb.Page{Meter: uid, Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: 1_000_000}
}

const volts = logdb.ChannelKey("readings.voltage.an")

func accept(t testing.TB, s *sqlite.Store, p logdb.Page) logdb.Receipt {
	t.Helper()
	r, err := s.Accept(ctx, p, logdb.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// positionsOf reads how often each position of a meter's only channel is there.
func positionsOf(t testing.TB, s *sqlite.Store, uid logdb.MeterUID) map[logdb.Position]int {
	t.Helper()
	out := map[logdb.Position]int{}
	list, err := s.Series(ctx, uid)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		err := s.ReadSeries(ctx, []logdb.SeriesID{x.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			for _, p := range b.Positions {
				out[p]++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestKilled takes the files away from a store that is still open, as a kill or a power loss would, and
// opens them elsewhere: everything that was acknowledged is there, once.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir, after := t.TempDir(), t.TempDir()
	s := openStore(t, dir)
	defer s.Close()
	for i := range logdb.Position(20) {
		accept(t, s, page("m", 1+i*10, 10+i*10, volts))
		if i == 12 {
			if err := s.Compact(ctx, "m"); err != nil {
				t.Fatal(err)
			}
		}
	}
	copyFiles(t, dir, after)
	killed := openStore(t, after)
	defer killed.Close()
	got := positionsOf(t, killed, "m")
	for p := logdb.Position(1); p <= 200; p++ {
		if got[p] != 1 {
			t.Fatalf("position %d is there %d times", p, got[p])
		}
	}
	if r := accept(t, killed, page("m", 150, 210, volts)); r.Stored != 10 || r.Repeats != 51 {
		t.Errorf("receipt %+v", r)
	}
	same(t, killed, "m", logdb.KindHistorical)
}

func copyFiles(t testing.TB, from, to string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(from, "logs.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if filepath.Ext(name) == ".db-shm" {
			continue // memory, not data
		}
		data, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(name)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// same checks that what the store holds is what it claims to hold.
func same(t testing.TB, s *sqlite.Store, uid logdb.MeterUID, kind logdb.Kind) {
	t.Helper()
	states, err := s.Streams(ctx, uid, kind)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range states {
		digests, err := s.Digests(ctx, uid, kind, st.Stream)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range digests {
			if d.Data != d.Claim {
				t.Errorf("%s %s on %s: data %+v, claim %+v", kind, d.Channel, d.Day, d.Data, d.Claim)
			}
		}
	}
}

// TestManyWriters has the same pages come from many at once: each position is stored once, and a page that
// contradicts the journal fails alone.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	defer s.Close()
	first := page("m", 1, 1, volts)
	first.Chain = logdb.DigestOf([]byte("one"))
	accept(t, s, first)
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored, conflicts := 0, 0
	for i := range 200 {
		wg.Go(func() {
			p := page("m", 2+logdb.Position(i/2), 6+logdb.Position(i/2), volts)
			if i%10 == 3 {
				p.Chain = logdb.DigestOf([]byte("another"))
			}
			r, err := s.Accept(ctx, p, logdb.Limits{})
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, logdb.ErrConflict) {
				conflicts++
			} else if err != nil {
				t.Error(err)
			}
			stored += r.Stored
		})
	}
	wg.Wait()
	if stored != 104 || conflicts != 20 {
		t.Errorf("stored %d, want 104; %d conflicts, want 20", stored, conflicts)
	}
	for p, n := range positionsOf(t, s, "m") {
		if n != 1 {
			t.Errorf("position %d is there %d times", p, n)
		}
	}
	same(t, s, "m", logdb.KindHistorical)
}

func TestGivenUp(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Accept(canceled, page("m", 1, 5, volts), logdb.Limits{}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	} else if n := len(positionsOf(t, s, "m")); (err == nil) != (n == 5) {
		t.Errorf("err %v, but %d positions are stored", err, n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(ctx, page("m", 1, 5, volts), logdb.Limits{}); err == nil {
		t.Error("a closed store accepted a page")
	}
}

// TestOtherWriter has another process change the file: what the writer had cached must not be trusted.
func TestOtherWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := openStore(t, dir), openStore(t, dir)
	defer a.Close()
	defer b.Close()
	for i := range logdb.Position(10) {
		accept(t, a, page("m", 1+i*20, 10+i*20, volts))
		if r := accept(t, b, page("m", 1+i*20, 20+i*20, volts)); r.Repeats != 10 || r.Stored != 10 {
			t.Fatalf("receipt %+v", r)
		}
	}
	for p, n := range positionsOf(t, a, "m") {
		if n != 1 {
			t.Errorf("position %d is there %d times", p, n)
		}
	}
	same(t, a, "m", logdb.KindHistorical)
}

// TestTampering changes rows by hand: what the data say then differs from what was claimed.
func TestTampering(t *testing.T) {
	t.Parallel()
	event := func(p logdb.Position) logdb.Entry {
		return logdb.Entry{Position: p, Op: logdb.OpAdd, Time: day0 + logdb.Millis(p), System: &logdb.SystemEvent{Type: 1, Code: int64(p), Description: "x"}}
	}
	wave := func(p logdb.Position) logdb.Entry {
		w := &logdb.Waveform{End: day0 + 100, SampleIntervalMillis: 0.5, Channels: []logdb.WaveChannel{{Name: "Ia", Samples: []float64{1, 2, 3, 4.5}}}}
		return logdb.Entry{Position: p, Op: logdb.OpAdd, Time: day0 + logdb.Millis(p), Waveform: w}
	}
	for name, tt := range map[string]struct {
		kind    logdb.Kind
		compact bool
		change  string
	}{
		"head deleted":        {logdb.KindHistorical, false, "DELETE FROM head"},
		"head altered":        {logdb.KindHistorical, false, "UPDATE head SET data = CAST(substr(data, 1, length(data) - 1) || x'77' AS BLOB)"},
		"head hidden":         {logdb.KindHistorical, false, "UPDATE head SET log = 7"},
		"chunk deleted":       {logdb.KindHistorical, true, "DELETE FROM chunk"},
		"chunk altered":       {logdb.KindHistorical, true, "UPDATE chunk SET data = CAST(substr(data, 1, 10) || x'55' || substr(data, 12) AS BLOB)"},
		"chunk swapped":       {logdb.KindHistorical, true, "UPDATE chunk SET id = id + (200 << 24)"},
		"series deleted":      {logdb.KindHistorical, true, "DELETE FROM series WHERE channel <> 0"},
		"event deleted":       {logdb.KindSystem, false, "DELETE FROM entry WHERE position = 2"},
		"event moved":         {logdb.KindSystem, false, "UPDATE entry SET time_ms = time_ms + 1 WHERE position = 2"},
		"event altered":       {logdb.KindSystem, false, "UPDATE entry SET data = CAST(substr(data, 1, length(data) - 1) || 'y' AS BLOB) WHERE position = 2"},
		"event filed wrongly": {logdb.KindSystem, false, "UPDATE entry SET code = code + 1 WHERE position = 2"},
		"event no longer so":  {logdb.KindSystem, false, "UPDATE entry SET live = 0 WHERE position = 2"},
		"samples deleted":     {logdb.KindWaveform, false, "DELETE FROM sample"},
		"samples altered":     {logdb.KindWaveform, false, "UPDATE sample SET data = CAST(substr(data, 1, length(data) - 1) || x'01' AS BLOB)"},
		"recording truncated": {logdb.KindWaveform, false, "UPDATE entry SET data = substr(data, 1, 9)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openStore(t, dir)
			defer s.Close()
			p := logdb.Page{Meter: "m", Kind: tt.kind, Stream: stream, JournalEnd: 9}
			switch tt.kind {
			case logdb.KindHistorical:
				p = page("m", 1, 50, volts)
			case logdb.KindSystem:
				p.Entries = []logdb.Entry{event(1), event(2), event(3)}
			case logdb.KindWaveform:
				p.Entries = []logdb.Entry{wave(1)}
			}
			accept(t, s, p)
			if tt.compact {
				if err := s.Compact(ctx, "m"); err != nil {
					t.Fatal(err)
				}
			}
			same(t, s, "m", tt.kind)
			byHand(t, dir, tt.change)
			digests, err := s.Digests(ctx, "m", tt.kind, stream)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range digests {
				if d.Data != d.Claim {
					return
				}
			}
			t.Errorf("not noticed: %+v", digests)
		})
	}
}

func byHand(t testing.TB, dir, change string) {
	t.Helper()
	db, err := sqldb.Open(ctx, filepath.Join(dir, "logs.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("PRAGMA defer_foreign_keys = 1"); err != nil {
			return err
		}
		r, err := tx.Exec(change)
		if err != nil {
			return err
		}
		if n, _ := r.RowsAffected(); n == 0 {
			return errors.New("nothing was changed")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func ask(t testing.TB, dir, query string) (out []string) {
	t.Helper()
	db, err := sqldb.Open(ctx, filepath.Join(dir, "logs.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Read().Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a, b int64
		if err := rows.Scan(&a, &b); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d:%d", a, b))
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}

// TestRun has the compactor work in the background until it is told to end.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		for i := range logdb.Position(3) {
			accept(t, s, page("m", 1+i*1000, 1000+i*1000, volts))
		}
		running, cancel := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- s.Run(running) }()
		waitMinutes(t, 3)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := len(positionsOf(t, s, "m")); n != 3000 {
			t.Errorf("%d values", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if got := ask(t, dir, "SELECT (SELECT count(*) FROM head), (SELECT count(*) > 0 FROM chunk)"); got[0] != "0:1" {
		t.Errorf("head pages and chunks: %v", got)
	}
}

// TestRunBesideDamage has a chunk of one meter damaged: what waits of the other is merged all the same.
func TestRunBesideDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	for _, uid := range []logdb.MeterUID{"damaged", "sound"} {
		accept(t, s, page(uid, 1, 2500, volts))
		if err := s.Compact(ctx, uid); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	byHand(t, dir, "UPDATE chunk SET crc = crc + 1 WHERE id / 16777216 IN (SELECT id FROM series WHERE stream = (SELECT min(id) FROM stream))")
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		for _, uid := range []logdb.MeterUID{"damaged", "sound"} {
			accept(t, s, page(uid, 2501, 5000, volts))
		}
		running, cancel := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- s.Run(running) }()
		waitMinutes(t, 2)
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Error(err)
		}
	})
	if got := ask(t, dir, "SELECT stream - (SELECT min(id) FROM stream), count(*) FROM head GROUP BY stream"); fmt.Sprint(got) != "[0:1]" {
		t.Errorf("pages that wait, by stream: %v", got)
	}
}
