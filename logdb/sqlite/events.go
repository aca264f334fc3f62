package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"metermanager/logdb"
)

// The order of answers is (time, stream, position of the add, position of the version). An index gives the order of time.
const (
	selectEvents = `SELECT ` + entryColumns + `, st.journal, st.policy FROM entry e JOIN stream st ON st.id = e.shown WHERE e.meter = ? AND e.kind = ? AND e.time_ms >= ? AND e.time_ms < ?`
	orderEvents  = ` ORDER BY e.time_ms, st.journal || ':' || st.policy, CASE WHEN e.target <> 0 THEN e.target ELSE e.position END, e.position`
)

// notReplaced leaves out a gap that was told of anew later on in its journal: code is the first version's position.
const notReplaced = ` AND NOT EXISTS (SELECT 1 FROM entry n JOIN stream ns ON ns.id = n.stream WHERE n.meter = e.meter AND n.kind = e.kind AND n.op = 6
	AND n.code <> 0 AND n.code = CASE WHEN e.code <> 0 THEN e.code ELSE e.position END AND n.position > e.position AND ns.journal = st.journal)`

// ReadEvents implements logdb.Source.
func (s *Store) ReadEvents(ctx context.Context, q logdb.EventQuery, visit func(logdb.StreamID, *logdb.Entry) error) error {
	return s.snapshot(ctx, fmt.Sprintf("read %s events of %s", q.Kind, q.Meter), func(c *conn) error {
		meter, err := c.meterID(q.Meter)
		if err != nil || meter == 0 || !q.Gaps && q.Kind == logdb.KindHistorical {
			return err
		}
		query, args := eventQuery(&q, meter)
		n := 0
		var r entryRow
		err = c.each(func(rows *sql.Rows) error {
			var journal string
			var ref logdb.StreamID
			if err := scanEntry(rows, &r, &journal, &ref.Policy); err != nil {
				return err
			}
			ref.Journal = logdb.JournalID(journal)
			if q.After != nil && !after(&r.entry, ref, q.After) {
				return nil
			}
			if err := r.decode(); err != nil {
				return err
			}
			if err := visit(ref, &r.entry); err != nil {
				return err
			}
			if n++; q.Limit > 0 && n == q.Limit {
				return errEnough
			}
			return nil
		}, query, args...)
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
}

// errEnough ends a visit.
var errEnough = errors.New("enough")

// eventQuery writes the query; its few forms are prepared once each.
func eventQuery(q *logdb.EventQuery, meter int64) (string, []any) {
	first, last := q.First, q.Last
	if last == 0 {
		last = logdb.MaxTime + 1
	}
	if q.After != nil {
		first = max(first, q.After.Time)
	}
	args := []any{meter, q.Kind, first, last}
	var b strings.Builder
	b.WriteString(selectEvents)
	switch {
	case q.Gaps:
		b.WriteString(" AND e.op = 6")
		if !q.Withdrawn {
			b.WriteString(notReplaced)
		}
	case q.Withdrawn:
		b.WriteString(" AND e.kind <> 1 AND e.op <= 2")
	default:
		b.WriteString(" AND e.kind <> 1 AND e.live = 1")
	}
	excursions := q.Kind == logdb.KindLimit || q.Kind == logdb.KindPQ
	if len(q.Channels) > 0 && excursions && !q.Gaps {
		b.WriteString(anyOf("e.channel", len(q.Channels)))
		for i := range listSize(len(q.Channels)) {
			args = append(args, string(q.Channels[min(i, len(q.Channels)-1)]))
		}
	}
	codes := q.LimitIDs
	if q.Kind == logdb.KindSystem {
		codes = q.Codes
	}
	if len(codes) > 0 && (excursions || q.Kind == logdb.KindSystem) && !q.Gaps {
		b.WriteString(anyOf("e.code", len(codes)))
		for i := range listSize(len(codes)) {
			args = append(args, codes[min(i, len(codes)-1)])
		}
	}
	b.WriteString(orderEvents)
	return b.String(), args
}

// listSize rounds a number of choices up, the last one repeated, so that there are few different queries to prepare.
func listSize(n int) int { return 1 << bits.Len(uint(n-1)) }

func anyOf(column string, n int) string {
	return " AND " + column + " IN (?" + strings.Repeat(", ?", listSize(n)-1) + ")"
}

// after reports whether e stands behind a cursor.
func after(e *logdb.Entry, ref logdb.StreamID, c *logdb.EventCursor) bool {
	if e.Time != c.Time {
		return e.Time > c.Time
	}
	if d := strings.Compare(ref.String(), c.Stream.String()); d != 0 {
		return d > 0
	}
	if p := original(e); p != c.Position {
		return p > c.Position
	}
	return c.Version != 0 && e.Position > c.Version
}

const findRecording = `SELECT ` + entryColumns + ` FROM entry e WHERE e.meter = ? AND e.kind = ? AND e.shown = ? AND e.live = 1
	AND (e.position = ? AND e.target = 0 OR e.target = ? AND e.target <> 0)
	AND e.id IN (SELECT id FROM entry WHERE stream IN (SELECT id FROM stream WHERE meter = ? AND kind = ?) AND position = ?
		UNION ALL SELECT id FROM entry WHERE stream IN (SELECT id FROM stream WHERE meter = ? AND kind = ?) AND target = ? AND target <> 0)`

// Recording implements logdb.Source.
func (s *Store) Recording(ctx context.Context, uid logdb.MeterUID, ref logdb.StreamID, p logdb.Position) (logdb.Entry, error) {
	var r entryRow
	const kind = logdb.KindWaveform
	err := s.snapshot(ctx, fmt.Sprintf("read recording %d of %s", p, ref), func(c *conn) error {
		meter, id, err := c.streamID(uid, kind, ref)
		if err != nil {
			return err
		}
		found := false
		err = c.each(func(rows *sql.Rows) error {
			found = true
			return scanEntry(rows, &r)
		}, findRecording, meter, kind, id, p, p, meter, kind, p, meter, kind, p)
		if err == nil && !found {
			err = logdb.ErrNotFound
		}
		if err == nil {
			err = r.decode()
		}
		if err == nil {
			err = c.samples(&r)
		}
		return err
	})
	if err != nil {
		return logdb.Entry{}, err
	}
	return r.entry, nil
}
