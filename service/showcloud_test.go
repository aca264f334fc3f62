package main

import (
	"testing"

	"metermanager/rpc/api"
)

// A relay that has passed everything on says nevertheless what the next cloud did not take.
func TestSyncNote(t *testing.T) {
	t.Parallel()
	relayed := []api.RelaySync{{Kind: "historical", Skipped: 1000}, {Kind: "pq", Skipped: 59}}
	for name, tt := range map[string]struct {
		meter api.MeterSync
		want  string
	}{
		"nothing":            {api.MeterSync{Relayed: []api.RelaySync{{Kind: "pq"}}}, ""},
		"an error":           {api.MeterSync{LastError: "it is full", Relayed: relayed}, "it is full"},
		"what it skipped of": {api.MeterSync{Relayed: relayed}, "the cloud skipped " + grouped(1059) + " records that are held here: fetch them there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := syncNote(tt.meter); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
