package api

import (
	"fmt"

	"metermanager/logdb"
)

// ParseEvents reads what AppendEvents wrote.
func ParseEvents(kind logdb.Kind, body []byte, lim ScanLimits) (Events, error) {
	if lim.Rows == 0 {
		lim.Rows = MaxQueryLimit
	}
	if lim.Bytes == 0 {
		lim.Bytes = 1 << 30
	}
	p := pageScan{scan: newScan(body, lim), kind: kind, answer: true}
	out := Events{Kind: kind}
	b := block{}
	p.object("an object", func(name string, off int) {
		switch {
		case name == "meter_uid":
			out.Meter = logdb.MeterUID(p.str(name))
		case name == "gaps":
			out.Gaps = true
			p.eventList(&out, p.gapMember)
		case name == "recordings":
			p.eventList(&out, p.waveLineMember)
		case name == "limit_counts":
			p.limits(&out.Limits)
		case name == "alternatives":
			p.array("an array of streams", func(n, at int) {
				if p.count(1, at) {
					out.Alternatives = append(out.Alternatives, p.str("a stream"))
				}
			})
		case name == "next":
			out.Next = p.str(name)
		case (name == "header" || name == "records") && kind != logdb.KindWaveform && kind != logdb.KindHistorical:
			p.recordMember(&b, name, off)
		default:
			p.ignore()
		}
	})
	err := p.done()
	if err == nil && b.recordsAt > 0 && b.header != nil {
		p.i = b.recordsAt - 1
		p.readRecords(&b)
	}
	if p.err != nil {
		return Events{}, fmt.Errorf("read answer of events: %w", p.err)
	}
	for i, e := range b.events {
		e.Position = b.ids[i].Position
		out.Events = append(out.Events, Event{ID: b.ids[i], Entry: e})
	}
	return out, err
}

// eventList reads a list of objects; member reads what is not common to all.
func (p *pageScan) eventList(out *Events, member func(e *logdb.Entry, name string)) {
	p.array("an array", func(n, off int) {
		if !p.count(1, off) {
			return
		}
		e := Event{Entry: logdb.Entry{Op: logdb.OpAdd}}
		if out.Gaps {
			e.Entry.Op = logdb.OpGap
		}
		p.object("an object", func(name string, at int) {
			switch name {
			case "log":
				e.Entry.Log = logdb.LogNo(p.integer(name, 0, 1<<16-1))
			case "op":
				e.Entry.Op = p.op()
			case "id":
				e.ID = p.entryID()
				e.Entry.Position = e.ID.Position
			default:
				member(&e.Entry, name)
			}
		})
		out.Events = append(out.Events, e)
	})
}

func (p *pageScan) gapMember(e *logdb.Entry, name string) {
	if e.Gap == nil {
		e.Gap = &logdb.Gap{}
	}
	switch name {
	case "time":
		e.Time = p.millis(name)
	case "from":
		e.Gap.From = p.millis(name)
	case "to":
		e.Gap.To = p.millis(name)
	case "cause":
		e.Gap.Cause = logdb.GapCause(p.str(name))
	case "detail":
		e.Gap.Detail = p.str(name)
	default:
		p.ignore()
	}
}

func (p *pageScan) waveLineMember(e *logdb.Entry, name string) {
	if e.Waveform == nil {
		e.Waveform = &logdb.Waveform{}
	}
	w := e.Waveform
	switch name {
	case "start_time":
		e.Time = p.millis(name)
	case "end_time":
		w.End = p.millis(name)
	case "trigger_time":
		w.TriggerTime = p.millis(name)
	case "freq":
		w.FrequencyHz = p.float()
	case "sample_interval_ms":
		w.SampleIntervalMillis = p.float()
	case "waveform_trigger":
		scan := waveScan{}
		p.triggers(&scan)
		w.Triggers = scan.Triggers
	case "shortened":
		if p.boolean() {
			w.Source = &logdb.WaveSource{}
		}
	default:
		p.ignore()
	}
}
