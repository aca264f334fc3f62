package chunk

import (
	"math"
	"math/big"
	"math/bits"
	"sort"

	"metermanager/logdb"
)

// Sum adds values exactly as long as they are decimal numbers: the mantissas as one integer of
// 128 bits, so that neither the order nor how the values were cut into parts matters and nothing
// drifts. What is no decimal number, and what does not fit, is added as doubles with a running
// correction (Neumaier 1974).
type Sum struct {
	hi      int64 // hi:lo / 10^e is the decimal part, in two's complement
	lo      uint64
	e       uint8
	f, lost float64
	floats  bool
}

// AddDecimal adds m / 10^e.
func (s *Sum) AddDecimal(m int64, e uint8) {
	hi, lo := m>>63, uint64(m)
	switch {
	case e < s.e:
		hi, lo, _ = scale(hi, lo, s.e-e) // below 2^63 * 10^18, which fits
	case e > s.e:
		h, l, ok := scale(s.hi, s.lo, e-s.e)
		if !ok {
			s.AddFloat(float64(m) / powers[e])
			return
		}
		s.hi, s.lo, s.e = h, l, e
	}
	sumLo, carry := bits.Add64(s.lo, lo, 0)
	sumHi := s.hi + hi + int64(carry)
	if (s.hi^sumHi)&(hi^sumHi) < 0 { // overflow
		s.AddFloat(float64(m) / powers[e])
		return
	}
	s.hi, s.lo = sumHi, sumLo
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
		return s.decimal()
	}
	f := s.f
	if !math.IsInf(f, 0) && !math.IsNaN(f) {
		f += s.lost
	}
	return f + s.decimal()
}

// decimal returns the decimal part, rounded to the nearest double.
func (s *Sum) decimal() float64 {
	if m := int64(s.lo); s.hi == m>>63 && m > -maxMantissa && m < maxMantissa {
		return float64(m) / powers[s.e]
	}
	hi, lo, negative := magnitude(s.hi, s.lo)
	n := new(big.Int).SetUint64(hi)
	n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(lo))
	if negative {
		n.Neg(n)
	}
	f, _ := new(big.Rat).SetFrac(n, big.NewInt(int64(powers[s.e]))).Float64()
	return f
}

// magnitude returns the absolute value of hi:lo.
func magnitude(hi int64, lo uint64) (uint64, uint64, bool) {
	if hi >= 0 {
		return uint64(hi), lo, false
	}
	l, borrow := bits.Sub64(0, lo, 0)
	h, _ := bits.Sub64(0, uint64(hi), borrow)
	return h, l, true
}

// scale returns hi:lo * 10^by, by at most maxExponent, and false when that is out of range.
func scale(hi int64, lo uint64, by uint8) (int64, uint64, bool) {
	h, l, negative := magnitude(hi, lo)
	p := uint64(powers[by])
	over, top := bits.Mul64(h, p)
	carry, bottom := bits.Mul64(l, p)
	top, c := bits.Add64(top, carry, 0)
	if over != 0 || c != 0 || top > math.MaxInt64 {
		return hi, lo, false
	}
	if !negative {
		return int64(top), bottom, true
	}
	bottom, borrow := bits.Sub64(0, bottom, 0)
	top, _ = bits.Sub64(0, top, borrow)
	return int64(top), bottom, true
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

// To writes what was accumulated to out.
func (a *Accumulator) To(out *logdb.Bucket) {
	if a.bucket.Count == 0 {
		*out = logdb.EmptyBucket()
		return
	}
	*out = a.bucket
	out.Sum = a.sum.Value()
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
	x := sort.Search(len(b.Exceptions), func(k int) bool { return b.Exceptions[k].Index >= i })
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
