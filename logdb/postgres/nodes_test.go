package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/postgres"
	"metermanager/logdb/sqldb/sqldbtest"
	"metermanager/logdb/sqlite"
)

// TestTwoNodes: two nodes take the pages of the same streams at the same moment, each page comes to both, and one compacts meanwhile. Every
// position is stored exactly once, and both see all of it.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	place, folder := sqldbtest.Postgres(t), t.TempDir()
	var nodes [2]*sqlite.Store
	for i := range nodes {
		var err error
		if nodes[i], err = postgres.Open(ctx, place, folder, sqlite.Config{}); err != nil {
			t.Fatal(err)
		}
		defer nodes[i].Close()
	}
	const meters, pages, rows = 3, 12, 40
	uid := func(m int) logdb.MeterUID { return logdb.MeterUID(fmt.Sprintf("meter-%d", m)) }
	stream := func(m int) logdb.StreamID {
		return logdb.StreamID{Journal: logdb.JournalID(fmt.Sprintf("%032x", m+1)), Policy: "1"}
	}
	page := func(m, n int) logdb.Page {
		h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: [][]float64{{}}}
		for i := range rows {
			at := n*rows + i
			h.Times = append(h.Times, 1_772_323_200_000+logdb.Millis(at)*60_000)
			h.Positions = append(h.Positions, logdb.Position(at+1))
			h.Columns[0] = append(h.Columns[0], float64(at))
		}
		return logdb.Page{Meter: uid(m), Kind: logdb.KindHistorical, Stream: stream(m), JournalEnd: pages * rows, Rows: []logdb.History{h}}
	}
	var mu sync.Mutex
	stored, repeats := 0, 0
	var wg sync.WaitGroup
	for i, node := range nodes {
		for m := range meters {
			wg.Go(func() {
				for n := range pages {
					if i == 1 {
						n = pages - 1 - n // the other way round
					}
					r, err := node.Accept(ctx, page(m, n), logdb.DefaultLimits())
					if err != nil {
						t.Errorf("node %d, meter %d, page %d: %v", i, m, n, err)
						return
					}
					mu.Lock()
					stored, repeats = stored+r.Stored, repeats+r.Repeats
					mu.Unlock()
					if n == pages/2 {
						if err := node.Compact(ctx, uid(m)); err != nil {
							t.Errorf("compact: %v", err)
						}
					}
				}
			})
		}
	}
	wg.Wait()
	if want := meters * pages * rows; stored != want || repeats != want {
		t.Errorf("%d stored and %d repeats, want %d of each", stored, repeats, want)
	}
	for i, node := range nodes {
		for m := range meters {
			series, err := node.Series(ctx, uid(m))
			if err != nil || len(series) != 1 || series[0].Count != pages*rows {
				t.Fatalf("node %d, meter %d: %+v, %v", i, m, series, err)
			}
			next := 0.0
			err = node.ReadSeries(ctx, []logdb.SeriesID{series[0].ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
				for _, v := range b.AppendValues(nil) {
					if v != next {
						return fmt.Errorf("value %g, want %g", v, next)
					}
					next++
				}
				return nil
			})
			if err != nil || next != pages*rows {
				t.Errorf("node %d, meter %d: %g values, %v", i, m, next, err)
			}
			audit, err := node.Audit(ctx, uid(m), logdb.KindHistorical, stream(m))
			if err != nil || len(audit.Findings) > 0 {
				t.Errorf("audit: %+v, %v", audit, err)
			}
		}
	}
}
