package retrieve_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// second is another manager that reads the same meter through the same port: to the meter, both are one.
type second struct {
	*modbus.Unit
	t     *testing.T
	rand  *rand.Rand
	after int // requests until it comes
}

// Do lets the other manager do its work around a request now and then.
func (s *second) Do(ctx context.Context, r modbus.Request) ([]byte, error) {
	if s.after--; s.after > 0 {
		return s.Unit.Do(ctx, r)
	}
	s.after = 2 + s.rand.IntN(25)
	before, err := s.Unit.Read(ctx, 3, 0xC34F, 4, modbus.Logs)
	if err != nil || before[1]&0x80 == 0 { // nobody is in a session
		return s.Unit.Do(ctx, r)
	}
	ours, other := before[0], []byte{sim.LogHist1, sim.LogHist2, sim.LogHist3, sim.LogAlarm, sim.LogPQ}[s.rand.IntN(5)]
	setup := append([]byte(nil), before[2:]...)
	setup[2] = 0
	if s.rand.IntN(3) == 0 { // as far as it could come by chance: the same log, the same place
		other = ours
		setup[0] = byte(1 + s.rand.IntN(4))
	}
	s.write(ctx, 6, 0xC34F, binary.BigEndian.AppendUint16(nil, device.EngageWord(other, device.ScopeNormal)))
	s.write(ctx, 16, 0xC350, setup)
	data, err := s.Unit.Do(ctx, r)
	if _, err := s.Unit.Read(ctx, 3, 0xC351, 125, modbus.Logs); err != nil { // what it came for
		s.t.Logf("the other manager: %v", err)
	}
	switch s.rand.IntN(3) {
	case 0: // and stays
	case 1: // goes on to our log
		s.write(ctx, 6, 0xC34F, binary.BigEndian.AppendUint16(nil, device.EngageWord(ours, device.ScopeNormal)))
		s.write(ctx, 16, 0xC350, device.WindowSetup(byte(1+s.rand.IntN(8)), 1, uint32(100+s.rand.IntN(5000))))
	case 2:
		s.write(ctx, 6, 0xC34F, binary.BigEndian.AppendUint16(nil, device.DisengageWord(other)))
	}
	return data, err
}

func (s *second) write(ctx context.Context, fc byte, addr uint16, data []byte) {
	s.t.Helper()
	if _, err := s.Unit.Do(ctx, modbus.Request{FC: fc, Addr: addr, Count: len(data) / 2, Data: data}); err != nil {
		s.t.Error(err)
	}
}

// TestSecondManagerOnOurPort: whatever another manager does with the one session that the meter has, what is
// stored is what the meter recorded, once.
func TestSecondManagerOnOurPort(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	clean := newSite(t, sim.Config{Start: start, NotReadyEvery: -1})
	clean.all()
	clean.advance(4 * time.Hour)
	clean.all()
	for _, seed := range []uint64{3, 7, 8, 10, 21, 38} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sim.Config{Start: start, NotReadyEvery: -1})
			target := s.target()
			target.Conn = &second{Unit: s.conn, t: t, rand: rand.New(rand.NewPCG(seed, 1)), after: 10}
			refused := 0
			for round := range 12 {
				if round == 6 {
					s.advance(4 * time.Hour)
				}
				for _, name := range s.logs() {
					log, _ := s.profile.LogOf(name)
					st := s.states[name]
					if _, err := s.reader().Log(t.Context(), target, log, &st, true); err != nil {
						refused++
					}
					s.states[name] = st
				}
			}
			if refused == 0 {
				t.Error("nobody came in between: the test tests nothing")
			}
			s.all()
			s.sameAs(clean)
			s.free()
		})
	}
}

var _ retrieve.Conn = (*second)(nil)
