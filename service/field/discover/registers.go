package discover

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"metermanager/rpc/api"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// Orders are the byte orders in which meters store numbers of several registers: ABCD has the high byte first and the high
// word first, CDAB the low word first.
var Orders = [...]string{"ABCD", "CDAB", "BADC", "DCBA"}

// Types are those that a register view shows and a value can be picked as.
var Types = [...]string{"u16", "s16", "u32", "s32", "f32", "u64", "s64", "f64"}

// mostRegisters bounds one look at the registers of a meter.
const mostRegisters = 500

// Look says which registers to read.
type Look struct {
	FC    byte   // 3 holding registers, 4 input registers
	Addr  uint16 // zero-based
	Count int
}

// ErrRefused marks registers of which the meter has none.
var ErrRefused = errors.New("the meter refuses all of these registers")

// Check says what is wrong with l.
func (l Look) Check() error {
	switch {
	case l.FC != 3 && l.FC != 4:
		return fmt.Errorf("function %d, want 3 (holding registers) or 4 (input registers)", l.FC)
	case l.Count < 1 || l.Count > mostRegisters || int(l.Addr)+l.Count > 1<<16:
		return fmt.Errorf("%d registers from %d on, want 1 to %d that end at 65535", l.Count, l.Addr, mostRegisters)
	}
	return nil
}

// Advice says what to try where the meter refuses l. Numbers like 40001, by which manuals mean a register and how it is read, are the first suspects.
func (l Look) Advice() string {
	for _, of := range []struct {
		first uint16
		fc    int
		kind  string
	}{{40001, 3, "holding"}, {30001, 4, "input"}} {
		if l.Addr >= of.first && l.Addr < of.first+9999 {
			return fmt.Sprintf("Addresses count from 0, as on the wire: register %d of a manual is %s register %d, read with function %d from %d on.",
				l.Addr, of.kind, l.Addr-of.first, of.fc, l.Addr-of.first)
		}
	}
	return fmt.Sprintf("Try function %d as well, and other addresses: manuals often count from 1, on the wire it is from 0.", 7-l.FC)
}

// Registers reads registers of a unit, a meter without a profile for one. What the meter refuses as a whole is read in
// halves, down to single registers.
func Registers(ctx context.Context, u *modbus.Unit, l Look) ([]api.Register, error) {
	if err := l.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	words := make([][]byte, l.Count)
	refused := make([]string, l.Count)
	answered := false
	var read func(from, n int) error
	read = func(from, n int) error {
		if n > 50 { // what most meters take at once
			if err := read(from, 50); err != nil {
				return err
			}
			return read(from+50, n-50)
		}
		b, err := u.Read(ctx, l.FC, l.Addr+uint16(from), n, modbus.User)
		x, isException := modbus.ExceptionOf(err)
		switch {
		case err == nil:
			answered = true
			for i := range n {
				words[from+i] = b[2*i : 2*i+2]
			}
			return nil
		case !isException:
			return err
		case n > 1 && (x == modbus.IllegalAddress || x == modbus.IllegalValue):
			if err := read(from, n/2); err != nil {
				return err
			}
			return read(from+n/2, n-n/2)
		}
		for i := range n {
			refused[from+i] = x.Error()
		}
		return nil
	}
	if err := read(0, l.Count); err != nil {
		return nil, err
	}
	out := make([]api.Register, l.Count)
	for i := range out {
		out[i] = meaning(l.Addr+uint16(i), words[i:], refused[i])
	}
	if !answered {
		return out, fmt.Errorf("%w: %s", ErrRefused, refused[0])
	}
	return out, nil
}

// meaning tells what words, of which the first is that of addr, may be.
func meaning(addr uint16, words [][]byte, refused string) api.Register {
	r := api.Register{Addr: int(addr), Refused: refused}
	if words[0] == nil {
		return r
	}
	r.Hex = fmt.Sprintf("%02x%02x", words[0][0], words[0][1])
	v := uint16(words[0][0])<<8 | uint16(words[0][1])
	s := int16(v)
	r.U16, r.S16 = &v, &s
	if printable(words[0][0]) && printable(words[0][1]) {
		r.Text = string(words[0])
	}
	if b := joined(words, 2); b != nil {
		r.F32, r.U32, r.S32 = map[string]api.Value{}, map[string]uint32{}, map[string]int32{}
		for _, o := range Orders {
			n := uint32(device.Arrange(b, o))
			r.U32[o], r.S32[o] = n, int32(n)
			if f := math.Float32frombits(n); finite(float64(f)) {
				r.F32[o] = api.Value(device.Float32(f))
			}
		}
	}
	if b := joined(words, 4); b != nil {
		r.F64, r.U64 = map[string]api.Value{}, map[string]uint64{}
		for _, o := range Orders {
			n := device.Arrange(b, o)
			r.U64[o] = n
			if f := math.Float64frombits(n); finite(f) {
				r.F64[o] = api.Value(f)
			}
		}
	}
	return r
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func printable(c byte) bool { return c >= ' ' && c <= '~' }

// joined returns the bytes of the first n words, nil when one is missing.
func joined(words [][]byte, n int) []byte {
	if len(words) < n || slices.ContainsFunc(words[:n], func(w []byte) bool { return w == nil }) {
		return nil
	}
	return slices.Concat(words[:n]...)
}
