package analysis

import (
	"context"
	"errors"
	"math"

	"metermanager/logdb"
)

// Coverage is the share of the expected records that a span holds: 1 when none is missing. NaN when
// nothing says how many are expected.
func Coverage(count int64, span, step logdb.Millis) float64 {
	if step <= 0 || span <= 0 {
		return math.NaN()
	}
	return min(1, float64(count)/max(1, float64(span)/float64(step)))
}

// Spans of time in which the interval of a channel is looked for, newest first.
var stepSpans = [...]logdb.Millis{6 * 3_600_000, 2 * logdb.DayMillis, 40 * logdb.DayMillis}

// enoughSteps is how many distances between records are looked at.
const enoughSteps = 64

var errEnoughSteps = errors.New("enough")

// Step returns how far apart the records of a column are: the distance that occurs most often among the newest of the range.
// The data say it and not the meter's settings, since a node may hold one record a minute of a faster log. 0: there are not
// enough to tell.
func (c *Choice) Step(ctx context.Context, column int) (logdb.Millis, error) {
	end := c.query.First
	for _, s := range c.sources[column] {
		end = max(end, s.newest+1)
	}
	end = min(end, c.query.Last)
	var step logdb.Millis
	for _, span := range stepSpans {
		first := max(end-span, logdb.MinTime)
		counts := map[logdb.Millis]int{}
		last, n := logdb.Millis(-1), 0
		err := c.ReadSeries(ctx, []logdb.SeriesID{logdb.SeriesID(column + 1)}, first, end, func(_ logdb.SeriesID, b *logdb.Block) error {
			for _, t := range b.Times {
				if last >= 0 && t > last {
					counts[t-last]++
					n++
				}
				last = t
			}
			if n >= 16*enoughSteps {
				return errEnoughSteps
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnoughSteps) {
			return 0, err
		}
		best := 0
		for d, k := range counts {
			if k > best || k == best && d < step {
				step, best = d, k
			}
		}
		if n >= enoughSteps {
			break
		}
	}
	return step, nil
}
