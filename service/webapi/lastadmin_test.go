package webapi_test

import (
	"testing"

	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
)

// TestLastAdministrator: whatever is done to users, somebody who can log in remains administrator of the system.
func TestLastAdministrator(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	system, err := s.accounts.Authenticate(t.Context(), s.system)
	must(t, err)
	create := func(name string) (token, path string) {
		t.Helper()
		u, err := s.accounts.CreateUser(t.Context(), system, account.NewUser{Name: name, Password: password, Roles: []account.RoleID{account.RoleSystemAdmin}})
		must(t, err)
		return s.token(name), api.Root + "/users/" + string(u.ID)
	}
	first, firstPath := create("first")
	_, secondPath := create("second")
	// Those of the set-up go; who is disabled does not count.
	for _, u := range s.send(first, 200, "GET", api.Root+"/users", "")["users"].([]any) {
		u := u.(map[string]any)
		if name := u["user"]; name != "first" && name != "second" {
			s.as(first, "POST", api.Root+"/users/"+u["user_uid"].(string)+"/roles", `{"remove":["system_admin"]}`)
		}
	}
	s.send(first, 200, "POST", secondPath+"/enabled", `{"enabled":false}`)
	s.send(first, 409, "DELETE", firstPath, "")
	s.send(first, 409, "POST", firstPath+"/roles", `{"remove":["system_admin"]}`)
	s.send(first, 200, "POST", secondPath+"/enabled", `{"enabled":true}`)
	s.send(first, 200, "DELETE", firstPath, "")
	second := s.token("second")
	s.send(second, 409, "POST", secondPath+"/ban", `{"why":"spam"}`)
	s.send(second, 409, "DELETE", secondPath, "")
	s.send(second, 200, "GET", api.Root+"/customers", "")
}
