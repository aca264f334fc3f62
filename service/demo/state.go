package demo

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"metermanager/service/config"
)

// State is demo.json: where the parts of a demonstration answer, and with which
// credentials. It is made at the first start and kept.
type State struct {
	Site   Node    `json:"site"`
	Cloud  Node    `json:"cloud"`
	Meters []Meter `json:"meters"`
}

// Node is the site or the cloud.
type Node struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
	APIKey   string `json:"apikey"`
	Data     string `json:"data"`
	PID      int    `json:"pid"`
}

// Meter is one simulated meter.
type Meter struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Address string `json:"address"` // tcp://host:port
	Unit    int    `json:"unit"`
	Zone    string `json:"zone"`
	Seed    uint64 `json:"seed"`
	PID     int    `json:"pid"`
}

// ErrNoDemo marks a folder without a demonstration.
var ErrNoDemo = errors.New("no demonstration")

// ReadState reads DIR/demo.json; ErrNoDemo when there is none.
func ReadState(dir string) (State, error) {
	var s State
	text, err := os.ReadFile(config.DemoFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%w in %s: start one with \"metermanager demo --data %s\"", ErrNoDemo, dir, dir)
	}
	if err != nil {
		return s, fmt.Errorf("read the demonstration's state: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", config.DemoFile(dir), err)
	}
	return s, nil
}

// write replaces DIR/demo.json in one step: a reader finds the old or the new one.
func (s *State) write(dir string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write the demonstration's state: %w", err)
	}
	f, err := os.CreateTemp(dir, ".demo-*.json") // mode 0600
	if err != nil {
		return fmt.Errorf("write the demonstration's state: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Clean(config.DemoFile(dir)))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write the demonstration's state: %w", err)
	}
	return nil
}

// makeSecrets fills in what a node still lacks.
func (n *Node) makeSecrets() {
	if n.User == "" {
		n.User = "demo"
	}
	if n.Password == "" {
		n.Password = newSecret(15)
	}
	if n.APIKey == "" {
		n.APIKey = "mmk_" + newSecret(30)
	}
}

// newSecret returns random letters and digits that survive a shell and a mail.
func newSecret(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
