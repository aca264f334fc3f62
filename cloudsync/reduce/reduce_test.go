package reduce_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// memory is a journal in a slice: position p is entry p-1.
type memory []logdb.Entry

func (m memory) Entry(_ context.Context, p logdb.Position) (logdb.Entry, error) {
	if p == 0 || int(p) > len(m) || m[p-1].Op == 0 {
		return logdb.Entry{}, logdb.ErrNotFound
	}
	return m[p-1], nil
}

func (m memory) Changes(_ context.Context, target logdb.Position) ([]logdb.Position, error) {
	var out []logdb.Position
	for _, e := range m {
		if e.Target == target && target != 0 {
			out = append(out, e.Position)
		}
	}
	return out, nil
}

func (m memory) Entries(_ context.Context, first logdb.Position, max int) ([]logdb.Entry, error) {
	var out []logdb.Entry
	for _, e := range m {
		if e.Op != 0 && e.Position >= first && len(out) < max {
			out = append(out, e)
		}
	}
	return out, nil
}

func (m memory) Rows(_ context.Context, log logdb.LogNo, first, last logdb.Millis, _ logdb.Position) ([]logdb.Position, error) {
	var out []logdb.Position
	for _, e := range m {
		if e.Op == logdb.OpAdd && e.Log == log && e.Time >= first && e.Time <= last {
			out = append(out, e.Position)
		}
	}
	return out, nil
}

func (m *memory) add(e logdb.Entry) logdb.Position {
	e.Position = logdb.Position(len(*m) + 1)
	if e.Op == 0 {
		e.Op = logdb.OpAdd
	}
	*m = append(*m, e)
	return e.Position
}

const volts, energy, demand, total = logdb.ChannelKey("readings.voltage.an"), logdb.ChannelKey("energy.interval.wh.received"),
	logdb.ChannelKey("demand.max.va"), logdb.ChannelKey("energy.total.wh.received")

func row(seconds int, values ...float64) logdb.Entry {
	return logdb.Entry{Time: logdb.Millis(seconds) * 1000, Row: &logdb.Row{Channels: []logdb.ChannelKey{volts, energy, demand, total}[:len(values)], Values: values}}
}

func stream(generation string, change ...func(*reduce.Policy)) *reduce.Stream {
	p := reduce.Policy{Generation: generation, Limits: logdb.DefaultLimits()}
	for _, c := range change {
		c(&p)
	}
	return &reduce.Stream{ID: logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: generation}, Policy: p}
}

func slow(p *reduce.Policy) { p.Slow = []logdb.LogNo{0} }

