package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxFile bounds the file; a real one has a few hundred bytes.
const maxFile = 1 << 20

// Parse reads a configuration file's text over the values in c. Unknown keys, keys that
// stand twice and anything after the object are refused, so that a typing error is not
// taken for "use the default".
func (c *Config) Parse(text []byte) error {
	if err := distinctKeys(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return fmt.Errorf("%w: %s (known keys: data, database, listen, tls_cert, tls_key, tls, tls_names, insecure_http, roles, log_level, log_file, log_file_mb, log_files, disk_alarm_mb, disk_stop_mb, data_max_mb, registration, public_url, smtp_server, smtp_security, smtp_user, smtp_password_file, smtp_from, api_rate and the other api_ keys of docs/config.md)",
			ErrInvalid, strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: something follows the object", ErrInvalid)
	}
	return nil
}

// distinctKeys refuses an object in which a key stands twice: encoding/json takes the last.
func distinctKeys(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil || open != json.Delim('{') {
		return fmt.Errorf("%w: the file must hold one JSON object", ErrInvalid)
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		// Decoding ignores the case of keys, so the check does too.
		name, _ := key.(string)
		if folded := strings.ToLower(name); seen[folded] {
			return fmt.Errorf("%w: the key %q stands twice", ErrInvalid, name)
		} else {
			seen[folded] = true
		}
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return nil
}

func (c *Config) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if len(text) > maxFile {
		return fmt.Errorf("%w: %s is larger than 1 MB", ErrInvalid, path)
	}
	if err := c.Parse(text); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// Print writes c as the file would hold it.
func (c Config) Print(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(c)
}

// findFile returns the first configuration file that is there: in the data folder, then
// where the system keeps configurations.
func findFile(data string) string {
	places := []string{}
	if data != "" {
		places = append(places, filepath.Join(data, FileName))
	}
	if runtime.GOOS == "linux" {
		places = append(places, filepath.Join("/etc/metermanager", FileName))
	}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}
