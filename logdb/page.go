package logdb

import (
	"cmp"
	"fmt"
	"slices"
)

// Page is a self-contained part of one stream, valid whole or refused whole. Cuts are
// free: any positions, in any order, overlapping others.
type Page struct {
	Meter MeterUID
	Kind  Kind
	// Stream is zero when the poster keeps no journal; then the receiver makes one for
	// Source (the credential's id) and decides by content what is a repeat.
	Stream StreamID
	Source string
	// Rows are the historical adds; Entries everything else, adds of the other kinds included.
	Rows    []History
	Entries []Entry
	// Fates names the positions whose fate is not stored. The positions of Rows and
	// Entries are stored by standing here and do not appear.
	Fates []FateRange
	// JournalEnd is the sender's highest position when it cut the page, Chain the running
	// hash of its journal there. Nothing in the page may lie beyond it.
	JournalEnd Position
	Chain      Digest
	// Seen is the end of the journal that the sender saw at the receiver (EndOf) and found to be one of the journal that it sends, nil when it
	// does not tell. Of two copies of a node that send at the same moment the receiver refuses the second by it.
	Seen *End
	// Requested allows skipped, reduced and held positions to become stored, once.
	Requested bool
}

// AddRows adds rows to the block of their log, run and generation, if their positions lie behind those that it holds, or as a
// block of their own: readers refuse a page of too many blocks, and rows that were combined on their way often come one by one.
// The page does not keep the arrays of h.
func (p *Page) AddRows(h *History) {
	for i := len(p.Rows) - 1; i >= 0; i-- {
		b := &p.Rows[i]
		if b.Log == h.Log && b.Run == h.Run && b.Generation == h.Generation {
			if b.append(h) {
				return
			}
			break
		}
	}
	own := *h
	own.Channels, own.Times, own.Positions = slices.Clone(h.Channels), slices.Clone(h.Times), slices.Clone(h.Positions)
	own.Columns = make([][]float64, len(h.Columns))
	for c := range h.Columns {
		own.Columns[c] = slices.Clone(h.Columns[c])
	}
	p.Rows = append(p.Rows, own)
}

// AddFates adds ranges of positions at their places: fates rise.
func (p *Page) AddFates(list ...FateRange) {
	for _, f := range list {
		at := len(p.Fates)
		for at > 0 && p.Fates[at-1].First > f.First {
			at--
		}
		p.Fates = slices.Insert(p.Fates, at, f)
	}
}

// Check reports the first rule that the page breaks.
func (p *Page) Check() error {
	if p.Meter == "" {
		return fmt.Errorf("%w: no meter", ErrInvalid)
	}
	if !p.Kind.Valid() {
		return fmt.Errorf("%w: log kind %d", ErrInvalid, p.Kind)
	}
	if p.Stream.IsZero() == (p.Source == "") {
		return fmt.Errorf("%w: a page has either a stream or a source", ErrInvalid)
	}
	if len(p.Rows) > 0 && p.Kind != KindHistorical {
		return fmt.Errorf("%w: rows in a page of kind %s", ErrInvalid, p.Kind)
	}
	if p.JournalEnd > MaxPosition {
		return fmt.Errorf("%w: journal end %d", ErrInvalid, p.JournalEnd)
	}
	if p.Seen != nil && (p.Stream.IsZero() || p.Seen.Position > MaxPosition) {
		return fmt.Errorf("%w: an end that was seen needs a stream, and a position", ErrInvalid)
	}
	// Claims are sorted at the end rather than put into a set one by one: a hostile page could
	// order them so that every insertion moves all others.
	var claims [][2]Position
	claim := func(first, last Position) error {
		if first == 0 || last < first || last > p.JournalEnd {
			return fmt.Errorf("%w: positions %d to %d of a journal that ends at %d", ErrInvalid, first, last, p.JournalEnd)
		}
		claims = append(claims, [2]Position{first, last})
		return nil
	}
	positioned := !p.Stream.IsZero()
	for i := range p.Rows {
		h := &p.Rows[i]
		if err := h.Check(); err != nil {
			return err
		}
		if positioned != (h.Positions != nil) {
			return fmt.Errorf("%w: rows and stream disagree about positions", ErrInvalid)
		}
		for a := 0; positioned && a < len(h.Positions); {
			b := a
			for b+1 < len(h.Positions) && h.Positions[b+1] == h.Positions[b]+1 {
				b++
			}
			if err := claim(h.Positions[a], h.Positions[b]); err != nil {
				return err
			}
			a = b + 1
		}
	}
	changes := map[Position]bool{}
	for i := range p.Entries {
		if e := &p.Entries[i]; e.Target != 0 {
			changes[e.Position] = true
		}
	}
	for i := range p.Entries {
		e := &p.Entries[i]
		if err := e.Check(p.Kind); err != nil {
			return err
		}
		if changes[e.Target] {
			return fmt.Errorf("%w: position %d names the change at %d, not the record that both change", ErrInvalid, e.Position, e.Target)
		}
		if positioned {
			if err := claim(e.Position, e.Position); err != nil {
				return err
			}
			if e.Target >= e.Position {
				return fmt.Errorf("%w: position %d would change position %d", ErrInvalid, e.Position, e.Target)
			}
		} else if e.Position != 0 || e.Op != OpAdd {
			return fmt.Errorf("%w: a page without a stream can only add", ErrInvalid)
		}
	}
	for _, f := range p.Fates {
		if err := f.check(); err != nil {
			return err
		}
		if f.Fate == FateStored { // stored is what stands in the page; a bare claim would lose the record
			return fmt.Errorf("%w: positions %d to %d are called stored without their records", ErrInvalid, f.First, f.Last)
		}
		if !positioned {
			return fmt.Errorf("%w: fates without a stream", ErrInvalid)
		}
		if err := claim(f.First, f.Last); err != nil {
			return err
		}
	}
	slices.SortFunc(claims, func(a, b [2]Position) int { return cmp.Compare(a[0], b[0]) })
	for i := 1; i < len(claims); i++ {
		if claims[i][0] <= claims[i-1][1] {
			return fmt.Errorf("%w: positions from %d on stand twice in the page", ErrInvalid, claims[i][0])
		}
	}
	return nil
}
