package api

import (
	"runtime"
	"sync"

	"metermanager/logdb"
)

// Columns writes one record for each time, of which column c has the value values[c][i]. Long answers are made into text on several processors.
func (w *SeriesWriter) Columns(times []logdb.Millis, values [][]float64) error {
	if len(values) == 0 {
		return w.err
	}
	const block = 8192 // values
	rows := block/len(values) + 1
	parts := make([][]byte, runtime.GOMAXPROCS(0))
	begun := w.rows > 0
	for from := 0; from < len(times) && w.err == nil; {
		var wg sync.WaitGroup
		n := 0
		for ; n < len(parts) && from < len(times); n++ {
			part, to := n, min(from+rows, len(times))
			first := from
			wg.Go(func() { parts[part] = w.appendRows(parts[part][:0], times, values, first, to, begun) })
			w.note(times[from], times[to-1], to-from)
			from = to
		}
		wg.Wait()
		for _, part := range parts[:n] {
			w.b = append(w.b, part...)
			w.flush(flushBytes)
		}
	}
	return w.err
}

// appendRows writes records [i, end), each but the first of an answer behind a comma.
func (w *SeriesWriter) appendRows(b []byte, times []logdb.Millis, values [][]float64, i, end int, begun bool) []byte {
	for ; i < end; i++ {
		if i > 0 || begun {
			b = append(b, ',')
		}
		b = appendMillis(append(b, '['), times[i])
		for _, column := range values {
			b = w.appendValue(append(b, ','), column[i])
		}
		b = append(b, ']')
	}
	return b
}
