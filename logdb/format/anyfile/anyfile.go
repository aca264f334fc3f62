package anyfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/comtrade"
	"metermanager/logdb/format/csvlog"
	"metermanager/logdb/format/greenbutton"
	"metermanager/logdb/format/pqdif"
)

// NoFormat begins what is said of a file in no format that is known.
const NoFormat = "is in no format that this program knows: "

// Auto is the kind of a file whose format is to be found.
const Auto = "auto"

// Codecs lists the formats in the order in which they are tried: the surest sign first.
func Codecs(m csvlog.Mapping) []format.Codec {
	return []format.Codec{pqdif.Codec(), greenbutton.Codec(), comtrade.Codec(), csvlog.Codec(m)}
}

// Companions are the ends of the names of files that belong to a COMTRADE configuration of the same name.
var Companions = []string{".dat", ".hdr", ".inf"}

// At is the file of a path, unpacked when it is compressed by gzip.
func At(path string) format.File {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	return format.File{Dir: format.Gunzip(os.DirFS(dir)), Name: name}
}

// Read reads a file of a format, or of whatever format it is (Auto). Errors of the file are of type *format.Error.
func Read(ctx context.Context, f format.File, kind string, opt format.Options, m csvlog.Mapping) (*format.Content, error) {
	name := f.Name
	head, err := Head(f)
	if err != nil {
		return nil, err
	}
	all := Codecs(m)
	for _, codec := range all {
		if kind == codec.Kind || kind == Auto && codec.Sniff(name, head) {
			return codec.Read(ctx, f, opt)
		}
	}
	if slices.Contains(Companions, strings.ToLower(path.Ext(name))) {
		return comtrade.Codec().Read(ctx, f, opt) // says which file to name
	}
	var titles []string
	for _, codec := range all {
		titles = append(titles, codec.Title)
	}
	return nil, &format.Error{File: name, What: NoFormat + strings.Join(titles, ", ")}
}

// Head reads the beginning of a file, as much as telling its format needs.
func Head(f format.File) ([]byte, error) {
	if !fs.ValidPath(f.Name) || f.Name == "." {
		return nil, &format.Error{File: f.Name, What: "is no file"}
	}
	file, err := f.Dir.Open(f.Name)
	if err != nil {
		return nil, &format.Error{File: f.Name, What: "cannot be opened", Err: format.Plain(err)}
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, &format.Error{File: f.Name, What: "is a folder", Do: "Name the files in it"}
	}
	head := make([]byte, format.SniffBytes)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &format.Error{File: f.Name, What: "cannot be read", Err: format.Plain(err)}
	}
	return head[:n], nil
}

// The sizes of pages: far below what a service takes, so that progress is told.
const (
	pageValues = 100_000
	pageEvents = 2_000
)

// Pages cuts what a file holds into pages, and says what is changed or left out on the way. They name no meter yet, and have no
// positions: the receiver tells repeats by content.
func Pages(c *format.Content) ([]logdb.Page, []string) {
	rows, said := c.History()
	var pages []logdb.Page
	for i := range rows {
		step := max(1, pageValues/len(rows[i].Channels))
		for a := 0; a < rows[i].Len(); a += step {
			part := rows[i].Slice(a, min(a+step, rows[i].Len()))
			pages = append(pages, logdb.Page{Kind: logdb.KindHistorical, Rows: []logdb.History{part}})
		}
	}
	for _, kind := range logdb.Kinds[1:] {
		entries, words := c.Entries(kind)
		said = append(said, words...)
		at := pageEvents
		if kind == logdb.KindWaveform {
			at = 1
		}
		for part := range slices.Chunk(entries, at) {
			pages = append(pages, logdb.Page{Kind: kind, Entries: part})
		}
	}
	if len(pages) == 0 {
		said = append(said, "the file holds nothing that a log could take")
	}
	return pages, said
}
