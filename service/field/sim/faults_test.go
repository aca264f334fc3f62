package sim_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/sim"
)

// TestFrameFaults reads the serial number with one fault, then without.
func TestFrameFaults(t *testing.T) {
	t.Parallel()
	const request = "03 0008 0008"
	tests := []struct {
		fault sim.Fault
		check func(t *testing.T, p *peer, good []byte)
	}{
		{sim.Fault{Kind: sim.FaultException, Code: 6}, want("8306")},
		{sim.Fault{Kind: sim.FaultException, Code: 0x0B}, want("830b")},
		{sim.Fault{Kind: sim.FaultLate, Delay: 50 * time.Millisecond}, func(t *testing.T, p *peer, good []byte) {
			if _, _, pdu, err := p.receive(); err != nil || !bytes.Equal(pdu, good) {
				t.Errorf("% x, %v", pdu, err)
			}
		}},
		{sim.Fault{Kind: sim.FaultWrongTransaction}, func(t *testing.T, p *peer, _ []byte) {
			if tid, _, _, err := p.receive(); err != nil || tid == p.tid {
				t.Errorf("transaction %d, %v", tid, err)
			}
		}},
		{sim.Fault{Kind: sim.FaultWrongUnit}, func(t *testing.T, p *peer, _ []byte) {
			if _, unit, _, err := p.receive(); err != nil || unit == 1 {
				t.Errorf("unit %d, %v", unit, err)
			}
		}},
		{sim.Fault{Kind: sim.FaultWrongFunction}, func(t *testing.T, p *peer, _ []byte) {
			if _, _, pdu, err := p.receive(); err != nil || pdu[0] != 4 {
				t.Errorf("% x, %v", pdu, err)
			}
		}},
		{sim.Fault{Kind: sim.FaultWrongByteCount}, func(t *testing.T, p *peer, good []byte) {
			if _, _, pdu, err := p.receive(); err != nil || len(pdu) != len(good) || pdu[1] != good[1]+2 {
				t.Errorf("% x, %v", pdu, err)
			}
		}},
		{sim.Fault{Kind: sim.FaultShortAnswer}, func(t *testing.T, p *peer, good []byte) {
			if _, _, pdu, err := p.receive(); err != nil || !bytes.Equal(pdu[2:], good[2:len(good)-2]) || pdu[1] != good[1]-2 {
				t.Errorf("% x, %v", pdu, err)
			}
		}},
		{sim.Fault{Kind: sim.FaultDribble}, func(t *testing.T, p *peer, good []byte) {
			if _, _, pdu, err := p.receive(); err != nil || !bytes.Equal(pdu, good) {
				t.Errorf("% x, %v", pdu, err)
			}
		}},
		{sim.Fault{Kind: sim.FaultTwoReplies}, func(t *testing.T, p *peer, good []byte) {
			tid, _, stale, _ := p.receive()
			if _, _, pdu, err := p.receive(); err != nil || tid == p.tid || bytes.Equal(stale, good) || !bytes.Equal(pdu, good) {
				t.Errorf("stale %d % x, then % x, %v", tid, stale, pdu, err)
			}
		}},
		{sim.Fault{Kind: sim.FaultClose}, closed(0)},
		{sim.Fault{Kind: sim.FaultCloseMidFrame}, closed(12)},
		{sim.Fault{Kind: sim.FaultLength, Value: 0}, header(4, "0000")},
		{sim.Fault{Kind: sim.FaultLength, Value: 1000}, header(4, "03e8")},
		{sim.Fault{Kind: sim.FaultProtocol}, header(2, "0001")},
		{sim.Fault{Kind: sim.FaultSilence}, func(t *testing.T, p *peer, _ []byte) {
			_ = p.conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
			var timeout net.Error
			if n, err := p.conn.Read(make([]byte, 1)); n != 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%d bytes, %v", n, err)
			}
		}},
	}
	for _, test := range tests {
		t.Run(string(test.fault.Kind), func(t *testing.T) {
			t.Parallel()
			cfg, _ := quiet(24 * time.Hour)
			m := start(t, cfg)
			good := dial(t, m.Addr()).do(request)
			fault := test.fault
			fault.Times, fault.Addr, fault.Registers, fault.Function = 1, 0x000A, 2, 3
			m.Inject(fault)
			p := dial(t, m.Addr())
			p.registers(0x03E7, 2) // not touched by the fault
			p.send(request)
			test.check(t, p, good)
			if got := dial(t, m.Addr()).do(request); !bytes.Equal(got, good) {
				t.Errorf("after the fault: % x", got)
			}
		})
	}
}

func want(pdu string) func(*testing.T, *peer, []byte) {
	return func(t *testing.T, p *peer, _ []byte) {
		if _, _, got, err := p.receive(); err != nil || hex.EncodeToString(got) != pdu {
			t.Errorf("% x, %v; want %s", got, err, pdu)
		}
	}
}

// closed expects n bytes, then the end.
func closed(n int) func(*testing.T, *peer, []byte) {
	return func(t *testing.T, p *peer, _ []byte) {
		_ = p.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		b, err := io.ReadAll(p.conn)
		if errors.Is(err, syscall.ECONNRESET) && n == 0 {
			return // closed with unread bytes of ours
		}
		if err != nil || len(b) != n {
			t.Errorf("% x, %v; want %d bytes and the end", b, err, n)
		}
	}
}

func header(offset int, bytes string) func(*testing.T, *peer, []byte) {
	return func(t *testing.T, p *peer, _ []byte) {
		_ = p.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		var b [7]byte
		if _, err := io.ReadFull(p.conn, b[:]); err != nil || hex.EncodeToString(b[offset:offset+2]) != bytes {
			t.Errorf("header % x, %v", b, err)
		}
	}
}

