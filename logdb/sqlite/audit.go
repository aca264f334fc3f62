package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

var _ logdb.Auditor = (*Store)(nil)

// auditor looks at everything that is held of a stream and names what is not as it was written.
type auditor struct {
	*digester
	ref       logdb.StreamID
	own       bool
	end       logdb.Position
	chain     []byte
	witnessed bool
	fateSum   logdb.FateTally
	fates     logdb.FateSet
	found     logdb.Audit
	rows      map[digestKey][]logdb.Point     // of the days that are in bad, and of all marks
	marksAt   map[logdb.Position]logdb.Millis // live rows
	standing  map[logdb.Position]bool         // positions with an entry of their own
	changed   map[logdb.Position]bool         // positions of the cut that were changed
	named     map[digestKey]bool              // days of which a record is named already
}

// Audit implements logdb.Auditor. The zero stream stands for what belongs to no stream.
func (s *Store) Audit(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, ref logdb.StreamID) (logdb.Audit, error) {
	a := auditor{
		ref: ref, rows: map[digestKey][]logdb.Point{}, marksAt: map[logdb.Position]logdb.Millis{}, standing: map[logdb.Position]bool{},
		named: map[digestKey]bool{}, changed: map[logdb.Position]bool{},
	}
	err := s.snapshot(ctx, fmt.Sprintf("audit stream %s of %s", ref, uid), func(c *conn) error {
		if ref.IsZero() {
			return a.strays(c, uid, kind)
		}
		var err error
		if a.digester, err = s.newDigester(c, uid, kind, ref); err != nil {
			return err
		}
		return a.run()
	})
	if err != nil {
		return logdb.Audit{}, err
	}
	if a.digester != nil {
		a.found.Days = a.answer()
	}
	return a.found, nil
}

const readStreamState = `SELECT own, journal_end, chain, witnessed, fates_a, fates_b FROM stream WHERE id = ?`

