package logdbtest

import (
	"sync"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// receiverRules is a table: a rule a line, with its check.
func receiverRules() []rule {
	return []rule{
		{"a decided position is a repeat, in whatever page it comes", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0+minute, volts, 2))
			f.want("same page", counts(f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0+minute, volts, 2))), "[0 2 0 0]")
			f.want("other cut", counts(f.send(logdb.KindHistorical, a1, row(2, day0+minute, volts, 2), row(3, day0+2*minute, volts, 3))), "[1 1 0 0]")
			f.want("other content", counts(f.send(logdb.KindHistorical, a1, row(3, day0, wh, 9))), "[0 1 0 0]")
			f.want("values", f.values(volts), "[1 2 3]")
		}},
		{"a new position is stored though its time and value equal another's", func(f *fixture) {
			f.want("in one page", counts(f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0, volts, 1))), "[2 0 0 0]")
			f.want("in the next", counts(f.send(logdb.KindHistorical, a1, row(3, day0, volts, 1))), "[1 0 0 0]")
			f.want("values", f.values(volts), "[1 1 1]")
			f.send(logdb.KindSystem, a1, system(1, day0, 4), system(2, day0, 4))
			f.want("codes", f.codes(), "[4 4]")
		}},
		{"the answer counts stored, repeats, revised and skipped", func(f *fixture) {
			f.limits = logdb.Limits{System: []logdb.Window{{Name: "day", Millis: day, Max: 3}}}
			f.send(logdb.KindSystem, a1, system(1, day0, 1), system(2, day0, 2))
			gap := logdb.Entry{Position: 6, Op: logdb.OpGap, Time: day0, Gap: &logdb.Gap{From: day0, To: day0}}
			r := f.send(logdb.KindSystem, a1, system(1, day0, 1), revise(system(0, day0, 7), 3, 2), system(4, day0, 4), system(5, day0, 5), gap, fate(7, 9, logdb.FateNotChosen, day0))
			f.want("receipt", counts(r), "[2 1 1 1]")
			f.want("refused", r.Refused, []logdb.FateRange{{First: 5, Last: 5, Fate: logdb.FateSkipped, Reason: limit.Refused("day"), FirstTime: day0, LastTime: day0}})
			f.want("codes", f.codes(), "[1 7 4]")
		}},
		{"a page is valid whole or refused whole", func(f *fixture) {
			p := f.page(logdb.KindSystem, a1, system(1, day0, 1), logdb.Entry{Position: 2, Op: logdb.OpRevise, Time: day0})
			_, err := f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("page", err, logdb.ErrInvalid)
			h := f.page(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, -1, volts, 1))
			_, err = f.Accept(f.ctx, h, logdb.Limits{})
			f.wantErr("rows", err, logdb.ErrInvalid)
			_, err = f.Append(f.ctx, logdb.Batch{Meter: f.meter, Kind: logdb.KindSystem, Entries: []logdb.Entry{system(0, day0, 1), sag(0, day0, 1)}})
			f.wantErr("batch", err, logdb.ErrInvalid)
			for _, kind := range logdb.Kinds {
				states, err := f.Streams(f.ctx, f.meter, kind)
				f.must(err)
				f.want("streams of "+kind.String(), len(states), 0)
			}
		}},
		{"clearing leaves the sets: nothing comes back by itself", func(f *fixture) {
			rows := []any{row(1, day0, volts, 1), row(2, day0+minute, volts, 2)}
			f.send(logdb.KindHistorical, a1, append(rows, fate(3, 3, logdb.FateSkipped, day0))...)
			f.append(logdb.KindHistorical, row(0, day0, volts, 9))
			f.must(f.Clear(f.ctx, f.meter, logdb.KindHistorical))
			f.after(f)
			f.want("values", f.values(volts), "[]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 3), "ssx")
			f.want("sent again", counts(f.send(logdb.KindHistorical, a1, rows...)), "[0 2 0 0]")
			f.want("values", f.values(volts), "[]")
			f.want("next of the own journal", f.append(logdb.KindHistorical, row(0, day0, volts, 8)).First, 2)
			f.send(logdb.KindHistorical, a1, row(4, day0+hour, volts, 4))
			f.want("new values", sortedFloats(f.values(volts)), "[4 8]")
		}},
		{"clearing one kind leaves the others and other meters", func(f *fixture) {
			f.send(logdb.KindSystem, a1, system(1, day0, 1))
			f.send(logdb.KindPQ, a1, sag(1, day0, 1))
			other := f.page(logdb.KindPQ, a1, sag(1, day0, 2))
			other.Meter = "meter-2"
			f.accept(other)
			f.must(f.Clear(f.ctx, f.meter, logdb.KindPQ))
			f.after(f)
			f.want("left", []any{f.codes(), f.durations()}, "[[1] []]")
			f.meter = "meter-2"
			f.want("of the other meter", f.durations(), "[2]")
		}},
		{"a requested page turns skipped positions into stored, once", func(f *fixture) {
			f.limits = logdb.Limits{System: []logdb.Window{{Name: "day", Millis: day, Max: 1}}}
			f.send(logdb.KindSystem, a1, fate(1, 2, logdb.FateSkipped, day0), system(3, day0, 3), system(4, day0, 4))
			f.want("fates", f.fates(logdb.KindSystem, a1, 4), "xxsx")
			r := f.request(logdb.KindSystem, a1, system(1, day0, 1), system(3, day0, 3), system(4, day0, 4))
			f.want("receipt", counts(r), "[2 1 0 0]")
			f.want("fates", f.fates(logdb.KindSystem, a1, 4), "sxss")
			f.want("again", counts(f.request(logdb.KindSystem, a1, system(1, day0, 1), system(4, day0, 4))), "[0 2 0 0]")
			f.want("codes", f.codes(), "[1 3 4]")
		}},
		{"a requested page does not turn what was not chosen", func(f *fixture) {
			f.send(logdb.KindSystem, a1, fate(1, 1, logdb.FateNotChosen, day0))
			f.want("receipt", counts(f.request(logdb.KindSystem, a1, system(1, day0, 1))), "[0 1 0 0]")
			f.want("codes", f.codes(), "[]")
		}},
		// The source because of which a day was held may be cleared or forgotten.
		{"a requested page turns what is held, unless another stream of the cut has it", func(f *fixture) {
			f.send(logdb.KindSystem, a1, fate(1, 2, logdb.FateHeld, day0), system(3, day0, 3))
			f.want("unasked", counts(f.send(logdb.KindSystem, a1, system(1, day0, 1))), "[0 1 0 0]")
			f.want("receipt", counts(f.request(logdb.KindSystem, a1, system(1, day0, 1), revise(system(0, day0, 2), 2, 1))), "[1 0 1 0]")
			f.want("again", counts(f.request(logdb.KindSystem, a1, system(1, day0, 1))), "[0 1 0 0]")
			f.want("codes", f.codes(), "[2 3]")
			f.send(logdb.KindSystem, a2, system(3, day0, 3))
			f.want("has it", counts(f.request(logdb.KindSystem, a2, system(3, day0, 3))), "[0 1 0 0]")
			f.want("fates", f.fates(logdb.KindSystem, a2, 3), "..h")
			f.want("codes", f.codes(), "[2 3]")
		}},
		// Hole: turned one by one, reduced rows would stand beside the row that combines them.
		{"reduced rows are turned with the whole of their combined row, or not at all", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, reduced(1, 2, 3, day0), row(3, day0+3*second, wh, 6), row(4, day0+hour, wh, 100))
			one, two, three := row(1, day0+second, wh, 1), row(2, day0+2*second, wh, 2), row(3, day0+3*second, wh, 3)
			f.want("a part of it", counts(f.request(logdb.KindHistorical, a1, one, two)), "[0 2 0 0]")
			f.want("another part", counts(f.request(logdb.KindHistorical, a1, two, three)), "[0 2 0 0]")
			f.want("values", f.values(wh), "[6 100]")
			f.want("sum", f.buckets(wh, day0, day0+2*hour)[0].Sum, 106)
			f.want("all of it", counts(f.request(logdb.KindHistorical, a1, one, two, three)), "[2 1 0 0]")
			f.want("values", f.values(wh), "[1 2 3 100]")
			f.want("sum", f.buckets(wh, day0, day0+2*hour)[0].Sum, 106)
			f.want("fates", f.fates(logdb.KindHistorical, a1, 4), "ssss")
			f.want("tally", f.tallies(logdb.KindHistorical, a1)[day0].Count, 4)
			f.want("once", counts(f.request(logdb.KindHistorical, a1, one, two, three)), "[0 3 0 0]")
		}},
		// Hole: a combined row that was to be sent again, by a node that got its rows meanwhile, would leave its last row alone.
		{"rows come with the whole of a combined row that has not come, though the pace would refuse them", func(f *fixture) {
			f.limits = logdb.DefaultLimits()
			two, three, four := row(2, day0+second, wh, 1), row(3, day0+2*second, wh, 2), row(4, day0+3*second, wh, 3)
			f.send(logdb.KindHistorical, a1, row(1, day0, wh, 50), reduced(2, 3, 4, day0), row(5, day0+hour, wh, 100))
			f.want("a part of it", counts(f.request(logdb.KindHistorical, a1, two, three)), "[0 2 0 0]")
			f.want("another part", counts(f.request(logdb.KindHistorical, a1, three, four)), "[0 2 0 0]")
			f.want("all of it", counts(f.request(logdb.KindHistorical, a1, two, three, four)), "[3 0 0 0]")
			f.want("values", f.values(wh), "[50 1 2 3 100]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 5), "sssss")
			f.want("once", counts(f.request(logdb.KindHistorical, a1, two, three, four)), "[0 3 0 0]")
		}},
		// Hole: rows that limits had skipped one by one would be fetched beside the sum that holds them.
		{"rows that were skipped and are part of a sum that comes are in that", func(f *fixture) {
			f.limits = logdb.DefaultLimits()
			f.send(logdb.KindHistorical, a1, row(1, day0, wh, 50), row(2, day0+second, wh, 1), row(3, day0+2*second, wh, 2), row(5, day0+10*minute, wh, 7))
			f.want("skipped", f.fates(logdb.KindHistorical, a1, 5), "sxx.s")
			f.send(logdb.KindHistorical, a1, reduced(2, 3, 4, day0), row(4, day0+2*minute, wh, 6))
			f.want("fates", f.fates(logdb.KindHistorical, a1, 5), "srrss")
			two, three, four := row(2, day0+second, wh, 1), row(3, day0+2*second, wh, 2), row(4, day0+3*second, wh, 3)
			f.want("a part of it", counts(f.request(logdb.KindHistorical, a1, two, three)), "[0 2 0 0]")
			f.want("all of it", counts(f.request(logdb.KindHistorical, a1, two, three, four)), "[2 1 0 0]")
			f.want("values", f.values(wh), "[50 1 2 3 7]")
		}},
		{"rows that were skipped and are part of a sum that is fetched are in that", func(f *fixture) {
			f.limits = logdb.DefaultLimits()
			two, three, four := row(2, day0+second, wh, 1), row(3, day0+2*second, wh, 2), row(4, day0+3*second, wh, 3)
			sum := row(4, day0+2*minute, wh, 6)
			f.send(logdb.KindHistorical, a1, row(1, day0, wh, 50), two, three, sum, row(5, day0+10*minute, wh, 7))
			f.want("skipped", f.fates(logdb.KindHistorical, a1, 5), "sxxss")
			f.want("beside a sum that is there", counts(f.request(logdb.KindHistorical, a1, reduced(2, 3, 4, day0), sum)), "[0 1 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 5), "sxxss")
			f.send(logdb.KindHistorical, b1, row(1, day0, wh, 50), two, three, row(4, day0+30*second, wh, 6), row(5, day0+10*minute, wh, 7))
			f.want("skipped", f.fates(logdb.KindHistorical, b1, 5), "sxxxs")
			f.want("fetched", counts(f.request(logdb.KindHistorical, b1, reduced(2, 3, 4, day0), row(4, day0+30*second, wh, 6))), "[1 0 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, b1, 5), "srrss")
			f.want("a part of it", counts(f.request(logdb.KindHistorical, b1, two, three)), "[0 2 0 0]")
			f.want("all of it", counts(f.request(logdb.KindHistorical, b1, two, three, four)), "[2 1 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, b1, 5), "sssss")
		}},
		{"a sum that is fetched beside a row that came as it is stays skipped", func(f *fixture) {
			f.limits = logdb.DefaultLimits()
			f.send(logdb.KindHistorical, a1, row(2, day0, wh, 1), row(3, day0+2*second, wh, 2), row(4, day0+3*second, wh, 3))
			f.want("skipped", f.fates(logdb.KindHistorical, a1, 4), ".sxx")
			f.want("fetched", counts(f.request(logdb.KindHistorical, a1, reduced(2, 3, 4, day0), row(4, day0+30*second, wh, 6))), "[0 0 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 4), ".sxx")
			f.want("values", f.values(wh), "[1]")
		}},
		// Hole: the row in the place of its sum would stand beside the correction that came with it.
		{"a row that comes in the place of its sum with its correction is corrected", func(f *fixture) {
			two := func(p logdb.Position, at logdb.Millis, a, b float64) logdb.Entry {
				e := row(p, at, wh, a)
				e.Row = &logdb.Row{Channels: []logdb.ChannelKey{wh, volts}, Values: []float64{a, b}}
				return e
			}
			f.send(logdb.KindHistorical, a1, reduced(1, 1, 2, day0), two(2, day0+minute, 3, 230))
			f.want("all of it", counts(f.request(logdb.KindHistorical, a1, two(1, day0+second, 1, 229), two(2, day0+2*second, 2, 231), revise(row(0, day0+2*second, volts, 232), 3, 2))), "[1 1 1 0]")
			f.want("energy", f.values(wh), "[1]")
			f.want("voltage", f.values(volts), "[229 232]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 3), "sss")
		}},
		// Hole: of a combined row that was skipped only the last row would come, and pass for all of it.
		{"rows come with the whole of a combined row that limits skipped, and what has changed them since", func(f *fixture) {
			f.limits = logdb.DefaultLimits()
			two, three, four := row(2, day0+second, wh, 1), row(3, day0+2*second, wh, 2), row(4, day0+3*second, wh, 3)
			f.send(logdb.KindHistorical, a1, row(1, day0, wh, 50), reduced(2, 2, 4, day0), reduced(3, 3, 4, day0), row(4, day0+3*second, wh, 6), revise(row(0, day0+3*second, wh, 7), 5, 4))
			f.want("fates", f.fates(logdb.KindHistorical, a1, 5), "srrxx")
			f.want("a part of it", counts(f.request(logdb.KindHistorical, a1, two, three)), "[0 2 0 0]")
			f.want("another part", counts(f.request(logdb.KindHistorical, a1, three, four)), "[0 2 0 0]")
			f.want("all of it", counts(f.request(logdb.KindHistorical, a1, two, three, four, revise(row(0, day0+second, wh, 2), 5, 2))), "[3 0 1 0]")
			f.want("values", f.values(wh), "[50 2 2 3]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 5), "sssss")
			f.want("once", counts(f.request(logdb.KindHistorical, a1, two, three, four)), "[0 3 0 0]")
			f.want("tally", f.tallies(logdb.KindHistorical, a1)[day0].Count, 4)
		}},
		{"rows come with the whole of a combined row that is to be sent again", func(f *fixture) {
			one, two := row(1, day0+second, wh, 1), row(2, day0+2*second, wh, 2)
			f.send(logdb.KindHistorical, a1, reduced(1, 1, 2, day0), row(2, day0+minute, wh, 3))
			n, err := f.Forget(f.ctx, f.meter, logdb.KindHistorical, a1, day0, day0+hour)
			f.must(err)
			f.after(f)
			f.want("forgotten", n, 1)
			f.want("all of it", counts(f.request(logdb.KindHistorical, a1, one, two)), "[2 0 0 0]")
			f.want("values", f.values(wh), "[1 2]")
		}},
		// Hole: two ways at one moment, and the one that goes on from a place that it knows no more would total rows twice.
		{"a combined row of which a row came as it is stays undecided with the rest of it", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0+second, wh, 1), row(5, day0+minute+second, wh, 5))
			sums := []any{reduced(1, 2, 3, day0), row(3, day0+minute, wh, 6), reduced(4, 4, 6, day0+minute), reduced(5, 5, 6, day0+minute), row(6, day0+2*minute, wh, 15),
				reduced(7, 8, 9, day0+2*minute), row(9, day0+3*minute, wh, 24)}
			f.want("sums", counts(f.send(logdb.KindHistorical, a1, sums...)), "[1 0 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 9), "s...s.rrs")
			f.want("again", counts(f.send(logdb.KindHistorical, a1, sums...)), "[0 1 0 0]")
			f.want("the rows", counts(f.send(logdb.KindHistorical, a1, row(2, day0+2*second, wh, 2), row(3, day0+3*second, wh, 3), row(4, day0+minute, wh, 4), row(6, day0+minute+2*second, wh, 6))), "[4 0 0 0]")
			f.want("the sums once more", counts(f.send(logdb.KindHistorical, a1, sums...)), "[0 3 0 0]")
			f.want("values", sortedFloats(f.values(wh)), "[1 2 3 4 5 6 24]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 9), "ssssssrrs")
		}},
		// Hole: a node that has the rows passes the change of one on, and the sum stays without it.
		{"a change of a row whose sum came without it stays undecided, one that is part of the sum does not", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, reduced(1, 1, 3, day0), row(3, day0+minute, wh, 6), reduced(5, 5, 7, day0+minute))
			f.want("changes", counts(f.send(logdb.KindHistorical, a1, revise(row(0, day0, wh, 9), 2, 1), revise(row(0, day0, wh, 9), 4, 1), revise(row(0, day0+minute, wh, 9), 6, 5))), "[0 2 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 7), "rrs.rr.")
			f.want("of the sum", counts(f.send(logdb.KindHistorical, a1, revise(row(0, day0+minute, wh, 9), 4, 3))), "[0 0 1 0]")
			f.want("values", f.values(wh), "[9]")
		}},
		// Hole: it counts beside the sum, which was changed by what came late and cannot be parted any more.
		{"a change of a row is not taken on request either while its sum stays", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, reduced(1, 2, 3, day0), row(3, day0+minute, wh, 6), revise(row(0, day0+minute, wh, 10), 4, 3))
			f.want("requested", counts(f.request(logdb.KindHistorical, a1,
				row(1, day0, wh, 1), row(2, day0+second, wh, 2), row(3, day0+2*second, wh, 3), revise(row(0, day0, wh, 5), 5, 1))), "[0 3 0 0]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 5), "rrss.")
			f.want("values", f.values(wh), "[10]")
		}},
		{"a change that came before its combined row keeps the rows of that away", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, reduced(1, 1, 2, day0), revise(row(0, day0+2*second, wh, 7), 3, 2))
			f.want("requested", counts(f.request(logdb.KindHistorical, a1, row(1, day0, wh, 1), row(2, day0+second, wh, 2))), "[1 1 0 0]")
			f.want("values", f.values(wh), "[7]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 3), "rss")
		}},
		{"changes that are part of a combined row are turned with it", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, reduced(1, 4, 5, day0), row(5, day0+4*second, wh, 30))
			one, two, five := row(1, day0+second, wh, 1), row(2, day0+2*second, wh, 2), row(5, day0+4*second, wh, 20)
			moreOne, noTwo := revise(row(0, day0+second, wh, 10), 3, 1), withdraw(4, 2, day0+2*second)
			f.want("without the changes", counts(f.request(logdb.KindHistorical, a1, one, two, five)), "[0 3 0 0]")
			f.want("values", f.values(wh), "[30]")
			f.want("all of it", counts(f.request(logdb.KindHistorical, a1, one, two, moreOne, noTwo, five)), "[2 1 2 0]")
			f.want("values", f.values(wh), "[10 20]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 5), "sssss")
			f.want("tally", f.tallies(logdb.KindHistorical, a1)[day0].Count, 2)
			f.want("once", counts(f.request(logdb.KindHistorical, a1, one, two, moreOne, noTwo, five)), "[0 5 0 0]")
		}},
		{"a combined row that was revised is not turned", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, reduced(1, 1, 2, day0), row(2, day0+2*second, wh, 3), revise(row(0, day0+2*second, wh, 7), 3, 2))
			f.want("receipt", counts(f.request(logdb.KindHistorical, a1, row(1, day0+second, wh, 1), row(2, day0+2*second, wh, 2))), "[0 2 0 0]")
			f.want("values", f.values(wh), "[7]")
		}},
		{"send again removes the live records of a range and takes them out of the set", func(f *fixture) {
			rows := []any{row(1, day0, volts, 1), row(2, day0+minute, volts, 2), row(3, day0+2*minute, volts, 3), fate(4, 4, logdb.FateSkipped, day0+minute)}
			f.send(logdb.KindHistorical, a1, rows...)
			n, err := f.Forget(f.ctx, f.meter, logdb.KindHistorical, a1, day0+minute, day0+2*minute)
			f.must(err)
			f.after(f)
			f.want("forgotten", n, 1)
			f.want("fates", f.fates(logdb.KindHistorical, a1, 4), "s.sx")
			f.want("values", f.values(volts), "[1 3]")
			f.want("tally", f.tallies(logdb.KindHistorical, a1)[day0].Count, 2)
			f.want("sent again", counts(f.send(logdb.KindHistorical, a1, rows...)), "[1 2 0 0]")
			f.want("values", f.values(volts), "[1 2 3]")
		}},
		{"send again covers all versions of a record, by the time of the live one", func(f *fixture) {
			list := []any{system(1, day0, 1), revise(system(0, day0+hour, 2), 2, 1), system(3, day0, 3), withdraw(4, 3, day0), system(5, day0, 5)}
			f.send(logdb.KindSystem, a1, list...)
			n, err := f.Forget(f.ctx, f.meter, logdb.KindSystem, a1, day0+hour, day0+2*hour)
			f.must(err)
			f.after(f)
			f.want("forgotten", []any{n, f.fates(logdb.KindSystem, a1, 5), f.codes()}, "[1 ..sss [5]]")
			f.want("sent again", counts(f.send(logdb.KindSystem, a1, list...)), "[1 3 1 0]")
			f.want("codes", f.codes(), "[5 2]")
		}},
		{"send again leaves rows that are withdrawn or have moved out of the range", func(f *fixture) {
			list := []any{row(1, day0, volts, 1), row(2, day0+minute, volts, 2), row(3, day0+2*minute, volts, 3), row(4, day0+2*hour, volts, 4)}
			f.send(logdb.KindHistorical, a1, list...)
			f.send(logdb.KindHistorical, a1, revise(row(0, day0+hour, volts, 10), 5, 1), withdraw(6, 2, day0), revise(row(0, day0+3*minute, volts, 40), 7, 4))
			n, err := f.Forget(f.ctx, f.meter, logdb.KindHistorical, a1, day0, day0+hour)
			f.must(err)
			f.after(f)
			f.want("forgotten", []any{n, f.fates(logdb.KindHistorical, a1, 7), f.values(volts)}, "[2 ss..ss. [10]]")
			f.want("sent again", counts(f.send(logdb.KindHistorical, a1, list...)), "[2 2 0 0]")
			f.want("values", f.values(volts), "[3 10 4]")
		}},
		{"send again touches one stream only", func(f *fixture) {
			f.send(logdb.KindSystem, a1, system(1, day0, 1))
			f.send(logdb.KindSystem, b1, system(1, day0, 2))
			_, err := f.Forget(f.ctx, f.meter, logdb.KindSystem, a1, day0, day0+1)
			f.must(err)
			f.after(f)
			f.want("codes", f.codes(), "[2]")
			_, err = f.Forget(f.ctx, f.meter, logdb.KindSystem, a2, day0, day0+1)
			f.wantErr("unknown stream", err, logdb.ErrNotFound)
		}},
		{"nothing of the own journal can be forgotten", func(f *fixture) {
			a := f.append(logdb.KindSystem, system(0, day0, 1))
			_, err := f.Forget(f.ctx, f.meter, logdb.KindSystem, logdb.StreamID{Journal: a.Journal, Policy: "0"}, 0, logdb.MaxTime)
			f.wantErr("forget", err, logdb.ErrInvalid)
			f.want("codes", f.codes(), "[1]")
		}},
		{"a page of the own journal beyond its end is a conflict", func(f *fixture) {
			a := f.append(logdb.KindSystem, system(0, day0, 1))
			for _, policy := range []string{"0", "1"} {
				_, err := f.Accept(f.ctx, f.page(logdb.KindSystem, logdb.StreamID{Journal: a.Journal, Policy: policy}, system(2, day0, 2)), logdb.Limits{})
				f.wantErr("policy "+policy, err, logdb.ErrConflict)
			}
			r := f.send(logdb.KindSystem, logdb.StreamID{Journal: a.Journal, Policy: "1"}, system(1, day0, 1))
			f.want("what is known", counts(r), "[0 1 0 0]")
			f.want("codes", f.codes(), "[1]")
		}},
		// The receiver began as a copy of the sender's machine, and both go on reading the meter.
		{"a page of the own journal is held against every end that it had", func(f *fixture) {
			one := f.append(logdb.KindSystem, system(0, day0, 1), system(0, day0, 2))
			f.append(logdb.KindSystem, system(0, day0, 3))
			f.append(logdb.KindSystem, system(0, day0, 4), system(0, day0, 5), system(0, day0, 6))
			back := logdb.StreamID{Journal: one.Journal, Policy: "1"}
			for title, end := range map[string]logdb.Position{"other entries at an end": 3, "an end that there never was": 4, "other entries at the last end": 6} {
				p := withEnd(f.page(logdb.KindSystem, back, system(3, day0, 33)), end)
				p.Chain, p.Seen = logdb.Digest{9}, &logdb.End{}
				_, err := f.Accept(f.ctx, p, logdb.Limits{})
				f.wantErr(title, err, logdb.ErrConflict)
			}
			p := f.page(logdb.KindSystem, back, system(1, day0, 1), system(2, day0, 2))
			p.Chain, p.Seen = one.Chain, &logdb.End{}
			r, err := f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("the journal as it was", err, nil)
			f.want("of which all is known", counts(r), "[0 2 0 0]")
			f.want("fates", f.fates(logdb.KindSystem, back, 6), "hh....")
			f.want("codes", f.codes(), "[1 2 3 4 5 6]")
		}},
		{"another chain for an end that is known is a conflict", func(f *fixture) {
			p := f.page(logdb.KindSystem, a1, system(1, day0, 1))
			p.Chain = logdb.Digest{1}
			f.accept(p)
			p.Chain = logdb.Digest{2}
			_, err := f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("same stream", err, logdb.ErrConflict)
			p.Stream = a2
			_, err = f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("another stream of the journal", err, logdb.ErrConflict)
		}},
		// Two machines go on from one backup. Both asked before either of them sent.
		{"the ends that two writers stated are told, and stay a conflict when the journal has gone on", func(f *fixture) {
			p := f.page(logdb.KindSystem, a1, system(1, day0, 1), system(2, day0, 2))
			p.Chain = logdb.Digest{1}
			f.accept(p)
			p = f.page(logdb.KindSystem, a1, system(1, day0, 1), system(2, day0, 7), system(3, day0, 8))
			p.Chain = logdb.Digest{2}
			f.accept(p)
			f.accept(p) // a repeat states nothing new
			f.want("ends", f.stream(logdb.KindSystem, a1).Ends, logdb.Ends{{Position: 2, Chain: logdb.Digest{1}}, {Position: 3, Chain: logdb.Digest{2}}})
			p = f.page(logdb.KindSystem, a1, system(2, day0, 7))
			p.Chain = logdb.Digest{3}
			_, err := f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("another chain at an older end", err, logdb.ErrConflict)
			for n := logdb.Position(4); n < 20; n++ {
				p = f.page(logdb.KindSystem, a1, system(n, day0, 1))
				p.Chain = logdb.Digest{byte(n)}
				f.accept(p)
			}
			ends := f.stream(logdb.KindSystem, a1).Ends
			f.want("the last ends", []any{len(ends), ends[0].Position, ends[len(ends)-1].Position}, []any{logdb.EndsKept, 12, 19})
		}},
		// Two machines go on from one copy. Both asked before either of them sent, and say so.
		{"a page whose sender saw another end is refused, and nothing of it is stored", func(f *fixture) {
			named := logdb.StreamID{Journal: a1.Journal.Named(logdb.Digest{1}), Policy: "1"}
			try := func(what string, stream logdb.StreamID, end logdb.Position, chain byte, seen logdb.End, want error) {
				f.Helper()
				p := f.page(logdb.KindSystem, stream, system(end, day0, int64(end)))
				p.Chain, p.Seen = logdb.Digest{chain}, &seen
				_, err := f.Accept(f.ctx, p, logdb.Limits{})
				f.wantErr(what, err, want)
			}
			end := func(p logdb.Position, chain byte) logdb.End {
				return logdb.End{Position: p, Chain: logdb.Digest{chain}}
			}
			try("an end of a journal that is not there", a1, 3, 3, end(2, 2), logdb.ErrStale)
			streams, err := f.Streams(f.ctx, f.meter, logdb.KindSystem)
			f.wantErr("nothing came of it", err, nil)
			f.want("streams", len(streams), 0)
			try("nothing, as it is", a1, 3, 3, logdb.End{}, nil)
			try("nothing, before somebody wrote", a1, 5, 5, logdb.End{}, logdb.ErrStale)
			try("the same page again", a1, 3, 3, logdb.End{}, nil)
			try("the end of another journal", a1, 5, 5, end(3, 9), logdb.ErrStale)
			try("an end before this one", a1, 5, 5, end(2, 2), logdb.ErrStale)
			try("an end behind this one", a1, 5, 5, end(4, 4), logdb.ErrStale)
			try("under another name, an end before this one", named, 5, 5, end(2, 2), logdb.ErrStale)
			f.want("codes", f.codes(), "[3]")
			try("under another name", named, 5, 5, end(3, 3), nil)
			try("what stood under one name only", a1, 6, 6, end(3, 3), logdb.ErrStale)
			try("an end without its chain", a1, 6, 6, logdb.End{Position: 5}, nil)
			try("a relay that lags behind", a1, 4, 4, end(6, 6), nil)
			try("another chain under another name", named, 6, 9, end(6, 6), logdb.ErrConflict)
			f.want("codes", f.codes(), "[5 3 4 6]")
			b := f.page(logdb.KindSystem, a1, system(9, day0, 9))
			f.accept(b) // who does not tell
			own := f.append(logdb.KindPQ, sag(0, day0, 1))
			p := f.page(logdb.KindPQ, logdb.StreamID{Journal: own.Journal, Policy: "1"}, sag(1, day0, 1))
			p.Seen = &logdb.End{Position: 7}
			r, err := f.Accept(f.ctx, p, logdb.Limits{})
			f.wantErr("the own journal", err, nil)
			f.want("of which all is known", counts(r), "[0 1 0 0]")
		}},
		// Resume, refresh scan, a restored receiver, a lost bus and a full disk are all this one question.
		{"what the sets lack is all that must be sent", func(f *fixture) {
			all := history(30)
			f.accept(withEnd(f.page(logdb.KindHistorical, a1, all[3:9]...), 30))
			f.accept(withEnd(f.page(logdb.KindHistorical, a1, all[20:22]...), 30))
			for rounds := 0; rounds < 40; rounds++ {
				s := f.stream(logdb.KindHistorical, a1)
				missing := s.Fates.Missing(1, s.JournalEnd)
				if len(missing) == 0 {
					break
				}
				first, last := missing[0][0], min(missing[0][1], missing[0][0]+3)
				r := f.accept(withEnd(f.page(logdb.KindHistorical, a1, all[first-1:last]...), 30))
				f.want("repeats", r.Repeats, 0)
			}
			want := modelFixture(f)
			want.accept(want.page(logdb.KindHistorical, a1, all...))
			if d := difference(want.all(logdb.KindHistorical), f.all(logdb.KindHistorical), false); d != "" {
				f.Error(d)
			}
		}},
		{"one page on many connections is stored once", func(f *fixture) {
			pages := []logdb.Page{
				f.page(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0+minute, volts, 2)),
				f.page(logdb.KindHistorical, a1, row(2, day0+minute, volts, 2), row(3, day0+2*minute, volts, 3)),
			}
			var wait sync.WaitGroup
			var mu sync.Mutex
			total := [4]int{}
			for i := range 16 {
				wait.Go(func() {
					r, err := f.Accept(f.ctx, pages[i%2], logdb.Limits{})
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						f.Error(err)
					}
					for k, n := range counts(r) {
						total[k] += n
					}
				})
			}
			wait.Wait()
			f.after(f)
			f.want("receipts together", total, "[3 29 0 0]")
			f.want("values", f.values(volts), "[1 2 3]")
		}},
	}
}
