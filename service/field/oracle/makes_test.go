package oracle_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
)

// meterMake is a register image of a meter of some make and what it means.
type meterMake struct {
	profile, image string
	found          bool // also without naming the profile
	reads          map[logdb.ChannelKey]reading
}

// volts and powers that most of the images hold.
var (
	inVolts = map[logdb.ChannelKey]reading{
		"readings.voltage.an": good(230.5), "readings.voltage.bn": good(231), "readings.voltage.cn": good(229.75),
		"readings.current.a": good(5.5), "readings.current.b": good(6.25), "readings.current.c": good(4.75),
	}
	inPowers = map[logdb.ChannelKey]reading{
		"readings.power.watts": good(1650.5), "readings.power.watts.a": good(1250.5), "readings.power.watts.b": good(-600), "readings.power.watts.c": good(1000),
		"readings.power.va": good(2893), "readings.power.va.a": good(1268), "readings.power.va.b": good(605), "readings.power.va.c": good(1020),
		"readings.power.vars": good(319.5), "readings.power.vars.a": good(210), "readings.power.vars.b": good(-80.5), "readings.power.vars.c": good(190),
		"readings.power.factor.a": good(0.984375), "readings.power.factor.b": good(-0.9921875), "readings.power.factor.c": good(0.96875),
		"readings.frequency": good(49.96875),
	}
	carloGavazzi = map[logdb.ChannelKey]reading{
		"readings.voltage.an": good(230.5), "readings.voltage.bn": good(231), "readings.voltage.cn": good(229.7),
		"readings.current.a": good(5.5), "readings.current.b": good(6.25), "readings.current.c": good(-0.123),
		"readings.power.watts.a": good(1250.5), "readings.power.watts.b": good(-123.4), "readings.power.watts.c": good(1000), "readings.power.watts": good(2127.1),
		"readings.power.factor.a": good(0.984), "readings.power.factor.b": good(-0.992), "readings.power.factor.c": good(0.968), "readings.power.factor": good(0.75),
		"readings.frequency": good(50), "energy.total.wh.received": good(12345600), "energy.total.wh.delivered": good(700),
	}
)

func with(lists ...map[logdb.ChannelKey]reading) map[logdb.ChannelKey]reading {
	out := map[logdb.ChannelKey]reading{}
	for _, l := range lists {
		for k, v := range l {
			out[k] = v
		}
	}
	return out
}

var makes = []meterMake{
	{"eig-shark-100", "shark100.regs", false, map[logdb.ChannelKey]reading{
		"readings.voltage.an": good(120.25), "readings.voltage.bn": good(230.5), "readings.voltage.cn": good(119.5),
		"readings.voltage.ab": good(208), "readings.voltage.bc": good(208.25), "readings.voltage.ca": good(207.75),
		"readings.current.a": good(5.5), "readings.current.b": good(6.25), "readings.current.c": good(4.75), "readings.current.n": good(0.5),
		"readings.power.watts": good(1875.5), "readings.power.vars": good(-250.25), "readings.power.va": good(1892),
		"readings.power.factor": good(0.75), "readings.frequency": good(59.96875),
		"energy.total.wh.received": good(1000010), "energy.total.wh.delivered": good(10000),
		"energy.total.varh.received": good(770), "energy.total.varh.delivered": good(0), "energy.total.vah": good(42949670),
	}},
	{"eastron-sdm630", "sdm630.regs", false, with(inVolts, inPowers, map[logdb.ChannelKey]reading{
		"readings.power.factor": good(0.75), "energy.total.wh.received": good(12345500), "energy.total.wh.delivered": good(1250),
		"energy.total.varh.received": good(77500), "energy.total.varh.delivered": good(0),
		"thd.voltage.a": good(0.02), "thd.voltage.b": bad(device.Invalid), "thd.voltage.c": good(0.015),
	})},
	{"eastron-sdm120", "sdm630.regs", false, map[logdb.ChannelKey]reading{ // a subset of the same addresses
		"readings.voltage.an": good(230.5), "readings.current.a": good(5.5), "readings.power.watts": good(1250.5), "readings.power.va": good(1268),
		"readings.power.vars": good(210), "readings.power.factor": good(0.984375), "readings.frequency": good(49.96875),
		"energy.total.wh.received": good(12345500), "energy.total.wh.delivered": good(1250), "energy.total.varh.received": good(77500), "energy.total.varh.delivered": good(0),
	}},
	{"eastron-sdm72", "sdm630.regs", false, map[logdb.ChannelKey]reading{
		"readings.power.watts": good(1650.5), "energy.total.wh.received": good(12345500), "energy.total.wh.delivered": good(1250),
	}},
	{"cg-em24", "em24.regs", false, carloGavazzi},
	{"cg-em340", "em340.regs", false, carloGavazzi},
	{"schneider-iem3000", "iem3000.regs", false, schneider},
	{"schneider-pm5000", "iem3000.regs", false, schneider},
	{"abb-b23", "abb-b23.regs", true, map[logdb.ChannelKey]reading{
		"readings.voltage.an": good(230.5), "readings.voltage.bn": good(231), "readings.voltage.cn": bad(device.Invalid),
		"readings.current.a": good(5.5), "readings.current.b": good(6.25), "readings.current.c": good(4.75),
		"readings.power.watts": good(1650.51), "readings.power.watts.a": good(1250.5), "readings.power.watts.b": good(-600), "readings.power.watts.c": bad(device.Invalid),
		"readings.frequency": good(49.97), "readings.power.factor": good(0.75), "readings.power.factor.a": good(0.984),
		"readings.power.factor.b": good(-0.992), "readings.power.factor.c": bad(device.Invalid),
		"energy.total.wh.received": good(12345670), "energy.total.wh.delivered": bad(device.Invalid),
	}},
	{"janitza-umg604", "umg604.regs", true, with(inVolts, inPowers, map[logdb.ChannelKey]reading{
		"readings.voltage.ab": good(399), "readings.voltage.bc": good(400.5), "readings.voltage.ca": good(398.75),
		"energy.total.wh.received": good(12345678), "energy.total.wh.delivered": good(16),
	})},
}

