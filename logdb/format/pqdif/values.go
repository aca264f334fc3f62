package pqdif

import (
	"fmt"
	"math"
)

// Find returns the index of the first series of a channel with one of the given value types, -1 when
// there is none.
func (c *Channel) Find(values ...string) int {
	for _, v := range values {
		for i := range c.Series {
			if c.Series[i].Defn.Value == v {
				return i
			}
		}
	}
	return -1
}

// Values returns the numbers of a series: expanded, scaled, taken from another series when shared, in
// units of the power system. Times are seconds from the observation's start. A series without values
// returns none.
func (o *Observation) Values(channel, series int) ([]float64, error) {
	if channel >= len(o.Channels) || series >= len(o.Channels[channel].Series) {
		return nil, fmt.Errorf("channel %d has no series %d", channel, series)
	}
	ch := &o.Channels[channel]
	s := ch.Series[series]
	if s.shareChan >= 0 && s.shareSeri >= 0 {
		if s.shareChan >= len(o.Channels) || s.shareSeri >= len(o.Channels[s.shareChan].Series) {
			return nil, fmt.Errorf("it shares series %d of channel %d, which is not there", s.shareSeri, s.shareChan)
		}
		// The source of a shared series holds its values itself: a chain of shares ends here.
		from := &o.Channels[s.shareChan].Series[s.shareSeri]
		s.values = from.values
		if math.IsNaN(s.scale) {
			s.scale = from.scale
		}
		if math.IsNaN(s.offset) {
			s.offset = from.offset
		}
		s.Defn = storedAs(s.Defn, from.Defn)
	}
	if s.values == nil || s.values.count == 0 {
		return nil, nil
	}
	if s.values.broken != nil {
		return nil, s.values.broken
	}
	var out []float64
	var err error
	switch {
	case s.values.phys == typeTimestamp:
		out, err = o.absolute(s.values)
	case s.Defn.Storage&storedIncrement != 0:
		out, err = o.expand(&s)
	default:
		out, err = o.plain(&s)
	}
	if err != nil {
		return nil, err
	}
	o.finish(ch, s.Defn, out)
	return out, nil
}

// storedAs returns the definition d with the storage method of the series that holds the values.
func storedAs(d, from *SeriesDefn) *SeriesDefn {
	if d.Storage == from.Storage {
		return d
	}
	c := *d
	c.Storage = from.Storage
	return &c
}

// take counts n values against the file's bound.
func (o *Observation) take(n int) error {
	if o.reader.values -= n; o.reader.values < 0 {
		return fmt.Errorf("%w: more than %d values", errBudget, o.reader.cfg.MaxValues)
	}
	return nil
}

func (o *Observation) absolute(e *element) ([]float64, error) {
	if err := o.take(e.count); err != nil {
		return nil, err
	}
	out := make([]float64, e.count)
	for i := range out {
		t, ok := e.timestamp(i)
		if !ok {
			return nil, fmt.Errorf("%s instead of a vector of times", e.what())
		}
		out[i] = t.Since(o.Start)
	}
	return out, nil
}

func (o *Observation) plain(s *Series) ([]float64, error) {
	e := s.values
	if _, ok := e.number(0); !ok {
		return nil, fmt.Errorf("%s instead of a vector of numbers", e.what())
	}
	if err := o.take(e.count); err != nil {
		return nil, err
	}
	scale, offset := s.linear()
	out := make([]float64, e.count)
	for i := range out {
		v, _ := e.number(i)
		if s.Defn.Storage&storedScaled != 0 {
			v = offset + v*scale
		}
		out[i] = v
	}
	return out, nil
}

// linear returns scale and offset; 1 and 0 stand for absent ones.
func (s *Series) linear() (scale, offset float64) {
	scale, offset = s.scale, s.offset
	if math.IsNaN(scale) {
		scale = 1
	}
	if math.IsNaN(offset) {
		offset = 0
	}
	return scale, offset
}

// expand writes out a series that is stored as a number of rates, each with a count and a step.
func (o *Observation) expand(s *Series) ([]float64, error) {
	rates, ok := s.values.number(0)
	if !ok || !(rates >= 0) || 1+2*rates > float64(s.values.count) {
		return nil, fmt.Errorf("steps of %v rates in a vector of %d numbers", rates, s.values.count)
	}
	scale, offset := s.linear()
	if s.Defn.Storage&storedScaled == 0 {
		scale = 1
	}
	total := 0
	for k := 0; k < int(rates); k++ {
		n, _ := s.values.number(1 + 2*k)
		if n = math.Round(n); !(n >= 0) || n > float64(o.reader.cfg.MaxValues) {
			return nil, fmt.Errorf("%w: %v steps of one rate", errBudget, n)
		}
		total += int(n)
	}
	if err := o.take(total); err != nil {
		return nil, err
	}
	out, start := make([]float64, 0, total), 0.0
	for k := 0; k < int(rates); k++ {
		n, _ := s.values.number(1 + 2*k)
		step, _ := s.values.number(2 + 2*k)
		for i := 0; i < int(math.Round(n)); i++ {
			out = append(out, offset+scale*(start+float64(i)*step))
		}
		start += math.Round(n) * step
	}
	return out, nil
}

// finish turns stored units into seconds or into those of the power system.
func (o *Observation) finish(ch *Channel, d *SeriesDefn, out []float64) {
	if d.Value == "time" || d.Value == "duration" {
		if d.Unit == "cycles" && positive(o.NominalHz) {
			for i := range out {
				out[i] /= o.NominalHz
			}
		}
		return
	}
	if ch.factor == 1 && ch.offset == 0 || d.Unit == "%" || d.Unit == "°" || d.Unit == "Hz" || d.Unit == "" {
		return
	}
	for i := range out {
		out[i] = out[i]*ch.factor + ch.offset
	}
}
