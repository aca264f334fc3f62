package logdbtest

import (
	"context"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
)

// script makes a random sequence of operations.
func (g *generator) script(n int) []operation {
	meters := []logdb.MeterUID{"meter-1", "meter-2"}
	limits := logdb.Limits{}
	if g.chance(50) {
		limits = g.limits()
	}
	var senders []*sender
	relay := NewModel(Config{})
	for i := range 1 + g.IntN(3) {
		senders = append(senders, g.sender(pickOne(g, meters...), pickOne(g, logdb.Kinds[:]...), i, 5+g.IntN(50)))
	}
	own := map[string][]logdb.Entry{}
	var out []operation
	for len(out) < n {
		s := pickOne(g, senders...)
		switch k := g.IntN(100); {
		case k < 50:
			out = append(out, g.upstream(s, limits, relay)...)
			if g.chance(15) {
				out = append(out, g.tidy(s))
			}
		case k < 64:
			out = append(out, g.ownBatch(pickOne(g, s.meter, meters[0]), s.kind, own))
		case k < 78:
			out = append(out, acceptOf(g.barePage(s.meter, s.kind), limits))
		default:
			out = append(out, g.rare(s))
		}
	}
	return out[:n]
}

func (g *generator) limits() logdb.Limits {
	w := []logdb.Window{{Name: "second", Millis: 1000, Max: 1 + g.IntN(2)}, {Name: "hour", Millis: 3_600_000, Max: 2 + g.IntN(4)}, {Name: "day", Millis: logdb.DayMillis, Max: 5 + g.IntN(9)}}
	return logdb.Limits{
		HistoricalIntervalMillis: pickOne[int64](g, 0, 60_000, 900_000), Waveform: w, System: w[1:], Limit: w[:2], PQ: w,
		WaveformSamples: pickOne(g, 0, 16, 48), WaveformSamplesPerCycle: pickOne(g, 0, 20),
	}
}

// upstream makes pages of one stream of a sender: a range cut anywhere, scattered positions, what
// went through a relay, something requested, or a page with an error in it.
func (g *generator) upstream(s *sender, limits logdb.Limits, relay *Model) []operation {
	u := pickOne(g, s.streams...)
	at := g.cut(u)
	switch g.IntN(10) {
	case 0:
		return []operation{acceptOf(g.requested(s, u, at), limits)}
	case 1:
		if whole := g.bucketOf(u, at); g.chance(70) {
			return []operation{acceptOf(g.page(s, u, whole), limits), acceptOf(g.requested(s, u, whole), limits)}
		}
		return []operation{acceptOf(g.requested(s, u, g.bucketOf(u, at)), limits)}
	case 2:
		if g.chance(25) {
			return g.changeOfChange(s, u, limits)
		}
		return []operation{acceptOf(g.broken(g.page(s, u, at)), limits)}
	case 3, 4:
		return g.throughRelay(s, u, at, limits, relay)
	}
	p := g.page(s, u, at)
	out := []operation{acceptOf(p, limits)}
	if g.chance(15) {
		out = append(out, acceptOf(p, limits)) // a retry
	}
	return out
}

func (g *generator) cut(u *upload) []logdb.Position {
	var at []logdb.Position
	n := int(u.last-u.first) + 1
	if g.chance(75) {
		first := u.first + logdb.Position(g.IntN(n))
		for p := first; p <= min(u.last, first+logdb.Position(g.IntN(14))); p++ {
			at = append(at, p)
		}
		return at
	}
	for range 1 + g.IntN(8) {
		at = append(at, u.first+logdb.Position(g.IntN(n)))
	}
	return at
}

// bucketOf adds all that was reduced together with any of the positions.
func (g *generator) bucketOf(u *upload, at []logdb.Position) []logdb.Position {
	out := slices.Clone(at)
	for _, p := range at {
		into := u.fates[p].Into
		for q, f := range u.fates {
			if into != 0 && (f.Into == into || q == into) {
				out = append(out, q)
			}
		}
	}
	return out
}

// throughRelay gives the page to another node and sends on what that node answers.
func (g *generator) throughRelay(s *sender, u *upload, at []logdb.Position, limits logdb.Limits, relay *Model) []operation {
	ctx := context.Background()
	if _, err := relay.Accept(ctx, g.page(s, u, at), logdb.Limits{}); err != nil {
		return nil
	}
	p, err := relay.ReadStream(ctx, s.meter, s.kind, u.id, slices.Min(at), 1+g.IntN(12))
	if err != nil {
		return nil
	}
	return []operation{acceptOf(p, limits)}
}

// broken breaks one rule of a page.
func (g *generator) broken(p logdb.Page) logdb.Page {
	switch g.IntN(6) {
	case 0:
		if p.JournalEnd > 0 {
			p.JournalEnd--
		}
	case 1:
		p.Source = "both"
	case 2:
		p.Fates = append(slices.Clone(p.Fates), logdb.FateRange{First: 1, Last: 1, Fate: logdb.FateSkipped})
	case 3:
		p.Entries = append(slices.Clone(p.Entries), logdb.Entry{Position: p.JournalEnd, Op: logdb.OpRevise, Time: day0})
	case 4:
		p.Fates = append(slices.Clone(p.Fates), logdb.FateRange{First: 1, Last: 1, Fate: logdb.FateStored})
	case 5:
		p.Chain = logdb.DigestOf([]byte("another journal")) // wrong only where the end is known
	}
	return p
}

