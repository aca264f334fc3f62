package chart

import (
	"fmt"
	"image/color"
	"io"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgpdf"
)

// Page is what is printed without a plot: sentences and tables, on as many sheets as they need.
type Page struct {
	Title, Note string
	Parts       []Part
	// Foot stands below each sheet, beside its number.
	Foot string
}

// Part is a paragraph, or a table.
type Part struct {
	Text   string
	Strong bool
	// Widths are the shares of the columns of a table, Numbers those that stand at the right.
	Widths  []float64
	Numbers []bool
	Head    []string
	Rows    []PageRow
}

// PageRow is a line of a table. Tone colours the second cell; the note stands below, in small letters.
type PageRow struct {
	Cells []string
	Tone  Tone
	Note  string
}

// Tone is how a word is meant.
type Tone uint8

// The tones.
const (
	Plain Tone = iota
	Right
	Wrong
	Open
)

// A4 in points.
const a4Width, a4Height = 595.28, 841.89

// pageMargin is the room around a sheet, in points.
const pageMargin = 42.0

// pageLine is a piece of a page that is not cut.
type pageLine struct {
	height float64
	draw   func(p *pen, top float64)
	head   *pageLine // of its table, which is repeated on a new sheet
}

// PagePDF writes a page as a PDF of A4 sheets.
func PagePDF(w io.Writer, page *Page, st Style) error {
	c := vgpdf.New(vg.Points(a4Width), vg.Points(a4Height))
	p := newPen(c, nil, a4Width, a4Height, st)
	sheet, top := 1, page.begin(p)
	bottom := a4Height - pageMargin - 2*st.FontPt
	for _, l := range page.lines(p) {
		if top+l.height > bottom {
			page.foot(p, sheet)
			c.NextPage()
			sheet++
			if top = page.begin(p); l.head != nil {
				l.head.draw(p, top)
				top += l.head.height
			}
		}
		l.draw(p, top)
		top += l.height
	}
	page.foot(p, sheet)
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("write a PDF: %w", err)
	}
	return nil
}

// begin writes the heading of a sheet and returns where it ends.
func (g *Page) begin(p *pen) float64 {
	size := p.st.FontPt
	p.fill(box{0, 0, p.width, p.height}, p.st.Background)
	y := pageMargin
	p.text(pageMargin, y, p.fit(g.Title, 1.7*size, p.width-2*pageMargin), toRight, 1.7*size, p.st.Text)
	p.text(pageMargin, y+1.9*size, p.fit(g.Note, size, p.width-2*pageMargin), toRight, size, p.st.Faint)
	p.line(pageMargin, y+3*size, p.width-pageMargin, y+3*size, p.st.Axis, 0.6)
	return y + 4.2*size
}

func (g *Page) foot(p *pen, sheet int) {
	y := p.height - pageMargin
	p.text(pageMargin, y, p.fit(g.Foot, 0.9*p.st.FontPt, p.width-2*pageMargin-60), toRight, 0.9*p.st.FontPt, p.st.Faint)
	p.text(p.width-pageMargin, y, fmt.Sprint("sheet ", sheet), toLeft, 0.9*p.st.FontPt, p.st.Faint)
}

// lines cuts the page into what fits between the margins.
func (g *Page) lines(p *pen) (out []*pageLine) {
	size, width := p.st.FontPt, p.width-2*pageMargin
	for i := range g.Parts {
		part := &g.Parts[i]
		letters := size
		if part.Strong {
			letters = 1.15 * size
		}
		for _, text := range p.wrap(part.Text, letters, width) {
			out = append(out, &pageLine{height: 1.5 * letters, draw: func(p *pen, top float64) { p.text(pageMargin, top+0.7*letters, text, toRight, letters, p.st.Text) }})
		}
		if len(part.Widths) > 0 {
			out = append(out, part.table(p, width)...)
		}
		out = append(out, &pageLine{height: 0.8 * size, draw: func(*pen, float64) {}})
	}
	return out
}

func (t *Part) table(p *pen, width float64) []*pageLine {
	size := p.st.FontPt
	head := &pageLine{height: 1.9 * size, draw: func(p *pen, top float64) {
		t.cells(p, t.split(p, t.Head, width), top+0.8*size, width, p.st.Faint, nil)
		p.line(pageMargin, top+1.6*size, pageMargin+width, top+1.6*size, p.st.Axis, 0.5)
	}}
	out := []*pageLine{head}
	for i := range t.Rows {
		r := &t.Rows[i]
		cells, notes, lines := t.split(p, r.Cells, width), p.wrap(r.Note, 0.85*size, width-12), 1
		for _, c := range cells {
			lines = max(lines, len(c))
		}
		high := cellLine * size * float64(lines)
		out = append(out, &pageLine{height: high + 0.55*size + 1.2*size*float64(len(notes)), head: head, draw: func(p *pen, top float64) {
			tone := [...]color.Color{p.st.Text, p.st.Good, p.st.Bad, p.st.Faint}[min(r.Tone, Open)]
			t.cells(p, cells, top+0.7*size, width, p.st.Text, tone)
			for k, n := range notes {
				p.text(pageMargin+12, top+high+size*(0.7+1.2*float64(k)), n, toRight, 0.85*size, p.st.Faint)
			}
		}})
	}
	return out
}

// cellLine is the height of a line in a cell, in letters.
const cellLine = 1.25

// share is the width of a column.
func (t *Part) share(i int, width float64) float64 {
	sum := 0.0
	for _, w := range t.Widths {
		sum += w
	}
	return t.Widths[i] / sum * width
}

// split cuts the cells of a row into lines.
func (t *Part) split(p *pen, cells []string, width float64) [][]string {
	out := make([][]string, min(len(cells), len(t.Widths)))
	for i := range out {
		out[i] = p.wrap(cells[i], p.st.FontPt, t.share(i, width)-8)
	}
	return out
}

// cells writes a row of a table; second, when not nil, is the colour of the second cell.
func (t *Part) cells(p *pen, cells [][]string, y, width float64, c, second color.Color) {
	x := pageMargin
	for i, lines := range cells {
		w, tone := t.share(i, width), c
		if i == 1 && second != nil {
			tone = second
		}
		for k, text := range lines {
			at := y + cellLine*p.st.FontPt*float64(k)
			if i < len(t.Numbers) && t.Numbers[i] {
				p.text(x+w-8, at, p.fit(text, p.st.FontPt, w-8), toLeft, p.st.FontPt, tone)
			} else {
				p.text(x, at, p.fit(text, p.st.FontPt, w-8), toRight, p.st.FontPt, tone)
			}
		}
		x += w
	}
}

// wrap cuts a text into lines of a width, between words.
func (p *pen) wrap(text string, size, width float64) (out []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if longer := strings.TrimSpace(line + " " + word); line == "" || p.textWidth(longer, size) <= width {
			line = longer
			continue
		}
		out = append(out, line)
		line = word
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}
