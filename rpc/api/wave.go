package api

import (
	"fmt"
	"math"

	"metermanager/logdb"
)

// waveScan is a recording on its way in.
type waveScan struct {
	logdb.Waveform
	start                   logdb.Millis
	at                      int // offset of its first member
	header, trigger, sample bool
	interval, triggered     bool
}

// waveMember reads a member of a recording and reports whether it is one.
func (p *pageScan) waveMember(b *block, name string, off int) bool {
	switch name {
	case "position", "header", "trigger", "sample", "source":
	default:
		return false
	}
	if b.wave == nil {
		b.wave = &waveScan{at: off, Waveform: logdb.Waveform{FrequencyHz: math.NaN()}}
	}
	if name == "position" {
		p.needsStream(off)
		b.position = p.position("position")
		return true
	}
	p.any = true
	p.wavePart(b.wave, name)
	return true
}

// wavePart reads one of the four parts of a recording.
func (p *pageScan) wavePart(w *waveScan, name string) {
	switch name {
	case "header":
		w.header = true
		p.waveHeader(w)
	case "trigger":
		w.trigger = true
		p.trigger(w)
	case "sample":
		w.sample = true
		p.samples(w)
	case "source":
		if !p.null(false) {
			p.waveSource(w)
		}
	}
}

func (p *pageScan) waveHeader(w *waveScan) {
	p.peek()
	at, start, end := p.i, false, false
	p.object("a header", func(name string, off int) {
		switch name {
		case "start_time":
			start = true
			w.start = p.millis("start_time")
		case "end_time":
			end = true
			w.End = p.millis("end_time")
		default:
			p.ignore()
		}
	})
	if !start || !end {
		p.shape(at, "the header of a recording needs start_time and end_time")
	}
}

// trigger reads the trigger block: every number that is not named here is an RMS value.
func (p *pageScan) trigger(w *waveScan) {
	p.peek()
	at := p.i
	p.object("a trigger block", func(name string, off int) {
		switch name {
		case "freq":
			w.FrequencyHz = p.float()
		case "sample_interval_ms":
			w.interval = true
			p.peek()
			valueAt := p.i
			if w.SampleIntervalMillis = p.float(); p.err == nil && !(w.SampleIntervalMillis > 0) {
				p.shape(valueAt, "sample_interval_ms must be above 0")
			}
		case "trigger_time":
			w.triggered = true
			w.TriggerTime = p.millis("trigger_time")
		case "waveform_trigger":
			p.triggers(w)
		default:
			switch c := p.peek(); {
			case c != '-' && c != 'n' && c != 'N' && (c < '0' || c > '9'):
				p.ignore()
			case len(w.RMS) >= p.lim.WaveNames:
				p.fail(off, RefusedLimit, fmt.Sprintf("more than %d values in a trigger block", p.lim.WaveNames))
			default:
				w.RMS = append(w.RMS, logdb.NamedValue{Name: name, Value: p.float()})
			}
		}
	})
	if !w.interval || !w.triggered {
		p.shape(at, "the trigger block needs sample_interval_ms and trigger_time")
	}
}

// triggers reads the list of triggers. A null in it is no trigger.
func (p *pageScan) triggers(w *waveScan) {
	if p.null(false) {
		return
	}
	p.array("an array of triggers", func(n, off int) {
		if n >= p.lim.WaveNames {
			p.fail(off, RefusedLimit, fmt.Sprintf("more than %d triggers", p.lim.WaveNames))
			return
		}
		if !p.null(false) {
			w.Triggers = append(w.Triggers, p.str("a trigger"))
		}
	})
}

// samples reads the samples of each channel. Digital inputs stand in an array for each sample.
func (p *pageScan) samples(w *waveScan) {
	p.object("an object of sample arrays", func(name string, off int) {
		if name == "digin" {
			if !p.null(false) {
				p.digital(w)
			}
			return
		}
		if len(w.Channels) >= p.lim.WaveNames || name == "" {
			p.fail(off, RefusedLimit, fmt.Sprintf("a channel without a name, or more than %d", p.lim.WaveNames))
			return
		}
		c := logdb.WaveChannel{Name: name, Samples: []float64{}}
		p.array("an array of samples", func(n, at int) {
			if n >= p.lim.Samples {
				p.fail(at, RefusedLimit, fmt.Sprintf("more than %d samples of one channel", p.lim.Samples))
				return
			}
			c.Samples = append(c.Samples, p.float())
		})
		w.Channels = append(w.Channels, c)
	})
}

func (p *pageScan) digital(w *waveScan) {
	p.array("an array of samples of digital inputs", func(n, off int) {
		if n >= p.lim.Samples {
			p.fail(off, RefusedLimit, fmt.Sprintf("more than %d samples of the digital inputs", p.lim.Samples))
			return
		}
		var bits byte
		count := 0
		p.array("the states of eight digital inputs", func(i, at int) {
			count = i + 1
			if i > 7 {
				p.shape(at, "there are eight digital inputs")
				return
			}
			bits |= byte(p.integer("the state of a digital input", 0, 1)) << i
		})
		if p.err == nil && count != 8 {
			p.shape(off, "each sample has the states of eight digital inputs")
		}
		w.Digital = append(w.Digital, bits)
	})
}

func (p *pageScan) waveSource(w *waveScan) {
	src := &logdb.WaveSource{SampleIntervalMillis: math.NaN()}
	p.object("a source", func(name string, off int) {
		switch name {
		case "start_time":
			src.Start = p.millis("start_time")
		case "samples":
			src.Samples = int(p.integer("samples", 0, 1<<31-1))
		case "sample_interval_ms":
			src.SampleIntervalMillis = p.float()
		case "digest":
			src.Digest = p.digest("digest")
		default:
			p.ignore()
		}
	})
	w.Source = src
}

// entry checks that a recording is whole and returns it.
func (p *pageScan) entry(w *waveScan) logdb.Entry {
	switch {
	case p.err != nil:
	case !w.header || !w.trigger || !w.sample:
		p.shape(w.at, "a recording needs header, trigger and sample")
	case w.End < w.start:
		p.shape(w.at, "a recording ends before it starts")
	}
	return logdb.Entry{Op: logdb.OpAdd, Time: w.start, Waveform: &w.Waveform}
}

func (p *pageScan) finishWave(b *block) {
	e := p.entry(b.wave)
	if p.records++; p.records > p.lim.Records {
		p.fail(b.wave.at, RefusedLimit, fmt.Sprintf("more than %d recordings in one page", p.lim.Records))
	}
	if b.rangesAt > 0 {
		p.shape(b.rangesAt-1, "a recording has a position, not positions")
	}
	if p.err != nil {
		return
	}
	e.Position, e.Log, e.Run, e.Generation = b.position, b.log, b.run, b.generation
	p.up.Page.Entries = append(p.up.Page.Entries, e)
}

// recordings reads several recordings of one page.
func (p *pageScan) recordings(off int) {
	if p.kind != logdb.KindWaveform {
		p.ignore()
		return
	}
	p.any = true
	p.array("an array of recordings", func(n, at int) {
		b := block{wave: &waveScan{at: at, Waveform: logdb.Waveform{FrequencyHz: math.NaN()}}}
		p.object("a recording", func(name string, off int) {
			if !p.blockMember(&b, name, off) {
				p.ignore()
			}
		})
		p.finish(&b)
	})
}