func decide(t *testing.T, kind logdb.Kind, m memory, s *reduce.Stream) *reduce.Decider {
	t.Helper()
	d := reduce.New(kind, reduce.NewCut(s), m, reduce.State{}, nil)
	for i := range m {
		if m[i].Op == 0 {
			d.Skip(m[i].Position, m[i].Position)
			continue
		}
		if err := d.Feed(t.Context(), &m[i]); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// words prints the fates of a set, one for each position.
func words(s *logdb.FateSet, end int) []string {
	var out []string
	for p := logdb.Position(1); int(p) <= end; p++ {
		r, ok := s.At(p)
		switch {
		case !ok:
			out = append(out, "-")
		case r.Fate == logdb.FateReduced:
			out = append(out, fmt.Sprintf(">%d", r.Into))
		case r.Fate == logdb.FateSkipped:
			out = append(out, r.Reason)
		default:
			out = append(out, r.Fate.String())
		}
	}
	return out
}

func TestFatesOfRows(t *testing.T) {
	t.Parallel()
	closeEntry := logdb.Entry{Op: logdb.OpClose}
	run := func(e logdb.Entry, run uint32) logdb.Entry { e.Run = run; return e }
	log := func(e logdb.Entry, n logdb.LogNo) logdb.Entry { e.Log = n; return e }
	change := func(op logdb.Op, target logdb.Position) logdb.Entry {
		e := logdb.Entry{Op: op, Target: target, Time: 1000}
		if op == logdb.OpRevise {
			e.Row = row(0, 9, 9).Row
		}
		return e
	}
	onlyEnergy := func(p *reduce.Policy) { p.Channels = []logdb.ChannelKey{energy} }
	slowEnergy := func(p *reduce.Policy) { slow(p); onlyEnergy(p) }
	gone := func(target logdb.Position) logdb.Entry { return change(logdb.OpWithdraw, target) }
	poor := func(target logdb.Position) logdb.Entry {
		e := change(logdb.OpRevise, target)
		e.Row = row(0, 9).Row
		return e
	}
	tests := []struct {
		name   string
		policy func(*reduce.Policy)
		in     []logdb.Entry
		want   []string
	}{
		{"open until two intervals beyond", nil, []logdb.Entry{row(15, 1), row(60, 1), row(75, 1), row(179, 1)}, []string{"-", "-", "-", "-"}},
		{"closed by the row two intervals beyond", nil, []logdb.Entry{row(15, 1), row(60, 1), row(75, 1), row(180, 1)}, []string{">2", "stored", "-", "-"}},
		{"the full minute belongs to the minute before", nil, []logdb.Entry{row(60, 1), row(61, 1), row(600, 1)}, []string{"stored", "stored", "-"}},
		{"closed by a close", nil, []logdb.Entry{row(15, 1), row(30, 1), closeEntry, row(45, 1)}, []string{">2", "stored", "stored", ">2"}},
		{"closed by a gap", nil, []logdb.Entry{row(15, 1), row(30, 1), {Op: logdb.OpGap, Time: 500_000, Gap: &logdb.Gap{From: 500_000, To: 600_000}}}, []string{">2", "stored", "stored"}},
		{"closed by a new run", nil, []logdb.Entry{row(300, 1), row(301, 1), run(row(15, 1), 1), run(row(16, 1), 1), row(302, 1)}, []string{"stored", "stored", "-", "-", ">2"}},
		{"logs do not close each other", nil, []logdb.Entry{row(15, 1), log(row(900, 1), 1), row(16, 1)}, []string{"-", "-", "-"}},
		{"late rows of a closed minute and of one without rows", nil, []logdb.Entry{row(15, 1), row(30, 1), row(600, 1), row(20, 1), row(200, 1), row(201, 1)}, []string{">2", "stored", "-", ">2", "stored", ">5"}},
		{"revises in an open minute", nil, []logdb.Entry{row(15, 1), change(logdb.OpRevise, 1), row(30, 1), change(logdb.OpRevise, 1), closeEntry}, []string{">3", ">3", "stored", "stored", "stored"}},
		{"revise of a reduced row", nil, []logdb.Entry{row(15, 1), row(30, 1), closeEntry, change(logdb.OpRevise, 1), change(logdb.OpWithdraw, 2)}, []string{">2", "stored", "stored", "stored", "stored"}},
		{"a revise before its target", nil, []logdb.Entry{change(logdb.OpRevise, 2), row(15, 1), closeEntry}, []string{"not_chosen", "stored", "stored"}},
		{"slow rows travel at once", slow, []logdb.Entry{row(60, 1), row(960, 1), row(1860, 1)}, []string{"stored", "stored", "stored"}},
		{"two slow rows in a minute", slow, []logdb.Entry{row(60, 1), row(119, 1), row(120, 1), row(61, 1)}, []string{"stored", ">1", "stored", ">1"}},
		{"no reduction", func(p *reduce.Policy) { p.Limits.HistoricalIntervalMillis = 0 }, []logdb.Entry{row(1, 1), row(1, 1)}, []string{"stored", "stored"}},
		{"not chosen", func(p *reduce.Policy) { slow(p); p.Channels = []logdb.ChannelKey{energy} }, []logdb.Entry{row(60, 1), row(120, 1, 2)}, []string{"not_chosen", "stored"}},
		{"changes of a row that was not chosen", slowEnergy, []logdb.Entry{row(60, 1), gone(1), poor(1), change(logdb.OpRevise, 1), poor(1), gone(1), change(logdb.OpRevise, 1)}, []string{"not_chosen", "not_chosen", "not_chosen", "stored", "stored", "stored", "stored"}},
		{"a change brings a row into an open minute", onlyEnergy, []logdb.Entry{row(15, 1), change(logdb.OpRevise, 1), row(30, 1, 2), change(logdb.OpRevise, 1), closeEntry, change(logdb.OpRevise, 1)}, []string{"not_chosen", ">3", "stored", "stored", "stored", "stored"}},
		{"a change closes a minute", onlyEnergy, []logdb.Entry{row(15, 1), row(30, 1, 2), change(logdb.OpRevise, 1), closeEntry}, []string{"not_chosen", ">3", "stored", "stored"}},
		{"a change brings a row into a closed minute", onlyEnergy, []logdb.Entry{row(15, 1), row(30, 1, 2), closeEntry, change(logdb.OpRevise, 1), change(logdb.OpRevise, 1)}, []string{"not_chosen", "stored", "stored", ">2", "stored"}},
		{"rows of a minute of which none was chosen", onlyEnergy, []logdb.Entry{row(15, 1), row(30, 1), row(300, 1), change(logdb.OpRevise, 2), change(logdb.OpRevise, 1), row(20, 1, 2)}, []string{"not_chosen", "not_chosen", "not_chosen", "stored", ">4", ">4"}},
		{"what another cut carries is left to it", func(p *reduce.Policy) { slowEnergy(p); p.From, p.Until = 2, 2 }, []logdb.Entry{row(60, 1), row(120, 1), row(180, 1), change(logdb.OpRevise, 1), change(logdb.OpRevise, 2), change(logdb.OpRevise, 3)}, []string{"not_chosen", "not_chosen", "not_chosen", "not_chosen", "stored", "not_chosen"}},
		{"rows without values", slow, []logdb.Entry{row(60), row(61), change(logdb.OpRevise, 1), change(logdb.OpWithdraw, 2)}, []string{"stored", ">1", "stored", "stored"}},
		{"a row without values in a fast log", nil, []logdb.Entry{row(15), change(logdb.OpRevise, 1), row(30, 1), closeEntry, change(logdb.OpRevise, 1)}, []string{">3", ">3", "stored", "stored", "stored"}},
		{"channels added later", func(p *reduce.Policy) { slow(p); p.Until = 2 }, []logdb.Entry{row(60, 1), row(120, 1), row(180, 1), change(logdb.OpRevise, 1)}, []string{"stored", "stored", "not_chosen", "stored"}},
		{"a relayed skip", nil, []logdb.Entry{{Op: logdb.OpSkip, Why: "day"}, {Op: logdb.OpSkip}}, []string{"day", "relayed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var m memory
			for _, e := range tt.in {
				m.add(e)
			}
			s := stream("1", func(p *reduce.Policy) {
				if tt.policy != nil {
					tt.policy(p)
				}
			})
			d := decide(t, logdb.KindHistorical, m, s)
			if got := words(&s.Fates, len(m)); !slices.Equal(got, tt.want) {
				t.Errorf("fates %q, want %q", got, tt.want)
			}
			if open := slices.Contains(tt.want, "-"); open != (d.Waiting() > 0) {
				t.Errorf("%d positions wait", d.Waiting())
			}
			d.Flush()
			if s.Fates.Len() != len(m) {
				t.Errorf("after the end of the stream %d of %d are decided", s.Fates.Len(), len(m))
			}
		})
	}
}

func TestFatesOfEvents(t *testing.T) {
	t.Parallel()
	event := func(t logdb.Millis) logdb.Entry {
		return logdb.Entry{Time: t, Excursion: &logdb.Excursion{Channel: volts, DurationSeconds: 1}}
	}
	var m memory
	for range 12 {
		m.add(event(5000)) // 10 a second
	}
	m.add(logdb.Entry{Op: logdb.OpRevise, Target: 11, Time: 5000, Excursion: &logdb.Excursion{Channel: volts}})
	m.add(logdb.Entry{Op: logdb.OpWithdraw, Target: 1, Time: 5000})
	m.add(event(7000))
	m.add(logdb.Entry{Op: logdb.OpRevise, Target: 15, Time: 7000, Excursion: &logdb.Excursion{Channel: volts}}) // where slots are free
	s := stream("1")
	d := decide(t, logdb.KindPQ, m, s)
	want := []string{"stored", "stored", "stored", "stored", "stored", "stored", "stored", "stored", "stored", "stored", "second", "second", "second", "stored", "stored", "stored"}
	if got := words(&s.Fates, len(m)); !slices.Equal(got, want) {
		t.Errorf("fates %q, want %q", got, want)
	}
	out := d.Take()
	if n := out.Counts[limit.Key{Window: "day", Start: 0}]; n != 11 {
		t.Errorf("the day counts %d, want 11: changes take no slot", n)
	}
	if len(out.Changes) != 3 || out.State.Next != 17 {
		t.Errorf("changes %v, state %+v", out.Changes, out.State)
	}
	var retrieval memory
	retrieval.add(logdb.Entry{System: &logdb.SystemEvent{Type: logdb.SystemLogRetrieval}})
	retrieval.add(logdb.Entry{System: &logdb.SystemEvent{Type: logdb.SystemError}})
	s = stream("1")
	decide(t, logdb.KindSystem, retrieval, s)
	if got := words(&s.Fates, 2); got[0] != "not_chosen" || got[1] != "stored" {
		t.Errorf("system events: %q", got)
	}
}

// saved is a journal of which changes are known as far as decisions were kept.
type saved struct {
	memory
	until logdb.Position
}

func (s *saved) Changes(ctx context.Context, target logdb.Position) ([]logdb.Position, error) {
	all, err := s.memory.Changes(ctx, target)
	return slices.DeleteFunc(all, func(p logdb.Position) bool { return p > s.until }), err
}

// TestDecisionsResume cuts the journal at every position: stopping and going on decides the same.
func TestDecisionsResume(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]func(*reduce.Policy){
		"all channels": func(*reduce.Policy) {},
		"one channel":  func(p *reduce.Policy) { p.Channels = []logdb.ChannelKey{energy} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m memory
			for i := range 60 {
				m.add(row(i*17, []float64{float64(i), 1}[:1+i%2]...))
				if i%9 == 4 {
					m.add(row(i*17-200, 5, 5))
				}
				if i%7 == 3 {
					m.add(logdb.Entry{Op: logdb.OpRevise, Target: logdb.Position(len(m) - i%3), Time: logdb.Millis(i-i%3) * 17_000, Row: row(0, 4, 4).Row})
				}
				for range 2 * (i % 11 / 10) {
					m.add(logdb.Entry{Op: logdb.OpRevise, Target: logdb.Position(i), Time: logdb.Millis(i-10) * 17_000, Row: row(0, 4, 4).Row})
				}
			}
			whole := stream("1", policy)
			decide(t, logdb.KindHistorical, m, whole)
			for cut := range m {
				s := stream("1", policy)
				var state reduce.State
				j := &saved{memory: m}
				for _, end := range []int{cut, len(m)} {
					d := reduce.New(logdb.KindHistorical, reduce.NewCut(s), j, state, nil)
					for p := d.Start(); int(p) <= end; p++ {
						if err := d.Feed(t.Context(), &m[p-1]); err != nil {
							t.Fatal(err)
						}
					}
					state, j.until = d.Take().State, logdb.Position(end)
				}
				if a, b := words(&whole.Fates, len(m)), words(&s.Fates, len(m)); !slices.Equal(a, b) {
					t.Fatalf("cut at %d:\n%q\n%q", cut, b, a)
				}
			}
		})
	}
}

