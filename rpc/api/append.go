package api

import (
	"math"
	"strconv"

	"metermanager/logdb"
)

// Dialect is how absent values are written.
type Dialect uint8

// The dialects.
const (
	DialectJSON Dialect = iota // null: what every JSON reader takes
	DialectNaN                 // bare NaN, as the first printed upload has it
)

// pageWriter appends one page.
type pageWriter struct {
	b       []byte
	dialect Dialect
	comma   bool
}

// AppendPage appends p in the shape that ParsePage reads, and ParsePage returns it bit for
// bit: rows in their order, positioned entries in the order of their positions. What JSON
// cannot hold is lost: infinite values become absent, bytes that are no UTF-8 become U+FFFD.
// Source stays out; it is the credential's.
func AppendPage(b []byte, p *logdb.Page, dialect Dialect) []byte {
	return appendPage(b, p, dialect, "")
}

// AppendUpload is AppendPage with an upload key in the body, for receivers behind
// something that drops headers.
func AppendUpload(b []byte, p *logdb.Page, dialect Dialect, apikey string) []byte {
	return appendPage(b, p, dialect, apikey)
}

func appendPage(b []byte, p *logdb.Page, dialect Dialect, apikey string) []byte {
	w := pageWriter{b: append(b, '{'), dialect: dialect}
	if apikey != "" {
		w.text("apikey", apikey)
	}
	if p.Meter != "" {
		w.text("meter_uid", string(p.Meter))
	}
	if !p.Stream.IsZero() {
		w.text("stream", p.Stream.String())
	}
	plain, changes := split(p)
	switch {
	case p.Kind == logdb.KindHistorical:
		w.rows(p.Rows)
	case p.Kind == logdb.KindWaveform:
		w.waves(plain)
	default:
		w.events(p.Kind, plain)
	}
	if len(p.Fates) > 0 {
		w.name("fates")
		w.b = appendFates(w.b, p.Fates)
	}
	if len(changes) > 0 {
		w.changes(p.Kind, changes)
	}
	if p.JournalEnd > 0 {
		w.name("journal_end")
		w.b = appendPosition(w.b, p.JournalEnd)
	}
	if !p.Chain.IsZero() {
		w.text("chain", p.Chain.String())
	}
	if p.Seen != nil {
		w.name("seen_end")
		w.b = appendPosition(w.b, p.Seen.Position)
		if !p.Seen.Chain.IsZero() {
			w.text("seen_chain", p.Seen.Chain.String())
		}
	}
	if p.Requested {
		w.name("requested")
		w.b = append(w.b, "true"...)
	}
	return append(w.b, '}')
}

// split parts the entries that are plain records of the page's kind from the others.
func split(p *logdb.Page) (plain, changes []*logdb.Entry) {
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Op == logdb.OpAdd && e.Row == nil && e.By == "" && e.At == 0 && e.Why == "" && e.Replaces.IsZero() {
			plain = append(plain, e)
			continue
		}
		changes = append(changes, e)
	}
	return plain, changes
}

func (w *pageWriter) name(s string) {
	if w.comma {
		w.b = append(w.b, ',')
	}
	w.comma = true
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"', ':')
}

func (w *pageWriter) text(name, value string) {
	w.name(name)
	w.b = AppendString(w.b, value)
}

// number writes a member unless it is 0.
func (w *pageWriter) number(name string, n uint64) {
	if n != 0 {
		w.name(name)
		w.b = strconv.AppendUint(w.b, n, 10)
	}
}

func (w *pageWriter) integer(name string, n int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *pageWriter) float(name string, f float64) {
	w.name(name)
	w.value(f)
}

func (w *pageWriter) value(f float64) {
	if w.dialect == DialectNaN && math.IsNaN(f) {
		w.b = append(w.b, "NaN"...)
		return
	}
	w.b = AppendFloat(w.b, f)
}

// open begins an object as the value of a member; the result ends it.
func (w *pageWriter) open() (end func()) {
	w.b = append(w.b, '{')
	w.comma = false
	return func() {
		w.b = append(w.b, '}')
		w.comma = true
	}
}

// place writes log, run and generation.
func (w *pageWriter) place(log logdb.LogNo, run, generation uint32) {
	w.number("log", uint64(log))
	w.number("run", uint64(run))
	w.number("generation", uint64(generation))
}

func (w *pageWriter) rows(rows []logdb.History) {
	switch len(rows) {
	case 0:
	case 1:
		w.history(&rows[0])
	default:
		w.name("blocks")
		w.b = append(w.b, '[')
		for i := range rows {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			end := w.open()
			w.history(&rows[i])
			end()
		}
		w.b = append(w.b, ']')
	}
}

func (w *pageWriter) history(h *logdb.History) {
	w.place(h.Log, h.Run, h.Generation)
	w.name("channels")
	w.b = AppendChannels(w.b, h.Channels)
	w.bounds(h.Len(), func(i int) logdb.Millis { return h.Times[i] })
	w.name("records")
	w.b = append(w.b, '[')
	for i, t := range h.Times {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendMillis(append(w.b, '['), t)
		for _, col := range h.Columns {
			w.b = append(w.b, ',')
			w.value(col[i])
		}
		w.b = append(w.b, ']')
	}
	w.b = append(w.b, ']')
	if h.Positions != nil {
		w.name("positions")
		w.b = appendPositions(w.b, h.Len(), func(i int) logdb.Position { return h.Positions[i] })
	}
}

// AppendChannels appends the list of channels of a page or an answer.
func AppendChannels(b []byte, keys []logdb.ChannelKey) []byte {
	b = append(b, '[')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"chan_key":`...)
		b = AppendString(b, string(key))
		b = append(b, '}')
	}
	return append(b, ']')
}

// bounds writes the advisory time_first and time_last.
func (w *pageWriter) bounds(n int, at func(int) logdb.Millis) {
	if n == 0 {
		return
	}
	first, last := at(0), at(0)
	for i := range n {
		first, last = min(first, at(i)), max(last, at(i))
	}
	w.integer("time_first", int64(first))
	w.integer("time_last", int64(last))
}
