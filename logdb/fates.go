package logdb

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

// Fate is what became of a position in one stream, decided once.
type Fate uint8

// The fates. The numbers are stored: never renumber.
const (
	FateStored    Fate = 1
	FateReduced   Fate = 2 // combined into position Into
	FateSkipped   Fate = 3 // over a limit, Reason says which
	FateNotChosen Fate = 4 // not part of the chosen subset; no limit, raises no mark
	FateHeld      Fate = 5 // the receiver has that day from another source
)

var fateNames = [...]string{"", "stored", "reduced", "skipped", "not_chosen", "held"}

// String returns the word that stands in documents.
func (f Fate) String() string {
	if f == 0 || int(f) >= len(fateNames) {
		return fmt.Sprintf("fate(%d)", uint8(f))
	}
	return fateNames[f]
}

// ParseFate reads a fate's word.
func ParseFate(s string) (Fate, error) {
	for f := FateStored; f <= FateHeld; f++ {
		if fateNames[f] == s {
			return f, nil
		}
	}
	return 0, fmt.Errorf("%w: fate %q", ErrInvalid, s)
}

// FateRange gives one fate to the positions First to Last, both included. Skipped and
// reduced ranges lie within one UTC day and carry the earliest and latest time of their
// records, so that counts per day follow from the positions alone.
type FateRange struct {
	First, Last         Position
	Fate                Fate
	Into                Position // reduced: where the combined row travels
	Reason              string   // skipped: "second", "minute", "hour", "day", "size", ...
	FirstTime, LastTime Millis
}

// Count returns the number of positions.
func (r FateRange) Count() int { return int(r.Last - r.First + 1) }

func (r FateRange) check() error {
	switch {
	case r.Fate < FateStored || r.Fate > FateHeld:
		return fmt.Errorf("%w: fate %d", ErrInvalid, r.Fate)
	case r.First == 0 || r.Last < r.First || r.Last > MaxPosition:
		return fmt.Errorf("%w: positions %d to %d", ErrInvalid, r.First, r.Last)
	case r.Fate == FateReduced && (r.Into == 0 || r.Into > MaxPosition):
		return fmt.Errorf("%w: positions %d to %d are reduced into none", ErrInvalid, r.First, r.Last)
	case r.Fate == FateSkipped && r.Reason == "":
		return fmt.Errorf("%w: positions %d to %d are skipped without a reason", ErrInvalid, r.First, r.Last)
	case len(r.Reason) > 64:
		return fmt.Errorf("%w: a reason of %d bytes", ErrInvalid, len(r.Reason))
	case r.FirstTime < MinTime || r.FirstTime > MaxTime || r.LastTime < MinTime || r.LastTime > MaxTime:
		return fmt.Errorf("%w: times of the fate of positions %d to %d are out of range", ErrInvalid, r.First, r.Last)
	case (r.Fate == FateSkipped || r.Fate == FateReduced) && r.FirstTime.Day() != r.LastTime.Day():
		return fmt.Errorf("%w: %s positions %d to %d span two days", ErrInvalid, r.Fate, r.First, r.Last)
	}
	return nil
}

// joins reports whether r may be written as one range with the next one, n.
func (r FateRange) joins(n FateRange) bool {
	if r.Last+1 != n.First || r.Fate != n.Fate || r.Into != n.Into || r.Reason != n.Reason {
		return false
	}
	if r.Fate == FateSkipped || r.Fate == FateReduced {
		return r.FirstTime.Day() == n.FirstTime.Day()
	}
	return true
}

// extend takes in the range that follows. The times bound those of all records, whatever their order: a clock may
// have been set back between.
func (r *FateRange) extend(n FateRange) {
	r.Last = n.Last
	r.FirstTime, r.LastTime = min(r.FirstTime, n.FirstTime), max(r.LastTime, n.LastTime)
}

// FateSet is the fate of every decided position of a stream: sorted ranges that do not
// overlap. The zero value is empty.
type FateSet struct{ ranges []FateRange }

// Ranges returns the ranges in order; not to be changed.
func (s *FateSet) Ranges() []FateRange { return s.ranges }

// Clone returns an independent copy.
func (s *FateSet) Clone() FateSet { return FateSet{slices.Clone(s.ranges)} }

// search returns the index of the first range that ends at p or later.
func (s *FateSet) search(p Position) int {
	return sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].Last >= p })
}

// At returns the range that holds p.
func (s *FateSet) At(p Position) (FateRange, bool) {
	if i := s.search(p); i < len(s.ranges) && s.ranges[i].First <= p {
		return s.ranges[i], true
	}
	return FateRange{}, false
}

// Has reports whether p is decided.
func (s *FateSet) Has(p Position) bool { _, ok := s.At(p); return ok }

// Overlaps reports whether any of the positions first to last is decided.
func (s *FateSet) Overlaps(first, last Position) bool {
	i := s.search(first)
	return i < len(s.ranges) && s.ranges[i].First <= last
}

// Highest returns the highest decided position, 0 when there is none.
func (s *FateSet) Highest() Position {
	if len(s.ranges) == 0 {
		return 0
	}
	return s.ranges[len(s.ranges)-1].Last
}

