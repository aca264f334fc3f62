package logdbtest

import (
	"math/rand/v2"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// streamRules is a table: a rule a line, with its check.
func streamRules() []rule {
	return []rule{
		{"every position gets one fate, decided once", func(f *fixture) {
			f.send(logdb.KindSystem, a1, system(1, day0, 1), fate(2, 2, logdb.FateSkipped, day0), fate(3, 3, logdb.FateNotChosen, day0), fate(4, 4, logdb.FateHeld, day0))
			f.want("fates", f.fates(logdb.KindSystem, a1, 5), "sxnh.")
			r := f.send(logdb.KindSystem, a1, fate(1, 1, logdb.FateSkipped, day0), system(2, day0, 2), system(3, day0, 3), system(4, day0, 4), system(5, day0, 5))
			f.want("receipt", counts(r), "[1 3 0 0]")
			f.want("fates", f.fates(logdb.KindSystem, a1, 5), "sxnhs")
			f.want("codes", f.codes(), "[1 5]")
		}},
		{"cuts are free: any order, overlap and repetition ends alike", func(f *fixture) {
			list := history(24)
			want := modelFixture(f)
			want.accept(withEnd(want.page(logdb.KindHistorical, a1, list...), 24))
			rng := rand.New(rand.NewPCG(7, 7))
			for n := 0; n < 8 || f.stream(logdb.KindHistorical, a1).Fates.Len() < 24; n++ {
				from := rng.IntN(len(list))
				f.accept(withEnd(f.page(logdb.KindHistorical, a1, list[from:min(len(list), from+1+rng.IntN(9))]...), 24))
			}
			if d := difference(want.all(logdb.KindHistorical), f.all(logdb.KindHistorical), false); d != "" {
				f.Error(d)
			}
		}},
		{"a page may not reach beyond the end of its journal", func(f *fixture) {
			p := f.page(logdb.KindSystem, a1, system(2, day0, 1))
			p.JournalEnd = 1
			_, err := f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("record beyond", err, logdb.ErrInvalid)
			p = f.page(logdb.KindSystem, a1, fate(1, 9, logdb.FateNotChosen, day0))
			p.JournalEnd = 8
			_, err = f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("fates beyond", err, logdb.ErrInvalid)
		}},
		{"a claim of stored without the record is refused", func(f *fixture) {
			p := f.page(logdb.KindSystem, a1, logdb.FateRange{First: 1, Last: 3, Fate: logdb.FateStored})
			_, err := f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("claim", err, logdb.ErrInvalid)
		}},
		{"the sets hold fates, end and chain of the sender", func(f *fixture) {
			p := f.page(logdb.KindSystem, a1, system(3, day0, 1))
			p.JournalEnd, p.Chain = 9, logdb.Digest{9}
			f.accept(p)
			p.JournalEnd, p.Chain = 5, logdb.Digest{5}
			f.accept(p)
			s := f.stream(logdb.KindSystem, a1)
			f.want("end, chain, missing", []any{s.JournalEnd, s.Chain, s.Fates.Missing(1, s.JournalEnd), s.Fates.Highest()}, []any{9, logdb.Digest{9}, "[[1 2] [4 9]]", 3})
		}},
		{"a page without positions to decide still tells the end", func(f *fixture) {
			p := f.page(logdb.KindSystem, a1)
			p.JournalEnd, p.Chain = 4, logdb.Digest{4}
			f.accept(p)
			f.want("end", f.stream(logdb.KindSystem, a1).JournalEnd, 4)
		}},
		{"a revise after a change of policy supersedes the record of the old stream", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0+minute, volts, 2))
			f.want("revise", counts(f.send(logdb.KindHistorical, a2, revise(row(0, day0, volts, 10), 3, 1), row(4, day0+2*minute, volts, 4))), "[1 0 1 0]")
			f.want("values", sortedFloats(f.values(volts)), "[2 4 10]")
			f.send(logdb.KindSystem, a2, revise(system(0, day0, 2), 5, 1))
			f.send(logdb.KindSystem, a1, system(1, day0, 1))
			f.want("codes", f.codes(), "[2]")
			f.want("records of the old stream", f.tallies(logdb.KindSystem, a1)[day0].Count, 1)
			f.want("records of the new stream", len(f.tallies(logdb.KindSystem, a2)), 0)
		}},
		{"a position that a stream of the same cut has stored is held in another", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0+minute, volts, 2))
			r := f.send(logdb.KindHistorical, a2, row(2, day0+minute, volts, 2), row(3, day0+2*minute, volts, 3))
			f.want("receipt", counts(r), "[1 1 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, a2, 3), ".hs")
			f.want("values", sortedFloats(f.values(volts)), "[1 2 3]")
		}},
		{"a position that a stream of the same cut has reduced is held in another", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, reduced(1, 1, 2, day0), row(2, day0+minute, wh, 30))
			f.send(logdb.KindHistorical, a2, row(1, day0+minute/2, wh, 10), row(2, day0+minute, wh, 20))
			f.want("fates", f.fates(logdb.KindHistorical, a2, 2), "hh")
			f.want("values", f.values(wh), "[30]")
		}},
		{"what a stream of the same cut has skipped, another may store", func(f *fixture) {
			f.send(logdb.KindSystem, a1, fate(1, 1, logdb.FateSkipped, day0))
			f.want("receipt", counts(f.send(logdb.KindSystem, a2, system(1, day0, 1))), "[1 0 0 0]")
			f.want("codes", f.codes(), "[1]")
			f.want("then requested", counts(f.request(logdb.KindSystem, a1, system(1, day0, 1))), "[0 1 0 0]")
			f.want("codes", f.codes(), "[1]")
		}},
		{"channels added later come as a stream of their own", func(f *fixture) {
			added := logdb.StreamID{Journal: journalA, Policy: "1+1"}
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1))
			f.want("receipt", counts(f.send(logdb.KindHistorical, added, row(1, day0, wh, 5))), "[1 0 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, added, 1), "s")
			f.want("values", []any{f.values(volts), f.values(wh)}, "[[1] [5]]")
			f.want("the revise in one of them", counts(f.send(logdb.KindHistorical, added, revise(row(0, day0, wh, 6), 2, 1))), "[0 0 1 0]")
			f.want("values", []any{f.values(volts), f.values(wh)}, "[[1] [6]]")
		}},
		{"a revise gets the fate of its target", func(f *fixture) {
			f.send(logdb.KindSystem, a1, fate(1, 1, logdb.FateSkipped, day0), fate(2, 2, logdb.FateNotChosen, day0), fate(3, 3, logdb.FateHeld, day0), system(4, day0, 4))
			r := f.send(logdb.KindSystem, a1, revise(system(0, day0, 11), 5, 1), revise(system(0, day0, 12), 6, 2), withdraw(7, 3, day0), revise(system(0, day0, 14), 8, 4))
			f.want("receipt", counts(r), "[0 2 1 1]")
			f.want("fates", f.fates(logdb.KindSystem, a1, 8), "xnhsxnhs")
			f.want("codes", f.codes(), "[14]")
		}},
		{"of a skipped target the revise is what is fetched on request", func(f *fixture) {
			f.send(logdb.KindSystem, a1, fate(1, 2, logdb.FateSkipped, day0))
			f.want("receipt", counts(f.request(logdb.KindSystem, a1, revise(system(0, day0, 2), 2, 1))), "[0 0 1 0]")
			f.want("codes", f.codes(), "[2]")
			f.want("undecided", counts(f.request(logdb.KindSystem, a1, revise(system(0, day0, 3), 3, 1))), "[0 0 1 0]")
			f.want("codes", f.codes(), "[3]")
		}},
		{"a range of fates takes the room of one entry in a page, however long it is", func(f *fixture) {
			f.send(logdb.KindSystem, a1, system(1, day0, 1), fate(2, 900_000, logdb.FateNotChosen, day0), fate(900_001, 900_004, logdb.FateSkipped, day0), system(900_005, day0, 2))
			page, err := f.ReadStream(f.ctx, f.meter, logdb.KindSystem, a1, 1, 3)
			f.must(err)
			f.want("fates", len(page.Fates), 2)
			f.want("entries", len(page.Entries), 1)
			page, err = f.ReadStream(f.ctx, f.meter, logdb.KindSystem, a1, 500, 3)
			f.must(err)
			f.want("from the middle", []any{page.Fates[0].First, page.Fates[0].Last, len(page.Entries)}, []any{500, 900_000, 1})
		}},
		{"a combined row stands for the rows reduced into it", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, reduced(1, 3, 4, day0), row(4, day0+minute, wh, 40))
			f.want("fates", f.fates(logdb.KindHistorical, a1, 4), "rrrs")
			f.want("late row", counts(f.send(logdb.KindHistorical, a1, row(2, day0, wh, 9))), "[0 1 0 0]")
			f.want("values", f.values(wh), "[40]")
		}},
		{"a shortened recording keeps where it came from; the full one is a variant of the same entry", func(f *fixture) {
			full := recorded(1, day0, 400)
			short, _ := limit.ShortenEntry(&full, logdb.Limits{WaveformSamples: 64})
			f.send(logdb.KindWaveform, a1, short)
			one, err := f.Recording(f.ctx, f.meter, a1, 1)
			f.must(err)
			f.want("source", *one.Waveform.Source, logdb.WaveSource{Start: day0, Samples: 400, SampleIntervalMillis: 1, Digest: full.ContentDigest()})
			f.want("trigger", one.Waveform.TriggerTime, full.Waveform.TriggerTime)
			f.want("without being asked for", counts(f.send(logdb.KindWaveform, a1, full)), "[0 1 0 0]")
			other := recorded(1, day0, 399)
			f.want("another recording", counts(f.request(logdb.KindWaveform, a1, other)), "[0 1 0 0]")
			f.want("requested", counts(f.request(logdb.KindWaveform, a1, full)), "[1 0 0 0]")
			f.want("once", counts(f.request(logdb.KindWaveform, a1, full)), "[0 1 0 0]")
			one, err = f.Recording(f.ctx, f.meter, a1, 1)
			f.must(err)
			f.want("full", one.ContentDigest(), full.ContentDigest())
			f.want("recordings", len(f.events(logdb.EventQuery{Kind: logdb.KindWaveform})), 1)
		}},
	}
}

// history is a stream with everything in it, a position after the other from 1 to n.
func history(n logdb.Position) []any {
	var out []any
	for p := logdb.Position(1); p <= n; p++ {
		t := day0 + logdb.Millis(p)*hour
		switch {
		case p%11 == 0:
			out = append(out, withdraw(p, p-3, t))
		case p%5 == 0:
			out = append(out, revise(row(0, t-2*hour, volts, float64(p)), p, p-pastTarget(p)))
		case p%7 == 0:
			out = append(out, fate(p, p, logdb.FateNotChosen, t))
		case p%13 == 0:
			out = append(out, logdb.Entry{Position: p, Op: logdb.OpClose, Time: t})
		default:
			out = append(out, row(p, t, volts, float64(p)))
		}
	}
	return out
}

// pastTarget is how far back the add lies that position p of history revises.
func pastTarget(p logdb.Position) logdb.Position {
	if p%15 == 0 {
		return 3
	}
	return 1
}

func withEnd(p logdb.Page, end logdb.Position) logdb.Page {
	p.JournalEnd = end
	return p
}
