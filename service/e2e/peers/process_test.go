//go:build unix

package peers_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// freePort finds a port of loopback that nobody uses just now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// child starts a program that ends with the test.
func child(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	c.Env = append(os.Environ(), env...)
	must(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
}

// answers waits until an address answers with a status below 500.
func answers(t *testing.T, url string) {
	t.Helper()
	for range 600 {
		if r, err := http.Get(url); err == nil {
			_ = r.Body.Close()
			if r.StatusCode < 500 {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s does not answer", url)
}

// fetch sends a request and returns how many bytes came back.
func fetch(t *testing.T, method, url, key string, body []byte) int64 {
	t.Helper()
	for range 100 {
		req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
		must(t, err)
		req.Header.Set("Accept-Encoding", "identity")
		if key != "" {
			req.Header.Set("X-Api-Key", key)
		}
		r, err := http.DefaultClient.Do(req)
		must(t, err)
		if r.StatusCode == http.StatusTooManyRequests {
			_ = r.Body.Close()
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if r.StatusCode >= 300 {
			text, _ := io.ReadAll(r.Body)
			t.Fatalf("%s: %d %.300s", url, r.StatusCode, text)
		}
		n, err := io.Copy(io.Discard, r.Body)
		must(t, err)
		must(t, r.Body.Close())
		return n
	}
	t.Fatalf("%s is always too busy", url)
	return 0
}

// fetchText returns what an address answers.
func fetchText(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	must(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	must(t, err)
	return string(text)
}

// folderBytes is what the files of a folder take.
func folderBytes(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// postgres is a private cluster: it refuses to run as root, so as the user of the package.
type postgres struct {
	bin, dir string
	port     int
	as       *syscall.Credential
}

func (p *postgres) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(p.bin, name), args...)
	c.Dir = p.dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func startPostgres(t *testing.T) *postgres {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "peers-pg-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &postgres{bin: bins[len(bins)-1], dir: dir, port: freePort(t)}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		must(t, err)
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		must(t, os.Chown(dir, uid, gid))
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(dir, "data")
	p.run(t, "initdb", "-D", data, "-A", "trust", "-U", "bench")
	options := fmt.Sprintf("-p %d -k %s -c listen_addresses= -c shared_buffers=256MB -c max_wal_size=4GB", p.port, dir)
	p.run(t, "pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start")
	t.Cleanup(func() { p.run(t, "pg_ctl", "-D", data, "-m", "fast", "-w", "stop") })
	return p
}

// session is a psql that stays open.
type session struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func (p *postgres) session(t *testing.T) *session {
	t.Helper()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(p.bin, "psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", p.dir, "-p", strconv.Itoa(p.port), "-U", "bench", "postgres")
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	must(t, err)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { _ = in.Close(); _ = c.Wait() })
	return &session{in, bufio.NewReaderSize(out, 1<<20)}
}

// ask sends commands and reads what they print up to the end.
func (s *session) ask(t *testing.T, commands string) (last string) {
	t.Helper()
	_, err := io.WriteString(s.in, commands+"\n\\echo the-end\n")
	must(t, err)
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			t.Fatalf("psql ended: %v", err)
		}
		if line == "the-end\n" {
			return last
		}
		last = strings.TrimSpace(line)
	}
}
