package command_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/command"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// TestProfileDraft: what was picked from registers makes a profile that can be loaded; a mistake is named with what to write instead.
func TestProfileDraft(t *testing.T) {
	t.Parallel()
	draft := command.DiscoveryHandlers(nil, nil, nil, "", modbus.Config{})[api.CmdMeterProfileDraft]
	got, err := draft(t.Context(), operator, json.RawMessage(`{"id":"acme-x1","vendor":"Acme","model":"X1","fc":4,
		"picks":"readings.voltage.an=0:f32:ABCD, energy.total.wh.received=0x48:f32:CDAB*1000,readings.power.factor=30:s16*0.001"}`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := device.Parse([]byte(got.(api.ProfileDraft).Profile))
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != "acme-x1" || p.Vendor != "Acme" || p.Model != "X1" || p.Defaults.FC != 4 || len(p.Points) != 3 || len(p.Unverified()) != 3 {
		t.Errorf("the profile %+v", p)
	}
	if x := p.Points[1]; x.Addr != 0x48 || x.Order != "CDAB" || x.Scale == nil || *x.Scale != 1000 || x.Kind != device.KindCounter {
		t.Errorf("a counter in kWh: %+v", x)
	}
	got, err = draft(t.Context(), operator, json.RawMessage(`{"id":"acme-x1","picks":"readings.voltage.an=0:f32:ABCD"}`))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := device.Parse([]byte(got.(api.ProfileDraft).Profile)); err != nil || p.Vendor != "unknown" || p.Model != "unknown" || p.Defaults.FC != 3 {
		t.Errorf("without maker and function: %+v, %v", p, err)
	}
	for _, c := range []struct{ args, field, hint string }{
		{`{"id":"acme-x1","picks":"readings.voltage.an=0:f32:ABCD,readings.voltage.bn=2:f99"}`, "picks", `readings.voltage.bn=2:f99: type "f99", want u16, s16`},
		{`{"id":"acme-x1","picks":"volts=0:f32"}`, "picks", "such as readings.voltage.an"},
		{`{"id":"acme-x1","picks":"readings.voltage.an=0:f32*0"}`, "picks", `scale "0"`},
		{`{"id":"acme-x1","picks":" , "}`, "picks", "readings.voltage.an=0x0BD3:f32:ABCD"},
		{`{"id":"acme-x1","picks":"readings.voltage.an=0:f32,readings.voltage.an=2:f32"}`, "", "stands twice"},
		{`{"id":"acme-x1","picks":"readings.voltage.an=65535:f32"}`, "", "ends beyond address 65535"},
		{`{"id":"Acme X1","picks":"readings.voltage.an=0:f32"}`, "id", "want 3 to 40 of a-z, 0-9 and -"},
		{`{"id":"acme-x1","picks":"readings.voltage.an=0:f32","fc":6}`, "fc", ""},
	} {
		_, err := draft(t.Context(), operator, json.RawMessage(c.args))
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != c.field || !strings.Contains(f.Hint, c.hint) {
			t.Errorf("%s: %+v, want one of the field %q that says %q", c.args, err, c.field, c.hint)
		}
	}
}
