package api

import (
	"fmt"
	"math"

	"metermanager/logdb"
)

// column is what a column of event records holds.
type column uint8

const (
	colUnknown column = iota
	colTime
	colType
	colCode
	colDescription
	colDuration
	colChannel
	colLimitID
	colWorst
	colPercent
	colThreshold
	colLog // these three stand in answers only
	colOp
	colID
)

type columnName struct {
	name     string
	col      column
	required bool
}

// columnsOf returns the columns of a kind in the order in which they are written.
func columnsOf(kind logdb.Kind) []columnName {
	if kind == logdb.KindSystem {
		return []columnName{
			{"time", colTime, true}, {"event_type", colType, true}, {"code", colCode, false}, {"description", colDescription, false},
		}
	}
	threshold := "limit_threshold"
	if kind == logdb.KindPQ {
		threshold = "pq_threshold"
	}
	return []columnName{
		{"start_time", colTime, true}, {"duration", colDuration, false}, {"channel", colChannel, true},
		{"limit_id", colLimitID, kind == logdb.KindLimit}, {"exception_type", colType, true}, {"except_value", colWorst, false},
		{"except_percent", colPercent, false}, {threshold, colThreshold, false},
	}
}

// standard returns all columns of a kind in their order.
func standard(kind logdb.Kind) []column {
	var out []column
	for _, c := range columnsOf(kind) {
		out = append(out, c.col)
	}
	return out
}

// header reads the names of columns, in any order. Unknown ones are passed over and counted.
func (p *pageScan) header() []column {
	var out []column
	have := nameSet{}
	p.peek()
	start := p.i
	p.array("an array of column names", func(n, off int) {
		if n >= p.lim.Columns {
			p.fail(off, RefusedLimit, fmt.Sprintf("more than %d columns", p.lim.Columns))
			return
		}
		name := p.str("a column name")
		if p.err != nil {
			return
		}
		if !have.add(name) {
			p.fail(off, RefusedDuplicate, "this column stands twice")
			return
		}
		col := colUnknown
		for _, c := range columnsOf(p.kind) {
			if c.name == name {
				col = c.col
			}
		}
		if p.answer {
			switch name {
			case "log":
				col = colLog
			case "op":
				col = colOp
			case "id":
				col = colID
			}
		}
		if col == colUnknown {
			p.seen++
		}
		out = append(out, col)
	})
	for _, c := range columnsOf(p.kind) {
		if c.required && p.err == nil && have.add(c.name) {
			p.shape(start, "the header lacks "+c.name)
		}
	}
	return out
}

// eventRows reads the records of a block by its header.
func (p *pageScan) eventRows(b *block) {
	p.array("an array of records", func(n, off int) {
		r := p.eventRow(b.header)
		if p.count(1, off) {
			b.events = append(b.events, r.entry)
			if p.answer {
				b.ids = append(b.ids, r.id)
			}
		}
	})
}

// eventRow reads one record by the columns of its header. A system event under the header
// (time, event_type, description) may have a code before its description.
func (p *pageScan) eventRow(header []column) *eventRow {
	r := &eventRow{pageScan: p, entry: logdb.Entry{Op: logdb.OpAdd}}
	if p.kind == logdb.KindSystem {
		r.system = &logdb.SystemEvent{}
		r.entry.System = r.system
	} else {
		nan := math.NaN()
		r.excursion = &logdb.Excursion{DurationSeconds: nan, Worst: nan, WorstPercent: nan, Threshold: nan}
		r.entry.Excursion = r.excursion
	}
	short := len(header) == 3 && header[0] == colTime && header[1] == colType && header[2] == colDescription
	width, shifted := len(header), false
	p.peek()
	start, have := p.i, 0
	p.array("a record", func(i, off int) {
		have = i + 1
		if i == 2 && short && p.peek() != '"' {
			r.value(colCode)
			shifted = true
			return
		}
		if i == 3 && shifted {
			width = 4
			r.value(colDescription)
			return
		}
		if i >= width {
			p.shape(off, fmt.Sprintf("this record has more than the %d values of its header", width))
			return
		}
		r.value(header[i])
	})
	if p.err == nil && (have != width || shifted && width == 3 && r.codeGiven) {
		p.shape(start, fmt.Sprintf("this record has %d values, its header %d", have, len(header)))
	}
	return r
}

// eventRow is a record on its way in.
type eventRow struct {
	*pageScan
	entry     logdb.Entry
	system    *logdb.SystemEvent
	excursion *logdb.Excursion
	codeGiven bool
	id        RecordingID
}

// value reads the value of one column.
func (r *eventRow) value(col column) {
	const low, high = math.MinInt64, math.MaxInt64
	x := r.excursion
	switch col {
	case colTime:
		r.entry.Time = r.millis("the time of an event")
	case colType:
		if x != nil {
			x.Type = r.integer("exception_type", logdb.ExcursionBelow, logdb.ExcursionAbove)
		} else {
			r.system.Type = logdb.SystemType(r.integer("the type of an event", low, high))
		}
	case colCode:
		if r.null(true) { // an event without a code
			return
		}
		r.codeGiven = true
		r.system.Code = r.integer("code", low, high)
	case colDescription:
		if !r.null(false) {
			r.system.Description = r.str("a description")
		}
	case colDuration:
		r.peek()
		off := r.i
		if x.DurationSeconds = r.float(); x.DurationSeconds < 0 {
			r.shape(off, "a duration cannot be negative")
		}
	case colChannel:
		x.Channel = r.channel()
	case colLimitID:
		x.LimitID = r.integer("limit_id", low, high)
	case colWorst:
		x.Worst = r.float()
	case colPercent:
		x.WorstPercent = r.float()
	case colThreshold:
		x.Threshold = r.float()
	case colLog:
		r.entry.Log = logdb.LogNo(r.integer("log", 0, 1<<16-1))
	case colOp:
		r.entry.Op = r.op()
	case colID:
		r.id = r.entryID()
	default:
		r.skip()
	}
}

func (p *pageScan) op() logdb.Op {
	p.peek()
	off := p.i
	op, err := logdb.ParseOp(p.str("op"))
	if err != nil {
		p.shape(off, "op must be add, revise, withdraw, skip, close or gap")
	}
	return op
}

func (p *pageScan) entryID() RecordingID {
	p.peek()
	off := p.i
	id, err := ParseRecordingID(p.str("id"))
	if err != nil {
		p.shape(off, "an id is position@journal:policy")
	}
	return id
}
