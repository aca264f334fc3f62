package sqlite_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
)

// waitMinutes lets the time of a bubble pass.
func waitMinutes(t testing.TB, n int) {
	t.Helper()
	timer := time.NewTimer(time.Duration(n) * time.Minute)
	<-timer.C
}

func appendRows(t testing.TB, s *sqlite.Store, h logdb.History) {
	t.Helper()
	if _, err := s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
		t.Fatal(err)
	}
}

// TestChunkDays checks that chunks hold 4000 to 24000 values, whole days, whatever the interval.
func TestChunkDays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		step logdb.Millis
		rows int
		want string // days of a chunk : number of chunks
	}{
		{"15 minutes", 15 * minute, 96 * 56, "28:3"},
		{"5 minutes", 5 * minute, 288 * 28, "28:2"},
		{"1 minute", minute, 1440 * 28, "7:5"},
		{"10 seconds", 10_000, 8640 * 8, "1:8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openStore(t, dir)
			defer s.Close()
			h := load(rand.New(rand.NewPCG(1, 1)), channels(1), day0, tt.step, tt.rows)
			appendRows(t, s, h)
			if err := s.Compact(ctx, "m"); err != nil {
				t.Fatal(err)
			}
			if got := ask(t, dir, "SELECT days, count(*) FROM chunk WHERE id >> 24 = 2 GROUP BY days"); len(got) != 1 || got[0] != tt.want {
				t.Errorf("days and chunks %v, want %s", got, tt.want)
			}
			if got := positionsOf(t, s, "m"); len(got) != tt.rows {
				t.Errorf("%d values, want %d", len(got), tt.rows)
			}
		})
	}
}

// point is one value of the reference in these tests.
type point struct {
	at logdb.Millis
	p  logdb.Position
	v  float64
}

func values(t testing.TB, s *sqlite.Store, id logdb.SeriesID, first, last logdb.Millis) (out []point) {
	t.Helper()
	err := s.ReadSeries(ctx, []logdb.SeriesID{id}, first, last, func(_ logdb.SeriesID, b *logdb.Block) error {
		for i, v := range b.AppendValues(nil) {
			out = append(out, point{b.Times[i], b.Positions[i], v})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkBuckets compares buckets with a loop over all values.
func checkBuckets(t testing.TB, s *sqlite.Store, x logdb.Series, all []point, edges []logdb.Millis) {
	t.Helper()
	covers := logdb.LookupChannel(x.Channel).CoversInterval
	err := s.ReadBuckets(ctx, []logdb.SeriesID{x.ID}, edges, func(_ logdb.SeriesID, got []logdb.Bucket) error {
		for i := range got {
			want := logdb.EmptyBucket()
			for _, p := range all {
				in := p.at >= edges[i] && p.at < edges[i+1]
				if covers {
					in = p.at > edges[i] && p.at <= edges[i+1]
				}
				if !in {
					continue
				}
				if want.Count == 0 {
					want = logdb.Bucket{Min: p.v, Max: p.v, First: p.v, FirstTime: p.at}
				}
				want.Count++
				want.Min, want.Max, want.Sum = min(want.Min, p.v), max(want.Max, p.v), want.Sum+p.v
				want.Last, want.LastTime = p.v, p.at
			}
			g := got[i]
			if math.Abs(g.Sum-want.Sum) < 1e-9*math.Abs(want.Sum)+1e-9 {
				g.Sum = want.Sum
			}
			if fmt.Sprint(g) != fmt.Sprint(want) {
				t.Fatalf("%s from %s to %s: %+v, want %+v", x.Channel, edges[i], edges[i+1], got[i], want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGrowth lets a log begin with few rows and grow to many, out of order, with changes and a new zone, compacting
// now and then; values and buckets stay what they should be.
func TestGrowth(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	defer s.Close()
	rnd := rand.New(rand.NewPCG(4, 2))
	keys := []logdb.ChannelKey{volts, "energy.interval.wh.received"}
	reference := map[logdb.Position]point{}
	next := logdb.Position(1)
	send := func(first, step logdb.Millis, n int) {
		h := load(rnd, keys, first, step, n)
		h.Columns[1] = h.Columns[0]
		for i := range h.Times {
			h.Positions = append(h.Positions, next)
			reference[next] = point{h.Times[i], next, h.Columns[0][i]}
			next++
		}
		accept(t, s, logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: next})
	}
	change := func() {
		target := logdb.Position(1 + rnd.IntN(int(next)-1))
		old, ok := reference[target]
		if !ok {
			return
		}
		e := logdb.Entry{Position: next, Op: logdb.OpWithdraw, Target: target, Time: old.at}
		delete(reference, target)
		if rnd.IntN(3) > 0 {
			moved := point{old.at + logdb.Millis(rnd.IntN(3)-1)*logdb.DayMillis*20, target, old.v + 0.25}
			e.Op, e.Time, e.Row = logdb.OpRevise, moved.at, &logdb.Row{Channels: keys, Values: []float64{moved.v, moved.v}}
			reference[target] = moved
		}
		next++
		accept(t, s, logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, Entries: []logdb.Entry{e}, JournalEnd: next})
	}
	zones := []string{"UTC", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin"}
	for round := range 12 {
		switch round % 4 {
		case 0:
			send(day0+logdb.Millis(rnd.IntN(30))*logdb.DayMillis, 15*minute, 500)
		case 1:
			send(day0+logdb.Millis(rnd.IntN(60))*logdb.DayMillis, minute, 9000)
		case 2:
			send(day0-logdb.Millis(rnd.IntN(60))*logdb.DayMillis+minute/2, minute, 3000)
		case 3:
			for range 30 {
				change()
			}
		}
		if rnd.IntN(2) == 0 {
			if err := s.PutSettings(ctx, "m", logdb.Settings{Zone: zones[rnd.IntN(len(zones))]}); err != nil {
				t.Fatal(err)
			}
			if err := s.Compact(ctx, "m"); err != nil {
				t.Fatal(err)
			}
		}
		all := make([]point, 0, len(reference))
		for _, p := range reference {
			all = append(all, p)
		}
		slices.SortFunc(all, func(a, b point) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.p, b.p)) })
		list, err := s.Series(ctx, "m")
		if err != nil || len(list) != 2 {
			t.Fatalf("series %v, %v", list, err)
		}
		for _, x := range list {
			if got := values(t, s, x.ID, 0, logdb.MaxTime); !slices.Equal(got, all) {
				t.Fatalf("round %d: %d values of %s, want %d", round, len(got), x.Channel, len(all))
			}
			last := all[len(all)-1]
			if x.Count != int64(len(all)) || x.First != all[0].at || x.Last != last.at || x.LastValue != last.v {
				t.Errorf("round %d: %+v, want %d values from %d to %+v", round, x, len(all), all[0].at, last)
			}
			edges := []logdb.Millis{all[0].at - 1 - logdb.Millis(rnd.IntN(100))*minute}
			for edges[len(edges)-1] < last.at {
				steps := []logdb.Millis{15 * minute, 60 * minute, 61 * minute, logdb.DayMillis, 5 * logdb.DayMillis, 30 * logdb.DayMillis, 7777}
				at := edges[len(edges)-1]
				edges = append(edges, max(at+1, (at+steps[rnd.IntN(len(steps))]).Floor(steps[rnd.IntN(3)])))
			}
			checkBuckets(t, s, x, all, edges[:min(len(edges), 60)])
		}
		same(t, s, "m", logdb.KindHistorical)
	}
}
