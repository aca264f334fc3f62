package cloudsync

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// A position is decided once in a journal, whichever stream carries it: a receiver that got a row with some channels by
// one way holds what comes with others by another way for the same row, and rows that are combined over one interval by
// one way and over another by another way overlap. So a destination that is sent other channels than the others, or other
// intervals, gets the journal under a name of its own, as if it came from a second manager of the meter: a cloud that
// gets both has two sources to choose from for each day, adds up none of them twice, and lacks nothing of either.

// nameOf returns the name under which streams of a journal travel.
func nameOf(streams []*StoredStream, journal logdb.JournalID) logdb.JournalID {
	if len(streams) > 0 {
		return streams[0].ID.Journal
	}
	return journal
}

// newName returns the name under which a destination that begins with a journal gets it: one under which no other
// channels or intervals travel, or did. join has told what others have.
func (u *upload) newName(policy reduce.Policy) logdb.JournalID {
	name := u.head.ID
	for n := 1; ; n++ {
		other := slices.ContainsFunc(u.others, func(st *StoredStream) bool {
			return st.ID.Journal == name && st.Cut() == "" && (!st.Policy.SameRows(policy) || u.kind == logdb.KindHistorical && st.combines())
		}) || slices.ContainsFunc(u.ended, func(st EndedStream) bool {
			return st.ID.Journal == name && !strings.Contains(st.ID.Policy, "+") && !st.Policy.SameRows(policy)
		})
		if !other {
			return name
		}
		name = derived(u.head.ID, policy, n)
	}
}

// combines reports whether rows of the stream were combined. One that is not shared goes on by itself, and one of both is sent rows on request where
// the other has their sum.
func (s *StoredStream) combines() bool {
	return s.Whole.Len() > 0 || slices.ContainsFunc(s.Fates.Ranges(), func(r logdb.FateRange) bool { return r.Fate == logdb.FateReduced })
}

// freshName returns a name under which nothing of the journal travelled yet, as far as this node and the receiver know.
func (u *upload) freshName(policy reduce.Policy) logdb.JournalID {
	for n := 1; ; n++ {
		name := derived(u.head.ID, policy, n, u.head.Chain[:]...) // and as good as none that nobody remembers here
		known := slices.ContainsFunc(slices.Concat(u.streams, u.others), func(st *StoredStream) bool { return st.ID.Journal == name }) ||
			slices.ContainsFunc(u.ended, func(st EndedStream) bool { return st.ID.Journal == name }) ||
			slices.ContainsFunc(u.there, func(st logdb.StreamState) bool { return st.Stream.Journal == name })
		if !known {
			return name
		}
	}
}

// derived makes the n-th name for a journal of which the channels of policy are sent; seed tells apart.
func derived(journal logdb.JournalID, policy reduce.Policy, n int, seed ...byte) logdb.JournalID {
	b := []byte(string(journal) + "\n" + strconv.Itoa(n) + "\n")
	for _, c := range slices.Sorted(slices.Values(policy.Channels)) {
		b = append(append(b, c...), '\n')
	}
	if policy.Channels == nil {
		b = append(b, '*')
	}
	return journal.Named(logdb.DigestOf(append(b, seed...)))
}

// apart reports whether others get the journal under the same name and go on with the channels of before.
func (u *upload) apart(ctx context.Context) (bool, error) {
	if err := u.named(ctx); err != nil {
		return false, err
	}
	own := map[int64]bool{}
	for _, st := range u.streams {
		own[st.Row] = true
	}
	for _, st := range u.others {
		if st.ID.Journal == u.name && !own[st.Row] {
			return true, nil
		}
	}
	alike, err := u.alike(ctx)
	return !alike, err
}

// alike reports whether all destinations that share the streams are told to send the same now.
func (u *upload) alike(ctx context.Context) (bool, error) {
	using, err := u.s.store.Sharers(ctx, u.key)
	if err != nil {
		return false, err
	}
	using = append(using, u.key.Destination)
	for _, d := range u.s.destinations() {
		if d.id == u.dest.ID || !slices.Contains(using, d.id) {
			continue
		}
		u.s.mu.Lock()
		conf := d.conf
		u.s.mu.Unlock()
		if u.kind == logdb.KindHistorical && !(reduce.Policy{Channels: conf.Channels}).SameChannels(reduce.Policy{Channels: u.dest.Channels}) || !reflect.DeepEqual(conf.limits().Only(u.kind), u.dest.limits().Only(u.kind)) {
			return false, nil
		}
	}
	return true, nil
}

// rename sends the journal anew under another name, from now on with the channels of policy. What was decided stays decided, so that
// the new name comes to hold all that the destination has under the old one, with every change that follows. The old
// one gets no more of them here, and queries leave it out: see analysis.Choose.
func (u *upload) rename(ctx context.Context, policy reduce.Policy) error {
	if err := u.leave(ctx); err != nil {
		return err
	}
	if err := u.named(ctx); err != nil {
		return err
	}
	name := u.freshName(policy)
	highest, _ := highestGeneration(name, slices.Concat(u.streams, u.others), u.ended, u.there)
	for _, st := range u.streams { // a destination tells the streams of a journal apart by their generations
		generation, cut, added := strings.Cut(st.ID.Policy, "+")
		n, err := strconv.Atoi(generation)
		if err != nil {
			return fmt.Errorf("rename stream %s: %w", st.ID, err)
		}
		st.ID = logdb.StreamID{Journal: name, Policy: strconv.Itoa(highest + n)}
		if added {
			st.ID.Policy += "+" + cut
		}
		st.Policy.Generation = st.ID.Policy
	}
	if err := u.s.store.Rename(ctx, u.key, u.streams); err != nil {
		return err
	}
	u.name = name
	u.s.log.Info("send a journal anew under another name: other clouds get other channels of it", "meter", string(u.key.Meter), "action", "upload", "cloud", u.dest.Name)
	return nil
}
