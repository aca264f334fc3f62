package logdb

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Op is what a journal entry does.
type Op uint8

// The operations. The numbers are stored: never renumber.
const (
	OpAdd      Op = 1 // a record
	OpRevise   Op = 2 // a new version of the record first added at Target
	OpWithdraw Op = 3 // the record at Target is no longer live
	OpSkip     Op = 4 // a relayed skip: the position exists elsewhere, its data were not sent
	OpClose    Op = 5 // closes the open reduction buckets of a log
	OpGap      Op = 6 // a period without data, with its cause
)

var opNames = [...]string{"", "add", "revise", "withdraw", "skip", "close", "gap"}

// String returns the word that stands in documents.
func (o Op) String() string {
	if o == 0 || int(o) >= len(opNames) {
		return fmt.Sprintf("op(%d)", uint8(o))
	}
	return opNames[o]
}

// ParseOp reads an operation's word.
func ParseOp(s string) (Op, error) {
	for o := OpAdd; o <= OpGap; o++ {
		if opNames[o] == s {
			return o, nil
		}
	}
	return 0, fmt.Errorf("%w: operation %q", ErrInvalid, s)
}

// Entry is one position of a journal. Exactly one of Row, System, Excursion and
// Waveform is set for an add or a revise, by the journal's kind; Gap for a gap.
type Entry struct {
	Position Position
	Op       Op
	Target   Position // revise, withdraw: the position of the original add
	Replaces Digest   // revise, withdraw: ContentDigest of the version replaced
	Log      LogNo
	// Run counts the steps back of the meter's clock, Generation the breaks in the
	// meter's memory (reset, new settings, replacement), both within the journal.
	Run        uint32
	Generation uint32
	Time       Millis // of the record; start of an event, recording or gap

	Row       *Row
	System    *SystemEvent
	Excursion *Excursion
	Waveform  *Waveform
	Gap       *Gap

	// Who, when and why, of revises and withdraws.
	By  string
	At  Millis
	Why string
}

// Row is one historical row outside a column block. Absent values are left out.
type Row struct {
	Channels []ChannelKey
	Values   []float64
}

// HasValue reports whether there is a row, and a value in it.
func (r *Row) HasValue() bool {
	return r != nil && slices.ContainsFunc(r.Values, func(v float64) bool { return !math.IsNaN(v) })
}

// History is a run of historical rows of one log in columns. Columns[c][i] is the value of
// Channels[c] at Times[i], NaN when absent. Positions is nil before they are given.
type History struct {
	Log        LogNo
	Run        uint32
	Generation uint32
	Channels   []ChannelKey
	Times      []Millis
	Positions  []Position
	Columns    [][]float64
}

// maxChannels is how many channels a block has at most.
const maxChannels = 512

// Len returns the number of rows.
func (h *History) Len() int { return len(h.Times) }

// Slice returns rows [i, j) sharing h's arrays.
func (h *History) Slice(i, j int) History {
	out := *h
	out.Times = h.Times[i:j]
	if h.Positions != nil {
		out.Positions = h.Positions[i:j]
	}
	out.Columns = make([][]float64, len(h.Columns))
	for c := range h.Columns {
		out.Columns[c] = h.Columns[c][i:j]
	}
	return out
}

// append adds the rows of o, whose channels may be others, and reports whether they follow and fit.
func (h *History) append(o *History) bool {
	n, more := h.Len(), o.Len()
	if (h.Positions == nil) != (o.Positions == nil) || n > 0 && more > 0 && h.Positions != nil && o.Positions[0] <= h.Positions[n-1] {
		return false
	}
	if slices.Equal(h.Channels, o.Channels) { // as most are
		for c := range h.Columns {
			h.Columns[c] = append(h.Columns[c], o.Columns[c]...)
		}
		h.Times = append(h.Times, o.Times...)
		h.Positions = append(h.Positions, o.Positions...)
		return true
	}
	column := make(map[ChannelKey]int, len(h.Channels))
	for c, key := range h.Channels {
		column[key] = c
	}
	var added []ChannelKey
	for _, key := range o.Channels {
		if _, known := column[key]; !known {
			added = append(added, key)
		}
	}
	if len(h.Channels)+len(added) > maxChannels {
		return false
	}
	for _, key := range added {
		column[key] = len(h.Channels)
		h.Channels, h.Columns = append(h.Channels, key), append(h.Columns, absent(n))
	}
	for c := range h.Columns {
		h.Columns[c] = append(h.Columns[c], absent(more)...)
	}
	for c, key := range o.Channels {
		copy(h.Columns[column[key]][n:], o.Columns[c])
	}
	h.Times = append(h.Times, o.Times...)
	h.Positions = append(h.Positions, o.Positions...)
	return true
}

