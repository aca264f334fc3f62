package source_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
	"metermanager/viewer/source"
	"metermanager/viewer/timeline"
)

// BenchmarkEvents100000 opens the log database of a node and reads 100,000 events of its PQ log into the combined list, in order and filtered. The
// window then only makes the lines that are seen (BenchmarkListOpens, viewer/desktop).
func BenchmarkEvents100000(b *testing.B) {
	path := eventStore(b, 100_000)
	settings := logdb.Settings{NominalVolts: 277, NominalHz: 60}
	for b.Loop() {
		x, err := source.Open(context.Background(), source.Target{Place: path}, nil)
		if err != nil {
			b.Fatal(err)
		}
		meters, err := x.Meters(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		var list []timeline.Event
		for i, m := range meters {
			for _, kind := range []logdb.Kind{logdb.KindPQ, logdb.KindWaveform, logdb.KindLimit, logdb.KindSystem} {
				err := x.Events(context.Background(), m.UID, kind, 0, 0, func(ref source.Ref, e *logdb.Entry) error {
					list = append(list, timeline.Of(i, kind, ref.Stream, e, settings))
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		timeline.Sort(list)
		if n := len((&timeline.Filter{NoRoutine: true}).Apply(list, []string{"m"}, nil)); n != 100_000 {
			b.Fatalf("%d events", n)
		}
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// eventStore writes a log database with n events of one meter and returns its file.
func eventStore(tb testing.TB, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	path := filepath.Join(dir, "logs.db")
	s, err := sqlite.Open(context.Background(), path, sqlite.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	const page = 2000
	for at := 0; at < n; at += page {
		var entries []logdb.Entry
		for i := at; i < min(n, at+page); i++ {
			entries = append(entries, logdb.Entry{Op: logdb.OpAdd, Time: 1_772_323_200_000 + logdb.Millis(i)*60_000, Excursion: &logdb.Excursion{
				Type: logdb.ExcursionBelow, Channel: "readings.voltage.an", Worst: float64(i * 7919 % 249), WorstPercent: math.NaN(), Threshold: 249, DurationSeconds: float64(i%977) / 100,
			}})
		}
		if _, err := s.Append(context.Background(), logdb.Batch{Meter: "m", Kind: logdb.KindPQ, Entries: entries}); err != nil {
			tb.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}
