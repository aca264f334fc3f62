package chart

import "image/color"

// Style is the colours and sizes of a drawing.
type Style struct {
	Background, Text, Faint, Grid, Axis color.Color
	// Series are the colours of lines in order; phases take the first three.
	Series []color.Color
	Good   color.Color // inside a tolerance
	Warn   color.Color
	Bad    color.Color
	// Zone fills the regions of a tolerance curve that are not inside.
	Zone color.Color
	// FontPt and LinePt are sizes in points (1/72 inch).
	FontPt, LinePt float64
}

func rgb(hex uint32) color.Color {
	return color.NRGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

func rgba(hex uint32, alpha uint8) color.Color {
	return color.NRGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), alpha}
}

// Light is for screens in daylight. The colours of series are those of Okabe and Ito, which people with any colour vision tell
// apart.
func Light() Style {
	return Style{
		Background: rgb(0xffffff), Text: rgb(0x1d2733), Faint: rgb(0x66727f), Grid: rgb(0xe3e8ee), Axis: rgb(0x8a96a3),
		Series: []color.Color{rgb(0x0072b2), rgb(0xd55e00), rgb(0x009e73), rgb(0xcc79a7), rgb(0x9a7d0a), rgb(0x56b4e9), rgb(0x6b4c9a), rgb(0x4d4d4d)},
		Good:   rgb(0x0072b2), Warn: rgb(0xe69f00), Bad: rgb(0xc8362b), Zone: rgba(0xc8362b, 20), FontPt: 9, LinePt: 1,
	}
}

// Dark is for dark rooms and dark desktops.
func Dark() Style {
	return Style{
		Background: rgb(0x161b22), Text: rgb(0xe6edf3), Faint: rgb(0x9aa7b4), Grid: rgb(0x2a323c), Axis: rgb(0x66727f),
		Series: []color.Color{rgb(0x58a6ff), rgb(0xff9d57), rgb(0x3fce9b), rgb(0xe79ac6), rgb(0xe3c94b), rgb(0x8fd3ff), rgb(0xb49cf0), rgb(0xc0c8d0)},
		Good:   rgb(0x58a6ff), Warn: rgb(0xffc04d), Bad: rgb(0xff7b72), Zone: rgba(0xff7b72, 26), FontPt: 9, LinePt: 1,
	}
}

// Print is for paper: light, with thinner lines.
func Print() Style {
	s := Light()
	s.Grid, s.Axis, s.FontPt, s.LinePt = rgb(0xd8dde3), rgb(0x55606b), 8, 0.7
	return s
}

// line returns the colour of series i.
func (s *Style) line(i int) color.Color { return s.Series[i%len(s.Series)] }
