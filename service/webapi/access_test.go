package webapi_test

import (
	"fmt"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

// TestWhyAMeterIsSeenOrNot goes through the reasons for which somebody does not see a meter, and holds what is said against what happens.
func TestWhyAMeterIsSeenOrNot(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.tenant("one", "limited", "role_creator", "held", "system_reader")
	owner := one.tokens["owner"]
	uid := func(token string) string {
		return s.send(token, 200, "GET", api.Root+"/user", "")["user_uid"].(string)
	}
	ask := func(as, user string) map[string]any {
		t.Helper()
		return s.send(as, 200, "GET", api.Root+"/users/"+user+"/access?meter_uid="+string(one.meter), "")
	}
	check := func(role string, sees, reads bool, why string) {
		t.Helper()
		got := ask(owner, uid(one.tokens[role]))
		m := got["meter"].(map[string]any)
		if m["sees"] != sees || m["reads"] != reads || !strings.Contains(fmt.Sprint(m["why"]), why) {
			t.Errorf("%s: %v, want %t, %t, %q", role, m, sees, reads, why)
		}
		status := s.as(one.tokens[role], "GET", api.Root+"/meters/"+string(one.meter), "").status
		if (status == 200) != sees {
			t.Errorf("%s: said to see %t, and gets %d", role, sees, status)
		}
		if r := s.as(one.tokens[role], "GET", api.Root+"/meters/"+string(one.meter)+"/channels", ""); (r.status == 200) != reads {
			t.Errorf("%s: said to read %t, and gets %d: %s", role, reads, r.status, r.body)
		}
	}
	check("limited", true, true, "")
	check("role_creator", false, false, "No role of the user grants meters_read")
	check("held", false, false, "held to facilities")
	s.send(owner, 200, "POST", api.Root+"/meters/"+string(one.meter)+"/facility", `{"facility_uid":"`+string(one.facility)+`"}`)
	check("held", true, true, "")
	s.send(owner, 200, "PUT", api.Root+"/meters/"+string(one.meter)+"/settings", `{"enabled":false}`)
	check("limited", true, false, "not enabled")
	s.send(owner, 200, "PUT", api.Root+"/meters/"+string(one.meter)+"/settings", `{"enabled":true}`)
	// What grants what; every route and command is there, and what is said to be allowed is.
	got := ask(owner, uid(one.tokens["limited"]))
	if text := fmt.Sprint(got["grants"]); !strings.Contains(text, "map[by:[limited] permission:logs_read]") || strings.Contains(text, "users_manage") {
		t.Errorf("%s", text)
	}
	operations := got["operations"].([]any)
	if len(operations) != len(api.Operations())+len(api.Commands()) {
		t.Errorf("%d operations", len(operations))
	}
	for _, o := range operations {
		o := o.(map[string]any)
		if c, ok := api.LookupCommand(o["name"].(string)); ok {
			r := s.as(one.tokens["limited"], "POST", api.Root+"/rpc/"+c.Name, "{}")
			if (r.status == 403) == (o["allowed"] == true) {
				t.Errorf("%s: said to be allowed %v, and gets %d", c.Name, o["allowed"], r.status)
			}
		}
	}
	// Disabled: nothing, and said why.
	limited := uid(one.tokens["limited"])
	s.send(owner, 200, "POST", api.Root+"/users/"+limited+"/enabled", `{"enabled":false}`)
	if got := ask(owner, limited); !strings.Contains(fmt.Sprint(got["blocked"]), "disabled") || !strings.Contains(fmt.Sprint(got["meter"]), "disabled") || got["meter"].(map[string]any)["sees"] != false {
		t.Errorf("%v, %v", got["blocked"], got["meter"])
	}
	// Of what oneself cannot see nothing is told, whether it is there or not.
	mine := uid(one.tokens["held"])
	s.send(owner, 200, "POST", api.Root+"/meters/"+string(one.meter)+"/facility", `{"facility_uid":""}`)
	there := fmt.Sprint(ask(one.tokens["held"], mine)["meter"])
	nowhere := fmt.Sprint(s.send(one.tokens["held"], 200, "GET", api.Root+"/users/"+mine+"/access?meter_uid=nowhere", "")["meter"])
	if strings.ReplaceAll(there, string(one.meter), "nowhere") != nowhere {
		t.Errorf("%s\n%s", there, nowhere)
	}
	s.send(owner, 404, "GET", api.Root+"/users/"+limited+"/access?meter_uid="+string(s.uid), "") // another customer's
}
