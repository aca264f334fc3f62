package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sort"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// Handler carries out one command for p. args is a JSON object of parameters.
type Handler func(ctx context.Context, p account.Principal, args json.RawMessage) (any, error)

// Handlers is a part's handlers by command name.
type Handlers map[string]Handler

// Config sets a table. The zero value works.
type Config struct {
	// Home tells which customer runs the node: the others only get the commands that are shared. nil: there are no others.
	Home   func(ctx context.Context) (account.CustomerID, error)
	Logger *slog.Logger
	Now    func() time.Time
}

// Table is every command that this node carries out.
type Table struct {
	handlers Handlers
	home     func(ctx context.Context) (account.CustomerID, error)
	log      *slog.Logger
	now      func() time.Time
}

// New joins the handlers of all parts. A handler for a command that api.Commands does not
// know, or a second one for the same command, is an error.
func New(cfg Config, parts ...Handlers) (*Table, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &Table{handlers: Handlers{}, home: cfg.Home, log: cfg.Logger, now: cfg.Now}
	for _, part := range parts {
		for name, h := range part {
			if _, ok := api.LookupCommand(name); !ok {
				return nil, fmt.Errorf("command %s stands in no table of commands", name)
			}
			if t.handlers[name] != nil {
				return nil, fmt.Errorf("command %s has two handlers", name)
			}
			t.handlers[name] = h
		}
	}
	return t, nil
}

// Names lists the commands that this node carries out, sorted.
func (t *Table) Names() []string {
	out := make([]string, 0, len(t.handlers))
	for name := range t.handlers {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// Call checks that p may call the command and that the parameters fit its table, carries
// it out and writes one log line, which holds no parameters: they may be secrets.
func (t *Table) Call(ctx context.Context, p account.Principal, name string, args json.RawMessage) (any, error) {
	c, ok := api.LookupCommand(name)
	if !ok {
		return nil, fault.New(fault.NotFound, "There is no such command.").WithHint("The command line prints all of them with: rpc --help")
	}
	if err := account.Allow(p, c.Permission, account.Resource{}); err != nil {
		return nil, err
	}
	if p.Meter != "" {
		return nil, fault.New(fault.Forbidden, "A key of one meter cannot call commands.")
	}
	if ok, err := runs(ctx, t.home, p); err != nil {
		return nil, err
	} else if !ok && !c.Shared() {
		return nil, fault.New(fault.Forbidden, "This command is for the customer that runs the node, and its users who see all facilities.")
	}
	if err := checkArgs(c, args); err != nil {
		return nil, err
	}
	h := t.handlers[name]
	if h == nil {
		return nil, fault.Newf(fault.Unavailable, "This node does not carry out %s.", name).
			WithHint("A node does the commands of its roles: those of meters and of the cloud belong to a site.")
	}
	start := t.now()
	result, err := h(ctx, p, args)
	if err != nil {
		err = toFault(err)
	}
	t.log.InfoContext(ctx, "carried out a command", "action", name, "user", string(p.User), "key", string(p.Key),
		"customer", string(p.Customer), "dur_ms", t.now().Sub(start).Milliseconds(), "result", resultWord(err))
	return result, err
}

// Runs reports whether p may see what is the node's own, not a customer's.
func (t *Table) Runs(ctx context.Context, p account.Principal) (bool, error) {
	return runs(ctx, t.home, p)
}

// runs reports whether p acts for the customer that runs the node, without being held to some facilities.
func runs(ctx context.Context, home func(context.Context) (account.CustomerID, error), p account.Principal) (bool, error) {
	if home == nil || p.System() {
		return true, nil
	}
	customer, err := home(ctx)
	if err != nil {
		return false, fmt.Errorf("look up the customer that runs the node: %w", err)
	}
	return p.Customer == customer && customer != "" && !p.ByFacility, nil
}

func resultWord(err error) string {
	if err == nil {
		return "ok"
	}
	return string(fault.CodeOf(err))
}

// checkArgs reports the first parameter that is missing, unknown or of the wrong sort. It
// never repeats a value.
func checkArgs(c api.Command, args json.RawMessage) error {
	given := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(args)) > 0 {
		if err := json.Unmarshal(args, &given); err != nil {
			return fault.Wrap(fault.Invalid, "The parameters must be a JSON object.", err)
		}
	}
	for _, p := range c.Params {
		raw, ok := given[p.Name]
		delete(given, p.Name)
		if !ok || string(raw) == "null" {
			if p.Required {
				return fault.New(fault.Invalid, "This parameter is needed.").At(p.Name).WithHint("Example: " + c.Example)
			}
			continue
		}
		if !fits(p.Type, raw) {
			return fault.Newf(fault.Invalid, "This parameter must be of type %s.", p.Type).At(p.Name).WithHint("Example: " + c.Example)
		}
	}
	if len(given) > 0 {
		return fault.Newf(fault.Invalid, "%s does not take all of these parameters.", c.Name).WithHint("Example: " + c.Example)
	}
	return nil
}

func fits(t api.ParamType, raw json.RawMessage) bool {
	var err error
	switch t {
	case api.ParamBool:
		var v bool
		err = json.Unmarshal(raw, &v)
	case api.ParamInt:
		var v int64
		err = json.Unmarshal(raw, &v)
	default:
		var v string
		err = json.Unmarshal(raw, &v)
	}
	return err == nil
}

// Bind makes a handler of a function with typed parameters. A parameter that was left out
// keeps its zero value.
func Bind[A, R any](do func(ctx context.Context, p account.Principal, args A) (R, error)) Handler {
	return func(ctx context.Context, p account.Principal, raw json.RawMessage) (any, error) {
		var args A
		dec := json.NewDecoder(bytes.NewReader(raw))
		if err := dec.Decode(&args); err != nil && !errors.Is(err, io.EOF) {
			return nil, fault.Wrap(fault.Invalid, "The parameters cannot be read.", err)
		}
		return do(ctx, p, args)
	}
}
