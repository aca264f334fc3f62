package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// TestAbsentIsNeverZero pins the trap of every general decoder: null and NaN are absent.
func TestAbsentIsNeverZero(t *testing.T) {
	t.Parallel()
	up := mustParse(t, logdb.KindHistorical, `{"channels":[{"chan_key":"a.b"},{"chan_key":"a.c"}],"records":[[1,null,NaN],[2,0,-0]]}`)
	h := up.Page.Rows[0]
	if !math.IsNaN(h.Columns[0][0]) || !math.IsNaN(h.Columns[1][0]) {
		t.Errorf("absent values are %v", h.Columns)
	}
	if h.Columns[0][1] != 0 || !math.Signbit(h.Columns[1][1]) {
		t.Errorf("zeros are %v", h.Columns)
	}
	x := mustParse(t, logdb.KindPQ, `{"header":["start_time","channel","exception_type"],"records":[[5,"readings.voltage.an",0]]}`).Page.Entries[0].Excursion
	for _, v := range []float64{x.DurationSeconds, x.Worst, x.WorstPercent, x.Threshold} {
		if !math.IsNaN(v) {
			t.Errorf("a missing column is %v in %+v", v, x)
		}
	}
	w := mustParse(t, logdb.KindWaveform, `{"header":{"start_time":1,"end_time":2},"trigger":{"sample_interval_ms":1,"trigger_time":1,"Van":null},"sample":{"Ia":[1,null,2]}}`).Page.Entries[0].Waveform
	if !math.IsNaN(w.FrequencyHz) || !math.IsNaN(w.RMS[0].Value) || !math.IsNaN(w.Channels[0].Samples[1]) || w.Channels[0].Samples[2] != 2 {
		t.Errorf("%+v", w)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	const ok = `{"channels":[{"chan_key":"a.b"}],"records":`
	stream := strings.Repeat("0", 32) + ":1"
	for _, c := range []struct {
		name, body string
		kind       logdb.Kind
		why        api.Refusal
		offset     int // -2: not stated here
	}{
		{"nothing", ``, 1, api.RefusedSyntax, 0},
		{"another document", `[]`, 1, api.RefusedShape, 0},
		{"no records", `{}`, 1, api.RefusedShape, -1},
		{"an infinity", ok + `[[1,Infinity]]}`, 1, api.RefusedSyntax, len(ok) + 4},
		{"a negative NaN", ok + `[[1,-NaN]]}`, 1, api.RefusedSyntax, len(ok) + 5},
		{"another spelling of NaN", ok + `[[1,nan]]}`, 1, api.RefusedSyntax, len(ok) + 4},
		{"more than a double", ok + `[[1,1e999]]}`, 1, api.RefusedSyntax, len(ok) + 4},
		{"a leading zero", ok + `[[1,01]]}`, 1, api.RefusedSyntax, len(ok) + 4},
		{"a leading plus", ok + `[[1,+1]]}`, 1, api.RefusedSyntax, -2},
		{"a point at the end", ok + `[[1,1.]]}`, 1, api.RefusedSyntax, -2},
		{"a hexadecimal", ok + `[[1,0x1]]}`, 1, api.RefusedSyntax, -2},
		{"a comma at the end", ok + `[[1,1],]}`, 1, api.RefusedSyntax, -2},
		{"a comment", ok + `[/**/]}`, 1, api.RefusedSyntax, -2},
		{"text for a number", ok + `[[1,"1"]]}`, 1, api.RefusedShape, len(ok) + 4},
		{"a missing cell", ok + `[[1]]}`, 1, api.RefusedShape, len(ok) + 3},
		{"a cell too many", ok + `[[1,1,1]]}`, 1, api.RefusedShape, len(ok) + 5},
		{"a fraction of a millisecond", ok + `[[1.5,1]]}`, 1, api.RefusedShape, len(ok) + 2},
		{"a time of null", ok + `[[null,1]]}`, 1, api.RefusedShape, len(ok) + 2},
		{"a time before 1970", ok + `[[-1,1]]}`, 1, api.RefusedShape, len(ok) + 2},
		{"a time beyond 9999", ok + `[[253402300800000,1]]}`, 1, api.RefusedShape, len(ok) + 2},
		{"a time beyond 64 bits", ok + `[[99999999999999999999,1]]}`, 1, api.RefusedShape, len(ok) + 2},
		{"something behind", ok + `[]} {}`, 1, api.RefusedSyntax, -2},
		{"a NUL in a text", `{"header":["time","event_type","description"],"records":[[1,2,"a\u0000b"]]}`, logdb.KindSystem, api.RefusedText, 64},
		{"an exception_type of 7", `{"header":["start_time","channel","exception_type"],"records":[[1,"a.b",7]]}`, logdb.KindPQ, api.RefusedShape, 72},
		{"an exception_type below 0", `{"header":["start_time","channel","limit_id","exception_type"],"records":[[1,"a.b",1,-1]]}`, logdb.KindLimit, api.RefusedShape, -2},
		{"a NUL behind", ok + "[]}\x00", 1, api.RefusedSyntax, -2},
		{"a cut body", ok + `[[1,`, 1, api.RefusedSyntax, len(ok) + 4},
		{"a channel twice", `{"channels":[{"chan_key":"reading.a"},{"chan_key":"readings.a"}],"records":[]}`, 1, api.RefusedShape, -2},
		{"a channel with blanks", `{"channels":[{"chan_key":"my key"}],"records":[]}`, 1, api.RefusedShape, -2},
		{"no channels", `{"channels":[],"records":[]}`, 1, api.RefusedShape, -2},
		{"channels without records", `{"channels":[{"chan_key":"a.b"}]}`, 1, api.RefusedShape, 1},
		{"records without channels", `{"records":[[1,1]]}`, 1, api.RefusedShape, 11},
		{"a member twice", `{"apikey":"a","apikey":"b"}`, 1, api.RefusedDuplicate, 14},
		{"a member twice, once escaped", `{"apikey":"a","\u0061pikey":"b"}`, 1, api.RefusedDuplicate, 14},
		{"a member twice in what is unknown", `{"x":[{"a":1,"a":2}]}`, 1, api.RefusedDuplicate, -2},
		{"bad UTF-8", "{\"apikey\":\"\xff\"}", 1, api.RefusedText, 11},
		{"half a surrogate pair", `{"apikey":"\ud800"}`, 1, api.RefusedText, 11},
		{"a control character", "{\"apikey\":\"\n\"}", 1, api.RefusedSyntax, 11},
		{"deep nesting", `{"x":` + strings.Repeat("[", 100_000), 1, api.RefusedLimit, -2},
		{"positions without a stream", ok + `[[1,1]],"positions":[[1,1]]}`, 1, api.RefusedShape, -2},
		{"a stream without positions", ok + `[[1,1]],"stream":"` + stream + `","journal_end":1}`, 1, api.RefusedShape, -1},
		{"beyond the journal's end", ok + `[[1,1]],"stream":"` + stream + `","journal_end":1,"positions":[[2,2]]}`, 1, api.RefusedShape, -1},
		{"too few positions", ok + `[[1,1],[2,2]],"stream":"` + stream + `","journal_end":2,"positions":[[1,1]]}`, 1, api.RefusedShape, -2},
		{"more positions than fit", ok + `[],"stream":"` + stream + `","positions":[[1,9007199254740991]]}`, 1, api.RefusedLimit, -2},
		{"positions that fall", ok + `[[1,1],[2,2]],"stream":"` + stream + `","journal_end":2,"positions":[[2,2],[1,1]]}`, 1, api.RefusedShape, -2},
		{"a bad stream", ok + `[],"stream":"x:1"}`, 1, api.RefusedShape, -2},
		{"an empty stream", ok + `[],"stream":""}`, 1, api.RefusedShape, -1},
		{"position and fate", ok + `[[1,1]],"stream":"` + stream + `","journal_end":1,"positions":[[1,1]],"fates":[[1,1,"held"]]}`, 1, api.RefusedShape, -1},
		{"a fate without a reason", `{"stream":"` + stream + `","journal_end":1,"fates":[[1,1,"skipped"]]}`, 1, api.RefusedShape, -2},
		{"a fate of another word", `{"stream":"` + stream + `","journal_end":1,"fates":[[1,1,"lost"]]}`, 1, api.RefusedShape, -2},
		{"a revise without a stream", `{"channels":[{"chan_key":"a.b"}],"records":[],"changes":[{"position":2,"op":"revise","target":1,"time":1,"record":{"a.b":1}}]}`, 1, api.RefusedShape, -2},
		{"a column twice", `{"header":["time","time"],"records":[]}`, 3, api.RefusedDuplicate, -2},
		{"a column missing", `{"header":["time"],"records":[]}`, 3, api.RefusedShape, 10},
		{"a limit event without its limit", `{"header":["start_time","channel","exception_type"],"records":[]}`, 4, api.RefusedShape, -2},
		{"a short event", `{"header":["time","event_type","description"],"records":[[1,1]]}`, 3, api.RefusedShape, -2},
		{"a code without its description", `{"header":["time","event_type","description"],"records":[[1,1,1]]}`, 3, api.RefusedShape, -2},
		{"an event of five", `{"header":["time","event_type","description"],"records":[[1,1,1,"x",2]]}`, 3, api.RefusedShape, -2},
		{"one more under another header", `{"header":["event_type","time","description"],"records":[[1,1,1,"x"]]}`, 3, api.RefusedShape, -2},
		{"an empty event", `{"header":["time","event_type","description"],"records":[[]]}`, 3, api.RefusedShape, -2},
		{"a negative duration", `{"header":["start_time","duration","channel","exception_type"],"records":[[1,-1,"a.b",0]]}`, 5, api.RefusedShape, -2},
		{"half a recording", `{"header":{"start_time":1,"end_time":2}}`, 2, api.RefusedShape, 1},
		{"a recording without an interval", `{"header":{"start_time":1,"end_time":2},"trigger":{"trigger_time":1},"sample":{}}`, 2, api.RefusedShape, -2},
		{"an interval of 0", `{"header":{"start_time":1,"end_time":2},"trigger":{"trigger_time":1,"sample_interval_ms":0},"sample":{}}`, 2, api.RefusedShape, -2},
		{"seven inputs", `{"header":{"start_time":1,"end_time":2},"trigger":{"trigger_time":1,"sample_interval_ms":1},"sample":{"digin":[[1,1,1,1,1,1,1]]}}`, 2, api.RefusedShape, -2},
		{"an input of 2", `{"header":{"start_time":1,"end_time":2},"trigger":{"trigger_time":1,"sample_interval_ms":1},"sample":{"digin":[[1,1,1,1,1,1,1,2]]}}`, 2, api.RefusedShape, -2},
		{"an end before the start", `{"header":{"start_time":3,"end_time":2},"trigger":{"trigger_time":1,"sample_interval_ms":1},"sample":{}}`, 2, api.RefusedShape, -2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			up, err := api.ParsePage(c.kind, []byte(c.body), api.ScanLimits{})
			var refused *api.ScanError
			if !errors.As(err, &refused) {
				t.Fatalf("accepted as %+v, %v", up, err)
			}
			if refused.Why != c.why || c.offset > -2 && refused.Offset != c.offset {
				t.Errorf("got %+v, want %s at %d", refused, c.why, c.offset)
			}
			code := fault.Invalid
			if c.why == api.RefusedLimit {
				code = fault.TooLarge
			}
			if !errors.Is(err, code) {
				t.Errorf("%v is no %s", err, code)
			}
		})
	}
}

