package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
)

const listStreams = `SELECT id, journal, policy, own, source, journal_end, chain, created_ms, ends FROM stream WHERE meter = (SELECT id FROM meter WHERE uid = ?) AND kind = ?`

// Streams implements logdb.Source.
func (s *Store) Streams(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error) {
	var out []logdb.StreamState
	err := s.snapshot(ctx, "list the streams of "+string(uid), func(c *conn) error {
		var ids []int64
		err := c.eachKept(func(rows sqldb.Row) error {
			var st logdb.StreamState
			var id int64
			var journal string
			var chain, ends []byte
			err := rows.Scan(&id, &journal, &st.Stream.Policy, &st.Own, &st.Source, &st.JournalEnd, &chain, &st.Created, &ends)
			if err != nil {
				return err
			}
			if err := st.Ends.UnmarshalBinary(ends); err != nil {
				return err
			}
			st.Stream.Journal = logdb.JournalID(journal)
			copy(st.Chain[:], chain)
			ids, out = append(ids, id), append(out, st)
			return nil
		}, listStreams, string(uid), kind)
		for i := 0; i < len(ids) && err == nil; i++ {
			out[i].Fates, err = c.fatesOf(ids[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b logdb.StreamState) int {
		if a.Own != b.Own {
			if a.Own {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Stream.String(), b.Stream.String())
	})
	return out, nil
}

const ownHead = `SELECT s.id, s.journal, s.journal_end, s.chain FROM stream s JOIN meter m ON m.id = s.meter WHERE m.uid = ? AND s.kind = ? AND s.own = 1`

// ownJournal returns the own journal and the number of its stream; ErrNotFound.
func (c *conn) ownJournal(uid logdb.MeterUID, kind logdb.Kind) (head logdb.JournalHead, id int64, err error) {
	var journal string
	var chain []byte
	ok, err := c.one([]any{&id, &journal, &head.End, &chain}, ownHead, string(uid), kind)
	if err == nil && !ok {
		err = logdb.ErrNotFound
	}
	head.ID = logdb.JournalID(journal)
	copy(head.Chain[:], chain)
	return head, id, err
}

// Journal implements logdb.Store.
func (s *Store) Journal(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) (head logdb.JournalHead, err error) {
	err = s.snapshot(ctx, fmt.Sprintf("read the %s journal of %s", kind, uid), func(c *conn) error {
		head, _, err = c.ownJournal(uid, kind)
		return err
	})
	return head, err
}

const readBatch = `SELECT chain FROM batch WHERE stream = ? AND last = ?`

// ChainAt implements logdb.Store.
func (s *Store) ChainAt(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, p logdb.Position) (chain logdb.Digest, err error) {
	err = s.snapshot(ctx, fmt.Sprintf("read the chain of %s at %d", uid, p), func(c *conn) error {
		_, id, err := c.ownJournal(uid, kind)
		if err != nil {
			return err
		}
		chain, err = c.chainAt(id, p)
		return err
	})
	return chain, err
}

// chainAt returns the chain at the end of a batch or page with which a journal that this node writes has grown; ErrNotFound.
func (c *conn) chainAt(stream int64, p logdb.Position) (chain logdb.Digest, err error) {
	var data []byte
	ok, err := c.one([]any{&data}, readBatch, stream, p)
	if err == nil && !ok {
		err = logdb.ErrNotFound
	}
	copy(chain[:], data)
	return chain, err
}

const sourceStream = `SELECT s.id FROM stream s JOIN meter m ON m.id = s.meter WHERE m.uid = ? AND s.kind = ? AND s.journal = ? AND s.source <> ''`

// SourceChainAt implements logdb.Store.
func (s *Store) SourceChainAt(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, p logdb.Position) (chain logdb.Digest, err error) {
	err = s.snapshot(ctx, fmt.Sprintf("read the chain of journal %s of %s at %d", journal, uid, p), func(c *conn) error {
		var id int64
		ok, err := c.one([]any{&id}, sourceStream, string(uid), kind, string(journal))
		if err != nil || !ok {
			return cmp.Or(err, logdb.ErrNotFound)
		}
		chain, err = c.chainAt(id, p)
		return err
	})
	return chain, err
}

const renameStream = `UPDATE stream SET journal = ?, policy = '0' WHERE id = ?`

// RenewJournal implements logdb.Store.
func (s *Store) RenewJournal(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) (head logdb.JournalHead, err error) {
	return s.renew(ctx, fmt.Sprintf("renew the %s journal of %s", kind, uid), uid, kind, (*journals).own)
}

// RenewSource implements logdb.Store.
func (s *Store) RenewSource(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID) (head logdb.JournalHead, err error) {
	return s.renew(ctx, fmt.Sprintf("renew journal %s of %s", journal, uid), uid, kind, func(j *journals) *stream {
		i := slices.IndexFunc(j.streams, func(o *stream) bool { return o.source != "" && o.ref.Journal == journal })
		if i < 0 {
			return nil
		}
		return j.streams[i]
	})
}

// renew gives the journal that which finds another id.
func (s *Store) renew(ctx context.Context, what string, uid logdb.MeterUID, kind logdb.Kind, which func(*journals) *stream) (head logdb.JournalHead, err error) {
	err = s.write(ctx, what, func(t *txn) error {
		j, err := t.journalsOf(uid, kind, false)
		if err != nil {
			return err
		}
		st := which(j)
		if st == nil {
			return logdb.ErrNotFound
		}
		id := s.cfg.NewJournalID()
		if _, err := t.exec(renameStream, string(id), st.id); err != nil {
			return err
		}
		st.ref = logdb.StreamID{Journal: id, Policy: "0"}
		head = logdb.JournalHead{ID: id, End: st.end, Chain: st.chain}
		return nil
	})
	return head, err
}

// ReadStream implements logdb.Source.
func (s *Store) ReadStream(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, ref logdb.StreamID, first logdb.Position, most int) (logdb.Page, error) {
	page := logdb.Page{Meter: uid, Kind: kind, Stream: ref}
	err := s.snapshot(ctx, fmt.Sprintf("read stream %s of %s from %d", ref, uid, first), func(c *conn) error {
		meter, id, err := c.streamID(uid, kind, ref)
		if err != nil {
			return err
		}
		r := streamReader{conn: c, meter: meter, id: id, page: &page, left: most}
		if err := r.open(); err != nil {
			return err
		}
		if err := r.read(max(first, 1)); err != nil {
			return err
		}
		return r.markRequested()
	})
	if err != nil {
		return logdb.Page{}, err
	}
	return page, nil
}

// streamReader puts a page of a stream together.
type streamReader struct {
	*conn
	meter   int64
	id      int64
	cut     []int64 // the streams whose changes concern this one's rows
	revised bool    // any of them holds changes
	page    *logdb.Page
	left    int
}

const (
	readStreamRow = `SELECT journal_end, chain FROM stream WHERE id = ?`
	listCut       = `SELECT id, journal, policy, revised FROM stream WHERE meter = ? AND kind = ? AND journal = ?`
)

func (r *streamReader) open() error {
	var chain []byte
	if _, err := r.one([]any{&r.page.JournalEnd, &chain}, readStreamRow, r.id); err != nil {
		return err
	}
	copy(r.page.Chain[:], chain)
	return r.each(func(rows *sql.Rows) error {
		var id int64
		var journal string
		var ref logdb.StreamID
		var revised bool
		if err := rows.Scan(&id, &journal, &ref.Policy, &revised); err != nil {
			return err
		}
		ref.Journal = logdb.JournalID(journal)
		if ref == r.page.Stream || ref.SameCut(r.page.Stream) {
			r.cut = append(r.cut, id)
			r.revised = r.revised || revised
		}
		return nil
	}, listCut, r.meter, r.page.Kind, string(r.page.Stream.Journal))
}

// markRequested marks a page with a change that is held although its target is not, so that whoever takes a replay
// of the page holds it too.
func (r *streamReader) markRequested() error {
	for i := range r.page.Entries {
		target := r.page.Entries[i].Target
		if target == 0 || r.page.Requested {
			continue
		}
		// A replay may bring this stream before or after those that share its cut.
		stored, decided, here := false, false, false
		for _, id := range r.cut {
			f, known, err := r.fateAt(id, target)
			if err != nil {
				return err
			}
			decided = decided || known
			stored = stored || known && f.Fate == logdb.FateStored
			here = here || id == r.id && known && f.Fate != logdb.FateStored
		}
		r.page.Requested = here || decided && !stored
	}
	return nil
}

// read fills the page. Stored positions whose data were cleared are not there, so it looks further ahead each
// time that it found too little.
func (r *streamReader) read(first logdb.Position) error {
	var decided logdb.FateSet
	ahead := r.left
	for r.left > 0 {
		part, next, err := r.window(first, ahead)
		if err != nil {
			return err
		}
		if len(part) == 0 {
			break
		}
		if err := r.add(part, &decided); err != nil {
			return err
		}
		first = next
		ahead = min(2*ahead, 1<<20)
	}
	r.page.Fates = slices.Clone(decided.Ranges())
	return nil
}

// add adds the ranges in the order of their positions and what is held of the stored ones, up to what is left. What is held
// is read for all of them at once: where rows are combined on their way each stored range is a single position.
func (r *streamReader) add(part []logdb.FateRange, decided *logdb.FateSet) error {
	var all held
	var first, last logdb.Position
	for _, f := range part {
		if f.Fate == logdb.FateStored {
			if last == 0 {
				first = f.First
			}
			last = f.Last
		}
	}
	if last > 0 {
		var err error
		if all, err = r.held(first, last); err != nil {
			return err
		}
	}
	last = 0
	left := all.positions
	for _, f := range part {
		if r.left <= 0 {
			break
		}
		if f.Fate != logdb.FateStored {
			decided.Put(f)
			r.left--
			continue
		}
		n, _ := slices.BinarySearch(left, f.Last+1)
		n = min(n, r.left)
		if n > 0 {
			last = left[n-1]
		}
		left = left[n:]
		r.left -= n
	}
	if last == 0 {
		return nil
	}
	if err := r.entries(first, last); err != nil {
		return err
	}
	r.addRows(all.tables, last)
	return nil
}

// window returns the next decided ranges, n stored positions and other ranges together, and where the one after them begins.
func (r *streamReader) window(first logdb.Position, n int) (out []logdb.FateRange, next logdb.Position, err error) {
	next = first
	err = r.fatesFrom(r.id, first, func(part *logdb.FateSet) error {
		for _, f := range part.Ranges() {
			if f.Last < first {
				continue
			}
			if n <= 0 {
				return errEnough
			}
			f.First = max(f.First, first)
			if f.Fate == logdb.FateStored {
				f.Last = min(f.Last, f.First+logdb.Position(n)-1)
				n -= f.Count()
			} else {
				n--
			}
			out = append(out, f)
			next = f.Last + 1
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return out, next, err
}

const (
	heldEntries = ` FROM entry e WHERE e.stream = ? AND e.position BETWEEN ? AND ?
	AND NOT EXISTS (SELECT 1 FROM cold k WHERE k.entry = e.id AND k.file IS NULL) ORDER BY e.position`
	readEntries   = `SELECT ` + entryColumns + heldEntries
	listHeld      = `SELECT e.position` + heldEntries
	listPositions = `SELECT position FROM entry WHERE stream = ? AND position BETWEEN ? AND ?`
)

// held is what is held of a range: the positions in their order, and the rows of historical data.
type held struct {
	positions []logdb.Position
	tables    []*table
}

func (r *streamReader) held(first, last logdb.Position) (all held, err error) {
	note := func(to func(logdb.Position)) func(*sql.Rows) error {
		return func(rows *sql.Rows) error {
			var p logdb.Position
			err := rows.Scan(&p)
			to(p)
			return err
		}
	}
	if r.page.Kind != logdb.KindHistorical {
		err := r.each(note(func(p logdb.Position) { all.positions = append(all.positions, p) }), listHeld, r.id, first, last)
		return all, err
	}
	// A row is the add itself only if no entry stands at its position and none changed it.
	changed := map[logdb.Position]bool{}
	change := note(func(p logdb.Position) { changed[p] = true })
	if err := r.each(change, listPositions, r.id, first, last); err != nil {
		return all, err
	}
	all.positions = slices.Collect(maps.Keys(changed))
	for _, id := range r.cut {
		if !r.revised {
			break
		}
		if err := r.each(change, findTargets, id, first, last); err != nil {
			return all, err
		}
	}
	all.tables, err = r.tables(r.id, positions{first, last, func(p logdb.Position) bool { return !changed[p] }, true})
	if err != nil {
		return all, err
	}
	for _, t := range all.tables {
		for _, row := range t.rows {
			all.positions = append(all.positions, row.position)
		}
	}
	slices.Sort(all.positions)
	return all, nil
}

// addRows adds the rows up to last as blocks of one log, run and generation each.
func (r *streamReader) addRows(tables []*table, last logdb.Position) {
	for _, t := range tables {
		for i := 0; i < len(t.rows) && t.rows[i].position <= last; {
			j := i + 1
			for j < len(t.rows) && t.rows[j].position <= last && t.rows[j].run == t.rows[i].run && t.rows[j].generation == t.rows[i].generation {
				j++
			}
			h := t.history(i, j)
			if len(h.Channels) > 0 {
				r.page.AddRows(&h)
			} else {
				// Rows without any value have no columns, and a block must have one.
				for k := i; k < j; k++ {
					r.page.Entries = append(r.page.Entries, t.entry(k))
				}
			}
			i = j
		}
	}
}

// entries adds the entries that have a row of their own.
func (r *streamReader) entries(first, last logdb.Position) error {
	var found []entryRow
	err := r.each(func(rows *sql.Rows) error {
		var e entryRow
		if err := scanEntry(rows, &e); err != nil {
			return err
		}
		found = append(found, e)
		return nil
	}, readEntries, r.id, first, last)
	if err != nil {
		return err
	}
	for i := range found {
		if err := found[i].decode(); err != nil {
			return err
		}
		if err := r.samples(&found[i]); err != nil {
			return err
		}
		r.page.Entries = append(r.page.Entries, found[i].entry)
	}
	return nil
}
