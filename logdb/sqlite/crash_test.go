package sqlite_test

import (
	"flag"
	"fmt"
	"sync"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqldb/simdisk"
	"metermanager/logdb/sqlite"
)

// How many runs with crashes, and from which seed on: go test ./logdb/sqlite -run Crash -seeds 5000
var (
	seeds     = flag.Int("seeds", 90, "runs with crashes")
	firstSeed = flag.Uint64("first-seed", 1, "the seed of the first run with crashes")
)

// simulated is where the log database is on a disk in memory.
const simulated = "/simulated/logs.db"

func newDisk(t testing.TB, seed uint64) *simdisk.Disk {
	t.Helper()
	d, err := simdisk.New(simdisk.Config{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// blank is a log database without data, so that not every run makes its tables.
func blank(t testing.TB) *simdisk.Image {
	t.Helper()
	d := newDisk(t, 0)
	s, err := sqlite.Open(ctx, simulated, sqlite.Config{VFS: d.VFS(), Archive: newCrashFiles()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	image, err := d.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestCrashes has the power go at any write, the disk fill up, become read-only and fail to sync.
func TestCrashes(t *testing.T) {
	t.Parallel()
	image := blank(t)
	logdbtest.RunCrashes(t, func(t testing.TB, seed uint64) logdbtest.Machine {
		d := newDisk(t, seed)
		if seed%4 != 0 { // every fourth makes its tables under faults, too
			if err := d.Restore(image); err != nil {
				t.Fatal(err)
			}
		}
		files := newCrashFiles()
		return logdbtest.Machine{Disk: &machineDisk{Disk: d, files: files}, Open: func(cfg logdbtest.Config) (logdb.Store, error) {
			return sqlite.Open(ctx, simulated, sqlite.Config{VFS: d.VFS(), Archive: files, Now: cfg.Now, NewJournalID: cfg.NewJournalID, CacheBytes: 4 << 20})
		}}
	}, logdbtest.Seeds(*firstSeed, *seeds)...)
}

// TestCrashInGroup has many write at once, so that commits are shared, until the power goes: every page that was
// answered is there, a page that was not is there whole or not at all, and none twice.
func TestCrashInGroup(t *testing.T) {
	t.Parallel()
	image := blank(t)
	for seed := range uint64(*seeds / 3) {
		d := newDisk(t, seed)
		if err := d.Restore(image); err != nil {
			t.Fatal(err)
		}
		s := openOn(t, d)
		d.CrashAfter(1 + int64(seed*7%90))
		const meters, rows = 6, 10
		var answered [meters]int
		var wg sync.WaitGroup
		for m := range meters {
			wg.Go(func() {
				for i := range 12 {
					first := logdb.Position(1 + i*rows)
					if _, err := s.Accept(ctx, page(uidOf(m), first, first+rows-1, volts), logdb.Limits{}); err != nil {
						return
					}
					answered[m]++
				}
			})
		}
		wg.Wait()
		if err := d.Crash(); err != nil {
			t.Fatal(err)
		}
		_ = s.Close() // its handles are dead
		s = openOn(t, d)
		for m, n := range answered {
			got := positionsOf(t, s, uidOf(m))
			if len(got) != n*rows && len(got) != (n+1)*rows {
				t.Errorf("seed %d: %d pages of meter %d were answered, %d rows are there", seed, n, m, len(got))
			}
			for p, times := range got {
				if times != 1 {
					t.Errorf("seed %d: position %d of meter %d is there %d times", seed, p, m, times)
				}
			}
			same(t, s, uidOf(m), logdb.KindHistorical)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func uidOf(m int) logdb.MeterUID { return logdb.MeterUID(fmt.Sprint("m", m)) }

func openOn(t testing.TB, d *simdisk.Disk) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(ctx, simulated, sqlite.Config{VFS: d.VFS(), Archive: newCrashFiles(), CacheBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
