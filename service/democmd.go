package main

import (
	"context"
	"fmt"
	"path/filepath"

	"metermanager/service/demo"
)

// demoCmd runs a demonstration.
type demoCmd struct {
	Data        string `default:"${demo_data}" placeholder:"DIR" help:"Folder of everything that the demonstration writes (default: ${default})."`
	Listen      string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address of the site (default: ${default})."`
	CloudListen string `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Address of the cloud (default: ${default})."`
	History     string `default:"60d" placeholder:"SPAN" help:"How far back the meters' logs begin (default: ${default})."`
}

// Help shows an example.
func (demoCmd) Help() string {
	return `Example: metermanager demo --data /tmp/demo --history 30d

Starts simulated meters that answer Modbus TCP on loopback, a site that retrieves from them, and a cloud to which the site uploads. Addresses and made-up credentials stand in DIR/demo.json (mode 0600). Ctrl-C ends all of it; the next start goes on where it was. Delete DIR to begin anew.`
}

// Run runs the demonstration until ctx ends.
func (c *demoCmd) Run(ctx context.Context, p *program) error {
	history, err := parseSpan(c.History)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(c.Data)
	if err != nil {
		return usageError{fmt.Sprintf("--data %s: %v", c.Data, err)}
	}
	return demo.Run(ctx, demo.Config{
		Dir: dir, Listen: c.Listen, CloudListen: c.CloudListen, History: history, Out: p.stdout, Live: isTerminal(p.stdout),
	})
}
