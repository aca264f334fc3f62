package logdb

import "context"

// Auditor is a Source that can look at everything it holds of a stream, beside the records that live: what was
// kept apart when something was written names the record that was lost, changed or added since.
type Auditor interface {
	// Audit computes what Digests does, and lists what is not as it was written.
	Audit(ctx context.Context, meter MeterUID, kind Kind, stream StreamID) (Audit, error)
}

// Audit is what a store found out about one stream.
type Audit struct {
	Days     []DayDigest
	Findings []Finding
	// More counts findings that are not listed.
	More int64
}

// MaxFindings bounds the findings that are listed of one stream.
const MaxFindings = 1000

// Add lists a finding, or counts it.
func (a *Audit) Add(f Finding) {
	if len(a.Findings) < MaxFindings {
		a.Findings = append(a.Findings, f)
	} else {
		a.More++
	}
}

// Finding is one record, or something that belongs to records, that is not as the store had written it.
type Finding struct {
	Place    Place      `json:"place"`
	Fault    Fault      `json:"fault"`
	Log      LogNo      `json:"log"`
	Channel  ChannelKey `json:"chan_key,omitempty"`
	Day      Millis     `json:"day_ms,omitempty" doc:"0: unknown, or more than one"`
	Position Position   `json:"position,omitempty" doc:"0: unknown"`
	Last     Position   `json:"last,omitempty" doc:"End of a range of positions"`
	Time     Millis     `json:"time_ms,omitempty" doc:"0: unknown"`
	// Count is how many records are concerned where they cannot be told apart.
	Count int64  `json:"count,omitempty"`
	Have  string `json:"have,omitempty" doc:"What is held"`
	Want  string `json:"want,omitempty" doc:"What was written"`
}

// Fault says how a record differs from what was written.
type Fault string

// The faults.
const (
	FaultMissing Fault = "missing"
	FaultAltered Fault = "altered"
	FaultExtra   Fault = "extra"
)

// Place says what a finding is about.
type Place string

// The places.
const (
	PlaceValue    Place = "value"      // a historical value
	PlaceRow      Place = "row"        // time, run and generation of a historical row
	PlaceEntry    Place = "record"     // an event, recording, gap, close, or a version of a record
	PlaceFate     Place = "fate"       // what became of a position
	PlaceTier     Place = "hour tier"  // sums of values
	PlaceRaw      Place = "raw record" // the meter's own bytes
	PlaceOpen     Place = "open event" // the start of an event that has no end yet
	PlaceChain    Place = "chain"      // the running hash at the end of a batch
	PlaceIndex    Place = "index"      // by what a page of values is found
	PlaceRange    Place = "range"      // count and last value of a series
	PlaceContent  Place = "content"    // what tells a repeat from a new record, and who took a slot of a limit
	PlaceDecision Place = "decision"   // what a sender decided, and how far it has come
	PlaceClaim    Place = "claim"      // what is kept apart to notice all this
)

// Point is one historical value as a Tally counts it.
type Point struct {
	Position Position
	Time     Millis
	Bits     uint64 // of the value
}

// Differ names the one value by which data differs from claim, both of the series of one UTC day: what was counted
// when it was written (was, nil for one that was added), and what is there (is, nil for one that was lost). held is what is
// there; known visits the positions that a lost value may have had. Nothing is named when more than one value differs.
//
// The hash of a value is two bijections of it, so its difference gives back the value, and its position and
// time up to one of them: nothing needs to be kept for each value.
func Differ(claim, data Tally, day Millis, held []Point, known func(yield func(Position) bool)) (was, is *Point) {
	lost := claim
	lost.Remove(data)
	onDay := func(p Point) bool {
		return p.Position >= 1 && p.Position <= MaxPosition && p.Time >= day && p.Time < day+DayMillis
	}
	switch lost.Count {
	case 1:
		bits, y := lost.open()
		known(func(p Position) bool {
			if x := (Point{p, Millis(y ^ mixPosition(p)), bits}); onDay(x) {
				was = &x
				return false
			}
			return true
		})
	case -1:
		for i := range held {
			t := lost
			if t.AddBits(held[i].Position, held[i].Time, held[i].Bits); t == (Tally{}) {
				return nil, &held[i]
			}
		}
	case 0:
		for i := range held {
			t := lost
			t.AddBits(held[i].Position, held[i].Time, held[i].Bits)
			bits, y := t.open()
			same := Point{held[i].Position, Millis(y ^ mixPosition(held[i].Position)), bits}
			if same.Time == held[i].Time || same.Bits == held[i].Bits && onDay(same) {
				return &same, &held[i]
			}
			if p := (Point{unmixPosition(y ^ uint64(held[i].Time)), held[i].Time, bits}); p.Bits == held[i].Bits && onDay(p) {
				return &p, &held[i]
			}
		}
		for i := range held { // a revise that moved the record as well
			t := lost
			t.AddBits(held[i].Position, held[i].Time, held[i].Bits)
			bits, y := t.open()
			if x := (Point{held[i].Position, Millis(y ^ mixPosition(held[i].Position)), bits}); onDay(x) {
				return &x, &held[i]
			}
		}
	}
	return was, nil
}

// open takes a tally of one value apart: its bits, and what mixPosition of its position and its time give together.
func (t *Tally) open() (bits, y uint64) {
	bits = unmix(t.Sum[1]) ^ t.Sum[0] ^ valueKey
	return bits, unmix(unmix(t.Sum[0]) ^ bits)
}

// FateTally sums up a set of fates so that it does not matter how the ranges are cut: a set that is not the one that was
// written has another sum. Every range counts at its two ends only, whatever it covers.
type FateTally struct{ A, B uint64 }

// Add counts the fates of r's positions.
func (t *FateTally) Add(r FateRange) {
	a, b := r.ends()
	t.A += a
	t.B += b
}

// Remove takes out what Add counted.
func (t *FateTally) Remove(r FateRange) {
	a, b := r.ends()
	t.A -= a
	t.B -= b
}

func (r *FateRange) ends() (a, b uint64) {
	k := mix(uint64(r.Fate) ^ valueKey)
	switch r.Fate {
	case FateReduced:
		k = mix(k^uint64(r.Into)) ^ uint64(r.FirstTime.Day())
	case FateSkipped:
		for _, c := range []byte(r.Reason) {
			k = mix(k ^ uint64(c))
		}
		k ^= uint64(r.FirstTime.Day())
	}
	k = mix(k)
	at := func(p Position) (uint64, uint64) {
		a := mix(uint64(p) ^ k)
		return a, mix(a ^ valueKey)
	}
	a1, b1 := at(r.Last)
	a0, b0 := at(r.First - 1)
	return a1 - a0, b1 - b0
}

// Tally sums up the whole set.
func (s *FateSet) Tally() (t FateTally) {
	for _, r := range s.ranges {
		t.Add(r)
	}
	return t
}

// Within returns the parts of the ranges that lie among the positions first to last.
func (s *FateSet) Within(first, last Position) []FateRange {
	var out []FateRange
	for i := s.search(first); i < len(s.ranges) && s.ranges[i].First <= last; i++ {
		r := s.ranges[i]
		r.First, r.Last = max(r.First, first), min(r.Last, last)
		out = append(out, r)
	}
	return out
}
