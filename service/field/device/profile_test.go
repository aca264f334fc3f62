package device_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"metermanager/assets"
	"metermanager/service/field/device"
)

func shark(t testing.TB) *device.Profile {
	t.Helper()
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	p, ok := set.Get("eig-shark-200")
	if !ok {
		t.Fatalf("no Shark profile among %v", set.IDs())
	}
	return p
}

func TestLoadProfilesBuiltIn(t *testing.T) {
	t.Parallel()
	p := shark(t)
	if got := p.WriteList(); len(got) != 4 || got[0] != 0xC34F || got[3] != 0xC352 {
		t.Errorf("the write list of the Shark is %x, want exactly c34f to c352", got)
	}
	if len(p.Unverified()) == 0 {
		t.Error("the Shark profile lists nothing as unverified")
	}
	if x, ok := p.PointOf("readings.power.watts"); !ok || x.Addr != 0x03F9 {
		t.Errorf("total watts at %v, want 0x03F9", x.Addr)
	}
}

func TestLoadProfilesKeepsTheGoodOnes(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("../../../assets/profiles/sunspec-3p.json")
	if err != nil {
		t.Fatal(err)
	}
	set, err := device.LoadProfiles(fstest.MapFS{
		"good.json": {Data: good}, "copy.json": {Data: good}, "bad.json": {Data: []byte(`{"schema":2}`)},
	})
	if !errors.Is(err, device.ErrProfile) || !strings.Contains(err.Error(), "bad.json") {
		t.Errorf("error %v does not name bad.json", err)
	}
	if len(set.IDs()) != 1 {
		t.Errorf("loaded %v, want the one good profile", set.IDs())
	}
}

// A user's folder adds profiles and puts others in the place of built-in ones; a bad file in it changes nothing.
func TestAddedProfilesComeOnTop(t *testing.T) {
	t.Parallel()
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	n := len(set.IDs())
	text, err := fs.ReadFile(assets.Profiles(), "eastron-sdm72.json")
	if err != nil {
		t.Fatal(err)
	}
	mine := bytes.Replace(text, []byte(`"max_regs": 50`), []byte(`"max_regs": 12`), 1)
	err = set.Add(fstest.MapFS{
		"mine.json": {Data: mine}, "new.json": {Data: bytes.Replace(text, []byte("eastron-sdm72"), []byte("my-meter"), 1)}, "bad.json": {Data: []byte(`{`)},
	})
	if !errors.Is(err, device.ErrProfile) || !strings.Contains(err.Error(), "bad.json") {
		t.Errorf("error %v does not name bad.json", err)
	}
	p, _ := set.Get("eastron-sdm72")
	if _, ok := set.Get("my-meter"); !ok || len(set.IDs()) != n+1 || p.Defaults.MaxRegs != 12 {
		t.Errorf("%v, %d registers a request", set.IDs(), p.Defaults.MaxRegs)
	}
}

