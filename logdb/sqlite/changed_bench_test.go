package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"metermanager/logdb"
)

// BenchmarkChanged asks for what was changed on one day of a log whose records were all decoded again, as those of a meter are whose
// zone was put right. Every answer about values asks so: the length of the history must not matter.
func BenchmarkChanged(b *testing.B) {
	for _, days := range []int{2, 20} {
		b.Run(fmt.Sprintf("days=%d", days), func(b *testing.B) {
			s := openStore(b, b.TempDir())
			defer func() { _ = s.Close() }()
			const uid = logdb.MeterUID("m")
			n := days * 1440
			h := load(rand.New(rand.NewPCG(1, 2)), channels(2), day0, minute, n)
			if _, err := s.Append(b.Context(), logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
				b.Fatal(err)
			}
			revises := make([]logdb.Entry, n)
			for i := range revises {
				e := h.Entry(i)
				revises[i] = e
				revises[i].Op, revises[i].Target, revises[i].Replaces, revises[i].Time = logdb.OpRevise, logdb.Position(i+1), e.ContentDigest(), e.Time+60*minute
			}
			if _, err := s.Append(b.Context(), logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Entries: revises}); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				found, err := s.ReadChanged(b.Context(), uid, logdb.KindHistorical, day0+logdb.DayMillis, day0+2*logdb.DayMillis, 100, func(logdb.StreamID, []logdb.Entry) error { return nil })
				if err != nil || found != 1440 {
					b.Fatal(found, err)
				}
			}
		})
	}
}
