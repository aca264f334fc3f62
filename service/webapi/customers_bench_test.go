package webapi_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/webapi"
)

// tenantOf is a customer with one meter and one key.
type tenantOf struct {
	key    string
	meter  logdb.MeterUID
	stream logdb.StreamID
	next   atomic.Int64
}

// tenants makes n customers.
func (s *server) tenants(db *sqldb.DB, n int) []*tenantOf {
	s.t.Helper()
	out := make([]*tenantOf, n)
	for i := range out {
		id := account.CustomerID(fmt.Sprintf("customer-%d", i))
		must(s.t, db.Write(s.t.Context(), func(tx *sql.Tx) error {
			hash := account.HashOf(string(id))
			_, err := tx.Exec(`INSERT INTO customer (id, name, key_hash, sealed_key, created_ms) VALUES (?, ?, ?, x'00', 9000000000000)`, string(id), string(id), hash[:])
			return err
		}))
		p := account.Principal{Key: "x", Customer: id, Permissions: adminPermissions}
		_, key, err := s.accounts.CreateKey(s.t.Context(), p, account.NewKey{Name: "bench", Permissions: readerPermissions.With(permission.Of(permission.Upload))})
		must(s.t, err)
		out[i] = &tenantOf{key: key, meter: s.register(p, fmt.Sprint("bench-", i)), stream: logdb.StreamID{Journal: logdb.JournalID(fmt.Sprintf("%032x", i+1)), Policy: "1"}}
	}
	return out
}

// BenchmarkCustomers pushes pages of 60 rows of 8 channels, and asks for an hour of one channel, over HTTP from several senders at once, spread
// over so many customers of one node, each with a key and a meter of its own. Queries come first: they find 60 rows of each meter.
func BenchmarkCustomers(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		s, db := emptyServer(b, func(c *webapi.Config) { c.KeyRate = -1 })
		s.populate(db)
		all := s.tenants(db, n)
		const rows = 60
		push := func(c *tenantOf) {
			page := minutes(c.meter, c.stream, logdb.Position(c.next.Add(1)-1)*rows+1, rows)
			if r := s.call(c.key, "POST", "/api/v1/meters/"+string(c.meter)+"/logs/historical", string(api.AppendPage(nil, &page, api.DialectJSON))); r.status != http.StatusOK {
				b.Errorf("status %d: %s", r.status, r.body)
			}
		}
		for _, c := range all {
			push(c)
		}
		var turn atomic.Int64
		each := func(b *testing.B, do func(*tenantOf)) {
			b.SetParallelism(8)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					do(all[int(turn.Add(1))%n])
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		}
		query := fmt.Sprintf("?channels=readings.voltage.an&from=%d&to=%d", benchStart, benchStart+3_600_000)
		b.Run(fmt.Sprintf("query/%d", n), func(b *testing.B) {
			each(b, func(c *tenantOf) {
				if r := s.call(c.key, "GET", "/api/v1/meters/"+string(c.meter)+"/logs/historical"+query, ""); r.status != http.StatusOK || !strings.Contains(r.body, "records") {
					b.Errorf("status %d: %.200s", r.status, r.body)
				}
			})
		})
		b.Run(fmt.Sprintf("push/%d", n), func(b *testing.B) { each(b, push) })
	}
}

// BenchmarkWhoAsks is what a request costs whose answer costs nothing: with a key, without a credential, and refused; in process, without
// the network. The difference between the first two is what it costs to find out who asks.
func BenchmarkWhoAsks(b *testing.B) {
	s, db, handler := emptyNode(b, func(c *webapi.Config) { c.KeyRate = -1 })
	s.populate(db)
	in, err := s.accounts.Login(b.Context(), account.Login{User: "owner", Password: password})
	must(b, err)
	_, personal, err := s.accounts.CreateKey(b.Context(), in.Principal, account.NewKey{Name: "bench", Permissions: readerPermissions})
	must(b, err)
	for _, c := range []struct {
		name, key, path string
		status          int
	}{
		{"key of a person", personal, api.Root + "/user", 200}, {"key of a person and meter", personal, s.meterPath("/realtime"), 200},
		{"nobody", "", "/livez", 200}, {"key", s.reader, api.Root + "/user", 200}, {"key and meter", s.reader, s.meterPath("/realtime"), 200}, {"unknown key", "mmk_unknown", api.Root + "/user", 401},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				r := httptest.NewRequest("GET", c.path, nil)
				if c.key != "" {
					r.Header.Set("X-Api-Key", c.key)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != c.status {
					b.Fatalf("status %d: %s", w.Code, w.Body)
				}
			}
		})
	}
}
