package faultproxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/service/e2e/faultproxy"
	"metermanager/service/field/sim"
)

// only is a mix in which one kind happens to every message.
func only(k faultproxy.Kind) faultproxy.Mix {
	return faultproxy.Mix{Rate: 1, Weights: map[faultproxy.Kind]int{k: 1}, Longest: 20 * time.Millisecond}
}

// background runs something until the test ends.
func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

const (
	sent     = "what the site sends"
	answered = "what the cloud answers"
)

// cloud counts what arrives whole and what does not.
type cloud struct{ whole, other atomic.Int32 }

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if string(body) == sent {
		c.whole.Add(1)
	} else {
		c.other.Add(1)
	}
	_, _ = io.WriteString(w, answered)
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	for kind, want := range map[faultproxy.Kind]struct {
		answer       string // "ok", "none", "other" or "error"
		whole, other int32  // requests that arrive
	}{
		faultproxy.Pass: {"ok", 1, 0}, faultproxy.Delay: {"ok", 1, 0}, faultproxy.FragmentAnswer: {"ok", 1, 0},
		faultproxy.DropRequest: {"none", 0, 0}, faultproxy.Reset: {"none", 0, 0}, faultproxy.Stall: {"none", 0, 0},
		faultproxy.DropAnswer: {"none", 1, 0}, faultproxy.CutAnswer: {"none", 1, 0}, faultproxy.LateRequest: {"none", 1, 0},
		faultproxy.DoubleRequest: {"ok", 2, 0}, faultproxy.DoubleAtOnce: {"ok", 2, 0},
		faultproxy.ChangeRequest: {"ok", 0, 1}, faultproxy.ChangeAnswer: {"other", 1, 0},
		faultproxy.Refuse: {"error", 0, 0}, faultproxy.RefuseDone: {"error", 1, 0}, faultproxy.Portal: {"other", 0, 0},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := &cloud{}
			s := httptest.NewServer(c)
			defer s.Close()
			p, err := faultproxy.NewHTTP(1)
			if err != nil {
				t.Fatal(err)
			}
			background(t, p.Run)
			p.SetTarget(s.Listener.Addr().String())
			p.SetMix(only(kind))
			if kind == faultproxy.Stall {
				time.AfterFunc(50*time.Millisecond, func() { p.SetMix(faultproxy.Mix{}) })
			}
			if got := post(t, p.Addr()); got != want.answer {
				t.Errorf("the answer is %s, want %s", got, want.answer)
			}
			p.Settled()
			if c.whole.Load() != want.whole || c.other.Load() != want.other {
				t.Errorf("%d arrived whole and %d otherwise, want %d and %d", c.whole.Load(), c.other.Load(), want.whole, want.other)
			}
			if p.Counts()[kind] != 1 {
				t.Errorf("counted %v", p.Counts())
			}
		})
	}
}

// TestCutRequest: any length may be left, but never more than was sent.
func TestCutRequest(t *testing.T) {
	t.Parallel()
	c := &cloud{}
	s := httptest.NewServer(c)
	defer s.Close()
	p, err := faultproxy.NewHTTP(2)
	if err != nil {
		t.Fatal(err)
	}
	background(t, p.Run)
	p.SetTarget(s.Listener.Addr().String())
	p.SetMix(only(faultproxy.CutRequest))
	for range 20 {
		post(t, p.Addr())
	}
	if c.other.Load() < 15 || c.other.Load()+c.whole.Load() != 20 {
		t.Errorf("%d of 20 were cut, %d whole", c.other.Load(), c.whole.Load())
	}
}

func post(t *testing.T, addr string) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	c := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Post("http://"+addr+"/x", "text/plain", strings.NewReader(sent))
	if err != nil {
		return "none"
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return "none"
	case res.StatusCode != http.StatusOK:
		return "error"
	case string(body) != answered:
		return "other"
	}
	return "ok"
}

// request asks a Shark for its name.
var request = []byte{0, 7, 0, 0, 0, 6, 1, 3, 0, 0, 0, 8}

func TestModbus(t *testing.T) {
	t.Parallel()
	meter, err := sim.New(sim.Config{Name: "Behind", History: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	background(t, meter.Run)
	for kind, want := range map[faultproxy.Kind]string{ // what comes within a moment
		faultproxy.Pass: "whole", faultproxy.Delay: "whole", faultproxy.FragmentAnswer: "whole", faultproxy.DoubleRequest: "whole",
		faultproxy.OtherConnection: "whole", faultproxy.DoubleAnswer: "twice", faultproxy.DropRequest: "silence",
		faultproxy.DropAnswer: "silence", faultproxy.LateAnswer: "silence", faultproxy.Refuse: "exception", faultproxy.Reset: "end",
		faultproxy.CutAnswer: "end", faultproxy.ChangeAnswer: "other", faultproxy.Stall: "silence",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p, err := faultproxy.NewModbus(3)
			if err != nil {
				t.Fatal(err)
			}
			background(t, p.Run)
			p.SetTarget(meter.Addr().String())
			p.SetMix(only(kind))
			conn, err := net.Dial("tcp", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write(request); err != nil {
				t.Fatal(err)
			}
			if got := classify(t, conn); got != want {
				t.Errorf("there came: %s, want %s", got, want)
			}
		})
	}
}

func classify(t *testing.T, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(700 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	var timeout net.Error
	silent := errors.As(err, &timeout) && timeout.Timeout()
	head := []byte{0, 7, 0, 0, 0, 19, 1, 3, 16}
	switch n := bytes.Count(text, []byte("Behind")); {
	case !silent:
		return "end"
	case len(text) == 0:
		return "silence"
	case n == 2:
		return "twice"
	case n == 1 && bytes.HasPrefix(text, head):
		return "whole"
	case n == 1:
		return "other"
	case len(text) == 9 && text[7] == 0x83:
		return "exception"
	}
	return "nobody knows what"
}

// TestMix: equal seeds draw equal mixes, and the rate is kept.
func TestMix(t *testing.T) {
	t.Parallel()
	mix := func() faultproxy.Mix {
		return faultproxy.RandomMix(rand.New(rand.NewPCG(5, 6)), faultproxy.HTTPKinds, 0.5, time.Second)
	}
	if a, b := mix().String(), mix().String(); a != b || !strings.HasPrefix(a, "50 % of ") {
		t.Errorf("%s and %s", a, b)
	}
}
