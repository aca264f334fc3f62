package webapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

func TestUploadIsVisibleToTheNextQuery(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := rows(day0+60_000, 180)
	got := s.ok(s.upload, "POST", s.meterPath("/logs/historical"), body)
	if got["stored"] != 180.0 || got["repeats"] != 0.0 || got["receipt"] != api.Receipt([]byte(body)) {
		t.Fatalf("answer %v", got)
	}
	if got = s.ok(s.upload, "POST", s.meterPath("/logs/historical"), body); got["stored"] != 0.0 || got["repeats"] != 180.0 {
		t.Errorf("the same page again: %v", got)
	}
	r := s.call(s.reader, "GET", s.meterPath("/logs/historical"), "")
	h, err := api.ParseHistory([]byte(r.body), api.ScanLimits{})
	if err != nil || len(h.Times) != 180 || len(h.Columns) != 2 || h.Times[0] != day0+60_000 {
		t.Fatalf("%d rows, %d columns, %v: %.200s", len(h.Times), len(h.Columns), err, r.body)
	}
	if h.Columns[0].Key != "energy.interval.wh.received" && h.Columns[1].Key != "energy.interval.wh.received" {
		t.Errorf("columns %+v", h.Columns)
	}
	// 60 values of 10 Wh end within each hour (start, end], 60 voltages lie within [start, end).
	r = s.call(s.reader, "GET", s.meterPath("/logs/historical?interval=1h&agg=sum,count,mean&channels=energy.interval.wh.received"), "")
	h, err = api.ParseHistory([]byte(r.body), api.ScanLimits{})
	if err != nil || h.Interval != "1h" || h.Zone != "Europe/Berlin" || len(h.Columns) != 3 {
		t.Fatalf("%+v, %v: %s", h, err, r.body)
	}
	if h.Times[0] != day0 || h.Values[0][0] != 600 || h.Values[1][0] != 60 || h.Values[2][0] != 10 {
		t.Errorf("hour 0: %v %v %v at %v", h.Values[0], h.Values[1], h.Values[2], h.Times)
	}
	r = s.call(s.reader, "GET", s.meterPath("/logs/historical?interval=1d&channels=energy.interval.wh.received"), "")
	if h, err = api.ParseHistory([]byte(r.body), api.ScanLimits{}); err != nil || h.Times[0] != day0 || h.Values[0][0] != 1800 {
		t.Errorf("the site's day: %v %v %v", h.Times, h.Values, err)
	}
}

// The first value that was ever recorded of a quantity that covers an interval ends one, where it stands on a full hour.
func TestIntervalsOfAllData(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0, 90))
	for _, intervals := range []string{"interval=1h", "interval=15m", "interval=1d", "buckets=1", "buckets=7"} {
		for channel, first := range map[string]float64{"energy.interval.wh.received": 1, "readings.voltage.an": 15} {
			r := s.call(s.reader, "GET", s.meterPath("/logs/historical?agg=count&channels="+channel+"&"+intervals), "")
			h, err := api.ParseHistory([]byte(r.body), api.ScanLimits{})
			if err != nil || len(h.Columns) != 1 {
				t.Fatalf("%s: %v: %s", intervals, err, r.body)
			}
			n := 0.0
			for _, v := range h.Values[0] {
				n += v
			}
			if n != 90 {
				t.Errorf("%s by %s: %v values in %v, want 90", channel, intervals, n, h.Values[0])
			}
			if intervals == "interval=15m" && h.Values[0][slices.IndexFunc(h.Values[0], func(v float64) bool { return v > 0 })] != first {
				t.Errorf("%s by %s: %v, want %v in the first one", channel, intervals, h.Values[0], first)
			}
		}
	}
}

