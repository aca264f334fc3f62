package chart

import (
	"image/color"
	"math"

	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgpdf"
)

// fonts holds the typeface of every drawing, which the program carries with it.
var fonts = font.NewCache(liberation.Collection())

// box is a rectangle in points, y downwards.
type box struct{ left, top, right, bottom float64 }

func (b box) width() float64  { return b.right - b.left }
func (b box) height() float64 { return b.bottom - b.top }

// pen draws in points, y downwards, on a canvas whose y goes up.
type pen struct {
	canvas        vg.Canvas
	pixels        *pixels // of a picture, nil of a page: letters then stand by themselves, as kerning by whole pixels lets "11" run together
	ansi          bool    // of a PDF, which has its own bytes for letters
	width, height float64
	st            Style
	faces         map[float64]font.Face
	others        map[rune]*opentype.Font // typefaces of the system for letters that ours has not; nil: none has
}

func newPen(c vg.Canvas, x *pixels, width, height float64, st Style) *pen {
	_, ansi := c.(*vgpdf.Canvas)
	return &pen{canvas: c, pixels: x, ansi: ansi, width: width, height: height, st: st, faces: map[float64]font.Face{}, others: map[rune]*opentype.Font{}}
}

func (p *pen) at(x, y float64) vg.Point { return vg.Point{X: vg.Points(x), Y: vg.Points(p.height - y)} }

func (p *pen) fill(b box, c color.Color) {
	if x := p.pixels; x != nil {
		x.fill(b.left*x.scale, b.top*x.scale, b.right*x.scale, b.bottom*x.scale, c)
		return
	}
	p.polygon([][2]float64{{b.left, b.top}, {b.right, b.top}, {b.right, b.bottom}, {b.left, b.bottom}}, c)
}

func (p *pen) polygon(points [][2]float64, c color.Color) {
	if len(points) < 3 {
		return
	}
	if p.pixels != nil {
		p.pixels.polygon(points, c)
		return
	}
	p.canvas.SetColor(c)
	p.canvas.Fill(p.path(points, true))
}

func (p *pen) path(points [][2]float64, closed bool) vg.Path {
	var path vg.Path
	for i, q := range points {
		if i == 0 {
			path.Move(p.at(q[0], q[1]))
		} else {
			path.Line(p.at(q[0], q[1]))
		}
	}
	if closed {
		path.Close()
	}
	return path
}

// chunk is how many points one stroke has: the rasteriser's work grows with the square of the crossings of a scan line.
const chunk = 64

// lines strokes a polyline.
func (p *pen) lines(points [][2]float64, c color.Color, width float64, dashes ...float64) {
	if len(points) < 2 {
		return
	}
	if p.pixels != nil {
		if len(dashes) == 0 {
			p.pixels.stroke(points, c, width)
			return
		}
		for _, run := range dashed(points, dashes) {
			p.pixels.stroke(run, c, width)
		}
		return
	}
	p.canvas.SetColor(c)
	p.canvas.SetLineWidth(vg.Points(width))
	pattern := make([]vg.Length, len(dashes))
	for i, d := range dashes {
		pattern[i] = vg.Points(d)
	}
	p.canvas.SetLineDash(pattern, 0)
	for i := 0; i < len(points)-1; i += chunk {
		p.canvas.Stroke(p.path(points[i:min(len(points), i+chunk+1)], false))
	}
}

func (p *pen) line(x0, y0, x1, y1 float64, c color.Color, width float64, dashes ...float64) {
	p.lines([][2]float64{{x0, y0}, {x1, y1}}, c, width, dashes...)
}

// frame strokes a rectangle.
func (p *pen) frame(b box, c color.Color, width float64) {
	p.lines([][2]float64{{b.left, b.top}, {b.right, b.top}, {b.right, b.bottom}, {b.left, b.bottom}, {b.left, b.top}}, c, width)
}

// dot fills a circle, or strokes an open one.
func (p *pen) dot(x, y, radius float64, c color.Color, open bool) {
	if p.pixels != nil {
		if open {
			points := ring([2]float64{x, y}, radius)
			p.pixels.stroke(append(points, points[0]), c, 1)
		} else {
			p.pixels.dot(x, y, radius, c)
		}
		return
	}
	var path vg.Path
	path.Move(p.at(x+radius, y))
	path.Arc(p.at(x, y), vg.Points(radius), 0, 2*math.Pi)
	path.Close()
	p.canvas.SetColor(c)
	if open {
		p.canvas.SetLineWidth(vg.Points(1))
		p.canvas.SetLineDash(nil, 0)
		p.canvas.Stroke(path)
		return
	}
	p.canvas.Fill(path)
}

func (p *pen) circle(x, y, radius float64, c color.Color, width float64) {
	n := 96
	points := make([][2]float64, n+1)
	for i := range points {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		points[i] = [2]float64{x + radius*cos, y + radius*sin}
	}
	p.lines(points, c, width)
}

func (p *pen) face(size float64) font.Face {
	if f, ok := p.faces[size]; ok {
		return f
	}
	f := fonts.Lookup(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Points(size))
	p.faces[size] = f
	return f
}

