package api_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"metermanager/logdb"
)

// randomPage makes a page that keeps the rules of logdb and uses everything they allow.
func randomPage(r *rand.Rand) logdb.Page {
	p := logdb.Page{Kind: logdb.Kinds[r.IntN(len(logdb.Kinds))], Meter: "m-1"}
	positioned := r.IntN(4) > 0
	var at logdb.Position
	if positioned {
		p.Stream = logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: "2+1"}
		p.Requested = r.IntN(4) == 0
	} else {
		p.Source = "key-1"
	}
	next := func() logdb.Position {
		if !positioned {
			return 0
		}
		at += logdb.Position(1 + r.IntN(3))
		return at
	}
	if p.Kind == logdb.KindHistorical {
		for range 1 + r.IntN(3) {
			p.Rows = append(p.Rows, randomRows(r, positioned, next))
		}
	}
	for range r.IntN(12) {
		e := logdb.Entry{Op: logdb.OpAdd, Time: randomTime(r), Log: logdb.LogNo(r.IntN(2)), Run: uint32(r.IntN(2)), Generation: uint32(r.IntN(2))}
		if p.Kind != logdb.KindHistorical || positioned {
			e.Position = next()
			if positioned {
				randomOp(r, &e)
			}
			if e.Op == logdb.OpAdd || e.Op == logdb.OpRevise {
				randomBody(r, p.Kind, &e)
			}
			p.Entries = append(p.Entries, e)
		}
	}
	nameRecords(p.Entries)
	if positioned {
		for range r.IntN(5) {
			f := logdb.FateRange{First: next(), Fate: logdb.FateReduced + logdb.Fate(r.IntN(4))}
			at += logdb.Position(r.IntN(4))
			f.Last = at
			switch f.Fate {
			case logdb.FateSkipped:
				f.Reason = "minute"
				f.FirstTime, f.LastTime = 5, 6
			case logdb.FateReduced:
				f.Into = at + 1
				f.FirstTime = 1 << 40
				f.LastTime = 1 << 40
			}
			p.Fates = append(p.Fates, f)
		}
		p.JournalEnd = at + logdb.Position(1+r.IntN(3))
		p.Chain = logdb.DigestOf([]byte{byte(r.Uint32())})
		if r.IntN(2) == 0 {
			p.Seen = &logdb.End{Position: logdb.Position(r.IntN(3))}
			if p.Seen.Position > 0 {
				p.Seen.Chain = logdb.DigestOf([]byte{byte(r.Uint32())})
			}
		}
	}
	if !positioned && len(p.Rows) == 0 && len(p.Entries) == 0 {
		e := logdb.Entry{Op: logdb.OpAdd, Time: 1}
		randomBody(r, p.Kind, &e)
		p.Entries = append(p.Entries, e)
	}
	return p
}

// nameRecords turns changes of changes to the first record: a change names the record itself.
func nameRecords(entries []logdb.Entry) {
	changes := map[logdb.Position]bool{}
	for i := range entries {
		if e := &entries[i]; e.Target != 0 {
			changes[e.Position] = true
			if changes[e.Target] {
				e.Target = 1
			}
		}
	}
}

func randomRows(r *rand.Rand, positioned bool, next func() logdb.Position) logdb.History {
	h := logdb.History{Log: logdb.LogNo(r.IntN(3)), Run: uint32(r.IntN(2)), Generation: uint32(r.IntN(2))}
	if positioned {
		h.Positions = []logdb.Position{}
	}
	n := r.IntN(20)
	for c := range 1 + r.IntN(5) {
		h.Channels = append(h.Channels, logdb.ChannelKey(fmt.Sprintf("readings.x.c%d", c)))
		h.Columns = append(h.Columns, nil)
	}
	for range n {
		h.Times = append(h.Times, randomTime(r))
		if positioned {
			h.Positions = append(h.Positions, next())
		}
		for c := range h.Columns {
			h.Columns[c] = append(h.Columns[c], randomValue(r))
		}
	}
	return h
}

