package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"metermanager/service/config"
)

var (
	// ErrNotEmpty marks a folder that holds something already.
	ErrNotEmpty = errors.New("the folder is not empty")
	// ErrRestoring marks a folder in which a restore or roll back was not finished.
	ErrRestoring = errors.New("a restore into this folder was not finished")
)

// The phases of a restore, as its marker says them.
const (
	phaseStaging  = "staging"  // the folder was empty; files are unpacked and checked
	phaseAside    = "aside"    // what was there before is moved aside
	phasePlace    = "place"    // the checked files are put in their place
	phaseRollback = "rollback" // databases are put back from copies
)

// marker stands in a folder while it is not whole.
type marker struct {
	Phase   string `json:"phase"`
	File    string `json:"file,omitempty"`
	Aside   string `json:"aside,omitempty"`
	Upgrade string `json:"upgrade,omitempty"`
}

// Unfinished returns an error when a restore or a roll back in a data folder was not finished: nothing may work in it.
func Unfinished(data string) error {
	m, err := readMarker(data)
	if err != nil || m == nil {
		return err
	}
	if m.Phase == phaseRollback {
		return fmt.Errorf("%w: run metermanager rollback again", ErrRestoring)
	}
	return fmt.Errorf("%w: run metermanager restore again", ErrRestoring)
}

func readMarker(data string) (*marker, error) {
	text, err := os.ReadFile(filepath.Join(data, markerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an unfinished restore: %w", err)
	}
	m := new(marker)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%w: its marker cannot be read: %w", ErrRestoring, err)
	}
	return m, nil
}

func (m marker) write(data string) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	path := filepath.Join(data, markerFile)
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncFolder(data)
}

func removeMarker(data string) error {
	if err := os.Remove(filepath.Join(data, markerFile)); err != nil {
		return err
	}
	return syncFolder(data)
}

// RestoreOptions say how a backup is restored.
type RestoreOptions struct {
	Passphrase string
	// Replace moves what is in the folder aside; without it a folder that is not empty is refused.
	Replace  bool
	Quick    bool
	Now      func() time.Time
	Progress Progress
	Logger   *slog.Logger
}

// Restored is what a restore did.
type Restored struct {
	Manifest
	Notes []string
	Aside string // where what was there before lies; "" when there was nothing
}

// Restore makes a data folder of a backup. The files are unpacked beside their place, checked, and then renamed; a folder
// in which that was not finished is known as such, and the next Restore begins again.
func Restore(ctx context.Context, file, data string, o RestoreOptions) (r Restored, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return r, fmt.Errorf("make the data folder: %w", err)
	}
	unlock, err := config.LockFolder(data)
	if err != nil {
		return r, err
	}
	s := &restoring{data: data, file: file, o: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.giveUp())
		}
		err = errors.Join(err, unlock())
	}()
	if err := s.prepare(); err != nil {
		return r, err
	}
	staging := filepath.Join(data, stagingFolder)
	if r.Manifest, err = s.stage(ctx, staging); err != nil {
		return r, err
	}
	found, err := inspect(ctx, staging, r.Manifest, o.Quick, o.Progress, o.Logger)
	if err != nil {
		return r, fmt.Errorf("check the restored databases: %w", err)
	}
	if len(found.Findings) > 0 {
		return r, fmt.Errorf("%w: %d findings, the first: %s: %s", ErrDamaged, len(found.Findings), found.Findings[0].Place, found.Findings[0].Text)
	}
	r.Notes = found.Notes
	if err := s.place(staging); err != nil {
		return r, fmt.Errorf("put the restored files in their place: %w", err)
	}
	r.Aside = s.aside
	return r, nil
}

// restoring is the state of Restore.
type restoring struct {
	data, file string
	o          RestoreOptions
	old        []string // what is to be moved aside
	aside      string
	empty      bool // nothing was there, and nothing is yet
}

// giveUp removes what a restore that went wrong has unpacked. A folder that was empty is empty again.
func (s *restoring) giveUp() error {
	m, err := readMarker(s.data)
	if err != nil || m != nil && m.Phase != phaseStaging {
		return err // it is no longer empty, and known as unfinished
	}
	if err := os.RemoveAll(filepath.Join(s.data, stagingFolder)); err != nil || !s.empty || m == nil {
		return err
	}
	return removeMarker(s.data)
}

