package csvlog

import (
	"math"
	"strconv"
	"strings"
)

// absent are the cells that stand for no value.
var absent = map[string]bool{
	"": true, "nan": true, "null": true, "na": true, "n/a": true, "#n/a": true, "none": true, "-": true, "--": true, "?": true, "inf": true, "-inf": true,
}

// numberReader reads the numbers of one file.
type numberReader struct{ decimal rune }

// parse returns the value of a cell, NaN when it is blank; ok is false for text.
func (r numberReader) parse(cell string) (v float64, ok bool) {
	cell = strings.TrimSpace(cell)
	if v, err := strconv.ParseFloat(cell, 64); err == nil && r.decimal != ',' && !math.IsInf(v, 0) && !strings.ContainsAny(cell, "xX_") {
		return v, true
	}
	if absent[strings.ToLower(cell)] {
		return math.NaN(), true
	}
	group := ","
	if r.decimal == ',' {
		group = "."
	}
	s := strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "'", "").Replace(cell)
	if strings.Contains(s, group) {
		if !grouped(s, group, string(r.decimal)) {
			return 0, false
		}
		s = strings.ReplaceAll(s, group, "")
	}
	if r.decimal == ',' {
		s = strings.Replace(s, ",", ".", 1)
	}
	s = strings.Replace(s, "\u2212", "-", 1)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) || strings.ContainsAny(s, "xX_") {
		return 0, false
	}
	return v, true
}

// grouped reports whether every group of digits before the decimal sign, but the first, has three of them.
func grouped(s, group, decimal string) bool {
	whole, _, _ := strings.Cut(s, decimal)
	parts := strings.Split(strings.TrimLeft(whole, "+-"), group)
	for i, p := range parts {
		if i > 0 && len(p) != 3 || i == 0 && (len(p) < 1 || len(p) > 3) {
			return false
		}
	}
	return !strings.Contains(s[len(whole):], group)
}

// decimalOf finds the decimal sign of the cells of a file: a comma where one stands between digits and no cell
// needs a point. 1,234 alone stays open and is read with a point.
func decimalOf(rows [][]string, delimiter rune) rune {
	if delimiter == ',' {
		return '.'
	}
	commas, points := 0, 0
	for _, row := range rows {
		for _, cell := range row {
			cell = strings.TrimSpace(cell)
			if strings.Trim(cell, "+-0123456789.,eE ") != "" || strings.Count(cell, ".") > 1 && !strings.Contains(cell, ",") {
				continue
			}
			comma, point := strings.LastIndexByte(cell, ','), strings.LastIndexByte(cell, '.')
			switch {
			case comma > point && !(point < 0 && grouped(cell, ",", ".")), comma > point && point >= 0:
				commas++
			case point > comma:
				points++
			case comma >= 0 && strings.HasPrefix(strings.TrimLeft(cell, "+-"), "0,"): // 0,123
				commas++
			}
		}
	}
	if commas > points {
		return ','
	}
	return '.'
}
