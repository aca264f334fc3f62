package webapi_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

func (s *server) login(body string, headers ...string) response {
	s.t.Helper()
	return s.call("", "POST", api.Root+"/login", body, headers...)
}

func TestLoginByTokenAndCookie(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := s.login(`{"user":"Owner","password":"` + password + `"}`)
	doc := r.json(t)
	token, _ := doc["token"].(string)
	if r.status != 200 || !strings.HasPrefix(token, "mm_") || doc["customer"] != "Ours" || r.header.Get("Set-Cookie") != "" {
		t.Fatalf("login: %d %s %v", r.status, r.body, r.header)
	}
	if u := s.call("", "GET", api.Root+"/user", "", "Authorization", "Bearer "+token).json(t); u["user"] != "owner" || u["customer_key"] == "" {
		t.Errorf("user: %v", u)
	}
	s.refused(s.call("", "GET", api.Root+"/user", "", "Authorization", "Basic b3duZXI6eA=="), 401, "unauthenticated")

	r = s.login(`{"user":"owner","password":"` + password + `","cookie":true}`)
	res := http.Response{Header: r.header}
	cookies := res.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || !strings.HasPrefix(cookies[0].Name, "mm_") {
		t.Fatalf("cookies %v", r.header)
	}
	cookie := cookies[0].Name + "=" + cookies[0].Value
	if r = s.call("", "GET", api.Root+"/status", "", "Cookie", cookie); r.status != 200 {
		t.Errorf("status with the cookie: %d %s", r.status, r.body)
	}
	// What another site's page sends comes with the cookie, and is refused.
	for _, evil := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		r = s.call("", "POST", api.Root+"/keys", `{"name":"k","permissions":"upload"}`, append(evil, "Cookie", cookie)...)
		s.refused(r, 403, "forbidden")
		s.refused(s.login(`{"user":"owner","password":"`+password+`","cookie":true}`, evil...), 403, "forbidden")
	}
	if r = s.call("", "POST", api.Root+"/keys", `{"name":"k","permissions":"upload"}`, "Cookie", cookie, "Sec-Fetch-Site", "same-origin"); r.status != 200 {
		t.Errorf("our own page: %d %s", r.status, r.body)
	}
	r = s.call("", "POST", api.Root+"/logout", "", "Cookie", cookie)
	if r.status != 200 || !strings.Contains(r.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: %d %v", r.status, r.header)
	}
	s.refused(s.call("", "GET", api.Root+"/status", "", "Cookie", cookie), 401, "unauthenticated")
	if r = s.call("", "GET", api.Root+"/status", "", "Authorization", "Bearer "+token); r.status != 200 {
		t.Errorf("the other login ended too: %d", r.status)
	}
}

// TestNoAnswerRepeatsASecret sends secrets in every way that goes wrong and looks for them in
// answers and in the log.
func TestNoAnswerRepeatsASecret(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const secret = "S3cr3t-1234567890-abcdef"
	bodies := []string{
		`{"user":"owner","password":"` + secret + `"}`,
		`{"user":"owner","pasword":"` + secret + `"}`,
		`{"user":"` + secret + `","password":["` + secret + `"]}`,
		`{"user":"owner","password":98765432101234567890}`,
		`{"` + secret + `":1}`,
		`{"user":"owner","password":"` + secret,
		`"` + secret + `"`, secret,
		`{"token":"` + secret + `","user":"u","password":"` + secret + `"}`,
		`{"name":"k","permissions":"` + secret + `"}`,
		`{"make":"m","serial":"9","time_zone":"` + secret + `","customer_key":"` + secret + `","apikey":"` + secret + `"}`,
		`{"apikey":"` + secret + `","channels":[{"chan_key":"readings.voltage.an"}],"records":[[1,1]]}`,
		`{apikey:"` + secret + `","x`,
	}
	paths := []string{"/setup", api.Root + "/login", api.Root + "/keys", api.Root + "/meters/register", api.Root + "/push/historical",
		s.meterPath("/logs/historical"), s.meterPath("/settings"), s.meterPath("/realtime"), api.Root + "/rpc/cloud.enable", api.Root + "/rpc/" + secret}
	for _, path := range paths {
		for _, body := range bodies {
			for _, key := range []string{s.admin, "", secret} {
				method := "POST"
				if strings.HasSuffix(path, "/settings") {
					method = "PUT"
				}
				r := s.call(key, method, path, body, "Authorization", "Bearer "+secret)
				if strings.Contains(r.body, secret) || strings.Contains(r.body, "98765432101234567890") {
					t.Errorf("%s %s with %s: %s", method, path, body, r.body)
				}
				if r.status >= 500 && r.status != 503 {
					t.Errorf("%s %s with %s: status %d: %s", method, path, body, r.status, r.body)
				}
			}
		}
	}
	if strings.Contains(s.log.String(), secret) {
		t.Errorf("the log holds a secret:\n%s", s.log)
	}
}

