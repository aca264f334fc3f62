package command_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
	"metermanager/logdb/sqlite"
)

// archivePart is a part of an archive file: the values of a series, or, without a channel, the rows of a log.
type archivePart struct {
	series archive.Series
	values logdb.Block
	rows   chunk.Marks
}

// archiveTamperings change a part with volts or rows of a log, and say what must be named.
func archiveTamperings() map[string]func(parts []*archivePart) wanted {
	const at = 4
	of := func(parts []*archivePart, log logdb.LogNo, channel logdb.ChannelKey) *archivePart {
		i := slices.IndexFunc(parts, func(p *archivePart) bool { return p.series.Log == log && p.series.Channel == channel })
		return parts[i]
	}
	named := func(log logdb.LogNo, p logdb.Position, t logdb.Millis) wanted {
		w := hist(p, t)
		w.log = log
		return w
	}
	out := map[string]func(parts []*archivePart) wanted{}
	for log, name := range []string{"log 0", "log 1"} {
		log := logdb.LogNo(log)
		out["alter a value, "+name] = func(parts []*archivePart) wanted {
			b := &of(parts, log, volts).values
			if i := slices.IndexFunc(b.Exceptions, func(x logdb.Exception) bool { return x.Index == at }); i >= 0 { // no decimal
				b.Exceptions[i].Value += 1e-9
			} else {
				b.Mantissas[at]++
			}
			return named(log, b.Positions[at], b.Times[at])
		}
		out["alter the time of a row, "+name] = func(parts []*archivePart) wanted {
			m := &of(parts, log, "").rows
			w := named(log, m.Positions[at], m.Times[at])
			m.Times[at]++
			return w
		}
		out["alter the run of a row, "+name] = func(parts []*archivePart) wanted {
			m := &of(parts, log, "").rows
			m.Runs[at]++
			return named(log, m.Positions[at], m.Times[at])
		}
		out["delete a row, "+name] = func(parts []*archivePart) wanted {
			m := &of(parts, log, "").rows
			w := named(log, m.Positions[at], m.Times[at])
			m.Times, m.Positions, m.Runs, m.Generations = cut(m.Times, at), cut(m.Positions, at), cut(m.Runs, at), cut(m.Generations, at)
			return w
		}
		out["alter a time, "+name] = func(parts []*archivePart) wanted {
			b := &of(parts, log, volts).values
			w := named(log, b.Positions[at], b.Times[at])
			b.Times[at]++
			return w
		}
		out["delete a value, "+name] = func(parts []*archivePart) wanted {
			b := &of(parts, log, volts).values
			w := named(log, b.Positions[at], b.Times[at])
			b.Times, b.Positions, b.Mantissas = cut(b.Times, at), cut(b.Positions, at), cut(b.Mantissas, at)
			return w
		}
		out["add a value, "+name] = func(parts []*archivePart) wanted {
			b := &of(parts, log, volts).values
			n := len(b.Times) - 1
			p, t := b.Positions[n]+500, b.Times[n]+1
			b.Times, b.Positions, b.Mantissas = append(b.Times, t), append(b.Positions, p), append(b.Mantissas, b.Mantissas[n])
			return named(log, p, t)
		}
	}
	return out
}

// TestTamperedArchive changes a record in an archive file by hand and puts all checksums right: verify names it all the same, at
// whichever of both nodes.
func TestTamperedArchive(t *testing.T) {
	t.Parallel()
	from := template(t)
	for name, change := range archiveTamperings() {
		for _, file := range bothLogs {
			t.Run(file+"/"+name, func(t *testing.T) {
				t.Parallel()
				dir := copyFolder(t, from)
				b := openTwoNodes(t, dir)
				store, uid := b.logs, logdb.MeterUID("m")
				if file == cloudLogs {
					store, uid = b.there, b.registered()
				}
				archiveNow(t, store, uid)
				if r := b.verify(logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
					t.Fatalf("archived, and nobody touched it: %+v", r)
				}
				b.stop()
				want := rewrite(t, dir, file, change)
				b = openTwoNodes(t, dir)
				defer b.stop()
				mustName(t, b.verify(logdb.KindHistorical), want)
			})
		}
	}
}

