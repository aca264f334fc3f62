package webapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
)

// audited reports the events of the whole node that were refused.
func (s *server) refusals() string {
	s.t.Helper()
	return strings.Join(s.auditOf(s.system, `{"view":"server","outcome":"refused","limit":1000}`), "\n")
}

// TestOthersInEveryParameter names what belongs to another customer wherever a request can name something beside its path: nothing is
// found, nothing is told, nothing changes, and each try is in the audit.
func TestOthersInEveryParameter(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	victim, mine := s.tenant("victim"), s.tenant("mine")
	user, customer := api.Root+"/users/"+string(mine.user), api.Root+"/customers/"+string(mine.customer)
	meter := api.Root + "/meters/" + string(mine.meter)
	before := s.snapshot(victim)
	for _, x := range []struct {
		name, op, method, path, body string
		status                       int
	}{
		{"a user for another customer", api.OpAddUser, "POST", api.Root + "/users", `{"user":"x","password":"a fine password","cust_uid":"` + string(victim.customer) + `"}`, 404},
		{"a user at another's facility", api.OpAddUser, "POST", api.Root + "/users", `{"user":"x","password":"a fine password","by_facility":true,"facilities":["` + string(victim.facility) + `"]}`, 404},
		{"another's role for a user", api.OpSetRoles, "POST", user + "/roles", `{"add":["` + string(victim.role) + `"]}`, 404},
		{"another's facility for a user", api.OpSetRoles, "POST", user + "/roles", `{"facilities":["` + string(victim.facility) + `"]}`, 404},
		{"another's facility for a user by update", api.OpUpdateUser, "PUT", user, `{"facilities":["` + string(victim.facility) + `"]}`, 404},
		{"an invitation with another's role", api.OpInvite, "POST", api.Root + "/invitations", `{"email":"x@example.net","roles":["` + string(victim.role) + `"]}`, 404},
		{"an invitation to another's facility", api.OpInvite, "POST", api.Root + "/invitations", `{"email":"x@example.net","facilities":["` + string(victim.facility) + `"]}`, 404},
		{"let in with another's role", api.OpApprove, "POST", api.Root + "/pending-users/" + string(mine.pending) + "/approve", `{"add":["` + string(victim.role) + `"]}`, 404},
		{"let in at another's facility", api.OpApprove, "POST", api.Root + "/pending-users/" + string(mine.pending) + "/approve", `{"facilities":["` + string(victim.facility) + `"]}`, 404},
		{"ownership to another's user", api.OpTransfer, "POST", customer + "/owner", `{"user_uid":"` + string(victim.user) + `"}`, 404},
		{"a facility for another customer", api.OpCreateFacility, "POST", api.Root + "/facilities", `{"name":"x","cust_uid":"` + string(victim.customer) + `"}`, 404},
		{"a meter at another's facility", api.OpMoveMeter, "POST", meter + "/facility", `{"facility_uid":"` + string(victim.facility) + `"}`, 404},
		{"a meter for another customer", api.OpAssignMeter, "POST", meter + "/customer", `{"cust_uid":"` + string(victim.customer) + `"}`, 403},
		{"a key for another's meter", api.OpCreateKey, "POST", api.Root + "/keys", `{"name":"x","permissions":"logs_read","meter_uid":"` + string(victim.meter) + `"}`, 404},
		{"a page for another's meter", api.OpPush, "POST", api.Root + "/push/historical", strings.Replace(rows(day0, 2), "{", `{"meter_uid":"`+string(victim.meter)+`",`, 1), 404},
		{"another's serial", api.OpRegister, "POST", api.Root + "/meters/register", `{"make":"EIG","serial":"serial of victim"}`, 409},
		{"another's serial for a replacement", api.OpReplaceMeter, "POST", meter + "/hardware", `{"serial":"serial of victim"}`, 409},
		{"another's meter in a list of groups", api.OpEventGroups, "GET", api.Root + "/event-groups?from=2026-03-01&to=2026-03-02&meters=" + string(victim.meter), "", 404},
		{"another's meter by its status", api.OpCommand, "POST", api.Root + "/rpc/meter.status", `{"meter":"` + string(victim.meter) + `"}`, 404},
	} {
		r := s.as(mine.tokens["owner"], x.method, x.path, x.body)
		if r.status != x.status {
			t.Errorf("%s: status %d, want %d: %.300s", x.name, r.status, x.status, r.body)
		}
		for _, secret := range []string{"victim", string(victim.meter), string(victim.facility), string(victim.role), string(victim.user)} {
			if strings.Contains(r.body, secret) {
				t.Errorf("%s: the answer holds %q: %.300s", x.name, secret, r.body)
			}
		}
		if x.method != "GET" && x.op != api.OpPush && x.op != api.OpCommand && !strings.Contains(s.refusals(), fmt.Sprintf("%s refused owner of mine", x.op)) {
			t.Errorf("%s: %s is not in the audit:\n%s", x.name, x.op, s.refusals())
		}
	}
	if after := s.snapshot(victim); after != before {
		t.Errorf("the victim's things changed from\n%s\nto\n%s", before, after)
	}
}

