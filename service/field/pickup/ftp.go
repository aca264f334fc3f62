package pickup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/jlaffaye/ftp"

	"metermanager/logdb/format"
)

// The bounds of one look at an FTP server.
const (
	ftpTimeout  = 30 * time.Second // for each step
	ftpMaxFiles = 10_000
)

// password returns what a place of a password holds.
func (r *Runner) password(ctx context.Context, place string) (string, error) {
	if r.cfg.Password != nil {
		return r.cfg.Password(ctx, place)
	}
	b, err := os.ReadFile(place)
	return strings.TrimRight(string(b), "\r\n"), err
}

// fetch brings the files of a server that are new or changed since they were fetched into the folder. Nothing is changed at
// the server. A file enters the folder whole: under a name of its own until then, and when two lists tell the same of it. soon tells
// that another list may.
func (r *Runner) fetch(ctx context.Context, f Folder) (soon bool, err error) {
	u, err := url.Parse(f.FTP)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	password := "anonymous"
	if f.PasswordFile != "" {
		if password, err = r.password(ctx, f.PasswordFile); err != nil {
			return false, fmt.Errorf("read the password of the FTP server: %w", err)
		}
	}
	user := u.User.Username()
	if user == "" {
		user = "anonymous"
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "21")
	}
	c, err := ftp.Dial(host, ftp.DialWithContext(ctx), ftp.DialWithTimeout(ftpTimeout), ftp.DialWithShutTimeout(ftpTimeout))
	if err != nil {
		return false, fmt.Errorf("reach the FTP server %s: %w", host, err)
	}
	defer func() { _ = c.Quit() }() // what matters is here by then
	stop := context.AfterFunc(ctx, func() { _ = c.Quit() })
	defer stop()
	if err := c.Login(user, password); err != nil {
		return false, fmt.Errorf("log in at the FTP server %s as %s: %w", host, user, err)
	}
	dir := u.Path
	if dir == "" {
		dir = "/"
	}
	list, err := c.List(dir)
	if err != nil {
		return false, fmt.Errorf("list %s at the FTP server %s: %w", dir, host, err)
	}
	if len(list) > ftpMaxFiles {
		return false, fmt.Errorf("%s at the FTP server %s holds %d files, at most %d are looked at", dir, host, len(list), ftpMaxFiles)
	}
	before, err := r.state.Fetched(ctx, f.ID)
	if err != nil {
		return false, err
	}
	var errs []error
	seen, now := rests{}, time.Now()
	defer func() { r.listed[f.ID] = seen }()
	for _, e := range list {
		name := e.Name
		if e.Type != ftp.EntryTypeFile || name != path.Base(name) || name != filepath.Base(name) || strings.HasPrefix(name, ".") || unfinished(name) || e.Size == 0 {
			continue
		}
		mark := fmt.Sprintf("%d %s", e.Size, e.Time.UTC().Format(time.RFC3339))
		if before[name] == mark {
			continue
		}
		if r.listed[f.ID].note(seen, name, mark, now) < r.cfg.Settle {
			soon = true
			continue
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err := download(c, path.Join(dir, name), filepath.Join(f.Path, name), e.Size); err != nil {
			errs = append(errs, fmt.Errorf("fetch %s from the FTP server %s: %w", name, host, err))
			continue
		}
		if err := r.state.PutFetched(ctx, f.ID, name, mark); err != nil {
			return false, err
		}
	}
	return soon, errors.Join(errs...)
}

// download brings one file. One that is still being written there comes short or long, and is fetched again when it has changed.
func download(c *ftp.ServerConn, from, to string, size uint64) error {
	if size > format.DefaultMaxBytes {
		return fmt.Errorf("it has %d bytes, at most %d are taken", size, format.DefaultMaxBytes)
	}
	body, err := c.Retr(from)
	if err != nil {
		return err
	}
	tmp := to + ".part"
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return errors.Join(err, body.Close())
	}
	_ = body.SetDeadline(time.Now().Add(10 * ftpTimeout))
	n, err := io.Copy(out, io.LimitReader(body, format.DefaultMaxBytes+1))
	err = errors.Join(err, body.Close(), out.Sync(), out.Close())
	if err == nil && uint64(n) != size {
		err = fmt.Errorf("%d bytes came of %d", n, size)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	// Its age is that of its arrival: it is taken when it has settled.
	return os.Rename(tmp, to)
}
