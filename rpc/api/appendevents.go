package api

import (
	"math"
	"strconv"

	"metermanager/logdb"
)

// events writes plain event records: one list, or a block for each log, run and generation.
func (w *pageWriter) events(kind logdb.Kind, all []*logdb.Entry) {
	groups := group(all)
	switch len(groups) {
	case 0:
	case 1:
		w.eventGroup(kind, groups[0])
	default:
		w.name("blocks")
		w.b = append(w.b, '[')
		for i, g := range groups {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			end := w.open()
			w.eventGroup(kind, g)
			end()
		}
		w.b = append(w.b, ']')
	}
}

// group puts the entries of one log, run and generation together. The order of those with positions is that of the positions,
// whichever block they stand in, and a reader refuses a page of too many blocks: logs that take turns share two. Entries
// without positions stay in their order, as do those whose positions fall.
func group(all []*logdb.Entry) [][]*logdb.Entry {
	type place struct {
		log             logdb.LogNo
		run, generation uint32
	}
	var out [][]*logdb.Entry
	at := map[place]int{} // the last group of a place
	for i, e := range all {
		key := place{e.Log, e.Run, e.Generation}
		g, ok := at[key]
		if ok {
			before := out[g][len(out[g])-1]
			ok = e.Position > before.Position || e.Position == 0 && before.Position == 0 && before == all[i-1]
		}
		if !ok {
			g = len(out)
			out = append(out, nil)
			at[key] = g
		}
		out[g] = append(out[g], e)
	}
	return out
}

func (w *pageWriter) eventGroup(kind logdb.Kind, g []*logdb.Entry) {
	w.place(g[0].Log, g[0].Run, g[0].Generation)
	columns := columnsOf(kind)
	if kind == logdb.KindPQ && !withLimitID(g) {
		columns = withoutLimitID(columns)
	}
	w.name("header")
	w.b = append(w.b, '[')
	for i, c := range columns {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = AppendString(w.b, c.name)
	}
	w.b = append(w.b, ']')
	w.bounds(len(g), func(i int) logdb.Millis { return g[i].Time })
	w.name("records")
	w.b = append(w.b, '[')
	for i, e := range g {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.eventRow(e, columns)
	}
	w.b = append(w.b, ']')
	if g[0].Position != 0 {
		w.name("positions")
		w.b = appendPositions(w.b, len(g), func(i int) logdb.Position { return g[i].Position })
	}
}

func withLimitID(g []*logdb.Entry) bool {
	for _, e := range g {
		if e.Excursion != nil && e.Excursion.LimitID != 0 {
			return true
		}
	}
	return false
}

func withoutLimitID(in []columnName) []columnName {
	var out []columnName
	for _, c := range in {
		if c.col != colLimitID {
			out = append(out, c)
		}
	}
	return out
}

func (w *pageWriter) eventRow(e *logdb.Entry, columns []columnName) {
	w.b = append(w.b, '[')
	for i, c := range columns {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.eventValue(e, c.col)
	}
	w.b = append(w.b, ']')
}

func (w *pageWriter) eventValue(e *logdb.Entry, col column) {
	var system logdb.SystemEvent
	nan := math.NaN()
	x := logdb.Excursion{DurationSeconds: nan, Worst: nan, WorstPercent: nan, Threshold: nan}
	if e.System != nil {
		system = *e.System
	}
	if e.Excursion != nil {
		x = *e.Excursion
	}
	switch col {
	case colTime:
		w.b = appendMillis(w.b, e.Time)
	case colType:
		w.b = strconv.AppendInt(w.b, int64(system.Type)+x.Type, 10) // one of them is not there
	case colCode:
		w.b = strconv.AppendInt(w.b, system.Code, 10)
	case colDescription:
		w.b = AppendString(w.b, system.Description)
	case colDuration:
		w.value(x.DurationSeconds)
	case colChannel:
		w.b = AppendString(w.b, string(x.Channel))
	case colLimitID:
		w.b = strconv.AppendInt(w.b, x.LimitID, 10)
	case colWorst:
		w.value(x.Worst)
	case colPercent:
		w.value(x.WorstPercent)
	case colThreshold:
		w.value(x.Threshold)
	}
}

