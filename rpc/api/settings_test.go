package api_test

import (
	"encoding/json"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// What a sender knows replaces what is stored, down to the zeros of a format; what it does not know stays.
func TestSettingsDocument(t *testing.T) {
	t.Parallel()
	body, err := api.SettingsDocument(logdb.Settings{Name: "main", Zone: "UTC", Energy: logdb.EnergyFormat{Digits: 8}})
	if err != nil {
		t.Fatal(err)
	}
	stored := logdb.Settings{Name: "old", NominalVolts: 230, Unverified: []string{"x"}, Energy: logdb.EnergyFormat{Digits: 7, Decimals: 2, Prefix: 3}}
	if err := json.Unmarshal(body, &stored); err != nil {
		t.Fatal(err)
	}
	if stored.Energy != (logdb.EnergyFormat{Digits: 8}) || stored.Name != "main" || len(stored.Unverified) != 0 || stored.NominalVolts != 230 {
		t.Errorf("%+v", stored)
	}
	if body, err = api.SettingsDocument(logdb.Settings{Name: "main"}); err != nil {
		t.Fatal(err)
	}
	before := stored.Energy
	if err := json.Unmarshal(body, &stored); err != nil || stored.Energy != before {
		t.Errorf("who knows no format changes it to %+v, %v", stored.Energy, err)
	}
}
