package sim

import "math"

// limitSetting is one of the eight limits, in 0.1 % of full scale. Address 0xFFFF: not used.
type limitSetting struct {
	addr             uint16
	above, aboveBack int16
	below, belowBack int16
}

const (
	limitAmpsA = 3
	limitWatts = 4
	limitHertz = 5
	never      = 2000 // +200.0 % and -200.0 % are the ends of the range: a setpoint there never trips
	noLimit    = 0xFFFF
)

// limitSettings returns what the meter is programmed with. The order is limit 1 to 8.
func limitSettings(site Site) []limitSetting {
	nominal := site.NominalVolts / site.VoltageFullScale() * 1000
	volts := func(addr uint16) limitSetting {
		v := func(pu float64) int16 { return int16(math.Round(pu * nominal)) }
		return limitSetting{addr, v(1.1), v(1.08), v(0.9), v(0.92)}
	}
	return []limitSetting{
		volts(0x03E7), volts(0x03E9), volts(0x03EB),
		{0x03F3, 1200, 1150, -never, -never},
		{0x03F9, 800, 780, -never, -never},
		{0x0401, 1005, 1004, 995, 996},
		{noLimit, never, never, -never, -never},
		{noLimit, never, never, -never, -never},
	}
}

// limitScanMs is how often the meter compares readings with limits; what is shorter is not seen.
const limitScanMs = 100

// addAlarms writes the out and in records that a disturbance causes.
func (p *plan) addAlarms(d *day, x *disturbance) {
	add := func(limit int, below bool, from, to int64, tripped, worst float64) {
		if to-from < limitScanMs {
			return
		}
		p.alarms = append(p.alarms, alarmRecord{d.moment(from), limit, below, true, tenths(tripped)})
		if !x.lost {
			p.alarms = append(p.alarms, alarmRecord{d.moment(to), limit, below, false, tenths(worst)})
		}
	}
	switch x.kind {
	case kindOverload:
		add(limitWatts, false, x.start, x.end[0], x.level[0], x.level[0]+0.004)
		return
	case kindHertz:
		hz := 1 + x.level[0]/p.hertz
		add(limitHertz, hz < 1, x.start, x.end[0], hz, hz-0.0003)
		return
	case kindInrush:
		base := p.amps(x.start, d)
		back := float64(p.limits[limitAmpsA].aboveBack) / 1000
		if ms := inrushDecayMs * math.Log(inrushPeak/(back-base)); base < 0.9*back {
			add(limitAmpsA, false, x.start, x.start+int64(ms), base+inrushPeak, base+inrushPeak)
		}
	}
	for ph := range x.end {
		of := x.level[ph] * p.perVolt
		s := p.limits[ph]
		if x.end[ph] > 0 && (tenths(of) <= s.below || tenths(of) >= s.above) {
			add(ph, x.level[ph] < 1, x.start, x.end[ph], of, of)
		}
	}
}

// tenths rounds a share of full scale to the log's unit of 0.1 %.
func tenths(share float64) int16 { return int16(math.Round(share * 1000)) }
