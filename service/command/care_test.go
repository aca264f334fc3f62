package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
	"metermanager/service/command"
)

// carer looks after nothing and remembers what it was asked.
type carer struct{ vacuumed int64 }

func (*carer) CheckParts(context.Context) ([]string, error) { return []string{"archive"}, nil }

func (*carer) Check(_ context.Context, part string) ([]api.CheckFinding, error) {
	if part != "archive" {
		return nil, logdb.ErrNotFound
	}
	return []api.CheckFinding{{Place: "archive/x", Text: "the file is missing", Advice: "take it from a backup"}}, nil
}

func (*carer) Space(context.Context) (api.SpaceAnswer, error) {
	return api.SpaceAnswer{LogsBytes: 100, Meters: []api.MeterSpace{{Meter: "mine", Bytes: 10}, {Meter: "theirs", Bytes: 60}}}, nil
}

func (c *carer) Vacuum(_ context.Context, bytes int64) (api.VacuumAnswer, error) {
	c.vacuumed = bytes
	return api.VacuumAnswer{}, nil
}

// careMeters shows to a customer the meter that is his.
type careMeters struct{}

func (careMeters) Meters(_ context.Context, p account.Principal) ([]registry.Meter, error) {
	mine := registry.Meter{UID: "mine", Settings: logdb.Settings{Name: "incomer"}}
	if p.System() {
		return []registry.Meter{mine, {UID: "theirs"}}, nil
	}
	return []registry.Meter{mine}, nil
}

func TestCareOfTheDataIsTheOwners(t *testing.T) {
	t.Parallel()
	c := &carer{}
	table, err := command.New(command.Config{}, command.CareHandlers(c, careMeters{}))
	if err != nil {
		t.Fatal(err)
	}
	owner := account.Principal{User: "o", Customer: "ours", Permissions: permission.Everything()}
	admin := account.Principal{User: "a", Customer: "ours", Permissions: permission.Everything().Without(permission.Of(permission.System, permission.AllCustomers))}
	for _, name := range []string{api.CmdNodeCheck, api.CmdLogVacuum} {
		if _, err := table.Call(t.Context(), admin, name, nil); !errors.Is(err, fault.Forbidden) {
			t.Errorf("%s by a customer's administrator: %v", name, err)
		}
		if _, err := table.Call(t.Context(), owner, name, nil); err != nil {
			t.Errorf("%s by the owner: %v", name, err)
		}
	}
	if c.vacuumed != 16<<20 {
		t.Errorf("a step of the vacuum has %d bytes", c.vacuumed)
	}
	if _, err := table.Call(t.Context(), owner, api.CmdLogVacuum, json.RawMessage(`{"mb":257}`)); !errors.Is(err, fault.Invalid) {
		t.Errorf("a step without a bound: %v", err)
	}
	if _, err := table.Call(t.Context(), owner, api.CmdNodeCheck, json.RawMessage(`{"part":"none"}`)); !errors.Is(err, fault.NotFound) {
		t.Errorf("a part that is not there: %v", err)
	}
	for _, one := range []struct {
		who    account.Principal
		meters int
		logs   int64
	}{{owner, 2, 100}, {admin, 1, 0}} {
		got, err := table.Call(t.Context(), one.who, api.CmdLogSpace, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := got.(api.SpaceAnswer)
		if len(s.Meters) != one.meters || s.LogsBytes != one.logs {
			t.Errorf("%s is told %+v", one.who.User, s)
		}
	}
}
