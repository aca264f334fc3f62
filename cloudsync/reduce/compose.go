package reduce

import (
	"context"
	"errors"
	"fmt"

	"metermanager/logdb"
)

// LateReason is the reason given with the revise that a late row makes.
const LateReason = "late row in a closed interval"

// Composer makes the pages that carry decided positions. What a position carries depends
// on the journal up to that position only, so every attempt sends the same.
type Composer struct {
	meter   logdb.MeterUID
	kind    logdb.Kind
	cut     *Cut
	journal Journal
	max     int
	has     func(logdb.Position) bool
	skipped func(logdb.StreamID, logdb.Position) bool
	sent    map[logdb.Position]bool // rows that this composer put into pages
}

// PageBytes is how large a page is by default.
const PageBytes = 768 << 10

// Config of a Composer. The zero value works.
type Config struct {
	// PageBytes bounds a page by an estimate of its JSON text; default 768 KiB, which is at most
	// 384 KiB once compressed (digits at random take 3.3 bits of 8). A recording may be larger.
	PageBytes int
	// Has reports whether the receiver holds the record that travels at a position; nil: as if it did. Of a record that was cleared here
	// before the receiver had it, changes are not sent either.
	Has func(logdb.Position) bool
	// Skipped reports whether the receiver's limits skipped a position of a stream; nil: none. Of a row that came there by another way, as it is,
	// the receiver is told with its sum that it is in that. With a sum that is sent on request it is told so of all its rows.
	Skipped func(logdb.StreamID, logdb.Position) bool
}

// NewComposer makes pages for the meter named as the receiver names it.
func NewComposer(meter logdb.MeterUID, kind logdb.Kind, cut *Cut, journal Journal, cfg Config) *Composer {
	if cfg.PageBytes <= 0 {
		cfg.PageBytes = PageBytes
	}
	return &Composer{meter: meter, kind: kind, cut: cut, journal: journal, max: cfg.PageBytes, has: cfg.Has, skipped: cfg.Skipped, sent: map[logdb.Position]bool{}}
}

