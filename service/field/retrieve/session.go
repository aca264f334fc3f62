package retrieve

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// The ways in which a session ends early.
var (
	// ErrLogBusy: another port, or another program on ours, has the log.
	ErrLogBusy = errors.New("the log is in use")
	// ErrLogDisabled: the meter does not keep this log.
	ErrLogDisabled = errors.New("the log is disabled")
	// ErrSessionLost: the meter ended our session.
	ErrSessionLost = errors.New("the log session was lost")
	// ErrDisturbed: somebody else on our port of the meter uses the log session, which is one for all.
	ErrDisturbed = errors.New("somebody else uses the log session")
	// ErrShifted: the records moved under their indexes while they were read.
	ErrShifted = errors.New("the records moved while they were read")
	// ErrReprogrammed: the settings of the log were changed while it was read.
	ErrReprogrammed = errors.New("the settings of the log were changed while it was read")
	// ErrRescaled: the ratios or the energy format were changed since the meter was identified, which the next retrieval does anew.
	ErrRescaled = errors.New("the meter's ratios or its energy format were changed meanwhile")
	// ErrNoRepeat: the meter, or what stands between, does not answer function 0x23, without which
	// waveforms cannot be read.
	ErrNoRepeat = errors.New("function 0x23, by which waveforms are read, is not answered")
	// ErrNotReady: the window stayed unreadable.
	ErrNotReady = errors.New("the log window does not become ready")
)

// errSilentRepeat is ErrNoRepeat told by silence, which a bad line makes as well.
var errSilentRepeat = fmt.Errorf("%w: silence", ErrNoRepeat)

const (
	engageTries   = 3
	indexTries    = 3
	readyTries    = 50
	readyTime     = 30 * time.Second
	disengageTime = 5 * time.Second
)

// windowSession is an engaged log of the family "eig-window".
type windowSession struct {
	caller
	lay     device.SessionLayout
	profile *device.Profile
	log     device.Log
	status  device.LogStatus
	port    uint16

	asked   bool // engage was sent, so that we may hold the log
	setup   bool // the window registers hold records and repeats
	records int  // per window, as set up
	index   uint32
	unseen  bool // the window was read, and nobody has looked since whether the session is as we left it
	// careful is set once somebody else may have been in the session: then each window is read twice and
	// checked, not each batch.
	careful bool
}

func (s *windowSession) readStatus(ctx context.Context) (device.LogStatus, error) {
	b, err := s.read(ctx, s.log.StatusAddr, device.StatusRegs)
	if err != nil {
		return device.LogStatus{}, fmt.Errorf("read the status of log %s: %w", s.log.Name, err)
	}
	return device.ParseStatus(b)
}

func (s *windowSession) writeEnable(ctx context.Context, word uint16) error {
	_, err := s.do(ctx, modbus.Request{FC: 6, Addr: uint16(s.lay.Enable), Count: 1, Data: binary.BigEndian.AppendUint16(nil, word)})
	return err
}

func (s *windowSession) extent() extent {
	return extent{
		Used: s.status.Used, Max: s.status.Max, RecordSize: int(s.status.RecordSize), Last: hex.EncodeToString(s.status.Last[:]),
		perRequest: device.RecordsPerWindow(int(s.status.RecordSize)), repeats: s.wave(),
	}
}

func (s *windowSession) registers() *caller { return &s.caller }

func (s *windowSession) look(ctx context.Context) (err error) {
	if s.status, err = s.readStatus(ctx); err != nil {
		return err
	}
	// Registers that the meter does not have read 0: where the place of a log is inferred, nothing there means that there is no log.
	nothing := s.log.Unverified && s.status == (device.LogStatus{})
	if s.status.Availability == device.NotPresent || nothing {
		return fmt.Errorf("log %s: %w", s.log.Name, ErrLogDisabled)
	}
	return nil
}

func (s *windowSession) check(want int) error { return s.status.Check(want) }

// oldest is 1 while the filler stands at 0, 0 once the log has rolled over. One record that is not the filler
// contradicts itself: a log that says 1 is empty. Read on, it would be the oldest record once more, behind a gap.
func (s *windowSession) oldest(ctx context.Context) (uint32, error) {
	recs, err := s.window(ctx, 0, 1)
	if err != nil {
		return 0, err
	}
	if device.IsFiller(recs[0]) {
		return 1, nil
	}
	if s.status.Used == 1 {
		return 0, fmt.Errorf("log %s is said to be empty and is not: %w", s.log.Name, ErrShifted)
	}
	return 0, nil
}

