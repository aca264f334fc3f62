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
		f.Fault, f.Have = logdb.FaultAltered, fateWord(r)
	}
	a.add(f)
}

func fateWord(r logdb.FateRange) string {
	switch r.Fate {
	case logdb.FateReduced:
		return fmt.Sprintf("reduced into position %d", r.Into)
	case logdb.FateSkipped:
		return "skipped for " + r.Reason
	}
	return r.Fate.String()
}

func (a *auditor) addFate(f logdb.Finding) {
	if f.Last == f.Position {
		f.Last = 0
	}
	a.add(f)
}

// nameFate finds the range by which the fates differ from their tally: one that is gone, one that was added, or one
// that is called something else.
func (a *auditor) nameFate() {
	lost := a.fateSum
	have := a.fates.Tally()
	lost.A, lost.B = lost.A-have.A, lost.B-have.B
	explains := func(r *logdb.FateRange, instead *logdb.FateRange) bool {
		var t logdb.FateTally
		if r != nil {
			t.Add(*r)
		}
		if instead != nil {
			t.Remove(*instead)
		}
		return t == lost
	}
	report := func(was, is *logdb.FateRange) {
		f := logdb.Finding{Place: logdb.PlaceFate, Fault: logdb.FaultAltered}
		at := was
		switch {
		case was == nil:
			at, f.Fault = is, logdb.FaultExtra
		case is == nil:
			f.Fault = logdb.FaultMissing
		}
		f.Position, f.Last, f.Day, f.Time = at.First, at.Last, at.FirstTime.Day(), at.FirstTime
		if was != nil {
			f.Want = fateWord(*was)
		}
		if is != nil {
			f.Have = fateWord(*is)
		}
		a.addFate(f)
	}
	holes := a.fates.Missing(1, a.end)
	for _, h := range holes {
		for _, was := range a.guesses(h[0], h[1]) {
			if explains(&was, nil) {
				report(&was, nil)
				return
			}
		}
	}
	for _, r := range a.fates.Ranges() {
		for _, is := range ends(r) {
			if explains(nil, &is) {
				report(nil, &is)
				return
			}
			for _, was := range a.guesses(is.First, is.Last) {
				if explains(&was, &is) {
					report(&was, &is)
					return
				}
			}
		}
	}
	if len(holes) == 0 {
		holes = [][2]logdb.Position{{1, a.end}}
	}
	for _, h := range holes {
		a.addFate(logdb.Finding{Place: logdb.PlaceFate, Fault: logdb.FaultAltered, Position: h[0], Last: h[1], Have: "other fates than were decided"})
	}
}

// ends returns r and its shorter ends: what was added beside an equal range became one with it.
func ends(r logdb.FateRange) []logdb.FateRange {
	out := []logdb.FateRange{r}
	for n := logdb.Position(1); n <= 64 && n < logdb.Position(r.Count()); n++ {
		head, tail := r, r
		head.Last, tail.First = r.First+n-1, r.Last-n+1
		out = append(out, head, tail)
	}
	return out
}

// guesses returns what the positions may have been before.
func (a *auditor) guesses(first, last logdb.Position) []logdb.FateRange {
	base := logdb.FateRange{First: first, Last: last}
	days, reasons := map[logdb.Millis]bool{}, map[string]bool{"minute": true, "hour": true, "day": true, "second": true, "size": true, "relayed": true}
	near := a.fates.Within(first-min(first-1, 300), last+300)
	for _, r := range near {
		for _, t := range []logdb.Millis{r.FirstTime, r.LastTime} {
			for d := t.Day() - logdb.DayMillis; d <= t.Day()+logdb.DayMillis; d += logdb.DayMillis {
				days[d] = true
			}
		}
		if r.Fate == logdb.FateSkipped {
			reasons[r.Reason] = true
		}
	}
	for k := range a.claims {
		days[k.day] = true
	}
	var out []logdb.FateRange
	for _, fate := range []logdb.Fate{logdb.FateStored, logdb.FateNotChosen, logdb.FateHeld} {
		r := base
		r.Fate = fate
		out = append(out, r)
	}
	for day := range days {
		for reason := range reasons {
			r := base
			r.Fate, r.Reason, r.FirstTime, r.LastTime = logdb.FateSkipped, reason, day, day
			out = append(out, r)
		}
		for into := last + 1; into <= last+64; into++ {
			r := base
			r.Fate, r.Into, r.FirstTime, r.LastTime = logdb.FateReduced, into, day, day
			out = append(out, r)
		}
	}
	return out
}
