package retrieve_test

import (
	"io/fs"
	"strings"
	"testing"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/sim"
)

// TestSharkReadByAnOlderProfile: rows of a Shark that a profile decoded which took energies with their sign, and looked for THD elsewhere, are after
// decoding again those of who always had the present one: under its channels and no others, energies of either direction above 0.
func TestSharkReadByAnOlderProfile(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(assets.Profiles(), "eig-shark-200.json")
	if err != nil {
		t.Fatal(err)
	}
	older := strings.NewReplacer(`"magnitude": true, `, ``, `0x176F`, `0x0F9F`, `0x1770`, `0x0FA0`, `0x1771`, `0x0FA1`, `0x1772`, `0x0FA2`, `0x1773`, `0x0FA3`, `0x1774`, `0x0FA4`)
	p, err := device.Parse([]byte(older.Replace(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	s, want := newSite(t, sim.Config{EnergyStartWh: 5000}), newSite(t, sim.Config{EnergyStartWh: 5000})
	present := s.profile
	s.profile = p
	for _, name := range []string{"hist1", "hist2", "hist3"} {
		s.must(name)
		want.must(name)
	}
	const delivered, thd = logdb.ChannelKey("energy.total.wh.delivered"), logdb.ChannelKey("thd.voltage.a")
	below := 0
	_, wrong := s.liveRows(1)
	for _, v := range wrong[delivered] {
		if v < 0 {
			below++
		}
	}
	if _, others := s.liveRows(2); below == 0 || others[thd] != nil || len(others["register.x176f"]) == 0 {
		t.Fatalf("%d energies below 0, THD of %d rows: the test shows nothing", below, len(others[thd]))
	}
	s.profile = present
	if s.redecode(false) == 0 {
		t.Fatal("nothing is decoded again")
	}
	for log := range logdb.LogNo(3) {
		times, have := s.liveRows(log)
		wantTimes, wanted := want.liveRows(log)
		if len(times) != len(wantTimes) || len(times) == 0 {
			t.Errorf("log %d: %d rows, want %d", log, len(times), len(wantTimes))
		}
		for c, values := range have {
			if len(values) != len(wanted[c]) { // of a channel that the present profile does not give, none is live
				t.Errorf("log %d: %d values of %s, want %d", log, len(values), c, len(wanted[c]))
			}
		}
		for c, values := range wanted {
			for at, v := range values {
				if got, ok := have[c][at]; !ok || got != v || times[at] != wantTimes[at] || c == delivered && v < 0 {
					t.Fatalf("log %d, position %d: %s is %v (%t) at %v, want %v at %v", log, at, c, got, ok, times[at], v, wantTimes[at])
				}
			}
		}
	}
	if again := s.redecode(false); again != 0 {
		t.Errorf("a second time changes %d records", again)
	}
}
