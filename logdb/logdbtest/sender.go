package logdbtest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// day0 is where the generators' time begins: a UTC midnight.
const day0 = logdb.Millis(1_700_006_400_000)

// sender is a made-up node: a journal that is complete, and the streams in which it uploads it.
type sender struct {
	meter   logdb.MeterUID
	kind    logdb.Kind
	id      logdb.JournalID
	journal []logdb.Entry  // position i+1 at i
	chains  []logdb.Digest // after entry i
	streams []*upload
}

// upload is one stream of a sender: the positions that belong to it, and what it decided of each.
type upload struct {
	id          logdb.StreamID
	first, last logdb.Position
	fates       map[logdb.Position]logdb.FateRange
	sent        map[logdb.Position]logdb.Entry // what is sent of the stored ones
}

// generator makes random data; equal seeds make equal data.
type generator struct {
	*rand.Rand
	tidied int // how often a store was tidied up
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 0x6d65746572))}
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pickOne[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// channelSets are what the rows of a log hold: instantaneous, covering, and unknown quantities.
func channelSet(log logdb.LogNo) []logdb.ChannelKey {
	if log == 0 {
		return []logdb.ChannelKey{"readings.voltage.an", "energy.interval.wh.received", "own.thing"}
	}
	return []logdb.ChannelKey{"readings.voltage.an", "demand.max.va"}
}

// number returns mostly what meters log, and now and then what breaks codecs.
func (g *generator) number() float64 {
	switch g.IntN(24) {
	case 0:
		return pickOne(g, 0, math.Copysign(0, -1), 1e15, -1e22, 1e300, 5e-324, 0.1+0.2, 1<<53)
	case 1:
		return math.Float64frombits(0x3ff0000000000000 | g.Uint64()>>12)
	case 2, 3:
		return float64(g.IntN(5))
	}
	return float64(g.IntN(200_000)-20_000) / pickOne(g, 1.0, 10, 100, 1000)
}

// entry makes one record of kind k.
func (g *generator) record(k logdb.Kind, log logdb.LogNo, t logdb.Millis) logdb.Entry {
	e := logdb.Entry{Op: logdb.OpAdd, Log: log, Time: t}
	switch k {
	case logdb.KindHistorical:
		e.Row = &logdb.Row{}
		for _, c := range channelSet(log) {
			if g.chance(85) {
				e.Row.Channels = append(e.Row.Channels, c)
				e.Row.Values = append(e.Row.Values, g.number())
			}
		}
	case logdb.KindSystem:
		e.System = &logdb.SystemEvent{Type: pickOne(g, logdb.SystemPowerLoss, logdb.SystemReset, logdb.SystemLogRetrieval), Code: int64(g.IntN(3)), Description: pickOne(g, "", "Störung", "a\nb")}
	case logdb.KindWaveform:
		e.Waveform = g.waveform(t)
	default:
		e.Excursion = g.excursion(k)
	}
	return e
}

func (g *generator) excursion(k logdb.Kind) *logdb.Excursion {
	x := &logdb.Excursion{
		DurationSeconds: pickOne(g, 0, 0.016, 12.5, math.NaN()), Channel: pickOne[logdb.ChannelKey](g, "readings.voltage.an", "readings.voltage.bn"),
		Type: int64(g.IntN(2)), Worst: pickOne(g, 88.25, math.NaN(), 300), WorstPercent: pickOne(g, 73.5, math.NaN()), Threshold: 108,
	}
	if k == logdb.KindLimit {
		x.LimitID = int64(g.IntN(3))
	}
	return x
}

func (g *generator) waveform(t logdb.Millis) *logdb.Waveform {
	n := pickOne(g, 0, 1, 40, 64)
	w := &logdb.Waveform{
		End: t + 64, SampleIntervalMillis: pickOne(g, 1, 0.390625, 0.0651), TriggerTime: t + logdb.Millis(g.IntN(70)), FrequencyHz: pickOne(g, 50, 60, 0.0),
		RMS: []logdb.NamedValue{{Name: "Van", Value: g.number()}}, Triggers: []string{"Van=Sag_start"},
	}
	for _, name := range []string{"Van_Vab", "Ia"}[:1+g.IntN(2)] {
		c := logdb.WaveChannel{Name: name, Samples: make([]float64, n)}
		for i := range c.Samples {
			c.Samples[i] = math.Round(325*math.Sin(float64(i)/8)*100) / 100
		}
		w.Channels = append(w.Channels, c)
	}
	if g.chance(30) {
		w.Digital = make([]byte, n)
		for i := range w.Digital {
			w.Digital[i] = byte(g.IntN(256))
		}
	}
	return w
}

// sender makes a node with a journal of n entries and the streams in which it is sent.
func (g *generator) sender(meter logdb.MeterUID, kind logdb.Kind, number, n int) *sender {
	s := &sender{meter: meter, kind: kind, id: logdb.JournalID(fmt.Sprintf("%024x00000000", 0xabc000+number))}
	step := pickOne[logdb.Millis](g, 1000, 20_000, 60_000, 900_000, 3*3_600_000, logdb.DayMillis, 9*logdb.DayMillis+1)
	t, run, generation := day0+logdb.Millis(g.IntN(48))*1_800_000, uint32(0), uint32(0)
	logs := []logdb.LogNo{0, 0, 0, logdb.LogNo(g.IntN(2))}
	changes := pickOne(g, 20, 20, 20, 65) // percent of entries that are no records
	for range n {
		switch {
		case g.chance(4):
			t, run = t-logdb.Millis(g.IntN(5))*step-logdb.Millis(g.IntN(2000)), run+1
		case g.chance(90) && kind == logdb.KindHistorical, g.chance(60):
			t += step
		}
		if g.chance(3) {
			generation++
		}
		e := g.entry(s, kind, pickOne(g, logs...), t, changes)
		e.Position, e.Run, e.Generation = logdb.Position(len(s.journal)+1), run, generation
		before := logdb.Digest{}
		if len(s.chains) > 0 {
			before = s.chains[len(s.chains)-1]
		}
		s.journal, s.chains = append(s.journal, e), append(s.chains, e.Chain(before))
	}
	g.addStreams(s)
	return s
}

// entry makes the next entry of a journal: mostly records, now and then something about an older one.
func (g *generator) entry(s *sender, kind logdb.Kind, log logdb.LogNo, t logdb.Millis, changes int) logdb.Entry {
	if !g.chance(changes) || len(s.journal) == 0 {
		return g.record(kind, log, t)
	}
	switch g.IntN(8) {
	case 0:
		gap := &logdb.Gap{From: t, To: t + 60_000, Cause: logdb.GapUnreachable, Detail: "no answer"}
		if i := g.IntN(len(s.journal)); s.journal[i].Gap != nil && g.chance(90) { // or of any position: that means nothing then
			gap.Replaces = cmp.Or(s.journal[i].Gap.Replaces, s.journal[i].Position)
		} else if g.chance(30) {
			gap.Replaces = s.journal[i].Position
		}
		return logdb.Entry{Op: logdb.OpGap, Log: log, Time: t, Gap: gap}
	case 1:
		return logdb.Entry{Op: logdb.OpClose, Log: log, Time: t}
	case 2:
		return logdb.Entry{Op: logdb.OpSkip, Log: log, Time: t}
	}
	target := s.journal[g.IntN(len(s.journal))]
	if target.Target != 0 { // what was changed is changed again, so that versions come in every order
		target = s.journal[target.Target-1]
	} else if last := s.journal[max(0, len(s.journal)-6):]; g.chance(40) {
		if i := slices.IndexFunc(last, func(e logdb.Entry) bool { return e.Target != 0 }); i >= 0 {
			target = s.journal[last[i].Target-1]
		}
	}
	if target.Op != logdb.OpAdd {
		return g.record(kind, log, t)
	}
	e := logdb.Entry{Op: logdb.OpWithdraw, Log: target.Log, Time: target.Time}
	if g.chance(75) {
		e = g.record(kind, target.Log, target.Time+pickOne[logdb.Millis](g, 0, 0, 0, 1000, -60_000, logdb.DayMillis))
		e.Op = logdb.OpRevise
	}
	e.Target, e.Replaces = target.Position, target.ContentDigest()
	e.By, e.At, e.Why = "re-decode", t+5, pickOne(g, "late pairing", "scale")
	return e
}

// addStreams gives the sender its policies: one or two after each other, and sometimes channels added later.
func (g *generator) addStreams(s *sender) {
	n := logdb.Position(len(s.journal))
	change := n
	if g.chance(50) {
		change = logdb.Position(1 + g.IntN(int(n)))
	}
	s.streams = append(s.streams, g.upload(s, "1", 1, change))
	if change < n {
		first := change + 1
		if g.chance(25) { // a sender that went back and changes its policy again: the streams overlap
			first = logdb.Position(1 + g.IntN(int(change)))
		}
		s.streams = append(s.streams, g.upload(s, "2", first, n))
	}
	if s.kind == logdb.KindHistorical && g.chance(40) {
		s.streams = append(s.streams, g.upload(s, "2+1", logdb.Position(1+g.IntN(int(n))), n))
	}
}

// upload decides the fate of every position of one stream.
func (g *generator) upload(s *sender, policy string, first, last logdb.Position) *upload {
	u := &upload{
		id: logdb.StreamID{Journal: s.id, Policy: policy}, first: first, last: last,
		fates: map[logdb.Position]logdb.FateRange{}, sent: map[logdb.Position]logdb.Entry{},
	}
	part := policy == "2+1"
	calm := g.chance(30) // everything is sent
	small := logdb.Limits{WaveformSamples: 16}
	for p := first; p <= last; p++ {
		e := clone(s.journal[p-1])
		f := logdb.FateRange{First: p, Last: p, Fate: logdb.FateStored, FirstTime: e.Time, LastTime: e.Time}
		target, known := u.fates[e.Target]
		switch {
		case e.Target != 0 && known && g.chance(70): // the others leave it to the receiver
			f.Fate, f.Reason, f.Into = target.Fate, target.Reason, target.Into
		case e.Target != 0, calm:
		case g.chance(6) && e.Op == logdb.OpAdd:
			f.Fate, f.Reason = logdb.FateSkipped, pickOne(g, "minute", "day")
		case g.chance(8):
			f.Fate = pickOne(g, logdb.FateNotChosen, logdb.FateHeld)
		}
		if part && e.Row != nil {
			e.Row = &logdb.Row{Channels: []logdb.ChannelKey{"added.later"}, Values: []float64{float64(p)}}
		}
		if e.Waveform != nil && g.chance(30) {
			e, _ = limit.ShortenEntry(&e, small)
		}
		u.fates[p], u.sent[p] = f, e
	}
	if s.kind == logdb.KindHistorical && g.chance(40) && !part {
		g.reduce(s, u)
	}
	return u
}

// reduce combines some neighbouring rows into the last of them. Rows that are revised stay as they are.
func (g *generator) reduce(s *sender, u *upload) {
	revised := map[logdb.Position]bool{}
	for _, e := range s.journal {
		revised[e.Target] = true
	}
	plain := func(p logdb.Position) bool {
		e := s.journal[p-1]
		return e.Op == logdb.OpAdd && u.fates[p].Fate == logdb.FateStored && !revised[p]
	}
	for p := u.first; p <= u.last; {
		n := logdb.Position(2 + g.IntN(3))
		whole := p+n-1 <= u.last
		for q := p; whole && q < p+n; q++ {
			a, b := s.journal[p-1], s.journal[q-1]
			whole = plain(q) && a.Log == b.Log && a.Run == b.Run
		}
		if !whole {
			p++
			continue
		}
		into := p + n - 1
		sum := clone(s.journal[into-1])
		sum.Row = &logdb.Row{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Values: []float64{float64(n) * 1000}}
		u.sent[into] = sum
		for q := p; q < into; q++ {
			f := u.fates[q]
			f.Fate, f.Into = logdb.FateReduced, into
			u.fates[q] = f
		}
		p += n
	}
}

// page cuts a page that holds the given positions.
func (g *generator) page(s *sender, u *upload, at []logdb.Position) logdb.Page {
	p := logdb.Page{Meter: s.meter, Kind: s.kind, Stream: u.id}
	var rows []logdb.Entry
	for _, pos := range slices.Compact(slices.Sorted(slices.Values(at))) {
		p.JournalEnd = pos
		f := u.fates[pos]
		if f.Fate != logdb.FateStored {
			p.Fates = append(p.Fates, f)
			continue
		}
		g.put(&p, &rows, u.sent[pos])
	}
	g.finish(s, &p, rows)
	return p
}

// requested cuts a page that brings positions in full, whatever their fate.
func (g *generator) requested(s *sender, u *upload, at []logdb.Position) logdb.Page {
	p := logdb.Page{Meter: s.meter, Kind: s.kind, Stream: u.id, Requested: true}
	var rows []logdb.Entry
	for _, pos := range slices.Compact(slices.Sorted(slices.Values(at))) {
		p.JournalEnd = pos
		g.put(&p, &rows, clone(s.journal[pos-1]))
	}
	g.finish(s, &p, rows)
	return p
}

func (g *generator) put(p *logdb.Page, rows *[]logdb.Entry, e logdb.Entry) {
	if e.Op == logdb.OpAdd && e.Row != nil && !g.chance(5) {
		*rows = append(*rows, e)
		return
	}
	p.Entries = append(p.Entries, e)
}

func (g *generator) finish(s *sender, p *logdb.Page, rows []logdb.Entry) {
	p.Rows = columns(rows)
	g.Shuffle(len(p.Rows), func(i, j int) { p.Rows[i], p.Rows[j] = p.Rows[j], p.Rows[i] })
	if g.chance(80) { // the rest sends a range for each position
		var set logdb.FateSet
		for _, f := range p.Fates {
			set.Put(f)
		}
		p.Fates = set.Ranges()
	}
	g.Shuffle(len(p.Entries), func(i, j int) { p.Entries[i], p.Entries[j] = p.Entries[j], p.Entries[i] })
	if n := logdb.Position(len(s.journal)); g.chance(50) {
		p.JournalEnd = n
	}
	if p.JournalEnd > 0 {
		p.Chain = s.chains[p.JournalEnd-1]
	}
	if g.chance(10) { // some saw what stands there, some did not
		p.Seen = &logdb.End{}
		if n := len(s.journal); n > 0 && g.chance(80) {
			at := max(1, n-g.IntN(4))
			p.Seen.Position, p.Seen.Chain = logdb.Position(at), s.chains[at-1]
			if g.chance(10) {
				p.Seen.Chain = logdb.DigestOf(p.Seen.Chain[:])
			}
		}
	}
}

// columns turns rows into blocks, a block for each log, run and generation. Absent values become NaN.
func columns(rows []logdb.Entry) []logdb.History {
	var out []logdb.History
	for _, e := range rows {
		i := slices.IndexFunc(out, func(h logdb.History) bool {
			return h.Log == e.Log && h.Run == e.Run && h.Generation == e.Generation
		})
		if i < 0 {
			i = len(out)
			out = append(out, logdb.History{Log: e.Log, Run: e.Run, Generation: e.Generation, Channels: []logdb.ChannelKey{"always.there"}, Columns: [][]float64{nil}})
		}
		h := &out[i]
		h.Times = append(h.Times, e.Time)
		if e.Position != 0 {
			h.Positions = append(h.Positions, e.Position)
		}
		for k, c := range e.Row.Channels {
			at := slices.Index(h.Channels, c)
			if at < 0 {
				at = len(h.Channels)
				h.Channels, h.Columns = append(h.Channels, c), append(h.Columns, nil)
			}
			h.Columns[at] = pad(h.Columns[at], len(h.Times)-1)
			h.Columns[at] = append(h.Columns[at], e.Row.Values[k])
		}
		for at := range h.Columns {
			h.Columns[at] = pad(h.Columns[at], len(h.Times))
		}
	}
	return out
}

func pad(column []float64, n int) []float64 {
	for len(column) < n {
		column = append(column, math.NaN())
	}
	return column
}
