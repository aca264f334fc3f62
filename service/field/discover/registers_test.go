package discover_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/field/device"
	"metermanager/service/field/discover"
	"metermanager/service/field/modbus"
)

// The values of meters.md 7: 230.5 as a float with the high word first, -123.4 as an integer in tenths with the low word first.
func TestRegisters(t *testing.T) {
	t.Parallel()
	look := func(address string, l discover.Look) (out []api.Register, err error) {
		err = modbus.With(t.Context(), address, modbus.Config{}, func(ctx context.Context, e *modbus.Endpoint) (err error) {
			out, err = discover.Registers(ctx, e.Unit(1, modbus.UnitConfig{}), l)
			return err
		})
		return out, err
	}
	address := registers(t, map[uint16]uint16{10: 0x4366, 11: 0x8000, 12: 0xFB2E, 13: 0xFFFF, 20: 'A'<<8 | 'b'})
	list, err := look(address, discover.Look{FC: 3, Addr: 9, Count: 12})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 12 || list[0].Refused == "" || list[0].U16 != nil {
		t.Errorf("a register that the meter does not have: %+v", list[0])
	}
	if v := list[1].F32["ABCD"]; v != 230.5 {
		t.Errorf("float %v", v)
	}
	if v := list[3].S32["CDAB"]; v != -1234 || *list[3].S16 != -1234 || *list[3].U16 != 0xFB2E {
		t.Errorf("integer %v, %+v", v, list[3])
	}
	if list[4].F32 != nil || list[3].F64 != nil {
		t.Error("a meaning that needs a register which was refused")
	}
	if list[11].Text != "Ab" || list[11].Hex != "4162" {
		t.Errorf("text %+v", list[11])
	}
	if _, err := look(address, discover.Look{FC: 3, Addr: 100, Count: 3}); !errors.Is(err, discover.ErrRefused) {
		t.Errorf("nothing could be read, and the error is %v", err)
	}
	for l, want := range map[discover.Look]string{
		{FC: 3, Addr: 40001, Count: 2}: "register 40001 of a manual is holding register 0, read with function 3 from 0 on",
		{FC: 3, Addr: 30053, Count: 2}: "input register 52, read with function 4 from 52 on",
		{FC: 3, Addr: 100, Count: 3}:   "function 4 as well", {FC: 4, Addr: 50000, Count: 3}: "function 3 as well",
	} {
		if got := l.Advice(); !strings.Contains(got, want) {
			t.Errorf("%+v: %q, want %q", l, got, want)
		}
	}
	for _, l := range []discover.Look{{FC: 6, Count: 1}, {FC: 3, Count: 0}, {FC: 3, Count: 501}, {FC: 3, Addr: 65535, Count: 2}} {
		if _, err := look(address, l); !errors.Is(err, discover.ErrInvalid) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// TestDraft makes a profile of what was picked.
func TestDraft(t *testing.T) {
	t.Parallel()
	picks := []discover.Pick{
		{Channel: "readings.voltage.an", Addr: 0x03E7, Type: "f32", Order: "ABCD", Scale: 1},
		{Channel: "energy.total.wh.received", Addr: 0x05DB, Type: "s32", Order: "ABCD", Scale: 10},
		{Channel: "readings.power.factor", Addr: 0x0014, Type: "s16", Scale: 0.001},
	}
	data, err := discover.Draft("acme-x1", "Acme", "X1", 3, picks)
	if err != nil {
		t.Fatal(err)
	}
	p, err := device.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Unverified()) != 3 || p.Points[1].Kind != device.KindCounter || p.Points[0].Unit != "V" || len(p.WriteAllow) != 0 {
		t.Errorf("%+v", p.Points)
	}
	if _, err := discover.Draft("acme-x1", "Acme", "X1", 3, []discover.Pick{{Channel: logdb.ChannelKey("readings.voltage.an"), Type: "f99"}}); !errors.Is(err, device.ErrProfile) {
		t.Errorf("a type that does not exist: %v", err)
	}
}
