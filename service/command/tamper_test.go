package command_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
	"metermanager/rpc/api"
)

// wanted is what verify must name.
type wanted struct {
	kind     logdb.Kind
	log      logdb.LogNo
	day      logdb.Millis // 0: of several days, or of none
	position logdb.Position
	time     logdb.Millis
}

// tampering is one change by hand of one table.
type tampering struct {
	files []string // databases in which it is done
	table string
	what  string // delete, alter or add; then more
	do    func(h *hand) wanted
}

const (
	siteLogs  = "site-logs.db"
	cloudLogs = "cloud-logs.db"
	siteMeta  = "site-meta.db"
	cloudMeta = "cloud-meta.db"
)

var bothLogs = []string{siteLogs, cloudLogs}

// noRecords are the tables in which there is no record to lose, with the reason.
var noRecords = map[string]map[string]string{
	siteLogs:  logTables,
	cloudLogs: logTables,
	siteMeta: {
		"migration": "which files of the schema were applied", "cloud_destination": "settings", "cloud_meter": "settings",
		"cloud_item": "a cache", "cloud_ended": "names of streams that are not used again: without it a journal may get another id once", "cloud_gone": "names that are not used again: without it a restored node may have to draw another one later", "cloud_share": "which destinations decide alike: without it a stream has no decisions, and is decided again", "field_meter": "settings", "field_log": "where retrieval looks first; the raw records decide",
		"audit": "who did what: audit.check finds changes", "audit_head": "how long the audit is", "field_history": "what retrieval did, for people", "field_pickup": "settings", "field_fetched": "what need not be fetched again; what is, is a repeat", "node_setting": "settings of the node", "licence_period": "what is paid for", "audit_export": "settings",
	},
	cloudMeta: {
		"migration": "which files of the schema were applied", "customer": "accounts", "user": "accounts", "session": "accounts", "api_key": "accounts", "meter": "registered meters", "role": "accounts", "user_role": "accounts", "facility": "accounts", "user_facility": "accounts", "invitation": "accounts", "password_reset": "accounts", "reset_wish": "accounts", "mail": "letters to people", "meter_hardware": "registered meters, before they were replaced", "fetch_request": "questions of people, who can ask again", "audit": "who did what: audit.check finds changes", "audit_head": "how long the audit is", "node_setting": "settings of the node", "licence_period": "what is paid for", "audit_export": "settings",
	},
}

var logTables = map[string]string{
	"migration": "which files of the schema were applied", "meter": "settings of meters; a stream is found by it", "snapshot": "settings blocks; those that raw records name are checked by their digest",
	"archive": archived, "archived": archived, "quarter": archived, "gone": archived, "unapplied": archived, "cold": archived,
	"lost": "who accepted which loss, for people; what is lost follows from gone and cold",
}

// archived is why the tables of the archive are not here.
const archived = "empty while nothing is archived; changed by hand in TestTamperedArchive and the tests of logdb/sqlite"

func hist(position logdb.Position, time logdb.Millis) wanted {
	return wanted{kind: logdb.KindHistorical, day: time.Day(), position: position, time: time}
}

