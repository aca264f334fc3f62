package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	gomodbus "github.com/goburrow/modbus"
)

const (
	mbapHeader = 7 // transaction, protocol, length, unit
	maxLength  = 254
	// MaxLongAnswer bounds the answer to function code 0x23; every other answer keeps
	// the limit of the standard.
	MaxLongAnswer = 4096
	// FCReadRepeated is the EIG function "read holding registers N times".
	FCReadRepeated = 0x23
)

// exchange is one request on its way: goburrow's Transporter for a single call.
type exchange struct {
	ctx      context.Context
	conn     net.Conn
	deadline time.Time
	fc       byte
	rtu      bool          // the frames of a serial line
	drained  time.Duration // how long such a line must be silent before
	count    func(dropped string)
	sent     int
	received int // bytes of answer, also of dropped ones
	late     int // bytes thrown away before the request
	clean    bool
}

// Send writes one frame and returns the frame that answers it. Frames of other
// transactions or units are late or lost answers: dropped, counted, never returned.
func (x *exchange) Send(adu []byte) ([]byte, error) {
	cut := make(chan struct{})
	stop := context.AfterFunc(x.ctx, func() {
		defer close(cut)
		x.conn.SetDeadline(time.Unix(1, 0))
	})
	defer func() {
		if !stop() {
			<-cut // else it could cut off the next exchange
		}
	}()
	if x.rtu {
		began := time.Now()
		if err := x.drain(max(x.drained, quiet)); err != nil {
			return nil, err
		}
		x.deadline = x.deadline.Add(time.Since(began))
	}
	if err := x.conn.SetDeadline(x.deadline); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if err := x.ctx.Err(); err != nil { // the cancel may have come before the deadline was set
		return nil, err
	}
	if x.rtu {
		return x.sendRTU(adu)
	}
	n, err := x.conn.Write(adu)
	x.sent = n
	if err != nil {
		return nil, x.fail(err, false)
	}
	for {
		answer, err := x.frame()
		if err != nil {
			return nil, err
		}
		switch {
		case binary.BigEndian.Uint16(answer) != binary.BigEndian.Uint16(adu):
			x.count("transaction")
		case answer[6] != adu[6]:
			x.count("unit")
		default:
			x.clean = true
			return answer, nil
		}
	}
}

// frame reads one MBAP frame.
func (x *exchange) frame() ([]byte, error) {
	var head [mbapHeader]byte
	n, err := io.ReadFull(x.conn, head[:])
	x.received += n
	if err != nil {
		return nil, x.fail(err, n > 0)
	}
	limit := maxLength
	if x.fc == FCReadRepeated {
		limit = MaxLongAnswer
	}
	length := int(binary.BigEndian.Uint16(head[4:]))
	if p := binary.BigEndian.Uint16(head[2:]); p != 0 {
		return nil, fmt.Errorf("%w: protocol id %d", ErrDesync, p)
	}
	if length < 3 || length > limit { // unit, function and at least one byte
		return nil, fmt.Errorf("%w: a length of %d, want 3 to %d", ErrDesync, length, limit)
	}
	frame := make([]byte, mbapHeader+length-1)
	copy(frame, head[:])
	n, err = io.ReadFull(x.conn, frame[mbapHeader:])
	x.received += n
	if err != nil {
		return nil, x.fail(err, true)
	}
	return frame, nil
}

// fail sorts an error of the connection. A frame that broke off leaves the stream out of
// step, so even a timeout then means desync.
func (x *exchange) fail(err error, inFrame bool) error {
	if ctxErr := x.ctx.Err(); ctxErr != nil && !errors.Is(ctxErr, context.DeadlineExceeded) {
		return ctxErr
	}
	timeout := errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case timeout && inFrame:
		return fmt.Errorf("%w: the frame broke off", ErrDesync)
	case timeout:
		x.clean = true
		return ErrTimeout
	case inFrame:
		return fmt.Errorf("%w: the connection closed inside a frame", ErrUnreachable)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// call sends one request through goburrow's client and checks what it leaves open: that
// the answer has the length that was asked for.
func call(packager gomodbus.Packager, x *exchange, r *Request) ([]byte, error) {
	client := gomodbus.NewClient2(packager, x)
	var out []byte
	var err error
	switch r.FC {
	case gomodbus.FuncCodeReadHoldingRegisters:
		out, err = client.ReadHoldingRegisters(r.Addr, uint16(r.Count))
	case gomodbus.FuncCodeReadInputRegisters:
		out, err = client.ReadInputRegisters(r.Addr, uint16(r.Count))
	case gomodbus.FuncCodeWriteSingleRegister:
		_, err = client.WriteSingleRegister(r.Addr, binary.BigEndian.Uint16(r.Data))
	case gomodbus.FuncCodeWriteMultipleRegisters:
		_, err = client.WriteMultipleRegisters(r.Addr, uint16(r.Count), r.Data)
	case FCReadRepeated:
		out, err = readRepeated(packager, x, r)
	case FCEncapsulated:
		out, err = raw(packager, x, r.FC, r.Data)
	}
	if err == nil && r.FC != FCEncapsulated && len(out) != r.expect() {
		err = fmt.Errorf("%w: %d bytes of data, asked for %d", ErrDesync, len(out), r.expect())
	}
	var refused *gomodbus.ModbusError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		if refused.FunctionCode != r.FC|0x80 {
			return nil, fmt.Errorf("%w: function %#02x", ErrDesync, refused.FunctionCode)
		}
		return nil, Exception(refused.ExceptionCode)
	case !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrDesync) && x.ctx.Err() == nil:
		return nil, fmt.Errorf("%w: %w", ErrDesync, err) // goburrow's own checks of the answer
	}
	return out, err
}

// readRepeated is function code 0x23, whose answer has a byte count of two bytes.
func readRepeated(packager gomodbus.Packager, x *exchange, r *Request) ([]byte, error) {
	data := binary.BigEndian.AppendUint16(nil, r.Addr)
	data = append(binary.BigEndian.AppendUint16(data, uint16(r.Count)), byte(r.Repeat))
	answer, err := raw(packager, x, r.FC, data)
	if err != nil {
		return nil, err
	}
	if len(answer) < 2 || int(binary.BigEndian.Uint16(answer)) != len(answer)-2 {
		return nil, fmt.Errorf("%w: the byte count does not fit the frame", ErrDesync)
	}
	return answer[2:], nil
}

// raw sends a function that goburrow's client does not know and returns what follows the function code of the answer.
func raw(packager gomodbus.Packager, x *exchange, fc byte, data []byte) ([]byte, error) {
	adu, err := packager.Encode(&gomodbus.ProtocolDataUnit{FunctionCode: fc, Data: data})
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	answer, err := x.Send(adu)
	if err != nil {
		return nil, err
	}
	if err := packager.Verify(adu, answer); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	pdu, err := packager.Decode(answer)
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if len(pdu.Data) == 0 {
		return nil, fmt.Errorf("%w: an empty answer", ErrDesync)
	}
	if pdu.FunctionCode != fc {
		return nil, &gomodbus.ModbusError{FunctionCode: pdu.FunctionCode, ExceptionCode: pdu.Data[0]}
	}
	return pdu.Data, nil
}
