package oracle_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// meterMake is a register image of a meter of some make and what it means.
type meterMake struct {
	profile, image string
	found          string                       // the profile that is found when none is named; "" where none or several fit
	foundByZeros   bool                         // only of a meter that answers 0 where it has nothing
	who            who                          // what the meter says of itself
	unverified     []logdb.ChannelKey           // how the channels begin that are shown as unverified
	reads          map[logdb.ChannelKey]reading // all of them; a reading without a channel stands under its name
}

// who is what a meter says of itself. Make and model are not compared where they are those of the profile.
type who struct {
	make, model, name, serial, firmware, clock, hookup string
	ct, pt                                             float64
}

func whoIs(id poll.Identity, want who) who {
	w := who{name: id.Name, serial: id.Serial, firmware: id.Firmware}
	if want.make != "" {
		w.make, w.model = id.Make, id.Model
	}
	if id.HasClock {
		w.clock = id.Clock.String()
	}
	if id.HasSetup {
		w.hookup, w.ct, w.pt = id.Setup.HookupName(), id.Setup.CTRatio(), id.Setup.PTRatio()
	}
	return w
}

// key is the channel of a reading, or its name.
func key(r device.Reading) logdb.ChannelKey { return cmp.Or(r.Channel, logdb.ChannelKey(r.Name)) }

// compare says what differs from m in what was read from its image.
func (m meterMake) compare(got retrieve.TestResult) error {
	var errs []error
	differs := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(m.profile+", "+m.image+": "+format, args...))
	}
	if got.Profile != m.profile {
		differs("read as %s", got.Profile)
	}
	if w := whoIs(got.Identity, m.who); w != m.who {
		differs("it says of itself %+v, want %+v", w, m.who)
	}
	seen := map[logdb.ChannelKey]bool{}
	for _, r := range got.Readings {
		k := key(r)
		w, ok := m.reads[k]
		if !ok || seen[k] {
			differs("%s: %v (%s), which the image does not hold", k, r.Value, r.Quality)
			continue
		}
		seen[k] = true
		if r.Quality != w.quality || r.Value != w.value && !(math.IsNaN(r.Value) && math.IsNaN(w.value)) {
			differs("%s: %v (%s, %s), want %v (%s)", k, r.Value, r.Quality, r.Reason, w.value, w.quality)
		}
		inferred := slices.ContainsFunc(m.unverified, func(p logdb.ChannelKey) bool { return strings.HasPrefix(string(k), string(p)) })
		if r.Unverified != inferred {
			differs("%s: shown as unverified: %t, want %t", k, r.Unverified, inferred)
		}
	}
	if len(seen) != len(m.reads) {
		differs("%d readings, want %d", len(seen), len(m.reads))
	}
	return errors.Join(errs...)
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

// makes are the register images of all profiles.
var makes = slices.Concat(eigMakes, sunspecMakes, otherMakes)

var otherMakes = []meterMake{
	{profile: "eastron-sdm630", image: "sdm630.regs", reads: with(inVolts, inPowers, map[logdb.ChannelKey]reading{
		"readings.power.factor": good(0.75), "energy.total.wh.received": good(12345500), "energy.total.wh.delivered": good(1250),
		"energy.total.varh.received": good(77500), "energy.total.varh.delivered": good(3250),
		"thd.voltage.a": good(0.02), "thd.voltage.b": bad(device.Invalid), "thd.voltage.c": good(0.015),
	})},
	{profile: "eastron-sdm120", image: "sdm630.regs", reads: map[logdb.ChannelKey]reading{ // a subset of the same addresses
		"readings.voltage.an": good(230.5), "readings.current.a": good(5.5), "readings.power.watts": good(1250.5), "readings.power.va": good(1268),
		"readings.power.vars": good(210), "readings.power.factor": good(0.984375), "readings.frequency": good(49.96875),
		"energy.total.wh.received": good(12345500), "energy.total.wh.delivered": good(1250), "energy.total.varh.received": good(77500), "energy.total.varh.delivered": good(3250),
	}},
	{profile: "eastron-sdm72", image: "sdm630.regs", reads: map[logdb.ChannelKey]reading{
		"readings.power.watts": good(1650.5), "energy.total.wh.received": good(12345500), "energy.total.wh.delivered": good(1250),
	}},
	{profile: "cg-em24", image: "em24.regs", reads: carloGavazzi},
	{profile: "cg-em340", image: "em340.regs", reads: carloGavazzi},
	{profile: "schneider-iem3000", image: "iem3000.regs", reads: schneider},
	{profile: "schneider-pm5000", image: "iem3000.regs", unverified: []logdb.ChannelKey{"energy."}, reads: schneider},
	{profile: "abb-b23", image: "abb-b23.regs", found: "abb-b23", reads: map[logdb.ChannelKey]reading{
		"readings.voltage.an": good(230.5), "readings.voltage.bn": good(231), "readings.voltage.cn": bad(device.Invalid),
		"readings.current.a": good(5.5), "readings.current.b": good(6.25), "readings.current.c": good(4.75),
		"readings.power.watts": good(1650.51), "readings.power.watts.a": good(1250.5), "readings.power.watts.b": good(-600), "readings.power.watts.c": bad(device.Invalid),
		"readings.frequency": good(49.97), "readings.power.factor": good(0.75), "readings.power.factor.a": good(0.984),
		"readings.power.factor.b": good(-0.992), "readings.power.factor.c": bad(device.Invalid),
		"energy.total.wh.received": good(12345670), "energy.total.wh.delivered": bad(device.Invalid),
	}},
	{profile: "janitza-umg604", image: "umg604.regs", found: "janitza-umg604", reads: with(inVolts, inPowers, map[logdb.ChannelKey]reading{
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
	set := patient(t)
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
					r, err := retrieve.Test(t.Context(), set, s.addr, unit, m.profile, modbus.Config{})
					if err != nil {
						t.Errorf("%s: %v", m.profile, err)
						continue
					}
					if err := m.compare(r); err != nil {
						t.Error(err)
					}
					found, err := retrieve.Test(t.Context(), set, s.addr, unit, "", modbus.Config{})
					want := m.found
					if strict := unit%2 == 0; strict && m.foundByZeros {
						want = ""
					}
					if found.Profile != want || (err != nil) != (want == "") {
						t.Errorf("%s, not named: found %q, %v, want %q", m.profile, found.Profile, err, want)
					}
				}
			}
		})
	}
}

// TestEveryProfileHasAnImage: a profile that is added needs one, too.
func TestEveryProfileHasAnImage(t *testing.T) {
	t.Parallel()
	for _, id := range profiles(t).IDs() {
		if !slices.ContainsFunc(makes, func(m meterMake) bool { return m.profile == id }) {
			t.Errorf("%s has no register image", id)
		}
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
