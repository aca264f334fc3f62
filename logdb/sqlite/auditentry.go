package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"metermanager/logdb"
)

const (
	listEntries = `SELECT ` + entryColumns + `, e.channel, e.code FROM entry e WHERE e.stream = ? ORDER BY e.position`
	listWitness = `SELECT position, op, target, log, time_ms, sum FROM witness WHERE stream = ?`
	listCutLive = `SELECT stream, position, op, target, shown, live FROM entry WHERE stream = ?`
)

// noted is what is kept apart of an entry.
type noted struct {
	entry logdb.Entry // without its record
	sum   int64
}

// entries compares every entry with what is kept apart of it.
func (a *auditor) entries() error {
	notes, err := a.witnesses()
	if err != nil {
		return err
	}
	lives, err := a.lives()
	if err != nil {
		return err
	}
	var found []filedRow
	err = a.each(func(rows *sql.Rows) error {
		var r filedRow
		err := scanEntry(rows, &r.entryRow, &r.channel, &r.code)
		found = append(found, r)
		return err
	}, listEntries, a.id)
	if err != nil {
		return err
	}
	for i := range found {
		r := &found[i]
		p := r.entry.Position
		a.standing[p] = true
		note, known := notes[p]
		delete(notes, p)
		a.entry(r, note, known, lives)
		r.entry, r.data = logdb.Entry{}, nil // recordings are large
	}
	for _, p := range slices.Sorted(maps.Keys(notes)) {
		note := notes[p].entry
		f := findingOf(&note)
		f.Fault, f.Want = logdb.FaultMissing, opText(&note)
		a.addEntry(f)
	}
	return nil
}

func (a *auditor) witnesses() (map[logdb.Position]noted, error) {
	out := map[logdb.Position]noted{}
	err := a.each(func(rows *sql.Rows) error {
		var n noted
		e := &n.entry
		err := rows.Scan(&e.Position, &e.Op, &e.Target, &e.Log, &e.Time, &n.sum)
		out[e.Position] = n
		return err
	}, listWitness, a.id)
	return out, err
}

func findingOf(e *logdb.Entry) logdb.Finding {
	return logdb.Finding{Place: logdb.PlaceEntry, Log: e.Log, Day: e.Time.Day(), Position: e.Position, Time: e.Time}
}

func opText(e *logdb.Entry) string {
	switch {
	case e.Target != 0:
		return fmt.Sprintf("%s of position %d", e.Op, e.Target)
	case e.Excursion != nil:
		return fmt.Sprintf("%s: %s %g s, worst %g", e.Op, e.Excursion.Channel, e.Excursion.DurationSeconds, e.Excursion.Worst)
	case e.System != nil:
		return fmt.Sprintf("%s: %s, code %d", e.Op, e.System.Type, e.System.Code)
	case e.Gap != nil:
		return fmt.Sprintf("gap until %s: %s", e.Gap.To, e.Gap.Cause)
	}
	return e.Op.String()
}

func (a *auditor) addEntry(f logdb.Finding) {
	a.named[digestKey{f.Log, 0, f.Day}] = true
	a.add(f)
}

