package logdbtest

import (
	"strconv"

	"metermanager/logdb"
)

// sourceRules is a table: a rule a line, with its check.
func sourceRules() []rule {
	return []rule{
		{"journals of two nodes about one meter are alternatives, never merged", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, wh, 5))
			f.want("the other's", counts(f.send(logdb.KindHistorical, b1, row(1, day0, wh, 5))), "[1 0 0 0]")
			list, err := f.Series(f.ctx, f.meter)
			f.must(err)
			f.want("series", len(list), 2)
			for _, s := range list {
				f.want("values of one", []any{s.Count, s.First, s.Last, s.LastValue}, []any{1, day0, day0, 5})
			}
			f.want("sum of one", f.buckets(wh, day0-1, day0+1)[0].Sum, 5)
		}},
		{"a record that comes directly and through another node is one record", func(f *fixture) {
			relay := NewModel(Config{})
			page := f.page(logdb.KindSystem, a1, system(1, day0, 1), revise(system(0, day0, 2), 2, 1), fate(3, 4, logdb.FateSkipped, day0), system(5, day0, 5))
			_, err := relay.Accept(f.ctx, page, logdb.Limits{})
			f.must(err)
			forwarded, err := relay.ReadStream(f.ctx, f.meter, logdb.KindSystem, a1, 1, 100)
			f.must(err)
			f.want("first way", counts(f.accept(forwarded)), "[2 0 1 0]")
			f.want("second way", counts(f.accept(page)), "[0 3 0 0]")
			f.want("fates", f.fates(logdb.KindSystem, a1, 5), "ssxxs")
			f.want("codes", f.codes(), "[2 5]")
		}},
		{"an own record that comes back is not stored again", func(f *fixture) {
			a := f.append(logdb.KindHistorical, row(0, day0, volts, 1), row(0, day0+minute, volts, 2))
			back := logdb.StreamID{Journal: a.Journal, Policy: "3"}
			f.want("receipt", counts(f.send(logdb.KindHistorical, back, row(1, day0, volts, 1), row(2, day0+minute, volts, 2))), "[0 2 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, back, 2), "hh")
			f.want("values", f.values(volts), "[1 2]")
		}},
		{"a raw answer replays into another node without loss", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, history(30)...)
			if trouble := replay(f.ctx, f.Store, logKey{f.meter, logdb.KindHistorical}, look{edges: []logdb.Millis{0, day0, day0 + day}, page: 4}); trouble != "" {
				f.Error(trouble)
			}
		}},
		// Hole: the revise came first and was stored, then the limits refused its target.
		{"a revise that is held while its target was refused survives a replay", func(f *fixture) {
			f.limits = logdb.Limits{System: []logdb.Window{{Name: "day", Millis: day, Max: 1}}}
			f.send(logdb.KindSystem, a1, revise(system(0, day0, 9), 3, 2))
			f.send(logdb.KindSystem, a1, system(1, day0, 1), system(2, day0, 2))
			f.want("fates", f.fates(logdb.KindSystem, a1, 3), "sxs")
			f.want("codes", f.codes(), "[1 9]")
			if trouble := replay(f.ctx, f.Store, logKey{f.meter, logdb.KindSystem}, look{edges: []logdb.Millis{0, day0, day0 + day}, page: 9}); trouble != "" {
				f.Error(trouble)
			}
		}},
		{"the meter's logs are series of their own", func(f *fixture) {
			fast, slow := row(1, day0, wh, 1), row(2, day0, wh, 15)
			slow.Log = 1
			f.send(logdb.KindHistorical, a1, fast, slow)
			list, err := f.Series(f.ctx, f.meter)
			f.must(err)
			f.want("logs", []any{len(list), list[0].Log, list[0].LastValue, list[1].Log, list[1].LastValue}, "[2 0 1 1 15]")
		}},
	}
}

