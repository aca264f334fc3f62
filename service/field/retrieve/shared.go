package retrieve

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"metermanager/service/field/device"
)

// The meter has one log session. Its ports are kept apart by the meter, but programs that reach it by the same
// port, such as all that come over the network, are one to it.

// aliveTime is how long a session on our port that we did not open is watched before it is taken for one that an
// earlier run of ours left behind: a window takes 0.3 s at 9600 baud.
const aliveTime = time.Second

// alive reports whether somebody works in the session that is open on our port.
func (s *windowSession) alive(ctx context.Context) (bool, error) {
	before, err := s.read(ctx, s.lay.Enable, 4)
	if err != nil {
		return false, err
	}
	if err := sleep(ctx, aliveTime); err != nil {
		return false, err
	}
	after, err := s.read(ctx, s.lay.Enable, 4)
	return !bytes.Equal(before, after), err
}

// held checks that the session is still ours. Registers of a lost one read 0, which
// would look like records at index 0.
func (s *windowSession) held(ctx context.Context) error {
	st, err := s.readStatus(ctx)
	if err != nil {
		return err
	}
	if st.Availability != s.port {
		return fmt.Errorf("log %s: %w: port %d has it now", s.log.Name, ErrSessionLost, st.Availability)
	}
	return s.undisturbed(ctx)
}

// undisturbed checks that the registers of the session are as we left them. Programs that reach the meter by
// one of its ports, such as several by its network card, are one to it: each can engage another log meanwhile,
// whose records would come in the place of ours, and give the session back.
func (s *windowSession) undisturbed(ctx context.Context) error {
	b, err := s.read(ctx, s.lay.Enable, 4) // log and enable, records and repeats, status and index
	if err != nil {
		return err
	}
	if len(b) != 8 {
		return fmt.Errorf("log %s: %w: %d bytes of session registers", s.log.Name, device.ErrRecord, len(b))
	}
	word := binary.BigEndian.Uint16(b)
	setup := binary.BigEndian.Uint16(b[2:])
	index := binary.BigEndian.Uint32(b[4:]) & 0xFFFFFF
	if word != device.EngageWord(s.log.Number, device.ScopeNormal) || s.setup && setup != uint16(s.records)<<8|uint16(s.repeats()) {
		s.careful, s.setup = true, false
		return fmt.Errorf("log %s: %w", s.log.Name, ErrDisturbed)
	}
	if s.setup && !s.careful && index != s.index {
		// Perhaps only an answer was lost or came twice. Checking each window needs no guess about the index.
		s.careful, s.setup = true, false
		return fmt.Errorf("log %s: %w: the window stands at record %d instead of %d", s.log.Name, ErrDisturbed, index, s.index)
	}
	s.unseen = false
	return nil
}
