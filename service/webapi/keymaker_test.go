package webapi_test

import (
	"fmt"
	"testing"
	"time"

	"metermanager/rpc/api"
)

// TestKeysAreBoundToTheirMaker: a key that reads stops with the rights of the user who made it, at the next request; uploading goes on,
// so that no data are lost because somebody leaves; who replaces a key takes it over.
func TestKeysAreBoundToTheirMaker(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.tenant("one", "enterprise")
	owner, maker := one.tokens["owner"], one.tokens["enterprise"]
	makerUID := s.send(maker, 200, "GET", api.Root+"/user", "")["user_uid"].(string)
	make1 := func(token, body string) (id, secret string) {
		t.Helper()
		k := s.send(token, 200, "POST", api.Root+"/keys", body)
		return k["key_id"].(string), k["apikey"].(string)
	}
	both, bothKey := make1(maker, `{"name":"both","permissions":"upload,meters_read,users_manage"}`)
	_, uploadKey := make1(maker, `{"name":"manager","permissions":"upload"}`)
	_, readKey := make1(maker, `{"name":"script","permissions":"meters_read"}`)
	// A key that a key made is bound to the same user.
	child := s.ok(bothKey, "POST", api.Root+"/keys", `{"name":"child","permissions":"meters_read"}`)["apikey"].(string)
	for _, body := range []string{`{"name":"k","permissions":"meters_read,teleport"}`, `{"name":"k","permissions":"Upload"}`} {
		s.send(maker, 422, "POST", api.Root+"/keys", body)
		s.send(owner, 422, "POST", api.Root+"/roles", body)
	}
	meters, streams := api.Root+"/meters", api.Root+"/meters/"+string(one.meter)+"/streams/pq"
	check := func(when string, reads, reader int) {
		t.Helper()
		for _, x := range []struct {
			name, key, path string
			want            int
		}{
			{"upload and read, reading", bothKey, meters, reads}, {"upload and read, uploading", bothKey, streams, 200}, {"upload", uploadKey, streams, 200},
			{"read", readKey, meters, reader}, {"made by a key", child, meters, reader},
		} {
			if r := s.call(x.key, "GET", x.path, ""); r.status != x.want {
				t.Errorf("%s: %s: status %d, want %d: %s", when, x.name, r.status, x.want, r.body)
			}
		}
	}
	user := api.Root + "/users/" + makerUID
	check("at first", 200, 200)
	s.send(owner, 200, "POST", user+"/enabled", `{"enabled":false}`)
	check("disabled", 403, 401)
	s.send(owner, 200, "POST", user+"/enabled", `{"enabled":true}`)
	check("enabled again", 200, 200)
	s.send(owner, 200, "POST", user+"/roles", `{"add":["role_creator"],"remove":["enterprise"]}`)
	check("without the role", 403, 401)
	s.send(owner, 200, "POST", user+"/roles", `{"add":["enterprise"]}`)
	s.send(owner, 200, "PUT", user, `{"by_facility":true,"facilities":["`+string(one.facility)+`"]}`)
	check("held to facilities", 403, 401)
	s.send(owner, 200, "PUT", user, `{"by_facility":false}`)
	s.ok(s.system, "POST", user+"/ban", `{"why":"spam"}`)
	check("banned", 403, 401)
	s.ok(s.system, "POST", user+"/ban", `{"why":""}`)
	check("free again", 200, 200)
	s.send(owner, 200, "DELETE", user, "")
	check("deleted", 403, 401)
	for _, k := range s.send(owner, 200, "GET", api.Root+"/keys", "")["keys"].([]any) {
		k := k.(map[string]any)
		want := map[string]string{"both": "upload", "script": "", "child": "", "manager": "<nil>"}[k["name"].(string)]
		if _, ours := map[string]bool{"both": true, "script": true, "child": true, "manager": true}[k["name"].(string)]; ours && fmt.Sprint(k["holds"]) != want {
			t.Errorf("key %v holds %v, want %q", k["name"], k["holds"], want)
		}
	}
	fresh := s.send(owner, 200, "POST", api.Root+"/keys/"+both+"/rotate", `{"overlap_s":0}`)["apikey"].(string)
	if r := s.call(fresh, "GET", meters, ""); r.status != 200 {
		t.Errorf("a key that was taken over: status %d: %s", r.status, r.body)
	}
}

// TestUserChangesAsAWhole: of a change that fails in its last part nothing is left.
func TestUserChangesAsAWhole(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.tenant("one", "limited")
	owner := one.tokens["owner"]
	user := api.Root + "/users/" + string(one.user)
	before := s.send(owner, 200, "GET", user, "")
	for _, body := range []string{
		`{"first_name":"Ann","email":"ann@example.net","by_facility":true,"facilities":["` + string(s.ours.facility) + `"]}`, // another customer's
		`{"first_name":"Ann","by_facility":true,"facilities":["` + string(one.facility) + `"],"email":"no address"}`,
	} {
		if r := s.as(owner, "PUT", user, body); r.status != 404 && r.status != 400 {
			t.Errorf("%s: status %d: %s", body, r.status, r.body)
		}
		if after := s.send(owner, 200, "GET", user, ""); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s\nleaves %v\nof      %v", body, after, before)
		}
	}
	got := s.send(owner, 200, "PUT", user, `{"first_name":"Ann","by_facility":true,"facilities":["`+string(one.facility)+`"]}`)
	if got["first_name"] != "Ann" || got["by_facility"] != true || fmt.Sprint(got["facilities"]) != "["+string(one.facility)+"]" || fmt.Sprint(got["roles"]) != fmt.Sprint(before["roles"]) {
		t.Errorf("%v", got)
	}
	s.send(one.tokens["limited"], 403, "PUT", api.Root+"/users/"+s.send(one.tokens["limited"], 200, "GET", api.Root+"/user", "")["user_uid"].(string), `{"by_facility":false}`)
}

// TestInvitationsRunOut: one whose time is over is shown so for a month, and lets nobody in; links to choose a password are gone with theirs.
func TestInvitationsRunOut(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	list := func() (out []string) {
		for _, i := range s.ok(s.admin, "GET", api.Root+"/invitations", "")["invitations"].([]any) {
			i := i.(map[string]any)
			out = append(out, fmt.Sprint(i["email"], " ", i["expired"] == true))
		}
		return out
	}
	drop := func() {
		t.Helper()
		must(t, s.accounts.DropExpired(t.Context()))
	}
	finn := s.ok(s.admin, "POST", api.Root+"/users", `{"user":"finn","password":"a fine password"}`)["user_uid"].(string)
	s.ok(s.admin, "POST", api.Root+"/users/"+finn+"/password", "") // a link for three days
	drop()
	if got := fmt.Sprint(list()); got != "[guest@ours.example false]" {
		t.Error(got)
	}
	s.now = s.now.Add(15 * 24 * time.Hour)
	drop()
	if got := fmt.Sprint(list()); got != "[guest@ours.example true]" {
		t.Error(got)
	}
	s.now = s.now.Add(30 * 24 * time.Hour)
	drop()
	if got := fmt.Sprint(list()); got != "[]" {
		t.Error(got)
	}
}
