package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
)

const (
	minute = logdb.Millis(60_000)
	day0   = logdb.Millis(1_700_006_400_000) // 2023-11-15
)

func openStore(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(path, "logs.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// channels are n channel keys.
func channels(n int) []logdb.ChannelKey {
	var out []logdb.ChannelKey
	for _, c := range logdb.Catalogue()[:min(n, len(logdb.Catalogue()))] {
		out = append(out, c.Key)
	}
	return out
}

// load makes n rows of a meter's log as one meter gives them: 0 to 5 decimals, slow changes.
func load(rnd *rand.Rand, keys []logdb.ChannelKey, first logdb.Millis, step logdb.Millis, n int) logdb.History {
	h := logdb.History{Channels: keys, Times: make([]logdb.Millis, n), Columns: make([][]float64, len(keys))}
	for i := range h.Times {
		h.Times[i] = first + logdb.Millis(i)*step
	}
	for c := range keys {
		p := []float64{1, 10, 100, 1000, 1e5}[c%5]
		v := 120 * p
		h.Columns[c] = make([]float64, n)
		for i := range h.Columns[c] {
			v += float64(rnd.IntN(7) - 3)
			h.Columns[c][i] = v / p
		}
	}
	return h
}

func reportPoints(b *testing.B, points int) {
	b.ReportMetric(float64(points)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
}

func BenchmarkAppend(b *testing.B) {
	s := openStore(b, b.TempDir())
	defer s.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	h := load(rnd, channels(32), day0, minute, 1000)
	at := day0
	for b.Loop() {
		for i := range h.Times {
			h.Times[i] = at
			at += minute
		}
		if _, err := s.Append(context.Background(), logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
			b.Fatal(err)
		}
	}
	reportPoints(b, 32*1000)
}

// BenchmarkAccept takes pages of many meters at once, as a cloud does: the group commit shares the sync.
func BenchmarkAccept(b *testing.B) {
	for _, rows := range []int{15, 1000} {
		for _, senders := range []int{1, 64} {
			b.Run(fmt.Sprintf("rows=%d/senders=%d", rows, senders), func(b *testing.B) { benchmarkAccept(b, rows, senders) })
		}
	}
}

func benchmarkAccept(b *testing.B, rows, senders int) {
	s := openStore(b, b.TempDir())
	defer s.Close()
	keys := channels(32)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for k := range senders {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(k)))
			h := load(rnd, keys, day0, minute, rows)
			h.Positions = make([]logdb.Position, rows)
			stream := logdb.StreamID{Journal: logdb.JournalID(fmt.Sprintf("%032x", k)), Policy: "1"}
			for p := logdb.Position(0); left.Add(-1) >= 0; {
				for i := range h.Times {
					p++
					h.Positions[i], h.Times[i] = p, day0+logdb.Millis(p)*minute
				}
				page := logdb.Page{Meter: logdb.MeterUID(fmt.Sprint("m", k)), Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: p}
				if _, err := s.Accept(context.Background(), page, logdb.DefaultLimits()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	reportPoints(b, 32*rows)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}

// halfYear returns a compacted store of 180 days of 32 channels at 1 minute.
func halfYear(b *testing.B) (*sqlite.Store, []logdb.SeriesID, string) {
	b.Helper()
	dir := b.TempDir()
	s := openStore(b, dir)
	b.Cleanup(func() { _ = s.Close() })
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(1, 2))
	for d := range 180 {
		h := load(rnd, channels(32), day0+logdb.Millis(d)*logdb.DayMillis, minute, 1440)
		if _, err := s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
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
	return s, ids, dir
}

func BenchmarkHalfYear(b *testing.B) {
	s, ids, dir := halfYear(b)
	ctx := context.Background()
	last := day0 + 180*logdb.DayMillis
	count := 0
	visit := func(_ logdb.SeriesID, x *logdb.Block) error { count += x.Len(); return nil }
	for _, n := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("read/channels=%d", n), func(b *testing.B) {
			for b.Loop() {
				count = 0
				if err := s.ReadSeries(ctx, ids[:n], day0, last, visit); err != nil {
					b.Fatal(err)
				}
			}
			reportPoints(b, count)
		})
	}
	b.Run("day", func(b *testing.B) {
		for b.Loop() {
			if err := s.ReadSeries(ctx, ids[:1], day0+100*logdb.DayMillis, day0+101*logdb.DayMillis, visit); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, step := range map[string]logdb.Millis{"tier": 4 * 3_600_000, "exact": 4*3_600_000 + 60_000} {
		edges := []logdb.Millis{}
		for at := day0; at <= last; at += step {
			edges = append(edges, at)
		}
		b.Run(fmt.Sprintf("buckets/%s/channels=32", name), func(b *testing.B) {
			for b.Loop() {
				if err := s.ReadBuckets(ctx, ids, edges, func(logdb.SeriesID, []logdb.Bucket) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(edges)-1), "buckets")
		})
	}
	b.Run("size", func(b *testing.B) {
		for b.Loop() {
			var chunks, rolls int64
			sizes := ask(b, dir, "SELECT (SELECT sum(length(data)) FROM chunk), (SELECT sum(length(data)) FROM roll)")
			if _, err := fmt.Sscanf(sizes[0], "%d:%d", &chunks, &rolls); err != nil {
				b.Fatal(err)
			}
			points := float64(32 * 180 * 1440)
			b.ReportMetric(float64(chunks)/points, "chunkB/point")
			b.ReportMetric(float64(rolls)/points, "tierB/point")
		}
	})
	b.Run("series", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Series(ctx, "m"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stream", func(b *testing.B) {
		states, err := s.Streams(ctx, "m", logdb.KindHistorical)
		if err != nil {
			b.Fatal(err)
		}
		p := logdb.Position(1)
		for b.Loop() {
			page, err := s.ReadStream(ctx, "m", logdb.KindHistorical, states[0].Stream, p, 1000)
			if err != nil || len(page.Rows) == 0 {
				b.Fatal(err)
			}
			p += 1000
			if p > 200_000 {
				p = 1
			}
		}
		reportPoints(b, 32*1000)
	})
}

func BenchmarkCompact(b *testing.B) {
	for b.Loop() {
		halfYear(b)
	}
}
