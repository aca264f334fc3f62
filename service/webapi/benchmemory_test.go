package webapi_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"metermanager/logdb"
)

// BenchmarkYears asks for every value of 8 channels at 15 minutes over one and over ten years, and tells how far the heap of server and
// client together grew beyond what it was before: it should not grow with the range.
func BenchmarkYears(b *testing.B) {
	s := benchServer(b)
	const rows, step = 10 * 35_064, 35_064
	stream := logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: "1"}
	for first := logdb.Position(1); first < rows; first += step {
		page := minutes(s.uid, stream, first, step)
		for i := range page.Rows[0].Times {
			page.Rows[0].Times[i] = benchStart - 10*365*logdb.DayMillis + logdb.Millis(page.Rows[0].Positions[i])*900_000
		}
		_, err := s.logs.Accept(b.Context(), page, logdb.Limits{})
		must(b, err)
	}
	must(b, s.logs.Compact(b.Context(), s.uid))
	for _, years := range []int{1, 10} {
		b.Run(fmt.Sprint("years=", years), func(b *testing.B) {
			var before, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			peak, size := before.HeapInuse, int64(0)
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), "GET", fmt.Sprintf("%s%s?from=%d", s.url, s.meterPath("/logs/historical"), benchStart-logdb.Millis(years)*365*logdb.DayMillis), nil)
				must(b, err)
				req.Header.Set("X-Api-Key", s.reader)
				req.Header.Set("Accept-Encoding", "identity")
				res, err := http.DefaultClient.Do(req)
				must(b, err)
				size = 0
				for err == nil {
					var n int64
					n, err = io.CopyN(io.Discard, res.Body, 1<<19)
					size += n
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapInuse)
				}
				must(b, res.Body.Close())
			}
			b.ReportMetric(float64(size)/1e6, "MB")
			b.ReportMetric(float64(peak-before.HeapInuse)/1e6, "heapMB")
		})
	}
}

// BenchmarkDays asks for a year of days of one channel of 15 minutes, the sum of each, as a report over many meters does meter by meter.
func BenchmarkDays(b *testing.B) {
	s := benchServer(b)
	stream := logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: "1"}
	page := minutes(s.uid, stream, 1, 35_064)
	for i := range page.Rows[0].Times {
		page.Rows[0].Times[i] = benchStart + logdb.Millis(i+1)*900_000
	}
	_, err := s.logs.Accept(b.Context(), page, logdb.Limits{})
	must(b, err)
	must(b, s.logs.Compact(b.Context(), s.uid))
	path := s.meterPath(fmt.Sprintf("/logs/historical?interval=1d&agg=sum&channels=readings.power.watts&from=%d&to=%d", benchStart, benchStart+365*logdb.DayMillis))
	begin := time.Now()
	n := 0
	for b.Loop() {
		if r := s.call(s.reader, "GET", path, ""); r.status != http.StatusOK {
			b.Fatal(r.body)
		}
		n++
	}
	b.ReportMetric(time.Since(begin).Seconds()/float64(n)*1000, "s/1000meters")
}
