package limit_test

import (
	"errors"
	"reflect"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

func TestSet(t *testing.T) {
	t.Parallel()
	for _, name := range limit.Names() {
		l := logdb.DefaultLimits()
		text := limit.Text(l, name)
		if text == "" {
			t.Fatalf("%s has no text", name)
		}
		other := logdb.Limits{}
		if err := limit.Set(&other, name, text); err != nil || limit.Text(other, name) != text {
			t.Errorf("%s %q becomes %q, %v", name, text, limit.Text(other, name), err)
		}
		if err := limit.Set(&other, name, limit.Default); err != nil || limit.Text(other, name) != text {
			t.Errorf("%s by itself is %q, %v", name, limit.Text(other, name), err)
		}
	}
	if got := limit.Text(logdb.DefaultLimits(), "pq"); got != "10/s 30/min 100/h 200/d" {
		t.Errorf("PQ events: %q", got)
	}
	for _, tt := range []struct{ name, value, want string }{
		{"pq", "3/d", "3/d"}, {"pq", "3/d,1/s", "1/s 3/d"}, {"pq", "none", "none"}, {"system", "500/h", "500/h"},
		{"historical_interval", "15s", "15s"}, {"historical_interval", "0s", "0s"}, {"waveform_samples", "0", "0"}, {"waveform_samples_per_cycle", "128", "128"},
	} {
		l := logdb.DefaultLimits()
		if err := limit.Set(&l, tt.name, tt.value); err != nil || limit.Text(l, tt.name) != tt.want {
			t.Errorf("%s %q: %q, %v", tt.name, tt.value, limit.Text(l, tt.name), err)
		}
	}
	for _, bad := range [][2]string{
		{"x", "1"}, {"pq", ""}, {"pq", "0/d"}, {"pq", "-1/d"}, {"pq", "5/w"}, {"pq", "5"}, {"pq", "1/d 2/d"}, {"pq", "1.5/d"},
		{"historical_interval", "x"}, {"historical_interval", "-1m"}, {"historical_interval", "7m"}, {"historical_interval", "48h"}, {"historical_interval", "1ns"},
		{"waveform_samples", "-1"}, {"waveform_samples", "many"},
	} {
		l := logdb.DefaultLimits()
		if err := limit.Set(&l, bad[0], bad[1]); !errors.Is(err, limit.ErrSetting) || !reflect.DeepEqual(l, logdb.DefaultLimits()) {
			t.Errorf("%s %q is taken: %v", bad[0], bad[1], err)
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add("pq", "10/s 30/min 100/h 200/d")
	f.Add("historical_interval", "1m0s")
	f.Add("waveform_samples", "2048")
	f.Fuzz(func(t *testing.T, name, value string) {
		l := logdb.DefaultLimits()
		if limit.Set(&l, name, value) != nil {
			return
		}
		text, again := limit.Text(l, name), logdb.Limits{}
		if err := limit.Set(&again, name, text); err != nil || limit.Text(again, name) != text {
			t.Errorf("%s %q is written %q and read as %q, %v", name, value, text, limit.Text(again, name), err)
		}
	})
}
