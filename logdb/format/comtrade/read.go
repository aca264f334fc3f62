package comtrade

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"metermanager/logdb/format"
	"metermanager/logdb/format/charset"
)

// Kind is the format's name in reports.
const Kind = "comtrade"

// Codec returns the codec of COMTRADE.
func Codec() format.Codec {
	return format.Codec{Kind: Kind, Title: "COMTRADE", Sniff: Sniff, Read: func(ctx context.Context, f format.File, o format.Options) (*format.Content, error) {
		r, err := Read(ctx, f, o)
		if err != nil {
			return nil, err
		}
		return r.Content(), nil
	}}
}

var (
	channelLine = regexp.MustCompile(`^[^\r\n]*,[^\r\n]*\r?\n[ \t]*\d+[ \t]*,[ \t]*\d+[ \t]*[aA][ \t]*,[ \t]*\d+[ \t]*[dD][ \t]*\r?\n`)
	dataName    = regexp.MustCompile(`(?i)\.(dat|d\d\d|hdr|inf)$`)
)

// Sniff reports whether a file is a configuration or a .cff. A name that ends in .cfg or .cff decides
// where the content does not contradict, so that a broken one is reported as such.
func Sniff(name string, head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if _, ok := sectionLine(firstLine(head)); ok || channelLine.Match(head) {
		return true
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".cfg":
		return bytes.Count(firstLine(head), []byte{','}) > 0 && !bytes.ContainsAny(firstLine(head), "{}<>=;\x00")
	case ".cff":
		return true
	}
	return false
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// Record is a record that was read.
type Record struct {
	Config
	Data
	Timing *format.Timing
	Header string // the free text of .hdr
	Info   string // the text of .inf
	Files  []string
	said   remarks
}

// Read reads a record by the name of its .cfg or .cff.
func Read(ctx context.Context, f format.File, o format.Options) (*Record, error) {
	if dataName.MatchString(f.Name) {
		return nil, &format.Error{File: f.Name, What: "this is a part of a COMTRADE record", Do: "Name its .cfg, or its .cff"}
	}
	r := &Record{Files: []string{f.Name}}
	text, modified, err := readFile(f.Dir, f.Name, o.Bytes())
	if err != nil {
		return nil, err
	}
	first := bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), " \t\r\n")
	if _, ok := sectionLine(firstLine(first)); ok {
		err = r.readSections(ctx, f.Name, text, modified, o)
	} else {
		err = r.readFiles(ctx, f, text, modified, o)
	}
	if err != nil {
		return nil, err
	}
	r.Timing = timing(&r.Config, &r.Data, &r.said)
	r.check()
	return r, nil
}

// textBytes bounds a configuration, a header and an information file.
const textBytes = 16 << 20

// readFile reads a whole file of at most most bytes.
func readFile(dir fs.FS, name string, most int64) (b []byte, modified time.Time, err error) {
	file, err := dir.Open(name)
	if err != nil {
		return nil, modified, &format.Error{File: name, What: "cannot be opened", Err: format.Plain(err)}
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil {
		modified = info.ModTime()
	}
	b, err = io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, modified, &format.Error{File: name, What: "cannot be read", Err: format.Plain(err)}
	}
	if int64(len(b)) > most {
		return nil, modified, &format.Error{File: name, What: fmt.Sprintf("is larger than %d MiB", most>>20), Do: "Check that it is the right file"}
	}
	return b, modified, nil
}

// configure reads the configuration.
func (r *Record) configure(file string, text []byte, modified time.Time, o format.Options) error {
	decoded, taken, err := charset.Decode(text, o.Charset)
	if err != nil {
		return &format.Error{File: file, What: err.Error(), Do: "Name the character set of the file"}
	}
	if taken != "" {
		r.said.assume("the text is not UTF-8; read as %s", taken)
	}
	c, err := parseConfig(file, decoded, modified, o, &r.said)
	if err != nil {
		return err
	}
	r.Config = *c
	return nil
}

