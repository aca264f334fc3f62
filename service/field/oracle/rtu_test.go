package oracle_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
)

// TestReadsSerialLines reads meters of others over the frames of a serial line: in a TCP connection, as through a
// transparent gateway, and over a pair of pseudo terminals, of which pymodbus has one end.
func TestReadsSerialLines(t *testing.T) {
	t.Parallel()
	units := []string{"1:strict:sdm630.regs", "2:strict:abb-b23.regs", "3:slow:abb-b23.regs", "4:busy:em24.regs"}
	for _, c := range []struct {
		name string
		at   func(t *testing.T) string
	}{
		{"in a TCP connection", func(t *testing.T) string {
			return "rtu+tcp://" + libraries[0].serve(t, append([]string{"--rtu-tcp"}, units...)...).addr
		}},
		{"over a serial port", func(t *testing.T) string {
			near, far := terminals(t)
			libraries[0].serve(t, append([]string{"--serial", far}, units...)...)
			return "serial:" + near + "?baud=19200&parity=n"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			addr := c.at(t)
			for unit, profile := range map[byte]string{1: "eastron-sdm630", 2: "abb-b23", 4: "cg-em24"} {
				r, err := retrieve.Test(t.Context(), patient(t), addr, unit, profile, modbus.Config{})
				if err == nil {
					err = makeOf(t, profile).compare(r)
				}
				if err != nil {
					t.Fatalf("%s: %v", profile, err)
				}
			}
			// A unit that answers after its time is up: what comes late is thrown away, and nothing of it is
			// ever taken for what another unit, or the same one, reads next.
			e := endpoint(t, addr, modbus.Config{Timeout: 5 * time.Second})
			slow, quick := e.Unit(3, modbus.UnitConfig{Timeout: 400 * time.Millisecond}), e.Unit(2, modbus.UnitConfig{})
			if _, err := slow.Read(t.Context(), 3, 0x5B00, 2, modbus.Live); !errors.Is(err, modbus.ErrTimeout) {
				t.Errorf("a slow unit: %v", err)
			}
			if b, err := quick.Read(t.Context(), 3, 0x5B02, 2, modbus.Live); err != nil || b[3] != 0x06 || b[2] != 0x09 {
				t.Errorf("the next unit: % x, %v", b, err)
			}
			if _, err := e.Unit(9, modbus.UnitConfig{Timeout: 100 * time.Millisecond}).Read(t.Context(), 3, 0, 2, modbus.Live); !errors.Is(err, modbus.ErrTimeout) {
				t.Errorf("nobody: %v", err)
			}
			if b, err := quick.Read(t.Context(), 3, 0x5B00, 2, modbus.Live); err != nil || b[3] != 0x01 {
				t.Errorf("the next unit: % x, %v", b, err)
			}
			if n := e.Counters(); n.Connects != 1 || n.Late == 0 || n.Desyncs != 0 {
				t.Errorf("counters %+v, want one connection and a late answer", n)
			}
		})
	}
}

// TestReadsManyMakesOverASerialPort reads the images of all profiles over a pair of pseudo terminals, at the other end of which a library of
// others answers for one unit after the other.
func TestReadsManyMakesOverASerialPort(t *testing.T) {
	t.Parallel()
	set := patient(t)
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(filepath.Join("..", "..", "..", ".tools", "node", "node_modules", "serialport")); err != nil && l.name == "modbus-serial" {
				skip(t, "the npm package serialport is not installed")
			}
			near, far := terminals(t)
			args := []string{"--serial", far}
			for i, m := range makes {
				args = append(args, fmt.Sprintf("%d:%s:%s", i+1, [...]string{"zero", "strict"}[i%2], m.image))
			}
			s := l.serve(t, args...)
			for i, m := range makes {
				s.answersAs(t, byte(i+1))
				r, err := retrieve.Test(t.Context(), set, "serial:"+near+"?baud=19200&parity=n", byte(i+1), m.profile, modbus.Config{})
				if err == nil {
					err = m.compare(r)
				}
				if err != nil {
					t.Errorf("%s: %v", m.profile, err)
				}
			}
		})
	}
}

// makeOf returns the first image of a profile.
func makeOf(t *testing.T, profile string) meterMake {
	t.Helper()
	i := slices.IndexFunc(makes, func(m meterMake) bool { return m.profile == profile })
	if i < 0 {
		t.Fatalf("%s has no image", profile)
	}
	return makes[i]
}

// terminals makes a pair of pseudo terminals: what is written to one is read from the other.
func terminals(t *testing.T) (near, far string) {
	t.Helper()
	path, err := exec.LookPath("socat")
	if err != nil {
		skip(t, "socat is not installed (Debian package socat)")
	}
	dir := t.TempDir()
	near, far = filepath.Join(dir, "near"), filepath.Join(dir, "far")
	cmd := exec.Command(path, "pty,raw,echo=0,link="+near, "pty,raw,echo=0,link="+far)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	deadline := time.After(2 * time.Minute) // of a busy machine
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, a := os.Stat(near)
		_, b := os.Stat(far)
		if a == nil && b == nil {
			return near, far
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("socat makes no terminals")
		}
	}
}
