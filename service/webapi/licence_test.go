package webapi_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/cloud/subscription"
)

// usageOf returns days and months of each meter and extension of a customer's report.
func (s *server) usageOf(key, period string) map[string][2]float64 {
	s.t.Helper()
	out := map[string][2]float64{}
	for _, c := range s.ok(key, "GET", api.Root+"/usage/"+period, "")["customers"].([]any) {
		for _, m := range c.(map[string]any)["meters"].([]any) {
			m := m.(map[string]any)
			out[m["meter_uid"].(string)] = [2]float64{m["days"].(float64), m["months"].(float64)}
		}
		for _, e := range c.(map[string]any)["extensions"].([]any) {
			e := e.(map[string]any)
			out[e["name"].(string)] = [2]float64{e["days"].(float64), e["months"].(float64)}
		}
	}
	return out
}

// TestLicenceOfAMeter: until its date a meter can be read; from then on it goes on uploading and nobody can read it; a new date
// brings everything back. What was on is in the report, by days.
func TestLicenceOfAMeter(t *testing.T) {
	t.Parallel()
	s := newServer(t) // it is noon of 2026-03-01
	read := func() []int {
		var out []int
		for _, path := range []string{"/logs/historical", "/channels", "/realtime", "/logs/pq"} {
			out = append(out, s.call(s.admin, "GET", s.meterPath(path), "").status)
		}
		return out
	}
	all := func(want int) string { return fmt.Sprint([]int{want, want, want, want}) }
	upload := func(minute int64) int {
		return s.call(s.upload, "POST", s.meterPath("/logs/historical"), rows(day0+minute*60_000, 1)).status
	}
	set := func(date string) map[string]any {
		return s.ok(s.system, "PUT", s.meterPath("/expiration"), `{"expires":"`+date+`"}`)
	}
	if got := fmt.Sprint(read()); got != all(200) || upload(0) != 200 {
		t.Errorf("without a date and where none is required: %s", got)
	}
	s.refused(s.call(s.admin, "PUT", s.meterPath("/expiration"), `{"expires":"2030-01-01"}`), 403, "forbidden")
	s.refused(s.call(s.system, "PUT", s.meterPath("/expiration"), `{"expires":"soon"}`), 400, "invalid")

	if a := set("2026-03-11"); a["charge_months"] != 0.3226 || a["enabled"] != true { // 1 to 10 March: 10 of 31 days
		t.Errorf("a date: %v", a)
	}
	s.now = time.Date(2026, 3, 10, 23, 59, 59, 0, time.UTC)
	if got := fmt.Sprint(read()); got != all(200) {
		t.Errorf("a second before: %s", got)
	}
	s.now = s.now.Add(time.Second)
	if got := fmt.Sprint(read()); got != all(403) || upload(1) != 200 {
		t.Errorf("when it is over: %s", got)
	}
	if m := s.ok(s.admin, "GET", s.meterPath(""), ""); m["readable"] != false || m["enabled"] != true || m["expires_ms"] == nil {
		t.Errorf("the meter is told as %v", m)
	}
	if latest := s.ok(s.admin, "GET", api.Root+"/latest", ""); len(latest["meters"].([]any)) != 0 {
		t.Errorf("its newest values are told: %v", latest)
	}
	s.now = time.Date(2026, 3, 20, 8, 0, 0, 0, time.UTC) // noticed nine days later, and dated rightly
	if got := s.usageOf(s.admin, "2026-03")[string(s.uid)]; got != [2]float64{10, 0.3226} {
		t.Errorf("days and months of March: %v", got)
	}
	if len(s.over) != 1 || s.over[0] != s.uid {
		t.Errorf("over: %v", s.over)
	}
	list := s.ok(s.admin, "GET", api.Root+"/renewals", "")["renewals"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["over"] != true {
		t.Errorf("renewals: %v", list)
	}
	if theirs := s.ok(s.theirs, "GET", api.Root+"/renewals", "")["renewals"].([]any); len(theirs) != 0 {
		t.Errorf("another customer sees %v", theirs)
	}

	if a := set("2026-05-01"); a["charge_months"] != 1.3871 { // 20 to 31 March: 12 of 31 days, and April
		t.Errorf("renewed: %v", a)
	}
	if got := fmt.Sprint(read()); got != all(200) {
		t.Errorf("renewed: %s", got)
	}
	if n := len(s.ok(s.admin, "GET", s.meterPath("/logs/historical"), "")["records"].([]any)); n != 2 {
		t.Errorf("%d records, want the one that came in between too", n)
	}
	if a := set("2026-06-01"); a["charge_months"] != 1.0 { // April is paid for: only May comes
		t.Errorf("prolonged: %v", a)
	}
	s.now = time.Date(2026, 4, 30, 0, 0, 0, 0, time.UTC)
	if a := set(""); a["enabled"] != false || a["expires_ms"] != nil {
		t.Errorf("cleared: %v", a)
	}
	if got := fmt.Sprint(read()); got != all(403) || upload(2) != 200 {
		t.Errorf("cleared: %s", got)
	}
	s.now = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for period, want := range map[string][2]float64{"2026-03": {22, 0.7097}, "2026-04": {29, 0.9667}, "2026": {51, 1.6763}} {
		if got := s.usageOf(s.admin, period)[string(s.uid)]; got != want {
			t.Errorf("%s: days and months %v, want %v", period, got, want)
		}
	}
	// One event for each date that was set, with what it was before, and none for what followed from it.
	list = s.ok(s.system, "POST", api.Root+"/rpc/audit.list", `{"view":"server","action":"set-expiration","outcome":"done"}`)["result"].(map[string]any)["events"].([]any)
	if len(list) != 4 {
		t.Errorf("%d events for 4 dates", len(list))
	}
	if d := list[0].(map[string]any)["details"].(map[string]any); d["expires_before"] != "2026-06-01T00:00:00Z" || d["expires"] != "none" || d["enabled_before"] != "true" || d["enabled"] != "false" {
		t.Errorf("the newest says %v", d)
	}
	if _, there := s.usageOf(s.theirs, "2026")[string(s.uid)]; there {
		t.Error("another customer sees the usage")
	}
	if _, there := s.usageOf(s.system, "2026")[string(s.otherUID)]; !there {
		t.Error("the administrator of the system does not see every customer")
	}
	s.refused(s.call(s.admin, "GET", api.Root+"/usage/2026-13", ""), 400, "invalid")
}

// TestLicencesAreRequired: where they are, a meter without a date cannot be read, whoever enables it.
func TestLicencesAreRequired(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.refused(s.call(s.admin, "PUT", api.Root+"/licensing", `{"required":true,"billable":[]}`), 403, "forbidden")
	s.ok(s.system, "PUT", api.Root+"/licensing", `{"required":true,"billable":[]}`)
	s.ok(s.admin, "PUT", s.meterPath("/settings"), `{"enabled":true}`)
	s.refused(s.call(s.admin, "GET", s.meterPath("/channels"), ""), 403, "forbidden")
	s.ok(s.system, "PUT", s.meterPath("/expiration"), `{"expires":"2026-04-01"}`)
	s.ok(s.admin, "GET", s.meterPath("/channels"), "")
	s.now = s.now.Add(time.Hour)
	s.ok(s.admin, "PUT", s.meterPath("/settings"), `{"enabled":false}`)
	s.now = s.now.Add(48 * time.Hour)
	s.refused(s.call(s.admin, "GET", s.meterPath("/channels"), ""), 403, "forbidden")
	if got := s.usageOf(s.admin, "2026-03")[string(s.uid)]; got != [2]float64{1, 0.0323} {
		t.Errorf("enabled and disabled on one day: %v", got)
	}
}

// TestExtensions: what is billed must be switched on; it is switched on and off by the customer, for itself only, and stands in the report.
func TestExtensions(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	use := func(key string) response { return s.call(key, "GET", s.meterPath("/realtime"), "") }
	if r := use(s.admin); r.status != 200 {
		t.Errorf("a free extension: status %d", r.status)
	}
	s.refused(s.call(s.system, "PUT", api.Root+"/licensing", `{"billable":["sorcery"]}`), 404, "not_found")
	s.ok(s.system, "PUT", api.Root+"/licensing", `{"billable":["realtime"]}`)
	s.refused(use(s.admin), 403, "forbidden")
	command := func(key string) response { return s.call(key, "POST", api.Root+"/rpc/meter.read", `{"meter":"none"}`) }
	if r := command(s.admin); r.status != 403 || !strings.Contains(r.body, "extension realtime") {
		t.Errorf("a command of the extension: status %d: %s", r.status, r.body)
	}
	s.refused(command(""), 401, "unauthenticated")
	if r := use(s.system); r.status != 200 {
		t.Errorf("the administrator of the system: status %d", r.status)
	}
	s.refused(s.call(s.reader, "PUT", api.Root+"/extensions/realtime", `{"on":true}`), 403, "forbidden")
	s.refused(s.call(s.theirs, "PUT", api.Root+"/extensions/realtime", `{"on":true,"customer":"`+string(s.customer())+`"}`), 404, "not_found")
	s.refused(s.call(s.admin, "PUT", api.Root+"/extensions/sorcery", `{"on":true}`), 404, "not_found")
	s.ok(s.admin, "PUT", api.Root+"/extensions/realtime", `{"on":true}`)
	s.ok(s.admin, "PUT", api.Root+"/extensions/realtime", `{"on":true}`)
	if r := command(s.admin); strings.Contains(r.body, "extension") {
		t.Errorf("a command of an extension that is on: status %d: %s", r.status, r.body)
	}
	if r := use(s.reader); r.status != 200 {
		t.Errorf("switched on: status %d: %s", r.status, r.body)
	}
	s.refused(s.call(s.theirs, "GET", api.Root+"/meters/"+string(s.otherUID)+"/realtime", ""), 403, "forbidden")
	s.now = s.now.Add(24 * time.Hour)
	s.ok(s.admin, "PUT", api.Root+"/extensions/realtime", `{"on":false}`)
	s.refused(use(s.admin), 403, "forbidden")
	s.now = s.now.Add(48 * time.Hour)
	if got := s.usageOf(s.admin, "2026-03")["realtime"]; got != [2]float64{2, 0.0645} {
		t.Errorf("days and months of the extension: %v", got)
	}
}

// TestUsageAsCSV: the lines are those of the report, and a name is never a formula.
func TestUsageAsCSV(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.admin, "PUT", s.meterPath("/settings"), `{"name":"=HYPERLINK(\"http://evil\")"}`)
	s.ok(s.system, "PUT", s.meterPath("/expiration"), `{"expires":"2027-01-01"}`)
	r := s.call(s.admin, "GET", api.Root+"/usage/2026-03?format=csv", "")
	if r.status != http.StatusOK || !strings.HasPrefix(r.header.Get("Content-Type"), "text/csv") {
		t.Fatalf("status %d, %v", r.status, r.header)
	}
	lines, err := csv.NewReader(strings.NewReader(r.body)).ReadAll()
	must(t, err)
	if len(lines) != 2 || lines[1][4] != string(s.uid) || lines[1][9] != "2027-01-01" || lines[1][7] != "1" {
		t.Errorf("lines %q", lines)
	}
	for _, line := range lines {
		for _, cell := range line {
			if strings.HasPrefix(cell, "=") {
				t.Errorf("a cell begins with %q", cell)
			}
		}
	}
}

func TestMonths(t *testing.T) {
	t.Parallel()
	at := func(text string) logdb.Millis {
		d, err := time.Parse("2006-01-02 15:04", text)
		must(t, err)
		return logdb.MillisOf(d)
	}
	for _, c := range []struct {
		from, to string
		want     float64
	}{
		{"2026-01-01 00:00", "2027-01-01 00:00", 12},
		{"2026-01-15 13:37", "2026-02-01 00:00", 0.5484}, // 17 of 31 days, the one that has begun included
		{"2024-02-29 23:59", "2024-03-01 00:00", 0.0345}, // of a leap year
		{"2026-01-31 00:00", "2026-01-31 00:00", 0},
		{"2026-02-01 00:00", "2026-01-01 00:00", 0},
		{"2026-01-31 23:59", "2026-02-01 00:01", 0.068}, // both days
	} {
		if got := subscription.Months(at(c.from), at(c.to)); got != c.want {
			t.Errorf("%s to %s: %v months, want %v", c.from, c.to, got, c.want)
		}
	}
}
