package webapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

// TestSettingsMerge: a member that is not sent keeps what is stored, so that disabling a meter
// does not move its days to another zone.
func TestSettingsMerge(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	path := s.meterPath("/settings")
	s.ok(s.admin, "PUT", path, `{"ct_primary_a":400,"energy_format":{"digits":7,"decimals":2},"log_intervals_ms":[900000,60000]}`)
	stored := func() map[string]any { return s.ok(s.admin, "GET", s.meterPath(""), "") }
	want := stored()
	settings := want["settings"].(map[string]any)
	if settings["time_zone"] != "Europe/Berlin" || settings["name"] != "Main incomer" || settings["ct_primary_a"] != 400.0 || settings["type"] != "Shark 200" {
		t.Fatalf("one member changed others: %v", settings)
	}
	for _, enabled := range []bool{false, true} {
		got := s.ok(s.admin, "PUT", path, fmt.Sprintf(`{"enabled":%t}`, enabled))
		want["enabled"], want["readable"] = enabled, enabled
		if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(stored()) != fmt.Sprint(want) {
			t.Errorf("enabled %t: %v, want %v", enabled, got, want)
		}
	}
	for _, same := range []string{`{}`, `{"ct_primary_a":400}`} {
		if got := s.ok(s.upload, "PUT", path, same); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s changed something: %v, want %v", same, got, want)
		}
	}
	s.ok(s.upload, "PUT", path, `{"name":"","energy_format":{"digits":6},"log_intervals_ms":[1000]}`)
	settings = stored()["settings"].(map[string]any)
	if got, _ := json.Marshal(settings["energy_format"]); string(got) != `{"decimals":2,"digits":6}` || settings["name"] != "" || len(settings["log_intervals_ms"].([]any)) != 1 {
		t.Errorf("what is sent takes the place of what was stored: %v", settings)
	}
	s.refused(s.call(s.upload, "PUT", path, `{"time_zone":"Mars/Olympus","name":"x"}`), 400, "invalid")
	if got := stored()["settings"].(map[string]any); got["name"] != "" || got["time_zone"] != "Europe/Berlin" {
		t.Errorf("a refused change changed something: %v", got)
	}
}

// TestRealtimeWithoutValueOrTime: an absent value is never 0, an absent time never 1970.
func TestRealtimeWithoutValueOrTime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.admin, "POST", s.meterPath("/realtime"), `{"values":[{"chan_key":"readings.voltage.an"},{"chan_key":"readings.voltage.bn","value":6},{"chan_key":"readings.voltage.cn","value":null}]}`)
	body := s.call(s.reader, "GET", s.meterPath("/realtime"), "").body
	var got api.Realtime
	must(t, json.Unmarshal([]byte(body), &got))
	if len(got.Values) != 1 || got.Values[0].Key != "readings.voltage.bn" || got.Values[0].Value != 6 {
		t.Errorf("values %v", got.Values)
	}
	if int64(got.Time) != s.now.UnixMilli() || got.Stale || strings.Contains(body, `"time_ms":0`) {
		t.Errorf("time %d, want now: %s", got.Time, body)
	}
}