// tamperings lists what is done to the log databases.
func tamperings() []tampering {
	var out []tampering
	add := func(table, what string, do func(h *hand) wanted) {
		out = append(out, tampering{bothLogs, table, what, do})
		if table == "head" || table == "chunk" { // of another log too
			out = append(out, tampering{bothLogs, table, what + ", log 1", func(h *hand) wanted {
				h.log = 1
				w := do(h)
				w.log = 1
				return w
			}})
		}
	}
	add("head", "delete a row", func(h *hand) wanted {
		seq, rows, series := h.page()
		w := hist(rows.Positions[3], rows.Times[3])
		rows.Times, rows.Positions = cut(rows.Times, 3), cut(rows.Positions, 3)
		for c := range rows.Columns {
			rows.Columns[c] = cut(rows.Columns[c], 3)
		}
		h.putPage(seq, rows, series)
		return w
	})
	add("head", "alter a value", func(h *hand) wanted {
		seq, rows, series := h.page()
		rows.Columns[0][3] += 0.5
		h.putPage(seq, rows, series)
		return hist(rows.Positions[3], rows.Times[3])
	})
	add("head", "alter a time", func(h *hand) wanted {
		seq, rows, series := h.page()
		w := hist(rows.Positions[3], rows.Times[3])
		rows.Times[3] += 10
		h.putPage(seq, rows, series)
		return w
	})
	add("head", "add a row", func(h *hand) wanted {
		seq, rows, series := h.page()
		p, at := rows.Positions[rows.Len()-1]+500, rows.Times[rows.Len()-1]+1
		rows.Times, rows.Positions = append(rows.Times, at), append(rows.Positions, p)
		for c := range rows.Columns {
			rows.Columns[c] = append(rows.Columns[c], 1)
		}
		h.putPage(seq, rows, series)
		return hist(p, at)
	})
	add("head", "delete a page", func(h *hand) wanted {
		seq, rows, _ := h.page()
		h.exec(`DELETE FROM head WHERE seq = ?`, seq)
		return wanted{kind: logdb.KindHistorical, day: rows.Times[0].Day()}
	})
	add("head", "alter the times by which a page is found", func(h *hand) wanted {
		seq, rows, _ := h.page()
		h.exec(`UPDATE head SET t_max = t_min WHERE seq = ?`, seq)
		return hist(rows.Positions[0], rows.Times[0])
	})
	for _, channel := range []logdb.ChannelKey{volts, wh} {
		add("chunk", "delete a value of "+string(channel), func(h *hand) wanted {
			id, p := h.points(channel)
			w := hist(p.Positions[4], p.Times[4])
			h.putPoints(id, chunk.Points{Times: cut(p.Times, 4), Positions: cut(p.Positions, 4), Values: cut(p.Values, 4)})
			return w
		})
		add("chunk", "alter a value of "+string(channel), func(h *hand) wanted {
			id, p := h.points(channel)
			p.Values[4] -= 1
			h.putPoints(id, p)
			return hist(p.Positions[4], p.Times[4])
		})
		add("chunk", "add a value of "+string(channel), func(h *hand) wanted {
			id, p := h.points(channel)
			n := p.Len() - 1
			at, q := p.Times[n]+1, p.Positions[n]
			h.putPoints(id, chunk.Points{Times: append(p.Times, at), Positions: append(p.Positions, q), Values: append(p.Values, 7)})
			return hist(q, at)
		})
	}
	add("chunk", "alter the bytes", func(h *hand) wanted {
		id, p := h.points(volts)
		var data []byte
		h.one(`SELECT data FROM chunk WHERE id = ?`, []any{id}, &data)
		h.exec(`UPDATE chunk SET data = ? WHERE id = ?`, append(data, 0), id)
		return wanted{kind: logdb.KindHistorical, day: p.Times[0].Day()}
	})
	add("chunk", "delete", func(h *hand) wanted {
		id, p := h.points(volts)
		h.exec(`DELETE FROM chunk WHERE id = ?`, id)
		return wanted{kind: logdb.KindHistorical, day: p.Times[0].Day()}
	})
	add("chunk", "delete a mark", func(h *hand) wanted {
		id, m := h.marks()
		w := hist(m.Positions[4], m.Times[4])
		h.putMarks(id, chunk.Marks{Times: cut(m.Times, 4), Positions: cut(m.Positions, 4), Runs: cut(m.Runs, 4), Generations: cut(m.Generations, 4)})
		return w
	})
	add("chunk", "alter a mark", func(h *hand) wanted {
		id, m := h.marks()
		m.Runs[4]++
		h.putMarks(id, m)
		return hist(m.Positions[4], m.Times[4])
	})
	add("patch", "delete", func(h *hand) wanted {
		var p logdb.Position
		var at logdb.Millis
		h.one(`SELECT position, hide_ms FROM patch WHERE show_ms IS NOT NULL LIMIT 1`, nil, &p, &at)
		h.exec(`DELETE FROM patch WHERE position = ?`, p)
		return hist(p, at)
	})
	add("patch", "alter", func(h *hand) wanted {
		var p logdb.Position
		var at logdb.Millis
		h.one(`SELECT position, show_ms FROM patch WHERE show_ms IS NOT NULL LIMIT 1`, nil, &p, &at)
		h.exec(`UPDATE patch SET show_ms = show_ms + 1 WHERE position = ?`, p)
		return hist(p, at)
	})
	add("patch", "add", func(h *hand) wanted {
		_, rows, _ := h.page()
		h.exec(`INSERT INTO patch (stream, log, position, hide_ms, run, generation) VALUES (?, 0, ?, ?, 0, 0)`, h.stream(logdb.KindHistorical), rows.Positions[9], rows.Times[9])
		return hist(rows.Positions[9], rows.Times[9])
	})
	add("roll", "alter", func(h *hand) wanted {
		id, p := h.points(volts)
		var data []byte
		h.one(`SELECT data FROM roll WHERE id >> 24 = ?`, []any{id >> 24}, &data)
		var r chunk.Roll
		h.must(h.codec.Roll(data, &r))
		r.Buckets[0].Sum++
		data, err := h.codec.AppendRoll(nil, &r)
		h.must(err)
		h.exec(`UPDATE roll SET crc = ?, data = ? WHERE id >> 24 = ?`, int64(chunk.Checksum(data)), data, id>>24)
		return wanted{kind: logdb.KindHistorical, day: p.Times[0].Day(), time: p.Times[0].Floor(60 * oneMinute)}
	})
	add("roll", "delete", func(h *hand) wanted {
		id, p := h.points(volts)
		h.exec(`DELETE FROM roll WHERE id >> 24 = ?`, id>>24)
		return wanted{kind: logdb.KindHistorical, day: p.Times[0].Day()}
	})
	add("roll", "add", func(h *hand) wanted {
		h.exec(`INSERT INTO roll (id, crc, data) SELECT id + 28, crc, data FROM roll LIMIT 1`)
		return wanted{kind: logdb.KindHistorical}
	})
	add("series", "delete", func(h *hand) wanted {
		id, p := h.points(volts)
		h.exec(`DELETE FROM series WHERE id = ?`, id>>24)
		return wanted{kind: logdb.KindHistorical, day: p.Times[0].Day()}
	})
	add("series", "alter", func(h *hand) wanted {
		id, p := h.points(volts)
		h.exec(`UPDATE series SET log = 7 WHERE id = ?`, id>>24)
		return wanted{kind: logdb.KindHistorical, day: p.Times[0].Day()}
	})
	add("channel", "alter", func(h *hand) wanted {
		h.exec(`UPDATE channel SET key = 'readings.voltage.bn' WHERE key = ?`, string(volts))
		return wanted{kind: logdb.KindHistorical, day: tamperDay}
	})
	add("extent", "delete", func(h *hand) wanted {
		h.exec(`DELETE FROM extent WHERE stream = ? AND log = 0`, h.stream(logdb.KindHistorical))
		return wanted{kind: logdb.KindHistorical}
	})
	add("stream", "delete", func(h *hand) wanted {
		h.exec(`DELETE FROM stream WHERE id = ?`, h.stream(logdb.KindPQ))
		return wanted{kind: logdb.KindPQ, day: tamperDay}
	})
	add("stream", "alter the end", func(h *hand) wanted {
		h.exec(`UPDATE stream SET journal_end = journal_end + 5 WHERE id = ?`, h.stream(logdb.KindPQ))
		return wanted{kind: logdb.KindPQ}
	})
	out = append(out, entryTamperings()...)
	out = append(out, otherTamperings()...)
	return append(out, decisionTamperings()...)
}

