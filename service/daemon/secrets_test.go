package daemon

import (
	"bytes"
	"context"
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"metermanager/service/cloud/account"
)

// settings keep what a database would.
type settings map[string]string

func (s settings) NodeSettings(context.Context) (map[string]string, error) { return maps.Clone(s), nil }

func (s settings) PutNodeSetting(_ context.Context, name, value string) error {
	s[name] = value
	return nil
}

func (s settings) DeleteNodeSetting(_ context.Context, name string) (bool, error) {
	_, was := s[name]
	delete(s, name)
	return was, nil
}

// TestSecretsAreSealed: what is stored tells nothing, opens with this master key and under its own name only, and a file is taken as it is
// or for good.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	with := func(store settings, master byte) secrets {
		sealer, err := account.NewSealer(bytes.Repeat([]byte{master}, 32))
		if err != nil {
			t.Fatal(err)
		}
		return secrets{store, sealer}
	}
	store := settings{"limit.pq": "none"}
	s := with(store, 1)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("hunter2\r\nand a note\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.PutSecret(ctx, "ftp", "correct horse"); err != nil {
		t.Fatal(err)
	}
	if err := s.TakeSecret(ctx, "smtp", file); err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string]string{"secret:ftp": "correct horse", "secret:smtp": "hunter2", file: "hunter2"} {
		if got, err := s.password(ctx, place); err != nil || got != want {
			t.Errorf("%s holds %q, %v", place, got, err)
		}
	}
	for name, value := range store {
		raw, _ := base64.StdEncoding.DecodeString(value)
		if strings.Contains(value+string(raw), "horse") || strings.Contains(value+string(raw), "hunter2") {
			t.Errorf("%s is stored as %q", name, value)
		}
	}
	if got, err := s.Secrets(ctx); err != nil || !slices.Equal(got, []string{"ftp", "smtp"}) {
		t.Errorf("names %q, %v", got, err)
	}
	if _, err := with(store, 2).password(ctx, "secret:ftp"); err == nil {
		t.Error("another master key opens it")
	}
	store["secret.smtp"] = store["secret.ftp"]
	if _, err := s.password(ctx, "secret:smtp"); err == nil {
		t.Error("a secret was put under another name and is taken")
	}
	for name, value := range map[string]string{"": "x", "a/b": "x", "a": "", "b": "two\nlines", strings.Repeat("n", 65): "x"} {
		if s.PutSecret(ctx, name, value) == nil {
			t.Errorf("%q: %q is taken", name, value)
		}
	}
	if s.TakeSecret(ctx, "c", file+"-none") == nil {
		t.Error("a file that is not there is taken")
	}
	if err := s.RemoveSecret(ctx, "ftp"); err != nil {
		t.Error(err)
	}
	if s.RemoveSecret(ctx, "ftp") == nil || s.RemoveSecret(ctx, "limit.pq") == nil {
		t.Error("what is no secret is removed")
	}
	if _, err := s.password(ctx, "secret:ftp"); err == nil {
		t.Error("a removed secret is still there")
	}
}
