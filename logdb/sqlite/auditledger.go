package sqlite

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

type ledgerKey struct {
	what ledgerWhat
	log  logdb.LogNo
	day  logdb.Millis
}

const (
	listLedger   = `SELECT what, log, day, n, a, b FROM ledger WHERE stream = ?`
	listRaw      = `SELECT id, snapshot, data, log, p_min, p_max FROM raw WHERE stream = ?`
	listBatches  = `SELECT last, chain FROM batch WHERE stream = ? AND last > 0`
	listOpenRows = `SELECT log, start_ms, data, raw FROM open_start WHERE meter = ? AND kind = ?`
	listSlots    = `SELECT time_ms, position FROM slot WHERE stream = ?`
	listSeen     = `SELECT digest, n, position FROM seen WHERE stream = ?`
	listEnded    = `SELECT position FROM ended WHERE stream = ?`
	listKept     = `SELECT day, data FROM kept WHERE stream = ?`
)

// ledgers compares what no claim counts with the ledger.
func (a *auditor) ledgers() error {
	want := map[ledgerKey]logdb.Tally{}
	err := a.each(func(rows *sql.Rows) error {
		var k ledgerKey
		var t logdb.Tally
		var x, y int64
		err := rows.Scan(&k.what, &k.log, &k.day, &t.Count, &x, &y)
		t.Sum = [2]uint64{uint64(x), uint64(y)}
		want[k] = t
		return err
	}, listLedger, a.id)
	if err != nil {
		return err
	}
	have := map[ledgerKey]*ledgerDay{}
	for _, step := range []func(map[ledgerKey]*ledgerDay) error{a.rawRecords, a.batches, a.openStarts, a.contents, a.letGo} {
		if err := step(have); err != nil {
			return err
		}
	}
	if !a.witnessed {
		return nil
	}
	for k := range want {
		if have[k] == nil {
			have[k] = &ledgerDay{}
		}
	}
	for k, day := range have {
		if day.tally != want[k] {
			a.nameLedger(k, day, want[k])
		}
	}
	return nil
}

// ledgerDay is what is held of one row of the ledger.
type ledgerDay struct {
	tally  logdb.Tally
	points []logdb.Point
}

func note(have map[ledgerKey]*ledgerDay, k ledgerKey, p logdb.Position, at logdb.Millis, bits uint64) {
	d := have[k]
	if d == nil {
		d = &ledgerDay{}
		have[k] = d
	}
	d.tally.AddBits(p, at, bits)
	d.points = append(d.points, logdb.Point{Position: p, Time: at, Bits: bits})
}

func (a *auditor) nameLedger(k ledgerKey, day *ledgerDay, want logdb.Tally) {
	place := map[ledgerWhat]logdb.Place{ledgerRaw: logdb.PlaceRaw, ledgerBatch: logdb.PlaceChain, ledgerOpen: logdb.PlaceOpen, ledgerGone: logdb.PlaceClaim, ledgerLate: logdb.PlaceClaim, ledgerSamples: logdb.PlaceClaim}[k.what]
	if place == "" {
		place = logdb.PlaceContent
	}
	f := logdb.Finding{Place: place, Log: k.log, Day: k.day}
	known := a.everyPosition(nil)
	if k.what == ledgerOpen || k.what == ledgerKept || k.what == ledgerGone {
		known = func(yield func(logdb.Position) bool) { yield(1) }
	}
	was, is := logdb.Differ(want, day.tally, k.day, day.points, known)
	at := was
	switch {
	case was != nil && is != nil:
		f.Fault = logdb.FaultAltered
	case was != nil:
		f.Fault = logdb.FaultMissing
	case is != nil:
		f.Fault, at = logdb.FaultExtra, is
	case want == logdb.Tally{}:
		f.Place, f.Fault, f.Count = logdb.PlaceClaim, logdb.FaultMissing, day.tally.Count
	case want.Count > day.tally.Count:
		f.Fault, f.Count = logdb.FaultMissing, want.Count-day.tally.Count
	case want.Count < day.tally.Count:
		f.Fault, f.Count = logdb.FaultExtra, day.tally.Count-want.Count
	default:
		f.Fault, f.Count = logdb.FaultAltered, 1
	}
	if at != nil {
		f.Position, f.Time = at.Position, at.Time
		if k.what == ledgerOpen || k.what == ledgerKept || k.what == ledgerGone {
			f.Position = 0
		}
	}
	a.add(f)
}