func TestAbsentValuesStayAbsent(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := `{"channels":[{"chan_key":"readings.voltage.an"},{"chan_key":"readings.voltage.bn"}],"records":[[1772320000000,NaN,0],[1772320060000,121,null]]}`
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), body)
	r := s.call(s.reader, "GET", s.meterPath("/logs/historical"), "")
	if !strings.Contains(r.body, `"records":[[1772320000000,null,0],[1772320060000,121,null]]`) {
		t.Errorf("answer %s", r.body)
	}
	if r = s.call(s.reader, "GET", s.meterPath("/logs/historical?nan=true"), ""); !strings.Contains(r.body, "[1772320000000,NaN,0]") {
		t.Errorf("answer with nan=true: %s", r.body)
	}
	h, err := api.ParseHistory([]byte(s.call(s.reader, "GET", s.meterPath("/logs/historical?buckets=2"), "").body), api.ScanLimits{})
	if err != nil || len(h.Times) != 2 || !math.IsNaN(h.Values[0][0]) || h.Values[1][0] != 0 {
		t.Errorf("buckets: %+v, %v", h, err)
	}
}

func TestPagesOfAnAnswerContinue(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0, 100))
	var times []logdb.Millis
	cursor := ""
	for range 20 {
		r := s.call(s.reader, "GET", s.meterPath("/logs/historical?limit=30&cursor="+cursor), "")
		h, err := api.ParseHistory([]byte(r.body), api.ScanLimits{})
		must(t, err)
		times = append(times, h.Times...)
		if cursor = h.Next; cursor == "" {
			break
		}
	}
	if len(times) != 100 || times[99] != day0+99*60_000 {
		t.Errorf("%d rows in pages of 30", len(times))
	}
	for _, bad := range []string{"x", "dHw5OTk5OTk5OTk5OTk5OTk5OTk5", "ZXwxfHwx"} {
		s.refused(s.call(s.reader, "GET", s.meterPath("/logs/historical?cursor="+bad), ""), 400, "invalid")
	}
}

const testStream = "00112233445566778899aabbccddeeff:1"

// positionedPage is a page of a manager's journal, with a position that limits skipped.
func positionedPage() string {
	page := strings.TrimSuffix(rows(day0, 10), "}")
	return page + `,"stream":"` + testStream + `","positions":[[1,10]],"fates":[[11,12,"skipped","minute",` +
		fmt.Sprint(day0+600_000, ",", day0+601_000) + `]],"journal_end":12}`
}

func TestStreamsDigestsAndLimitCounts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), positionedPage())
	streams := s.ok(s.upload, "GET", s.meterPath("/streams/historical"), "")["streams"].([]any)
	if len(streams) != 1 || fmt.Sprint(streams[0].(map[string]any)["highest"]) != "12" {
		t.Fatalf("streams %v", streams)
	}
	days := s.ok(s.upload, "GET", s.meterPath("/digests/historical?stream="+url.QueryEscape(testStream)), "")["days"].([]any)
	if len(days) != 2 {
		t.Errorf("digests %v", days)
	}
	counts := s.ok(s.reader, "GET", s.meterPath("/limit-counts"), "")["counts"].([]any)
	if len(counts) != 1 || fmt.Sprint(counts[0].(map[string]any)["count"]) != "2" {
		t.Errorf("limit counts %v", counts)
	}
	h, err := api.ParseHistory([]byte(s.call(s.reader, "GET", s.meterPath("/logs/historical"), "").body), api.ScanLimits{})
	if err != nil || h.Limits.Skipped != 2 {
		t.Errorf("limits with the data: %+v, %v", h.Limits, err)
	}
	from := fmt.Sprint(day0 + 86_400_000)
	h, err = api.ParseHistory([]byte(s.call(s.reader, "GET", s.meterPath("/logs/historical?from="+from), "").body), api.ScanLimits{})
	if err != nil || h.Limits.Skipped != 0 || len(h.Times) != 0 {
		t.Errorf("limits of a later range: %+v, %v", h, err)
	}
	forgot := s.ok(s.admin, "POST", s.meterPath("/logs/historical/forget"), `{"stream":"`+testStream+`","from":0,"to":`+fmt.Sprint(day0+300_000)+`}`)
	if forgot["removed"] != 5.0 {
		t.Errorf("forget: %v", forgot)
	}
	if again := s.ok(s.upload, "POST", s.meterPath("/logs/historical"), positionedPage()); again["stored"] != 5.0 || again["repeats"] != 5.0 {
		t.Errorf("sent again: %v", again)
	}
	s.ok(s.admin, "DELETE", s.meterPath("/logs/historical"), "")
	if again := s.ok(s.upload, "POST", s.meterPath("/logs/historical"), positionedPage()); again["stored"] != 0.0 {
		t.Errorf("sent after clearing: %v", again)
	}
}

