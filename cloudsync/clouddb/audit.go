package clouddb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"metermanager/logdb"
)

// Audit lists what is not as it was decided of the streams of a meter and kind, for all destinations.
func (s *Store) Audit(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) (found []logdb.Finding, err error) {
	err = s.db.Snapshot(ctx, func(tx *sql.Tx) error {
		a := auditor{ctx: ctx, tx: tx}
		for _, step := range []func(logdb.MeterUID, logdb.Kind) error{a.lost, a.streams, a.tallies} {
			if err := step(meter, kind); err != nil {
				return err
			}
		}
		found = a.found
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit the decisions about meter %s, %s: %w", meter, kind, err)
	}
	return found, nil
}

// auditor looks at one snapshot.
type auditor struct {
	ctx   context.Context // of the snapshot
	tx    *sql.Tx
	found []logdb.Finding
}

func (a *auditor) add(f logdb.Finding) { a.found = append(a.found, f) }

func (a *auditor) each(visit func(*sql.Rows) error, query string, args ...any) error {
	rows, err := a.tx.QueryContext(a.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := visit(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// lost reports streams, and fates and sets of streams, of which the row is gone.
func (a *auditor) lost(meter logdb.MeterUID, kind logdb.Kind) error {
	return a.each(func(rows *sql.Rows) error {
		var journal, generation string
		err := rows.Scan(&journal, &generation)
		a.add(logdb.Finding{Place: logdb.PlaceDecision, Fault: logdb.FaultMissing, Want: "stream " + journal + ":" + generation})
		return err
	}, "SELECT journal, generation FROM cloud_check WHERE meter = ? AND kind = ? AND stream NOT IN (SELECT id FROM cloud_stream)", meter, kind)
}

type checked struct {
	row       int64
	name      string
	end       logdb.Position
	known     bool // the row says that there is a check
	has       bool
	a, b, sum sql.NullInt64
}

func (a *auditor) streams(meter logdb.MeterUID, kind logdb.Kind) error {
	var all []checked
	err := a.each(func(rows *sql.Rows) error {
		var c checked
		var journal, generation string
		err := rows.Scan(&c.row, &journal, &generation, &c.end, &c.known, &c.a, &c.b, &c.sum)
		c.name, c.has = journal+":"+generation, c.sum.Valid
		all = append(all, c)
		return err
	}, `SELECT s.id, s.journal, s.generation, s.journal_end, s.checked, c.fates_a, c.fates_b, c.sum FROM cloud_stream s
		LEFT JOIN cloud_check c ON c.stream = s.id WHERE s.meter = ? AND s.kind = ?`, meter, kind)
	if err != nil {
		return err
	}
	for i := range all {
		if err := a.stream(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditor) stream(c *checked) error {
	if !c.has {
		if c.known {
			a.add(logdb.Finding{Place: logdb.PlaceClaim, Fault: logdb.FaultMissing, Want: "the check of stream " + c.name})
		}
		return nil
	}
	sum, err := sumOfStream(a.ctx, a.tx, c.row)
	if err != nil {
		return err
	}
	if sum != c.sum.Int64 {
		a.add(logdb.Finding{Place: logdb.PlaceDecision, Fault: logdb.FaultAltered, Have: "another policy, state, end or set of stream " + c.name})
	}
	var all logdb.FateSet
	err = a.each(func(rows *sql.Rows) error {
		var chunk int64
		var data []byte
		if err := rows.Scan(&chunk, &data); err != nil {
			return err
		}
		var set logdb.FateSet
		f := logdb.Finding{Place: logdb.PlaceFate, Fault: logdb.FaultAltered, Position: logdb.Position(chunk) * chunkPositions, Last: logdb.Position(chunk+1)*chunkPositions - 1}
		if err := set.UnmarshalBinary(data); err != nil {
			f.Have = "it cannot be read: " + err.Error()
			a.add(f)
			return nil
		}
		for _, r := range set.Ranges() {
			if int64(r.First/chunkPositions) != chunk || int64(r.Last/chunkPositions) != chunk {
				f.Have, f.Want = "it is filed under other positions", "its own"
				a.add(f)
				return nil
			}
			all.Put(r)
		}
		return nil
	}, "SELECT chunk, fates FROM cloud_fates WHERE stream = ? ORDER BY chunk", c.row)
	if err != nil {
		return err
	}
	claim := logdb.FateTally{A: uint64(c.a.Int64), B: uint64(c.b.Int64)}
	if all.Tally() == claim {
		return nil
	}
	var days []logdb.Millis
	for i, r := range all.Ranges() {
		if i < 1000 {
			days = append(days, r.FirstTime.Day())
		}
	}
	if was, is := all.DifferFates(claim, max(c.end, all.Highest()), days); was != nil || is != nil {
		a.add(logdb.FateFinding(was, is))
		return nil
	}
	holes := all.Missing(1, max(c.end, 1))
	if len(holes) == 0 {
		holes = [][2]logdb.Position{{1, max(c.end, 1)}}
	}
	for _, h := range holes[:min(len(holes), 100)] {
		a.add(logdb.Finding{Place: logdb.PlaceFate, Fault: logdb.FaultAltered, Position: h[0], Last: h[1], Have: "other fates than were decided in stream " + c.name})
	}
	return nil
}

// tallies compares counts of limits and changes with their tallies.
func (a *auditor) tallies(meter logdb.MeterUID, kind logdb.Kind) error {
	const of = " IN (SELECT journal FROM cloud_stream WHERE meter = ? AND kind = ? AND checked = 1)"
	type key struct {
		destination   int64
		journal, what string
	}
	want, have, points := map[key]logdb.Tally{}, map[key]logdb.Tally{}, map[key][]logdb.Point{}
	err := a.each(func(rows *sql.Rows) error {
		var k key
		var t logdb.Tally
		var x, y int64
		err := rows.Scan(&k.destination, &k.journal, &k.what, &t.Count, &x, &y)
		t.Sum = [2]uint64{uint64(x), uint64(y)}
		want[k] = t
		return err
	}, "SELECT destination, journal, what, n, a, b FROM cloud_tally WHERE journal"+of, meter, kind)
	if err != nil {
		return err
	}
	err = a.each(func(rows *sql.Rows) error {
		var k key
		var cut, span string
		var start logdb.Millis
		var n int
		err := rows.Scan(&k.destination, &k.journal, &cut, &start, &span, &n)
		k.what = tallyCount + cut
		t := have[k]
		countTally(&t, start, span, n, 1)
		have[k] = t
		return err
	}, "SELECT destination, journal, cut, start_ms, span, count FROM cloud_limit_count WHERE journal"+of, meter, kind)
	if err != nil {
		return err
	}
	err = a.each(func(rows *sql.Rows) error {
		k := key{what: tallyChange}
		var target, position logdb.Position
		err := rows.Scan(&k.journal, &target, &position)
		t := have[k]
		changeTally(&t, target, position)
		have[k] = t
		points[k] = append(points[k], logdb.Point{Position: position, Bits: uint64(target)})
		return err
	}, "SELECT journal, target, position FROM cloud_change WHERE journal"+of, meter, kind)
	if err != nil {
		return err
	}
	for k := range have {
		if _, ok := want[k]; !ok {
			want[k] = logdb.Tally{}
		}
	}
	for k, claim := range want {
		if claim != have[k] {
			a.add(tallyFinding(strings.HasPrefix(k.what, tallyCount), claim, have[k], points[k]))
		}
	}
	return nil
}

func tallyFinding(count bool, claim, have logdb.Tally, points []logdb.Point) logdb.Finding {
	f := logdb.Finding{Place: logdb.PlaceDecision, Fault: logdb.FaultAltered}
	switch {
	case claim.Count > have.Count:
		f.Fault = logdb.FaultMissing
	case claim.Count < have.Count:
		f.Fault = logdb.FaultExtra
	}
	if count {
		f.Have, f.Want = fmt.Sprintf("%d counts of limits", have.Count), fmt.Sprintf("%d", claim.Count)
		return f
	}
	f.Have, f.Want = fmt.Sprintf("%d notes of revises and withdraws", have.Count), fmt.Sprintf("%d", claim.Count)
	was, is := logdb.Differ(claim, have, 0, points, func(yield func(logdb.Position) bool) {
		for p := logdb.Position(1); p < 2_000_000 && yield(p); p++ {
		}
	})
	for _, p := range []*logdb.Point{is, was} {
		if p != nil {
			f.Position = p.Position
		}
	}
	return f
}
