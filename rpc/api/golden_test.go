package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// golden reads a document that was written by hand from the specification, not by our encoder.
func golden(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// sameJSON compares two documents as values; the order of members does not count, the digits of
// numbers do.
func sameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var values [2]any
	for i, text := range [][]byte{got, want} {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&values[i]); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	if !reflect.DeepEqual(values[0], values[1]) {
		t.Errorf("written\n%s\nby hand\n%s", got, want)
	}
}

// describe prints a value with what its pointers point at; NaN equals NaN then.
func describe(v any) string {
	var b strings.Builder
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				b.WriteString("nil")
				return
			}
			walk(v.Elem())
		case reflect.Struct:
			b.WriteString("{")
			for i := range v.NumField() {
				fmt.Fprintf(&b, "%s:", v.Type().Field(i).Name)
				walk(v.Field(i))
				b.WriteString(" ")
			}
			b.WriteString("}")
		case reflect.Slice:
			b.WriteString("[")
			for i := range v.Len() {
				walk(v.Index(i))
				b.WriteString(" ")
			}
			b.WriteString("]")
		default:
			fmt.Fprintf(&b, "%#v", v)
		}
	}
	walk(reflect.ValueOf(v))
	return b.String()
}

var (
	goldenStream = logdb.StreamID{Journal: "00112233445566778899aabbccddeeff", Policy: "3"}
	nan          = math.NaN()
	replaced     = logdb.Digest{0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96, 0xa5, 0xb4, 0xc3, 0xd2, 0xe1, 0xf0}
	goldenChain  = logdb.Digest{0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
)

// goldenFates are those of historical.json.
var goldenFates = []logdb.FateRange{
	{First: 1, Last: 38, Fate: logdb.FateNotChosen},
	{First: 39, Last: 40, Fate: logdb.FateHeld, FirstTime: 1493570000000, LastTime: 1493580000000},
	{First: 43, Last: 44, Fate: logdb.FateReduced, Into: 47, FirstTime: 1493601000000, LastTime: 1493602000000},
	{First: 45, Last: 46, Fate: logdb.FateSkipped, Reason: "minute", FirstTime: 1493603000000, LastTime: 1493604000000},
}

// goldenPages are what the documents in testdata/golden mean, member by member.
func goldenPages() map[string]logdb.Page {
	return map[string]logdb.Page{
		// [0433], continued by positions and fates.
		"historical.json": {
			Meter: "c4add118-b187-4d21-9813-d25bffdb6083", Kind: logdb.KindHistorical, Stream: goldenStream, JournalEnd: 50, Chain: goldenChain, Fates: goldenFates,
			Rows: []logdb.History{{
				Log: 1, Run: 2, Generation: 1, Channels: []logdb.ChannelKey{"readings.voltage.an", "readings.voltage.bn", "readings.voltage.cn"},
				Times: []logdb.Millis{1493590000000, 1493600000000, 1493610000000}, Positions: []logdb.Position{41, 42, 47},
				Columns: [][]float64{{120.442184, 120.4224738, 120.1290346}, {119.7983875, nan, 119.5067033}, {119.8013317, 120.4119957, 119.8153032}},
			}},
		},
		// Two logs; the energies are those of the seed's table: 7,974,024 - 7,974,004 = 20, then 0.
		"blocks.json": {
			Meter: "m-1", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: goldenStream.Journal, Policy: "2+1"}, JournalEnd: 9,
			Rows: []logdb.History{
				{Channels: []logdb.ChannelKey{"energy.interval.wh.received"}, Times: []logdb.Millis{1496311800000, 1496312700000}, Positions: []logdb.Position{7, 8}, Columns: [][]float64{{20, 0}}},
				{Log: 1, Channels: []logdb.ChannelKey{"readings.frequency"}, Times: []logdb.Millis{1496311800000}, Positions: []logdb.Position{9}, Columns: [][]float64{{59.998}}},
			},
		},
		"changes.json": {
			Meter: "m-1", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: goldenStream.Journal, Policy: "0"}, JournalEnd: 60,
			Entries: []logdb.Entry{
				{
					Position: 51, Op: logdb.OpRevise, Target: 12, Replaces: replaced, Log: 1, Run: 2, Generation: 1, Time: 1493593600000,
					Row: &logdb.Row{Channels: []logdb.ChannelKey{"readings.voltage.an", "readings.voltage.cn"}, Values: []float64{120.442184, 119.8013317}},
					By:  "main-site", At: 1493700000000, Why: "zone changed from America/New_York to America/Chicago",
				},
				{Position: 52, Op: logdb.OpWithdraw, Target: 13, Replaces: logdb.Digest{15: 1}, Time: 1493594600000, By: "user:anna", At: 1493700000001, Why: "test record"},
				{Position: 53, Op: logdb.OpSkip, Time: 1493595600000},
				{Position: 54, Op: logdb.OpGap, Time: 1493596600000, Gap: &logdb.Gap{From: 1493596600000, To: 1493599600000, Cause: logdb.GapUnreachable, Detail: "no answer in time"}},
				{Position: 55, Op: logdb.OpClose, Log: 2, Time: 1493599600000},
			},
		},
		// [0515], asked for by the receiver.
		"requested.json": {
			Meter: "m-1", Kind: logdb.KindPQ, Stream: goldenStream, JournalEnd: 250, Requested: true,
			Entries: []logdb.Entry{
				{Position: 231, Op: logdb.OpAdd, Time: 1477326041773, Excursion: &logdb.Excursion{DurationSeconds: nan, Channel: "readings.voltage.an", Type: 0, Worst: 40.23, WorstPercent: 49.84, Threshold: 80}},
				{Position: 232, Op: logdb.OpAdd, Time: 1477326040273, Excursion: &logdb.Excursion{DurationSeconds: 1.412, Channel: "readings.voltage.an", Type: 1, Worst: 148.54, WorstPercent: 122.72, Threshold: 120}},
			},
		},
		// [0503]: a start, and the revise that gives it its end.
		"limits.json": {
			Meter: "m-1", Kind: logdb.KindLimit, Stream: goldenStream, JournalEnd: 6,
			Entries: []logdb.Entry{
				{Position: 4, Op: logdb.OpAdd, Time: 1477326041773, Excursion: &logdb.Excursion{DurationSeconds: nan, Channel: "readings.voltage.an", Worst: 40.23, WorstPercent: 49.84, Threshold: 80}},
				{
					Position: 6, Op: logdb.OpRevise, Target: 4, Replaces: replaced, Time: 1477326041773,
					Excursion: &logdb.Excursion{DurationSeconds: 2.5, Channel: "readings.voltage.an", Worst: 38.5, WorstPercent: 47.7, Threshold: 80},
					By:        "retrieval", At: 1477326100000, Why: "the end was found later",
				},
			},
		},
		// [0490].
		"system.json": {
			Meter: "m-1", Kind: logdb.KindSystem, Stream: goldenStream, JournalEnd: 102,
			Fates: []logdb.FateRange{{First: 99, Last: 99, Fate: logdb.FateNotChosen, FirstTime: 1482255759000, LastTime: 1482255759000}},
			Entries: []logdb.Entry{
				{Position: 100, Op: logdb.OpAdd, Time: 1482255759160, System: &logdb.SystemEvent{Type: 1, Code: 1, Description: "device power off"}},
				{Position: 101, Op: logdb.OpAdd, Time: 1482255765000, System: &logdb.SystemEvent{Type: 1, Code: 1, Description: "device power off"}},
				{Position: 102, Op: logdb.OpAdd, Time: 1482295650360, System: &logdb.SystemEvent{Type: 2, Code: 1, Description: "update programmable setting"}},
			},
		},
		// [0468], shortened from 4096 samples. Input i is bit i.
		"waveform.json": {
			Meter: "m-1", Kind: logdb.KindWaveform, Stream: goldenStream, JournalEnd: 17,
			Entries: []logdb.Entry{{Position: 17, Op: logdb.OpAdd, Time: 1476702701196, Waveform: &logdb.Waveform{
				End: 1476702702192, SampleIntervalMillis: 0.390625, TriggerTime: 1476702701250, FrequencyHz: 58.348,
				RMS:      []logdb.NamedValue{{Name: "Van", Value: 7119.54}, {Name: "Vbn", Value: 14336.721}, {Name: "Vcn", Value: 14593.935}, {Name: "Ia", Value: 5044.235}, {Name: "Imeasure", Value: 756.134}},
				Triggers: []string{"Van=Sag_start", "Van=Surge_end"},
				Channels: []logdb.WaveChannel{{Name: "Ia", Samples: []float64{-4984.039, 0, 5443.298}}, {Name: "Van_Vab", Samples: []float64{-10210.957, 10187.402, 0.001}}},
				Digital:  []byte{0xff, 0x02, 0x80},
				Source:   &logdb.WaveSource{Start: 1476702701100, Samples: 4096, SampleIntervalMillis: 0.1953125, Digest: replaced},
			}}},
		},
	}
}

