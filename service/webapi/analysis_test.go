package webapi_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// sag is a recording of three voltages and currents at 128 samples a cycle of 50 Hz, in which phase A falls to a half for three cycles.
func sag() logdb.Entry {
	const interval = 0.15625 // ms
	w := &logdb.Waveform{End: logdb.Millis(day0 + 240), SampleIntervalMillis: interval, TriggerTime: logdb.Millis(day0 + 100), FrequencyHz: 50, Triggers: []string{"Van=Sag_start"}}
	for i, name := range []string{"Van_Vab", "Vbn_Vbc", "Vcn_Vca", "Ia", "Ib", "Ic"} {
		rms := 230.0
		if i > 2 {
			rms = 50
		}
		c := logdb.WaveChannel{Name: name}
		for n := range 1536 {
			t := float64(n) * interval / 1000
			factor := 1.0
			if inside := t >= 0.1 && t < 0.16; inside && i == 0 {
				factor = 0.5
			} else if inside && i == 3 {
				factor = 6
			}
			c.Samples = append(c.Samples, factor*rms*math.Sqrt2*math.Sin(2*math.Pi*50*t-2*math.Pi/3*float64(i%3)))
		}
		w.Channels = append(w.Channels, c)
	}
	return logdb.Entry{Op: logdb.OpAdd, Time: logdb.Millis(day0), Waveform: w}
}

// sagPage is that recording at position 1 of a stream.
func sagPage() string {
	e := sag()
	e.Position = 1
	stream, err := logdb.ParseStream(testStream)
	if err != nil {
		panic(err)
	}
	return strings.Replace(string(api.AppendRecording(nil, "m", stream, &e)), `"meter_uid":"m",`, ``, 1)
}

func TestAnalysisOfARecording(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.admin, "PUT", s.meterPath("/settings"), `{"nominal_voltage_v":230,"nominal_frequency_hz":50,"hookup":"wye"}`)
	s.ok(s.upload, "POST", s.meterPath("/logs/waveform"), sagPage())
	list := s.ok(s.reader, "GET", s.meterPath("/logs/waveform"), "")
	id := list["recordings"].([]any)[0].(map[string]any)["id"].(string)
	r := s.call(s.reader, "GET", s.meterPath("/logs/waveform/"+id+"/analysis"), "")
	var a api.RecordingAnalysis
	if err := json.Unmarshal([]byte(r.body), &a); err != nil || r.status != http.StatusOK {
		t.Fatalf("%d %v %s", r.status, err, r.body)
	}
	if len(a.Found) != 1 || a.Found[0].Kind != "sag" || a.Found[0].WorstPhase != "A" || math.Abs(float64(a.Found[0].Worst)-0.5) > 1e-3 {
		t.Fatalf("%+v", a.Found)
	}
	if c := a.Found[0].Causes[0]; c.Name != "short-circuit fault downstream" || len(c.Evidence) == 0 {
		t.Errorf("%+v", c)
	}
	if !a.Declared || a.Start != logdb.Millis(day0) || math.Abs(float64(a.Hz)-50) > 1e-3 || math.Abs(float64(a.PowerFactor)-1) > 1e-6 {
		t.Errorf("%+v", a)
	}
	for _, want := range []string{"Phase A fell to 50 %", "2.1.1 instantaneous sag", "ITIC 2000: no damage", "reaches 6.0 times"} {
		if !strings.Contains(strings.Join(a.Summary, " "), want) {
			t.Errorf("the summary lacks %q: %q", want, a.Summary)
		}
	}
	s.refused(s.call(s.reader, "GET", s.meterPath("/logs/waveform/7@"+testStream+"/analysis"), ""), 404, "not_found")
}