// Count returns how many positions have fate f.
func (s *FateSet) Count(f Fate) int {
	n := 0
	for _, r := range s.ranges {
		if r.Fate == f {
			n += r.Count()
		}
	}
	return n
}

// Len returns how many positions are decided.
func (s *FateSet) Len() int {
	n := 0
	for _, r := range s.ranges {
		n += r.Count()
	}
	return n
}

// Missing returns the undecided ranges among first to last.
func (s *FateSet) Missing(first, last Position) [][2]Position {
	var out [][2]Position
	for i := s.search(first); first <= last; i++ {
		if i >= len(s.ranges) || s.ranges[i].First > last {
			return append(out, [2]Position{first, last})
		}
		if s.ranges[i].First > first {
			out = append(out, [2]Position{first, s.ranges[i].First - 1})
		}
		first = s.ranges[i].Last + 1
	}
	return out
}

// Put sets the fate of r's positions, replacing what they had. Callers that must not
// decide twice ask Missing first.
func (s *FateSet) Put(r FateRange) {
	if n := len(s.ranges); n == 0 || s.ranges[n-1].Last < r.First { // the usual case: append
		if n > 0 && s.ranges[n-1].joins(r) {
			s.ranges[n-1].extend(r)
			return
		}
		s.ranges = append(s.ranges, r)
		return
	}
	i := s.search(r.First)
	j := i
	var mid []FateRange
	if i < len(s.ranges) && s.ranges[i].First < r.First {
		left := s.ranges[i]
		left.Last = r.First - 1
		mid = append(mid, left)
	}
	mid = append(mid, r)
	for j < len(s.ranges) && s.ranges[j].First <= r.Last {
		if s.ranges[j].Last > r.Last {
			right := s.ranges[j]
			right.First = r.Last + 1
			mid = append(mid, right)
		}
		j++
	}
	if i > 0 {
		i--
		mid = append([]FateRange{s.ranges[i]}, mid...)
	}
	if j < len(s.ranges) {
		mid = append(mid, s.ranges[j])
		j++
	}
	joined := mid[:1]
	for _, m := range mid[1:] {
		if l := &joined[len(joined)-1]; l.joins(m) {
			l.extend(m)
			continue
		}
		joined = append(joined, m)
	}
	s.ranges = slices.Replace(s.ranges, i, j, joined...)
}

// Remove makes the positions first to last undecided again ("send again").
func (s *FateSet) Remove(first, last Position) {
	var out []FateRange
	for _, r := range s.ranges {
		if r.Last < first || r.First > last {
			out = append(out, r)
			continue
		}
		if r.First < first {
			left := r
			left.Last = first - 1
			out = append(out, left)
		}
		if r.Last > last {
			right := r
			right.First = last + 1
			out = append(out, right)
		}
	}
	s.ranges = out
}

const fateFormat = 1

// AppendBinary appends the set's stored form to b.
func (s *FateSet) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, fateFormat)
	b = binary.AppendUvarint(b, uint64(len(s.ranges)))
	var last Position
	var t Millis
	for _, r := range s.ranges {
		b = append(b, byte(r.Fate))
		b = binary.AppendUvarint(b, uint64(r.First-last))
		b = binary.AppendUvarint(b, uint64(r.Last-r.First))
		last = r.Last
		switch r.Fate {
		case FateReduced:
			b = binary.AppendVarint(b, int64(r.Into-r.Last))
		case FateSkipped:
			b = binary.AppendUvarint(b, uint64(len(r.Reason)))
			b = append(b, r.Reason...)
		}
		b = binary.AppendVarint(b, int64(r.FirstTime-t))
		b = binary.AppendVarint(b, int64(r.LastTime-r.FirstTime))
		t = r.LastTime
	}
	return b, nil
}

// UnmarshalBinary reads what AppendBinary wrote; ErrInvalid for anything else.
func (s *FateSet) UnmarshalBinary(data []byte) error {
	s.ranges = nil
	if len(data) == 0 {
		return nil
	}
	r := reader{data: data}
	if r.byte() != fateFormat {
		return fmt.Errorf("%w: unknown format of a fate set", ErrInvalid)
	}
	n := r.uvarint()
	if n > uint64(len(data)) {
		return fmt.Errorf("%w: a fate set of %d ranges in %d bytes", ErrInvalid, n, len(data))
	}
	out := make([]FateRange, 0, n)
	var last Position
	var t Millis
	for range n {
		f := FateRange{Fate: Fate(r.byte())}
		f.First = last + Position(r.uvarint())
		f.Last = f.First + Position(r.uvarint())
		if f.First <= last || f.Last < f.First {
			return fmt.Errorf("%w: ranges of a fate set do not rise", ErrInvalid)
		}
		last = f.Last
		switch f.Fate {
		case FateReduced:
			f.Into = f.Last + Position(r.varint())
		case FateSkipped:
			f.Reason = r.string()
		}
		f.FirstTime = t + Millis(r.varint())
		f.LastTime = f.FirstTime + Millis(r.varint())
		t = f.LastTime
		if r.err != nil {
			return r.err
		}
		if err := f.check(); err != nil {
			return err
		}
		out = append(out, f)
	}
	if r.err == nil && len(r.data) != 0 {
		return fmt.Errorf("%w: %d bytes after a fate set", ErrInvalid, len(r.data))
	}
	s.ranges = out
	return r.err
}
