package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// Conn reads registers of one unit.
type Conn interface {
	Read(ctx context.Context, fc byte, addr uint16, count int, p modbus.Priority) ([]byte, error)
}

// ErrIdentity marks a device that is not what its profile says.
var ErrIdentity = errors.New("the device is not the meter that the profile describes")

// unsupportedFor is how long a point that the meter refused alone is left out.
const unsupportedFor = 24 * time.Hour

// Identity is what a meter says of itself.
type Identity struct {
	Name, Make, Model, Serial, Firmware string
	Setup                               device.Setup
	HasSetup                            bool
	// Clock is the meter's own clock as read, "" when it shows none.
	Clock device.TStamp
	// HasClock tells that Clock was read.
	HasClock bool
}

// Source reads one meter. Its methods may be called from several goroutines.
type Source struct {
	conn    Conn
	profile *device.Profile
	now     func() time.Time

	mu          sync.Mutex
	points      []device.Point // nil until a SunSpec chain was walked
	requests    []device.Request
	unsupported map[string]time.Time
}

// NewSource returns the reader of the meter behind conn. now nil is time.Now.
func NewSource(p *device.Profile, conn Conn, now func() time.Time) *Source {
	if now == nil {
		now = time.Now
	}
	s := &Source{conn: conn, profile: p, now: now, unsupported: map[string]time.Time{}}
	if p.SunSpec == nil {
		s.points = p.Points
	}
	return s
}

// Fits reports whether the meter answers the probe of its profile as that says.
func (s *Source) Fits(ctx context.Context, prio modbus.Priority) (bool, error) {
	if s.profile.Probe == nil {
		return false, nil
	}
	r := s.profile.Probe.Request()
	b, err := s.conn.Read(ctx, r.FC, uint16(r.Addr), r.Count, prio)
	if _, answered := modbus.ExceptionOf(err); answered {
		return false, nil
	}
	return err == nil && s.profile.Probe.Fits(b, s.profile.Defaults), err
}

// Identify reads who the meter is and, for EIG meters, its ratios and energy format.
func (s *Source) Identify(ctx context.Context, prio modbus.Priority) (Identity, error) {
	if s.profile.SunSpec != nil {
		return s.identifySunSpec(ctx, prio)
	}
	img, err := s.image(ctx, s.profile.Plan(s.profile.Identify, 0), s.profile.Identify, prio, nil)
	if err != nil {
		return Identity{}, fmt.Errorf("read the identification: %w", err)
	}
	id := Identity{Make: s.profile.Vendor, Model: s.profile.Model}
	words := map[string]uint16{}
	for i, r := range s.profile.Decode(s.profile.Identify, img) {
		switch r.Name {
		case "meter_name":
			id.Name = r.Text
		case "serial":
			id.Serial = r.Text
		case "firmware":
			id.Firmware = r.Text
		case "clock":
			id.Clock, id.HasClock = s.profile.ClockOf(s.profile.Identify[i], img)
		}
		if isSetup(r.Name) && r.Quality != device.Good {
			// Half a set-up would scale every value of the next records wrongly.
			return id, fmt.Errorf("%w: %s could not be read", ErrIdentity, r.Name)
		}
		words[r.Name] = uint16(r.Raw)
	}
	if s.profile.TellsSerial() && len(id.Serial) < 2 {
		return id, fmt.Errorf("%w: %s has no serial number (%q)", ErrIdentity, s.profile.ID, id.Serial)
	}
	id.Setup, id.HasSetup = setupOf(words)
	return id, nil
}

// setupOf makes the setup of the registers that say it, if there are such.
func setupOf(words map[string]uint16) (device.Setup, bool) {
	if _, ok := words["energy_format"]; !ok {
		return device.Setup{}, false
	}
	return device.ParseSetup(words["ct"], words["ct_numerator"], words["pt_numerator"], words["pt_denominator"], words["pt_format"], words["energy_format"]), true
}

// ReadSetup reads the ratios and the energy format again, of a meter whose identification has them.
func ReadSetup(ctx context.Context, p *device.Profile, conn Conn, prio modbus.Priority) (device.Setup, error) {
	points := slices.DeleteFunc(slices.Clone(p.Identify), func(x device.Point) bool { return !isSetup(x.Name) })
	img, err := NewSource(p, conn, nil).image(ctx, p.Plan(points, 0), points, prio, nil)
	if err != nil {
		return device.Setup{}, err
	}
	words := map[string]uint16{}
	for _, r := range p.Decode(points, img) {
		if r.Quality != device.Good {
			return device.Setup{}, fmt.Errorf("%w: %s could not be read", ErrIdentity, r.Name)
		}
		words[r.Name] = uint16(r.Raw)
	}
	s, _ := setupOf(words)
	return s, nil
}

