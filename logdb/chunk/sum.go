package chunk

import (
	"math"
	"math/bits"

	"metermanager/logdb"
)

// Sum adds values exactly as long as they are decimal numbers: the mantissas as integers,
// so that the order does not matter and nothing drifts. What does not fit is added as doubles
// with a running correction (Neumaier 1974).
type Sum struct {
	m       int64 // of the decimal part
	e       uint8
	any     bool
	f, lost float64
	floats  bool
}

// AddDecimal adds m / 10^e.
func (s *Sum) AddDecimal(m int64, e uint8) {
	if !s.any {
		s.m, s.e, s.any = m, e, true
		return
	}
	if e != s.e {
		var ok bool
		if e < s.e {
			m, ok = scale(m, s.e-e)
		} else if s.m, ok = scale(s.m, e-s.e); ok {
			s.e = e
		}
		if !ok {
			s.AddFloat(float64(m) / powers[e])
			return
		}
	}
	sum := s.m + m
	if (s.m^sum)&(m^sum) < 0 { // overflow
		s.AddFloat(float64(m) / powers[e])
		return
	}
	s.m = sum
}

// AddFloat adds v.
func (s *Sum) AddFloat(v float64) {
	s.floats = true
	t := s.f + v
	if math.Abs(s.f) >= math.Abs(v) {
		s.lost += float64(s.f-t) + v
	} else {
		s.lost += float64(v-t) + s.f
	}
	s.f = t
}

// Add adds any value. An exception of a column may be a decimal number with more digits than the others, also where all of a short column
// are: how values are cut into columns must not show in their sum.
func (s *Sum) Add(v float64) {
	if m, e, ok := Decimal(v); ok {
		s.AddDecimal(m, e)
		return
	}
	s.AddFloat(v)
}

// Value returns the sum, rounded once where all values were decimal.
func (s *Sum) Value() float64 {
	if !s.floats {
		return float64(s.m) / powers[s.e]
	}
	f := s.f
	if !math.IsInf(f, 0) && !math.IsNaN(f) {
		f += s.lost
	}
	if !s.any {
		return f
	}
	return f + float64(s.m)/powers[s.e]
}

// scale returns m * 10^by, and m as it was when that is out of range.
func scale(m int64, by uint8) (int64, bool) {
	if by > maxExponent {
		return m, false
	}
	hi, lo := bits.Mul64(uint64(max(m, -m)), uint64(powers[by]))
	if m == math.MinInt64 || hi != 0 || lo > math.MaxInt64 {
		return m, false
	}
	if m < 0 {
		return -int64(lo), true
	}
	return int64(lo), true
}

// Accumulator builds one bucket from values in order of (time, position), or from parts of it in
// any order.
type Accumulator struct {
	bucket logdb.Bucket
	sum    Sum
}

// Bucket returns what was accumulated.
func (a *Accumulator) Bucket() logdb.Bucket {
	if a.bucket.Count == 0 {
		return logdb.EmptyBucket()
	}
	out := a.bucket
	out.Sum = a.sum.Value()
	return out
}

// Count returns how many values were accumulated.
func (a *Accumulator) Count() int64 { return a.bucket.Count }

// Reset makes a empty.
func (a *Accumulator) Reset() { *a = Accumulator{} }

// part joins the statistics of a run of values whose sum has been added.
func (a *Accumulator) part(b logdb.Bucket) {
	o := &a.bucket
	if o.Count == 0 {
		*o = b
		return
	}
	o.Count += b.Count
	o.Min, o.Max = min(o.Min, b.Min), max(o.Max, b.Max)
	if b.FirstTime < o.FirstTime {
		o.First, o.FirstTime = b.First, b.FirstTime
	}
	if b.LastTime >= o.LastTime {
		o.Last, o.LastTime = b.Last, b.LastTime
	}
}

// AddBlock adds values [i, j) of b, j > i.
func (a *Accumulator) AddBlock(b *logdb.Block, i, j int) {
	x := 0
	for x < len(b.Exceptions) && b.Exceptions[x].Index < i {
		x++
	}
	for i < j {
		if x < len(b.Exceptions) && b.Exceptions[x].Index == i {
			v := b.Exceptions[x].Value
			a.sum.Add(v)
			a.part(logdb.Bucket{Count: 1, Min: v, Max: v, First: v, Last: v, FirstTime: b.Times[i], LastTime: b.Times[i]})
			x, i = x+1, i+1
			continue
		}
		end := j
		if x < len(b.Exceptions) && b.Exceptions[x].Index < j {
			end = b.Exceptions[x].Index
		}
		a.decimals(b, i, end)
		i = end
	}
}

// decimals adds values [i, j) of b, none of which is an exception.
func (a *Accumulator) decimals(b *logdb.Block, i, j int) {
	m := b.Mantissas[i:j]
	lo, hi := m[0], m[0]
	// 512 mantissas below 2^53 cannot overflow.
	for k := 0; k < len(m); k += 512 {
		sum := int64(0)
		for _, v := range m[k:min(k+512, len(m))] {
			sum += v
			lo, hi = min(lo, v), max(hi, v)
		}
		a.sum.AddDecimal(sum, b.Exponent)
	}
	p := powers[b.Exponent]
	a.part(logdb.Bucket{
		Count: int64(j - i), Min: float64(lo) / p, Max: float64(hi) / p,
		First: float64(m[0]) / p, Last: float64(m[len(m)-1]) / p, FirstTime: b.Times[i], LastTime: b.Times[j-1],
	})
}

// AddBucket adds a bucket that was made elsewhere; empty ones add nothing.
func (a *Accumulator) AddBucket(b logdb.Bucket) {
	if b.Count == 0 {
		return
	}
	a.sum.Add(b.Sum)
	a.part(b)
}
