package webapi_test

import (
	"fmt"
	"testing"
)

// TestLatest: one call has the newest values of all meters that the caller may see, and of no other.
func TestLatest(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	if got := s.ok(s.reader, "GET", "/api/v1/latest", ""); fmt.Sprint(got["meters"].([]any)[0].(map[string]any)["values"]) != "[]" {
		t.Errorf("of a meter without data: %v", got)
	}
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0, 3))
	list := s.ok(s.reader, "GET", "/api/v1/latest?channels=readings.voltage.an", "")["meters"].([]any)
	want := fmt.Sprintf("[map[chan_key:readings.voltage.an time_ms:%v value:122.5]]", float64(day0+120_000))
	if len(list) != 1 || fmt.Sprint(list[0].(map[string]any)["values"]) != want {
		t.Errorf("%v, want %s", list, want)
	}
	if all := s.ok(s.reader, "GET", "/api/v1/latest", "")["meters"].([]any)[0].(map[string]any)["values"].([]any); len(all) != 2 {
		t.Errorf("all channels: %v", all)
	}
	for _, m := range s.ok(s.theirs, "GET", "/api/v1/latest", "")["meters"].([]any) {
		if m.(map[string]any)["meter_uid"] == string(s.uid) {
			t.Error("another customer sees the meter")
		}
	}
	s.ok(s.admin, "PUT", s.meterPath("/settings"), `{"enabled":false}`)
	if got := s.ok(s.reader, "GET", "/api/v1/latest", "")["meters"].([]any); len(got) != 0 {
		t.Errorf("of a disabled meter: %v", got)
	}
}
