package analysis_test

import (
	"context"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/logdbtest"
)

// A sender that gave up a name of a journal tells of changes under the other one only. What the old name has must not
// stand beside that, at the times of before, nor be lost where the new one lacks it.
func TestNamesThatWereGivenUp(t *testing.T) {
	t.Parallel()
	const old, now = logdb.JournalID("aaaaaaaaaaaaaaaaaaaaaaaa00000001"), logdb.JournalID("aaaaaaaaaaaaaaaaaaaaaaaa00000002")
	m5 := logdb.Millis(300_000)
	// put stores an hour of two channels from position 1 on, of which a change puts the first row right, five hours later.
	put := func(t *testing.T, s logdb.Store, j logdb.JournalID, first, last logdb.Position, changed bool, keys ...logdb.ChannelKey) {
		t.Helper()
		h := logdb.History{Channels: keys, Columns: make([][]float64, len(keys))}
		for p := first; p <= last; p++ {
			h.Positions, h.Times = append(h.Positions, p), append(h.Times, day0+logdb.Millis(p)*m5)
			for c := range h.Columns {
				h.Columns[c] = append(h.Columns[c], float64(p))
			}
		}
		p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: j, Policy: "1"}, Rows: []logdb.History{h}, JournalEnd: max(last, 12)}
		if changed {
			values := make([]float64, len(keys))
			for i := range values {
				values[i] = 1
			}
			p.Entries = []logdb.Entry{{Position: 13, Op: logdb.OpRevise, Target: 1, Time: day0 + 5*hour, Row: &logdb.Row{Channels: keys, Values: values}}}
			p.JournalEnd = 13
		}
		if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		put     func(t *testing.T, s logdb.Store)
		first   map[logdb.ChannelKey]logdb.Millis // time of the first value
		values  map[logdb.ChannelKey]int
		current int // series
	}{
		"all of it and a change": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 1, 12, false, volts, energy)
			put(t, s, now, 1, 12, true, volts, energy)
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + 2*m5, energy: day0 + 2*m5}, map[logdb.ChannelKey]int{volts: 12, energy: 12}, 2},
		"all of it, and a change under other rules": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 1, 12, false, volts, energy)
			put(t, s, now, 1, 12, false, volts, energy)
			p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: now, Policy: "2"}, JournalEnd: 13, Entries: []logdb.Entry{
				{Position: 13, Op: logdb.OpRevise, Target: 1, Time: day0 + 5*hour, Row: &logdb.Row{Channels: []logdb.ChannelKey{volts, energy}, Values: []float64{1, 1}}},
			}}
			if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
				t.Fatal(err)
			}
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + 2*m5, energy: day0 + 2*m5}, map[logdb.ChannelKey]int{volts: 12, energy: 12}, 2},
		"one channel of it": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 1, 12, false, volts, energy)
			put(t, s, now, 1, 12, true, volts)
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + 2*m5, energy: day0 + m5}, map[logdb.ChannelKey]int{volts: 12, energy: 12}, 2},
		"not yet all of it": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 1, 12, false, volts)
			put(t, s, now, 3, 12, true, volts)
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + m5}, map[logdb.ChannelKey]int{volts: 13}, 2}, // nothing is lost meanwhile
		"but for what was gone when it went on": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 1, 24, false, volts)
			put(t, s, now, 12, 24, false, volts)
			p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: now, Policy: "1"}, JournalEnd: 25,
				Fates: []logdb.FateRange{{First: 1, Last: 11, Fate: logdb.FateNotChosen}},
				Entries: []logdb.Entry{
					{Position: 25, Op: logdb.OpRevise, Target: 20, Time: day0 + 5*hour, Row: &logdb.Row{Channels: []logdb.ChannelKey{volts}, Values: []float64{1}}},
				}}
			if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
				t.Fatal(err)
			}
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + m5}, map[logdb.ChannelKey]int{volts: 24}, 2},
		"but for what was gone, and what follows was put right": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 1, 24, false, volts)
			put(t, s, now, 24, 24, false, volts)
			p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: now, Policy: "1"}, JournalEnd: 25,
				Fates: []logdb.FateRange{{First: 1, Last: 23, Fate: logdb.FateNotChosen}},
				Entries: []logdb.Entry{
					{Position: 25, Op: logdb.OpRevise, Target: 24, Time: day0 + 5*hour, Row: &logdb.Row{Channels: []logdb.ChannelKey{volts}, Values: []float64{24}}},
				}}
			if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
				t.Fatal(err)
			}
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + m5}, map[logdb.ChannelKey]int{volts: 24}, 2},
		"what precedes what was gone was put right": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 12, 36, false, volts)
			put(t, s, now, 12, 23, false, volts)
			p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: now, Policy: "1"}, JournalEnd: 60,
				Fates: []logdb.FateRange{{First: 24, Last: 36, Fate: logdb.FateNotChosen}}}
			for i := range logdb.Position(12) {
				p.Entries = append(p.Entries, logdb.Entry{Position: 40 + i, Op: logdb.OpRevise, Target: 12 + i, Time: day0 + 5*hour + logdb.Millis(i)*m5, Row: &logdb.Row{Channels: []logdb.ChannelKey{volts}, Values: []float64{1}}})
			}
			if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
				t.Fatal(err)
			}
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + 24*m5}, map[logdb.ChannelKey]int{volts: 25}, 2},
		"in the midst of an hour": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 1, 24, false, volts)
			put(t, s, now, 18, 36, false, volts)
			p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: now, Policy: "1"}, JournalEnd: 37,
				Fates: []logdb.FateRange{{First: 1, Last: 17, Fate: logdb.FateNotChosen}},
				Entries: []logdb.Entry{
					{Position: 37, Op: logdb.OpRevise, Target: 20, Time: day0 + 5*hour, Row: &logdb.Row{Channels: []logdb.ChannelKey{volts}, Values: []float64{1}}},
				}}
			if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
				t.Fatal(err)
			}
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + m5}, map[logdb.ChannelKey]int{volts: 36}, 2},
		"two names, neither with all that the other has": {func(t *testing.T, s logdb.Store) {
			const other = logdb.JournalID("aaaaaaaaaaaaaaaaaaaaaaaa00000003")
			put(t, s, old, 1, 12, false, volts)
			put(t, s, other, 5, 14, false, volts)
			put(t, s, now, 13, 16, false, volts)
			p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: now, Policy: "1"}, JournalEnd: 16,
				Fates: []logdb.FateRange{{First: 1, Last: 12, Fate: logdb.FateNotChosen}}}
			if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
				t.Fatal(err)
			}
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + m5}, map[logdb.ChannelKey]int{volts: 16}, 3},
		"combined under the next name": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 1, 12, false, volts)
			h := logdb.History{Channels: []logdb.ChannelKey{volts}, Columns: make([][]float64, 1)}
			p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: now, Policy: "1"}, JournalEnd: 13}
			for _, at := range []logdb.Position{4, 8, 12, 13} {
				h.Positions, h.Times, h.Columns[0] = append(h.Positions, at), append(h.Times, day0+logdb.Millis(at)*m5), append(h.Columns[0], 1)
				if at < 13 {
					p.Fates = append(p.Fates, logdb.FateRange{First: at - 3, Last: at - 1, Fate: logdb.FateReduced, Into: at, FirstTime: day0 + logdb.Millis(at-3)*m5, LastTime: day0 + logdb.Millis(at-1)*m5})
				}
			}
			p.Rows = []logdb.History{h}
			if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
				t.Fatal(err)
			}
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + 4*m5}, map[logdb.ChannelKey]int{volts: 4}, 1},
		"no more than it": {func(t *testing.T, s logdb.Store) {
			put(t, s, old, 1, 12, true, volts)
			put(t, s, now, 1, 12, false, volts)
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + 2*m5}, map[logdb.ChannelKey]int{volts: 12}, 1},
		"of another journal": {func(t *testing.T, s logdb.Store) {
			put(t, s, journalA, 1, 12, false, volts)
			put(t, s, journalB, 1, 12, true, volts)
		}, map[logdb.ChannelKey]logdb.Millis{volts: day0 + m5}, map[logdb.ChannelKey]int{volts: 13}, 2}, // two nodes: both read it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := logdbtest.NewModel(logdbtest.Config{})
			tt.put(t, s)
			for key, want := range tt.values {
				v, times := raw(t, s, key, day0, day0+6*hour)
				if len(v) != want || times[0] != tt.first[key] {
					t.Errorf("%s: %d values from %s, want %d from %s", key, len(v), times[0], want, tt.first[key])
				}
			}
			all, err := s.Series(t.Context(), "m")
			if err != nil {
				t.Fatal(err)
			}
			left, _, err := analysis.Current(t.Context(), s, "m", all)
			if err != nil || len(left) != tt.current {
				t.Errorf("%d series, want %d; %v", len(left), tt.current, err)
			}
		})
	}
}

