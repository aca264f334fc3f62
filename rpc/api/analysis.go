package api

import (
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/pq"
)

// RecordingAnalysis is what is said of one recording.
type RecordingAnalysis struct {
	MeterUID  logdb.MeterUID `json:"meter_uid,omitempty"`
	Recording string         `json:"recording,omitempty" doc:"Its id"`
	Start     logdb.Millis   `json:"start_ms" doc:"Of the first sample"`
	Method    string         `json:"method"`

	Hz           Value   `json:"frequency_hz"`
	HzMeasured   bool    `json:"frequency_measured" doc:"false: the nominal frequency is taken"`
	NominalHz    float64 `json:"nominal_frequency_hz"`
	Seconds      float64 `json:"seconds"`
	SteadyFrom   float64 `json:"steady_from_s" doc:"Begin of the part that steady figures are of, from the start"`
	SteadyCycles int     `json:"steady_cycles"`
	Declared     bool    `json:"declared_reference" doc:"true: ratios refer to the declared voltage; else to the steady part"`

	Signals     []SignalAnalysis      `json:"signals"`
	Phasors     []PhasorValue         `json:"phasors"`
	Negative    Value                 `json:"negative_sequence_ratio" doc:"|V2|/|V1| of the steady part; null without three voltages"`
	Zero        Value                 `json:"zero_sequence_ratio" doc:"|V0|/|V1|"`
	Watts       Value                 `json:"watts"`
	VA          Value                 `json:"va"`
	PowerFactor Value                 `json:"power_factor"`
	Found       []DisturbanceAnalysis `json:"disturbances"`
	Transients  []TransientAnalysis   `json:"transients"`
	Causes      []CauseAnalysis       `json:"causes" doc:"Of transients and steps; those of a disturbance stand with it"`
	Notes       []string              `json:"notes"`
	Summary     []string              `json:"summary" doc:"The same in sentences"`
}

// SignalAnalysis is what is said of one signal.
type SignalAnalysis struct {
	Name      string  `json:"name"`
	Quantity  string  `json:"quantity" enum:"voltage,current,other"`
	Phase     string  `json:"phase,omitempty"`
	Unit      string  `json:"unit,omitempty"`
	SteadyRMS Value   `json:"steady_rms"`
	LowRMS    Value   `json:"lowest_rms" doc:"Of the one-cycle RMS, refreshed each half cycle"`
	HighRMS   Value   `json:"highest_rms"`
	Reference Value   `json:"reference" doc:"What ratios refer to; null for currents"`
	Peak      Value   `json:"peak"`
	Crest     Value   `json:"crest_factor"`
	DC        Value   `json:"dc"`
	THD       Value   `json:"thd_ratio" doc:"Of all orders that the sample rate allows, to the fundamental"`
	THD40     Value   `json:"thd40_ratio" doc:"Up to order 40, as EN 50160 has it"`
	KFactor   Value   `json:"k_factor" doc:"Currents: UL 1561"`
	Derating  Value   `json:"transformer_derating" doc:"Currents: largest load, per unit of rated, of a dry-type transformer with an eddy loss of 5 % (IEEE C57.110)"`
	Harmonics []Value `json:"harmonics" doc:"RMS of orders 1, 2, 3 ..."`
	Missing   int     `json:"missing_samples,omitempty"`
}

// PhasorValue is a fundamental against the first voltage.
type PhasorValue struct {
	Name    string `json:"name"`
	RMS     Value  `json:"rms"`
	Degrees Value  `json:"degrees"`
}

// DisturbanceAnalysis is a sag, swell or interruption in a recording.
type DisturbanceAnalysis struct {
	Kind          string           `json:"kind" enum:"sag,swell,interruption"`
	From          float64          `json:"from_s" doc:"From the start of the recording"`
	To            float64          `json:"to_s"`
	Duration      float64          `json:"duration_s"`
	Truncated     bool             `json:"truncated,omitempty" doc:"The recording ends first: the duration is a lower bound"`
	Began         bool             `json:"began,omitempty" doc:"It was under way at the start"`
	Worst         Value            `json:"worst_ratio" doc:"Residual voltage, or the highest of a swell, 1 = 100 %"`
	WorstVolts    Value            `json:"worst_v"`
	WorstPhase    string           `json:"worst_phase"`
	Phases        []string         `json:"phases"`
	AllPhases     bool             `json:"all_phases,omitempty" doc:"All voltages were gone at once: an interruption after IEC 61000-4-30"`
	PointOnWave   Value            `json:"point_on_wave_deg" doc:"0: rising through zero"`
	PhaseJump     Value            `json:"phase_jump_deg" doc:"Positive: it leads"`
	MissingEnergy float64          `json:"missing_energy_s" doc:"Integral of 1 - (U/Uref)²"`
	Category      string           `json:"category" doc:"IEEE 1159"`
	Regions       []pq.CurveRegion `json:"regions"`
	DipType       string           `json:"dip_type,omitempty" doc:"Bollen's type with its phase"`
	Causes        []CauseAnalysis  `json:"causes" doc:"Most likely first"`
}

