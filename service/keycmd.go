package main

import (
	"context"
	"fmt"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// keyCmd manages upload keys.
type keyCmd struct {
	List   keyListCmd   `cmd:"" help:"List the keys, without their secrets."`
	Create keyCreateCmd `cmd:"" help:"Make a key. It is shown once."`
	Rotate keyRotateCmd `cmd:"" help:"Make a key in the place of another one, which goes on for a while."`
	Revoke keyRevokeCmd `cmd:"" help:"End a key at once."`
}

// keyListCmd lists keys.
type keyListCmd struct {
	remote
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (keyListCmd) Help() string { return "Example: metermanager key list" }

// Run prints the keys.
func (c *keyListCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.UsersManage)
	if err != nil {
		return err
	}
	defer done()
	keys, err := service.Keys(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, keys)
	}
	at := func(ms logdb.Millis) string {
		if ms == 0 {
			return "-"
		}
		return ms.Time().UTC().Format("2006-01-02 15:04")
	}
	t := newTable("Id", "Name", "Meter", "Made", "Last used", "Ends", "May")
	for _, k := range keys {
		t.add(k.ID, k.Name, string(k.Meter), at(k.Created), at(k.LastUsed), at(k.Ends), k.Permissions.String())
	}
	return t.write(p.stdout)
}

// keyCreateCmd makes a key.
type keyCreateCmd struct {
	remote
	JSON  bool           `name:"json" help:"Print the result as JSON."`
	Name  string         `arg:"" help:"What the key is for."`
	May   permission.Set `name:"may" placeholder:"NAMES" help:"Permissions joined by commas (default: upload)."`
	Meter string         `placeholder:"METER" help:"Only for this meter: name, serial or UID."`
}

// Help shows an example.
func (keyCreateCmd) Help() string {
	return "Example: metermanager key create site-berlin --may upload,meters_manage"
}

// Run makes the key and prints it.
func (c *keyCreateCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.UsersManage)
	if err != nil {
		return err
	}
	defer done()
	q := api.CreateKeyRequest{Name: c.Name, Permissions: c.May}
	if c.Meter != "" {
		m, err := findMeter(ctx, service, c.Meter)
		if err != nil {
			return err
		}
		q.Meter = m.UID
	}
	k, err := service.CreateKey(ctx, q)
	if err != nil {
		return err
	}
	return p.showKey(k, c.JSON, "")
}

// keyRotateCmd replaces a key.
type keyRotateCmd struct {
	remote
	JSON    bool          `name:"json" help:"Print the result as JSON."`
	ID      string        `arg:"" optional:"" help:"Id of the key, as key list shows it; the key of --key itself without it."`
	Overlap time.Duration `default:"24h" help:"How long the old key is still good; 0s: it ends at once."`
}

// Help shows an example.
func (keyRotateCmd) Help() string { return "Example: metermanager key rotate 4f2a90c1 --overlap 2h" }

// Run makes the new key and prints it.
func (c *keyRotateCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.UsersManage)
	if err != nil {
		return err
	}
	defer done()
	id := c.ID
	if id == "" {
		me, err := service.User(ctx)
		if err != nil {
			return err
		}
		if id = me.KeyID; id == "" {
			return fault.New(fault.Invalid, "Say which key is to be replaced.").WithHint("metermanager key list shows the ids.")
		}
	}
	k, err := service.RotateKey(ctx, id, c.Overlap)
	if err != nil {
		return err
	}
	return p.showKey(k, c.JSON, fmt.Sprintf("The old key %s is good for %s more.\n", id, c.Overlap))
}

// keyRevokeCmd ends a key.
type keyRevokeCmd struct {
	remote
	ID string `arg:"" help:"Id of the key, as key list shows it."`
}

// Help shows an example.
func (keyRevokeCmd) Help() string { return "Example: metermanager key revoke 4f2a90c1" }

// Run ends the key.
func (c *keyRevokeCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.UsersManage)
	if err != nil {
		return err
	}
	defer done()
	if err := service.RevokeKey(ctx, c.ID); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "The key %s is revoked.\n", c.ID)
	return nil
}

func (p *program) showKey(k api.CreateKeyAnswer, asJSON bool, more string) error {
	if asJSON {
		return printJSON(p.stdout, k)
	}
	_, err := fmt.Fprintf(p.stdout, "%s\n\nThis is the key %s (%s), for %s. Nobody can show it again.\n%s", k.Secret, k.ID, k.Name, k.Permissions, more)
	return err
}
