package logdb_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"metermanager/logdb"
)

const journal = logdb.JournalID("0123456789abcdef0123456789abcdef")

func history(positions ...logdb.Position) logdb.History {
	h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: [][]float64{nil}}
	for i, p := range positions {
		h.Times = append(h.Times, noon+logdb.Millis(i))
		h.Columns[0] = append(h.Columns[0], float64(p))
		h.Positions = append(h.Positions, p)
	}
	return h
}

// goodPage is a page in which everything occurs.
func goodPage() logdb.Page {
	revise := logdb.Entry{Position: 7, Op: logdb.OpRevise, Target: 2, Time: noon, Row: &logdb.Row{Channels: []logdb.ChannelKey{"a.b"}, Values: []float64{1}}}
	return logdb.Page{
		Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: journal, Policy: "1"}, JournalEnd: 20,
		Rows: []logdb.History{history(1, 2, 4), history(10, 11)},
		Entries: []logdb.Entry{
			revise, {Position: 6, Op: logdb.OpWithdraw, Target: 1, Time: noon}, {Position: 5, Op: logdb.OpClose, Time: noon},
			{Position: 8, Op: logdb.OpGap, Time: noon, Gap: &logdb.Gap{From: noon, To: noon}}, {Position: 9, Op: logdb.OpSkip, Time: noon},
		},
		Fates: []logdb.FateRange{
			{First: 3, Last: 3, Fate: logdb.FateSkipped, Reason: "day", FirstTime: noon, LastTime: noon},
			{First: 12, Last: 14, Fate: logdb.FateReduced, Into: 15, FirstTime: noon, LastTime: noon + 1},
			{First: 16, Last: 17, Fate: logdb.FateNotChosen}, {First: 18, Last: 20, Fate: logdb.FateHeld},
		},
	}
}

func TestPageCheck(t *testing.T) {
	t.Parallel()
	good := goodPage()
	if err := good.Check(); err != nil {
		t.Fatalf("the good page: %v", err)
	}
	tests := map[string]func(p *logdb.Page){
		"no meter":                        func(p *logdb.Page) { p.Meter = "" },
		"no kind":                         func(p *logdb.Page) { p.Kind = 0 },
		"unknown kind":                    func(p *logdb.Page) { p.Kind = 6 },
		"stream and source":               func(p *logdb.Page) { p.Source = "key" },
		"neither stream nor source":       func(p *logdb.Page) { p.Stream = logdb.StreamID{} },
		"rows of another kind":            func(p *logdb.Page) { p.Kind = logdb.KindPQ; p.Entries = nil },
		"an end beyond all positions":     func(p *logdb.Page) { p.JournalEnd = logdb.MaxPosition + 1 },
		"rows beyond the end":             func(p *logdb.Page) { p.Rows[1].Positions[1] = 21 },
		"an entry beyond the end":         func(p *logdb.Page) { p.Entries[2].Position = 21 },
		"fates beyond the end":            func(p *logdb.Page) { p.Fates[3].Last = 21 },
		"a position in rows and rows":     func(p *logdb.Page) { p.Rows[1].Positions[0] = 4 },
		"a position in rows and entries":  func(p *logdb.Page) { p.Entries[2].Position = 4 },
		"a position in rows and fates":    func(p *logdb.Page) { p.Fates[2].First = 11 },
		"a position in entries and fates": func(p *logdb.Page) { p.Entries[2].Position = 19 },
		"a position in two fates":         func(p *logdb.Page) { p.Fates[1].Last = 16 },
		"an entry without position":       func(p *logdb.Page) { p.Entries[2].Position = 0 },
		"rows without positions":          func(p *logdb.Page) { p.Rows[0].Positions = nil },
		"positions that fall":             func(p *logdb.Page) { p.Rows[0].Positions[2] = 1 },
		"position 0 of a row":             func(p *logdb.Page) { p.Rows[0].Positions[0] = 0 },
		"a time before 1970":              func(p *logdb.Page) { p.Rows[0].Times[0] = -1 },
		"a time after 9999":               func(p *logdb.Page) { p.Rows[0].Times[0] = logdb.MaxTime + 1 },
		"a revise of itself":              func(p *logdb.Page) { p.Entries[0].Target = 7 },
		"a withdraw of a later position":  func(p *logdb.Page) { p.Entries[1].Target = 9 },
		"a revise without target":         func(p *logdb.Page) { p.Entries[0].Target = 0 },
		"a record of another kind":        func(p *logdb.Page) { p.Entries[0].Row, p.Entries[0].System = nil, &logdb.SystemEvent{} },
		"a fate of positions that fall":   func(p *logdb.Page) { p.Fates[2].Last = 15 },
		"fate 0":                          func(p *logdb.Page) { p.Fates[2].Fate = 0 },
		"an unknown fate":                 func(p *logdb.Page) { p.Fates[2].Fate = 6 },
		"a claim of stored":               func(p *logdb.Page) { p.Fates[2].Fate = logdb.FateStored },
		"reduced into nothing":            func(p *logdb.Page) { p.Fates[1].Into = 0 },
		"reduced into no position":        func(p *logdb.Page) { p.Fates[1].Into = logdb.MaxPosition + 1 },
		"skipped without a reason":        func(p *logdb.Page) { p.Fates[0].Reason = "" },
		"skipped with a story":            func(p *logdb.Page) { p.Fates[0].Reason = string(make([]byte, 65)) },
		"a fate over two days":            func(p *logdb.Page) { p.Fates[0].LastTime = noon + logdb.DayMillis },
		"a fate of no time":               func(p *logdb.Page) { p.Fates[2].FirstTime = -1 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := goodPage()
			change(&p)
			if err := p.Check(); !errors.Is(err, logdb.ErrInvalid) {
				t.Errorf("error %v, want ErrInvalid", err)
			}
		})
	}
}

