package sim

import "math"

// seed makes reproducible numbers: every draw is a pure function of seed, stream and key, so
// that any instant can be computed without the ones before it.
type seed uint64

// The streams keep draws for different purposes independent.
const (
	streamLoad uint64 = iota + 1
	streamVolts
	streamHertz
	streamCloud
	streamFactor
	streamPhase
	streamTHD
	streamDay
	streamWave
	streamWindow
	streamFlicker
	streamInput
)

// bits returns 64 random bits for (stream, key), by the finalizer of splitmix64.
func (s seed) bits(stream uint64, key int64) uint64 {
	x := uint64(s)*0x9e3779b97f4a7c15 + stream*0xd1b54a32d192ed03 + uint64(key)*0xda942042e4dd58b5
	for range 2 {
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

// unit returns a number in [0, 1).
func (s seed) unit(stream uint64, key int64) float64 {
	return float64(s.bits(stream, key)>>11) / (1 << 53)
}

// smooth returns continuous noise in [-1, 1] at time t that changes over about period ms.
func (s seed) smooth(stream uint64, t, period int64) float64 {
	k := floorDiv(t, period)
	f := float64(t-k*period) / float64(period)
	f = f * f * (3 - 2*f)
	key := k*1021 + period
	a, b := s.unit(stream, key), s.unit(stream, key+1021)
	return 2*(a+(b-a)*f) - 1
}

// draws hands out numbers of one stream one after the other.
type draws struct {
	seed   seed
	stream uint64
	key    int64
}

func (d *draws) unit() float64 {
	d.key++
	return d.seed.unit(d.stream, d.key)
}

// between returns a number in [low, high).
func (d *draws) between(low, high float64) float64 { return low + (high-low)*d.unit() }

// below returns an integer in [0, n).
func (d *draws) below(n int64) int64 { return int64(math.Floor(d.unit() * float64(n))) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