// archived is a store that let go of the values of some streams and kept their sums.
type archived struct {
	logdb.Store
	gone []logdb.JournalID
}

func (a archived) ReadSeries(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error {
	series, err := a.Store.Series(ctx, "m")
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id logdb.SeriesID) bool {
		return slices.ContainsFunc(series, func(s logdb.Series) bool { return s.ID == id && slices.Contains(a.gone, s.Stream.Journal) })
	})
	if len(ids) == 0 {
		return nil
	}
	return a.Store.ReadSeries(ctx, ids, first, last, visit)
}

// Series that are not asked about say nothing of those that are: one name carries other channels than the next.
func TestNamesWithOtherChannels(t *testing.T) {
	t.Parallel()
	const base = "aaaaaaaaaaaaaaaaaaaaaaaa"
	s := logdbtest.NewModel(logdbtest.Config{})
	rows := func(j logdb.JournalID, last logdb.Position, keys ...logdb.ChannelKey) {
		t.Helper()
		h := logdb.History{Channels: keys, Columns: make([][]float64, len(keys))}
		for p := logdb.Position(1); p <= last; p++ {
			h.Positions, h.Times = append(h.Positions, p), append(h.Times, day0+logdb.Millis(p)*300_000)
			for c := range h.Columns {
				h.Columns[c] = append(h.Columns[c], float64(p))
			}
		}
		p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: j, Policy: "1"}, Rows: []logdb.History{h}, JournalEnd: last}
		if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	rows(base+"00000001", 12, volts, energy)
	rows(base+"00000002", 13, volts)
	rows(base+"00000003", 14, volts)
	rows(journalB, 3, energy)
	all, err := s.Series(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	current, newest, err := analysis.Current(t.Context(), s, "m", all)
	if err != nil {
		t.Fatal(err)
	}
	energies := slices.DeleteFunc(slices.Clone(all), func(s logdb.Series) bool { return s.Channel != energy })
	for name, series := range map[string][]logdb.Series{"all": all, "current": current, "newest": newest, "of the channel": energies} {
		c, err := analysis.Choose(t.Context(), s, analysis.Query{Meter: "m", Channels: []logdb.ChannelKey{energy}, First: day0, Last: day0 + 2*hour, Series: series})
		if err != nil || len(c.Columns) != 1 {
			t.Fatalf("%s: %d columns; %v", name, len(c.Columns), err)
		}
		n := 0
		err = c.ReadSeries(t.Context(), []logdb.SeriesID{1}, day0, day0+2*hour, func(_ logdb.SeriesID, b *logdb.Block) error {
			n += len(b.Times)
			return nil
		})
		if err != nil || n != 12 {
			t.Errorf("%s: %d values, want 12; %v", name, n, err)
		}
	}
}

