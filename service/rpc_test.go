package main

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"metermanager/rpc/api"
)

func TestCommandArgs(t *testing.T) {
	t.Parallel()
	command := api.Command{Name: "x.do", Params: []api.Param{
		{Name: "meter", Type: api.ParamString, Required: true}, {Name: "limit", Type: api.ParamInt},
		{Name: "on", Type: api.ParamBool}, {Name: "pass", Type: api.ParamSecret},
	}}
	tests := []struct {
		name, words, stdin string
		want               map[string]any
		says               string
	}{
		{"in order", "a 3 true s", "", map[string]any{"meter": "a", "limit": int64(3), "on": true, "pass": "s"}, ""},
		{"by name", "on=false meter=a", "", map[string]any{"meter": "a", "on": false}, ""},
		{"order goes on behind names", "meter=a 3", "", map[string]any{"meter": "a", "limit": int64(3)}, ""},
		{"an unknown name is a value", "k=v", "", map[string]any{"meter": "k=v"}, ""},
		{"a value with an equal sign by name", "meter=k=v", "", map[string]any{"meter": "k=v"}, ""},
		{"secret from input", "meter=a pass=-", "s e\r\n", map[string]any{"meter": "a", "pass": "s e"}, ""},
		{"nothing on input", "meter=a pass=-", "", nil, "nothing came"},
		{"missing", "limit=3", "", nil, "meter is missing"},
		{"twice", "a meter=b", "", nil, "stands twice"},
		{"too many", "a 3 true s more", "", nil, "too many"},
		{"no number", "a three", "", nil, "whole number"},
		{"no switch", "a 3 maybe", "", nil, "true or false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := commandArgs(command, strings.Fields(tt.words), strings.NewReader(tt.stdin))
			if tt.says != "" {
				var usage usageError
				if !errors.As(err, &usage) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want a usage error with %q", err, tt.says)
				}
				return
			}
			if err != nil || !maps.Equal(got, tt.want) {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// Every example of the table of commands is taken by the command line that it stands for.
func TestExamplesAreTaken(t *testing.T) {
	t.Parallel()
	for _, c := range api.Commands() {
		words := strings.Fields(c.Example)
		if len(words) < 2 || words[0] != "rpc" || words[1] != c.Name {
			t.Errorf("%s: example %q does not begin with rpc %s", c.Name, c.Example, c.Name)
			continue
		}
		if _, err := commandArgs(c, words[2:], strings.NewReader("")); err != nil {
			t.Errorf("%s: example %q: %v", c.Name, c.Example, err)
		}
	}
}
