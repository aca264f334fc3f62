package sqlite

import (
	"database/sql"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// acceptContents takes a page without positions into the journal that this node makes for its source. What
// was seen before is a repeat, and of equal records inside one page as many are kept as the page with most copies holds.
func (r *receiver) acceptContents() error {
	i := slices.IndexFunc(r.streams, func(s *stream) bool { return s.source == r.page.Source })
	if i >= 0 {
		r.stream = r.streams[i]
	} else {
		var err error
		ref := logdb.StreamID{Journal: r.s.cfg.NewJournalID(), Policy: "0"}
		if r.stream, err = r.makeStream(r.journals, ref, false, r.page.Source); err != nil {
			return err
		}
	}
	if err := r.loadSeries(r.stream); err != nil {
		return err
	}
	r.touchStream(r.stream)
	before := r.stream.end
	seen := newSeenValues(r)
	for b := range r.page.Rows {
		for i := range r.page.Rows[b].Len() {
			e := r.page.Rows[b].Entry(i)
			if err := r.takeRow(&e, seen); err != nil {
				return err
			}
		}
	}
	for i := range r.page.Entries {
		e := r.page.Entries[i]
		var err error
		if e.Row != nil {
			err = r.takeRow(&e, seen)
		} else {
			err = r.takeContent(&e)
		}
		if err != nil {
			return err
		}
	}
	if r.stream.end > before {
		if err := r.noteChain(r.stream); err != nil {
			return err
		}
	}
	if err := r.holdRowsOfSource(); err != nil {
		return err
	}
	return seen.save()
}

// follow gives an entry the next position of a journal that this node makes for a source.
func (s *stream) follow(e *logdb.Entry) {
	s.end++
	e.Position = s.end
	s.chain = e.Chain(s.chain)
}

// takeRow keeps the values of a row that are new: a historical record is (series, time, value).
func (r *receiver) takeRow(e *logdb.Entry, seen *seenValues) error {
	row := logdb.Row{}
	var all []valueKey
	for i, c := range e.Row.Channels {
		key := valueKey{e.Log, c, e.Time, math.Float64bits(e.Row.Values[i])}
		isNew, err := seen.isNew(key)
		if err != nil {
			return err
		}
		if isNew {
			all = append(all, key)
			row.Channels, row.Values = append(row.Channels, c), append(row.Values, e.Row.Values[i])
		}
	}
	if len(all) == 0 { // also a row without values: it says nothing that could be new
		r.receipt.Repeats++
		return nil
	}
	e.Row = &row
	r.stream.follow(e)
	if reason := r.pace(e.Log, limit.Mark{Position: e.Position, Run: e.Run, Generation: e.Generation, Time: e.Time}, row.Channels); reason != "" {
		r.skip(e.Position, e.Time, reason)
		for _, key := range all {
			seen.keep(key)
		}
		return nil
	}
	r.put(e.Position, logdb.FateRange{Fate: logdb.FateStored})
	r.entries = append(r.entries, *e)
	r.receipt.Stored++
	return nil
}

// holdRowsOfSource keeps the accepted rows, those that follow each other with the same channels as one page.
func (r *receiver) holdRowsOfSource() error {
	var h logdb.History
	flush := func() error {
		if h.Len() == 0 {
			return nil
		}
		if err := r.holdRows(r.stream, &h); err != nil {
			return err
		}
		return r.touchMarks(&h)
	}
	for i := range r.entries {
		e := &r.entries[i]
		if h.Len() == 0 || h.Log != e.Log || h.Run != e.Run || h.Generation != e.Generation || !slices.Equal(h.Channels, e.Row.Channels) {
			if err := flush(); err != nil {
				return err
			}
			h = logdb.History{Log: e.Log, Run: e.Run, Generation: e.Generation, Channels: e.Row.Channels, Columns: make([][]float64, len(e.Row.Channels))}
		}
		h.Times, h.Positions = append(h.Times, e.Time), append(h.Positions, e.Position)
		for c, v := range e.Row.Values {
			h.Columns[c] = append(h.Columns[c], v)
		}
	}
	return flush()
}

const (
	countSeen    = `SELECT count(*) FROM seen WHERE stream = ? AND digest = ?`
	insertSeen   = `INSERT INTO seen (stream, digest, n, position) VALUES (?, ?, ?, ?)`
	findStarts   = `SELECT ` + entryColumns + ` FROM entry e WHERE e.meter = ? AND e.kind = ? AND e.kind <> 1 AND e.time_ms = ? AND e.stream = ? AND e.op = 1 AND e.channel = ? AND e.code = ? ORDER BY e.position`
	findEnded    = `SELECT count(*) FROM ended WHERE stream = ? AND position = ?`
	insertEnded  = `INSERT INTO ended (stream, position) VALUES (?, ?)`
	countChanges = `SELECT count(*) FROM entry WHERE stream = ? AND target = ? AND target <> 0`
)

// takeContent keeps an event or a recording that was not seen before.
func (r *receiver) takeContent(e *logdb.Entry) error {
	digest := e.ContentDigest()
	if r.copies == nil {
		r.copies = map[logdb.Digest]int{}
	}
	r.copies[digest]++
	var n int
	if _, err := r.one([]any{&n}, countSeen, r.stream.id, digest[:]); err != nil {
		return fmt.Errorf("look for a content: %w", err)
	}
	if r.copies[digest] <= n {
		r.receipt.Repeats++
		return nil
	}
	note := func(p logdb.Position) error {
		if _, err := r.exec(insertSeen, r.stream.id, digest[:], n+1, p); err != nil {
			return fmt.Errorf("note a content: %w", err)
		}
		return r.ledger(r.stream, ledgerSeen, 0, 0, func(tally *logdb.Tally) { tally.AddBits(p, 0, seenBits(digest[:], n+1)) })
	}
	ended, err := r.endedAlready(e)
	if err != nil {
		return err
	}
	if ended != 0 {
		r.receipt.Repeats++
		return note(ended)
	}
	start, err := r.startOf(e)
	if err != nil {
		return err
	}
	if start != nil {
		e.Op, e.Target, e.Replaces = logdb.OpRevise, start.Position, start.ContentDigest()
	}
	r.stream.follow(e)
	if err := note(e.Position); err != nil {
		return err
	}
	if e.Op == logdb.OpAdd {
		reason, err := r.overLimit(e)
		if err != nil {
			return err
		}
		if reason != "" {
			r.skip(e.Position, e.Time, reason)
			return nil
		}
	}
	r.put(e.Position, logdb.FateRange{Fate: logdb.FateStored})
	before := len(r.entries)
	r.storeEntry(*e)
	// Kept at once: the next record of the page may be the end of this one.
	held := r.entries[before]
	r.entries = r.entries[:before]
	return r.hold(r.stream, &held)
}

// starts returns the adds of the source with the same kind, start, channel, type and limit id as e.
func (r *receiver) starts(e *logdb.Entry) ([]logdb.Entry, error) {
	var out []logdb.Entry
	channel, code := filterOf(e)
	err := r.each(func(rows *sql.Rows) error {
		var row entryRow
		if err := scanEntry(rows, &row); err != nil {
			return err
		}
		if err := row.decode(); err != nil {
			return err
		}
		if x := row.entry.Excursion; x != nil && row.entry.Log == e.Log && x.Type == e.Excursion.Type {
			out = append(out, row.entry)
		}
		return nil
	}, findStarts, r.stream.meter.id, r.stream.kind, e.Time, r.stream.id, channel, code)
	if err != nil {
		return nil, fmt.Errorf("look for the start of an event: %w", err)
	}
	return out, nil
}

// startOf returns the live open event that e ends, the oldest if there are several.
func (r *receiver) startOf(e *logdb.Entry) (*logdb.Entry, error) {
	if e.Excursion == nil || math.IsNaN(e.Excursion.DurationSeconds) {
		return nil, nil
	}
	starts, err := r.starts(e)
	if err != nil {
		return nil, err
	}
	for i := range starts {
		if !math.IsNaN(starts[i].Excursion.DurationSeconds) {
			continue
		}
		var n int
		if _, err := r.one([]any{&n}, countChanges, r.stream.id, starts[i].Position); err != nil {
			return nil, fmt.Errorf("look for the end of an event: %w", err)
		}
		if n == 0 {
			return &starts[i], nil
		}
	}
	return nil, nil
}

// endedAlready returns the position of the ended event that e is the late start of, 0 when there is none: an ended
// event takes the place of one start, whichever of the two is posted first.
func (r *receiver) endedAlready(e *logdb.Entry) (logdb.Position, error) {
	if e.Excursion == nil || !math.IsNaN(e.Excursion.DurationSeconds) {
		return 0, nil
	}
	starts, err := r.starts(e)
	if err != nil {
		return 0, err
	}
	for i := range starts {
		if math.IsNaN(starts[i].Excursion.DurationSeconds) {
			continue
		}
		var n int
		if _, err := r.one([]any{&n}, findEnded, r.stream.id, starts[i].Position); err != nil {
			return 0, fmt.Errorf("look for the start of an event: %w", err)
		}
		if n > 0 {
			continue
		}
		if _, err := r.exec(insertEnded, r.stream.id, starts[i].Position); err != nil {
			return 0, fmt.Errorf("note the start of an event: %w", err)
		}
		err = r.ledger(r.stream, ledgerEnded, 0, 0, func(tally *logdb.Tally) { tally.AddBits(starts[i].Position, 0, 0) })
		if err != nil {
			return 0, err
		}
		return starts[i].Position, nil
	}
	return 0, nil
}
