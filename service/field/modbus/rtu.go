package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// On a serial line nothing says to which request an answer belongs: after a timeout the late answer could be taken for that
// to the next request, and be wrong without anybody noticing. So before the next request whatever comes is thrown away
// until the line was silent as long as the answer could have been late. What has come beside a good answer, such as the same once more, is thrown
// away as well: it would be taken for the answer to the next request, and a poll of one request would show each value one poll late.

// quiet is how long a line must be silent before any request.
const quiet = time.Millisecond

// maxRTU is the longest frame of a serial line.
const maxRTU = 256

// sendRTU writes one frame and returns the frame that answers it.
func (x *exchange) sendRTU(adu []byte) ([]byte, error) {
	n, err := x.conn.Write(adu)
	x.sent = n
	if err != nil {
		return nil, x.fail(err, false)
	}
	answer, err := x.frameRTU(adu[0], adu[1])
	if err != nil {
		return nil, err
	}
	x.clean = true
	return answer, nil
}

// frameRTU reads the answer of a unit to a function. Its length follows from what it begins with.
func (x *exchange) frameRTU(unit, fc byte) ([]byte, error) {
	frame := make([]byte, 5, maxRTU) // the shortest: unit, function, exception, check
	if err := x.fill(frame, 0); err != nil {
		return nil, err
	}
	if frame[0] != unit {
		x.count("unit")
		return nil, fmt.Errorf("%w: unit %d answers", ErrDesync, frame[0])
	}
	if frame[1]&0x7F != fc {
		return nil, fmt.Errorf("%w: function %#02x", ErrDesync, frame[1])
	}
	length := 5
	switch {
	case frame[1]&0x80 != 0:
	case fc == 3 || fc == 4:
		length = 5 + int(frame[2])
	case fc == FCEncapsulated:
		return x.identificationRTU(frame)
	case fc == FCReadRepeated:
		if length = 6 + int(binary.BigEndian.Uint16(frame[2:])); length > MaxLongAnswer {
			return nil, fmt.Errorf("%w: an answer of %d bytes", ErrDesync, length)
		}
	default: // writes are repeated
		length = 8
	}
	if length > 5 {
		frame = append(frame, make([]byte, length-5)...)
		if err := x.fill(frame, 5); err != nil {
			return nil, err
		}
	}
	return x.checked(frame)
}

// checked returns a whole frame whose check is right.
func (x *exchange) checked(frame []byte) ([]byte, error) {
	end := len(frame) - 2
	if got, want := binary.LittleEndian.Uint16(frame[end:]), crc16(frame[:end]); got != want {
		x.count("crc")
		return nil, fmt.Errorf("%w: checksum %04x, want %04x", ErrDesync, got, want)
	}
	return frame, nil
}

// identificationRTU reads the rest of an answer to function 43/14, which says nowhere how long it is: unit, function, 14,
// code, conformity, more, next, number of objects, then for each its id, length and bytes.
func (x *exchange) identificationRTU(frame []byte) ([]byte, error) {
	more := func(n int) error {
		from := len(frame)
		if from+n > maxRTU {
			return fmt.Errorf("%w: an answer of more than %d bytes", ErrDesync, maxRTU)
		}
		frame = append(frame, make([]byte, n)...)
		return x.fill(frame, from)
	}
	if err := more(8 - len(frame)); err != nil {
		return nil, err
	}
	for range frame[7] {
		if err := more(2); err != nil {
			return nil, err
		}
		if err := more(int(frame[len(frame)-1])); err != nil {
			return nil, err
		}
	}
	if err := more(2); err != nil {
		return nil, err
	}
	return x.checked(frame)
}

// fill reads a frame from byte from on.
func (x *exchange) fill(frame []byte, from int) error {
	n, err := io.ReadFull(x.conn, frame[from:])
	x.received += n
	if err != nil {
		return x.fail(err, from+n > 0)
	}
	return nil
}

// drain throws away what comes until the line was silent for a time, at most ten times as long.
func (x *exchange) drain(silent time.Duration) error {
	var junk [maxRTU]byte
	for end := time.Now().Add(10 * silent); time.Now().Before(end); {
		until := time.Now().Add(silent)
		if err := x.conn.SetDeadline(until); err != nil {
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		if err := x.ctx.Err(); err != nil {
			return err
		}
		if !time.Now().Before(until) { // the machine was busy: a read that begins too late sees nothing of what has come
			silent *= 2
			end = time.Now().Add(10 * silent)
			continue
		}
		n, err := x.conn.Read(junk[:])
		switch {
		case n > 0:
			x.late += n
			x.count("late")
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		if err := x.ctx.Err(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the line is never silent", ErrDesync)
}

// crc16 is the check of a frame (Modbus over Serial Line 1.02, clause 2.5.1.2 and appendix B).
func crc16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			odd := crc & 1
			if crc >>= 1; odd != 0 {
				crc ^= 0xA001
			}
		}
	}
	return crc
}
