package webapi_test

import (
	"fmt"
	"testing"

	"metermanager/logdb"
)

// TestCorrectedIsMarked: an answer says which of its records are not as first recorded, and what they were; undoing takes the mark away.
func TestCorrectedIsMarked(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := logdb.History{Channels: []logdb.ChannelKey{"energy.interval.wh.received", "readings.voltage.an"}, Columns: [][]float64{{}, {}}}
	for i := range 60 {
		h.Times = append(h.Times, logdb.Millis(day0+60_000*(i+1)))
		h.Columns[0], h.Columns[1] = append(h.Columns[0], 10), append(h.Columns[1], 230)
	}
	_, err := s.logs.Append(t.Context(), logdb.Batch{Meter: s.uid, Kind: logdb.KindHistorical, Rows: []logdb.History{h}})
	must(t, err)
	hour := func() ([]any, map[string]any) {
		t.Helper()
		got := s.ok(s.reader, "GET", s.meterPath("/logs/historical?interval=1h&channels=energy.interval.wh.received&agg=sum,count,coverage"), "")
		marks, _ := got["corrected"].(map[string]any)
		return got["records"].([]any)[0].([]any)[1:], marks
	}
	check := func(what, want string, count any) map[string]any {
		t.Helper()
		record, marks := hour()
		if fmt.Sprint(record) != want || marks["count"] != count {
			t.Errorf("%s: %v, marks %v; want %s, %v", what, record, marks, want, count)
		}
		return marks
	}
	correct := func(body string) {
		t.Helper()
		s.ok(s.admin, "POST", s.meterPath("/logs/historical/corrections"), body)
	}
	check("at first", "[600 60 1]", nil)
	correct(`{"position":10,"values":{"energy.interval.wh.received":25},"why":"bounce"}`)
	mark := check("corrected", "[615 60 1]", 1.0)["records"].([]any)[0].(map[string]any)
	if mark["time_ms"] != float64(day0+600_000) || mark["why"] != "bounce" || mark["op"] != "revise" || fmt.Sprint(mark["originals"]) != "[map[chan_key:energy.interval.wh.received value:10]]" {
		t.Errorf("mark %v", mark)
	}
	if v := s.ok(s.reader, "GET", s.meterPath("/versions/historical/"+mark["id"].(string)), ""); len(v["versions"].([]any)) != 2 {
		t.Errorf("the id of a mark leads to %v", v)
	}
	if other := s.ok(s.reader, "GET", s.meterPath("/logs/historical?channels=readings.voltage.an"), ""); other["corrected"] != nil {
		t.Errorf("a channel that was not touched is marked: %v", other["corrected"])
	}
	if raw := s.ok(s.reader, "GET", s.meterPath("/logs/historical?limit=5"), ""); raw["corrected"] == nil {
		t.Error("an answer of every value is not marked")
	}
	correct(`{"position":10,"withdraw":true,"why":"double"}`)
	check("withdrawn", fmt.Sprint([]any{590, 59, 59.0 / 60}), 1.0)
	correct(`{"position":10,"restore":true,"why":"it was right"}`)
	check("undone", "[600 60 1]", nil)
}

// TestCorrectionOfAPostedRecord: the journal of a meter that posts without positions is numbered here, so its records are corrected here.
// The page that brought them stores nothing when it is posted again, whatever became of them.
func TestCorrectionOfAPostedRecord(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	post := func(what string, stored float64) {
		t.Helper()
		if got := s.ok(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0+60_000, 30)); got["stored"] != stored || got["repeats"] != 30-stored {
			t.Errorf("%s: %v", what, got)
		}
	}
	sum := func(want float64) {
		t.Helper()
		got := s.ok(s.reader, "GET", s.meterPath("/logs/historical?interval=1h&channels=energy.interval.wh.received"), "")
		if v := got["records"].([]any)[0].([]any)[1]; v != want {
			t.Errorf("sum %v, want %v", v, want)
		}
	}
	correct := func(body string) {
		t.Helper()
		s.ok(s.admin, "POST", s.meterPath("/logs/historical/corrections"), body)
		must(t, s.logs.Compact(t.Context(), s.uid))
	}
	post("at first", 30)
	correct(fmt.Sprintf(`{"time_ms":%d,"values":{"energy.interval.wh.received":110},"why":"wrong ratio"}`, day0+600_000))
	post("after a correction", 0)
	sum(400)
	correct(`{"position":10,"withdraw":true,"why":"twice"}`)
	post("after a withdrawal", 0)
	sum(290)
	correct(`{"position":10,"restore":true,"why":"it was right"}`)
	post("after the undo", 0)
	sum(300)
	if got := s.ok(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0+31*60_000, 2)); got["stored"] != 2.0 {
		t.Errorf("the next page: %v", got)
	}
	sum(320)
}