// TestCredentialsThatAreNone: forged, altered, expired and ended credentials, and those of one sort in the place of another, are worth
// nothing, and the audit says that they were tried.
func TestCredentialsThatAreNone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	mine := s.tenant("mine")
	token := mine.tokens["owner"]
	altered := token[:len(token)-1] + string(token[len(token)-1]^1)
	gone := s.token("owner of mine")
	s.send(gone, 200, "POST", api.Root+"/logout", "")
	link := s.send(token, 200, "POST", api.Root+"/users", `{"user":"finn","password":"a fine password"}`)["user_uid"].(string)
	_, reset, _ := strings.Cut(s.send(token, 200, "POST", api.Root+"/users/"+link+"/password", "")["link"].(string), "=")
	tried := 0
	for name, secret := range map[string]string{
		"forged": account.TokenPrefix + strings.Repeat("A", 43), "altered": altered, "logged out": gone, "a customer key": s.customerKey(mine), "a link to choose a password": reset,
		"an id": string(mine.user), "SQL": "' OR 1=1 --", "a key that is none": account.KeyPrefix + strings.Repeat("A", 43), "with a zero byte": token + "%00",
	} {
		for _, h := range [][2]string{{"Authorization", "Bearer " + secret}, {"X-Api-Key", secret}, {"Cookie", "mm_" + s.port() + "=" + strings.ReplaceAll(secret, " ", "")}} {
			r := s.call("", "GET", api.Root+"/users", "", h[0], h[1])
			tried++
			if r.status != 401 || strings.Contains(r.body, secret) {
				t.Errorf("%s as %s: %d %s", name, h[0], r.status, r.body)
			}
		}
	}
	// One sort in the place of another.
	for path, body := range map[string]string{
		"/password/reset": `{"token":"` + token + `","password":"a finer password"}`,
		"/accounts":       `{"user":"x","password":"a fine password","invitation":"` + reset + `"}`,
	} {
		if r := s.call("", "POST", api.Root+path, body); r.status != 403 && r.status != 404 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if n := strings.Count(s.refusals(), "list-users refused 401"); n < tried {
		t.Errorf("%d of %d tries are in the audit", n, tried)
	}
	// Expired.
	s.send(token, 200, "GET", api.Root+"/user", "")
	s.now = s.now.Add(25 * time.Hour)
	s.refused(s.as(token, "GET", api.Root+"/user", ""), 401, "unauthenticated")
	if r := s.call("", "POST", api.Root+"/password/reset", `{"token":"`+reset+`","password":"a finer password"}`); r.status != 200 {
		t.Errorf("within its three days the link is refused: %d %s", r.status, r.body)
	}
	// An invitation ends after its two weeks.
	s.now = s.now.Add(15 * 24 * time.Hour)
	if list := s.send(s.token("owner of mine"), 200, "GET", api.Root+"/invitations", "")["invitations"].([]any); len(list) != 1 || list[0].(map[string]any)["expires_ms"].(float64) > float64(s.now.UnixMilli()) {
		t.Errorf("%v", list)
	}
}

func (s *server) port() string { return s.url[strings.LastIndexByte(s.url, ':')+1:] }

