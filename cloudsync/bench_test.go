package cloudsync_test

import (
	"path/filepath"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
)

// BenchmarkUpload sends 30 days of one-minute rows of four channels from one log database to another.
func BenchmarkUpload(b *testing.B) {
	open := func() logdb.Store {
		store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "logs.db"), sqlite.Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := store.Close(); err != nil {
				b.Error(err)
			}
		})
		return store
	}
	const rows = 30 * 1440
	cloud := newFakeCloud()
	s := newSite(b, open(), cloud)
	s.settings(time.Minute)
	for i := 0; i < rows; i += 1440 {
		s.rows(0, every(time.Minute, start+logdb.Millis(i)*60_000, 1440)...)
	}
	for b.Loop() {
		b.StopTimer()
		cloud.store = open()
		clear(cloud.known)
		b.StartTimer()
		if _, err := s.sync.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
		s.upload()
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
