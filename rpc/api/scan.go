package api

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// scan reads JSON with two additions: member names may stand without quotes, and NaN may
// stand where a number may. The first error stays; after it every method returns zeros.
type scan struct {
	b    []byte
	i    int
	lim  ScanLimits
	err  *ScanError
	bare int // names without quotes
	seen int // unknown members and columns
}

func newScan(b []byte, lim ScanLimits) *scan {
	s := &scan{b: b, lim: lim.withDefaults()}
	if len(b) > s.lim.Bytes {
		s.fail(-1, RefusedLimit, fmt.Sprintf("the body has %d bytes, at most %d are taken", len(b), s.lim.Bytes))
	}
	return s
}

func (s *scan) fail(off int, why Refusal, what string) {
	if s.err == nil {
		s.err = &ScanError{Offset: off, Why: why, What: what}
	}
}

func (s *scan) shape(off int, what string) { s.fail(off, RefusedShape, what) }

// done returns the error, or one if anything but blanks follows.
func (s *scan) done() error {
	if s.err == nil && s.peek() != 0 || s.err == nil && s.i < len(s.b) {
		s.fail(s.i, RefusedSyntax, "something follows the end of the document")
	}
	if s.err != nil {
		return s.err
	}
	return nil
}

// peek passes over blanks and returns the next byte, 0 at the end.
func (s *scan) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\n', '\r', '\t':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// unexpected refuses the byte at the present place.
func (s *scan) unexpected(want string) {
	switch {
	case s.err != nil:
	case s.i >= len(s.b):
		s.fail(len(s.b), RefusedSyntax, "the document ends where "+want+" is expected")
	case s.b[s.i] == '.':
		s.fail(s.i, RefusedSyntax, "a point stands where "+want+" is expected (an ellipsis is not JSON)")
	default:
		s.fail(s.i, RefusedSyntax, "something else stands where "+want+" is expected")
	}
}

// take consumes c or fails.
func (s *scan) take(c byte, want string) bool {
	if s.err == nil && s.peek() == c && s.i < len(s.b) {
		s.i++
		return true
	}
	s.unexpected(want)
	return false
}

// open is take for structures: it tells a wrong sort of value from broken JSON.
func (s *scan) open(c byte, what string) bool {
	if s.err != nil {
		return false
	}
	got := s.peek()
	if got == c {
		s.i++
		return true
	}
	if startsValue(got) {
		s.shape(s.i, what+" is expected here")
	} else {
		s.unexpected(what)
	}
	return false
}

func startsValue(c byte) bool {
	switch c {
	case '{', '[', '"', '-', 't', 'f', 'n', 'N':
		return true
	}
	return c >= '0' && c <= '9'
}

// object reads an object; member gets each name and must read its value.
func (s *scan) object(what string, member func(name string, off int)) {
	if !s.open('{', what) {
		return
	}
	if s.peek() == '}' {
		s.i++
		return
	}
	var names nameSet
	for s.err == nil {
		off, name := s.member()
		if s.err != nil {
			return
		}
		if !names.add(name) {
			s.fail(off, RefusedDuplicate, "this member stands twice in its object")
			return
		}
		if names.len() > s.lim.Unknown {
			s.fail(off, RefusedLimit, fmt.Sprintf("more than %d members in one object", s.lim.Unknown))
			return
		}
		member(name, off)
		if s.err != nil {
			return
		}
		if s.peek() == '}' {
			s.i++
			return
		}
		s.take(',', "a comma or the end of the object")
	}
}

// member reads a name and its colon.
func (s *scan) member() (off int, name string) {
	c := s.peek()
	off = s.i
	switch {
	case c == '"':
		name = s.text()
	case identStart(c):
		for s.i < len(s.b) && (identStart(s.b[s.i]) || s.b[s.i] >= '0' && s.b[s.i] <= '9') {
			s.i++
		}
		if s.i-off > s.lim.Strings {
			s.fail(off, RefusedLimit, "a member name is too long")
		}
		name = string(s.b[off:s.i])
		s.bare++
	default:
		s.unexpected("a member name")
		return off, ""
	}
	s.take(':', "a colon")
	return off, name
}

func identStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
}