// TestOtherSitesPages: whatever a page of another site has a browser send, with the cookie of a login, is refused; and no question
// changes anything. Every route that is not a question is tried.
func TestOtherSitesPages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	mine := s.tenant("mine")
	r := s.login(`{"user":"owner of mine","password":"` + password + `","cookie":true}`)
	res := http.Response{Header: r.header}
	cookie := res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	before := s.snapshot(mine)
	for _, op := range api.Operations() {
		c, ok := samples(mine.place)[op.ID]
		if !ok {
			t.Fatalf("no sample of %s", op.ID)
		}
		path := c.path
		if path == "" {
			path = op.Path
		}
		if op.Method == http.MethodGet {
			continue
		}
		for _, evil := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			if r := s.call("", op.Method, path, c.body, append(evil, "Cookie", cookie)...); r.status != http.StatusForbidden {
				t.Errorf("%s with %v: status %d: %.200s", op.ID, evil, r.status, r.body)
			}
		}
	}
	if after := s.snapshot(mine); after != before {
		t.Errorf("things changed from\n%s\nto\n%s", before, after)
	}
	for _, op := range api.Operations() {
		if op.Method == http.MethodGet && op.ID != api.OpBackup {
			path := samples(mine.place)[op.ID].path
			if path == "" {
				path = op.Path
			}
			s.call("", "GET", path, "", "Cookie", cookie)
		}
	}
	if after := s.snapshot(mine); after != before {
		t.Errorf("questions changed things from\n%s\nto\n%s", before, after)
	}
}

