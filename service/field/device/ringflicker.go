package device

import (
	"bytes"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// Where things stand in a flicker record: its own time, the end of its interval, a value of each phase, and which interval it is.
const (
	ringFlickerEnd    = 8
	ringFlickerValues = 16
	ringFlickerTerm   = 28
)

// flickerShort and flickerLong are what the two kinds of record hold: Pst of ten minutes, and Plt of two hours.
var (
	flickerShort = []logdb.ChannelKey{"flicker.pst.a", "flicker.pst.b", "flicker.pst.c"}
	flickerLong  = []logdb.ChannelKey{"flicker.plt.a", "flicker.plt.b", "flicker.plt.c"}
)

// RingFlickerLayout scales flicker: the record's layout is printed, the unit of its values is not.
type RingFlickerLayout struct {
	Unverified bool    `json:"unverified"`
	Scale      float64 `json:"scale"`
}

// RingFlicker decodes the flicker log, whose records are of two kinds.
type RingFlicker struct{ terms [2]HistoryDecoder }

// NewRingFlicker returns the decoder of a layout.
func NewRingFlicker(l RingFlickerLayout) *RingFlicker {
	d := &RingFlicker{}
	for term, channels := range [...][]logdb.ChannelKey{flickerShort, flickerLong} {
		x := HistoryDecoder{Channels: slices.Clone(channels), size: RingFlickerSize, stamp: func(rec []byte) (TStamp, error) { return ParseTStamp8(rec[ringFlickerEnd:]) }}
		for phase := range channels {
			x.fields = append(x.fields, historyField{off: ringFlickerValues + 4*phase, size: 4, typ: itemLine, line: &Point{Type: "s32", Scale: &l.Scale}})
		}
		d.terms[term] = x
	}
	return d
}

// Of returns what decodes a record: the short or the long kind.
func (d *RingFlicker) Of(rec []byte) (*HistoryDecoder, error) {
	if len(rec) != RingFlickerSize {
		return nil, fmt.Errorf("%w: a flicker record of %d bytes, want %d", ErrRecord, len(rec), RingFlickerSize)
	}
	term := int(rec[ringFlickerTerm])
	if term >= len(d.terms) {
		return nil, fmt.Errorf("%w: a flicker record of kind %d, want 0 (short) or 1 (long)", ErrRecord, term)
	}
	return &d.terms[term], nil
}

// SameFlicker reports whether two records tell of one interval: of the same kind and end.
func (l Log) SameFlicker(a, b []byte) bool {
	return len(a) == RingFlickerSize && len(b) == RingFlickerSize && a[ringFlickerTerm] == b[ringFlickerTerm] && bytes.Equal(l.StampOrder(a), l.StampOrder(b))
}

// rawShown is how many bytes of an undecoded record its description shows.
const rawShown = 64

// RingRaw is a record that is kept whole, and what it says of itself to people: the log and its bytes behind the time.
func (l Log) RingRaw(rec []byte) (TStamp, logdb.SystemEvent, error) {
	t, err := l.ParseStamp(rec)
	if err != nil {
		return t, logdb.SystemEvent{}, err
	}
	body := rec[l.StampBytes():]
	ev := logdb.SystemEvent{Type: logdb.SystemOther, Description: fmt.Sprintf("%s, not decoded: % x", l.Title(), body[:min(len(body), rawShown)])}
	if len(body) > rawShown {
		ev.Description += fmt.Sprintf(" ... (%d bytes, kept whole)", len(body))
	}
	return t, ev, nil
}

// Title is the log's name for people.
func (l Log) Title() string {
	return string(bytes.ReplaceAll([]byte(l.Name), []byte("_"), []byte(" ")))
}
