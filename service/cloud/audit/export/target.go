package export

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"metermanager/rpc/fault"
	"metermanager/rpc/pki"
	"metermanager/service/cloud/audit"
)

// The forms of what is sent.
const (
	FormatSyslog = "syslog" // RFC 5424 with structured data
	FormatCEF    = "cef"    // CEF; to receivers of syslog as the message of RFC 5424
)

// Target is where the audit goes.
type Target struct {
	Name string
	// ID tells it from a target of the same name that was removed.
	ID string
	// URL is file:NAME, which lies in the folder of the exporter, udp://host:port, tcp://host:port or tls://host:port. TCP and TLS count octets (RFC 6587, RFC 5425).
	URL string
	// Format is FormatSyslog or FormatCEF, View audit.ViewServer or audit.ViewAdmin.
	Format, View string
	// CA is a PEM file with the authorities of a tls target, Fingerprint the only certificate that it may have; "": those that the machine
	// trusts.
	CA, Fingerprint string
	// Position is the number of the last event that the target is known to have.
	Position int64
	// Holder is the process that serves it, "" none.
	Holder string
}

// check returns the target with its defaults, or what is wrong with it.
func (t Target) check() (Target, error) {
	if !plain(t.Name, 32) {
		return t, fault.New(fault.Invalid, "The name of a target is 1 to 32 of letters, digits, dot, hyphen and underscore.").At("name")
	}
	if t.Format == "" {
		t.Format = FormatSyslog
	}
	if t.View == "" {
		t.View = audit.ViewServer
	}
	if t.Format != FormatSyslog && t.Format != FormatCEF {
		return t, fault.New(fault.Invalid, "A format is syslog or cef.").At("format")
	}
	if t.View != audit.ViewServer && t.View != audit.ViewAdmin {
		return t, fault.New(fault.Invalid, "A view is server or admin.").At("view")
	}
	u, err := url.Parse(t.URL)
	if err != nil {
		return t, errURL
	}
	switch u.Scheme {
	case "file":
		if !plain(u.Opaque, 100) { // who may add targets must not write wherever the service can
			return t, errURL
		}
	case "udp", "tcp", "tls":
		if u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			return t, errURL
		}
		if u.Port() == "" {
			t.URL = u.Scheme + "://" + net.JoinHostPort(u.Hostname(), map[string]string{"udp": "514", "tcp": "514", "tls": "6514"}[u.Scheme])
		}
	default:
		return t, errURL
	}
	if t.Fingerprint != "" {
		if t.Fingerprint, err = pki.ParseFingerprint(t.Fingerprint); err != nil {
			return t, fault.Wrap(fault.Invalid, "That is no fingerprint of a certificate.", err).At("fingerprint")
		}
	}
	if (t.CA != "" || t.Fingerprint != "") && u.Scheme != "tls" {
		return t, fault.New(fault.Invalid, "Only a tls target has a certificate.").At("url")
	}
	if t.CA != "" {
		if _, err := pki.Pool(t.CA); err != nil {
			return t, fault.Wrap(fault.Invalid, "The certificates of the authorities cannot be read.", err).At("ca")
		}
	}
	return t, nil
}

// plain reports whether a name is one of letters, digits, dot, hyphen and underscore that begins with no dot.
func plain(name string, most int) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return len(name) >= 1 && len(name) <= most && name[0] != '.' && strings.Trim(name, letters) == ""
}

var errURL = fault.New(fault.Invalid, "A target is file:NAME (in the folder audit of the data folder), udp://host:port, tcp://host:port or tls://host:port.").At("url")

// message is an event as the target takes it, without its framing.
func (t Target) message(p audit.Writer, e audit.Event) string {
	switch {
	case t.Format == FormatSyslog:
		return p.Syslog(e)
	case strings.HasPrefix(t.URL, "file:"):
		return p.CEF(e)
	}
	return p.SyslogCEF(e)
}

// framed is a message as it goes over the wire of the target.
func (t Target) framed(message string) string {
	switch {
	case strings.HasPrefix(t.URL, "udp:"):
		return message[:min(len(message), mostDatagram)]
	case strings.HasPrefix(t.URL, "file:"):
		return message + "\n"
	}
	return fmt.Sprintf("%d %s", len(message), message)
}

// mostDatagram is what IPv4 carries in one.
const mostDatagram = 65_507
