package chart

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Tick is a mark of an axis.
type Tick struct {
	Value float64 `json:"value"` // of values in the unit of the data; of times ms since 1970
	Label string  `json:"label"`
}

// Scale is how the values of an axis are written: one prefix for all of them.
type Scale struct {
	Factor float64 `json:"factor"` // what values are divided by
	Unit   string  `json:"unit"`
}

// prefixed are the units that take a prefix.
var prefixed = map[string]bool{"V": true, "A": true, "W": true, "var": true, "VA": true, "Wh": true, "varh": true, "VAh": true, "s": true, "Hz": false}

// ScaleFor chooses the prefix of an axis from its largest value. "ratio" is written as percent.
func ScaleFor(unit string, low, high float64) Scale {
	if unit == "ratio" {
		return Scale{0.01, "%"}
	}
	most := math.Max(math.Abs(low), math.Abs(high))
	if !prefixed[unit] || most == 0 || math.IsInf(most, 0) || math.IsNaN(most) {
		return Scale{1, unit}
	}
	for _, p := range []struct {
		from   float64
		factor float64
		prefix string
	}{{1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}, {0.5, 1, ""}, {5e-4, 1e-3, "m"}} {
		if most >= p.from {
			return Scale{p.factor, p.prefix + unit}
		}
	}
	return Scale{1e-6, "µ" + unit}
}

// ValueTicks returns marks at steps of 1, 2 or 5 times a power of ten within [low, high], at most `most`; their labels are in
// the scale's unit, all with the same number of decimals.
func ValueTicks(low, high float64, scale Scale, most int) []Tick {
	if !(high > low) || most < 2 || math.IsInf(high-low, 0) {
		return nil
	}
	low, high = low/scale.Factor, high/scale.Factor
	step := niceStep((high - low) / float64(most-1))
	decimals := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	var out []Tick
	for k := math.Ceil(low/step - 1e-9); k*step <= high+step*1e-9; k++ {
		v := k * step
		label := strconv.FormatFloat(v, 'f', decimals, 64)
		if strings.Trim(label, "-0.") == "" {
			label, v = strings.TrimPrefix(label, "-"), 0
		}
		out = append(out, Tick{v * scale.Factor, strings.Replace(label, "-", "−", 1)})
	}
	return out
}

