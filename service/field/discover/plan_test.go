package discover_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"metermanager/service/field/discover"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		r                discover.Request
		addresses, units int
		err              string
	}{
		{name: "a network", r: discover.Request{Ranges: []string{"192.168.1.0/24"}}, addresses: 254, units: 254 * 3},
		{name: "the largest", r: discover.Request{Ranges: []string{"10.0.0.0/22"}}, addresses: 1022, units: 1022 * 3},
		{name: "one host on two ports", r: discover.Request{Ranges: []string{"10.0.0.7"}, Ports: []int{502, 1502}, Units: []int{1, 1, 2}}, addresses: 2, units: 4},
		{name: "from, to", r: discover.Request{Ranges: []string{"10.0.0.7-9", "10.0.0.250-10.0.1.1"}}, addresses: 3 + 8, units: 33},
		{name: "two that overlap", r: discover.Request{Ranges: []string{"10.0.0.7-9", "10.0.0.8"}}, addresses: 3, units: 9},
		{name: "two hosts of a point-to-point network", r: discover.Request{Ranges: []string{"10.0.0.4/31"}}, addresses: 2, units: 6},
		{name: "a line", r: discover.Request{Lines: []string{"serial:/dev/ttyUSB0"}}, addresses: 1, units: 247},
		{name: "a gateway in a network", r: discover.Request{Ranges: []string{"10.0.0.6-7"}, Lines: []string{"tcp://10.0.0.7"}}, addresses: 2, units: 3 + 247},
		{name: "public, as was said", r: discover.Request{Ranges: []string{"203.0.113.7"}, Public: true}, addresses: 1, units: 3},

		{name: "nothing", err: "name hosts"},
		{name: "public", r: discover.Request{Ranges: []string{"203.0.113.7"}}, err: "not a private address"},
		{name: "too large", r: discover.Request{Ranges: []string{"10.0.0.0/8"}}, err: "more than 1024"},
		{name: "too many", r: discover.Request{Ranges: []string{"10.0.0.0/22", "10.1.0.0/24"}}, err: "more than 1024"},
		{name: "too many in a span", r: discover.Request{Ranges: []string{"10.0.0.0-10.255.0.0"}}, err: "more than 1024"},
		{name: "backwards", r: discover.Request{Ranges: []string{"10.0.0.9-7"}}, err: "empty"},
		{name: "a name", r: discover.Request{Ranges: []string{"meters"}}, err: "want hosts"},
		{name: "IPv6", r: discover.Request{Ranges: []string{"fd00::/120"}}, err: "want hosts"},
		{name: "a port", r: discover.Request{Ranges: []string{"10.0.0.7"}, Ports: []int{0}}, err: "port 0"},
		{name: "a unit", r: discover.Request{Ranges: []string{"10.0.0.7"}, Units: []int{300}}, err: "unit 300"},
		{name: "a line of no transport", r: discover.Request{Lines: []string{"udp://10.0.0.7"}}, err: "transport"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := discover.Plan(c.r)
			if c.err != "" {
				if !errors.Is(err, discover.ErrInvalid) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want one that says %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Addresses() != c.addresses || s.Units() != c.units {
				t.Errorf("%d addresses and %d units, want %d and %d", s.Addresses(), s.Units(), c.addresses, c.units)
			}
			if s.AtMost() <= 0 || s.AtMost() > 10*time.Minute {
				t.Errorf("at most %s", s.AtMost())
			}
		})
	}
}
