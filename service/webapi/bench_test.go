package webapi_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/webapi"
)

var benchChannels = []logdb.ChannelKey{
	"readings.voltage.an", "readings.voltage.bn", "readings.voltage.cn", "readings.current.a",
	"readings.current.b", "readings.current.c", "readings.power.watts", "readings.frequency",
}

var benchStart = logdb.MillisOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

// minutes makes n rows of one-minute data from position first on, three decimals each.
func minutes(meter logdb.MeterUID, stream logdb.StreamID, first logdb.Position, n int) logdb.Page {
	h := logdb.History{Channels: benchChannels, Columns: make([][]float64, len(benchChannels))}
	for i := range n {
		p := first + logdb.Position(i)
		h.Times = append(h.Times, benchStart+logdb.Millis(p)*60_000)
		h.Positions = append(h.Positions, p)
		for c := range benchChannels {
			h.Columns[c] = append(h.Columns[c], math.Round(1000*(120+float64(c)*10+3*math.Sin(float64(p)/200+float64(c))))/1000)
		}
	}
	return logdb.Page{Meter: meter, Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: first + logdb.Position(n) - 1}
}

// BenchmarkPush posts pages of 1,000 rows of 8 channels over HTTP, several posters at once: parsed,
// checked, limited, durable when answered.
func BenchmarkPush(b *testing.B) {
	s := benchServer(b)
	const rows = 1000
	var poster atomic.Int64
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		stream := logdb.StreamID{Journal: logdb.JournalID(fmt.Sprintf("%032x", poster.Add(1))), Policy: "1"}
		first := logdb.Position(1)
		for pb.Next() {
			page := minutes(s.uid, stream, first, rows)
			body := api.AppendPage(nil, &page, api.DialectJSON)
			if r := s.call(s.upload, "POST", "/api/v1/meters/"+string(s.uid)+"/logs/historical", string(body)); r.status != http.StatusOK {
				b.Errorf("status %d: %s", r.status, r.body)
				return
			}
			first += rows
		}
	})
	b.ReportMetric(float64(b.N)*rows*float64(len(benchChannels))/b.Elapsed().Seconds(), "points/s")
}

// benchServer is a node without a rate for each key: one key asks all.
func benchServer(b *testing.B) *server {
	s, db := emptyServer(b, func(c *webapi.Config) { c.KeyRate = -1 })
	s.populate(db)
	return s
}

// BenchmarkQuery asks for half a year of 8 channels at one minute as JSON over HTTP: every record, and in 1,000 buckets.
func BenchmarkQuery(b *testing.B) {
	s := benchServer(b)
	const rows, step = 180 * 1440, 14_400
	stream := logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: "1"}
	for first := logdb.Position(1); first < rows; first += step {
		page := minutes(s.uid, stream, first, step)
		_, err := s.logs.Accept(b.Context(), page, logdb.Limits{})
		must(b, err)
	}
	must(b, s.logs.Compact(b.Context(), s.uid))
	q := url.Values{"from": {fmt.Sprint(benchStart)}}
	for _, c := range []struct{ name, more string }{{"raw", ""}, {"day", fmt.Sprintf("&channels=readings.voltage.an&to=%d", benchStart+86_400_000)}, {"buckets=1000", "&buckets=1000&agg=mean,min,max"}} {
		b.Run(c.name, func(b *testing.B) {
			size := int64(0)
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), "GET", s.url+"/api/v1/meters/"+string(s.uid)+"/logs/historical?"+q.Encode()+c.more, nil)
				must(b, err)
				req.Header.Set("X-Api-Key", s.reader)
				req.Header.Set("Accept-Encoding", "identity")
				res, err := http.DefaultClient.Do(req)
				must(b, err)
				size, err = io.Copy(io.Discard, res.Body)
				must(b, err)
				must(b, res.Body.Close())
				if res.StatusCode != http.StatusOK {
					b.Fatalf("status %d", res.StatusCode)
				}
			}
			b.ReportMetric(float64(size)/1e6, "MB")
			if c.name == "day" {
				return
			}
			b.ReportMetric(rows*float64(len(benchChannels))*float64(b.N)/b.Elapsed().Seconds(), "points/s")
		})
	}
}

// BenchmarkAuthorisation is what finding out who asks, and what they may do with a meter, costs a request: by key, by token, by the token
// of a user with a role of people and by one who is held to facilities; with 1, 100 and 1,000 customers.
func BenchmarkAuthorisation(b *testing.B) {
	for _, customers := range []int{1, 100, 1000} {
		s := benchServer(b)
		one := s.tenant("one")
		system, err := s.accounts.Authenticate(b.Context(), s.system)
		must(b, err)
		for i := 1; i < customers; i++ {
			name := fmt.Sprintf("customer %d", i)
			_, err := s.accounts.Join(b.Context(), system, account.Join{NewUser: account.NewUser{Name: name, Password: password}, CustomerName: name, Address: name})
			must(b, err)
		}
		owner, err := s.accounts.Authenticate(b.Context(), one.tokens["owner"])
		must(b, err)
		_, key, err := s.accounts.CreateKey(b.Context(), owner, account.NewKey{Name: "k", Permissions: permission.Of(permission.LogsRead)})
		must(b, err)
		_, err = s.accounts.SetAccess(b.Context(), owner, one.user, account.Access{AddRoles: []account.RoleID{one.role}})
		must(b, err)
		_, err = s.registry.Move(b.Context(), owner, one.meter, one.facility)
		must(b, err)
		for _, c := range []struct{ name, secret string }{
			{"key", key}, {"token", one.tokens["owner"]}, {"custom", s.token("user of one")}, {"held", one.tokens["held"]},
		} {
			b.Run(fmt.Sprintf("%s/customers=%d", c.name, customers), func(b *testing.B) {
				for b.Loop() {
					p, err := s.accounts.Authenticate(b.Context(), c.secret)
					must(b, err)
					_, err = s.registry.Access(b.Context(), p, permission.LogsRead, one.meter)
					must(b, err)
				}
			})
		}
	}
}
