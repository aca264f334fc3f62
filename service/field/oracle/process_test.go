package oracle_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// library is a Modbus library of other authors: a program that serves, and one that reads.
type library struct {
	name    string
	command func(t *testing.T, program string) []string // skips the test when it is not installed
}

// libraries are those that serve register images.
var libraries = []library{{"pymodbus", pymodbus}, {"libmodbus", libmodbus}, {"modbus-serial", modbusSerial}}

// skip counts a library that is missing. "make testtools" installs it.
func skip(t *testing.T, what string) {
	t.Helper()
	t.Skipf("SKIP %s: our Modbus code is not compared with it here (make testtools, as root)", what)
}

// pymodbus is the Debian package, so the interpreter is the system's.
func pymodbus(t *testing.T, program string) []string {
	t.Helper()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import pymodbus.server.async_io").Run(); err != nil {
		skip(t, "pymodbus is not installed (Debian packages python3-pymodbus, python3-serial, python3-serial-asyncio)")
	}
	return []string{python, filepath.Join("testdata", program+".py")}
}

// libmodbus is compiled here.
func libmodbus(t *testing.T, program string) []string {
	t.Helper()
	out := filepath.Join(t.TempDir(), program)
	source := filepath.Join("testdata", program+".c")
	if b, err := exec.Command("gcc", "-O1", "-I/usr/include/modbus", "-o", out, source, "-lmodbus").CombinedOutput(); err != nil {
		if _, missing := os.Stat("/usr/include/modbus/modbus.h"); missing == nil && !errors.Is(err, exec.ErrNotFound) {
			t.Fatalf("compile %s: %v\n%s", source, err, b)
		}
		skip(t, "libmodbus or gcc is not installed (Debian packages libmodbus-dev, gcc, libc6-dev)")
	}
	return []string{out}
}

// modbusSerial is the npm package that "make testtools" puts into .tools.
func modbusSerial(t *testing.T, program string) []string {
	t.Helper()
	node, err := exec.LookPath("node")
	root, rootErr := filepath.Abs(filepath.Join("..", "..", ".."))
	modules := filepath.Join(root, ".tools", "node", "node_modules")
	_, statErr := os.Stat(filepath.Join(modules, "modbus-serial"))
	if err != nil || rootErr != nil || errors.Is(statErr, fs.ErrNotExist) {
		skip(t, "modbus-serial is not installed (Node.js, and the npm package in .tools/node)")
	}
	return []string{"env", "NODE_PATH=" + modules, node, filepath.Join("testdata", program+".js")}
}

// server is a running server of a library.
type server struct {
	addr  string
	stop  func()
	stdin io.Writer
}

// answersAs says which unit is asked next. libmodbus answers for one unit of a serial line; the others do not care.
func (s *server) answersAs(t *testing.T, unit byte) {
	t.Helper()
	if _, err := s.stdin.Write([]byte{unit}); err != nil {
		t.Fatal(err)
	}
}

// serve starts a library's server. Each unit is "ID:MODE:IMAGE". The modes: zero (what is not in
// the image reads 0), strict (it is refused with exception 2), busy (every third request is), slow
// (answers after 0.7 s), absent (exception 0x0B of a gateway), session (logs besides; those that are
// read by function 0x23 of pymodbus only, since the others have no such function).
func (l library) serve(t *testing.T, units ...string) *server {
	t.Helper()
	args := l.command(t, "server")
	for _, u := range units {
		if strings.HasPrefix(u, "-") || strings.HasPrefix(u, "/") { // an option, or its value
			args = append(args, u)
			continue
		}
		id, rest, _ := strings.Cut(u, ":")
		mode, image, _ := strings.Cut(rest, ":")
		args = append(args, fmt.Sprintf("%s:%s:%s", id, mode, filepath.Join("testdata", image)))
	}
	cmd := exec.Command(args[0], args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	port := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		port <- strings.TrimSpace(strings.TrimPrefix(line, "port "))
	}()
	stopped := false
	s := &server{stdin: stdin, stop: func() {
		if !stopped {
			stopped = true
			_ = stdin.Close() // it ends by itself
			_ = cmd.Wait()
		}
	}}
	t.Cleanup(s.stop)
	select {
	case p := <-port:
		if p == "" {
			s.stop()
			t.Fatalf("%s did not start:\n%s", l.name, stderr.String())
		}
		s.addr = net.JoinHostPort("127.0.0.1", p)
	case <-time.After(2 * time.Minute): // of a busy machine
		_ = cmd.Process.Kill()
		t.Fatalf("%s does not say its port", l.name)
	}
	return s
}

func profiles(t *testing.T) *device.Set {
	t.Helper()
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// patient returns the profiles with time for each answer: a machine that is busy with other tests lets a server wait for its turn.
func patient(t *testing.T) *device.Set {
	t.Helper()
	set := profiles(t)
	for _, id := range set.IDs() {
		p, _ := set.Get(id)
		p.Defaults.TimeoutMS = 30_000
	}
	return set
}

// endpoint runs a connection until the test ends.
func endpoint(t *testing.T, addr string, cfg modbus.Config) *modbus.Endpoint {
	t.Helper()
	e, err := modbus.New(addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	background(t, e.Run)
	return e
}