func TestArithmeticOfMinutes(t *testing.T) {
	t.Parallel()
	var m memory
	m.add(row(10, 0.1, 1, 5, 100))
	m.add(row(20, 0.2, 2, 7, 101))
	m.add(row(30, 0.3, 4, 6, 102))
	m.add(logdb.Entry{Op: logdb.OpClose})
	late := m.add(row(25, 0.7, 8, 9, 50))
	gone := m.add(logdb.Entry{Op: logdb.OpWithdraw, Target: 3, Time: 30_000})
	s := stream("1")
	decide(t, logdb.KindHistorical, m, s)
	c := reduce.NewComposer("m", logdb.KindHistorical, reduce.NewCut(s), m, reduce.Config{})
	// The order of summation is that of the journal, in variables so that nothing is folded exactly.
	a, b, d, e := 0.1, 0.2, 0.3, 0.7
	tests := []struct {
		asOf logdb.Position
		want []float64
	}{
		{3, []float64{((a + b) + d) / 3, 7, 7, 102}},
		{late, []float64{(((a + b) + d) + e) / 4, 15, 9, 102}},
		{gone, []float64{((a + b) + e) / 3, 11, 9, 50}},
	}
	for _, tt := range tests {
		e, live, err := c.Content(t.Context(), 3, tt.asOf)
		if err != nil || !live || e.Time != 60_000 || !slices.Equal(e.Row.Values, tt.want) {
			t.Errorf("as of %d: %+v at %d, %v; want %v", tt.asOf, e.Row, e.Time, err, tt.want)
		}
	}
	var pages []*logdb.Page
	err := c.Pages(t.Context(), s, [][2]logdb.Position{{1, logdb.Position(len(m))}}, always, func(p *logdb.Page) error {
		p.JournalEnd = logdb.Position(len(m))
		pages = append(pages, p)
		return p.Check()
	})
	if err != nil || len(pages) != 1 || pages[0].Rows[0].Len() != 1 || len(pages[0].Entries) != 3 || len(pages[0].Fates) != 1 {
		t.Fatalf("pages %+v, %v", pages, err)
	}
	first := pages[0].Entries[1]
	if first.Op != logdb.OpRevise || first.Target != 3 || first.Why != reduce.LateReason {
		t.Errorf("the late row travels as %+v", first)
	}
	before, _, _ := c.Content(t.Context(), 3, 3)
	if first.Replaces != before.ContentDigest() {
		t.Error("the revise does not name what it replaces")
	}
}

