package comtrade

import (
	"math"

	"metermanager/logdb/format"
)

// timing says when the samples were taken: by the sampling rates, or by the time stamps where there is no rate.
func timing(c *Config, d *Data, said *remarks) *format.Timing {
	if c.Stamped {
		if t := stamps(c, d, said); t != nil {
			return t
		}
	}
	t := &format.Timing{}
	taken := 0
	for _, r := range c.Rates {
		if n := min(r.Last, d.Count) - taken; n > 0 && r.Hz > 0 {
			t.Segments = append(t.Segments, format.Segment{Count: n, Step: 1 / r.Hz})
			taken += n
		}
	}
	if len(t.Segments) == 0 {
		said.miss("neither the configuration nor the data say when samples were taken; 1 ms was taken")
		return format.Uniform(1e-3)
	}
	last := c.Rates[len(c.Rates)-1].Last
	if last != d.Count {
		said.miss("the configuration announces %d samples, the data hold %d", last, d.Count)
	}
	t.Segments[len(t.Segments)-1].Count += max(d.Count-taken, 0)
	compare(c, d, t, said)
	return t
}

// unit is what a time stamp counts, in seconds.
func (c *Config) unit() float64 {
	if c.Nano {
		return 1e-9 * c.TimeFactor
	}
	return 1e-6 * c.TimeFactor
}

// stamps makes the timing of time stamps, nil where they cannot be used.
func stamps(c *Config, d *Data, said *remarks) *format.Timing {
	out := make([]float64, d.Count)
	wraps, span := 0, wrap(d.Stamps)
	for i, s := range d.Stamps {
		if math.IsNaN(s) {
			said.miss("sample %d has no time stamp, and there is no sampling rate", i+1)
			return nil
		}
		if i > 0 && s < d.Stamps[i-1] && d.Stamps[i-1]-s > span/2 {
			wraps++
		}
		out[i] = (s + float64(wraps)*span - d.Stamps[0]) * c.unit()
		if i > 0 && out[i] < out[i-1] {
			said.miss("the time stamps go back at sample %d", i+1)
		}
	}
	if wraps > 0 {
		said.assume("the time stamps began again at 0 %d times; they were continued", wraps)
	}
	if d.Count > 1 && out[d.Count-1] == 0 {
		said.miss("all time stamps are the same, and there is no sampling rate")
		return nil
	}
	if d.Stamps[0] != 0 {
		said.assume("the first time stamp is %v; times were counted from it", d.Stamps[0])
	}
	return &format.Timing{Stamps: out}
}

// wrap is where time stamps begin again: 16 bits when none is larger, else 32.
func wrap(stamps []float64) float64 {
	for _, s := range stamps {
		if s > math.MaxUint16 {
			return 1 << 32
		}
	}
	return 1 << 16
}

// compare says when time stamps disagree with the sampling rates, which count.
func compare(c *Config, d *Data, t *format.Timing, said *remarks) {
	n := d.Count
	if n < 2 || math.IsNaN(d.Stamps[0]) || math.IsNaN(d.Stamps[n-1]) {
		return
	}
	stamped, rated := (d.Stamps[n-1]-d.Stamps[0])*c.unit(), t.At(n-1)
	if math.Abs(stamped-rated) > max(0.01*rated, 2*rated/float64(n-1)) {
		said.assume("the time stamps of the data span %.6g s, the sampling rates %.6g s; the rates were taken", stamped, rated)
	}
}
