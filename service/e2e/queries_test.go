package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

// queriesOfTheCommandLine: what the web API answers of many meters, and by filters of events, the command line asks for.
func queriesOfTheCommandLine(t *testing.T, demoDir string) {
	t.Helper()
	var latest api.LatestAnswer
	out, errs, code := tool(t, "log", "latest", "--data", demoDir, "--channels", "readings.frequency", "--json")
	if err := json.Unmarshal([]byte(out), &latest); err != nil || code != 0 || len(latest.Meters) < 2 {
		t.Fatalf("log latest ends with %d, %v\n%s%s", code, err, out, errs)
	}
	for _, m := range latest.Meters {
		if m.Name == "main-incomer" && (len(m.Values) != 1 || m.Values[0].Value < 55 || m.Values[0].Time == 0) {
			t.Errorf("the newest frequency of %s: %+v", m.Name, m.Values)
		}
	}
	if out, errs, code := tool(t, "log", "latest", "main-incomer", "--data", demoDir); code != 0 || !strings.Contains(out, "readings.voltage.an") {
		t.Errorf("log latest METER ends with %d\n%s%s", code, out, errs)
	}
	counted := func(args ...string) int {
		t.Helper()
		out, errs, code := tool(t, append([]string{"log", "query", "main-incomer", "pq", "--data", demoDir, "--json", "--limit", "100000"}, args...)...)
		var answer struct {
			Records []json.RawMessage `json:"records"`
		}
		if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 {
			t.Fatalf("log query pq %v ends with %d, %v\n%s%s", args, code, err, out, errs)
		}
		return len(answer.Records)
	}
	all, sags, surges := counted(), counted("--type", "sag"), counted("--type", "surge")
	if sags == 0 || surges == 0 || sags+surges != all {
		t.Errorf("%d PQ events, %d sags, %d surges", all, sags, surges)
	}
	if low, high := counted("--max-percent", "90"), counted("--min-percent", "90.00001"); low == 0 || low+high != all {
		t.Errorf("%d PQ events, %d below 90 %% and %d above", all, low, high)
	}
	if out, errs, code := tool(t, "log", "counts", "main-incomer", "--kind", "pq", "--data", demoDir); code != 0 || !strings.Contains(out, "pq") {
		t.Errorf("log counts ends with %d\n%s%s", code, out, errs)
	}
}
