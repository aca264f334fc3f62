package chart

import (
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"math"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	vgfont "gonum.org/v1/plot/font"
)

// pixels draws into a picture without a path object per line: what a screen shows while a hand moves it. Shapes are summed up as signed areas per
// pixel and then swept once, so that the cost is that of the pixels that they touch. Places are in pixels, y downwards.
type pixels struct {
	img   *image.RGBA
	dpi   float64
	scale float64 // pixels per point
	area  *areas
	faces map[faceKey]font.Face
	dots  map[dotKey]*image.Alpha
}

var areaPool sync.Pool

func newPixels(img *image.RGBA, dpi int) *pixels {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	a, _ := areaPool.Get().(*areas)
	if a == nil || a.width != w || a.height != h {
		a = newAreas(w, h)
	}
	return &pixels{img: img, dpi: float64(dpi), scale: float64(dpi) / 72, area: a, faces: map[faceKey]font.Face{}, dots: map[dotKey]*image.Alpha{}}
}

// done gives the sums back for the next picture.
func (x *pixels) done() {
	areaPool.Put(x.area)
	x.area = nil
}

// paint is a colour as it is blended: premultiplied channels of 0 to 255, and the alpha as a share of 65536.
type paint struct {
	r, g, b, a uint32
	alpha      uint32
	word       uint32
	opaque     bool
}

func paintOf(c color.Color) paint {
	r, g, b, a := c.RGBA()
	return paint{r >> 8, g >> 8, b >> 8, a >> 8, (a*65536 + 32767) / 65535, r>>8 | g>>8<<8 | b>>8<<16 | a>>8<<24, a == 0xffff}
}

// blend covers a pixel by a share.
func (p *paint) blend(pix []byte, share float32) {
	pix = pix[:4:4]
	s := uint32(share * 65536)
	rest := 65536 - uint32(uint64(s)*uint64(p.alpha)>>16)
	pix[0] = uint8((uint32(pix[0])*rest + p.r*s + 32768) >> 16)
	pix[1] = uint8((uint32(pix[1])*rest + p.g*s + 32768) >> 16)
	pix[2] = uint8((uint32(pix[2])*rest + p.b*s + 32768) >> 16)
	pix[3] = uint8((uint32(pix[3])*rest + p.a*s + 32768) >> 16)
}

// sweep paints what was summed up, and forgets it.
func (x *pixels) sweep(p *paint) {
	a := x.area
	for row := a.top; row < a.bottom; row++ {
		from, to := a.from[row], a.to[row]
		a.from[row], a.to[row] = a.width+2, 0
		if from >= to {
			continue
		}
		sums := a.sums[row*(a.width+2)+from : row*(a.width+2)+to]
		pix := x.img.Pix[row*x.img.Stride+4*from : row*x.img.Stride+4*a.width]
		cover, share := float32(0), float32(0)
		for k, d := range sums[:min(len(sums), len(pix)/4)] {
			if d != 0 {
				cover += d
				share = min(max(cover, -cover), 1)
			}
			switch {
			case share > 0.998 && p.opaque:
				binary.LittleEndian.PutUint32(pix[4*k:], p.word)
			case share > 1.0/512:
				p.blend(pix[4*k:], share)
			}
		}
		clear(sums)
	}
	a.top, a.bottom = a.height, 0
}

// fill fills a rectangle.
func (x *pixels) fill(left, top, right, bottom float64, c color.Color) {
	w, h := float64(x.area.width), float64(x.area.height)
	left, top, right, bottom = min(max(left, 0), w), min(max(top, 0), h), min(max(right, 0), w), min(max(bottom, 0), h)
	if !(right > left && bottom > top) {
		return
	}
	p := paintOf(c)
	first, last := int(left), int(math.Ceil(right))
	var whole []byte // a row of which all is covered
	for row := int(top); float64(row) < bottom; row++ {
		tall := float32(min(bottom, float64(row+1)) - max(top, float64(row)))
		line := x.img.Pix[row*x.img.Stride+4*first : row*x.img.Stride+4*last]
		if tall == 1 && whole != nil {
			copy(line, whole)
			continue
		}
		for k := range last - first {
			wide := float32(1)
			if k == 0 || k == last-first-1 {
				wide = float32(min(right, float64(first+k+1)) - max(left, float64(first+k)))
			}
			p.blend(line[4*k:], tall*wide)
		}
		if tall == 1 && p.opaque && left == float64(first) && right == float64(last) {
			whole = line
		}
	}
}

// polygon fills a shape of points in points of the pen.
func (x *pixels) polygon(points [][2]float64, c color.Color) {
	x.outline(points)
	p := paintOf(c)
	x.sweep(&p)
}

func (x *pixels) outline(points [][2]float64) {
	before := points[len(points)-1]
	for _, q := range points {
		x.area.edge(before[0]*x.scale, before[1]*x.scale, q[0]*x.scale, q[1]*x.scale)
		before = q
	}
}

// batch is how many segments of a line are swept together: few, so that a row of pixels has not much between them.
const batch = 12

// stroke draws a line through points, in points of the pen, with round corners.
func (x *pixels) stroke(points [][2]float64, c color.Color, width float64) {
	p := paintOf(c)
	half := width * x.scale / 2
	var nx, ny float64 // of the segment before, half as long as the line is wide
	known := false
	for i := 1; i < len(points); i++ {
		ax, ay, bx, by := points[i-1][0]*x.scale, points[i-1][1]*x.scale, points[i][0]*x.scale, points[i][1]*x.scale
		length := math.Hypot(bx-ax, by-ay)
		if !(length > 0) {
			continue
		}
		mx, my := -(by-ay)/length*half, (bx-ax)/length*half
		if known {
			x.corner(ax, ay, nx, ny, mx, my)
		}
		x.area.edge(ax+mx, ay+my, bx+mx, by+my)
		x.area.edge(bx+mx, by+my, bx-mx, by-my)
		x.area.edge(bx-mx, by-my, ax-mx, ay-my)
		x.area.edge(ax-mx, ay-my, ax+mx, ay+my)
		nx, ny, known = mx, my, true
		if i%batch == 0 {
			x.sweep(&p)
		}
	}
	x.sweep(&p)
}

