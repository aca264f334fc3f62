package metrics_test

import (
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/metrics"
)

// status is a node with many meters, whose names hold whatever a user may type.
func status(meters int) *api.NodeStatus {
	s := &api.NodeStatus{
		Version: "v1 \"quoted\" \\ and\nbroken", Started: 1_772_366_400_000, Disk: api.DiskStatus{UsedBytes: 5, FreeBytes: 7, Level: api.DiskAlarm},
		Sync: &api.SyncStatus{Enabled: true, Pending: 3, NotCompared: 4, Succeeded: 5, Trouble: &api.Trouble{Text: "x"}},
	}
	for i := range meters {
		drift := int64(-1500)
		m := api.MeterStatus{
			UID: logdb.MeterUID(fmt.Sprintf("uid-%04d", i)), Name: "main \"incomer\"\\\n\xff", Serial: fmt.Sprint("s", i/2), Address: "127.0.0.1:502",
			State: "idle", LastOK: 1_772_366_400_000, ClockDrift: &drift,
		}
		for _, kind := range logdb.Kinds {
			for log := range logdb.LogNo(2) {
				m.Logs = append(m.Logs, api.LogStatus{
					Kind: kind.String(), Log: log, Records: 10, Last: 1_772_366_400_123,
					AtMeter: &api.LogAtMeter{Held: 12, Behind: 2, Last: 1_772_366_400_456},
					Clouds: []api.LogAtCloud{
						{Cloud: "first", State: api.CloudNotCompared, Pending: 0},
						{Cloud: "second", State: api.CloudBehind, Pending: 9, LagMS: 2500},
					},
				})
			}
		}
		s.Meters = append(s.Meters, m)
	}
	s.Meters = append(s.Meters, api.MeterStatus{UID: "uploads", Name: "uploads by itself", State: "receiving"})
	return s
}

func text(s *api.NodeStatus) []byte {
	t := &metrics.Text{}
	metrics.WriteNode(t, s)
	metrics.WriteProcess(t)
	r := &metrics.Requests{}
	r.Observe("upload", 200, 30*time.Millisecond)
	r.Observe("upload", 503, 3*time.Second)
	r.Observe("status", 200, time.Hour)
	r.Write(t)
	return t.Bytes()
}

var (
	nameForm   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	sampleForm = regexp.MustCompile(`^([a-z_][a-z0-9_]*)(\{[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*"(?:,[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*")*\})? (NaN|[+-]Inf|-?[0-9.]+(?:e[+-][0-9]+)?)$`)
)

// samples reads the format strictly: HELP, TYPE, then the samples of that metric, no series twice.
func samples(t *testing.T, body []byte) map[string]float64 {
	t.Helper()
	out, families := map[string]float64{}, map[string]bool{}
	family, kind := "", ""
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if help, ok := strings.CutPrefix(lines[i], "# HELP "); ok {
			name, words, _ := strings.Cut(help, " ")
			typed, found := strings.CutPrefix(lines[i+1], "# TYPE "+name+" ")
			if !found || words == "" || !nameForm.MatchString(name) || families[name] {
				t.Fatalf("family %q is declared wrongly, or twice", name)
			}
			family, kind, families[name] = name, typed, true
			if (kind == metrics.Counter) != strings.HasSuffix(name, "_total") {
				t.Errorf("%s is a %s: names of counters, and only those, end in _total", name, kind)
			}
			i++
			continue
		}
		m := sampleForm.FindStringSubmatch(lines[i])
		if m == nil {
			t.Fatalf("line %d is no sample: %s", i+1, lines[i])
		}
		base := m[1]
		if kind == "histogram" {
			base = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(base, "_bucket"), "_sum"), "_count")
		}
		if _, twice := out[m[1]+m[2]]; base != family || twice {
			t.Fatalf("line %d is of another family than %s, or stands twice: %s", i+1, family, lines[i])
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		out[m[1]+m[2]] = v
	}
	return out
}

func TestTheFormatIsPrometheus(t *testing.T) {
	t.Parallel()
	got := samples(t, text(status(3)))
	for name, want := range map[string]float64{
		`metermanager_disk_level{level="alarm"}`: 1, `metermanager_disk_level{level="ok"}`: 0,
		`metermanager_meters{state="idle"}`: 3, `metermanager_meters{state="receiving"}`: 1, `metermanager_meters_without_series`: 1,
		`metermanager_meter_clock_ahead_seconds{meter="main \"incomer\"\\\n` + "\uFFFD" + `"}`: -1.5,
		`metermanager_http_requests_total{operation="upload",code="503"}`:                      1,
		`metermanager_http_request_duration_seconds_bucket{operation="upload",le="0.1"}`:       1,
		`metermanager_http_request_duration_seconds_bucket{operation="upload",le="10"}`:        2,
		`metermanager_http_request_duration_seconds_bucket{operation="status",le="60"}`:        0,
		`metermanager_http_request_duration_seconds_bucket{operation="status",le="+Inf"}`:      1,
		`metermanager_http_request_duration_seconds_count{operation="upload"}`:                 2,
		`metermanager_sync_actions_total{cloud="",result="succeeded"}`:                         5, `metermanager_sync_in_trouble{cloud=""}`: 1,
		`metermanager_start_time_seconds`: 1_772_366_400,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s = %v, %v; want %v", name, v, ok, want)
		}
	}
	pending := `metermanager_cloud_pending_records{meter="main \"incomer\"\\\n` + "\uFFFD" + `",kind="pq",cloud="`
	if v := got[pending+`first"}`]; !math.IsNaN(v) {
		t.Errorf("what was not compared has %v pending, want NaN", v)
	}
	if v := got[pending+`second"}`]; v != 9 {
		t.Errorf("%v pending, want 9", v)
	}
}

// TestTheNumberOfSeriesIsBounded holds what docs/metrics.md promises.
func TestTheNumberOfSeriesIsBounded(t *testing.T) {
	t.Parallel()
	full, more := len(samples(t, text(status(metrics.MostMeters)))), len(samples(t, text(status(5*metrics.MostMeters))))
	if full != more || full > 300+metrics.MostMeters*(3+10*7+5*2*5) {
		t.Errorf("%d series with %d meters, %d with five times as many", full, metrics.MostMeters, more)
	}
}

// TestPromtoolTakesIt asks the program of the Prometheus project, where it is installed.
func TestPromtoolTakesIt(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(text(status(2)))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
