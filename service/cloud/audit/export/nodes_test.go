package export_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/service/cloud/audit/export"
)

// serveTCP takes what comes on a port of its own until the test ends.
func serveTCP(t *testing.T, r *receiver) string {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				r.counted(c, 0)
				_ = c.Close()
			}(c)
		}
	}()
	return "tcp://" + l.Addr().String()
}

// look has an exporter look at its targets now: it gets one more, which is of no interest.
func look(t *testing.T, e *export.Exporter, name string) {
	t.Helper()
	if err := e.Add(t.Context(), export.Target{Name: name, URL: "file:" + name + ".log"}, false); err != nil {
		t.Fatal(err)
	}
}

// TestNodesShareTargets: of two nodes before one database one serves a target; when it stops, or its time is over without a word, the other
// one goes on where it has come to.
func TestNodesShareTargets(t *testing.T) {
	t.Parallel()
	m, r := newMemory(), newReceiver()
	var ahead atomic.Int64 // of the second node's clock
	cfg := export.Config{Lease: time.Hour, Settle: time.Millisecond, Folder: t.TempDir()}
	second := cfg
	second.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	one, end := run(t, m, cfg)
	if err := one.Add(t.Context(), export.Target{Name: "siem", URL: serveTCP(t, r)}, true); err != nil {
		t.Fatal(err)
	}
	m.grow(20)
	eventually(t, "the first events", func() bool { return r.count() == 20 })
	two, _ := run(t, m, second)
	look(t, two, "a")
	elsewhere := func(e *export.Exporter) bool {
		states, err := e.States(t.Context())
		return err == nil && states[len(states)-1].Name == "siem" && states[len(states)-1].Elsewhere
	}
	eventually(t, "the second node's file", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.holders[m.targets["a"].ID] != ""
	})
	if !elsewhere(two) || elsewhere(one) {
		t.Error("the second node serves what the first one holds")
	}
	// The first one lets go in order.
	eventually(t, "the confirmation", func() bool { targets, _ := m.Exports(t.Context()); return place(targets) == 20 })
	end()
	look(t, two, "b")
	m.grow(20)
	eventually(t, "the events of the second node", func() bool { return r.count() == 40 })
	r.once(t, 40)
	// A third one finds a target of which nothing was heard for longer than its time.
	third := second
	ahead.Store(int64(2 * time.Hour))
	three, _ := run(t, m, third)
	look(t, three, "c")
	eventually(t, "that the third node serves", func() bool { return !elsewhere(three) })
	m.grow(20)
	eventually(t, "the events of the third node", func() bool { return r.count() == 60 })
	r.all(t, 60)
}

func place(targets []export.Target) int64 {
	for _, t := range targets {
		if t.Name == "siem" {
			return t.Position
		}
	}
	return -1
}

// once reports events that came twice.
func (r *receiver) once(t *testing.T, n int) {
	t.Helper()
	r.all(t, n)
	r.mu.Lock()
	defer r.mu.Unlock()
	for seq, times := range r.seen {
		if times != 1 {
			t.Errorf("event %d came %d times", seq, times)
		}
	}
}

// TestTargetOfTheSameName: one that was removed and added again begins where it says, and its predecessor moves it no more.
func TestTargetOfTheSameName(t *testing.T) {
	t.Parallel()
	m, r := newMemory(), newReceiver()
	m.grow(30)
	e, _ := run(t, m, export.Config{Lease: time.Hour, Settle: time.Millisecond, Folder: t.TempDir()})
	if err := e.Add(t.Context(), export.Target{Name: "siem", URL: serveTCP(t, r)}, false); err != nil {
		t.Fatal(err)
	}
	m.grow(5)
	eventually(t, "what came since", func() bool { return r.count() == 5 })
	m.mu.Lock() // in one step, as when both come before this node has looked
	again := m.targets["siem"]
	again.ID, again.Position = "another", 0
	m.targets["siem"] = again
	m.mu.Unlock()
	look(t, e, "z")
	eventually(t, "everything from the start", func() bool { return r.count() == 35 })
	r.all(t, 35)
}

// TestListOfTargetsIsReadAgain: a database that is away for a moment keeps no target from being served.
func TestListOfTargetsIsReadAgain(t *testing.T) {
	t.Parallel()
	m, r := newMemory(), newReceiver()
	m.fails = 3
	e, _ := run(t, m, export.Config{Lease: 15 * time.Millisecond, Settle: time.Millisecond})
	if err := e.Add(t.Context(), export.Target{Name: "siem", URL: serveTCP(t, r)}, true); err != nil {
		t.Fatal(err)
	}
	m.grow(5)
	eventually(t, "the events", func() bool { return r.count() == 5 })
}
