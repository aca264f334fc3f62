package webapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
)

// gz packs n bytes of one letter around a beginning: a few kilobytes that unpack to megabytes.
func gz(t *testing.T, begin string, n int64) string {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	must(t, err)
	_, err = io.WriteString(z, begin)
	must(t, err)
	_, err = io.CopyN(z, letters{}, n)
	must(t, err)
	must(t, z.Close())
	return b.String()
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestBodiesThatAttack: what is too large, too deep, or unpacks to too much is refused with its status, and the key is told
// nothing of others.
func TestBodiesThatAttack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	upload, rpc, keys := s.meterPath("/logs/historical"), api.Root+"/rpc/node.status", api.Root+"/keys"
	deep := strings.Repeat("[", 100_000)
	objects := strings.Repeat(`{"a":`, 100_000)
	for _, c := range []struct {
		name, key, path, body, encoding string
		status                          int
		code                            string
	}{
		{"a large document", s.admin, keys, `{"name":"` + strings.Repeat("x", 300<<10) + `"}`, "", 413, "too_large"},
		{"large parameters of a command", s.admin, rpc, `{"a":"` + strings.Repeat("x", 300<<10) + `"}`, "", 413, "too_large"},
		{"a page that unpacks to more than 64 MB", s.upload, upload, gz(t, "{", 65<<20), "gzip", 413, "too_large"},
		{"a document that unpacks to 10 MB", s.admin, keys, gz(t, "{", 10<<20), "gzip", 413, "too_large"},
		{"a keyless page of more than 8 MB", "", api.Root + "/push/historical", gz(t, "{", 9<<20), "gzip", 413, "too_large"},
		{"arrays in arrays", s.upload, upload, deep, "", 400, "invalid"},
		{"objects in objects", s.upload, upload, objects, "", 413, "too_large"},
		{"arrays in a member", s.upload, upload, `{"channels":` + deep, "", 400, "invalid"},
		{"a nested document", s.admin, keys, `{"name":` + deep[:20_000], "", 0, ""},
		{"nested parameters", s.admin, rpc, objects[:20_000], "", 400, "invalid"},
		{"a bomb inside a bomb", s.upload, upload, gz(t, gz(t, "{", 1<<20), 0), "gzip", 400, "invalid"},
	} {
		headers := []string{}
		if c.encoding != "" {
			headers = append(headers, "Content-Encoding", c.encoding)
		}
		r := s.call(c.key, "POST", c.path, c.body, headers...)
		if c.status == 0 { // huma's or ours: refused, and not as an error of the node
			if r.status < 400 || r.status > 422 {
				t.Errorf("%s: status %d: %.200s", c.name, r.status, r.body)
			}
			continue
		}
		if r.status != c.status || r.json(t)["code"] != c.code {
			t.Errorf("%s: status %d, want %d %s: %.300s", c.name, r.status, c.status, c.code, r.body)
		}
	}
	// Each left its event, also what the listener refused, before anybody was asked who it is.
	list := s.ok(s.system, "POST", api.Root+"/rpc/audit.list", `{"view":"server","outcome":"refused","limit":100}`)["result"].(map[string]any)["events"].([]any)
	reasons := map[string]int{}
	for _, e := range list {
		reasons[e.(map[string]any)["reason"].(string)]++
	}
	if reasons["413"] < 5 || reasons["400"] < 4 {
		t.Errorf("the audit has %v", reasons)
	}
	if log := s.log.String(); strings.Contains(log, "serve a request") {
		t.Errorf("an attack was taken for an error of the node: %.500s", log)
	}
}

// hostile are texts that mean something to a database, a file system, a header, a log or a page.
var hostile = []string{
	"' OR 1=1 --", `"; DROP TABLE user; --`, "x' UNION SELECT hash FROM api_key --", "%27%20OR%201%3D1", "@customer", "?", "\\", "../../etc/passwd",
	"..%2f..%2fmeta.db", "a\r\nX-Evil: yes", "a\nSet-Cookie: mm=1", "<script>alert(1)</script>", "\u202e\u0000", strings.Repeat("a", 3000), "${jndi:ldap://x}", "%s%n",
}

