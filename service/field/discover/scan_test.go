package discover_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/rpc/api"
	"metermanager/service/field/device"
	"metermanager/service/field/discover"
	"metermanager/service/field/modbus"
	"metermanager/service/field/sim"
)

func profiles(t *testing.T) *device.Set {
	t.Helper()
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// meter runs a simulated meter and returns its address.
func meter(t *testing.T, kind sim.Kind, unit byte) string {
	t.Helper()
	m, err := sim.New(sim.Config{Kind: kind, Unit: unit, Seed: 7, Serial: "S-0007", History: time.Hour, Profiles: assets.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return m.Addr().String()
}

// registers answers reads of the registers that it has; others are illegal.
func registers(t *testing.T, values map[uint16]uint16) string {
	t.Helper()
	return serve(t, func(unit byte, pdu []byte) []byte {
		out := []byte{pdu[0], 0}
		first, n := binary.BigEndian.Uint16(pdu[1:]), binary.BigEndian.Uint16(pdu[3:])
		for i := range n {
			v, ok := values[first+i]
			if !ok {
				return []byte{pdu[0] | 0x80, 2}
			}
			out = binary.BigEndian.AppendUint16(out, v)
		}
		out[1] = byte(2 * n)
		return out
	})
}

// gateway answers reads of the units it knows with zeros, and says of others that they are not there. What is asked that is
// no read is an error.
func gateway(t *testing.T, units ...byte) string {
	t.Helper()
	return serve(t, func(unit byte, pdu []byte) []byte {
		switch {
		case !slices.Contains(units, unit):
			return []byte{pdu[0] | 0x80, 11}
		case pdu[0] == 0x2B:
			return append([]byte{0x2B, 0x0E, 2, 0x82, 0, 0, 2, 0, 4}, "Acme\x01\x03X-9"...)
		case pdu[0] == 3 && pdu[1] == 0:
			n := 2 * int(binary.BigEndian.Uint16(pdu[3:]))
			return append([]byte{3, byte(n)}, make([]byte, n)...)
		}
		return []byte{pdu[0] | 0x80, 2}
	})
}

// serve serves Modbus TCP: answer is given what is asked, and returns a PDU.
func serve(t *testing.T, answer func(unit byte, pdu []byte) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	talk := func(c net.Conn) {
		defer c.Close()
		for {
			var head [7]byte
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return
			}
			pdu := make([]byte, binary.BigEndian.Uint16(head[4:])-1)
			if _, err := io.ReadFull(c, pdu); err != nil {
				return
			}
			if !slices.Contains([]byte{3, 4, 0x2B}, pdu[0]) {
				t.Errorf("a scan sends function %d", pdu[0])
			}
			out := answer(head[6], pdu)
			binary.BigEndian.PutUint16(head[4:], uint16(len(out)+1))
			c.Write(append(head[:], out...))
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { talk(c) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// mute accepts and never answers.
func mute(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func scanner(t *testing.T) *discover.Scanner {
	return &discover.Scanner{
		Profiles: profiles(t), Logger: slog.New(slog.DiscardHandler),
		Known: func(string) (map[byte]string, *modbus.Endpoint) { return nil, nil },
	}
}

func TestScanFindsWhatAnswers(t *testing.T) {
	t.Parallel()
	shark, sun, gate := meter(t, sim.Shark200, 1), meter(t, sim.SunSpec, 1), gateway(t, 3, 7)
	// All of them are one host on many ports to the scan, as far as it goes.
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		to, ok := map[string]string{"10.0.0.2:502": shark, "10.0.0.3:502": sun, "10.0.0.4:502": mute(t), "10.0.0.9:502": gate, "10.0.0.8:502": shark}[address]
		if !ok {
			return nil, errors.New("nobody there")
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", to)
	}
	x := scanner(t)
	x.Dial = dial
	x.Known = func(address string) (map[byte]string, *modbus.Endpoint) {
		if address == "10.0.0.8:502" {
			return map[byte]string{1: "main"}, nil
		}
		return nil, nil
	}
	s, err := discover.Plan(discover.Request{Ranges: []string{"10.0.0.0/28"}, Lines: []string{"tcp://10.0.0.9"}, Units: []int{1, 3, 4, 7}})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]api.Discovered{}
	var last discover.Progress
	if err := x.Run(t.Context(), s, func(f api.Discovered) { found[f.Address] = append(found[f.Address], f) }, func(p discover.Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	want := func(address string, units ...int) []api.Discovered {
		t.Helper()
		got := found[address]
		var have []int
		for _, f := range got {
			have = append(have, f.Unit)
		}
		if !slices.Equal(have, units) {
			t.Fatalf("%s: units %v, want %v", address, have, units)
		}
		return got
	}
	if f := want("10.0.0.2:502", 1)[0]; f.Profile != "eig-shark-200" || f.Serial != "S-0007" || f.Make == "" {
		t.Errorf("Shark 200: %+v", f)
	}
	if f := want("10.0.0.3:502", 1)[0]; f.Profile != "sunspec-3p" || f.Serial != "S-0007" {
		t.Errorf("SunSpec: %+v", f)
	}
	for _, f := range want("10.0.0.9:502", 3, 7) {
		if f.Profile != "" || f.Make != "Acme" || f.Model != "X-9" || f.Note == "" {
			t.Errorf("behind the gateway: %+v", f)
		}
	}
	if len(found) != 3 || last.Addresses != 14 || last.Done != 14 || last.Open != 4 || last.Skipped != 1 {
		t.Errorf("found %d addresses, progress %+v", len(found), last)
	}
}

func TestRunnerKeepsTheLastScan(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "discovery.json")
	asked := make(chan struct{})
	x := scanner(t)
	x.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
		select {
		case asked <- struct{}{}:
		case <-ctx.Done():
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	start := func() (*discover.Runner, func()) {
		r := discover.NewRunner(x, file, time.Now)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		return r, func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	r, stop := start()
	if st := r.Status(); st.State != discover.StateNone || st.Found == nil {
		t.Errorf("before any scan: %+v", st)
	}
	q := discover.Request{Ranges: []string{"10.0.0.1-200"}}
	if _, err := r.Start(t.Context(), q, "admin"); err != nil {
		t.Fatal(err)
	}
	<-asked
	if _, err := r.Start(t.Context(), q, "admin"); !errors.Is(err, discover.ErrBusy) {
		t.Errorf("a second scan: %v", err)
	}
	r.Cancel()
	ended := make(chan discover.Status)
	go func() {
		for {
			if st := r.Status(); st.State != discover.StateRunning {
				ended <- st
				return
			}
			select {
			case <-asked:
			default:
			}
		}
	}()
	if st := <-ended; st.State != discover.StateCancelled || st.By != "admin" || st.Ended < st.Started {
		t.Errorf("after it was cancelled: %+v", st)
	}
	stop()
	again, stop := start()
	if st := again.Status(); st.State != discover.StateCancelled || len(st.Request.Ranges) != 1 {
		t.Errorf("after a restart: %+v", st)
	}
	stop()
}
