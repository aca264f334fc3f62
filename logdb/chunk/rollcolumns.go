package chunk

import (
	"metermanager/logdb"
)

// How the values of a roll-up of version 2 are written.
const (
	rollValuesApart  = 0 // five columns of values, as in version 1
	rollValuesLinked = 1 // exponent, then sequences of what each step differs from what its neighbour lets expect
)

// linked is the values of steps as mantissas of one exponent.
type linked struct {
	exponent              uint8
	counts, firstAt, last []int64 // of values; offsets of the first and last time in the step
	mins, maxs            []int64
	firsts, lasts, sums   []int64
}

// maxLinkedSum is below which no two mantissas of a sum stand for the same double.
const maxLinkedSum = 1 << 51

// link fills l with the values of steps; false when they are not decimal numbers of one exponent.
func (l *linked) link(buckets []logdb.Bucket) bool {
	e := 0
	for i := range buckets {
		b := &buckets[i]
		for _, v := range [...]float64{b.Min, b.Max, b.First, b.Last, b.Sum} {
			for {
				if _, ok := fit(v, powers[e]); ok {
					break
				}
				if e++; e > maxExponent {
					return false
				}
			}
		}
	}
	n := len(buckets)
	l.exponent = uint8(e)
	for _, column := range []*[]int64{&l.mins, &l.maxs, &l.firsts, &l.lasts, &l.sums} {
		*column = grown(*column, n)
	}
	p := powers[e]
	for i := range buckets {
		b := &buckets[i]
		ok := true
		for _, x := range [...]struct {
			column []int64
			v      float64
		}{{l.mins, b.Min}, {l.maxs, b.Max}, {l.firsts, b.First}, {l.lasts, b.Last}, {l.sums, b.Sum}} {
			var fits bool
			x.column[i], fits = fit(x.v, p)
			ok = ok && fits
		}
		if !ok || l.sums[i] <= -maxLinkedSum || l.sums[i] >= maxLinkedSum || b.Count > MaxPoints {
			return false
		}
	}
	return true
}

// appendLinked writes the columns of l: from one step to the next a value goes on where it ended, the extremes lie little beyond both ends, and the mean lies
// between them. Each column is summed up, since sequences are written as differences.
func (c *Codec) appendLinked(s *scratch, dst []byte, l *linked) []byte {
	n := len(l.firsts)
	column := make([]int64, n)
	for _, of := range [...]func(i int) int64{
		func(i int) int64 {
			if i == 0 {
				return l.firsts[0]
			}
			return l.firsts[i] - l.lasts[i-1]
		},
		func(i int) int64 { return l.lasts[i] - l.firsts[i] },
		func(i int) int64 { return min(l.firsts[i], l.lasts[i]) - l.mins[i] },
		func(i int) int64 { return l.maxs[i] - max(l.firsts[i], l.lasts[i]) },
		func(i int) int64 { return l.sums[i] - l.counts[i]*(l.firsts[i]+l.lasts[i])>>1 },
	} {
		total := int64(0)
		for i := range column {
			total += of(i)
			column[i] = total
		}
		dst = appendSequence(c, s, dst, column)
	}
	return dst
}

// readLinked reads n steps of what appendLinked wrote; counts are there.
func (c *Codec) readLinked(s *scratch, r *reader, l *linked) {
	n := len(l.counts)
	for _, column := range []*[]int64{&l.firsts, &l.lasts, &l.mins, &l.maxs, &l.sums} {
		*column = grown(*column, n)
		readSequence(c, s, r, *column)
	}
	if r.err != nil {
		return
	}
	gained, low, high, rest := int64(0), int64(0), int64(0), int64(0)
	for i := range l.firsts {
		gap, gain := l.firsts[i], l.lasts[i]
		first, last := gap+gained, gap+gain
		gained = gain
		l.firsts[i], l.lasts[i] = first, last
		below, above, beside := l.mins[i], l.maxs[i], l.sums[i]
		l.mins[i] = min(first, last) - (below - low)
		l.maxs[i] = max(first, last) + (above - high)
		l.sums[i] = beside - rest + l.counts[i]*(first+last)>>1
		low, high, rest = below, above, beside
	}
}

// bucket returns step i, which begins at a time.
func (l *linked) bucket(i int, at logdb.Millis) logdb.Bucket {
	p := powers[l.exponent]
	return logdb.Bucket{
		Count: l.counts[i], Min: float64(l.mins[i]) / p, Max: float64(l.maxs[i]) / p, Sum: float64(l.sums[i]) / p,
		First: float64(l.firsts[i]) / p, Last: float64(l.lasts[i]) / p,
		FirstTime: at + logdb.Millis(l.firstAt[i]), LastTime: at + logdb.Millis(l.last[i]),
	}
}

// addTo adds steps [i, j), j > i, of which the first and the last begin at these times, to a.
func (l *linked) addTo(a *Accumulator, i, j int, first, last logdb.Millis) {
	count, lo, hi := int64(0), l.mins[i], l.maxs[i]
	// 1,024 sums below 2^51 cannot overflow.
	for k := i; k < j; k += 1024 {
		sum := int64(0)
		for x := k; x < min(k+1024, j); x++ {
			sum += l.sums[x]
			count += l.counts[x]
			lo, hi = min(lo, l.mins[x]), max(hi, l.maxs[x])
		}
		a.sum.AddDecimal(sum, l.exponent)
	}
	p := powers[l.exponent]
	a.part(logdb.Bucket{
		Count: count, Min: float64(lo) / p, Max: float64(hi) / p, First: float64(l.firsts[i]) / p, Last: float64(l.lasts[j-1]) / p,
		FirstTime: first + logdb.Millis(l.firstAt[i]), LastTime: last + logdb.Millis(l.last[j-1]),
	})
}
