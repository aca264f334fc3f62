package sim_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/service/field/sim"
)

// epoch is the begin of the histories in these tests: 18 days before the clocks went back in 2025.
var epoch = time.Date(2025, 10, 15, 0, 0, 0, 0, time.UTC)

// clock is a present that a test moves.
type clock struct{ ms atomic.Int64 }

func clockAt(t time.Time) *clock {
	c := &clock{}
	c.ms.Store(t.UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// start runs a meter until the test ends.
func start(t *testing.T, cfg sim.Config) *sim.Meter {
	t.Helper()
	m, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return m
}

// quiet is a meter with a fixed present whose windows are always ready.
func quiet(history time.Duration) (sim.Config, *clock) {
	c := clockAt(epoch.Add(history))
	return sim.Config{Seed: 7, Start: epoch, Now: c.now, NotReadyEvery: -1}, c
}

// peer speaks Modbus TCP in raw bytes.
type peer struct {
	t    *testing.T
	conn net.Conn
	tid  uint16
}

func dial(t *testing.T, addr net.Addr) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &peer{t: t, conn: conn}
}

// send writes unit 1 and a PDU in hex.
func (p *peer) send(pdu string) {
	p.t.Helper()
	body := unhex(p.t, pdu)
	p.tid++
	frame := binary.BigEndian.AppendUint16(nil, p.tid)
	frame = append(frame, 0, 0)
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(body)+1))
	if _, err := p.conn.Write(append(append(frame, 1), body...)); err != nil {
		p.t.Fatal(err)
	}
}

// receive reads one frame and returns transaction id, unit and PDU.
func (p *peer) receive() (uint16, byte, []byte, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var header [7]byte
	if _, err := io.ReadFull(p.conn, header[:]); err != nil {
		return 0, 0, nil, err
	}
	pdu := make([]byte, int(binary.BigEndian.Uint16(header[4:]))-1)
	_, err := io.ReadFull(p.conn, pdu)
	return binary.BigEndian.Uint16(header[:]), header[6], pdu, err
}

// do sends a PDU and returns that of the answer.
func (p *peer) do(pdu string) []byte {
	p.t.Helper()
	p.send(pdu)
	tid, unit, answer, err := p.receive()
	if err != nil {
		p.t.Fatalf("%s: %v", pdu, err)
	}
	if tid != p.tid || unit != 1 {
		p.t.Fatalf("%s: answer of transaction %d, unit %d", pdu, tid, unit)
	}
	return answer
}

// registers reads with function 3 and returns the data.
func (p *peer) registers(addr uint16, count int) []byte {
	p.t.Helper()
	request := binary.BigEndian.AppendUint16([]byte{3}, addr)
	request = binary.BigEndian.AppendUint16(request, uint16(count))
	answer := p.do(hex.EncodeToString(request))
	if len(answer) != 2+2*count || answer[0] != 3 || int(answer[1]) != 2*count {
		p.t.Fatalf("read %d registers at %#x: % x", count, addr, answer)
	}
	return answer[2:]
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIdentification(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(48 * time.Hour)
	cfg.Name, cfg.Serial = "Main switchboard", "0123456789"
	m := start(t, cfg)
	p := dial(t, m.Addr())
	b := p.registers(0, 22)
	if got := string(b[:16]); got != "Main switchboard" {
		t.Errorf("name %q", got)
	}
	if got := strings.TrimRight(string(b[16:32]), "\x00"); got != "0123456789" {
		t.Errorf("serial %q", got)
	}
	if got := p.registers(0x1193, 1); got[1] != 3 {
		t.Errorf("port % x, want COM3", got)
	}
	// CT 400:5, PT 277:120, wye; 8 digits, kilo, 2 decimals.
	if got, want := hex.EncodeToString(p.registers(0x752F, 7)), "0501"+"0190"+"0115"+"0078"+"0100"+"0000"+"3332"; got != want {
		t.Errorf("ratios %s, want %s", got, want)
	}
}