// changeOfChange sends a change of a change before or after the change that it names.
func (g *generator) changeOfChange(s *sender, u *upload, limits logdb.Limits) []operation {
	for p := u.first; p <= u.last; p++ {
		e := u.sent[p]
		if e.Target == 0 || u.fates[p].Fate != logdb.FateStored || g.chance(50) {
			continue
		}
		good := g.page(s, u, []logdb.Position{p})
		e.Position, e.Target = logdb.Position(len(s.journal)+1), p
		bad := logdb.Page{Meter: s.meter, Kind: s.kind, Stream: u.id, JournalEnd: e.Position, Entries: []logdb.Entry{e}}
		out := []operation{acceptOf(good, limits), acceptOf(bad, limits)}
		if g.chance(30) {
			slices.Reverse(out)
		}
		return out
	}
	return nil
}

// barePage makes a page of a meter that keeps no journal. Little is chosen from, so that much repeats.
func (g *generator) barePage(meter logdb.MeterUID, kind logdb.Kind) logdb.Page {
	p := logdb.Page{Meter: meter, Kind: kind, Source: pickOne(g, "key-1", "key-2")}
	var rows []logdb.Entry
	for range 1 + g.IntN(6) {
		t := day0 + logdb.Millis(g.IntN(4))*60_000
		if kind != logdb.KindHistorical {
			p.Entries = append(p.Entries, g.bareEvent(kind, t))
			continue
		}
		e := logdb.Entry{Op: logdb.OpAdd, Time: t, Row: &logdb.Row{}}
		for _, c := range channelSet(0)[g.IntN(3):] {
			e.Row.Channels = append(e.Row.Channels, c)
			e.Row.Values = append(e.Row.Values, float64(g.IntN(2)))
		}
		rows = append(rows, e)
	}
	p.Rows = columns(rows)
	return p
}

func (g *generator) bareEvent(kind logdb.Kind, t logdb.Millis) logdb.Entry {
	e := logdb.Entry{Op: logdb.OpAdd, Time: t}
	switch kind {
	case logdb.KindSystem:
		e.System = &logdb.SystemEvent{Type: 1, Code: int64(g.IntN(2))}
	case logdb.KindWaveform:
		e.Waveform = &logdb.Waveform{End: t + 40, SampleIntervalMillis: 1, TriggerTime: t + 20, Channels: []logdb.WaveChannel{{Name: "Ia", Samples: make([]float64, 20+g.IntN(2))}}}
	default:
		e.Excursion = &logdb.Excursion{DurationSeconds: pickOne(g, math.NaN(), math.NaN(), 1, 2), Channel: "readings.voltage.an", Type: int64(g.IntN(2)), Worst: math.NaN(), WorstPercent: 50, Threshold: 1}
	}
	return e
}

// ownBatch appends to the node's own journal.
func (g *generator) ownBatch(meter logdb.MeterUID, kind logdb.Kind, journals map[string][]logdb.Entry) operation {
	b := logdb.Batch{Meter: meter, Kind: kind, At: day0}
	key := fmt.Sprint(meter, kind)
	journal := journals[key]
	var rows []logdb.Entry
	t := day0 + logdb.Millis(len(journal))*60_000
	for range g.IntN(7) {
		e := g.record(kind, logdb.LogNo(g.IntN(2)), t)
		e.Run = uint32(len(journal) / 20)
		t += pickOne[logdb.Millis](g, 0, 60_000, 60_000, 900_000)
		if len(journal) > 0 && g.chance(12) {
			if target := g.IntN(len(journal)); journal[target].Op == logdb.OpAdd {
				e.Log = journal[target].Log
				e.Op, e.Target, e.Replaces, e.Why = logdb.OpRevise, logdb.Position(target+1), logdb.Digest{1}, "late"
			}
		}
		if e.Row != nil && e.Op == logdb.OpAdd {
			rows = append(rows, e)
		} else {
			b.Entries = append(b.Entries, e)
		}
	}
	b.Rows = columns(rows)
	journals[key] = append(journal, entries(b.Rows, b.Entries)...)
	if g.chance(60) {
		for i := range len(rows) + len(b.Entries) {
			b.Raw = append(b.Raw, []byte{byte(i), byte(len(journal)), 7})
		}
		b.Snapshot = logdb.DigestOf([]byte("settings"))
	}
	if g.chance(20) && (kind == logdb.KindLimit || kind == logdb.KindPQ) {
		b.Open = &logdb.OpenSet{Log: logdb.LogNo(g.IntN(2))}
		for range g.IntN(3) {
			b.Open.Starts = append(b.Open.Starts, logdb.OpenStart{Log: b.Open.Log, Start: t, Event: *g.excursion(kind), Raw: []byte{1}})
		}
	}
	return appendOf(b)
}

