package backup

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Format is the version of the file that this program writes; it reads all up to it.
const Format = 1

const (
	headName      = "metermanager-backup.json" // the first entry
	manifestName  = "manifest.json"            // the last entry: without it a file is not finished
	effectiveName = "effective-config.json"    // what the node ran with, wherever it came from
	dataPrefix    = "data/"                    // of all that belongs into a data folder
	metaName      = dataPrefix + "meta.db"
	logsName      = dataPrefix + "logs.db"
	keyName       = dataPrefix + "secrets/master.key"
)

// maxDocument bounds the two JSON documents of a file.
const maxDocument = 256 << 20

var (
	// ErrNotBackup marks a file that is no backup.
	ErrNotBackup = errors.New("this is no backup of a Meter Manager")
	// ErrUnfinished marks a backup whose end is missing: whoever wrote it was stopped.
	ErrUnfinished = errors.New("the backup is not complete: its end is missing")
	// ErrDamaged marks a backup that is not as it was written.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrNewer marks a backup in a format that this program does not know.
	ErrNewer = errors.New("the backup was written by a newer version of this program")
	// ErrPassphrase marks an encrypted backup for which no passphrase, or a wrong one, was given.
	ErrPassphrase = errors.New("the backup is encrypted, and this is not its passphrase")
)

// Head is how a backup begins.
type Head struct {
	Format  int       `json:"format"`
	Program string    `json:"program"`
	Version string    `json:"version"`
	Commit  string    `json:"commit,omitempty"`
	Created time.Time `json:"created"`
	Node    string    `json:"node,omitempty"`
	// MasterKey says whether the key that seals secrets in the databases is in the file.
	MasterKey bool `json:"master_key"`
}

// Manifest is how a backup ends.
type Manifest struct {
	Head
	Files     []File              `json:"files"`
	Databases map[string]Database `json:"databases"`
	// LeftOut names what of the data folder is not in the file, and why.
	LeftOut []string `json:"left_out"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Database is what a database held.
type Database struct {
	Versions map[string]int   `json:"versions"` // newest migration of each owner
	Rows     map[string]int64 `json:"rows"`     // of each table
}

// Bytes is the size of all files.
func (m Manifest) Bytes() (sum int64) {
	for _, f := range m.Files {
		sum += f.Size
	}
	return sum
}

// checkName refuses a name that would lie outside of a folder, or that two systems read differently.
func checkName(name string) error {
	if name == "" || len(name) > 1000 || path.Clean(name) != name || path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") ||
		strings.ContainsAny(name, "\\:\x00") {
		return fmt.Errorf("%w: it holds a file of the name %q", ErrDamaged, name)
	}
	return nil
}
