package device

import (
	"fmt"
	"os"
	"path/filepath"
)

// Keep checks a profile, stores it in the folder of one's own profiles and adds it to the set, in the place of one with the same id.
// ErrProfile: it is refused, and nothing has changed.
func (s *Set) Keep(folder string, text []byte) (*Profile, error) {
	p, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of profiles: %w", err)
	}
	file := fileOf(folder, p.ID)
	temporary := file + ".tmp" // no profile, should it stay behind
	if err := writeSynced(temporary, text); err != nil {
		return nil, fmt.Errorf("store the profile: %w", err)
	}
	if err := os.Rename(temporary, file); err != nil {
		return nil, fmt.Errorf("store the profile: %w", err)
	}
	s.Put(p)
	return p, nil
}

// fileOf is where the profile of that id lies: people name files as they like, and no id may stand in two.
func fileOf(folder, id string) string {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err == nil {
		for _, file := range files {
			text, err := os.ReadFile(filepath.Clean(file))
			if err != nil {
				continue
			}
			if p, err := Parse(text); err == nil && p.ID == id {
				return file
			}
		}
	}
	return filepath.Join(folder, id+".json")
}

func writeSynced(file string, text []byte) error {
	f, err := os.OpenFile(filepath.Clean(file), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
