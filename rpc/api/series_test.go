package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

type point struct {
	t logdb.Millis
	p logdb.Position
	v float64
}

// memory is a SeriesReader over points, in blocks of a few values with changing exponents.
type memory map[logdb.SeriesID][]point

func (m memory) ReadSeries(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error {
	for _, id := range ids {
		var in []point
		for _, p := range m[id] {
			if p.t >= first && p.t < last {
				in = append(in, p)
			}
		}
		for part := range slices.Chunk(in, 7) {
			if err := visit(id, blockOf(part)); err != nil {
				return err
			}
		}
	}
	return nil
}

// blockOf finds the smallest exponent that holds most values; the others are exceptions.
func blockOf(points []point) *logdb.Block {
	b := &logdb.Block{Exponent: uint8(len(points) % 8)}
	scale := math.Pow10(int(b.Exponent))
	for i, p := range points {
		b.Times = append(b.Times, p.t)
		b.Positions = append(b.Positions, p.p)
		m := int64(0)
		if s := p.v * scale; math.Abs(s) < 1<<62 {
			m = int64(math.Round(s))
		}
		if math.Float64bits(float64(m)/scale) != math.Float64bits(p.v) {
			m = 0
			b.Exceptions = append(b.Exceptions, logdb.Exception{Index: i, Value: p.v})
		}
		b.Mantissas = append(b.Mantissas, m)
	}
	return b
}

func TestSeriesWriter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		m := memory{}
		want := map[string]int{}
		for p := logdb.Position(1); p < 200; p++ {
			at := logdb.Millis(1_000_000 + r.Int64N(100)*60_000) // many times repeat
			var values [3]float64
			for c := range values {
				values[c] = randomValue(r)
				if !math.IsNaN(values[c]) {
					m[logdb.SeriesID(c+1)] = append(m[logdb.SeriesID(c+1)], point{at, p, values[c]})
				}
			}
			if !math.IsNaN(values[0]) || !math.IsNaN(values[1]) || !math.IsNaN(values[2]) {
				want[rowKey(at, values[:])]++
			}
		}
		for id := range m {
			slices.SortFunc(m[id], func(a, b point) int {
				return int(a.t-b.t)*1000 + int(a.p) - int(b.p)
			})
		}
		dialect := api.Dialect(seed % 2)
		var out bytes.Buffer
		w := api.NewSeriesWriter(&out, api.SeriesHead{Meter: "m", Dialect: dialect, Columns: []api.SeriesColumn{{Key: "a.a"}, {Key: "a.b"}, {Key: "a.c"}}})
		next, err := w.Copy(t.Context(), m, []logdb.SeriesID{1, 2, 3}, api.Span{First: 0, Last: 1 << 40, Values: 40 << 20}, 0)
		if err != nil || next != 0 {
			t.Fatal(next, err)
		}
		if err := w.Close(api.SeriesTail{Limits: api.LimitSummary{Skipped: 3}, Next: "n"}); err != nil {
			t.Fatal(err)
		}
		if dialect == api.DialectJSON && !json.Valid(out.Bytes()) {
			t.Fatalf("not JSON: %s", out.Bytes())
		}
		h, err := api.ParseHistory(out.Bytes(), api.ScanLimits{})
		if err != nil {
			t.Fatal(err)
		}
		if h.Limits.Skipped != 3 || h.Next != "n" || h.Meter != "m" || h.Columns[2].Key != "a.c" || len(h.Times) != w.Rows() {
			t.Errorf("%+v", h)
		}
		got := map[string]int{}
		for i, at := range h.Times {
			got[rowKey(at, []float64{h.Values[0][i], h.Values[1][i], h.Values[2][i]})]++
			if i > 0 && at < h.Times[i-1] {
				t.Fatal("times fall")
			}
		}
		for k, n := range want {
			if got[k] != n {
				t.Fatalf("row %s stands %d times, want %d", k, got[k], n)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d", len(got), len(want))
		}
	}
}

func rowKey(t logdb.Millis, values []float64) string {
	key := fmt.Sprint(int64(t))
	for _, v := range values {
		if math.IsNaN(v) {
			v = math.NaN() // all alike
		}
		key += fmt.Sprintf(" %x", math.Float64bits(v))
	}
	return key
}

