package csvlog

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
)

// Writer writes a table by one convention: UTF-8, commas, decimal points, ISO 8601 times with the offset of a zone, a
// blank for what is absent. Errors stay in it until Flush.
type Writer struct {
	out  *bufio.Writer
	zone *time.Location
	b    []byte
}

// NewWriter returns a writer of times in a zone.
func NewWriter(w io.Writer, zone *time.Location) *Writer {
	return &Writer{out: bufio.NewWriterSize(w, 1<<16), zone: zone}
}

// Head writes a line of names.
func (w *Writer) Head(names ...string) { w.Text(names...) }

// Text writes a line of cells as they are, in quotes where that is needed.
func (w *Writer) Text(cells ...string) {
	w.b = w.b[:0]
	for i, c := range cells {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendCell(w.b, c)
	}
	w.line()
}

// Row writes a line of a time and values.
func (w *Writer) Row(at logdb.Millis, values ...float64) {
	w.b = appendTime(w.b[:0], at, w.zone)
	for _, v := range values {
		w.b = append(w.b, ',')
		w.b = appendValue(w.b, v)
	}
	w.line()
}

func (w *Writer) line() {
	w.b = append(w.b, '\n')
	_, _ = w.out.Write(w.b)
}

// Flush writes what is left, and returns the first error.
func (w *Writer) Flush() error {
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// Time writes a time as the cells of a table do.
func Time(at logdb.Millis, zone *time.Location) string { return string(appendTime(nil, at, zone)) }

// Value writes a value with all digits that it needs to be read back unchanged, "" when it is absent.
func Value(v float64) string { return string(appendValue(nil, v)) }

func appendTime(b []byte, at logdb.Millis, zone *time.Location) []byte {
	layout := "2006-01-02T15:04:05-07:00"
	if at%1000 != 0 {
		layout = "2006-01-02T15:04:05.000-07:00"
	}
	return at.Time().In(zone).AppendFormat(b, layout)
}

func appendValue(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return b
	}
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

func appendCell(b []byte, c string) []byte {
	if c == "" || !strings.ContainsAny(c, "\",\r\n") && strings.TrimSpace(c) == c {
		return append(b, c...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(c, `"`, `""`)...)
	return append(b, '"')
}
