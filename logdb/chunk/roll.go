package chunk

import (
	"encoding/binary"
	"fmt"

	"metermanager/logdb"
)

// Roll is a series summed up in steps: what the hour tier keeps of a span of days. Step k covers
// [k*Step, (k+1)*Step), or (k*Step, (k+1)*Step] when Covers. Only steps with values are there.
type Roll struct {
	Step    logdb.Millis
	Covers  bool
	Steps   []int64 // rising
	Buckets []logdb.Bucket
	// What was decoded, for adding up exactly: mantissas of all values, or of the sums where those are decimal.
	linked   linked
	isLinked bool
	sums     logdb.Block
}

// AppendRoll appends r.
func (c *Codec) AppendRoll(dst []byte, r *Roll) ([]byte, error) {
	n := len(r.Steps)
	if n > MaxPoints {
		return dst, fmt.Errorf("encode %d steps: %w", n, ErrTooLarge)
	}
	s := c.get()
	defer c.put(s)
	// Classes would save a tenth, and take twice the time: columns of a cell are too short for the table before them.
	dst = append(dst, formatRoll+secondVersion)
	dst = binary.AppendUvarint(dst, uint64(r.Step))
	covers := byte(0)
	if r.Covers {
		covers = 1
	}
	dst = binary.AppendUvarint(append(dst, covers), uint64(n))
	dst = appendSequence(c, s, dst, r.Steps)
	var l linked
	l.counts = make([]int64, n)
	column := l.counts // first
	for _, of := range []func(*logdb.Bucket, logdb.Millis) int64{
		func(b *logdb.Bucket, _ logdb.Millis) int64 { return b.Count },
		func(b *logdb.Bucket, at logdb.Millis) int64 { return int64(b.FirstTime - at) },
		func(b *logdb.Bucket, at logdb.Millis) int64 { return int64(b.LastTime - at) },
	} {
		for i := range r.Buckets {
			column[i] = of(&r.Buckets[i], logdb.Millis(r.Steps[i])*r.Step)
		}
		dst = appendSequence(c, s, dst, column)
		column = make([]int64, n)
	}
	if l.link(r.Buckets) {
		return c.appendLinked(s, append(dst, rollValuesLinked, l.exponent), &l), nil
	}
	dst = append(dst, rollValuesApart)
	values := make([]float64, n)
	for _, of := range rollValues {
		for i := range r.Buckets {
			values[i] = *of(&r.Buckets[i])
		}
		dst = c.appendValues(s, dst, values)
	}
	return dst, nil
}

// rollValues are the columns of doubles; the sum stands last, so that it is at hand after decoding.
var rollValues = [...]func(*logdb.Bucket) *float64{
	func(b *logdb.Bucket) *float64 { return &b.Min },
	func(b *logdb.Bucket) *float64 { return &b.Max },
	func(b *logdb.Bucket) *float64 { return &b.First },
	func(b *logdb.Bucket) *float64 { return &b.Last },
	func(b *logdb.Bucket) *float64 { return &b.Sum },
}

// Roll reads what AppendRoll wrote into o, whose arrays are used again.
func (c *Codec) Roll(data []byte, o *Roll) error {
	if err := c.Steps(data, o); err != nil {
		return err
	}
	if o.isLinked {
		o.Buckets = grown(o.Buckets, len(o.Steps))
		for i := range o.Buckets {
			o.Buckets[i] = o.linked.bucket(i, o.at(i))
		}
	}
	return nil
}

// at is when step i begins.
func (o *Roll) at(i int) logdb.Millis { return logdb.Millis(o.Steps[i]) * o.Step }

// Steps reads what AddTo needs of what AppendRoll wrote into o, whose arrays are used again; Buckets may be left as they were.
func (c *Codec) Steps(data []byte, o *Roll) error {
	s := c.get()
	defer c.put(s)
	r := reader{data: data}
	r.format(formatRoll)
	step := r.uvarint()
	if step == 0 || step > uint64(logdb.DayMillis) {
		r.fail("bad step")
	}
	o.Step = logdb.Millis(step)
	o.Covers = r.byte() == 1
	n := r.count()
	o.Steps = grown(o.Steps, n)
	readSequence(c, s, &r, o.Steps)
	for i := 1; i < n; i++ {
		if o.Steps[i] <= o.Steps[i-1] {
			r.fail("steps do not rise")
			break
		}
	}
	if n > 0 && (o.Steps[0] < -1 || o.Steps[n-1] > int64(logdb.MaxTime)) {
		r.fail("steps out of range")
	}
	for _, column := range []*[]int64{&o.linked.counts, &o.linked.firstAt, &o.linked.last} {
		*column = grown(*column, n)
		readSequence(c, s, &r, *column)
	}
	o.isLinked = false
	layout := byte(rollValuesApart)
	if r.second && r.err == nil {
		layout = r.byte()
	}
	switch layout {
	case rollValuesApart:
		c.readApart(s, &r, o)
	case rollValuesLinked:
		o.isLinked = true
		if o.linked.exponent = r.byte(); o.linked.exponent > maxExponent {
			r.fail("bad exponent")
		} else {
			c.readLinked(s, &r, &o.linked)
		}
	default:
		r.fail("unknown kind of steps")
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("decode a roll-up of %d bytes: %w", len(data), err)
	}
	return nil
}

// readApart reads five columns of values into the buckets of o.
func (c *Codec) readApart(s *scratch, r *reader, o *Roll) {
	o.Buckets = grown(o.Buckets, len(o.Steps))
	for i := range o.Buckets {
		b, at := &o.Buckets[i], o.at(i)
		b.Count, b.FirstTime, b.LastTime = o.linked.counts[i], at+logdb.Millis(o.linked.firstAt[i]), at+logdb.Millis(o.linked.last[i])
	}
	for _, of := range rollValues {
		if r.err != nil {
			return
		}
		c.readValues(s, r, len(o.Steps), &o.sums)
		s.floats = o.sums.AppendValues(s.floats[:0])
		for i, v := range s.floats {
			*of(&o.Buckets[i]) = v
		}
	}
}

// AddTo adds steps [i, j) of a decoded roll-up to a.
func (o *Roll) AddTo(a *Accumulator, i, j int) {
	if o.isLinked {
		if i < j {
			o.linked.addTo(a, i, j, o.at(i), o.at(j-1))
		}
		return
	}
	x := 0
	for x < len(o.sums.Exceptions) && o.sums.Exceptions[x].Index < i {
		x++
	}
	for ; i < j; i++ {
		if x < len(o.sums.Exceptions) && o.sums.Exceptions[x].Index == i {
			a.sum.Add(o.sums.Exceptions[x].Value)
			x++
		} else {
			a.sum.AddDecimal(o.sums.Mantissas[i], o.sums.Exponent)
		}
		a.part(o.Buckets[i])
	}
}

// StepOf returns the step that holds a value of time t.
func StepOf(t, step logdb.Millis, covers bool) int64 {
	if covers {
		t--
	}
	if t < 0 {
		return int64(t.Floor(step) / step)
	}
	return int64(t / step)
}

// RollUp appends the steps of points in order of time to r.
func (r *Roll) RollUp(b *logdb.Block) {
	var a Accumulator
	for i := 0; i < b.Len(); {
		k := StepOf(b.Times[i], r.Step, r.Covers)
		j := i + 1
		for j < b.Len() && StepOf(b.Times[j], r.Step, r.Covers) == k {
			j++
		}
		a.Reset()
		a.AddBlock(b, i, j)
		r.Steps = append(r.Steps, k)
		r.Buckets = append(r.Buckets, a.Bucket())
		i = j
	}
}