// TestSessionFaults checks the faults of the log session and of readings.
func TestSessionFaults(t *testing.T) {
	t.Parallel()
	cfg, c := quiet(48 * time.Hour)
	m := start(t, cfg)
	p := dial(t, m.Addr())
	index := func() uint32 { return binary.BigEndian.Uint32(p.registers(0xC351, 2)) }
	engage := func() {
		p.do("06 C34F 0280")
		p.do("10 C350 0003 06 0501 0000 0000")
	}

	engage()
	m.Inject(sim.Fault{Kind: sim.FaultWindowNotReady, Times: 2})
	for range 2 {
		if b := p.do("03 C351 007D"); b[2] != 0xFF {
			t.Errorf("window % x, want not ready", b[:8])
		}
	}
	if b := p.do("03 C351 007D"); b[2] != 0 || index() != 5 {
		t.Errorf("window % x, index %d", b[:8], index())
	}
	m.Inject(sim.Fault{Kind: sim.FaultIndexStuck, Times: 1}, sim.Fault{Kind: sim.FaultIndexTwice, Times: 1})
	p.do("03 C351 007D")
	if index() != 5 {
		t.Errorf("index %d, want it stuck at 5", index())
	}
	p.do("03 C351 007D")
	if index() != 15 {
		t.Errorf("index %d, want it moved twice to 15", index())
	}
	before := p.do("03 C351 007D")
	m.Inject(sim.Fault{Kind: sim.FaultRolledOver, Times: 1, Value: 3})
	p.do("10 C351 0002 04 0000 000F")
	if after := p.do("03 C351 007D"); bytes.Equal(before, after) || !bytes.Equal(before[6+3*46:6+5*46], after[6:6+2*46]) {
		t.Error("the records have not moved by three")
	}
	m.Inject(sim.Fault{Kind: sim.FaultSessionLost, Times: 1})
	if b := p.do("03 C351 007D"); !bytes.Equal(b[2:], make([]byte, 250)) || p.status(sim.LogHist1).port != 0 {
		t.Errorf("window % x after the session was lost", b[:12])
	}
	m.Inject(sim.Fault{Kind: sim.FaultLogTaken, Value: sim.LogHist1, Code: 1})
	engage()
	if got := p.status(sim.LogHist1).port; got != 1 {
		t.Errorf("in use by port %d, want 1", got)
	}
	m.ClearFaults()
	m.Inject(sim.Fault{Kind: sim.FaultRecordSizeZero, Times: 1}, sim.Fault{Kind: sim.FaultUsedOne, Times: 1, Skip: 1})
	if st := p.status(sim.LogHist1); st.size != 0 || st.port != 0 {
		t.Errorf("%+v", st)
	}
	if st := p.status(sim.LogHist1); st.used != 1 || st.last != st.first {
		t.Errorf("%+v", st)
	}
	m.Inject(sim.Fault{Kind: sim.FaultRepeatedReadOff, Times: 1})
	if got := hex.EncodeToString(p.do("23 C351 007C 04")); got != "a301" {
		t.Errorf("0x23 answered %s", got)
	}
	m.Inject(sim.Fault{Kind: sim.FaultReadings, Value: math.Float32bits(float32(math.Inf(1))), Times: 1}, sim.Fault{Kind: sim.FaultCounterZero})
	if got := hex.EncodeToString(p.registers(0x03E7, 4)); got[:8] != "7f800000" || got[8:] == "7f800000" {
		t.Errorf("readings %s", got)
	}
	if got := p.registers(0x05DB, 4); !bytes.Equal(got, make([]byte, 8)) {
		t.Errorf("counters % x", got)
	}
	m.ClearFaults()

	if err := m.Reprogram(sim.LogHist1, 3*time.Minute, "readings.frequency", "thd.voltage.a"); err != nil {
		t.Fatal(err)
	}
	c.advance(10 * time.Minute)
	if st := p.status(sim.LogHist1); st.size != 12 || st.used < 4 || st.used > 5 {
		t.Errorf("after reprogramming: %+v", st)
	}
	if got := m.Channels(sim.LogHist1); !slices.Equal(got, []logdb.ChannelKey{"readings.frequency", "thd.voltage.a"}) {
		t.Errorf("channels %q", got)
	}
	if m.Reprogram(sim.LogHist1, 2*time.Minute, "readings.frequency") == nil || m.Reprogram(sim.LogHist1, time.Minute, "no.such") == nil || m.ResetLog(77) == nil {
		t.Error("a wrong programme was taken")
	}
	m.ResetEnergy()
	c.advance(time.Minute)
	if got := binary.BigEndian.Uint32(p.registers(0x05DB, 2)); got > 1000 {
		t.Errorf("%d counts a minute after an energy reset", got)
	}
	if err := m.ResetLog(sim.LogPQ); err != nil || p.status(sim.LogPQ).used != 1 {
		t.Errorf("after a reset: %+v, %v", p.status(sim.LogPQ), err)
	}
	m.CloseConnections()
	closed(0)(t, p, nil)
}

// TestNoSupply finds no answer while the supply has failed.
func TestNoSupply(t *testing.T) {
	t.Parallel()
	cfg, c := quiet(4 * time.Hour)
	m := start(t, cfg)
	p := dial(t, m.Addr())
	p.registers(0, 1)
	for m.Powered(c.now()) {
		c.advance(time.Minute)
	}
	p.send("03 0000 0001")
	closed(0)(t, p, nil)
	closed(0)(t, dial(t, m.Addr()), nil)
	for !m.Powered(c.now()) {
		c.advance(time.Minute)
	}
	dial(t, m.Addr()).registers(0, 1)
}
