package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The media types of answers in XML.
const (
	XMLType        = "application/xml"
	XMLProblemType = "application/problem+xml"
)

// xmlSpace is the namespace of answers, xmlProblemSpace that of problems (RFC 9457, appendix B).
const (
	xmlSpace        = "urn:metermanager:answer"
	xmlProblemSpace = "urn:ietf:rfc:7807"
)

// XMLItem is the element of an array's values, XMLMember that of a member whose name is none for an element.
const (
	XMLItem   = "item"
	XMLMember = "member"
)

// WriteXML writes a JSON document as XML, as it comes: no answer is held in memory. All documents have the same mapping.
//
// The root element is answer (problem for a problem). A member is an element of its name; where the name cannot be one
// ("etheria.client~host"), it is <member name="...">. The values of an array are <item> elements within the array's own.
// Text, numbers and true or false are the content, numbers with the digits that JSON has; null is an element with nil="true", so
// that it is told from an empty text. An empty array has type="array", an empty object type="object". Characters that XML 1.0 cannot
// hold become U+FFFD.
func WriteXML(w io.Writer, document io.Reader, problem bool) error {
	x := &xmlWriter{w: bufio.NewWriterSize(w, 32<<10), d: json.NewDecoder(document)}
	x.d.UseNumber()
	root, space := "answer", xmlSpace
	if problem {
		root, space = "problem", xmlProblemSpace
	}
	x.text(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	if err := x.value(root, ` xmlns="`+space+`"`); err != nil {
		return err
	}
	if _, err := x.d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("write XML: something follows the document")
	}
	x.text("\n")
	return x.w.Flush()
}

type xmlWriter struct {
	w     *bufio.Writer
	d     *json.Decoder
	depth int
}

func (x *xmlWriter) text(s string) { _, _ = x.w.WriteString(s) } // its error comes with Flush

// deepestXML bounds documents of our own: none has as many levels.
const deepestXML = 100

// value writes the next value of the document as an element.
func (x *xmlWriter) value(name, attributes string) error {
	token, err := x.d.Token()
	if err != nil {
		return fmt.Errorf("write XML: %w", err)
	}
	element, attributes := elementOf(name, attributes)
	switch t := token.(type) {
	case json.Delim:
		return x.composite(t, element, attributes)
	case string:
		x.text("<" + element + attributes + ">")
		x.escape(t)
	case json.Number:
		x.text("<" + element + attributes + ">" + t.String())
	case bool:
		x.text(fmt.Sprintf("<%s%s>%t", element, attributes, t))
	case nil:
		x.text("<" + element + attributes + ` nil="true">`)
	}
	x.text("</" + element + ">")
	return nil
}

// composite writes an object or an array whose first delimiter was read.
func (x *xmlWriter) composite(open json.Delim, element, attributes string) error {
	if x.depth++; x.depth > deepestXML {
		return errors.New("write XML: the document is nested too deep")
	}
	kind := "object"
	if open == '[' {
		kind = "array"
	}
	if !x.d.More() {
		attributes += ` type="` + kind + `"`
	}
	x.text("<" + element + attributes + ">")
	for x.d.More() {
		name := XMLItem
		if open == '{' {
			token, err := x.d.Token()
			if err != nil {
				return fmt.Errorf("write XML: %w", err)
			}
			name, _ = token.(string)
		}
		if err := x.value(name, ""); err != nil {
			return err
		}
	}
	if _, err := x.d.Token(); err != nil {
		return fmt.Errorf("write XML: %w", err)
	}
	x.depth--
	x.text("</" + element + ">")
	return nil
}

// elementOf returns the element of a member and its attributes.
func elementOf(name, attributes string) (element, all string) {
	if isXMLName(name) {
		return name, attributes
	}
	var b strings.Builder
	b.WriteString(` name="`)
	for _, c := range name {
		b.WriteString(escapedRune(c, true))
	}
	b.WriteString(`"`)
	return XMLMember, attributes + b.String()
}

// isXMLName reports whether a name can be that of an element without further ado: letters, digits, and . - _ within.
func isXMLName(name string) bool {
	if name == "" || name == XMLMember || len(name) >= 3 && strings.EqualFold(name[:3], "xml") {
		return false
	}
	for i, c := range name {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '.' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// escape writes text.
func (x *xmlWriter) escape(s string) {
	plain := 0 // where what needs no escape begins
	for i, c := range s {
		out := escapedRune(c, false)
		if len(out) == utf8.RuneLen(c) && out == s[i:min(len(s), i+len(out))] {
			continue
		}
		x.text(s[plain:i])
		x.text(out)
		_, size := utf8.DecodeRuneInString(s[i:])
		plain = i + size
	}
	x.text(s[plain:])
}

func escapedRune(c rune, attribute bool) string {
	switch {
	case c == '&':
		return "&amp;"
	case c == '<':
		return "&lt;"
	case c == '>':
		return "&gt;"
	case c == '"' && attribute:
		return "&quot;"
	case c == '\r': // a reader would make a line feed of it
		return "&#xD;"
	case attribute && (c == '\n' || c == '\t'):
		return fmt.Sprintf("&#x%X;", c)
	case c < ' ' && c != '\n' && c != '\t', c == 0xFFFE, c == 0xFFFF:
		return "\uFFFD"
	}
	return string(c)
}
