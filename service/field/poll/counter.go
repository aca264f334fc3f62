package poll

import (
	"metermanager/logdb"
	"metermanager/service/field/device"
)

// resetReads is how many consistent lower readings make a reset of a counter. One alone
// may be a transient 0, and rebasing on it would book the lifetime total as one interval.
const resetReads = 3

// step is what a reading did to a counter.
type step uint8

const (
	stepFirst step = iota // nothing to compare with
	stepUp
	stepRolled // rolled over; delta is right
	stepHeld   // backward: neither logged nor taken as a base
	stepReset  // the counter starts anew from a lower value
)

// counter follows one energy register.
type counter struct {
	known bool
	last  float64      // last good value
	at    logdb.Millis // of the last good value
	held  []float64
}

// read takes a reading as its point is read now.
func (c *counter) read(r device.Reading, at logdb.Millis) (delta float64, s step) {
	if r.Magnitude && c.known && c.last < 0 { // logged when the profile still took the sign: the lifetime total did not flow twice over since
		c.at, c.last, c.held = at, r.Value, nil
		return 0, stepReset
	}
	return c.add(r.Value, r.Modulus, at)
}

// add takes a value. delta is the energy since the last good one.
func (c *counter) add(v, modulus float64, at logdb.Millis) (delta float64, s step) {
	if !c.known {
		c.known, c.at, c.last, c.held = true, at, v, nil
		return 0, stepFirst
	}
	if v >= c.last {
		delta = v - c.last
		c.at, c.last, c.held = at, v, nil
		return delta, stepUp
	}
	if modulus > 0 && c.last > 0.9*modulus && v < 0.1*modulus {
		delta = v + modulus - c.last
		c.at, c.last, c.held = at, v, nil
		return delta, stepRolled
	}
	if n := len(c.held); n > 0 && v < c.held[n-1] {
		c.held = nil // not consistent with what was held: start to count again
	}
	c.held = append(c.held, v)
	if len(c.held) < resetReads {
		return 0, stepHeld
	}
	delta = v - c.held[len(c.held)-2]
	c.at, c.last, c.held = at, v, nil
	return delta, stepReset
}
