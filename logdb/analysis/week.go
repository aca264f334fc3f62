package analysis

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/pq"
)

// tenMinutes is the aggregation interval of EN 50160.
const tenMinutes logdb.Millis = 600_000

// EN50160Week reads what a meter's logs say of a week for the evaluation of EN 50160. from is the week's first moment, midnight of a
// Monday as a rule; the week is 7 times 24 hours, also where the clock changes in it. Intervals that an event of the PQ log touches
// are flagged. Without a nominal voltage nothing is said of voltages and events.
func EN50160Week(ctx context.Context, src logdb.Source, meter logdb.MeterUID, s logdb.Settings, from logdb.Millis) (pq.Week, error) {
	w := &weekReader{ctx: ctx, src: src, meter: meter, settings: s, from: from, to: from + 7*logdb.DayMillis}
	w.out = pq.Week{NominalVolts: s.NominalVolts, NominalHz: s.NominalHz}
	if err := w.events(); err != nil {
		return pq.Week{}, err
	}
	for _, read := range []func() error{w.voltages, w.frequency, w.distortion, w.unbalance, w.flicker} {
		if err := read(); err != nil {
			return pq.Week{}, err
		}
	}
	return w.out, nil
}

type weekReader struct {
	ctx      context.Context // of the one call that it lives for
	src      logdb.Source
	meter    logdb.MeterUID
	settings logdb.Settings
	from, to logdb.Millis
	flagged  []bool // ten-minute intervals that an event touches
	out      pq.Week
}

// sampled is the values of one channel in the week.
type sampled struct {
	times    []logdb.Millis
	values   []float64
	interval logdb.Millis // the most frequent distance
}

func (w *weekReader) read(channel string) (*sampled, error) {
	return w.readWithin(logdb.ChannelKey(channel), w.from, w.to)
}

