package comtrade

import (
	"math"
	"strconv"

	"metermanager/logdb"
	"metermanager/logdb/format"
)

// check adds what the samples themselves say against the configuration.
func (r *Record) check() {
	jumps := 0
	for i := 1; i < len(r.Numbers); i++ {
		if r.Numbers[i] != r.Numbers[i-1]+1 {
			jumps++
		}
	}
	if jumps > 0 {
		r.said.miss("the sample numbers jump %d times; the samples were taken as they follow", jumps)
	}
	skewed := 0
	for i := range r.Config.Analog {
		if r.Config.Analog[i].SkewMicros != 0 {
			skewed++
		}
	}
	if skewed > 0 {
		r.said.assume("%d channels were sampled later than their time stamps say (skew); they were not shifted", skewed)
	}
	if r.secondary() {
		r.said.assume("some values are secondary ones; they are shown as they are, and imported as primary values with --primary")
	}
	if end := r.Timing.At(r.Count - 1); !r.Trigger.IsZero() && !r.Start.IsZero() {
		if at := r.Trigger.Sub(r.Start).Seconds(); at < -1e-6 || at > end+1e-6 {
			r.said.assume("the trigger lies %.6g s after the first sample, outside the recording of %.6g s", at, end)
		}
	}
	if hz := r.measuredHz(); hz > 0 && r.LineHz > 0 && math.Abs(hz-r.LineHz) > 0.05*r.LineHz {
		r.said.assume("the file says %v Hz, but the samples repeat at %.2f Hz; --line-hz takes another frequency", r.LineHz, hz)
	}
}

func (r *Record) secondary() bool {
	for i := range r.Config.Analog {
		if r.Config.Analog[i].ratio() != 1 {
			return true
		}
	}
	return false
}

// measuredHz estimates the line frequency by zero crossings of the first voltage (else the first current)
// that has a steady wave; 0 when none has.
func (r *Record) measuredHz() float64 {
	step, even := r.Timing.Step()
	if !even {
		return 0
	}
	for _, want := range []string{"V", "A"} {
		for i := range r.Config.Analog {
			unit, _, _ := format.Unit(r.Config.Analog[i].Unit)
			if unit == want {
				if hz := crossings(r.Data.Analog[i], step); hz > 0 {
					return hz
				}
			}
		}
	}
	return 0
}

// crossings returns the frequency of a wave by its upward zero crossings in at most a quarter of a second.
func crossings(v []float64, step float64) float64 {
	v = v[:min(len(v), int(math.Min(0.25/step, 1e7)))]
	lowest, highest := math.Inf(1), math.Inf(-1)
	for _, x := range v {
		lowest, highest = math.Min(lowest, x), math.Max(highest, x)
	}
	mean, band := (lowest+highest)/2, (highest-lowest)/10
	if !(band > 0) {
		return 0
	}
	var at []float64
	armed := false
	for i := 1; i < len(v); i++ {
		armed = armed || v[i-1] < mean-band
		if armed && v[i-1] < mean && v[i] >= mean {
			at = append(at, (float64(i-1)+(mean-v[i-1])/(v[i]-v[i-1]))*step)
			armed = false
		}
	}
	if len(at) < 4 {
		return 0
	}
	cycle := (at[len(at)-1] - at[0]) / float64(len(at)-1)
	for i := 1; i < len(at); i++ {
		if math.Abs(at[i]-at[i-1]-cycle) > cycle/10 {
			return 0 // no steady wave
		}
	}
	return 1 / cycle
}

// Content returns the record as every format does: one recording.
func (r *Record) Content() *format.Content {
	c := &format.Content{
		Kind: Kind, Version: strconv.Itoa(r.Year), Station: r.Station, Device: r.Device, Start: r.Start, Trigger: r.Trigger,
		Records: r.Count, Files: r.Files, Assumed: r.said.assumed, NotUnderstood: r.said.unclear,
		Settings: logdb.Settings{Name: r.Station, Model: r.Device, NominalHz: r.LineHz},
	}
	for _, n := range []format.Note{{Name: "header", Text: r.Header}, {Name: "information", Text: r.Info}} {
		if n.Text != "" {
			c.Notes = append(c.Notes, n)
		}
	}
	rec := format.Recording{Name: r.Station, Start: r.Start, Trigger: r.Trigger, LineHz: r.LineHz}
	for i := range r.Config.Analog {
		a := &r.Config.Analog[i]
		rec.Channels = append(rec.Channels, format.Samples{
			Channel: format.Channel{Name: a.Name, Unit: a.Unit, Phase: a.Phase, Component: a.Component},
			Timing:  r.Timing, Values: r.Data.Analog[i], Primary: a.ratio(),
		})
	}
	for i := range r.Config.Digital {
		d := &r.Config.Digital[i]
		rec.Channels = append(rec.Channels, format.Samples{
			Channel: format.Channel{Name: d.Name, Phase: d.Phase, Component: d.Component},
			Timing:  r.Timing, Digital: r.Data.Digital[i],
		})
	}
	c.Recordings = []format.Recording{rec}
	return c
}
