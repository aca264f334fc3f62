package export

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"metermanager/rpc/pki"
)

// link is an open way to a target.
type link interface {
	// write sends frames, each whole.
	write(frames []string) error
	// sure reports whether what was written is there for good.
	sure() bool
	// lost is closed when the other side is gone.
	lost() <-chan struct{}
	// finish ends the link and reports whether the other side has taken everything.
	finish() bool
}

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 20 * time.Second
)

func open(ctx context.Context, t Target, folder string) (link, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "file" {
		return openFile(folder, u.Opaque)
	}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 3}}
	if u.Scheme == "udp" {
		c, err := dialer.DialContext(ctx, "udp", u.Host)
		if err != nil {
			return nil, err
		}
		return datagrams{c}, nil
	}
	dialer.Control = limitUnanswered
	c, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "tls" {
		if c, err = secure(ctx, c, u.Hostname(), t); err != nil {
			return nil, err
		}
	}
	s := &stream{conn: c, gone: make(chan struct{})}
	go s.watch()
	return s, nil
}

// secure makes the TLS of a connection.
func secure(ctx context.Context, c net.Conn, name string, t Target) (net.Conn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	var err error
	if t.CA != "" {
		cfg.RootCAs, err = pki.Pool(t.CA)
	}
	if err == nil && t.Fingerprint != "" {
		err = pki.Pin(cfg, t.Fingerprint, nil)
	}
	out := tls.Client(c, cfg)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		err = out.HandshakeContext(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return out, nil
}

// lines is a file to which lines are appended.
type lines struct{ f *os.File }

func openFile(folder, name string) (link, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	// A line that was cut by a crash or a full disk must not run into the next one.
	var last [1]byte
	if s, err := f.Stat(); err == nil && s.Size() > 0 {
		if _, err := f.ReadAt(last[:], s.Size()-1); err == nil && last[0] != '\n' {
			if _, err := f.WriteString("\n"); err != nil {
				return nil, errors.Join(err, f.Close())
			}
		}
	}
	return lines{f}, nil
}

// write appends the lines and has them on the disk. The file is opened anew for the next ones, so that it can be rotated.
func (l lines) write(frames []string) error {
	for _, line := range frames {
		if _, err := l.f.WriteString(line); err != nil {
			return err
		}
	}
	return l.f.Sync()
}

func (l lines) sure() bool            { return true }
func (l lines) lost() <-chan struct{} { return nil }
func (l lines) finish() bool          { return l.f.Close() == nil }

// datagrams are sent and forgotten.
type datagrams struct{ conn net.Conn }

func (d datagrams) write(frames []string) error {
	for _, frame := range frames {
		// A receiver that is not there answers the packet before: that is no reason to send this one twice.
		if _, err := io.WriteString(d.conn, frame); err != nil && !errors.Is(err, io.ErrShortWrite) {
			if _, err = io.WriteString(d.conn, frame); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d datagrams) sure() bool            { return true }
func (d datagrams) lost() <-chan struct{} { return nil }
func (d datagrams) finish() bool          { return d.conn.Close() == nil }

// stream is a connection of TCP, with or without TLS. Receivers of syslog never answer: what was written is there for good only when the
// connection lives on, or ends in order.
type stream struct {
	conn  net.Conn
	gone  chan struct{}
	clean bool // the other side has ended the connection in order; set before gone is closed
}

// watch sees the end of the connection.
func (s *stream) watch() {
	_, err := io.Copy(io.Discard, s.conn)
	s.clean = err == nil
	close(s.gone)
}

func (s *stream) write(frames []string) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	size := 0
	for _, frame := range frames {
		size += len(frame)
	}
	all := make([]byte, 0, size)
	for _, frame := range frames {
		all = append(all, frame...)
	}
	if _, err := s.conn.Write(all); err != nil {
		return fmt.Errorf("write to the receiver: %w", err)
	}
	return nil
}

func (s *stream) sure() bool            { return false }
func (s *stream) lost() <-chan struct{} { return s.gone }

// finishTimeout is how long the other side may take to end the connection in order.
const finishTimeout = 3 * time.Second

func (s *stream) finish() bool {
	select {
	case <-s.gone: // it went first, and may have left what was on its way
		_ = s.conn.Close()
		return false
	default:
	}
	half, ok := s.conn.(interface{ CloseWrite() error })
	inOrder := ok && half.CloseWrite() == nil
	if inOrder {
		timer := time.NewTimer(finishTimeout)
		defer timer.Stop()
		select {
		case <-s.gone:
			inOrder = s.clean
		case <-timer.C:
			inOrder = false
		}
	}
	_ = s.conn.Close()
	<-s.gone
	return inOrder
}
