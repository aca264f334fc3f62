package model

import (
	"fmt"

	"metermanager/logdb/pq"
	"metermanager/viewer/chart"
)

// The rows and columns of the table of dips, for people.
var (
	DipDurations = []string{"to 0.2 s", "to 0.5 s", "to 1 s", "to 5 s", "to 60 s"}
	DipVoltages  = []string{"80 to 90 %", "70 to 80 %", "40 to 70 %", "5 to 40 %", "below 5 %"}
)

// WeekMethod says how the week was evaluated.
const WeekMethod = "method after IEC 61000-4-30 as far as the logs allow"

// Intervals are the cells of an item: how many intervals of how many are valid, and how many are outside of the limit.
func Intervals(it *pq.Item) (valid, outside string) {
	if it.Expected == 0 {
		return "", ""
	}
	valid, outside = fmt.Sprintf("%d of %d", it.Valid, it.Expected), fmt.Sprint(it.Outside)
	if it.Flagged > 0 {
		valid += fmt.Sprintf(", %d flagged", it.Flagged)
	}
	return valid, outside
}

// Page is the week as it is printed; nil when nothing was evaluated.
func (v *Week) Page() *chart.Page {
	d := v.Data
	if d == nil || v.Meter == nil {
		return nil
	}
	s := &v.Meter.Settings
	g := &chart.Page{
		Title: "EN 50160: " + v.Meter.Title(), Note: v.Title() + " · days of " + d.Zone + " · " + d.Rules, Foot: "Meter Manager · " + v.Meter.Title() + " · " + v.Title(),
		Parts: []chart.Part{{Text: v.Headline(), Strong: true}, {Text: "Evaluated from logged values, " + WeekMethod + ". What was not measured did not pass."}},
	}
	nominal := "The nominal voltage is not set."
	if s.NominalVolts > 0 {
		nominal = fmt.Sprintf("Nominal voltage: %g V, line to neutral.", s.NominalVolts)
	}
	g.Parts = append(g.Parts, chart.Part{Text: nominal})
	items := chart.Part{Widths: []float64{22, 13, 19, 8, 38}, Head: []string{"Item", "Result", "Intervals", "Outside", "Limit"}}
	for i := range d.Items {
		it := &d.Items[i]
		valid, outside := Intervals(it)
		tone := chart.Open
		switch it.Verdict {
		case pq.Pass:
			tone = chart.Right
		case pq.Fail:
			tone = chart.Wrong
		}
		items.Rows = append(items.Rows, chart.PageRow{Cells: []string{it.Name, it.Verdict.String(), valid, outside, it.Limit}, Tone: tone, Note: it.Note})
	}
	g.Parts = append(g.Parts, items)
	if d.Dips == nil {
		return g
	}
	dips := chart.Part{
		Text: "Dips by residual voltage and duration", Strong: true, Widths: []float64{30, 12, 12, 12, 12, 12}, Numbers: []bool{false, true, true, true, true, true},
		Head: append([]string{"Residual voltage"}, DipDurations...),
	}
	for i, name := range DipVoltages {
		cells := []string{name}
		for _, n := range d.Dips[i] {
			cells = append(cells, count(n))
		}
		dips.Rows = append(dips.Rows, chart.PageRow{Cells: cells})
	}
	g.Parts = append(g.Parts, dips, chart.Part{Text: fmt.Sprintf("Interruptions: %d of up to 3 minutes, %d longer.", d.ShortInterruptions, d.LongInterruptions)})
	return g
}

// count writes a number of events; none is a dash.
func count(n int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprint(n)
}