// entryTamperings change events, recordings, revises, withdraws, gaps and closes, kind by kind.
func entryTamperings() (out []tampering) {
	find := func(h *hand, kind logdb.Kind, op logdb.Op) storedEntry {
		return h.entry(`stream = ? AND op = ? ORDER BY position LIMIT 1`, h.stream(kind), op)
	}
	of := func(kind logdb.Kind, e *logdb.Entry) wanted {
		return wanted{kind: kind, log: e.Log, day: e.Time.Day(), position: e.Position, time: e.Time}
	}
	type sort struct {
		kind logdb.Kind
		op   logdb.Op
	}
	sorts := []sort{
		{logdb.KindHistorical, logdb.OpAdd}, {logdb.KindHistorical, logdb.OpRevise}, {logdb.KindHistorical, logdb.OpWithdraw}, {logdb.KindHistorical, logdb.OpGap}, {logdb.KindHistorical, logdb.OpClose},
		{logdb.KindSystem, logdb.OpAdd}, {logdb.KindLimit, logdb.OpAdd}, {logdb.KindLimit, logdb.OpRevise}, {logdb.KindPQ, logdb.OpAdd}, {logdb.KindPQ, logdb.OpRevise}, {logdb.KindWaveform, logdb.OpAdd},
	}
	for _, s := range sorts {
		add := func(what string, do func(h *hand) wanted) {
			out = append(out, tampering{bothLogs, "entry", fmt.Sprintf("%s %s %s", what, s.kind, s.op), do})
		}
		add("delete", func(h *hand) wanted {
			e := find(h, s.kind, s.op)
			h.exec(`DELETE FROM entry WHERE id = ?`, e.id)
			return of(s.kind, &e.e)
		})
		add("alter the time of", func(h *hand) wanted {
			e := find(h, s.kind, s.op)
			w := of(s.kind, &e.e)
			e.e.Time++
			h.put(e)
			return w
		})
		add("alter the reason of", func(h *hand) wanted {
			e := find(h, s.kind, s.op)
			e.e.Why = "another reason"
			h.put(e)
			return of(s.kind, &e.e)
		})
		add("alter the content of", func(h *hand) wanted {
			e := find(h, s.kind, s.op)
			switch {
			case e.e.System != nil:
				e.e.System.Code++
			case e.e.Excursion != nil:
				e.e.Excursion.Worst++
			case e.e.Waveform != nil:
				e.e.Waveform.FrequencyHz++
			case e.e.Gap != nil:
				e.e.Gap.Cause = logdb.GapBusy
			default:
				e.e.Run++
			}
			h.put(e)
			return of(s.kind, &e.e)
		})
		add("add", func(h *hand) wanted {
			e := find(h, s.kind, s.op)
			h.exec(`INSERT INTO entry (meter, kind, stream, position, op, target, log, time_ms, shown, live, channel, code, digest, crc, data)
				SELECT meter, kind, stream, 900, op, target, log, time_ms, shown, live, channel, code, digest, crc, data FROM entry WHERE id = ?`, e.id)
			if _, err := h.db.Exec(`INSERT INTO sample (entry, data) SELECT (SELECT max(id) FROM entry WHERE position = 900), data FROM sample WHERE entry = ?`, e.id); err != nil {
				h.t.Fatal(err)
			}
			return wanted{kind: s.kind, log: e.e.Log, day: e.e.Time.Day(), position: 900, time: e.e.Time}
		})
	}
	one := func(table, what string, kind logdb.Kind, do func(h *hand, e storedEntry)) {
		out = append(out, tampering{bothLogs, table, what, func(h *hand) wanted {
			e := find(h, kind, logdb.OpAdd)
			do(h, e)
			return of(kind, &e.e)
		}})
	}
	one("entry", "alter which version counts", logdb.KindPQ, func(h *hand, e storedEntry) { h.exec(`UPDATE entry SET live = 1 - live WHERE id = ?`, e.id) })
	one("entry", "alter under what it is filed", logdb.KindLimit, func(h *hand, e storedEntry) {
		h.exec(`UPDATE entry SET channel = 'readings.voltage.bn' WHERE id = ?`, e.id)
	})
	one("sample", "delete", logdb.KindWaveform, func(h *hand, e storedEntry) { h.exec(`DELETE FROM sample WHERE entry = ?`, e.id) })
	one("sample", "alter", logdb.KindWaveform, func(h *hand, e storedEntry) {
		h.exec(`UPDATE sample SET data = (SELECT data FROM sample WHERE entry <> ? LIMIT 1) WHERE entry = ?`, e.id, e.id)
	})
	return out
}

