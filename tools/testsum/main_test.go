package main

import (
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, input string
		want        counts
		says        string
	}{
		{"passed", `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1.25}`, counts{passed: 1}, "ok    p  1.2s"},
		{"failed with its output", `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`, counts{failed: 1}, "a_test.go:1: wrong"},
		{"skipped with its reason", `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: no tool\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`, counts{skipped: 1}, "a_test.go:1: no tool"},
		{"does not build", `{"Action":"build-output","ImportPath":"p","Output":"p.go:1: syntax error\n"}
{"Action":"fail","Package":"p"}`, counts{failed: 1}, "syntax error"},
		{"a line outside the stream", "warning: no tests\n", counts{}, "warning: no tests"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			got, err := summarize(strings.NewReader(tt.input), &out)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if !strings.Contains(out.String(), tt.says) {
				t.Errorf("output %q lacks %q", out.String(), tt.says)
			}
		})
	}
}
