package api

import (
	"fmt"
	"math"

	"metermanager/logdb"
)

// changes reads the entries that are no plain records: revises, withdraws, relayed skips,
// closes and gaps. It is called last, since the kind of their records is the page's.
func (p *pageScan) changes(at int) {
	if at == 0 || p.err != nil {
		return
	}
	end := p.i
	p.i = at - 1
	p.needsStream(at - 1)
	p.array("an array of changes", func(n, off int) {
		if n >= p.lim.Changes {
			p.fail(off, RefusedLimit, fmt.Sprintf("more than %d changes", p.lim.Changes))
			return
		}
		c := changeScan{pageScan: p}
		p.object("a change", c.member)
		if p.err != nil {
			return
		}
		if c.recorded && c.timed && c.recordTime != c.entry.Time {
			p.shape(off, "the change and its record have different times")
			return
		}
		if c.recorded && !c.timed {
			c.entry.Time = c.recordTime
		}
		if err := c.entry.Check(p.kind); err != nil || c.entry.Position == 0 {
			p.shape(off, "this change breaks a rule of its operation: a position always, a target and a record for a revise, a target for a withdraw, a period for a gap")
			return
		}
		p.up.Page.Entries = append(p.up.Page.Entries, c.entry)
	})
	p.i = end
}

type changeScan struct {
	*pageScan
	entry           logdb.Entry
	recordTime      logdb.Millis
	recorded, timed bool
}

func (c *changeScan) member(name string, off int) {
	e := &c.entry
	switch name {
	case "position":
		e.Position = c.position("position")
	case "op":
		e.Op = c.op()
	case "target":
		e.Target = c.position("target")
	case "replaces":
		e.Replaces = c.digest("replaces")
	case "log":
		e.Log = logdb.LogNo(c.integer("log", 0, 1<<16-1))
	case "run":
		e.Run = uint32(c.integer("run", 0, 1<<32-1))
	case "generation":
		e.Generation = uint32(c.integer("generation", 0, 1<<32-1))
	case "time":
		c.timed = true
		e.Time = c.millis("time")
	case "record":
		if !c.null(false) {
			c.record()
		}
	case "gap":
		if !c.null(false) {
			c.gap()
		}
	case "by":
		e.By = c.str("by")
	case "at":
		e.At = logdb.Millis(c.integer("at", math.MinInt64, math.MaxInt64))
	case "why":
		e.Why = c.str("why")
	default:
		c.ignore()
	}
}

// record reads one record in the shape of its kind: an object of channels and values, an
// array in the standard order of columns, or the parts of a recording.
func (c *changeScan) record() {
	e := &c.entry
	switch c.kind {
	case logdb.KindHistorical:
		e.Row = &logdb.Row{}
		have := nameSet{}
		c.object("an object of channels and their values", func(name string, off int) {
			key, err := logdb.NormalizeChannel(name)
			if err != nil {
				c.shape(off, "a channel key has 2 to 8 parts of a-z, 0-9, _ and -, joined by points, at most 96 bytes")
				return
			}
			if !have.add(string(key)) {
				c.fail(off, RefusedDuplicate, "this channel stands twice")
				return
			}
			if v := c.float(); !math.IsNaN(v) {
				e.Row.Channels = append(e.Row.Channels, key)
				e.Row.Values = append(e.Row.Values, v)
			}
		})
	case logdb.KindWaveform:
		c.peek()
		w := &waveScan{at: c.i, Waveform: logdb.Waveform{FrequencyHz: math.NaN()}}
		c.object("a recording", func(name string, off int) {
			switch name {
			case "header", "trigger", "sample", "source":
				c.wavePart(w, name)
			default:
				c.ignore()
			}
		})
		got := c.pageScan.entry(w)
		e.Waveform = got.Waveform
		c.recordTime, c.recorded = got.Time, true
	default:
		got := c.eventRow(standard(c.kind)).entry
		e.System, e.Excursion = got.System, got.Excursion
		c.recordTime, c.recorded = got.Time, true
	}
}

func (c *changeScan) gap() {
	g := &logdb.Gap{}
	c.object("a gap", func(name string, off int) {
		switch name {
		case "from":
			g.From = c.millis("from")
		case "to":
			g.To = c.millis("to")
		case "cause":
			g.Cause = logdb.GapCause(c.str("cause"))
		case "detail":
			g.Detail = c.str("detail")
		case "replaces":
			g.Replaces = c.position("replaces")
		default:
			c.ignore()
		}
	})
	c.entry.Gap = g
}
