package discover_test

import (
	"errors"
	"math"
	"strings"
	"testing"

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
		if got, err := discover.ParsePick(text); err != nil || got != want {
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
		"readings.voltage.an=0:f32*0":            `scale "0"`, // all values would be zero
		"readings.voltage.an=0:f32*NaN":          `scale "NaN"`,
		"readings.voltage.an=0:f32*1e999":        `scale "1e999"`,
		"a.b=1:f32" + strings.Repeat("0", 200):   "at most 200",
		"":                                       "want CHANNEL=ADDR:TYPE:ORDER",
	} {
		if _, err := discover.ParsePick(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// FuzzParsePick: what is taken makes a profile, or one that is refused for a reason; nothing else happens.
func FuzzParsePick(f *testing.F) {
	for _, s := range []string{"readings.voltage.an=0x0BD3:f32:ABCD", "energy.total.wh.received=52:S32:cdab*100", "reading.power.factor=49:s16*0.001", "a.b=65535:u64", "a.b=1:f32*Inf", "=::*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := discover.ParsePick(text)
		if err != nil {
			if k != (discover.Pick{}) {
				t.Errorf("%q is refused, and %+v", text, k)
			}
			return
		}
		if k.Scale == 0 || math.IsNaN(k.Scale) || math.IsInf(k.Scale, 0) {
			t.Errorf("%q has the scale %v", text, k.Scale)
		}
		data, err := discover.Draft("fuzz-profile", "v", "m", 3, []discover.Pick{k})
		if err != nil {
			if !errors.Is(err, device.ErrProfile) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		p, err := device.Parse(data)
		if err != nil || len(p.Points) != 1 || p.Points[0].Channel != k.Channel || int(p.Points[0].Addr) != int(k.Addr) || p.Points[0].Type != k.Type {
			t.Errorf("%q makes %+v, %v", text, p, err)
		}
	})
}
