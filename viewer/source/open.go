package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/comtrade"
	"metermanager/logdb/format/csvlog"
	"metermanager/logdb/format/greenbutton"
	"metermanager/logdb/format/pqdif"
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
	f := format.File{Dir: format.Gunzip(os.DirFS(filepath.Dir(path))), Name: filepath.Base(path)}
	head, err := headOf(f)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return database(ctx, path)
	}
	content, title, err := read(ctx, f, head, progress)
	if err != nil {
		return nil, err
	}
	if t.NominalVolts > 0 {
		content.Settings.NominalVolts = t.NominalVolts
	}
	content.AsRecorded()
	return fromContent(content, f.Name, title), nil
}

// fromContent makes a source of what a codec read.
func fromContent(content *format.Content, name, title string) *Opened {
	if content.Settings.Name == "" {
		content.Settings.Name = strings.TrimSpace(content.Station + " " + content.Device)
	}
	if content.Settings.Name == "" {
		content.Settings.Name = name
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

func headOf(f format.File) ([]byte, error) {
	file, err := f.Dir.Open(f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &format.Error{File: f.Name, What: "is not there"}
	} else if err != nil {
		return nil, &format.Error{File: f.Name, What: "cannot be opened", Err: format.Plain(err)}
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, &format.Error{File: f.Name, What: "is a folder", Do: "Open the files in it"}
	}
	head := make([]byte, format.SniffBytes)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &format.Error{File: f.Name, What: "cannot be read", Err: format.Plain(err)}
	}
	if n == 0 {
		return nil, &format.Error{File: f.Name, What: "is empty"}
	}
	return head[:n], nil
}

// codecs lists the formats in the order in which they are tried: the surest sign first.
func codecs() []format.Codec {
	return []format.Codec{pqdif.Codec(), greenbutton.Codec(), comtrade.Codec(), csvlog.Codec(csvlog.Mapping{})}
}

func read(ctx context.Context, f format.File, head []byte, progress func(done, total int64)) (*format.Content, string, error) {
	opt := format.Options{Progress: progress}
	f.Name = configurationOf(f)
	for _, codec := range codecs() {
		if codec.Sniff(f.Name, head) || codec.Kind == comtrade.Kind && strings.EqualFold(filepath.Ext(f.Name), ".cfg") {
			content, err := codec.Read(ctx, f, opt)
			return content, codec.Title, err
		}
	}
	if ext := strings.ToLower(filepath.Ext(f.Name)); ext == ".dat" || ext == ".hdr" || ext == ".inf" {
		_, err := comtrade.Codec().Read(ctx, f, opt) // says which file is missing
		return nil, "", err
	}
	var titles []string
	for _, codec := range codecs() {
		titles = append(titles, codec.Title)
	}
	return nil, "", &format.Error{File: f.Name, What: "is in no format that this program knows: " + strings.Join(titles, ", ") + ", log database"}
}

// configurationOf finds the .cfg beside the data of a COMTRADE record: people drop either.
func configurationOf(f format.File) string {
	ext := strings.ToLower(filepath.Ext(f.Name))
	if ext != ".dat" && ext != ".hdr" && ext != ".inf" {
		return f.Name
	}
	for _, other := range []string{".cfg", ".CFG"} {
		name := strings.TrimSuffix(f.Name, filepath.Ext(f.Name)) + other
		if _, err := fs.Stat(f.Dir, name); err == nil {
			return name
		}
	}
	return f.Name
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
