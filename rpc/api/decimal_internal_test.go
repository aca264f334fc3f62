package api

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestAppendDecimal compares the text of mantissas with that of the doubles that they stand for.
func TestAppendDecimal(t *testing.T) {
	t.Parallel()
	check := func(m int64, e uint8) {
		t.Helper()
		f := float64(m) / tens[e]
		got := string(appendDecimal([]byte("x"), m, e))[1:]
		if back, err := strconv.ParseFloat(got, 64); err != nil || math.Float64bits(back) != math.Float64bits(f) {
			t.Errorf("%d / 10^%d: %s reads back as %v, want %v", m, e, got, back, f)
		}
		if want := string(AppendFloat(nil, f)); len(strconv.FormatInt(m, 10)) <= 15 && got != want {
			t.Errorf("%d / 10^%d: %s, want %s", m, e, got, want)
		}
	}
	for e := range uint8(16) {
		for _, m := range []int64{0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 12_345_600, 1<<53 - 1, 1 << 53, math.MaxInt64} {
			for _, d := range []int64{-1, 0, 1} {
				if m+d > m || d <= 0 {
					check(m+d, e)
					check(-m-d, e)
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check((r.Int64N(1<<54)-1<<53)>>r.IntN(53), uint8(r.IntN(16)))
	}
}

func TestAppendUint(t *testing.T) {
	t.Parallel()
	u := uint64(1)
	for range 20 {
		for _, v := range []uint64{u - 1, u, u + 1, 2 * u, 9 * u} {
			if got, want := string(appendUint(nil, v, false)), strconv.FormatUint(v, 10); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		u *= 10
	}
	for shift := range 64 {
		for _, v := range []int64{1 << shift, 1<<shift - 1, -1 << shift} {
			if got, want := string(appendUint([]byte("x"), uint64(v), v < 0)), "x"+strconv.FormatInt(v, 10); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
}
