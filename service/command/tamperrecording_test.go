package command_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
	"metermanager/logdb/sqlite"
)

// TestTamperedRecordingInTheArchive changes the samples of a recording in an archive file by hand and puts all checksums right: verify
// names it all the same, at whichever of both nodes.
func TestTamperedRecordingInTheArchive(t *testing.T) {
	t.Parallel()
	from := template(t)
	for name, change := range map[string]func(list []logdb.Entry){
		"alter a sample": func(list []logdb.Entry) { list[1].Waveform.Channels[0].Samples[7] += 0.01 },
		"delete a sample": func(list []logdb.Entry) {
			list[1].Waveform.Channels[0].Samples = list[1].Waveform.Channels[0].Samples[:127]
		},
		"add a sample":     func(list []logdb.Entry) { c := &list[1].Waveform.Channels[0]; c.Samples = append(c.Samples, 1) },
		"those of another": func(list []logdb.Entry) { list[1].Waveform.Channels = list[0].Waveform.Channels },
		"another two changed": func(list []logdb.Entry) {
			list[1].Waveform.Channels, list[2].Waveform.Channels = list[2].Waveform.Channels, list[1].Waveform.Channels
		},
	} {
		for _, file := range bothLogs {
			t.Run(file+"/"+name, func(t *testing.T) {
				t.Parallel()
				dir := copyFolder(t, from)
				b := openTwoNodes(t, dir)
				store, uid := b.logs, logdb.MeterUID("m")
				if file == cloudLogs {
					store, uid = b.there, b.registered()
				}
				moved, err := store.ArchiveRecordings(t.Context(), uid, tamperDay+40*logdb.DayMillis)
				if err != nil || moved.Files != 1 {
					t.Fatalf("archive: %+v, %v", moved, err)
				}
				list, streams := recordings(t, store, uid)
				if r := b.verify(logdb.KindWaveform); !r.Clean() || r.Compared == 0 {
					t.Fatalf("archived, and nobody touched it: %+v", r)
				}
				b.stop()
				victim := wanted{kind: logdb.KindWaveform, log: list[1].Log, day: list[1].Time.Day(), position: list[1].Position, time: list[1].Time}
				change(list)
				rewriteRecordings(t, dir, file, list, streams)
				b = openTwoNodes(t, dir)
				defer b.stop()
				mustName(t, b.verify(logdb.KindWaveform), victim)
			})
		}
	}
}

// recordings returns all recordings of a meter with their samples.
func recordings(t *testing.T, store *sqlite.Store, uid logdb.MeterUID) (out []logdb.Entry, streams []logdb.StreamID) {
	t.Helper()
	err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindWaveform}, func(stream logdb.StreamID, e *logdb.Entry) error {
		whole, err := store.Recording(t.Context(), uid, stream, e.Position)
		out, streams = append(out, whole), append(streams, stream)
		return err
	})
	if err != nil || len(out) < 3 {
		t.Fatalf("%d recordings, want 3 or more: %v", len(out), err)
	}
	return out, streams
}

// rewriteRecordings writes the archive file of recordings anew, and tells the database of it as if it had always been so.
func rewriteRecordings(t *testing.T, dir, file string, list []logdb.Entry, streams []logdb.StreamID) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	codec, err := chunk.New()
	must(err)
	db, err := sql.Open("sqlite", filepath.Join(dir, file))
	must(err)
	defer func() { must(db.Close()) }()
	var id int64
	var name string
	must(db.QueryRow(`SELECT id, name FROM archive WHERE kind = ? AND state = 2`, logdb.KindWaveform).Scan(&id, &name))
	places := refile(t, db, archive.Folder{Path: filepath.Join(dir, "archive")}, id, name, len(list), func(w *archive.Writer, i int) (archive.Part, error) {
		return w.Recording(archive.Series{Stream: streams[i], Log: list[i].Log}, codec, &list[i])
	})
	for i, p := range places {
		r, err := db.Exec(`UPDATE cold SET part = ?, first = ?, size = ?, crc = ? WHERE file = ?
			AND entry = (SELECT e.id FROM entry e JOIN stream st ON st.id = e.stream WHERE e.kind = ? AND e.position = ? AND st.journal = ? AND st.policy = ?)`,
			p.Index, p.Offset, p.Size, p.CRC, id, logdb.KindWaveform, list[i].Position, string(streams[i].Journal), streams[i].Policy)
		must(err)
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			t.Fatalf("%d rows for recording %d, want 1: %v", n, list[i].Position, err)
		}
	}
}
