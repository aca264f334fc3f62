package logdbtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// Append implements logdb.Store.
func (m *Model) Append(_ context.Context, b logdb.Batch) (logdb.Appended, error) {
	if err := b.Check(); err != nil {
		return logdb.Appended{}, fmt.Errorf("append: %w", err)
	}
	defer m.lock()()
	if err := m.journals(b.Meter, b.Kind).checkTargets(&b); err != nil {
		return logdb.Appended{}, fmt.Errorf("append: %w", err)
	}
	j := m.makeJournals(b.Meter, b.Kind)
	if j.own == nil {
		j.own = j.add(logdb.StreamID{Journal: m.cfg.NewJournalID(), Policy: "0"}, "")
	}
	s := j.own
	done := logdb.Appended{Journal: s.id.Journal}
	for i, e := range entries(b.Rows, b.Entries) {
		s.end++
		if done.First == 0 {
			done.First = s.end
		}
		e.Position = s.end
		s.chain = e.Chain(s.chain)
		s.decide(e.Position, logdb.FateRange{Fate: logdb.FateStored})
		s.hold(e)
		if b.Raw != nil && len(b.Raw[i]) > 0 {
			s.raw = append(s.raw, rawRecord{logdb.RawRecord{
				Position: e.Position, Bytes: bytes.Clone(b.Raw[i]), Run: e.Run, Generation: e.Generation,
				Snapshot: b.Snapshot, Time: e.Time,
			}, e.Log})
		}
	}
	s.batches[s.end] = s.chain
	done.Last, done.Chain = s.end, s.chain
	if b.Open != nil {
		j.open = slices.DeleteFunc(j.open, func(o logdb.OpenStart) bool { return o.Log == b.Open.Log })
		for _, o := range b.Open.Starts {
			o.Raw = bytes.Clone(o.Raw)
			j.open = append(j.open, o)
		}
	}
	return done, nil
}

// checkTargets reports a revise or withdraw of a position that comes later or not at all, or of a change in the same batch.
func (j *journals) checkTargets(b *logdb.Batch) error {
	var end logdb.Position
	if j.own != nil {
		end = j.own.end
		if err := j.checkChanges(j.own.id, b.Entries); err != nil {
			return err
		}
	}
	all := entries(b.Rows, b.Entries)
	for i, e := range all {
		p := end + 1 + logdb.Position(i)
		if e.Gap != nil && e.Gap.Replaces >= p {
			return fmt.Errorf("%w: the gap at %d would replace that at %d", logdb.ErrInvalid, p, e.Gap.Replaces)
		}
		if e.Target >= p || e.Target > end && all[e.Target-end-1].Target != 0 {
			return fmt.Errorf("%w: position %d would change position %d", logdb.ErrInvalid, p, e.Target)
		}
	}
	return nil
}

// Journal implements logdb.Store.
func (m *Model) Journal(_ context.Context, uid logdb.MeterUID, kind logdb.Kind) (logdb.JournalHead, error) {
	defer m.lock()()
	return m.head(uid, kind)
}

func (m *Model) head(uid logdb.MeterUID, kind logdb.Kind) (logdb.JournalHead, error) {
	s := m.journals(uid, kind).own
	if s == nil {
		return logdb.JournalHead{}, fmt.Errorf("journal of %s: %w", uid, logdb.ErrNotFound)
	}
	return logdb.JournalHead{ID: s.id.Journal, End: s.end, Chain: s.chain}, nil
}

// ChainAt implements logdb.Store.
func (m *Model) ChainAt(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, p logdb.Position) (logdb.Digest, error) {
	defer m.lock()()
	if s := m.journals(uid, kind).own; s != nil {
		if d, ok := s.batches[p]; ok {
			return d, nil
		}
	}
	return logdb.Digest{}, fmt.Errorf("chain of %s at %d: %w", uid, p, logdb.ErrNotFound)
}

// RenewJournal implements logdb.Store.
func (m *Model) RenewJournal(_ context.Context, uid logdb.MeterUID, kind logdb.Kind) (logdb.JournalHead, error) {
	defer m.lock()()
	if s := m.journals(uid, kind).own; s != nil {
		s.id.Journal = m.cfg.NewJournalID()
	}
	return m.head(uid, kind)
}

// sourceOf returns the journal of that id that is made for a source; ErrNotFound.
func (m *Model) sourceOf(uid logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID) (*stream, error) {
	for _, s := range m.journals(uid, kind).streams {
		if s.source != "" && s.id.Journal == journal {
			return s, nil
		}
	}
	return nil, fmt.Errorf("journal %s of a source of %s: %w", journal, uid, logdb.ErrNotFound)
}

// SourceChainAt implements logdb.Store.
func (m *Model) SourceChainAt(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, p logdb.Position) (logdb.Digest, error) {
	defer m.lock()()
	s, err := m.sourceOf(uid, kind, journal)
	if err != nil {
		return logdb.Digest{}, err
	}
	if d, ok := s.batches[p]; ok {
		return d, nil
	}
	return logdb.Digest{}, fmt.Errorf("chain of %s at %d: %w", journal, p, logdb.ErrNotFound)
}

// RenewSource implements logdb.Store.
func (m *Model) RenewSource(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID) (logdb.JournalHead, error) {
	defer m.lock()()
	s, err := m.sourceOf(uid, kind, journal)
	if err != nil {
		return logdb.JournalHead{}, err
	}
	s.id.Journal = m.cfg.NewJournalID()
	return logdb.JournalHead{ID: s.id.Journal, End: s.end, Chain: s.chain}, nil
}

// LastRaw implements logdb.Store.
func (m *Model) LastRaw(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, log logdb.LogNo, n int) ([]logdb.RawRecord, error) {
	defer m.lock()()
	j := m.journals(uid, kind)
	var out []logdb.RawRecord
	if j.own == nil {
		return out, nil
	}
	for _, r := range j.own.raw {
		if r.Log == log {
			out = append(out, r.RawRecord)
		}
	}
	return out[max(0, len(out)-n):], nil
}

// ReadRaw implements logdb.Store.
func (m *Model) ReadRaw(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, log logdb.LogNo, first logdb.Position, n int) ([]logdb.RawRecord, error) {
	defer m.lock()()
	var out []logdb.RawRecord
	if s := m.journals(uid, kind).own; s != nil {
		for _, r := range s.raw {
			if r.Log == log && r.Position >= first && len(out) < n {
				out = append(out, r.RawRecord)
			}
		}
	}
	return out, nil
}

// RawAt implements logdb.Store.
func (m *Model) RawAt(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, p logdb.Position) (logdb.RawRecord, error) {
	defer m.lock()()
	if s := m.journals(uid, kind).own; s != nil {
		for _, r := range s.raw {
			if r.Position == p {
				return r.RawRecord, nil
			}
		}
	}
	return logdb.RawRecord{}, fmt.Errorf("raw record of %s at %d: %w", uid, p, logdb.ErrNotFound)
}

// OpenStarts implements logdb.Store.
func (m *Model) OpenStarts(_ context.Context, uid logdb.MeterUID, kind logdb.Kind) ([]logdb.OpenStart, error) {
	defer m.lock()()
	return slices.Clone(m.journals(uid, kind).open), nil
}
