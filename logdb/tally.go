package logdb

import (
	"encoding/binary"
	"math"
)

// Tally counts records and sums a 128-bit hash of each: a digest that does not depend
// on order, can take records out again, and is equal at two nodes that hold the same
// live records. It detects loss and accident, not forgery.
type Tally struct {
	Count int64     `json:"count"`
	Sum   [2]uint64 `json:"sum"`
}

// AddValue counts one historical value of a series. p is the position of the original add.
func (t *Tally) AddValue(p Position, at Millis, v float64) { t.bits(p, at, math.Float64bits(v), 1) }

// RemoveValue takes out what AddValue counted.
func (t *Tally) RemoveValue(p Position, at Millis, v float64) {
	t.bits(p, at, math.Float64bits(v), -1)
}

// AddBits counts anything of a position and a time that 64 bits stand for.
func (t *Tally) AddBits(p Position, at Millis, bits uint64) { t.bits(p, at, bits, 1) }

// RemoveBits takes out what AddBits counted.
func (t *Tally) RemoveBits(p Position, at Millis, bits uint64) { t.bits(p, at, bits, -1) }

const valueKey = 0xd1b54a32d192ed03

func mixPosition(p Position) uint64   { return mix(uint64(p) ^ 0x9e3779b97f4a7c15) }
func unmixPosition(x uint64) Position { return Position(unmix(x) ^ 0x9e3779b97f4a7c15) }

func (t *Tally) bits(p Position, at Millis, bits uint64, sign int64) {
	a := mix(mixPosition(p) ^ uint64(at))
	a = mix(a ^ bits)
	t.add(a, mix(a^valueKey^bits), sign)
}

// AddEntry counts one live event or recording. p is the position of the original add.
func (t *Tally) AddEntry(p Position, content Digest) { t.entry(p, content, 1) }

// RemoveEntry takes out what AddEntry counted.
func (t *Tally) RemoveEntry(p Position, content Digest) { t.entry(p, content, -1) }

func (t *Tally) entry(p Position, content Digest, sign int64) {
	a := mix(uint64(p) ^ binary.BigEndian.Uint64(content[:8]))
	t.add(a, mix(a^binary.BigEndian.Uint64(content[8:])), sign)
}

func (t *Tally) add(a, b uint64, sign int64) {
	t.Count += sign
	if sign < 0 {
		a, b = -a, -b
	}
	t.Sum[0] += a
	t.Sum[1] += b
}

// Merge adds o's records to t.
func (t *Tally) Merge(o Tally) {
	t.Count += o.Count
	t.Sum[0] += o.Sum[0]
	t.Sum[1] += o.Sum[1]
}

// Remove takes o's records out of t.
func (t *Tally) Remove(o Tally) {
	t.Count -= o.Count
	t.Sum[0] -= o.Sum[0]
	t.Sum[1] -= o.Sum[1]
}

// mix is the finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection that
// spreads every input bit over all output bits.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unmix takes mix back.
func unmix(x uint64) uint64 {
	x = (x ^ x>>31 ^ x>>62) * 0x319642b2d24d8ec3
	x = (x ^ x>>27 ^ x>>54) * 0x96de1b173f119089
	return x ^ x>>30 ^ x>>60
}
