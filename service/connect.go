package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
	"metermanager/rpc/pki"
	"metermanager/service/config"
	"metermanager/service/demo"
)

// defaultDemo is the folder of a demonstration when nobody names one.
const defaultDemo = ".demo"

// remote are the options of commands that talk to a running service.
type remote struct {
	URL      string `placeholder:"URL" env:"MM_URL" group:"service" help:"Address of the service."`
	Key      string `placeholder:"KEY" env:"MM_KEY" group:"service" help:"Upload key."`
	User     string `placeholder:"NAME" env:"MM_USER" group:"service" help:"User; the password comes from MM_PASSWORD or --password."`
	Password string `placeholder:"TEXT" env:"MM_PASSWORD" group:"service" help:"Password of the user."`
	CA       string `placeholder:"FILE" env:"MM_CA" name:"ca" group:"service" help:"Certificate of the authority that the service's certificate is signed by, in PEM form."`

	Fingerprint string `placeholder:"HEX" env:"MM_FINGERPRINT" group:"service" help:"Trust the service with this certificate, or with one that it has signed (see metermanager ca)."`

	Data  string `placeholder:"DIR" group:"service" help:"Folder of a demonstration: take address and key from DIR/demo.json (default .demo, if there is one and no address is given)."`
	Cloud bool   `group:"service" help:"Ask the cloud of the demonstration instead of its site."`
}

// target is a service and how to be let in.
type target struct {
	url                 string
	key, user, password string
	ca, fingerprint     string // what makes its certificate trusted; "": the machine's own authorities
}

// find finds the service: options and environment first, then a demonstration, then
// the service that the configuration describes.
func (r *remote) find(environ []string) (target, error) {
	t := target{r.URL, r.Key, r.User, r.Password, r.CA, r.Fingerprint}
	dir := r.Data
	if dir == "" && t.url == "" {
		if _, err := os.Stat(config.DemoFile(defaultDemo)); err == nil {
			dir = defaultDemo
		}
	}
	if dir != "" {
		state, err := demo.ReadState(dir)
		if err != nil {
			if errors.Is(err, demo.ErrNoDemo) {
				return t, usageError{err.Error()}
			}
			return t, err
		}
		node := state.Site
		if r.Cloud {
			node = state.Cloud
		}
		if t.url == "" || r.Data != "" {
			t.url = node.URL
		}
		if t.key == "" && t.user == "" {
			t.key, t.user, t.password = node.APIKey, node.User, node.Password
		}
		return t, nil
	}
	if r.Cloud {
		return t, usageError{"--cloud goes with the folder of a demonstration (--data DIR)"}
	}
	if t.url == "" {
		c, err := config.Load(config.Options{Environ: environ})
		if err != nil {
			return t, err
		}
		t.url = c.URL()
		if t.ca == "" && t.fingerprint == "" && c.OwnTLS() {
			t.fingerprint, _ = pki.FingerprintOfFile(config.CAFile(c.Data)) // without it the machine's authorities decide
		}
	}
	if !strings.Contains(t.url, "://") {
		t.url = "http://" + t.url
	}
	return t, nil
}

// demoKey is what the key of a demonstration may do.
func demoKey() permission.Set { return demo.KeyPermissions() }

// connect opens the service for an action that needs perm. A key serves where it is known
// to reach far enough; otherwise the user logs in. The returned function logs out again.
func (r *remote) connect(ctx context.Context, p *program, perm permission.Permission) (*client.Client, func(), error) {
	t, err := r.find(p.environ)
	if err != nil {
		return nil, nil, err
	}
	// Somebody waits for the answer: better an error now than a long silence.
	cfg := client.Config{APIKey: t.key, Retries: -1, Fingerprint: t.fingerprint}
	if t.ca != "" {
		if cfg.RootCAs, err = pki.Pool(t.ca); err != nil {
			return nil, nil, err
		}
	}
	login := t.user != "" && (t.key == "" || !demoKey().Has(perm))
	if login {
		cfg.APIKey = ""
	}
	c, err := client.New(t.url, cfg)
	if err != nil {
		return nil, nil, err
	}
	if !login {
		return c, func() {}, nil
	}
	if _, err := c.Login(ctx, api.LoginRequest{User: t.user, Password: t.password}); err != nil {
		return nil, nil, err
	}
	return c, func() { _ = c.Logout(context.WithoutCancel(ctx)) }, nil
}

// connectMeter opens the service as connect does, and finds the meter of a name, serial or UID.
func (r *remote) connectMeter(ctx context.Context, p *program, perm permission.Permission, word string) (*client.Client, api.Meter, func(), error) {
	c, done, err := r.connect(ctx, p, perm)
	if err != nil {
		return nil, api.Meter{}, nil, err
	}
	m, err := findMeter(ctx, c, word)
	if err != nil {
		done()
		return nil, api.Meter{}, nil, err
	}
	return c, m, done, nil
}