// otherTamperings change claims, fates, raw records and what decides over repeats.
func otherTamperings() (out []tampering) {
	add := func(files []string, table, what string, do func(h *hand) wanted) {
		out = append(out, tampering{files, table, what, do})
	}
	for _, kind := range logdb.Kinds {
		add(bothLogs, "claim", fmt.Sprintf("delete %s", kind), func(h *hand) wanted {
			h.exec(`DELETE FROM claim WHERE stream = ? AND day = ?`, h.stream(kind), tamperDay)
			return wanted{kind: kind, day: tamperDay}
		})
		add(bothLogs, "claim", fmt.Sprintf("alter %s", kind), func(h *hand) wanted {
			var data []byte
			id := h.stream(kind)
			h.one(`SELECT data FROM claim WHERE stream = ? AND day = ? AND log = 0`, []any{id, tamperDay}, &data)
			data[len(data)-1] ^= 1
			h.exec(`UPDATE claim SET data = ? WHERE stream = ? AND day = ? AND log = 0`, data, id, tamperDay)
			return wanted{kind: kind, day: tamperDay}
		})
		add(bothLogs, "claim", fmt.Sprintf("add %s", kind), func(h *hand) wanted {
			h.exec(`INSERT INTO claim (stream, log, day, data) SELECT stream, log, ?, data FROM claim WHERE stream = ? AND day = ? AND log = 0`, tamperDay-logdb.DayMillis, h.stream(kind), tamperDay)
			return wanted{kind: kind, day: tamperDay - logdb.DayMillis}
		})
		add(bothLogs, "fate", fmt.Sprintf("delete one of %s", kind), func(h *hand) wanted {
			id, set := h.fates(kind)
			set.Remove(2, 2)
			h.putFates(id, set)
			return wanted{kind: kind, position: 2}
		})
		add(bothLogs, "fate", fmt.Sprintf("alter one of %s", kind), func(h *hand) wanted {
			id, set := h.fates(kind)
			set.Put(logdb.FateRange{First: 2, Last: 2, Fate: logdb.FateHeld})
			h.putFates(id, set)
			return wanted{kind: kind, position: 2}
		})
		add(bothLogs, "fate", fmt.Sprintf("add one to %s", kind), func(h *hand) wanted {
			id, set := h.fates(kind)
			p := set.Highest() + 1
			set.Put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateStored})
			h.putFates(id, set)
			return wanted{kind: kind, position: p}
		})
		raw := []string{siteLogs}
		add(raw, "raw", fmt.Sprintf("delete one of %s", kind), func(h *hand) wanted {
			id, list := h.raw(kind)
			h.putRaw(id, cut(list, 1))
			return wanted{kind: kind, day: list[1].at.Day(), position: list[1].p, time: list[1].at}
		})
		add(raw, "raw", fmt.Sprintf("alter one of %s", kind), func(h *hand) wanted {
			id, list := h.raw(kind)
			list[1].data[0]++
			h.putRaw(id, list)
			return wanted{kind: kind, day: list[1].at.Day(), position: list[1].p, time: list[1].at}
		})
		add(raw, "raw", fmt.Sprintf("add one to %s", kind), func(h *hand) wanted {
			id, list := h.raw(kind)
			x := list[len(list)-1]
			x.p += 500
			h.putRaw(id, append(list, x))
			return wanted{kind: kind, day: x.at.Day(), position: x.p, time: x.at}
		})
		add(raw, "batch", fmt.Sprintf("delete one of %s", kind), func(h *hand) wanted {
			id := h.stream(kind)
			var p logdb.Position
			h.one(`SELECT min(last) FROM batch WHERE stream = ?`, []any{id}, &p)
			h.exec(`DELETE FROM batch WHERE stream = ? AND last = ?`, id, p)
			return wanted{kind: kind, position: p}
		})
		add(bothLogs, "witness", fmt.Sprintf("delete one of %s", kind), func(h *hand) wanted {
			id := h.stream(kind)
			var p logdb.Position
			h.one(`SELECT min(position) FROM witness WHERE stream = ?`, []any{id}, &p)
			h.exec(`DELETE FROM witness WHERE stream = ? AND position = ?`, id, p)
			return wanted{kind: kind, position: p}
		})
		add(bothLogs, "witness", fmt.Sprintf("alter one of %s", kind), func(h *hand) wanted {
			id := h.stream(kind)
			var p logdb.Position
			h.one(`SELECT min(position) FROM witness WHERE stream = ?`, []any{id}, &p)
			h.exec(`UPDATE witness SET sum = sum + 1 WHERE stream = ? AND position = ?`, id, p)
			return wanted{kind: kind, position: p}
		})
		add(raw, "ledger", fmt.Sprintf("alter one of %s", kind), func(h *hand) wanted {
			h.exec(`UPDATE ledger SET a = a + 1 WHERE stream = ? AND what = 1 AND day = ?`, h.stream(kind), tamperDay)
			return wanted{kind: kind, day: tamperDay}
		})
		add(raw, "ledger", fmt.Sprintf("delete one of %s", kind), func(h *hand) wanted {
			h.exec(`DELETE FROM ledger WHERE stream = ? AND what = 1 AND day = ?`, h.stream(kind), tamperDay)
			return wanted{kind: kind, day: tamperDay}
		})
	}
	for _, kind := range []logdb.Kind{logdb.KindLimit, logdb.KindPQ} {
		waiting := func(what, query string) {
			add([]string{siteLogs}, "open_start", fmt.Sprintf("%s %s", what, kind), func(h *hand) wanted {
				var at logdb.Millis
				h.one(`SELECT start_ms FROM open_start WHERE kind = ?`, []any{kind}, &at)
				h.exec(query, kind)
				return wanted{kind: kind, day: at.Day(), time: at}
			})
		}
		waiting("delete", `DELETE FROM open_start WHERE kind = ?`)
		waiting("alter", `UPDATE open_start SET raw = x'00' WHERE kind = ?`)
		waiting("add", `INSERT INTO open_start (meter, kind, log, start_ms, data, raw) SELECT meter, kind, log, start_ms, data, x'01' FROM open_start WHERE kind = ?`)
	}
	for table, queries := range map[string][]string{
		"slot":  {`DELETE FROM slot WHERE position = 2`, `UPDATE slot SET time_ms = time_ms + 1 WHERE position = 2`, `INSERT INTO slot SELECT stream, time_ms, 800 FROM slot WHERE position = 2`},
		"seen":  {`DELETE FROM seen WHERE position = 1`, `UPDATE seen SET n = n + 1 WHERE position = 1`, `INSERT INTO seen SELECT stream, x'00', 1, 1 FROM seen LIMIT 1`},
		"ended": {`DELETE FROM ended`, `UPDATE ended SET position = 900`, `INSERT INTO ended SELECT stream, 900 FROM ended`},
		"kept":  {`DELETE FROM kept`, `UPDATE kept SET data = x'00010203'`, `INSERT INTO kept SELECT stream, day + 86400000, data FROM kept LIMIT 1`},
	} {
		for i, query := range queries {
			add([]string{cloudLogs}, table, []string{"delete", "alter", "add"}[i], func(h *hand) wanted {
				h.exec(query)
				return wanted{}
			})
		}
	}
	return out
}