// array reads an array; element is called at each element and must read it.
func (s *scan) array(what string, element func(n, off int)) {
	if !s.open('[', what) {
		return
	}
	if s.peek() == ']' {
		s.i++
		return
	}
	for n := 0; s.err == nil; n++ {
		s.peek()
		element(n, s.i)
		if s.err != nil {
			return
		}
		if s.peek() == ']' {
			s.i++
			return
		}
		s.take(',', "a comma or the end of the array")
	}
}

// null consumes a null, or a bare NaN where nan is set.
func (s *scan) null(nan bool) bool {
	switch s.peek() {
	case 'n':
		return s.word("null")
	case 'N':
		return nan && s.word("NaN")
	}
	return false
}

func (s *scan) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w || s.i+len(w) < len(s.b) && identPart(s.b[s.i+len(w)]) {
		s.unexpected("a value")
		return false
	}
	s.i += len(w)
	return true
}

func identPart(c byte) bool { return identStart(c) || c >= '0' && c <= '9' }

// boolean reads true or false.
func (s *scan) boolean() bool {
	switch c := s.peek(); {
	case s.err != nil:
	case c == 't':
		return s.word("true")
	case c == 'f':
		s.word("false")
	case startsValue(c):
		s.shape(s.i, "true or false is expected here")
	default:
		s.unexpected("true or false")
	}
	return false
}

// str reads a string value.
func (s *scan) str(what string) string {
	if s.err != nil {
		return ""
	}
	if c := s.peek(); c != '"' {
		if startsValue(c) {
			s.shape(s.i, what+" must be a string")
		} else {
			s.unexpected("a string")
		}
		return ""
	}
	return s.text()
}

// text reads a string that begins here. Its length is bounded before it is copied.
func (s *scan) text() string {
	start := s.i + 1
	for i := start; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			if i-start > s.lim.Strings {
				s.fail(start-1, RefusedLimit, fmt.Sprintf("a string of more than %d bytes", s.lim.Strings))
				return ""
			}
			s.i = i + 1
			return string(s.b[start:i])
		case c == '\\' || c >= utf8.RuneSelf:
			return s.escapedText(start)
		case c < ' ':
			s.fail(i, RefusedSyntax, "a control character in a string")
			return ""
		}
	}
	s.fail(len(s.b), RefusedSyntax, "the document ends inside a string")
	return ""
}

func (s *scan) escapedText(start int) string {
	var out strings.Builder
	for i := start; i < len(s.b); {
		if out.Len() > s.lim.Strings {
			s.fail(start-1, RefusedLimit, fmt.Sprintf("a string of more than %d bytes", s.lim.Strings))
			return ""
		}
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			return out.String()
		case c < ' ':
			s.fail(i, RefusedSyntax, "a control character in a string")
			return ""
		case c == '\\':
			r, n := s.escape(i)
			if s.err != nil {
				return ""
			}
			if r == 0 { // not every database holds it in a text
				s.fail(i, RefusedText, "a string with U+0000")
				return ""
			}
			out.WriteRune(r)
			i += n
		case c < utf8.RuneSelf:
			out.WriteByte(c)
			i++
		default:
			r, n := utf8.DecodeRune(s.b[i:])
			if r == utf8.RuneError && n <= 1 {
				s.fail(i, RefusedText, "a string is not valid UTF-8")
				return ""
			}
			out.WriteRune(r)
			i += n
		}
	}
	s.fail(len(s.b), RefusedSyntax, "the document ends inside a string")
	return ""
}

// escape decodes the escape sequence at i and returns its length.
func (s *scan) escape(i int) (rune, int) {
	if i+1 >= len(s.b) {
		s.fail(len(s.b), RefusedSyntax, "the document ends inside a string")
		return 0, 0
	}
	if k := strings.IndexByte(`"\/bfnrt`, s.b[i+1]); k >= 0 {
		return rune("\"\\/\b\f\n\r\t"[k]), 2
	}
	r, ok := hex4(s.b[i:])
	if !ok {
		s.fail(i, RefusedSyntax, "an escape that JSON does not know")
		return 0, 0
	}
	switch {
	case r < 0xD800 || r > 0xDFFF:
		return r, 6
	case r < 0xDC00:
		if low, ok := hex4(s.b[i+6:]); ok && low >= 0xDC00 && low <= 0xDFFF {
			return (r-0xD800)<<10 | (low - 0xDC00) + 0x10000, 12
		}
	}
	s.fail(i, RefusedText, "half a surrogate pair in a string")
	return 0, 0
}

// hex4 reads \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