// TestLimitsThatTakeTurns: records of one time of which one limit skipped the first and the last and another one those between make
// two counts, and pages of one count end.
func TestLimitsThatTakeTurns(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	skip := func(first int, reason string) string {
		return fmt.Sprintf(`[%d,%d,"skipped",%q,%d,%d]`, first, first, reason, day0+600_000, day0+600_000)
	}
	page := strings.TrimSuffix(rows(day0, 10), "}") + `,"stream":"` + testStream + `","positions":[[1,10]],"fates":[` +
		strings.Join([]string{skip(11, "minute"), skip(12, "hour"), skip(13, "minute"), skip(14, "hour")}, ",") + `],"journal_end":14}`
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), page)
	var whole api.LimitCountsAnswer
	must(t, json.Unmarshal([]byte(s.call(s.reader, "GET", s.meterPath("/limit-counts"), "").body), &whole))
	if len(whole.Counts) != 2 || whole.Counts[0].Count != 2 || whole.Counts[1].Count != 2 {
		t.Errorf("counts %+v", whole.Counts)
	}
	if pages := s.pagesOfOne(s.reader, s.meterPath("/limit-counts")); len(pages) != len(whole.Counts) {
		t.Errorf("%d pages of one for %d counts", len(pages), len(whole.Counts))
	}
}

// TestARecordAlongTwoWaysCountsOnce: a cloud gets a journal from the site, and once more, under another policy, from a
// cloud between. What one of them skipped and the other brought was not skipped; what both skipped is one record.
func TestARecordAlongTwoWaysCountsOnce(t *testing.T) {
	t.Parallel()
	const system = `{"header":["time","event_type","description"],"records":[%s],"stream":"00112233445566778899aabbccddeeff:%s","positions":[%s],"fates":[%s],"journal_end":4}`
	record := func(i int) string { return fmt.Sprintf(`[%d,8,"reset %d"]`, day0+i*1000, i) }
	skip := func(first, last int) string {
		return fmt.Sprintf(`[%d,%d,"skipped","hour",%d,%d]`, first, last, day0+first*1000, day0+last*1000)
	}
	pages := []string{
		fmt.Sprintf(system, record(1)+","+record(2), "1", "[1,2]", skip(3, 4)),
		fmt.Sprintf(system, record(1)+","+record(3), "2", "[1,1],[3,3]", skip(2, 2)+","+skip(4, 4)),
	}
	const rows = `{"channels":[{"chan_key":"readings.voltage.an"}],"records":[[%d,1],[%d,2]],"stream":"00112233445566778899aabb%s:1","positions":[[2,2],[4,4]],"fates":[[1,1,"reduced",2,%d,%d],[3,3,"reduced",4,%d,%d]],"journal_end":4}`
	for name, order := range map[string][]int{"site first": {0, 1}, "relay first": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			for _, i := range order {
				s.ok(s.upload, "POST", s.meterPath("/logs/system"), pages[i])
			}
			sum := func() (n float64) {
				for _, c := range s.ok(s.reader, "GET", s.meterPath("/limit-counts"), "")["counts"].([]any) {
					n += c.(map[string]any)["count"].(float64)
				}
				return n
			}
			if n := sum(); n != 1 {
				t.Errorf("%v records count as skipped, want only the fourth", n)
			}
			e, err := api.ParseEvents(logdb.KindSystem, []byte(s.call(s.reader, "GET", s.meterPath("/logs/system"), "").body), api.ScanLimits{})
			if err != nil || len(e.Events) != 3 || e.Limits.Skipped != 1 {
				t.Errorf("%d events, %d skipped, %v; want three and one", len(e.Events), e.Limits.Skipped, err)
			}
			// The same rows under two names of a journal.
			for _, name := range []string{"ccddeeff", "00000001"} {
				at := func(i int) int { return day0 + i*20_000 }
				s.ok(s.upload, "POST", s.meterPath("/logs/historical"), fmt.Sprintf(rows, at(2), at(4), name, at(1), at(1), at(3), at(3)))
			}
			if n := sum(); n != 3 {
				t.Errorf("%v records count, want the skipped one and two that were combined", n)
			}
		})
	}
}

