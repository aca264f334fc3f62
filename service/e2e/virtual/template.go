package virtual

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"metermanager/logdb/sqldb/simdisk"
	"metermanager/service/config"
)

// Template is the disk of a node that was started once: its tables, first user and key. A run
// begins with copies of it, which is much cheaper than to set up each time.
type Template struct {
	folder string // where the databases are
	image  *simdisk.Image
	master []byte
}

// NewTemplate starts a node in a folder, stops it again and keeps what it wrote.
func NewTemplate(ctx context.Context, folder string) (*Template, error) {
	disk, err := simdisk.New(simdisk.Config{})
	if err != nil {
		return nil, fmt.Errorf("make a disk: %w", err)
	}
	n := NewNode(NewNetwork(), NodeConfig{Host: "template", Roles: []string{config.RoleSite, config.RoleCloud}, Dir: folder, Disk: disk})
	n.Start(ctx)
	err = n.Ready(ctx)
	if err = errors.Join(err, n.Stop()); err != nil {
		return nil, fmt.Errorf("make the template of a node: %w", err)
	}
	t := &Template{folder: folder}
	if t.image, err = disk.Snapshot(); err != nil {
		return nil, fmt.Errorf("make the template of a node: %w", err)
	}
	if t.master, err = os.ReadFile(config.MasterKeyFile(folder)); err != nil {
		return nil, fmt.Errorf("make the template of a node: %w", err)
	}
	return t, disk.Close()
}

// unpack makes a fresh node's folder and disk.
func (t *Template) unpack(folder string, seed uint64) (*simdisk.Disk, error) {
	if err := writeKey(folder, t.master); err != nil {
		return nil, err
	}
	disk, err := simdisk.New(simdisk.Config{Seed: seed})
	if err != nil {
		return nil, fmt.Errorf("make a disk: %w", err)
	}
	if err := disk.Restore(t.image.Moved(t.folder, folder)); err != nil {
		return nil, fmt.Errorf("unpack the template: %w", err)
	}
	return disk, nil
}

func writeKey(folder string, key []byte) error {
	file := config.MasterKeyFile(folder)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make the folder of a node: %w", err)
	}
	if err := os.WriteFile(file, key, 0o600); err != nil {
		return fmt.Errorf("make the folder of a node: %w", err)
	}
	return nil
}
