package logdbtest

import (
	"fmt"
	"slices"

	"metermanager/logdb"
)

// journalRules is a table: a rule a line, with its check.
func journalRules() []rule {
	return []rule{
		{"entries are numbered 1, 2, 3 without holes", func(f *fixture) {
			a := f.append(logdb.KindSystem, system(0, day0, 1), system(0, day0, 2))
			b := f.append(logdb.KindSystem, system(0, day0, 3))
			f.want("first batch", []logdb.Position{a.First, a.Last}, "[1 2]")
			f.want("second batch", []logdb.Position{b.First, b.Last}, "[3 3]")
			f.want("fates", f.fates(logdb.KindSystem, logdb.StreamID{Journal: a.Journal, Policy: "0"}, 4), "sss.")
		}},
		{"rows get their positions before entries", func(f *fixture) {
			b := logdb.Batch{Meter: f.meter, Kind: logdb.KindHistorical, Rows: blocks([]logdb.Entry{row(0, day0, volts, 1), row(0, day0+minute, volts, 2)}),
				Entries: []logdb.Entry{{Op: logdb.OpClose, Time: day0}}}
			a, err := f.Append(f.ctx, b)
			f.must(err)
			f.after(f)
			page, err := f.ReadStream(f.ctx, f.meter, logdb.KindHistorical, logdb.StreamID{Journal: a.Journal, Policy: "0"}, 3, 10)
			f.must(err)
			f.want("position 3", positions(&page)[3], entryText(&b.Entries[0]))
		}},
		{"the chain runs over all entries, and can be asked for at the end of a batch", func(f *fixture) {
			var chain logdb.Digest
			list := []logdb.Entry{system(1, day0, 1), revise(system(0, day0, 2), 2, 1), withdraw(3, 1, day0)}
			var ends []logdb.Digest
			for _, e := range list {
				chain = e.Chain(chain)
				ends = append(ends, chain)
				list[e.Position-1].Position = 0
			}
			f.append(logdb.KindSystem, list[:2]...)
			a := f.append(logdb.KindSystem, list[2])
			f.want("chain", a.Chain, ends[2])
			head, err := f.Journal(f.ctx, f.meter, logdb.KindSystem)
			f.must(err)
			f.want("head", head, logdb.JournalHead{ID: a.Journal, End: 3, Chain: ends[2]})
			at, err := f.ChainAt(f.ctx, f.meter, logdb.KindSystem, 2)
			f.must(err)
			f.want("chain at 2", at, ends[1])
			_, err = f.ChainAt(f.ctx, f.meter, logdb.KindSystem, 1)
			f.wantErr("chain inside a batch", err, logdb.ErrNotFound)
		}},
		{"the versions of a record can be asked for, the original first and the live one last", func(f *fixture) {
			versions := func(kind logdb.Kind, s logdb.StreamID, p logdb.Position) (out []string) {
				list, err := f.Versions(f.ctx, f.meter, kind, s, p)
				f.must(err)
				for i := range list {
					out = append(out, entryText(&list[i]))
				}
				return out
			}
			texts := func(list ...logdb.Entry) (out []string) {
				for i := range list {
					out = append(out, entryText(&list[i]))
				}
				return out
			}
			rows := []logdb.Entry{row(1, day0, volts, 1), row(2, day0+minute, volts, 2), row(3, day0+2*minute, volts, 3)}
			one, two := revise(row(0, day0+minute, volts, 20), 4, 2), withdraw(5, 2, day0+minute)
			f.send(logdb.KindHistorical, a1, rows[0], rows[1], rows[2])
			f.want("a row that nobody changed", versions(logdb.KindHistorical, a1, 2), texts(rows[1]))
			f.send(logdb.KindHistorical, a1, one)
			f.send(logdb.KindHistorical, a1, two)
			f.want("a row that was changed twice", versions(logdb.KindHistorical, a1, 2), texts(rows[1], one, two))
			f.want("its neighbour", versions(logdb.KindHistorical, a1, 3), texts(rows[2]))
			f.send(logdb.KindHistorical, a1, revise(row(0, day0, volts, 9), 7, 6))
			f.want("a change without its record", len(versions(logdb.KindHistorical, a1, 6)), 1)
			_, err := f.Versions(f.ctx, f.meter, logdb.KindHistorical, a1, 99)
			f.wantErr("a position that is not here", err, logdb.ErrNotFound)
			_, err = f.Versions(f.ctx, f.meter, logdb.KindHistorical, logdb.StreamID{Journal: a1.Journal, Policy: "77"}, 1)
			f.wantErr("a stream that is not here", err, logdb.ErrNotFound)
			f.send(logdb.KindSystem, a1, system(1, day0, 1), revise(system(0, day0, 2), 2, 1))
			f.want("an event", versions(logdb.KindSystem, a1, 1), texts(system(1, day0, 1), revise(system(0, day0, 2), 2, 1)))
		}},
		{"each kind has a journal of its own", func(f *fixture) {
			a, b := f.append(logdb.KindSystem, system(0, day0, 1)), f.append(logdb.KindPQ, sag(0, day0, 1))
			if a.Journal == b.Journal || b.First != 1 {
				f.Errorf("system events in %s, PQ events in %s from %d on", a.Journal, b.Journal, b.First)
			}
			_, err := f.Journal(f.ctx, f.meter, logdb.KindLimit)
			f.wantErr("journal of a kind without entries", err, logdb.ErrNotFound)
		}},
		{"the version with the highest position is live, whatever order they come in", func(f *fixture) {
			f.send(logdb.KindSystem, a1, revise(system(0, day0, 3), 3, 1))
			f.send(logdb.KindSystem, a1, system(1, day0, 1))
			f.send(logdb.KindSystem, a1, revise(system(0, day0, 2), 2, 1))
			f.want("codes", f.codes(), "[3]")
		}},
		{"the same for rows", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, revise(row(0, day0+minute, volts, 3), 3, 1))
			f.want("before the add came", f.values(volts), "[3]")
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(4, day0, volts, 4))
			f.send(logdb.KindHistorical, a1, revise(row(0, day0, volts, 2), 2, 1))
			f.want("values", f.values(volts), "[4 3]")
		}},
		{"a revise is accepted before its target has come", func(f *fixture) {
			f.want("revise", counts(f.send(logdb.KindSystem, a1, revise(system(0, day0, 2), 2, 1))), "[0 0 1 0]")
			f.want("add", counts(f.send(logdb.KindSystem, a1, system(1, day0, 1))), "[1 0 0 0]")
			f.want("codes", f.codes(), "[2]")
		}},
		{"a withdraw ends a record, before it came or after", func(f *fixture) {
			f.send(logdb.KindSystem, a1, withdraw(3, 1, day0))
			f.send(logdb.KindSystem, a1, system(1, day0, 1), system(2, day0, 2))
			f.want("codes", f.codes(), "[2]")
			f.send(logdb.KindSystem, a1, withdraw(4, 2, day0))
			f.want("codes", f.codes(), "[]")
		}},
		{"a withdrawn record can be revised back", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), withdraw(2, 1, day0))
			f.want("withdrawn", f.values(volts), "[]")
			f.send(logdb.KindHistorical, a1, revise(row(0, day0, volts, 3), 3, 1))
			f.want("revised", f.values(volts), "[3]")
		}},
		{"a revised row has the channels of the revise only", func(f *fixture) {
			add := row(1, day0, volts, 1)
			add.Row.Channels, add.Row.Values = append(add.Row.Channels, wh), append(add.Row.Values, 5)
			f.send(logdb.KindHistorical, a1, add)
			f.send(logdb.KindHistorical, a1, revise(row(0, day0, "own.thing", 7), 2, 1))
			f.want("values", []any{f.values(volts), f.values(wh), f.values("own.thing")}, "[[] [] [7]]")
		}},
		{"a late older revise changes nothing that counts", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1))
			f.send(logdb.KindHistorical, a1, revise(row(0, day0+minute, volts, 13), 3, 1))
			f.send(logdb.KindHistorical, a1, revise(row(0, day0+day, volts, 16), 6, 1))
			f.send(logdb.KindHistorical, a1, revise(row(0, day0+2*day, wh, 15), 5, 1))
			f.want("values", []any{f.values(volts), f.values(wh)}, "[[16] []]")
			days := f.tallies(logdb.KindHistorical, a1)
			f.want("records of the days", []int64{days[day0].Count, days[day0+day].Count, days[day0+2*day].Count}, "[0 1 0]")
		}},
		{"a change names the record, not another change", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), revise(row(0, day0, volts, 2), 3, 1))
			_, err := f.Accept(f.ctx, f.page(logdb.KindHistorical, a1, revise(row(0, day0, volts, 3), 4, 3)), f.limits)
			f.wantErr("revise of a revise", err, logdb.ErrConflict)
			_, err = f.Accept(f.ctx, f.page(logdb.KindHistorical, a1, revise(row(0, day0, volts, 3), 5, 1), revise(row(0, day0, volts, 4), 6, 5)), f.limits)
			f.wantErr("revise of a revise in the page", err, logdb.ErrInvalid)
			f.send(logdb.KindHistorical, a1, withdraw(8, 7, day0))
			_, err = f.Accept(f.ctx, f.page(logdb.KindHistorical, a1, revise(row(0, day0, volts, 5), 7, 1)), f.limits)
			f.wantErr("a change that was changed before it came", err, logdb.ErrConflict)
			f.want("values", f.values(volts), "[2]")
		}},
		{"older versions are history, with who, when and why", func(f *fixture) {
			r := revise(system(0, day0, 2), 2, 1)
			r.By, r.At, r.Why = "late pairing", day0+5, "the end turned up"
			f.send(logdb.KindSystem, a1, system(1, day0, 1), r)
			page, err := f.ReadStream(f.ctx, f.meter, logdb.KindSystem, a1, 1, 10)
			f.must(err)
			f.want("position 2", positions(&page)[2], entryText(&r))
			var found []int64
			for _, e := range f.events(logdb.EventQuery{Kind: logdb.KindSystem, Withdrawn: true}) {
				if e.System != nil {
					found = append(found, e.System.Code)
				}
			}
			slices.Sort(found)
			f.want("with dead versions", found, "[1 2]")
		}},
		{"a batch cannot change what comes later", func(f *fixture) {
			_, err := f.Append(f.ctx, logdb.Batch{Meter: f.meter, Kind: logdb.KindSystem, Entries: []logdb.Entry{revise(system(0, day0, 1), 0, 1)}})
			f.wantErr("revise of itself", err, logdb.ErrInvalid)
			_, err = f.Append(f.ctx, logdb.Batch{Meter: f.meter, Kind: logdb.KindSystem, Entries: []logdb.Entry{
				system(0, day0, 1), revise(system(0, day0, 2), 0, 1), revise(system(0, day0, 3), 0, 2),
			}})
			f.wantErr("revise of a revise in the same batch", err, logdb.ErrInvalid)
			_, err = f.Journal(f.ctx, f.meter, logdb.KindSystem)
			f.wantErr("journal after a refused batch", err, logdb.ErrNotFound)
		}},
		{"a renewed journal keeps entries and positions under a new id", func(f *fixture) {
			_, err := f.RenewJournal(f.ctx, f.meter, logdb.KindHistorical)
			f.wantErr("no journal", err, logdb.ErrNotFound)
			old := f.append(logdb.KindHistorical, row(0, day0, volts, 1), row(0, day0+minute, volts, 2))
			head, err := f.RenewJournal(f.ctx, f.meter, logdb.KindHistorical)
			f.must(err)
			f.after(f)
			if head.ID == old.Journal || head.End != 2 || head.Chain != old.Chain {
				f.Errorf("renewed %v into %v", old, head)
			}
			f.want("fates", f.fates(logdb.KindHistorical, logdb.StreamID{Journal: head.ID, Policy: "0"}, 3), "ss.")
			f.want("values", f.values(volts), "[1 2]")
			next := f.append(logdb.KindHistorical, row(0, day0+2*minute, volts, 3))
			f.want("next", []any{next.Journal == head.ID, next.First}, "[true 3]")
			f.want("values", f.values(volts), "[1 2 3]")
			// What the old journal sent comes back as another node's: nothing is taken for a repeat.
			r := f.send(logdb.KindHistorical, logdb.StreamID{Journal: old.Journal, Policy: "1"}, row(3, day0+9*minute, volts, 9))
			f.want("the old journal's", counts(r), "[1 0 0 0]")
		}},
	}
}

