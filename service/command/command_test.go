package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/command"
)

var operator = account.Principal{User: "u", Customer: "a", Permissions: permission.Of(permission.RPCControl, permission.RPCRead, permission.Verify)}

// all has a handler for every command that answers with its parameters.
func all() command.Handlers {
	out := command.Handlers{}
	for _, c := range api.Commands() {
		out[c.Name] = func(_ context.Context, _ account.Principal, args json.RawMessage) (any, error) {
			return string(args), nil
		}
	}
	return out
}

// TestCommandsAskForTheirPermission calls every command of the table under every permission.
func TestCommandsAskForTheirPermission(t *testing.T) {
	t.Parallel()
	table, err := command.New(command.Config{}, all())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range api.Commands() {
		args := map[string]any{}
		for _, p := range c.Params {
			if p.Required {
				args[p.Name] = map[api.ParamType]any{api.ParamBool: true, api.ParamInt: 1}[p.Type]
				if args[p.Name] == nil {
					args[p.Name] = "x"
				}
			}
		}
		body, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		for _, perm := range permission.All() {
			p := account.Principal{User: "u", Customer: "a", Permissions: permission.Of(perm)}
			_, err := table.Call(t.Context(), p, c.Name, body)
			if want := perm == c.Permission; (err == nil) != want {
				t.Errorf("%s with %s: %v", c.Name, perm, err)
			} else if err != nil && !errors.Is(err, fault.Forbidden) {
				t.Errorf("%s with %s: %v, want forbidden", c.Name, perm, err)
			}
		}
		if _, err := table.Call(t.Context(), account.Principal{}, c.Name, body); !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("%s by nobody: %v", c.Name, err)
		}
	}
	bound := operator
	bound.User, bound.Key, bound.Meter = "", "k", "m"
	if _, err := table.Call(t.Context(), bound, api.CmdNodeStatus, nil); !errors.Is(err, fault.Forbidden) {
		t.Errorf("a key of one meter: %v", err)
	}
}

func TestParametersAreChecked(t *testing.T) {
	t.Parallel()
	table, err := command.New(command.Config{}, all())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, args, field string }{
		{api.CmdMeterAdd, `{"name":"m"}`, "address"},
		{api.CmdMeterAdd, `{"name":"m","address":5}`, "address"},
		{api.CmdMeterAdd, `{"name":"m","address":"tcp://x","unit":"1"}`, "unit"},
		{api.CmdMeterAdd, `{"name":"m","address":"tcp://x","unit":1.5}`, "unit"},
		{api.CmdMeterAdd, `{"name":null,"address":"tcp://x"}`, "name"},
		{api.CmdCloudMeterUpload, `{"requested":"yes"}`, "requested"},
		{api.CmdNodeStatus, `{"more":1}`, ""},
		{api.CmdNodeStatus, `[]`, ""},
		{api.CmdNodeStatus, `{`, ""},
	} {
		_, err := table.Call(t.Context(), operator, c.name, json.RawMessage(c.args))
		f := fault.From(err)
		if f == nil || f.Code != fault.Invalid || f.Field != c.field {
			t.Errorf("%s %s: %v, want invalid at %q", c.name, c.args, err, c.field)
		}
	}
	for _, args := range []string{"", "{}", " {} ", "null"} {
		if _, err := table.Call(t.Context(), operator, api.CmdNodeStatus, json.RawMessage(args)); err != nil {
			t.Errorf("no parameters as %q: %v", args, err)
		}
	}
}

func TestErrorsOfHandlersGetTheirCodes(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk sector 7")
	for err, code := range map[error]fault.Code{
		fmt.Errorf("look: %w", logdb.ErrUnknownMeter): fault.NotFound, context.DeadlineExceeded: fault.Timeout,
		fault.New(fault.Conflict, "busy"): fault.Conflict, cause: fault.Internal,
	} {
		table, terr := command.New(command.Config{}, command.Handlers{
			api.CmdNodeStatus: func(context.Context, account.Principal, json.RawMessage) (any, error) { return nil, err },
		})
		if terr != nil {
			t.Fatal(terr)
		}
		if _, got := table.Call(t.Context(), operator, api.CmdNodeStatus, nil); fault.CodeOf(got) != code {
			t.Errorf("%v becomes %v, want %s", err, got, code)
		}
		if _, got := table.Call(t.Context(), operator, api.CmdCloudInfo, nil); !errors.Is(got, fault.Unavailable) {
			t.Errorf("a command of another role: %v", got)
		}
		if _, got := table.Call(t.Context(), operator, "node.destroy", nil); !errors.Is(got, fault.NotFound) {
			t.Errorf("a command that does not exist: %v", got)
		}
	}
}

func TestTheLogHoldsNoParameters(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	table, err := command.New(command.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, all())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Call(t.Context(), operator, api.CmdCloudEnable, json.RawMessage(`{"user":"u","pass":"hunter22222"}`)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "hunter") || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), api.CmdCloudEnable) {
		t.Errorf("log %q", log.String())
	}
}

func TestTablesAreJoinedOnce(t *testing.T) {
	t.Parallel()
	one := command.Handlers{api.CmdNodeStatus: command.Bind(func(context.Context, account.Principal, struct{}) (int, error) { return 7, nil })}
	if _, err := command.New(command.Config{}, one, one); err == nil {
		t.Error("two handlers for one command")
	}
	if _, err := command.New(command.Config{}, command.Handlers{"x": one[api.CmdNodeStatus]}); err == nil {
		t.Error("a handler for no command")
	}
	table, err := command.New(command.Config{}, one)
	if err != nil || len(table.Names()) != 1 {
		t.Fatalf("Names = %v, %v", table.Names(), err)
	}
	if got, err := table.Call(t.Context(), operator, api.CmdNodeStatus, nil); got != 7 || err != nil {
		t.Errorf("Call = %v, %v", got, err)
	}
}
