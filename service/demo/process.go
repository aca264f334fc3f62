package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// stopGrace is how long a child may take to end: its own deadline and a little more.
const stopGrace = 25 * time.Second

// maxLog is the size at which a child's log is begun anew at the next start.
const maxLog = 8 << 20

// child is a process that ends when its standard input ends, so that it outlives neither
// an orderly stop nor a killed parent.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{} // closed when the process has ended
	err   error         // why, valid after done
	log   string
	begin int64 // length of the log before this process
}

// start runs exe with args. hello, when not nil, is the line of JSON that the child reads
// first; its output goes to the file log.
func start(exe string, args []string, hello any, log string) (*child, error) {
	line := []byte("{}\n")
	if hello != nil {
		text, err := json.Marshal(hello)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", args[0], err)
		}
		line = append(text, '\n')
	}
	out, begin, err := openLog(log)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the child has its own copy
	cmd := exec.Command(exe, args...)
	cmd.Env = childEnviron(os.Environ())
	cmd.Stdout, cmd.Stderr = out, out
	ownGroup(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	c := &child{cmd: cmd, stdin: stdin, done: make(chan struct{}), log: log, begin: begin}
	if _, err := stdin.Write(line); err != nil {
		_ = cmd.Process.Kill()
		return nil, errors.Join(fmt.Errorf("speak to %s: %w", args[0], err), cmd.Wait())
	}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop asks the child to end, and kills it when it does not.
func (c *child) stop(ctx context.Context) {
	_ = c.stdin.Close()
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	select {
	case <-c.done:
	case <-ctx.Done():
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// childEnviron leaves out what is meant for this process: a demonstration is always the same.
func childEnviron(environ []string) []string {
	out := make([]string, 0, len(environ))
	for _, e := range environ {
		if !strings.HasPrefix(e, "MM_") && !strings.HasPrefix(e, "NOTIFY_SOCKET=") && !strings.HasPrefix(e, "WATCHDOG_") {
			out = append(out, e)
		}
	}
	return out
}

func openLog(path string) (f *os.File, begin int64, err error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil {
		if begin = info.Size(); begin > maxLog {
			flags, begin = flags|os.O_TRUNC, 0
		}
	}
	if f, err = os.OpenFile(path, flags, 0o600); err != nil {
		return nil, 0, fmt.Errorf("open the log of a child: %w", err)
	}
	return f, begin, nil
}

// said reports whether this process has printed text.
func (c *child) said(text string) bool {
	f, err := os.Open(c.log)
	if err != nil {
		return false
	}
	defer f.Close()
	out, err := io.ReadAll(io.NewSectionReader(f, c.begin, maxLog))
	return err == nil && strings.Contains(string(out), text)
}

// lastLines returns the end of a log, for people who must find out what went wrong.
func lastLines(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const tail = 16 << 10
	if info, err := f.Stat(); err == nil && info.Size() > tail {
		_, _ = f.Seek(-tail, io.SeekEnd)
	}
	text, _ := io.ReadAll(io.LimitReader(f, tail))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