// niceStep is the smallest of 1, 2, 5 times a power of ten that is not below raw.
func niceStep(raw float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// LogTicks returns marks at the decades of a logarithmic axis of seconds, written in the unit that fits.
func LogTicks(low, high float64) []Tick {
	var out []Tick
	for e := math.Ceil(math.Log10(low) - 1e-9); e <= math.Log10(high)+1e-9; e++ {
		v := math.Pow(10, e)
		out = append(out, Tick{v, secondsLabel(v)})
	}
	return out
}

func secondsLabel(s float64) string {
	plain := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	switch {
	case s < 0.9999e-3:
		return plain(s*1e6) + " µs"
	case s < 0.9999:
		return plain(s*1e3) + " ms"
	case s < 9999:
		return strconv.FormatFloat(math.Round(s), 'f', -1, 64) + " s"
	}
	return plain(math.Round(s/1000)) + " ks"
}

// timeStep is a distance of time marks: absolute below a day, of the calendar from there on.
type timeStep struct {
	span         time.Duration
	days, months int
}

var timeSteps = func() (out []timeStep) {
	for _, ms := range []time.Duration{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000} {
		out = append(out, timeStep{span: ms * time.Millisecond})
	}
	for _, m := range []time.Duration{1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720} {
		out = append(out, timeStep{span: m * time.Minute})
	}
	for _, d := range []int{1, 2, 7} {
		out = append(out, timeStep{days: d})
	}
	for _, m := range []int{1, 2, 3, 6, 12, 24, 60, 120} {
		out = append(out, timeStep{months: m})
	}
	return out
}()

// about is how long a step takes.
func (s timeStep) about() time.Duration {
	return s.span + time.Duration(s.days)*24*time.Hour + time.Duration(s.months)*30*24*time.Hour
}

// TimeTicks returns marks at round times of a zone within [from, to] (ms since 1970), at most `most` or a few more. Days have 23 or 25
// hours where the clock changes; a time that comes twice is written with its offset.
func TimeTicks(from, to int64, zone *time.Location, most int) []Tick {
	if to <= from || most < 2 {
		return nil
	}
	step := timeSteps[len(timeSteps)-1]
	for _, s := range timeSteps {
		if time.Duration(to-from)*time.Millisecond <= s.about()*time.Duration(most) {
			step = s
			break
		}
	}
	var out []Tick
	end := time.UnixMilli(to)
	for t := step.first(time.UnixMilli(from).In(zone)); !t.After(end) && len(out) < 4*most; t = step.next(t) {
		if t.UnixMilli() >= from {
			out = append(out, Tick{float64(t.UnixMilli()), step.label(t)})
		}
	}
	return out
}

// first is the last round time at or before t.
func (s timeStep) first(t time.Time) time.Time {
	zone := t.Location()
	switch {
	case s.months > 0:
		n := t.Year()*12 + int(t.Month()) - 1
		n -= n % s.months
		return time.Date(n/12, time.Month(n%12+1), 1, 0, 0, 0, 0, zone)
	case s.days == 7:
		return time.Date(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, 0, 0, 0, 0, zone)
	case s.days > 0:
		day := t.YearDay() - 1
		return time.Date(t.Year(), 1, 1+day-day%s.days, 0, 0, 0, 0, zone)
	case s.span >= time.Hour: // hours of the wall clock
		hour := int(s.span / time.Hour)
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour()-t.Hour()%hour, 0, 0, 0, zone)
	}
	_, offset := t.Zone()
	shift := time.Duration(offset) * time.Second
	return t.Add(shift).Truncate(s.span).Add(-shift)
}

func (s timeStep) next(t time.Time) time.Time {
	zone := t.Location()
	switch {
	case s.months > 0:
		return time.Date(t.Year(), t.Month()+time.Month(s.months), 1, 0, 0, 0, 0, zone)
	case s.days == 2: // from the first of the year on, so that marks do not move with the window
		if n := time.Date(t.Year(), t.Month(), t.Day()+2, 0, 0, 0, 0, zone); n.Year() == t.Year() {
			return n
		}
		return time.Date(t.Year()+1, 1, 1, 0, 0, 0, 0, zone)
	case s.days > 0:
		return time.Date(t.Year(), t.Month(), t.Day()+s.days, 0, 0, 0, 0, zone)
	case s.span > time.Hour:
		n := time.Date(t.Year(), t.Month(), t.Day(), t.Hour()+int(s.span/time.Hour), 0, 0, 0, zone)
		if !n.After(t) {
			n = t.Add(s.span)
		}
		return n
	}
	return t.Add(s.span)
}

func (s timeStep) label(t time.Time) string {
	midnight := t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 && t.Nanosecond() == 0
	switch {
	case s.months >= 12:
		return t.Format("2006")
	case s.months > 0:
		if t.Month() == time.January {
			return t.Format("Jan 2006")
		}
		return t.Format("Jan")
	case s.days > 0 || midnight:
		if t.YearDay() == 1 {
			return t.Format("2 Jan 2006")
		}
		return t.Format("2 Jan")
	case s.span < time.Second:
		return t.Format("15:04:05.000") + offsetOfTwice(t)
	case s.span < time.Minute:
		return t.Format("15:04:05") + offsetOfTwice(t)
	}
	return t.Format("15:04") + offsetOfTwice(t)
}

// offsetOfTwice is the offset of a wall-clock time that comes twice; "" for all others.
func offsetOfTwice(t time.Time) string {
	const layout = "2006-01-02T15:04:05.000"
	for _, d := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		if t.Add(d).Format(layout) == t.Format(layout) || t.Add(-d).Format(layout) == t.Format(layout) {
			return " " + strings.Replace(t.Format("-07:00"), "-", "−", 1)
		}
	}
	return ""
}
