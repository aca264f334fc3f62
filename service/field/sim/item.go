package sim

import (
	"math"
	"strings"

	"metermanager/logdb"
)

// snapshot is everything that can be read or logged at one instant.
type snapshot struct {
	Reading
	counters energies // whole units of the energy format, since the meter was made: not yet rolled over
	interval energies // likewise, since the record of the energy log before
	peaks    [energyCount]float64
	peakPF   [2]float64 // at the peak of received and of delivered watts
}

// item is a quantity in the register map. The live registers, the historical logs and the
// truth for tests come from this one table.
type item struct {
	addr    uint16
	channel logdb.ChannelKey
	// Exactly one of these is set.
	float  func(*snapshot) float64
	energy func(*snapshot) int64
	// negative: the registers hold the energy with a minus, which says that it was delivered.
	negative bool
	share    func(*snapshot) float64 // 16 bit, in units of 0.01 %
}

// shareUnit is one count of a 16-bit share.
const shareUnit = 0.0001

// descriptor is the item's byte in the settings of a historical log: type, size.
func (it *item) descriptor() byte {
	switch {
	case it.float != nil:
		return 0x34
	case it.energy != nil:
		return 0x44
	}
	return 0x52
}

func (it *item) registers() int { return int(it.descriptor()&0x0F) / 2 }

func (it *item) needsEnergy() bool { return it.energy != nil || it.addr >= 0x0BB7 && it.addr <= 0x0BC4 }

// appendTo appends the item's registers as they stand on the wire.
func (it *item) appendTo(b []byte, s *snapshot, f EnergyFormat) []byte {
	switch {
	case it.float != nil:
		return append32(b, math.Float32bits(float32(it.float(s))))
	case it.energy != nil:
		n := it.energy(s) % f.rollover()
		if it.negative {
			n = -n
		}
		return append32(b, uint32(n))
	}
	return append16(b, uint16(math.Round(it.share(s)/shareUnit)))
}

// value returns what the meter's number means: with the meter's own rounding, but computed
// without its bytes.
func (it *item) value(s *snapshot, f EnergyFormat) float64 {
	switch {
	case it.float != nil:
		return float64(float32(it.float(s)))
	case it.energy != nil:
		return float64(it.energy(s)%f.rollover()) * f.unit()
	}
	return math.Round(it.share(s)/shareUnit) * shareUnit
}

// items returns the register map of readings, by rising address.
func items() []item {
	var out []item
	add := func(addr uint16, key string, f func(*snapshot) float64) {
		out = append(out, item{addr: addr, channel: logdb.ChannelKey(key), float: f})
	}
	phases := func(addr uint16, prefix string, names [3]string, of func(*snapshot) *[3]float64) {
		for p, name := range names {
			add(addr+2*uint16(p), prefix+name, func(s *snapshot) float64 { return of(s)[p] })
		}
	}
	abc := [3]string{"a", "b", "c"}
	phases(0x03E7, "readings.voltage.", [3]string{"an", "bn", "cn"}, func(s *snapshot) *[3]float64 { return &s.Volts })
	phases(0x03ED, "readings.voltage.", [3]string{"ab", "bc", "ca"}, func(s *snapshot) *[3]float64 { return &s.VoltsLL })
	phases(0x03F3, "readings.current.", abc, func(s *snapshot) *[3]float64 { return &s.Amps })
	add(0x03F9, "readings.power.watts", func(s *snapshot) float64 { return s.TotalWatts })
	add(0x03FB, "readings.power.vars", func(s *snapshot) float64 { return s.TotalVars })
	add(0x03FD, "readings.power.va", func(s *snapshot) float64 { return s.TotalVA })
	add(0x03FF, "readings.power.factor", func(s *snapshot) float64 { return s.TotalPF })
	add(0x0401, "readings.frequency", func(s *snapshot) float64 { return s.Hertz })
	add(0x0403, "readings.current.n", func(s *snapshot) float64 { return s.AmpsN })
	phases(0x0405, "readings.power.watts.", abc, func(s *snapshot) *[3]float64 { return &s.Watts })
	phases(0x040B, "readings.power.vars.", abc, func(s *snapshot) *[3]float64 { return &s.Vars })
	phases(0x0411, "readings.power.va.", abc, func(s *snapshot) *[3]float64 { return &s.VA })
	phases(0x0417, "readings.power.factor.", abc, func(s *snapshot) *[3]float64 { return &s.PF })
	out = append(out, energyItems()...)
	for i, name := range [...]string{"watts.positive", "watts.negative", "vars.positive", "vars.negative", "va"} {
		add(0x0BB7+2*uint16(i), "demand.max."+name, func(s *snapshot) float64 { return s.peaks[i] })
	}
	add(0x0BC1, "demand.max.factor.positive", func(s *snapshot) float64 { return s.peakPF[0] })
	add(0x0BC3, "demand.max.factor.negative", func(s *snapshot) float64 { return s.peakPF[1] })
	for p, name := range abc {
		out = append(out, item{addr: 0x176F + uint16(p), channel: logdb.ChannelKey("thd.voltage." + name),
			share: func(s *snapshot) float64 { return s.THDVolts[p] }})
	}
	for p, name := range abc {
		out = append(out, item{addr: 0x1772 + uint16(p), channel: logdb.ChannelKey("thd.current." + name),
			share: func(s *snapshot) float64 { return s.THDAmps[p] }})
	}
	return out
}

