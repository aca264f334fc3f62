package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	heldPrefix = ".backup-" // folders in which a backup holds files that may be replaced meanwhile
	// ExportPrefix begins folders in which the databases of a node on PostgreSQL stand as files while a backup is taken.
	ExportPrefix  = ".export-"
	stagingFolder = ".restore"        // where a restore puts files before they are checked
	markerFile    = ".restore.json"   // stands while a restore is not finished
	asidePrefix   = "before-restore-" // folders of what was there before
)

// notBackedUp are the parts of a data folder that a backup leaves out, with the reason.
var notBackedUp = []struct{ name, why string }{
	{"lock", ownFile},
	{"log", "the program's own log"},
	{"copies", "copies that were taken before migrations"},
}

// gathered are the files of a data folder beside the databases.
type gathered struct {
	files   []gatheredFile
	held    string // folder of the links, to be removed
	hasKey  bool
	leftOut []string
}

type gatheredFile struct {
	name string // in the backup
	path string
}

// gather lists the files of the data folder that belong into a backup. It links them into a folder of its own, so that
// one that is removed meanwhile can still be read; where links cannot be made they are read in place.
func gather(s Source) (g *gathered, err error) {
	g = &gathered{leftOut: []string{}}
	if err := dropHeld(s.Data); err != nil {
		return nil, err
	}
	if g.held, err = os.MkdirTemp(s.Data, heldPrefix+"*"); err != nil {
		// A folder that cannot be written to does not change either.
		s.Logger.Info("read files in place", "err", err)
	}
	err = filepath.WalkDir(s.Data, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.Data, path)
		if err != nil || rel == "." {
			return err
		}
		return g.visit(s, path, rel, e)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("list the data folder: %w", err), g.release())
	}
	if !g.hasKey && !s.OmitKey {
		g.leftOut = append(g.leftOut, "secrets/master.key: there is none")
	}
	return g, nil
}

func (g *gathered) visit(s Source, path, rel string, e fs.DirEntry) error {
	name := filepath.ToSlash(rel)
	if why := leftOut(name, s.OmitKey); why != "" {
		if why != ownFile {
			g.leftOut = append(g.leftOut, name+": "+why)
		}
		if e.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	if e.IsDir() {
		return nil
	}
	if !e.Type().IsRegular() {
		g.leftOut = append(g.leftOut, name+": no ordinary file")
		return nil
	}
	f := gatheredFile{dataPrefix + name, path}
	if g.held != "" {
		link := filepath.Join(g.held, fmt.Sprint(len(g.files)))
		if err := os.Link(path, link); err == nil {
			f.path = link
		}
	}
	g.files = append(g.files, f)
	g.hasKey = g.hasKey || f.name == keyName
	return nil
}

// ownFile is why something is left out that nobody needs to be told of.
const ownFile = "-"

// leftOut says why a file is left out; "" when it is not.
func leftOut(name string, omitKey bool) string {
	full := dataPrefix + name
	if full == keyName && omitKey {
		return "left out on request; without it the secrets in the databases cannot be opened"
	}
	for _, db := range []string{metaName, logsName} {
		if full == db || full == db+"-wal" || full == db+"-shm" || full == db+"-journal" {
			return ownFile // it comes as an image
		}
	}
	for _, n := range notBackedUp {
		if name == n.name {
			return n.why
		}
	}
	switch first, _, _ := strings.Cut(name, "/"); {
	case strings.HasPrefix(first, heldPrefix), strings.HasPrefix(first, ExportPrefix), first == stagingFolder, first == markerFile:
		return ownFile
	case strings.HasPrefix(first, asidePrefix):
		return "what was there before a restore"
	case strings.HasSuffix(name, ".tmp"):
		return "was being written"
	}
	return ""
}

// release removes the links.
func (g *gathered) release() error {
	if g.held == "" {
		return nil
	}
	return os.RemoveAll(g.held)
}

// dropHeld removes the links of a backup that was killed.
func dropHeld(data string) error { return dropFolders(data, heldPrefix) }

// DropExports removes the copies of databases of a backup that was killed.
func DropExports(data string) error { return dropFolders(data, ExportPrefix) }

func dropFolders(data, prefix string) error {
	old, err := filepath.Glob(filepath.Join(data, prefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove what a backup left: %w", err)
		}
	}
	return nil
}