// A gap goes with every part of a journal that is sent as a stream of its own, as channels that were added later are: it is
// listed once.
func TestAGapInTwoCutsIsListedOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, policy := range []string{"1", "2+1"} {
		p := logdb.Page{Meter: s.uid, Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: "00112233445566778899aabbccddeeff", Policy: policy}, JournalEnd: 9}
		for _, at := range []logdb.Position{3, 5, 8} {
			g := logdb.Gap{From: day0, To: day0 + logdb.Millis(at)*1000, Cause: logdb.GapReset}
			p.Entries = append(p.Entries, logdb.Entry{Op: logdb.OpGap, Position: at, Time: day0, Gap: &g})
		}
		s.ok(s.upload, "POST", s.meterPath("/logs/historical"), string(api.AppendPage(nil, &p, api.DialectJSON)))
	}
	for _, limit := range []int{100, 1, 2} {
		var have []logdb.Position
		for cursor := ""; ; {
			body := s.call(s.reader, "GET", s.meterPath(fmt.Sprintf("/logs/historical?gaps=true&limit=%d&cursor=%s", limit, cursor)), "").body
			e, err := api.ParseEvents(logdb.KindHistorical, []byte(body), api.ScanLimits{})
			if err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			for _, x := range e.Events {
				have = append(have, x.Entry.Position)
			}
			if cursor = e.Next; cursor == "" {
				break
			}
		}
		if !slices.Equal(have, []logdb.Position{3, 5, 8}) {
			t.Errorf("limit %d: gaps at %v, want 3, 5 and 8 once", limit, have)
		}
	}
}

// TestRawAnswersReplay plays one node's raw answers into another and finds the same there.
func TestRawAnswersReplay(t *testing.T) {
	t.Parallel()
	one, two := newServer(t), newServer(t)
	one.ok(one.upload, "POST", one.meterPath("/logs/historical"), positionedPage())
	one.ok(one.upload, "POST", one.meterPath("/logs/historical"), rows(day0+86_400_000, 50))
	cursor, pages := "", 0
	for range 50 {
		r := one.call(one.reader, "GET", one.meterPath("/logs/historical?raw=true&limit=7&cursor="+cursor), "")
		raw, err := api.ParsePages(logdb.KindHistorical, []byte(r.body), api.ScanLimits{})
		if err != nil {
			t.Fatalf("%v: %s", err, r.body)
		}
		for i := range raw.Pages {
			raw.Pages[i].Meter = two.uid
			two.ok(two.upload, "POST", two.meterPath("/logs/historical"), string(api.AppendPage(nil, &raw.Pages[i], api.DialectJSON)))
			pages++
		}
		if cursor = raw.Next; cursor == "" {
			break
		}
	}
	a := one.call(one.reader, "GET", one.meterPath("/logs/historical"), "")
	b := two.call(two.reader, "GET", two.meterPath("/logs/historical"), "")
	if got, want := strings.ReplaceAll(b.body, string(two.uid), string(one.uid)), a.body; got != want || pages < 8 {
		t.Errorf("%d pages; the replayed node answers\n%.500s\nwant\n%.500s", pages, got, want)
	}
}