// textWidth is the width of a text.
func (p *pen) textWidth(text string, size float64) float64 {
	f := p.face(size)
	if p.pixels == nil {
		return f.Width(text).Points()
	}
	w := 0.0
	for _, r := range text {
		face := p.faceFor(r, f)
		w += face.Width(string(r)).Points()
	}
	return w
}

// Where a text stands against its point.
const (
	toRight = 0.0 // it begins there
	centred = 0.5
	toLeft  = 1.0 // it ends there
)

// text writes with the middle of its small letters at y.
func (p *pen) text(x, y float64, text string, align, size float64, c color.Color) {
	if text == "" {
		return
	}
	x, y = x-align*p.textWidth(text, size), y+0.34*size
	if p.pixels != nil {
		for _, r := range text {
			face := p.faceFor(r, p.face(size))
			p.pixels.letter(x, y, r, &face, c)
			x += face.Width(string(r)).Points()
		}
		return
	}
	p.canvas.SetColor(c)
	p.letters(p.at(x, y), text, size)
}

// turned writes upwards, centred at a place.
func (p *pen) turned(x, y float64, text string, size float64, c color.Color) {
	p.canvas.Push()
	p.canvas.Translate(p.at(x+0.34*size, y+p.textWidth(text, size)/2))
	p.canvas.Rotate(math.Pi / 2)
	p.canvas.SetColor(c)
	p.letters(vg.Point{}, text, size)
	p.canvas.Pop()
}

func (p *pen) letters(at vg.Point, text string, size float64) {
	f := p.face(size)
	if p.pixels == nil {
		if p.ansi {
			text = windows1252(text)
		}
		p.canvas.FillString(f, at, text)
		return
	}
	for _, r := range text {
		p.canvas.FillString(f, at, string(r))
		at.X += f.Width(string(r))
	}
}

// ansiLetters are the letters of Windows-1252 beyond those that it shares with Unicode, and what stands for letters that charts write and it lacks.
var ansiLetters = map[rune]byte{
	'€': 0x80, '‚': 0x82, 'ƒ': 0x83, '„': 0x84, '…': 0x85, '†': 0x86, '‡': 0x87, 'ˆ': 0x88, '‰': 0x89, 'Š': 0x8a, '‹': 0x8b, 'Œ': 0x8c, 'Ž': 0x8e, '‘': 0x91, '’': 0x92,
	'“': 0x93, '”': 0x94, '•': 0x95, '–': 0x96, '—': 0x97, '˜': 0x98, '™': 0x99, 'š': 0x9a, '›': 0x9b, 'œ': 0x9c, 'ž': 0x9e, 'Ÿ': 0x9f,
	'−': 0x96, '→': '>', '←': '<', '↑': '^', 'μ': 0xb5,
}

// windows1252 writes a text in the bytes that the fonts of a PDF are embedded by; a letter that is not among them becomes a question mark.
func windows1252(text string) string {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if b, ok := ansiLetters[r]; ok {
			out = append(out, b)
		} else if r < 0x80 || r >= 0xa0 && r < 0x100 {
			out = append(out, byte(r))
		} else {
			out = append(out, '?')
		}
	}
	return string(out)
}

// fit shortens a text to a width.
func (p *pen) fit(text string, size, width float64) string {
	if p.textWidth(text, size) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 1 && p.textWidth(string(runes)+"…", size) > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// key is an entry of a legend.
type key struct {
	name  string
	color color.Color
}

// legend writes entries in rows from the left and returns the height that they took.
func (p *pen) legend(b box, keys []key) float64 {
	size := p.st.FontPt
	return p.eachKey(b, keys, func(x, y float64, name string, k key) {
		p.line(x, y, x+12, y, k.color, 2*p.st.LinePt)
		p.text(x+16, y, name, toRight, size, p.st.Text)
	})
}

// legendHeight is what legend will take.
func (p *pen) legendHeight(b box, keys []key) float64 {
	return p.eachKey(b, keys, func(float64, float64, string, key) {})
}

func (p *pen) eachKey(b box, keys []key, visit func(x, y float64, name string, k key)) float64 {
	size := p.st.FontPt
	row := size * 1.6
	x, y := b.left, b.top+row/2
	for _, k := range keys {
		name := p.fit(k.name, size, b.width()-20)
		w := p.textWidth(name, size) + 26
		if x+w > b.right && x > b.left {
			x, y = b.left, y+row
		}
		visit(x, y, name, k)
		x += w
	}
	if len(keys) == 0 {
		return 0
	}
	return y + row/2 - b.top
}

// heading writes the title at the left and a note at the right and returns the height.
func (p *pen) heading(title, note string) float64 {
	size := p.st.FontPt
	if title == "" && note == "" {
		return size * 0.6
	}
	y := size * 1.3
	width := p.width - 20
	noteWidth := p.textWidth(note, size)
	p.text(p.width-10, y, note, toLeft, size, p.st.Faint)
	p.text(10, y, p.fit(title, size*1.2, width-noteWidth-12), toRight, size*1.2, p.st.Text)
	return size * 2.4
}
