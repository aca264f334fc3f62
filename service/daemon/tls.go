package daemon

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"metermanager/rpc/pki"
	"metermanager/service/cloud/account"
	"metermanager/service/config"
)

// openTLS is the TLS of the listener: with the files that the configuration names, or a certificate of the node's own
// authority; nil: none. Another source of certificates takes its place here.
func (n *node) openTLS(ctx context.Context) (*tls.Config, error) {
	now := n.options.Seams.Now
	if n.config.TLSCert != "" {
		files, err := pki.NewFiles(n.config.TLSCert, n.config.TLSKey, now, n.part("tls"))
		if err != nil {
			return nil, fmt.Errorf("%w: tls_cert, tls_key: %w", config.ErrInvalid, err)
		}
		return pki.ServerConfig(files), nil
	}
	if !n.config.OwnTLS() {
		return nil, nil
	}
	sealer, err := account.NewSealer(n.master)
	if err != nil {
		return nil, err
	}
	if n.authority, err = pki.Open(ctx, n.store, sealer, pki.Config{Names: n.config.TLSNames, Now: now, Logger: n.part("tls")}); err != nil {
		return nil, err
	}
	if err := writeCA(config.CAFile(n.config.Data), n.authority.PEM()); err != nil {
		return nil, err
	}
	return pki.ServerConfig(n.authority), nil
}

// writeCA puts a copy of the authority's certificate where people and commands of this machine find it.
func writeCA(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".ca-*")
	if err != nil {
		return fmt.Errorf("write the certificate of the authority: %w", err)
	}
	_, err = temporary.Write(text)
	if err = errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the certificate of the authority: %w", err), os.Remove(temporary.Name()))
	}
	return nil
}

// fingerprint asks a cloud for its certificate.
func (n *node) fingerprint(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("read the address of a cloud: %w", err)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return pki.Fetch(ctx, n.options.Seams.DialCloud, net.JoinHostPort(u.Hostname(), port))
}
