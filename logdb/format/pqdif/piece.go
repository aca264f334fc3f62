package pqdif

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
)

// piece is one observation on its way into a Content.
type piece struct {
	*content
	obs            *Observation
	start, trigger time.Time
	times          map[*element][]float64      // by the series that holds them
	millis         map[*float64][]logdb.Millis // by the first of the seconds
	timings        map[*float64]*format.Timing // by the first of the seconds
	samples        []format.Samples            // of the recording
}

// note names something about a channel that was not understood.
func (p *piece) note(ch *Channel, text string, args ...any) {
	p.reader.notes.add(p.obs.Record, p.obs.Offset, "channel %s: %s", ch.Defn.Name, fmt.Sprintf(text, args...))
}

// values returns a series, nil with a note when it cannot be read. Only a file that asks for too much is an error.
func (p *piece) values(channel, series int) ([]float64, error) {
	ch := &p.obs.Channels[channel]
	v, err := p.obs.Values(channel, series)
	if errors.Is(err, errBudget) {
		return nil, fmt.Errorf("channel %s: %w", ch.Defn.Name, err)
	}
	if err != nil {
		p.note(ch, "the series %s cannot be read: %v", ch.Series[series].Defn.Value, err)
		return nil, nil
	}
	return v, nil
}

// timesOf returns the times of a channel, seconds from the start; channels that share them share the slice.
func (p *piece) timesOf(channel int) ([]float64, error) {
	ch := &p.obs.Channels[channel]
	i := ch.Find("time")
	if i < 0 {
		return nil, nil
	}
	s := &ch.Series[i]
	holder := s.values
	if s.shareChan >= 0 && s.shareChan < len(p.obs.Channels) && s.shareSeri >= 0 && s.shareSeri < len(p.obs.Channels[s.shareChan].Series) {
		holder = p.obs.Channels[s.shareChan].Series[s.shareSeri].values
	}
	if v, ok := p.times[holder]; ok && holder != nil {
		return v, nil
	}
	v, err := p.values(channel, i)
	if err == nil && holder != nil {
		p.times[holder] = v
	}
	return v, err
}

// channel takes one channel of the observation.
func (p *piece) channel(i int) error {
	ch := &p.obs.Channels[i]
	p.characterised(ch)
	switch ch.Defn.Type {
	case "value log":
		return p.trends(i)
	case "waveform":
		return p.curves(i)
	case "phasor":
		if err := p.curves(i); err != nil {
			return err
		}
		return p.variations(i)
	case "magnitude-duration", "magnitude-duration-time":
		return p.magnitudes(i)
	case "undefined":
		return nil // noted when it was read
	case "":
		p.note(ch, "it has no quantity type")
	default:
		p.note(ch, "the quantity type %s is not kept", ch.Defn.Type)
	}
	return nil
}

// quantity describes a series as a channel of the content. The first of avg, val and inst that a
// channel has is the main one, the others are statistics beside it.
func (p *piece) quantity(ch *Channel, series int) format.Channel {
	d, s := ch.Defn, ch.Series[series].Defn
	out := format.Channel{Name: d.Name, Unit: s.Unit, Phase: d.Phase, Component: d.Measured, Key: keyOf(d, s)}
	if ch.Group >= 0 {
		out.Name, out.Key = fmt.Sprintf("%s %d", out.Name, ch.Group), ""
	}
	if main := ch.Find("avg", "val", "inst"); series != main {
		out.Statistic = keyPart(s.Value)
		if out.Key != "" {
			out.Key += logdb.ChannelKey("." + out.Statistic)
		}
	}
	if s.Unit == "%" {
		out.Factor = 0.01 // shares are fractions in historical data
	}
	if s.Unit == "Wh" || s.Unit == "varh" || s.Unit == "VAh" {
		p.note(ch, "the file does not say whether its energy is of an interval or of a counter: it is kept under its own name")
	}
	if contradicts(d, s) {
		p.note(ch, "it measures a %s in %s", d.Measured, s.Unit)
	}
	if _, err := fmt.Sscanf(s.Characteristic, "%8x-", new(uint32)); err == nil && len(s.Characteristic) == 36 {
		p.note(ch, "unknown characteristic %s", s.Characteristic)
	}
	return out
}