// What a probe takes for its meter, and what not.
func TestProbeFits(t *testing.T) {
	t.Parallel()
	least, most := 80.0, 500.0
	volts := device.Probe{FC: 4, Type: "s32", Scale: 0.1, Min: &least, Max: &most}
	text := device.Probe{FC: 3, Type: "ascii", Count: 3, Printable: true}
	model := device.Probe{FC: 3, Type: "ascii", Count: 3, Equals: "PM5560"}
	for _, c := range []struct {
		name  string
		probe device.Probe
		hex   string
		order string
		want  bool
	}{
		{"230.5 V, low word first", volts, "09010000", "CDAB", true},
		{"the same the other way round", volts, "09010000", "ABCD", false},
		{"79.9 V", volts, "031F0000", "CDAB", false},
		{"nothing", volts, "00000000", "CDAB", false},
		{"too short", volts, "0901", "CDAB", false},
		{"a text", text, "414220", "ABCD", false},
		{"a text with blanks behind", text, "414243200000", "ABCD", true},
		{"numbers of which some bytes are letters", text, "414200004344", "ABCD", false},
		{"only blanks", text, "202020202020", "ABCD", false},
		{"the model", model, "504D35353630", "ABCD", true},
		{"another model", model, "504D35333230", "ABCD", false},
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.probe.Fits(b, device.Defaults{Order: c.order}); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	base := `{"schema":1,"id":"test-meter","vendor":"v","model":"m","source":"s","kind":"registers","address_base":0,
"defaults":{"fc":3,"order":"ABCD","max_regs":125,"gap":0,"timeout_ms":1000,"request_delay_ms":0,"retries":0},
"identify":[],"points":[POINTS],"write_allow":[],"logs":[]EXTRA}`
	point := `{"name":"a","addr":1,"type":"f32"}`
	for _, tc := range []struct{ name, points, extra, want string }{
		{"good", point, "", ""},
		{"unknown key", point, `,"colour":"red"`, "unknown field"},
		{"duplicate name", point + `,{"name":"a","addr":9,"type":"u16"}`, "", "stands twice"},
		{"two types at one address", point + `,{"name":"b","addr":1,"type":"s32"}`, "", "types"},
		{"beyond the end", `{"name":"a","addr":65535,"type":"f32"}`, "", "beyond"},
		{"address too large", `{"name":"a","addr":65536,"type":"f32"}`, "", "address"},
		{"string of no length", `{"name":"a","addr":1,"type":"ascii"}`, "", "count 0"},
		{"scale 0", `{"name":"a","addr":1,"type":"f32","scale":0}`, "", "scale"},
		{"order on 16 bits", `{"name":"a","addr":1,"type":"u16","order":"CDAB"}`, "", "order"},
		{"magnitude of what has no sign", `{"name":"a","addr":1,"type":"u32","magnitude":true}`, "", "magnitude"},
		{"text behind", point, `} {"x":1`, "after the profile"},
		{"probe", point, `,"probe":{"fc":4,"addr":0,"type":"f32","min":80,"max":500}`, ""},
		{"probe that every meter fits", point, `,"probe":{"fc":4,"addr":0,"type":"f32","min":80}`, "min and max"},
		{"probe of any text", point, `,"probe":{"fc":4,"addr":0,"type":"ascii","count":4}`, "equals or printable"},
		{"probe by a function that writes", point, `,"probe":{"fc":6,"addr":0,"type":"u16","min":0,"max":1}`, "fc 6"},
		{"log without layouts", point, `,"barriers":[1]`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := device.Parse([]byte(strings.NewReplacer("POINTS", tc.points, "EXTRA", tc.extra).Replace(base)))
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, device.ErrProfile) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want one that says %q", err, tc.want)
			}
		})
	}
	if _, err := device.Parse(make([]byte, device.MaxProfileBytes+1)); !errors.Is(err, device.ErrProfile) {
		t.Errorf("a file over 1 MB gives %v", err)
	}
}

func TestParseBaseOneConverts(t *testing.T) {
	t.Parallel()
	p, err := device.Parse([]byte(`{"schema":1,"id":"base-one","vendor":"v","model":"m","source":"s","kind":"registers","address_base":1,
"defaults":{"fc":3,"order":"ABCD","max_regs":125,"gap":0,"timeout_ms":1000,"request_delay_ms":0,"retries":0},
"identify":[],"points":[{"name":"hz","addr":1026,"type":"f32"}],"write_allow":[],"logs":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	if p.Points[0].Addr != 0x0401 {
		t.Errorf("register 1026 became %s, want 0x0401", p.Points[0].Addr)
	}
}

func FuzzParse(f *testing.F) {
	names, _ := filepath.Glob("../../../assets/profiles/*.json")
	for _, n := range names {
		if b, err := os.ReadFile(n); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := device.Parse(b)
		if err != nil {
			return
		}
		p.Plan(p.Points, 0)
		p.Decode(p.Points, device.NewImage(p.Defaults.FC))
	})
}

// TestLogNumbers: the meters of the family count their logs differently (E149701 B-4, S200S B-9, MP200 E-11); the status blocks stand alike.
func TestLogNumbers(t *testing.T) {
	t.Parallel()
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]map[string]byte{
		"eig-shark-200":  {"system": 0, "alarm": 1, "hist1": 2, "hist2": 3, "hist3": 4, "io": 5, "pq": 10, "waveform": 11},
		"eig-shark-200s": {"system": 0, "alarm": 1, "hist1": 2, "hist2": 3, "hist3": 4},
		"eig-mp200":      {"system": 0, "hist1": 1, "hist2": 2, "hist3": 3, "alarm": 4, "io": 5},
	} {
		p, ok := set.Get(id)
		if !ok || len(p.Logs) != len(want) {
			t.Errorf("%s: %d logs, want %d", id, len(p.Logs), len(want))
			continue
		}
		for name, number := range want {
			l, ok := p.LogOf(name)
			if base := map[string]device.Addr{"system": 0xC747, "alarm": 0xC737, "hist1": 0xC757, "hist2": 0xC767, "hist3": 0xC777, "io": 0xC787, "pq": 0xC797, "waveform": 0xC7A7}[name]; !ok || l.Number != number || l.StatusAddr != base {
				t.Errorf("%s %s: %+v, want number %d at %s", id, name, l, number, base)
			}
		}
	}
}
