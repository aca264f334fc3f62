package daemon_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"metermanager/service/daemon"
)

func TestNotifier(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only systemd speaks this protocol")
	}
	conn, env := listen(t, "30000") // a watchdog period of 30 ms
	n := daemon.NewNotifier(env)
	if err := n.Ready(); err != nil {
		t.Fatal(err)
	}
	expect(t, conn, "READY=1")

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	alive := make(chan error, 100)
	alive <- nil
	alive <- errors.New("store is stuck")
	go func() {
		done <- n.Watch(ctx, func(ctx context.Context) error {
			select {
			case err := <-alive:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	expect(t, conn, "WATCHDOG=1")
	expect(t, conn, "STATUS=not well: store is stuck")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := n.Stopping(); err != nil {
		t.Fatal(err)
	}
	for { // what the watchdog said before it ended may come first
		if strings.HasPrefix(receive(t, conn), "STOPPING=1") {
			return
		}
	}
}

func TestNotifierWithoutSystemd(t *testing.T) {
	t.Parallel()
	n := daemon.NewNotifier(func(string) string { return "" })
	if err := errors.Join(n.Ready(), n.Stopping()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Watch(ctx, nil); err != nil {
		t.Error(err)
	}
}

func TestNotifierOfAnotherProcess(t *testing.T) {
	t.Parallel()
	n := daemon.NewNotifier(func(name string) string {
		return map[string]string{"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}[name]
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// The watchdog is meant for process 1, so nothing is asked and nothing sent.
	if err := n.Watch(ctx, nil); err != nil {
		t.Error(err)
	}
}

func listen(t *testing.T, watchdogMicros string) (*net.UnixConn, func(string) string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, func(name string) string {
		return map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": watchdogMicros}[name]
	}
}

func expect(t *testing.T, conn *net.UnixConn, want string) {
	t.Helper()
	if got := receive(t, conn); !strings.HasPrefix(got, want) {
		t.Fatalf("systemd heard %q, want %q", got, want)
	}
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 512)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}