// TransientAnalysis is a short deviation from the cycle before.
type TransientAnalysis struct {
	Phase       string  `json:"phase"`
	From        float64 `json:"from_s"`
	Duration    float64 `json:"duration_s"`
	Peak        Value   `json:"peak_ratio" doc:"Of the deviation, to the nominal peak"`
	Highest     Value   `json:"highest_ratio"`
	Oscillatory bool    `json:"oscillatory"`
	RingHz      Value   `json:"ring_hz"`
}

// CauseAnalysis is a likely cause with what speaks for and against it.
type CauseAnalysis struct {
	Name       string             `json:"name"`
	Confidence float64            `json:"confidence"`
	Evidence   []EvidenceAnalysis `json:"evidence"`
}

// EvidenceAnalysis is one statement with its number.
type EvidenceAnalysis struct {
	Text  string `json:"text"`
	Holds bool   `json:"holds"`
	Known bool   `json:"known"`
}

// methodOfAnalysis says what the figures are, and what they are not.
const methodOfAnalysis = "one-cycle RMS refreshed each half cycle after IEC 61000-4-30; causes are our rules"

// eddyLoss is a rough practice for dry-type transformers up to 1 MVA; the true figure only their maker knows.
const eddyLoss = 0.05

// AnalysisDocument makes a document of an analysis.
func AnalysisDocument(a *pq.Analysis) RecordingAnalysis {
	out := RecordingAnalysis{
		Method: methodOfAnalysis, Hz: Value(a.Hz), HzMeasured: a.HzMeasured, NominalHz: a.NominalHz, Seconds: a.Seconds,
		SteadyFrom: a.SteadySeconds, SteadyCycles: a.SteadyCycles, Declared: a.DeclaredReference,
		Negative: Value(a.NegativeRatio), Zero: Value(a.ZeroRatio), Watts: Value(a.Watts), VA: Value(a.VA), PowerFactor: Value(a.PowerFactor),
		Signals: []SignalAnalysis{}, Phasors: []PhasorValue{}, Found: []DisturbanceAnalysis{}, Transients: []TransientAnalysis{},
		Causes: causeDocuments(a.Causes), Notes: append([]string{}, a.Notes...), Summary: a.Summary(),
	}
	for i := range a.Signals {
		out.Signals = append(out.Signals, signalDocument(&a.Signals[i]))
	}
	for _, p := range a.Phasors {
		out.Phasors = append(out.Phasors, PhasorValue{p.Name, Value(p.RMS), Value(p.Degrees)})
	}
	for i := range a.Found {
		out.Found = append(out.Found, disturbanceDocument(&a.Found[i]))
	}
	for _, t := range a.Transients {
		ring := Value(math.NaN())
		if t.RingHz > 0 {
			ring = Value(t.RingHz)
		}
		out.Transients = append(out.Transients, TransientAnalysis{t.Phase.String(), t.Seconds, t.Duration, Value(t.PeakRatio), Value(t.HighestRatio), t.Oscillatory, ring})
	}
	return out
}

func signalDocument(f *pq.SignalFigures) SignalAnalysis {
	nan := Value(math.NaN())
	out := SignalAnalysis{
		Name: f.Name, Quantity: f.Quantity.String(), Phase: f.Phase.String(), Unit: f.Unit, Harmonics: []Value{}, Missing: f.Missing,
		SteadyRMS: nan, LowRMS: nan, HighRMS: nan, Reference: nan, Peak: nan, Crest: nan, DC: nan, THD: nan, THD40: nan, KFactor: nan, Derating: nan,
	}
	if f.Quantity == pq.Other {
		return out
	}
	out.SteadyRMS, out.LowRMS, out.HighRMS, out.Peak = Value(f.SteadyRMS), Value(f.LowRMS), Value(f.HighRMS), Value(f.Peak)
	if f.Reference > 0 {
		out.Reference = Value(f.Reference)
	}
	if sp := f.Spectrum; sp != nil {
		out.Crest, out.DC, out.THD, out.THD40 = Value(sp.Crest()), Value(sp.DC), Value(sp.THD(0)), Value(sp.THD(40))
		for _, v := range sp.RMS[1:] {
			out.Harmonics = append(out.Harmonics, Value(v))
		}
		if f.Quantity == pq.Current {
			out.KFactor = Value(sp.KFactor())
			out.Derating = Value(pq.TransformerDerating(sp.KFactor(), eddyLoss))
		}
	}
	return out
}

