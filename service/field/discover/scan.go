package discover

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/rpc/api"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
)

// Progress is how far a scan has come.
type Progress struct {
	Addresses int `json:"addresses"` // to be tried
	Done      int `json:"done"`      // tried
	Open      int `json:"open"`      // at which something listens
	Asked     int `json:"asked"`     // units
	Skipped   int `json:"skipped"`   // addresses of meters that are on the list: they may take one connection only
}

// Scanner carries out scans. Profiles and Known must be set.
type Scanner struct {
	Profiles *device.Set
	// Known returns the meters of the list at an address, by unit, and its connection, if it is open.
	Known  func(address string) (map[byte]string, *modbus.Endpoint)
	Logger *slog.Logger
	// Dial connects; nil is TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Run carries out a scan. found is called for each device as it answers and progress after each address and unit, one
// call at a time.
func (x *Scanner) Run(ctx context.Context, s *Scan, found func(api.Discovered), progress func(Progress)) error {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	r := &run{Scanner: x, found: found, tell: progress, progress: Progress{Addresses: len(s.targets)}}
	work := make(chan target)
	var wg sync.WaitGroup
	for range min(inFlight, len(s.targets)) {
		wg.Go(func() {
			for t := range work {
				r.target(ctx, t)
			}
		})
	}
	pace := time.NewTicker(connectInterval)
	defer pace.Stop()
	for _, t := range s.targets {
		select {
		case work <- t:
			select {
			case <-pace.C:
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(work)
	wg.Wait()
	return ctx.Err()
}

// run is one scan under way.
type run struct {
	*Scanner
	mu       sync.Mutex
	progress Progress
	found    func(api.Discovered)
	tell     func(Progress)
}

func (r *run) update(f func(*Progress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.progress)
	r.tell(r.progress)
}

func (r *run) report(f api.Discovered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found(f)
}

// target asks the units of one address.
func (r *run) target(ctx context.Context, t target) {
	defer r.update(func(p *Progress) { p.Done++ })
	listed, shared := r.Known(t.address)
	if len(listed) > 0 && !t.line {
		r.update(func(p *Progress) { p.Skipped++ })
		return
	}
	if shared != nil { // a line has one master: its own connection is used, behind what it does
		r.update(func(p *Progress) { p.Open++ })
		r.units(ctx, t, shared, listed)
		return
	}
	cfg := modbus.Config{Timeout: answerTimeout, ConnectTimeout: connectTimeout, Dial: r.dialer()}
	if !strings.HasPrefix(t.address, "serial:") {
		// Whether somebody listens is seen by a connection that is then used, so that one-master devices see one client.
		target := t.address
		if _, rest, ok := strings.Cut(target, "://"); ok {
			target = rest
		}
		dialCtx, cancel := context.WithTimeout(ctx, connectTimeout)
		conn, err := cfg.Dial(dialCtx, target)
		cancel()
		if err != nil {
			return
		}
		cfg.Dial = first(conn, cfg.Dial)
		r.update(func(p *Progress) { p.Open++ })
	}
	err := modbus.With(ctx, t.address, cfg, func(ctx context.Context, e *modbus.Endpoint) error {
		r.units(ctx, t, e, listed)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		r.Logger.Warn("an address could not be scanned", "conn", t.address, "err", err)
	}
}

func (r *run) dialer() func(context.Context, string) (net.Conn, error) {
	if r.Dial != nil {
		return r.Dial
	}
	return func(ctx context.Context, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
}

// first returns conn for the first call, then dials.
func first(conn net.Conn, dial func(context.Context, string) (net.Conn, error)) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		if c := conn; c != nil {
			conn = nil
			return c, nil
		}
		return dial(ctx, address)
	}
}

// units asks one unit after the other. A device that answers as whatever unit is told once.
func (r *run) units(ctx context.Context, t target, e *modbus.Endpoint, listed map[byte]string) {
	broken := 0
	var before []fingerprint
	for i, unit := range t.units {
		if ctx.Err() != nil {
			return
		}
		if name := listed[unit]; name != "" {
			r.report(api.Discovered{Address: t.address, Unit: int(unit), Listed: name})
			continue
		}
		if i > 0 {
			select {
			case <-time.After(sweepPause):
			case <-ctx.Done():
				return
			}
		}
		start := time.Now()
		f, print, err := ask(ctx, e, unit, r.Profiles)
		r.update(func(p *Progress) { p.Asked++ })
		switch {
		case errors.Is(err, modbus.ErrUnreachable):
			if broken++; broken == 2 { // nobody takes us, or the line is gone
				return
			}
			continue
		case err != nil:
			broken = 0
			continue
		}
		broken = 0
		if !t.line && slices.Contains(before, print) {
			continue
		}
		before = append(before, print)
		f.Address, f.Unit, f.TookMS = t.address, int(unit), time.Since(start).Milliseconds()
		r.report(f)
	}
}

// fingerprint tells a device that answers to several units from several devices.
type fingerprint struct {
	profile, serial, first, note string
}

// ask finds out what answers as a unit. An error means that nothing does.
func ask(ctx context.Context, e *modbus.Endpoint, unit byte, profiles *device.Set) (api.Discovered, fingerprint, error) {
	u := e.Unit(unit, modbus.UnitConfig{Timeout: answerTimeout, BusyRetries: 1})
	head, err := u.Read(ctx, 3, 0, 22, modbus.User)
	x, refused := modbus.ExceptionOf(err)
	switch {
	case refused && (x == modbus.GatewayTarget || x == modbus.GatewayPath):
		return api.Discovered{}, fingerprint{}, err // a gateway answers for a unit that is not there
	case errors.Is(err, modbus.ErrDesync):
		return api.Discovered{}, fingerprint{}, err
	case err != nil && !refused:
		return api.Discovered{}, fingerprint{}, err
	}
	out := api.Discovered{}
	id, idErr := u.DeviceID(ctx, modbus.IdentificationRegular, modbus.User)
	if idErr == nil {
		out.Make, out.Firmware = clean(id[modbus.ObjectVendor]), clean(id[modbus.ObjectRevision])
		out.Model = clean(cmp.Or(id[modbus.ObjectModel], id[modbus.ObjectProductName], id[modbus.ObjectProductCode]))
	}
	who, err := retrieve.Identify(ctx, e, unit, profiles, answerTimeout)
	var several *retrieve.SeveralError
	switch {
	case err == nil:
		out.Profile = who.Profile
		out.Make, out.Model = cmp.Or(who.Identity.Make, out.Make), cmp.Or(who.Identity.Model, out.Model)
		out.Name, out.Serial, out.Firmware = who.Identity.Name, who.Identity.Serial, cmp.Or(who.Identity.Firmware, out.Firmware)
	case errors.As(err, &several):
		out.Profiles = several.Profiles
		out.Note = "may be of several types: choose one"
	case ctx.Err() != nil:
		return api.Discovered{}, fingerprint{}, ctx.Err()
	default:
		out.Note = "no profile fits: see its registers"
	}
	return out, fingerprint{out.Profile, out.Serial, string(head), out.Note}, nil
}

// clean keeps what can be printed of a text that a device sent.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, s))
}
