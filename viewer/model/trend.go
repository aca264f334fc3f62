package model

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/chart"
	"metermanager/viewer/timeline"
)

// Trend is the graph of historical values, and its table.
type Trend struct {
	State State
	Err   error
	// Known is what can be chosen, Chosen what is.
	Known  *ChannelList
	Chosen []TrendChannel
	// First and Last are what is seen; FullFirst and FullLast what can be.
	First, Last, FullFirst, FullLast logdb.Millis
	Data                             *TrendData
	// Cursors are times; 0: not set.
	A, B  logdb.Millis
	Marks []chart.Mark
	// Compare is the earlier time that is drawn too.
	Compare Earlier
}

// NewTrend returns an empty graph.
func NewTrend() *Trend { return &Trend{Known: &ChannelList{}} }

// usual are the channels that are shown when nobody chose, the first group that is there.
var usual = [][]logdb.ChannelKey{
	{"readings.voltage.an", "readings.voltage.bn", "readings.voltage.cn"},
	{"readings.voltage.ab", "readings.voltage.bc", "readings.voltage.ca"},
	{"readings.power.watts"}, {"energy.interval.wh.received"},
}

// TakeChannels takes what can be chosen. What was chosen stays, as far as it is there; nothing chosen becomes the usual.
func (v *Trend) TakeChannels(list *ChannelList) {
	v.Known = list
	var kept []TrendChannel
	for _, c := range v.Chosen {
		for _, k := range list.Channels {
			if k.Meter == c.Meter && k.Channel.Key == c.Channel.Key {
				k.Right = c.Right
				kept = append(kept, k)
			}
		}
	}
	v.Chosen = kept
	if len(kept) == 0 {
		v.chooseUsual()
	}
}

// mostUsual bounds how many lines appear by themselves.
const mostUsual = 6

func (v *Trend) chooseUsual() {
	for _, group := range usual {
		for _, k := range v.Known.Channels {
			if slices.Contains(group, k.Channel.Key) && len(v.Chosen) < mostUsual {
				v.Chosen = append(v.Chosen, k)
			}
		}
		if len(v.Chosen) > 0 {
			return
		}
	}
	for _, k := range v.Known.Channels {
		if len(v.Chosen) < 3 && (len(v.Chosen) == 0 || k.Channel.Unit == v.Chosen[0].Channel.Unit) {
			v.Chosen = append(v.Chosen, k)
		}
	}
}

// Index is the place of a channel among those chosen; -1 when it is not.
func (v *Trend) Index(c *TrendChannel) int {
	return slices.IndexFunc(v.Chosen, func(x TrendChannel) bool { return x.Meter == c.Meter && x.Channel.Key == c.Channel.Key })
}

// Toggle chooses a channel, or takes it out. One of another unit than those of the left axis goes to the right one.
func (v *Trend) Toggle(c TrendChannel) {
	if i := v.Index(&c); i >= 0 {
		v.Chosen = slices.Delete(v.Chosen, i, i+1)
		return
	}
	c.Right = false
	for _, x := range v.Chosen {
		if !x.Right && UnitOf(x.Channel.Channel) != UnitOf(c.Channel.Channel) {
			c.Right = true
		}
	}
	v.Chosen = append(v.Chosen, c)
}

// Swap moves a channel to the other axis.
func (v *Trend) Swap(c TrendChannel) {
	if i := v.Index(&c); i >= 0 {
		v.Chosen[i].Right = !v.Chosen[i].Right
	}
}

// SetFull sets what can be seen from a range; without bounds it is what the chosen channels hold.
func (v *Trend) SetFull(first, last logdb.Millis) {
	if first == 0 || last == 0 {
		for i, c := range v.Chosen {
			if i == 0 || c.Channel.First < first {
				first = c.Channel.First
			}
			last = max(last, c.Channel.Last+1)
		}
	}
	if last-first < 10 {
		first, last = max(0, first-5), last+5
	}
	v.FullFirst, v.FullLast, v.First, v.Last = first, last, first, last
}

