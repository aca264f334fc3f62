package oracle_test

import (
	"errors"
	"testing"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// sunspecMakes are meters that walk a chain of SunSpec models.
var sunspecMakes = []meterMake{
	{
		profile: "sunspec-3p", image: "sunspec-203.regs", found: "sunspec-3p", reads: integersRead,
		who: who{make: "Acme Meters", model: "TriPhase 300", name: "Acme Meters TriPhase 300", serial: "SN-000815", firmware: "2.7b"},
	},
	{
		profile: "sunspec-3p", image: "sunspec-213.regs", found: "sunspec-3p", reads: floatsRead,
		who: who{make: "Acme Meters", model: "Float3", name: "Acme Meters Float3", serial: "FL-7", firmware: "1.0"},
	},
}

// integersRead is what testdata/sunspec-203.regs means.
var integersRead = map[logdb.ChannelKey]reading{
	"readings.current.a": good(4.21), "readings.current.b": good(4.13), "readings.current.c": good(4),
	"readings.voltage.an": good(230.2), "readings.voltage.bn": good(229.9), "readings.voltage.cn": bad(device.Invalid),
	"readings.voltage.ab": good(398.8), "readings.voltage.bc": good(398.6), "readings.voltage.ca": good(398.7),
	"readings.frequency": good(50.01), "readings.power.watts": good(-2780), "readings.power.watts.a": good(-910),
	"readings.power.watts.b": good(-930), "readings.power.watts.c": good(-940),
	"readings.power.va": good(2840), "readings.power.va.a": good(960), "readings.power.va.b": good(950), "readings.power.va.c": good(930),
	"readings.power.vars": bad(device.Invalid), "readings.power.vars.a": bad(device.Invalid), "readings.power.vars.b": bad(device.Invalid), "readings.power.vars.c": bad(device.Invalid),
	"readings.power.factor": good(-0.96), "readings.power.factor.a": good(-0.97), "readings.power.factor.b": good(-0.98), "readings.power.factor.c": good(-0.99),
	"energy.total.wh.delivered": good(21474836490), "energy.total.wh.received": good(123456780),
}

// floatsRead is what testdata/sunspec-213.regs means.
var floatsRead = map[logdb.ChannelKey]reading{
	"readings.current.a": good(5), "readings.current.b": good(5.25), "readings.current.c": good(5.5),
	"readings.voltage.an": good(120), "readings.voltage.bn": good(120.25), "readings.voltage.cn": good(120.5),
	"readings.voltage.ab": good(208), "readings.voltage.bc": good(208.25), "readings.voltage.ca": bad(device.Invalid),
	"readings.frequency": good(60), "readings.power.watts": good(1800), "readings.power.watts.a": good(590), "readings.power.watts.b": good(600), "readings.power.watts.c": good(610),
	"readings.power.va": good(1864), "readings.power.va.a": good(610.5), "readings.power.va.b": good(621.5), "readings.power.va.c": good(632),
	"readings.power.vars": good(-480), "readings.power.vars.a": good(-150), "readings.power.vars.b": good(-160), "readings.power.vars.c": good(-170),
	"readings.power.factor": good(0.965), "readings.power.factor.a": bad(device.Invalid), "readings.power.factor.b": bad(device.Invalid), "readings.power.factor.c": bad(device.Invalid),
	"energy.total.wh.delivered": good(2048), "energy.total.wh.received": good(16777216),
}

// TestSunSpecModelsAreAlike: single phase, split phase, wye and delta stand alike in the models; only their numbers differ.
func TestSunSpecModelsAreAlike(t *testing.T) {
	t.Parallel()
	p, _ := profiles(t).Get("sunspec-3p")
	for i, c := range []struct {
		at  int // of the model's number
		ids []uint16
	}{{0x9C86, []uint16{201, 202, 203, 204}}, {0xC399, []uint16{211, 212, 213, 214}}} {
		m := sunspecMakes[i]
		img := loadImage(t, m.image)
		for _, id := range c.ids {
			img[c.at] = id
			if err := img.check(t, m, p); err != nil {
				t.Errorf("model %d: %v", id, err)
			}
		}
		for _, id := range []uint16{200, 205, 210, 215} {
			img[c.at] = id
			if err := img.check(t, m, p); !errors.Is(err, device.ErrNotSunSpec) {
				t.Errorf("model %d, which is no meter: %v", id, err)
			}
		}
	}
}
