package cloudsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"metermanager/rpc/fault"
)

// FirstCloud is the name of a destination that was never given one.
const FirstCloud = "main"

// Link is the sync as seen for one of its clouds. Its methods fail with ErrNoDestination when there is no such cloud.
type Link struct {
	service *Service
	name    string
}

// For returns the sync for the cloud of that name. "" stands for the first one, as in the methods of the Service itself.
func (s *Service) For(name string) Link { return Link{s, name} }

// label is the name under which people know a destination.
func (d Destination) label() string { return cmp.Or(d.Name, FirstCloud) }

// pick returns the destination of the link: the one with the lowest number without a name.
func (l Link) pick(ctx context.Context) (*destination, error) {
	s := l.service
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	for _, d := range s.destinations() {
		if l.name == "" || d.name == l.name {
			return d, nil
		}
	}
	if l.name != "" {
		return nil, fmt.Errorf("%w: %q", ErrNoSuchCloud, l.name)
	}
	return nil, ErrNoDestination
}

// destinations lists the clouds by number.
func (s *Service) destinations() []*destination {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*destination, 0, len(s.dests))
	for _, d := range s.dests {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *destination) int { return cmp.Compare(a.id, b.id) })
	return out
}

// Clouds lists the names of the clouds; the first is meant where none is named.
func (s *Service) Clouds(ctx context.Context) ([]string, error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	var out []string
	for _, d := range s.destinations() {
		out = append(out, d.name)
	}
	return out, nil
}

// AddCloud adds a destination. With host and key it is switched on.
func (s *Service) AddCloud(ctx context.Context, name, host, apikey string) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return err
	}
	conf := Destination{Name: name, APIKey: Secret(apikey)}
	if err := setDestination(&conf, SettingHost, host); err != nil {
		return err
	}
	conf.Enabled = conf.Host != "" && apikey != ""
	s.setting.Lock()
	defer s.setting.Unlock()
	for _, d := range s.destinations() {
		if d.name == name {
			return fault.Newf(fault.Conflict, "There is a cloud called %q already.", name).At("name")
		}
	}
	_, err := s.create(ctx, conf)
	return err
}

// checkName reports a name that could be mistaken for something else on a command line or in a table.
func checkName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	if name == "" || len(name) > 32 || strings.Trim(name, letters) != "" || name[0] == '-' {
		return fault.New(fault.Invalid, "The name of a cloud is 1 to 32 of letters, digits, dot, hyphen and underscore.").At("name")
	}
	return nil
}

// create stores a new destination and takes it up. The caller holds s.setting.
func (s *Service) create(ctx context.Context, conf Destination) (*destination, error) {
	conf, err := s.store.PutDestination(ctx, conf)
	if err != nil {
		return nil, err
	}
	d, err := s.loadDestination(ctx, conf)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.dests[conf.ID] = d
	s.unlooked = true
	s.mu.Unlock()
	s.startQueues()
	s.poke()
	return d, nil
}

// RemoveCloud removes a destination with its settings, secrets and meters. What was uploaded stays there, and what was decided for it here:
// should a cloud of the same address be added again, it gets what it lacks, as if it had been away.
func (s *Service) RemoveCloud(ctx context.Context, name string) error {
	d, err := s.For(name).pick(ctx)
	if err != nil {
		return err
	}
	if name == "" {
		return fault.New(fault.Invalid, "Say which cloud is to be removed.").At("name")
	}
	s.mu.Lock()
	delete(s.dests, d.id) // nothing is enqueued for it any more
	s.mu.Unlock()
	d.end()
	s.setting.Lock()
	defer s.setting.Unlock()
	if err := s.store.DeleteDestination(ctx, d.id); err != nil {
		again, lerr := s.loadDestination(ctx, d.conf) // it is there still, but its queue has ended
		if lerr != nil {
			return errors.Join(err, lerr)
		}
		s.mu.Lock()
		s.dests[d.id] = again
		s.mu.Unlock()
		s.startQueues()
		return err
	}
	return nil
}

// Destination returns the settings of the cloud; the empty ones when nothing was ever set.
func (l Link) Destination(ctx context.Context) (Destination, error) {
	d, err := l.pick(ctx)
	if errors.Is(err, ErrNoDestination) && l.name == "" {
		return Destination{}, nil
	}
	if err != nil {
		return Destination{}, err
	}
	l.service.mu.Lock()
	defer l.service.mu.Unlock()
	return d.conf, nil
}

// change stores a change of the cloud's settings and takes it up. The first cloud need not be there yet.
func (l Link) change(ctx context.Context, change func(*Destination) error) error {
	s := l.service
	if err := s.load(ctx); err != nil {
		return err
	}
	s.setting.Lock()
	defer s.setting.Unlock()
	d, err := l.pick(ctx)
	if errors.Is(err, ErrNoDestination) && l.name == "" {
		conf := Destination{Name: FirstCloud}
		if err := change(&conf); err != nil {
			return err
		}
		_, err = s.create(ctx, conf)
		return err
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	conf := d.conf
	s.mu.Unlock()
	if err := change(&conf); err != nil {
		return err
	}
	if conf, err = s.store.PutDestination(ctx, conf); err != nil {
		return err
	}
	s.mu.Lock()
	d.conf, d.cloud, d.breaker = conf, nil, breaker{last: d.breaker.last}
	d.cache.Enabled, d.cache.Blocked = usable(conf), d.breaker.until
	for uid, m := range d.cache.Meters {
		s.dirty[uid] = true
		for _, l := range m.Logs {
			l.Known = false // other channels, limits or another cloud: compare again
		}
		m.relay.dirty = true
	}
	s.mu.Unlock()
	s.poke()
	return nil
}
