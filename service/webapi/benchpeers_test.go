//go:build unix

package webapi_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"metermanager/logdb"
)

// BenchmarkQuestions asks what the comparison with other databases asks (service/e2e/peers), of one meter of 180 days, 32 channels at one minute that
// wander by small steps, in one process. What the processor did is counted beside the time, since that tells more on a machine that has other work.
func BenchmarkQuestions(b *testing.B) {
	const channels, days, minute = 32, 180, logdb.Millis(60_000)
	s := benchServer(b)
	rnd := rand.New(rand.NewPCG(0, 7))
	var keys []logdb.ChannelKey
	var names []string
	state := make([]float64, channels)
	scale := func(c int) float64 { return []float64{1, 10, 100, 1000, 1e5}[c%5] }
	for c, one := range logdb.Catalogue()[:channels] {
		keys, names = append(keys, one.Key), append(names, string(one.Key))
		state[c] = 120 * scale(c)
	}
	stream := logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: "1"}
	for d := range days {
		h := logdb.History{Channels: keys, Columns: make([][]float64, channels)}
		for i := range 1440 {
			n := d*1440 + i
			h.Times, h.Positions = append(h.Times, benchStart+logdb.Millis(n)*minute), append(h.Positions, logdb.Position(n+1))
			for c := range keys {
				state[c] += float64(rnd.IntN(7) - 3)
				h.Columns[c] = append(h.Columns[c], state[c]/scale(c))
			}
		}
		_, err := s.logs.Accept(b.Context(), logdb.Page{
			Meter: s.uid, Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: h.Positions[1439],
		}, logdb.Limits{})
		must(b, err)
	}
	must(b, s.logs.Compact(b.Context(), s.uid))
	for _, q := range []struct {
		name        string
		channels    int
		first, days int
		path, more  string
	}{
		{name: "a", channels: 1, first: days / 2, days: 1},
		{name: "b", channels: 8, days: days},
		{name: "c", channels: channels, days: days, more: "240m"},
		{name: "exact", channels: channels, days: days, more: "241m"},
		{name: "d", path: "/channels"},
	} {
		v := url.Values{}
		if q.path == "" {
			q.path = "/logs/historical"
			from := benchStart + logdb.Millis(q.first)*logdb.DayMillis
			v = url.Values{"from": {fmt.Sprint(from)}, "to": {fmt.Sprint(from + logdb.Millis(q.days)*logdb.DayMillis)}, "channels": {strings.Join(names[:q.channels], ",")}, "zone": {"utc"}}
			if q.more != "" {
				v.Set("interval", q.more)
				v.Set("agg", "mean")
			}
		}
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), "GET", s.url+"/api/v1/meters/"+string(s.uid)+q.path+"?"+v.Encode(), nil)
				must(b, err)
				req.Header.Set("X-Api-Key", s.reader)
				req.Header.Set("Accept-Encoding", "identity")
				res, err := http.DefaultClient.Do(req)
				must(b, err)
				size, err := io.Copy(io.Discard, res.Body)
				must(b, err)
				must(b, res.Body.Close())
				if res.StatusCode != http.StatusOK || size == 0 {
					b.Fatalf("status %d", res.StatusCode)
				}
				b.ReportMetric(float64(size)/1e6, "MB")
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