const (
	listLetGo     = `SELECT log, day FROM gone WHERE stream = ?`
	listLate      = `SELECT log, time_ms, position FROM unapplied WHERE stream = ?`
	listNoSamples = `SELECT e.time_ms, e.position FROM cold k JOIN entry e ON e.id = k.entry WHERE e.stream = ? AND k.file IS NULL`
)

// letGo looks at what was let go for its age.
func (a *auditor) letGo(have map[ledgerKey]*ledgerDay) error {
	var log logdb.LogNo
	var day int64
	var at logdb.Millis
	var p logdb.Position
	err := a.each(func(rows *sql.Rows) error {
		err := rows.Scan(&log, &day)
		at := logdb.Millis(day) * logdb.DayMillis
		note(have, ledgerKey{ledgerGone, log, at}, 1, at, 0)
		return err
	}, listLetGo, a.id)
	if err == nil {
		err = a.each(func(rows *sql.Rows) error {
			err := rows.Scan(&log, &at, &p)
			note(have, ledgerKey{ledgerLate, log, at.Day()}, p, at, 0)
			return err
		}, listLate, a.id)
	}
	if err == nil {
		err = a.each(func(rows *sql.Rows) error {
			err := rows.Scan(&at, &p)
			note(have, ledgerKey{what: ledgerSamples, day: at.Day()}, p, at, 0)
			return err
		}, listNoSamples, a.id)
	}
	return err
}

// rawRecords looks at the meter's own bytes.
func (a *auditor) rawRecords(have map[ledgerKey]*ledgerDay) error {
	snapshots := map[logdb.Digest]bool{}
	err := a.each(func(rows *sql.Rows) error {
		var r rawRow
		var snapshot, data []byte
		var log logdb.LogNo
		var pMin, pMax logdb.Position
		if err := rows.Scan(&r.id, &snapshot, &data, &log, &pMin, &pMax); err != nil {
			return err
		}
		var id logdb.Digest
		copy(id[:], snapshot)
		snapshots[id] = true
		f := logdb.Finding{Place: logdb.PlaceRaw, Fault: logdb.FaultAltered, Log: log, Position: pMin, Last: pMax}
		plain, err := a.codec.Bytes(data)
		if err == nil {
			r.records, err = decodeRaw(plain, id)
		}
		if err != nil || len(r.records) == 0 {
			f.Have = fmt.Sprintf("they cannot be read: %v", err)
			a.add(f)
			return nil
		}
		n := len(r.records)
		f.Time = r.records[0].Time
		f.Day = f.Time.Day()
		if r.records[0].Position != pMin || r.records[n-1].Position != pMax {
			f.Position, f.Last, f.Have, f.Want = r.records[0].Position, r.records[n-1].Position, "they are filed under other positions", "their own"
			a.add(f)
		}
		for i := range r.records {
			x := &r.records[i]
			note(have, ledgerKey{ledgerRaw, log, x.Time.Day()}, x.Position, x.Time, rawBits(x))
		}
		return nil
	}, listRaw, a.id)
	if err != nil {
		return err
	}
	for id := range snapshots {
		var packed []byte
		ok, err := a.one([]any{&packed}, `SELECT data FROM snapshot WHERE meter = ? AND id = ?`, a.meter, id[:])
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if data, err := a.codec.Bytes(packed); err != nil || logdb.DigestOf(data) != id {
			a.add(logdb.Finding{Place: logdb.PlaceRaw, Fault: logdb.FaultAltered, Have: "another settings block", Want: "settings block " + id.String()})
		}
	}
	return nil
}

func (a *auditor) batches(have map[ledgerKey]*ledgerDay) error {
	var last logdb.Position
	var chain []byte
	err := a.each(func(rows *sql.Rows) error {
		var p logdb.Position
		var c []byte
		err := rows.Scan(&p, &c)
		note(have, ledgerKey{what: ledgerBatch}, p, 0, chainBits(c))
		if p > last {
			last, chain = p, c
		}
		return err
	}, listBatches, a.id)
	if err == nil && a.own && a.end > 0 && (last != a.end || string(chain) != string(a.chain)) {
		a.add(logdb.Finding{
			Place: logdb.PlaceChain, Fault: logdb.FaultAltered, Position: a.end,
			Have: fmt.Sprintf("end %d, chain %x", a.end, a.chain), Want: fmt.Sprintf("end %d, chain %x", last, chain),
		})
	}
	return err
}

