package device_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"metermanager/assets"
	"metermanager/service/field/device"
)

func sunspec(t testing.TB) *device.Profile {
	t.Helper()
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	p, ok := set.Get("sunspec-3p")
	if !ok {
		t.Fatal("no SunSpec profile")
	}
	return p
}

// registers is a register map that starts at a base.
type registers struct {
	base int
	data []byte
}

func (r registers) read(_ context.Context, addr uint16, n int) ([]byte, error) {
	off := 2 * (int(addr) - r.base)
	if off < 0 || off+2*n > len(r.data) {
		return nil, errors.New("illegal address")
	}
	return r.data[off : off+2*n], nil
}

func chain(models ...[2]int) []byte {
	b := []byte("SunS")
	for _, m := range models {
		b = binary.BigEndian.AppendUint16(b, uint16(m[0]))
		b = binary.BigEndian.AppendUint16(b, uint16(m[1]))
		b = append(b, make([]byte, 2*m[1])...)
	}
	return append(b, 0xFF, 0xFF, 0, 0)
}

func TestSunSpecInteger(t *testing.T) {
	t.Parallel()
	p := sunspec(t)
	b := chain([2]int{1, 66}, [2]int{203, 105})
	copy(b[4+4:], "ACME")
	copy(b[4+100:], "S-17")
	m := b[4+4+132:] // model 203 from its ID
	put := func(off int, v uint16) { binary.BigEndian.PutUint16(m[2*off:], v) }
	put(8, 2301)
	put(9, 0x8000) // not implemented
	put(15, 0xFFFF)
	put(16, 5001)
	put(17, 0xFFFE)
	put(22, 0x8000) // scale factor of W not implemented
	put(18, 100)
	put(33, 950)
	put(37, 0xFFFF)
	put(46, 0x8000)
	put(54, 3)
	r := registers{40000, b}
	d, err := p.SunSpec.Walk(t.Context(), r.read)
	if err != nil || d.Make != "ACME" || d.Serial != "S-17" || len(d.Models) != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	points, err := p.SunSpec.Points(d)
	if err != nil {
		t.Fatal(err)
	}
	img := device.NewImage(3)
	for _, q := range p.Plan(points, 0) {
		data, err := r.read(t.Context(), uint16(q.Addr), q.Count)
		if err != nil || q.Count > 125 {
			t.Fatalf("%+v: %v", q, err)
		}
		img.Put(q.FC, q.Addr, data)
	}
	got := map[string]device.Reading{}
	for _, x := range p.Decode(points, img) {
		got[x.Name] = x
	}
	for name, want := range map[string]float64{"v_an": 230.1, "hz": 50.01, "pf_total": 0.95, "wh_received": 2147483648000} {
		if r := got[name]; r.Quality != device.Good || r.Value != want {
			t.Errorf("%s is %v (%s %s), want %v", name, r.Value, r.Quality, r.Reason, want)
		}
	}
	for _, name := range []string{"v_bn", "w_total", "wh_delivered"} { // 0x8000; its factor; acc32 of 0
		if got[name].Quality != device.Invalid {
			t.Errorf("%s is %+v, want it invalid", name, got[name])
		}
	}
}

func TestSunSpecWalkIsBounded(t *testing.T) {
	t.Parallel()
	p := sunspec(t)
	many := make([][2]int, 100)
	for i := range many {
		many[i] = [2]int{500 + i, 2}
	}
	for name, r := range map[string]registers{
		"no marker": {40000, []byte("XunSxxxxxxxx")}, "at 0": {0, chain([2]int{1, 66})}, "endless": {40000, chain(many...)},
		"empty models": {40000, chain([2]int{7, 0}, [2]int{7, 0}, [2]int{7, 0})}, "too long": {40000, append([]byte("SunS"), 0, 9, 0xFF, 0xFF)},
		"cut off": {40000, []byte("SunS")},
	} {
		d, err := p.SunSpec.Walk(t.Context(), r.read)
		if len(d.Models) > 64 {
			t.Errorf("%s: %d models", name, len(d.Models))
		}
		if name == "no marker" && !errors.Is(err, device.ErrNotSunSpec) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.SunSpec.Points(d); !errors.Is(err, device.ErrNotSunSpec) {
			t.Errorf("%s: points of no meter, %v", name, err)
		}
	}
}

func FuzzSunSpec(f *testing.F) {
	p := sunspec(f)
	f.Add(chain([2]int{1, 66}, [2]int{213, 124}))
	f.Add(chain([2]int{1, 65}, [2]int{201, 105}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := registers{40000, b}
		d, err := p.SunSpec.Walk(t.Context(), r.read)
		if err != nil {
			return
		}
		points, err := p.SunSpec.Points(d)
		if err != nil {
			return
		}
		img := device.NewImage(3)
		for _, q := range p.Plan(points, 0) {
			if data, err := r.read(t.Context(), uint16(q.Addr), q.Count); err == nil {
				img.Put(q.FC, q.Addr, data)
			}
		}
		p.Decode(points, img)
	})
}
