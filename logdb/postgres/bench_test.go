package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/postgres"
	"metermanager/logdb/sqldb/sqldbtest"
	"metermanager/logdb/sqlite"
)

// The commits wait for the disk only with METERMANAGER_TEST_POSTGRES_FSYNC=on, which make bench sets.

const (
	benchDay0     = logdb.Millis(1_700_006_400_000)
	benchMinute   = logdb.Millis(60_000)
	benchChannels = 32
)

// walk makes n rows as one meter gives them: 0 to 5 decimals, slow changes.
func walk(rnd *rand.Rand, first logdb.Millis, n int) logdb.History {
	h := logdb.History{Columns: make([][]float64, benchChannels)}
	for i := range n {
		h.Times = append(h.Times, first+logdb.Millis(i)*benchMinute)
	}
	for c, entry := range logdb.Catalogue()[:benchChannels] {
		p := []float64{1, 10, 100, 1000, 1e5}[c%5]
		v := 120 * p
		for range n {
			v += float64(rnd.IntN(7) - 3)
			h.Columns[c] = append(h.Columns[c], v/p)
		}
		h.Channels = append(h.Channels, entry.Key)
	}
	return h
}

func openBench(b *testing.B) *sqlite.Store {
	b.Helper()
	s, err := postgres.Open(context.Background(), sqldbtest.Postgres(b), b.TempDir(), sqlite.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkAccept takes pages of many meters at once. With several databases each has its own turn to write, as if each group of meters had a
// lock of its own: what that gains is the most that finer locks could.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct{ rows, senders, databases int }{{15, 1, 1}, {15, 64, 1}, {15, 64, 2}, {15, 64, 4}, {1000, 1, 1}, {1000, 64, 1}, {1000, 64, 2}, {1000, 64, 4}} {
		b.Run(fmt.Sprintf("rows=%d/senders=%d/databases=%d", c.rows, c.senders, c.databases), func(b *testing.B) {
			benchmarkAccept(b, c.rows, c.senders, c.databases)
		})
	}
}

func benchmarkAccept(b *testing.B, rows, senders, databases int) {
	var stores []*sqlite.Store
	for range databases {
		stores = append(stores, openBench(b))
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for k := range senders {
		wg.Go(func() {
			h := walk(rand.New(rand.NewPCG(1, uint64(k))), benchDay0, rows)
			h.Positions = make([]logdb.Position, rows)
			stream := logdb.StreamID{Journal: logdb.JournalID(fmt.Sprintf("%032x", k)), Policy: "1"}
			for p := logdb.Position(0); left.Add(-1) >= 0; {
				for i := range h.Times {
					p++
					h.Positions[i], h.Times[i] = p, benchDay0+logdb.Millis(p)*benchMinute
				}
				page := logdb.Page{Meter: logdb.MeterUID(fmt.Sprint("m", k)), Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: p}
				if _, err := stores[k%databases].Accept(context.Background(), page, logdb.DefaultLimits()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(benchChannels*rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}

// BenchmarkHalfYear reads 180 days of 32 channels at a minute, as the benchmark of that name does from a file.
func BenchmarkHalfYear(b *testing.B) {
	s := openBench(b)
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(1, 2))
	for d := range 180 {
		if _, err := s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Rows: []logdb.History{walk(rnd, benchDay0+logdb.Millis(d)*logdb.DayMillis, 1440)}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Compact(ctx, "m"); err != nil {
		b.Fatal(err)
	}
	list, err := s.Series(ctx, "m")
	if err != nil {
		b.Fatal(err)
	}
	var ids []logdb.SeriesID
	for _, x := range list {
		ids = append(ids, x.ID)
	}
	last := benchDay0 + 180*logdb.DayMillis
	visit := func(logdb.SeriesID, *logdb.Block) error { return nil }
	read := func(name string, n int, from, to logdb.Millis) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := s.ReadSeries(ctx, ids[:n], from, to, visit); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	read("day", 1, benchDay0+100*logdb.DayMillis, benchDay0+101*logdb.DayMillis)
	for _, n := range []int{1, 8, 32} {
		read(fmt.Sprintf("read/channels=%d", n), n, benchDay0, last)
	}
	for name, step := range map[string]logdb.Millis{"tier": 240 * benchMinute, "exact": 241 * benchMinute} {
		edges := []logdb.Millis{}
		for at := benchDay0; at <= last; at += step {
			edges = append(edges, at)
		}
		b.Run("buckets/"+name+"/channels=32", func(b *testing.B) {
			for b.Loop() {
				if err := s.ReadBuckets(ctx, ids, edges, func(logdb.SeriesID, []logdb.Bucket) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("series", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Series(ctx, "m"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
