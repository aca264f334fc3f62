package api_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// TestPrintedRefused gives the scanner the five uploads exactly as the design documents print
// them. None is JSON: each is refused, at the byte and for the reason stated here.
func TestPrintedRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		paragraph string
		kind      logdb.Kind
		at        string // the text that begins at the byte where it is refused
		what      string
	}{
		// [0433] unquoted names and the bare NaN are accepted; the ellipsis behind the records is not.
		{"0433", logdb.KindHistorical, "...\n]", "a point stands where a record [time, value, ...] is expected (an ellipsis is not JSON)"},
		// [0468] a point instead of a comma behind the value of Vbc.
		{"0468", logdb.KindWaveform, ".\n    \"Vca\"", "a point stands where a comma or the end of the object is expected (an ellipsis is not JSON)"},
		// [0490] the array of the header is not closed, so "records" becomes a column.
		{"0490", logdb.KindSystem, ":[\n        [1482255759160", "something else stands where a comma or the end of the array is expected"},
		// [0503] and [0515] the quote behind start_time is missing.
		{"0503", logdb.KindLimit, "duration\",\"channel", "something else stands where a comma or the end of the array is expected"},
		{"0515", logdb.KindPQ, "duration\", \"channel", "something else stands where a comma or the end of the array is expected"},
	} {
		t.Run(c.paragraph, func(t *testing.T) {
			t.Parallel()
			body := read(t, c.paragraph+".bad.json")
			_, err := api.ParsePage(c.kind, body, api.ScanLimits{})
			var refused *api.ScanError
			if !errors.As(err, &refused) || !errors.Is(err, fault.Invalid) || !errors.Is(err, logdb.ErrInvalid) {
				t.Fatalf("got %v", err)
			}
			if len(body) < refused.Offset+len(c.at) || refused.Offset < 0 || string(body[refused.Offset:refused.Offset+len(c.at)]) != c.at {
				t.Errorf("refused at byte %d: %.40q", refused.Offset, body[max(refused.Offset, 0):])
			}
			if refused.What != c.what || refused.Why != api.RefusedSyntax {
				t.Errorf("refused because %q (%s)", refused.What, refused.Why)
			}
		})
	}
}

// TestPrintedMended gives it the same five with their typing errors mended and nothing else
// changed: ellipses left out, points for commas and missing quotes, commas and brackets put right.
func TestPrintedMended(t *testing.T) {
	t.Parallel()
	t.Run("0433", func(t *testing.T) {
		t.Parallel()
		up := accept(t, logdb.KindHistorical, "0433.json")
		h := up.Page.Rows[0]
		if up.APIKey != "----" || up.Page.Meter != "c4add118-b187-4d21-9813-d25bffdb6083" || up.BareKeys != 9 || up.Ignored != 0 {
			t.Errorf("%+v", up)
		}
		if h.Channels[0] != "readings.voltage.an" || h.Channels[2] != "readings.voltage.cn" || h.Len() != 3 {
			t.Errorf("channels %v, %d rows", h.Channels, h.Len())
		}
		if h.Times[1] != 1493600000000 || h.Columns[0][0] != 120.442184 || !math.IsNaN(h.Columns[1][1]) || h.Columns[2][2] != 119.8153032 {
			t.Errorf("%+v", h)
		}
	})
	t.Run("0468", func(t *testing.T) {
		t.Parallel()
		e := accept(t, logdb.KindWaveform, "0468.json").Page.Entries[0]
		w := e.Waveform
		if e.Time != 1476702701196 || w.End != 1476702702192 || w.TriggerTime != 1476702701250 || w.SampleIntervalMillis != 0.390625 {
			t.Errorf("%+v", e)
		}
		if w.FrequencyHz != 58.348 || len(w.RMS) != 12 || w.RMS[4] != (logdb.NamedValue{Name: "Vbc", Value: 25040.207}) {
			t.Errorf("freq %v, RMS %v", w.FrequencyHz, w.RMS)
		}
		// The null at the end of the list of triggers is none.
		if len(w.Triggers) != 2 || w.Triggers[0] != "Van=Sag_start" || w.Triggers[1] != "Van=Surge_end" {
			t.Errorf("triggers %v", w.Triggers)
		}
		// Van_Vab keeps its name: whether it is line-to-neutral or line-to-line is the hookup's.
		if len(w.Channels) != 8 || w.Channels[4].Name != "Van_Vab" || w.Channels[4].Samples[0] != -10210.957 || w.Channels[7].Samples[0] != 0 {
			t.Errorf("channels %v", w.Channels)
		}
		if len(w.Digital) != 1 || w.Digital[0] != 0xff {
			t.Errorf("digital %v", w.Digital)
		}
	})
	t.Run("0490", func(t *testing.T) {
		t.Parallel()
		page := accept(t, logdb.KindSystem, "0490.json").Page
		// Each record has one value more than the header: (time, event_type, code, description).
		want := []logdb.SystemEvent{
			{Type: 1, Code: 1, Description: "device power off"}, {Type: 1, Code: 1, Description: "device power off"},
			{Type: 2, Code: 1, Description: "update programmable setting"},
		}
		for i, e := range page.Entries {
			if *e.System != want[i] {
				t.Errorf("event %d: %+v", i, e.System)
			}
		}
		// time_first and time_last contradict the records and are not used.
		if len(page.Entries) != 3 || page.Entries[2].Time != 1482295650360 {
			t.Errorf("%+v", page.Entries)
		}
	})
	for paragraph, kind := range map[string]logdb.Kind{"0503": logdb.KindLimit, "0515": logdb.KindPQ} {
		t.Run(paragraph, func(t *testing.T) {
			t.Parallel()
			all := accept(t, kind, paragraph+".json").Page.Entries
			if len(all) != 2 {
				t.Fatalf("%d events", len(all))
			}
			a, b := *all[0].Excursion, *all[1].Excursion
			if !math.IsNaN(a.DurationSeconds) || a.Type != 0 || a.Worst != 40.23 || a.WorstPercent != 49.84 || a.Threshold != 80 || all[0].Time != 1477326041773 {
				t.Errorf("first %+v", a)
			}
			id := int64(1)
			if kind == logdb.KindPQ {
				id = 0
			}
			want := logdb.Excursion{DurationSeconds: 1.412, Channel: "readings.voltage.an", LimitID: id, Type: 1, Worst: 148.54, WorstPercent: 122.72, Threshold: 120}
			if b != want {
				t.Errorf("second %+v", b)
			}
		})
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "printed", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func accept(t *testing.T, kind logdb.Kind, name string) api.Upload {
	t.Helper()
	up, err := api.ParsePage(kind, read(t, name), api.ScanLimits{})
	if err != nil {
		t.Fatal(err)
	}
	return up
}
