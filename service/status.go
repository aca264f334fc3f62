package main

import (
	"context"

	"metermanager/rpc/permission"
)

// statusCmd shows the state of the node.
type statusCmd struct {
	remote
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (statusCmd) Help() string {
	return "Example: metermanager status --url http://127.0.0.1:8080 --user engineer"
}

// Run prints the state of the node.
func (c *statusCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.RPCRead)
	if err != nil {
		return err
	}
	defer done()
	status, err := service.Status(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, status)
	}
	return p.showStatus(status)
}