// portAddr is where the meter says which of its ports we are.
func portAddr(p *device.Profile) (device.Addr, bool) {
	for _, x := range p.Identify {
		if x.Name == "port_id" {
			return x.Addr, true
		}
	}
	return 0, false
}

// engage locks the log to our port. A session of our own that an earlier run lost is ended first.
func (s *windowSession) engage(ctx context.Context) error {
	addr, ok := portAddr(s.profile)
	if !ok {
		return fmt.Errorf("log %s: %w: the profile has no port_id", s.log.Name, device.ErrProfile)
	}
	var err error
	if s.port, err = s.word(ctx, addr); err != nil {
		return fmt.Errorf("read our port number: %w", err)
	}
	if s.port < 1 || s.port > 4 {
		return fmt.Errorf("log %s: %w: our port number reads %d", s.log.Name, device.ErrRecord, s.port)
	}
	owner, err := s.word(ctx, s.lay.ComPort)
	if err != nil {
		return fmt.Errorf("read whose session is open: %w", err)
	}
	if owner != 0 && owner != s.port || s.status.Availability != 0 && s.status.Availability != s.port {
		return fmt.Errorf("log %s: %w by port %d", s.log.Name, ErrLogBusy, max(owner, s.status.Availability))
	}
	if owner == s.port {
		alive, err := s.alive(ctx)
		if err != nil {
			return fmt.Errorf("look who is in the open session: %w", err)
		}
		if alive {
			return fmt.Errorf("log %s: %w by another program on our port %d", s.log.Name, ErrLogBusy, s.port)
		}
		if err := s.writeEnable(ctx, device.DisengageWord(s.log.Number)); err != nil {
			return fmt.Errorf("end the lost session: %w", err)
		}
	}
	s.asked = true
	for range engageTries {
		if err := s.writeEnable(ctx, device.EngageWord(s.log.Number, device.ScopeNormal)); err != nil {
			return fmt.Errorf("engage log %s: %w", s.log.Name, err)
		}
		if s.status, err = s.readStatus(ctx); err != nil {
			return err
		}
		if s.status.Availability == s.port {
			s.setup = false
			return nil
		}
	}
	return fmt.Errorf("log %s: %w by port %d", s.log.Name, ErrLogBusy, s.status.Availability)
}

// disengage lets the log go if it was asked for, whatever became of ctx: other software is locked out until then.
func (s *windowSession) disengage(ctx context.Context) error {
	if !s.asked {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), disengageTime)
	defer cancel()
	s.priority = modbus.User
	if s.careful { // what is engaged now may be another's
		if word, err := s.word(ctx, s.lay.Enable); err == nil && byte(word>>8) != s.log.Number {
			return nil
		}
	}
	if err := s.writeEnable(ctx, device.DisengageWord(s.log.Number)); err != nil {
		return fmt.Errorf("disengage log %s: %w", s.log.Name, err)
	}
	return nil
}

// repeats is how often one request reads the window: with 1 the index moves on by itself.
func (s *windowSession) repeats() byte {
	if s.wave() {
		return device.WaveRepeats
	}
	return 1
}

// seek sets the window registers for records per window at index.
func (s *windowSession) seek(ctx context.Context, records int, index uint32) error {
	if s.setup && s.records == records && s.index == index {
		return nil
	}
	if s.setup && !s.careful && s.unseen { // afterwards nothing would tell that somebody else was there when it was read
		if err := s.undisturbed(ctx); err != nil {
			return err
		}
	}
	var err error
	if s.setup && s.records == records {
		_, err = s.do(ctx, modbus.Request{FC: 16, Addr: uint16(s.lay.Window), Count: 2, Data: device.IndexWords(index)})
	} else {
		_, err = s.do(ctx, modbus.Request{FC: 16, Addr: uint16(s.lay.Setup), Count: 3, Data: device.WindowSetup(byte(records), s.repeats(), index)})
	}
	if err != nil {
		return fmt.Errorf("set the window of log %s to record %d: %w", s.log.Name, index, err)
	}
	s.setup, s.records, s.index = true, records, index
	return nil
}

func (s *windowSession) wave() bool { return int(s.status.RecordSize) > device.WindowBytes }