// TestRawAnswersOfManyShortRanges asks for a stream whose stored positions stand alone, as those of rows that were combined on
// their way do, and for one whose logs take turns: both fit in pages that a reader takes.
func TestRawAnswersOfManyShortRanges(t *testing.T) {
	t.Parallel()
	const n = 1500
	s := newServer(t)
	stream, err := logdb.ParseStream(testStream)
	must(t, err)
	minute := func(i int) logdb.Millis { return day0 + logdb.Millis(i)*60_000 }
	rows := logdb.Page{Meter: s.uid, Kind: logdb.KindHistorical, Stream: stream, JournalEnd: 3 * n}
	turns := logdb.Page{Meter: s.uid, Kind: logdb.KindSystem, Stream: stream, JournalEnd: n}
	for log := range logdb.LogNo(2) {
		h := logdb.History{Log: log, Channels: []logdb.ChannelKey{"readings.frequency"}, Columns: [][]float64{nil}}
		for i := int(log); i < n; i += 2 {
			p := logdb.Position(3*i + 3)
			h.Times, h.Positions, h.Columns[0] = append(h.Times, minute(i)), append(h.Positions, p), append(h.Columns[0], float64(i))
			rows.Fates = append(rows.Fates, logdb.FateRange{First: p - 2, Last: p - 1, Fate: logdb.FateReduced, Into: p, FirstTime: minute(i), LastTime: minute(i)})
		}
		rows.Rows = append(rows.Rows, h)
	}
	slices.SortFunc(rows.Fates, func(a, b logdb.FateRange) int { return int(a.First) - int(b.First) })
	for i := range n {
		turns.Entries = append(turns.Entries, logdb.Entry{
			Position: logdb.Position(i + 1), Op: logdb.OpAdd, Log: logdb.LogNo(i % 2), Time: minute(i), System: &logdb.SystemEvent{Type: 1, Description: fmt.Sprint("event ", i)},
		})
	}
	for _, page := range []*logdb.Page{&rows, &turns} {
		path := s.meterPath("/logs/" + page.Kind.String())
		s.ok(s.upload, "POST", path, string(api.AppendPage(nil, page, api.DialectJSON)))
		r := s.call(s.reader, "GET", path+"?raw=true", "")
		raw, err := api.ParsePages(page.Kind, []byte(r.body), api.ScanLimits{})
		if err != nil {
			t.Fatalf("%s: %v", page.Kind, err)
		}
		have, blocks := len(raw.Pages[0].Entries), len(raw.Pages[0].Rows)
		for _, h := range raw.Pages[0].Rows {
			have += h.Len()
			for i, p := range h.Positions {
				if at := int(p)/3 - 1; h.Log != logdb.LogNo(at%2) || h.Times[i] != minute(at) || h.Columns[0][i] != float64(at) {
					t.Fatalf("position %d is row %v of log %d at %d", p, h.Columns[0][i], h.Log, h.Times[i])
				}
			}
		}
		for i, e := range raw.Pages[0].Entries {
			if e.Position != logdb.Position(i+1) || e.Log != logdb.LogNo(i%2) || e.System.Description != fmt.Sprint("event ", i) {
				t.Fatalf("entry %d: %+v", i, e)
			}
		}
		if have != n || blocks > 2 || len(raw.Pages) != 1 || raw.Next != "" || !slices.Equal(raw.Pages[0].Fates, page.Fates) {
			t.Errorf("%s: %d records in %d blocks, %d pages, %d fates", page.Kind, have, blocks, len(raw.Pages), len(raw.Pages[0].Fates))
		}
	}
}

