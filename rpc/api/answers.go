package api

import (
	"fmt"

	"metermanager/logdb"
)

// History is an answer of historical data as a client reads it. Values[c][i] is the value of
// Columns[c] at Times[i], NaN when absent.
type History struct {
	Meter     logdb.MeterUID
	Columns   []SeriesColumn
	Interval  string
	Zone      string
	Times     []logdb.Millis
	Values    [][]float64
	Limits    LimitSummary
	Corrected Corrected
	Next      string
}

// ParseHistory reads what a SeriesWriter wrote. Absent values stay absent: a general
// decoder would make them 0.
func ParseHistory(body []byte, lim ScanLimits) (History, error) {
	if lim.Rows == 0 {
		lim.Rows = MaxQueryLimit
	}
	if lim.Bytes == 0 {
		lim.Bytes = 1 << 30
	}
	p := pageScan{scan: newScan(body, lim), kind: logdb.KindHistorical}
	var out History
	records := 0
	p.object("an object", func(name string, off int) {
		switch name {
		case "meter_uid":
			out.Meter = logdb.MeterUID(p.str(name))
		case "interval":
			out.Interval = p.str(name)
		case "zone":
			out.Zone = p.str(name)
		case "channels":
			p.seriesColumns(&out)
		case "records":
			p.peek()
			records = p.i + 1
			if out.Columns == nil {
				p.skip()
				return
			}
			p.seriesRows(&out)
		case "limit_counts":
			p.limits(&out.Limits)
		case "corrected":
			p.document(&out.Corrected)
		case "next":
			out.Next = p.str(name)
		default:
			p.ignore()
		}
	})
	err := p.done()
	if err == nil && out.Columns != nil && out.Values == nil && records > 0 {
		p.i = records - 1
		p.seriesRows(&out)
	}
	if p.err != nil {
		return History{}, fmt.Errorf("read answer of historical data: %w", p.err)
	}
	return out, err
}

func (p *pageScan) seriesColumns(out *History) {
	out.Columns = []SeriesColumn{}
	p.array("an array of channels", func(n, off int) {
		var c SeriesColumn
		p.object("a channel", func(name string, at int) {
			switch name {
			case "chan_key":
				c.Key = p.channel()
			case "agg":
				c.Agg = p.str(name)
			case "unit":
				c.Unit = p.str(name)
			case "log":
				c.Log = logdb.LogNo(p.integer(name, 0, 1<<16-1))
			case "stream":
				id, err := logdb.ParseStream(p.str(name))
				if err != nil {
					p.shape(at, "a stream is 32 hex digits, a colon and a policy number")
				}
				c.Stream = id
			case "unverified":
				c.Unverified = p.boolean()
			default:
				p.ignore()
			}
		})
		out.Columns = append(out.Columns, c)
	})
}

func (p *pageScan) seriesRows(out *History) {
	out.Values = make([][]float64, len(out.Columns))
	p.array("an array of records", func(n, off int) {
		if !p.open('[', "a record") || !p.count(1, off) {
			return
		}
		out.Times = append(out.Times, p.millis("a time"))
		for c := range out.Values {
			if !p.take(',', "a comma") {
				return
			}
			out.Values[c] = append(out.Values[c], p.float())
		}
		p.take(']', "the end of the record")
	})
}

func (p *pageScan) limits(l *LimitSummary) {
	p.object("limit counts", func(name string, off int) {
		switch name {
		case "skipped":
			l.Skipped = int(p.integer(name, 0, 1<<53))
		case "reduced":
			l.Reduced = int(p.integer(name, 0, 1<<53))
		case "not_applied":
			l.NotApplied = int(p.integer(name, 0, 1<<53))
		case "lost":
			l.Lost = int(p.integer(name, 0, 1<<53))
		default:
			p.ignore()
		}
	})
}

// Event is one event, gap or recording (without samples) of an answer.
type Event struct {
	ID    RecordingID // of the entry; of any kind
	Entry logdb.Entry
}

