package sqlite

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"metermanager/logdb"
)

const listFates = `SELECT first, last, data FROM fate WHERE stream = ? ORDER BY last`

// readFates reads the fates; what cannot be read is reported and left out.
func (a *auditor) readFates() error {
	return a.each(func(rows *sql.Rows) error {
		var first, last logdb.Position
		var data []byte
		if err := rows.Scan(&first, &last, &data); err != nil {
			return err
		}
		var part logdb.FateSet
		f := logdb.Finding{Place: logdb.PlaceFate, Fault: logdb.FaultAltered, Position: first, Last: last}
		if err := part.UnmarshalBinary(data); err != nil {
			f.Have = "it cannot be read: " + err.Error()
			a.add(f)
			return nil
		}
		ranges := part.Ranges()
		if len(ranges) == 0 || ranges[0].First != first || ranges[len(ranges)-1].Last != last || a.fates.Overlaps(first, last) {
			f.Have, f.Want = "it is filed under other positions", "its own"
			a.add(f)
		}
		for _, r := range ranges {
			a.fates.Put(r)
		}
		return nil
	}, listFates, a.id)
}

// auditFates compares the fates with the data, with the journal's end, and with the tally kept apart.
func (a *auditor) auditFates() error {
	before := len(a.found.Findings) + int(a.found.More)
	for _, p := range slices.Sorted(maps.Keys(a.marksAt)) {
		if !a.changed[p] { // a change that came before its target stands at the target's position
			a.mustBeStored(p, a.marksAt[p])
		}
	}
	err := a.each(func(rows *sql.Rows) error {
		var p logdb.Position
		var at logdb.Millis
		err := rows.Scan(&p, &at)
		a.mustBeStored(p, at)
		return err
	}, `SELECT position, time_ms FROM entry WHERE stream = ? ORDER BY position`, a.id)
	if err != nil {
		return err
	}
	if len(a.found.Findings)+int(a.found.More) > before {
		return nil
	}
	if a.own {
		if missing := a.fates.Missing(1, a.end); len(missing) > 0 || a.fates.Highest() > a.end || a.fates.Count(logdb.FateStored) != a.fates.Len() {
			f := logdb.Finding{Place: logdb.PlaceFate, Fault: logdb.FaultAltered, Want: fmt.Sprintf("positions 1 to %d stored", a.end)}
			if len(missing) > 0 {
				f.Fault, f.Position, f.Last = logdb.FaultMissing, missing[0][0], missing[0][1]
			} else {
				f.Position, f.Last, f.Have = a.end+1, a.fates.Highest(), "positions beyond the end of the journal"
			}
			a.addFate(f)
			return nil
		}
	}
	if a.witnessed && a.fates.Tally() != a.fateSum {
		a.nameFate()
	}
	return nil
}

// mustBeStored reports a record whose position is not decided as stored.
func (a *auditor) mustBeStored(p logdb.Position, at logdb.Millis) {
	r, ok := a.fates.At(p)
	if ok && r.Fate == logdb.FateStored {
		return
	}
	f := logdb.Finding{Place: logdb.PlaceFate, Fault: logdb.FaultMissing, Position: p, Time: at, Day: at.Day(), Want: logdb.FateStored.String()}
	if ok {
		f.Fault, f.Have = logdb.FaultAltered, r.Text()
	}
	a.add(f)
}

func (a *auditor) addFate(f logdb.Finding) {
	if f.Last == f.Position {
		f.Last = 0
	}
	a.add(f)
}

// nameFate names the range by which the fates differ from their tally.
func (a *auditor) nameFate() {
	days := []logdb.Millis{}
	for k := range a.claims {
		days = append(days, k.day)
	}
	if was, is := a.fates.DifferFates(a.fateSum, a.end, days); was != nil || is != nil {
		a.add(logdb.FateFinding(was, is))
		return
	}
	holes := a.fates.Missing(1, a.end)
	if len(holes) == 0 {
		holes = [][2]logdb.Position{{1, a.end}}
	}
	for _, h := range holes {
		a.addFate(logdb.Finding{Place: logdb.PlaceFate, Fault: logdb.FaultAltered, Position: h[0], Last: h[1], Have: "other fates than were decided"})
	}
}