// decisionTamperings change what the cloud sync of the site keeps.
func decisionTamperings() (out []tampering) {
	add := func(table, what string, do func(h *hand) wanted) {
		out = append(out, tampering{[]string{siteMeta}, table, what, do})
	}
	for _, kind := range logdb.Kinds {
		stream := func(h *hand) (row int64) {
			h.one(`SELECT id FROM cloud_stream WHERE kind = ?`, []any{kind}, &row)
			return row
		}
		fates := func(h *hand, change func(*logdb.FateSet)) {
			var data []byte
			h.one(`SELECT fates FROM cloud_fates WHERE stream = ?`, []any{stream(h)}, &data)
			var set logdb.FateSet
			h.must(set.UnmarshalBinary(data))
			change(&set)
			data, err := set.AppendBinary(nil)
			h.must(err)
			h.exec(`UPDATE cloud_fates SET fates = ? WHERE stream = ?`, data, stream(h))
		}
		add("cloud_fates", fmt.Sprintf("delete one of %s", kind), func(h *hand) wanted {
			fates(h, func(s *logdb.FateSet) { s.Remove(2, 2) })
			return wanted{kind: kind, day: tamperDay, position: 2}
		})
		add("cloud_fates", fmt.Sprintf("alter one of %s", kind), func(h *hand) wanted {
			fates(h, func(s *logdb.FateSet) { s.Put(logdb.FateRange{First: 2, Last: 2, Fate: logdb.FateHeld}) })
			return wanted{kind: kind, day: tamperDay, position: 2}
		})
		add("cloud_fates", fmt.Sprintf("add one to %s", kind), func(h *hand) wanted {
			var p logdb.Position
			fates(h, func(s *logdb.FateSet) {
				p = s.Highest() + 1
				s.Put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateStored})
			})
			return wanted{kind: kind, position: p}
		})
		for what, query := range map[string]string{
			"delete": `DELETE FROM cloud_stream WHERE id = ?`, "alter the end of": `UPDATE cloud_stream SET journal_end = journal_end + 1 WHERE id = ?`,
			"alter the policy of": `UPDATE cloud_stream SET policy = '{"generation":"1"}' WHERE id = ?`,
		} {
			add("cloud_stream", what+" "+kind.String(), func(h *hand) wanted {
				h.exec(query, stream(h))
				return wanted{kind: kind}
			})
		}
		add("cloud_set", "add to "+kind.String(), func(h *hand) wanted {
			h.exec(`INSERT INTO cloud_set (stream, name, positions) VALUES (?, 'asked', x'')`, stream(h))
			return wanted{kind: kind}
		})
		for what, query := range map[string]string{"delete": `DELETE FROM cloud_check WHERE stream = ?`, "alter": `UPDATE cloud_check SET sum = sum + 1 WHERE stream = ?`} {
			add("cloud_check", what+" "+kind.String(), func(h *hand) wanted {
				h.exec(query, stream(h))
				return wanted{kind: kind}
			})
		}
	}
	for _, kind := range []logdb.Kind{logdb.KindHistorical, logdb.KindLimit, logdb.KindPQ} {
		const first = ` (SELECT target FROM cloud_change c JOIN cloud_stream s ON s.journal = c.journal WHERE s.kind = ?1 ORDER BY target LIMIT 1) AND journal = (SELECT journal FROM cloud_stream WHERE kind = ?1)`
		for what, query := range map[string]string{
			"delete": `DELETE FROM cloud_change WHERE target =` + first, "alter": `UPDATE cloud_change SET target = target + 1 WHERE target =` + first,
			"add": `INSERT INTO cloud_change SELECT journal, target, position + 70 FROM cloud_change WHERE target =` + first,
		} {
			add("cloud_change", what+" "+kind.String(), func(h *hand) wanted {
				var p logdb.Position
				h.one(`SELECT position FROM cloud_change WHERE target =`+first, []any{kind}, &p)
				if what == "add" {
					p += 70
				}
				h.exec(query, kind)
				return wanted{kind: kind, position: p}
			})
		}
	}
	for what, query := range map[string]string{
		"delete": `DELETE FROM cloud_limit_count WHERE span = 'hour'`, "alter": `UPDATE cloud_limit_count SET count = count + 1 WHERE span = 'hour'`,
		"add": `INSERT INTO cloud_limit_count SELECT destination, journal, cut, start_ms + 864000000, span, count FROM cloud_limit_count WHERE span = 'day' LIMIT 1`,
	} {
		add("cloud_limit_count", what, func(h *hand) wanted {
			h.exec(query)
			return wanted{}
		})
	}
	add("cloud_tally", "alter", func(h *hand) wanted {
		h.exec(`UPDATE cloud_tally SET n = n + 1`)
		return wanted{}
	})
	return out
}