// TestGoldenPages reads and writes documents that were written by hand.
func TestGoldenPages(t *testing.T) {
	t.Parallel()
	for name, want := range goldenPages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := golden(t, name)
			up, err := api.ParsePage(want.Kind, text, api.ScanLimits{})
			if err != nil {
				t.Fatal(err)
			}
			if got, wish := describe(up.Page), describe(want); got != wish {
				t.Errorf("read\n%s\nmeant\n%s", got, wish)
			}
			if up.BareKeys != 0 || up.Ignored != 0 {
				t.Errorf("%d names without quotes, %d members not known", up.BareKeys, up.Ignored)
			}
			sameJSON(t, api.AppendPage(nil, &want, api.DialectJSON), text)
			if name != "historical.json" {
				return
			}
			bare := api.AppendPage(nil, &want, api.DialectNaN)
			if !bytes.Contains(bare, []byte("[1493600000000,120.4224738,NaN,120.4119957]")) {
				t.Errorf("the printed row is written as %s", bare)
			}
		})
	}
}

// TestGoldenRawAnswer: a raw answer is a list of pages.
func TestGoldenRawAnswer(t *testing.T) {
	t.Parallel()
	pages := goldenPages()
	text := []byte(`{"meter_uid":"m-1","kind":"limits","pages":[` + string(golden(t, "limits.json")) + `],"next":"7"}`)
	want := api.Pages{Meter: "m-1", Kind: logdb.KindLimit, Pages: []logdb.Page{pages["limits.json"]}, Next: "7"}
	got, err := api.ParsePages(logdb.KindLimit, text, api.ScanLimits{})
	if err != nil || describe(got) != describe(want) {
		t.Errorf("%v; read\n%s\nmeant\n%s", err, describe(got), describe(want))
	}
	sameJSON(t, api.AppendPages(nil, &want, api.DialectJSON), text)
}