func TestPagesAreBoundedAndComplete(t *testing.T) {
	t.Parallel()
	var m memory
	for i := range 500 {
		e := row(i*60, float64(i), 2)
		if i%50 == 7 {
			e.Row.Channels, e.Row.Values = e.Row.Channels[1:], e.Row.Values[1:]
		}
		e.Log = logdb.LogNo(i % 2)
		m.add(e)
	}
	s := stream("1", func(p *reduce.Policy) { p.Slow = []logdb.LogNo{0, 1} })
	decide(t, logdb.KindHistorical, m, s)
	c := reduce.NewComposer("m", logdb.KindHistorical, reduce.NewCut(s), m, reduce.Config{PageBytes: 1000})
	var all logdb.FateSet
	var pages int
	err := c.Pages(t.Context(), s, [][2]logdb.Position{{1, 100}, {200, 500}}, always, func(p *logdb.Page) error {
		pages++
		p.JournalEnd = 500
		if err := p.Check(); err != nil {
			return err
		}
		halves := []*logdb.Page{p}
		if left, right, ok := reduce.Split(p); ok {
			halves = []*logdb.Page{left, right}
		}
		for _, half := range halves {
			set := reduce.Positions(half)
			for _, r := range set.Ranges() {
				if all.Overlaps(r.First, r.Last) {
					return fmt.Errorf("position %d travels twice", r.First)
				}
				all.Put(r)
			}
			for i := range half.Rows {
				for c, col := range half.Rows[i].Columns {
					for k, v := range col {
						want := m[half.Rows[i].Positions[k]-1].Row
						j := slices.Index(want.Channels, half.Rows[i].Channels[c])
						if j < 0 != math.IsNaN(v) || j >= 0 && want.Values[j] != v {
							return fmt.Errorf("position %d carries %v", half.Rows[i].Positions[k], v)
						}
					}
				}
			}
		}
		return nil
	})
	if err != nil || pages < 10 || all.Len() != 401 {
		t.Errorf("%d pages, %d positions, %v", pages, all.Len(), err)
	}
}

