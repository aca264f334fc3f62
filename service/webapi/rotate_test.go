package webapi_test

import (
	"net/http"
	"testing"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

// TestKeyIsRotated: old and new key are good side by side for the overlap, then only the new one. A key replaces itself without any
// other right; others are replaced by whoever manages keys and has what they have.
func TestKeyIsRotated(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	idOf := func(key string) string {
		return s.ok(key, "GET", api.Root+"/user", "")["key_id"].(string)
	}
	status := func(key string) int {
		return s.call(key, "POST", s.meterPath("/logs/historical"), rows(day0, 2)).status
	}
	rotate := func(by, id, body string) response {
		return s.call(by, "POST", api.Root+"/keys/"+id+"/rotate", body)
	}
	old := idOf(s.upload)
	r := rotate(s.upload, old, `{"overlap_s":60}`)
	if r.status != http.StatusOK {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	doc := r.json(t)
	fresh := doc["apikey"].(string)
	if doc["key_id"] == old || doc["permissions"] != "upload" {
		t.Errorf("the new key is %v", doc)
	}
	if a, b := status(s.upload), status(fresh); a != 200 || b != 200 {
		t.Errorf("in the overlap: old %d, new %d", a, b)
	}
	s.now = s.now.Add(59 * time.Second)
	s.refused(rotate(s.upload, old, `{"overlap_s":86400}`), 409, "conflict") // the new one is in use: whoever found the old one gets no other
	s.now = s.now.Add(2 * time.Second)
	if a, b := status(s.upload), status(fresh); a != 401 || b != 200 {
		t.Errorf("after the overlap: old %d, new %d; a key that was ending was prolonged", a, b)
	}
	s.refused(rotate(s.upload, old, `{}`), 401, "unauthenticated")
	for _, k := range s.ok(s.admin, "GET", api.Root+"/keys", "")["keys"].([]any) {
		if k.(map[string]any)["key_id"] == old {
			t.Error("a key that has ended is listed")
		}
	}

	// The answer was lost: the key asks again, and what it was given first is good for nothing.
	lost := rotate(fresh, idOf(fresh), `{}`).json(t)["apikey"].(string)
	again := rotate(fresh, idOf(fresh), `{}`)
	if again.status != http.StatusOK {
		t.Fatalf("a key whose answer was lost: status %d: %s", again.status, again.body)
	}
	fresh = again.json(t)["apikey"].(string)
	if a, b := status(lost), status(fresh); a != 401 || b != 200 {
		t.Errorf("the key that nobody got: %d, that in its place: %d", a, b)
	}
	freshID := idOf(fresh)
	s.refused(rotate(s.reader, freshID, `{}`), 403, "forbidden")
	s.refused(rotate(s.theirs, freshID, `{}`), 404, "not_found")
	s.refused(rotate(s.admin, idOf(s.system), `{}`), 403, "forbidden") // it has rights that the administrator lacks
	s.refused(rotate(s.admin, freshID, `{"overlap_s":99999999}`), 422, "invalid")
	r = rotate(s.admin, freshID, `{"overlap_s":0}`)
	if r.status != http.StatusOK || status(fresh) != 401 {
		t.Errorf("without an overlap: status %d: %s", r.status, r.body)
	}
	// One that a person replaced, as after a leak, does not replace itself in the overlap.
	leaked := r.json(t)["apikey"].(string)
	rotated := rotate(s.admin, idOf(leaked), `{"overlap_s":3600}`)
	if rotated.status != http.StatusOK || status(leaked) != 200 {
		t.Errorf("rotated by a person: status %d", rotated.status)
	}
	s.refused(rotate(leaked, idOf(leaked), `{}`), 409, "conflict")

	// The key of one meter stays one of that meter.
	_, secret, err := s.accounts.CreateKey(t.Context(), account.Principal{User: "x", Customer: s.customer(), Permissions: adminPermissions}, account.NewKey{Name: "meter", Permissions: permission.Of(permission.Upload), Meter: s.uid})
	must(t, err)
	doc = rotate(secret, idOf(secret), `{}`).json(t)
	if doc["meter_uid"] != string(s.uid) {
		t.Errorf("the key of a meter became %v", doc)
	}
}

func (s *server) customer() account.CustomerID {
	s.t.Helper()
	p, err := s.accounts.Authenticate(s.t.Context(), s.admin)
	must(s.t, err)
	return p.Customer
}