func TestDocumentCoversEveryRoute(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Parameters  []struct{ Name, In string }
		}
	}
	must(t, json.Unmarshal([]byte(s.call("", "GET", api.Root+"/openapi.json", "").body), &doc))
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %q", doc.OpenAPI)
	}
	count := 0
	for _, op := range api.Operations() {
		path := strings.ReplaceAll(op.Path, "{$}", "")
		got, ok := doc.Paths[path][strings.ToLower(op.Method)]
		if !ok || got.OperationID != op.ID || got.Summary == "" {
			t.Errorf("%s %s is described as %+v", op.Method, path, got)
		}
		for _, m := range regexp.MustCompile(`\{([a-z_]+)\}`).FindAllStringSubmatch(path, -1) {
			found := false
			for _, p := range got.Parameters {
				found = found || p.Name == m[1] && p.In == "path"
			}
			if !found {
				t.Errorf("%s: parameter %s is not described", op.ID, m[1])
			}
		}
		count++
	}
	all := 0
	for _, methods := range doc.Paths {
		all += len(methods)
	}
	if all != count {
		t.Errorf("%d operations are described, %d exist", all, count)
	}
	for _, path := range []string{"/docs", "/openapi.json", "/schemas/Meter.json", "/api/v1", "/api/v1/nothing", "/x"} {
		s.refused(s.call(s.admin, "GET", path, ""), 404, "not_found")
	}
	s.refused(s.call(s.admin, "PATCH", s.meterPath(""), ""), 405, "method_not_allowed")
}

