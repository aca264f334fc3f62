package sim

import (
	"sort"
	"time"
)

// historical is one of the three historical logs: what it records and how often. Its records
// are computed when they are read; only the number of records of each segment is remembered.
type historical struct {
	settings uint16 // address of the programmable settings
	interval int64  // ms
	items    []item
	sectors  byte

	sums []int // sums[i] is the number of records in the segments before segment i
}

// intervalBits are the values of the settings register.
func intervalBit(ms int64) uint16 {
	for i, minutes := range [...]int64{1, 3, 5, 10, 15, 30, 60} {
		if ms == minutes*minuteMs {
			return 1 << i
		}
	}
	return 0
}

func (h *historical) registers() int {
	n := 0
	for i := range h.items {
		n += h.items[i].registers()
	}
	return n
}

func (h *historical) size() int { return 6 + 2*h.registers() }

// span returns the first and last multiple of the interval, by local wall clock, in [s.from, until].
func (h *historical) span(s segment, until int64) (first, last int64) {
	wall := s.shift + s.offset
	return -floorDiv(-(s.from + wall), h.interval), floorDiv(min(until, s.to-1)+wall, h.interval)
}

// total returns how many records there are at true time t. The plan must reach t, and is locked.
func (h *historical) total(p *plan, t int64) int {
	if t < p.begin || len(p.segments) == 0 {
		return 0
	}
	h.grow(p)
	i := sort.Search(len(p.segments), func(i int) bool { return p.segments[i].from > t }) - 1
	if i < 0 {
		return 0
	}
	first, last := h.span(p.segments[i], t)
	return h.sums[i] + max(0, int(last-first+1))
}

func (h *historical) grow(p *plan) {
	if len(h.sums) == 0 {
		h.sums = append(h.sums, 0)
	}
	for i := len(h.sums); i <= len(p.segments); i++ {
		s := p.segments[i-1]
		first, last := h.span(s, s.to)
		h.sums = append(h.sums, h.sums[i-1]+max(0, int(last-first+1)))
	}
}

// moment returns when record i was made. It must exist.
func (h *historical) moment(p *plan, i int) moment {
	h.grow(p)
	n := sort.Search(len(p.segments), func(n int) bool { return h.sums[n+1] > i })
	s := p.segments[n]
	first, _ := h.span(s, s.to)
	at := (first+int64(i-h.sums[n]))*h.interval - s.shift - s.offset
	return moment{at, at + s.shift}
}

// appendStamp appends the meter's 6-byte local time, the DST flag in bit 6 of the hour.
func (z *zone) appendStamp(b []byte, meter int64) []byte {
	offset, dst := z.at(meter)
	t := time.UnixMilli(meter + offset).UTC()
	hour := byte(t.Hour())
	if dst {
		hour |= 0x40
	}
	return append(b, byte(t.Year()-2000), byte(t.Month()), byte(t.Day()), hour, byte(t.Minute()), byte(t.Second()))
}
