package doctor_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"metermanager/service/field/device"
	"metermanager/service/field/doctor"
	"metermanager/service/field/modbus"
)

var zero = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestExplain(t *testing.T) {
	t.Parallel()
	failing := func(err error, c modbus.Counters) modbus.Counters {
		c.Requests += 10
		c.LastError, c.LastErrorAt = (&modbus.Error{Endpoint: "10.0.0.7:502", Unit: 7, FC: 3, Err: err}).Error(), zero
		return c
	}
	well := func(c modbus.Counters) modbus.Counters {
		c.Requests, c.OK, c.LastOK = 1000, 990, zero
		return c
	}
	for _, c := range []struct {
		name  string
		facts doctor.Facts
		fault string
		says  string
	}{
		{"not asked", doctor.Facts{}, doctor.FaultNone, "not asked"},
		{"well", doctor.Facts{Counters: well(modbus.Counters{LatencySum: 9 * time.Second}), Timeout: time.Second}, doctor.FaultNone, "as it should"},
		{"slow", doctor.Facts{Counters: well(modbus.Counters{LatencySum: 900 * time.Second}), Timeout: time.Second}, doctor.FaultSlow, "on average"},
		{"misses some", doctor.Facts{Counters: well(modbus.Counters{Timeouts: 80})}, doctor.FaultSlow, "80 of 1000"},
		{"a noisy line", doctor.Facts{Counters: well(modbus.Counters{CRCErrors: 40})}, doctor.FaultLine, "one in 25"},
		{"two masters", doctor.Facts{Counters: well(modbus.Counters{UnknownUnit: 20})}, doctor.FaultMixedUp, "another unit"},
		{"refused connection", doctor.Facts{Address: "10.0.0.7:502", Counters: failing(fmt.Errorf("%w: dial tcp 10.0.0.7:502: connect: connection refused", modbus.ErrUnreachable), modbus.Counters{})}, doctor.FaultUnreachable, "refuses"},
		{"nobody there", doctor.Facts{Address: "10.0.0.7:502", Counters: failing(fmt.Errorf("%w: dial tcp 10.0.0.7:502: i/o timeout", modbus.ErrUnreachable), modbus.Counters{})}, doctor.FaultUnreachable, "is off"},
		{"one master", doctor.Facts{Address: "10.0.0.7:502", Counters: failing(fmt.Errorf("%w: %w", modbus.ErrUnreachable, io.EOF), modbus.Counters{})}, doctor.FaultOneMaster, "closes it at once"},
		{"no port", doctor.Facts{Address: "serial:/dev/ttyUSB0?baud=19200&parity=e&stop=1", Counters: failing(fmt.Errorf("%w: open /dev/ttyUSB0: no such file or directory", modbus.ErrUnreachable), modbus.Counters{})}, doctor.FaultUnreachable, "no such file"},
		{"gateway", doctor.Facts{Unit: 7, Counters: failing(modbus.GatewayTarget, modbus.Counters{Exceptions: map[string]int64{modbus.GatewayTarget.Error(): 10}})}, doctor.FaultGateway, "does not reach unit 7"},
		{"silent beside others", doctor.Facts{Unit: 7, SilentSince: zero, Others: 3, Counters: failing(modbus.ErrTimeout, modbus.Counters{Timeouts: 10})}, doctor.FaultSilent, "3 other units"},
		{"wrong unit", doctor.Facts{Unit: 7, Others: 1, Counters: failing(modbus.ErrTimeout, modbus.Counters{Timeouts: 2})}, doctor.FaultUnit, "1 other unit "},
		{"silent now", doctor.Facts{Unit: 7, Counters: failing(modbus.ErrTimeout, modbus.Counters{OK: 5, LastOK: zero.Add(-time.Hour), Timeouts: 10})}, doctor.FaultSilent, "answered until 2026-03-01 11:00:00Z"},
		{"never answered", doctor.Facts{Unit: 7, Counters: failing(modbus.ErrTimeout, modbus.Counters{Timeouts: 10})}, doctor.FaultSilent, "never answered"},
		{"other frames", doctor.Facts{Address: "10.0.0.7:502", Counters: failing(modbus.ErrDesync, modbus.Counters{Desyncs: 10})}, doctor.FaultTransport, "Modbus TCP"},
		{"spoiled", doctor.Facts{Address: "rtu+tcp://10.0.0.7:502", Counters: failing(modbus.ErrDesync, modbus.Counters{Desyncs: 10, CRCErrors: 9})}, doctor.FaultLine, "spoiled"},
		{"busy", doctor.Facts{Counters: failing(modbus.Busy, modbus.Counters{Exceptions: map[string]int64{modbus.Busy.Error(): 10}})}, doctor.FaultBusy, "busy"},
		{"refuses", doctor.Facts{Counters: failing(modbus.IllegalAddress, modbus.Counters{Exceptions: map[string]int64{modbus.IllegalAddress.Error(): 10}})}, doctor.FaultRefused, "illegal data address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := doctor.Explain(c.facts); got.Fault != c.fault || !strings.Contains(got.Text, c.says) {
				t.Errorf("%+v, want %s that says %q", got, c.fault, c.says)
			}
		})
	}
}

// patient is a device: it answers reads of registers, by unit, in the frames of its transport.
type patient struct {
	rtu       bool
	hangUp    bool
	registers map[byte]map[uint16]uint16 // by unit; of a unit that has some, others are illegal
}

