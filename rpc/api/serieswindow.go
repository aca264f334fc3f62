package api

import (
	"runtime"
	"slices"
	"sort"
	"sync"

	"metermanager/logdb"
)

// windowValues is about how many values of a long answer are held at once, and as many again while the ones before become text.
const windowValues = 1 << 18

// partValues is about how many values become text in one go: longer windows are cut, and their parts made on all processors.
const partValues = 1 << 14

// window is what the columns of an answer hold of some time.
type window struct {
	columns []seriesColumn
}

// seriesRoom is memory that one answer after the other uses.
type seriesRoom struct {
	text    []byte
	windows [2]window
	parts   []*rowsPart
}

var seriesRooms = sync.Pool{New: func() any { return &seriesRoom{text: make([]byte, 0, flushBytes/2)} }}

// leave gives the memory of an answer back.
func (w *SeriesWriter) leave() {
	if w.err != nil || w.room == nil {
		return
	}
	w.room.text = w.b[:0]
	w.b = nil
	seriesRooms.Put(w.room)
	w.room = nil
}

// empty makes c a window of so many columns without values.
func (c *window) empty(columns int) {
	c.columns = slices.Grow(c.columns[:cap(c.columns)], max(0, columns-cap(c.columns)))[:columns]
	for i := range c.columns {
		c.columns[i].reset()
	}
}

// copyWindows writes a range window by window. While one becomes text, the next one is read.
func (w *SeriesWriter) copyWindows(span Span, limit int, read func(c *window, first, last logdb.Millis) error) (logdb.Millis, error) {
	step := span.step()
	var behind chan struct{} // closed when the window before is written
	wait := func() {
		if behind != nil {
			<-behind
			behind = nil
		}
	}
	defer wait()
	turn := 0
	for at := span.First; at < span.Last; {
		end := span.Last
		if end-at > step {
			end = at + step
		}
		c := &w.room.windows[turn]
		turn = 1 - turn
		c.empty(len(w.groups))
		err := read(c, at, end)
		wait()
		if err != nil {
			return 0, w.fail(err)
		}
		if w.err != nil {
			break
		}
		switch {
		case limit > 0:
			if next, stop := w.writeLimited(c, limit); stop {
				return next, w.err
			}
		case end == span.Last:
			w.writeWindow(c)
		default:
			done := make(chan struct{})
			behind = done
			go func() {
				defer close(done)
				w.writeWindow(c)
			}()
		}
		at = end
	}
	wait()
	return 0, w.err
}

// writeLimited writes rows until there are limit of them and returns the time of the next one.
func (w *SeriesWriter) writeLimited(c *window, limit int) (next logdb.Millis, stop bool) {
	p := w.part(0)
	p.begin(c, len(w.groups))
	next, stop = p.merge(c, w, max(limit-w.rows, 0))
	w.take(p)
	return next, stop || w.err != nil
}

// writeWindow writes what a window holds as rows in order of time.
func (w *SeriesWriter) writeWindow(c *window) {
	longest, values := 0, 0
	for i := range c.columns {
		values += len(c.columns[i].times)
		if len(c.columns[i].times) > len(c.columns[longest].times) {
			longest = i
		}
	}
	if values == 0 {
		return
	}
	times := c.columns[longest].times
	n := values/partValues + 1
	ahead := min(n, 2*runtime.GOMAXPROCS(0))
	begun := 0
	begin := func() {
		p := w.part(begun % ahead)
		// A part ends with the last row of a time, so that rows of one time are put together.
		if begun == 0 {
			p.begin(c, len(w.groups))
		} else {
			p.beginAt(c, times[begun*len(times)/n])
		}
		if begun < n-1 {
			p.endAt(c, times[(begun+1)*len(times)/n])
		}
		begun++
		if n == 1 {
			p.write(c, w)
			return
		}
		p.done.Go(func() { p.write(c, w) })
	}
	for begun < ahead {
		begin()
	}
	for i := range n {
		p := w.part(i % ahead)
		p.done.Wait()
		w.take(p)
		if begun < n && w.err == nil {
			begin()
		}
	}
}

func (w *SeriesWriter) part(i int) *rowsPart {
	for len(w.room.parts) <= i {
		w.room.parts = append(w.room.parts, &rowsPart{})
	}
	return w.room.parts[i]
}

// take adds the text of a part to the answer.
func (w *SeriesWriter) take(p *rowsPart) {
	if p.rows == 0 || w.err != nil {
		p.rows = 0
		return
	}
	text := p.b
	if w.rows == 0 {
		text = text[1:] // the comma
	}
	w.note(p.first, p.last, p.rows)
	p.rows = 0
	w.b = append(w.b, text...)
	w.flush(flushBytes)
}

// rowsPart is some rows of a window as text, each behind a comma.
type rowsPart struct {
	cursors     []cursor
	lowest      []logdb.Position // of the groups
	b           []byte
	rows        int
	first, last logdb.Millis
	done        sync.WaitGroup
}

// cursor is a place in a column.
type cursor struct {
	i, end             int // what comes next, and where the part ends
	segment, exception int
}

// begin makes p the whole window.
func (p *rowsPart) begin(c *window, columns int) {
	p.cursors = slices.Grow(p.cursors[:0], columns)[:columns]
	for i := range p.cursors {
		p.cursors[i] = cursor{end: len(c.columns[i].times)}
	}
	p.b, p.rows = p.b[:0], 0
}

// beginAt makes p begin with the rows of a time.
func (p *rowsPart) beginAt(c *window, at logdb.Millis) {
	p.begin(c, len(c.columns))
	for i := range p.cursors {
		column, x := &c.columns[i], &p.cursors[i]
		x.i = timeIndex(column.times, at)
		x.segment = sort.Search(len(column.segments), func(k int) bool { return column.segments[k].end > x.i })
		x.exception = sort.Search(len(column.exceptions), func(k int) bool { return column.exceptions[k].Index >= x.i })
	}
}

// endAt makes p end before the rows of a time.
func (p *rowsPart) endAt(c *window, at logdb.Millis) {
	for i := range p.cursors {
		p.cursors[i].end = timeIndex(c.columns[i].times, at)
	}
}

func timeIndex(times []logdb.Millis, at logdb.Millis) int {
	return sort.Search(len(times), func(k int) bool { return times[k] >= at })
}

func (p *rowsPart) note(t logdb.Millis, rows int) {
	if p.rows == 0 {
		p.first = t
	}
	p.last = t
	p.rows += rows
}

// write makes the text of a part.
func (p *rowsPart) write(c *window, w *SeriesWriter) {
	if p.aligned(c, w.groups) {
		p.writeAligned(c, w.absent)
		return
	}
	p.merge(c, w, -1)
}
