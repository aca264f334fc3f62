package sqlite

import (
	"database/sql"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

func (r *receiver) skip(p logdb.Position, at logdb.Millis, reason string) {
	f := logdb.FateRange{First: p, Last: p, Fate: logdb.FateSkipped, Reason: reason, FirstTime: at, LastTime: at}
	r.stream.put(f)
	r.refused.Put(f)
	r.receipt.Skipped++
}

// overPace returns the limit that a row breaks; if none, its channels are marked.
func (r *receiver) overPace(it item) string {
	h := &r.page.Rows[it.block]
	var present []logdb.ChannelKey
	for c, column := range h.Columns {
		if math.IsNaN(column[it.row]) && present == nil {
			present = append(make([]logdb.ChannelKey, 0, len(h.Channels)), h.Channels[:c]...)
		} else if present != nil && !math.IsNaN(column[it.row]) {
			present = append(present, h.Channels[c])
		}
	}
	if present == nil {
		present = h.Channels
	}
	return r.pace(h.Log, limit.Mark{Position: it.position, Run: h.Run, Generation: h.Generation, Time: h.Times[it.row]}, present)
}

func (r *receiver) pace(log logdb.LogNo, row limit.Mark, channels []logdb.ChannelKey) string {
	fates := &r.stream.fates
	open := func(after, before logdb.Position) bool {
		return after+1 < before && len(fates.Missing(after+1, before-1)) > 0
	}
	if !r.stream.marksOf(log).Allow(r.limits.HistoricalIntervalMillis, row, channels, open) {
		return limit.Refused(limit.PaceReason)
	}
	return ""
}

const (
	countSlots = `SELECT count(*) FROM slot WHERE stream = ? AND time_ms >= ? AND time_ms < ?`
	insertSlot = `INSERT INTO slot (stream, time_ms, position) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
)

// overLimit returns the limit that an add breaks; if none, the add takes its slots.
func (r *receiver) overLimit(e *logdb.Entry) (reason string, err error) {
	if e.Row != nil {
		return r.pace(e.Log, limit.Mark{Position: e.Position, Run: e.Run, Generation: e.Generation, Time: e.Time}, e.Row.Channels), nil
	}
	windows := r.limits.Of(r.page.Kind)
	keys := limit.Keys(windows, e.Time)
	if len(keys) == 0 {
		return "", nil
	}
	if r.counts == nil {
		r.counts, r.counted = limit.Counts{}, map[limit.Key]bool{}
	}
	for _, k := range keys {
		if r.counted[k] {
			continue
		}
		i := slices.IndexFunc(windows, func(w logdb.Window) bool { return w.Name == k.Window })
		var n int
		if _, err := r.one([]any{&n}, countSlots, r.stream.id, k.Start, k.Start+windows[i].Millis); err != nil {
			return "", fmt.Errorf("count the records of a %s: %w", k.Window, err)
		}
		r.counts[k], r.counted[k] = n, true
	}
	ok, reason := limit.Decide(windows, r.counts, e.Time)
	if !ok {
		return limit.Refused(reason), nil
	}
	done, err := r.exec(insertSlot, r.stream.id, e.Time, e.Position)
	if err != nil {
		return "", fmt.Errorf("take a slot: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return "", err
	}
	return "", r.ledger(r.stream, ledgerSlot, 0, e.Time.Day(), func(tally *logdb.Tally) { tally.AddBits(e.Position, e.Time, 0) })
}

const listRevises = `SELECT target, time_ms FROM entry WHERE meter = ? AND kind = ? AND kind <> 1 AND time_ms >= ? AND time_ms < ? AND stream = ? AND op = 2`

// tooFarAhead reports whether a revise that comes before its target must wait, undecided, until that is decided: else
// who sends nothing but revises passes the limits. It takes no slot, so that no add is refused because of it; together
// with the adds of its span there are never more of them than the limit says.
func (r *receiver) tooFarAhead(e *logdb.Entry) (bool, error) {
	if e.Op != logdb.OpRevise || e.Row != nil {
		return false, nil
	}
	windows := r.limits.Of(r.page.Kind)
	for _, k := range limit.Keys(windows, e.Time) {
		w := windows[slices.IndexFunc(windows, func(w logdb.Window) bool { return w.Name == k.Window })]
		var n int
		if _, err := r.one([]any{&n}, countSlots, r.stream.id, k.Start, k.Start+w.Millis); err != nil {
			return false, fmt.Errorf("count the records of a %s: %w", k.Window, err)
		}
		for _, at := range r.ahead {
			if at >= k.Start && at < k.Start+w.Millis {
				n++
			}
		}
		err := r.each(func(rows *sql.Rows) error {
			var target logdb.Position
			var at logdb.Millis
			if err := rows.Scan(&target, &at); err != nil {
				return err
			}
			if _, decided := fateOf(r.stream, target); !decided {
				n++
			}
			return nil
		}, listRevises, r.stream.meter.id, r.page.Kind, k.Start, k.Start+w.Millis, r.stream.id)
		if err != nil {
			return false, fmt.Errorf("count the revises that are ahead of their targets: %w", err)
		}
		if n >= w.Max {
			return true, nil
		}
	}
	r.ahead = append(r.ahead, e.Time)
	return false, nil
}