// keyPart makes a part of a key out of a value type.
func keyPart(value string) string {
	b := []byte(value)
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			b[i] = '-'
		}
	}
	return string(b)
}

// carries reports whether the numbers of a series are a quantity over time.
func carries(value string) bool {
	switch value {
	case "time", "duration", "latitude", "longitude", "bin id", "bin high", "bin low", "prob", "interval":
		return false
	}
	return true
}

// trends takes the series of a value log.
func (p *piece) trends(i int) error {
	return p.each(i, func(ch *Channel, j int, seconds, v []float64) {
		times, step := p.stamps(seconds)
		p.out.Trends = append(p.out.Trends, format.Trend{Channel: p.quantity(ch, j), Times: times[:len(v)], Values: v})
		p.steps = append(p.steps, step)
	})
}

// each visits the series of channel i that hold values, with the times of the channel, and notes when none does.
func (p *piece) each(i int, visit func(ch *Channel, j int, seconds, v []float64)) error {
	ch := &p.obs.Channels[i]
	seconds, err := p.timesOf(i)
	if err != nil {
		return err
	}
	some := false
	for j := range ch.Series {
		v, err := p.paired(i, j, seconds)
		if err != nil {
			return err
		}
		if len(v) > 0 {
			some = true
			visit(ch, j, seconds, v)
		}
	}
	if !some {
		p.note(ch, "it holds no values, at %d times", len(seconds))
	}
	return nil
}

// paired returns those values of a series that have a time.
func (p *piece) paired(i, j int, seconds []float64) ([]float64, error) {
	ch := &p.obs.Channels[i]
	d := ch.Series[j].Defn
	if !carries(d.Value) {
		return nil, nil
	}
	v, err := p.values(i, j)
	if len(v) > len(seconds) || len(v) > 0 && len(v) < len(seconds) {
		p.note(ch, "the series %s has %d values at %d times: those without a partner are left out", d.Value, len(v), len(seconds))
	}
	return v[:min(len(v), len(seconds))], err
}

// stamps turns seconds from the start into times, and returns their usual distance in milliseconds.
func (p *piece) stamps(seconds []float64) ([]logdb.Millis, int64) {
	key := &seconds[0]
	if p.millis == nil {
		p.millis = map[*float64][]logdb.Millis{}
	}
	out, ok := p.millis[key]
	if !ok {
		base := float64(p.start.Nanosecond()/1000) / 1000 // milliseconds, with the microseconds
		whole := p.start.Unix() * 1000
		out = make([]logdb.Millis, len(seconds))
		for i, s := range seconds {
			ms := math.Round(base + s*1000)
			if !(math.Abs(ms) < 1e15) {
				ms = -1e15 // no time at all: left out and counted later
			}
			out[i] = logdb.Millis(whole + int64(ms))
		}
		p.millis[key] = out
	}
	return out, usualStep(out)
}

// usualStep returns the median distance of times in milliseconds, whole seconds; 0 when there is none.
func usualStep(times []logdb.Millis) int64 {
	if len(times) < 2 {
		return 0
	}
	steps := make([]int64, len(times)-1)
	for i := range steps {
		steps[i] = int64(times[i+1] - times[i])
	}
	slices.Sort(steps)
	return (steps[len(steps)/2] + 500) / 1000 * 1000
}

// numberLogs gives the trends of one channel that were recorded at different steps logs of their own,
// the shortest first, since one log holds a channel once.
func (c *content) numberLogs() {
	type name struct {
		key  logdb.ChannelKey
		name string
		stat string
	}
	steps := map[name][]int64{}
	for i, t := range c.out.Trends {
		n := name{t.Key, t.Name, t.Statistic}
		steps[n] = insert(steps[n], c.steps[i])
	}
	for i := range c.out.Trends {
		t := &c.out.Trends[i]
		for k, s := range steps[name{t.Key, t.Name, t.Statistic}] {
			if s == c.steps[i] {
				t.Log = logdb.LogNo(k)
			}
		}
	}
}

// insert puts s into a sorted list unless it is there already. Step 0 is that of a single value, which
// tells nothing.
func insert(list []int64, s int64) []int64 {
	i, found := slices.BinarySearch(list, s)
	if found || s == 0 {
		return list
	}
	return slices.Insert(list, i, s)
}
