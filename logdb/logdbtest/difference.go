package logdbtest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"metermanager/logdb"
)

// difference tells how got, of the store under test, differs from want, of the model. With exact unset the
// bounds, counts and last values of series may be those of the values as they were stored.
func difference(want, got *view, exact bool) string {
	var out []string
	for _, w := range got.chunked {
		out = append(out, "the answers contradict each other: "+w)
	}
	out = append(out, linesDiffer(want.lines, got.lines)...)
	keys := map[seriesKey]bool{}
	for k := range want.values {
		keys[k] = true
	}
	for k := range got.values {
		keys[k] = true
	}
	for k := range keys {
		if !slices.EqualFunc(want.values[k], got.values[k], sameValue) {
			out = append(out, fmt.Sprintf("series %s log %d %s reads %v, want %v", k.stream, k.log, k.channel, got.values[k], want.values[k]))
		}
		out = append(out, bucketsDiffer(k, want.buckets[k], got.buckets[k])...)
	}
	out = append(out, seriesDiffer(want.series, got.series, exact)...)
	if len(out) > 12 {
		out = append(out[:12], fmt.Sprintf("... and %d more", len(out)-12))
	}
	return strings.Join(out, "\n")
}

func linesDiffer(want, got []string) (out []string) {
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			out, want = append(out, "missing: "+want[0]), want[1:]
		case len(want) == 0 || got[0] < want[0]:
			out, got = append(out, "too much: "+got[0]), got[1:]
		default:
			want, got = want[1:], got[1:]
		}
	}
	return out
}

func bucketsDiffer(k seriesKey, want, got []logdb.Bucket) (out []string) {
	for i := range max(len(want), len(got)) {
		w, g := logdb.EmptyBucket(), logdb.EmptyBucket()
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w.Count != g.Count || !sameNumber(w.Min, g.Min) || !sameNumber(w.Max, g.Max) || !sameNumber(w.First, g.First) ||
			!sameNumber(w.Last, g.Last) || w.FirstTime != g.FirstTime || w.LastTime != g.LastTime || !sameSum(w, g) {
			out = append(out, fmt.Sprintf("bucket %d of series %s log %d %s is %+v, want %+v", i, k.stream, k.log, k.channel, g, w))
		}
	}
	return out
}

func sameNumber(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// sameSum allows for another order of summation.
func sameSum(a, b logdb.Bucket) bool {
	scale := math.Max(math.Abs(a.Min), math.Abs(a.Max)) * float64(a.Count)
	return sameNumber(a.Sum, b.Sum) || math.IsInf(scale, 0) || math.Abs(a.Sum-b.Sum) <= 1e-12*scale
}

func seriesDiffer(want, got []logdb.Series, exact bool) (out []string) {
	key := func(s logdb.Series) string { return fmt.Sprint(s.Stream, " ", s.Channel, " log ", s.Log) }
	have := map[string]logdb.Series{}
	for _, s := range got {
		have[key(s)] = s
	}
	if exact && len(want) != len(got) {
		out = append(out, fmt.Sprintf("%d series, want %d", len(got), len(want)))
	}
	for _, w := range want {
		g, ok := have[key(w)]
		switch {
		case !ok:
			out = append(out, "series missing: "+key(w))
		case exact && (g.First != w.First || g.Last != w.Last || g.Count != w.Count || math.Float64bits(g.LastValue) != math.Float64bits(w.LastValue)),
			!exact && (g.First > w.First || g.Last < w.Last):
			out = append(out, fmt.Sprintf("series %s is [%d %d] count %d last %v, want [%d %d] count %d last %v",
				key(w), g.First, g.Last, g.Count, g.LastValue, w.First, w.Last, w.Count, w.LastValue))
		}
	}
	return out
}
