package logdb

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// End is an end of a journal with the running hash over the entries up to it.
type End struct {
	Position Position
	Chain    Digest
}

// Same reports whether two ends may be of one journal: a chain that was not stated fits any.
func (e End) Same(o End) bool {
	return e.Position == o.Position && (e.Chain == o.Chain || e.Chain.IsZero() || o.Chain.IsZero())
}

// EndOf returns the farthest end that pages stated of a journal, under any of its names: zero for one of which nothing has come.
func EndOf(streams []StreamState, j JournalID) (end End) {
	for i := range streams {
		if st := &streams[i]; !st.Own && st.Stream.Journal.Family() == j.Family() && st.JournalEnd > end.Position {
			end = End{st.JournalEnd, st.Chain}
		}
	}
	return end
}

// Ends are the last ends of a journal that pages stated, in the order in which they came. Two
// machines that go on from one backup may write under one journal id; each finds the other's
// end among them, though it never ended there itself, and renews its journal.
type Ends []End

// EndsKept is how many ends are kept: two senders that ask before they send state one each.
const EndsKept = 8

// Note adds the end that a page states. Nothing is noted without a chain, or twice.
func (e Ends) Note(p Position, chain Digest) Ends {
	if p == 0 || chain.IsZero() || slices.Contains(e, End{p, chain}) {
		return e
	}
	if len(e) >= EndsKept {
		e = e[len(e)-EndsKept+1:]
	}
	return append(slices.Clone(e), End{p, chain})
}

// Contradict reports whether an end at p with another chain is known: it is another journal. A chain that was not stated contradicts none.
func (e Ends) Contradict(p Position, chain Digest) bool {
	return p != 0 && !chain.IsZero() && slices.ContainsFunc(e, func(o End) bool { return o.Position == p && o.Chain != chain && !o.Chain.IsZero() })
}

// AppendBinary appends the stored form to b.
func (e Ends) AppendBinary(b []byte) ([]byte, error) {
	for _, o := range e {
		b = binary.AppendUvarint(b, uint64(o.Position))
		b = append(b, o.Chain[:]...)
	}
	return b, nil
}

// UnmarshalBinary reads what AppendBinary wrote; ErrInvalid for anything else.
func (e *Ends) UnmarshalBinary(data []byte) error {
	var out Ends
	r := reader{data: data}
	for len(r.data) > 0 && r.err == nil {
		o := End{Position: Position(r.uvarint())}
		if r.err != nil {
			break
		}
		if len(r.data) < len(o.Chain) || len(out) >= EndsKept {
			return fmt.Errorf("%w: ends of a journal in %d bytes", ErrInvalid, len(data))
		}
		r.data = r.data[copy(o.Chain[:], r.data):]
		out = append(out, o)
	}
	*e = out
	return r.err
}
