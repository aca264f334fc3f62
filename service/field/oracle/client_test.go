package oracle_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// client is a Modbus client of other authors. Exceptions come back as their code, else 0.
type client interface {
	read(t *testing.T, addr uint16, count int) (data []byte, exception int)
	write(t *testing.T, addr uint16, words ...uint16)
}

// dial runs a client program of a library.
func (l library) dial(t *testing.T, addr net.Addr, unit byte) *process {
	t.Helper()
	args := l.command(t, "client")
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(args[0], append(args[1:], port, strconv.Itoa(int(unit)))...)
	p := &process{}
	cmd.Stderr = &p.stderr
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(stdout)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.stdin.Close()
		_ = cmd.Wait()
	})
	return p
}

// process is a running client program, asked line by line.
type process struct {
	stdin  io.WriteCloser
	lines  *bufio.Scanner
	stderr bytes.Buffer
}

func (p *process) ask(t *testing.T, line string) (data []byte, exception int) {
	t.Helper()
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, p.stderr.String())
	}
	if !p.lines.Scan() {
		t.Fatalf("%s: no answer\n%s", line, p.stderr.String())
	}
	answer := p.lines.Text()
	if code, ok := strings.CutPrefix(answer, "exception "); ok {
		n, err := strconv.Atoi(code)
		if err != nil {
			t.Fatalf("%s: %s", line, answer)
		}
		return nil, n
	}
	if answer == "ok" {
		return nil, 0
	}
	data, err := hex.DecodeString(strings.ReplaceAll(answer, " ", ""))
	if err != nil {
		t.Fatalf("%s: %s", line, answer)
	}
	return data, 0
}

func (p *process) read(t *testing.T, addr uint16, count int) ([]byte, int) {
	t.Helper()
	return p.ask(t, fmt.Sprintf("read %x %x", addr, count))
}

func (p *process) repeat(t *testing.T, addr uint16, count, times int) ([]byte, int) {
	t.Helper()
	return p.ask(t, fmt.Sprintf("repeat %x %x %x", addr, count, times))
}

func (p *process) write(t *testing.T, addr uint16, words ...uint16) {
	t.Helper()
	line := fmt.Sprintf("write %x", addr)
	for _, w := range words {
		line += fmt.Sprintf(" %x", w)
	}
	if _, exception := p.ask(t, line); exception != 0 {
		t.Fatalf("%s: exception %d", line, exception)
	}
}

// mbpoll runs the command once for each request.
type mbpoll struct{ path, port, unit string }

func dialMbpoll(t *testing.T, addr net.Addr, unit byte) *mbpoll {
	t.Helper()
	path, err := exec.LookPath("mbpoll")
	if err != nil {
		skip(t, "mbpoll is not installed (Debian package mbpoll)")
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		t.Fatal(err)
	}
	return &mbpoll{path, port, strconv.Itoa(int(unit))}
}

func (m *mbpoll) run(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	args = append([]string{"-m", "tcp", "-p", m.port, "-a", m.unit, "-0", "-1", "-q", "-t", "4:hex"}, args...)
	out, err := exec.Command(m.path, args...).CombinedOutput()
	return string(out), err == nil
}

func (m *mbpoll) read(t *testing.T, addr uint16, count int) ([]byte, int) {
	t.Helper()
	out, _ := m.run(t, "-r", strconv.Itoa(int(addr)), "-c", strconv.Itoa(count), "127.0.0.1")
	var data []byte
	for _, line := range strings.Split(out, "\n") {
		var at, word int
		if _, err := fmt.Sscanf(line, "[%d]: 0x%X", &at, &word); err == nil {
			data = append(data, byte(word>>8), byte(word))
		}
	}
	switch {
	case len(data) == 2*count:
		return data, 0
	case strings.Contains(out, "busy"):
		return nil, 6
	case strings.Contains(out, "Illegal data address"):
		return nil, 2
	}
	t.Fatalf("mbpoll reads %d registers at %#x: %s", count, addr, out)
	return nil, 0
}

func (m *mbpoll) write(t *testing.T, addr uint16, words ...uint16) {
	t.Helper()
	args := []string{"-r", strconv.Itoa(int(addr)), "127.0.0.1"}
	for _, w := range words {
		args = append(args, fmt.Sprintf("0x%04X", w))
	}
	if out, ok := m.run(t, args...); !ok || !strings.Contains(out, fmt.Sprintf("Written %d references", len(words))) {
		t.Fatalf("mbpoll writes %x at %#x: %s", words, addr, out)
	}
}
