package format

import (
	"encoding/json"
	"math"
	"time"
)

// Report is what a file holds, in short: what "log import --dry-run --json" prints.
type Report struct {
	File     string          `json:"file"`
	Kind     string          `json:"kind"`
	Version  string          `json:"version,omitempty"`
	Station  string          `json:"station"`
	Device   string          `json:"device,omitempty"`
	Channels []ReportChannel `json:"channels"`
	Start    *string         `json:"start"`
	Trigger  *string         `json:"trigger"`
	Records  int             `json:"records"`
	// Recordings and Events count what else would be imported.
	Recordings int `json:"recordings"`
	Events     int `json:"events"`
	// Assumed is what the file leaves open and how it was read.
	Assumed       []string `json:"assumed"`
	NotUnderstood []string `json:"not_understood"`
}

// ReportChannel is a channel of a report. First, Min and Max are of the values that are there.
type ReportChannel struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Phase string `json:"phase,omitempty"`
	// Statistic tells series of one channel apart: "min", "max", ...; "" for the main one.
	Statistic string `json:"statistic,omitempty"`
	Digital   bool   `json:"digital,omitempty"`
	Samples   int    `json:"samples"`
	Missing   int    `json:"missing,omitempty"`
	First     Number `json:"first"`
	Min       Number `json:"min"`
	Max       Number `json:"max"`
}

// Number is a value that is null in JSON when it is absent.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// Report returns the content in short, under the name of its file.
func (c *Content) Report(file string) Report {
	r := Report{
		File: file, Kind: c.Kind, Version: c.Version, Station: c.Station, Device: c.Device, Start: stamp(c.Start), Trigger: stamp(c.Trigger),
		Records: c.Records, Recordings: len(c.Recordings), Events: len(c.Events),
		Channels: []ReportChannel{}, Assumed: append([]string{}, c.Assumed...), NotUnderstood: append([]string{}, c.NotUnderstood...),
	}
	for i := range c.Trends {
		r.Channels = append(r.Channels, reportOf(&c.Trends[i].Channel, c.Trends[i].Values))
	}
	for i := range c.Recordings {
		for k := range c.Recordings[i].Channels {
			s := &c.Recordings[i].Channels[k]
			if s.Digital == nil {
				r.Channels = append(r.Channels, reportOf(&s.Channel, s.Values))
				continue
			}
			values := make([]float64, len(s.Digital))
			for n, b := range s.Digital {
				values[n] = float64(b)
			}
			line := reportOf(&s.Channel, values)
			line.Digital = true
			r.Channels = append(r.Channels, line)
		}
	}
	return r
}

func reportOf(c *Channel, values []float64) ReportChannel {
	nan := Number(math.NaN())
	out := ReportChannel{Name: c.Name, Unit: c.Unit, Phase: c.Phase, Statistic: c.Statistic, Samples: len(values), First: nan, Min: nan, Max: nan}
	for i, v := range values {
		switch n := Number(v); {
		case math.IsNaN(v):
			out.Missing++
		default:
			if i == out.Missing {
				out.First, out.Min, out.Max = n, n, n
			}
			out.Min, out.Max = min(out.Min, n), max(out.Max, n)
		}
	}
	return out
}

// stamp prints a time with every digit that it has and the offset of its zone.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.Format(time.RFC3339Nano)
	return &s
}
