//go:build unix

package process_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// readyIn is how long a child may take until it says where it listens.
const readyIn = 60 * time.Second

// child is a process that ends with this one: its standard input is a pipe from here.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	where chan string   // its address, once
	done  chan struct{} // closed when it has ended and all it said is in the log
	err   error
}

// addresses are the words in which children say where they listen.
var addresses = regexp.MustCompile(`"msg":"started".*"address":"http://([0-9.]+:[0-9]+)"|answers on tcp://([0-9.]+:[0-9]+)`)

// startChild starts the program. What it prints is appended to a file.
func startChild(exe string, args, env []string, hello any, log string) (*child, error) {
	line, err := json.Marshal(hello)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "--- %s start %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), strings.Join(args, " "), strings.Join(env, " "))
	cmd := exec.Command(exe, args...)
	cmd.Env = append(cleanEnviron(), env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_ = w.Close()
	c := &child{cmd: cmd, stdin: stdin, where: make(chan string, 1), done: make(chan struct{})}
	go func() {
		_, _ = stdin.Write(append(line, '\n')) // a child that was killed at once cannot read it
	}()
	go func() {
		c.copy(r, out)
		c.err = cmd.Wait()
		fmt.Fprintf(out, "--- %s ended: %v\n", time.Now().UTC().Format(time.RFC3339Nano), c.err)
		_ = out.Close()
		_ = r.Close()
		close(c.done)
	}()
	return c, nil
}

func (c *child) copy(r io.Reader, out io.Writer) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		_, _ = io.WriteString(out, line)
		if m := addresses.FindStringSubmatch(line); m != nil {
			select {
			case c.where <- m[1] + m[2]:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// address waits until the child says where it listens.
func (c *child) address() (string, error) {
	t := time.NewTimer(readyIn)
	defer t.Stop()
	select {
	case a := <-c.where:
		return a, nil
	case <-c.done:
		return "", fmt.Errorf("it ended: %w", errOr(c.err))
	case <-t.C:
		return "", fmt.Errorf("it does not say where it listens")
	}
}

func errOr(err error) error {
	if err == nil {
		return fmt.Errorf("with exit code 0")
	}
	return err
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
}

// stop asks the child to end, as a service manager does, and kills it when it does not.
func (c *child) stop() {
	_ = c.stdin.Close()
	t := time.NewTimer(30 * time.Second)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
		c.kill()
	}
}

// freeze and thaw stop a child for a while, as a machine that swaps or is moved does.
func (c *child) freeze() { _ = c.cmd.Process.Signal(syscall.SIGSTOP) }
func (c *child) thaw()   { _ = c.cmd.Process.Signal(syscall.SIGCONT) }

func cleanEnviron() []string {
	var out []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "MM_") {
			out = append(out, e)
		}
	}
	return out
}

// journal is what happened in a run, for whoever must understand a failure.
type journal struct {
	mu    sync.Mutex
	begin time.Time
	lines []string
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	j.lines = append(j.lines, fmt.Sprintf("%6.2f s %s  %s", now.Sub(j.begin).Seconds(), now.UTC().Format("15:04:05.000"), fmt.Sprintf(format, args...)))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}
