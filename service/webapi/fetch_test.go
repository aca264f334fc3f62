package webapi_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"metermanager/rpc/api"
)

const fetchStream = "00112233445566778899aabbccddeeff:1"

// sags makes a page of n PQ events at the positions from first on, with fates behind them.
func sags(first, n int, fates string, requested bool) string {
	var b strings.Builder
	const end = 300
	fmt.Fprintf(&b, `{"stream":%q,"journal_end":%d,"requested":%t,"header":["start_time","duration","channel","exception_type","except_value","except_percent","pq_threshold"],"positions":[[%d,%d]],"records":[`,
		fetchStream, end, requested, first, first+n-1)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `[%d,0.5,"readings.voltage.an",0,%d,70,90]`, int64(day0)+int64(first+i)*60_000, 60+i)
	}
	fmt.Fprintf(&b, `],"fates":[%s]}`, fates)
	return b.String()
}

// skippedBehind are 50 positions that the sender skipped, behind those of a page.
func skippedBehind(last int) string {
	return fmt.Sprintf(`[%d,%d,"skipped","day",%d,%d]`, last+1, last+50, int64(day0)+int64(last+1)*60_000, int64(day0)+int64(last+50)*60_000)
}

// B3 at the cloud: what is not here is listed, asked for, polled by the manager, and what came is told.
func TestRequestsOfWhatWasSkipped(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "POST", s.meterPath("/logs/pq"), sags(1, 200, skippedBehind(200), false))
	list := s.ok(s.reader, "GET", s.meterPath("/skipped/pq"), "")["skipped"].([]any)
	if len(list) != 1 {
		t.Fatalf("%d lines, want 1: %v", len(list), list)
	}
	line := list[0].(map[string]any)
	if line["count"] != 50.0 || line["by"] != "sender" || line["reason"] != "day" || line["first"] != 201.0 || line["last"] != 250.0 || line["cloud"] != nil {
		t.Errorf("line %v", line)
	}
	if n := s.ok(s.reader, "GET", s.meterPath("/logs/pq"), "")["limit_counts"].(map[string]any)["skipped"]; n != 50.0 {
		t.Errorf("the query of events says %v skipped, want 50", n)
	}

	ask := fmt.Sprintf(`{"kind":"pq","from_ms":%d}`, int64(day0)+221*60_000)
	made := s.ok(s.admin, "POST", s.meterPath("/requests"), ask)["requests"].([]any)
	again := s.ok(s.admin, "POST", s.meterPath("/requests"), ask)["requests"].([]any)
	if len(made) != 1 || len(again) != 1 || made[0].(map[string]any)["id"] != again[0].(map[string]any)["id"] {
		t.Fatalf("asked twice: %v and %v", made, again)
	}
	id := made[0].(map[string]any)["id"].(string)
	for _, path := range []string{"/streams/pq", "/streams/historical"} {
		if r := s.call(s.upload, "GET", s.meterPath(path), ""); r.header.Get(api.WaitingHeader) != "1" {
			t.Errorf("%s says %q requests wait, want 1", path, r.header.Get(api.WaitingHeader))
		}
	}
	if r := s.call(s.upload, "POST", s.meterPath("/logs/pq"), sags(1, 1, "", false)); r.header.Get(api.WaitingHeader) != "1" {
		t.Errorf("an upload says %q requests wait, want 1", r.header.Get(api.WaitingHeader))
	}

	open := s.ok(s.upload, "GET", api.Root+"/requests", "")["requests"].([]any)
	if len(open) != 1 || open[0].(map[string]any)["journal"] != strings.Split(fetchStream, ":")[0] || len(open[0].(map[string]any)["streams"].([]any)) != 1 {
		t.Fatalf("the manager gets %v", open)
	}
	if their := s.ok(s.theirs, "GET", api.Root+"/requests", "")["requests"].([]any); len(their) != 0 {
		t.Errorf("another customer's manager gets %v", their)
	}
	report := s.meterPath("/requests/" + id + "/report")
	for range 2 {
		if r := s.ok(s.upload, "POST", report, `{"state":"taken"}`); r["state"] != "taken" {
			t.Errorf("after taken: %v", r)
		}
	}
	// The manager sends the last 30; its answer is lost, so it sends them again.
	for range 2 {
		s.ok(s.upload, "POST", s.meterPath("/logs/pq"), sags(221, 30, "", true))
	}
	done := `{"state":"done","cannot":[{"reason":"outside of the range","count":20}]}`
	for range 2 {
		if r := s.ok(s.upload, "POST", report, done); r["state"] != "done" || r["came"] != 30.0 || r["wanted"] != 30.0 || r["cannot"] != nil {
			t.Errorf("after done: %v", r)
		}
	}
	s.refused(s.call(s.upload, "POST", report, `{"state":"taken"}`), http.StatusConflict, "conflict")
	s.refused(s.call(s.admin, "DELETE", s.meterPath("/requests/"+id), ""), http.StatusConflict, "conflict")
	if open := s.ok(s.upload, "GET", api.Root+"/requests", "")["requests"].([]any); len(open) != 0 {
		t.Errorf("open after done: %v", open)
	}
	if r := s.call(s.upload, "GET", s.meterPath("/streams/pq"), ""); r.header.Get(api.WaitingHeader) != "" {
		t.Error("requests wait although none is open")
	}
	if n := s.ok(s.reader, "GET", s.meterPath("/logs/pq"), "")["limit_counts"].(map[string]any)["skipped"]; n != 20.0 {
		t.Errorf("%v skipped afterwards, want 20", n)
	}
	all := s.ok(s.reader, "GET", s.meterPath("/requests?limit=1"), "")
	if l := all["requests"].([]any); len(l) != 1 || l[0].(map[string]any)["streams"] != nil || all["next"] == nil {
		t.Errorf("list %v", all)
	}
	if more := s.ok(s.reader, "GET", s.meterPath("/requests?cursor="+all["next"].(string)), ""); len(more["requests"].([]any)) != 0 {
		t.Errorf("behind the last request: %v", more)
	}
}