// contentRules is a table: a rule a line, with its check.
func contentRules() []rule {
	posted := func(f *fixture, kind logdb.Kind, source string) logdb.StreamState {
		f.Helper()
		states, err := f.Streams(f.ctx, f.meter, kind)
		f.must(err)
		for _, s := range states {
			if s.Source == source {
				return s
			}
		}
		f.Fatalf("there is no journal of %s", source)
		return logdb.StreamState{}
	}
	return []rule{
		{"what was seen before is a repeat", func(f *fixture) {
			f.want("first", counts(f.post(logdb.KindHistorical, "key", row(0, day0, volts, 1), row(0, day0+minute, volts, 2))), "[2 0 0 0]")
			f.want("overlap", counts(f.post(logdb.KindHistorical, "key", row(0, day0+minute, volts, 2), row(0, day0+2*minute, volts, 3))), "[1 1 0 0]")
			f.want("other value", counts(f.post(logdb.KindHistorical, "key", row(0, day0, volts, 9))), "[1 0 0 0]")
			f.want("values", f.values(volts), "[1 9 2 3]")
			f.post(logdb.KindSystem, "key", system(0, day0, 1))
			f.want("event", counts(f.post(logdb.KindSystem, "key", system(0, day0, 1), system(0, day0, 2))), "[1 1 0 0]")
			f.post(logdb.KindWaveform, "key", recorded(0, day0, 30))
			f.want("recording", counts(f.post(logdb.KindWaveform, "key", recorded(0, day0, 30), recorded(0, day0, 31))), "[1 1 0 0]")
		}},
		{"equal records inside a page are kept as often as the page with most copies holds them", func(f *fixture) {
			e, r := system(0, day0, 1), row(0, day0, volts, 1)
			f.want("two", counts(f.post(logdb.KindSystem, "key", e, e)), "[2 0 0 0]")
			f.want("one", counts(f.post(logdb.KindSystem, "key", e)), "[0 1 0 0]")
			f.want("three", counts(f.post(logdb.KindSystem, "key", e, e, e)), "[1 2 0 0]")
			f.want("two rows", counts(f.post(logdb.KindHistorical, "key", r, r)), "[2 0 0 0]")
			f.want("three rows", counts(f.post(logdb.KindHistorical, "key", r, r, r)), "[1 2 0 0]")
			f.want("kept", []any{f.codes(), f.values(volts)}, "[[1 1 1] [1 1 1]]")
		}},
		{"other channels of a known time are new", func(f *fixture) {
			f.post(logdb.KindHistorical, "key", row(0, day0, volts, 1))
			both := row(0, day0, volts, 1)
			both.Row.Channels, both.Row.Values = append(both.Row.Channels, wh), append(both.Row.Values, 5)
			f.want("receipt", counts(f.post(logdb.KindHistorical, "key", both)), "[1 0 0 0]")
			f.want("values", []any{f.values(volts), f.values(wh)}, "[[1] [5]]")
			f.want("again", counts(f.post(logdb.KindHistorical, "key", both)), "[0 1 0 0]")
		}},
		{"each credential has its own journal", func(f *fixture) {
			f.post(logdb.KindSystem, "key", system(0, day0, 1))
			f.want("the other's", counts(f.post(logdb.KindSystem, "other", system(0, day0, 1))), "[1 0 0 0]")
			a, b := posted(f, logdb.KindSystem, "key"), posted(f, logdb.KindSystem, "other")
			f.want("journals", []any{a.Stream != b.Stream, a.Own, b.Own, a.JournalEnd, b.JournalEnd}, "[true false false 1 1]")
		}},
		{"an open event is superseded by its end", func(f *fixture) {
			f.post(logdb.KindPQ, "key", sag(0, day0, nan()))
			f.want("end", counts(f.post(logdb.KindPQ, "key", sag(0, day0, 2))), "[0 0 1 0]")
			f.want("durations", f.durations(), "[2]")
			f.want("old page again", counts(f.post(logdb.KindPQ, "key", sag(0, day0, nan()))), "[0 1 0 0]")
			f.want("durations", f.durations(), "[2]")
		}},
		{"one end supersedes one start", func(f *fixture) {
			f.post(logdb.KindPQ, "key", sag(0, day0, nan()), sag(0, day0, nan()))
			f.post(logdb.KindPQ, "key", sag(0, day0, 2))
			f.want("one of two", f.durations(), "[2 NaN]")
			f.want("another end", counts(f.post(logdb.KindPQ, "key", sag(0, day0, 3))), "[0 0 1 0]")
			f.want("both", f.durations(), "[2 3]")
			f.want("a third", counts(f.post(logdb.KindPQ, "key", sag(0, day0, 4))), "[1 0 0 0]")
			f.want("three", f.durations(), "[2 3 4]")
		}},
		{"an end supersedes a start of the same channel, type and limit only", func(f *fixture) {
			start, other := sag(0, day0, nan()), sag(0, day0, 2)
			other.Excursion.Channel = "readings.voltage.bn"
			f.post(logdb.KindPQ, "key", start, other)
			surge := sag(0, day0, 2)
			surge.Excursion.Type = logdb.ExcursionAbove
			f.post(logdb.KindPQ, "key", surge)
			later := sag(0, day0+1, 2)
			f.post(logdb.KindPQ, "key", later)
			f.want("durations", f.durations(), "[NaN 2 2 2]")
		}},
		// Hole: pages come in any order, so the end may be posted before its start.
		{"a start that comes after its end is a repeat", func(f *fixture) {
			f.post(logdb.KindPQ, "key", sag(0, day0, 2))
			f.want("start", counts(f.post(logdb.KindPQ, "key", sag(0, day0, nan()))), "[0 1 0 0]")
			f.want("durations", f.durations(), "[2]")
			f.want("start again", counts(f.post(logdb.KindPQ, "key", sag(0, day0, nan()))), "[0 1 0 0]")
			f.want("two starts", counts(f.post(logdb.KindPQ, "key", sag(0, day0, nan()), sag(0, day0, nan()))), "[1 1 0 0]")
			f.want("durations", f.durations(), "[2 NaN]")
		}},
		{"start and end in one page are one event", func(f *fixture) {
			f.want("receipt", counts(f.post(logdb.KindPQ, "key", sag(0, day0, nan()), sag(0, day0, 2))), "[1 0 1 0]")
			f.want("durations", f.durations(), "[2]")
		}},
		{"contents that were cleared do not come back", func(f *fixture) {
			page := []any{row(0, day0, volts, 1), row(0, day0, volts, 1)}
			f.post(logdb.KindHistorical, "key", page...)
			f.post(logdb.KindSystem, "key", system(0, day0, 1))
			f.must(f.Clear(f.ctx, f.meter, logdb.KindHistorical))
			f.must(f.Clear(f.ctx, f.meter, logdb.KindSystem))
			f.after(f)
			f.want("rows", counts(f.post(logdb.KindHistorical, "key", page...)), "[0 2 0 0]")
			f.want("event", counts(f.post(logdb.KindSystem, "key", system(0, day0, 1))), "[0 1 0 0]")
			f.want("one more copy", counts(f.post(logdb.KindHistorical, "key", append(page, page[0])...)), "[1 2 0 0]")
		}},
		{"contents that were skipped do not come back", func(f *fixture) {
			f.limits = logdb.Limits{System: []logdb.Window{{Name: "day", Millis: day, Max: 1}}, HistoricalIntervalMillis: int64(minute)}
			f.want("events", counts(f.post(logdb.KindSystem, "key", system(0, day0, 1), system(0, day0, 2))), "[1 0 0 1]")
			f.want("rows", counts(f.post(logdb.KindHistorical, "key", row(0, day0, volts, 1), row(0, day0+1, volts, 2))), "[1 0 0 1]")
			f.limits = logdb.Limits{}
			f.want("event again", counts(f.post(logdb.KindSystem, "key", system(0, day0, 2))), "[0 1 0 0]")
			f.want("row again", counts(f.post(logdb.KindHistorical, "key", row(0, day0+1, volts, 2))), "[0 1 0 0]")
			s := posted(f, logdb.KindSystem, "key")
			f.want("fates", f.fates(logdb.KindSystem, s.Stream, 2), "sx")
		}},
		{"a recording that was shortened is known by what was posted", func(f *fixture) {
			f.limits = logdb.Limits{WaveformSamples: 20}
			f.post(logdb.KindWaveform, "key", recorded(0, day0, 90))
			f.want("again", counts(f.post(logdb.KindWaveform, "key", recorded(0, day0, 90))), "[0 1 0 0]")
		}},
		{"what is to be sent again is new again", func(f *fixture) {
			f.post(logdb.KindHistorical, "key", row(0, day0, volts, 1), row(0, day0+minute, volts, 2))
			s := posted(f, logdb.KindHistorical, "key")
			n, err := f.Forget(f.ctx, f.meter, logdb.KindHistorical, s.Stream, day0, day0+minute)
			f.must(err)
			f.after(f)
			f.want("forgotten", n, 1)
			f.want("posted again", counts(f.post(logdb.KindHistorical, "key", row(0, day0, volts, 1), row(0, day0+minute, volts, 2))), "[1 1 0 0]")
			f.want("values", f.values(volts), "[1 2]")
			f.want("fates", f.fates(logdb.KindHistorical, s.Stream, 3), ".ss")
			f.post(logdb.KindPQ, "key", sag(0, day0, nan()), sag(0, day0+hour, 5))
			f.post(logdb.KindPQ, "key", sag(0, day0, 2))
			_, err = f.Forget(f.ctx, f.meter, logdb.KindPQ, posted(f, logdb.KindPQ, "key").Stream, day0, day0+minute)
			f.must(err)
			f.after(f)
			f.want("events left", f.durations(), "[5]")
			f.want("start and end again", counts(f.post(logdb.KindPQ, "key", sag(0, day0, nan()), sag(0, day0, 2), sag(0, day0+hour, 5))), "[1 1 1 0]")
			f.want("events", f.durations(), "[2 5]")
		}},
		{"a corrected row that is to be sent again is new again", func(f *fixture) {
			f.post(logdb.KindHistorical, "key", row(0, day0, volts, 1), row(0, day0+minute, volts, 2))
			s := posted(f, logdb.KindHistorical, "key")
			e := revise(row(0, day0, volts, 9), 0, 1)
			e.Position = 3
			_, err := f.Accept(f.ctx, logdb.Page{Meter: f.meter, Kind: logdb.KindHistorical, Stream: s.Stream, Entries: []logdb.Entry{e}, JournalEnd: 3}, logdb.Limits{})
			f.must(err)
			f.want("values", f.values(volts), "[9 2]")
			n, err := f.Forget(f.ctx, f.meter, logdb.KindHistorical, s.Stream, day0, day0+minute)
			f.must(err)
			f.after(f)
			f.want("forgotten", n, 1)
			f.want("posted again", counts(f.post(logdb.KindHistorical, "key", row(0, day0, volts, 1), row(0, day0+minute, volts, 2))), "[1 1 0 0]")
			f.want("values", f.values(volts), "[1 2]")
		}},
		{"other channels of a minute are not over pace", func(f *fixture) {
			f.limits = logdb.DefaultLimits()
			f.post(logdb.KindHistorical, "key", row(0, day0, volts, 1))
			f.want("receipt", counts(f.post(logdb.KindHistorical, "key", row(0, day0, wh, 5))), "[1 0 0 0]")
		}},
		{"a page can only add", func(f *fixture) {
			p := f.page(logdb.KindSystem, logdb.StreamID{}, revise(system(0, day0, 1), 0, 1))
			p.Source = "key"
			_, err := f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("revise", err, logdb.ErrInvalid)
			p = f.page(logdb.KindSystem, logdb.StreamID{}, system(0, day0, 1))
			_, err = f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("without a source", err, logdb.ErrInvalid)
		}},
		{"its chain runs over all entries, and can be asked for at the end of a page", func(f *fixture) {
			f.limits = logdb.Limits{PQ: []logdb.Window{{Name: "day", Millis: day, Max: 2}}}
			f.post(logdb.KindPQ, "key", sag(0, day0, nan()), sag(0, day0+1, 1))
			f.post(logdb.KindPQ, "key", sag(0, day0, 2), sag(0, day0+2, 1)) // the last one is skipped
			f.post(logdb.KindPQ, "key", sag(0, day0, 2))                    // and this one a repeat
			end := sag(3, day0, 2)
			end.Op, end.Target = logdb.OpRevise, 1
			var ends []logdb.Digest
			var chain logdb.Digest
			for _, e := range []logdb.Entry{sag(1, day0, nan()), sag(2, day0+1, 1), end, sag(4, day0+2, 1)} {
				chain = e.Chain(chain)
				ends = append(ends, chain)
			}
			s := posted(f, logdb.KindPQ, "key")
			f.want("end", []any{s.JournalEnd, s.Chain}, []any{4, ends[3]})
			for p, want := range map[logdb.Position]error{1: logdb.ErrNotFound, 2: nil, 3: logdb.ErrNotFound, 4: nil, 5: logdb.ErrNotFound} {
				at, err := f.SourceChainAt(f.ctx, f.meter, logdb.KindPQ, s.Stream.Journal, p)
				f.wantErr("position "+strconv.Itoa(int(p)), err, want)
				if want == nil {
					f.want("chain", at, ends[p-1])
				}
			}
			_, err := f.SourceChainAt(f.ctx, f.meter, logdb.KindPQ, "another", 2)
			f.wantErr("another journal", err, logdb.ErrNotFound)
			both := row(0, day0, volts, 2)
			both.Row.Channels, both.Row.Values = append(both.Row.Channels, wh), append(both.Row.Values, 5)
			f.post(logdb.KindHistorical, "key", both)
			both.Position = 1
			f.want("rows", posted(f, logdb.KindHistorical, "key").Chain, both.Chain(logdb.Digest{}))
		}},
		{"a renewed one keeps entries, positions and contents under a new id", func(f *fixture) {
			f.post(logdb.KindSystem, "key", system(0, day0, 1), system(0, day0, 2))
			f.post(logdb.KindSystem, "other", system(0, day0, 3))
			old, other := posted(f, logdb.KindSystem, "key"), posted(f, logdb.KindSystem, "other")
			head, err := f.RenewSource(f.ctx, f.meter, logdb.KindSystem, old.Stream.Journal)
			f.must(err)
			f.after(f)
			if head.ID == old.Stream.Journal || head.End != 2 || head.Chain != old.Chain {
				f.Errorf("renewed %v into %v", old, head)
			}
			_, err = f.RenewSource(f.ctx, f.meter, logdb.KindSystem, old.Stream.Journal)
			f.wantErr("the old id", err, logdb.ErrNotFound)
			f.want("the other's", posted(f, logdb.KindSystem, "other").Stream, other.Stream)
			f.want("fates", f.fates(logdb.KindSystem, logdb.StreamID{Journal: head.ID, Policy: "0"}, 3), "ss.")
			f.want("posted again", counts(f.post(logdb.KindSystem, "key", system(0, day0, 2), system(0, day0, 4))), "[1 1 0 0]")
			now := posted(f, logdb.KindSystem, "key")
			f.want("next", []any{now.Stream.Journal == head.ID, now.JournalEnd}, "[true 3]")
			at, err := f.SourceChainAt(f.ctx, f.meter, logdb.KindSystem, head.ID, 2)
			f.must(err)
			f.want("chain before", at, old.Chain)
			own := f.append(logdb.KindSystem, system(0, day0, 5))
			_, err = f.RenewSource(f.ctx, f.meter, logdb.KindSystem, own.Journal)
			f.wantErr("the own journal", err, logdb.ErrNotFound)
			// What the old one sent comes back as another node's: nothing is taken for a repeat.
			f.want("the old journal's", counts(f.send(logdb.KindSystem, old.Stream, system(3, day0, 9))), "[1 0 0 0]")
		}},
		// A node was restored from a backup, or began as a copy of the one that makes the journal.
		{"a page of it is held against every end that it had", func(f *fixture) {
			f.post(logdb.KindSystem, "key", system(0, day0, 1), system(0, day0, 2))
			one := posted(f, logdb.KindSystem, "key")
			f.post(logdb.KindSystem, "key", system(0, day0, 3), system(0, day0, 4))
			try := func(title string, end logdb.Position, chain logdb.Digest, want error) {
				f.Helper()
				p := withEnd(f.page(logdb.KindSystem, one.Stream, system(2, day0, 2)), end)
				now := posted(f, logdb.KindSystem, "key")
				p.Chain, p.Seen = chain, &logdb.End{Position: now.JournalEnd, Chain: now.Chain}
				_, err := f.Accept(f.ctx, p, logdb.Limits{})
				f.wantErr(title, err, want)
			}
			try("as it was", 2, one.Chain, nil)
			try("without a chain", 4, logdb.Digest{}, nil)
			try("other entries at an end", 2, logdb.Digest{9}, logdb.ErrConflict)
			try("an end that there never was", 3, logdb.Digest{9}, logdb.ErrConflict)
			try("beyond the end", 5, logdb.Digest{9}, logdb.ErrConflict)
			try("beyond the end, without a chain", 5, logdb.Digest{}, logdb.ErrConflict)
			f.want("codes", f.codes(), "[1 2 3 4]")
		}},
		{"a correction made here goes on in it, and the chain with it", func(f *fixture) {
			f.post(logdb.KindSystem, "key", system(0, day0, 1))
			one := posted(f, logdb.KindSystem, "key")
			change := revise(system(0, day0, 7), 2, 1)
			f.want("receipt", counts(f.accept(f.page(logdb.KindSystem, one.Stream, change))), "[0 0 1 0]")
			s := posted(f, logdb.KindSystem, "key")
			f.want("end", []any{s.JournalEnd, s.Chain, len(s.Ends)}, []any{2, change.Chain(one.Chain), 0})
			at, err := f.SourceChainAt(f.ctx, f.meter, logdb.KindSystem, s.Stream.Journal, 2)
			f.must(err)
			f.want("chain there", at, s.Chain)
			f.post(logdb.KindSystem, "key", system(0, day0, 8))
			next := system(3, day0, 8)
			f.want("goes on", posted(f, logdb.KindSystem, "key").Chain, next.Chain(s.Chain))
			f.want("codes", f.codes(), "[7 8]")
		}},
		{"the journal that is made can be read and relayed as any other", func(f *fixture) {
			f.post(logdb.KindPQ, "key", sag(0, day0, nan()), sag(0, day0+minute, 1))
			f.post(logdb.KindPQ, "key", sag(0, day0, 2))
			if trouble := replay(f.ctx, f.Store, logKey{f.meter, logdb.KindPQ}, look{edges: []logdb.Millis{0, day0, day0 + day}, page: 2}); trouble != "" {
				f.Error(trouble)
			}
		}},
	}
}
