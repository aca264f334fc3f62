package retrieve

import (
	"context"
	"fmt"

	"metermanager/logdb"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
)

// target is the meter for a Reader.
func (u *unit) target(id poll.Identity) *Target {
	return &Target{UID: u.meter.UID, Profile: u.profile, Zone: u.zone, Conn: u.conn, Identity: id, Correction: u.correction()}
}

// decodedAs names what the meter's records are decoded by now.
func (u *unit) decodedAs() string {
	return fmt.Sprintf("%s %s %s %g %g", u.profile.ID, u.profile.Version(), u.zone, u.meter.CTFactor, u.meter.PTFactor)
}

// catchUp decodes the kept records again when the zone, the profile or the correction is another
// than theirs. After a crash in mid-way it goes on, and so it does when the settings change meanwhile, even back to what
// they were: what is under way is noted before it begins. What fails is tried again at the next retrieval.
func (u *unit) catchUp(ctx context.Context, states map[string]LogState) error {
	want := u.decodedAs()
	if u.meter.Decoded == want || ctx.Err() != nil {
		return nil
	}
	var done []Redecoded
	err := u.m.setDecoded(ctx, u.meter.UID, "")
	if err == nil {
		done, err = u.redecode(ctx, states, false)
	}
	if err == nil {
		err = u.m.setDecoded(ctx, u.meter.UID, want)
	}
	if err != nil {
		err = fmt.Errorf("decode the kept records again: %w", err)
		if ctx.Err() == nil {
			u.m.cfg.Logger.Warn("the records of a meter stay as they were decoded before", "meter", string(u.meter.UID), "err", err)
		}
		return err
	}
	var changed int64
	for _, d := range done {
		changed += d.Changed + d.Gaps
	}
	if changed > 0 {
		u.m.cfg.Logger.Info("decoded kept records again", "meter", string(u.meter.UID), "count", changed)
	}
	return nil
}

// redecode goes through the meter's logs.
func (u *unit) redecode(ctx context.Context, states map[string]LogState, dry bool) ([]Redecoded, error) {
	u.setAction("decoding again", "")
	defer u.setAction("", "")
	t := u.target(poll.Identity{})
	r := &Reader{Store: u.m.store, Priority: modbus.Logs, Now: u.m.cfg.Now, Logger: u.m.cfg.Logger, Node: u.m.cfg.Node, Room: u.m.cfg.Room}
	out := []Redecoded{}
	changed := false
	for _, log := range u.profile.Logs {
		u.setAction("decoding again", log.Name)
		d, err := r.Redecode(ctx, t, log, states[log.Name].SetsDST, dry)
		changed = changed || d.Changed+d.Gaps > 0 && !dry
		out = append(out, d)
		if err != nil {
			return out, fmt.Errorf("decode log %s again: %w", log.Name, err)
		}
	}
	if changed {
		u.m.cfg.OnNewData(u.meter.UID)
	}
	return out, nil
}

// setDecoded notes under what a meter's records were decoded. The unit that did it goes on.
func (m *Manager) setDecoded(ctx context.Context, uid logdb.MeterUID, decoded string) error {
	if err := m.noteOn(ctx, uid, func(x *Meter) { x.Decoded = decoded }); err != nil {
		return fmt.Errorf("note what the records of %s were decoded by: %w", uid, err)
	}
	return nil
}

// noteOn changes what a unit notes by itself on its meter's line of the list; the unit goes on with it at once. A line that could not be
// stored is stored when the same is noted again, else with the next change of it.
func (m *Manager) noteOn(ctx context.Context, uid logdb.MeterUID, change func(*Meter)) error {
	m.listing.Lock()
	defer m.listing.Unlock()
	m.mu.Lock()
	x, ok := m.meters[uid]
	old := x
	change(&x)
	if !ok || x == old && !m.unstored[uid] {
		m.mu.Unlock()
		return nil
	}
	m.meters[uid], m.unstored[uid] = x, true
	if u := m.units[uid]; u != nil {
		change(&u.meter)
	}
	m.mu.Unlock()
	return m.putLine(ctx, x)
}

// Redecode decodes a meter's kept records again, on the meter's own goroutine; dry only counts what
// would change. After a change of zone or correction it happens by itself.
func (m *Manager) Redecode(ctx context.Context, id string, dry bool) ([]Redecoded, error) {
	x, err := m.find(id)
	if err != nil {
		return nil, err
	}
	if p, ok := m.profiles.Get(x.Profile); !ok || !p.HasMemory() {
		return nil, fmt.Errorf("%w: %s has no log memory, so no raw records are kept", ErrInvalid, x.Name)
	}
	var out []Redecoded
	_, err = m.order(ctx, x, func(u *unit) order {
		return order{task: func(ctx context.Context, states map[string]LogState) (err error) {
			out, err = u.redecode(ctx, states, dry)
			return err
		}}
	})
	if err != nil {
		return nil, err // its goroutine may still be at it
	}
	return out, nil
}
