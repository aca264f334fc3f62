package sqlite

import (
	"database/sql"
	"fmt"

	"metermanager/logdb"
)

// isFullVariant reports whether an item is the whole recording of which a shortened one is held.
func (r *receiver) isFullVariant(it item) (bool, error) {
	if r.kind != logdb.KindWaveform || it.block >= 0 {
		return false, nil
	}
	e := &r.page.Entries[it.row]
	if e.Waveform == nil || e.Waveform.Source != nil {
		return false, nil
	}
	var have entryRow
	found := false
	err := r.each(func(rows *sql.Rows) error {
		found = true
		return scanEntry(rows, &have)
	}, readEntry, r.stream.id, e.Position)
	if err == nil && found {
		err = have.decode()
	}
	if err != nil {
		return false, fmt.Errorf("look for recording %d: %w", e.Position, err)
	}
	if !found || have.entry.Op != e.Op || have.entry.Waveform == nil || have.entry.Waveform.Source == nil {
		return false, nil
	}
	return have.entry.Waveform.Source.Digest == e.ContentDigest(), nil
}

// findWholeBuckets lists the combined rows of which the page holds all that was combined, so
// that the rows may take the place of their sum, also of one that has not come or was skipped. One that was revised since is left alone, and a row
// that comes at its place with some of the others only, which would pass for all of them.
func (r *receiver) findWholeBuckets(items []item) error {
	inPage, rows := map[logdb.Position]bool{}, map[logdb.Position]bool{}
	for _, it := range items {
		rows[it.position] = it.block >= 0 || r.page.Entries[it.row].Op == logdb.OpAdd && r.page.Entries[it.row].Row != nil
		inPage[it.position] = it.block >= 0 || r.ofRow(&r.page.Entries[it.row])
	}
	type interval struct{ whole, all, some bool } // may take its place, is in the page, has a row in the page beside the last
	found := map[logdb.Position]interval{}        // by combined row
	for _, f := range r.stream.fates.Ranges() {
		if f.Fate != logdb.FateReduced || !inPage[f.Into] {
			continue
		}
		x, seen := found[f.Into]
		if !seen {
			combined, err := r.isCombined(f.Into)
			if err != nil {
				return err
			}
			x = interval{combined && (rows[f.Into] || r.stream.fates.Has(f.Into)), true, false}
		}
		for p := f.First; p <= f.Last && (x.all || !x.some); p++ {
			x.all, x.some = x.all && inPage[p], x.some || rows[p]
			x.whole = x.whole && x.all && !r.elsewhere(p)
		}
		found[f.Into] = x
	}
	for into, x := range found {
		switch {
		case x.whole:
			r.whole = append(r.whole, into)
		case x.some && !x.all && rows[into]:
			r.part = append(r.part, into)
		}
	}
	return nil
}

// ofRow reports whether e is a row, or a change of one: those that came before a combined row was sent are part of it.
func (r *receiver) ofRow(e *logdb.Entry) bool {
	return e.Op == logdb.OpAdd && e.Row != nil || e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw
}

// isCombined reports whether the row at p is held as it came, without a later version, or is not held at all: it has not come, or limits skipped it.
func (r *receiver) isCombined(p logdb.Position) (bool, error) {
	changed, err := r.superseded(r.stream.cut(), p, p)
	if err != nil || len(changed) > 0 {
		return false, err
	}
	if f, ok := r.stream.fates.At(p); !ok || f.Fate == logdb.FateSkipped {
		return !r.elsewhere(p), nil
	}
	row, err := r.liveRow(r.stream, p)
	return row != nil && !r.gone[rowKey{r.stream.id, p}], err
}
