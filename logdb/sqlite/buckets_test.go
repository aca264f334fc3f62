package sqlite_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"metermanager/logdb"
)

// TestSeriesAtOnceAreAsAlone: the buckets of many series of one query, by several queries at a time, are those of each alone, in the order
// asked, also when one is asked twice or is nobody's; and a query that its visitor ends leaves nothing behind that the next one would see.
func TestSeriesAtOnceAreAsAlone(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	defer s.Close()
	for d := range 40 {
		appendRows(t, s, load(rand.New(rand.NewPCG(3, uint64(d))), channels(20), day0+logdb.Millis(d)*logdb.DayMillis, 15*minute, 96))
	}
	if err := s.Compact(ctx, "m"); err != nil {
		t.Fatal(err)
	}
	appendRows(t, s, load(rand.New(rand.NewPCG(3, 40)), channels(20), day0+40*logdb.DayMillis, 15*minute, 96)) // not in the tier yet
	list, err := s.Series(ctx, "m")
	if err != nil {
		t.Fatal(err)
	}
	const nobody = logdb.SeriesID(1 << 20)
	ids := []logdb.SeriesID{nobody}
	for _, x := range list {
		ids = append(ids, x.ID)
	}
	ids = append(ids, ids[1], nobody, ids[2])
	read := func(ids []logdb.SeriesID, edges []logdb.Millis) (out [][]logdb.Bucket, order []logdb.SeriesID, err error) {
		err = s.ReadBuckets(ctx, ids, edges, func(id logdb.SeriesID, b []logdb.Bucket) error {
			out, order = append(out, slices.Clone(b)), append(order, id)
			return nil
		})
		return out, order, err
	}
	same := func(a, b logdb.Bucket) bool { return a == b || a.Count == 0 && b.Count == 0 } // of no values the others are NaN
	ended := errors.New("enough")
	var queries sync.WaitGroup
	for _, step := range []logdb.Millis{41 * logdb.DayMillis, logdb.DayMillis, 7*logdb.DayMillis + 20*minute, 45 * minute, 3 * minute} {
		var edges []logdb.Millis
		for at := day0; at <= day0+41*logdb.DayMillis; at += step {
			edges = append(edges, at)
		}
		queries.Go(func() {
			for n := range 3 {
				seen := 0
				if err := s.ReadBuckets(ctx, ids, edges, func(logdb.SeriesID, []logdb.Bucket) error {
					if seen++; seen > n {
						return ended
					}
					return nil
				}); !errors.Is(err, ended) || seen != n+1 {
					t.Errorf("ended at series %d: %v after %d", n+1, err, seen)
				}
			}
			all, order, err := read(ids, edges)
			if err != nil || !slices.Equal(order, ids) {
				t.Errorf("steps of %d ms: series %v, %v", step, order, err)
				return
			}
			for i, id := range ids {
				alone, _, err := read([]logdb.SeriesID{id}, edges)
				if err != nil || !slices.EqualFunc(alone[0], all[i], same) || id != nobody && alone[0][0].Count == 0 {
					t.Errorf("steps of %d ms, series %d: %v, not as alone", step, id, err)
				}
			}
		})
	}
	queries.Wait()
}
