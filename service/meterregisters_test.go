package main

import (
	"strings"
	"testing"

	"metermanager/rpc/api"
	"metermanager/service/field/device"
	"metermanager/service/field/discover"
)

func TestParsePick(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]discover.Pick{
		"readings.voltage.an=0x0BD3:f32:ABCD":          {Channel: "readings.voltage.an", Addr: 0x0BD3, Type: "f32", Order: "ABCD", Scale: 1},
		"energy.total.wh.received=52:S32:cdab*100":     {Channel: "energy.total.wh.received", Addr: 52, Type: "s32", Order: "CDAB", Scale: 100},
		"readings.power.factor=49:s16*0.001":           {Channel: "readings.power.factor", Addr: 49, Type: "s16", Scale: 0.001},
		"energy.total.wh.delivered=65532:u64:ABCD*-10": {Channel: "energy.total.wh.delivered", Addr: 65532, Type: "u64", Order: "ABCD", Scale: -10},
	} {
		if got, err := parsePick(text); err != nil || got != want {
			t.Errorf("%s is %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"volts=0:f32":                            "channel key",
		"readings.voltage.an":                    "want CHANNEL=ADDR:TYPE:ORDER",
		"readings.voltage.an=0":                  "want CHANNEL=ADDR:TYPE:ORDER",
		"readings.voltage.an=0:float":            `type "float", want u16, s16`,
		"readings.voltage.an=0:f32:BACD":         `order "BACD", want ABCD`,
		"readings.power.factor=49:s16:CDAB*0.01": "leave :CDAB out",
		"readings.voltage.an=70000:f32":          `address "70000"`,
		"readings.voltage.an=0:f32*ten":          `scale "ten"`,
	} {
		if _, err := parsePick(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

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
