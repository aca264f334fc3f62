package webapi_test

import (
	"strings"
	"testing"

	"metermanager/rpc/api"
)

// TestBadBodiesAreExplained: the answer names the member and what was expected there, has the
// request's id, and repeats nothing that was sent.
func TestBadBodiesAreExplained(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	login, register, keys := api.Root+"/login", api.Root+"/meters/register", api.Root+"/keys"
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		field, detail      string
	}{
		"cut":                   {"POST", login, `{"user":"sesame`, 400, "", "byte 15"},
		"no JSON":               {"POST", login, `sesame`, 400, "", "byte 1"},
		"empty":                 {"POST", login, ``, 400, "", "JSON document"},
		"a number for a text":   {"POST", login, `{"user":"sesame","password":99099}`, 422, "password", "expected string"},
		"an array":              {"POST", login, `["sesame"]`, 422, "", "expected object"},
		"a misspelt member":     {"POST", login, `{"usr":"sesame","password":"sesame"}`, 422, "user", "missing"},
		"a permission":          {"POST", keys, `{"name":"x","permissions":"sesame"}`, 422, "permissions", "permissions"},
		"a text in an array":    {"PUT", s.meterPath("/settings"), `{"log_intervals_ms":[1,"sesame"]}`, 422, "log_intervals_ms[1]", "expected integer"},
		"a number beyond":       {"PUT", s.meterPath("/settings"), `{"name":"sesame","ct_primary_a":1e999}`, 400, "ct_primary_a", "byte 38"},
		"deep inside":           {"PUT", s.meterPath("/settings"), `{"energy_format":{"digits":"sesame"}}`, 422, "energy_format.digits", "expected integer"},
		"realtime, a text":      {"POST", s.meterPath("/realtime"), `{"time_ms":"sesame"}`, 422, "time_ms", "a whole number"},
		"realtime, a bad value": {"POST", s.meterPath("/realtime"), `{"values":[{"chan_key":"a.b","value":"sesame"}]}`, 422, "values", "value"},
		"too long":              {"POST", register, `{"make":"EIG","serial":"1","claim":"` + strings.Repeat("sesame", 50) + `"}`, 422, "claim", "200"},
		"a parameter too long":  {"GET", s.meterPath("/limit-counts?from=" + strings.Repeat("sesame", 50)), ``, 422, "from", "64"},
	} {
		r := s.call(s.admin, c.method, c.path, c.body, "Content-Type", "application/json")
		if r.status != c.status {
			t.Errorf("%s: status %d, want %d: %s", name, r.status, c.status, r.body)
			continue
		}
		s.refused(r, c.status, "invalid")
		doc := r.json(t)
		field, _ := doc["field"].(string)
		if detail := doc["detail"].(string); field != c.field || !strings.Contains(detail, c.detail) {
			t.Errorf("%s: field %q, detail %q; want %q and %q", name, field, detail, c.field, c.detail)
		}
		if id := r.header.Get("X-Request-Id"); id == "" || doc["request_id"] != id {
			t.Errorf("%s: request_id %v, header %q", name, doc["request_id"], id)
		}
		if strings.Contains(r.body, "sesame") || strings.Contains(r.body, "99099") || strings.Contains(s.log.String(), "sesame") {
			t.Errorf("%s: what was sent comes back: %s", name, r.body)
		}
	}
	r := s.call("", "POST", login, `user=sesame`, "Content-Type", "application/x-www-form-urlencoded; sesame=1")
	s.refused(r, 415, "unsupported_media")
	if strings.Contains(r.body, "sesame") || !strings.Contains(r.body, "application/json") {
		t.Errorf("another content type: %s", r.body)
	}
}
