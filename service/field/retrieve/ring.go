package retrieve

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// ringSession reads a log of the family "eig-ring": its raw memory, in windows of 128 bytes, while the meter goes on recording. What was read is
// good when the log's header says afterwards that the meter had not come round to it, and when the port's window index is the one that was asked for.
//
// The procedure of the manual pauses the log, and a paused log drops what it would have recorded: here it never pauses.
type ringSession struct {
	caller
	log   device.Log
	rings []*ring // of a waveform log two: triggers and samples, record by record alike
	asked bool
	from  uint32 // index of the oldest record: those before were overwritten since the session began
}

// ring is one memory. Index 0 of the session is the slot that was the oldest when the session looked.
type ring struct {
	at     device.RingAddrs
	head   device.RingHeader
	anchor int
}

func newRingSession(c caller, log device.Log) *ringSession {
	s := &ringSession{caller: c, log: log, rings: []*ring{{at: *log.Ring}}}
	if log.Samples != nil {
		s.rings = append(s.rings, &ring{at: *log.Samples})
	}
	return s
}

func (s *ringSession) registers() *caller { return &s.caller }

func (s *ringSession) readHeader(ctx context.Context, r *ring) (device.RingHeader, error) {
	b, err := s.read(ctx, r.at.Header, device.RingHeaderRegs)
	if err != nil {
		return device.RingHeader{}, fmt.Errorf("read the header of log %s: %w", s.log.Name, err)
	}
	return device.ParseRingHeader(b)
}

func (s *ringSession) look(ctx context.Context) error {
	s.from = 0
	for _, r := range s.rings {
		h, err := s.readHeader(ctx, r)
		// Where the place of a log is inferred, a meter without it may refuse the address.
		if x, ok := modbus.ExceptionOf(err); ok && x == modbus.IllegalAddress && s.log.Unverified {
			return fmt.Errorf("log %s: %w: %w", s.log.Name, ErrLogDisabled, err)
		}
		if err != nil {
			return err
		}
		if h.Disabled() {
			return fmt.Errorf("log %s: %w", s.log.Name, ErrLogDisabled)
		}
		r.head, r.anchor = h, int(h.First)
	}
	return nil
}

func (s *ringSession) extent() extent {
	x := extent{Used: 1 << 31}
	for _, r := range s.rings {
		x.Used, x.Max = min(x.Used, uint32(r.head.Used())), uint32(r.head.Max)
		x.RecordSize += int(r.head.RecordSize)
	}
	if x.Used > 0 {
		x.Last = hex.EncodeToString(s.rings[0].head.LastStamp[:])
	}
	x.perRequest = max(1, device.RingWindowBytes/max(1, x.RecordSize))
	return x
}

func (s *ringSession) check(want int) error {
	for i, r := range s.rings {
		size := 0
		switch {
		case len(s.rings) == 1:
			size = want
		case i == 0:
			size = device.RingTriggerSize
		default:
			size = device.RingSamplesSize
		}
		if err := r.head.Check(size); err != nil {
			return err
		}
		if r.head.Used() == 1 && r.head.FirstStamp != r.head.LastStamp { // taken for true, it would be a reset
			return fmt.Errorf("log %s is said to hold one record and has two times: %w", s.log.Name, ErrShifted)
		}
	}
	return nil
}

// engage sees whether somebody else reads this log by our port, and says how we read. It locks nothing: other ports have
// windows of their own.
func (s *ringSession) engage(ctx context.Context) error {
	for _, r := range s.rings {
		before, err := s.word(ctx, r.at.Index)
		if err != nil {
			return fmt.Errorf("look who reads log %s: %w", s.log.Name, err)
		}
		if before == device.RingFree {
			continue
		}
		if err := sleep(ctx, aliveTime); err != nil {
			return err
		}
		after, err := s.word(ctx, r.at.Index)
		if err != nil {
			return fmt.Errorf("look who reads log %s: %w", s.log.Name, err)
		}
		if after != before {
			return fmt.Errorf("log %s: %w by another program on our port", s.log.Name, ErrLogBusy)
		}
	}
	s.asked = true
	for _, r := range s.rings {
		if err := s.write(ctx, r.at.Mode, device.RingRecordsRunning); err != nil {
			return fmt.Errorf("set the mode of log %s: %w", s.log.Name, err)
		}
	}
	return s.look(ctx)
}

func (s *ringSession) write(ctx context.Context, addr device.Addr, value uint16) error {
	_, err := s.do(ctx, modbus.Request{FC: 6, Addr: uint16(addr), Count: 1, Data: binary.BigEndian.AppendUint16(nil, value)})
	return err
}