func TestPageWithoutStream(t *testing.T) {
	t.Parallel()
	good := func() logdb.Page {
		h := history(1, 2)
		h.Positions = nil
		return logdb.Page{
			Meter: "m", Kind: logdb.KindHistorical, Source: "key", Rows: []logdb.History{h},
			Entries: []logdb.Entry{{Op: logdb.OpAdd, Time: noon, Row: &logdb.Row{Channels: []logdb.ChannelKey{"a.b"}, Values: []float64{1}}}},
		}
	}
	p := good()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(p *logdb.Page){
		"positions of rows":      func(p *logdb.Page) { p.Rows[0].Positions = []logdb.Position{1, 2} },
		"a position of an entry": func(p *logdb.Page) { p.Entries[0].Position = 3 },
		"a revise":               func(p *logdb.Page) { p.Entries[0].Op, p.Entries[0].Target = logdb.OpRevise, 1 },
		"fates":                  func(p *logdb.Page) { p.Fates = []logdb.FateRange{{First: 1, Last: 1, Fate: logdb.FateHeld}} },
	} {
		p := good()
		change(&p)
		if err := p.Check(); !errors.Is(err, logdb.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHistoryCheck(t *testing.T) {
	t.Parallel()
	two := func() logdb.History {
		return logdb.History{
			Channels: []logdb.ChannelKey{"a.b", "c.d"}, Times: []logdb.Millis{noon, noon}, Columns: [][]float64{{1, 2}, {math.NaN(), 4}},
		}
	}
	h := two()
	if err := h.Check(); err != nil {
		t.Fatal(err)
	}
	many := make([]logdb.ChannelKey, 513)
	for i := range many {
		many[i] = logdb.ChannelKey(fmt.Sprintf("a.b%d", i))
	}
	for name, change := range map[string]func(h *logdb.History){
		"no channels":          func(h *logdb.History) { h.Channels, h.Columns = nil, nil },
		"513 channels":         func(h *logdb.History) { h.Channels, h.Columns = many, make([][]float64, 513) },
		"a column too few":     func(h *logdb.History) { h.Columns = h.Columns[:1] },
		"a value too few":      func(h *logdb.History) { h.Columns[1] = h.Columns[1][:1] },
		"a channel twice":      func(h *logdb.History) { h.Channels[1] = "a.b" },
		"a key not canonical":  func(h *logdb.History) { h.Channels[1] = "reading.x" },
		"a key that is no key": func(h *logdb.History) { h.Channels[1] = "c" },
		"positions too few":    func(h *logdb.History) { h.Positions = []logdb.Position{1} },
		"equal positions":      func(h *logdb.History) { h.Positions = []logdb.Position{1, 1} },
	} {
		h := two()
		change(&h)
		if err := h.Check(); !errors.Is(err, logdb.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h = two()
	h.Channels, h.Columns = many[:512], slices.Repeat([][]float64{{1, 2}}, 512)
	if err := h.Check(); err != nil {
		t.Errorf("512 channels: %v", err)
	}
}

func TestHistoryEntryAndSlice(t *testing.T) {
	t.Parallel()
	h := logdb.History{
		Log: 2, Run: 3, Generation: 4, Channels: []logdb.ChannelKey{"a.b", "c.d"}, Times: []logdb.Millis{noon, noon + 1, noon + 2},
		Positions: []logdb.Position{7, 8, 10}, Columns: [][]float64{{1, math.NaN(), 3}, {math.NaN(), math.NaN(), 6}},
	}
	part := h.Slice(1, 3)
	if part.Len() != 2 || h.Len() != 3 {
		t.Fatalf("%d rows of %d", part.Len(), h.Len())
	}
	for i, want := range []string{"8 1 []", "10 2 [{a.b 3} {c.d 6}]"} {
		e := part.Entry(i)
		var values []struct {
			Channel logdb.ChannelKey
			Value   float64
		}
		for k, c := range e.Row.Channels {
			values = append(values, struct {
				Channel logdb.ChannelKey
				Value   float64
			}{c, e.Row.Values[k]})
		}
		if got := fmt.Sprint(e.Position, int64(e.Time-noon), values); got != want {
			t.Errorf("row %d is %s, want %s", i, got, want)
		}
		if e.Op != logdb.OpAdd || e.Log != 2 || e.Run != 3 || e.Generation != 4 {
			t.Errorf("row %d: %+v", i, e)
		}
	}
	h.Positions = nil
	if got := h.Slice(0, 1); got.Positions != nil {
		t.Error("a slice of rows without positions has some")
	}
}

// TestAddRows adds rows one by one, some with other channels, before those that stand there, or of another run.
func TestAddRows(t *testing.T) {
	t.Parallel()
	page := logdb.Page{}
	add := func(run uint32, p logdb.Position, channels ...logdb.ChannelKey) {
		h := logdb.History{Run: run, Channels: channels, Times: []logdb.Millis{noon + logdb.Millis(p)}, Positions: []logdb.Position{p}}
		for i := range channels {
			h.Columns = append(h.Columns, []float64{float64(10*int(p) + i)})
		}
		page.AddRows(&h)
		h.Times[0], h.Positions[0], h.Channels[0], h.Columns[0][0] = 0, 0, "x.y", -1 // the page has its own
	}
	add(0, 1, "a.b")
	add(0, 3, "c.d", "a.b")
	add(1, 4, "a.b")
	add(0, 7, "c.d")
	add(0, 2, "a.b") // before them
	add(0, 9, "e.f")
	var got []string
	for i := range page.Rows {
		h := &page.Rows[i]
		if err := h.Check(); err != nil {
			t.Error(err)
		}
		got = append(got, fmt.Sprint(h.Run, h.Positions, h.Channels, h.Columns, int64(h.Times[0]-noon)))
	}
	want := []string{"0 [1 3 7] [a.b c.d] [[10 31 NaN] [NaN 30 70]] 1", "1 [4] [a.b] [[40]] 4", "0 [2 9] [a.b e.f] [[20 NaN] [NaN 90]] 2"}
	if !slices.Equal(got, want) {
		t.Errorf("blocks\n%v, want\n%v", got, want)
	}
	// A block has 512 channels at most.
	var many []logdb.ChannelKey
	for i := range 600 {
		many = append(many, logdb.ChannelKey(fmt.Sprintf("readings.c%d", i)))
	}
	page = logdb.Page{}
	add(0, 1, many[:300]...)
	add(0, 2, many[300:]...)
	if len(page.Rows) != 2 {
		t.Errorf("%d blocks of 300 channels each, want 2", len(page.Rows))
	}
}

func TestEntryCheck(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	row := &logdb.Row{Channels: []logdb.ChannelKey{"a.b"}, Values: []float64{1}}
	wave := func(change func(w *logdb.Waveform)) *logdb.Waveform {
		w := &logdb.Waveform{End: noon, SampleIntervalMillis: 1, Channels: []logdb.WaveChannel{{Name: "a"}, {Name: "b"}}}
		change(w)
		return w
	}
	tests := []struct {
		name string
		kind logdb.Kind
		e    logdb.Entry
		ok   bool
	}{
		{"add of a row", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: row}, true},
		{"add of an empty row", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: &logdb.Row{}}, true},
		{"add of a limit event", logdb.KindLimit, logdb.Entry{Op: logdb.OpAdd, Excursion: &logdb.Excursion{Channel: "readings.voltage.an", DurationSeconds: nan}}, true},
		{"add of a PQ event", logdb.KindPQ, logdb.Entry{Op: logdb.OpAdd, Excursion: &logdb.Excursion{Channel: "readings.voltage.an"}}, true},
		{"add of a recording", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: noon, Waveform: wave(func(*logdb.Waveform) {})}, true},
		{"withdraw", logdb.KindPQ, logdb.Entry{Op: logdb.OpWithdraw, Target: 1}, true},
		{"gap", logdb.KindPQ, logdb.Entry{Op: logdb.OpGap, Gap: &logdb.Gap{}}, true},
		{"skip", logdb.KindPQ, logdb.Entry{Op: logdb.OpSkip}, true},
		{"close", logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose}, true},
		{"no operation", logdb.KindHistorical, logdb.Entry{Row: row}, false},
		{"unknown operation", logdb.KindHistorical, logdb.Entry{Op: 7, Row: row}, false},
		{"add of nothing", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd}, false},
		{"add with a target", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: row, Target: 1}, false},
		{"add of two records", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: row, System: &logdb.SystemEvent{}}, false},
		{"add of another kind", logdb.KindSystem, logdb.Entry{Op: logdb.OpAdd, Row: row}, false},
		{"add with a gap", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: row, Gap: &logdb.Gap{}}, false},
		{"withdraw with a record", logdb.KindHistorical, logdb.Entry{Op: logdb.OpWithdraw, Target: 1, Row: row}, false},
		{"withdraw of nothing", logdb.KindHistorical, logdb.Entry{Op: logdb.OpWithdraw}, false},
		{"close with a record", logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Row: row}, false},
		{"skip with a target", logdb.KindHistorical, logdb.Entry{Op: logdb.OpSkip, Target: 1}, false},
		{"gap without a period", logdb.KindHistorical, logdb.Entry{Op: logdb.OpGap}, false},
		{"gap that ends before it begins", logdb.KindHistorical, logdb.Entry{Op: logdb.OpGap, Gap: &logdb.Gap{From: 2, To: 1}}, false},
		{"gap before 1970", logdb.KindHistorical, logdb.Entry{Op: logdb.OpGap, Gap: &logdb.Gap{From: -2, To: 1}}, false},
		{"gap after 9999", logdb.KindHistorical, logdb.Entry{Op: logdb.OpGap, Gap: &logdb.Gap{From: 2, To: logdb.MaxTime + 1}}, false},
		{"time before 1970", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: row, Time: -1}, false},
		{"time after 9999", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: row, Time: logdb.MaxTime + 1}, false},
		{"row of unequal lengths", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: &logdb.Row{Values: []float64{1}}}, false},
		{"row with a channel twice", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: &logdb.Row{Channels: []logdb.ChannelKey{"a.b", "a.b"}, Values: []float64{1, 2}}}, false},
		{"row with an absent value", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: &logdb.Row{Channels: row.Channels, Values: []float64{nan}}}, false},
		{"row with a bad key", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: &logdb.Row{Channels: []logdb.ChannelKey{"A"}, Values: row.Values}}, false},
		{"event of no channel", logdb.KindPQ, logdb.Entry{Op: logdb.OpAdd, Excursion: &logdb.Excursion{}}, false},
		{"infinite worst value", logdb.KindPQ, logdb.Entry{Op: logdb.OpAdd, Excursion: &logdb.Excursion{Channel: "readings.voltage.an", Worst: math.Inf(1)}}, false},
		{"infinite value in a row", logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Row: &logdb.Row{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Values: []float64{math.Inf(-1)}}}, false},
		{"description that is not UTF-8", logdb.KindSystem, logdb.Entry{Op: logdb.OpAdd, System: &logdb.SystemEvent{Description: "\xff"}}, false},
		{"RMS value with a reserved name", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Waveform: &logdb.Waveform{SampleIntervalMillis: 1, RMS: []logdb.NamedValue{{Name: "freq"}}}}, false},
		{"infinite sample", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Waveform: &logdb.Waveform{SampleIntervalMillis: 1, Channels: []logdb.WaveChannel{{Name: "Ia", Samples: []float64{math.Inf(1)}}}}}, false},
		{"negative duration", logdb.KindPQ, logdb.Entry{Op: logdb.OpAdd, Excursion: &logdb.Excursion{DurationSeconds: -1}}, false},
		{"recording that ends before it begins", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: noon + 1, Waveform: wave(func(*logdb.Waveform) {})}, false},
		{"recording that ends after 9999", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: noon, Waveform: wave(func(w *logdb.Waveform) { w.End = logdb.MaxTime + 1 })}, false},
		{"recording without an interval", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: noon, Waveform: wave(func(w *logdb.Waveform) { w.SampleIntervalMillis = 0 })}, false},
		{"recording whose interval is no number", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: noon, Waveform: wave(func(w *logdb.Waveform) { w.SampleIntervalMillis = nan })}, false},
		{"recording with an infinite interval", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: noon, Waveform: wave(func(w *logdb.Waveform) { w.SampleIntervalMillis = math.Inf(1) })}, false},
		{"recording with a channel twice", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: noon, Waveform: wave(func(w *logdb.Waveform) { w.Channels[1].Name = "a" })}, false},
		{"recording with a nameless channel", logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: noon, Waveform: wave(func(w *logdb.Waveform) { w.Channels[1].Name = "" })}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.e.Check(tt.kind); (err == nil) != tt.ok || err != nil && !errors.Is(err, logdb.ErrInvalid) {
				t.Errorf("error %v, want none %v", err, tt.ok)
			}
		})
	}
}