// absent returns n values that are not there.
func absent(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// Entry returns row i as an add, without its absent values.
func (h *History) Entry(i int) Entry {
	e := Entry{Op: OpAdd, Log: h.Log, Run: h.Run, Generation: h.Generation, Time: h.Times[i], Row: &Row{}}
	if h.Positions != nil {
		e.Position = h.Positions[i]
	}
	for c, col := range h.Columns {
		if !math.IsNaN(col[i]) {
			e.Row.Channels = append(e.Row.Channels, h.Channels[c])
			e.Row.Values = append(e.Row.Values, col[i])
		}
	}
	return e
}

// Check reports the first broken rule: equal lengths, 1 to 512 distinct well-formed
// channels, times within bounds, positions rising.
func (h *History) Check() error {
	if len(h.Channels) == 0 || len(h.Channels) > maxChannels {
		return fmt.Errorf("%w: %d channels, want 1 to %d", ErrInvalid, len(h.Channels), maxChannels)
	}
	if len(h.Columns) != len(h.Channels) {
		return fmt.Errorf("%w: %d columns for %d channels", ErrInvalid, len(h.Columns), len(h.Channels))
	}
	seen := make(map[ChannelKey]bool, len(h.Channels))
	for c, key := range h.Channels {
		if k, err := NormalizeChannel(string(key)); err != nil || k != key {
			return fmt.Errorf("%w: channel key %q is not canonical", ErrInvalid, key)
		}
		if seen[key] {
			return fmt.Errorf("%w: channel %s stands twice", ErrInvalid, key)
		}
		seen[key] = true
		if len(h.Columns[c]) != len(h.Times) {
			return fmt.Errorf("%w: channel %s has %d values for %d times", ErrInvalid, key, len(h.Columns[c]), len(h.Times))
		}
		for i, v := range h.Columns[c] {
			if math.IsInf(v, 0) {
				return fmt.Errorf("%w: an infinite value of %s in row %d", ErrInvalid, key, i)
			}
		}
	}
	if h.Positions != nil && len(h.Positions) != len(h.Times) {
		return fmt.Errorf("%w: %d positions for %d rows", ErrInvalid, len(h.Positions), len(h.Times))
	}
	for i, t := range h.Times {
		if t < MinTime || t > MaxTime {
			return fmt.Errorf("%w: time %d of row %d is out of range", ErrInvalid, t, i)
		}
		if h.Positions != nil && (h.Positions[i] == 0 || i > 0 && h.Positions[i] <= h.Positions[i-1]) {
			return fmt.Errorf("%w: position %d of row %d does not rise", ErrInvalid, h.Positions[i], i)
		}
	}
	return nil
}

// StreamID names what a sender uploads: a journal under one policy generation. Policy
// "0" is the journal itself, in full, at the node that owns it. A "+" in the policy
// ("2+1") marks a stream that carries only channels added later.
type StreamID struct {
	Journal JournalID
	Policy  string
}

// IsZero reports whether s names nothing: its poster keeps no journal.
func (s StreamID) IsZero() bool { return s.Journal == "" }

// String joins journal and policy by a colon; the zero stream is "".
func (s StreamID) String() string {
	if s.IsZero() {
		return ""
	}
	return string(s.Journal) + ":" + s.Policy
}

// ParseStream reads what String wrote: 32 hex digits, a colon and 1 to 16 of 0-9 and +.
func ParseStream(text string) (StreamID, error) {
	if text == "" {
		return StreamID{}, nil
	}
	j, p, ok := strings.Cut(text, ":")
	good := ok && len(j) == 32 && len(p) >= 1 && len(p) <= 16
	for i := 0; good && i < len(j); i++ {
		good = j[i] >= '0' && j[i] <= '9' || j[i] >= 'a' && j[i] <= 'f'
	}
	for i := 0; good && i < len(p); i++ {
		good = p[i] >= '0' && p[i] <= '9' || p[i] == '+'
	}
	if !good {
		return StreamID{}, fmt.Errorf("%w: stream %q, want 32 hex digits, a colon and a policy number", ErrInvalid, text)
	}
	return StreamID{JournalID(j), p}, nil
}

// SameCut reports whether s and o carry the same part of one journal, so that a
// position stored by one must not be stored again by the other.
func (s StreamID) SameCut(o StreamID) bool {
	_, a, _ := strings.Cut(s.Policy, "+")
	_, b, _ := strings.Cut(o.Policy, "+")
	return s.Journal == o.Journal && a == b
}

// SameRecords reports whether s and o carry the same part of one journal, under whatever name: what stands at a position in
// one is the record that stands there in the other.
func (s StreamID) SameRecords(o StreamID) bool {
	o.Journal, s.Journal = o.Journal.Family(), s.Journal.Family()
	return s.SameCut(o)
}

// Check reports the first rule that e breaks as an entry of a journal of kind k.
func (e *Entry) Check(k Kind) error {
	bodies := 0
	for kind, set := range map[Kind]bool{
		KindHistorical: e.Row != nil, KindWaveform: e.Waveform != nil, KindSystem: e.System != nil,
		KindLimit: e.Excursion != nil, KindPQ: e.Excursion != nil,
	} {
		if set && kind == k {
			bodies++
		}
	}
	if set := countTrue(e.Row != nil, e.Waveform != nil, e.System != nil, e.Excursion != nil); set != bodies {
		return fmt.Errorf("%w: an entry of kind %s holds another kind's record", ErrInvalid, k)
	}
	if e.Time < MinTime || e.Time > MaxTime {
		return fmt.Errorf("%w: time %d is out of range", ErrInvalid, e.Time)
	}
	switch e.Op {
	case OpAdd:
		if bodies != 1 || e.Target != 0 {
			return fmt.Errorf("%w: an add needs one record and no target", ErrInvalid)
		}
	case OpRevise:
		if bodies != 1 || e.Target == 0 {
			return fmt.Errorf("%w: a revise needs a record and a target", ErrInvalid)
		}
	case OpWithdraw:
		if bodies != 0 || e.Target == 0 {
			return fmt.Errorf("%w: a withdraw needs a target and no record", ErrInvalid)
		}
	case OpSkip, OpClose:
		if bodies != 0 || e.Target != 0 {
			return fmt.Errorf("%w: a %s holds nothing", ErrInvalid, e.Op)
		}
	case OpGap:
		if bodies != 0 || e.Gap == nil || e.Gap.To < e.Gap.From {
			return fmt.Errorf("%w: a gap needs a period", ErrInvalid)
		}
	default:
		return fmt.Errorf("%w: operation %d", ErrInvalid, e.Op)
	}
	return e.checkBody()
}

func countTrue(bs ...bool) int {
	n := 0
	for _, b := range bs {
		if b {
			n++
		}
	}
	return n
}
