package retrieve_test

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// TestScaleChanged: behind a change of the meter's ratios or of its energy format, the records of a log that they scale begin a generation, and one system
// event says which of them may be scaled wrongly: those since the last one that was read before. Logs that it does not scale go on.
func TestScaleChanged(t *testing.T) {
	t.Parallel()
	energy := func(s *device.Setup) { s.Energy.Decimals++ }
	ratio := func(s *device.Setup) { s.CTNumerator *= 2 }
	digits := func(s *device.Setup) { s.Energy.Digits = 7 }
	for _, tc := range []struct {
		name, log string
		change    func(*device.Setup)
		scaled    bool
	}{
		{"energy", "hist2", energy, true},
		{"digits of the display", "hist2", digits, false},
		{"energy of a log without", "hist1", energy, false},
		{"a ratio of primary values", "hist1", ratio, false},
		{"a ratio of events", "pq", ratio, true},
		{"energy of events", "pq", energy, false},
		{"a ratio of recordings", "waveform", ratio, true},
		{"a ratio of limits", "alarm", ratio, true},
		{"what scales no system event", "system", ratio, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			span := 5 * 24 * time.Hour // in which each log has something
			if strings.HasPrefix(tc.log, "hist") {
				span = 2 * time.Hour
			}
			s := newSite(t, sim.Config{History: span})
			s.must(tc.log)
			log, _ := s.profile.LogOf(tc.log)
			before := s.raws(log.LogKind(), log.Log)
			last := before[len(before)-1]
			read := func() {
				t.Helper()
				target, st := s.target(), s.states[tc.log]
				tc.change(&target.Identity.Setup)
				target.Conn = &setupConn{s.conn, target.Identity.Setup}
				if _, err := s.reader().Log(t.Context(), target, log, &st, true); err != nil {
					t.Fatal(err)
				}
				s.states[tc.log] = st
			}
			read() // nothing is unread, so that nothing is in doubt
			if n := len(s.rescaledNotes()); n != 0 {
				t.Errorf("%d notes before anything is in doubt", n)
			}
			for range 3 {
				s.advance(span)
				read()
			}
			after := s.raws(log.LogKind(), log.Log)
			generation, notes := after[len(after)-1].Generation, s.rescaledNotes()
			if !tc.scaled {
				if generation != last.Generation || len(notes) != 0 {
					t.Errorf("generation %d, was %d; notes %+v", generation, last.Generation, notes)
				}
				return
			}
			if len(after) == len(before) || after[len(before)].Generation != last.Generation+1 || generation != last.Generation+1 {
				t.Errorf("generation %d and then %d, was %d", after[len(before)].Generation, generation, last.Generation)
			}
			if len(notes) != 1 {
				t.Fatalf("%d notes, want one", len(notes))
			}
			_, text, _ := strings.Cut(notes[0].System.Description, " after ")
			text, _, _ = strings.Cut(text, "Z")
			since, err := time.Parse(time.RFC3339, text+"Z")
			if from := logdb.MillisOf(since); err != nil || from < last.Time.Floor(1000) || from >= notes[0].Time || log.LogKind() == logdb.KindHistorical && from != last.Time { // an event's time is its start
				t.Errorf("note %q of %v, want one of the time from %v: %v", notes[0].System.Description, notes[0].Time, last.Time, err)
			}
			if gaps := s.events(log.LogKind(), true); len(gaps) != 0 {
				t.Errorf("gaps %+v, though nothing is missing", gaps)
			}
		})
	}
}

// TestScaleChangedDuringRetrieval: what is read while the scale changes is not stored under the old one.
func TestScaleChangedDuringRetrieval(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"hist1", "hist2", "pq"} {
		s := newSite(t, sim.Config{History: 30 * time.Hour})
		target, st := s.target(), retrieve.LogState{}
		now := target.Identity.Setup
		now.Energy.Decimals++
		now.CTNumerator *= 2
		target.Conn = &setupConn{s.conn, now}
		log, _ := s.profile.LogOf(name)
		_, err := s.reader().Log(t.Context(), target, log, &st, true)
		if scaled := name != "hist1"; errors.Is(err, retrieve.ErrRescaled) != scaled || scaled != (len(s.raws(log.LogKind(), log.Log)) == 0) {
			t.Errorf("%s: %d records are stored, %v", name, len(s.raws(log.LogKind(), log.Log)), err)
		}
		s.free()
	}
}

// setupConn is a meter with other ratios and another energy format.
type setupConn struct {
	retrieve.Conn
	setup device.Setup
}

// Do answers with them.
func (c *setupConn) Do(ctx context.Context, r modbus.Request) ([]byte, error) {
	b, err := c.Conn.Do(ctx, r)
	if r.FC == 3 && r.Addr == 0x752F {
		ct, ctn, ptn, ptd, ptf, energy := c.setup.Registers()
		for i, v := range []uint16{ct, ctn, ptn, ptd, ptf, 0, energy} {
			binary.BigEndian.PutUint16(b[2*i:], v)
		}
	}
	return b, err
}

func (s *site) rescaledNotes() (out []logdb.Entry) {
	s.t.Helper()
	for _, e := range s.events(logdb.KindSystem, false) {
		if e.System.Type == logdb.SystemSettingsChange && strings.Contains(e.System.Description, "seen by the manager") {
			out = append(out, e)
		}
	}
	return out
}