func TestStreamID(t *testing.T) {
	t.Parallel()
	good := logdb.StreamID{Journal: journal, Policy: "2+1"}
	for _, want := range []logdb.StreamID{good, {Journal: journal, Policy: "0"}, {Journal: journal, Policy: "1234567890123456"}, {}} {
		if got, err := logdb.ParseStream(want.String()); err != nil || got != want {
			t.Errorf("%s reads as %v, %v", want, got, err)
		}
	}
	for _, bad := range []string{
		string(journal), string(journal) + ":", ":1", string(journal[1:]) + ":1", string(journal) + ":12345678901234567",
		string(journal) + ":a", string(journal) + ":1:2", "0123456789abcdeF0123456789abcdef:1", "0123456789abcdeg0123456789abcdef:1",
	} {
		if got, err := logdb.ParseStream(bad); !errors.Is(err, logdb.ErrInvalid) || !got.IsZero() {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
	cut := func(policy string) logdb.StreamID { return logdb.StreamID{Journal: journal, Policy: policy} }
	for _, tt := range []struct {
		a, b logdb.StreamID
		want bool
	}{
		{cut("1"), cut("2"), true}, {cut("0"), cut("7"), true}, {cut("1+1"), cut("2+1"), true}, {cut("1"), cut("1"), true},
		{cut("1"), cut("1+1"), false}, {cut("1+1"), cut("1+2"), false}, {cut("1"), logdb.StreamID{Journal: "other", Policy: "1"}, false},
	} {
		if tt.a.SameCut(tt.b) != tt.want || tt.b.SameCut(tt.a) != tt.want {
			t.Errorf("%s and %s carry the same part: want %v", tt.a, tt.b, tt.want)
		}
	}
}

func TestOperationNames(t *testing.T) {
	t.Parallel()
	for o := logdb.OpAdd; o <= logdb.OpGap; o++ {
		if got, err := logdb.ParseOp(o.String()); err != nil || got != o {
			t.Errorf("%s reads as %v, %v", o, got, err)
		}
	}
	if _, err := logdb.ParseOp(""); !errors.Is(err, logdb.ErrInvalid) || logdb.Op(9).String() != "op(9)" || logdb.Op(0).String() != "op(0)" {
		t.Error("an unknown operation is taken for one")
	}
}