// Grow takes a range that new records made longer. What shows everything shows the new too, what ends at the newest follows, what was chosen
// stays.
func (v *Trend) Grow(first, last logdb.Millis) {
	was := *v
	v.SetFull(first, last)
	switch {
	case was.FullLast == 0 || was.First == was.FullFirst && was.Last == was.FullLast:
	case was.Last == was.FullLast:
		v.show(v.FullLast-(was.Last-was.First), was.Last-was.First)
	default:
		v.show(was.First, was.Last-was.First)
	}
}

// least is the shortest time that a graph shows.
const least logdb.Millis = 10

// Zoom makes what is seen shorter (factor < 1) or longer about a time.
func (v *Trend) Zoom(at logdb.Millis, factor float64) {
	span := float64(v.Last-v.First) * factor
	full := float64(v.FullLast - v.FullFirst)
	span = min(max(span, float64(least)), full)
	share := float64(at-v.First) / float64(max(1, v.Last-v.First))
	v.show(at-logdb.Millis(span*share), logdb.Millis(span))
}

// Show shows [first, last), as far as there is anything.
func (v *Trend) Show(first, last logdb.Millis) {
	if last-first >= least {
		v.show(first, last-first)
	}
}

// Pan moves what is seen by a share of its length.
func (v *Trend) Pan(share float64) {
	span := v.Last - v.First
	v.show(v.First+logdb.Millis(share*float64(span)), span)
}

// Fit shows everything.
func (v *Trend) Fit() { v.First, v.Last = v.FullFirst, v.FullLast }

func (v *Trend) show(first, span logdb.Millis) {
	span = min(max(span, least), v.FullLast-v.FullFirst)
	first = max(v.FullFirst, min(first, v.FullLast-span))
	v.First, v.Last = first, first+span
}

// Wanted is what is read for what is seen with a picture of so many parts: half as much again on each side, as far as there is anything, so that
// a hand that moves it meets no empty edge, and lines reach the edges.
func (v *Trend) Wanted(seen int) (first, last logdb.Millis, parts int) {
	span := v.Last - v.First
	first, last = max(v.FullFirst, v.First-span/2), min(v.FullLast, v.Last+span/2)
	return first, last, max(1, int(float64(seen)*float64(last-first)/float64(max(1, span))))
}

// Covered reports whether what was read holds what is seen, with some room for the next move, in parts that are no larger than wanted.
func (v *Trend) Covered(seen int) bool {
	d := v.Data
	if d == nil {
		return false
	}
	span := v.Last - v.First
	if d.First > max(v.FullFirst, v.First-span/8) || d.Last < min(v.FullLast, v.Last+span/8) {
		return false
	}
	for i := range d.Series {
		if step := d.Series[i].StepMillis; step > 1.05*float64(span)/float64(max(1, seen)) {
			return false
		}
	}
	return true
}

// UnitOf is the unit of a channel as charts know it.
func UnitOf(c logdb.Channel) string {
	if c.Unit == "" && (strings.HasPrefix(string(c.Key), "thd.") || strings.Contains(string(c.Key), ".factor")) {
		return "ratio"
	}
	return c.Unit
}

// Zone is that of the meters chosen.
func (v *Trend) Zone() *time.Location {
	zone, _ := ZoneOf(v.meters())
	return zone
}

func (v *Trend) meters() (out []*Meter) {
	for _, c := range v.Chosen {
		if !slices.Contains(out, c.Meter) {
			out = append(out, c.Meter)
		}
	}
	return out
}

// Drawing draws what is seen of what was read.
func (v *Trend) Drawing() *chart.Trend {
	t := &chart.Trend{From: int64(v.First), To: int64(v.Last), Zone: v.Zone(), Marks: v.Marks}
	several := len(v.meters()) > 1
	for i := range v.Chosen {
		c := &v.Chosen[i]
		s := chart.TrendSeries{Name: c.Title(several), Unit: UnitOf(c.Channel.Channel), Right: c.Right, Steps: c.Channel.CoversInterval}
		if v.Data != nil && i < len(v.Data.Series) {
			d := &v.Data.Series[i]
			s.Times, s.Values, s.Low, s.High, s.MaxGap = d.Times, d.Values, d.Low, d.High, gapOf(d.Times)
		}
		t.Series = append(t.Series, s)
	}
	if v.Data == nil {
		return t
	}
	for i := range v.Data.Before {
		if d := &v.Data.Before[i]; i < len(v.Chosen) && len(d.Times) > 0 {
			s := t.Series[i]
			s.Name, s.Like = s.Name+", "+v.Compare.Name, i+1
			s.Times, s.Values, s.Low, s.High, s.MaxGap = d.Times, d.Values, nil, nil, gapOf(d.Times)
			t.Series = append(t.Series, s)
		}
	}
	return t
}

