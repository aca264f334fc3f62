package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/config"
)

// Options are what a run needs beside its configuration. Out and Log may be nil.
type Options struct {
	Version, Commit string
	Out             io.Writer // what people must read: the link of the first start
	Log             io.Writer
	JSONLog         bool
	Bootstrap       Bootstrap
	// Getenv reads what systemd says; os.Getenv when nil.
	Getenv func(string) string
	Seams  Seams
}

// Bootstrap is a first user and a key whose secrets a parent process made up. Without a
// user nothing is made. A node that has users already ignores it.
type Bootstrap struct {
	User        string         `json:"user"`
	Password    string         `json:"password"`
	Customer    string         `json:"customer"`
	APIKey      string         `json:"apikey"`
	Permissions permission.Set `json:"permissions"`
}

// Run is a Meter Manager from start to end: it opens the data folder, serves until ctx
// ends, and stops in the reverse order of the start.
func Run(ctx context.Context, c config.Config, o Options) error {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	program, err := openLog(c, o)
	if err != nil {
		return err
	}
	defer func() { _ = program.Close() }() // what it could say would belong into it
	logger := program.Logger()
	n, err := open(ctx, c, o, program)
	if err != nil {
		return err
	}
	if err := n.welcome(ctx); err != nil {
		return errors.Join(err, n.close())
	}
	logger.Info("started", "component", "daemon", "version", o.Version, "address", n.server.URL(), "data", c.Data)
	notifier := NewNotifier(o.Getenv)
	if err := notifier.Ready(); err != nil {
		logger.Warn("cannot tell the service manager", "component", "daemon", "err", err)
	}
	err = runStages(ctx, n.stages(notifier), func() {
		n.stopping.Store(true)
		logger.Info("stopping", "component", "daemon")
		_ = notifier.Stopping() // it will see the process end
	})
	err = errors.Join(err, n.close())
	if err == nil {
		logger.Info("stopped", "component", "daemon")
	}
	return err
}

// welcome makes the first user, or prints the link with which a person does.
func (n *node) welcome(ctx context.Context) error {
	if b := n.options.Bootstrap; b.User != "" {
		_, err := n.accounts.EnsureBootstrap(ctx, account.Bootstrap{
			User: b.User, Password: b.Password, Customer: b.Customer, Key: b.APIKey, KeyPermissions: b.Permissions,
		})
		if err != nil {
			return fmt.Errorf("make the first user: %w", err)
		}
		return nil
	}
	if n.authority != nil {
		fmt.Fprintf(n.options.Out, "Fingerprint of this node's certificate authority (%s), for those who connect:\n\n  %s\n\n", config.CAFile(n.config.Data), n.authority.Fingerprint())
	}
	token, err := n.accounts.SetupToken(ctx)
	if err != nil {
		return fmt.Errorf("prepare the first start: %w", err)
	}
	if token == "" {
		fmt.Fprintf(n.options.Out, "Meter Manager serves %s\n", n.server.URL())
		return nil
	}
	fmt.Fprintf(n.options.Out, "First start. Choose a user and password here, once:\n\n  %s/setup#%s\n\n", n.server.URL(), url.PathEscape(token))
	return nil
}
