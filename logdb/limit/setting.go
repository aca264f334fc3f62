package limit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
)

// ErrSetting marks a name or value of a setting that is none.
var ErrSetting = errors.New("no such limit")

// Names are the settings of the limitor, by which people and scripts change its numbers.
func Names() []string {
	return []string{"historical_interval", "waveform", "system", "limits", "pq", "waveform_samples", "waveform_samples_per_cycle"}
}

// Default is the value that sets a number back to what it is by itself.
const Default = "default"

// spans are the windows that a setting can name.
var spans = []struct {
	short, name string
	length      logdb.Millis
}{{"s", "second", 1_000}, {"min", "minute", 60_000}, {"h", "hour", 3_600_000}, {"d", "day", logdb.DayMillis}}

// Set changes one of the numbers of l: windows are written "10/s 30/min 100/h 200/d" (any of them; "none" for no
// limit), the interval as a span ("1m"; "0s": none), the samples as a number (0: no limit).
func Set(l *logdb.Limits, name, value string) error {
	value = strings.TrimSpace(value)
	usual := logdb.DefaultLimits()
	switch name {
	case "historical_interval":
		if value == Default {
			l.HistoricalIntervalMillis = usual.HistoricalIntervalMillis
			return nil
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > 24*time.Hour || d%time.Millisecond != 0 || d > 0 && (24*time.Hour)%d != 0 {
			return fmt.Errorf("%w: the interval %q is not a part of a day, such as 1m or 15s", ErrSetting, value)
		}
		l.HistoricalIntervalMillis = d.Milliseconds()
	case "waveform_samples":
		return setNumber(&l.WaveformSamples, usual.WaveformSamples, value)
	case "waveform_samples_per_cycle":
		return setNumber(&l.WaveformSamplesPerCycle, usual.WaveformSamplesPerCycle, value)
	default:
		into, was := windowsOf(l, name), windowsOf(&usual, name)
		if into == nil {
			return fmt.Errorf("%w: %q", ErrSetting, name)
		}
		if value == Default {
			*into = *was
			return nil
		}
		list, err := parseWindows(value)
		if err != nil {
			return err
		}
		*into = list
	}
	return nil
}

// Text returns the value of a setting as Set takes it; "" for a name that is none.
func Text(l logdb.Limits, name string) string {
	switch name {
	case "historical_interval":
		return (time.Duration(l.HistoricalIntervalMillis) * time.Millisecond).String()
	case "waveform_samples":
		return strconv.Itoa(l.WaveformSamples)
	case "waveform_samples_per_cycle":
		return strconv.Itoa(l.WaveformSamplesPerCycle)
	}
	list := windowsOf(&l, name)
	if list == nil {
		return ""
	}
	var out []string
	for _, w := range *list {
		for _, s := range spans {
			if w.Millis == s.length && active(w) {
				out = append(out, strconv.Itoa(w.Max)+"/"+s.short)
			}
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, " ")
}

func windowsOf(l *logdb.Limits, name string) *[]logdb.Window {
	switch name {
	case "waveform":
		return &l.Waveform
	case "system":
		return &l.System
	case "limits":
		return &l.Limit
	case "pq":
		return &l.PQ
	}
	return nil
}

func setNumber(into *int, usual int, value string) error {
	if value == Default {
		*into = usual
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return fmt.Errorf("%w: %q is not a number of samples", ErrSetting, value)
	}
	*into = n
	return nil
}

func parseWindows(value string) ([]logdb.Window, error) {
	if value == "none" {
		return nil, nil
	}
	var out []logdb.Window
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' }) {
		number, span, _ := strings.Cut(word, "/")
		n, err := strconv.Atoi(number)
		found := false
		for _, s := range spans {
			if span == s.short && err == nil && n > 0 {
				out, found = append(out, logdb.Window{Name: s.name, Millis: s.length, Max: n}), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: %q, want numbers such as 10/s 30/min 100/h 200/d, or none", ErrSetting, word)
		}
	}
	slices.SortFunc(out, func(a, b logdb.Window) int { return int(a.Millis - b.Millis) })
	for i := range out {
		if i > 0 && out[i].Millis == out[i-1].Millis {
			return nil, fmt.Errorf("%w: two numbers for one %s", ErrSetting, out[i].Name)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no number, want 10/s 30/min 100/h 200/d, or none", ErrSetting)
	}
	return out, nil
}
