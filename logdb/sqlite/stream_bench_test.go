package sqlite_test

import (
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
)

// BenchmarkReadStream reads what a cloud holds of a log at 15 seconds of which a row each minute travels, for 14 days: stored positions
// that stand alone between reduced ones.
func BenchmarkReadStream(b *testing.B) {
	s, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "logs.db"), sqlite.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const n = 14 * 24 * 60
	stream := logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: "1"}
	h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an", "readings.voltage.bn", "readings.voltage.cn", "readings.frequency"}, Columns: make([][]float64, 4)}
	page := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, JournalEnd: 4 * n}
	for i := range n {
		p, at := logdb.Position(4*i+4), day0+logdb.Millis(i+1)*60_000
		h.Times, h.Positions = append(h.Times, at), append(h.Positions, p)
		for c := range h.Columns {
			h.Columns[c] = append(h.Columns[c], 230+float64(i*(c+3)%97)/10)
		}
		page.Fates = append(page.Fates, logdb.FateRange{First: p - 3, Last: p - 1, Fate: logdb.FateReduced, Into: p, FirstTime: at, LastTime: at})
	}
	page.Rows = []logdb.History{h}
	if _, err := s.Accept(ctx, page, logdb.DefaultLimits()); err != nil {
		b.Fatal(err)
	}
	if err := s.Compact(ctx, "m"); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		got, err := s.ReadStream(ctx, "m", logdb.KindHistorical, stream, 1, 4*n)
		if err != nil {
			b.Fatal(err)
		}
		rows := 0
		for i := range got.Rows {
			rows += got.Rows[i].Len()
		}
		if rows != n {
			b.Fatalf("%d rows, want %d", rows, n)
		}
	}
	b.ReportMetric(n, "rows")
}