// TestSeriesGroups: columns of different logs share a row when their times are equal.
func TestSeriesGroups(t *testing.T) {
	t.Parallel()
	m := memory{1: {{10, 1, 1}, {10, 2, 2}, {20, 3, 3}}, 2: {{10, 7, 4}, {30, 8, 5}}}
	var out bytes.Buffer
	w := api.NewSeriesWriter(&out, api.SeriesHead{Columns: []api.SeriesColumn{{Key: "a.a"}, {Key: "a.b", Group: 1}}})
	if _, err := w.Copy(t.Context(), m, []logdb.SeriesID{1, 2}, api.Span{First: 0, Last: 100}, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(api.SeriesTail{}); err != nil {
		t.Fatal(err)
	}
	if want := `"records":[[10,1,4],[10,2,null],[20,3,null],[30,null,5]],"time_first":10,"time_last":30`; !bytes.Contains(out.Bytes(), []byte(want)) {
		t.Errorf("%s", out.Bytes())
	}
}

// TestSeriesPages: records of one time are never parted by a page's end.
func TestSeriesPages(t *testing.T) {
	t.Parallel()
	m := memory{1: {{10, 1, 1}, {20, 2, 2}, {20, 3, 3}, {20, 4, 4}, {30, 5, 5}}}
	var got []float64
	at := logdb.Millis(0)
	for range 10 {
		var out bytes.Buffer
		w := api.NewSeriesWriter(&out, api.SeriesHead{Columns: []api.SeriesColumn{{Key: "a.a"}}})
		next, err := w.Copy(t.Context(), m, []logdb.SeriesID{1}, api.Span{First: at, Last: 100}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(api.SeriesTail{}); err != nil {
			t.Fatal(err)
		}
		h, err := api.ParseHistory(out.Bytes(), api.ScanLimits{})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Values[0]...)
		if at = next; next == 0 {
			break
		}
	}
	if !slices.Equal(got, []float64{1, 2, 3, 4, 5}) {
		t.Errorf("%v", got)
	}
}

// TestSeriesCut: an error behind the first byte is told, so that the caller can cut the
// connection; before it nothing has gone out.
func TestSeriesCut(t *testing.T) {
	t.Parallel()
	w := api.NewSeriesWriter(io.Discard, api.SeriesHead{Columns: []api.SeriesColumn{{Key: "a.a"}}})
	broken := errors.New("disk on fire")
	if _, err := w.Copy(t.Context(), failing{broken}, []logdb.SeriesID{1}, api.Span{Last: 9}, 0); !errors.Is(err, broken) || w.Started() {
		t.Errorf("%v, started %v", err, w.Started())
	}
	if err := w.Close(api.SeriesTail{}); !errors.Is(err, broken) || w.Started() {
		t.Errorf("a failed answer is closed: %v", err)
	}
	gone := errors.New("gone")
	w = api.NewSeriesWriter(failing{gone}, api.SeriesHead{Columns: []api.SeriesColumn{{Key: "a.a"}}})
	for i := range 10_000 {
		if err := w.Columns([]logdb.Millis{logdb.Millis(i)}, [][]float64{{1}}); err != nil {
			if !errors.Is(err, gone) || !w.Started() {
				t.Errorf("%v", err)
			}
			return
		}
	}
	t.Error("a broken connection is not noticed")
}

type failing struct{ err error }

func (f failing) ReadSeries(context.Context, []logdb.SeriesID, logdb.Millis, logdb.Millis, func(logdb.SeriesID, *logdb.Block) error) error {
	return f.err
}

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestDecimals: a mantissa is written as the shortest text of its double.
func TestDecimals(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	for range 20_000 {
		exp := r.IntN(16)
		m := r.Int64N(int64(math.Pow10(1+r.IntN(17)))) * int64(1-2*r.IntN(2))
		b := &logdb.Block{Times: []logdb.Millis{1}, Positions: []logdb.Position{1}, Mantissas: []int64{m}, Exponent: uint8(exp)}
		want := b.AppendValues(nil)[0]
		var out bytes.Buffer
		w := api.NewSeriesWriter(&out, api.SeriesHead{Columns: []api.SeriesColumn{{Key: "a.a"}}})
		if _, err := w.Copy(t.Context(), one{b}, []logdb.SeriesID{1}, api.Span{Last: 9}, 0); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(api.SeriesTail{}); err != nil {
			t.Fatal(err)
		}
		_, text, _ := bytes.Cut(out.Bytes(), []byte("[[1,"))
		text, _, _ = bytes.Cut(text, []byte("]"))
		var got float64
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Fatalf("%d / 1e%d is written as %s, want %v", m, exp, text, want)
		}
		if short := api.AppendFloat(nil, want); m > -1e15 && m < 1e15 && string(short) != string(text) {
			t.Fatalf("%d / 1e%d is written as %s, want %s", m, exp, text, short)
		}
	}
}