func energyItems() []item {
	var out []item
	add := func(addr uint16, key string, f func(*snapshot) int64) {
		out = append(out, item{addr: addr, channel: logdb.ChannelKey(key), energy: f, negative: strings.HasSuffix(key, ".delivered")})
	}
	total := func(i int) func(*snapshot) int64 { return func(s *snapshot) int64 { return s.counters[i] } }
	sum := func(i, j int) func(*snapshot) int64 {
		return func(s *snapshot) int64 { return s.counters[i] + s.counters[j] }
	}
	net := func(i, j int) func(*snapshot) int64 {
		return func(s *snapshot) int64 { return s.counters[i] - s.counters[j] }
	}
	add(0x05DB, "energy.total.wh.received", total(whReceived))
	add(0x05DD, "energy.total.wh.delivered", total(whDelivered))
	add(0x05DF, "energy.total.wh.net", net(whReceived, whDelivered))
	add(0x05E1, "energy.total.wh.total", sum(whReceived, whDelivered))
	add(0x05E3, "energy.total.varh.received", total(varhReceived))
	add(0x05E5, "energy.total.varh.delivered", total(varhDelivered))
	add(0x05E7, "energy.total.varh.net", net(varhReceived, varhDelivered))
	add(0x05E9, "energy.total.varh.total", sum(varhReceived, varhDelivered))
	add(0x05EB, "energy.total.vah", total(vahTotal))
	for i, name := range [...]string{"wh.received", "wh.delivered", "varh.received", "varh.delivered", "vah"} {
		add(0x0821+2*uint16(i), "energy.interval."+name, func(s *snapshot) int64 { return s.interval[i] })
	}
	return out
}

// EnergyFormat is how the meter shows energy: register 0x7535. The zero value is 8 digits of
// kilo with 2 decimals, so one count is 10 Wh.
type EnergyFormat struct {
	Digits   int // 5 to 8
	Prefix   int // power of ten: 0, 3 or 6
	Decimals int // 0 to 6
}

func (f EnergyFormat) register() uint16 {
	power := uint16(3) // kilo
	return power<<12 | uint16(f.Digits-5)<<8 | uint16(f.Prefix)<<4 | uint16(f.Decimals)
}

// rollover is the number of counts after which a counter begins again.
func (f EnergyFormat) rollover() int64 { return tenTo(f.Digits) }

// unit is one count in Wh.
func (f EnergyFormat) unit() float64 {
	if f.Prefix >= f.Decimals {
		return float64(tenTo(f.Prefix - f.Decimals))
	}
	return 1 / float64(tenTo(f.Decimals-f.Prefix))
}

// counts turns mWh into whole counts.
func (f EnergyFormat) counts(milli int64) int64 { return milli / tenTo(3+f.Prefix-f.Decimals) }

func tenTo(n int) int64 {
	v := int64(1)
	for range n {
		v *= 10
	}
	return v
}

func append16(b []byte, v uint16) []byte { return append(b, byte(v>>8), byte(v)) }

func append32(b []byte, v uint32) []byte {
	return append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}