// disengage says that our port has read what it wanted.
func (s *ringSession) disengage(ctx context.Context) error {
	if !s.asked {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), disengageTime)
	defer cancel()
	s.priority = modbus.User
	var errs []error
	for _, r := range s.rings {
		err := s.write(ctx, r.at.Index, device.RingFree)
		for try := 1; err != nil && try < engageTries && ctx.Err() == nil; try++ { // the line may be cut just now
			err = s.write(ctx, r.at.Index, device.RingFree)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("let log %s go: %w", s.log.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *ringSession) oldest(context.Context) (uint32, error) { return s.from, nil }

// held looks whether the memory is still the one that the session looked at, and how far the meter has come round in it.
func (s *ringSession) held(ctx context.Context) error {
	for _, r := range s.rings {
		h, err := s.readHeader(ctx, r)
		if err != nil {
			return err
		}
		lost, err := r.moved(h)
		if err != nil {
			return fmt.Errorf("log %s: %w: %w", s.log.Name, ErrShifted, err)
		}
		s.from = max(s.from, uint32(lost))
	}
	return nil
}

// errAnew: the header is not that of the same log some records later.
var errAnew = errors.New("the log was emptied or programmed anew")

// moved returns how many records were overwritten since the session looked. A log that is full stays so, and one that is not only grows.
func (r *ring) moved(h device.RingHeader) (int, error) {
	if h.RecordSize != r.head.RecordSize || h.Max != r.head.Max || h.Check(0) != nil {
		return 0, errAnew
	}
	full := r.head.Used() == int(r.head.Max)
	now := h.Used()
	if now < r.head.Used() || full && now != int(h.Max) || now < int(h.Max) && int(h.First) != r.anchor {
		return 0, errAnew
	}
	return (int(h.First) - r.anchor + int(h.Max)) % int(h.Max), nil
}

func (s *ringSession) window(ctx context.Context, index uint32, records int) ([][]byte, error) {
	return s.fetch(ctx, index, index+uint32(records))
}

// fetch reads records and then looks whether they were still there. Those at the ends of what the log holds are read twice: the meter may have
// been writing there.
func (s *ringSession) fetch(ctx context.Context, from, to uint32) ([][]byte, error) {
	if from >= to {
		return nil, nil
	}
	out, err := s.raw(ctx, from, to)
	if err != nil {
		return nil, err
	}
	if err := s.held(ctx); err != nil {
		return nil, err
	}
	ends := []uint32{from}
	if to-1 > from {
		ends = append(ends, to-1)
	}
	for _, at := range ends {
		edge := at == s.from || at+1 == s.extent().Used
		if !edge || at < s.from {
			continue
		}
		again, err := s.raw(ctx, at, at+1)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(again[0], out[at-from]) {
			return nil, fmt.Errorf("log %s at record %d: %w", s.log.Name, at, ErrShifted)
		}
	}
	if from < s.from {
		return nil, fmt.Errorf("log %s: record %d was overwritten: %w", s.log.Name, from, ErrShifted)
	}
	return out, nil
}

// raw reads records [from, to) from all memories, those of one index joined.
func (s *ringSession) raw(ctx context.Context, from, to uint32) ([][]byte, error) {
	out := make([][]byte, to-from)
	for _, r := range s.rings {
		data, err := s.memory(ctx, r, (r.anchor+int(from))%int(r.head.Max), int(to-from))
		if err != nil {
			return nil, err
		}
		size := int(r.head.RecordSize)
		for i := range out {
			out[i] = append(out[i], data[i*size:(i+1)*size]...)
		}
	}
	return out, nil
}

// memory reads the bytes of n records from a slot on.
func (s *ringSession) memory(ctx context.Context, r *ring, slot, n int) ([]byte, error) {
	var out []byte
	for _, span := range r.head.Spans(slot, n) {
		first, end := span.Windows()
		var b []byte
		for k := first; k < end; k++ {
			w, err := s.show(ctx, r, k)
			if err != nil {
				return nil, err
			}
			b = append(b, w...)
		}
		skip := span.From - first*device.RingWindowBytes
		out = append(out, b[skip:skip+span.To-span.From]...)
	}
	return out, nil
}

// show reads one window. The answer does not say which one it is, so index and mode are read back: programs that reach the meter by one port
// share them.
func (s *ringSession) show(ctx context.Context, r *ring, k int) ([]byte, error) {
	want := uint16(k)
	got := want
	for range indexTries {
		if err := s.write(ctx, r.at.Index, want); err != nil {
			return nil, fmt.Errorf("set the window of log %s to %d: %w", s.log.Name, k, err)
		}
		b, err := s.read(ctx, r.at.Window, device.RingWindowRegs)
		if err != nil {
			return nil, fmt.Errorf("read window %d of log %s: %w", k, s.log.Name, err)
		}
		// Two requests for one register each are shorter than one for what lies between as well.
		if got, err = s.word(ctx, r.at.Index); err != nil {
			return nil, fmt.Errorf("read which window of log %s this is: %w", s.log.Name, err)
		}
		mode, err := s.word(ctx, r.at.Mode)
		if err != nil {
			return nil, fmt.Errorf("read the mode of log %s: %w", s.log.Name, err)
		}
		if mode != device.RingRecordsRunning {
			if err := s.write(ctx, r.at.Mode, device.RingRecordsRunning); err != nil {
				return nil, fmt.Errorf("set the mode of log %s: %w", s.log.Name, err)
			}
			continue
		}
		if got == want && len(b) == device.RingWindowBytes {
			return b, nil
		}
	}
	return nil, fmt.Errorf("log %s: %w: the window stands at %d instead of %d", s.log.Name, ErrDisturbed, got, k)
}