// readFiles reads the record of a .cfg.
func (r *Record) readFiles(ctx context.Context, f format.File, text []byte, modified time.Time, o format.Options) error {
	if len(text) > textBytes {
		return &format.Error{File: f.Name, What: "is too large for a configuration", Do: "Name the .cfg of the record"}
	}
	if err := r.configure(f.Name, text, modified, o); err != nil {
		return err
	}
	names, err := siblings(f)
	if err != nil {
		return err
	}
	data := names.data()
	if len(data) == 0 {
		return &format.Error{File: f.Name, What: "there is no data file beside it", Do: "Put the .dat of the same name into the same folder"}
	}
	if r.Type == "" {
		r.Type = guessType(f.Dir, data[0])
		r.said.assume("the data were read as %s", r.Type)
	}
	if err := r.readData(ctx, f.Dir, data, o); err != nil {
		return err
	}
	for _, extra := range []struct {
		ext  string
		into *string
	}{{".hdr", &r.Header}, {".inf", &r.Info}} {
		name := names[extra.ext]
		if name == "" {
			continue
		}
		b, _, err := readFile(f.Dir, name, textBytes)
		if err != nil {
			r.said.miss("%s", err)
			continue
		}
		if *extra.into, _, err = charset.Decode(b, ""); err != nil {
			r.said.miss("%s: %s", name, err)
		}
		r.Files = append(r.Files, name)
	}
	return nil
}

// readData reads the data of one file, or of those that it was split into.
func (r *Record) readData(ctx context.Context, dir fs.FS, names []string, o format.Options) error {
	var parts []io.Reader
	var size int64
	for _, name := range names {
		file, err := dir.Open(name)
		if err != nil {
			return &format.Error{File: name, What: "cannot be opened", Err: format.Plain(err)}
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil {
			size += info.Size()
		}
		parts = append(parts, file)
		r.Files = append(r.Files, name)
	}
	d := dataReader{file: names[0], cfg: &r.Config, opt: o, said: &r.said, in: io.MultiReader(parts...), size: size}
	data, err := d.read(ctx)
	if err != nil {
		return err
	}
	r.Data = *data
	o.Report(d.done, size)
	return nil
}

// guessType tells text from binary data.
func guessType(dir fs.FS, name string) DataType {
	file, err := dir.Open(name)
	if err != nil {
		return ASCII
	}
	defer file.Close()
	head := make([]byte, 4096)
	n, _ := io.ReadFull(file, head)
	for _, b := range head[:n] {
		if (b < ' ' || b > '~') && b != '\r' && b != '\n' && b != '\t' && b != 0x1a {
			return Binary
		}
	}
	return ASCII
}

// parts are the files of a record by their extension in lower case.
type parts map[string]string

// siblings finds the files of the same base name, whatever the case of their extension.
func siblings(f format.File) (parts, error) {
	dir, base := path.Split(f.Name)
	entries, err := fs.ReadDir(f.Dir, cmp.Or(strings.TrimSuffix(dir, "/"), "."))
	if err != nil {
		return nil, &format.Error{File: f.Name, What: "its folder cannot be read", Err: format.Plain(err)}
	}
	stem := strings.TrimSuffix(base, path.Ext(base))
	out := parts{}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		if e.IsDir() || !strings.EqualFold(strings.TrimSuffix(e.Name(), ext), stem) {
			continue
		}
		key := strings.ToLower(ext)
		// The spelling of the configuration's own base name counts before another.
		if out[key] == "" || strings.TrimSuffix(e.Name(), ext) == stem {
			out[key] = dir + e.Name()
		}
	}
	return out, nil
}

// data returns the data files in order.
func (p parts) data() []string {
	if name := p[".dat"]; name != "" {
		return []string{name}
	}
	var exts []string
	for ext := range p {
		if dataName.MatchString(ext) && ext[1] == 'd' && ext != ".dat" {
			exts = append(exts, ext)
		}
	}
	slices.Sort(exts)
	var out []string
	for _, ext := range exts {
		out = append(out, p[ext])
	}
	return out
}