func always() error { return nil }

// counted counts the entries that are read.
type counted struct {
	reduce.Journal
	reads int
}

func (c *counted) Entry(ctx context.Context, p logdb.Position) (logdb.Entry, error) {
	c.reads++
	return c.Journal.Entry(ctx, p)
}

// TestNothingIsComposedThatMayNotBeSent: one may is asked for each page, before anything is read for it.
func TestNothingIsComposedThatMayNotBeSent(t *testing.T) {
	t.Parallel()
	var m memory
	for i := range 200 {
		m.add(row(i*60, float64(i)))
	}
	s := stream("1", slow)
	decide(t, logdb.KindHistorical, m, s)
	enough := errors.New("enough")
	for most := range 4 {
		j := &counted{Journal: m}
		c := reduce.NewComposer("m", logdb.KindHistorical, reduce.NewCut(s), j, reduce.Config{PageBytes: 1000})
		asked, sent, at := 0, 0, 0
		may := func() error {
			if asked == most {
				return enough
			}
			asked++
			return nil
		}
		err := c.Pages(t.Context(), s, [][2]logdb.Position{{1, 200}}, may, func(*logdb.Page) error {
			sent, at = sent+1, j.reads
			return nil
		})
		if !errors.Is(err, enough) || asked != most || sent != most || j.reads != at {
			t.Errorf("%d pages may go: %v, asked %d times, %d sent; %d entries read, %d of them for pages", most, err, asked, sent, j.reads, at)
		}
	}
}