// isSetup reports whether a point of the identification says how values are scaled.
func isSetup(name string) bool {
	switch name {
	case "ct", "ct_numerator", "pt_numerator", "pt_denominator", "pt_format", "energy_format":
		return true
	}
	return false
}

func (s *Source) identifySunSpec(ctx context.Context, prio modbus.Priority) (Identity, error) {
	d, err := s.profile.SunSpec.Walk(ctx, func(ctx context.Context, addr uint16, n int) ([]byte, error) {
		return s.conn.Read(ctx, 3, addr, n, prio)
	})
	if err != nil {
		return Identity{}, fmt.Errorf("walk the SunSpec models: %w", err)
	}
	points, err := s.profile.SunSpec.Points(d)
	if err != nil {
		return Identity{}, err
	}
	s.mu.Lock()
	s.points, s.requests = points, nil
	s.mu.Unlock()
	return Identity{Name: d.Make + " " + d.Model, Make: d.Make, Model: d.Model, Serial: d.Serial, Firmware: d.Version}, nil
}

// Forget drops what was learned, so that the next read identifies the meter anew.
func (s *Source) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.unsupported = nil, map[string]time.Time{}
	if s.profile.SunSpec != nil {
		s.points = nil
	}
}

// Read returns the present value of every point. Points that could not be read say so;
// the error is set when none could.
func (s *Source) Read(ctx context.Context, prio modbus.Priority) ([]device.Reading, error) {
	points, requests, err := s.plan(ctx, prio)
	if err != nil {
		return nil, err
	}
	img, err := s.image(ctx, requests, points, prio, s.learn)
	if err != nil {
		return nil, err
	}
	return s.profile.Decode(points, img), nil
}

func (s *Source) plan(ctx context.Context, prio modbus.Priority) ([]device.Point, []device.Request, error) {
	s.mu.Lock()
	known := s.points != nil
	s.mu.Unlock()
	if !known {
		if _, err := s.Identify(ctx, prio); err != nil {
			return nil, nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, until := range s.unsupported {
		// More than that ahead was set by a clock that has been set back since: to wait for it could take years.
		if left := until.Sub(s.now()); left < 0 || left > unsupportedFor {
			delete(s.unsupported, name)
			s.requests = nil
		}
	}
	if s.requests == nil {
		var use []device.Point
		for _, p := range s.points {
			if _, no := s.unsupported[p.Name]; !no {
				use = append(use, p)
			}
		}
		s.requests = s.profile.Plan(use, 0)
	}
	return s.points, s.requests, nil
}

// image carries out requests. One that the meter refuses with exception 2 or 3 is read
// in halves, down to single points; learn (may be nil) is told what worked.
func (s *Source) image(ctx context.Context, requests []device.Request, points []device.Point, prio modbus.Priority, learn func([]device.Request, []string)) (*device.Image, error) {
	img := device.NewImage(s.profile.Defaults.FC)
	var good []device.Request
	var refused []string
	var last error
	changed := false
	for todo := requests; len(todo) > 0; {
		r := todo[0]
		todo = todo[1:]
		b, err := s.conn.Read(ctx, r.FC, uint16(r.Addr), r.Count, prio)
		if err == nil {
			img.Put(r.FC, r.Addr, b)
			good = append(good, r)
			continue
		}
		last = err
		x, ok := modbus.ExceptionOf(err)
		if !ok || x != modbus.IllegalAddress && x != modbus.IllegalValue {
			if ok && x != modbus.IllegalFunction {
				good = append(good, r)
				continue // busy or failing now: the other requests may work
			}
			if changed && learn != nil { // so that the next reading goes on from here
				learn(append(append(good, r), todo...), refused)
			}
			return nil, err
		}
		changed = true
		if halves := s.profile.Halve(r, points); halves != nil {
			todo = append(append([]device.Request(nil), halves...), todo...)
			continue
		}
		refused = append(refused, namesIn(r, points)...)
	}
	if changed && learn != nil {
		learn(good, refused)
	}
	if img.Empty() && last != nil {
		return nil, last
	}
	return img, nil
}

func namesIn(r device.Request, points []device.Point) []string {
	var out []string
	for _, p := range points {
		if p.Addr >= r.Addr && int(p.Addr) < int(r.Addr)+r.Count {
			out = append(out, p.Name)
		}
	}
	return out
}

// learn keeps the requests that the unit answers and the points that it does not have.
func (s *Source) learn(good []device.Request, refused []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = good
	for _, n := range refused {
		s.unsupported[n] = s.now().Add(unsupportedFor)
	}
}
