package model_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"metermanager/logdb/pq"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

// The week becomes a PDF of as many sheets as its items need; what was not measured is said to be so.
func TestWeekPDF(t *testing.T) {
	t.Parallel()
	v := model.NewWeek()
	if v.Page() != nil {
		t.Error("a week that was not evaluated has no page")
	}
	v.Meter = feeders("Main incomer").Meters()[0]
	v.Day = time.Date(2026, 3, 2, 0, 0, 0, 0, v.Meter.Zone())
	v.Data = &source.Week{Zone: "America/New_York", Report: pq.Evaluate(pq.Week{NominalHz: 60, NominalVolts: 277}, pq.LowVoltage2010())}
	v.Data.Dips = &[5][5]int{{3, 0, 1}}
	page := v.Page()
	words := page.Title + page.Note
	for _, p := range page.Parts {
		words += "\n" + p.Text + strings.Join(p.Head, " ")
		for _, r := range p.Rows {
			words += "\n" + strings.Join(r.Cells, "|")
		}
	}
	for _, want := range []string{"EN 50160: Main incomer", "Week 10 of 2026", "frequency|not measured", "80 to 90 %|3|–|1|–|–", "Interruptions: 0 of up to 3 minutes"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in:\n%s", want, words)
		}
	}
	sheets := func(times int) int {
		for range times {
			v.Data.Items = append(v.Data.Items, v.Data.Items...)
		}
		file := filepath.Join(t.TempDir(), "week.pdf")
		if err := model.Export(file, model.Exported{Week: v.Data, Page: v.Page()}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(text, []byte("%PDF")) {
			t.Fatalf("%v, %.8q", err, text)
		}
		return len(regexp.MustCompile(`/Type /Page\b[^s]`).FindAll(text, -1))
	}
	if few, many := sheets(0), sheets(4); few < 1 || many < 3*few {
		t.Errorf("%d sheets, of 16 times the items %d", few, many)
	}
	if err := model.Export(filepath.Join(t.TempDir(), "x.pdf"), model.Exported{}); err == nil {
		t.Error("nothing cannot be written")
	}
}