// A name that was given up may have nothing but sums of what the next name lacks, and so may a second one.
func TestSumsUnderANameThatWasGivenUp(t *testing.T) {
	t.Parallel()
	const old, other, now = logdb.JournalID("aaaaaaaaaaaaaaaaaaaaaaaa00000001"), logdb.JournalID("aaaaaaaaaaaaaaaaaaaaaaaa00000002"), logdb.JournalID("aaaaaaaaaaaaaaaaaaaaaaaa00000003")
	s := logdbtest.NewModel(logdbtest.Config{})
	rows := func(j logdb.JournalID, first, last logdb.Position, fates ...logdb.FateRange) {
		t.Helper()
		h := logdb.History{Channels: []logdb.ChannelKey{volts}, Columns: make([][]float64, 1)}
		for p := first; p <= last; p++ {
			h.Positions, h.Times = append(h.Positions, p), append(h.Times, day0+logdb.Millis(p-1)*300_000)
			h.Columns[0] = append(h.Columns[0], 1)
		}
		p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: j, Policy: "1"}, Rows: []logdb.History{h}, JournalEnd: last, Fates: fates}
		if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	rows(old, 1, 36)
	rows(other, 1, 36)
	rows(now, 25, 48, logdb.FateRange{First: 1, Last: 24, Fate: logdb.FateNotChosen})
	c, err := analysis.Choose(t.Context(), archived{s, []logdb.JournalID{old, other}}, analysis.Query{Meter: "m", First: day0, Last: day0 + 4*hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		edges []logdb.Millis
		want  []int64
	}{
		{[]logdb.Millis{day0, day0 + hour, day0 + 2*hour, day0 + 3*hour, day0 + 4*hour}, []int64{12, 12, 12, 12}},
		{[]logdb.Millis{day0 - hour, day0 + 2*hour, day0 + 50*hour}, []int64{24, 24}},
		{[]logdb.Millis{0, day0 + hour, logdb.MaxTime}, []int64{12, 36}},
	} {
		var counts []int64
		err = c.ReadBuckets(t.Context(), tt.edges, func(_ int, b []logdb.Bucket) error {
			for i := range b {
				counts = append(counts, b[i].Count)
			}
			return nil
		})
		if err != nil || !slices.Equal(counts, tt.want) {
			t.Errorf("values between %v: %d, want %d; %v", tt.edges, counts, tt.want, err)
		}
	}
}
