package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"

	"metermanager/rpc/fault"
	"metermanager/rpc/pki"
	"metermanager/service/config"
)

// caCmd shows by which certificate a node is trusted.
type caCmd struct {
	URL    string `arg:"" optional:"" help:"Address of a node: shows what it offers over the network. Without it: what the data folder of this machine's node holds."`
	Folder string `type:"path" placeholder:"DIR" help:"Data folder; the configured one without it."`
	PEM    bool   `name:"pem" help:"Print the certificate itself, for --ca FILE of others."`
}

// Help shows an example.
func (caCmd) Help() string {
	return `Example: metermanager ca                              (at the node)
         metermanager ca https://cloud.example.net:8443  (from elsewhere: compare before you trust it)

A node that other machines can reach makes its own certificate authority at its first start, unless it is given a certificate (tls_cert, tls_key). Clients trust it by its file (--ca) or its fingerprint (--fingerprint, and cloud.fingerprint for the cloud sync).`
}

// Run prints the fingerprint.
func (c *caCmd) Run(ctx context.Context, p *program) error {
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" {
			return usageError{"the address begins with https://"}
		}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		fingerprint, err := pki.Fetch(ctx, nil, net.JoinHostPort(u.Hostname(), port))
		if err != nil {
			return fault.Wrap(fault.Unavailable, "The node cannot be asked for its certificate.", err)
		}
		_, err = fmt.Fprintf(p.stdout, "%s\n\nThis is what the network says. Compare it with metermanager ca at the node itself before you trust it.\n", fingerprint)
		return err
	}
	dir, err := dataFolder(c.Folder, p.environ)
	if err != nil {
		return err
	}
	file := config.CAFile(dir)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "The node of this folder has no certificate authority of its own: it is reached from this machine only, or has a certificate of somebody else.")
	} else if err != nil {
		return fmt.Errorf("read the certificate of the authority: %w", err)
	}
	if c.PEM {
		_, err = p.stdout.Write(text)
		return err
	}
	fingerprint, err := pki.FingerprintOfFile(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n%s\n", fingerprint, file)
	return err
}
