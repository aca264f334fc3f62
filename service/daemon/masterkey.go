package daemon

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// masterKeyBytes is the length of the key that seals secrets in the databases.
const masterKeyBytes = 32

// credentialKey is the master key that systemd hands to the service (LoadCredential=master.key:FILE), and so keeps out of the data
// folder; nil: it hands none.
func credentialKey(folder, inData string) ([]byte, error) {
	if folder == "" {
		return nil, nil
	}
	path := filepath.Join(folder, "master.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	if len(key) != masterKeyBytes {
		return nil, fmt.Errorf("read master key: the credential %s has %d bytes, want %d", path, len(key), masterKeyBytes)
	}
	if old, err := os.ReadFile(inData); err == nil && subtle.ConstantTimeCompare(old, key) != 1 {
		return nil, fmt.Errorf("read master key: the credential master.key and %s differ; the databases are sealed with one of them: remove the file only if it is the wrong one", inData)
	}
	return key, nil
}

// masterKey reads the key of a data folder, and makes it when the folder is new. A folder
// with a database and without a key is refused: a new key would open none of its secrets.
func masterKey(path string, folderIsNew bool) ([]byte, error) {
	key, err := os.ReadFile(path)
	switch {
	case err == nil && len(key) == masterKeyBytes:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("read master key: %s has %d bytes, want %d; take it from a backup", path, len(key), masterKeyBytes)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read master key: %w", err)
	case !folderIsNew:
		return nil, fmt.Errorf("read master key: %s is missing, and the databases beside it are sealed with it; take it from a backup", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	key = make([]byte, masterKeyBytes)
	_, _ = rand.Read(key) // never fails
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	_, err = f.Write(key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("make master key: %w", err), os.Remove(path))
	}
	return key, nil
}
