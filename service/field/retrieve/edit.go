package retrieve

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
)

// Add identifies a meter and puts it into the list, enabled.
func (m *Manager) Add(ctx context.Context, a AddRequest) (Meter, error) {
	m.edit.Lock()
	defer m.edit.Unlock()
	addr, err := modbus.ParseAddress(a.Address)
	if err != nil {
		return Meter{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if a.Zone == "" {
		a.Zone = "UTC"
	}
	x := Meter{
		UID: a.UID, Name: strings.TrimSpace(a.Name), Address: addr, Unit: a.Unit, Zone: a.Zone, Enabled: true, Added: logdb.MillisOf(m.cfg.Now()),
		RetrieveSeconds: a.RetrieveSeconds, LiveSeconds: a.LiveSeconds, LogSeconds: a.LogSeconds,
		Decoded: "new", // what is on record under its UID may have been decoded by anything
	}
	if err := x.check(); err != nil {
		return Meter{}, err
	}
	for _, o := range m.list() {
		if o.Address == x.Address && o.Unit == x.Unit || a.UID != "" && o.UID == a.UID {
			return Meter{}, fmt.Errorf("%w: %s at %s unit %d", ErrExists, o.Name, o.Address, o.Unit)
		}
	}
	found, err := m.Test(ctx, addr, a.Unit, a.Profile)
	if err != nil {
		return Meter{}, err
	}
	if x.UID == "" {
		x.UID = newUID()
	}
	if x.Profile, x.Serial, err = found.Profile, found.Identity.Serial, nil; x.Serial == "" {
		if x.Serial, err = plate(a.Serial, x.UID); err != nil {
			return Meter{}, err
		}
	}
	for _, o := range m.list() {
		if o.Serial == x.Serial && o.Profile == x.Profile {
			return Meter{}, fmt.Errorf("%w: %s has serial %s", ErrExists, o.Name, o.Serial)
		}
	}
	if x.Name == "" {
		x.Name = strings.TrimSpace(found.Identity.Name)
	}
	if x.Name == "" {
		x.Name = found.Profile + " " + x.Serial
	}
	p, _ := m.profiles.Get(x.Profile)
	// The list first: a meter that is on it gets its settings when it is identified next, whatever happens now. The other way
	// round a crash in between would leave a meter in the log database that is on no list.
	if err := m.put(ctx, x); err != nil {
		return Meter{}, err
	}
	if _, err := m.changeSettings(ctx, x.UID, func(s *logdb.Settings) {
		if s.Profile != x.Profile { // of what once was listed under this UID
			*s = logdb.Settings{}
		}
		*s = mergeSettings(*s, x, p, found.Identity)
	}); err != nil {
		return Meter{}, fmt.Errorf("%w (it is on the list, and they are stored when it is read next)", err)
	}
	m.cfg.OnMeter(x.UID)
	return x, nil
}

// plate returns the serial number of a meter that does not tell it: as it stands on the meter, else one of its own, since
// a cloud knows meters by make and serial number.
func plate(serial string, uid logdb.MeterUID) (string, error) {
	serial = strings.TrimSpace(serial)
	if serial == "" {
		return "uid-" + string(uid[:min(13, len(uid))]), nil
	}
	if len(serial) < 2 || len(serial) > 60 || strings.ContainsFunc(serial, func(c rune) bool { return c < ' ' || c > '~' }) {
		return "", fmt.Errorf("%w: serial %q, want 2 to 60 printable characters", ErrInvalid, serial)
	}
	return serial, nil
}

func (x *Meter) check() error {
	if _, err := time.LoadLocation(x.Zone); err != nil || x.Zone == "Local" {
		return fmt.Errorf("%w: time zone %q, want an IANA name such as America/New_York", ErrInvalid, x.Zone)
	}
	if len(x.Name) > 100 || len(x.UID) > 100 {
		return fmt.Errorf("%w: a name or UID of more than 100 bytes", ErrInvalid)
	}
	if !x.correction().Valid() {
		return fmt.Errorf("%w: ct_factor %g and pt_factor %g, want 0.000001 to 1000000", ErrInvalid, x.CTFactor, x.PTFactor)
	}
	for name, s := range map[string]int{"retrieve_s": x.RetrieveSeconds, "live_s": x.LiveSeconds, "log_s": x.LogSeconds} {
		if s < 0 || s > 86_400 {
			return fmt.Errorf("%w: %s %d, want 0 to 86400", ErrInvalid, name, s)
		}
	}
	return nil
}

// put stores a line of the list and lets Run follow it.
func (m *Manager) put(ctx context.Context, x Meter) error {
	if err := m.enlist(ctx, x); err != nil {
		return err
	}
	m.signal()
	m.cfg.OnMeter(x.UID)
	return nil
}

// enlist stores a line of the list. What units note by themselves meanwhile stays.
func (m *Manager) enlist(ctx context.Context, x Meter) error {
	m.listing.Lock()
	defer m.listing.Unlock()
	m.mu.Lock()
	if now, ok := m.meters[x.UID]; ok {
		x.Serial, x.Decoded = now.Serial, now.Decoded
	}
	m.mu.Unlock()
	if err := m.putLine(ctx, x); err != nil {
		return fmt.Errorf("store meter %s: %w", x.UID, err)
	}
	m.mu.Lock()
	m.meters[x.UID] = x
	m.mu.Unlock()
	return nil
}

// putLine stores a line of the list. The caller holds listing.
func (m *Manager) putLine(ctx context.Context, x Meter) error {
	if err := m.state.PutMeter(ctx, x); err != nil {
		return err
	}
	m.mu.Lock()
	delete(m.unstored, x.UID)
	m.mu.Unlock()
	return nil
}

// setSerial notes the serial number of the meter that stands there now. The unit that
// found it goes on.
func (m *Manager) setSerial(ctx context.Context, uid logdb.MeterUID, serial string) error {
	if err := m.noteOn(ctx, uid, func(x *Meter) { x.Serial = serial }); err != nil {
		return fmt.Errorf("store the serial number of %s: %w", uid, err)
	}
	return nil
}

// Set changes a meter's settings. A running meter is restarted with them.
func (m *Manager) Set(ctx context.Context, id string, c Change) (Meter, error) {
	m.edit.Lock()
	defer m.edit.Unlock()
	x, err := m.find(id)
	if err != nil {
		return Meter{}, err
	}
	if c.Name != nil {
		x.Name = strings.TrimSpace(*c.Name)
	}
	if c.Zone != nil {
		x.Zone = *c.Zone
	}
	if c.Address != nil {
		if x.Address, err = modbus.ParseAddress(*c.Address); err != nil {
			return Meter{}, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if c.Unit != nil {
		x.Unit = *c.Unit
	}
	for _, o := range m.list() {
		if o.UID != x.UID && o.Address == x.Address && o.Unit == x.Unit {
			return Meter{}, fmt.Errorf("%w: %s at %s unit %d", ErrExists, o.Name, o.Address, o.Unit)
		}
	}
	if c.Enabled != nil {
		x.Enabled = *c.Enabled
	}
	for _, f := range []struct{ to, from *int }{{&x.RetrieveSeconds, c.RetrieveSeconds}, {&x.LiveSeconds, c.LiveSeconds}, {&x.LogSeconds, c.LogSeconds}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	for _, f := range []struct{ to, from *float64 }{{&x.CTFactor, c.CTFactor}, {&x.PTFactor, c.PTFactor}} {
		if f.from != nil {
			*f.to = *f.from
			if *f.to == 1 {
				*f.to = 0 // none
			}
		}
	}
	if err := m.setLimits(&x, c); err != nil {
		return Meter{}, err
	}
	if x.Name == "" {
		return Meter{}, fmt.Errorf("%w: a meter needs a name", ErrInvalid)
	}
	if err := x.check(); err != nil {
		return Meter{}, err
	}
	if _, err := m.store.Settings(ctx, x.UID); err == nil {
		var invalid error
		if _, err := m.changeSettings(ctx, x.UID, func(s *logdb.Settings) {
			next := *s
			next.Name, next.Zone = x.Name, x.Zone
			if invalid = c.nominal(&next); invalid == nil {
				*s = next
			}
		}); err != nil || invalid != nil {
			return Meter{}, cmp.Or(err, invalid)
		}
	}
	return x, m.put(ctx, x)
}

// setLimits changes the limits of a meter that has no log of its own for them.
func (m *Manager) setLimits(x *Meter, c Change) error {
	if c.Limits == nil && c.Limit == nil {
		return nil
	}
	if p, ok := m.profiles.Get(x.Profile); ok && p.HasMemory() {
		return fmt.Errorf("%w: %s watches its limits itself: set them in the meter", ErrInvalid, x.Name)
	}
	text := x.Limits
	if c.Limits != nil {
		text = *c.Limits
	}
	list, err := poll.ParseLimits(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if c.Limit != nil {
		if c.Limit.Number < 1 || c.Limit.Number > poll.MaxLimits {
			return fmt.Errorf("%w: limit %d, want 1 to %d", ErrInvalid, c.Limit.Number, poll.MaxLimits)
		}
		id := c.Limit.Number - 1
		list = slices.DeleteFunc(list, func(l poll.Limit) bool { return l.ID == id })
		if strings.TrimSpace(c.Limit.Text) != "" {
			l, err := poll.ParseLimit(id, c.Limit.Text)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrInvalid, err)
			}
			list = append(list, l)
			slices.SortFunc(list, func(a, b poll.Limit) int { return a.ID - b.ID })
		}
	}
	x.Limits = poll.FormatLimits(list)
	return nil
}

// nominal sets the declared values of the supply.
func (c *Change) nominal(s *logdb.Settings) error {
	if v := c.NominalVolts; v != nil {
		if !(*v >= 0 && *v <= 1e6) {
			return fmt.Errorf("%w: nominal_volts %g, want 0 (not known) to 1000000", ErrInvalid, *v)
		}
		s.NominalVolts = *v
	}
	if v := c.NominalHz; v != nil {
		if *v != 0 && *v != 50 && *v != 60 {
			return fmt.Errorf("%w: nominal_hz %g, want 50, 60 or 0 (not known)", ErrInvalid, *v)
		}
		s.NominalHz = *v
	}
	return nil
}

// Remove takes a meter from the list. What it recorded stays in the log database.
func (m *Manager) Remove(ctx context.Context, id string) (Meter, error) {
	m.edit.Lock()
	defer m.edit.Unlock()
	x, err := m.find(id)
	if err != nil {
		return Meter{}, err
	}
	u := m.running(x.UID)
	m.mu.Lock()
	delete(m.meters, x.UID)
	m.mu.Unlock()
	m.signal()
	if u != nil {
		<-u.done
	}
	// Whoever asked may be gone by now. Left on the list that is kept it would be there again after a restart.
	m.listing.Lock() // behind what its goroutine notes
	err = m.state.DeleteMeter(context.WithoutCancel(ctx), x.UID)
	m.listing.Unlock()
	if err != nil {
		return x, fmt.Errorf("remove meter %s: %w", x.UID, err)
	}
	m.cfg.OnMeter(x.UID)
	return x, nil
}

// newUID makes a random UUID of version 4.
func newUID() logdb.MeterUID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return logdb.MeterUID(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