// entry looks at one entry.
func (a *auditor) entry(r *filedRow, note noted, known bool, lives map[logdb.Position]standing) {
	err := r.decode()
	var samples []byte
	if err == nil {
		samples, err = a.entrySamples(r)
	}
	e := &r.entry
	f := findingOf(e)
	if known { // where it should be found
		f = findingOf(&note.entry)
	}
	f.Fault = logdb.FaultAltered
	f.Channel = logdb.ChannelKey(r.channel)
	digest := e.ContentDigest()
	want := lives[r.entry.Position]
	switch {
	case errors.Is(err, errSamplesGone):
		return // by age; nothing else of it can be compared
	case err != nil:
		f.Have, f.Want = "it cannot be read: "+err.Error(), opText(&note.entry)
	case a.witnessed && !known:
		f.Fault, f.Have = logdb.FaultExtra, opText(e)
	case known && !sameNote(e, digest, note):
		f.Have, f.Want = opText(e), "other content"
		if e.Time != note.entry.Time || e.Target != note.entry.Target || e.Op != note.entry.Op || e.Log != note.entry.Log {
			f.Have, f.Want = fmt.Sprintf("%s at %s", opText(e), e.Time), fmt.Sprintf("%s at %s", opText(&note.entry), note.entry.Time)
		}
	case digest != r.digest || int64(entryChecksum(e, digest, r.data, samples)) != r.crc:
		f.Have, f.Want = "another checksum", "that of its content"
	case !filedRight(r):
		f.Have, f.Want = "it is filed under another channel or code", "its own"
	case r.live != want.live || r.shown != want.shown:
		f.Have, f.Want = liveText(r.live), liveText(want.live)
		if r.live == want.live {
			f.Have, f.Want = "it counts for another stream", "its own"
		}
	default:
		return
	}
	if o := findingOf(e); o.Day != f.Day {
		a.named[digestKey{o.Log, 0, o.Day}] = true
	}
	if e.Target != 0 || a.kind != logdb.KindHistorical {
		a.named[digestKey{e.Log, 0, e.Time.Day()}] = true
	}
	a.addEntry(f)
}

func liveText(live bool) string {
	if live {
		return "it is the version that counts"
	}
	return "another version counts"
}

func filedRight(r *filedRow) bool {
	channel, code := filterOf(&r.entry)
	return channel == r.channel && code == r.code
}

func sameNote(e *logdb.Entry, digest logdb.Digest, n noted) bool {
	w := &n.entry
	return e.Op == w.Op && e.Target == w.Target && e.Log == w.Log && e.Time == w.Time && witnessSum(e, digest) == n.sum
}

// entrySamples fills in the samples of a recording and returns their bytes.
func (a *auditor) entrySamples(r *filedRow) ([]byte, error) {
	if r.entry.Waveform == nil {
		return nil, nil
	}
	var data []byte
	ok, err := a.one([]any{&data}, readSamples, r.id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, a.coldSamples(&r.entryRow)
	}
	return data, decodeSamples(a.codec, data, r.entry.Waveform)
}

// standing is which stream an entry counts for, and whether it is the version that counts.
type standing struct {
	shown int64
	live  bool
}

// lives says of every entry of the stream what its standing must be, from the versions of all streams of the cut.
func (a *auditor) lives() (map[logdb.Position]standing, error) {
	type brief struct {
		stream int64
		e      logdb.Entry
	}
	var cut []int64
	r := streamReader{conn: a.conn, meter: a.meter, id: a.id, page: &logdb.Page{Kind: a.kind, Stream: a.ref}}
	if err := r.open(); err != nil {
		return nil, err
	}
	cut = r.cut
	versions := map[logdb.Position][]brief{}
	out := map[logdb.Position]standing{}
	for _, id := range cut {
		err := a.each(func(rows *sql.Rows) error {
			var b brief
			var shown int64
			var live bool
			if err := rows.Scan(&b.stream, &b.e.Position, &b.e.Op, &b.e.Target, &shown, &live); err != nil {
				return err
			}
			if id == a.id {
				out[b.e.Position] = standing{shown: a.id}
			}
			if b.e.Target != 0 {
				a.changed[b.e.Target] = true
			}
			if b.e.Op == logdb.OpAdd || b.e.Op == logdb.OpRevise || b.e.Op == logdb.OpWithdraw {
				versions[original(&b.e)] = append(versions[original(&b.e)], b)
			}
			return nil
		}, listCutLive, id)
		if err != nil {
			return nil, err
		}
	}
	if a.kind == logdb.KindHistorical {
		return out, nil
	}
	for _, all := range versions {
		newest := slices.MaxFunc(all, func(x, y brief) int { return int(x.e.Position) - int(y.e.Position) })
		shown := newest.stream
		for _, b := range all {
			if b.e.Op == logdb.OpAdd {
				shown = b.stream
			}
		}
		for _, b := range all {
			if b.stream == a.id {
				live := b.e.Position == newest.e.Position && b.stream == newest.stream && newest.e.Op != logdb.OpWithdraw
				out[b.e.Position] = standing{shown, live}
			}
		}
	}
	return out, nil
}
