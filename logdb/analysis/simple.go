package analysis

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"metermanager/logdb"
)

// manyValues is from how many values on an answer is worth several processors.
const manyValues = 500_000

// simpleBuckets visits the columns that are one series each, which need no choice: together, so that they share what the log
// database reads for all of them, and large ones on several processors. It tells which columns these were.
func (c *Choice) simpleBuckets(ctx context.Context, edges []logdb.Millis, visit func(column int, b []logdb.Bucket) error) ([]bool, error) {
	simple := make([]bool, len(c.Columns))
	column := map[logdb.SeriesID]int{}
	var ids []logdb.SeriesID
	values := int64(0)
	for col, sources := range c.sources {
		if len(sources) != 1 || len(sources[0].ids) != 1 || len(sources[0].older) > 0 {
			continue
		}
		id := sources[0].ids[0]
		if _, twice := column[id]; twice {
			continue
		}
		simple[col], column[id] = true, col
		ids = append(ids, id)
		values += c.Columns[col].Values
	}
	if len(ids) == 0 {
		return simple, nil
	}
	workers := 1
	if values > manyValues {
		workers = min(runtime.GOMAXPROCS(0), len(ids))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex // visit is for one at a time
	failed := make([]error, workers)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for w := range workers {
		part := ids[w*len(ids)/workers : (w+1)*len(ids)/workers]
		wg.Go(func() {
			failed[w] = c.src.ReadBuckets(ctx, part, edges, func(id logdb.SeriesID, b []logdb.Bucket) error {
				mu.Lock()
				defer mu.Unlock()
				return visit(column[id], b)
			})
			if failed[w] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		// What the first failure has cancelled says nothing.
		if err != nil && (!errors.Is(err, context.Canceled) || onlyCanceled(failed)) {
			return nil, fmt.Errorf("aggregate: %w", err)
		}
	}
	return simple, nil
}

func onlyCanceled(all []error) bool {
	for _, err := range all {
		if err != nil && !errors.Is(err, context.Canceled) {
			return false
		}
	}
	return true
}