func (a *auditor) openStarts(have map[ledgerKey]*ledgerDay) error {
	if !a.own {
		return nil
	}
	return a.each(func(rows *sql.Rows) error {
		var log logdb.LogNo
		var start logdb.Millis
		var data, raw []byte
		err := rows.Scan(&log, &start, &data, &raw)
		note(have, ledgerKey{ledgerOpen, log, start.Day()}, 1, start, openBits(data, raw))
		return err
	}, listOpenRows, a.meter, a.kind)
}

// contents looks at what decides over repeats and limits.
func (a *auditor) contents(have map[ledgerKey]*ledgerDay) error {
	err := a.each(func(rows *sql.Rows) error {
		var at logdb.Millis
		var p logdb.Position
		err := rows.Scan(&at, &p)
		note(have, ledgerKey{what: ledgerSlot, day: at.Day()}, p, at, 0)
		return err
	}, listSlots, a.id)
	if err != nil {
		return err
	}
	err = a.each(func(rows *sql.Rows) error {
		var digest []byte
		var n int
		var p logdb.Position
		err := rows.Scan(&digest, &n, &p)
		note(have, ledgerKey{what: ledgerSeen}, p, 0, seenBits(digest, n))
		return err
	}, listSeen, a.id)
	if err != nil {
		return err
	}
	err = a.each(func(rows *sql.Rows) error {
		var p logdb.Position
		err := rows.Scan(&p)
		note(have, ledgerKey{what: ledgerEnded}, p, 0, 0)
		return err
	}, listEnded, a.id)
	if err != nil {
		return err
	}
	return a.each(func(rows *sql.Rows) error {
		var day logdb.Millis
		var data []byte
		err := rows.Scan(&day, &data)
		for ; len(data) >= 8; data = data[8:] {
			note(have, ledgerKey{what: ledgerKept, day: day}, 1, 0, binary.BigEndian.Uint64(data))
		}
		return err
	}, listKept, a.id)
}

const (
	strayEntries = `SELECT log, min(time_ms), min(position), max(position), count(*) FROM entry WHERE meter = ? AND kind = ? AND stream NOT IN (SELECT id FROM stream WHERE meter = ?1) GROUP BY stream, log`
	straySeries  = `SELECT DISTINCT log FROM series WHERE meter = ? AND stream NOT IN (SELECT id FROM stream WHERE meter = ?1)`
)

// strays reports what is held of a log and belongs to no stream, and streams whose fates cannot be read.
func (a *auditor) strays(c *conn, uid logdb.MeterUID, kind logdb.Kind) error {
	meter, err := c.meterID(uid)
	if err != nil || meter == 0 {
		return err
	}
	err = c.each(func(rows *sql.Rows) error {
		f := logdb.Finding{Place: logdb.PlaceEntry, Fault: logdb.FaultExtra, Have: "records of a stream that is not there"}
		err := rows.Scan(&f.Log, &f.Time, &f.Position, &f.Last, &f.Count)
		f.Day = f.Time.Day()
		a.add(f)
		return err
	}, strayEntries, meter, kind)
	if err != nil {
		return err
	}
	if kind == logdb.KindHistorical {
		err = c.each(func(rows *sql.Rows) error {
			f := logdb.Finding{Place: logdb.PlaceValue, Fault: logdb.FaultExtra, Have: "values of a stream that is not there"}
			err := rows.Scan(&f.Log)
			a.add(f)
			return err
		}, straySeries, meter)
		if err != nil {
			return err
		}
	}
	var streams []int64
	err = c.each(func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		streams = append(streams, id)
		return err
	}, `SELECT id FROM stream WHERE meter = ? AND kind = ?`, meter, kind)
	for _, id := range streams {
		if err != nil {
			break
		}
		if _, ferr := c.fatesOf(id); errors.Is(ferr, logdb.ErrInvalid) || errors.Is(ferr, chunk.ErrDamaged) {
			a.digester = &digester{conn: c, id: id}
			err = a.readFates()
			a.digester = nil
		} else {
			err = ferr
		}
	}
	return err
}