// TestSerialHijack: who registers a serial that is somebody's hears that it is taken and nothing else; of many who register a new one at
// once, one gets it.
func TestSerialHijack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	victim, mine := s.tenant("victim"), s.tenant("mine")
	const body = `{"make":"EIG","serial":"serial of victim","name":"stolen"}`
	own := s.ok("", "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"H-1"}`)["apikey"].(string)
	for name, r := range map[string]response{
		"another customer":          s.as(mine.tokens["owner"], "POST", api.Root+"/meters/register", body),
		"nobody":                    s.call("", "POST", api.Root+"/meters/register", body),
		"with its own customer key": s.call("", "POST", api.Root+"/meters/register", strings.Replace(body, "{", `{"customer_key":"`+s.customerKey(mine)+`",`, 1)),
		"with a claim":              s.as(mine.tokens["owner"], "POST", api.Root+"/meters/register", strings.Replace(body, "{", `{"claim":"AAAAA-AAAAA-AAAAA-AAAAA",`, 1)),
		"another meter":             s.call(own, "POST", api.Root+"/meters/register", body),
	} {
		if r.status != 409 || strings.Contains(r.body, string(victim.meter)) || strings.Contains(r.body, "Europe/Berlin") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if m := s.send(victim.tokens["owner"], 200, "GET", api.Root+"/meters/"+string(victim.meter), ""); m["settings"].(map[string]any)["name"] != "Main incomer" {
		t.Errorf("%v", m)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, lost := 0, 0
	for i := range 20 {
		wg.Go(func() {
			token := []string{victim.tokens["owner"], mine.tokens["owner"]}[i%2]
			r := s.as(token, "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"raced"}`)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.status == 200 && strings.Contains(r.body, `"new"`):
				won++
			case r.status == 409:
				lost++
			}
		})
	}
	wg.Wait()
	if won != 1 || lost != 10 { // the ten of the other customer; the winner's others hear that it is known
		t.Errorf("%d won, %d lost", won, lost)
	}
}

// TestReplayedPages: a page that was taken once is a repeat; with another meter's name, or by another customer, it is nothing.
func TestReplayedPages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	victim, mine := s.tenant("victim"), s.tenant("mine")
	page := rows(day0, 5)
	path := api.Root + "/meters/" + string(victim.meter) + "/logs/historical"
	first := s.send(victim.tokens["owner"], 200, "POST", path, page)
	again := s.send(victim.tokens["owner"], 200, "POST", path, page)
	if first["stored"] != 5.0 || again["stored"] != 0.0 || again["repeats"] != 5.0 {
		t.Errorf("first %v, again %v", first, again)
	}
	if got := s.send(victim.tokens["owner"], 200, "GET", path, "")["records"].([]any); len(got) != 5 {
		t.Errorf("%d records after a replay", len(got))
	}
	if r := s.as(mine.tokens["owner"], "POST", path, page); r.status != 404 {
		t.Errorf("another customer: %d %s", r.status, r.body)
	}
	if r := s.call("", "POST", path, page); r.status != 401 {
		t.Errorf("nobody: %d %s", r.status, r.body)
	}
	if r := s.as(mine.tokens["owner"], "POST", path, strings.Replace(page, "{", `{"meter_uid":"`+string(mine.meter)+`",`, 1)); r.status != 404 && r.status != 400 {
		t.Errorf("with one's own meter inside: %d %s", r.status, r.body)
	}
	if r := s.as(victim.tokens["owner"], "POST", path, strings.Replace(page, "{", `{"meter_uid":"`+string(mine.meter)+`",`, 1)); r.status == 200 {
		t.Errorf("a page that names another meter is taken: %s", r.body)
	}
}

// TestPasswordSpraying: a few passwords tried on many users, and many on one: what gets through to a password check in a quarter of an hour is bounded,
// whoever is at home still gets in from elsewhere, and the audit tells.
func TestPasswordSpraying(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.tenant("mine")
	checked := map[string]int{}
	start := s.now
	const seconds = 900
	for second := range seconds {
		s.now = start.Add(time.Duration(second) * time.Second)
		for _, x := range []struct{ sort, user, address string }{
			{"one address, many users", fmt.Sprintf("user %d", second%500), "192.0.2.1"},
			{"one address, one user", "limited of mine", "192.0.2.2"},
			{"many addresses, one user", "enterprise of mine", fmt.Sprintf("198.51.100.%d", second%250)},
			{"many addresses, one user", "enterprise of mine", fmt.Sprintf("203.0.113.%d", second%250)},
			{"many addresses, one user", "enterprise of mine", fmt.Sprintf("2001:db8:%x::", second%250)},
		} {
			_, err := s.accounts.Login(t.Context(), account.Login{User: x.user, Password: "Spring2026!", Address: x.address})
			if err == nil {
				t.Fatalf("%+v got in", x)
			}
			if strings.Contains(err.Error(), "wrong") {
				checked[x.sort]++
			}
		}
	}
	for sort, most := range map[string]int{"one address, many users": 30 + seconds/2, "one address, one user": 10 + seconds/6, "many addresses, one user": 100 + seconds*10/6} {
		if n := checked[sort]; n > most || n < most*9/10 {
			t.Errorf("%s: %d passwords were checked in a quarter of an hour, want at most %d", sort, n, most)
		}
	}
	t.Logf("passwords checked in a quarter of an hour: %v", checked)
	// Over the wire: refused with the status that says so, and when to come back; in the audit; and the owner is not locked out elsewhere.
	locked := 0
	for range 40 {
		if r := s.login(`{"user":"owner of mine","password":"Spring2026!"}`); r.status == 429 && r.header.Get("Retry-After") != "" {
			locked++
		}
	}
	if locked < 25 {
		t.Errorf("%d of 40 were locked", locked)
	}
	if _, err := s.accounts.Login(t.Context(), account.Login{User: "owner of mine", Password: password, Address: "192.0.2.99"}); err != nil {
		t.Errorf("from home: %v", err)
	}
	events := s.refusals()
	if !strings.Contains(events, "login refused 401") || !strings.Contains(events, "login refused 429") {
		t.Errorf("the audit:\n%s", events)
	}
}

// TestNobodyLearnsWhoIsThere: what is answered about users that are there, and that are not, is the same to the letter.
func TestNobodyLearnsWhoIsThere(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	mine := s.tenant("mine")
	same := func(what string, a, b response, there, not string) {
		t.Helper()
		strip := func(r response, name string) string {
			id, _ := r.json(t)["request_id"].(string)
			return fmt.Sprint(r.status, strings.ReplaceAll(strings.ReplaceAll(r.body, id+"~", ""), name, "NAME"))
		}
		cut := func(text string) string { // request ids differ
			if i := strings.Index(text, `"request_id"`); i >= 0 {
				return text[:i]
			}
			return text
		}
		if x, y := cut(strip(a, there)), cut(strip(b, not)); x != y {
			t.Errorf("%s: %s and %s", what, x, y)
		}
	}
	same("login", s.login(`{"user":"owner of mine","password":"wrong"}`), s.login(`{"user":"nobody at all","password":"wrong"}`), "owner of mine", "nobody at all")
	forgot := func(name string) response {
		return s.call("", "POST", api.Root+"/password/forgot", `{"user":"`+name+`"}`)
	}
	same("forgotten", forgot("owner of mine"), forgot("nobody at all"), "owner of mine", "nobody at all")
	for range 4 { // as often as one likes
		same("forgotten again", forgot("owner of mine"), forgot("nobody at all"), "owner of mine", "nobody at all")
	}
	// A name that is taken is told only to who holds a key of a customer.
	taken := func(key string) response {
		return s.call("", "POST", api.Root+"/accounts", `{"user":"owner of mine","password":"a fine password","customer_key":"`+key+`"}`)
	}
	free := s.call("", "POST", api.Root+"/accounts", `{"user":"nobody at all","password":"a fine password","customer_key":"mmc_guess"}`)
	same("account by a wrong key", taken("mmc_guess"), free, "owner of mine", "nobody at all")
	s.refused(taken(s.customerKey(mine)), 409, "conflict")
}
