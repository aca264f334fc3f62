package webapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// TestCorrections: a value is corrected, withdrawn and brought back; every answer follows at once and the original stays.
func TestCorrections(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	rows := logdb.History{Channels: []logdb.ChannelKey{"energy.interval.wh.received", "readings.voltage.an"}, Columns: [][]float64{{}, {}}}
	for i := range 4 {
		rows.Times = append(rows.Times, logdb.Millis(day0+900_000*(i+1)))
		rows.Columns[0], rows.Columns[1] = append(rows.Columns[0], 100), append(rows.Columns[1], 230)
	}
	if _, err := s.logs.Append(t.Context(), logdb.Batch{Meter: s.uid, Kind: logdb.KindHistorical, Rows: []logdb.History{rows}}); err != nil {
		t.Fatal(err)
	}
	head, err := s.logs.Journal(t.Context(), s.uid, logdb.KindHistorical)
	must(t, err)
	sum := func() float64 {
		t.Helper()
		r := s.call(s.reader, "GET", s.meterPath(fmt.Sprintf("/logs/historical?interval=1h&channels=energy.interval.wh.received&from=%d&to=%d", day0, day0+3_600_000)), "")
		h, err := api.ParseHistory([]byte(r.body), api.ScanLimits{})
		if err != nil || len(h.Times) != 1 {
			t.Fatalf("%v: %s", err, r.body)
		}
		return h.Values[0][0]
	}
	correct := func(body string) (a api.VersionsAnswer) {
		t.Helper()
		r := s.call(s.admin, "POST", s.meterPath("/logs/historical/corrections"), body)
		if err := json.Unmarshal([]byte(r.body), &a); err != nil || r.status != http.StatusOK {
			t.Fatalf("%d %v %s", r.status, err, r.body)
		}
		return a
	}
	if got := sum(); got != 400 {
		t.Fatalf("%g Wh at first", got)
	}
	a := correct(fmt.Sprintf(`{"time_ms":%d,"values":{"energy.interval.wh.received":160},"why":"the meter lost its supply"}`, day0+1_800_000))
	if got := sum(); got != 460 {
		t.Errorf("%g Wh after the correction, want 460", got)
	}
	if len(a.Versions) != 2 || a.Versions[0].Values["energy.interval.wh.received"] != 100 || a.Versions[1].Values["readings.voltage.an"] != 230 ||
		!a.Versions[1].Live || a.Versions[0].Live || a.Versions[1].Why != "the meter lost its supply" || !strings.HasPrefix(a.Versions[1].By, "key ") || a.Versions[1].At == 0 {
		t.Errorf("versions %+v", a.Versions)
	}
	correct(`{"position":2,"withdraw":true,"why":"twice"}`)
	if got := sum(); got != 300 {
		t.Errorf("%g Wh without the row, want 300", got)
	}
	s.refused(s.call(s.admin, "POST", s.meterPath("/logs/historical/corrections"), `{"position":2,"values":{"readings.voltage.an":1},"why":"x"}`), 409, "conflict")
	correct(`{"position":2,"restore":true,"why":"it was right"}`)
	if got := sum(); got != 400 {
		t.Errorf("%g Wh after the undo, want 400", got)
	}
	a = correct(fmt.Sprintf(`{"position":2,"restore":true,"version":%d,"why":"no, it was not"}`, a.Versions[1].Position))
	if got := sum(); got != 460 || len(a.Versions) != 5 {
		t.Errorf("%g Wh with the version brought back, want 460; %d versions", got, len(a.Versions))
	}
	r := s.call(s.reader, "GET", s.meterPath(fmt.Sprintf("/versions/historical/2@%s:0", head.ID)), "")
	if !strings.Contains(r.body, "it was right") {
		t.Errorf("versions: %s", r.body)
	}
	for body, want := range map[string]int{
		`{"position":2,"values":{"readings.voltage.an":230},"why":""}`:                                        400,
		`{"position":2,"why":"nothing"}`:                                                                      400,
		`{"position":2,"withdraw":true,"restore":true,"why":"both"}`:                                          400,
		`{"position":2,"values":{"energy.interval.wh.received":160},"why":"as it is"}`:                        409,
		`{"position":77,"withdraw":true,"why":"not here"}`:                                                    404,
		`{"time_ms":1,"withdraw":true,"why":"not here"}`:                                                      404,
		`{"position":1,"values":{"energy.interval.wh.received":null,"readings.voltage.an":null},"why":"all"}`: 400,
		`{"position":2,"restore":true,"version":3,"why":"another record"}`:                                    404,
		`{"position":1,"values":{"not a channel":1},"why":"x"}`:                                               400,
	} {
		if r := s.call(s.admin, "POST", s.meterPath("/logs/historical/corrections"), body); r.status != want {
			t.Errorf("%s: %d, want %d: %s", body, r.status, want, r.body)
		}
	}
	s.refused(s.call(s.reader, "POST", s.meterPath("/logs/historical/corrections"), `{"position":1,"withdraw":true,"why":"x"}`), 403, "forbidden")
	s.refused(s.call(s.theirs, "POST", s.meterPath("/logs/historical/corrections"), `{"position":1,"withdraw":true,"why":"x"}`), 404, "not_found")
}

