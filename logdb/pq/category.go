package pq

import "fmt"

// Category is a row of the table of IEEE 1159.
type Category struct {
	Number string `json:"number"` // "2.1.1"; "" when the table has no row
	Name   string `json:"name"`
}

// String returns number and name.
func (c Category) String() string {
	if c.Number == "" {
		return c.Name
	}
	return c.Number + " " + c.Name
}

// Categorize returns the category of IEEE 1159-2019, table 2, of an event by its duration and worst voltage, as a ratio to
// the nominal one. 30 cycles are those of the nominal frequency. The typical upper ends of swells are not
// limits: a swell to 1.6 for a second is a momentary swell all the same. An interruption has no "instantaneous" row.
func Categorize(seconds, ratio, nominalHz float64) Category {
	if !(nominalHz > 0) {
		nominalHz = 60
	}
	var sort string
	switch {
	case ratio < 0.1:
		sort = "interruption"
	case ratio <= 0.9:
		sort = "sag"
	case ratio >= 1.1:
		sort = "swell"
	default:
		return Category{Name: "within 0.9 and 1.1 of nominal"}
	}
	if seconds < 0.5/nominalHz && seconds > 0 {
		return Category{"1", "transient"}
	}
	span, second := 0, ""
	switch {
	case seconds > 60:
		return map[string]Category{
			"interruption": {"3.1", "sustained interruption"}, "sag": {"3.2", "undervoltage"}, "swell": {"3.3", "overvoltage"},
		}[sort]
	case seconds > 3:
		span, second = 3, "temporary"
	case seconds > 30/nominalHz || sort == "interruption":
		span, second = 2, "momentary"
	default:
		span, second = 1, "instantaneous"
	}
	row := map[string]int{"interruption": 1, "sag": 2, "swell": 3}[sort]
	if span == 1 {
		row-- // there is no instantaneous interruption
	}
	return Category{fmt.Sprintf("2.%d.%d", span, row), second + " " + sort}
}
