package logdbtest

import (
	"math/rand/v2"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// limitRules is a table: a rule a line, with its check.
func limitRules() []rule {
	perDay := func(n int) logdb.Limits {
		w := []logdb.Window{{Name: "day", Millis: day, Max: n}}
		return logdb.Limits{System: w, PQ: w, Waveform: w}
	}
	return []rule{
		{"a record over a limit is skipped with the reason, and a replay changes nothing", func(f *fixture) {
			f.limits = perDay(2)
			page := f.page(logdb.KindSystem, a1, system(1, day0, 1), system(2, day0+hour, 2), system(3, day0+2*hour, 3), system(4, day0+day, 4))
			f.want("receipt", counts(f.accept(page)), "[3 0 0 1]")
			f.want("again", counts(f.accept(page)), "[0 4 0 0]")
			f.want("fates", f.fates(logdb.KindSystem, a1, 4), "ssxs")
			r, _ := f.stream(logdb.KindSystem, a1).Fates.At(3)
			f.want("reason and time", []any{r.Reason, r.FirstTime}, []any{limit.Refused("day"), day0 + 2*hour})
		}},
		{"limits count over pages, in journal order inside a page", func(f *fixture) {
			f.limits = perDay(2)
			f.send(logdb.KindSystem, a1, system(5, day0, 5))
			f.send(logdb.KindSystem, a1, system(3, day0, 3), system(1, day0, 1), system(2, day0, 2))
			f.want("fates", f.fates(logdb.KindSystem, a1, 5), "sxx.s")
		}},
		{"each stream has its own counts", func(f *fixture) {
			f.limits = perDay(1)
			f.send(logdb.KindSystem, a1, system(1, day0, 1))
			f.want("the other node", counts(f.send(logdb.KindSystem, b1, system(1, day0, 2))), "[1 0 0 0]")
		}},
		{"what a sender accepted is never refused, whatever the order of pages", func(f *fixture) {
			f.limits = logdb.DefaultLimits()
			var list []logdb.Entry
			for i := range logdb.Position(60) {
				list = append(list, row(i+1, day0+logdb.Millis(i)*minute, volts, float64(i)))
			}
			rand.New(rand.NewPCG(3, 3)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			for i := 0; i < len(list); i += 20 {
				for _, e := range list[i : i+20] {
					p := withEnd(f.page(logdb.KindHistorical, a1, e), 60)
					if _, err := f.Accept(f.ctx, p, f.limits); err != nil {
						f.Fatal(err)
					}
				}
				f.after(f)
			}
			f.want("values", len(f.values(volts)), 60)
		}},
		{"historical rows keep one a minute a channel", func(f *fixture) {
			f.limits = logdb.DefaultLimits()
			inRun := func(run uint32, e logdb.Entry) logdb.Entry {
				e.Run = run
				return e
			}
			back := inRun(1, row(4, day0+20*second, volts, 4))
			r := f.send(logdb.KindHistorical, a1, row(1, day0+30*second, volts, 1), row(2, day0+59*second, volts, 2), row(3, day0+59*second, wh, 3), back)
			f.want("receipt", counts(r), "[3 0 0 1]")
			r = f.send(logdb.KindHistorical, a1, inRun(1, row(5, day0+59*second, volts, 5)), inRun(1, row(6, day0+minute, volts, 6)))
			f.want("over the page", counts(r), "[1 0 0 1]")
			r = f.send(logdb.KindHistorical, a1, inRun(2, row(7, day0+minute, volts, 7)), inRun(2, row(8, day0+minute, volts, 8)))
			f.want("the clock was set back by seconds", counts(r), "[1 0 0 1]")
			reset := func(e logdb.Entry) logdb.Entry {
				e.Generation = 1
				return inRun(2, e)
			}
			r = f.send(logdb.KindHistorical, a1, reset(row(9, day0+minute, volts, 9)))
			f.want("the log was reset within the minute", counts(r), "[1 0 0 0]")
			f.reopen()
			r = f.send(logdb.KindHistorical, a1, reset(row(10, day0+minute, volts, 10)))
			f.want("the minute goes on behind the reset", counts(r), "[0 0 0 1]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 10), "sxssxssxsx")
			r5, _ := f.stream(logdb.KindHistorical, a1).Fates.At(5)
			f.want("reason", r5.Reason, limit.Refused("minute"))
		}},
		{"revises and withdraws take no slot, gaps and closes neither", func(f *fixture) {
			f.limits = perDay(2)
			f.send(logdb.KindSystem, a1, system(1, day0, 1), revise(system(0, day0, 2), 2, 1), revise(system(0, day0, 3), 3, 1),
				logdb.Entry{Position: 4, Op: logdb.OpClose, Time: day0}, system(5, day0, 5))
			f.want("codes", f.codes(), "[3 5]")
			f.want("a revise that moves the record leaves the slot", counts(f.send(logdb.KindSystem, a1, revise(system(0, day0+day, 4), 6, 1), system(7, day0, 7))), "[0 0 1 1]")
		}},
		// Hole: revises take no slot, and one that came before its target was live at once.
		{"who sends only revises does not pass the limits, and loses nothing", func(f *fixture) {
			f.limits = perDay(2)
			ahead := []any{revise(system(0, day0, 11), 11, 1), revise(system(0, day0, 12), 12, 2), revise(system(0, day0, 13), 13, 3)}
			f.want("receipt", counts(f.send(logdb.KindSystem, a1, ahead...)), "[0 0 2 0]")
			f.want("codes", f.codes(), "[11 12]")
			f.want("fates", f.fates(logdb.KindSystem, a1, 13), "..........ss.")
			f.want("again", counts(f.send(logdb.KindSystem, a1, ahead...)), "[0 2 0 0]")
			f.want("the next day", counts(f.send(logdb.KindSystem, a1, revise(system(0, day0+day, 15), 15, 5))), "[0 0 1 0]")
			// No add is refused because of them.
			f.want("targets", counts(f.send(logdb.KindSystem, a1, system(1, day0, 1), system(3, day0, 3))), "[2 0 0 0]")
			f.want("the one that waited", counts(f.send(logdb.KindSystem, a1, ahead...)), "[0 2 1 0]")
			f.want("codes", f.codes(), "[11 12 13 15]")
			f.want("over the limit", counts(f.send(logdb.KindSystem, a1, system(2, day0, 2))), "[0 0 0 1]")
		}},
		{"a revise of what this receiver skipped is skipped with it", func(f *fixture) {
			f.limits = perDay(1)
			r := f.send(logdb.KindSystem, a1, system(1, day0, 1), system(2, day0, 2), revise(system(0, day0, 3), 3, 2))
			f.want("receipt", counts(r), "[1 0 0 2]")
			f.want("codes", f.codes(), "[1]")
		}},
		{"fates that the sender gave take no slot", func(f *fixture) {
			f.limits = perDay(1)
			f.send(logdb.KindSystem, a1, fate(1, 9, logdb.FateSkipped, day0))
			f.want("receipt", counts(f.send(logdb.KindSystem, a1, system(10, day0, 1))), "[1 0 0 0]")
		}},
		{"what is sent again finds its slot free", func(f *fixture) {
			f.limits = perDay(1)
			f.send(logdb.KindSystem, a1, system(1, day0, 1))
			_, err := f.Forget(f.ctx, f.meter, logdb.KindSystem, a1, day0, day0+1)
			f.must(err)
			f.after(f)
			f.want("sent again", counts(f.send(logdb.KindSystem, a1, system(1, day0, 1))), "[1 0 0 0]")
			f.want("and only once", counts(f.send(logdb.KindSystem, a1, system(2, day0, 2))), "[0 0 0 1]")
		}},
		{"rows that are sent again are not over pace", func(f *fixture) {
			f.limits = logdb.DefaultLimits()
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0+minute, volts, 2))
			_, err := f.Forget(f.ctx, f.meter, logdb.KindHistorical, a1, day0+minute, day0+hour)
			f.must(err)
			f.after(f)
			f.want("sent again", counts(f.send(logdb.KindHistorical, a1, row(3, day0+minute+2, volts, 3), row(2, day0+minute, volts, 2))), "[1 0 0 1]")
			_, err = f.Forget(f.ctx, f.meter, logdb.KindHistorical, a1, day0+minute, day0+hour)
			f.must(err)
			f.after(f)
			f.want("the pace begins anew", counts(f.send(logdb.KindHistorical, a1, row(4, day0+minute+3, volts, 4))), "[1 0 0 0]")
		}},
		{"clearing does not give slots back", func(f *fixture) {
			f.limits = perDay(1)
			f.send(logdb.KindSystem, a1, system(1, day0, 1))
			f.must(f.Clear(f.ctx, f.meter, logdb.KindSystem))
			f.after(f)
			f.want("receipt", counts(f.send(logdb.KindSystem, a1, system(2, day0, 2))), "[0 0 0 1]")
		}},
		{"what is fetched on request takes no slot", func(f *fixture) {
			f.limits = perDay(1)
			f.send(logdb.KindSystem, a1, fate(1, 1, logdb.FateSkipped, day0))
			f.request(logdb.KindSystem, a1, system(1, day0, 1))
			f.want("receipt", counts(f.send(logdb.KindSystem, a1, system(2, day0, 2))), "[1 0 0 0]")
		}},
		{"a recording that is too long is shortened, not skipped, and may come in full on request", func(f *fixture) {
			f.limits = logdb.Limits{WaveformSamples: 50}
			full := recorded(1, day0, 300)
			f.want("receipt", counts(f.send(logdb.KindWaveform, a1, full)), "[1 0 0 0]")
			e, err := f.Recording(f.ctx, f.meter, a1, 1)
			f.must(err)
			f.want("samples, start, source", []any{len(e.Waveform.Channels[0].Samples), e.Time, e.Waveform.Source.Digest}, []any{50, day0 + 20, full.ContentDigest()})
			f.want("requested", counts(f.request(logdb.KindWaveform, a1, full)), "[1 0 0 0]")
			e, err = f.Recording(f.ctx, f.meter, a1, 1)
			f.must(err)
			f.want("full", e.ContentDigest(), full.ContentDigest())
		}},
		{"a recording that was skipped comes in full on request", func(f *fixture) {
			f.limits = logdb.Limits{WaveformSamples: 50}
			full := recorded(1, day0, 300)
			f.send(logdb.KindWaveform, a1, fate(1, 1, logdb.FateSkipped, day0))
			f.want("requested", counts(f.request(logdb.KindWaveform, a1, full)), "[1 0 0 0]")
			e, err := f.Recording(f.ctx, f.meter, a1, 1)
			f.must(err)
			f.want("full", e.ContentDigest(), full.ContentDigest())
		}},
		{"the own journal knows no limits", func(f *fixture) {
			f.limits = perDay(1)
			f.append(logdb.KindSystem, system(0, day0, 1), system(0, day0, 2))
			f.want("codes", f.codes(), "[1 2]")
		}},
	}
}
