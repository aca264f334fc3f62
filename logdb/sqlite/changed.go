package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"metermanager/logdb"
)

var _ logdb.Changes = (*Store)(nil)

const (
	listRevised = `SELECT id, journal, policy FROM stream WHERE meter = ? AND kind = ? AND revised = 1`
	anyRevised  = `SELECT 1 FROM meter m JOIN stream s ON s.meter = m.id WHERE m.uid = ? AND s.kind = ? AND s.revised = 1 LIMIT 1`
	// The changes of a stream that no other stream of the cut has a newer one of the same record to. The plus keeps SQLite from
	// looking through all later positions instead of the few changes of the record.
	listChanged = `SELECT e.target, e.position, e.time_ms FROM entry e WHERE e.stream = ? AND e.target <> 0 AND e.time_ms >= ? AND e.time_ms < ?
	AND NOT EXISTS (SELECT 1 FROM entry n WHERE n.target = e.target AND n.target <> 0 AND +n.position > e.position%s)`
)

// revisedStream is a stream that holds changes.
type revisedStream struct {
	id  int64
	ref logdb.StreamID
}

// change is the newest change of a record.
type change struct {
	stream       logdb.StreamID
	cut          []int64
	target, last logdb.Position
	at           logdb.Millis
}

// ReadChanged implements logdb.Changes.
func (s *Store) ReadChanged(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis, most int, visit func(logdb.StreamID, []logdb.Entry) error) (n int, err error) {
	what := fmt.Sprintf("read what was changed of %s", uid)
	some := false
	err = s.oneQuery(ctx, what, func(c *conn) error {
		one := int64(0)
		some, err = c.oneKept([]any{&one}, anyRevised, string(uid), kind)
		return err
	})
	if err != nil || !some { // nearly always
		return 0, err
	}
	err = s.snapshot(ctx, what, func(c *conn) error {
		all, err := c.changes(uid, kind, first, last)
		if err != nil {
			return err
		}
		n = len(all)
		for _, one := range all[:min(most, n)] {
			versions, err := c.versionsOf(one.cut, kind, one.target)
			if err != nil {
				return err
			}
			if err := visit(one.stream, versions); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// changes lists what ReadChanged visits, in order.
func (c *conn) changes(uid logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis) (all []change, err error) {
	meter, err := c.meterID(uid)
	if err != nil {
		return nil, err
	}
	var streams []revisedStream
	err = c.each(func(rows *sql.Rows) error {
		var s revisedStream
		var journal string
		if err := rows.Scan(&s.id, &journal, &s.ref.Policy); err != nil {
			return err
		}
		s.ref.Journal = logdb.JournalID(journal)
		streams = append(streams, s)
		return nil
	}, listRevised, meter, kind)
	for len(streams) > 0 && err == nil {
		var same, rest []revisedStream
		for _, s := range streams {
			if s.ref.SameCut(streams[0].ref) {
				same = append(same, s)
			} else {
				rest = append(rest, s)
			}
		}
		var of []change
		if of, err = c.changesOf(meter, kind, same, first, last); err == nil {
			all, streams = append(all, of...), rest
		}
	}
	slices.SortFunc(all, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.stream.Journal, b.stream.Journal), cmp.Compare(a.target, b.target))
	})
	return all, err
}

// changesOf lists the changes of one cut. The newest of a record may have come in another stream, and may lie outside of the
// range although an older one lies in it.
func (c *conn) changesOf(meter int64, kind logdb.Kind, revised []revisedStream, first, last logdb.Millis) ([]change, error) {
	cut, err := c.cutOf(meter, kind, revised[0].ref)
	if err != nil {
		return nil, err
	}
	query := fmt.Sprintf(listChanged, anyOf("n.stream", len(revised)))
	var out []change
	for _, s := range revised {
		args := []any{s.id, first, last}
		for i := range listSize(len(revised)) {
			args = append(args, revised[min(i, len(revised)-1)].id)
		}
		err := c.each(func(rows *sql.Rows) error {
			one := change{stream: s.ref, cut: cut}
			if err := rows.Scan(&one.target, &one.last, &one.at); err != nil {
				return err
			}
			out = append(out, one)
			return nil
		}, query, args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
