package modbus_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"testing"
	"time"

	"metermanager/service/field/modbus"
)

// The reply of a server of another author (pymodbus), and one in two parts.
var (
	oneReply   = append([]byte{0x2B, 0x0E, 1, 0x83, 0, 0, 3, 0, 10}, "TestVendor\x01\x03TV1\x02\x031.2"...)
	firstReply = []byte{0x2B, 0x0E, 2, 0x82, 0xFF, 1, 1, 0, 2, 'A', 'B'}
	lastReply  = []byte{0x2B, 0x0E, 2, 0x82, 0, 0, 1, 5, 2, 'M', '1'}
	sameAgain  = []byte{0x2B, 0x0E, 2, 0x82, 0xFF, 0, 1, 0, 2, 'A', 'B'}
)

func TestDeviceIdentification(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answers map[byte][]byte // by the object that is asked for
		want    map[byte]string
		err     error
	}{
		{"whole", map[byte][]byte{0: oneReply}, map[byte]string{0: "TestVendor", 1: "TV1", 2: "1.2"}, nil},
		{"in two parts", map[byte][]byte{0: firstReply, 1: lastReply}, map[byte]string{0: "AB", 5: "M1"}, nil},
		{"the same again and again", map[byte][]byte{0: sameAgain}, map[byte]string{0: "AB"}, nil},
		{"none", map[byte][]byte{0: {0xAB, 1}}, nil, modbus.IllegalFunction},
		{"breaks off", map[byte][]byte{0: {0x2B, 0x0E, 1, 1, 0, 0, 2, 0, 2, 'A', 'B', 1, 9, 'x'}}, nil, modbus.ErrDesync},
		{"another type", map[byte][]byte{0: {0x2B, 0x0D, 1, 1, 0, 0, 0, 0}}, nil, modbus.ErrDesync},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(_ int, f frame, w net.Conn) {
				if !bytes.Equal(f.pdu[:2], []byte{0x2B, 0x0E}) || len(f.pdu) != 4 {
					t.Errorf("request % x", f.pdu)
				}
				w.Write(f.answer(c.answers[f.pdu[3]]...))
			})
			e := start(t, s.addr, modbus.Config{Timeout: time.Second})
			got, err := e.Unit(1, modbus.UnitConfig{}).DeviceID(t.Context(), modbus.IdentificationRegular, modbus.User)
			if !errors.Is(err, c.err) || c.err == nil && !maps.Equal(got, c.want) {
				t.Errorf("%q, %v; want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

// TestDeviceIdentificationOnALine: on a serial line the length of the answer follows from its objects.
func TestDeviceIdentificationOnALine(t *testing.T) {
	t.Parallel()
	whole := framed(append([]byte{1}, oneReply...)...)
	spoiled := bytes.Clone(whole)
	spoiled[12] ^= 1
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for _, answer := range [][]byte{spoiled, whole} {
			var q [7]byte
			if _, err := io.ReadFull(c, q[:]); err != nil {
				return
			}
			c.Write(answer[:7])
			c.Write(answer[7:])
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	e := start(t, "rtu+tcp://"+l.Addr().String(), modbus.Config{Timeout: 200 * time.Millisecond})
	u := e.Unit(1, modbus.UnitConfig{})
	if _, err := u.DeviceID(t.Context(), modbus.IdentificationBasic, modbus.User); !errors.Is(err, modbus.ErrDesync) {
		t.Errorf("a spoiled answer gives %v", err)
	}
	got, err := u.DeviceID(t.Context(), modbus.IdentificationBasic, modbus.User)
	if want := map[byte]string{0: "TestVendor", 1: "TV1", 2: "1.2"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}
