package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// rpcCmd calls any command.
type rpcCmd struct {
	remote
	JSON   bool     `name:"json" help:"Print the result as JSON."`
	Method string   `arg:"" help:"Name of the command, such as cloud.sync.status."`
	Args   []string `arg:"" optional:"" help:"Parameters in their order, or name=value. A secret given as - is read from standard input."`
}

// Help lists the commands.
func (rpcCmd) Help() string {
	var b strings.Builder
	b.WriteString("Example: metermanager rpc meter.set main-incomer name=cloud.meter.upload.enabled value=false\n\nCommands:\n")
	for _, c := range api.Commands() {
		fmt.Fprintf(&b, "\n  %s", signature(c))
	}
	return b.String()
}

// Run calls the command and prints its result.
func (c *rpcCmd) Run(ctx context.Context, p *program) error {
	command, ok := api.LookupCommand(c.Method)
	if !ok {
		return fault.Newf(fault.NotFound, "There is no command %q.", c.Method).WithHint("All commands: metermanager rpc --help")
	}
	return p.call(ctx, &c.remote, command, c.Args, c.JSON)
}

// namedCmd is one command under its own name.
type namedCmd struct {
	command api.Command
	remote
	JSON bool     `name:"json" help:"Print the result as JSON."`
	Args []string `arg:"" optional:"" help:"Parameters in their order, or name=value. A secret given as - is read from standard input."`
}

// Help describes the parameters.
func (c *namedCmd) Help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Example: metermanager %s\n", strings.TrimPrefix(c.command.Example, "rpc "))
	for _, prm := range c.command.Params {
		fmt.Fprintf(&b, "\n  %-12s %s", prm.Name, prm.Help)
	}
	return b.String()
}

// Run calls the command and prints its result.
func (c *namedCmd) Run(ctx context.Context, p *program) error {
	return p.call(ctx, &c.remote, c.command, c.Args, c.JSON)
}

// signature prints a command with its parameters, the optional ones in brackets.
func signature(c api.Command) string {
	parts := []string{c.Name}
	for _, prm := range c.Params {
		if prm.Required {
			parts = append(parts, strings.ToUpper(prm.Name))
		} else {
			parts = append(parts, "["+strings.ToUpper(prm.Name)+"]")
		}
	}
	return strings.Join(parts, " ")
}

func (p *program) call(ctx context.Context, r *remote, command api.Command, words []string, asJSON bool) error {
	args, err := commandArgs(command, words, p.stdin)
	if err != nil {
		return err
	}
	c, done, err := r.connect(ctx, p, command.Permission)
	if err != nil {
		return err
	}
	defer done()
	var result json.RawMessage
	if err := c.Call(ctx, command.Name, args, &result); err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, result)
	}
	return p.show(command.Name, result)
}

// commandArgs maps words to the parameters of a command: name=value by name, the others in
// the order of the table.
func commandArgs(c api.Command, words []string, stdin io.Reader) (map[string]any, error) {
	out := map[string]any{}
	next := 0
	for _, word := range words {
		name, value, named := strings.Cut(word, "=")
		prm, found := findParam(c, name)
		if !named || !found {
			value = word
			for next < len(c.Params) && out[c.Params[next].Name] != nil {
				next++
			}
			if next == len(c.Params) {
				return nil, usageError{fmt.Sprintf("too many parameters: %s", signature(c))}
			}
			prm = c.Params[next]
		}
		if out[prm.Name] != nil {
			return nil, usageError{fmt.Sprintf("the parameter %s stands twice", prm.Name)}
		}
		v, err := paramValue(prm, value, stdin)
		if err != nil {
			return nil, err
		}
		out[prm.Name] = v
	}
	for _, prm := range c.Params {
		if prm.Required && out[prm.Name] == nil {
			return nil, usageError{fmt.Sprintf("the parameter %s is missing: %s\nExample: metermanager %s", prm.Name, signature(c), c.Example)}
		}
	}
	return out, nil
}

func findParam(c api.Command, name string) (api.Param, bool) {
	for _, prm := range c.Params {
		if prm.Name == name {
			return prm, true
		}
	}
	return api.Param{}, false
}

func paramValue(prm api.Param, text string, stdin io.Reader) (any, error) {
	switch prm.Type {
	case api.ParamBool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, usageError{fmt.Sprintf("%s: want true or false", prm.Name)}
		}
		return b, nil
	case api.ParamInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, usageError{fmt.Sprintf("%s: want a whole number", prm.Name)}
		}
		return n, nil
	case api.ParamSecret:
		if text != "-" {
			return text, nil
		}
		line, err := bufio.NewReader(stdin).ReadString('\n')
		if err != nil && line == "" {
			return nil, usageError{fmt.Sprintf("%s: nothing came on standard input", prm.Name)}
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	return text, nil
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
