package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// foreign reports whether somebody knows more, or something else, of this journal than it holds.
func (u *upload) foreign(ctx context.Context) (bool, error) {
	differs := func(end logdb.Position, chain logdb.Digest) (bool, error) {
		if end == 0 || chain.IsZero() {
			return false, nil
		}
		have, err := u.s.logs.ChainAt(ctx, u.key.Meter, u.kind, end)
		if errors.Is(err, logdb.ErrNotFound) {
			return true, nil // our journal never ended there
		}
		if err != nil {
			return false, fmt.Errorf("read the chain at position %d: %w", end, err)
		}
		return have != chain, nil
	}
	if gone, err := u.s.store.Gone(ctx, u.key); gone || err != nil {
		return gone, err // restored from a backup of before: another cloud knows it to its old end
	}
	for _, st := range u.streams {
		if st.Fates.Highest() > u.head.End {
			return true, nil
		}
	}
	known, err := u.s.store.Ends(ctx, u.key) // also what was decided for other clouds
	if err != nil {
		return false, err
	}
	for _, e := range known {
		if bad, err := differs(e.Position, e.Chain); bad || err != nil {
			return bad, err
		}
	}
	if short, err := u.writtenShorter(ctx, u.head.ID, u.head.End); short || err != nil {
		return short, err
	}
	for _, st := range u.there {
		if st.Stream.Journal.Family() != u.head.ID.Family() { // under any name, also one that a backup of ours knows nothing of
			continue
		}
		if !st.Own && (st.Fates.Highest() > u.head.End || st.JournalEnd > u.head.End) {
			return true, nil
		}
		// Somebody else may have written under our id between two of our questions, and we on top of it.
		for _, e := range append(logdb.Ends{{Position: st.JournalEnd, Chain: st.Chain}}, st.Ends...) {
			if bad, err := differs(e.Position, e.Chain); bad || err != nil {
				return bad, err
			}
		}
	}
	return u.copied(ctx)
}

// writtenShorter reports whether the receiver, a copy of this machine, writes a journal itself, and has not come as far: it takes nothing beyond the
// end that it has there.
func (u *upload) writtenShorter(ctx context.Context, journal logdb.JournalID, end logdb.Position) (bool, error) {
	short := func(st logdb.StreamState) bool {
		return (st.Own || st.Source != "") && st.Stream.Journal == journal && st.JournalEnd < end
	}
	if !slices.ContainsFunc(u.there, short) {
		return false, nil
	}
	if err := u.ask(ctx); err != nil { // it may be this node, which has gone on since
		return false, err
	}
	return slices.ContainsFunc(u.there, short), nil
}

// copied reports whether the receiver was told something of this journal that this node never decided: a copy of it
// sends under the same id. Their records may be the same still, but a position that both send is stored in the stream
// of one of them only, and what they decide next crosses.
func (u *upload) copied(ctx context.Context) (bool, error) {
	if len(u.streams) == 0 || !u.strange(u.streams, nil) {
		return false, nil // with no stream of ours what is there is taken up, as it is
	}
	if err := u.named(ctx); err != nil { // it may have come by another way
		return false, err
	}
	return u.strange(slices.Concat(u.streams, u.others), u.ended), nil
}

// strange reports whether the receiver has a stream of this journal that is not among those known, or positions in it
// that were decided after it was closed.
func (u *upload) strange(known []*StoredStream, ended []EndedStream) bool {
	for i := range u.there {
		t := &u.there[i]
		if t.Stream.Journal != u.head.ID && t.Stream.Journal != u.name || t.Own {
			continue
		}
		ok, open, last, decided := false, false, logdb.Position(0), []*logdb.FateSet{}
		for j := range ended {
			if ended[j].ID == t.Stream {
				ok, last = true, ended[j].Last
			}
		}
		for _, st := range known {
			if st.ID == t.Stream {
				ok, open, decided = true, open || st.Closed == 0, append(decided, &st.Fates)
			}
		}
		if !ok || !open && !within(&t.Fates, last, decided) {
			return true
		}
	}
	return false
}

// within reports whether every position of set after last is in one of the others.
func within(set *logdb.FateSet, last logdb.Position, others []*logdb.FateSet) bool {
	for _, r := range set.Ranges() {
		for p := max(r.First, last+1); p <= r.Last; {
			next := p
			for _, o := range others {
				if f, ok := o.At(p); ok {
					next = max(next, f.Last+1)
				}
			}
			if next == p {
				return false
			}
			p = next
		}
	}
	return true
}
