package logdb_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"metermanager/logdb"
)

func TestMillis(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 23, 59, 59, 999_999_999, time.FixedZone("", 3600))
	m := logdb.MillisOf(at)
	if m.String() != "2024-02-29T22:59:59.999Z" || m.Day().String() != "2024-02-29T00:00:00.000Z" || !m.Time().Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("%s, day %s", m, m.Day())
	}
	for _, tt := range []struct{ m, step, want logdb.Millis }{
		{0, 60, 0}, {59, 60, 0}, {60, 60, 60}, {-1, 60, -60}, {-60, 60, -60}, {-61, 60, -120}, {7, 1, 7},
	} {
		if got := tt.m.Floor(tt.step); got != tt.want {
			t.Errorf("floor of %d to %d is %d, want %d", tt.m, tt.step, got, tt.want)
		}
	}
	if got := logdb.MaxTime.String(); got != "9999-12-31T23:59:59.999Z" {
		t.Errorf("the last time is %s", got)
	}
	if got := logdb.Millis(-1).Day(); got != -logdb.DayMillis {
		t.Errorf("the day of the last millisecond of 1969 begins at %d", got)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	if len(logdb.Kinds) != 5 || logdb.Kind(0).Valid() || logdb.Kind(6).Valid() {
		t.Error("there are five kinds")
	}
	for _, k := range logdb.Kinds {
		if got, err := logdb.ParseKind(k.String()); err != nil || got != k || !k.Valid() {
			t.Errorf("%s reads as %v, %v", k, got, err)
		}
	}
	if k, err := logdb.ParseKind("limit"); err != nil || k != logdb.KindLimit {
		t.Errorf("limit: %v, %v", k, err)
	}
	for _, bad := range []string{"", "Historical", "kind(7)"} {
		if _, err := logdb.ParseKind(bad); !errors.Is(err, logdb.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if s := logdb.Kind(7).String(); s != "kind(7)" {
		t.Errorf("an unknown kind prints as %q", s)
	}
}

func TestSystemTypes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range []logdb.SystemType{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 99} {
		if s := k.String(); seen[s] || (s == "other") != (k == logdb.SystemOther) {
			t.Errorf("type %d prints as %q", k, s)
		}
		seen[k.String()] = true
	}
	if s := logdb.SystemType(1234).String(); s != "other" {
		t.Errorf("an unknown type prints as %q", s)
	}
}

// TestBlockValues checks that values are divided, not multiplied by an inverse, and that
// exceptions take the place of their mantissas.
func TestBlockValues(t *testing.T) {
	t.Parallel()
	for exponent := range uint8(23) {
		b := logdb.Block{Exponent: exponent, Mantissas: []int64{0, 1, -7, 3, 123_456_789, 1<<53 - 1}, Times: make([]logdb.Millis, 6)}
		got := b.AppendValues([]float64{42})
		if b.Len() != 6 || len(got) != 7 || got[0] != 42 {
			t.Fatalf("%v", got)
		}
		for i, m := range b.Mantissas {
			if want := float64(m) / math.Pow10(int(exponent)); got[i+1] != want {
				t.Errorf("%d / 10^%d is %v, want %v", m, exponent, got[i+1], want)
			}
		}
	}
	minus := math.Copysign(0, -1)
	b := logdb.Block{Mantissas: []int64{1, 2, 3}, Exponent: 1, Exceptions: []logdb.Exception{{Index: 0, Value: minus}, {Index: 2, Value: math.Inf(1)}}}
	got := b.AppendValues([]float64{9, 9})
	if !math.Signbit(got[2]) || got[2] != 0 || got[3] != 0.2 || !math.IsInf(got[4], 1) {
		t.Errorf("values %v", got)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	e := logdb.EmptyBucket()
	for _, v := range []float64{e.Min, e.Max, e.Sum, e.First, e.Last, e.Mean()} {
		if !math.IsNaN(v) {
			t.Errorf("an empty bucket says %v", v)
		}
	}
	if b := (logdb.Bucket{Count: 4, Sum: 10}); b.Mean() != 2.5 {
		t.Errorf("mean %v", b.Mean())
	}
}

func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	l := logdb.DefaultLimits()
	if l.WaveformSamples != 2048 || l.WaveformSamplesPerCycle != 256 || l.HistoricalIntervalMillis != 60_000 {
		t.Errorf("%+v", l)
	}
	if l.Of(logdb.KindHistorical) != nil || l.Of(logdb.KindSystem) != nil || len(l.Of(logdb.KindWaveform)) != 4 || len(l.Of(logdb.KindLimit)) != 4 || len(l.Of(logdb.KindPQ)) != 4 {
		t.Error("windows stand at another kind")
	}
}
