package pki

import (
	"net"
	"os"
	"strings"
)

// mostNames bounds how many addresses of its own a certificate lists.
const mostNames = 64

// ownNames are the names and addresses under which others may reach this machine, as far as it knows them.
func ownNames() []string {
	out := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && !strings.ContainsAny(name, " _/") && len(name) < 250 {
		out = append(out, name)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return out // loopback and the names that were given are left
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && len(out) < mostNames {
			out = append(out, ip.IP.String())
		}
	}
	return out
}
