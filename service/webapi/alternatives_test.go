package webapi_test

import (
	"fmt"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// TestEventsOfTwoNodesAreNotAdded: the journals of two nodes about one meter are alternatives.
func TestEventsOfTwoNodesAreNotAdded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const hour, day = 3_600_000, 86_400_000
	send := func(journal string, times ...int64) string {
		t.Helper()
		var rows []string
		for _, at := range times {
			rows = append(rows, fmt.Sprintf(`[%d,1,"readings.voltage.an",0,40,49,80]`, at))
		}
		stream := strings.Repeat(journal, 32) + ":1"
		s.ok(s.upload, "POST", s.meterPath("/logs/pq"), fmt.Sprintf(`{"stream":%q,"header":["start_time","duration","channel","exception_type","except_value","except_percent","pq_threshold"],
			"records":[%s],"positions":[[1,%d]],"journal_end":%d}`, stream, strings.Join(rows, ","), len(times), len(times)))
		return stream
	}
	read := func(query string) api.Events {
		t.Helper()
		r := s.call(s.reader, "GET", s.meterPath("/logs/pq?"+query), "")
		e, err := api.ParseEvents(logdb.KindPQ, []byte(r.body), api.ScanLimits{})
		if err != nil || r.status != 200 {
			t.Fatalf("%s: %v: %s", query, err, r.body)
		}
		return e
	}
	// Two days of Berlin, whose first hour belongs to the UTC day before: on the first the nodes
	// hold as many, on the second the younger one has one more.
	older := send("a", day0, day0+2*hour, day0+day)
	if e := read(""); len(e.Events) != 3 || e.Alternatives != nil {
		t.Fatalf("one node: %+v", e)
	}
	s.now = s.now.Add(hour)
	younger := send("b", day0, day0+2*hour, day0+day, day0+day+2*hour)
	for query, want := range map[string]string{
		"": "aabb", "limit=1": "a", fmt.Sprintf("from=%d", day0+day): "bb", fmt.Sprintf("to=%d", day0+day+hour): "aab",
		"stream=" + older: "aaa", "stream=" + younger: "bbbb", "channel=readings.voltage.an": "aabb", "withdrawn=true": "aabb",
	} {
		got := ""
		e := read(query)
		for _, one := range e.Events {
			got += string(one.ID.Stream.Journal[:1])
		}
		marked := fmt.Sprint(e.Alternatives)
		if got != want || (len(e.Alternatives) > 0) == strings.HasPrefix(query, "stream=") {
			t.Errorf("%s: events of %s, want %s; alternatives %s", query, got, want, marked)
		}
	}
	shown := 0
	for cursor := ""; ; {
		e := read("limit=1&cursor=" + cursor)
		shown += len(e.Events)
		if cursor = e.Next; cursor == "" {
			break
		}
	}
	if shown != 4 {
		t.Errorf("%d events in pages of 1", shown)
	}
	counts := s.ok(s.reader, "GET", s.meterPath("/event-counts"), "")
	total := 0.0
	for _, c := range counts["counts"].([]any) {
		total += c.(map[string]any)["count"].(float64)
	}
	if total != 4 || len(counts["alternatives"].([]any)) != 2 {
		t.Errorf("counts %v", counts)
	}
	if raw := s.call(s.reader, "GET", s.meterPath("/logs/pq?raw=true"), "").body; !strings.Contains(raw, older) || !strings.Contains(raw, younger) {
		t.Errorf("a raw answer has all: %s", raw)
	}
}

// TestNamesThatWereGivenUpAreNotAnswered: a journal came under two names, and the change that puts a row right, from the future
// into the present, under the second one only. No answer tells of the time of before.
func TestNamesThatWereGivenUpAreNotAnswered(t *testing.T) {
	t.Parallel()
	const early, wrong, right = day0 + 60_000, day0 + 3*3_600_000, day0 + 3_600_000
	for name, gone := range map[string]bool{"all of it": false, "but for a row that the sender had no more": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			post := func(name, rows, more string) {
				t.Helper()
				s.ok(s.upload, "POST", s.meterPath("/logs/historical"), fmt.Sprintf(
					`{"channels":[{"chan_key":"readings.voltage.an"}],"records":[%s],"stream":"00112233445566778899aabb%s:1",%s}`, rows, name, more))
			}
			both := fmt.Sprintf("[%d,1],[%d,2]", early, wrong)
			post("ccddeeff", both, `"positions":[[1,2]],"journal_end":2`)
			change := fmt.Sprintf(`"journal_end":3,"changes":[{"position":3,"op":"revise","target":2,"time":%d,"record":{"readings.voltage.an":2}}]`, right)
			if gone {
				post("00000001", fmt.Sprintf("[%d,2]", wrong), `"positions":[[2,2]],"fates":[[1,1,"not_chosen"]],`+change)
			} else {
				post("00000001", both, `"positions":[[1,2]],`+change)
			}
			for _, path := range []string{"/api/v1/latest", s.meterPath(""), s.meterPath("/logs/historical")} {
				body := s.call(s.reader, "GET", path, "").body
				if strings.Contains(body, fmt.Sprint(wrong)) || !strings.Contains(body, fmt.Sprint(right)) {
					t.Errorf("%s: %s", path, body)
				}
				if strings.HasSuffix(path, "historical") && strings.Count(body, fmt.Sprint(early)) == 0 {
					t.Errorf("%s lacks %d: %s", path, early, body)
				}
			}
		})
	}
}
