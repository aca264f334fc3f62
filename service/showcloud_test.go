package main

import (
	"testing"

	"metermanager/rpc/api"
)

// A relay that has passed everything on says nevertheless what the next cloud did not take.
func TestSyncNote(t *testing.T) {
	t.Parallel()
	away := &api.Trouble{Text: "it is away"}
	relayed := []api.RelaySync{{Kind: "historical", Skipped: 1000}, {Kind: "pq", Skipped: 59}}
	for name, tt := range map[string]struct {
		meter api.MeterSync
		ofAll *api.Trouble
		want  string
	}{
		"nothing":            {api.MeterSync{Relayed: []api.RelaySync{{Kind: "pq"}}}, nil, ""},
		"an error":           {api.MeterSync{LastError: "it is full", Relayed: relayed}, nil, "it is full"},
		"its own trouble":    {api.MeterSync{LastError: "it is full", Trouble: &api.Trouble{Text: "it is full"}}, away, "see below"},
		"the cloud's":        {api.MeterSync{Trouble: away}, away, "see above"},
		"what it skipped of": {api.MeterSync{Relayed: relayed}, nil, "the cloud skipped " + grouped(1059) + " records that are held here: fetch them there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := syncNote(tt.meter, tt.ofAll); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
