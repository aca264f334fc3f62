package cloudsync

import (
	"context"
	"fmt"
	"slices"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// Clouds that are sent the same, by the same rules, share the decisions about a journal: the streams have one name and
// one set of fates at this node, so that a record which reaches a cloud directly and through another one is one record.
// A cloud with other rules has streams of its own, under names that no other cloud's have.

// logKey names a log whose decisions are made by one goroutine at a time.
type logKey struct {
	meter logdb.MeterUID
	kind  logdb.Kind
}

// turn is held by one goroutine at a time, which may wait for a disk meanwhile. It is no sync.Mutex because who waits
// for one of those does not let the time of testing/synctest go on, and the disk never comes.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// Lock waits for the turn.
func (t turn) Lock() { t <- struct{}{} }

// Unlock gives it to the next one.
func (t turn) Unlock() { <-t }

// lockLog waits until nobody else decides about a log, and returns what ends the turn. Nothing that is done meanwhile
// waits for a cloud.
func (s *Service) lockLog(meter logdb.MeterUID, kind logdb.Kind) (unlock func()) {
	s.mu.Lock()
	key := logKey{meter, kind}
	if s.deciding[key] == nil {
		s.deciding[key] = newTurn()
	}
	t := s.deciding[key]
	s.mu.Unlock()
	t.Lock()
	return t.Unlock
}

// load reads the streams that the destination uses of the journal.
func (u *upload) load(ctx context.Context) (err error) {
	u.key.Destination = u.dest.ID
	if u.key.Destination, err = u.s.store.Owner(ctx, u.key); err != nil {
		return err
	}
	using, err := u.s.store.Sharers(ctx, u.key)
	if err != nil {
		return err
	}
	u.shared = len(using) > 0
	if u.streams, err = u.s.store.Streams(ctx, u.key); err != nil {
		return err
	}
	u.name = nameOf(u.streams, u.key.Journal)
	return nil
}

// take loads what was decided and decides what is new, while nobody else does. What was asked for comes first: then
// decided is false.
func (u *upload) take(ctx context.Context) (decided bool, err error) {
	defer u.s.lockLog(u.key.Meter, u.kind)()
	if err := u.own(ctx); err != nil {
		return false, err
	}
	if u.shared { // what the receiver has on request, or is to get so, is not as it was decided for all
		alone := u.learns()
		if !alone {
			if alone, err = u.crosses(ctx); err != nil {
				return false, err
			}
		}
		if alone {
			if err := u.leave(ctx); err != nil {
				return false, err
			}
		}
	}
	if err := u.settle(ctx, nil); err != nil {
		return false, err
	}
	if u.asked() > 0 {
		return false, nil
	}
	if err := u.decideAll(ctx); err != nil {
		return false, err
	}
	return u.asked() == 0, nil
}

// decideAll decides what is new. The receiver may have some of it by now, as it was sent on request to a cloud that passes it on: what it is
// decided to be reduced to is not sent then.
func (u *upload) decideAll(ctx context.Context) error {
	before := u.decided()
	if err := u.decide(ctx); err != nil {
		return err
	}
	if u.decided() == before || !u.learns() {
		return nil
	}
	if u.shared {
		if err := u.leave(ctx); err != nil {
			return err
		}
	}
	return u.settle(ctx, nil)
}

// decided counts the positions that have a fate here.
func (u *upload) decided() (n int) {
	for _, st := range u.streams {
		n += st.Fates.Len()
	}
	return n
}

// learns reports whether the receiver has something on request that nothing here tells of.
func (u *upload) learns() bool {
	for _, st := range u.streams {
		c := st.Stream
		c.Fates, c.Whole = st.Fates.Clone(), st.Whole.Clone()
		if learned := c.Learn(u.received(st.ID)); learned.Len() > 0 {
			return true
		}
	}
	return false
}

func (u *upload) decideLocked(ctx context.Context) error {
	defer u.s.lockLog(u.key.Meter, u.kind)()
	return u.decideAll(ctx)
}

// takeAlone loads what was decided into streams that no other destination uses: what a receiver asks for is sent to it
// alone, and is not as it was decided.
func (u *upload) takeAlone(ctx context.Context) error {
	defer u.s.lockLog(u.key.Meter, u.kind)()
	if err := u.own(ctx); err != nil {
		return err
	}
	if u.shared {
		if err := u.leave(ctx); err != nil {
			return err
		}
	}
	return u.settle(ctx, nil)
}

// join looks for another destination that decides by the same rules, and uses its streams. It notes what all the
// others have.
func (u *upload) join(ctx context.Context, policy reduce.Policy, settings logdb.Settings) error {
	owners, err := u.s.store.Owners(ctx, u.key)
	if err != nil {
		return err
	}
	found := map[DestinationID][]*StoredStream{}
	for _, o := range owners {
		key := u.key
		key.Destination = o
		if found[o], err = u.s.store.Streams(ctx, key); err != nil {
			return err
		}
		u.others = append(u.others, found[o]...)
	}
	if u.ended, err = u.s.store.Ended(ctx, u.key); err != nil {
		return err
	}
	for _, o := range owners {
		if !u.joinable(found[o], policy, settings) {
			continue
		}
		if err := u.s.store.Share(ctx, u.key, o); err != nil {
			return err
		}
		u.key.Destination, u.streams, u.shared = o, found[o], true
		u.name = nameOf(u.streams, u.key.Journal)
		return nil
	}
	return nil
}

// joinable reports whether streams decided everything by the rules of policy and the receiver knows nothing else of them.
func (u *upload) joinable(streams []*StoredStream, policy reduce.Policy, settings logdb.Settings) bool {
	if len(streams) == 0 || len(cutNames(streams)) > 1 {
		return false
	}
	for _, st := range streams {
		if st.Asked.Len()+st.Whole.Len()+st.Fetched.Len() > 0 { // what was sent on request is that receiver's alone
			return false
		}
		if !st.Policy.SameRules(keep(st.Policy, policy, settings)) {
			return false
		}
	}
	for i := range u.there {
		t := &u.there[i]
		if t.Stream.Journal != nameOf(streams, u.head.ID) || t.Own {
			continue
		}
		same := func(st *StoredStream) bool { return st.ID == t.Stream }
		if !slices.ContainsFunc(u.others, same) {
			return false // our own records of it were lost: it may be anything
		}
		if i := slices.IndexFunc(streams, same); i >= 0 && !agree(&streams[i].Fates, &t.Fates) {
			return false
		}
	}
	return true
}

// agree reports whether what the receiver knows of a stream can have been decided here.
func agree(here, there *logdb.FateSet) bool {
	for _, t := range there.Ranges() {
		for p := t.First; p <= t.Last; {
			r, ok := here.At(p)
			if !ok {
				p++
				continue
			}
			wire := reduce.Wire(r)
			own := t.Fate == logdb.FateSkipped || t.Fate == logdb.FateHeld || t.Fate == logdb.FateNotChosen // the receiver's verdict
			if !own && (wire.Fate != t.Fate || wire.Fate == logdb.FateReduced && wire.Into != t.Into) && wire.Fate != logdb.FateSkipped {
				return false
			}
			p = min(r.Last, t.Last) + 1
		}
	}
	return true
}

// part gives the destination streams of its own when others that use the same ones go on by other rules.
func (u *upload) part(ctx context.Context) error {
	alike, err := u.alike(ctx)
	if err != nil || alike {
		return err
	}
	return u.leave(ctx)
}

// leave gives the destination streams of its own.
func (u *upload) leave(ctx context.Context) error {
	key := u.key
	key.Destination = u.dest.ID
	if err := u.s.store.Part(ctx, key); err != nil {
		return err
	}
	if err := u.load(ctx); err != nil {
		return err
	}
	if u.key.Destination != u.dest.ID {
		return fmt.Errorf("part the streams of journal %s: they are shared still", u.key.Journal)
	}
	return nil
}

// named gathers the names of all generations of a journal that this node has given.
func (u *upload) named(ctx context.Context) error {
	owners, err := u.s.store.Owners(ctx, u.key)
	if err != nil {
		return err
	}
	u.others = nil
	for _, o := range owners {
		key := u.key
		key.Destination = o
		streams, err := u.s.store.Streams(ctx, key)
		if err != nil {
			return err
		}
		u.others = append(u.others, streams...)
	}
	u.ended, err = u.s.store.Ended(ctx, u.key)
	return err
}
