package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"metermanager/logdb"
)

const (
	// maxChunk is about how many values a chunk may hold before its days are split: smaller ones cost
	// space, larger ones time when a day arrives late.
	maxChunk = 24_000
	// maxMerge bounds the values that one transaction of the compactor takes from the head.
	maxMerge = 1_000_000
	// The compactor takes a log when so many rows or pages wait, or when they have waited for a day.
	dueRows  = 2000
	duePages = 200
	dueAge   = 24 * time.Hour
	// duePatches is after how many changed rows they are applied.
	duePatches = 200
)

const dueLogs = `SELECT st.meter, h.stream, h.log FROM (
	SELECT stream, log FROM head GROUP BY stream, log HAVING count(*) >= ? OR sum(n) >= ? OR min(received_ms) < ?
	UNION SELECT stream, log FROM patch GROUP BY stream, log HAVING count(*) >= ?) h JOIN stream st ON st.id = h.stream
	ORDER BY h.stream, h.log`

// Run compacts what is due until ctx ends. A log that cannot be compacted is reported and tried again later.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.CompactEvery)
	defer tick.Stop()
	if err := s.witnessOld(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("noted what an older version wrote with errors", "err", err)
	}
	for {
		if err := s.compactDue(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("compacted with errors", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

type logRef struct {
	meter, stream int64
	log           logdb.LogNo
}

func (s *Store) compactDue(ctx context.Context) error {
	old := logdb.MillisOf(s.cfg.Now().Add(-dueAge))
	due, err := s.logsBy(ctx, dueLogs, duePages, dueRows, old, duePatches)
	if err != nil {
		return err
	}
	var faults []error // of one log: the others do not wait for somebody who mends it
	for _, l := range due {
		faults = append(faults, s.compactLog(ctx, l))
	}
	rebuild, err := s.logsBy(ctx, listRebuild)
	if err != nil {
		return errors.Join(append(faults, err)...)
	}
	for _, l := range rebuild {
		faults = append(faults, s.rebuildRolls(ctx, l.meter))
	}
	return errors.Join(append(faults, s.giveBack(ctx, 16))...)
}

// giveBack returns space to the disk when that share of the file is free, a bounded part at a time. Less than a sixteenth is soon used again, by
// pages that wait to be merged.
func (s *Store) giveBack(ctx context.Context, share int64) error {
	const little, part = 64 << 10, 4096 // bytes, pages
	free, file, err := s.db.FreeBytes(ctx)
	if err != nil {
		return err
	}
	if free < little || free < file/share {
		return nil
	}
	return s.db.Vacuum(ctx, part)
}

func (s *Store) logsBy(ctx context.Context, query string, args ...any) (out []logRef, err error) {
	err = s.snapshot(ctx, "look for what to compact", func(c *conn) error {
		return c.each(func(rows *sql.Rows) error {
			var l logRef
			err := rows.Scan(&l.meter, &l.stream, &l.log)
			out = append(out, l)
			return err
		}, query, args...)
	})
	return out, err
}

const (
	meterLogs   = `SELECT st.meter, s.stream, s.log FROM series s JOIN stream st ON st.id = s.stream JOIN meter m ON m.id = st.meter WHERE m.uid = ? AND s.channel = 0`
	listRebuild = `SELECT id, 0, 0 FROM meter WHERE rebuild = 1`
)

// Compact implements logdb.Store.
func (s *Store) Compact(ctx context.Context, uid logdb.MeterUID) error {
	logs, err := s.logsBy(ctx, meterLogs, string(uid))
	if err != nil {
		return err
	}
	for _, l := range logs {
		if err := s.compactLog(ctx, l); err != nil {
			return err
		}
	}
	meter := int64(0)
	err = s.snapshot(ctx, "look for the hour tier", func(c *conn) error {
		_, err := c.one([]any{&meter}, `SELECT id FROM meter WHERE uid = ? AND rebuild = 1`, string(uid))
		return err
	})
	if err == nil && meter != 0 {
		err = s.rebuildRolls(ctx, meter)
	}
	if err == nil {
		err = s.witnessOld(ctx)
	}
	if err == nil {
		err = s.giveBack(ctx, 100)
	}
	return err
}

// compactLog merges what waits of one log, a bounded part in each transaction.
func (s *Store) compactLog(ctx context.Context, l logRef) error {
	for more := true; more; {
		err := s.write(ctx, fmt.Sprintf("compact log %d", l.log), func(t *txn) error {
			var err error
			more, err = t.compact(l, nil)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compactor merges head pages and patches of one log into the chunks of its series.
type compactor struct {
	*txn
	logRef
	step    logdb.Millis // of the hour tier
	view    *view
	without *span // rows of these times are dropped: they are forgotten
}

const (
	headsToMerge  = `SELECT seq, n, crc, data FROM head WHERE stream = ? AND log = ? ORDER BY seq`
	deleteHead    = `DELETE FROM head WHERE seq = ?`
	deletePatches = `DELETE FROM patch WHERE stream = ? AND log = ?`
	logSeries     = `SELECT s.id, coalesce(c.key, '') FROM series s LEFT JOIN channel c ON c.id = s.channel WHERE s.stream = ? AND s.log = ?`
	stepOfMeter   = `SELECT step_ms FROM meter WHERE id = ?`
)

// compact merges a part of what waits of a log and reports whether there is more.
func (t *txn) compact(l logRef, without *span) (more bool, err error) {
	c := compactor{txn: t, logRef: l, without: without, view: &view{codec: t.codec}}
	if c.view.patches, err = t.patchesOf(l.stream, l.log, 0, math.MaxInt64); err != nil {
		return false, err
	}
	if err := t.goneCells(c.view, l.stream, l.log); err != nil {
		return false, err
	}
	if _, err := t.one([]any{&c.step}, stepOfMeter, l.meter); err != nil {
		return false, err
	}
	if more, err = c.takeHeads(); err != nil {
		return false, err
	}
	if len(c.view.heads) == 0 && len(c.view.patches) == 0 && without == nil {
		return false, nil
	}
	var all []seriesRow
	err = t.each(func(rows *sql.Rows) error {
		r := seriesRow{stream: l.stream, log: l.log}
		var key string
		err := rows.Scan(&r.id, &key)
		r.channel = logdb.ChannelKey(key)
		all = append(all, r)
		return err
	}, logSeries, l.stream, l.log)
	if err != nil {
		return false, fmt.Errorf("list the series of log %d: %w", l.log, err)
	}
	for i := range all {
		if err := c.mergeSeries(&all[i]); err != nil {
			return false, fmt.Errorf("compact series %s: %w", all[i].channel, err)
		}
	}
	for _, h := range c.view.heads {
		if _, err := t.exec(deleteHead, h.seq); err != nil {
			return false, fmt.Errorf("remove a merged page: %w", err)
		}
	}
	if len(c.view.patches) > 0 {
		if _, err := t.exec(deletePatches, l.stream, l.log); err != nil {
			return false, fmt.Errorf("remove applied changes: %w", err)
		}
	}
	return more, nil
}

// takeHeads loads the pages to merge. Changes may concern any of them, so then it takes all.
func (c *compactor) takeHeads() (more bool, err error) {
	total := 0
	err = c.each(func(rows *sql.Rows) error {
		var h headPage
		var n int
		var crc int64
		var data []byte
		if err := rows.Scan(&h.seq, &n, &crc, &data); err != nil {
			return err
		}
		err := checked(data, crc)
		if err == nil {
			err = c.codec.Page(data, &h.page)
		}
		if err != nil {
			return fmt.Errorf("head page %d: %w", h.seq, err)
		}
		c.view.heads = append(c.view.heads, h)
		total += n * max(1, len(h.page.Series))
		if total >= maxMerge && len(c.view.patches) == 0 && c.without == nil {
			more = true
			return errEnough
		}
		return nil
	}, headsToMerge, c.stream, c.log)
	if err != nil && more {
		err = nil
	}
	return more, err
}
