package sqlite

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// version is one add, revise or withdraw of a record.
type version struct {
	stream *stream
	row    entryRow
}

// original returns the position of the add that e is a version of.
func original(e *logdb.Entry) logdb.Position {
	if e.Target != 0 {
		return e.Target
	}
	return e.Position
}

const (
	readAdd      = `SELECT ` + entryColumns + ` FROM entry e WHERE e.stream = ? AND e.position = ? AND e.op = 1`
	readVersions = `SELECT ` + entryColumns + ` FROM entry e WHERE e.stream = ? AND e.target = ? AND e.target <> 0`
)

// versions returns the versions of the record p of a cut that have a row of their own, by position.
func (t *txn) versions(cut []*stream, p logdb.Position) ([]version, error) {
	var out []version
	for _, s := range cut {
		take := func(rows *sql.Rows) error {
			v := version{stream: s}
			if err := scanEntry(rows, &v.row); err != nil {
				return err
			}
			out = append(out, v)
			return v.row.decode()
		}
		err := t.each(take, readAdd, s.id, p)
		if err == nil && s.revised {
			err = t.each(take, readVersions, s.id, p)
		}
		if err != nil {
			return nil, fmt.Errorf("read the versions of position %d: %w", p, err)
		}
	}
	for i := range out {
		if err := out[i].row.decode(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b version) int { return cmp.Compare(a.row.entry.Position, b.row.entry.Position) })
	return out, nil
}

// state is where a record counts and with what.
type state struct {
	stream *stream      // of the add, of the newest version while that is not here; nil when there is none
	newest *version     // nil when there is none
	entry  *logdb.Entry // the live version, nil when withdrawn
}

func stateOf(versions []version) state {
	if len(versions) == 0 {
		return state{}
	}
	newest := &versions[len(versions)-1]
	out := state{stream: newest.stream, newest: newest}
	for i := range versions {
		if versions[i].row.entry.Op == logdb.OpAdd {
			out.stream = versions[i].stream
		}
	}
	if newest.row.entry.Op != logdb.OpWithdraw {
		out.entry = &newest.row.entry
	}
	return out
}

const (
	isChange  = `SELECT 1 FROM entry WHERE stream = ? AND position = ? AND target <> 0`
	isChanged = `SELECT 1 FROM entry WHERE stream = ? AND target = ? AND target <> 0 LIMIT 1`
)

// checkChanges reports a change that names another change instead of the record that both change:
// it would stand beside it as a second record.
func (t *txn) checkChanges(cut []*stream, entries []logdb.Entry) error {
	for _, s := range cut {
		if !s.revised {
			continue
		}
		for i := range entries {
			e := &entries[i]
			if e.Target == 0 {
				continue
			}
			var one int
			if found, err := t.one([]any{&one}, isChange, s.id, e.Target); err != nil {
				return fmt.Errorf("look at position %d: %w", e.Target, err)
			} else if found {
				return fmt.Errorf("%w: position %d changes position %d, which is a change itself", logdb.ErrConflict, e.Position, e.Target)
			}
			if e.Position == 0 {
				continue
			}
			if found, err := t.one([]any{&one}, isChanged, s.id, e.Position); err != nil {
				return fmt.Errorf("look for changes of position %d: %w", e.Position, err)
			} else if found {
				return fmt.Errorf("%w: position %d is a change, and was changed itself", logdb.ErrConflict, e.Position)
			}
		}
	}
	return nil
}

// holdVersion keeps a historical revise or withdraw, or an add that was superseded before it came, and
// makes the version with the highest position the live one.
func (t *txn) holdVersion(s *stream, e *logdb.Entry) error {
	p := original(e)
	cut := s.cut()
	versions, err := t.versions(cut, p)
	if err != nil {
		return err
	}
	before := stateOf(versions)
	if late, err := t.comesTooLate(cut, versions, p); err != nil {
		return err
	} else if late != nil {
		return t.holdUnapplied(s, e, late)
	}
	if before.newest == nil {
		// The add may be live among the rows: from now on it needs an entry of its own.
		for _, o := range cut {
			add, err := t.liveRow(o, p)
			if err != nil {
				return err
			}
			if add == nil {
				continue
			}
			if _, err := t.insertEntry(o, add, o.id, false); err != nil {
				return err
			}
			if err := t.keepSuperseded(o, add); err != nil {
				return err
			}
			before = state{stream: o, entry: add}
			versions = append(versions, version{stream: o, row: entryRow{entry: *add}})
			break
		}
	}
	if _, err := t.insertEntry(s, e, s.id, false); err != nil {
		return err
	}
	// A copy, since before points into versions, which sorting would move under it.
	versions = append(slices.Clone(versions), version{stream: s, row: entryRow{entry: *e}})
	slices.SortFunc(versions, func(a, b version) int { return cmp.Compare(a.row.entry.Position, b.row.entry.Position) })
	after := stateOf(versions)
	if before.stream == after.stream && before.entry != nil && after.entry != nil && before.entry.Position == after.entry.Position {
		return nil
	}
	if before.entry != nil {
		if err := t.conceal(before.stream, before.entry, p); err != nil {
			return err
		}
	}
	if after.entry != nil {
		return t.reveal(after.stream, after.entry, p)
	}
	return nil
}