// meterRules is a table: a rule a line, with its check.
func meterRules() []rule {
	return []rule{
		{"raw records and settings snapshots are kept with what was decoded", func(f *fixture) {
			snapshot, err := f.PutSnapshot(f.ctx, f.meter, []byte("settings"))
			f.must(err)
			again, err := f.PutSnapshot(f.ctx, f.meter, []byte("settings"))
			f.must(err)
			f.want("snapshot", []any{snapshot, again}, []any{logdb.DigestOf([]byte("settings")), snapshot})
			one, two := row(0, day0, volts, 1), row(0, day0+minute, volts, 2)
			two.Log, two.Run, two.Generation = 1, 3, 4
			b := logdb.Batch{Meter: f.meter, Kind: logdb.KindHistorical, Rows: blocks([]logdb.Entry{one, two}), Raw: [][]byte{{1}, {2, 2}}, Snapshot: snapshot}
			for range 2 {
				_, err := f.Append(f.ctx, b)
				f.must(err)
				f.after(f)
			}
			data, err := f.Snapshot(f.ctx, f.meter, snapshot)
			f.must(err)
			f.want("snapshot", string(data), "settings")
			raw, err := f.LastRaw(f.ctx, f.meter, logdb.KindHistorical, 1, 9)
			f.must(err)
			f.want("raw of log 1", raw, []logdb.RawRecord{
				{Position: 2, Bytes: []byte{2, 2}, Run: 3, Generation: 4, Snapshot: snapshot, Time: day0 + minute},
				{Position: 4, Bytes: []byte{2, 2}, Run: 3, Generation: 4, Snapshot: snapshot, Time: day0 + minute},
			})
			last, err := f.LastRaw(f.ctx, f.meter, logdb.KindHistorical, 1, 1)
			f.must(err)
			f.want("the last of them", last, raw[1:])
			for first, want := range map[logdb.Position][]logdb.RawRecord{0: raw, 2: raw, 3: raw[1:], 4: raw[1:], 5: nil} {
				some, err := f.ReadRaw(f.ctx, f.meter, logdb.KindHistorical, 1, first, 9)
				f.must(err)
				f.want(fmt.Sprintf("raw from %d", first), some, want)
			}
			one1, err := f.ReadRaw(f.ctx, f.meter, logdb.KindHistorical, 1, 1, 1)
			f.must(err)
			f.want("the first of them", one1, raw[:1])
			at, err := f.RawAt(f.ctx, f.meter, logdb.KindHistorical, 2)
			f.must(err)
			f.want("raw at 2", at, raw[0])
			_, err = f.RawAt(f.ctx, f.meter, logdb.KindHistorical, 5)
			f.wantErr("raw at 5", err, logdb.ErrNotFound)
			_, err = f.Snapshot(f.ctx, f.meter, logdb.DigestOf(nil))
			f.wantErr("unknown snapshot", err, logdb.ErrNotFound)
		}},
		{"raw records are those of the own journal, of revises too", func(f *fixture) {
			_, err := f.Append(f.ctx, logdb.Batch{Meter: f.meter, Kind: logdb.KindPQ, Entries: []logdb.Entry{sag(0, day0, nan())}, Raw: [][]byte{{1}}})
			f.must(err)
			_, err = f.Append(f.ctx, logdb.Batch{Meter: f.meter, Kind: logdb.KindPQ, Entries: []logdb.Entry{revise(sag(0, day0, 2), 0, 1)}, Raw: [][]byte{{2}}})
			f.must(err)
			f.after(f)
			raw, err := f.LastRaw(f.ctx, f.meter, logdb.KindPQ, 0, 9)
			f.must(err)
			f.want("raw records", len(raw), 2)
		}},
		{"rows after a step back of the clock are simply further entries", func(f *fixture) {
			before, after := row(1, day0+hour, volts, 1), row(2, day0, volts, 2)
			after.Run = 1
			again := row(3, day0+hour, volts, 1)
			again.Run = 1
			f.want("receipt", counts(f.send(logdb.KindHistorical, a1, before, after, again)), "[3 0 0 0]")
			f.want("values", f.values(volts), "[2 1 1]")
		}},
		{"runs, generations and logs are kept", func(f *fixture) {
			e := row(1, day0, volts, 1)
			e.Log, e.Run, e.Generation = 2, 7, 9
			f.send(logdb.KindHistorical, a1, e)
			page, err := f.ReadStream(f.ctx, f.meter, logdb.KindHistorical, a1, 1, 1)
			f.must(err)
			f.want("position 1", positions(&page)[1], entryText(&e))
		}},
		{"a waiting start is beside the journal, not in it", func(f *fixture) {
			start := logdb.OpenStart{Start: day0, Event: *sag(0, day0, nan()).Excursion, Raw: []byte{5}}
			other := start
			other.Log = 1
			for _, set := range []*logdb.OpenSet{{Starts: []logdb.OpenStart{start, start}}, {Log: 1, Starts: []logdb.OpenStart{other}}, nil, {Starts: []logdb.OpenStart{start}}} {
				a, err := f.Append(f.ctx, logdb.Batch{Meter: f.meter, Kind: logdb.KindPQ, Open: set})
				f.must(err)
				f.want("appended", a.First, 0)
				f.after(f)
			}
			open, err := f.OpenStarts(f.ctx, f.meter, logdb.KindPQ)
			f.must(err)
			slices.SortFunc(open, func(a, b logdb.OpenStart) int { return int(a.Log) - int(b.Log) })
			f.want("waiting", open, []logdb.OpenStart{start, other})
			f.want("events", f.durations(), "[]")
		}},
		{"a gap is an entry with its cause, and no record", func(f *fixture) {
			gap := logdb.Entry{Op: logdb.OpGap, Time: day0, Gap: &logdb.Gap{From: day0, To: day0 + hour, Cause: logdb.GapUnreachable, Detail: "timeout"}}
			f.append(logdb.KindSystem, gap, system(0, day0+hour, 1))
			f.want("codes", f.codes(), "[1]")
			found := f.events(logdb.EventQuery{Kind: logdb.KindSystem, Gaps: true, First: day0, Last: day0 + 1})
			if len(found) != 1 || *found[0].Gap != *gap.Gap {
				f.Errorf("gaps %v", found)
			}
		}},
		{"a gap that is told of anew stands for the one before it, once", func(f *fixture) {
			gap := func(from, to logdb.Millis, replaces logdb.Position) logdb.Entry {
				return logdb.Entry{Op: logdb.OpGap, Time: from, Gap: &logdb.Gap{From: from, To: to, Cause: logdb.GapReset, Replaces: replaces}}
			}
			gaps := func(q logdb.EventQuery) string {
				q.Kind, q.Gaps = logdb.KindSystem, true
				out := ""
				for _, e := range f.events(q) {
					out += fmt.Sprintf("%d: %d-%d ", e.Position, (e.Gap.From-day0)/hour, (e.Gap.To-day0)/hour)
				}
				return out
			}
			f.append(logdb.KindSystem, gap(day0, day0+hour, 0), system(0, day0+hour, 1), gap(day0+2*hour, day0+3*hour, 0))
			f.append(logdb.KindSystem, gap(day0+4*hour, day0+5*hour, 1))
			f.want("after the first time", gaps(logdb.EventQuery{}), "3: 2-3 4: 4-5 ")
			f.append(logdb.KindSystem, gap(day0+6*hour, day0+7*hour, 1))
			f.want("after the second", gaps(logdb.EventQuery{}), "3: 2-3 5: 6-7 ")
			f.want("of the old time", gaps(logdb.EventQuery{First: day0, Last: day0 + hour}), "")
			f.want("old ones too", gaps(logdb.EventQuery{Withdrawn: true}), "1: 0-1 3: 2-3 4: 4-5 5: 6-7 ")
			_, err := f.Append(f.ctx, logdb.Batch{Meter: f.meter, Kind: logdb.KindSystem, Entries: []logdb.Entry{gap(day0, day0, 6)}})
			f.wantErr("a gap that replaces itself", err, logdb.ErrInvalid)
		}},
		{"clearing keeps what retrieval aligns with", func(f *fixture) {
			_, err := f.Append(f.ctx, logdb.Batch{
				Meter: f.meter, Kind: logdb.KindPQ, Entries: []logdb.Entry{sag(0, day0, 1)}, Raw: [][]byte{{7}},
				Open: &logdb.OpenSet{Starts: []logdb.OpenStart{{Start: day0, Event: *sag(0, day0, nan()).Excursion}}},
			})
			f.must(err)
			before, err := f.Journal(f.ctx, f.meter, logdb.KindPQ)
			f.must(err)
			f.must(f.Clear(f.ctx, f.meter, logdb.KindPQ))
			f.after(f)
			raw, err := f.LastRaw(f.ctx, f.meter, logdb.KindPQ, 0, 5)
			f.must(err)
			open, err := f.OpenStarts(f.ctx, f.meter, logdb.KindPQ)
			f.must(err)
			head, err := f.Journal(f.ctx, f.meter, logdb.KindPQ)
			f.must(err)
			f.want("raw, waiting, head, events", []any{len(raw), len(open), head, len(f.durations())}, []any{1, 1, before, 0})
		}},
	}
}
