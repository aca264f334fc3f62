package retrieve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// ErrStored marks a failure to read what is stored here: it says nothing about the meter.
var ErrStored = errors.New("the stored records of the meter cannot be read")

// Comparison is a meter's memory against the journal, for one log.
type Comparison struct {
	Kind     logdb.Kind
	Log      logdb.LogNo
	Name     string
	Compared int64
	// NotRead counts older records in the meter that were not read again.
	NotRead int64
	// Apart is set when the journal's end is not in the meter's memory: it was reset, programmed anew or
	// overwritten since. The next retrieval notes the break.
	Apart bool
	// Days lists what differs.
	Days []ComparedDay
}

// ComparedDay is a UTC day on which the meter and the journal differ.
type ComparedDay struct {
	Day    logdb.Millis
	Meter  int64 // records there without a partner here
	Stored int64 // records here without a partner there
	// Records names them, the oldest first.
	Records []ComparedRecord
}

// ComparedRecord is a record that the meter and the journal do not hold alike.
type ComparedRecord struct {
	Fault    logdb.Fault    // missing: only the meter has it; extra: only the journal has it
	Position logdb.Position // of the journal; of a missing one that before which it is missing
	Time     logdb.Millis
	Meter    []byte // nil for extra
	Stored   []byte // nil for missing
}

// Compare reads the newest records of a log again, at most newest of them and none beyond
// the mark of retrieval, and compares them byte by byte with what is stored.
func (r *Reader) Compare(ctx context.Context, t *Target, log device.Log, st LogState, newest int) (out Comparison, err error) {
	out = Comparison{Kind: log.LogKind(), Log: log.Log, Name: log.Name}
	if st.Next == 0 {
		return out, nil // nothing was retrieved yet
	}
	s, err := newSession(ctx, t.Conn, t.Profile, log, r.Priority)
	if err != nil {
		return out, err
	}
	w, err := r.prepare(ctx, t, log, s, &st)
	if err != nil {
		return out, err
	}
	if err := s.check(w.recordSize()); err != nil {
		return out, fmt.Errorf("log %s is unavailable: %w", log.Name, err)
	}
	entries := newest/w.decoder.unit() + tailRecords
	raws, err := r.Store.LastRaw(ctx, t.UID, w.kind, log.Log, entries)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrStored, err)
	}
	if len(raws) == 0 {
		return out, nil
	}
	if err := s.engage(ctx); err != nil {
		return out, errors.Join(err, s.disengage(ctx))
	}
	defer func() { err = errors.Join(err, s.disengage(ctx)) }()
	return out, w.compareMemory(ctx, s, st, raws, newest, &out)
}

func (w *work) compareMemory(ctx context.Context, s session, st LogState, raws []logdb.RawRecord, newest int, out *Comparison) error {
	first, err := s.oldest(ctx)
	if err != nil {
		return err
	}
	var stored []storedRecord
	for _, raw := range raws {
		for _, rec := range w.decoder.records(raw.Bytes) {
			stored = append(stored, storedRecord{rec, raw.Position, raw.Time})
		}
	}
	tail := fitting(w.tail[max(0, len(w.tail)-searchRecords):], s.extent().RecordSize)
	at, err := align(ctx, s, w.log, tail, first, st.Next)
	if err != nil {
		return fmt.Errorf("align log %s: %w", w.log.Name, err)
	}
	if err := s.held(ctx); err != nil {
		return err
	}
	if !at.found {
		out.Apart, out.NotRead = true, int64(s.extent().Used)-int64(first)
		return nil
	}
	n := min(int(at.next-first), len(stored), newest)
	out.NotRead = int64(int(at.next-first) - n)
	stored = stored[len(stored)-n:]
	var memory [][]byte
	for done := 0; done < n; {
		step := min(maxBatch, n-done)
		from := at.next - uint32(n) + uint32(done)
		recs, err := s.fetch(ctx, from, from+uint32(step))
		if err != nil {
			return err
		}
		if err := s.held(ctx); err != nil {
			return err
		}
		for _, rec := range recs {
			memory = append(memory, bytes.Clone(rec))
		}
		done += step
	}
	out.Compared = int64(n)
	out.Days = comparedDays(differing(memory, stored))
	return nil
}

// storedRecord is a record of the journal as the meter gave it.
type storedRecord struct {
	bytes    []byte
	position logdb.Position
	time     logdb.Millis
}

