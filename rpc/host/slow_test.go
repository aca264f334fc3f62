package host_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/rpc/host"
	"metermanager/rpc/rpctest"
)

func dial(t *testing.T, listener *rpctest.Pipes) net.Conn {
	t.Helper()
	conn, err := listener.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// trickle sends a text byte by byte with a pause before each and returns when the other side has had enough, or all is sent.
func trickle(c net.Conn, text string, pause time.Duration) (sent int) {
	for i := range len(text) {
		time.Sleep(pause)
		if _, err := c.Write([]byte{text[i]}); err != nil {
			return i
		}
	}
	return len(text)
}

// TestSlowClients: who sends a byte now and then loses its place, and the others are served meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener := rpctest.NewPipes()
		s, err := host.New(t.Context(), "cloud:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/unread" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			echo(w, r)
		}), host.Config{
			Rate: -1, Listen: func(context.Context, string) (net.Listener, error) { return listener, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()

		head := func(length int, path ...string) string {
			return fmt.Sprintf("POST /"+strings.Join(path, "")+" HTTP/1.1\r\nHost: cloud\r\nContent-Length: %d\r\n\r\n", length)
		}
		for _, c := range []struct {
			name, at, slow string
			pause          time.Duration
			least, most    time.Duration // until the place is free again
		}{
			{"head", "", strings.Repeat("X-A: b\r\n", 100), 5 * time.Second, 9 * time.Second, 16 * time.Second},
			{"body within each time-out", head(10_000), strings.Repeat("x", 10_000), 29 * time.Second, 55 * time.Second, 120 * time.Second},
			{"body that stops", head(10_000), "x", 29 * time.Second, 55 * time.Second, 120 * time.Second},
			{"body that nobody reads", head(10_000, "unread"), strings.Repeat("x", 10_000), 29 * time.Second, 0, 120 * time.Second},
			{"nothing at all", "", "", 0, 9 * time.Second, 130 * time.Second},
		} {
			conn := dial(t, listener)
			began := time.Now()
			closed := make(chan time.Duration, 1)
			go func() { // reads what comes, so that the answer does not block the server
				_, _ = io.Copy(io.Discard, conn)
				closed <- time.Since(began)
			}()
			if c.at != "" {
				if _, err := conn.Write([]byte(c.at)); err != nil {
					t.Fatal(err)
				}
			}
			trickled := make(chan int, 1)
			go func() { trickled <- trickle(conn, c.slow, c.pause) }()
			if took := <-closed; took < c.least || took > c.most {
				t.Errorf("%s: the connection was held for %s, want %s to %s", c.name, took, c.least, c.most)
			}
			_ = conn.Close()
			<-trickled
		}

		// A body at a modest but honest pace is taken, however long it takes.
		conn := dial(t, listener)
		body := strings.Repeat("y", 60_000)
		go func() {
			_, _ = io.WriteString(conn, head(len(body)))
			for at := 0; at < len(body); at += 6000 {
				time.Sleep(20 * time.Second) // 300 bytes a second
				_, _ = io.WriteString(conn, body[at:at+6000])
			}
		}()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("a slow but steady body: %v, %v", res, err)
		} else if got, err := io.ReadAll(res.Body); err != nil || string(got) != body {
			t.Errorf("a slow but steady body came as %d bytes, %v", len(got), err)
		}
		_ = conn.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
