package sqlite_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"metermanager/logdb"
)

// BenchmarkLadder asks the same of 180 days of 32 channels at a minute while they are in the database and when they are in the archive.
func BenchmarkLadder(b *testing.B) {
	s, ids, dir := halfYear(b)
	ctx := context.Background()
	last := day0 + 180*logdb.DayMillis
	ask180 := func(rung string) {
		visit := func(logdb.SeriesID, *logdb.Block) error { return nil }
		for _, q := range []struct {
			name  string
			n     int
			first logdb.Millis
			last  logdb.Millis
		}{{"1 channel, 1 day", 1, day0 + 100*logdb.DayMillis, day0 + 101*logdb.DayMillis}, {"8 channels, 180 days", 8, day0, last}} {
			b.Run(rung+"/"+q.name, func(b *testing.B) {
				for b.Loop() {
					if err := s.ReadSeries(ctx, ids[:q.n], q.first, q.last, visit); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		for name, step := range map[string]logdb.Millis{"hours": 4 * 60 * minute, "quarters": 4*60*minute + 15*minute, "minutes": 4*60*minute + minute} {
			edges := []logdb.Millis{}
			for at := day0; at <= last; at += step {
				edges = append(edges, at)
			}
			b.Run(fmt.Sprintf("%s/32 channels, 180 days, %d buckets cut at %s", rung, len(edges)-1, name), func(b *testing.B) {
				for b.Loop() {
					if err := s.ReadBuckets(ctx, ids, edges, func(logdb.SeriesID, []logdb.Bucket) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	ask180("database")
	began := time.Now()
	moved, err := s.Archive(ctx, "m", logdb.MaxTime)
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	files, err := s.ArchiveFiles(ctx, "m")
	if err != nil {
		b.Fatal(err)
	}
	var size, points, quarters int64
	for _, f := range files {
		size, points = size+f.Size, points+f.Points
	}
	if _, err := fmt.Sscanf(ask(b, dir, "SELECT sum(length(data)), 0 FROM quarter")[0], "%d:", &quarters); err != nil {
		b.Fatal(err)
	}
	b.Run("archive", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(float64(size)/float64(points), "fileB/point")
		b.ReportMetric(float64(quarters)/float64(points), "quarterB/point")
		b.ReportMetric(float64(moved.Points)/took.Seconds()/1e6, "Mpoints/s")
		b.ReportMetric(took.Seconds()*365/180, "s/meter-year")
	})
	ask180("archive")
}
