package webapi_test

import (
	"fmt"
	"strings"
	"testing"

	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
)

// send sends a request with a token that must be answered with a status.
func (s *server) send(token string, status int, method, path, body string) map[string]any {
	s.t.Helper()
	r := s.as(token, method, path, body)
	if r.status != status {
		s.t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, r.status, status, r.body)
	}
	return r.json(s.t)
}

// TestMeterChangesHands: a meter registers by itself, is claimed, read, taken back and given to another customer; nobody reads what was
// logged for somebody else, unless the administrator of the system says so.
func TestMeterChangesHands(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one, two := s.tenant("one"), s.tenant("two")
	got := s.ok("", "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"W-1","name":"wandering"}`)
	uid, key, claim := got["meter_uid"].(string), got["apikey"].(string), got["claim_code"].(string)
	meter := api.Root + "/meters/" + uid
	upload := func(day int64) {
		t.Helper()
		s.ok(key, "POST", meter+"/logs/historical", rows(day0+day*86_400_000, 3))
	}
	upload(0)
	// It is found by its exact serial, and by its claim code only it is given away.
	if list := s.send(one.tokens["owner"], 200, "GET", api.Root+"/unassigned-meters?serial=W-1", "")["meters"].([]any); len(list) != 1 {
		t.Errorf("%v", list)
	}
	if list := s.send(one.tokens["owner"], 200, "GET", api.Root+"/unassigned-meters?serial=W", "")["meters"].([]any); len(list) != 0 {
		t.Errorf("part of a serial finds %v", list)
	}
	s.send(one.tokens["owner"], 400, "GET", api.Root+"/unassigned-meters", "")
	s.send(one.tokens["owner"], 404, "POST", meter+"/customer", `{"claim":"AAAAA-AAAAA-AAAAA-AAAAA"}`)
	s.send(one.tokens["limited"], 403, "POST", meter+"/customer", `{"claim":"`+claim+`"}`)
	s.send(one.tokens["owner"], 200, "POST", meter+"/customer", `{"claim":"`+claim+`"}`)
	s.send(two.tokens["owner"], 404, "POST", meter+"/customer", `{"claim":"`+claim+`"}`) // used up
	s.send(one.tokens["limited"], 200, "GET", meter+"/logs/historical", "")
	s.refused(s.call(key, "GET", meter+"/logs/historical", ""), 403, "forbidden") // its own key uploads only

	// The one customer makes a key that reads, and gives the meter up.
	reader := s.send(one.tokens["owner"], 200, "POST", api.Root+"/keys", `{"name":"r","permissions":"logs_read","meter_uid":"`+uid+`"}`)["apikey"].(string)
	s.ok(reader, "GET", meter+"/channels", "")
	own := s.ok(key, "GET", api.Root+"/user", "")["key_id"].(string)
	key = s.ok(key, "POST", api.Root+"/keys/"+own+"/rotate", `{"overlap_s":0}`)["apikey"].(string) // it stays the meter's own
	again := s.send(one.tokens["owner"], 200, "POST", meter+"/customer", `{"remove":true}`)["claim_code"].(string)
	s.send(one.tokens["owner"], 404, "GET", meter+"/logs/historical", "")
	s.refused(s.call(reader, "GET", meter+"/channels", ""), 401, "unauthenticated")
	upload(1) // it goes on
	// The next customer does not get the data with the meter.
	s.send(two.tokens["owner"], 409, "POST", meter+"/customer", `{"claim":"`+again+`"}`)
	body := `{"make":"EIG","serial":"W-1","claim":"` + again + `"}`
	s.send(two.tokens["owner"], 409, "POST", api.Root+"/meters/register", body)
	s.ok(key, "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"W-1","customer_key":"`+s.customerKey(two)+`"}`) // hears its UID, and stays where it is
	s.send(two.tokens["owner"], 404, "GET", meter, "")
	admin := one.tokens["system_admin"]
	if list := s.send(admin, 200, "GET", api.Root+"/unassigned-meters", "")["meters"].([]any); len(list) != 1 || list[0].(map[string]any)["former_cust_uid"] != string(one.customer) {
		t.Errorf("the pool: %v", list)
	}
	if !strings.Contains(s.as(admin, "GET", api.Root+"/meters", "").body, uid) {
		t.Error("the administrator of the system does not see the meter that is nobody's")
	}
	s.send(admin, 404, "GET", meter+"/logs/historical", "") // nobody's data are nobody's
	s.send(admin, 409, "POST", meter+"/customer", `{"cust_uid":"`+string(two.customer)+`"}`)
	s.send(admin, 404, "POST", meter+"/customer", `{"cust_uid":"none","with_data":true}`)
	s.send(admin, 200, "POST", meter+"/customer", `{"cust_uid":"`+string(two.customer)+`","with_data":true}`)
	s.send(two.tokens["owner"], 200, "GET", meter+"/logs/historical", "")
	s.send(one.tokens["owner"], 404, "GET", meter+"/logs/historical", "")
	s.refused(s.call(reader, "GET", meter+"/channels", ""), 401, "unauthenticated")
	// A customer that comes back gets its own meter back by its code.
	s.send(two.tokens["owner"], 404, "POST", meter+"/customer", `{"claim":"`+again+`"}`)
}

// customerKey is a customer's key as its owner sees it.
func (s *server) customerKey(of tenant) string {
	s.t.Helper()
	return s.send(of.tokens["owner"], 200, "GET", api.Root+"/user", "")["customer_key"].(string)
}

// TestFacilities: who is held to a facility sees its meters and no others, at once when a meter moves.
func TestFacilities(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one, two := s.tenant("one"), s.tenant("two")
	meter := api.Root + "/meters/" + string(one.meter)
	seen := func() int {
		t.Helper()
		return len(s.send(one.tokens["held"], 200, "GET", api.Root+"/meters", "")["meters"].([]any))
	}
	if n := seen(); n != 0 {
		t.Errorf("%d meters of no facility", n)
	}
	s.send(one.tokens["owner"], 404, "POST", meter+"/facility", `{"facility_uid":"`+string(two.facility)+`"}`)
	if got := s.send(one.tokens["owner"], 200, "POST", meter+"/facility", `{"facility_uid":"`+string(one.facility)+`"}`); got["facility_uid"] != string(one.facility) {
		t.Errorf("%v", got)
	}
	if n := seen(); n != 1 {
		t.Errorf("%d meters after the move", n)
	}
	s.send(one.tokens["held"], 200, "GET", meter+"/logs/historical", "")
	s.send(one.tokens["held"], 403, "POST", meter+"/facility", `{"facility_uid":""}`)
	s.send(one.tokens["held"], 403, "POST", meter+"/customer", `{"remove":true}`)
	if list := s.send(one.tokens["held"], 200, "GET", api.Root+"/facilities", "")["facilities"].([]any); len(list) != 1 {
		t.Errorf("%v", list)
	}
	s.send(one.tokens["owner"], 200, "POST", api.Root+"/facilities", `{"name":"another"}`)
	if list := s.send(one.tokens["held"], 200, "GET", api.Root+"/facilities", "")["facilities"].([]any); len(list) != 1 {
		t.Errorf("%v", list)
	}
	s.send(one.tokens["owner"], 200, "DELETE", api.Root+"/facilities/"+string(one.facility), "")
	if n := seen(); n != 0 {
		t.Errorf("%d meters of a facility that is gone", n)
	}
	if got := s.send(one.tokens["owner"], 200, "GET", meter, ""); got["facility_uid"] != nil {
		t.Errorf("%v", got)
	}
}

// TestReplacedMeter: another meter at the measuring point goes on under the same UID; the one before is out.
func TestReplacedMeter(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.tenant("one")
	got := s.ok("", "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"R-1","customer_key":"`+s.customerKey(one)+`"}`)
	uid, old := got["meter_uid"].(string), got["apikey"].(string)
	meter := api.Root + "/meters/" + uid
	s.ok(old, "POST", meter+"/logs/historical", rows(day0, 3))
	s.send(one.tokens["owner"], 409, "POST", meter+"/hardware", `{"serial":"R-1"}`)
	s.send(one.tokens["owner"], 409, "POST", meter+"/hardware", `{"serial":"serial of one"}`) // hangs elsewhere
	after := s.send(one.tokens["owner"], 200, "POST", meter+"/hardware", `{"serial":"R-2","type":"Shark 270"}`)
	key := after["apikey"].(string)
	s.refused(s.call(old, "POST", meter+"/logs/historical", rows(day0+86_400_000, 3)), 401, "unauthenticated")
	s.ok(key, "POST", meter+"/logs/historical", rows(day0+86_400_000, 3))
	if m := s.send(one.tokens["owner"], 200, "GET", meter, "")["settings"].(map[string]any); m["serial"] != "R-2" || m["type"] != "Shark 270" {
		t.Errorf("%v", m)
	}
	if again := s.ok(key, "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"R-2"}`); again["meter_uid"] != uid {
		t.Errorf("the new meter is %v", again)
	}
	if fresh := s.ok("", "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"R-1"}`); fresh["meter_uid"] == uid || fresh["registered"] != "new" {
		t.Errorf("the old meter elsewhere is %v", fresh)
	}
}

// TestMeterAsksForLogin: a meter that keeps no passwords hears who may log in at it; guesses are locked out there too.
func TestMeterAsksForLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one, two := s.tenant("one"), s.tenant("two")
	got := s.ok("", "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"L-1","customer_key":"`+s.customerKey(one)+`"}`)
	key, path := got["apikey"].(string), api.Root+"/meters/"+got["meter_uid"].(string)+"/login"
	ask := func(user, password string) map[string]any {
		t.Helper()
		return s.ok(key, "POST", path, `{"user":"`+user+`","password":"`+password+`"}`)
	}
	if a := ask("limited of one", password); a["allowed"] != true || !strings.Contains(fmt.Sprint(a["permissions"]), "logs_read") || fmt.Sprint(a["roles"]) != "[limited]" {
		t.Errorf("%v", a)
	}
	for name, a := range map[string]map[string]any{
		"wrong password": ask("limited of one", "wrong"), "of another customer": ask("owner of two", password), "held elsewhere": ask("held of one", password),
		"waits": ask("who waits for one", password), "nobody": ask("nobody", password),
	} {
		if len(a) != 2 || a["allowed"] != false || a["permissions"] != "" {
			t.Errorf("%s: %v", name, a)
		}
	}
	if a := ask("system_admin of two", password); a["allowed"] != true { // acts everywhere
		t.Errorf("%v", a)
	}
	s.refused(s.call(key, "POST", api.Root+"/meters/"+string(two.meter)+"/login", `{"user":"owner of two","password":"`+password+`"}`), 404, "not_found")
	for range 10 {
		ask("owner of one", "guess")
	}
	s.refused(s.call(key, "POST", path, `{"user":"owner of one","password":"`+password+`"}`), 429, "rate_limited")
	// A customer with many meters guesses no more often, and locks nobody out elsewhere.
	for i := range 12 {
		got := s.ok("", "POST", api.Root+"/meters/register", fmt.Sprintf(`{"make":"EIG","serial":"G-%d","customer_key":"%s"}`, i, s.customerKey(one)))
		for range 10 {
			s.call(got["apikey"].(string), "POST", api.Root+"/meters/"+got["meter_uid"].(string)+"/login", `{"user":"owner of two","password":"guess"}`)
		}
	}
	s.ok("", "POST", api.Root+"/login", `{"user":"owner of two","password":"`+password+`"}`)
	// At a meter that is nobody's nobody may log in.
	got = s.ok("", "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"L-9"}`)
	if a := s.ok(got["apikey"].(string), "POST", api.Root+"/meters/"+got["meter_uid"].(string)+"/login", `{"user":"system_admin of two","password":"`+password+`"}`); a["allowed"] != false {
		t.Errorf("%v", a)
	}
}

// TestPeople goes along the life of a customer's users over the web API.
func TestPeople(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.tenant("one")
	owner, key := one.tokens["owner"], s.customerKey(one)
	account1 := func(status int, body string) map[string]any {
		t.Helper()
		r := s.call("", "POST", api.Root+"/accounts", body)
		if r.status != status {
			t.Fatalf("%s: %d %s", body, r.status, r.body)
		}
		return r.json(t)
	}
	account1(404, `{"user":"eva","password":"a fine password","customer_key":"mmc_guess"}`)
	account1(400, `{"user":"eva","password":"a fine password"}`)
	account1(400, `{"user":"eva","password":"Password123!","customer_key":"`+key+`"}`)
	account1(403, `{"user":"eva","password":"a fine password","customer_name":"Eva"}`) // registration is join here
	joined := account1(200, `{"user":"eva","password":"a fine password","email":"eva@example.net","customer_key":"`+key+`"}`)
	if joined["state"] != "pending" || joined["cust_uid"] != nil {
		t.Errorf("%v", joined)
	}
	eva := s.login(`{"user":"eva","password":"a fine password"}`).json(t)
	token, uid := eva["token"].(string), eva["user_uid"].(string)
	if eva["state"] != "pending" || eva["permissions"] != "own_account" {
		t.Errorf("%v", eva)
	}
	if r := s.as(token, "GET", api.Root+"/meters", ""); r.status != 403 {
		t.Errorf("a pending user sees meters: %d", r.status)
	}
	if n := s.send(owner, 200, "GET", api.Root+"/user", "")["pending_users"]; n != 2.0 {
		t.Errorf("%v users wait", n)
	}
	s.send(owner, 200, "POST", api.Root+"/pending-users/"+uid+"/reject", "")
	if u := s.send(token, 200, "GET", api.Root+"/user", ""); u["state"] != "alone" {
		t.Errorf("%v", u)
	}
	s.send(token, 200, "POST", api.Root+"/user/customer", `{"customer_key":"`+key+`"}`)
	approved := s.send(owner, 200, "POST", api.Root+"/pending-users/"+uid+"/approve", `{}`)
	if fmt.Sprint(approved["roles"]) != "[limited]" || approved["cust_uid"] != string(one.customer) {
		t.Errorf("%v", approved)
	}
	s.send(token, 200, "GET", api.Root+"/meters", "") // without another login
	if list := s.send(token, 200, "GET", api.Root+"/users", "")["users"].([]any); len(list) != 1 {
		t.Errorf("a general user lists %d users", len(list))
	}
	s.send(token, 409, "POST", api.Root+"/user/customer", `{"customer_key":"mmc_theirs"}`) // one customer only
	// Roles of people.
	role := s.send(owner, 200, "POST", api.Root+"/roles", `{"name":"auditor","permissions":"logs_read,users_manage"}`)["role"].(string)
	s.send(owner, 200, "POST", api.Root+"/users/"+uid+"/roles", `{"add":["`+role+`","ROLECREATOR"],"remove":["limited"]}`)
	if u := s.send(token, 200, "GET", api.Root+"/user", ""); u["permissions"] != "logs_read,users_manage,own_account,roles_manage" {
		t.Errorf("%v", u["permissions"])
	}
	enterprise := one.tokens["enterprise"]
	s.send(token, 403, "POST", api.Root+"/users/"+uid+"/roles", `{"add":["ADMIN"]}`) // not what they lack
	s.send(owner, 403, "POST", api.Root+"/users/"+uid+"/roles", `{"add":["system_reader"]}`)
	s.send(owner, 409, "POST", api.Root+"/users/"+uid+"/roles", `{"add":["owner"]}`)
	s.send(enterprise, 400, "POST", api.Root+"/roles", `{"name":"x","permissions":"billing_manage"}`)
	s.send(owner, 200, "DELETE", api.Root+"/roles/"+role, "")
	if u := s.send(token, 200, "GET", api.Root+"/user", ""); u["permissions"] != "own_account,roles_manage" {
		t.Errorf("after the role was deleted: %v", u["permissions"])
	}
	// Nobody takes over who may do more.
	ownerUID := string(one.customer)
	for _, path := range []string{"/users/" + ownerUID + "/password", "/users/" + ownerUID + "/enabled"} {
		if r := s.as(enterprise, "POST", api.Root+path, `{"enabled":false}`); r.status != 403 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	// Disabled: told so with the right password only; sessions are over at once.
	s.send(owner, 200, "POST", api.Root+"/users/"+uid+"/enabled", `{"enabled":false}`)
	s.refused(s.as(token, "GET", api.Root+"/user", ""), 401, "unauthenticated")
	if r := s.login(`{"user":"eva","password":"a fine password"}`); r.status != 403 || !strings.Contains(r.body, "disabled") {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.refused(s.login(`{"user":"eva","password":"wrong"}`), 401, "unauthenticated")
	s.send(owner, 200, "POST", api.Root+"/users/"+uid+"/enabled", `{"enabled":true}`)
	// Banned: the customer cannot take it back.
	admin := one.tokens["system_admin"]
	s.send(admin, 200, "POST", api.Root+"/users/"+uid+"/ban", `{"why":"spam"}`)
	s.send(owner, 200, "POST", api.Root+"/users/"+uid+"/enabled", `{"enabled":true}`)
	if r := s.login(`{"user":"eva","password":"a fine password"}`); r.status != 403 {
		t.Errorf("a banned user logs in: %d", r.status)
	}
	s.send(admin, 200, "POST", api.Root+"/users/"+uid+"/ban", `{"why":""}`)
	// What they did.
	events := s.send(owner, 200, "GET", api.Root+"/users/"+uid+"/history", "")["events"].([]any)
	if len(events) == 0 || !strings.Contains(fmt.Sprint(events), "set-user-roles") {
		t.Errorf("%v", events)
	}
	// Without an address the link is handed over.
	noMail := s.send(owner, 200, "POST", api.Root+"/users", `{"user":"finn","password":"a fine password"}`)["user_uid"].(string)
	link := s.send(owner, 200, "POST", api.Root+"/users/"+noMail+"/password", "")["link"].(string)
	_, secret, _ := strings.Cut(link, "#token=")
	s.refused(s.login(`{"user":"finn","password":"a fine password"}`), 401, "unauthenticated")
	s.ok("", "POST", api.Root+"/password/reset", `{"token":"`+secret+`","password":"a finer password"}`)
	s.refused(s.call("", "POST", api.Root+"/password/reset", `{"token":"`+secret+`","password":"the finest password"}`), 403, "forbidden")
	if r := s.login(`{"user":"finn","password":"a finer password"}`); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	// The key of the customer changes: it joins nobody any more.
	if fresh := s.send(owner, 200, "POST", api.Root+"/customers/"+ownerUID+"/key", "")["customer_key"]; fresh == key {
		t.Error("the key is the same")
	}
	account1(404, `{"user":"gus","password":"a fine password","customer_key":"`+key+`"}`)
	// Billing is the owner's, and goes with the ownership.
	s.send(enterprise, 403, "GET", api.Root+"/customers/"+ownerUID+"/billing", "")
	s.send(owner, 200, "PUT", api.Root+"/customers/"+ownerUID+"/billing", `{"company":"One Ltd","email":"pay@example.net"}`)
	s.send(owner, 200, "POST", api.Root+"/customers/"+ownerUID+"/owner", `{"user_uid":"`+noMail+`"}`)
	s.send(owner, 403, "GET", api.Root+"/customers/"+ownerUID+"/billing", "")
	finn := s.token2("finn", "a finer password")
	if b := s.send(finn, 200, "GET", api.Root+"/customers/"+ownerUID+"/billing", ""); b["company"] != "One Ltd" {
		t.Errorf("%v", b)
	}
	s.send(finn, 409, "DELETE", api.Root+"/users/"+noMail, "")       // an owner stays
	s.send(owner, 200, "DELETE", api.Root+"/users/"+ownerUID, "")    // who was the owner goes
	s.send(finn, 200, "DELETE", api.Root+"/customers/"+ownerUID, "") // and the customer
	s.refused(s.as(finn, "GET", api.Root+"/user", ""), 401, "unauthenticated")
	if u := s.login(`{"user":"finn","password":"a finer password"}`).json(t); u["state"] != "alone" {
		t.Errorf("%v", u)
	}
	s.refused(s.call(s.system, "DELETE", api.Root+"/customers/"+string(s.ours.customer), ""), 409, "conflict") // it runs the node
}

func (s *server) token2(user, password string) string {
	s.t.Helper()
	got, err := s.accounts.Login(s.t.Context(), account.Login{User: user, Password: password, Address: user})
	must(s.t, err)
	return got.Token
}

// TestOpenRegistration: where everybody may, a person makes a customer, and its id is that of its owner.
func TestOpenRegistration(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.ok(s.system, "POST", api.Root+"/accounts", `{"user":"ida","password":"a fine password","customer_name":"Ida's"}`)
	if got["state"] != "member" || got["cust_uid"] != got["user_uid"] {
		t.Errorf("%v", got)
	}
	ida := s.token2("ida", "a fine password")
	if c := s.send(ida, 200, "GET", api.Root+"/customers/"+got["cust_uid"].(string), ""); c["uid"] != got["user_uid"] || c["company"] != "Ida's" || c["user"] != "ida" {
		t.Errorf("%v", c)
	}
	list := s.ok(s.system, "GET", api.Root+"/customers", "")["customers"].([]any)
	if len(list) != 3 {
		t.Errorf("%v", list)
	}
}

// TestGuestsSeeNothingOfTheNode: what all do together, and what the node is, is told to who runs it.
func TestGuestsSeeNothingOfTheNode(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.tenant("one", "limited")
	mine, node := s.as(one.tokens["owner"], "GET", "/metrics", ""), s.call(s.system, "GET", "/metrics", "")
	if mine.status != 200 || node.status != 200 || strings.Contains(mine.body, "_requests_total") || !strings.Contains(node.body, "_requests_total") {
		t.Errorf("a guest: %.300s\nthe node: %.300s", mine.body, node.body)
	}
	if status := s.send(one.tokens["owner"], 200, "GET", api.Root+"/status", ""); status["sync"] != nil || status["data"] != nil || status["warnings"] != nil {
		t.Errorf("%v", status)
	}
}