var schneider = with(inVolts, map[logdb.ChannelKey]reading{
	"readings.power.watts.a": good(1250), "readings.power.watts.b": good(-500), "readings.power.watts.c": good(1000), "readings.power.watts": good(1750),
	"readings.power.vars": good(375), "readings.power.va": good(2875), "readings.frequency": good(50.03125),
	"energy.total.wh.received": good(123456789), "energy.total.wh.delivered": good(42),
	"energy.total.varh.received": good(77), "energy.total.varh.delivered": good(5000000000),
})

// TestReadsMetersOfManyMakes reads, from servers that others wrote, register images written by hand from the makers' maps:
// of meters that answer with 0 where they have nothing, and of those that refuse it.
func TestReadsMetersOfManyMakes(t *testing.T) {
	t.Parallel()
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			var units []string
			for i, m := range makes {
				units = append(units, fmt.Sprintf("%d:zero:%s", 2*i+1, m.image), fmt.Sprintf("%d:strict:%s", 2*i+2, m.image))
			}
			s := l.serve(t, units...)
			for i, m := range makes {
				for unit := byte(2*i + 1); unit <= byte(2*i+2); unit++ {
					r, err := retrieve.Test(t.Context(), profiles(t), s.addr, unit, m.profile, modbus.Config{})
					if err != nil {
						t.Errorf("%s: %v", m.profile, err)
						continue
					}
					check(t, r.Readings, m.reads, "")
					if len(r.Readings) != len(m.reads) {
						t.Errorf("%s: %d readings, want %d", m.profile, len(r.Readings), len(m.reads))
					}
					found, err := retrieve.Test(t.Context(), profiles(t), s.addr, unit, "", modbus.Config{})
					switch {
					case m.found && (err != nil || found.Profile != m.profile):
						t.Errorf("%s, not named: found %q, %v", m.profile, found.Profile, err)
					case m.profile == "eig-shark-100" && err == nil && found.Profile == "eig-shark-200": // they say the same of themselves
					case !m.found && !errors.Is(err, retrieve.ErrInvalid): // others have the same addresses
						t.Errorf("%s, not named: found %q, %v", m.profile, found.Profile, err)
					}
				}
			}
		})
	}
}

// TestAddsMetersThatTellNoSerial adds two meters of one make that do not say who they are: with the number on the plate,
// and with one that is made up. One of them gets its log.
func TestAddsMetersThatTellNoSerial(t *testing.T) {
	t.Parallel()
	served := libraries[0].serve(t, "1:zero:abb-b23.regs", "2:zero:abb-b23.regs")
	s := newSite(t, retrieve.Config{Live: time.Hour})
	none := s.add(t, retrieve.AddRequest{Name: "none", Address: served.addr, Unit: 2, Profile: "abb-b23", LogSeconds: 86_400})
	if _, err := s.Add(t.Context(), retrieve.AddRequest{Address: served.addr, Unit: 1, Profile: "abb-b23", Serial: "\x01"}); !errors.Is(err, retrieve.ErrInvalid) {
		t.Errorf("a serial that cannot be printed: %v", err)
	}
	plate := s.add(t, retrieve.AddRequest{Name: "plate", Address: served.addr, Unit: 1, Serial: "A-1234", LogSeconds: 2})
	if plate.Serial != "A-1234" || plate.Profile != "abb-b23" || !strings.HasPrefix(none.Serial, "uid-") {
		t.Errorf("serials %q (%s) and %q", plate.Serial, plate.Profile, none.Serial)
	}
	for _, m := range []retrieve.Meter{plate, none} {
		settings, err := s.store.Settings(t.Context(), m.UID)
		if err != nil || settings.Serial != m.Serial || settings.Make != "ABB" {
			t.Errorf("settings %+v, %v", settings, err)
		}
	}
	for deadline := time.After(time.Minute); ; {
		select {
		case <-s.data:
		case <-deadline:
			t.Fatal("nothing is logged")
		}
		if _, values := s.values(t, plate.UID, "readings.power.watts"); len(values) > 0 {
			if values[0] != 1650.51 {
				t.Errorf("%v W logged", values[0])
			}
			return
		}
	}
}
