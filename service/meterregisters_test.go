package main

import (
	"strings"
	"testing"

	"metermanager/rpc/api"
	"metermanager/service/field/device"
)

// What is not documented by the maker is shown as such, also where something else is said of it.
func TestUnverifiedIsShown(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := &program{stdout: &out}
	err := p.readingTable([]testReading{
		{device.Reading{Channel: "readings.voltage.an"}, api.Value(230)},
		{device.Reading{Channel: "readings.power.factor", Unverified: true, Reason: "outside the range of the profile"}, api.Value(1.5)},
		{device.Reading{Channel: "energy.total.vah", Unverified: true}, api.Value(7)},
	})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if err != nil || len(lines) != 5 {
		t.Fatalf("%v\n%s", err, out.String())
	}
	const mark = "unverified: not documented by the maker"
	if strings.Contains(lines[2], "unverified") || !strings.HasSuffix(lines[3], "outside the range of the profile; "+mark) || !strings.HasSuffix(lines[4], "  "+mark) {
		t.Errorf("%s", out.String())
	}
}
