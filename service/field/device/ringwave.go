package device

import (
	"encoding/binary"
	"fmt"
	"math"

	"metermanager/logdb"
)

// Where things stand in a waveform trigger record.
const (
	ringRMS         = 8
	ringMillis      = 58
	ringCycle       = 62 // samples of the triggering cycle
	ringStates      = 66
	ringDelta       = 70
	ringTimingStamp = 76
	ringTimingMS    = 84
	ringTimingIndex = 86
	ringGains       = 88
)

// The samples of a recording at 16 to 128 samples a cycle: 1024 sets of 16 bytes.
const (
	RingSampleSets = 1024
	ringSampleSet  = 16
	ringFullScale  = 16384 // counts of the converter that a gain is for
	ringMostRate   = 128
)

// ringSamples are the channels of a set in their order, with the places of their gain and RMS in the trigger record.
var ringSamples = [...]struct {
	name       string // of the channel
	rms        string
	gain, mean int
}{
	{"Ia", "Ia", 4, 4}, {"Ib", "Ib", 5, 5}, {"Ic", "Ic", 6, 6}, {"", "", 7, 7}, {"Van_Vab", "Van", 0, 0}, {"Vbn_Vbc", "Vbn", 1, 1}, {"Vcn_Vca", "Vcn", 2, 2},
}

// RingTrigger is a waveform trigger record.
type RingTrigger struct {
	Time         TStamp // of the last sample of the triggering cycle, with Millis to add
	Millis       int
	CycleSamples int
	RMS          [12]int32 // squared, in the order of ringPhases
	Above, Below uint16    // states after the triggering cycle
	AboveDelta   uint16    // what changed with it
	BelowDelta   uint16
	Timing       TStamp // of the sample TimingIndex of this recording, with TimingMillis to add
	TimingMillis int
	TimingIndex  int
	Gains        [8]uint32 // VAN VBN VCN VAUX IA IB IC IAUX
}

// ParseRingTrigger reads 256 bytes.
func ParseRingTrigger(b []byte) (RingTrigger, error) {
	if len(b) != RingTriggerSize {
		return RingTrigger{}, fmt.Errorf("%w: a waveform trigger of %d bytes", ErrRecord, len(b))
	}
	u := func(off int) uint16 { return binary.BigEndian.Uint16(b[off:]) }
	r := RingTrigger{
		Millis: int(b[ringMillis]), CycleSamples: int(int16(u(ringCycle))), Above: u(ringStates), Below: u(ringStates + 2),
		AboveDelta: u(ringDelta), BelowDelta: u(ringDelta + 2), TimingMillis: int(b[ringTimingMS]), TimingIndex: int(int16(u(ringTimingIndex))),
	}
	for i := range r.RMS {
		r.RMS[i] = int32(binary.BigEndian.Uint32(b[ringRMS+4*i:]))
	}
	for i := range r.Gains {
		r.Gains[i] = binary.BigEndian.Uint32(b[ringGains+4*i:])
	}
	var err error
	if r.Time, err = ParseTStamp8(b); err != nil {
		return r, err
	}
	if r.Timing, err = ParseTStamp8(b[ringTimingStamp:]); err != nil {
		return r, err
	}
	if r.Millis > 9 || r.TimingMillis > 9 {
		return r, fmt.Errorf("%w: milliseconds of %d and %d", ErrRecord, r.Millis, r.TimingMillis)
	}
	return r, nil
}

