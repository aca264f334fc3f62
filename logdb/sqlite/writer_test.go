package sqlite

import (
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// openForWriter opens a log database whose writer a test looks into.
func openForWriter(t *testing.T) *Store {
	t.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "logs.db"), Config{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// appendHalfHours appends n values from the beginning of 2025 on.
func appendHalfHours(t *testing.T, s *Store, uid logdb.MeterUID, n int) {
	t.Helper()
	h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: make([][]float64, 1)}
	first := logdb.MillisOf(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC))
	for i := range logdb.Millis(n) {
		h.Times = append(h.Times, first+i*30*60_000)
		h.Columns[0] = append(h.Columns[0], float64(i))
	}
	if _, err := s.Append(t.Context(), logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
		t.Fatal(err)
	}
}

// runEachTwice has every write of f share its group with one that fails after it has changed something: the group is rolled back, and the
// write runs again.
func runEachTwice(s *Store, f func()) {
	var over atomic.Bool
	put := func(run func(*txn) error) { s.writes.jobs <- &job{run: run, done: make(chan struct{})} }
	var spoil func(*txn) error
	spoil = func(*txn) error {
		for len(s.writes.jobs) == 0 && !over.Load() {
			runtime.Gosched()
		}
		if over.Load() {
			return nil
		}
		put(func(t *txn) error { t.changes++; return errors.New("no") })
		put(spoil)
		return nil
	}
	running := make(chan bool)
	put(func(t *txn) error { close(running); return spoil(t) }) // not in the group of what it waits for
	<-running
	f()
	over.Store(true)
}

// inDatabase counts the chunks that are in a file and in the database, and the cells of the 15-minute tier.
func inDatabase(t *testing.T, s *Store) (twice, quarters int) {
	t.Helper()
	err := s.snapshot(t.Context(), "count", func(c *conn) error {
		_, err := c.one([]any{&twice, &quarters}, `SELECT (SELECT count(*) FROM archived a JOIN chunk c ON c.id = a.chunk JOIN series s ON s.id = c.id / 16777216 WHERE s.channel <> 0 AND length(c.data) > 0),
			(SELECT count(*) FROM quarter)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return twice, quarters
}

// TestMovedTwice has each write of archiving run twice: what is in the file leaves the database all the same.
func TestMovedTwice(t *testing.T) {
	t.Parallel()
	s := openForWriter(t)
	appendHalfHours(t, s, "m", 48*90)
	runEachTwice(s, func() {
		moved, err := s.Archive(t.Context(), "m", logdb.MaxTime)
		if err != nil || moved.Points != 48*90 {
			t.Errorf("moved %+v, %v", moved, err)
		}
	})
	if twice, quarters := inDatabase(t, s); twice != 0 || quarters == 0 {
		t.Errorf("%d chunks are in a file and in the database, the 15-minute tier has %d cells", twice, quarters)
	}
}

// TestLeftBehind has values in the database that are in a file in use: the next run takes them out.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	s := openForWriter(t)
	appendHalfHours(t, s, "m", 48*90)
	change := func(queries ...string) {
		t.Helper()
		err := s.write(t.Context(), "change by hand", func(tx *txn) error {
			for _, query := range queries {
				if _, err := tx.exec(query); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	archiveAll := func() {
		t.Helper()
		if _, err := s.Archive(t.Context(), "m", logdb.MaxTime); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Compact(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	change("CREATE TABLE before AS SELECT id, data FROM chunk")
	archiveAll()
	change("UPDATE chunk SET data = (SELECT b.data FROM before b WHERE b.id = chunk.id)", "DELETE FROM quarter", "DROP TABLE before")
	if twice, _ := inDatabase(t, s); twice == 0 {
		t.Fatal("nothing was left behind")
	}
	archiveAll()
	if twice, quarters := inDatabase(t, s); twice != 0 || quarters == 0 {
		t.Errorf("%d chunks are in a file and in the database, the 15-minute tier has %d cells", twice, quarters)
	}
}

// TestFailedAppendLeavesNoHole has an append fail before it wrote anything, in a group that is committed: the next gets its position.
func TestFailedAppendLeavesNoHole(t *testing.T) {
	t.Parallel()
	s := openForWriter(t)
	ctx := t.Context()
	at := logdb.Millis(1_700_000_000_000)
	add := func(uid logdb.MeterUID) (logdb.Appended, error) {
		at++
		return s.Append(ctx, logdb.Batch{Meter: uid, Kind: logdb.KindSystem, Entries: []logdb.Entry{{Op: logdb.OpAdd, Time: at, System: &logdb.SystemEvent{Type: logdb.SystemPowerLoss}}}})
	}
	first, err := add("m")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write(ctx, "damage a record", func(tx *txn) error {
		_, err := tx.exec("UPDATE entry SET data = x'ff'")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	var failed, other error
	running := make(chan bool)
	calls.Go(func() {
		_ = s.write(ctx, "wait for both", func(*txn) error {
			close(running)
			for len(s.writes.jobs) < 2 {
				runtime.Gosched()
			}
			return nil
		})
	})
	<-running
	calls.Go(func() {
		_, failed = s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindSystem, Entries: []logdb.Entry{{Op: logdb.OpWithdraw, Target: 1, Time: 1_700_000_000_000, Why: "x"}}})
	})
	calls.Go(func() { _, other = add("another") })
	calls.Wait()
	if !errors.Is(failed, chunk.ErrDamaged) || other != nil {
		t.Fatalf("err %v and %v", failed, other)
	}
	next, err := add("m")
	if err != nil || next.First != first.Last+1 {
		t.Errorf("position %d comes after %d, %v", next.First, first.Last, err)
	}
	audit, err := s.Audit(ctx, "m", logdb.KindSystem, logdb.StreamID{Journal: next.Journal, Policy: "0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range audit.Findings {
		if f.Place != logdb.PlaceEntry {
			t.Errorf("found %+v", f)
		}
	}
}
