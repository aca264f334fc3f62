package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"metermanager/logdb/format/csvlog"
	"metermanager/rpc/api"
)

func TestTable(t *testing.T) {
	t.Parallel()
	table := newTable("Meter", ">Records", "Note")
	table.add("Zähler 1", "7", "")
	table.add("b", "12 345", "late")
	var out strings.Builder
	if err := table.write(&out); err != nil {
		t.Fatal(err)
	}
	want := "Meter     Records  Note\n" +
		"--------  -------  ----\n" +
		"Zähler 1        7\n" +
		"b          12 345  late\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestWideTablesAreCut(t *testing.T) {
	t.Parallel()
	heads, cells := []string{"Time"}, []string{"now"}
	for range 10 {
		heads, cells = append(heads, ">"+strings.Repeat("x", 30)), append(cells, "1")
	}
	table := newTable(heads...)
	table.add(cells...)
	var out strings.Builder
	if err := table.writeCut(&out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "now"); n != 3 {
		t.Errorf("the row stands %d times, want in 3 tables", n)
	}
	if n := strings.Count(out.String(), "1\n") + strings.Count(out.String(), "1  "); n != 10 {
		t.Errorf("%d cells, want 10", n)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > wideTable+1 {
			t.Errorf("a line of %d characters", len(line))
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v           float64
		shown, full string
	}{
		{math.NaN(), "", ""}, {math.Inf(1), "", ""}, {0, "0", "0"}, {404684780, "404684780", "404684780"},
		{163.72179872499999, "163.7218", "163.72179872499999"}, {0.0175, "0.0175", "0.0175"}, {-391.97126, "-391.9713", "-391.97126"},
		{1e-9, "1e-09", "1e-09"}, {1e20, "1e+20", "1e+20"},
	} {
		if got := formatValue(tt.v); got != tt.shown {
			t.Errorf("%v is shown as %q, want %q", tt.v, got, tt.shown)
		}
		if got := csvlog.Value(tt.v); got != tt.full {
			t.Errorf("%v is exported as %q, want %q", tt.v, got, tt.full)
		}
	}
	if got := grouped(-1234567); got != "-1 234 567" {
		t.Errorf("grouped: %q", got)
	}
	if got := grouped(999); got != "999" {
		t.Errorf("grouped: %q", got)
	}
}

// A cloud counts by kind: where a meter has several logs of a kind, its line says so instead of looking like a wrong count.
func TestCloudCountsAllLogsOfAKind(t *testing.T) {
	t.Parallel()
	cloud := []api.LogAtCloud{{Cloud: "main", State: api.CloudUpToDate, Decided: 30}}
	var out strings.Builder
	p := &program{stdout: &out}
	err := p.showLogs([]api.LogStatus{
		{Kind: "historical", Log: 0, Records: 20, Clouds: cloud}, {Kind: "historical", Log: 1, Records: 10, Clouds: cloud},
		{Kind: "pq", Records: 30, Clouds: cloud},
	}, time.UTC, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	count := func(text string) (n int) {
		for _, l := range lines {
			if strings.Contains(l, text) {
				n++
			}
		}
		return n
	}
	if count("cloud main") != 2 || count("counts all historical logs") != 1 || count("counts all pq") != 0 {
		t.Errorf("got\n%s", out.String())
	}
}
