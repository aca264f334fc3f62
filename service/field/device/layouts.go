package device

import (
	"slices"

	"metermanager/logdb"
)

// Layouts are the constants of a family of log records. What no document prints is
// chosen here, in data, and marked Unverified.
type Layouts struct {
	Session  SessionLayout  `json:"session"`
	System   SystemLayout   `json:"system"`
	Alarm    AlarmLayout    `json:"alarm"`
	PQ       PQLayout       `json:"pq"`
	Waveform WaveformLayout `json:"waveform"`

	Ring *RingLayout `json:"ring,omitempty"` // of the family eig-ring, which has none of the others
}

// SessionLayout is where the log retrieval block lies.
type SessionLayout struct {
	ComPort     Addr `json:"com_port_addr"` // whose session is open
	Enable      Addr `json:"enable_addr"`
	Setup       Addr `json:"setup_addr"`
	Window      Addr `json:"window_addr"` // status and index; the data follow
	WindowBytes int  `json:"window_bytes"`
}

// SystemLayout names the system events of a meter.
type SystemLayout struct {
	Unverified bool         `json:"unverified"`
	Names      []SystemName `json:"names"`
}

// SystemName is one group and event number.
type SystemName struct {
	Name  string           `json:"name"`
	Group byte             `json:"group"`
	Event byte             `json:"event"`
	Text  string           `json:"text"`
	Type  logdb.SystemType `json:"type"`
	// AnyEvent names all events of the group that have no name of their own.
	AnyEvent bool `json:"any_event,omitempty"`
}

// ByName finds an event by its name in the profile.
func (l SystemLayout) ByName(name string) (SystemName, bool) {
	i := slices.IndexFunc(l.Names, func(n SystemName) bool { return n.Name == name })
	if i < 0 {
		return SystemName{}, false
	}
	return l.Names[i], true
}

// Lookup finds an event by its numbers.
func (l SystemLayout) Lookup(group, event byte) (SystemName, bool) {
	i := slices.IndexFunc(l.Names, func(n SystemName) bool { return n.Group == group && n.Event == event && !n.AnyEvent })
	if i < 0 {
		i = slices.IndexFunc(l.Names, func(n SystemName) bool { return n.Group == group && n.AnyEvent })
	}
	if i < 0 {
		return SystemName{}, false
	}
	return l.Names[i], true
}

// AlarmLayout says how an alarm record is read.
type AlarmLayout struct {
	Unverified      bool    `json:"unverified"`
	Out             byte    `json:"direction_out"`
	In              byte    `json:"direction_in"`
	BelowMask       byte    `json:"below_mask"` // of the limit byte: set means below
	IDMask          byte    `json:"id_mask"`
	PercentPerCount float64 `json:"percent_per_count"`
	Limits          int     `json:"limits"`
}

// PQLayout is the byte offsets of a PQ record.
type PQLayout struct {
	Unverified      bool    `json:"unverified"`
	Size            int     `json:"size"`
	Present         int     `json:"present"`
	Event           int     `json:"event"`
	Capture         int     `json:"capture"`
	Flags           int     `json:"flags"`
	CycleTag        int     `json:"cycle_tag"` // milliseconds within the second
	Surge           int     `json:"surge"`     // three counts
	Sag             int     `json:"sag"`       // three counts
	Calibration     int     `json:"calibration"`
	SurgeBit        int     `json:"surge_bit"` // phase a's bit; b and c follow
	SagBit          int     `json:"sag_bit"`
	SettingsRegs    int     `json:"settings_regs"`
	SurgeThresholds []Addr  `json:"surge_threshold_addrs"` // of phases a, b, c
	SagThresholds   []Addr  `json:"sag_threshold_addrs"`
	PercentPerCount float64 `json:"percent_per_count"`
}

// WaveformLayout scales and names what a capture holds.
type WaveformLayout struct {
	Unverified    bool          `json:"unverified"`
	CountsDivisor float64       `json:"counts_divisor"`
	RateAddr      Addr          `json:"rate_addr"` // high byte rate code, low byte pre-trigger cycles
	RateCodes     []RateCode    `json:"rate_codes"`
	RateHz        float64       `json:"rate_hz"` // a cycle of the rate codes
	Channels      []WaveName    `json:"channels"`
	Triggers      []WaveTrigger `json:"triggers"`
	EndType       byte          `json:"end_type"` // trigger type of a return to normal
}

