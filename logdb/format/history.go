package format

import (
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
)

// rowsLimit is how many channels fit into one History.
const rowsLimit = 512

// History turns the trends into historical rows, in primary units and in the order of the file.
// Rows without any value are left out; so are values and times that cannot be stored, which the
// second result names.
func (c *Content) History() ([]logdb.History, []string) {
	var out []logdb.History
	var lost losses
	used := map[logdb.LogNo]owners{}
	for _, table := range tables(c.Trends) {
		for first := 0; first < len(table); first += rowsLimit {
			part := table[first:min(first+rowsLimit, len(table))]
			log := c.Trends[part[0]].Log
			if used[log] == nil {
				used[log] = owners{}
			}
			if h := c.rows(part, used[log], &lost); h.Len() > 0 {
				out = append(out, h)
			}
		}
	}
	return out, lost.sentences()
}

// tables groups trends by log and times, as indices.
func tables(trends []Trend) [][]int {
	var out [][]int
next:
	for i := range trends {
		for k := range out {
			if t := &trends[out[k][0]]; t.Log == trends[i].Log && sameTimes(t.Times, trends[i].Times) {
				out[k] = append(out[k], i)
				continue next
			}
		}
		out = append(out, []int{i})
	}
	return out
}

func sameTimes(a, b []logdb.Millis) bool {
	if len(a) != len(b) || len(a) == 0 {
		return len(a) == len(b)
	}
	return &a[0] == &b[0] || slices.Equal(a, b)
}

// rows makes one History of the trends at the given indices, which share their times.
func (c *Content) rows(part []int, used owners, lost *losses) logdb.History {
	first, here := &c.Trends[part[0]], map[logdb.ChannelKey]bool{}
	h := logdb.History{Log: first.Log, Columns: make([][]float64, len(part))}
	for _, i := range part {
		h.Channels = append(h.Channels, used.key(&c.Trends[i].Channel, i+1, here))
	}
	row := make([]float64, len(part))
	for i, at := range first.Times {
		any := false
		for k, t := range part {
			row[k] = primary(&c.Trends[t], i, lost)
			any = any || !math.IsNaN(row[k])
		}
		switch {
		case at < logdb.MinTime || at > logdb.MaxTime:
			lost.times++
			continue
		case !any:
			continue
		}
		h.Times = append(h.Times, at)
		for k := range row {
			h.Columns[k] = append(h.Columns[k], row[k])
		}
	}
	return h
}

func primary(t *Trend, i int, lost *losses) float64 {
	if i >= len(t.Values) {
		return math.NaN()
	}
	v := scale(t.Values[i], t.factor())
	if math.IsInf(v, 0) {
		lost.values++
		return math.NaN()
	}
	return v
}

// scale multiplies by f. Where f is a hundredth or a thousandth, dividing by the whole number rounds correctly.
func scale(v, f float64) float64 {
	if inverse := math.Round(1 / f); f > 0 && f < 1 && 1/inverse == f {
		return v / inverse
	}
	return v * f
}

// owners tells which channel of a file has a key within a log.
type owners map[logdb.ChannelKey]Channel

// key returns the key of a channel, with a number behind it where another channel has it already. A channel
// that comes again in another table, such as the next day's, keeps its key; here are the keys of this table.
func (o owners) key(c *Channel, i int, here map[logdb.ChannelKey]bool) logdb.ChannelKey {
	key := KeyOf(*c, i)
	out := key
	for n := 2; ; n++ {
		if owner, taken := o[out]; !here[out] && (!taken || owner == *c) {
			o[out], here[out] = *c, true
			return out
		}
		tail := fmt.Sprintf("_%d", n)
		out = key[:min(len(key), 96-len(tail))] + logdb.ChannelKey(tail)
	}
}

// losses counts what cannot be stored.
type losses struct{ times, values int }

func (l *losses) sentences() []string {
	var out []string
	if l.times > 0 {
		out = append(out, fmt.Sprintf("%d times lie outside the years 1970 to 9999 and were left out", l.times))
	}
	if l.values > 0 {
		out = append(out, fmt.Sprintf("%d infinite values were left out", l.values))
	}
	return out
}