func TestEN50160OfAWeek(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	week := func(query string) (w api.WeekEvaluation) {
		t.Helper()
		r := s.call(s.reader, "GET", s.meterPath("/en50160"+query), "")
		if err := json.Unmarshal([]byte(r.body), &w); err != nil || r.status != http.StatusOK {
			t.Fatalf("%d %v %s", r.status, err, r.body)
		}
		return w
	}
	verdict := func(w api.WeekEvaluation, name string) string {
		for _, it := range w.Items {
			if it.Name == name {
				return it.Verdict.String()
			}
		}
		return "absent"
	}
	if w := week("?week=2026-W10"); verdict(w, "supply voltage") != "not measured" || !strings.Contains(w.Items[1].Note, "nominal") {
		t.Errorf("without a nominal voltage: %+v", w.Items)
	}
	s.ok(s.admin, "PUT", s.meterPath("/settings"), `{"nominal_voltage_v":230,"nominal_frequency_hz":50,"hookup":"wye"}`)
	const monday = 1_772_406_000_000 // 2026-03-02 in Berlin
	var b strings.Builder
	b.WriteString(`{"channels":[{"chan_key":"readings.voltage.an"},{"chan_key":"readings.frequency"}],"records":[`)
	for i := range 2016 { // every five minutes
		v := 230
		if i < 2*51 {
			v = 200 // 51 of 1008 intervals
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "[%d,%d,50.01]", monday+300_000*i, v)
	}
	b.WriteString("]}")
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), b.String())
	w := week("?week=2026-W10")
	if w.From != monday || w.Zone != "Europe/Berlin" || verdict(w, "supply voltage AN") != "fail" || verdict(w, "frequency") != "pass" || verdict(w, "flicker Plt") != "not measured" {
		t.Errorf("%+v", w)
	}
	// A sag of the PQ log flags its interval: 50 of 1007 pass.
	s.ok(s.upload, "POST", s.meterPath("/logs/pq"), fmt.Sprintf(`{"header":["start_time","duration","channel","exception_type","except_value","except_percent","pq_threshold"],"records":[[%d,0.1,"readings.voltage.an",0,100,50,207]]}`, monday+1000))
	if w = week("?week=2026-03-02"); verdict(w, "supply voltage AN") != "pass" || w.Dips == nil || w.Dips[2][0] != 1 {
		t.Errorf("with a sag: %+v, dips %v", w.Items, w.Dips)
	}
	s.refused(s.call(s.reader, "GET", s.meterPath("/en50160?week=2026-W54"), ""), 400, "invalid")
	if w = week(""); w.From != 1_771_196_400_000 { // the last whole week before 1 March 2026, a Sunday
		t.Errorf("the last week begins %s", w.From)
	}
}

func TestEventGroups(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.admin, "PUT", s.meterPath("/settings"), `{"nominal_voltage_v":230}`)
	other := s.ok(s.upload, "POST", api.Root+"/meters/register", `{"make":"EIG","serial":"22","name":"Feeder 1","nominal_voltage_v":230}`)["meter_uid"].(string)
	push := func(uid string, at int, volts float64) {
		t.Helper()
		s.ok(s.upload, "POST", api.Root+"/meters/"+uid+"/logs/pq", fmt.Sprintf(`{"header":["start_time","duration","channel","exception_type","except_value","except_percent","pq_threshold"],"records":[[%d,0.1,"readings.voltage.an",0,%g,50,207]]}`, day0+at, volts))
	}
	push(string(s.uid), 0, 184)
	push(other, 2000, 115) // its clock is 2 s ahead
	groups := func(query string) (g api.EventGroupsAnswer) {
		t.Helper()
		r := s.call(s.reader, "GET", fmt.Sprintf("%s/event-groups?from=%d&to=%d%s", api.Root, day0-1000, day0+10_000, query), "")
		if err := json.Unmarshal([]byte(r.body), &g); err != nil || r.status != http.StatusOK {
			t.Fatalf("%d %v %s", r.status, err, r.body)
		}
		return g
	}
	if g := groups("&clock_error_ms=100"); len(g.Groups) != 2 {
		t.Errorf("without the offset: %+v", g)
	}
	g := groups("&clock_error_ms=100&clock_offsets=" + other + ":2000")
	if len(g.Groups) != 1 || g.Groups[0].Meters != 2 || g.Groups[0].Spread != 0 {
		t.Fatalf("with the offset: %+v", g)
	}
	if want := "Feeder 1: Phase A fell to 50 % for 100 ms (2.1.1 instantaneous sag); ITIC: no damage. Main incomer saw it too."; g.Groups[0].Summary != want {
		t.Errorf("summary %q, want %q", g.Groups[0].Summary, want)
	}
	r := s.call(s.theirs, "GET", fmt.Sprintf("%s/event-groups?from=%d&to=%d", api.Root, day0-1000, day0+10_000), "")
	if !strings.Contains(r.body, `"groups":[]`) {
		t.Errorf("another customer sees %s", r.body)
	}
	r = s.call(s.theirs, "GET", fmt.Sprintf("%s/event-groups?from=%d&to=%d&meters=%s", api.Root, day0-1000, day0+10_000, s.uid), "")
	s.refused(r, 404, "not_found")
	s.refused(s.call(s.reader, "GET", api.Root+"/event-groups?from=2026-01-01&to=2026-03-01", ""), 400, "invalid")
}
