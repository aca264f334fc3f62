package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// Notifier tells the service manager how the program is (the sd_notify protocol of
// systemd). The zero value, as on Windows or in the foreground, says nothing.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// NewNotifier reads from getenv what systemd asks for.
func NewNotifier(getenv func(string) string) Notifier {
	n := Notifier{socket: getenv("NOTIFY_SOCKET")}
	if pid := getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
			n.watchdog = time.Duration(us) * time.Microsecond
		}
	}
	return n
}

// Ready says that the program serves, Stopping that it ends.
func (n Notifier) Ready() error { return n.send("READY=1\nSTATUS=serving") }

// Stopping says that the program is on its way out.
func (n Notifier) Stopping() error { return n.send("STOPPING=1\nSTATUS=stopping") }

// Watch reports life three times per watchdog period for as long as alive says yes. When
// it says no, systemd hears nothing more and starts the program again.
func (n Notifier) Watch(ctx context.Context, alive func(context.Context) error) error {
	if n.socket == "" || n.watchdog <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(n.watchdog / 3)
	defer tick.Stop()
	for {
		check, cancel := context.WithTimeout(ctx, n.watchdog/3)
		err := alive(check)
		cancel()
		if err == nil {
			err = n.send("WATCHDOG=1")
		}
		if err != nil && ctx.Err() == nil {
			// Not fatal: the service manager decides when silence has lasted too long.
			_ = n.send("STATUS=not well: " + err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (n Notifier) send(state string) error {
	if n.socket == "" {
		return nil
	}
	name := n.socket
	if name[0] == '@' { // an abstract socket
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}