func disturbanceDocument(f *pq.Found) DisturbanceAnalysis {
	out := DisturbanceAnalysis{
		Kind: f.Kind.String(), From: f.StartSeconds, To: f.EndSeconds, Duration: f.DurationSeconds(), Truncated: f.Truncated, Began: f.Began,
		Worst: Value(f.WorstRatio), WorstVolts: Value(f.WorstVolts), WorstPhase: f.WorstPhase.String(), Phases: []string{}, AllPhases: f.AllPhases,
		PointOnWave: Value(f.PointOnWaveDegrees), PhaseJump: Value(f.PhaseJumpDegrees), MissingEnergy: f.MissingSeconds,
		Category: f.Category.String(), Regions: f.Regions, Causes: causeDocuments(f.Causes),
	}
	for _, p := range f.Phases {
		out.Phases = append(out.Phases, p.String())
	}
	if f.Dip != nil {
		out.DipType = f.Dip.Letter
		if f.Dip.Phase != pq.NoPhase {
			out.DipType += " (" + f.Dip.Phase.String() + ")"
		}
	}
	return out
}

func causeDocuments(list []pq.Cause) []CauseAnalysis {
	out := []CauseAnalysis{}
	for _, c := range list {
		d := CauseAnalysis{Name: c.Name, Confidence: math.Round(c.Confidence*100) / 100, Evidence: []EvidenceAnalysis{}}
		for _, e := range c.Evidence {
			d.Evidence = append(d.Evidence, EvidenceAnalysis(e))
		}
		out = append(out, d)
	}
	return out
}

// WeekEvaluation is a week held against EN 50160.
type WeekEvaluation struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	From     logdb.Millis   `json:"from_ms"`
	To       logdb.Millis   `json:"to_ms"`
	Zone     string         `json:"time_zone"`
	pq.Report
}

// EventGroupsAnswer is events of several meters that may be one event of the network.
type EventGroupsAnswer struct {
	WithinMillis     int64        `json:"within_ms"`
	ClockErrorMillis int64        `json:"clock_error_ms" doc:"Stated for every meter"`
	Groups           []EventGroup `json:"groups"`
	Next             string       `json:"next,omitempty" doc:"cursor of the next page"`
}

// EventGroup is one group.
type EventGroup struct {
	Start     logdb.Millis    `json:"start_ms" doc:"Of the first, by corrected time"`
	End       logdb.Millis    `json:"end_ms"`
	Meters    int             `json:"meters"`
	Spread    int64           `json:"spread_ms" doc:"Between the first and the last corrected start"`
	Tolerance int64           `json:"tolerance_ms" doc:"Largest clock error: a spread above it was joined by overlap only"`
	Summary   string          `json:"summary"`
	Sightings []EventSighting `json:"sightings"`
}

// EventSighting is the event as one meter saw it.
type EventSighting struct {
	MeterUID    logdb.MeterUID `json:"meter_uid"`
	Name        string         `json:"name"`
	Event       string         `json:"event" doc:"Position and stream in its PQ log"`
	Start       logdb.Millis   `json:"start_ms" doc:"As the meter wrote it"`
	Corrected   logdb.Millis   `json:"corrected_ms"`
	Duration    Value          `json:"duration_s" doc:"null: not known"`
	Ratio       Value          `json:"worst_ratio"`
	Phase       string         `json:"phase"`
	OfFullScale bool           `json:"of_full_scale,omitempty" doc:"The ratio is to the meter's full scale: its nominal voltage is not set"`
	ClockOffset int64          `json:"clock_offset_ms" doc:"How far its clock is ahead, as stated"`
	Category    string         `json:"category" doc:"IEEE 1159"`
}

// SecondsOrNull is a duration in seconds; null for one below zero, of an event whose end was not seen.
func SecondsOrNull(d time.Duration) Value {
	if d < 0 {
		return Value(math.NaN())
	}
	return Value(d.Seconds())
}

// GroupsQuery asks for groups of events. From and To must be given; of the rest the service has defaults for zero values.
type GroupsQuery struct {
	From, To         logdb.Millis
	Meters           []logdb.MeterUID // all that the caller may see, when empty
	WithinMillis     int64
	ClockErrorMillis int64
	// ClockOffsets are how far clocks are known to be ahead, in ms.
	ClockOffsets map[logdb.MeterUID]int64
}

// Values returns the query's parameters.
func (q GroupsQuery) Values() url.Values {
	v := url.Values{"from": {strconv.FormatInt(int64(q.From), 10)}, "to": {strconv.FormatInt(int64(q.To), 10)}}
	if len(q.Meters) > 0 {
		names := make([]string, len(q.Meters))
		for i, uid := range q.Meters {
			names[i] = string(uid)
		}
		v.Set("meters", strings.Join(names, ","))
	}
	if q.WithinMillis > 0 {
		v.Set("within_ms", strconv.FormatInt(q.WithinMillis, 10))
	}
	if q.ClockErrorMillis > 0 {
		v.Set("clock_error_ms", strconv.FormatInt(q.ClockErrorMillis, 10))
	}
	if len(q.ClockOffsets) > 0 {
		var parts []string
		for _, uid := range slices.Sorted(maps.Keys(q.ClockOffsets)) {
			parts = append(parts, string(uid)+":"+strconv.FormatInt(q.ClockOffsets[uid], 10))
		}
		v.Set("clock_offsets", strings.Join(parts, ","))
	}
	return v
}
