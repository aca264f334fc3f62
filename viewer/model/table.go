package model

import (
	"math"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/source"
	"metermanager/viewer/timeline"
)

// Table is the twin of the graph: every time that was read, with a column for each channel.
type Table struct {
	Head []string
	Rows []TableRow
	Zone *time.Location
	// Means are set when values are means of parts of the time, not single records.
	Means string
}

// TableRow is the values of one time; NaN where a channel has none.
type TableRow struct {
	At     logdb.Millis
	Values []float64
}

// Table makes the table of what is seen.
func (v *Trend) Table() *Table {
	t := &Table{Zone: v.Zone()}
	several := len(v.meters()) > 1
	var columns []*source.Series
	for i := range v.Chosen {
		c := &v.Chosen[i]
		unit := bracket(unitName(UnitOf(c.Channel.Channel)))
		t.Head, columns = append(t.Head, strings.TrimSpace(c.Title(several)+" "+unit)), append(columns, nil)
		if v.Data == nil || i >= len(v.Data.Series) {
			continue
		}
		columns[len(columns)-1] = &v.Data.Series[i]
		if i < len(v.Data.Before) {
			t.Head = append(t.Head, strings.TrimSpace(c.Title(several)+", "+v.Compare.Name+" "+unit))
			columns = append(columns, &v.Data.Before[i])
		}
	}
	index := map[logdb.Millis]int{}
	for i, s := range columns {
		if s == nil {
			continue
		}
		if s.StepMillis > 0 {
			t.Means = "means of " + timeline.Seconds(s.StepMillis/1000)
		}
		for k, at := range s.Times {
			if at < float64(v.First) || at >= float64(v.Last) {
				continue
			}
			row, ok := index[logdb.Millis(at)]
			if !ok {
				row = len(t.Rows)
				index[logdb.Millis(at)] = row
				t.Rows = append(t.Rows, TableRow{logdb.Millis(at), nanRow(len(columns))})
			}
			t.Rows[row].Values[i] = s.Values[k]
		}
	}
	t.Sort(0, false)
	return t
}

func bracket(unit string) string {
	if unit == "" {
		return ""
	}
	return "[" + unit + "]"
}

func unitName(unit string) string {
	if unit == "ratio" {
		return "1 = 100 %"
	}
	return unit
}

func nanRow(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}