// CleanUp removes what a backup or a restore that was killed has left in a data folder, except where Unfinished says that
// the folder is not whole.
func CleanUp(data string) error {
	if err := Unfinished(data); err != nil {
		return err
	}
	return errors.Join(dropHeld(data), os.RemoveAll(filepath.Join(data, stagingFolder)))
}

// prepare looks at what is there. After it the folder is empty, or what is in it is known and may be moved aside.
func (s *restoring) prepare() error {
	m, err := readMarker(s.data)
	if err != nil {
		return err
	}
	entries, err := contents(s.data)
	if err != nil {
		return err
	}
	switch {
	case m == nil && len(entries) == 0:
		s.empty = true
		return marker{Phase: phaseStaging, File: s.file}.write(s.data)
	case m == nil && !s.o.Replace:
		return fmt.Errorf("%w: %s holds %s; give --replace to move it aside", ErrNotEmpty, s.data, entries[0])
	case m == nil:
		s.old = entries
		return nil
	case m.Phase == phaseRollback:
		return Unfinished(s.data)
	case m.Phase == phaseAside: // all that is left is what was there before
		s.aside = m.Aside
		if err := s.move(entries, s.data, s.aside); err != nil {
			return err
		}
	case m.Phase == phasePlace: // all that is there comes from the backup
		s.aside = m.Aside
		for _, name := range entries {
			if err := os.RemoveAll(filepath.Join(s.data, name)); err != nil {
				return err
			}
		}
	}
	return marker{Phase: phaseStaging, File: s.file, Aside: s.aside}.write(s.data)
}

// contents lists what is in a data folder, beside what restores need themselves.
func contents(data string) (out []string, err error) {
	entries, err := os.ReadDir(data)
	if err != nil {
		return nil, fmt.Errorf("look into the data folder: %w", err)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "lock", name == markerFile, name == markerFile+".tmp", name == stagingFolder, name == "lost+found",
			strings.HasPrefix(name, asidePrefix), strings.HasPrefix(name, heldPrefix):
		default:
			out = append(out, name)
		}
	}
	return out, nil
}

func (s *restoring) stage(ctx context.Context, staging string) (Manifest, error) {
	if err := os.RemoveAll(staging); err != nil {
		return Manifest{}, err
	}
	if err := os.Mkdir(staging, 0o700); err != nil {
		return Manifest{}, fmt.Errorf("make a folder to restore in: %w", err)
	}
	return extract(ctx, s.file, staging, s.o.Passphrase, s.o.Progress)
}

// makeAside makes a folder for what was there before.
func makeAside(data string, now time.Time) (string, error) {
	name := filepath.Join(data, asidePrefix+now.UTC().Format("20060102T150405Z"))
	for i := 2; ; i++ {
		err := os.Mkdir(name, 0o700)
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
		name = filepath.Join(data, fmt.Sprintf("%s%s-%d", asidePrefix, now.UTC().Format("20060102T150405Z"), i))
	}
}

// place puts the checked files in their place.
func (s *restoring) place(staging string) (err error) {
	// Opening the databases has left files beside them, which belong to nothing.
	for _, db := range []string{config.MetaFile(staging), config.LogsFile(staging)} {
		for _, end := range []string{"-wal", "-shm"} {
			if err := os.Remove(db + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if err := sameOwner(staging, s.data); err != nil {
		return err
	}
	if len(s.old) > 0 {
		if s.aside, err = makeAside(s.data, s.o.Now()); err != nil {
			return err
		}
		if err := (marker{Phase: phaseAside, File: s.file, Aside: s.aside}).write(s.data); err != nil {
			return err
		}
		if err := s.move(s.old, s.data, s.aside); err != nil {
			return err
		}
	}
	if err := (marker{Phase: phasePlace, File: s.file, Aside: s.aside}).write(s.data); err != nil {
		return err
	}
	staged, err := contents(staging)
	if err != nil {
		return err
	}
	if err := s.move(staged, staging, s.data); err != nil {
		return err
	}
	s.o.Progress.say("tidying up")
	if err := os.RemoveAll(staging); err != nil {
		return err
	}
	return removeMarker(s.data)
}

// move renames files from one folder into another, and puts both on the disk.
func (s *restoring) move(names []string, from, to string) error {
	for _, name := range names {
		s.o.Progress.say("moving %s", name)
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return errors.Join(syncFolder(to), syncFolder(from))
}