// TestGoldenAnswers does the same for answers.
func TestGoldenAnswers(t *testing.T) {
	t.Parallel()
	t.Run("upload", func(t *testing.T) {
		t.Parallel()
		both(t, "upload.answer.json", api.UploadAnswer{
			Stored: 3, Repeats: 1, Revised: 2, Skipped: 2, Refused: api.Fates(goldenFates[3:]),
			Receipt: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		})
		if got := api.Receipt([]byte("test")); got != "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" {
			t.Errorf("receipt of a body %s, its SHA-256 is another", got)
		}
	})
	t.Run("streams", func(t *testing.T) {
		t.Parallel()
		fates := api.Fates{goldenFates[0], goldenFates[1], {First: 41, Last: 42, Fate: logdb.FateStored, FirstTime: 1493590000000, LastTime: 1493600000000},
			goldenFates[2], goldenFates[3], {First: 47, Last: 47, Fate: logdb.FateStored, FirstTime: 1493610000000, LastTime: 1493610000000}}
		answer := api.StreamsAnswer{MeterUID: "m-1", Kind: "historical", Streams: []api.StreamInfo{{
			Stream: goldenStream.String(), Fates: fates, Highest: 47, JournalEnd: 50, Chain: goldenChain, Created: 1493500000000,
		}}}
		both(t, "streams.answer.json", answer)
		state, err := answer.Streams[0].State()
		if err != nil || state.Fates.Highest() != 47 || state.Stream != goldenStream {
			t.Errorf("state %+v, %v", state, err)
		}
		if back := api.StreamInfoOf(state); describe(back) != describe(answer.Streams[0]) {
			t.Errorf("back %s", describe(back))
		}
	})
	t.Run("history", func(t *testing.T) {
		t.Parallel()
		columns := []api.SeriesColumn{
			{Key: "energy.interval.wh.received", Agg: "sum", Unit: "Wh", Log: 1, Stream: goldenStream, Unverified: true}, {Key: "readings.voltage.an", Agg: "mean", Unit: "V"},
		}
		want := api.History{
			Meter: "m-1", Interval: "15m", Zone: "America/New_York", Columns: columns, Times: []logdb.Millis{1496311800000, 1496312700000},
			Values: [][]float64{{20, 0}, {120.25, nan}}, Limits: api.LimitSummary{Skipped: 2, Reduced: 14}, Next: "abc",
		}
		text := golden(t, "history.answer.json")
		if got, err := api.ParseHistory(text, api.ScanLimits{}); err != nil || describe(got) != describe(want) {
			t.Errorf("%v; read\n%s\nmeant\n%s", err, describe(got), describe(want))
		}
		var out bytes.Buffer
		w := api.NewSeriesWriter(&out, api.SeriesHead{Meter: "m-1", Interval: "15m", Zone: "America/New_York", Columns: columns})
		if err := w.Columns(want.Times, want.Values); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(api.SeriesTail{Limits: want.Limits, Next: "abc"}); err != nil {
			t.Fatal(err)
		}
		var written, byHand map[string]any
		if err := json.Unmarshal(out.Bytes(), &written); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &byHand); err != nil {
			t.Fatal(err)
		}
		for name, value := range byHand { // the answer also has the bounds of its records
			if !reflect.DeepEqual(written[name], value) {
				t.Errorf("%s is %v, by hand %v", name, written[name], value)
			}
		}
	})
	t.Run("events", func(t *testing.T) {
		t.Parallel()
		events := goldenPages()["requested.json"].Entries
		events[1].Op = logdb.OpRevise
		want := api.Events{Meter: "m-1", Kind: logdb.KindPQ, Limits: api.LimitSummary{Skipped: 50}}
		for _, e := range events {
			want.Events = append(want.Events, api.Event{ID: api.RecordingID{Position: e.Position, Stream: goldenStream}, Entry: e})
		}
		text := golden(t, "events.answer.json")
		if got, err := api.ParseEvents(logdb.KindPQ, text, api.ScanLimits{}); err != nil || describe(got) != describe(want) {
			t.Errorf("%v; read\n%s\nmeant\n%s", err, describe(got), describe(want))
		}
		sameJSON(t, api.AppendEvents(nil, &want), text)
	})
}

// both reads a document into a value and writes it back.
func both[T any](t *testing.T, name string, want T) {
	t.Helper()
	text := golden(t, name)
	var got T
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if describe(got) != describe(want) {
		t.Errorf("read\n%s\nmeant\n%s", describe(got), describe(want))
	}
	written, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, written, text)
}