// rowKey names a row of a stream.
type rowKey struct {
	stream   int64
	position logdb.Position
}

// expect finds the live rows at some positions at once, before holdVersion asks for them one by one.
func (t *txn) expect(s *stream, targets []logdb.Position) error {
	t.rows = map[rowKey]*logdb.Entry{}
	if len(targets) == 0 {
		return nil
	}
	wanted := map[logdb.Position]bool{}
	for _, p := range targets {
		wanted[p] = true
	}
	for _, o := range s.cut() {
		for _, p := range targets {
			t.rows[rowKey{o.id, p}] = nil
		}
		found, err := t.tables(o.id, positions{first: slices.Min(targets), last: slices.Max(targets), want: func(p logdb.Position) bool { return wanted[p] }})
		if err != nil {
			return err
		}
		for _, table := range found {
			for i, r := range table.rows {
				e := table.entry(i)
				t.rows[rowKey{o.id, r.position}] = &e
				t.noteGone(o.id, r)
			}
		}
	}
	return nil
}

// liveRow returns the live row of a stream at position p, nil when there is none.
func (t *txn) liveRow(s *stream, p logdb.Position) (*logdb.Entry, error) {
	if e, ok := t.rows[rowKey{s.id, p}]; ok {
		return e, nil
	}
	found, err := t.tables(s.id, positions{first: p, last: p})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	e := found[0].entry(0)
	t.noteGone(s.id, found[0].rows[0])
	return &e, nil
}

// noteGone remembers that the values of a row that was found are gone.
func (t *txn) noteGone(stream int64, r tableRow) {
	if r.gone {
		if t.gone == nil {
			t.gone = map[rowKey]bool{}
		}
		t.gone[rowKey{stream, r.position}] = true
	}
}

const (
	readPatch = `SELECT hide_ms, show_ms FROM patch WHERE stream = ? AND log = ? AND position = ?`
	writeHide = `INSERT INTO patch (stream, log, position, hide_ms, run, generation) VALUES (?, ?, ?, ?, 0, 0) ON CONFLICT (stream, log, position) DO UPDATE SET hide_ms = excluded.hide_ms`
	writeShow = `INSERT INTO patch (stream, log, position, show_ms, run, generation, data) VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (stream, log, position) DO UPDATE SET show_ms = excluded.show_ms, run = excluded.run, generation = excluded.generation, data = excluded.data`
	withoutShow = `UPDATE patch SET show_ms = NULL, data = NULL WHERE stream = ? AND log = ? AND position = ?`
	dropPatch   = `DELETE FROM patch WHERE stream = ? AND log = ? AND position = ?`
)

// conceal takes the row that is live at position p out of a stream.
func (t *txn) conceal(s *stream, e *logdb.Entry, p logdb.Position) error {
	var hide, show sql.Null[logdb.Millis]
	if _, err := t.one([]any{&hide, &show}, readPatch, s.id, e.Log, p); err != nil {
		return fmt.Errorf("look for a change of row %d: %w", p, err)
	}
	var err error
	switch {
	case show.Valid && hide.Valid:
		_, err = t.exec(withoutShow, s.id, e.Log, p)
	case show.Valid:
		_, err = t.exec(dropPatch, s.id, e.Log, p)
	default:
		_, err = t.exec(writeHide, s.id, e.Log, p, e.Time)
	}
	if err != nil {
		return fmt.Errorf("hide row %d: %w", p, err)
	}
	marks, err := t.seriesOf(s, e.Log, "")
	if err != nil {
		return err
	}
	marks.n--
	t.touchSeries(marks)
	if err := t.claimMark(s, e.Log, tableRow{time: e.Time, position: p, run: e.Run, generation: e.Generation}, -1); err != nil {
		return err
	}
	for i, key := range e.Row.Channels {
		r, err := t.seriesOf(s, e.Log, key)
		if err != nil {
			return err
		}
		tally, err := t.tally(s, e.Log, r.key.channel, e.Time)
		if err != nil {
			return err
		}
		tally.RemoveValue(p, e.Time, e.Row.Values[i])
		r.uncount(p, e.Time)
		t.touchSeries(r)
	}
	return nil
}

// reveal makes e the live row at position p of a stream.
func (t *txn) reveal(s *stream, e *logdb.Entry, p logdb.Position) error {
	_, err := t.exec(writeShow, s.id, e.Log, p, e.Time, e.Run, e.Generation, appendRow(nil, e.Row))
	if err != nil {
		return fmt.Errorf("show row %d: %w", p, err)
	}
	marks, err := t.seriesOf(s, e.Log, "")
	if err != nil {
		return err
	}
	marks.n++
	t.touchSeries(marks)
	if err := t.claimMark(s, e.Log, tableRow{time: e.Time, position: p, run: e.Run, generation: e.Generation}, 1); err != nil {
		return err
	}
	for i, key := range e.Row.Channels {
		r, err := t.seriesOf(s, e.Log, key)
		if err != nil {
			return err
		}
		tally, err := t.tally(s, e.Log, r.key.channel, e.Time)
		if err != nil {
			return err
		}
		tally.AddValue(p, e.Time, e.Row.Values[i])
		r.count(p, e.Time, e.Row.Values[i])
		t.touchSeries(r)
	}
	return nil
}
