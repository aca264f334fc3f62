package daemon

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"

	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
	"metermanager/service/config"
)

// secretSetting begins the names of settings that hold secrets, sealed with the master key.
const secretSetting = "secret."

// secrets are passwords for other machines that the node must be able to read again: in files that somebody keeps for it, or sealed in its own
// database under a name.
type secrets struct {
	store interface {
		NodeSettings(ctx context.Context) (map[string]string, error)
		PutNodeSetting(ctx context.Context, name, value string) error
		DeleteNodeSetting(ctx context.Context, name string) (bool, error)
	}
	sealer account.Sealer
}

// PutSecret seals a secret under a name, in place of the one before.
func (s secrets) PutSecret(ctx context.Context, name, value string) error {
	if len(name) < 1 || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return fault.New(fault.Invalid, "The name of a secret is 1 to 64 of letters, digits, dot, hyphen and underscore.").At("name")
	}
	if value == "" || len(value) > 4096 || strings.ContainsAny(value, "\r\n\x00") {
		return fault.New(fault.Invalid, "A secret is one line of 1 to 4096 bytes.").At("value")
	}
	// The name is sealed along: nobody who can write to the database makes one secret another one.
	sealed, err := s.sealer.Seal([]byte(name + "\n" + value))
	if err != nil {
		return fmt.Errorf("seal a secret: %w", err)
	}
	return s.store.PutNodeSetting(ctx, secretSetting+name, base64.StdEncoding.EncodeToString(sealed))
}

// TakeSecret seals what the first line of a file of this node holds.
func (s secrets) TakeSecret(ctx context.Context, name, file string) error {
	value, err := firstLine(file)
	if err != nil {
		return fault.Wrap(fault.Invalid, "The file cannot be read.", err).At("file")
	}
	return s.PutSecret(ctx, name, value)
}

// RemoveSecret forgets a secret.
func (s secrets) RemoveSecret(ctx context.Context, name string) error {
	was, err := s.store.DeleteNodeSetting(ctx, secretSetting+name)
	if err == nil && !was {
		return fault.New(fault.NotFound, "There is no such secret.").At("name")
	}
	return err
}

// Secrets lists the names.
func (s secrets) Secrets(ctx context.Context) ([]string, error) {
	settings, err := s.store.NodeSettings(ctx)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for name := range settings {
		if short, ok := strings.CutPrefix(name, secretSetting); ok {
			out = append(out, short)
		}
	}
	slices.Sort(out)
	return out, nil
}

// password returns what a place of a password holds: secret:NAME, or a file. It is read each time, so that a new one needs no restart.
func (s secrets) password(ctx context.Context, place string) (string, error) {
	name, sealed := strings.CutPrefix(place, config.SecretPrefix)
	if !sealed {
		return firstLine(place)
	}
	settings, err := s.store.NodeSettings(ctx)
	if err != nil {
		return "", err
	}
	text, ok := settings[secretSetting+name]
	if !ok {
		return "", fmt.Errorf("there is no secret %s here: secret.set makes one", name)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("read the secret %s: %w", name, err)
	}
	plain, err := s.sealer.Open(raw)
	if err != nil {
		return "", fmt.Errorf("read the secret %s: %w", name, err)
	}
	value, ok := strings.CutPrefix(string(plain), name+"\n")
	if !ok {
		return "", fmt.Errorf("read the secret %s: it was sealed under another name", name)
	}
	return value, nil
}

func firstLine(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimRight(line, "\r"), nil
}