func (w *weekReader) readWithin(channel logdb.ChannelKey, first, last logdb.Millis) (*sampled, error) {
	choice, err := Choose(w.ctx, w.src, Query{Meter: w.meter, Channels: []logdb.ChannelKey{channel}, First: first, Last: last})
	if err != nil || len(choice.Columns) == 0 {
		return nil, err
	}
	out := &sampled{}
	err = choice.ReadSeries(w.ctx, []logdb.SeriesID{1}, first, last, func(_ logdb.SeriesID, b *logdb.Block) error {
		out.times = append(out.times, b.Times...)
		out.values = b.AppendValues(out.values)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", channel, err)
	}
	if len(out.times) == 0 {
		return nil, nil
	}
	steps := map[logdb.Millis]int{}
	for i := 1; i < len(out.times); i++ {
		steps[out.times[i]-out.times[i-1]]++
	}
	for step, n := range steps {
		if n > steps[out.interval] || n == steps[out.interval] && step < out.interval {
			out.interval = step
		}
	}
	return out, nil
}

// tens combines values to ten-minute ones by a mean of f(value) and its inverse.
func (w *weekReader) tens(s *sampled, f, inverse func(float64) float64) []float64 {
	n := int((w.to - w.from) / tenMinutes)
	sums, counts := make([]float64, n), make([]int, n)
	for i, at := range s.times {
		k := int((at - w.from) / tenMinutes)
		sums[k] += f(s.values[i])
		counts[k]++
	}
	for k := range sums {
		if counts[k] == 0 {
			sums[k] = math.NaN()
		} else {
			sums[k] = inverse(sums[k] / float64(counts[k]))
		}
	}
	return sums
}

func same(v float64) float64 { return v }

func (w *weekReader) quantity(name, note string, values []float64) pq.Quantity160 {
	q := pq.Quantity160{Name: name, Note: note, Expected: len(values)}
	for k, v := range values {
		q.Values = append(q.Values, pq.Interval{Value: v, Flagged: w.flagged[k]})
	}
	return q
}

// every writes an interval: 10 s, 5 min.
func every(interval logdb.Millis) string {
	d := time.Duration(interval) * time.Millisecond
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

// logged says how values came to be, as the standard's reader must know.
func (s *sampled) logged() string {
	return fmt.Sprintf("calculated from values logged every %s", every(s.interval))
}

func (w *weekReader) voltages() error {
	if !(w.settings.NominalVolts > 0) {
		w.out.Voltage = []pq.Quantity160{{Name: "supply voltage", Note: "the nominal voltage of the meter is not set", Expected: len(w.flagged)}}
		return nil
	}
	for _, set := range []struct {
		keys  []string
		ratio float64
	}{{[]string{"an", "bn", "cn"}, 1}, {[]string{"ab", "bc", "ca"}, w.lineRatio()}} {
		for _, key := range set.keys {
			s, err := w.read("readings.voltage." + key)
			if err != nil {
				return err
			}
			if s == nil || s.interval > tenMinutes {
				continue
			}
			values := w.tens(s, func(v float64) float64 { return v * v }, math.Sqrt)
			for k := range values {
				values[k] /= set.ratio
			}
			note := s.logged()
			if set.ratio != 1 {
				note += ", line to line, by the root of 3"
			}
			w.out.Voltage = append(w.out.Voltage, w.quantity("supply voltage "+strings.ToUpper(key), note, values))
		}
		if len(w.out.Voltage) > 0 {
			return nil
		}
	}
	return nil
}

// lineRatio is a line-to-line voltage over the nominal one: settings of a delta give the line-to-line voltage itself.
func (w *weekReader) lineRatio() float64 { return lineRatio(w.settings) }

func lineRatio(s logdb.Settings) float64 {
	if strings.HasPrefix(s.Hookup, "delta") {
		return 1
	}
	return math.Sqrt(3)
}

func (w *weekReader) frequency() error {
	s, err := w.read("readings.frequency")
	if err != nil || s == nil || s.interval == 0 {
		w.out.NominalHz = cmp.Or(w.out.NominalHz, 50)
		return err
	}
	guessed := ""
	if w.out.NominalHz == 0 { // not set: the values tell
		sorted := slices.Sorted(slices.Values(s.values))
		w.out.NominalHz = 50
		if sorted[len(sorted)/2] > 55 {
			w.out.NominalHz = 60
		}
		guessed = fmt.Sprintf("; the nominal frequency is not set, %g Hz is taken", w.out.NominalHz)
	}
	q := pq.Quantity160{
		Name: "frequency", Expected: int((w.to - w.from) / s.interval),
		Note: fmt.Sprintf("indicative: logged every %s, the standard has means of 10 s", every(s.interval)) + guessed,
	}
	for i, v := range s.values {
		q.Values = append(q.Values, pq.Interval{Value: v, Flagged: w.flagged[int((s.times[i]-w.from)/tenMinutes)]})
	}
	w.out.Frequency = []pq.Quantity160{q}
	return nil
}

func (w *weekReader) distortion() error {
	for _, phase := range []string{"a", "b", "c"} {
		s, err := w.read("thd.voltage." + phase)
		if err != nil {
			return err
		}
		if s == nil || s.interval > tenMinutes {
			continue
		}
		note := s.logged() + "; the orders are the meter's"
		w.out.THD = append(w.out.THD, w.quantity("THD "+strings.ToUpper(phase), note, w.tens(s, same, same)))
	}
	return nil
}

func (w *weekReader) unbalance() error {
	var lines [3][]float64
	note := ""
	for i, key := range []string{"ab", "bc", "ca"} {
		s, err := w.read("readings.voltage." + key)
		if err != nil || s == nil || s.interval > tenMinutes {
			return err
		}
		note = s.logged()
		lines[i] = w.tens(s, func(v float64) float64 { return v * v }, math.Sqrt)
	}
	values := make([]float64, len(lines[0]))
	for k := range values {
		values[k] = pq.UnbalanceOfLineVoltages(lines[0][k], lines[1][k], lines[2][k])
	}
	w.out.Unbalance = []pq.Quantity160{w.quantity("unbalance", note+", by the magnitudes of the line-to-line voltages (IEC 61000-4-30, 5.7.1)", values)}
	return nil
}

// flicker takes the long-term flicker that a meter has made itself, at the end of each two hours. At a scale that no document prints it would pass or
// fail by chance: then it is not judged.
func (w *weekReader) flicker() error {
	const twoHours = 12 * tenMinutes
	for _, phase := range []string{"a", "b", "c"} {
		key := logdb.ChannelKey("flicker.plt." + phase)
		s, err := w.readWithin(key, w.from+1, w.to+1)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		q := pq.Quantity160{Name: "flicker Plt " + strings.ToUpper(phase), Note: "as the meter logs it, at the end of each two hours", Expected: int((w.to - w.from) / twoHours)}
		if !w.settings.Verified(key) {
			q.Note = "logged by the meter at a scale that is not verified: not judged"
			s = &sampled{}
		}
		for i, at := range s.times {
			q.Values = append(q.Values, pq.Interval{Value: s.values[i], Flagged: w.touched(at-twoHours, at)})
		}
		w.out.Plt = append(w.out.Plt, q)
	}
	return nil
}

// touched reports whether an event touches [first, last).
func (w *weekReader) touched(first, last logdb.Millis) bool {
	for k := max(0, int((first-w.from)/tenMinutes)); k < len(w.flagged) && w.from+logdb.Millis(k)*tenMinutes < last; k++ {
		if w.flagged[k] {
			return true
		}
	}
	return false
}

func (w *weekReader) events() error {
	w.flagged = make([]bool, int((w.to-w.from)/tenMinutes))
	states, err := w.src.Streams(w.ctx, w.meter, logdb.KindPQ)
	if err != nil {
		return fmt.Errorf("look for a PQ log: %w", err)
	}
	if len(states) == 0 || !(w.settings.NominalVolts > 0) {
		return nil // no PQ log, or nothing to compare it with: nothing is known of events
	}
	list, err := Sightings(w.ctx, w.src, w.meter, w.settings, w.from, w.to)
	if err != nil {
		return err
	}
	events := []pq.Event{}
	for _, s := range list {
		events = append(events, s.Event)
		first := max(0, int((logdb.MillisOf(s.Start)-w.from)/tenMinutes))
		last := int((logdb.MillisOf(s.Start.Add(max(0, s.Duration))) - w.from) / tenMinutes)
		for k := first; k <= last && k < len(w.flagged); k++ {
			w.flagged[k] = true
		}
	}
	w.out.Events = pq.AggregatePhases(events)
	return nil
}

// Sightings reads the voltage events of a meter's PQ log in [first, last). Their ratios refer to the nominal voltage, line to line
// where the channel is, or to full scale where the nominal voltage is not set; events whose worst value is not known are left out.
func Sightings(ctx context.Context, src logdb.Source, meter logdb.MeterUID, s logdb.Settings, first, last logdb.Millis) ([]pq.Sighting, error) {
	var out []pq.Sighting
	err := src.ReadEvents(ctx, logdb.EventQuery{Meter: meter, Kind: logdb.KindPQ, First: first, Last: last}, func(stream logdb.StreamID, e *logdb.Entry) error {
		x := e.Excursion
		if x == nil || e.Op == logdb.OpWithdraw {
			return nil
		}
		ratio, phase, ok := EventRatio(x, s)
		if !ok {
			return nil
		}
		duration := time.Duration(-1)
		if !math.IsNaN(x.DurationSeconds) {
			duration = time.Duration(math.Round(x.DurationSeconds * 1e9))
		}
		out = append(out, pq.Sighting{
			Meter: string(meter), Event: pq.Event{Start: e.Time.Time(), Duration: duration, Ratio: ratio, Phase: phase},
			Ref: fmt.Sprintf("%d@%s", e.Position, stream),
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the PQ events of %s: %w", meter, err)
	}
	return slices.Clip(out), nil
}

// EventRatio is the worst voltage of an event to the nominal one of its channel, and its phase. Without a nominal voltage it is the
// percentage of full scale that the event carries, which may be another thing: callers must say so.
func EventRatio(x *logdb.Excursion, s logdb.Settings) (ratio float64, phase pq.Phase, ok bool) {
	key, voltage := strings.CutPrefix(string(x.Channel), "readings.voltage.")
	if !voltage {
		return 0, 0, false
	}
	_, phase = pq.Role("v"+key, false)
	if !(s.NominalVolts > 0) {
		return x.WorstPercent / 100, phase, !math.IsNaN(x.WorstPercent)
	}
	nominal := s.NominalVolts
	if phase >= pq.AB {
		nominal *= lineRatio(s)
	}
	volts := x.Worst
	if math.IsNaN(volts) && s.VoltageFullScale > 0 {
		volts = x.WorstPercent / 100 * s.VoltageFullScale
	}
	if math.IsNaN(volts) {
		return 0, phase, false
	}
	return volts / nominal, phase, true
}