// lookAround is how many records may be missing or extra in one place for the others to be recognised.
const lookAround = 64

// differing compares both lists from their common end backwards. Where one lacks a record, the older ones are
// still compared with their partners.
func differing(memory [][]byte, stored []storedRecord) (out []ComparedRecord) {
	i, j := len(stored)-1, len(memory)-1
	at := func(k int) storedRecord { return stored[min(k, len(stored)-1)] }
	same := func(i, j int) bool { return i >= 0 && j >= 0 && bytes.Equal(stored[i].bytes, memory[j]) }
	// Two equal neighbours make a partner: single records may repeat.
	partner := func(i, j int) bool { return same(i, j) && (i == 0 || j == 0 || same(i-1, j-1)) }
	for i >= 0 && j >= 0 {
		if same(i, j) {
			i, j = i-1, j-1
			continue
		}
		lost, extra := 0, 0
		for k := 1; k <= lookAround && lost == 0 && extra == 0; k++ {
			switch {
			case partner(i, j-k):
				lost = k
			case partner(i-k, j):
				extra = k
			}
		}
		switch {
		case same(i-1, j-1) || lost == 0 && extra == 0:
			out = append(out, ComparedRecord{logdb.FaultAltered, stored[i].position, stored[i].time, memory[j], stored[i].bytes})
			i, j = i-1, j-1
		case lost > 0:
			for range lost {
				out = append(out, ComparedRecord{logdb.FaultMissing, at(i + 1).position, at(i + 1).time, memory[j], nil})
				j--
			}
		default:
			for range extra {
				out = append(out, ComparedRecord{logdb.FaultExtra, stored[i].position, stored[i].time, nil, stored[i].bytes})
				i--
			}
		}
	}
	slices.Reverse(out)
	return out
}

// comparedDays sorts what differs into days.
func comparedDays(list []ComparedRecord) (out []ComparedDay) {
	for _, r := range list {
		i := slices.IndexFunc(out, func(d ComparedDay) bool { return d.Day == r.Time.Day() })
		if i < 0 {
			i = len(out)
			out = append(out, ComparedDay{Day: r.Time.Day()})
		}
		if r.Meter != nil {
			out[i].Meter++
		}
		if r.Stored != nil {
			out[i].Stored++
		}
		out[i].Records = append(out[i].Records, r)
	}
	return out
}

// Compare compares a meter's memory, the newest records of each log, with its journals of a kind, on the meter's own
// goroutine, so that it never meets a retrieval. Meters without memory give nothing.
func (m *Manager) Compare(ctx context.Context, id string, kind logdb.Kind, newest int) ([]Comparison, error) {
	x, err := m.find(id)
	if err != nil {
		return nil, err
	}
	if p, ok := m.profiles.Get(x.Profile); !ok || !p.HasMemory() || !x.Enabled {
		return nil, nil
	}
	var out []Comparison
	_, err = m.order(ctx, x, func(u *unit) order {
		return order{kind: kind, task: func(ctx context.Context, states map[string]LogState) (err error) {
			out, err = u.compare(ctx, kind, newest, states)
			return err
		}}
	})
	if err != nil {
		return nil, err // its goroutine may still be at it
	}
	return out, nil
}

func (u *unit) compare(ctx context.Context, kind logdb.Kind, newest int, states map[string]LogState) ([]Comparison, error) {
	u.setAction("comparing", "")
	defer u.setAction("", "")
	id, err := u.source.Identify(ctx, modbus.Logs)
	if err != nil {
		return nil, err
	}
	t := u.target(id)
	r := &Reader{Store: u.m.store, Priority: modbus.Logs, Now: u.m.cfg.Now, Logger: u.m.cfg.Logger}
	var out []Comparison
	for _, log := range u.profile.Logs {
		if log.LogKind() != kind {
			continue
		}
		u.setAction("comparing", log.Name)
		began := time.Now()
		c, err := r.Compare(ctx, t, log, states[log.Name], newest)
		if errors.Is(err, ErrLogDisabled) {
			continue
		}
		if err != nil {
			return out, err
		}
		u.m.cfg.Logger.Debug("compared a log", "meter", string(u.meter.UID), "count", c.Compared, "dur_ms", time.Since(began).Milliseconds())
		out = append(out, c)
	}
	return out, nil
}