// TestCorrectionOfARowThatIsGone: of old rows a node may have sums only. A correction could not be applied to them here, and would tell
// a cloud that nothing is left of a row that it holds.
func TestCorrectionOfARowThatIsGone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const month = 31 * logdb.DayMillis
	rows := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: [][]float64{{230, 231, 232}},
		Times: []logdb.Millis{day0 - 6*month, day0 - 6*month + 900_000, day0}}
	_, err := s.logs.Append(t.Context(), logdb.Batch{Meter: s.uid, Kind: logdb.KindHistorical, Rows: []logdb.History{rows}})
	must(t, err)
	s.ok(s.admin, "POST", s.meterPath("/logs/historical/corrections"), `{"position":2,"values":{"readings.voltage.an":2},"why":"x"}`)
	ladder := s.logs.(logdb.Ladder)
	_, err = ladder.Archive(t.Context(), s.uid, day0-month)
	must(t, err)
	if gone, err := ladder.DropArchive(t.Context(), s.uid, logdb.KindHistorical, day0-month); err != nil || gone.Files == 0 {
		t.Fatalf("%+v, %v", gone, err)
	}
	for _, what := range []string{`"values":{"readings.voltage.an":1}`, `"withdraw":true`, `"restore":true`} {
		for _, position := range []string{`"position":1,`, `"position":2,`} {
			r := s.call(s.admin, "POST", s.meterPath("/logs/historical/corrections"), `{`+position+what+`,"why":"x"}`)
			if s.refused(r, 409, "conflict"); !strings.Contains(r.body, "let go for their age") {
				t.Errorf("%s%s: %s", position, what, r.body)
			}
		}
	}
	s.ok(s.admin, "POST", s.meterPath("/logs/historical/corrections"), `{"position":3,"values":{"readings.voltage.an":1},"why":"x"}`)
}

// TestCorrectionOfAnotherNodesRecord: positions are given by one node alone.
func TestCorrectionOfAnotherNodesRecord(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.ok(s.upload, "POST", s.meterPath("/logs/historical"), positionedPage())
	r := s.call(s.admin, "POST", s.meterPath("/logs/historical/corrections"), `{"position":1,"withdraw":true,"why":"x"}`)
	s.refused(r, 404, "not_found")
	if !strings.Contains(r.body, "at the node that reads the meter") {
		t.Errorf("no word of what to do: %s", r.body)
	}
}

// TestWithdrawnRecordingComesBack with its samples.
func TestWithdrawnRecordingComesBack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	e := sag()
	_, err := s.logs.Append(t.Context(), logdb.Batch{Meter: s.uid, Kind: logdb.KindWaveform, Entries: []logdb.Entry{e}})
	must(t, err)
	s.ok(s.admin, "POST", s.meterPath("/logs/waveform/corrections"), `{"position":1,"withdraw":true,"why":"a test of the meter"}`)
	list := s.ok(s.reader, "GET", s.meterPath("/logs/waveform"), "")["recordings"].([]any)
	if len(list) != 0 {
		t.Fatalf("%d recordings after the withdrawal", len(list))
	}
	s.ok(s.admin, "POST", s.meterPath("/logs/waveform/corrections"), `{"position":1,"restore":true,"why":"it was none"}`)
	list = s.ok(s.reader, "GET", s.meterPath("/logs/waveform"), "")["recordings"].([]any)
	if len(list) != 1 {
		t.Fatalf("%d recordings after the return", len(list))
	}
	r := s.call(s.reader, "GET", s.meterPath("/logs/waveform/"+list[0].(map[string]any)["id"].(string)), "")
	back, err := api.ParsePage(logdb.KindWaveform, []byte(r.body), api.ScanLimits{})
	must(t, err)
	if w := back.Page.Entries[0].Waveform; len(w.Channels) != 6 || len(w.Channels[0].Samples) != 1536 || w.Channels[0].Samples[100] != e.Waveform.Channels[0].Samples[100] {
		t.Errorf("%d channels came back", len(w.Channels))
	}
}