// Whatever is deleted, altered or added by hand, in whatever table: verify says so, and names the meter, the log, the day and the record.
func TestTampering(t *testing.T) {
	t.Parallel()
	from := template(t)
	everyTableIsCovered(t, from)
	for i, c := range tamperings() {
		if testing.Short() && i%5 != 0 {
			continue
		}
		for _, file := range c.files {
			t.Run(strings.Join([]string{strings.TrimSuffix(file, ".db"), c.table, c.what}, "/"), func(t *testing.T) {
				t.Parallel()
				dir := copyFolder(t, from)
				want := tamper(t, filepath.Join(dir, file), c.do)
				b := openTwoNodes(t, dir)
				defer b.stop()
				mustName(t, b.verify(want.kind), want)
			})
		}
	}
}

func tamper(t *testing.T, path string, do func(h *hand) wanted) wanted {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	want := byHand(t, db, do)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return want
}

func byHand(t *testing.T, db tables, do func(h *hand) wanted) wanted {
	t.Helper()
	codec, err := chunk.New()
	if err != nil {
		t.Fatal(err)
	}
	return do(&hand{t: t, db: db, codec: codec})
}

// mustName fails unless the report calls records different and names the wanted one.
func mustName(t *testing.T, r api.VerifyReport, want wanted) {
	t.Helper()
	if r.Different == 0 {
		t.Fatalf("nothing differs: %+v", r)
	}
	for _, d := range r.Days {
		if d.State != "different" || want.kind != 0 && d.Kind != want.kind.String() || want.day != 0 && d.Day != want.day || d.Name != "Main" || d.Log != want.log && want.time != 0 {
			continue
		}
		if d.Advice == "" || d.Reason == "" {
			t.Errorf("no reason or advice: %+v", d)
		}
		if strings.HasPrefix(d.Reason, "the cloud holds records that it never stored") && strings.Contains(d.Advice, "this node") {
			t.Errorf("only the cloud is at fault, and %q is advised", d.Advice)
		}
		if want.position == 0 && want.time == 0 {
			return
		}
		for _, x := range d.Records {
			if (want.position == 0 || x.Position == want.position || x.Position < want.position && x.Last >= want.position) && (want.time == 0 || x.Time == want.time) {
				return
			}
		}
	}
	t.Errorf("%+v is not named, only:", want)
	for _, d := range r.Days {
		t.Errorf("  %+v", d)
	}
}

// everyTableIsCovered fails for a table that is neither tampered with nor listed as holding no records.
func everyTableIsCovered(t *testing.T, dir string) {
	t.Helper()
	done := map[string]bool{}
	for _, c := range tamperings() {
		for _, file := range c.files {
			done[file+" "+c.table] = true
			if c.files[0] == siteLogs && len(c.files) == 1 || c.files[0] == cloudLogs {
				done[siteLogs+" "+c.table], done[cloudLogs+" "+c.table] = true, true // one schema, filled at one of them only
			}
		}
	}
	for _, file := range []string{siteLogs, cloudLogs, siteMeta, cloudMeta} {
		db, err := sql.Open("sqlite", filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		_ = db.Close()
		slices.Sort(names)
		for _, name := range names {
			if _, excused := noRecords[file][name]; !excused && !done[file+" "+name] {
				t.Errorf("table %s of %s is neither tampered with nor listed as holding no records", name, file)
			}
		}
	}
}
