package pqdif

import (
	"math"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
)

// curves takes the series of a waveform or of a phasor channel for the recording.
func (p *piece) curves(i int) error {
	return p.each(i, func(ch *Channel, j int, seconds, v []float64) {
		c := p.quantity(ch, j)
		if ch.Defn.Type == "waveform" {
			c.Key = "" // a key is for values over time
		}
		c.Factor = 0
		p.samples = append(p.samples, format.Samples{Channel: c, Timing: p.timing(seconds), Values: v})
	})
}

// timing says when samples were taken: one step where the times allow it, else the times themselves.
func (p *piece) timing(seconds []float64) *format.Timing {
	key := &seconds[0]
	if t, ok := p.timings[key]; ok {
		return t
	}
	if p.timings == nil {
		p.timings = map[*float64]*format.Timing{}
	}
	t := &format.Timing{Stamps: seconds}
	if step, ok := evenStep(seconds, p.obs.NominalHz); ok {
		t = format.Uniform(step)
		t.Offset = seconds[0]
	}
	p.timings[key] = t
	return t
}

// evenStep returns the distance of times that stand no further than a hundredth of it from their places.
// Steps are stored as single floats: one that is within a millionth of a whole number of samples
// a second, or a cycle, is that.
func evenStep(seconds []float64, nominalHz float64) (float64, bool) {
	n := len(seconds)
	if n < 2 {
		return 0, false
	}
	step := (seconds[n-1] - seconds[0]) / float64(n-1)
	if !(step > 0) || math.IsInf(step, 0) {
		return 0, false
	}
	for i, s := range seconds {
		if !(math.Abs(s-seconds[0]-float64(i)*step) <= step/100) {
			return 0, false
		}
	}
	for _, unit := range []float64{1, nominalHz} {
		if !positive(unit) {
			continue
		}
		if rate := 1 / (step * unit); rate >= 1 && math.Abs(rate-math.Round(rate)) < 1e-6*rate {
			return 1 / (math.Round(rate) * unit), true
		}
	}
	return step, true
}

// recording adds what curves collected as one recording.
func (p *piece) recording() {
	if len(p.samples) == 0 {
		return
	}
	r := format.Recording{Name: p.obs.Name, Start: p.start, Trigger: p.trigger, Channels: p.samples}
	if positive(p.obs.NominalHz) {
		r.LineHz = p.obs.NominalHz
	}
	p.cause(len(p.out.Recordings))
	if p.obs.Disturbance != "" && p.obs.Disturbance != "none" {
		r.Triggers = append(r.Triggers, p.obs.Disturbance)
	}
	p.out.Recordings = append(p.out.Recordings, r)
}

// cause is which channels set a recording off, by the two ways in which files count them.
type cause struct {
	recording              int
	instances, definitions []string
}

// cause keeps the channels that set an observation off until the file has shown what it counts.
func (p *piece) cause(recording int) {
	c := cause{recording: recording}
	for _, i := range p.obs.TriggerChannels {
		if i >= 0 && i < len(p.obs.Channels) {
			c.instances = append(c.instances, p.obs.Channels[i].Defn.Name)
		} else {
			p.countsDefinitions = true
		}
		if i >= 0 && i < len(p.obs.Source.Channels) {
			c.definitions = append(c.definitions, p.obs.Source.Channels[i].Name)
		}
	}
	p.causes = append(p.causes, c)
}

// nameTriggers names the channels that set recordings off. They are counted among the instances of an
// observation, but some writers count the definitions: a number beyond the instances gives them away.
func (c *content) nameTriggers() {
	for _, cause := range c.causes {
		names := cause.instances
		if c.countsDefinitions {
			names = cause.definitions
		}
		r := &c.out.Recordings[cause.recording]
		r.Triggers = append(names, r.Triggers...)
	}
	if c.countsDefinitions {
		c.out.Assumed = append(c.out.Assumed, "the channels that set recordings off are counted among the definitions, since some numbers lie beyond the instances")
	}
}

// defaultLow and defaultHigh bound a voltage variation where the file has no thresholds.
const (
	defaultLow  = 0.9
	defaultHigh = 1.1
)

// variations finds the sags and swells in the RMS voltages of a phasor channel.
func (p *piece) variations(i int) error {
	ch := &p.obs.Channels[i]
	low, high := ch.Find("min", "avg", "val", "inst"), ch.Find("max", "avg", "val", "inst")
	if ch.Defn.Measured != "voltage" || low < 0 || high < 0 || ch.Series[low].Defn.Characteristic != "rms" {
		return nil
	}
	nominal := ch.Series[low].Defn.Nominal
	if !positive(nominal) {
		return nil // nothing says what is too low
	}
	seconds, err := p.timesOf(i)
	if err != nil {
		return err
	}
	for _, side := range []struct {
		series int
		limit  float64
		typ    int64
	}{
		{low, threshold(ch.Low, defaultLow*nominal), logdb.ExcursionBelow},
		{high, threshold(ch.High, defaultHigh*nominal), logdb.ExcursionAbove},
	} {
		v, err := p.values(i, side.series)
		if err != nil {
			return err
		}
		p.excursions(ch, seconds, v, side.limit, nominal, side.typ)
	}
	return nil
}

