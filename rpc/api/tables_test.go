package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

func TestOperations(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	ids := map[string]bool{}
	for _, o := range api.Operations() {
		if ids[o.ID] || o.ID == "" || o.Summary == "" || o.Tag == "" {
			t.Errorf("%+v", o)
		}
		ids[o.ID] = true
		mux.HandleFunc(o.Pattern(), func(http.ResponseWriter, *http.Request) {}) // panics for patterns that clash
		if got, ok := api.Lookup(o.ID); !ok || got != o {
			t.Errorf("lookup of %s: %+v", o.ID, got)
		}
		if o.Method == http.MethodGet && o.Body != api.BodyNone {
			t.Errorf("%s: a GET with a body", o.ID)
		}
	}
	if _, ok := api.Lookup("x"); ok {
		t.Error("an unknown id is found")
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, c := range api.Commands() {
		if names[c.Name] || c.Summary == "" || c.Permission == 0 || !strings.HasPrefix(c.Example, "rpc "+c.Name) {
			t.Errorf("%+v", c)
		}
		names[c.Name] = true
		optional := false
		for _, p := range c.Params {
			if p.Help == "" || p.Name == "" || p.Required && optional {
				t.Errorf("%s: parameter %+v", c.Name, p)
			}
			optional = optional || !p.Required
		}
		if got, ok := api.LookupCommand(c.Name); !ok || !reflect.DeepEqual(got, c) {
			t.Errorf("lookup of %s", c.Name)
		}
	}
	// The names that the design documents fix.
	for _, name := range strings.Fields("cloud.meter.register cloud.meter.upload cloud.refresh cloud.info cloud.sync.status cloud.sync.history cloud.user.verify cloud.enable cloud.disable") {
		if !names[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestQueriesRoundTrip(t *testing.T) {
	t.Parallel()
	log := logdb.LogNo(3)
	stream := logdb.StreamID{Journal: logdb.JournalID(strings.Repeat("c", 32)), Policy: "4"}
	for _, q := range []api.HistoryQuery{
		{}, {Channels: []logdb.ChannelKey{"readings.voltage.an", "a.b"}, From: 5, To: 9, Interval: "15m", Aggs: []string{"min", "max"}, Zone: api.ZoneUTC, Log: &log, Stream: stream, Limit: 7, NaN: true},
		{Buckets: 1200, Cursor: "99"}, {Raw: true, Cursor: "x"},
	} {
		got, err := api.ParseHistoryQuery(q.Values())
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("%+v becomes %+v, %v", q, got, err)
		}
	}
	for _, q := range []api.EventsQuery{
		{Kind: logdb.KindPQ, Filter: api.EventFilter{MinDuration: new(0.02), MaxDuration: new(3.0), MinWorst: new(-5.0), MaxWorst: new(277.5)}}, {Kind: logdb.KindWaveform, Filter: api.EventFilter{MaxDuration: new(1.0), Text: "sag"}}, {Kind: logdb.KindLimit, Channels: []logdb.ChannelKey{"a.b"}, LimitIDs: []int64{4}}, {Kind: logdb.KindSystem, From: 1, To: 2, Codes: []int64{1, -2}, Gaps: true, Withdrawn: true, Raw: true, Stream: stream, Limit: 3, Cursor: "c"},
	} {
		got, err := api.ParseEventsQuery(q.Kind, q.Values())
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("%+v becomes %+v, %v", q, got, err)
		}
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	for query, field := range map[string]string{
		"from=yesterday": "from", "to=-1": "to", "from=9&to=5": "to", "from=1&from=2": "from", "channels=UPPER.x": "channels", "interval=15": "interval",
		"interval=0m": "interval", "interval=1h&buckets=5": "buckets", "buckets=0": "buckets", "buckets=1e9": "buckets", "agg=mean": "agg", "interval=1h&agg=median": "agg",
		"zone=CET": "zone", "raw=yes": "raw", "raw=1&buckets=2": "raw", "log=-1": "log", "log=70000": "log", "stream=x": "stream", "limit=-5": "limit",
		"from=" + url.QueryEscape("2026-02-30T00:00:00Z"): "from", "cursor=" + strings.Repeat("x", 70_000): "cursor", "channels=" + strings.Repeat("a.b,", 600): "",
	} {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = api.ParseHistoryQuery(v)
		var f *fault.Error
		switch {
		case field == "" && len(query) > 1000 && errors.As(err, &f) && f.Field != "channels":
			t.Errorf("%.60s: %v", query, err)
		case field != "" && (!errors.As(err, &f) || f.Field != field || f.Code != fault.Invalid):
			t.Errorf("%.60s: %v", query, err)
		}
	}
	q, err := api.ParseHistoryQuery(url.Values{"from": {"2026-03-01"}, "to": {"2026-03-01T01:00:00+01:00"}, "channels": {"reading.voltage.an, readings.voltage.an"}})
	if err != nil || q.From != q.To || len(q.Channels) != 1 || q.Channels[0] != "readings.voltage.an" {
		t.Errorf("%+v, %v", q, err)
	}
}

func FuzzQueries(f *testing.F) {
	f.Add("channels=a.b&from=1&to=2&interval=1h&agg=mean", "5@"+strings.Repeat("0", 32)+":1")
	f.Fuzz(func(t *testing.T, query, id string) {
		if r, err := api.ParseRecordingID(id); err == nil {
			if again, err := api.ParseRecordingID(r.String()); err != nil || again != r {
				t.Errorf("%q: %v, %v", id, again, err)
			}
		}
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if q, err := api.ParseHistoryQuery(v); err == nil {
			if again, err := api.ParseHistoryQuery(q.Values()); err != nil || !reflect.DeepEqual(again, q) {
				t.Errorf("%q: %+v, %+v, %v", query, q, again, err)
			}
		}
		if q, err := api.ParseEventsQuery(logdb.KindPQ, v); err == nil {
			if again, err := api.ParseEventsQuery(logdb.KindPQ, q.Values()); err != nil || !reflect.DeepEqual(again, q) {
				t.Errorf("%q: %+v, %+v, %v", query, q, again, err)
			}
		}
	})
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"15m": "900000 0", "1h": "3600000 0", "1d": "86400000 0", "1w": "604800000 0", "1mo": "0 1", "2y": "0 24", "30s": "30000 0",
	} {
		step, months, err := api.ParseInterval(text)
		if got := fmt.Sprintf("%d %d", step, months); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "m", "1", "-1h", "1.5h", "1 h", "h1", "1000000d"} {
		if _, _, err := api.ParseInterval(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestDocumentsRoundTrip(t *testing.T) {
	t.Parallel()
	state := logdb.StreamState{
		Stream: logdb.StreamID{Journal: logdb.JournalID(strings.Repeat("d", 32)), Policy: "2+1"}, Own: true, Source: "s", JournalEnd: 40, Chain: logdb.DigestOf([]byte("c")), Created: 9,
	}
	state.Ends = logdb.Ends{{Position: 30, Chain: logdb.DigestOf([]byte("b"))}, {Position: 40, Chain: state.Chain}}
	for _, r := range []logdb.FateRange{
		{First: 1, Last: 9, Fate: logdb.FateStored}, {First: 10, Last: 12, Fate: logdb.FateSkipped, Reason: "minute", FirstTime: 5, LastTime: 6},
		{First: 13, Last: 13, Fate: logdb.FateReduced, Into: 14, FirstTime: 7, LastTime: 7}, {First: 15, Last: 30, Fate: logdb.FateNotChosen}, {First: 31, Last: 31, Fate: logdb.FateHeld, FirstTime: 3, LastTime: 4},
	} {
		state.Fates.Put(r)
	}
	b, err := json.Marshal(api.StreamInfoOf(state))
	if err != nil {
		t.Fatal(err)
	}
	var info api.StreamInfo
	if err := json.Unmarshal(b, &info); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if got, err := info.State(); err != nil || !reflect.DeepEqual(got, state) || info.Highest != 31 {
		t.Errorf("%+v, %v: %s", got, err, b)
	}
	tally := api.Tally{Count: 5, Sum: [2]uint64{1, math.MaxUint64}}
	b, err = json.Marshal(tally)
	var got api.Tally
	if err != nil || json.Unmarshal(b, &got) != nil || got != tally {
		t.Errorf("%s: %+v", b, got)
	}
	for _, bad := range []string{`{"sum":""}`, `{"sum":"` + strings.Repeat("g", 32) + `"}`, `{"sum":"` + strings.Repeat("1", 31) + ` "}`, `[]`} {
		if json.Unmarshal([]byte(bad), &got) == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	for _, bad := range []string{`[[1]]`, `[[2,1,"held"]]`, `[[1,1,"held"],[1,1,"held"]]`, `[[1,1,"held",5]]`, `[[0,1,"held"]]`, `[[1,2,"skipped"]]`, `{}`, `[[1,1,"stored",1,2,3]]`} {
		var f api.Fates
		if json.Unmarshal([]byte(bad), &f) == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	for text, want := range map[string]float64{"1.5": 1.5, "null": math.NaN(), "0": 0} {
		var v api.Value
		if err := json.Unmarshal([]byte(text), &v); err != nil || !(float64(v) == want || math.IsNaN(want) && math.IsNaN(float64(v))) {
			t.Errorf("%s: %v, %v", text, v, err)
		}
		if b, err := json.Marshal(v); err != nil || string(b) != text {
			t.Errorf("%s becomes %s, %v", text, b, err)
		}
	}
	if json.Unmarshal([]byte(`"x"`), new(api.Value)) == nil {
		t.Error("text is accepted as a value")
	}
}

func TestEventAnswers(t *testing.T) {
	t.Parallel()
	stream := logdb.StreamID{Journal: logdb.JournalID(strings.Repeat("e", 32)), Policy: "0"}
	id := func(p logdb.Position) api.RecordingID { return api.RecordingID{Position: p, Stream: stream} }
	for _, a := range []api.Events{
		{Meter: "m", Kind: logdb.KindSystem, Next: "5", Alternatives: []string{"a:1", "b:0"}, Events: []api.Event{
			{id(1), logdb.Entry{Position: 1, Op: logdb.OpAdd, Time: 3, System: &logdb.SystemEvent{Type: 1, Code: 2, Description: "off"}}},
			{id(2), logdb.Entry{Position: 2, Op: logdb.OpRevise, Time: 3, Log: 4, System: &logdb.SystemEvent{Type: 99}}},
		}},
		{Meter: "m", Kind: logdb.KindLimit, Limits: api.LimitSummary{Skipped: 1, Reduced: 2}, Events: []api.Event{
			{id(1), logdb.Entry{Position: 1, Op: logdb.OpAdd, Time: 3, Excursion: &logdb.Excursion{DurationSeconds: 1, Channel: "a.b", LimitID: 7, Worst: 2, WorstPercent: 3, Threshold: 4}}},
		}},
		{Meter: "m", Kind: logdb.KindWaveform, Events: []api.Event{
			{id(1), logdb.Entry{Position: 1, Op: logdb.OpAdd, Time: 3, Waveform: &logdb.Waveform{End: 4, TriggerTime: 3, FrequencyHz: 60, SampleIntervalMillis: 0.1, Triggers: []string{"Van=Sag_start"}}}},
		}},
		{Meter: "m", Kind: logdb.KindHistorical, Gaps: true, Events: []api.Event{
			{id(1), logdb.Entry{Position: 1, Op: logdb.OpGap, Time: 3, Log: 1, Gap: &logdb.Gap{From: 3, To: 5, Cause: logdb.GapBusy, Detail: "d"}}},
		}},
		{Meter: "m", Kind: logdb.KindPQ},
	} {
		b := api.AppendEvents(nil, &a)
		if !json.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
		got, err := api.ParseEvents(a.Kind, b, api.ScanLimits{})
		if err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("%+v\nbecomes %+v, %v: %s", a, got, err, b)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(uint8(2), []byte(`{"header":["time","event_type","id"],"records":[[1,1,"x"]],"gaps":[{}],"recordings":[{"id":"1@"}],"pages":[{}]}`))
	f.Add(uint8(0), []byte(`{"records":[[1,2]],"channels":[{"chan_key":"a.b"}]}`))
	f.Fuzz(func(t *testing.T, k uint8, body []byte) {
		kind := logdb.Kinds[int(k)%len(logdb.Kinds)]
		_, _ = api.ParseHistory(body, api.ScanLimits{})
		_, _ = api.ParseEvents(kind, body, api.ScanLimits{})
		_, _ = api.ParsePages(kind, body, api.ScanLimits{})
	})
}
