package pq

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"metermanager/logdb"
)

// Quantity is what a signal measures.
type Quantity uint8

// The quantities that analysis tells apart.
const (
	Other Quantity = iota
	Voltage
	Current
)

// String returns "voltage", "current" or "other".
func (q Quantity) String() string { return [...]string{"other", "voltage", "current"}[min(q, Current)] }

// Phase is where in the system a signal was measured.
type Phase uint8

// The phases. Line-to-line voltages have the names of both lines.
const (
	NoPhase Phase = iota
	A
	B
	C
	N
	AB
	BC
	CA
)

// String returns "A", "AB", ...; "" for NoPhase.
func (p Phase) String() string {
	return [...]string{"", "A", "B", "C", "N", "AB", "BC", "CA"}[min(p, CA)]
}

// Signal is the samples of one channel of a recording.
type Signal struct {
	Name     string
	Quantity Quantity
	Phase    Phase
	// Samples are primary volts or amperes; NaN where a sample is missing.
	Samples []float64
}

// Recording is waveforms of one place over one time, as analysis takes them.
type Recording struct {
	// SampleIntervalSeconds is the distance of samples; sample i of every signal was taken i times that after the start.
	SampleIntervalSeconds float64
	// NominalHz is 50 or 60; 0 takes the one that fits the samples.
	NominalHz float64
	// NominalVolts is the declared voltage of each voltage signal, line to neutral for A, B, C and line to line for AB,
	// BC, CA; 0 takes the RMS before the event as the reference, which is said in the report.
	NominalVolts float64
	Signals      []Signal
}

// Errors of a recording that cannot be analysed.
var (
	ErrTooShort   = errors.New("the recording is shorter than two cycles")
	ErrNoVoltage  = errors.New("the recording has no voltage or current to analyse")
	ErrBadSamples = errors.New("the recording's samples cannot be used")
)

// maxSamples bounds what one call works on, 10 minutes at 100 kHz.
const maxSamples = 60_000_000

// Validate reports why a recording cannot be analysed.
func (r *Recording) Validate() error {
	if !(r.SampleIntervalSeconds > 0) || math.IsInf(r.SampleIntervalSeconds, 0) {
		return fmt.Errorf("%w: sample interval %v s", ErrBadSamples, r.SampleIntervalSeconds)
	}
	if r.NominalHz < 0 || r.NominalVolts < 0 || math.IsNaN(r.NominalHz) || math.IsNaN(r.NominalVolts) || math.IsInf(r.NominalHz, 0) || math.IsInf(r.NominalVolts, 0) {
		return fmt.Errorf("%w: nominal %v Hz, %v V", ErrBadSamples, r.NominalHz, r.NominalVolts)
	}
	useful := false
	for i := range r.Signals {
		s := &r.Signals[i]
		if len(s.Samples) != len(r.Signals[0].Samples) {
			return fmt.Errorf("%w: %s has %d samples, %s has %d", ErrBadSamples, s.Name, len(s.Samples), r.Signals[0].Name, len(r.Signals[0].Samples))
		}
		useful = useful || s.Quantity != Other
	}
	if !useful {
		return ErrNoVoltage
	}
	if n := r.Len(); n > maxSamples {
		return fmt.Errorf("%w: %d samples a channel, at most %d", ErrBadSamples, n, maxSamples)
	}
	return nil
}

// Len returns the number of samples of each signal.
func (r *Recording) Len() int {
	if len(r.Signals) == 0 {
		return 0
	}
	return len(r.Signals[0].Samples)
}

// Find returns the index of the signal of a quantity and phase; -1 without one.
func (r *Recording) Find(q Quantity, p Phase) int {
	for i := range r.Signals {
		if r.Signals[i].Quantity == q && r.Signals[i].Phase == p {
			return i
		}
	}
	return -1
}

