package timeline

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/pq"
	"metermanager/viewer/chart"
)

// Event is one record of a log other than the historical one.
type Event struct {
	// Meter is the index of the meter in whatever list the caller keeps.
	Meter    int
	Kind     logdb.Kind
	Time     logdb.Millis
	Position logdb.Position
	Stream   logdb.StreamID
	Severity chart.Severity
	// Name is what happened, in few words; Detail the figures.
	Name, Detail string
	// Seconds is NaN without a duration, or one that is not known.
	Seconds float64
	// Ratio is the worst voltage of a PQ event to the nominal one; NaN for others. OfFullScale: to the meter's full scale.
	Ratio       float64
	OfFullScale bool
	Phase       string
	Channel     logdb.ChannelKey
	// Routine events are traces of reading the meter, which happen all the time.
	Routine bool
	lower   string // of Name, Detail and Channel, to search in; made when somebody searches
}

// Of makes an event of a record.
func Of(meter int, kind logdb.Kind, stream logdb.StreamID, e *logdb.Entry, s logdb.Settings) Event {
	v := Event{Meter: meter, Kind: kind, Time: e.Time, Position: e.Position, Stream: stream, Seconds: math.NaN(), Ratio: math.NaN()}
	switch {
	case e.Excursion != nil && kind == logdb.KindPQ:
		v.disturbance(e.Excursion, s)
	case e.Excursion != nil:
		v.limit(e.Excursion)
	case e.Waveform != nil:
		v.Seconds = float64(e.Waveform.End-e.Time) / 1000
		v.Name, v.Detail = "Recording", strings.Join(unique(e.Waveform.Triggers), ", ")
	case e.System != nil:
		v.Name, v.Detail, v.Routine = title(e.System.Type.String()), e.System.Description, e.System.Type == logdb.SystemLogRetrieval
		switch e.System.Type {
		case logdb.SystemPowerLoss, logdb.SystemError:
			v.Severity = chart.Alarm
		case logdb.SystemTimeChanged, logdb.SystemSettingsChange, logdb.SystemLogReset, logdb.SystemReset, logdb.SystemEnergyReset, logdb.SystemFirmware:
			v.Severity = chart.Warning
		}
	}
	return v
}

// words is what a search looks into.
func (v *Event) words() string {
	if v.lower == "" {
		v.lower = strings.ToLower(v.Name + "\n" + v.Detail + "\n" + string(v.Channel))
	}
	return v.lower
}

// itic is the curve that severities go by.
var itic = pq.ITIC()

func unique(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// disturbance names a PQ event after IEEE 1159 and holds it against the ITIC curve.
func (v *Event) disturbance(x *logdb.Excursion, s logdb.Settings) {
	v.Channel, v.Seconds = x.Channel, x.DurationSeconds
	ratio, phase, ok := analysis.EventRatio(x, s)
	v.Phase = phase.String()
	v.Name, v.Severity = "Sag", chart.Warning
	if x.Type == logdb.ExcursionAbove {
		v.Name = "Swell"
	}
	if !ok {
		v.Detail = logdb.LookupChannel(x.Channel).Name
		return
	}
	v.Ratio, v.OfFullScale = ratio, !(s.NominalVolts > 0)
	if ratio < 0.1 {
		v.Name = "Interruption"
	}
	v.Detail = phaseText(v.Phase, x.Channel) + " to " + strconv.FormatFloat(100*ratio, 'f', 1, 64) + " %"
	if !math.IsNaN(v.Seconds) {
		if c := pq.Categorize(v.Seconds, ratio, s.NominalHz); c.Name != "" {
			v.Detail += " · " + c.Name
		}
		if itic.Classify(v.Seconds, ratio) != pq.Inside {
			v.Severity = chart.Alarm
		}
	} else {
		v.Detail += " · duration not known"
	}
}

func phaseText(phase string, channel logdb.ChannelKey) string {
	if phase != "" {
		return "phase " + phase
	}
	return logdb.LookupChannel(channel).Name
}

func (v *Event) limit(x *logdb.Excursion) {
	c := logdb.LookupChannel(x.Channel)
	v.Channel, v.Seconds, v.Severity = x.Channel, x.DurationSeconds, chart.Warning
	v.Name = "Below limit"
	if x.Type == logdb.ExcursionAbove {
		v.Name = "Above limit"
	}
	v.Detail = c.Name
	if !math.IsNaN(x.Worst) {
		v.Detail += " " + Quantity(x.Worst, c.Unit)
	}
	if !math.IsNaN(x.Threshold) {
		v.Detail += fmt.Sprintf(" · limit %d at %s", x.LimitID, Quantity(x.Threshold, c.Unit))
	}
}

// Quantity writes a value with four significant digits and the prefix that fits; ratios of no unit as they are.
func Quantity(v float64, unit string) string {
	if math.IsNaN(v) {
		return ""
	}
	s := chart.ScaleFor(unit, v, v)
	text := fmt.Sprintf("%.4g", v/s.Factor)
	if math.Abs(v/s.Factor) >= 1e4 {
		text = fmt.Sprintf("%.0f", v/s.Factor)
	}
	return strings.TrimSpace(strings.Replace(text, "-", "−", 1) + " " + s.Unit)
}

// Seconds writes a duration in the unit that fits; "" when it is not known.
func Seconds(s float64) string {
	switch {
	case math.IsNaN(s):
		return ""
	case s == 0: // begun and ended within the resolution of the meter's clock
		return "0 s"
	case s < 0.0009995:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case s < 0.9995:
		return fmt.Sprintf("%.3g ms", s*1e3)
	case s < 60:
		return fmt.Sprintf("%.3g s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", int(s)/60, int(s)%60)
	case s < 48*3600:
		return fmt.Sprintf("%d h %d min", int(s)/3600, int(s)%3600/60)
	}
	return fmt.Sprintf("%.1f d", s/86400)
}

// KindName is the name of a log for people.
func KindName(k logdb.Kind) string {
	switch k {
	case logdb.KindPQ:
		return "PQ"
	case logdb.KindWaveform:
		return "Waveform"
	case logdb.KindLimit:
		return "Limit"
	case logdb.KindSystem:
		return "System"
	}
	return "Historical"
}

// SeverityName is the word of a severity.
func SeverityName(s chart.Severity) string {
	return [...]string{"info", "warning", "alarm"}[min(s, chart.Alarm)]
}
