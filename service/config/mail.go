package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strings"
)

// The ways in which people may make accounts for themselves.
const (
	RegistrationOpen   = "open"
	RegistrationJoin   = "join"
	RegistrationClosed = "closed"
)

// The ways in which a mail server is spoken to.
const (
	SMTPStartTLS = "starttls"
	SMTPTLS      = "tls"
	SMTPPlain    = "none"
)

// People is what the node needs to know to deal with people: how they make accounts, where they find it, and how it writes to them.
type People struct {
	// Registration is open (everybody makes customers), join (the default: only with the key or an invitation of one) or closed (only
	// with an invitation).
	Registration string `json:"registration"`
	// PublicURL is where people reach the node, for links in mails; the address of listen without it.
	PublicURL string `json:"public_url,omitempty"`
	// SMTPServer is host:port of the mail server; without it mails wait.
	SMTPServer string `json:"smtp_server,omitempty"`
	// SMTPSecurity is starttls (the default), tls, or none for a server on this machine.
	SMTPSecurity string `json:"smtp_security,omitempty"`
	SMTPUser     string `json:"smtp_user,omitempty"`
	// SMTPPasswordFile holds the password of SMTPUser on its first line.
	SMTPPasswordFile string `json:"smtp_password_file,omitempty"`
	// SMTPFrom is the address that mails come from.
	SMTPFrom string `json:"smtp_from,omitempty"`
}

// text is one text of People with its key.
func (p *People) texts() map[string]*string {
	return map[string]*string{
		"registration": &p.Registration, "public_url": &p.PublicURL, "smtp_server": &p.SMTPServer, "smtp_security": &p.SMTPSecurity,
		"smtp_user": &p.SMTPUser, "smtp_password_file": &p.SMTPPasswordFile, "smtp_from": &p.SMTPFrom,
	}
}

// peopleVariables are the environment variables of People: the keys in capitals.
func peopleVariables() map[string]func(c *Config, value string) error {
	out := map[string]func(c *Config, value string) error{}
	for key := range new(People).texts() {
		out["MM_"+strings.ToUpper(key)] = func(c *Config, v string) error {
			*c.texts()[key] = v
			return nil
		}
	}
	return out
}

// checkPeople reports the first setting that makes no sense.
func (p *People) checkPeople() error {
	switch p.Registration {
	case "", RegistrationOpen, RegistrationJoin, RegistrationClosed:
	default:
		return fmt.Errorf("%w: registration: %q, want open, join or closed", ErrInvalid, p.Registration)
	}
	if p.PublicURL != "" {
		u, err := url.Parse(p.PublicURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(p.PublicURL, "/") {
			return fmt.Errorf("%w: public_url: want https://HOST, with nothing behind it", ErrInvalid)
		}
	}
	if p.SMTPServer == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(p.SMTPServer)
	if err != nil || host == "" {
		return fmt.Errorf("%w: smtp_server: %q, want host:port such as mail.example.net:587", ErrInvalid, p.SMTPServer)
	}
	switch p.SMTPSecurity {
	case "", SMTPStartTLS, SMTPTLS:
	case SMTPPlain:
		if !loopback(host) {
			return fmt.Errorf("%w: smtp_security: none is for a mail server on this machine: mails hold links that let somebody in", ErrInvalid)
		}
	default:
		return fmt.Errorf("%w: smtp_security: %q, want starttls, tls or none", ErrInvalid, p.SMTPSecurity)
	}
	if a, err := mail.ParseAddress(p.SMTPFrom); err != nil || a.Address == "" {
		return fmt.Errorf("%w: smtp_from: %q, want the address that mails come from", ErrInvalid, p.SMTPFrom)
	}
	if (p.SMTPUser == "") != (p.SMTPPasswordFile == "") {
		return fmt.Errorf("%w: smtp_user and smtp_password_file belong together: give both or none", ErrInvalid)
	}
	return nil
}
