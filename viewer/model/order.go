package model

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// The columns of the event list.
const (
	ColumnTime = iota
	ColumnMeter
	ColumnLog
	ColumnEvent
	ColumnDetails
	ColumnDuration
)

// Sort orders the list by a column; the same column again the other way round. The newest come first among equals.
func (v *Events) Sort(column int) {
	if v.SortColumn == column {
		v.SortDown = !v.SortDown
	} else {
		v.SortColumn, v.SortDown = column, column == ColumnDuration
	}
	v.Refilter()
}

// order puts what is shown in the chosen order. The set itself has the newest first.
func (v *Events) order() {
	list := v.Set.List
	var by func(a, b int) int
	switch v.SortColumn {
	case ColumnTime:
		if v.SortDown { // the other way round: the oldest first
			slices.Reverse(v.Shown)
		}
		return
	case ColumnMeter:
		by = func(a, b int) int {
			return strings.Compare(v.Set.Names[list[a].Meter], v.Set.Names[list[b].Meter])
		}
	case ColumnLog:
		by = func(a, b int) int { return cmp.Compare(list[a].Kind, list[b].Kind) }
	case ColumnEvent:
		by = func(a, b int) int { return strings.Compare(list[a].Name, list[b].Name) }
	case ColumnDetails:
		by = func(a, b int) int { return strings.Compare(list[a].Detail, list[b].Detail) }
	default:
		by = func(a, b int) int { return unknownLast(list[a].Seconds, list[b].Seconds, v.SortDown) }
	}
	down := v.SortDown && v.SortColumn != ColumnDuration
	slices.SortStableFunc(v.Shown, func(a, b int) int {
		if down {
			a, b = b, a
		}
		return by(a, b)
	})
}

// unknownLast compares numbers so that what is not known comes last both ways.
func unknownLast(a, b float64, down bool) int {
	switch {
	case math.IsNaN(a) || math.IsNaN(b):
		return cmp.Compare(boolInt(math.IsNaN(a)), boolInt(math.IsNaN(b)))
	case down:
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Sort orders the rows by a column: 0 is the time, then the channels.
func (t *Table) Sort(column int, down bool) {
	slices.SortStableFunc(t.Rows, func(a, b TableRow) int {
		if column == 0 || column > len(t.Head) {
			if down {
				a, b = b, a
			}
			return cmp.Compare(a.At, b.At)
		}
		return cmp.Or(unknownLast(a.Values[column-1], b.Values[column-1], down), cmp.Compare(a.At, b.At))
	})
}
