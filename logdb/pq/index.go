package pq

import (
	"cmp"
	"slices"
	"time"
)

// Event is a disturbance of the RMS voltage as a log tells it.
type Event struct {
	Start time.Time
	// Duration is negative when no end was seen.
	Duration time.Duration
	// Ratio is the worst voltage to the nominal one, 1 = 100 %.
	Ratio float64
	Phase Phase
}

// end is the end as far as it is known.
func (e *Event) end() time.Time { return e.Start.Add(max(0, e.Duration)) }

// worse reports whether a deviates more from nominal than b.
func worse(a, b float64) bool { return deviation(a) > deviation(b) }

func deviation(ratio float64) float64 { return max(ratio-1, 1-ratio) }

// AggregatePhases makes one event of those of several phases that overlap in time: from the first start to the last end, with
// the worst voltage. Sags and swells are not joined.
func AggregatePhases(events []Event) []Event { return aggregate(events, 0) }

// AggregateTime makes one event of those of one place that begin within a time of the first one's start, with the worst voltage
// (IEEE 1564 suggests one minute).
func AggregateTime(events []Event, within time.Duration) []Event { return aggregate(events, within) }

func aggregate(events []Event, within time.Duration) []Event {
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b Event) int { return a.Start.Compare(b.Start) })
	var out []Event
	open := map[bool]int{} // index in out of the last sag and the last swell
	for _, e := range sorted {
		i, ok := open[e.Ratio > 1]
		if ok {
			last := &out[i]
			if within > 0 && e.Start.Sub(last.Start) < within || within == 0 && !e.Start.After(last.end()) {
				unknown := last.Duration < 0 || e.Duration < 0
				end := last.end()
				if e.end().After(end) {
					end = e.end()
				}
				last.Duration = end.Sub(last.Start)
				if unknown {
					last.Duration = -1
				}
				if worse(e.Ratio, last.Ratio) {
					last.Ratio, last.Phase = e.Ratio, e.Phase
				}
				continue
			}
		}
		open[e.Ratio > 1] = len(out)
		out = append(out, e)
	}
	return out
}

// SARFI counts the short-duration events (half a cycle to a minute) of one meter below x (x < 1) or above it (x > 1), the
// index SARFI-x of IEEE 1564 for one place, as it is and for 30 days of monitoring.
func SARFI(events []Event, x float64, monitored time.Duration, nominalHz float64) (count int, per30Days float64) {
	for i := range events {
		if e := &events[i]; short(e, nominalHz) && (x < 1 && e.Ratio < x || x > 1 && e.Ratio > x) {
			count++
		}
	}
	return count, per(count, monitored)
}

// SARFICurve counts the short-duration events outside of a curve.
func SARFICurve(events []Event, c Curve, monitored time.Duration, nominalHz float64) (count int, per30Days float64) {
	for i := range events {
		if e := &events[i]; short(e, nominalHz) && c.Classify(e.Duration.Seconds(), e.Ratio) != Inside {
			count++
		}
	}
	return count, per(count, monitored)
}

func short(e *Event, nominalHz float64) bool {
	return e.Duration.Seconds() >= 0.5/cmp.Or(nominalHz, 60)-1e-4 && e.Duration <= time.Minute
}

func per(count int, monitored time.Duration) float64 {
	if monitored <= 0 {
		return 0
	}
	return float64(count) * float64(30*24*time.Hour) / float64(monitored)
}