func TestPagesAskNothingOfOthers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, path := range []string{"/", "/setup", "/join", "/reset"} {
		r := s.call("", "GET", path, "")
		csp := r.header.Get("Content-Security-Policy")
		if r.status != 200 || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "script-src 'sha256-") {
			t.Errorf("%s: %d, policy %q", path, r.status, csp)
		}
		if m := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]+|@import|url\(|<(img|iframe|link|object)|\son[a-z]+=|\sstyle=|javascript:`).FindString(r.body); m != "" {
			t.Errorf("%s holds %q", path, m)
		}
		if strings.Contains(r.body, "{{") {
			t.Errorf("%s holds a placeholder", path)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, path := range []string{"/livez", "/readyz"} {
		if got := s.ok("", "GET", path, ""); got["ok"] != true || got["problems"] != nil {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := s.ok("", "GET", "/version", ""); got["version"] != "test" || got["api"] != api.Root {
		t.Errorf("version: %v", got)
	}
}

func TestRegisterOverTheWire(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := `{"name":"Feeder","make":"EIG","type":"Shark 200","serial":"77","time_zone":"America/New_York"}`
	first := s.ok(s.upload, "POST", api.Root+"/meters/register", body)
	again := s.ok(s.upload, "POST", api.Root+"/meters/register", body)
	if first["registered"] != "new" || again["registered"] != "known" || first["meter_uid"] != again["meter_uid"] {
		t.Errorf("first %v, again %v", first, again)
	}
	if _, ok := first["settings"].(map[string]any)["time_zone"]; !ok {
		t.Errorf("settings %v", first)
	}
	stray := s.ok("", "POST", api.Root+"/meters/register", strings.Replace(body, `"77"`, `"78"`, 1))
	uid, own := stray["meter_uid"].(string), stray["apikey"].(string)
	s.refused(s.call(s.admin, "GET", api.Root+"/meters/"+uid, ""), 404, "not_found")
	if got := s.ok(own, "POST", api.Root+"/meters/"+uid+"/logs/historical", rows(day0, 3)); got["stored"] != 3.0 {
		t.Errorf("a meter that waits for its customer uploads: %v", got)
	}
	s.refused(s.call(own, "GET", api.Root+"/meters/"+uid+"/logs/historical", ""), 403, "forbidden")
	s.refused(s.call(own, "POST", s.meterPath("/logs/historical"), rows(day0, 3)), 404, "not_found")
	claim := strings.Replace(strings.Replace(body, `"77"`, `"78"`, 1), "{", `{"claim":"`+stray["claim_code"].(string)+`",`, 1)
	s.ok(s.admin, "POST", api.Root+"/meters/register", claim)
	if got := s.ok(s.admin, "GET", api.Root+"/meters/"+uid+"/channels", ""); len(got["channels"].([]any)) != 2 {
		t.Errorf("channels after the claim: %v", got)
	}
	// Disabled: it uploads on, and nobody reads.
	s.ok(s.admin, "PUT", api.Root+"/meters/"+uid+"/settings", `{"name":"Feeder 2","enabled":false}`)
	s.ok(own, "POST", api.Root+"/meters/"+uid+"/logs/historical", rows(day0+600_000, 3))
	s.refused(s.call(s.admin, "GET", api.Root+"/meters/"+uid+"/logs/historical", ""), 403, "forbidden")
	s.refused(s.call(s.upload, "PUT", api.Root+"/meters/"+uid+"/settings", `{"enabled":true}`), 403, "forbidden")
	s.ok(s.admin, "PUT", api.Root+"/meters/"+uid+"/settings", `{"name":"Feeder 2","enabled":true}`)
	s.ok(s.admin, "GET", api.Root+"/meters/"+uid+"/logs/historical", "")
}

func TestRealtimeShowsWhatWasPosted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	if got := s.ok(s.reader, "GET", s.meterPath("/realtime"), ""); got["stale"] != true || len(got["values"].([]any)) != 0 {
		t.Errorf("before any: %v", got)
	}
	at := s.now.UnixMilli()
	body, err := json.Marshal(map[string]any{"time_ms": at, "values": []any{
		map[string]any{"chan_key": "reading.voltage.an", "value": 230.5}, map[string]any{"chan_key": "readings.voltage.bn", "value": nil}}})
	must(t, err)
	s.ok(s.admin, "POST", s.meterPath("/realtime"), string(body))
	got := s.ok(s.reader, "GET", s.meterPath("/realtime"), "")
	values := got["values"].([]any)
	if len(values) != 1 || values[0].(map[string]any)["value"] != 230.5 || values[0].(map[string]any)["unit"] != "V" || got["stale"] == true {
		t.Errorf("realtime %v", got)
	}
	for _, bad := range []string{`{"time_ms":-5,"values":[]}`, `{"time_ms":99999999999999,"values":[]}`, `{"time_ms":1,"values":[{"chan_key":"V","value":1}]}`, `{"time_ms":"x"}`, `[]`, `{`} {
		if r := s.call(s.admin, "POST", s.meterPath("/realtime"), bad); r.status < 400 || r.status >= 500 {
			t.Errorf("%s: status %d: %s", bad, r.status, r.body)
		}
	}
	status := s.ok(s.reader, "GET", api.Root+"/status", "")
	if m := status["meters"].([]any); len(m) != 1 || m[0].(map[string]any)["latest"] == nil {
		t.Errorf("status %v", status)
	}
}

func TestFirstStart(t *testing.T) {
	t.Parallel()
	s, _ := emptyServer(t)
	if got := s.ok("", "GET", "/readyz", ""); got["ok"] != true || !strings.Contains(got["problems"].([]any)[0].(string), "set up") {
		t.Errorf("readyz before the set-up: %v", got)
	}
	token, err := s.accounts.SetupToken(t.Context())
	must(t, err)
	body := `{"token":"` + token + `","user":"me","password":"` + password + `"}`
	s.refused(s.login(`{"user":"me","password":"`+password+`"}`), 401, "unauthenticated")
	s.refused(s.call("", "POST", "/setup", strings.Replace(body, token, "guess", 1)), 403, "forbidden")
	s.refused(s.call("", "POST", "/setup", body, "Sec-Fetch-Site", "cross-site"), 403, "forbidden")
	if r := s.call("", "POST", "/setup", strings.Replace(body, password, "short", 1)); r.status != 400 && r.status != 422 {
		t.Errorf("a short password: %d %s", r.status, r.body)
	}
	got := s.ok("", "POST", "/setup", body)
	if got["user"] != "me" || !strings.HasPrefix(got["token"].(string), "mm_") {
		t.Errorf("set-up: %v", got)
	}
	s.refused(s.call("", "POST", "/setup", body), 403, "forbidden")
	if r := s.login(`{"user":"me","password":"` + password + `"}`); r.status != 200 {
		t.Errorf("login after the set-up: %d %s", r.status, r.body)
	}
	if got := s.ok("", "GET", "/readyz", ""); got["problems"] != nil {
		t.Errorf("readyz after the set-up: %v", got)
	}
}