// A name under which a journal does not come any more is asked for nothing, and what was asked for under it may come under the next.
func TestRequestsUnderOtherNames(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const old, now = "00112233445566778899aabbccddeeff", "00112233445566778899aabb00000001"
	post := func(name, fates string, rows int) {
		t.Helper()
		var list []string
		for i := range rows {
			list = append(list, fmt.Sprintf("[%d,1]", int64(day0)+int64(i+1)*10_000))
		}
		s.ok(s.upload, "POST", s.meterPath("/logs/historical"), fmt.Sprintf(`{"channels":[{"chan_key":"readings.voltage.an"}],"records":[%s],"stream":"%s:1","positions":[[%d,%d]],"journal_end":%d,"requested":%t,"fates":[%s]}`,
			strings.Join(list, ","), name, 7-rows, 6, 7, rows > 1, fates))
	}
	reduced := fmt.Sprintf(`[1,5,"reduced",6,%d,%d]`, int64(day0)+10_000, int64(day0)+50_000)
	ask := func() []any {
		t.Helper()
		return s.ok(s.admin, "POST", s.meterPath("/requests"), `{"kind":"historical","what":["reduced"]}`)["requests"].([]any)
	}
	post(old, reduced, 1)
	before := ask()
	if len(before) != 1 || before[0].(map[string]any)["journal"] != old {
		t.Fatalf("asked for %v", before)
	}
	post(now, reduced+`,[7,7,"not_chosen"]`, 1)
	open := ask()
	if len(open) != 1 || open[0].(map[string]any)["journal"] != now {
		t.Errorf("asked for %v, want one request for the name of now", open)
	}
	post(now, "", 6)
	id := before[0].(map[string]any)["id"].(string)
	report := s.ok(s.upload, "POST", s.meterPath("/requests/"+id+"/report"), `{"state":"done"}`)
	if report["came"] != 5.0 {
		t.Errorf("of the earlier request came %v, want 5: %v", report["came"], report)
	}
}