// waves writes recordings: the parts of one, or a list of several.
func (w *pageWriter) waves(all []*logdb.Entry) {
	one := func(e *logdb.Entry) {
		w.place(e.Log, e.Run, e.Generation)
		w.number("position", uint64(e.Position))
		w.recording(e)
	}
	switch len(all) {
	case 0:
	case 1:
		one(all[0])
	default:
		w.name("recordings")
		w.b = append(w.b, '[')
		for i, e := range all {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			end := w.open()
			one(e)
			end()
		}
		w.b = append(w.b, ']')
	}
}

// recording writes header, trigger, sample and source.
func (w *pageWriter) recording(e *logdb.Entry) {
	v := e.Waveform
	w.name("header")
	end := w.open()
	w.integer("start_time", int64(e.Time))
	w.integer("end_time", int64(v.End))
	end()

	w.name("trigger")
	end = w.open()
	w.float("freq", v.FrequencyHz)
	for _, r := range v.RMS {
		w.b = append(w.b, ',')
		w.b = AppendString(w.b, r.Name)
		w.b = append(w.b, ':')
		w.value(r.Value)
	}
	w.float("sample_interval_ms", v.SampleIntervalMillis)
	w.integer("trigger_time", int64(v.TriggerTime))
	w.name("waveform_trigger")
	w.b = append(w.b, '[')
	for i, t := range v.Triggers {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = AppendString(w.b, t)
	}
	w.b = append(w.b, ']')
	end()

	w.name("sample")
	end = w.open()
	if len(v.Digital) > 0 {
		w.name("digin")
		w.b = appendDigital(w.b, v.Digital)
	}
	for _, c := range v.Channels {
		if w.comma {
			w.b = append(w.b, ',')
		}
		w.comma = true
		w.b = AppendString(w.b, c.Name)
		w.b = append(w.b, ':', '[')
		for i, f := range c.Samples {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.value(f)
		}
		w.b = append(w.b, ']')
	}
	end()
	w.source(v.Source)
}

func (w *pageWriter) source(s *logdb.WaveSource) {
	if s == nil {
		return
	}
	w.name("source")
	end := w.open()
	w.integer("start_time", int64(s.Start))
	w.integer("samples", int64(s.Samples))
	w.float("sample_interval_ms", s.SampleIntervalMillis)
	w.text("digest", s.Digest.String())
	end()
}

func appendDigital(b []byte, samples []byte) []byte {
	b = append(b, '[')
	for i, bits := range samples {
		if i > 0 {
			b = append(b, ',')
		}
		for k := range 8 {
			sep := byte(',')
			if k == 0 {
				sep = '['
			}
			b = append(b, sep, '0'+bits>>k&1)
		}
		b = append(b, ']')
	}
	return append(b, ']')
}

// changes writes the entries that are no plain records.
func (w *pageWriter) changes(kind logdb.Kind, all []*logdb.Entry) {
	w.name("changes")
	w.b = append(w.b, '[')
	for i, e := range all {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		end := w.open()
		w.change(kind, e)
		end()
	}
	w.b = append(w.b, ']')
}

func (w *pageWriter) change(kind logdb.Kind, e *logdb.Entry) {
	w.number("position", uint64(e.Position))
	w.text("op", e.Op.String())
	w.number("target", uint64(e.Target))
	if !e.Replaces.IsZero() {
		w.text("replaces", e.Replaces.String())
	}
	w.place(e.Log, e.Run, e.Generation)
	w.integer("time", int64(e.Time))
	switch {
	case e.Row != nil:
		w.name("record")
		end := w.open()
		for i, c := range e.Row.Channels {
			w.float(string(c), e.Row.Values[i])
		}
		end()
	case e.Waveform != nil:
		w.name("record")
		end := w.open()
		w.recording(e)
		end()
	case e.System != nil || e.Excursion != nil:
		w.name("record")
		w.eventRow(e, columnsOf(kind))
	}
	if g := e.Gap; g != nil {
		w.name("gap")
		end := w.open()
		w.integer("from", int64(g.From))
		w.integer("to", int64(g.To))
		w.text("cause", string(g.Cause))
		w.text("detail", g.Detail)
		if g.Replaces != 0 {
			w.number("replaces", uint64(g.Replaces))
		}
		end()
	}
	if e.By != "" {
		w.text("by", e.By)
	}
	if e.At != 0 {
		w.integer("at", int64(e.At))
	}
	if e.Why != "" {
		w.text("why", e.Why)
	}
}