func (p patient) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if p.hangUp {
				c.Close()
				continue
			}
			wg.Go(func() { defer c.Close(); p.talk(c) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

func (p patient) talk(c net.Conn) {
	for {
		var q []byte // unit and PDU
		var head [6]byte
		if p.rtu {
			q = make([]byte, 8)
			if _, err := io.ReadFull(c, q); err != nil {
				return
			}
			if !equal(crc(q[:6]), q[6:]) { // not a frame of a serial line: nobody answers
				continue
			}
			q = q[:6]
		} else {
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return
			}
			if binary.BigEndian.Uint16(head[2:]) != 0 || binary.BigEndian.Uint16(head[4:]) > 20 {
				return
			}
			q = make([]byte, binary.BigEndian.Uint16(head[4:]))
			if _, err := io.ReadFull(c, q); err != nil {
				return
			}
		}
		answer := p.answer(q)
		if answer == nil {
			continue
		}
		if p.rtu {
			c.Write(append(answer, crc(answer)...))
			continue
		}
		binary.BigEndian.PutUint16(head[4:], uint16(len(answer)))
		c.Write(append(head[:], answer...))
	}
}

func (p patient) answer(q []byte) []byte {
	registers, ok := p.registers[q[0]]
	if !ok {
		return nil
	}
	addr, n := binary.BigEndian.Uint16(q[2:]), binary.BigEndian.Uint16(q[4:])
	out := []byte{q[0], q[1], byte(2 * n)}
	for i := range n {
		v, ok := registers[addr+i]
		if !ok {
			return []byte{q[0], q[1] | 0x80, 2}
		}
		out = binary.BigEndian.AppendUint16(out, v)
	}
	return out
}

func equal(a, b []byte) bool { return string(a) == string(b) }

func crc(b []byte) []byte {
	c := uint16(0xFFFF)
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			if odd := c & 1; odd != 0 {
				c = c>>1 ^ 0xA001
			} else {
				c >>= 1
			}
		}
	}
	return binary.LittleEndian.AppendUint16(nil, c)
}

// float puts a number at an address, its high word first.
func float(addr uint16, v float32) map[uint16]uint16 {
	n := math.Float32bits(v)
	return map[uint16]uint16{0: 0, addr: uint16(n >> 16), addr + 1: uint16(n)}
}

func TestExamine(t *testing.T) {
	t.Parallel()
	p, err := device.Parse([]byte(`{"schema": 1, "id": "acme-one", "vendor": "Acme", "model": "One", "source": "test", "kind": "registers", "address_base": 0,
		"defaults": {"fc": 3, "order": "ABCD", "max_regs": 50, "gap": 0, "timeout_ms": 200, "request_delay_ms": 0, "retries": 0},
		"identify": [], "probe": {"fc": 3, "addr": 100, "type": "f32", "min": 80, "max": 300},
		"points": [{"name": "v", "addr": 100, "type": "f32", "channel": "readings.voltage.an", "unit": "V", "kind": "gauge"}], "write_allow": [], "logs": []}`))
	if err != nil {
		t.Fatal(err)
	}
	swapped := float(100, 230)
	swapped[100], swapped[101] = swapped[101], swapped[100]
	for _, c := range []struct {
		name    string
		patient patient
		unit    byte
		fault   string
		says    string
	}{
		{"well", patient{registers: map[byte]map[uint16]uint16{1: float(100, 230)}}, 1, doctor.FaultNone, "Acme One"},
		{"another unit", patient{registers: map[byte]map[uint16]uint16{247: float(100, 230)}}, 1, doctor.FaultUnit, "unit 247 does"},
		{"serial frames", patient{rtu: true, registers: map[byte]map[uint16]uint16{5: float(100, 230)}}, 5, doctor.FaultTransport, "rtu+tcp"},
		{"one master", patient{hangUp: true}, 1, doctor.FaultOneMaster, "closes it at once"},
		{"one register up", patient{registers: map[byte]map[uint16]uint16{1: float(101, 230)}}, 1, doctor.FaultOffByOne, "stands at 0x0065"},
		{"one register down", patient{registers: map[byte]map[uint16]uint16{1: float(99, 230)}}, 1, doctor.FaultOffByOne, "stands at 0x0063"},
		{"word order", patient{registers: map[byte]map[uint16]uint16{1: swapped}}, 1, doctor.FaultWordOrder, "CDAB"},
		{"another meter", patient{registers: map[byte]map[uint16]uint16{1: float(100, 7)}}, 1, doctor.FaultProfile, "not as Acme One does"},
		{"nobody", patient{registers: map[byte]map[uint16]uint16{}}, 1, doctor.FaultSilent, "unit 1 does not answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := c.patient.serve(t)
			var got doctor.Finding
			err := modbus.With(t.Context(), address, modbus.Config{}, func(ctx context.Context, e *modbus.Endpoint) (err error) {
				got, err = doctor.Examine(ctx, e, doctor.Patient{Address: address, Unit: c.unit, Profile: p, Timeout: 300 * time.Millisecond})
				return err
			})
			if err != nil || got.Fault != c.fault || !strings.Contains(got.Text, c.says) {
				t.Errorf("%+v, %v; want %s that says %q", got, err, c.fault, c.says)
			}
		})
	}
	t.Run("nothing there", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		err = modbus.With(t.Context(), address, modbus.Config{}, func(ctx context.Context, e *modbus.Endpoint) error {
			got, err := doctor.Examine(ctx, e, doctor.Patient{Address: address, Unit: 1, Profile: p})
			if got.Fault != doctor.FaultUnreachable || !strings.Contains(got.Text, "refuses the connection") {
				t.Errorf("%+v", got)
			}
			return err
		})
		if err != nil && !errors.Is(err, modbus.ErrUnreachable) {
			t.Error(err)
		}
	})
}
