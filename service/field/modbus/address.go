package modbus

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The schemes of addresses.
const (
	schemeTCP    = "tcp"     // Modbus TCP
	schemeRTU    = "rtu+tcp" // the frames of a serial line in a TCP connection, as transparent gateways want them
	schemeSerial = "serial"  // a serial port of this machine
)

// line is how a serial port is set.
type line struct {
	Baud   int
	Parity string // N, E or O
	Stop   int
}

// charTime is how long one character takes on the line: start bit, 8 data bits, parity and stop bits.
func (l line) charTime() time.Duration {
	bits := 9 + l.Stop
	if l.Parity != "N" {
		bits++
	}
	return time.Duration(bits) * time.Second / time.Duration(l.Baud)
}

// silence is the least time between two frames: 3.5 characters, above 19200 baud 1.75 ms (Modbus over Serial Line 1.02,
// clause 2.5.1.1).
func (l line) silence() time.Duration {
	if l.Baud > 19200 {
		return 1750 * time.Microsecond
	}
	return l.charTime() * 7 / 2
}

// address is a parsed address.
type address struct {
	scheme string
	target string // host:port, or the port's name
	line   line
}

// String is the canonical form: host:port for Modbus TCP, else with the scheme.
func (a address) String() string {
	switch a.scheme {
	case schemeRTU:
		return schemeRTU + "://" + a.target
	case schemeSerial:
		return fmt.Sprintf("%s:%s?baud=%d&parity=%s&stop=%d", schemeSerial, a.target, a.line.Baud, strings.ToLower(a.line.Parity), a.line.Stop)
	}
	return a.target
}

// rtu reports whether frames are those of a serial line.
func (a address) rtu() bool { return a.scheme != schemeTCP }

// ParseAddress reads an address and returns its canonical form:
//
//	host, host:port, tcp://host:port                           Modbus TCP; the usual port is 502
//	rtu+tcp://host:port                                        Modbus RTU in a TCP connection
//	serial:/dev/ttyUSB0?baud=19200&parity=e&stop=1, serial:COM3 a serial port; these are the usual settings
func ParseAddress(s string) (string, error) {
	a, err := parse(s)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

func parse(s string) (address, error) {
	bad := func(format string, args ...any) (address, error) {
		return address{}, fmt.Errorf("%w: address %q: %s", ErrInvalidRequest, s, fmt.Sprintf(format, args...))
	}
	if rest, ok := strings.CutPrefix(s, schemeSerial+":"); ok {
		l, name, err := parseLine(rest)
		if err != nil {
			return bad("%v", err)
		}
		return address{schemeSerial, name, l}, nil
	}
	a := address{scheme: schemeTCP, target: s}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		if scheme != schemeTCP && scheme != schemeRTU {
			return bad("transport %q, want tcp, rtu+tcp or serial", scheme)
		}
		a.scheme, a.target = scheme, rest
	}
	if a.target == "" || strings.ContainsAny(a.target, " /") {
		return bad("want host or host:port")
	}
	if h, p, err := net.SplitHostPort(a.target); err == nil {
		if h == "" || p == "" {
			return bad("want host or host:port")
		}
		return a, nil
	}
	if a.scheme == schemeRTU {
		return bad("want rtu+tcp://host:port: gateways have no usual port for it")
	}
	a.target = net.JoinHostPort(strings.Trim(a.target, "[]"), "502")
	return a, nil
}

func parseLine(s string) (line, string, error) {
	name, query, _ := strings.Cut(s, "?")
	name = strings.TrimPrefix(name, "//") // serial:///dev/ttyUSB0, serial://COM3
	if name == "" || strings.ContainsAny(name, " \x00") {
		return line{}, "", fmt.Errorf("want the name of a port, such as serial:/dev/ttyUSB0")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return line{}, "", fmt.Errorf("its settings %q cannot be read", query)
	}
	l := line{Baud: 19200, Parity: "E", Stop: 1}
	for key, list := range values {
		v := list[len(list)-1]
		n, err := strconv.Atoi(v)
		switch {
		case key == "baud" && err == nil && n >= 300 && n <= 921_600:
			l.Baud = n
		case key == "stop" && (v == "1" || v == "2"):
			l.Stop = n
		case key == "parity" && len(v) == 1 && strings.Contains("NEO", strings.ToUpper(v)):
			l.Parity = strings.ToUpper(v)
		default:
			return line{}, "", fmt.Errorf("%s=%s, want baud=300 to 921600, parity=n, e or o, stop=1 or 2", key, v)
		}
	}
	return l, name, nil
}
