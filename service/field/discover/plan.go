package discover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/service/field/modbus"
)

// ErrInvalid marks a request that no scan can be made of.
var ErrInvalid = errors.New("cannot be scanned")

// The bounds of a scan. It asks only what it was told to, writes nothing, and ends by itself.
const (
	maxHosts        = 1024
	maxTime         = 10 * time.Minute
	connectTimeout  = 500 * time.Millisecond
	answerTimeout   = time.Second
	inFlight        = 32
	connectInterval = 10 * time.Millisecond // 100 connects a second
	sweepPause      = 40 * time.Millisecond // between the units of one address
	lastUnit        = 247
)

// defaultUnits are tried at a host: devices of their own are unit 1, or take any; 255 and 0 are for the converter itself.
var defaultUnits = []byte{1, 255, 0}

// Request says where to look.
type Request struct {
	// Ranges are hosts: 192.0.2.7, 192.0.2.10-20, 192.0.2.0/26.
	Ranges []string `json:"ranges,omitempty"`
	Ports  []int    `json:"ports,omitempty"` // of the hosts; 502 without any
	// Lines are gateways and serial lines of which every unit of Units is asked: tcp://host:port, rtu+tcp://host:port,
	// serial:port?baud=19200&parity=e&stop=1.
	Lines []string `json:"lines,omitempty"`
	// Units are asked for: 1, 255 and 0 of a host, 1 to 247 of a line, without any.
	Units []int `json:"units,omitempty"`
	// Public allows addresses that are not private.
	Public bool `json:"public,omitempty"`
}

// target is an address and the units that are asked there.
type target struct {
	address string // as modbus.ParseAddress has it
	line    bool
	units   []byte
}

// Scan is a request that was found good.
type Scan struct {
	targets []target
}

// Addresses is how many addresses are tried, Units how many units in all.
func (s *Scan) Addresses() int { return len(s.targets) }

// Units is how many units are asked at most.
func (s *Scan) Units() int {
	n := 0
	for _, t := range s.targets {
		n += len(t.units)
	}
	return n
}

// AtMost is how long the scan takes when nothing answers at all.
func (s *Scan) AtMost() time.Duration {
	var longest, hosts time.Duration
	for _, t := range s.targets {
		if t.line {
			longest = max(longest, time.Duration(len(t.units))*(answerTimeout+sweepPause))
			continue
		}
		hosts += max(connectTimeout/inFlight, connectInterval)
	}
	return max(longest, hosts+connectTimeout)
}

// Plan checks a request. Its errors wrap ErrInvalid and say what to write instead.
func Plan(r Request) (*Scan, error) {
	s := &Scan{}
	units, err := unitsOf(r.Units)
	if err != nil {
		return nil, err
	}
	ports := r.Ports
	if len(ports) == 0 {
		ports = []int{502}
	}
	var hosts []netip.Addr
	for _, text := range r.Ranges {
		list, err := hostsOf(text)
		if err != nil {
			return nil, err
		}
		if hosts = append(hosts, list...); len(hosts) > maxHosts {
			return nil, fmt.Errorf("%w: more than %d hosts; scan one part after the other", ErrInvalid, maxHosts)
		}
	}
	for _, h := range hosts {
		if !r.Public && !h.IsPrivate() && !h.IsLoopback() && !h.IsLinkLocalUnicast() {
			return nil, fmt.Errorf("%w: %s is not a private address; to scan it all the same say so (public)", ErrInvalid, h)
		}
		for _, p := range ports {
			if p < 1 || p > 65535 {
				return nil, fmt.Errorf("%w: port %d, want 1 to 65535", ErrInvalid, p)
			}
			s.add(target{address: netip.AddrPortFrom(h, uint16(p)).String(), units: or(units, defaultUnits)})
		}
	}
	for _, l := range r.Lines {
		addr, err := modbus.ParseAddress(l)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		s.add(target{address: addr, line: true, units: or(units, allUnits())})
	}
	switch {
	case len(s.targets) == 0:
		return nil, fmt.Errorf("%w: name hosts such as 192.168.1.0/24, or a line such as serial:/dev/ttyUSB0", ErrInvalid)
	case s.AtMost() > maxTime:
		return nil, fmt.Errorf("%w: it could take %s, at most %s are allowed; ask fewer addresses or units", ErrInvalid, s.AtMost().Round(time.Second), maxTime)
	}
	return s, nil
}

func (s *Scan) add(t target) {
	if i := slices.IndexFunc(s.targets, func(o target) bool { return o.address == t.address }); i < 0 {
		s.targets = append(s.targets, t)
	} else if t.line {
		s.targets[i] = t // named as a line: all of its units
	}
}

func or(a, b []byte) []byte {
	if len(a) > 0 {
		return a
	}
	return b
}

func allUnits() []byte {
	out := make([]byte, lastUnit)
	for i := range out {
		out[i] = byte(i + 1)
	}
	return out
}

func unitsOf(list []int) ([]byte, error) {
	var out []byte
	for _, n := range list {
		if n < 0 || n > 255 {
			return nil, fmt.Errorf("%w: unit %d, want 0 to 255", ErrInvalid, n)
		}
		if !slices.Contains(out, byte(n)) {
			out = append(out, byte(n))
		}
	}
	return out, nil
}

// hostsOf reads 192.0.2.7, 192.0.2.10-20, 192.0.2.10-192.0.2.20 and 192.0.2.0/26, of IPv4.
func hostsOf(text string) ([]netip.Addr, error) {
	bad := fmt.Errorf("%w: %q, want hosts such as 192.168.1.7, 192.168.1.10-20 or 192.168.1.0/24", ErrInvalid, text)
	if prefix, err := netip.ParsePrefix(text); err == nil {
		if !prefix.Addr().Is4() {
			return nil, bad
		}
		if prefix.Bits() < 22 {
			return nil, fmt.Errorf("%w: %s has more than %d hosts; scan one part after the other", ErrInvalid, text, maxHosts)
		}
		prefix = prefix.Masked()
		first := number(prefix.Addr())
		last := first + 1<<(32-prefix.Bits()) - 1
		if prefix.Bits() < 31 { // the network and its broadcast address are no hosts
			first, last = first+1, last-1
		}
		return span(first, last), nil
	}
	from, to, ranged := strings.Cut(text, "-")
	a, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil || !a.Is4() {
		return nil, bad
	}
	if !ranged {
		return []netip.Addr{a}, nil
	}
	to = strings.TrimSpace(to)
	first, last := number(a), uint32(0)
	if n, err := strconv.Atoi(to); err == nil && n >= 0 && n <= 255 {
		last = first&^0xFF | uint32(n)
	} else if b, err := netip.ParseAddr(to); err == nil && b.Is4() {
		last = number(b)
	} else {
		return nil, bad
	}
	if last < first || last-first >= maxHosts {
		return nil, fmt.Errorf("%w: %q is empty, or more than %d hosts", ErrInvalid, text, maxHosts)
	}
	return span(first, last), nil
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func span(first, last uint32) []netip.Addr {
	var out []netip.Addr
	for n := uint64(first); n <= uint64(last); n++ {
		out = append(out, netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(n)))))
	}
	return out
}
