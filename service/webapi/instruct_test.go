package webapi_test

import (
	"net/http"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

// A meter that only calls out: instructions wait for it at the routes by which managers are asked, and nobody else gets them.
func TestInstructions(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	requests := s.meterPath("/requests")
	made := func(body string) map[string]any {
		t.Helper()
		list := s.ok(s.admin, "POST", requests, body)["requests"].([]any)
		if len(list) != 1 {
			t.Fatalf("%s makes %v", body, list)
		}
		return list[0].(map[string]any)
	}
	const post = `{"kind":"historical","from_ms":1772323200000,"to_ms":1772326800000,"what":["post"],"interval_s":900}`
	first, again := made(post), made(post)
	if first["id"] != again["id"] || first["journal"] != nil || first["state"] != "queued" {
		t.Errorf("asked twice to post: %v and %v", first, again)
	}
	set := made(`{"what":["settings"],"set":{"call_s":"60","name":"north"}}`)
	command := made(`{"what":["command"],"command":"reset_energy","args":{"which":"wh"}}`)
	if twice := made(`{"what":["command"],"command":"reset_energy","args":{"which":"wh"}}`); twice["id"] == command["id"] {
		t.Error("a command that was given twice is carried out once")
	}
	for body, at := range map[string]string{
		`{"what":["post"]}`:                                           "kind",
		`{"kind":"pq","what":["post","command"]}`:                     "what",
		`{"kind":"pq","what":["post"],"from_ms":5,"to_ms":5}`:         "to_ms",
		`{"kind":"pq","what":["settings"],"set":{"a":"b"}}`:           "kind",
		`{"what":["settings"]}`:                                       "set",
		`{"what":["settings"],"set":{"":"b"}}`:                        "set",
		`{"what":["command"]}`:                                        "command",
		`{"kind":"pq","what":["post"],"args":{"a":"b"}}`:              "command",
		`{"what":["command"],"command":"x","interval_s":5}`:           "interval_s",
		`{"what":["settings"],"set":{"a":"b"},"from_ms":1,"to_ms":2}`: "to_ms",
	} {
		r := s.call(s.admin, "POST", requests, body)
		if r.status < 400 || r.status > 422 || !strings.Contains(string(r.body), at) {
			t.Errorf("%s: %d %s, want a refusal of %s", body, r.status, r.body, at)
		}
	}
	s.refused(s.call(s.reader, "POST", requests, post), http.StatusForbidden, "forbidden")

	if seen := string(s.call(s.reader, "GET", requests, "").body); strings.Contains(seen, "north") || strings.Contains(seen, `"wh"`) || !strings.Contains(seen, "call_s") {
		t.Errorf("who may read only sees %s", seen)
	}
	if seen := string(s.call(s.admin, "GET", requests, "").body); !strings.Contains(seen, "north") {
		t.Errorf("who gives instructions sees %s", seen)
	}
	open := s.ok(s.upload, "GET", api.Root+"/requests", "")["requests"].([]any)
	if len(open) != 4 {
		t.Fatalf("the meter gets %d instructions, want 4: %v", len(open), open)
	}
	for _, r := range open {
		r := r.(map[string]any)
		switch r["id"] {
		case first["id"]:
			if r["interval_s"] != 900.0 || r["kind"] != "historical" || r["from_ms"] != 1772323200000.0 {
				t.Errorf("to post: %v", r)
			}
		case set["id"]:
			if r["set"].(map[string]any)["name"] != "north" || r["kind"] != nil {
				t.Errorf("settings: %v", r)
			}
		case command["id"]:
			if r["command"] != "reset_energy" || r["args"].(map[string]any)["which"] != "wh" {
				t.Errorf("command: %v", r)
			}
		}
	}
	if theirs := s.ok(s.theirs, "GET", api.Root+"/requests", "")["requests"].([]any); len(theirs) != 0 {
		t.Errorf("another customer's meter gets %v", theirs)
	}
	if r := s.call(s.upload, "GET", s.meterPath("/streams/pq"), ""); r.header.Get(api.WaitingHeader) != "4" {
		t.Errorf("an answer says that %q wait, want 4", r.header.Get(api.WaitingHeader))
	}
	for range 2 {
		r := s.ok(s.upload, "POST", requests+"/"+first["id"].(string)+"/report", `{"state":"done","result":"4 records posted"}`)
		if r["state"] != "done" || r["result"] != "4 records posted" {
			t.Errorf("after the report: %v", r)
		}
	}
	r := s.ok(s.upload, "POST", requests+"/"+command["id"].(string)+"/report", `{"state":"failed","reason":"no such command"}`)
	if r["state"] != "failed" || r["reason"] != "no such command" {
		t.Errorf("after the report: %v", r)
	}
	s.ok(s.admin, "DELETE", requests+"/"+set["id"].(string), "")
	if open := s.ok(s.upload, "GET", api.Root+"/requests", "")["requests"].([]any); len(open) != 1 {
		t.Errorf("still open: %v", open)
	}
}

// What the profile of a meter has by inference is marked in the list of channels and in every answer with values, wherever the settings came from, so that nobody bills it.
func TestUnverifiedChannelsAreMarked(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "PUT", s.meterPath("/settings"), `{"name":"n","make":"EIG","model":"Shark 200","serial":"1","time_zone":"UTC","energy_format":{},"unverified_channels":["energy.total.wh.received"]}`)
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"),
		`{"channels":[{"chan_key":"readings.voltage.an"},{"chan_key":"energy.total.wh.received"},{"chan_key":"register.x0400"}],"records":[[1772323200000,230,1000,5]]}`)
	got := map[string]bool{}
	for _, ch := range s.ok(s.reader, "GET", s.meterPath("/channels"), "")["channels"].([]any) {
		ch := ch.(map[string]any)
		got[ch["chan_key"].(string)] = ch["unverified"] == true
	}
	if len(got) != 3 || got["readings.voltage.an"] || !got["energy.total.wh.received"] || !got["register.x0400"] {
		t.Errorf("unverified: %v, want the energy and the register", got)
	}
	for _, ask := range []string{"", "?interval=1d", "?zone=utc&channels=energy.total.wh.received"} {
		body := s.ok(s.reader, "GET", s.meterPath("/logs/historical"+ask), "")
		for _, ch := range body["channels"].([]any) {
			ch := ch.(map[string]any)
			if (ch["unverified"] == true) != got[ch["chan_key"].(string)] {
				t.Errorf("%q: %v", ask, ch)
			}
		}
	}
	r := s.call(s.upload, "PUT", s.meterPath("/settings"), `{"name":"n","make":"EIG","model":"Shark 200","serial":"1","time_zone":"UTC","energy_format":{},"unverified_channels":["Not a key"]}`)
	if r.status != http.StatusBadRequest && r.status != http.StatusUnprocessableEntity {
		t.Errorf("a key that is none: %d %s", r.status, r.body)
	}
}
