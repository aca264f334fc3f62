package api

import (
	"fmt"

	"metermanager/logdb"
)

// block is a part of a page whose records share log, run and generation. The page itself
// is one, unless it has several.
type block struct {
	log             logdb.LogNo
	run, generation uint32
	position        logdb.Position // of a recording
	ranges          [][2]logdb.Position
	covered         int // positions in ranges
	rangesAt        int // offset + 1 of ranges; 0 when absent

	channels   []logdb.ChannelKey
	channelsAt int
	header     []column
	headerAt   int
	recordsAt  int // offset + 1 of records that came before what they need
	records    bool
	history    *logdb.History
	events     []logdb.Entry
	ids        []RecordingID // of answers

	wave *waveScan
}

// blockMember reads a member of a block and reports whether it is one.
func (p *pageScan) blockMember(b *block, name string, off int) bool {
	switch name {
	case "time_first", "time_last": // advisory; the records say it
		p.float()
	case "log":
		b.log = logdb.LogNo(p.integer("log", 0, 1<<16-1))
	case "run":
		b.run = uint32(p.integer("run", 0, 1<<32-1))
	case "generation":
		b.generation = uint32(p.integer("generation", 0, 1<<32-1))
	case "positions":
		p.needsStream(off)
		b.rangesAt = off + 1
		b.ranges, b.covered = p.positions(p.lim.Rows)
	default:
		if p.kind == logdb.KindWaveform {
			return p.waveMember(b, name, off)
		}
		return p.recordMember(b, name, off)
	}
	return true
}

func (p *pageScan) recordMember(b *block, name string, off int) bool {
	historical := p.kind == logdb.KindHistorical
	switch {
	case name == "channels" && historical:
		b.channelsAt = off + 1
		b.channels = p.channels()
	case name == "header" && !historical:
		b.headerAt = off + 1
		b.header = p.header()
	case name == "records":
		p.any, b.records = true, true
		if b.channelsAt == 0 && b.headerAt == 0 {
			p.peek()
			b.recordsAt = p.i + 1
			p.skip()
			return true
		}
		p.readRecords(b)
	default:
		return false
	}
	return true
}

func (p *pageScan) readRecords(b *block) {
	if p.kind == logdb.KindHistorical {
		p.historyRows(b)
		return
	}
	p.eventRows(b)
}

// finish reads what waited and adds the block's records to the page.
func (p *pageScan) finish(b *block) {
	if b.wave != nil {
		p.finishWave(b)
		return
	}
	if p.err != nil {
		return
	}
	needs, at := "channels", b.channelsAt
	if p.kind != logdb.KindHistorical {
		needs, at = "header", b.headerAt
	}
	switch {
	case p.kind != logdb.KindWaveform && b.records && at == 0:
		p.shape(b.recordsAt-1, "these records need "+needs)
		return
	case at > 0 && !b.records:
		p.shape(at-1, needs+" without records")
		return
	case b.recordsAt > 0:
		end := p.i
		p.i = b.recordsAt - 1
		p.readRecords(b)
		p.i = end
	}
	if p.err == nil {
		p.place(b)
	}
}

// place gives the records their positions and adds them to the page.
func (p *pageScan) place(b *block) {
	n := len(b.events)
	if b.history != nil {
		n = b.history.Len()
	}
	if b.rangesAt > 0 && b.covered != n {
		p.shape(b.rangesAt-1, fmt.Sprintf("%d positions for %d records", b.covered, n))
		return
	}
	if h := b.history; h != nil {
		h.Log, h.Run, h.Generation = b.log, b.run, b.generation
		if b.rangesAt > 0 {
			h.Positions = make([]logdb.Position, 0, n)
			for _, r := range b.ranges {
				for q := r[0]; q <= r[1]; q++ {
					h.Positions = append(h.Positions, q)
				}
			}
		}
		p.up.Page.Rows = append(p.up.Page.Rows, *h)
		return
	}
	i := 0
	for _, r := range b.ranges {
		for q := r[0]; q <= r[1]; q++ {
			b.events[i].Position = q
			i++
		}
	}
	for i := range b.events {
		e := &b.events[i]
		e.Op, e.Log, e.Run, e.Generation = logdb.OpAdd, b.log, b.run, b.generation
	}
	p.up.Page.Entries = append(p.up.Page.Entries, b.events...)
}

// channels reads [{"chan_key": ...}, ...].
func (p *pageScan) channels() []logdb.ChannelKey {
	var out []logdb.ChannelKey
	have := nameSet{}
	p.array("an array of channels", func(n, off int) {
		if n >= p.lim.Channels {
			p.fail(off, RefusedLimit, fmt.Sprintf("more than %d channels", p.lim.Channels))
			return
		}
		found := false
		p.object("a channel", func(name string, at int) {
			if name != "chan_key" {
				p.ignore()
				return
			}
			found = true
			key := p.channel()
			if p.err == nil && !have.add(string(key)) {
				p.shape(off, "this channel stands twice")
			}
			out = append(out, key)
		})
		if !found {
			p.shape(off, "a channel needs a chan_key")
		}
	})
	return out
}

// channel reads a channel key in any accepted spelling.
func (p *pageScan) channel() logdb.ChannelKey {
	p.peek()
	off := p.i
	text := p.str("a channel key")
	if p.err != nil {
		return ""
	}
	key, err := logdb.NormalizeChannel(text)
	if err != nil {
		p.shape(off, "a channel key has 2 to 8 parts of a-z, 0-9, _ and -, joined by points, at most 96 bytes")
	}
	return key
}

// historyRows reads [[time, value, ...], ...] into columns.
func (p *pageScan) historyRows(b *block) {
	width := len(b.channels)
	h := &logdb.History{Channels: b.channels, Columns: make([][]float64, width)}
	b.history = h
	if width == 0 {
		p.shape(b.channelsAt-1, "there are no channels")
		return
	}
	s := p.scan
	s.array("an array of records", func(n, off int) {
		if !s.open('[', "a record [time, value, ...]") {
			return
		}
		h.Times = append(h.Times, s.millis("the time of a record"))
		for c := range h.Columns {
			if s.i < len(s.b) && s.b[s.i] == ',' {
				s.i++
			} else if s.peek() == ']' {
				s.shape(s.i, fmt.Sprintf("this record has %d values for %d channels", c, width))
				return
			} else if !s.take(',', "a comma") {
				return
			}
			h.Columns[c] = append(h.Columns[c], s.float())
		}
		if s.err == nil && s.peek() == ',' {
			s.shape(s.i, fmt.Sprintf("this record has more than the %d values of its channels", width))
			return
		}
		if !s.take(']', "the end of the record") || !p.count(1, off) {
			return
		}
		if n == 0 {
			p.reserve(h, s.i-off)
		}
	})
}

// reserve makes room for as many records of size bytes as the rest of the body can hold.
func (p *pageScan) reserve(h *logdb.History, size int) {
	n := min((len(p.b)-p.i)/size+2, p.lim.Rows)
	flat := make([]float64, n*len(h.Columns))
	for c, col := range h.Columns {
		h.Columns[c] = append(flat[c*n:c*n:(c+1)*n], col...)
	}
	h.Times = append(make([]logdb.Millis, 0, n), h.Times...)
}
