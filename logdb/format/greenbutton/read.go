package greenbutton

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrFormat marks a file that is not a Green Button feed, or that breaks off.
var ErrFormat = errors.New("not a readable Green Button file")

// Config bounds what a file may ask for. The zero value works.
type Config struct {
	MaxReadings int // of the whole file; default 8 million
	MaxEntries  int // of the feed; default 1 million
}

// The bounds of a document's form. A token is a tag with its attributes, or the text between two tags.
const (
	maxTokenBytes = 1 << 20
	maxDepth      = 64
	maxTextBytes  = 4096 // of one value
)

// namespaceESPI is the name space of all documents in a feed.
const namespaceESPI = "http://naesb.org/espi"

// namespaceAtom is the name space of the feed itself.
const namespaceAtom = "http://www.w3.org/2005/Atom"

// Is reports whether a file that begins with head looks like Green Button: XML that names the ESPI
// name space or an Atom feed.
func Is(head []byte) bool {
	s := strings.TrimLeft(strings.TrimPrefix(string(head), "\ufeff"), " \t\r\n")
	return strings.HasPrefix(s, "<") && (strings.Contains(s, namespaceESPI) || strings.Contains(s, namespaceAtom))
}

// Read reads a feed, or a single ESPI document, as a stream: only its readings are kept. ErrFormat when it
// is neither. Entities of a document type are never expanded: a file that uses them is refused.
func Read(r io.Reader, cfg Config) (*Feed, error) {
	if cfg.MaxReadings == 0 {
		cfg.MaxReadings = 8 << 20
	}
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = 1 << 20
	}
	in := &tokenReader{r: bufio.NewReader(r)}
	p := &parser{cfg: cfg, feed: &Feed{}, readings: map[string]int{}}
	d := xml.NewDecoder(in)
	d.CharsetReader = charset
	for {
		in.left = maxTokenBytes
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = p.token(tok)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: at byte %d: %w", ErrFormat, d.InputOffset(), err)
		}
	}
	if !p.known {
		return nil, fmt.Errorf("%w: no feed and no document of ESPI in it", ErrFormat)
	}
	p.link()
	p.feed.Notes = p.notes.list
	return p.feed, nil
}

// tokenReader ends a document whose single token is longer than any true one; the decoder would hold all of it.
type tokenReader struct {
	r    *bufio.Reader
	left int
}

var errToken = fmt.Errorf("a tag or text of more than %d bytes", maxTokenBytes)

// ReadByte gives the decoder one byte after the other, so that it reads nothing ahead of a token.
func (t *tokenReader) ReadByte() (byte, error) {
	if t.left--; t.left < 0 {
		return 0, errToken
	}
	return t.r.ReadByte()
}

// Read is there for the decoder's interface; it takes one byte at a time too.
func (t *tokenReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := t.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}

// charset reads the single-byte character sets that feeds are written in beside UTF-8.
func charset(name string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1", "windows-1252":
		return &latin1{in: in}, nil
	}
	return nil, fmt.Errorf("the character set %q is not supported", name)
}

// latin1 turns bytes into UTF-8.
type latin1 struct {
	in   io.Reader
	rest byte
	has  bool
}

// ReadByte returns the next byte of the UTF-8 form.
func (l *latin1) ReadByte() (byte, error) {
	if l.has {
		l.has = false
		return l.rest, nil
	}
	var b [1]byte
	if _, err := io.ReadFull(l.in, b[:]); err != nil {
		return 0, err
	}
	if b[0] < 0x80 {
		return b[0], nil
	}
	l.rest, l.has = 0x80|b[0]&0x3f, true
	return 0xc0 | b[0]>>6, nil
}

// Read reads one byte at a time, as the decoder does.
func (l *latin1) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := l.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}
