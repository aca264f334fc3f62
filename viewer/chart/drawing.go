package chart

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"

	"git.sr.ht/~sbinet/gg"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Drawing is a chart with its data.
type Drawing interface {
	// draw draws into the whole canvas and tells where its plots are.
	draw(p *pen) []Area
}

// Area is where a plot of a drawing lies, in the units of the picture (pixels, or points), y downwards, and what its axes
// hold: what a cursor needs.
type Area struct {
	Left, Top, Right, Bottom float64
	XFrom, XTo, YFrom, YTo   float64
	XLog                     bool
	XIsTime/* ms since 1970 */ bool
	Name string
}

// X returns the value at a horizontal place.
func (a *Area) X(place float64) float64 {
	share := (place - a.Left) / (a.Right - a.Left)
	if a.XLog {
		return math.Pow(10, math.Log10(a.XFrom)+share*(math.Log10(a.XTo)-math.Log10(a.XFrom)))
	}
	return a.XFrom + share*(a.XTo-a.XFrom)
}

// Y returns the value at a vertical place.
func (a *Area) Y(place float64) float64 {
	return a.YTo - (place-a.Top)/(a.Bottom-a.Top)*(a.YTo-a.YFrom)
}

// errSize is for pictures that nobody can look at.
var errSize = errors.New("the picture has no size, or one above 16384 x 16384")

func checkSize(width, height float64) error {
	if !(width >= 64 && height >= 64 && width <= 16384 && height <= 16384) {
		return fmt.Errorf("%w: %g x %g", errSize, width, height)
	}
	return nil
}

// Image draws into a picture of width x height pixels; scale 2 is for screens with twice the pixels. Areas are in pixels.
func Image(d Drawing, width, height int, scale float64, st Style) (*image.RGBA, []Area, error) {
	return ImageIn(nil, d, width, height, scale, st)
}

// ImageIn is Image that draws over an older picture when it has the size, so that a moving chart asks for no memory.
func ImageIn(img *image.RGBA, d Drawing, width, height int, scale float64, st Style) (*image.RGBA, []Area, error) {
	if err := checkSize(float64(width), float64(height)); err != nil {
		return nil, nil, err
	}
	if bounds := image.Rect(0, 0, width, height); img == nil || img.Rect != bounds {
		img = image.NewRGBA(bounds)
	}
	dpi := int(math.Round(96 * scale))
	ctx := gg.NewContextForRGBA(img)
	ctx.SetLineCapButt()
	ctx.InvertY()
	canvas := vgimg.NewWith(vgimg.UseImageWithContext(img, ctx), vgimg.UseDPI(dpi))
	fast := newPixels(img, dpi)
	defer fast.done()
	areas := drawOn(d, canvas, fast, vg.Length(width)*vg.Inch/vg.Length(dpi), vg.Length(height)*vg.Inch/vg.Length(dpi), st)
	pixels := float64(dpi) / 72
	for i := range areas {
		a := &areas[i]
		a.Left, a.Right, a.Top, a.Bottom = a.Left*pixels, a.Right*pixels, a.Top*pixels, a.Bottom*pixels
	}
	return img, areas, nil
}

// PNG writes a drawing as PNG of width x height pixels.
func PNG(w io.Writer, d Drawing, width, height int, st Style) error {
	img, _, err := Image(d, width, height, 1, st)
	if err != nil {
		return err
	}
	if err := png.Encode(w, img); err != nil {
		return fmt.Errorf("write a PNG: %w", err)
	}
	return nil
}

// SVG writes a drawing as SVG; sizes are in points.
func SVG(w io.Writer, d Drawing, width, height float64, st Style) error {
	if err := checkSize(width, height); err != nil {
		return err
	}
	c := vgsvg.New(vg.Length(width), vg.Length(height))
	drawOn(d, c, nil, vg.Length(width), vg.Length(height), st)
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("write an SVG: %w", err)
	}
	return nil
}

// PDF writes a drawing as a PDF of one page; sizes are in points.
func PDF(w io.Writer, d Drawing, width, height float64, st Style) error {
	if err := checkSize(width, height); err != nil {
		return err
	}
	c := vgpdf.New(vg.Length(width), vg.Length(height))
	drawOn(d, c, nil, vg.Length(width), vg.Length(height), st)
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("write a PDF: %w", err)
	}
	return nil
}

func drawOn(d Drawing, c vg.Canvas, x *pixels, width, height vg.Length, st Style) []Area {
	p := newPen(c, x, width.Points(), height.Points(), st)
	p.fill(box{0, 0, p.width, p.height}, st.Background)
	return d.draw(p)
}