// rare makes what happens seldom.
func (g *generator) rare(s *sender) operation {
	o := operation{meter: s.meter, kind: s.kind}
	switch g.IntN(13) {
	case 0, 1, 2:
		o.text, o.reopen = "reopen", true
		o.apply = func(context.Context, logdb.Store) (string, error) { return "", nil }
	case 3:
		o.text = "clear"
		o.apply = func(ctx context.Context, st logdb.Store) (string, error) { return "", st.Clear(ctx, s.meter, s.kind) }
	case 4, 5:
		return g.forget(s)
	case 6:
		if g.chance(50) {
			return g.renewSource(s)
		}
		o.text = "renew the journal"
		o.apply = func(ctx context.Context, st logdb.Store) (string, error) {
			head, err := st.RenewJournal(ctx, s.meter, s.kind)
			return fmt.Sprint(head), err
		}
	case 7:
		o.text = "put settings"
		name := fmt.Sprint("name ", g.IntN(9))
		o.apply = func(ctx context.Context, st logdb.Store) (string, error) {
			return "", st.PutSettings(ctx, s.meter, logdb.Settings{UID: s.meter, Name: name, Zone: "Europe/Berlin", LogIntervalsMillis: []int64{900_000}})
		}
	case 8:
		return g.back(s)
	default:
		return g.tidy(s)
	}
	return o
}

// renewSource renews a journal that is made for a source.
func (g *generator) renewSource(s *sender) operation {
	source := pickOne(g, "key-1", "key-2")
	return operation{
		meter: s.meter, kind: s.kind, text: "renew the journal of " + source,
		apply: func(ctx context.Context, st logdb.Store) (string, error) {
			states, err := st.Streams(ctx, s.meter, s.kind)
			i := slices.IndexFunc(states, func(st logdb.StreamState) bool { return st.Source == source })
			if err != nil || i < 0 {
				return "", err
			}
			head, err := st.RenewSource(ctx, s.meter, s.kind, states[i].Stream.Journal)
			return fmt.Sprint(head), err
		},
	}
}

// tidy compacts, and every second time moves all into the archive of a store that has one.
func (g *generator) tidy(s *sender) operation {
	if g.tidied++; g.tidied%2 == 1 {
		return compactOf(s)
	}
	return operation{
		meter: s.meter, kind: s.kind, text: "archive",
		apply: func(ctx context.Context, st logdb.Store) (string, error) {
			l, ok := st.(logdb.Ladder)
			if !ok {
				return "", nil
			}
			_, err := l.Archive(ctx, s.meter, logdb.MaxTime+1)
			if err == nil {
				_, err = l.ArchiveRecordings(ctx, s.meter, logdb.MaxTime+1)
			}
			return "", err
		},
	}
}

func compactOf(s *sender) operation {
	return operation{
		meter: s.meter, kind: s.kind, text: "compact",
		apply: func(ctx context.Context, st logdb.Store) (string, error) { return "", st.Compact(ctx, s.meter) },
	}
}

// forget takes a range out of one of the streams that are there, whoever made it.
func (g *generator) forget(s *sender) operation {
	which := g.IntN(9)
	first := pickOne(g, s.journal[g.IntN(len(s.journal))].Time, day0)
	last := first + pickOne[logdb.Millis](g, 1, 60_000, 3_600_000, logdb.DayMillis)
	return operation{
		meter: s.meter, kind: s.kind, text: fmt.Sprintf("forget from %d to %d in stream number %d", first, last, which),
		apply: func(ctx context.Context, st logdb.Store) (string, error) {
			states, err := st.Streams(ctx, s.meter, s.kind)
			if err != nil || len(states) == 0 {
				return "", err
			}
			n, err := st.Forget(ctx, s.meter, s.kind, states[which%len(states)].Stream, first, last)
			return fmt.Sprint(n), err
		},
	}
}

// back sends the node its own journal under another policy, or what that journal would be if it were longer.
func (g *generator) back(s *sender) operation {
	first, limit, beyond := logdb.Position(1+g.IntN(20)), 1+g.IntN(20), g.chance(25)
	return operation{
		meter: s.meter, kind: s.kind, text: fmt.Sprintf("own entries come back from %d on, %d of them, beyond the end %v", first, limit, beyond),
		apply: func(ctx context.Context, st logdb.Store) (string, error) {
			head, err := st.Journal(ctx, s.meter, s.kind)
			if err != nil {
				return "", err
			}
			p, err := st.ReadStream(ctx, s.meter, s.kind, logdb.StreamID{Journal: head.ID, Policy: "0"}, first, limit)
			if err != nil {
				return "", err
			}
			p.Stream.Policy = "1"
			if beyond {
				p.JournalEnd++
			}
			r, err := st.Accept(ctx, p, logdb.Limits{})
			return fmt.Sprint(counts(r)), err
		},
	}
}