// TestInjection puts hostile texts wherever a path, a parameter or a header takes one. Nothing of another customer comes
// out, nothing breaks, and no header comes in.
func TestInjection(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0, 3))
	before := s.ok(s.theirs, "GET", api.Root+"/meters", "")
	for _, text := range hostile {
		segment := url.PathEscape(text)
		query := url.QueryEscape(text)
		for _, path := range []string{
			api.Root + "/meters/" + segment, api.Root + "/meters/" + segment + "/logs/historical", s.meterPath("/logs/" + segment),
			s.meterPath("/logs/waveform/" + segment), s.meterPath("/versions/pq/" + segment), s.meterPath("/streams/" + segment),
			s.meterPath("/logs/historical?channels=" + query), s.meterPath("/logs/historical?cursor=" + query), s.meterPath("/logs/pq?from=" + query),
			s.meterPath("/digests/historical?stream=" + query), api.Root + "/meters?cursor=" + query, api.Root + "/keys?cursor=" + query,
			api.Root + "/meters?" + query + "=1", api.Root + "/rpc/" + segment,
		} {
			method := "GET"
			if strings.HasPrefix(path, api.Root+"/rpc/") {
				method = "POST"
			}
			r := s.call(s.admin, method, path, "")
			known := strings.HasPrefix(path, s.meterPath("/logs/historical?channels="))
			if r.status >= 500 || r.status < 400 && !known {
				t.Errorf("%s %.120s: status %d: %.200s", method, path, r.status, r.body)
			}
			if strings.Contains(r.body, string(s.otherUID)) || strings.Contains(r.body, "Theirs") || r.header.Get("X-Evil") != "" || r.header.Get("Set-Cookie") != "" {
				t.Errorf("%.120s: the answer holds what it must not: %.300s", path, r.body)
			}
			if strings.Contains(r.body, "SQL") || strings.Contains(r.body, "sqlite") || strings.Contains(r.body, ".go:") {
				t.Errorf("%.120s: the answer tells how this is made: %.300s", path, r.body)
			}
		}
		for _, name := range []string{"user", "password"} {
			body := fmt.Sprintf(`{"user":"owner","password":"wrong password","%s":%s}`, name, quoted(text))
			if r := s.call("", "POST", api.Root+"/login", body); r.status < 400 || r.status >= 500 {
				t.Errorf("login with %s %.60q: status %d: %.200s", name, text, r.status, r.body)
			}
		}
	}
	if after := s.ok(s.theirs, "GET", api.Root+"/meters", ""); len(after["meters"].([]any)) != len(before["meters"].([]any)) {
		t.Errorf("another customer's meters have changed: %v", after)
	}
	if log := s.log.String(); strings.Contains(log, "serve a request") {
		t.Errorf("a hostile text was an error of the node: %.500s", log)
	}
}

func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	b.WriteByte('"')
	return b.String()
}

// TestRawRequests sends what no well-behaved client sends: broken heads are refused without harm, and the next request is served.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	address := strings.TrimPrefix(s.url, "http://")
	upload := s.meterPath("/logs/historical")
	for _, c := range []struct {
		name, text string
		least      int
	}{
		{"a header with a bare line feed", "GET /livez HTTP/1.1\r\nHost: x\r\nX-Api-Key: a\nb\r\n\r\n", 400},
		{"a path with a line end", "GET /livez%0d%0aX-Evil:yes HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"two lengths", "POST " + upload + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
		{"a negative length", "POST " + upload + " HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
		{"chunks of no number", "POST " + upload + " HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + s.upload + "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", 400},
		{"a head without end", "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", 400},
		{"two key headers", "GET " + api.Root + "/user HTTP/1.1\r\nHost: x\r\nX-Api-Key: wrong\r\nX-Api-Key: " + s.admin + "\r\n\r\n", 400},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00", 0},
		{"another method", "TRACE /livez HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	} {
		conn, err := net.Dial("tcp", address)
		must(t, err)
		go func() { _, _ = io.WriteString(conn, c.text) }() // the server may stop reading before the end
		if c.least > 0 {
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			} else if res.StatusCode < c.least || res.StatusCode >= 500 || res.Header.Get("X-Evil") != "" {
				t.Errorf("%s: status %d", c.name, res.StatusCode)
			}
		}
		_ = conn.Close()
	}
	s.ok("", "GET", "/livez", "")
}

// TestListsComeInPages: every page holds what was asked for, none twice, and a cursor is good for its own list only.
func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	owner, err := s.accounts.Authenticate(t.Context(), s.system)
	must(t, err)
	for i := range 6 {
		_, err := s.registry.Register(t.Context(), owner, registry.Registration{Settings: logdb.Settings{Name: "more", Make: "EIG", Serial: fmt.Sprint("more-", i)}})
		must(t, err)
		_, _, err = s.accounts.CreateKey(t.Context(), owner, account.NewKey{Name: "more"})
		must(t, err)
	}
	for list, id := range map[string]string{"meters": "meter_uid", "keys": "key_id"} {
		whole := s.ok(s.admin, "GET", api.Root+"/"+list, "")
		if whole["next"] != nil {
			t.Errorf("%s: the only page has a next one", list)
		}
		want, seen := len(whole[list].([]any)), map[string]bool{}
		for cursor, pages := "", 0; pages < 20; pages++ {
			page := s.ok(s.admin, "GET", api.Root+"/"+list+"?limit=2&cursor="+cursor, "")
			for _, one := range page[list].([]any) {
				seen[one.(map[string]any)[id].(string)] = true
			}
			if n := len(page[list].([]any)); n > 2 || n == 0 {
				t.Errorf("%s: a page of %d", list, n)
			}
			next, more := page["next"].(string)
			if !more {
				break
			}
			cursor = next
		}
		if len(seen) != want || want < 7 {
			t.Errorf("%s: the pages hold %d of %d", list, len(seen), want)
		}
		other := s.ok(s.admin, "GET", api.Root+"/meters?limit=1", "")["next"].(string)
		if list == "keys" {
			s.refused(s.call(s.admin, "GET", api.Root+"/keys?cursor="+other, ""), 400, "invalid")
		}
		s.refused(s.call(s.admin, "GET", api.Root+"/"+list+"?cursor=zz!", ""), 400, "invalid")
	}
}
