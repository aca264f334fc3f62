package device

import (
	"slices"
)

// Request is one read of consecutive registers.
type Request struct {
	FC    byte
	Addr  Addr
	Count int
}

type span struct {
	fc         byte
	start, end int // [start, end)
}

// Plan returns the requests that read points and their scale registers, as few as the
// profile's gap and maximum allow, in order of function code and address. maxRegs 0
// takes the profile's. No value is ever split, no barrier crossed, no hole read.
func (p *Profile) Plan(points []Point, maxRegs int) []Request {
	if maxRegs <= 0 || maxRegs > p.Defaults.MaxRegs {
		maxRegs = p.Defaults.MaxRegs
	}
	var spans []span
	for i := range points {
		x := &points[i]
		fc := x.fc(p.Defaults)
		s := span{fc, int(x.Addr), int(x.Addr) + x.width()}
		if f := x.ScaleFrom; f != nil {
			a := int(f.Addr)
			lo, hi := min(s.start, a), max(s.end, a+1)
			if hi-lo <= min(maxRegs, p.Defaults.Gap+s.end-s.start+1) {
				s.start, s.end = lo, hi // value and scale in one request
			} else {
				spans = append(spans, span{fc, a, a + 1})
			}
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b span) int {
		if a.fc != b.fc {
			return int(a.fc) - int(b.fc)
		}
		if a.start != b.start {
			return a.start - b.start
		}
		return a.end - b.end
	})
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && p.joins(out[n-1], s, maxRegs) {
			out[n-1].end = max(out[n-1].end, s.end)
			continue
		}
		out = append(out, s)
	}
	reqs := make([]Request, len(out))
	for i, s := range out {
		reqs[i] = Request{FC: s.fc, Addr: Addr(s.start), Count: s.end - s.start}
	}
	return reqs
}

func (p *Profile) joins(cur, next span, maxRegs int) bool {
	end := max(cur.end, next.end)
	if cur.fc != next.fc || next.start > cur.end+p.Defaults.Gap || end-cur.start > maxRegs {
		return false
	}
	for _, b := range p.Barriers {
		if cur.start < int(b) && int(b) < end {
			return false
		}
	}
	for _, h := range p.NoRead {
		if cur.start <= int(h.Last) && int(h.First) < end {
			return false
		}
	}
	return true
}

// Halve splits a request that the meter refused, between the values of points; nil when
// it holds a single value.
func (p *Profile) Halve(r Request, points []Point) []Request {
	var in []Point
	for _, x := range points {
		if x.fc(p.Defaults) == r.FC && int(x.Addr) >= int(r.Addr) && int(x.Addr)+x.width() <= int(r.Addr)+r.Count {
			in = append(in, x)
		}
	}
	slices.SortStableFunc(in, func(a, b Point) int { return int(a.Addr) - int(b.Addr) })
	if len(in) < 2 {
		return nil
	}
	m := len(in) / 2
	for m < len(in) && in[m].Addr == in[m-1].Addr {
		m++
	}
	if m == len(in) {
		return nil
	}
	out := append(p.Plan(in[:m], 0), p.Plan(in[m:], 0)...)
	if slices.Contains(out, r) {
		return nil
	}
	return out
}

// Image is the registers read so far; decoding never mixes two polls because each poll
// fills an image of its own.
type Image struct {
	fc     byte
	blocks []block
}

type block struct {
	fc   byte
	addr int
	data []byte
}

// NewImage returns an empty image; fc is the profile's usual function code.
func NewImage(fc byte) *Image { return &Image{fc: fc} }

// Put adds the answer to a read.
func (m *Image) Put(fc byte, addr Addr, data []byte) {
	m.blocks = append(m.blocks, block{fc, int(addr), data})
}

// Get returns n registers from addr on, when one block holds them all. Later blocks win.
func (m *Image) Get(fc byte, addr Addr, n int) ([]byte, bool) {
	for i := len(m.blocks) - 1; i >= 0; i-- {
		b := m.blocks[i]
		off := 2 * (int(addr) - b.addr)
		if b.fc == fc && off >= 0 && off+2*n <= len(b.data) {
			return b.data[off : off+2*n], true
		}
	}
	return nil, false
}

// Decode reads points from what the image holds.
func (p *Profile) Decode(points []Point, img *Image) []Reading {
	out := make([]Reading, len(points))
	for i := range points {
		x := &points[i]
		order := x.Order
		if order == "" {
			order = p.Defaults.Order
		}
		b, ok := img.Get(x.fc(p.Defaults), x.Addr, x.width())
		if !ok {
			b = nil
		}
		out[i] = x.decode(b, order, img)
		if !ok {
			out[i].Reason = "not read"
		}
	}
	return out
}

// Empty reports whether nothing was put into the image.
func (m *Image) Empty() bool { return len(m.blocks) == 0 }