// RateCode is a sample rate.
type RateCode struct {
	Code    byte `json:"code"`
	Samples int  `json:"samples"` // per cycle
}

// WaveName names a channel block of a capture by its two letters.
type WaveName struct {
	ID      string `json:"id"`
	Wye     string `json:"wye"`
	Delta   string `json:"delta"`
	Current bool   `json:"current"`
	Phase   int    `json:"phase"`
}

// WaveTrigger names a bit of the trigger source.
type WaveTrigger struct {
	Bit     int    `json:"bit"`
	Channel string `json:"channel"`
	What    string `json:"what"`
}

// SamplesPerCycle returns the rate of a code, 0 when unknown.
func (l WaveformLayout) SamplesPerCycle(code byte) int {
	for _, r := range l.RateCodes {
		if r.Code == code {
			return r.Samples
		}
	}
	return 0
}

// SampleIntervalMillis is the distance of samples at a rate code, 0 when unknown.
func (l WaveformLayout) SampleIntervalMillis(code byte) float64 {
	n := l.SamplesPerCycle(code)
	if n == 0 {
		return 0
	}
	return 1000 / (l.RateHz * float64(n))
}

// Primary turns ADC counts into primary units with a calibration word and a CT or PT ratio.
func (l WaveformLayout) Primary(counts float64, calibration uint16, ratio float64) float64 {
	return counts * float64(calibration) / l.CountsDivisor * ratio
}

// Counts is the inverse of Primary, not rounded.
func (l WaveformLayout) Counts(primary float64, calibration uint16, ratio float64) float64 {
	if calibration == 0 || ratio == 0 {
		return 0
	}
	return primary / ratio * l.CountsDivisor / float64(calibration)
}

func (l *Layouts) check(p *Profile) error {
	q := l.PQ
	if l.Session.WindowBytes != WindowBytes {
		return bad("session window of %d bytes, want %d", l.Session.WindowBytes, WindowBytes)
	}
	for _, a := range []Addr{l.Session.Enable, l.Session.Setup, l.Session.Window, l.Session.Window + 1} {
		if !slices.Contains(p.WriteAllow, a) {
			return bad("a profile with logs must allow writing %s", a)
		}
	}
	if l.Alarm.Limits < 0 || l.Alarm.Limits > 64 || !finite(l.Alarm.PercentPerCount) {
		return bad("alarm layout")
	}
	if q.Size < MinRecordSize || q.Size > MaxRecordSize {
		return bad("PQ record of %d bytes", q.Size)
	}
	for _, f := range [...][2]int{{q.Present, 2}, {q.Event, 2}, {q.Capture, 1}, {q.Flags, 1}, {q.CycleTag, 2}, {q.Surge, 6}, {q.Sag, 6}, {q.Calibration, 6}} {
		if f[0] < 6 || f[0]+f[1] > q.Size {
			return bad("PQ layout: offset %d of a record of %d bytes", f[0], q.Size)
		}
	}
	if q.SurgeBit < 0 || q.SurgeBit > 13 || q.SagBit < 0 || q.SagBit > 13 || q.SettingsRegs < 0 || q.SettingsRegs > 125 {
		return bad("PQ layout: bits %d and %d, %d settings registers", q.SurgeBit, q.SagBit, q.SettingsRegs)
	}
	if n, m := len(q.SurgeThresholds), len(q.SagThresholds); n != 0 && n != 3 || m != 0 && m != 3 {
		return bad("PQ layout: thresholds of three phases or none")
	}
	w := l.Waveform
	if !(w.CountsDivisor > 0) || !(w.RateHz > 0) || !finite(w.CountsDivisor) || !finite(w.RateHz) {
		return bad("waveform layout: divisor %v, rate %v Hz", w.CountsDivisor, w.RateHz)
	}
	for _, r := range w.RateCodes {
		if r.Samples < 1 || r.Samples > 4096 {
			return bad("waveform layout: %d samples a cycle", r.Samples)
		}
	}
	for _, c := range w.Channels {
		if len(c.ID) != 2 || c.Phase < 0 || c.Phase > 2 || c.Wye == "" || c.Delta == "" {
			return bad("waveform layout: channel %q", c.ID)
		}
	}
	return nil
}
