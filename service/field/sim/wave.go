package sim

import (
	"fmt"
	"math"
)

// What the meter is programmed to record: 64 samples a cycle, of which 8 cycles stand before
// the trigger.
const (
	waveSamples   = 2048
	wavePerCycle  = 64
	wavePreCycles = 8
	waveRecords   = 26
	waveRecord    = 970
	wavePayload   = 962
	waveHeader    = 36
	waveReserved  = 388
)

// calibration turns counts of the converter into secondary units, by channel: V and I of phases A, B, C.
var calibration = [3][2]uint16{{54049, 6508}, {54101, 6641}, {54186, 6899}}

// counts is what the converter shows for a primary value.
func (m *Meter) counts(primary float64, phase int, current bool) float64 {
	ratio, c := m.site.ptRatio(), calibration[phase][0]
	if current {
		ratio, c = m.site.ctRatio(), calibration[phase][1]
	}
	return primary / ratio * m.layout.wave.CountsDivisor / float64(c)
}

// toPrimary is what a count means.
func (m *Meter) toPrimary(count float64, phase int, current bool) float64 {
	return count / m.counts(1, phase, current)
}

// harmonic orders and their part of the distortion; the squares add up to 1.
var harmonics = [...]struct {
	order int
	part  float64
}{{3, 0.36}, {5, 0.8}, {7, 0.4}, {11, 0.2}, {13, math.Sqrt(1 - 0.36*0.36 - 0.64 - 0.16 - 0.04)}}

// wave returns the samples of one channel of a capture in counts, phase 0 to 2.
func (m *Meter) wave(c *capture, phase int, current bool) []int16 {
	out := make([]int16, waveSamples)
	for i, v := range m.primaryWave(c, phase, current, waveSamples) {
		out[i] = int16(max(-32768, min(32767, math.Round(m.counts(v, phase, current)))))
	}
	return out
}

// primaryWave returns the samples of one channel of a capture in primary units.
func (m *Meter) primaryWave(c *capture, phase int, current bool, samples int) []float64 {
	before := m.model.at(c.at - 1500)
	d := &c.disturbance
	rms, thd := before.Volts[phase], before.THDVolts[phase]
	lag := 0.0
	if current {
		rms, thd = before.Amps[phase], before.THDAmps[phase]
		lag = math.Atan2(before.Vars[phase], before.Watts[phase])
	}
	fundamental := rms * math.Sqrt2 / math.Sqrt(1+thd*thd)
	phi := 2*math.Pi*m.model.seed.unit(streamWave, c.at) - 2*math.Pi*float64(phase)/3 - lag
	out := make([]float64, samples)
	for i := range out {
		ms := float64(i-wavePreCycles*wavePerCycle) * 1000 / (m.layout.wave.RateHz * wavePerCycle)
		angle := 2*math.Pi*before.Hertz*ms/1000 + phi
		v := math.Sin(angle)
		for _, h := range harmonics {
			turn := 2 * math.Pi * m.model.seed.unit(streamWave, int64(phase)*64+int64(h.order)+int64(len(d.end)))
			v += thd * h.part * math.Sin(float64(h.order)*angle+turn)
		}
		v *= fundamental
		if at := c.at + int64(math.Floor(ms)); at >= d.start && at < d.end[phase] {
			if current {
				v *= d.level[phase]
			} else {
				v *= d.level[phase] * m.site.NominalVolts / rms
			}
		}
		if current && d.kind == kindInrush && ms >= 0 {
			// A saturated core draws current in one half of each cycle only.
			peak := 2 * inrushPeak * m.site.CurrentFullScale() * math.Exp(-ms/inrushDecayMs)
			v += peak * max(0, math.Sin(angle))
		}
		out[i] = v
	}
	return out
}

// sampleIntervalMillis is the distance of samples.
func (m *Meter) sampleIntervalMillis() float64 { return 1000 / (m.layout.wave.RateHz * wavePerCycle) }

// triggerRMS is the RMS of the cycle that begins at the trigger, in counts.
func triggerRMS(samples []int16) uint16 {
	var sum float64
	for _, v := range samples[wavePreCycles*wavePerCycle:][:wavePerCycle] {
		sum += float64(v) * float64(v)
	}
	return uint16(math.Round(math.Sqrt(sum / wavePerCycle)))
}

// encodeCapture returns the 25012 bytes of a capture: header, reserved bytes, six channels.
func (m *Meter) encodeCapture(c *capture) []byte {
	var waves [3][2][]int16
	for p := range 3 {
		waves[p] = [2][]int16{m.wave(c, p, false), m.wave(c, p, true)}
	}
	b := append16(nil, m.triggerSource(&c.disturbance))
	b = append(b, m.rateCode(), 0, 0, c.number)
	b = append16(b, uint16(floorMod(c.meter, secondMs)))
	b = append16(b, 0)
	b = append16(b, waveSamples-1)
	for p := range 3 {
		b = append16(append16(b, triggerRMS(waves[p][0])), triggerRMS(waves[p][1]))
	}
	for p := range 3 {
		b = append16(append16(b, calibration[p][0]), calibration[p][1])
	}
	for range waveReserved {
		b = append(b, 0xFF)
	}
	for _, ch := range m.layout.wave.Channels {
		b = append(b, ch.ID...)
		samples := waves[ch.Phase][0]
		if ch.Current {
			samples = waves[ch.Phase][1]
		}
		for _, v := range samples {
			b = append16(b, uint16(v))
		}
	}
	return b
}

func (m *Meter) rateCode() byte {
	for _, r := range m.layout.wave.Rates {
		if r.Samples == wavePerCycle {
			return r.Code
		}
	}
	return 0
}

// triggerSource is the bitmap of what started a capture.
func (m *Meter) triggerSource(d *disturbance) uint16 {
	var bits uint16
	for _, t := range m.layout.wave.Triggers {
		for p, name := range [...]string{"Van", "Vbn", "Vcn"} {
			surge := d.level[p] > 1
			if t.Channel == name && d.end[p] > 0 && surge == (t.What == "Surge") {
				bits |= 1 << t.Bit
			}
		}
	}
	return bits
}

// waveRecordAt returns record i of the waveform log.
func (m *Meter) waveRecordAt(i int) ([]byte, error) {
	n := i / waveRecords
	m.plan.mu.RLock()
	c := m.plan.captures[n]
	m.plan.mu.RUnlock()
	m.waveMu.Lock()
	defer m.waveMu.Unlock()
	if m.waveCached == nil || m.waveIndex != n {
		m.waveCached, m.waveIndex = m.encodeCapture(&c), n
	}
	if len(m.waveCached) != waveRecords*wavePayload {
		return nil, fmt.Errorf("encode capture %d: %d bytes", n, len(m.waveCached))
	}
	b := m.zone.appendStamp(make([]byte, 0, waveRecord), c.meter)
	b = append(b, c.number, byte(i%waveRecords))
	return append(b, m.waveCached[i%waveRecords*wavePayload:][:wavePayload]...), nil
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
