package oracle_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// image is the registers of a meter that answers 0 where it has none.
type image map[int]uint16

// Read answers like the servers.
func (m image) Read(_ context.Context, _ byte, addr uint16, count int, _ modbus.Priority) ([]byte, error) {
	var b []byte
	for i := range count {
		b = binary.BigEndian.AppendUint16(b, m[int(addr)+i])
	}
	return b, nil
}

func loadImage(t *testing.T, name string) image {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	m := image{}
	for line := range strings.Lines(string(text)) {
		at, words, ok := strings.Cut(line, ":")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		first, err := strconv.ParseUint(at, 16, 16)
		for i, w := range strings.Fields(words) {
			v, wordErr := strconv.ParseUint(w, 16, 16)
			if _, twice := m[int(first)+i]; err != nil || wordErr != nil || len(w) != 4 || twice {
				t.Fatalf("%s: %s", name, line)
			}
			m[int(first)+i] = uint16(v)
		}
	}
	return m
}

// as reads an image as a meter of a profile.
func (m image) as(t *testing.T, p *device.Profile) (retrieve.TestResult, error) {
	t.Helper()
	src := poll.NewSource(p, m, nil)
	who, err := src.Identify(t.Context(), modbus.User)
	if err != nil {
		return retrieve.TestResult{}, err
	}
	readings, err := src.Read(t.Context(), modbus.User)
	return retrieve.TestResult{Profile: p.ID, Identity: who, Readings: readings}, err
}

// check returns what is wrong with what a profile reads of the image of m.
func (img image) check(t *testing.T, m meterMake, p *device.Profile) error {
	t.Helper()
	r, err := img.as(t, p)
	if err != nil {
		return err
	}
	return m.compare(r)
}

// TestImagesNoticeAWrongRegister: a wrong bit in any register that a value of an image is made of makes the comparison fail, so that no
// expected value stands there by chance and none is compared with nothing.
func TestImagesNoticeAWrongRegister(t *testing.T) {
	t.Parallel()
	set := profiles(t)
	for _, m := range makes {
		p, _ := set.Get(m.profile)
		img := loadImage(t, m.image)
		if err := img.check(t, m, p); err != nil {
			t.Error(err)
			continue
		}
		for _, addr := range valued(m, p, img) {
			was := img[addr]
			img[addr] ^= 0x0101 // other letters, another number
			if img.check(t, m, p) == nil {
				t.Errorf("%s, %s: nobody notices that register %04X holds %04X", m.profile, m.image, addr, img[addr])
			}
			img[addr] = was
		}
	}
}

// valued returns the registers that m's values and what it says of itself are made of.
func valued(m meterMake, p *device.Profile, img image) []int {
	if p.SunSpec != nil { // its points are where its models are: see TestImagesNoticeAWrongProfile
		return nil
	}
	var out []int
	add := func(x device.Point) {
		for _, r := range p.Plan([]device.Point{x}, 0) {
			for i := range r.Count {
				if addr := int(r.Addr) + i; x.Type != "ascii" || img[addr] != 0 {
					out = append(out, addr)
				}
			}
		}
	}
	for _, x := range p.Identify {
		if x.Name != "meter_type" && x.Name != "port_id" && (x.Name != "clock" || m.who.clock != "") {
			add(x)
		}
	}
	for _, x := range p.Points {
		if w := m.reads[key(device.Reading{Name: x.Name, Channel: x.Channel})]; !math.IsNaN(w.value) {
			add(x)
		}
	}
	return out
}

// TestImagesNoticeAWrongProfile: another address, scale or order of words in a profile makes the comparison with its images fail.
func TestImagesNoticeAWrongProfile(t *testing.T) {
	t.Parallel()
	set := profiles(t)
	for _, m := range makes {
		p, _ := set.Get(m.profile)
		img := loadImage(t, m.image)
		wrong := func(what string, change func(*device.Profile)) {
			t.Helper()
			q := clone(p)
			change(q)
			if img.check(t, m, q) == nil {
				t.Errorf("%s, %s: nobody notices %s", m.profile, m.image, what)
			}
		}
		if slices.ContainsFunc(points(p)[0], func(x device.Point) bool { return x.Type[1:] == "32" }) {
			wrong("another order of words", func(q *device.Profile) {
				q.Defaults.Order = map[string]string{"ABCD": "CDAB", "CDAB": "ABCD"}[p.Defaults.Order]
			})
		}
		read := map[string]bool{}
		got, err := img.as(t, p)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, r := range got.Readings {
			read[r.Name] = !math.IsNaN(r.Value)
		}
		for l, list := range points(p) {
			if p.SunSpec != nil && !modelOf(p, l, img) {
				continue
			}
			for i, x := range list {
				if !read[x.Name] {
					continue
				}
				for _, by := range []int{-2, -1, 1, 2} {
					wrong(fmt.Sprintf("%s %d registers on", x.Name, by), func(q *device.Profile) { points(q)[l][i].Addr += device.Addr(by) })
				}
				wrong(x.Name+" ten times as high", func(q *device.Profile) {
					scale := 10.0
					if x.Scale != nil {
						scale *= *x.Scale
					}
					points(q)[l][i].Scale = &scale
				})
				wrong(x.Name+" with another mark", func(q *device.Profile) { points(q)[l][i].Unverified = !x.Unverified })
			}
		}
	}
}

// points returns the lists of a profile's points.
func points(p *device.Profile) [][]device.Point {
	if p.SunSpec == nil {
		return [][]device.Point{p.Points}
	}
	var out [][]device.Point
	for _, m := range p.SunSpec.Models {
		out = append(out, m.Points)
	}
	return out
}

// modelOf reports whether an image has the model of a list of points.
func modelOf(p *device.Profile, list int, img image) bool {
	model := p.SunSpec.Models[list]
	for addr, id := range img {
		if slices.Contains(model.IDs, id) && int(img[addr+1]) == model.Length {
			return true
		}
	}
	return false
}

func clone(p *device.Profile) *device.Profile {
	q := *p
	q.Points = slices.Clone(p.Points)
	if p.SunSpec != nil {
		s := *p.SunSpec
		s.Models = slices.Clone(s.Models)
		for i := range s.Models {
			s.Models[i].Points = slices.Clone(s.Models[i].Points)
		}
		q.SunSpec = &s
	}
	return &q
}