// TestPagesOfDeadVersions reads all versions of events one at a time, each record being one of several at its time.
func TestPagesOfDeadVersions(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	event := func(text string) *logdb.SystemEvent {
		return &logdb.SystemEvent{Type: logdb.SystemError, Description: text}
	}
	for _, entries := range [][]logdb.Entry{
		{{Op: logdb.OpAdd, Time: day0, System: event("a")}, {Op: logdb.OpAdd, Time: day0, System: event("b")}},
		{{Op: logdb.OpRevise, Target: 1, Time: day0, System: event("a2")}, {Op: logdb.OpRevise, Target: 2, Time: day0, System: event("b2")}},
		{{Op: logdb.OpRevise, Target: 1, Time: day0, System: event("a3")}},
	} {
		if _, err := s.logs.Append(t.Context(), logdb.Batch{Meter: s.uid, Kind: logdb.KindSystem, Entries: entries}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(cursor string) (texts []string, next string) {
		t.Helper()
		r := s.call(s.reader, "GET", s.meterPath("/logs/system?withdrawn=true&limit=1&cursor="+cursor), "")
		e, err := api.ParseEvents(logdb.KindSystem, []byte(r.body), api.ScanLimits{})
		if err != nil {
			t.Fatalf("%v: %s", err, r.body)
		}
		for i := range e.Events {
			texts = append(texts, e.Events[i].Entry.System.Description)
		}
		return texts, e.Next
	}
	var all []string
	second := ""
	for cursor := ""; ; {
		texts, next := read(cursor)
		if all = append(all, texts...); next == "" {
			break
		}
		if cursor = next; second == "" {
			second = next
		}
	}
	if want := []string{"a", "a2", "a3", "b", "b2"}; !slices.Equal(all, want) {
		t.Errorf("events %v, want %v", all, want)
	}
	// A cursor of an older program names the record: it stands behind all versions of it.
	text, err := base64.RawURLEncoding.DecodeString(second)
	if err != nil {
		t.Fatal(err)
	}
	older := string(text[:bytes.LastIndexByte(text, '|')])
	if texts, _ := read(base64.RawURLEncoding.EncodeToString([]byte(older))); !slices.Equal(texts, []string{"b"}) {
		t.Errorf("behind an older cursor: %v", texts)
	}
}

func TestEventsByFilterAndCursor(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var b strings.Builder
	b.WriteString(`{"header":["start_time","duration","channel","limit_id","exception_type","except_value","except_percent","limit_threshold"],"records":[`)
	for i := range 8 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `[%d,%d,"readings.voltage.%s",%d,0,40,49,80]`, day0+int64(i)*3_600_000, i+1, []string{"an", "bn"}[i%2], i%4)
	}
	b.WriteString("]}")
	s.ok(s.upload, "POST", s.meterPath("/logs/limits"), b.String())
	read := func(query string) api.Events {
		t.Helper()
		r := s.call(s.reader, "GET", s.meterPath("/logs/limits?"+query), "")
		e, err := api.ParseEvents(logdb.KindLimit, []byte(r.body), api.ScanLimits{})
		if err != nil {
			t.Fatalf("%s: %v: %s", query, err, r.body)
		}
		return e
	}
	for query, want := range map[string]int{
		"": 8, "channel=readings.voltage.an": 4, "limit_id=3": 2, "limit_id=1,3": 4, "channel=reading.voltage.bn&limit_id=1": 2,
		fmt.Sprintf("from=%d", day0+3_600_000): 7, fmt.Sprintf("to=%d", day0+3_600_000): 1, "from=2026-03-01T00:00:00Z": 7,
	} {
		if got := len(read(query).Events); got != want {
			t.Errorf("%s: %d events, want %d", query, got, want)
		}
	}
	var all []api.Event
	for cursor := ""; ; {
		e := read("limit=3&cursor=" + cursor)
		all = append(all, e.Events...)
		if cursor = e.Next; cursor == "" {
			break
		}
	}
	if len(all) != 8 || all[7].Entry.Excursion.DurationSeconds != 8 {
		t.Errorf("%d events in pages of 3: %+v", len(all), all)
	}
	if got := s.ok(s.reader, "GET", s.meterPath("/event-counts"), "")["counts"].([]any); len(got) != 2 {
		t.Errorf("event counts by UTC day: %v", got)
	}
	for _, bad := range []string{"from=yesterday", "to=1&from=2", "limit=0", "limit=x", "channel=Volts", "limit_id=a", "cursor=%25", "stream=x", "code=5", "channels=readings.voltage.an"} {
		s.refused(s.call(s.reader, "GET", s.meterPath("/logs/limits?"+bad), ""), 400, "invalid")
	}
}

func TestRecordingReadsBack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body, err := os.ReadFile("../../rpc/api/testdata/printed/0468.json")
	must(t, err)
	s.ok(s.upload, "POST", s.meterPath("/logs/waveform"), string(body))
	list, err := api.ParseEvents(logdb.KindWaveform, []byte(s.call(s.reader, "GET", s.meterPath("/logs/waveform"), "").body), api.ScanLimits{})
	if err != nil || len(list.Events) != 1 || list.Events[0].Entry.Waveform.Triggers[0] != "Van=Sag_start" {
		t.Fatalf("list %+v, %v", list, err)
	}
	r := s.call(s.reader, "GET", s.meterPath("/logs/waveform/"+url.PathEscape(list.Events[0].ID.String())), "")
	up, err := api.ParsePage(logdb.KindWaveform, []byte(r.body), api.ScanLimits{})
	if err != nil || len(up.Page.Entries) != 1 || len(up.Page.Entries[0].Waveform.Channels) == 0 {
		t.Fatalf("recording: %v: %.300s", err, r.body)
	}
	sent, err := api.ParsePage(logdb.KindWaveform, body, api.ScanLimits{})
	must(t, err)
	if up.Page.Entries[0].ContentDigest() != sent.Page.Entries[0].ContentDigest() {
		t.Error("the recording is not the one that was sent")
	}
	for _, id := range []string{"1", "0@" + testStream, "1@x", "99@" + list.Events[0].ID.Stream.String()} {
		s.refused(s.call(s.reader, "GET", s.meterPath("/logs/waveform/"+id), ""), 404, "not_found")
	}
}