// A request waits for as long as is agreed, and can be taken back.
func TestRequestsEnd(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "POST", s.meterPath("/logs/pq"), sags(1, 5, skippedBehind(5), false))
	if none := s.ok(s.admin, "POST", s.meterPath("/requests"), `{"kind":"limits"}`)["requests"].([]any); len(none) != 0 {
		t.Errorf("nothing is missing, and is asked for: %v", none)
	}
	for _, bad := range []string{`{"kind":"x"}`, `{"kind":"pq","what":["full"]}`, `{"kind":"pq","from_ms":5,"to_ms":4}`, `{"kind":"pq","positions":[[1,2]]}`, `{"kind":"pq","stream":"x"}`} {
		if r := s.call(s.admin, "POST", s.meterPath("/requests"), bad); r.status != http.StatusUnprocessableEntity && r.status != http.StatusBadRequest {
			t.Errorf("%s: status %d", bad, r.status)
		}
	}
	create := func(body string) string {
		t.Helper()
		made := s.ok(s.admin, "POST", s.meterPath("/requests"), body)["requests"].([]any)
		if len(made) != 1 {
			t.Fatalf("%s makes %v", body, made)
		}
		return made[0].(map[string]any)["id"].(string)
	}
	some := create(fmt.Sprintf(`{"kind":"pq","stream":%q,"positions":[[7,9],[60,70]]}`, fetchStream))
	if r := s.ok(s.reader, "GET", s.meterPath("/requests?id="+some), "")["requests"].([]any)[0].(map[string]any); r["wanted"] != 3.0 {
		t.Errorf("three positions are wanted: %v", r)
	}
	for range 2 {
		if r := s.ok(s.admin, "DELETE", s.meterPath("/requests/"+some), ""); r["state"] != "cancelled" {
			t.Errorf("cancelled: %v", r)
		}
	}
	s.refused(s.call(s.upload, "POST", s.meterPath("/requests/"+some+"/report"), `{"state":"done"}`), http.StatusConflict, "conflict")
	old := create(`{"kind":"pq"}`)
	s.now = s.now.Add(31 * 24 * time.Hour)
	if r := s.ok(s.reader, "GET", s.meterPath("/requests?id="+old), "")["requests"].([]any)[0].(map[string]any); r["state"] != "failed" || r["reason"] == "" {
		t.Errorf("after a month: %v", r)
	}
}

// A request of the cloud that this node relays to waits here for the manager, and what that reported is passed back.
func TestRequestsThatArePassedOn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end    func(s *server, id string)
		want   api.FetchReport
		passed int
	}{
		"done": {func(s *server, id string) {
			s.ok(s.upload, "POST", s.meterPath("/requests/"+id+"/report"), `{"state":"done","cannot":[{"reason":"cleared","count":3},{"reason":"outside of the range","count":40}]}`)
		}, api.FetchReport{State: api.FetchDone, Cannot: []api.FetchCannot{{Reason: "cleared", Count: 3}}}, 1},
		"taken back": {func(s *server, id string) { s.ok(s.admin, "DELETE", s.meterPath("/requests/"+id), "") },
			api.FetchReport{State: api.FetchFailed, Reason: "it was taken back at the manager"}, 0},
		"too old": {func(s *server, _ string) { s.now = s.now.Add(31 * 24 * time.Hour) },
			api.FetchReport{State: api.FetchFailed, Reason: "no manager finished it in time"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.ok(s.upload, "POST", s.meterPath("/logs/pq"), sags(1, 5, skippedBehind(5), false))
			pass := func(q api.FetchRequest) (api.FetchReport, bool) {
				t.Helper()
				report, ended, err := s.desk.PassOn(t.Context(), s.uid, q)
				must(t, err)
				return report, ended
			}
			q := api.FetchRequest{ID: "far", Kind: "pq", Journal: strings.TrimSuffix(fetchStream, ":1"), What: []string{api.FetchSkipped}, State: api.FetchQueued}
			for range 2 {
				if report, ended := pass(q); ended {
					t.Fatalf("at once: %+v", report)
				}
			}
			list := s.ok(s.reader, "GET", s.meterPath("/requests"), "")["requests"].([]any)
			if len(list) != 1 {
				t.Fatalf("waiting here: %v", list)
			}
			tt.end(s, list[0].(map[string]any)["id"].(string))
			if report, ended := pass(q); !ended || !reflect.DeepEqual(report, tt.want) || s.passed != tt.passed {
				t.Errorf("%v %+v, told %d times", ended, report, s.passed)
			}
			q.ID, q.Journal = "another", strings.Repeat("f", 32)
			if report, ended := pass(q); !ended || report.State != "" {
				t.Errorf("of a journal that nobody sends here: %v %+v", ended, report)
			}
		})
	}
}
