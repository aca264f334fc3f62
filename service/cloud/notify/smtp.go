package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"strings"
	"time"
)

// SMTP hands mails to a server over the submission protocol (RFC 5321, 3207, 4954, 8314).
type SMTP struct {
	// Server is host:port. Security is starttls, tls or none.
	Server, Security string
	// User and PasswordFile log in; the file is read for each mail, so that a new password needs no restart.
	User, PasswordFile string
	// Password returns what PasswordFile names; nil: the first line of that file.
	Password func(ctx context.Context, place string) (string, error)
	From     string
	// Timeout bounds one mail; 1 min by default.
	Timeout time.Duration
	TLS     *tls.Config // nil: the system's
}

var _ Sender = (*SMTP)(nil)

// Send hands one mail over.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return fmt.Errorf("read the sender's address: %w", err)
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil {
		return fmt.Errorf("%w: the recipient's address is none", ErrRefused)
	}
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // after Quit it is closed
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if err := s.hand(c, from.Address, to.Address, compose(from, to, m)); err != nil {
		return refused(err)
	}
	_ = c.Quit() // the mail was taken
	return nil
}

// open connects, secures the connection and logs in.
func (s *SMTP) open(ctx context.Context) (*smtp.Client, error) {
	host, _, err := net.SplitHostPort(s.Server)
	if err != nil {
		return nil, fmt.Errorf("read the mail server's address: %w", err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Server)
	if err != nil {
		return nil, fmt.Errorf("reach the mail server: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	secure := s.TLS.Clone()
	if secure == nil {
		secure = &tls.Config{}
	}
	secure.ServerName, secure.MinVersion = host, max(secure.MinVersion, tls.VersionTLS12)
	if s.Security == "tls" {
		conn = tls.Client(conn, secure)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("greet the mail server: %w", err), conn.Close())
	}
	if err := s.login(ctx, c, host, secure); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (s *SMTP) login(ctx context.Context, c *smtp.Client, host string, secure *tls.Config) error {
	if s.Security == "" || s.Security == "starttls" {
		// A server that does not offer it may stand behind somebody who took the offer away: nothing is sent in the clear then.
		if err := c.StartTLS(secure); err != nil {
			return fmt.Errorf("secure the connection to the mail server: %w", err)
		}
	}
	if s.User == "" {
		return nil
	}
	password, err := s.password(ctx)
	if err != nil {
		return fmt.Errorf("read the password for the mail server: %w", err)
	}
	if err := c.Auth(smtp.PlainAuth("", s.User, password, host)); err != nil {
		return fmt.Errorf("log in at the mail server: %w", err)
	}
	return nil
}

func (s *SMTP) password(ctx context.Context) (string, error) {
	if s.Password != nil {
		return s.Password(ctx, s.PasswordFile)
	}
	text, err := os.ReadFile(s.PasswordFile)
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimRight(line, "\r"), err
}

func (s *SMTP) hand(c *smtp.Client, from, to string, body []byte) error {
	if err := c.Mail(from); err != nil {
		return fmt.Errorf("name the sender: %w", err)
	}
	if err := c.Rcpt(to); err != nil {
		return fmt.Errorf("name the recipient: %w", err)
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("begin the mail: %w", err)
	}
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write the mail: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("end the mail: %w", err)
	}
	return nil
}

// refused marks an answer of the 500s: the server will give it again. What concerns the login may change.
func refused(err error) error {
	var answer *textproto.Error
	if errors.As(err, &answer) && answer.Code >= 550 && answer.Code < 560 {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// compose writes the mail: plain text in UTF-8, so that no reader needs more, and a name that stays the same however often it is sent.
func compose(from, to *mail.Address, m Message) []byte {
	var b bytes.Buffer
	_, domain, _ := strings.Cut(from.Address, "@")
	head := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	head("From", from.String())
	head("To", to.String())
	head("Subject", mime.QEncoding.Encode("utf-8", strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' ' // no header follows from a text
		}
		return r
	}, m.Subject)))
	head("Date", m.At.UTC().Format(time.RFC1123Z))
	head("Message-ID", "<"+m.ID+"@"+domain+">")
	head("MIME-Version", "1.0")
	head("Content-Type", "text/plain; charset=utf-8")
	head("Content-Transfer-Encoding", "quoted-printable")
	head("Auto-Submitted", "auto-generated")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(strings.ReplaceAll(m.Text, "\n", "\r\n"))) // a buffer takes everything
	_ = q.Close()
	return b.Bytes()
}
