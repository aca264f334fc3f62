package device

import (
	"bytes"
	"strings"
	"unicode"
)

// Request is what is read to see whether a meter is of this type.
func (x *Probe) Request() Request {
	p := x.point()
	return Request{FC: x.FC, Addr: x.Addr, Count: p.width()}
}

func (x *Probe) point() *Point {
	p := &Point{Name: "probe", Addr: x.Addr, Type: x.Type, Count: x.Count, Min: x.Min, Max: x.Max}
	if x.Scale != 0 {
		p.Scale = &x.Scale
	}
	return p
}

// Fits reports whether the registers that were read are those of this type of meter, in the byte order of d.
func (x *Probe) Fits(b []byte, d Defaults) bool {
	r := x.point().decode(b, d.Order, nil)
	if r.Quality != Good {
		return false
	}
	if x.Type != "ascii" {
		return x.Equals == ""
	}
	text := string(bytes.TrimRight(b, "\x00 ")) // as it stands there: numbers are no text, although some of their bytes are
	if x.Equals != "" {
		return text == x.Equals
	}
	return text != "" && strings.IndexFunc(text, func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsPrint(c) }) < 0
}

func (x *Probe) check() error {
	p := x.point()
	if err := p.check(Defaults{}, 1<<16); err != nil {
		return err
	}
	switch {
	case x.FC != 3 && x.FC != 4:
		return bad("probe: fc %d, want 3 or 4", x.FC)
	case x.Type == "ascii" && x.Equals == "" && !x.Printable:
		return bad("probe: a text wants equals or printable, else every meter fits")
	case x.Type != "ascii" && (x.Min == nil || x.Max == nil || x.Equals != ""):
		return bad("probe: a number wants min and max, else every meter fits")
	}
	return nil
}