// TestSeedBodiesByCurl drives the API as the seed's meters do: curl, its bodies, the key
// inside.
func TestSeedBodiesByCurl(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	s := newServer(t)
	printed := "../../rpc/api/testdata/printed/"
	post := func(path, file string) response {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), curl, "-sS", "-o", "-", "-w", "\n%{http_code}", "--data-binary", "@"+file, s.url+path).Output()
		must(t, err)
		i := bytes.LastIndexByte(out, '\n')
		var status int
		_, err = fmt.Sscan(string(out[i+1:]), &status)
		must(t, err)
		return response{status: status, body: string(out[:i]), header: http.Header{"Content-Type": {"application/problem+json"}}}
	}
	for _, c := range []struct {
		paragraph, kind string
		stored          float64
	}{{"0433", "historical", 3}, {"0468", "waveform", 1}, {"0490", "system", 3}, {"0503", "limits", 2}, {"0515", "pq", 2}} {
		// As it is printed: typing errors and all, with the byte at which it stops.
		r := post(s.meterPath("/logs/"+c.kind), printed+c.paragraph+".bad.json")
		s.refused(r, 400, "invalid")
		if !strings.Contains(r.body, "byte ") {
			t.Errorf("%s: the refusal names no byte: %s", c.paragraph, r.body)
		}
		// Mended, with our key and meter in the body.
		body, err := os.ReadFile(printed + c.paragraph + ".json")
		must(t, err)
		text := strings.NewReplacer(`"----"`, `"`+s.upload+`"`, "c4add118-b187-4d21-9813-d25bffdb6083", string(s.uid)).Replace(string(body))
		if !strings.Contains(text, "apikey") {
			text = strings.Replace(text, "{", fmt.Sprintf(`{apikey: %q, meter_uid: %q,`, s.upload, s.uid), 1)
		}
		file := filepath.Join(t.TempDir(), "body")
		must(t, os.WriteFile(file, []byte(text), 0o600))
		for _, path := range []string{api.Root + "/push/" + c.kind, s.meterPath("/logs/" + c.kind)} {
			r = post(path, file)
			got := r.json(t)
			if r.status != 200 || got["stored"].(float64)+got["repeats"].(float64) != c.stored {
				t.Errorf("%s to %s: status %d: %s", c.paragraph, path, r.status, r.body)
			}
			if path == api.Root+"/push/"+c.kind && got["repeats"] != 0.0 && c.paragraph != "0490" {
				t.Errorf("%s: %s", c.paragraph, r.body)
			}
		}
	}
}

func TestBadUploadsChangeNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	good := rows(day0, 2)
	state := func() string {
		return s.call(s.reader, "GET", s.meterPath("/logs/historical?raw=true"), "").body + s.call(s.reader, "GET", s.meterPath("/event-counts"), "").body +
			s.call(s.upload, "GET", s.meterPath("/streams/historical"), "").body
	}
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), good)
	before := state()
	for name, c := range map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"not JSON":            {"/logs/historical", "hello", 400, "invalid"},
		"empty":               {"/logs/historical", "", 400, "invalid"},
		"cut":                 {"/logs/historical", good[:len(good)-5], 400, "invalid"},
		"text for a number":   {"/logs/historical", strings.Replace(good, "120.5", `"120.5"`, 1), 400, "invalid"},
		"one value too few":   {"/logs/historical", strings.Replace(good, ",10]", "]", 1), 400, "invalid"},
		"infinite":            {"/logs/historical", strings.Replace(good, "120.5", "1e999", 1), 400, "invalid"},
		"before 1970":         {"/logs/historical", strings.Replace(good, fmt.Sprint(day0), "-1", 1), 400, "invalid"},
		"after 9999":          {"/logs/historical", strings.Replace(good, fmt.Sprint(day0), "253402300800000", 1), 400, "invalid"},
		"fraction of a ms":    {"/logs/historical", strings.Replace(good, fmt.Sprint(day0), "1772319600000.5", 1), 400, "invalid"},
		"channel twice":       {"/logs/historical", strings.Replace(good, "energy.interval.wh.received", "readings.voltage.an", 1), 400, "invalid"},
		"no channel key":      {"/logs/historical", strings.Replace(good, "energy.interval.wh.received", "Energy!", 1), 400, "invalid"},
		"other meter in body": {"/logs/historical", strings.Replace(good, "{", `{"meter_uid":"another",`, 1), 400, "invalid"},
		"kind":                {"/logs/hysterical", good, 404, "not_found"},
		"position beyond end": {"/logs/historical", strings.Replace(positionedPage(), `"journal_end":12`, `"journal_end":11`, 1), 400, "invalid"},
		"position twice":      {"/logs/historical", strings.Replace(positionedPage(), `[[11,12,`, `[[10,12,`, 1), 400, "invalid"},
		"stream":              {"/logs/historical", strings.Replace(positionedPage(), testStream, "mine", 1), 400, "invalid"},
		"deep":                {"/logs/historical", strings.Repeat(`{"x":[`, 5000), 413, "too_large"},
		"event of no kind":    {"/logs/pq", good, 400, "invalid"},
	} {
		r := s.call(s.upload, "POST", s.meterPath(c.path), c.body)
		if r.status != c.status || r.json(t)["code"] != c.code {
			t.Errorf("%s: status %d, want %d: %s", name, r.status, c.status, r.body)
		}
	}
	many := strings.Repeat("[1772319600000,1],", 3_000_000)
	r := s.call(s.upload, "POST", s.meterPath("/logs/historical"), `{"channels":[{"chan_key":"readings.voltage.an"}],"records":[`+many[:len(many)-1]+"]}")
	if r.status != 400 && r.status != 413 {
		t.Errorf("absurd size: status %d: %s", r.status, r.body)
	}
	if after := state(); after != before {
		t.Errorf("bad uploads changed the store:\n%.600s\nbefore:\n%.600s", after, before)
	}
}

func TestPackedUploads(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(rows(day0, 100)))
	must(t, err)
	must(t, z.Close())
	r := s.call(s.upload, "POST", s.meterPath("/logs/historical"), b.String(), "Content-Encoding", "gzip")
	if r.status != 200 || r.json(t)["stored"] != 100.0 || r.json(t)["receipt"] != api.Receipt([]byte(rows(day0, 100))) {
		t.Errorf("gzip: status %d: %s", r.status, r.body)
	}
	s.refused(s.call(s.upload, "POST", s.meterPath("/logs/historical"), b.String()[:40], "Content-Encoding", "gzip"), 400, "invalid")
	s.refused(s.call(s.upload, "POST", s.meterPath("/logs/historical"), "x", "Content-Encoding", "br"), 415, "unsupported_media")
}

func TestBadQueriesAreRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0, 10))
	for query, status := range map[string]int{
		"from=x": 400, "to=2026-13-01": 400, "from=2&to=1": 400, "interval=5": 400, "interval=-1h": 400, "interval=1h&buckets=3": 400,
		"buckets=0": 400, "buckets=1000000000": 400, "agg=median&interval=1h": 400, "agg=mean": 400, "zone=Mars&interval=1h": 400,
		"raw=maybe": 400, "log=-1": 400, "stream=abc": 400, "limit=-1": 400, "channels=Volts": 400, "raw=true&cursor=x": 400,
		"interval=1m&from=1&to=253402300799999": 400, "interval=1d&from=1&to=253402300799999": 400,
		"buckets=100000&agg=mean,min,max,sum,last,first,count&channels=a.b,a.c,a.d,a.e,a.f,a.g": 200,
	} {
		r := s.call(s.reader, "GET", s.meterPath("/logs/historical?"+query), "")
		if r.status != status {
			t.Errorf("%s: status %d, want %d: %.200s", query, r.status, status, r.body)
		}
	}
	for path, status := range map[string]int{
		"/streams/none": 404, "/digests/pq?stream=x": 400, "/limit-counts?from=x": 400, "/event-counts?to=-1": 400, "/logs/none": 404,
	} {
		if r := s.call(s.admin, "GET", s.meterPath(path), ""); r.status != status {
			t.Errorf("%s: status %d, want %d: %.200s", path, r.status, status, r.body)
		}
	}
}