func archiveNow(t *testing.T, store *sqlite.Store, uid logdb.MeterUID) {
	t.Helper()
	if err := store.Compact(t.Context(), uid); err != nil {
		t.Fatal(err)
	}
	moved, err := store.Archive(t.Context(), uid, tamperDay+40*logdb.DayMillis)
	if err != nil || moved.Points == 0 {
		t.Fatalf("archive: %+v, %v", moved, err)
	}
}

// rewrite writes the archive file of historical data anew with a change, and tells the database of it as if it had always been so.
func rewrite(t *testing.T, dir, file string, change func([]*archivePart) wanted) wanted {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, file))
	must(err)
	defer func() { must(db.Close()) }()
	var id int64
	var name string
	must(db.QueryRow(`SELECT id, name FROM archive WHERE kind = 1 AND state = 2`).Scan(&id, &name))
	files := archive.Folder{Path: filepath.Join(dir, "archive")}
	f, err := archive.Open(files, name, nil)
	must(err)
	var parts []*archivePart
	for i := range f.Parts() {
		p := &archivePart{}
		p.series, err = f.Series(i)
		must(err)
		if p.series.Channel == "" {
			_, err = f.Rows(i, &p.rows)
		} else {
			_, err = f.Values(i, &p.values)
		}
		must(err)
		parts = append(parts, p)
	}
	must(f.Close())
	want := change(parts)
	places := refile(t, db, files, id, name, len(parts), func(w *archive.Writer, i int) (archive.Part, error) {
		if p := parts[i]; p.series.Channel != "" {
			return w.Values(p.series, &p.values)
		}
		return w.Rows(parts[i].series, &parts[i].rows)
	})
	for _, p := range places {
		_, err = db.Exec(`UPDATE archived SET first = ?, size = ?, crc = ? WHERE file = ? AND part = ?`, p.Offset, p.Size, p.CRC, id, p.Index)
		must(err)
	}
	return want
}

// refile writes an archive file anew, n parts, tells the database of the file, and returns where the parts are.
func refile(t *testing.T, db *sql.DB, files archive.Folder, id int64, name string, n int, part func(w *archive.Writer, i int) (archive.Part, error)) (places []archive.Part) {
	t.Helper()
	meter, kind, month, _, ok := archive.ParseName(name)
	if !ok {
		t.Fatal(name)
	}
	if err := files.Remove(name); err != nil {
		t.Fatal(err)
	}
	written, err := archive.Write(files, name, archive.Header{Meter: meter, Kind: kind, Month: month}, func(w *archive.Writer) error {
		for i := range n {
			place, err := part(w, i)
			if err != nil {
				return err
			}
			places = append(places, place)
		}
		return nil
	})
	if err == nil {
		_, err = db.Exec(`UPDATE archive SET size = ?, sha256 = ?, tail = ?, tail_crc = ? WHERE id = ?`, written.Size, written.SHA256[:], written.Tail.Offset, written.Tail.CRC, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return places
}

// TestDamagedRowsInTheArchive: a byte of the rows of a log in an archive file, which nothing here reads but verify, is another one.
func TestDamagedRowsInTheArchive(t *testing.T) {
	t.Parallel()
	dir := copyFolder(t, template(t))
	b := openTwoNodes(t, dir)
	archiveNow(t, b.logs, "m")
	b.stop()
	db, err := sql.Open("sqlite", filepath.Join(dir, siteLogs))
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var first, size, at int64
	err = db.QueryRow(`SELECT f.name, a.first, a.size, c.t_min FROM archived a JOIN archive f ON f.id = a.file JOIN chunk c ON c.id = a.chunk
		JOIN series s ON s.id = c.id / 16777216 LEFT JOIN channel n ON n.id = s.channel WHERE coalesce(n.key, '') = '' ORDER BY c.id LIMIT 1`).Scan(&name, &first, &size, &at)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "archive", name)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[first+size/2] ^= 0x40
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	b = openTwoNodes(t, dir)
	defer b.stop()
	mustName(t, b.verify(logdb.KindHistorical), wanted{kind: logdb.KindHistorical, day: logdb.Millis(at).Day()})
}
