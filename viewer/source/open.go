package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/anyfile"
	"metermanager/logdb/format/comtrade"
	"metermanager/logdb/format/csvlog"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
)

// Target is what to open: the path of a file, or the address of a service.
type Target struct {
	Place string
	// User and Password, or Key, are for services.
	User, Password, Key string
	// NominalVolts is the declared voltage of a file that states none, line to neutral.
	NominalVolts float64
}

// IsService reports whether the place is an address.
func (t Target) IsService() bool {
	return strings.HasPrefix(t.Place, "http://") || strings.HasPrefix(t.Place, "https://")
}

// Title is a short name of the place.
func (t Target) Title() string {
	if u, err := url.Parse(t.Place); t.IsService() && err == nil && u.Host != "" {
		return u.Host
	}
	return filepath.Base(t.Place)
}

// Opened is an open source.
type Opened struct {
	Log
	// Kind names it for people: "COMTRADE 2013", "PQDIF", "log database", "service".
	Kind string
	// Live sources may get more data.
	Live bool
	// Notes say what a file leaves open and how it was read.
	Notes []string
}

// ErrLogin asks for a user and a password, or other ones.
var ErrLogin = errors.New("the service asks for a user and a password")

// Open opens a target. progress may be nil; it is told how many bytes of how many were read.
func Open(ctx context.Context, t Target, progress func(done, total int64)) (*Opened, error) {
	if t.IsService() {
		return dial(ctx, t)
	}
	path, err := filepath.Abs(t.Place)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", t.Place, err)
	}
	f := anyfile.At(path)
	head, err := anyfile.Head(f)
	switch {
	case err != nil:
		return nil, err
	case len(head) == 0:
		return nil, &format.Error{File: f.Name, What: "is empty"}
	}
	if bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return database(ctx, path)
	}
	content, err := read(ctx, f, progress)
	if err != nil {
		return nil, err
	}
	if t.NominalVolts > 0 {
		content.Settings.NominalVolts = t.NominalVolts
	}
	content.AsRecorded()
	return fromContent(content, f.Name), nil
}

// fromContent makes a source of what a codec read.
func fromContent(content *format.Content, name string) *Opened {
	if content.Settings.Name == "" {
		content.Settings.Name = strings.TrimSpace(content.Station + " " + content.Device)
	}
	if content.Settings.Name == "" {
		content.Settings.Name = name
	}
	title := content.Kind
	for _, c := range anyfile.Codecs(csvlog.Mapping{}) {
		if c.Kind == content.Kind {
			title = c.Title
		}
	}
	if content.Version != "" {
		title += " " + content.Version
	}
	notes := append(slices.Clone(content.Assumed), content.NotUnderstood...)
	for _, kind := range logdb.Kinds {
		if kind == logdb.KindHistorical {
			_, said := content.History()
			notes = append(notes, said...)
			continue
		}
		_, said := content.Entries(kind)
		notes = append(notes, said...)
	}
	return &Opened{Log: NewLocal(format.NewSource(content, logdb.MeterUID(name)), nil), Kind: title, Notes: unique(notes)}
}

func unique(list []string) (out []string) {
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// read reads a file of others. People drop any file of a COMTRADE record: its .cfg beside it tells of all.
func read(ctx context.Context, f format.File, progress func(done, total int64)) (*format.Content, error) {
	ext := filepath.Ext(f.Name)
	kind := anyfile.Auto
	if slices.Contains(anyfile.Companions, strings.ToLower(ext)) {
		for _, other := range []string{".cfg", ".CFG"} {
			name := strings.TrimSuffix(f.Name, ext) + other
			if _, err := fs.Stat(f.Dir, name); err == nil {
				f.Name, ext = name, other
				break
			}
		}
	}
	if strings.EqualFold(ext, ".cfg") {
		kind = comtrade.Kind
	}
	content, err := anyfile.Read(ctx, f, kind, format.Options{Progress: progress}, csvlog.Mapping{})
	var e *format.Error
	if errors.As(err, &e) && strings.HasPrefix(e.What, anyfile.NoFormat) {
		e.What += ", log database"
	}
	return content, err
}

// database opens the log database of a node, or a copy of one, and changes nothing in it.
func database(ctx context.Context, path string) (*Opened, error) {
	store, err := sqlite.Open(ctx, path, sqlite.Config{ReadOnly: true})
	if err != nil {
		return nil, &format.Error{File: filepath.Base(path), What: "is a database, but cannot be read as a log database", Err: err,
			Do: "The log database of a service is logs.db in its data folder, at the version of this program"}
	}
	return &Opened{Log: NewLocal(store, store.Close), Kind: "log database, read only"}, nil
}

// dial connects to a service and asks it for its meters, so that what is wrong shows at once.
func dial(ctx context.Context, t Target) (*Opened, error) {
	c, err := client.New(t.Place, client.Config{APIKey: t.Key, Retries: -1})
	if err != nil {
		return nil, err
	}
	r := &remote{client: c, login: t.Key == ""}
	switch {
	case t.Key == "" && t.User == "":
		c.Close()
		return nil, ErrLogin
	case t.Key == "":
		if _, err := c.Login(ctx, api.LoginRequest{User: t.User, Password: t.Password}); err != nil {
			c.Close()
			return nil, err
		}
	}
	return &Opened{Log: r, Kind: "service", Live: true}, nil
}
