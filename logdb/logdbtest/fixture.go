package logdbtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
)

// fixture is an open store, one meter and short ways to write and read.
type fixture struct {
	*testing.T
	logdb.Store
	ctx    context.Context
	meter  logdb.MeterUID
	limits logdb.Limits
	open   Open
	cfg    Config
	before func(*fixture) // each page or batch
	after  func(*fixture) // each write
}

// The streams of a sender that the rules use, and one of another node.
const journalA, journalB = logdb.JournalID("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), logdb.JournalID("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")

var (
	a1 = logdb.StreamID{Journal: journalA, Policy: "1"}
	a2 = logdb.StreamID{Journal: journalA, Policy: "2"}
	b1 = logdb.StreamID{Journal: journalB, Policy: "1"}
)

const (
	second = logdb.Millis(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = logdb.DayMillis

	volts = logdb.ChannelKey("readings.voltage.an")
	wh    = logdb.ChannelKey("energy.interval.wh.received")
)

func newFixture(t *testing.T, open Open) *fixture {
	nothing := func(*fixture) {}
	f := &fixture{T: t, ctx: t.Context(), meter: "meter-1", open: open, before: nothing, after: nothing}
	f.cfg = Config{Path: t.TempDir(), NewJournalID: counter(), Now: func() time.Time { return (day0 + 30*day).Time() }}
	f.Store = open(t, f.cfg)
	t.Cleanup(func() {
		if err := f.Store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

// modelFixture is the model beside the store under test, to compare with.
func modelFixture(f *fixture) *fixture {
	return newFixture(f.T, func(_ testing.TB, cfg Config) logdb.Store { return NewModel(cfg) })
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) reopen() {
	f.Helper()
	f.must(f.Store.Close())
	f.Store = f.open(f.T, f.cfg)
}

// want fails when got is not what the rule says.
func (f *fixture) want(what string, got, want any) {
	f.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		f.Errorf("%s: %s, want %s", what, g, w)
	}
}

func (f *fixture) wantErr(what string, err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("%s: %v, want %v", what, err, want)
	}
}

// page fills in what every page needs. The journal ends at its highest position unless it says otherwise.
func (f *fixture) page(kind logdb.Kind, stream logdb.StreamID, what ...any) logdb.Page {
	p := logdb.Page{Meter: f.meter, Kind: kind, Stream: stream}
	var rows []logdb.Entry
	for _, w := range what {
		switch w := w.(type) {
		case logdb.Entry:
			p.JournalEnd = max(p.JournalEnd, w.Position)
			if w.Op == logdb.OpAdd && w.Row != nil {
				rows = append(rows, w)
			} else {
				p.Entries = append(p.Entries, w)
			}
		case logdb.FateRange:
			p.JournalEnd = max(p.JournalEnd, w.Last)
			p.Fates = append(p.Fates, w)
		}
	}
	slices.SortStableFunc(rows, func(a, b logdb.Entry) int { return cmp.Compare(a.Position, b.Position) })
	p.Rows = blocks(rows)
	return p
}

// blocks is columns without a channel that is always absent.
func blocks(rows []logdb.Entry) []logdb.History {
	out := columns(rows)
	for i := range out {
		if len(out[i].Channels) > 1 {
			out[i].Channels, out[i].Columns = out[i].Channels[1:], out[i].Columns[1:]
		}
	}
	return out
}

// send accepts a page of positions; receipt checks what was answered.
func (f *fixture) send(kind logdb.Kind, stream logdb.StreamID, what ...any) logdb.Receipt {
	f.Helper()
	return f.accept(f.page(kind, stream, what...))
}

// request sends a page that is marked requested.
func (f *fixture) request(kind logdb.Kind, stream logdb.StreamID, what ...any) logdb.Receipt {
	f.Helper()
	p := f.page(kind, stream, what...)
	p.Requested = true
	return f.accept(p)
}

// post accepts a page without positions.
func (f *fixture) post(kind logdb.Kind, source string, what ...any) logdb.Receipt {
	f.Helper()
	p := f.page(kind, logdb.StreamID{}, what...)
	p.Source, p.JournalEnd = source, 0
	return f.accept(p)
}

func (f *fixture) accept(p logdb.Page) logdb.Receipt {
	f.Helper()
	f.before(f)
	r, err := f.Accept(f.ctx, p, f.limits)
	f.must(err)
	f.after(f)
	return r
}

// append puts entries into the own journal.
func (f *fixture) append(kind logdb.Kind, what ...logdb.Entry) logdb.Appended {
	f.Helper()
	f.before(f)
	a, err := f.Append(f.ctx, logdb.Batch{Meter: f.meter, Kind: kind, Entries: what})
	f.must(err)
	f.after(f)
	return a
}

// counts is a receipt as four numbers.
func counts(r logdb.Receipt) [4]int { return [4]int{r.Stored, r.Repeats, r.Revised, r.Skipped} }

// row is an add at a position (0 for none) of one value or more.
func row(p logdb.Position, t logdb.Millis, c logdb.ChannelKey, v float64) logdb.Entry {
	return logdb.Entry{Position: p, Op: logdb.OpAdd, Time: t, Row: &logdb.Row{Channels: []logdb.ChannelKey{c}, Values: []float64{v}}}
}

// system is an add of a system event with a code.
func system(p logdb.Position, t logdb.Millis, code int64) logdb.Entry {
	return logdb.Entry{Position: p, Op: logdb.OpAdd, Time: t, System: &logdb.SystemEvent{Type: logdb.SystemPowerLoss, Code: code}}
}

// sag is an add of a PQ event; a duration that is not a number makes it a start.
func sag(p logdb.Position, t logdb.Millis, seconds float64) logdb.Entry {
	return logdb.Entry{Position: p, Op: logdb.OpAdd, Time: t, Excursion: &logdb.Excursion{DurationSeconds: seconds, Channel: volts, Worst: 90, WorstPercent: 75, Threshold: 108}}
}

// recorded is an add of a recording of n samples, 1 ms apart, with the trigger after 40 ms.
func recorded(p logdb.Position, t logdb.Millis, n int) logdb.Entry {
	w := &logdb.Waveform{End: t + logdb.Millis(n), SampleIntervalMillis: 1, TriggerTime: t + 40, FrequencyHz: 50, Channels: []logdb.WaveChannel{{Name: "Van_Vab", Samples: make([]float64, n)}}}
	for i := range w.Channels[0].Samples {
		w.Channels[0].Samples[i] = float64(i) / 8
	}
	return logdb.Entry{Position: p, Op: logdb.OpAdd, Time: t, Waveform: w}
}

// revise makes e a new version, at position p, of the record first added at target.
func revise(e logdb.Entry, p, target logdb.Position) logdb.Entry {
	e.Position, e.Op, e.Target, e.Replaces = p, logdb.OpRevise, target, logdb.DigestOf([]byte("before"))
	return e
}

// withdraw ends the record first added at target.
func withdraw(p, target logdb.Position, t logdb.Millis) logdb.Entry {
	return logdb.Entry{Position: p, Op: logdb.OpWithdraw, Target: target, Time: t}
}

// fate gives positions a fate that is not stored.
func fate(first, last logdb.Position, f logdb.Fate, t logdb.Millis) logdb.FateRange {
	r := logdb.FateRange{First: first, Last: last, Fate: f, FirstTime: t, LastTime: t}
	if f == logdb.FateSkipped {
		r.Reason = "hour"
	}
	return r
}

// reduced combines positions into another.
func reduced(first, last, into logdb.Position, t logdb.Millis) logdb.FateRange {
	r := fate(first, last, logdb.FateReduced, t)
	r.Into = into
	return r
}

// values returns the live values of a channel over all streams, in order of series and (time, position).
func (f *fixture) values(c logdb.ChannelKey) []float64 {
	f.Helper()
	list, err := f.Series(f.ctx, f.meter)
	f.must(err)
	var ids []logdb.SeriesID
	for _, s := range list {
		if s.Channel == c {
			ids = append(ids, s.ID)
		}
	}
	var out []float64
	f.must(f.ReadSeries(f.ctx, ids, 0, logdb.MaxTime+1, func(_ logdb.SeriesID, b *logdb.Block) error {
		out = b.AppendValues(out)
		return nil
	}))
	return out
}

// buckets returns the sums of a channel between edges, of its first series.
func (f *fixture) buckets(c logdb.ChannelKey, edges ...logdb.Millis) []logdb.Bucket {
	f.Helper()
	list, err := f.Series(f.ctx, f.meter)
	f.must(err)
	i := slices.IndexFunc(list, func(s logdb.Series) bool { return s.Channel == c })
	if i < 0 {
		f.Fatalf("there is no series %s", c)
	}
	var out []logdb.Bucket
	f.must(f.ReadBuckets(f.ctx, []logdb.SeriesID{list[i].ID}, edges, func(_ logdb.SeriesID, b []logdb.Bucket) error {
		out = slices.Clone(b)
		return nil
	}))
	return out
}

// codes returns the codes of the live system events in order.
func (f *fixture) codes() []int64 {
	f.Helper()
	var out []int64
	for _, e := range f.events(logdb.EventQuery{Kind: logdb.KindSystem}) {
		out = append(out, e.System.Code)
	}
	return out
}

// durations returns the seconds of the live PQ events in order.
func (f *fixture) durations() []float64 {
	f.Helper()
	var out []float64
	for _, e := range f.events(logdb.EventQuery{Kind: logdb.KindPQ}) {
		out = append(out, e.Excursion.DurationSeconds)
	}
	return out
}

func (f *fixture) events(q logdb.EventQuery) []logdb.Entry {
	f.Helper()
	q.Meter = f.meter
	var out []logdb.Entry
	f.must(f.ReadEvents(f.ctx, q, func(_ logdb.StreamID, e *logdb.Entry) error {
		out = append(out, clone(*e))
		return nil
	}))
	return out
}

// stream returns the state of one stream.
func (f *fixture) stream(kind logdb.Kind, id logdb.StreamID) *logdb.StreamState {
	f.Helper()
	states, err := f.Streams(f.ctx, f.meter, kind)
	f.must(err)
	for _, s := range states {
		if s.Stream == id {
			return &s
		}
	}
	f.Fatalf("there is no stream %s", id)
	return nil
}

// fates prints the fates of the first n positions, a letter each: s stored, r reduced, x skipped,
// n not chosen, h held, a point for one that is not decided.
func (f *fixture) fates(kind logdb.Kind, id logdb.StreamID, n logdb.Position) string {
	f.Helper()
	state := f.stream(kind, id)
	out := []byte{}
	for p := logdb.Position(1); p <= n; p++ {
		r, _ := state.Fates.At(p)
		out = append(out, ".srxnh"[r.Fate])
	}
	return string(out)
}

// tallies returns the records of each day that a stream claims to hold.
func (f *fixture) tallies(kind logdb.Kind, id logdb.StreamID) map[logdb.Millis]logdb.Tally {
	f.Helper()
	list, err := f.Digests(f.ctx, f.meter, kind, id)
	f.must(err)
	out := map[logdb.Millis]logdb.Tally{}
	for _, d := range list {
		if d.Data != d.Claim {
			f.Errorf("digest of %s: data %v, claim %v", d.Day, d.Data, d.Claim)
		}
		if d.Data.Count != 0 {
			total := out[d.Day]
			total.Merge(d.Data)
			out[d.Day] = total
		}
	}
	return out
}

// all returns everything that can be seen, to compare two ways to the same end.
func (f *fixture) all(kind logdb.Kind) *view {
	f.Helper()
	v, err := seen(f.ctx, f.Store, f.meter, kind, look{edges: []logdb.Millis{0, day0 - day, day0, day0 + hour, day0 + 7*hour, day0 + 5*day, day0 + 90*day}, page: 3})
	f.must(err)
	for _, w := range v.chunked {
		f.Error(w)
	}
	return v
}

func nan() float64 { return math.NaN() }

// sortedFloats returns a sorted copy, for where the order of streams is the store's own affair.
func sortedFloats(v []float64) []float64 {
	v = slices.Clone(v)
	slices.SortFunc(v, cmp.Compare)
	return v
}
