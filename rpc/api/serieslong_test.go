package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// TestLongSeries: an answer that is made in many parts, several at a time, is byte for byte the one that is made row by row, which a limit asks for.
func TestLongSeries(t *testing.T) {
	t.Parallel()
	const rows, columns = 30_000, 5
	for _, c := range []struct {
		name   string
		groups [columns]int
		absent float64 // share of values
		again  float64 // share of rows with the time of the row before
		odd    float64 // share of values that are no short decimals
	}{
		{name: "recorded together"},
		{name: "with exceptions", odd: 0.01},
		{name: "times that stand twice", again: 0.1},
		{name: "values that are absent", absent: 0.2},
		{name: "two groups", groups: [columns]int{0, 1, 0, 1, 1}, again: 0.1},
		{name: "all of it", groups: [columns]int{0, 1, 0, 1, 2}, absent: 0.1, again: 0.1, odd: 0.1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(7, 8))
			m := memory{}
			head := api.SeriesHead{Meter: "m"}
			ids := make([]logdb.SeriesID, columns)
			for i := range columns {
				ids[i] = logdb.SeriesID(i + 1)
				head.Columns = append(head.Columns, api.SeriesColumn{Key: logdb.ChannelKey(fmt.Sprint("a.c", i)), Group: c.groups[i]})
			}
			at := logdb.Millis(1_000_000)
			for p := logdb.Position(1); p <= rows; p++ {
				if r.Float64() >= c.again {
					at += 60_000
				}
				for i := range columns {
					v := float64(r.IntN(2_000_000)-1_000_000) / 1000
					if r.Float64() < c.odd {
						v = math.Sqrt(r.Float64())
					}
					if r.Float64() >= c.absent {
						m[ids[i]] = append(m[ids[i]], point{at, p + logdb.Position(1000*c.groups[i]), v})
					}
				}
			}
			text := func(values int64, limit int) []byte {
				var out bytes.Buffer
				w := api.NewSeriesWriter(&out, head)
				if next, err := w.Copy(t.Context(), m, ids, api.Span{First: 0, Last: at + 1, Values: values}, limit); err != nil || next != 0 {
					t.Fatal(next, err)
				}
				if err := w.Close(api.SeriesTail{}); err != nil {
					t.Fatal(err)
				}
				return out.Bytes()
			}
			want := text(1, 1<<30)
			if !json.Valid(want) {
				t.Fatal("no JSON")
			}
			for _, values := range []int64{1, rows * columns, 1 << 21} {
				if got := text(values, 0); !bytes.Equal(got, want) {
					n := 0
					for n < min(len(got), len(want)) && got[n] == want[n] {
						n++
					}
					t.Errorf("about %d values: %d bytes, want %d; from byte %d on %.80q, want %.80q", values, len(got), len(want), n, got[n:], want[n:])
				}
			}
		})
	}
}

// cutOff fails behind so many bytes.
type cutOff struct{ left int }

var errGone = errors.New("nobody is there")

func (f *cutOff) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errGone
	}
	return len(b), nil
}

// TestSeriesBroken: an answer that nobody takes any more ends, wherever that shows, and the next one is whole.
func TestSeriesBroken(t *testing.T) {
	t.Parallel()
	m := memory{}
	for p := range logdb.Position(100_000) {
		m[1] = append(m[1], point{logdb.Millis(p) * 60_000, p + 1, float64(p)})
	}
	for _, left := range []int{0, 100_000, 1_000_000} {
		w := api.NewSeriesWriter(&cutOff{left}, api.SeriesHead{Columns: []api.SeriesColumn{{Key: "a.a"}}})
		if _, err := w.Copy(t.Context(), m, []logdb.SeriesID{1}, api.Span{First: 0, Last: 1 << 40, Values: 1 << 30}, 0); !errors.Is(err, errGone) {
			t.Errorf("behind %d bytes: %v", left, err)
		}
		if err := w.Close(api.SeriesTail{}); !errors.Is(err, errGone) {
			t.Errorf("close: %v", err)
		}
	}
}