// TestRefusalsAreSilent: what was submitted may be a key in the wrong place.
func TestRefusalsAreSilent(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"channels":[{"chan_key":"SECRET"}],"records":[]}`, `{"apikey":SECRET}`, `{"stream":"SECRET"}`, `{"SECRET":1,"SECRET":2}`,
		`{"channels":"SECRET"}`, `{"chain":"SECRET","records":[]}`, `{"stream":"` + strings.Repeat("0", 32) + `:1","fates":[[1,1,"SECRET"]]}`,
	} {
		_, err := api.ParsePage(logdb.KindHistorical, []byte(body), api.ScanLimits{})
		b, _ := json.Marshal(fault.From(err))
		if err == nil || strings.Contains(err.Error()+string(b), "SECRET") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	rows := `{"channels":[{"chan_key":"a.b"}],"records":[[1,1],[2,2],[3,3]]}`
	for _, c := range []struct {
		name string
		kind logdb.Kind
		body string
		lim  api.ScanLimits
	}{
		{"bytes", 1, rows, api.ScanLimits{Bytes: 10}},
		{"rows", 1, rows, api.ScanLimits{Rows: 2}},
		{"rows of several blocks", 1, `{"blocks":[` + rows + `,` + rows + `]}`, api.ScanLimits{Rows: 5}},
		{"channels", 1, `{"channels":[{"chan_key":"a.b"},{"chan_key":"a.c"}],"records":[]}`, api.ScanLimits{Channels: 1}},
		{"blocks", 1, `{"blocks":[{},{}]}`, api.ScanLimits{Blocks: 1}},
		{"columns", 3, `{"header":["time","event_type","a"],"records":[]}`, api.ScanLimits{Columns: 2}},
		{"strings", 3, `{"header":["time","event_type","description"],"records":[[1,1,"` + strings.Repeat("x", 100) + `"]]}`, api.ScanLimits{Strings: 50}},
		{"escaped strings", 3, `{"header":["time","event_type","description"],"records":[[1,1,"` + strings.Repeat(`\n`, 100) + `"]]}`, api.ScanLimits{Strings: 50}},
		{"unknown members", 1, `{"x":{"a":1,"b":2,"c":3}}`, api.ScanLimits{Unknown: 2}},
		{"recordings", 2, `{"recordings":[` + recording + `,` + recording + `]}`, api.ScanLimits{Records: 1}},
		{"samples", 2, recording, api.ScanLimits{Samples: 1}},
		{"fates", 1, `{"fates":[[1,1,"held"],[2,2,"held"]]}`, api.ScanLimits{Fates: 1}},
		{"changes", 1, `{"changes":[{"position":1,"op":"skip"},{"position":2,"op":"skip"}]}`, api.ScanLimits{Changes: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := api.ParsePage(c.kind, []byte(c.body), c.lim)
			if !errors.Is(err, fault.TooLarge) {
				t.Errorf("got %v", err)
			}
		})
	}
}

const recording = `{"header":{"start_time":1,"end_time":2},"trigger":{"trigger_time":1,"sample_interval_ms":1},"sample":{"Ia":[1,2]}}`

// TestShapes reads what the seed's format allows beside its examples.
func TestShapes(t *testing.T) {
	t.Parallel()
	t.Run("members in any order, unknown ones counted", func(t *testing.T) {
		t.Parallel()
		up := mustParse(t, logdb.KindHistorical, ` {"records":[[1,2],[1,3]],"firmware":{"x":[{"y":NaN}]},"channels":[{"chan_key":"a.b","unit":"V"}],"kind":null}`)
		if up.Ignored != 3 || up.Page.Rows[0].Len() != 2 || up.Page.Rows[0].Columns[0][1] != 3 {
			t.Errorf("%+v", up)
		}
	})
	t.Run("columns in any order, unknown ones counted", func(t *testing.T) {
		t.Parallel()
		up := mustParse(t, logdb.KindSystem, `{"records":[["x",9,[1],1482255759160]],"header":["description","event_type","severity","time"]}`)
		e := up.Page.Entries[0]
		if up.Ignored != 1 || *e.System != (logdb.SystemEvent{Type: 9, Description: "x"}) || e.Time != 1482255759160 {
			t.Errorf("%+v", up)
		}
	})
	t.Run("system events without text or code", func(t *testing.T) {
		t.Parallel()
		up := mustParse(t, logdb.KindSystem, `{"header":["time","event_type","description"],"records":[[1,2,null],[1,2,null,"x"],[1,2,7,null],[1,2,""]]}`)
		var got []logdb.SystemEvent
		for _, e := range up.Page.Entries {
			got = append(got, *e.System)
		}
		want := []logdb.SystemEvent{{Type: 2}, {Type: 2, Description: "x"}, {Type: 2, Code: 7}, {Type: 2}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a page of fates only", func(t *testing.T) {
		t.Parallel()
		for _, kind := range logdb.Kinds {
			up := mustParse(t, kind, `{"stream":"`+strings.Repeat("a", 32)+`:3","journal_end":9,"fates":[[1,3,"skipped","minute",5,6],[4,4,"reduced",5,7,8],[6,9,"not_chosen"]]}`)
			want := []logdb.FateRange{
				{First: 1, Last: 3, Fate: logdb.FateSkipped, Reason: "minute", FirstTime: 5, LastTime: 6},
				{First: 4, Last: 4, Fate: logdb.FateReduced, Into: 5, FirstTime: 7, LastTime: 8},
				{First: 6, Last: 9, Fate: logdb.FateNotChosen},
			}
			if !reflect.DeepEqual(up.Page.Fates, want) || up.Page.JournalEnd != 9 {
				t.Errorf("%+v", up.Page)
			}
		}
	})
}

// TestRoundTrip: ParsePage returns what AppendPage wrote, bit for bit.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		page := randomPage(rand.New(rand.NewPCG(seed, 7)))
		checkRoundTrip(t, &page)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		page := randomPage(rand.New(rand.NewPCG(a, b)))
		checkRoundTrip(t, &page)
	})
}

func checkRoundTrip(t *testing.T, page *logdb.Page) {
	t.Helper()
	for _, dialect := range []api.Dialect{api.DialectJSON, api.DialectNaN} {
		body := api.AppendPage(nil, page, dialect)
		if dialect == api.DialectJSON && !json.Valid(body) {
			t.Fatalf("not JSON: %s", body)
		}
		up, err := api.ParsePage(page.Kind, body, api.ScanLimits{})
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if up.BareKeys != 0 || up.Ignored != 0 {
			t.Errorf("%d bare names, %d unknown members in %s", up.BareKeys, up.Ignored, body)
		}
		if err := samePage(page, &up.Page); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if again := api.AppendPage(nil, &up.Page, dialect); !bytes.Equal(again, body) {
			t.Fatalf("written again it differs:\n%s\n%s", body, again)
		}
	}
}

func samePage(want, got *logdb.Page) error {
	for _, p := range []*logdb.Page{want, got} {
		if !p.Stream.IsZero() {
			slices.SortStableFunc(p.Entries, func(a, b logdb.Entry) int { return int(a.Position) - int(b.Position) })
		}
	}
	if len(want.Entries) != len(got.Entries) || len(want.Rows) != len(got.Rows) {
		return fmt.Errorf("%d entries and %d blocks, want %d and %d", len(got.Entries), len(got.Rows), len(want.Entries), len(want.Rows))
	}
	for i := range want.Entries {
		a, _ := want.Entries[i].AppendBinary(nil)
		b, _ := got.Entries[i].AppendBinary(nil)
		if !bytes.Equal(a, b) {
			return fmt.Errorf("entry %d is %+v, want %+v", i, got.Entries[i], want.Entries[i])
		}
	}
	for i := range want.Rows {
		w, g := want.Rows[i], got.Rows[i]
		if (w.Positions == nil) != (g.Positions == nil) || !slices.Equal(w.Positions, g.Positions) {
			return fmt.Errorf("positions of block %d differ", i)
		}
		if len(w.Columns) != len(g.Columns) {
			return fmt.Errorf("block %d has %d columns", i, len(g.Columns))
		}
		for c := range w.Columns {
			for k := range w.Columns[c] {
				if math.Float64bits(w.Columns[c][k]) != math.Float64bits(g.Columns[c][k]) && !(math.IsNaN(w.Columns[c][k]) && math.IsNaN(g.Columns[c][k])) {
					return fmt.Errorf("value %d of column %d is %v, want %v", k, c, g.Columns[c][k], w.Columns[c][k])
				}
			}
		}
		w.Columns, g.Columns, w.Positions, g.Positions = nil, nil, nil, nil
		if w.Log != g.Log || w.Run != g.Run || w.Generation != g.Generation || !slices.Equal(w.Channels, g.Channels) || !slices.Equal(w.Times, g.Times) {
			return fmt.Errorf("block %d is %+v, want %+v", i, g, w)
		}
	}
	w, g := *want, *got
	w.Entries, g.Entries, w.Rows, g.Rows, w.Source = nil, nil, nil, nil, ""
	if !reflect.DeepEqual(w, g) {
		return fmt.Errorf("page is %+v, want %+v", g, w)
	}
	return nil
}

func mustParse(t *testing.T, kind logdb.Kind, body string) api.Upload {
	t.Helper()
	up, err := api.ParsePage(kind, []byte(body), api.ScanLimits{})
	if err != nil {
		t.Fatal(err)
	}
	return up
}
