package webapi_test

import (
	"strconv"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

// TestLockedLoginSaysSo: the answer names the lock and when to come back, in its header too.
func TestLockedLoginSaysSo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	path := api.Root + "/login"
	var r response
	for range 11 {
		r = s.call("", "POST", path, `{"user":"owner","password":"not the password"}`)
	}
	s.refused(r, 429, "rate_limited")
	r = s.call("", "POST", path, `{"user":"owner","password":"`+password+`"}`)
	s.refused(r, 429, "rate_limited")
	doc := r.json(t)
	seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
	if err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	if !strings.Contains(doc["detail"].(string), "locked") || !strings.Contains(doc["hint"].(string), strconv.Itoa(seconds)+" s") || doc["request_id"] == nil {
		t.Errorf("the answer does not say that it is locked and how long: %v", doc)
	}
	if r = s.call("", "GET", api.Root+"/user", ""); r.header.Get("WWW-Authenticate") == "" {
		t.Error("a typed route's 401 does not say how to log in")
	}
}