// Events is an answer of events, or the list of recordings.
type Events struct {
	Meter  logdb.MeterUID
	Kind   logdb.Kind
	Gaps   bool
	Events []Event
	Limits LimitSummary
	Next   string
	// Alternatives are the streams of which something is left out, since on that day the
	// journal of another node about the meter has more. Each can be asked for.
	Alternatives []string
}

// AppendEvents appends an answer in the seed's shape. Behind the columns of an upload stand
// log, op (where it is no add) and id.
func AppendEvents(b []byte, a *Events) []byte {
	w := pageWriter{b: append(b, '{')}
	w.text("meter_uid", string(a.Meter))
	w.text("kind", a.Kind.String())
	switch {
	case a.Gaps:
		w.list("gaps", a.Events, func(e *Event) {
			w.integer("time", int64(e.Entry.Time))
			if g := e.Entry.Gap; g != nil {
				w.integer("from", int64(g.From))
				w.integer("to", int64(g.To))
				w.text("cause", string(g.Cause))
				w.text("detail", g.Detail)
			}
		})
	case a.Kind == logdb.KindWaveform:
		w.list("recordings", a.Events, func(e *Event) { w.waveLine(&e.Entry) })
	default:
		w.eventTable(a)
	}
	w.name("limit_counts")
	end := w.open()
	w.integer("skipped", int64(a.Limits.Skipped))
	w.integer("reduced", int64(a.Limits.Reduced))
	if a.Limits.Lost > 0 {
		w.integer("lost", int64(a.Limits.Lost))
	}
	end()
	if len(a.Alternatives) > 0 {
		w.name("alternatives")
		for i, s := range a.Alternatives {
			w.b = AppendString(append(w.b, "[,"[min(i, 1)]), s)
		}
		w.b = append(w.b, ']')
	}
	if a.Next != "" {
		w.text("next", a.Next)
	}
	return append(w.b, '}', '\n')
}

// list writes one object for each event; member writes what it has of its own.
func (w *pageWriter) list(name string, all []Event, member func(*Event)) {
	w.name(name)
	w.b = append(w.b, '[')
	for i := range all {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		end := w.open()
		member(&all[i])
		w.number("log", uint64(all[i].Entry.Log))
		if op := all[i].Entry.Op; op != logdb.OpAdd && op != logdb.OpGap {
			w.text("op", op.String())
		}
		w.text("id", all[i].ID.String())
		end()
	}
	w.b = append(w.b, ']')
}

func (w *pageWriter) waveLine(e *logdb.Entry) {
	w.integer("start_time", int64(e.Time))
	v := e.Waveform
	if v == nil {
		return
	}
	w.integer("end_time", int64(v.End))
	w.integer("trigger_time", int64(v.TriggerTime))
	w.float("freq", v.FrequencyHz)
	w.float("sample_interval_ms", v.SampleIntervalMillis)
	w.name("waveform_trigger")
	w.b = append(w.b, '[')
	for i, t := range v.Triggers {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = AppendString(w.b, t)
	}
	w.b = append(w.b, ']')
	if v.Source != nil {
		w.name("shortened")
		w.b = append(w.b, "true"...)
	}
}

func (w *pageWriter) eventTable(a *Events) {
	columns := columnsOf(a.Kind)
	w.name("header")
	w.b = append(w.b, '[')
	for _, c := range columns {
		w.b = append(AppendString(w.b, c.name), ',')
	}
	w.b = append(w.b, `"log","op","id"],"records":[`...)
	for i := range a.Events {
		e := &a.Events[i]
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.eventRow(&e.Entry, columns)
		w.b = w.b[:len(w.b)-1] // the row goes on
		w.b = appendPosition(append(w.b, ','), logdb.Position(e.Entry.Log))
		w.b = AppendString(append(w.b, ','), e.Entry.Op.String())
		w.b = AppendString(append(w.b, ','), e.ID.String())
		w.b = append(w.b, ']')
	}
	w.b = append(w.b, ']')
}