// window reads the records [index, index+records).
func (s *windowSession) window(ctx context.Context, index uint32, records int) ([][]byte, error) {
	if err := s.seek(ctx, records, index); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(readyTime)
	wrong, delay := 0, time.Duration(0)
	var before [][]byte
	for try := 0; try < readyTries && time.Now().Before(deadline); try++ {
		recs, got, ready, err := s.pull(ctx, records)
		s.unseen = true
		if err != nil {
			return nil, fmt.Errorf("read record %d of log %s: %w", index, s.log.Name, err)
		}
		if !ready {
			if err := sleep(ctx, delay); err != nil {
				return nil, err
			}
			delay = min(2*delay+5*time.Millisecond, time.Second)
			continue
		}
		if got == index {
			s.index = index + uint32(records)
			if !s.careful {
				return recs, nil
			}
			if err := s.undisturbed(ctx); err != nil {
				return nil, err
			}
			if before != nil && equalRun(before, recs) {
				return recs, nil
			}
			before = recs
			if err := s.seek(ctx, records, index); err != nil {
				return nil, err
			}
			continue
		}
		if !s.careful {
			s.careful, s.setup = true, false
			return nil, fmt.Errorf("log %s: %w: the window stands at record %d instead of %d", s.log.Name, ErrDisturbed, got, index)
		}
		// A lost or doubled answer has moved the meter's index: put it back.
		if wrong++; wrong > indexTries {
			return nil, fmt.Errorf("log %s stays at record %d instead of %d: %w", s.log.Name, got, index, ErrSessionLost)
		}
		s.index = got
		if err := s.seek(ctx, records, index); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("record %d of log %s: %w", index, s.log.Name, ErrNotReady)
}

// pull reads the window where it stands.
func (s *windowSession) pull(ctx context.Context, records int) (recs [][]byte, index uint32, ready bool, err error) {
	size := int(s.status.RecordSize)
	if s.wave() {
		return s.pullWave(ctx, size)
	}
	b, err := s.read(ctx, s.lay.Window, device.WindowRegs)
	if err != nil {
		return nil, 0, false, err
	}
	w, err := device.ParseWindow(b)
	if err != nil || !w.Ready {
		return nil, 0, false, err
	}
	for i := range records {
		rec := w.Record(i, size)
		if rec == nil {
			return nil, 0, false, fmt.Errorf("%w: %d records of %d bytes in a window", device.ErrRecord, records, size)
		}
		recs = append(recs, rec)
	}
	return recs, w.Index, true, nil
}

// pullWave reads one record in four windows by function 0x23, checking each of them.
func (s *windowSession) pullWave(ctx context.Context, size int) (recs [][]byte, index uint32, ready bool, err error) {
	b, err := s.do(ctx, modbus.Request{FC: modbus.FCReadRepeated, Addr: uint16(s.lay.Window), Count: device.WaveWindowRegs, Repeat: device.WaveRepeats})
	if x, refused := modbus.ExceptionOf(err); refused && x == modbus.IllegalFunction {
		return nil, 0, false, fmt.Errorf("%w: %w", ErrNoRepeat, err)
	}
	if errors.Is(err, modbus.ErrTimeout) && ctx.Err() == nil {
		if _, alive := s.readStatus(ctx); alive == nil { // it answers everything else, so that this is no time-out of the meter
			return nil, 0, false, fmt.Errorf("%w: %s", errSilentRepeat, err.Error())
		}
	}
	if err != nil {
		return nil, 0, false, err
	}
	part := len(b) / device.WaveRepeats
	rec := make([]byte, 0, len(b))
	for i := range device.WaveRepeats {
		w, err := device.ParseWindow(b[i*part : (i+1)*part])
		if err != nil || !w.Ready {
			return nil, 0, false, err
		}
		if i > 0 && w.Index != index {
			return nil, 0, false, fmt.Errorf("%w: windows of records %d and %d in one answer", device.ErrRecord, index, w.Index)
		}
		index = w.Index
		rec = append(rec, w.Data...)
	}
	if len(rec) < size {
		return nil, 0, false, fmt.Errorf("%w: %d bytes for a record of %d", device.ErrRecord, len(rec), size)
	}
	return [][]byte{rec[:size]}, index, true, nil
}

// fetch reads records [from, to). The first is read again at the end: where it changed,
// the records moved meanwhile and there may be a hole in what was read.
func (s *windowSession) fetch(ctx context.Context, from, to uint32) ([][]byte, error) {
	perWindow := device.RecordsPerWindow(int(s.status.RecordSize))
	out := make([][]byte, 0, to-from)
	for at := from; at < to; {
		n := min(perWindow, int(to-at))
		recs, err := s.window(ctx, at, n)
		if err != nil {
			return nil, err
		}
		out = append(out, recs...)
		at += uint32(n)
	}
	if len(out) > perWindow {
		again, err := s.window(ctx, from, 1)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(again[0], out[0]) {
			return nil, fmt.Errorf("log %s at record %d: %w", s.log.Name, from, ErrShifted)
		}
	}
	return out, nil
}
