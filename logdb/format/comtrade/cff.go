package comtrade

import (
	"bytes"
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb/format"
	"metermanager/logdb/format/charset"
)

var sectionHead = regexp.MustCompile(`(?i)^[ \t]*-{2,3}[ \t]*file[ \t]+type[ \t]*:?[ \t]*(cfg|inf|hdr|dat)[ \t]*(ascii|binary32|binary|float32)?[ \t]*:?[ \t]*(\d{1,18})?[ \t]*-{2,3}[ \t]*$`)

// section is a part of a .cff.
type section struct {
	name  string // cfg, inf, hdr, dat
	data  DataType
	bytes int64 // of binary data; -1 when not stated
	body  []byte
	at    int // offset of the body
}

// sectionLine reads the line that begins a section.
func sectionLine(line []byte) (section, bool) {
	if len(line) > 200 {
		return section{}, false
	}
	m := sectionHead.FindSubmatch(line)
	if m == nil {
		return section{}, false
	}
	s := section{name: strings.ToLower(string(m[1])), data: dataType(string(m[2])), bytes: -1}
	if n, err := strconv.ParseInt(string(m[3]), 10, 64); err == nil {
		s.bytes = n
	}
	return s, true
}

// sections cuts a .cff, as bytes: binary data may look like anything.
func sections(b []byte) []section {
	var out []section
	for at := 0; at < len(b); {
		line := firstLine(b[at:])
		next := at + len(line)
		if next < len(b) && b[next] == '\r' {
			next++
		}
		next = min(next+1, len(b))
		s, ok := sectionLine(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")))
		if !ok {
			if n := len(out); n > 0 {
				out[n-1].body = b[out[n-1].at:next]
			}
			at = next
			continue
		}
		s.at = next
		s.body = b[next:next]
		if s.name == "dat" && s.bytes > 0 && s.data != ASCII {
			end := next + int(min(s.bytes, int64(len(b)-next)))
			s.body = b[next:end]
			next = end
		}
		out = append(out, s)
		at = next
	}
	// What stands between counted data and the next section is a line end.
	for i := range out {
		if s := &out[i]; s.name == "dat" && s.bytes > 0 && s.data != ASCII && int64(len(s.body)) > s.bytes {
			s.body = s.body[:s.bytes]
		}
	}
	return out
}

// readSections reads the record of a .cff.
func (r *Record) readSections(ctx context.Context, file string, text []byte, modified time.Time, o format.Options) error {
	byName := map[string]section{}
	for _, s := range sections(text) {
		if _, twice := byName[s.name]; twice {
			r.said.miss("a second section %s was left out", strings.ToUpper(s.name))
			continue
		}
		byName[s.name] = s
	}
	for _, name := range []string{"cfg", "dat"} {
		if _, ok := byName[name]; !ok {
			return &format.Error{File: file, What: "there is no section " + strings.ToUpper(name), Do: "The file is cut short: get it from the device again"}
		}
	}
	if err := r.configure(file, byName["cfg"].body, modified, o); err != nil {
		if e, ok := err.(*format.Error); ok && e.Line > 0 {
			e.Line += bytes.Count(text[:byName["cfg"].at], []byte{'\n'})
		}
		return err
	}
	for name, into := range map[string]*string{"hdr": &r.Header, "inf": &r.Info} {
		t, _, err := charset.Decode(byName[name].body, o.Charset)
		if err != nil {
			r.said.miss("section %s: %s", strings.ToUpper(name), err)
		}
		*into = strings.TrimSpace(t)
	}
	dat := byName["dat"]
	switch {
	case dat.data == "" && r.Type == "":
		return &format.Error{File: file, What: "neither the configuration nor the data say of what type the data are", Do: doCheck}
	case dat.data != "" && r.Type != "" && dat.data != r.Type:
		r.said.miss("the configuration says %s data, their section %s; the latter was taken", r.Type, dat.data)
		fallthrough
	case r.Type == "":
		r.Type = dat.data
	}
	if dat.bytes >= 0 && r.Type != ASCII && int64(len(dat.body)) < dat.bytes {
		r.said.miss("%d bytes of data are announced, %d are there", dat.bytes, len(dat.body))
	}
	d := dataReader{file: file, cfg: &r.Config, opt: o, said: &r.said, in: bytes.NewReader(dat.body), size: int64(len(dat.body))}
	data, err := d.read(ctx)
	if err != nil {
		if e, ok := err.(*format.Error); ok && e.Line > 0 {
			e.Line += bytes.Count(text[:dat.at], []byte{'\n'})
		}
		return err
	}
	r.Data = *data
	o.Report(int64(len(text)), int64(len(text)))
	return nil
}