func TestClearedPositionsAreNotChosen(t *testing.T) {
	t.Parallel()
	var m memory
	m.add(row(60, 1))
	m.add(row(120, 1))
	m.add(row(180, 1))
	s := stream("1", slow)
	cleared := slices.Clone(m)
	cleared[1] = logdb.Entry{Position: 2}
	decide(t, logdb.KindHistorical, cleared, s)
	if got := words(&s.Fates, 3); !slices.Equal(got, []string{"stored", "not_chosen", "stored"}) {
		t.Errorf("fates %q", got)
	}
	// One that was decided and cleared before it was sent is accounted for too.
	cleared[2] = logdb.Entry{Position: 3}
	c := reduce.NewComposer("m", logdb.KindHistorical, reduce.NewCut(s), cleared, reduce.Config{})
	err := c.Pages(t.Context(), s, [][2]logdb.Position{{3, 3}}, always, func(p *logdb.Page) error {
		if len(p.Fates) != 1 || p.Fates[0].Fate != logdb.FateNotChosen {
			return fmt.Errorf("%+v", p)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A sum tells of its rows: of those that the receiver skipped one by one, and of all when it is sent on request.
func TestSumTellsOfItsRows(t *testing.T) {
	t.Parallel()
	var m memory
	for _, e := range []logdb.Entry{row(75, 1), row(90, 3), row(105, 5), row(120, 7), {Op: logdb.OpClose}} {
		m.add(e)
	}
	s := stream("1")
	decide(t, logdb.KindHistorical, m, s)
	reduced := func(first, last logdb.Position) logdb.FateRange { // times may be those of all the rows
		return logdb.FateRange{First: first, Last: last, Fate: logdb.FateReduced, Into: 4, FirstTime: 75_000, LastTime: 105_000}
	}
	for _, tt := range []struct {
		skipped   []logdb.Position
		requested bool
		want      []logdb.FateRange
	}{
		{nil, false, nil},
		{[]logdb.Position{2}, false, []logdb.FateRange{reduced(2, 2)}},
		{[]logdb.Position{1, 3}, false, []logdb.FateRange{reduced(1, 1), reduced(3, 3)}},
		{[]logdb.Position{1, 2, 3}, false, []logdb.FateRange{reduced(1, 3)}},
		{nil, true, []logdb.FateRange{reduced(1, 3)}},
		{[]logdb.Position{2}, true, []logdb.FateRange{reduced(1, 3)}},
	} {
		var cfg reduce.Config
		if tt.skipped != nil {
			cfg.Skipped = func(_ logdb.StreamID, p logdb.Position) bool { return slices.Contains(tt.skipped, p) }
		}
		c := reduce.NewComposer("m", logdb.KindHistorical, reduce.NewCut(s), m, cfg)
		var page *logdb.Page
		var err error
		if tt.requested {
			err = c.Groups(t.Context(), s, []reduce.Group{{4}}, func(p *logdb.Page, _ []reduce.Group) error { page = p; return nil })
		} else {
			err = c.Pages(t.Context(), s, [][2]logdb.Position{{4, 4}}, always, func(p *logdb.Page) error { page = p; return nil })
		}
		if err != nil || page.Requested != tt.requested || len(page.Rows) != 1 || !slices.Equal(page.Fates, tt.want) {
			t.Errorf("skipped %v, requested %v: %v, fates %+v, want %+v", tt.skipped, tt.requested, err, page.Fates, tt.want)
		}
	}
}

// Of a combined row of which a part was cleared nobody can tell the whole.
func TestPartOfAnIntervalIsNotSent(t *testing.T) {
	t.Parallel()
	for cleared := range logdb.Position(4) { // 0: none
		var m memory
		for _, e := range []logdb.Entry{row(15, 1), row(30, 3), row(45, 5), {Op: logdb.OpClose}} {
			m.add(e)
		}
		s := stream("1")
		decide(t, logdb.KindHistorical, m, s)
		if cleared > 0 {
			m[cleared-1] = logdb.Entry{Position: cleared}
		}
		rows, fate := 0, logdb.Fate(0)
		c := reduce.NewComposer("m", logdb.KindHistorical, reduce.NewCut(s), m, reduce.Config{})
		err := c.Pages(t.Context(), s, [][2]logdb.Position{{1, 3}}, always, func(p *logdb.Page) error {
			rows += len(p.Rows)
			for _, f := range p.Fates {
				if f.First <= 3 && f.Last >= 3 {
					fate = f.Fate
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if whole := cleared == 0; whole != (rows == 1) || !whole && fate != logdb.FateNotChosen {
			t.Errorf("with row %d gone: %d rows, and %v", cleared, rows, fate)
		}
	}
}

// A change of a record whose content was cleared here must not travel as if nothing were left of it: the receiver may hold all of it.
func TestChangesOfClearedRecords(t *testing.T) {
	t.Parallel()
	changed := func(e logdb.Entry, op logdb.Op, target logdb.Position) logdb.Entry {
		e.Op, e.Target = op, target
		return e
	}
	both := []logdb.Entry{row(15, 1), row(30, 3), row(45, 5), {Op: logdb.OpClose}}
	for _, tt := range []struct {
		name    string
		rows    []logdb.Entry
		policy  []func(*reduce.Policy)
		change  logdb.Entry
		cleared []logdb.Position
		op      logdb.Op // that travels; 0: none
		value   float64
	}{
		{"one row", []logdb.Entry{row(60, 1), row(120, 1)}, []func(*reduce.Policy){slow}, changed(row(60, 7), logdb.OpRevise, 1), []logdb.Position{1}, logdb.OpRevise, 7},
		{"one row, withdrawn", []logdb.Entry{row(60, 1), row(120, 1)}, []func(*reduce.Policy){slow}, changed(logdb.Entry{Time: 60_000}, logdb.OpWithdraw, 1), []logdb.Position{1}, logdb.OpWithdraw, 0},
		{"nothing cleared of several", both, nil, changed(row(30, 9), logdb.OpRevise, 2), nil, logdb.OpRevise, 5},
		{"another of several", both, nil, changed(row(30, 9), logdb.OpRevise, 2), []logdb.Position{1}, 0, 0},
		{"the last of several", both, nil, changed(row(30, 9), logdb.OpRevise, 2), []logdb.Position{3}, 0, 0},
		{"itself of several", both, nil, changed(row(30, 9), logdb.OpRevise, 2), []logdb.Position{2}, logdb.OpRevise, 5},
		{"all of several", both, nil, changed(row(30, 9), logdb.OpRevise, 2), []logdb.Position{1, 2, 3}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var m memory
			for _, e := range append(slices.Clone(tt.rows), tt.change) {
				m.add(e)
			}
			s := stream("1", tt.policy...)
			decide(t, logdb.KindHistorical, m, s)
			for _, p := range tt.cleared {
				m[p-1] = logdb.Entry{Position: p}
			}
			at := logdb.Position(len(m))
			var sent []logdb.Entry
			var fates []logdb.FateRange
			c := reduce.NewComposer("m", logdb.KindHistorical, reduce.NewCut(s), m, reduce.Config{})
			err := c.Pages(t.Context(), s, [][2]logdb.Position{{at, at}}, always, func(p *logdb.Page) error {
				sent, fates = append(sent, p.Entries...), append(fates, p.Fates...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if tt.op == 0 {
				if len(sent) != 0 || len(fates) != 1 || fates[0].First != at || fates[0].Fate != logdb.FateNotChosen {
					t.Errorf("%+v, %+v; want that it is not chosen", sent, fates)
				}
				return
			}
			if len(sent) != 1 || sent[0].Op != tt.op || len(fates) != 0 {
				t.Fatalf("%+v, %+v; want %s", sent, fates, tt.op)
			}
			if tt.op == logdb.OpRevise && sent[0].Row.Values[0] != tt.value || sent[0].Time == 0 {
				t.Errorf("%s %v, want the value %v", sent[0].Time, sent[0].Row.Values, tt.value)
			}
		})
	}
}

func TestAdded(t *testing.T) {
	t.Parallel()
	policy := func(channels, except []logdb.ChannelKey) reduce.Policy {
		return reduce.Policy{Channels: channels, Except: except}
	}
	list := func(c ...logdb.ChannelKey) []logdb.ChannelKey { return c }
	tests := []struct {
		name           string
		old, next      reduce.Policy
		carries, lacks []logdb.ChannelKey
		ok             bool
	}{
		{"all before", policy(nil, nil), policy(list(volts), nil), nil, nil, false},
		{"all now", policy(list(volts), nil), policy(nil, nil), list(energy, total), list(volts), true},
		{"one more", policy(list(volts), nil), policy(list(volts, energy), nil), list(energy), list(volts, total), true},
		{"one less", policy(list(volts, energy), nil), policy(list(volts), nil), nil, nil, false},
		{"an exception less", policy(nil, list(volts, total)), policy(nil, list(total)), list(volts), list(energy, total), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			channels, except, ok := tt.old.Added(tt.next)
			if ok != tt.ok {
				t.Fatalf("added %v", ok)
			}
			p := policy(channels, except)
			for _, c := range tt.carries {
				if !p.Carries(c) {
					t.Errorf("%s is not carried", c)
				}
			}
			for _, c := range tt.lacks {
				if p.Carries(c) {
					t.Errorf("%s is carried", c)
				}
			}
		})
	}
}

func BenchmarkDecideAndCompose(b *testing.B) {
	var m memory
	for i := range 4000 {
		m.add(row(i*15, float64(i), 1, 2, 3))
	}
	for b.Loop() {
		s := stream("1")
		cut := reduce.NewCut(s)
		d := reduce.New(logdb.KindHistorical, cut, noRows{m}, reduce.State{}, nil)
		for i := range m {
			if err := d.Feed(b.Context(), &m[i]); err != nil {
				b.Fatal(err)
			}
		}
		d.Flush()
		c := reduce.NewComposer("m", logdb.KindHistorical, cut, noRows{m}, reduce.Config{})
		if err := c.Pages(b.Context(), s, [][2]logdb.Position{{1, 4000}}, always, func(*logdb.Page) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(4000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// noRows has no changes, so that the benchmark measures the decisions.
type noRows struct{ memory }

func (noRows) Changes(context.Context, logdb.Position) ([]logdb.Position, error) { return nil, nil }