// Append appends the record with its trigger and timing stamps.
func (r RingTrigger) Append(b []byte, trigger, timing []byte) []byte {
	rec := make([]byte, RingTriggerSize)
	copy(rec, trigger)
	copy(rec[ringTimingStamp:], timing)
	put := func(off int, v uint16) { binary.BigEndian.PutUint16(rec[off:], v) }
	rec[ringMillis], rec[ringTimingMS] = byte(r.Millis), byte(r.TimingMillis)
	put(ringCycle, uint16(r.CycleSamples))
	put(ringStates, r.Above)
	put(ringStates+2, r.Below)
	put(ringDelta, r.AboveDelta)
	put(ringDelta+2, r.BelowDelta)
	put(ringTimingIndex, uint16(r.TimingIndex))
	for i, v := range r.RMS {
		binary.BigEndian.PutUint32(rec[ringRMS+4*i:], uint32(v))
	}
	for i, v := range r.Gains {
		binary.BigEndian.PutUint32(rec[ringGains+4*i:], v)
	}
	return append(b, rec...)
}

// Secondary turns a sample into volts or amperes at the meter's terminals.
func (l RingWaveLayout) Secondary(sample int16, gain uint32) float64 {
	return float64(sample) / ringFullScale * float64(gain) / l.GainDivisor
}

// Recording makes a recording of a trigger record and its samples. at is the UTC time of the trigger's stamp, timing that of the timing point's.
func (l RingWaveLayout) Recording(r RingTrigger, samples []byte, at, timing logdb.Millis) (logdb.Waveform, logdb.Millis, error) {
	if len(samples) != RingSamplesSize {
		return logdb.Waveform{}, 0, fmt.Errorf("%w: samples of %d bytes", ErrRecord, len(samples))
	}
	if r.CycleSamples < 16 || r.CycleSamples > ringMostRate {
		return logdb.Waveform{}, 0, fmt.Errorf("%w: %d samples a cycle, of which the order of channels is not known", ErrRecord, r.CycleSamples)
	}
	step := 1000 / (l.RateHz * float64(r.CycleSamples))
	start := timing + logdb.Millis(math.Round(float64(r.TimingMillis)-float64(r.TimingIndex)*step))
	w := logdb.Waveform{
		SampleIntervalMillis: step, TriggerTime: at + logdb.Millis(r.Millis), FrequencyHz: math.NaN(),
		End: start + logdb.Millis(math.Floor(RingSampleSets*step)),
	}
	for i, c := range ringSamples {
		if c.name == "" {
			continue
		}
		if v := float64(r.RMS[c.mean]); v >= 0 {
			w.RMS = append(w.RMS, logdb.NamedValue{Name: c.rms, Value: math.Sqrt(v / l.RMSDivisor)})
		}
		ch := logdb.WaveChannel{Name: c.name, Samples: make([]float64, RingSampleSets)}
		for k := range ch.Samples {
			ch.Samples[k] = l.Secondary(int16(binary.LittleEndian.Uint16(samples[ringSampleSet*k+2*i:])), r.Gains[c.gain])
		}
		w.Channels = append(w.Channels, ch)
	}
	w.Triggers = r.triggers()
	return w, start, nil
}

// triggers words what changed: "Van=Sag_start".
func (r RingTrigger) triggers() (out []string) {
	for _, side := range [...]struct {
		state, delta uint16
		what         string
	}{{r.Above, r.AboveDelta, "Surge"}, {r.Below, r.BelowDelta, "Sag"}} {
		for i, p := range ringPhases {
			bit := uint16(1) << (15 - i)
			if side.delta&bit == 0 {
				continue
			}
			edge := "_end"
			if side.state&bit != 0 {
				edge = "_start"
			}
			out = append(out, p.name+"="+side.what+edge)
		}
	}
	return out
}

// AppendRingSamples appends the 16 KB of samples of the channels Ia, Ib, Ic, Van, Vbn and Vcn.
func AppendRingSamples(b []byte, channels [6][]int16) []byte {
	rec := make([]byte, RingSamplesSize)
	for i, c := range [...]int{0, 1, 2, 4, 5, 6} {
		for k, v := range channels[i] {
			if k < RingSampleSets {
				binary.LittleEndian.PutUint16(rec[ringSampleSet*k+2*c:], uint16(v))
			}
		}
	}
	return append(b, rec...)
}