func randomOp(r *rand.Rand, e *logdb.Entry) {
	switch n := r.IntN(8); {
	case n < 2 && e.Position == 1: // nothing stands before it
	case n == 0:
		e.Op, e.Target, e.Replaces = logdb.OpRevise, 1+logdb.Position(r.IntN(int(e.Position)-1)), logdb.DigestOf([]byte("x"))
		e.By, e.At, e.Why = "user \"x\"", 17, "wrong ratio\u2028 \u00e9 </script>"
	case n == 1:
		e.Op, e.Target = logdb.OpWithdraw, 1
	case n == 2:
		e.Op = logdb.OpSkip
	case n == 3:
		e.Op = logdb.OpClose
	case n == 4:
		e.Op, e.Gap = logdb.OpGap, &logdb.Gap{From: 3, To: 9, Cause: logdb.GapBusy, Detail: "a\tb\x01\\"}
	case n == 5:
		e.Why = "an add with a reason"
	}
}

func randomBody(r *rand.Rand, kind logdb.Kind, e *logdb.Entry) {
	switch kind {
	case logdb.KindHistorical:
		e.Row = &logdb.Row{}
		for c := range 1 + r.IntN(3) {
			if v := randomValue(r); !math.IsNaN(v) {
				e.Row.Channels = append(e.Row.Channels, logdb.ChannelKey(fmt.Sprintf("readings.x.c%d", 9-c)))
				e.Row.Values = append(e.Row.Values, v)
			}
		}
	case logdb.KindSystem:
		e.System = &logdb.SystemEvent{Type: logdb.SystemType(r.Int64()), Code: -r.Int64(), Description: "a \"b\" \U0001F600\n"}
	case logdb.KindWaveform:
		e.Waveform = randomWave(r, e.Time)
	default:
		e.Excursion = &logdb.Excursion{
			DurationSeconds: math.Abs(randomValue(r)), Channel: "readings.voltage.an", Type: int64(r.IntN(2)),
			Worst: randomValue(r), WorstPercent: randomValue(r), Threshold: randomValue(r), LimitID: r.Int64() * int64(r.IntN(2)),
		}
	}
}

func randomWave(r *rand.Rand, start logdb.Millis) *logdb.Waveform {
	w := &logdb.Waveform{
		End: start + logdb.Millis(r.IntN(1000)), SampleIntervalMillis: 1000.0 / 60 / 256, TriggerTime: start + 5, FrequencyHz: randomValue(r),
	}
	for i := range r.IntN(3) {
		w.RMS = append(w.RMS, logdb.NamedValue{Name: fmt.Sprintf("V %d\"", i), Value: randomValue(r)})
	}
	for range r.IntN(3) {
		w.Triggers = append(w.Triggers, "Van=Sag_start")
	}
	for range r.IntN(2) * 7 {
		w.Digital = append(w.Digital, byte(r.Uint32()))
	}
	for i := range r.IntN(3) {
		c := logdb.WaveChannel{Name: fmt.Sprintf("Van_Vab%d", i), Samples: []float64{}}
		for range r.IntN(6) {
			c.Samples = append(c.Samples, randomValue(r))
		}
		w.Channels = append(w.Channels, c)
	}
	if r.IntN(3) == 0 {
		w.Source = &logdb.WaveSource{Start: 4, Samples: 9000, SampleIntervalMillis: 0.01, Digest: logdb.DigestOf([]byte("w"))}
	}
	return w
}

func randomTime(r *rand.Rand) logdb.Millis {
	if r.IntN(10) == 0 {
		return logdb.MaxTime * logdb.Millis(r.IntN(2)) / 2 // 0 or far away
	}
	return logdb.Millis(1_493_590_000_000 + r.Int64N(1e9))
}

// randomValue favours what breaks number formats.
func randomValue(r *rand.Rand) float64 {
	switch r.IntN(9) {
	case 0:
		return math.NaN()
	case 1:
		for {
			if v := math.Float64frombits(r.Uint64()); !math.IsInf(v, 0) {
				return v
			}
		}
	case 2:
		return [...]float64{0, math.Copysign(0, -1), 1 << 53, 1<<53 + 2, -(1 << 53), math.MaxFloat64, math.SmallestNonzeroFloat64, 1e21, 1e-6, 9.999999e-7, 1e22, 0.1 + 0.2}[r.IntN(12)]
	case 3:
		return float64(r.Int64())
	case 4:
		return float64(r.IntN(1e6)) / 1e7
	case 5:
		return float64(float32(r.Float64() * 1e4)) // as meters send
	default:
		return float64(r.IntN(1e9)) / 1e4
	}
}
