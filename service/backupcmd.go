package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"metermanager/rpc/permission"
	"metermanager/service/backup"
	"metermanager/service/check"
	"metermanager/service/config"
)

// backupCmd writes the whole state of a node into a file and reads it back.
type backupCmd struct {
	remote
	File       string `arg:"" type:"path" help:"File to write."`
	Folder     string `type:"path" placeholder:"DIR" help:"Back up this data folder, in which no service runs, instead of asking a service."`
	Check      bool   `help:"Only read FILE and check it; nothing is written."`
	Passphrase string `name:"passphrase-file" placeholder:"FILE" help:"Encrypt with the passphrase in the first line of FILE; - is standard input."`
	NoKey      bool   `help:"Leave the master key out: the file opens no secret, and needs the key from elsewhere to be of use."`
	Quick      bool   `help:"Check the files and databases, but not every record."`
	Force      bool   `help:"Replace FILE when it is there."`
	JSON       bool   `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (backupCmd) Help() string {
	return `Example: metermanager backup /mnt/safe/site.backup --passphrase-file ./passphrase

The file holds all of a node: logs, meters, users, cloud settings, archive files, configuration, and the secrets with the key that opens them. It is written for its owner only; keep it like a key, or encrypt it. The service goes on working. At the end the file is read back: every checksum, both databases, every record.

Exit code 0: the file is there and sound. 6: it was read and something is damaged.`
}

// Run writes and checks, or only checks.
func (c *backupCmd) Run(ctx context.Context, p *program) error {
	passphrase, err := readPassphrase(c.Passphrase, p.stdin)
	if err != nil {
		return err
	}
	start := time.Now()
	say := p.progress()
	path := c.File
	if !c.Check {
		if _, err := os.Lstat(c.File); err == nil && !c.Force {
			return usageError{fmt.Sprintf("%s is there already; give --force to replace it", c.File)}
		}
		path = c.File + ".unfinished"
		if err := c.write(ctx, p, path, passphrase, say); err != nil {
			return err
		}
	}
	written := time.Since(start)
	m, found, err := backup.Verify(ctx, path, backup.VerifyOptions{Passphrase: passphrase, Quick: c.Quick, Progress: say, Logger: slog.New(slog.DiscardHandler)})
	say("")
	if err != nil {
		return fmt.Errorf("check the backup %s: %w", path, err)
	}
	if path != c.File {
		if err := rename(path, c.File); err != nil {
			return err
		}
	}
	return c.report(p, m, found, written, time.Since(start)-written)
}

// write writes a new file that is readable for its owner only.
func (c *backupCmd) write(ctx context.Context, p *program, path, passphrase string, say backup.Progress) (err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of a backup that was killed
		return fmt.Errorf("begin the file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("begin the file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path) // it is of no use
		}
	}()
	sealed, err := backup.Seal(&counting{w: f, say: say}, passphrase)
	if err == nil {
		buffered := bufio.NewWriterSize(sealed, 1<<20)
		if c.Folder != "" {
			err = c.fromFolder(ctx, buffered)
		} else {
			err = c.fromService(ctx, p, buffered)
		}
		err = errors.Join(err, buffered.Flush(), sealed.Close())
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func (c *backupCmd) fromService(ctx context.Context, p *program, w io.Writer) error {
	service, done, err := c.connect(ctx, p, permission.System)
	if err != nil {
		return err
	}
	defer done()
	return service.Backup(ctx, c.NoKey, w)
}

func (c *backupCmd) fromFolder(ctx context.Context, w io.Writer) (err error) {
	f, err := openFolder(ctx, c.Folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if len(f.Broken) > 0 {
		return fmt.Errorf("%s: %s; %s", f.Broken[0].Place, f.Broken[0].Text, f.Broken[0].Advice)
	}
	_, err = backup.Write(ctx, w, backup.Source{
		Data: c.Folder, Meta: f.Meta, Logs: f.Base, Version: version, Commit: commit(), OmitKey: c.NoKey,
	})
	return err
}

// folder is a data folder that nobody else works in.
type folder struct {
	*check.Folder
	close func() error
}

// openFolder locks a data folder and opens its databases for reading.
func openFolder(ctx context.Context, dir string) (*folder, error) {
	if _, err := os.Stat(config.LogsFile(dir)); err != nil {
		return nil, usageError{fmt.Sprintf("%s is no data folder of a service: %v", dir, err)}
	}
	unlock, err := config.LockFolder(dir)
	if errors.Is(err, syscall.EROFS) { // nobody works there
		unlock, err = func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	if err := backup.Unfinished(dir); err != nil {
		return nil, errors.Join(err, unlock())
	}
	f, err := check.OpenFolder(ctx, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	return &folder{f, func() error { return errors.Join(f.Close(), unlock()) }}, nil
}

func (c *backupCmd) report(p *program, m backup.Manifest, found backup.Found, written, checked time.Duration) error {
	info, err := os.Stat(c.File)
	if err != nil {
		return fmt.Errorf("look at the file: %w", err)
	}
	if c.JSON {
		err := printJSON(p.stdout, map[string]any{
			"file": c.File, "bytes": info.Size(), "content_bytes": m.Bytes(), "files": len(m.Files), "created": m.Created, "version": m.Version,
			"node": m.Node, "master_key": m.MasterKey, "encrypted": c.Passphrase != "", "left_out": m.LeftOut, "notes": found.Notes,
			"findings": found.Findings, "write_ms": written.Milliseconds(), "check_ms": checked.Milliseconds(),
		})
		if err == nil && len(found.Findings) > 0 {
			err = exitError{exitDifferent}
		}
		return err
	}
	fmt.Fprintf(p.stdout, "%s: %s MB, %d files with %s MB, of %s as it was at %s\n", c.File, megabytes(info.Size()), len(m.Files),
		megabytes(m.Bytes()), m.Node, m.Created.Local().Format(time.DateTime))
	if c.Check {
		fmt.Fprintf(p.stdout, "Read and checked in %s.\n", checked.Round(10*time.Millisecond))
	} else {
		fmt.Fprintf(p.stdout, "Written in %s, read back and checked in %s.\n", written.Round(10*time.Millisecond), checked.Round(10*time.Millisecond))
	}
	fmt.Fprintln(p.stdout, secrecy(m, c.Passphrase != ""))
	for _, text := range m.LeftOut {
		fmt.Fprintln(p.stdout, "Left out:", text)
	}
	for _, text := range found.Notes {
		fmt.Fprintln(p.stdout, "Note:", text)
	}
	return p.showFindings(found.Findings)
}

// secrecy says what somebody who has the file can do with it.
func secrecy(m backup.Manifest, encrypted bool) string {
	switch {
	case encrypted:
		return "It is encrypted; without the passphrase nobody can read it, you neither."
	case m.MasterKey:
		return "It is not encrypted and holds the key of all stored passwords and keys of clouds: keep it like a key."
	}
	return "It holds no master key: to restore it, put the node's secrets/master.key into the restored folder."
}

// counting tells how many bytes were written.
type counting struct {
	w     io.Writer
	bytes int64
	say   backup.Progress
}

// Write implements io.Writer.
func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.bytes += int64(n)
	if c.say != nil {
		c.say(fmt.Sprintf("received %s MB", megabytes(c.bytes)))
	}
	return n, err
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }

// progress returns a line that is written anew on a terminal, and every half minute elsewhere. "" ends it.
func (p *program) progress() backup.Progress {
	live := isTerminal(p.stderr)
	every := 30 * time.Second
	if live {
		every = 200 * time.Millisecond
	}
	last, shown := time.Now(), false
	return func(text string) {
		switch {
		case text == "" && live && shown:
			fmt.Fprint(p.stderr, "\r\x1b[K")
		case text == "" || time.Since(last) < every:
		case live:
			fmt.Fprint(p.stderr, "\r\x1b[K", text)
			last, shown = time.Now(), true
		default:
			fmt.Fprintln(p.stderr, text)
			last = time.Now()
		}
	}
}

// readPassphrase reads the first line of a file; "" is no passphrase.
func readPassphrase(from string, stdin io.Reader) (string, error) {
	if from == "" {
		return "", nil
	}
	r := stdin
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		defer f.Close()
		r = f
	}
	line, err := bufio.NewReader(io.LimitReader(r, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the passphrase: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usageError{"the passphrase is empty"}
	}
	return line, nil
}

// rename gives a finished file its name for good.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("name the file: %w", err)
	}
	if folder, err := os.Open(filepath.Dir(to)); err == nil {
		_ = folder.Sync() // Windows cannot, and does not need it
		_ = folder.Close()
	}
	return nil
}