// Pages makes pages of those positions in ranges that stream decided and hands each to send, whose
// error ends it. So does that of may, which is asked before a page is begun: what may not be sent is not composed.
// The caller states journal end and chain.
func (c *Composer) Pages(ctx context.Context, stream *Stream, ranges [][2]logdb.Position, may func() error, send func(*logdb.Page) error) error {
	b := c.newBuilder(stream)
	flush := func() error {
		if b.size == 0 {
			return nil
		}
		page := b.page
		b = c.newBuilder(stream)
		return send(page)
	}
	for _, r := range ranges {
		for p := r[0]; p <= r[1]; {
			f, ok := stream.Fates.At(p)
			if !ok {
				p++
				continue
			}
			if b.size == 0 {
				if err := may(); err != nil {
					return err
				}
			}
			next := p + 1
			if wire := Wire(f); wire.Fate == logdb.FateStored {
				if err := c.carry(ctx, b, p, f); err != nil {
					return err
				}
			} else {
				wire.First, wire.Last = p, min(f.Last, r[1])
				b.fate(wire)
				next = wire.Last + 1
			}
			p = next
			if b.size >= c.max {
				if err := flush(); err != nil {
					return err
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// carry adds the record or change at p to the page.
func (c *Composer) carry(ctx context.Context, b *builder, p logdb.Position, f logdb.FateRange) error {
	e, err := c.journal.Entry(ctx, p)
	if errors.Is(err, logdb.ErrNotFound) { // cleared here before it was sent
		b.fate(logdb.FateRange{First: p, Last: p, Fate: logdb.FateNotChosen})
		return nil
	}
	if err != nil {
		return fmt.Errorf("read position %d: %w", p, err)
	}
	late, change := f.Fate == logdb.FateReduced, e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw
	target := e.Target
	if change && !late && c.kind == logdb.KindHistorical {
		at, ok, err := c.cut.Carrier(ctx, c.journal, target)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: position %d changes position %d, which does not travel", logdb.ErrConflict, p, target)
		}
		target = at
	}
	switch {
	case late:
		return c.revise(ctx, b, p, f.Into, logdb.Entry{Why: LateReason, At: e.At, By: e.By})
	case c.kind == logdb.KindHistorical && (e.Op == logdb.OpAdd || change && target == p):
		row, live, gone, err := c.content(ctx, p, p)
		if err != nil {
			return err
		}
		if gone == lacks { // a combination of some of its rows would pass for that of all
			b.fate(logdb.FateRange{First: p, Last: p, Fate: logdb.FateNotChosen})
			return nil
		}
		if !live {
			return fmt.Errorf("%w: nothing is left of position %d", logdb.ErrConflict, p)
		}
		c.parts(b, p)
		b.row(row)
		c.sent[p] = true
	case e.Op == logdb.OpAdd:
		b.entry(c.shorten(p, e))
	case change:
		return c.revise(ctx, b, p, target, e)
	default:
		b.entry(e)
	}
	return nil
}

// parts tells, on the page of the sum at p, of those of its rows that the receiver skipped one by one: they would count twice when they are fetched. A sum
// that is sent on request comes without its rows, of which the receiver may get one meanwhile: it must see then that they belong together.
func (c *Composer) parts(b *builder, p logdb.Position) {
	if c.skipped == nil && !b.page.Requested {
		return
	}
	for _, q := range c.cut.members(p, p) {
		f, s, _ := c.cut.At(q)
		if q >= p || s.ID != b.page.Stream || !b.page.Requested && !c.skipped(s.ID, q) {
			continue
		}
		f.First, f.Last = q, q
		if n := len(b.page.Fates) - 1; n >= 0 && b.page.Fates[n].Last == q-1 && b.page.Fates[n].Fate == f.Fate && b.page.Fates[n].Into == f.Into {
			b.page.Fates[n].Last, b.page.Fates[n].LastTime = q, max(b.page.Fates[n].LastTime, f.LastTime)
			continue
		}
		b.fate(f)
	}
}

// revise adds the change at p of the record that travels at target. why says who, when and why. When part of what the record is made of
// was cleared here, the change cannot be told: the receiver keeps what it has, which is more than what is left here.
func (c *Composer) revise(ctx context.Context, b *builder, p, target logdb.Position, why logdb.Entry) error {
	now, live, gone, err := c.content(ctx, target, p)
	if err != nil {
		return err
	}
	if gone == lacks || gone == told && c.has != nil && !c.sent[target] && !c.has(target) {
		b.fate(logdb.FateRange{First: p, Last: p, Fate: logdb.FateNotChosen})
		return nil
	}
	before, existed, _, err := c.content(ctx, target, p-1)
	if err != nil {
		return err
	}
	e := now
	e.Op, e.Position, e.Target = logdb.OpRevise, p, target
	if !live {
		e.Op, e.Row, e.System, e.Excursion, e.Waveform = logdb.OpWithdraw, nil, nil, nil, nil
	}
	e.Replaces = why.Replaces
	if existed {
		e.Replaces = before.ContentDigest()
		if !live {
			e.Log, e.Run, e.Generation, e.Time = before.Log, before.Run, before.Generation, before.Time
		}
	}
	e.By, e.At, e.Why = why.By, why.At, why.Why
	b.entry(e)
	return nil
}

// builder collects one page.
type builder struct {
	page *logdb.Page
	size int
}

func (c *Composer) newBuilder(s *Stream) *builder {
	return &builder{page: &logdb.Page{Meter: c.meter, Kind: c.kind, Stream: s.ID}}
}

func (b *builder) fate(r logdb.FateRange) {
	b.page.AddFates(r)
	b.size += 64
}

func (b *builder) row(e logdb.Entry) {
	if len(e.Row.Channels) == 0 { // a block has a channel at least
		b.entry(e)
		return
	}
	h := logdb.History{
		Log: e.Log, Run: e.Run, Generation: e.Generation, Channels: e.Row.Channels, Columns: make([][]float64, len(e.Row.Values)),
		Times: []logdb.Millis{e.Time}, Positions: []logdb.Position{e.Position},
	}
	for c := range h.Columns {
		h.Columns[c] = e.Row.Values[c : c+1]
	}
	b.page.AddRows(&h)
	b.size += 24 + 20*len(e.Row.Channels)
}

func (b *builder) entry(e logdb.Entry) {
	b.page.Entries = append(b.page.Entries, e)
	b.size += 200
	switch {
	case e.Row != nil:
		b.size += 60 * len(e.Row.Channels)
	case e.Waveform != nil:
		for _, ch := range e.Waveform.Channels {
			b.size += 20 * len(ch.Samples)
		}
		b.size += 24 * len(e.Waveform.Digital)
	}
}
