package webapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/retain"
	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
	"metermanager/service/command"
	"metermanager/service/field/modbus"
)

// wholeNode answers commands for the whole node, as its parts do: what a customer must not see is in it.
type wholeNode struct {
	command.Care
	command.Retention
	s *server
}

func (w wholeNode) Space(ctx context.Context) (out api.SpaceAnswer, err error) {
	all, err := w.s.logs.Meters(ctx)
	for _, uid := range all {
		out.Meters = append(out.Meters, api.MeterSpace{Meter: uid})
	}
	return out, err
}

func (wholeNode) Rules(context.Context, account.CustomerID) (retain.Rules, error) {
	return retain.Rules{}, nil
}

func (wholeNode) Limits() logdb.Limits { return logdb.Limits{} }

func (wholeNode) SetLimit(context.Context, string, string) error { return nil }

// sharedCommands are the commands that every customer may call, besides those that have their true parts here.
func (s *server) sharedCommands() command.Handlers {
	w := wholeNode{s: s}
	return command.Handlers{
		api.CmdLogSpace:     command.CareHandlers(w, s.registry)[api.CmdLogSpace],
		api.CmdRetentionGet: command.RetentionHandlers(w)[api.CmdRetentionGet],
		api.CmdLimitList:    command.LimitHandlers(w)[api.CmdLimitList],

		api.CmdMeterProfileDraft: command.DiscoveryHandlers(nil, nil, nil, "", modbus.Config{})[api.CmdMeterProfileDraft],
	}
}

// TestCustomersByCommands calls every command as users of one customer, with everything of another in every parameter: nothing is found or
// told. A shared command that this node does not carry out fails, so that none is left out.
func TestCustomersByCommands(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	theirs, mine := s.tenant("victim", "none"), s.tenant("mine", "enterprise", "limited", "held")
	for _, one := range []tenant{theirs, mine} {
		key := s.send(one.tokens["owner"], 200, "POST", api.Root+"/keys", `{"name":"k","permissions":"upload"}`)["apikey"].(string)
		s.ok(key, "POST", api.Root+"/meters/"+string(one.meter)+"/logs/historical", rows(day0, 2))
	}
	things := []string{string(theirs.meter), "serial of victim", string(theirs.customer), "Company victim"}
	told := append(slices.Clone(things), "owner@victim", string(theirs.facility), string(theirs.user), string(theirs.pending))
	before := s.snapshot(theirs)
	for _, c := range api.Commands() {
		asked := []map[string]any{{}}
		for _, thing := range things {
			args := map[string]any{}
			for _, p := range c.Params {
				switch p.Type {
				case api.ParamString, api.ParamSecret:
					args[p.Name] = thing
				}
			}
			asked = append(asked, args)
			for _, p := range c.Params { // each alone as well
				if p.Type == api.ParamString {
					asked = append(asked, map[string]any{p.Name: thing})
				}
			}
		}
		for _, args := range asked {
			body, err := json.Marshal(args)
			must(t, err)
			for _, role := range []string{"owner", "enterprise", "limited", "held", "pending"} {
				r := s.as(mine.tokens[role], "POST", api.Root+"/rpc/"+c.Name, string(body))
				if !c.Shared() && r.status != http.StatusForbidden {
					t.Errorf("%s as %s with %s: status %d: %.300s", c.Name, role, body, r.status, r.body)
				}
				if c.Shared() && role == "owner" && len(args) == 0 && r.status != http.StatusOK && !strings.Contains(r.body, "meter") {
					t.Errorf("%s is shared, and not carried out here: status %d: %.300s", c.Name, r.status, r.body)
				}
				secrets := told
				if c.Name == api.CmdAuditList { // what one has asked for stands in one's own events
					secrets = told[len(things):]
					if strings.Contains(r.body, `"customer":"`+string(theirs.customer)) {
						t.Errorf("%s as %s with %s tells another customer's events: %.300s", c.Name, role, body, r.body)
					}
				}
				for _, x := range secrets {
					if strings.Contains(r.body, x) {
						t.Errorf("%s as %s with %s tells %q: %.300s", c.Name, role, body, x, r.body)
					}
				}
			}
		}
	}
	for _, name := range []string{api.CmdLogLatest, api.CmdLogSpace, api.CmdNodeStatus} { // what is one's own is told
		if r := s.as(mine.tokens["owner"], "POST", api.Root+"/rpc/"+name, "{}"); r.status != http.StatusOK || !strings.Contains(r.body, string(mine.meter)) {
			t.Errorf("%s: status %d: %.300s", name, r.status, r.body)
		}
	}
	if r := s.as(mine.tokens["owner"], "POST", api.Root+"/rpc/"+api.CmdMeterStatus, fmt.Sprintf(`{"meter":%q}`, mine.meter)); r.status != http.StatusOK {
		t.Errorf("status %d: %s", r.status, r.body)
	}
	if after := s.snapshot(theirs); after != before {
		t.Errorf("the other customer's things changed from\n%s\nto\n%s", before, after)
	}
}