// corner fills the outer side between two segments that meet at a place: their normals are n and m.
func (x *pixels) corner(ax, ay, nx, ny, mx, my float64) {
	turn := nx*my - ny*mx
	if math.Abs(turn) < 1e-3*(nx*nx+ny*ny) && nx*mx+ny*my > 0 {
		return
	}
	if turn > 0 { // the outer side is the other one
		nx, ny, mx, my = -nx, -ny, -mx, -my
	}
	half := math.Hypot(nx, ny)
	cx, cy := nx+mx, ny+my
	if d := math.Hypot(cx, cy); d > 1e-6*half {
		cx, cy = cx/d*half, cy/d*half
	} else { // straight back
		cx, cy = ny, -nx
	}
	shape := [4][2]float64{{ax, ay}, {ax + nx, ay + ny}, {ax + cx, ay + cy}, {ax + mx, ay + my}}
	sum := 0.0
	for i := range shape {
		q, r := shape[i], shape[(i+1)%4]
		sum += (q[0]-ax)*(r[1]-ay) - (r[0]-ax)*(q[1]-ay)
	}
	for i := range shape {
		q, r := shape[i], shape[(i+1)%4]
		if sum > 0 { // as the segments turn
			q, r = shape[(4-i)%4], shape[3-i]
		}
		x.area.edge(q[0], q[1], r[0], r[1])
	}
}

// dashed cuts a line into its dashes.
func dashed(points [][2]float64, dashes []float64) (out [][][2]float64) {
	k, left, on := 0, dashes[0], true
	run := [][2]float64{points[0]}
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		length := math.Hypot(b[0]-a[0], b[1]-a[1])
		at := 0.0
		for length-at > left {
			at += left
			q := [2]float64{a[0] + (b[0]-a[0])*at/length, a[1] + (b[1]-a[1])*at/length}
			if on {
				out = append(out, append(run, q))
			}
			k, on = (k+1)%len(dashes), !on
			left, run = dashes[k], [][2]float64{q}
		}
		left -= length - at
		run = append(run, b)
	}
	if on && len(run) > 1 {
		out = append(out, run)
	}
	return out
}

// dotKey is a dot that is drawn many times: its radius in pixels, and which part of a pixel its middle has.
type dotKey struct {
	radius float64
	x, y   int
}

// parts is how many places within a pixel, each way, dots are told apart by.
const parts = 8

// dot stamps a filled circle; places and radius in points of the pen.
func (x *pixels) dot(px, py, radius float64, c color.Color) {
	px, py, radius = px*x.scale, py*x.scale, radius*x.scale
	if !(px > -1e6 && px < 1e6 && py > -1e6 && py < 1e6) {
		return
	}
	left, top := math.Floor(px), math.Floor(py)
	k := dotKey{radius, int((px - left) * parts), int((py - top) * parts)}
	stamp := x.dots[k]
	if stamp == nil {
		stamp = stampOf(k)
		x.dots[k] = stamp
	}
	p := paintOf(c)
	size := stamp.Rect.Dx()
	left, top = left-float64(size/2), top-float64(size/2)
	for row := range size {
		y := int(top) + row
		if y < 0 || y >= x.area.height {
			continue
		}
		for col := range size {
			share := stamp.Pix[row*stamp.Stride+col]
			if at := int(left) + col; share > 0 && at >= 0 && at < x.area.width {
				p.blend(x.img.Pix[y*x.img.Stride+4*at:], float32(share)/255)
			}
		}
	}
}

// stampOf makes the mask of a dot.
func stampOf(k dotKey) *image.Alpha {
	size := 2*int(math.Ceil(k.radius)) + 3
	mask := image.NewRGBA(image.Rect(0, 0, size, size))
	x := &pixels{img: mask, scale: 1, area: newAreas(size, size)}
	middle := [2]float64{float64(size/2) + (float64(k.x)+0.5)/parts, float64(size/2) + (float64(k.y)+0.5)/parts}
	x.polygon(ring(middle, k.radius), color.White)
	out := image.NewAlpha(mask.Rect)
	for i := range out.Pix {
		out.Pix[i] = mask.Pix[4*i+3]
	}
	return out
}

func ring(middle [2]float64, radius float64) [][2]float64 {
	points := make([][2]float64, 32)
	for i := range points {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(len(points)))
		points[i] = [2]float64{middle[0] + radius*cos, middle[1] + radius*sin}
	}
	return points
}

// faceKey is a typeface at a size.
type faceKey struct {
	font *opentype.Font
	size float64
}

// letter writes one letter whose base line begins at a place, in points of the pen.
func (x *pixels) letter(px, py float64, r rune, f *vgfont.Face, c color.Color) {
	key := faceKey{f.Face, f.Font.Size.Points()}
	face := x.faces[key]
	if face == nil {
		face = f.FontFace(x.dpi)
		x.faces[key] = face
	}
	dot := fixed.Point26_6{X: fixed.Int26_6(math.Round(px * x.scale * 64)), Y: fixed.Int26_6(math.Round(py * x.scale * 64))}
	if at, mask, from, _, ok := face.Glyph(dot, r); ok {
		draw.DrawMask(x.img, at, image.NewUniform(c), image.Point{}, mask, from, draw.Over)
	}
}