func threshold(stated, fallback float64) float64 {
	if positive(stated) {
		return stated
	}
	return fallback
}

// excursions makes an event of every run of values beyond limit. One that lasts to the end of the record has no end.
func (p *piece) excursions(ch *Channel, seconds, v []float64, limit, nominal float64, typ int64) {
	beyond := func(x float64) bool {
		if typ == logdb.ExcursionAbove {
			return x > limit
		}
		return x < limit
	}
	n := min(len(seconds), len(v))
	for k := 0; k < n; k++ {
		if !beyond(v[k]) {
			continue
		}
		worst, first := v[k], k
		for ; k < n && beyond(v[k]); k++ {
			if typ == logdb.ExcursionAbove {
				worst = max(worst, v[k])
			} else {
				worst = min(worst, v[k])
			}
		}
		duration := math.NaN()
		if k < n {
			duration = seconds[k] - seconds[first]
		}
		p.event(ch, p.start.Add(time.Duration(seconds[first]*1e9)), logdb.Excursion{
			DurationSeconds: duration, Type: typ, Worst: worst, WorstPercent: 100 * worst / nominal, Threshold: limit,
		})
	}
}

// maxMagnitudePercent bounds the characterised magnitudes that are believed: some files hold volts there.
const maxMagnitudePercent = 200

// characterised makes an event of a channel that says its magnitude.
func (p *piece) characterised(ch *Channel) {
	m := ch.MagnitudePercent
	if math.IsNaN(m) {
		return
	}
	if !(m >= 0 && m <= maxMagnitudePercent) {
		p.note(ch, "the characteristic magnitude %v is no percentage of nominal", m)
		return
	}
	if ch.Defn.Measured != "voltage" {
		p.note(ch, "the characteristic magnitude of a %s is not kept", ch.Defn.Measured)
		return
	}
	at := p.start
	if !p.trigger.IsZero() {
		at = p.trigger
	}
	p.event(ch, at, p.magnitude(ch, m, ch.DurationSeconds))
}

// magnitude makes an excursion of a magnitude in percent of nominal.
func (p *piece) magnitude(ch *Channel, percent, duration float64) logdb.Excursion {
	nominal := math.NaN()
	for i := range ch.Series {
		if d := ch.Series[i].Defn; d.Unit == "V" && positive(d.Nominal) {
			nominal = d.Nominal
			break
		}
	}
	x := logdb.Excursion{DurationSeconds: duration, Type: logdb.ExcursionBelow, Worst: nominal * percent / 100,
		WorstPercent: percent, Threshold: math.NaN()}
	if percent > 100 {
		x.Type = logdb.ExcursionAbove
	}
	return x
}

// magnitudes makes an event of every point of a magnitude-duration channel.
func (p *piece) magnitudes(i int) error {
	ch := &p.obs.Channels[i]
	val, dur := ch.Find("val", "max", "min"), ch.Find("duration")
	if val < 0 || dur < 0 {
		p.note(ch, "a %s channel without magnitudes and durations", ch.Defn.Type)
		return nil
	}
	v, err := p.values(i, val)
	if err != nil {
		return err
	}
	d, err := p.values(i, dur)
	if err != nil {
		return err
	}
	seconds, err := p.timesOf(i)
	if err != nil {
		return err
	}
	s := ch.Series[val].Defn
	for k := 0; k < min(len(v), len(d)); k++ {
		percent := v[k]
		switch {
		case s.Unit == "pu":
			percent *= 100
		case s.Unit == "V" && positive(s.Nominal):
			percent *= 100 / s.Nominal
		case s.Unit != "%":
			p.note(ch, "magnitudes in %q without a nominal value", s.Unit)
			return nil
		}
		if ch.Defn.Measured != "voltage" || !(percent >= 0) || math.IsInf(percent, 0) {
			p.note(ch, "a magnitude of %v %% of a %s", percent, ch.Defn.Measured)
			continue
		}
		at := p.start
		if k < len(seconds) && math.Abs(seconds[k]) < 1e9 {
			at = at.Add(time.Duration(seconds[k] * 1e9))
		}
		p.event(ch, at, p.magnitude(ch, percent, d[k]))
	}
	return nil
}

// event adds a PQ event.
func (p *piece) event(ch *Channel, at time.Time, x logdb.Excursion) {
	x.Channel = logdb.ChannelKey("readings.voltage." + ch.Defn.Phase)
	if voltagePhases[ch.Defn.Phase] == "" {
		x.Channel = format.KeyOf(format.Channel{Name: ch.Defn.Name}, 1)
	}
	if !(x.DurationSeconds >= 0) || math.IsInf(x.DurationSeconds, 0) {
		x.DurationSeconds = math.NaN()
	}
	p.percents = true
	p.out.Events = append(p.out.Events, format.Event{Kind: logdb.KindPQ, Entry: logdb.Entry{
		Op: logdb.OpAdd, Time: logdb.MillisOf(at.Round(time.Millisecond)), Excursion: &x,
	}})
}