// gapOf is the distance above which a line is broken: four times the usual one.
func gapOf(times []float64) float64 {
	if len(times) < 3 {
		return 0
	}
	// A sample of the distances is enough, and long lists are drawn at every move of the hand.
	every := max(1, len(times)/2000)
	steps := make([]float64, 0, 2001)
	for i := every; i < len(times); i += every {
		steps = append(steps, times[i]-times[i-1])
	}
	slices.Sort(steps)
	return 4 * steps[len(steps)/2]
}

// ValueAt is the value of series i nearest to a time, within what is drawn as a line; NaN without.
func (v *Trend) ValueAt(i int, at logdb.Millis) (value float64, time logdb.Millis) {
	if v.Data == nil || i >= len(v.Data.Series) || len(v.Data.Series[i].Times) == 0 {
		return math.NaN(), 0
	}
	s := &v.Data.Series[i]
	k := sort.SearchFloat64s(s.Times, float64(at))
	if k == len(s.Times) || k > 0 && float64(at)-s.Times[k-1] < s.Times[k]-float64(at) {
		k--
	}
	if gap := gapOf(s.Times); gap > 0 && math.Abs(s.Times[k]-float64(at)) > gap/2 {
		return math.NaN(), 0
	}
	return s.Values[k], logdb.Millis(s.Times[k])
}

// Readout is a line beside the graph: a channel with its values at the cursors.
type Readout struct {
	Name, A, B, Delta, Range string
	Color                    int
}

// Readouts are the values at the cursors and the extremes of what is seen.
func (v *Trend) Readouts() (out []Readout) {
	several := len(v.meters()) > 1
	for i := range v.Chosen {
		c := &v.Chosen[i]
		unit := UnitOf(c.Channel.Channel)
		r := Readout{Name: c.Title(several), Color: i}
		low, high := v.extremes(i)
		if low <= high {
			r.Range = timeline.Quantity(low, unit) + " … " + timeline.Quantity(high, unit)
		}
		a := math.NaN()
		if v.A != 0 {
			a, _ = v.ValueAt(i, v.A)
			r.A = orDash(timeline.Quantity(a, unit))
		}
		if v.B != 0 {
			b, _ := v.ValueAt(i, v.B)
			r.B, r.Delta = orDash(timeline.Quantity(b, unit)), orDash(signed(b-a, unit))
		}
		out = append(out, r)
	}
	return out
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func signed(v float64, unit string) string {
	text := timeline.Quantity(v, unit)
	if v > 0 {
		text = "+" + text
	}
	return text
}

func (v *Trend) extremes(i int) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	if v.Data == nil || i >= len(v.Data.Series) {
		return low, high
	}
	s := &v.Data.Series[i]
	first, last := sort.SearchFloat64s(s.Times, float64(v.First)), sort.SearchFloat64s(s.Times, float64(v.Last))
	for k := first; k < last; k++ {
		l, h := s.Values[k], s.Values[k]
		if s.Low != nil {
			l, h = s.Low[k], s.High[k]
		}
		if !math.IsNaN(l) {
			low, high = min(low, l), max(high, h)
		}
	}
	return low, high
}

// CursorNote tells the times of the cursors and their distance.
func (v *Trend) CursorNote() string {
	switch {
	case v.A == 0:
		return ""
	case v.B == 0:
		return "A " + Clock(v.A, v.Zone())
	}
	return fmt.Sprintf("A %s · B %s · Δ %s", Clock(v.A, v.Zone()), Clock(v.B, v.Zone()), timeline.Seconds(math.Abs(float64(v.B-v.A))/1000))
}