// Triple returns the indices of three signals of a quantity that belong to one system: phases A, B, C, or else the
// line-to-line voltages; false without all three.
func (r *Recording) Triple(q Quantity) (ids [3]int, lineToLine, ok bool) {
	for _, set := range [][3]Phase{{A, B, C}, {AB, BC, CA}} {
		ok = true
		for i, p := range set {
			ids[i] = r.Find(q, p)
			ok = ok && ids[i] >= 0
		}
		if ok {
			return ids, set[0] == AB, true
		}
	}
	return ids, false, false
}

// FromWaveform takes a stored recording as analysis wants it. Names like "Van_Vab" mean line to neutral or line to line by
// the meter's hookup.
func FromWaveform(w *logdb.Waveform, s logdb.Settings) *Recording {
	r := &Recording{SampleIntervalSeconds: w.SampleIntervalMillis / 1000, NominalHz: s.NominalHz, NominalVolts: s.NominalVolts}
	delta := strings.HasPrefix(s.Hookup, "delta")
	for _, c := range w.Channels {
		q, p := Role(c.Name, delta)
		r.Signals = append(r.Signals, Signal{Name: c.Name, Quantity: q, Phase: p, Samples: c.Samples})
	}
	return r
}

// Role reads quantity and phase from the name of a channel, as meters and fault recorders write them: Van_Vab, Ua, VL1, I2,
// IN, Vbc, "U L1-L2", "LINE ULA", F1-IA, VC_G1. delta says which half of a double name holds. What is no wave (a magnitude, an angle)
// is neither.
func Role(name string, delta bool) (Quantity, Phase) {
	n := strings.ToLower(strings.TrimSpace(name))
	for _, word := range []string{"mag", "ang", "rms", "freq", "diff", "digin"} {
		if strings.Contains(n, word) {
			return Other, NoPhase
		}
	}
	if first, second, double := strings.Cut(n, "_"); double && len(second) > 1 && second[0] == first[0] {
		if n = first; delta {
			n = second
		}
	}
	if q, p, ok := roleOf(n); ok {
		return q, p
	}
	words := strings.FieldsFunc(n, func(r rune) bool { return strings.ContainsRune(" _-./[]()", r) })
	for i := len(words) - 1; i >= 0; i-- {
		if q, p, ok := roleOf(words[i]); ok && p != NoPhase && len(words[i]) > 1 {
			return q, p
		}
	}
	return Other, NoPhase
}

// plainPhases takes separators out of a name and calls phases a, b and c.
var plainPhases = strings.NewReplacer(" ", "", "-", "", "_", "", ".", "", "/", "", "l1", "a", "l2", "b", "l3", "c", "1", "a", "2", "b", "3", "c")

// roleOf reads a name that is nothing but quantity and phase.
func roleOf(n string) (Quantity, Phase, bool) {
	n = plainPhases.Replace(n)
	var q Quantity
	switch {
	case strings.HasPrefix(n, "voltage"):
		q, n = Voltage, n[len("voltage"):]
	case strings.HasPrefix(n, "current"):
		q, n = Current, n[len("current"):]
	case strings.HasPrefix(n, "v"), strings.HasPrefix(n, "u"):
		q, n = Voltage, n[1:]
	case strings.HasPrefix(n, "i"):
		q, n = Current, n[1:]
	default:
		return Other, NoPhase, false
	}
	if n == "" {
		return q, NoPhase, true
	}
	if q == Voltage {
		if p, ok := doublePhases[n]; ok {
			return q, p, true
		}
	}
	p, ok := singlePhases[n]
	return q, p, ok
}

var singlePhases = map[string]Phase{
	"a": A, "b": B, "c": C, "n": N, "an": A, "bn": B, "cn": C, "ng": N, "4": N, "r": A, "s": B, "t": C, "la": A, "lb": B, "lc": C,
}

var doublePhases = map[string]Phase{"ab": AB, "bc": BC, "ca": CA, "ac": CA, "rs": AB, "st": BC, "tr": CA}
