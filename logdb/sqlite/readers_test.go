package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
)

// TestReadsDoNotWaitForWrites holds a write open: every read answers what was there before, while a write of the store waits.
func TestReadsDoNotWaitForWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	defer s.Close()
	accept(t, s, page("m", 1, 20, volts))
	db, err := sqldb.Open(ctx, filepath.Join(dir, "logs.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stored := make(chan error, 1)
	err = db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`UPDATE meter SET uid = 'gone' WHERE uid = 'm'`); err != nil {
			return err
		}
		go func() {
			_, err := s.Accept(ctx, page("m", 21, 30, volts), logdb.Limits{})
			stored <- err
		}()
		list, err := s.Series(ctx, "m")
		if err != nil {
			return err
		}
		n := 0
		for _, x := range list {
			err := s.ReadSeries(ctx, []logdb.SeriesID{x.ID}, logdb.MinTime, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error { n += b.Len(); return nil })
			if err != nil {
				return err
			}
		}
		if n != 20*len(list) || len(list) == 0 {
			t.Errorf("a read beside a write has %d values of %d series", n, len(list))
		}
		if _, err := s.Streams(ctx, "m", logdb.KindHistorical); err != nil {
			return err
		}
		select {
		case err := <-stored:
			t.Errorf("a write did not wait for the other: %v", err)
		default:
		}
		_, err = tx.Exec(`UPDATE meter SET uid = 'm' WHERE uid = 'gone'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-stored; err != nil {
		t.Fatal(err)
	}
	for p, n := range positionsOf(t, s, "m") {
		if n != 1 {
			t.Errorf("position %d is there %d times", p, n)
		}
	}
	same(t, s, "m", logdb.KindHistorical)
}

// TestReadFromADiskThatGoes: the disk is gone in the midst of a read. That and what follows fail; nothing panics, at the end neither.
func TestReadFromADiskThatGoes(t *testing.T) {
	t.Parallel()
	d := newDisk(t, 1)
	s, err := sqlite.Open(ctx, simulated, sqlite.Config{VFS: d.VFS(), Archive: newCrashFiles()})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, page("m", 1, 20, volts))
	list, err := s.Series(ctx, "m")
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	_ = s.ReadSeries(ctx, []logdb.SeriesID{list[0].ID}, logdb.MinTime, logdb.MaxTime, func(logdb.SeriesID, *logdb.Block) error {
		return d.Crash()
	})
	if _, err := s.Snapshot(ctx, "m", logdb.Digest{1}); err == nil || errors.Is(err, logdb.ErrNotFound) {
		t.Errorf("a read from a disk that is gone: %v", err)
	}
	_ = s.Close() // the disk is gone
}

// TestTogether: reads that are made together see one state, whatever is written meanwhile; one within another and one that comes when they are
// over are answered too.
func TestTogether(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	defer s.Close()
	accept(t, s, page("m", 1, 20, volts))
	count := func(ctx context.Context) int64 {
		t.Helper()
		list, err := s.Series(ctx, "m")
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].Count
	}
	var late context.Context
	asked := errors.New("from within")
	err := s.Together(ctx, func(all context.Context) error {
		late = all
		if n := count(all); n != 20 {
			t.Errorf("%d values", n)
		}
		accept(t, s, page("m", 21, 30, volts))
		if n := count(all); n != 20 {
			t.Errorf("%d values of the state that was read before", n)
		}
		list, err := s.Series(all, "m")
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		err = s.ReadSeries(all, []logdb.SeriesID{list[0].ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			seen += b.Len()
			if n := count(all); n != 30 { // within a read: apart from it
				t.Errorf("%d values within a read", n)
			}
			return nil
		})
		if err != nil || seen != 20 {
			t.Errorf("%d values were read, %v", seen, err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if list, err := s.Series(all, "m"); err != nil || len(list) != 1 {
					t.Error(list, err)
				}
			})
		}
		wg.Wait()
		return asked
	})
	if err != asked {
		t.Errorf("err %v, want that of the reads as it was", err)
	}
	if n := count(late); n != 30 {
		t.Errorf("%d values when it is over", n)
	}
}