func (a *auditor) run() error {
	var fa, fb int64
	if _, err := a.one([]any{&a.own, &a.end, &a.chain, &a.witnessed, &fa, &fb}, readStreamState, a.id); err != nil {
		return err
	}
	a.fateSum = logdb.FateTally{A: uint64(fa), B: uint64(fb)}
	steps := []func() error{a.count, a.readFates, a.entries}
	if a.kind == logdb.KindHistorical {
		steps = append(steps, a.marksOf, a.indexes, a.values, a.tier, a.ranges)
	}
	for _, step := range append(steps, a.auditFates, a.ledgers, a.unnamed) {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditor) add(f logdb.Finding) { a.found.Add(f) }

func number(bits uint64) string { return strconv.FormatFloat(math.Float64frombits(bits), 'g', -1, 64) }

// everyPosition visits the positions that a lost record of the stream may have had: likely ones first.
func (a *auditor) everyPosition(likely []logdb.Point) func(yield func(logdb.Position) bool) {
	const most = 5_000_000 // seconds, not minutes
	return func(yield func(logdb.Position) bool) {
		for _, p := range likely {
			if !yield(p.Position) {
				return
			}
		}
		n := 0
		all := a.fates.Ranges()
		if a.own {
			all = []logdb.FateRange{{First: 1, Last: a.end, Fate: logdb.FateStored}}
		}
		for _, r := range all {
			for p := r.First; p <= r.Last && r.Fate == logdb.FateStored; p++ {
				if n++; n > most || !yield(p) {
					return
				}
			}
		}
	}
}

// marksOf looks at the rows of all logs, values or not.
func (a *auditor) marksOf() error {
	logs := map[logdb.LogNo]int64{}
	err := a.each(func(rows *sql.Rows) error {
		var id int64
		var log logdb.LogNo
		err := rows.Scan(&id, &log)
		logs[log] = id
		return err
	}, logsOfStream, a.id)
	if err != nil {
		return err
	}
	data := map[digestKey]*logdb.Tally{}
	for log, id := range logs {
		take := func(c *column, i int) {
			k := digestKey{log, marksChannel, c.Times[i].Day()}
			p := logdb.Point{Position: c.Positions[i], Time: c.Times[i], Bits: markBits(c.runs[i], c.generations[i])}
			if data[k] == nil {
				data[k] = new(logdb.Tally)
			}
			data[k].AddBits(p.Position, p.Time, p.Bits)
			a.rows[k] = append(a.rows[k], p)
			a.marksAt[p.Position] = p.Time
		}
		if err := a.eachMark(log, id, take); err != nil {
			return err
		}
		if err := a.archivedMarks(log, id); err != nil {
			return err
		}
	}
	if !a.witnessed {
		return nil
	}
	for k := range a.marks {
		if data[k] == nil {
			data[k] = new(logdb.Tally)
		}
	}
	return a.nameAll(data, a.marks, logdb.PlaceRow)
}

// eachMark visits the live rows of a log; those that cannot be read are not there.
func (a *auditor) eachMark(log logdb.LogNo, id int64, take func(c *column, i int)) error {
	row := seriesRow{id: id, stream: a.id, log: log}
	view, err := a.viewOrSoundPart(&row)
	if err != nil {
		return err
	}
	fresh := view.freshMarks()
	for i := range fresh.Times {
		take(&fresh, i)
	}
	list, err := a.chunksOf(&row, everything)
	if err != nil {
		return err
	}
	m := seriesMerger{compactor: &compactor{txn: &txn{conn: a.conn}, view: view}, row: &row, marks: true}
	for _, k := range list {
		part, err := m.column(k.id)
		if errors.Is(err, chunk.ErrDamaged) {
			a.damaged(err)
			continue
		}
		if err != nil {
			return err
		}
		for i := range part.Times {
			if !view.hidden(part.Positions[i], part.Times[i]) {
				take(&part, i)
			}
		}
	}
	return nil
}

// archivedMarks compares the rows of a log in archive files with those here. They stay here, so that nothing here reads the others:
// those are for other programs.
func (a *auditor) archivedMarks(log logdb.LogNo, id int64) error {
	return a.each(func(rows *sql.Rows) error {
		var k storedChunk
		if err := k.scan(rows); err != nil {
			return err
		}
		var here, there chunk.Marks
		if !k.name.Valid || len(k.data) == 0 || k.marks(a.conn, &here) != nil { // what cannot be read here eachMark has named
			return nil
		}
		k.data = nil
		if err := k.marks(a.conn, &there); errors.Is(err, chunk.ErrDamaged) {
			a.damaged(err)
			a.add(logdb.Finding{Place: logdb.PlaceRow, Fault: logdb.FaultAltered, Log: log, Day: k.tMin.Day(), Time: k.tMin, Have: err.Error(), Want: fmt.Sprintf("%d rows", len(here.Positions))})
			return nil
		} else if err != nil {
			return err
		}
		want := map[logdb.Position]logdb.Point{}
		for i, p := range here.Positions {
			want[p] = logdb.Point{Position: p, Time: here.Times[i], Bits: markBits(here.Runs[i], here.Generations[i])}
		}
		text := func(p logdb.Point) string {
			return fmt.Sprintf("run %d, generation %d at %s", p.Bits>>32, uint32(p.Bits), p.Time)
		}
		for i, p := range there.Positions {
			have := logdb.Point{Position: p, Time: there.Times[i], Bits: markBits(there.Runs[i], there.Generations[i])}
			switch w, ok := want[p]; {
			case !ok:
				a.add(logdb.Finding{Place: logdb.PlaceRow, Fault: logdb.FaultExtra, Log: log, Day: have.Time.Day(), Position: p, Time: have.Time, Have: text(have)})
			case w != have:
				a.add(logdb.Finding{Place: logdb.PlaceRow, Fault: logdb.FaultAltered, Log: log, Day: w.Time.Day(), Position: p, Time: w.Time, Have: text(have), Want: text(w)})
			}
			delete(want, p)
		}
		for _, p := range slices.Sorted(maps.Keys(want)) {
			w := want[p]
			a.add(logdb.Finding{Place: logdb.PlaceRow, Fault: logdb.FaultMissing, Log: log, Day: w.Time.Day(), Position: p, Time: w.Time, Want: text(w)})
		}
		return nil
	}, readChunks, chunkID(id, 0), chunkID(id, 1<<dayBits-1))
}

// values names the values of the days on which a series is not what it claims to be.
func (a *auditor) values() error {
	bad := map[digestKey]bool{}
	series := map[seriesKey]bool{}
	for k, claim := range a.claims {
		if *a.tally(k) != claim && a.isFull(k) {
			bad[k] = true
		}
	}
	for k, data := range a.data {
		if *data != a.claims[k] && a.isFull(k) {
			bad[k] = true
		}
	}
	for k := range bad {
		series[seriesKey{k.log, k.channel}] = true
	}
	a.visit = func(k digestKey, p logdb.Point) {
		if bad[k] {
			a.rows[k] = append(a.rows[k], p)
		}
	}
	defer func() { a.visit = nil }()
	for i := range a.series {
		l := &a.series[i]
		if !series[seriesKey{l.row.log, l.channel}] {
			continue
		}
		view, err := a.viewOrSoundPart(&l.row)
		if err != nil {
			return err
		}
		if err := a.countValues(&l.row, l.channel, view); err != nil {
			return err
		}
	}
	data := map[digestKey]*logdb.Tally{}
	for k := range bad {
		data[k] = a.tally(k)
	}
	return a.nameAll(data, a.claims, logdb.PlaceValue)
}

// nameAll names what differs on each day that differs, in order.
func (a *auditor) nameAll(data map[digestKey]*logdb.Tally, claims map[digestKey]logdb.Tally, place logdb.Place) error {
	var keys []digestKey
	for k, t := range data {
		if *t != claims[k] {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(x, y digestKey) int {
		return cmp.Or(cmp.Compare(x.day, y.day), cmp.Compare(x.log, y.log), cmp.Compare(a.keys[x.channel], a.keys[y.channel]))
	})
	for _, k := range keys {
		if err := a.ended(); err != nil {
			return err
		}
		a.name(k, *data[k], claims[k], place)
	}
	return nil
}

// name names the records of one day of a series that differ.
func (a *auditor) name(k digestKey, data, claim logdb.Tally, place logdb.Place) {
	f := logdb.Finding{Place: place, Log: k.log, Channel: a.keys[k.channel], Day: k.day}
	text := number
	if place == logdb.PlaceRow {
		text = func(bits uint64) string { return fmt.Sprintf("run %d, generation %d", bits>>32, uint32(bits)) }
	}
	a.named[k] = true
	rows := a.rows[digestKey{k.log, marksChannel, k.day}]
	was, is := logdb.Differ(claim, data, k.day, a.rows[k], a.everyPosition(rows))
	switch {
	case was != nil && is != nil:
		f.Fault, f.Position, f.Time, f.Want, f.Have = logdb.FaultAltered, was.Position, was.Time, text(was.Bits), text(is.Bits)
		if was.Time != is.Time || was.Position != is.Position {
			f.Have += fmt.Sprintf(" at position %d, %s", is.Position, is.Time)
		}
		a.add(f)
	case was != nil:
		f.Fault, f.Position, f.Time, f.Want = logdb.FaultMissing, was.Position, was.Time, text(was.Bits)
		a.add(f)
	case is != nil:
		f.Fault, f.Position, f.Time, f.Have = logdb.FaultExtra, is.Position, is.Time, text(is.Bits)
		a.add(f)
	case claim.Count > data.Count:
		a.nameLost(k, claim.Count-data.Count, f)
	case claim == logdb.Tally{}:
		f.Place, f.Fault, f.Count = logdb.PlaceClaim, logdb.FaultMissing, data.Count
		a.add(f)
	default:
		f.Fault, f.Count = logdb.FaultAltered, max(1, data.Count-claim.Count)
		if data.Count > claim.Count {
			f.Fault = logdb.FaultExtra
		}
		a.add(f)
	}
}

// nameLost names several lost values by the rows of the day that have none, or by the positions that are nowhere.
func (a *auditor) nameLost(k digestKey, n int64, f logdb.Finding) {
	f.Fault = logdb.FaultMissing
	have := map[logdb.Position]bool{}
	for _, p := range a.rows[k] {
		have[p.Position] = true
	}
	var lost []logdb.Point
	if k.channel != marksChannel {
		for _, p := range a.rows[digestKey{k.log, marksChannel, k.day}] {
			if !have[p.Position] {
				lost = append(lost, p)
			}
		}
	}
	if int64(len(lost)) != n {
		f.Count = n
		a.add(f)
		return
	}
	for _, p := range lost {
		f.Position, f.Time = p.Position, p.Time
		a.add(f)
	}
}

// unnamed reports the days of events that differ although every record is as it was written: then the claim is not.
func (a *auditor) unnamed() error {
	if a.kind == logdb.KindHistorical {
		return nil
	}
	for k := range a.claims {
		a.tally(k)
	}
	for k, data := range a.data {
		if *data == a.claims[k] || a.named[k] || !a.isFull(k) {
			continue
		}
		f := logdb.Finding{Place: logdb.PlaceClaim, Fault: logdb.FaultAltered, Log: k.log, Day: k.day,
			Have: fmt.Sprintf("%d records", a.claims[k].Count), Want: fmt.Sprintf("%d records", data.Count)}
		if a.claims[k] == (logdb.Tally{}) {
			f.Fault = logdb.FaultMissing
		}
		a.add(f)
	}
	return nil
}
