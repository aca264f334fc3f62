package sqlite_test

import (
	"path/filepath"
	"testing"

	"metermanager/logdb"
)

// TestArchiveTampering changes the tables of the archive by hand: each change is found.
func TestArchiveTampering(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]string{
		"a part that is nowhere":   `DELETE FROM archived WHERE chunk = (SELECT max(a.chunk) FROM archived a JOIN chunk c ON c.id = a.chunk WHERE length(c.data) = 0)`,
		"another part":             `UPDATE archived SET part = part + 1 WHERE chunk = (SELECT max(a.chunk) FROM archived a JOIN chunk c ON c.id = a.chunk WHERE length(c.data) = 0)`,
		"another file":             `UPDATE archive SET tail = tail - 1`,
		"a tier that is lost":      `DELETE FROM quarter WHERE id = (SELECT max(id) FROM quarter)`,
		"a tier of another series": `UPDATE quarter SET data = (SELECT q.data FROM quarter q WHERE q.id >> 24 <> quarter.id >> 24 LIMIT 1), crc = (SELECT q.crc FROM quarter q WHERE q.id >> 24 <> quarter.id >> 24 LIMIT 1) WHERE id = (SELECT max(id) FROM quarter)`,
		"values said to be gone":   `INSERT INTO gone SELECT stream, log, day + 28, at_ms, lost FROM gone ORDER BY day DESC LIMIT 1`,
		"values said to be there":  `DELETE FROM gone WHERE day = (SELECT max(day) FROM gone)`,
		"a mark that is lost":      `DELETE FROM unapplied`,
		"samples said to be gone":  `UPDATE cold SET file = NULL WHERE entry = (SELECT max(entry) FROM cold WHERE file IS NOT NULL)`,
		"samples that are nowhere": `DELETE FROM cold WHERE entry = (SELECT max(entry) FROM cold WHERE file IS NOT NULL)`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s, h, _, _, _ := letGo(t)
			accept(t, s, logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, JournalEnd: 1_000_000, Entries: []logdb.Entry{
				{Position: 900_000, Op: logdb.OpWithdraw, Target: 301, Time: h.Times[300], Replaces: logdb.Digest{1}},
			}})
			for i := range logdb.Millis(3) {
				if _, err := s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindWaveform, Entries: []logdb.Entry{recording(day0+i*20*logdb.DayMillis, 50)}}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.ArchiveRecordings(ctx, "m", logdb.MaxTime); err != nil {
				t.Fatal(err)
			}
			if _, err := s.DropArchive(ctx, "m", logdb.KindWaveform, day0+20*logdb.DayMillis); err != nil {
				t.Fatal(err)
			}
			n := func() int { return auditedKind(t, s, logdb.KindHistorical) + auditedKind(t, s, logdb.KindWaveform) }
			if n := n(); n != 0 {
				t.Fatalf("%d findings before anything was changed", n)
			}
			dir := filepath.Dir(s.Path())
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			byHand(t, dir, change)
			s = openStore(t, dir)
			defer s.Close()
			if n() == 0 {
				t.Error("nothing was found")
			}
		})
	}
}