type one struct{ b *logdb.Block }

func (o one) ReadSeries(_ context.Context, ids []logdb.SeriesID, _, _ logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error {
	return visit(ids[0], o.b)
}

func BenchmarkSeriesWriter(b *testing.B) {
	const rows, columns = 10_000, 8
	block := &logdb.Block{Exponent: 4}
	for i := range rows {
		block.Times = append(block.Times, logdb.Millis(1493590000000+i*60000))
		block.Positions = append(block.Positions, logdb.Position(i+1))
		block.Mantissas = append(block.Mantissas, int64(1_204_421+i*37%9973))
	}
	head := api.SeriesHead{Meter: "m"}
	var ids []logdb.SeriesID
	for c := range columns {
		head.Columns = append(head.Columns, api.SeriesColumn{Key: logdb.ChannelKey(fmt.Sprintf("a.c%d", c))})
		ids = append(ids, logdb.SeriesID(c+1))
	}
	b.ReportAllocs()
	b.SetBytes(rows * columns * 9)
	for b.Loop() {
		w := api.NewSeriesWriter(io.Discard, head)
		if _, err := w.Copy(b.Context(), all{block}, ids, api.Span{Last: 1 << 50}, 0); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(api.SeriesTail{}); err != nil {
			b.Fatal(err)
		}
	}
}

type all struct{ b *logdb.Block }

func (a all) ReadSeries(_ context.Context, ids []logdb.SeriesID, _, _ logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error {
	for _, id := range ids {
		if err := visit(id, a.b); err != nil {
			return err
		}
	}
	return nil
}

// TestSeriesColumns writes records together that are written one by one, too: more than one processor's share, and few columns or many.
func TestSeriesColumns(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][2]int{{0, 2}, {1, 1}, {3, 4000}, {9000, 1}, {5000, 7}, {20_000, 40}} {
		times, values := make([]logdb.Millis, size[0]), make([][]float64, size[1])
		var columns []api.SeriesColumn
		for i := range times {
			times[i] = logdb.Millis(1000 + i)
		}
		for c := range values {
			columns = append(columns, api.SeriesColumn{Key: logdb.ChannelKey(fmt.Sprintf("a.c%d", c))})
			values[c] = make([]float64, size[0])
			for i := range values[c] {
				if values[c][i] = rnd.NormFloat64(); rnd.IntN(9) == 0 {
					values[c][i] = math.NaN()
				}
			}
		}
		write := func(step int) string {
			var out bytes.Buffer
			w := api.NewSeriesWriter(&out, api.SeriesHead{Meter: "m", Columns: columns})
			for i := 0; i < len(times); i += step {
				end := min(i+step, len(times))
				part := make([][]float64, len(values))
				for c := range values {
					part[c] = values[c][i:end]
				}
				if err := w.Columns(times[i:end], part); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(api.SeriesTail{}); err != nil || w.Rows() != len(times) {
				t.Fatalf("%d records, %v", w.Rows(), err)
			}
			return out.String()
		}
		whole := write(max(len(times), 1))
		if one := write(1 + len(times)/700); one != whole {
			t.Errorf("%v: written apart it is another text", size)
		}
		h, err := api.ParseHistory([]byte(whole), api.ScanLimits{})
		if err != nil || len(h.Times) != len(times) {
			t.Fatalf("%v: %d records, %v", size, len(h.Times), err)
		}
		for c := range values {
			for i, v := range values[c] {
				if got := h.Values[c][i]; h.Times[i] != times[i] || got != v && !(math.IsNaN(got) && math.IsNaN(v)) {
					t.Fatalf("%v: value %d of column %d is %v, want %v", size, i, c, got, v)
				}
			}
		}
	}
}
