package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"metermanager/cloudsync/reduce"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// errMore ends an upload that has sent its share, so that other meters get their turn.
var errMore = errors.New("more is to be sent")

// SizeReason is the reason of a record that no page of the receiver can hold.
const SizeReason = limit.SizeReason

// upload sends one kind of log of one meter to one destination.
type upload struct {
	s     *Service
	dest  Destination
	cloud Cloud
	conf  MeterConfig
	kind  logdb.Kind
	key   StreamKey
	name  logdb.JournalID // under which the journal travels to the destination

	head    logdb.JournalHead
	looked  time.Time // when head was read
	known   bool      // there is what the receiver answered
	there   []logdb.StreamState
	seen    map[logdb.JournalID]logdb.End // ends there, by the family of the journal, as they were when they were judged
	streams []*StoredStream               // all of the journal that the destination uses
	shared  bool                          // with other destinations
	others  []*StoredStream               // all that this node has, also for other destinations
	ended   []EndedStream                 // those that no destination has any more
	main    []*StoredStream               // of the main cut
	j       *journal
	budget  *int
	began   time.Time     // of draining; zero: not yet
	wait    time.Duration // until the rate allows the next page of what has waited
	pace    *pace         // of the destination; nil: no rate
	unsure  bool          // an answer was only a receipt, or changes wait for rows that do not come: look again later
	waiting int
	early   int         // changes that wait until the receiver has their rows
	relayed *RelayCache // nil: nothing was received
	kept    map[keptSum]bool
	sum     Sum
}

// Sum counts what an upload did.
type Sum struct {
	Pages, Stored, Repeats, Revised, Skipped int
	Renewed                                  int
}

func (s *Sum) add(o Sum) {
	s.Pages += o.Pages
	s.Stored += o.Stored
	s.Repeats += o.Repeats
	s.Revised += o.Revised
	s.Skipped += o.Skipped
	s.Renewed += o.Renewed
}

// String tells what was done in words.
func (s Sum) String() string {
	out := fmt.Sprintf("%d pages: %d stored, %d repeats, %d revised, %d skipped", s.Pages, s.Stored, s.Repeats, s.Revised, s.Skipped)
	if s.Renewed > 0 {
		out += fmt.Sprintf("; %d journals renewed", s.Renewed)
	}
	return out
}

// run asks the receiver what it holds, decides what is new here and sends what is missing there.
func (u *upload) run(ctx context.Context) (more bool, err error) {
	if err = u.look(ctx); errors.Is(err, logdb.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("read the journal's head: %w", err)
	}
	if err := u.ask(ctx); err != nil {
		return false, err
	}
	decided, err := u.take(ctx)
	if err != nil {
		return false, err
	}
	asked := false
	if !decided {
		var clear bool
		if clear, asked, err = u.sendAsked(ctx, max(1, *u.budget/2)); err != nil || !clear {
			return true, err
		}
		if err := u.decideLocked(ctx); err != nil {
			return false, err
		}
		asked = asked || u.asked() > 0
	}
	err = u.send(ctx)
	if errors.Is(err, errMore) {
		return true, nil
	}
	return u.unsure || asked, err
}

// look reads the journal's head.
func (u *upload) look(ctx context.Context) (err error) {
	u.looked = u.s.clock()
	u.head, err = u.s.logs.Journal(ctx, u.key.Meter, u.kind)
	return err
}

// renewed tells all destinations that the journal has another id.
func (u *upload) renewed() {
	u.looked = u.s.clock()
	for _, d := range u.s.destinations() {
		u.s.mu.Lock()
		if m := d.cache.Meters[u.key.Meter]; m != nil && m.Logs[u.kind] != nil {
			l := m.Logs[u.kind]
			l.Journal, l.End, l.Seen = u.head.ID, u.head.End, u.looked
		}
		u.s.mu.Unlock()
	}
}

// ask reads the receiver's sets.
func (u *upload) ask(ctx context.Context) error {
	err := runner.Retry(ctx, u.s.retry(), func(ctx context.Context) (err error) {
		u.there, err = u.cloud.Streams(ctx, u.conf.CloudUID, u.kind)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask which positions the cloud holds: %w", err)
	}
	u.known = true
	return nil
}

// own loads the streams of the journal, whose lock is held. A journal that is shorter than, or different from, what the receiver
// or our own records know of it gets a new id first: re-used numbers would be taken for repeats.
func (u *upload) own(ctx context.Context) (err error) {
	if err = u.look(ctx); err != nil { // others may have renewed it, or decided more
		return fmt.Errorf("read the journal's head: %w", err)
	}
	u.key.Journal = u.head.ID
	if err := u.load(ctx); err != nil {
		return err
	}
	foreign, err := u.foreign(ctx)
	if err != nil {
		return err
	}
	if foreign {
		if u.head, err = u.s.logs.RenewJournal(ctx, u.key.Meter, u.kind); err != nil {
			return fmt.Errorf("renew the journal: %w", err)
		}
		u.sum.Renewed++
		u.renewed()
		u.s.log.Warn("renew a journal that is not the one the cloud knows", "meter", string(u.key.Meter), "action", "upload", "kind", u.kind.String())
		u.key.Destination, u.key.Journal, u.streams = u.dest.ID, u.head.ID, nil
		u.name = u.head.ID
	}
	u.sees(u.head.ID)
	u.j = newJournal(u.s.logs, u.s.store, u.key.Meter, u.kind, u.head.ID)
	return u.s.store.DropJournals(ctx, u.key)
}

// decide gives every position of the journal its fate, as far as that can be told, and turns
// the stream when the policy has changed.
func (u *upload) decide(ctx context.Context) error {
	settings, err := u.s.logs.Settings(ctx, u.key.Meter)
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
		return fmt.Errorf("read the settings: %w", err)
	}
	policy, err := u.s.wanted(ctx, u.dest, u.kind, settings, u.j)
	if err != nil {
		return err
	}
	_, u.main = cutOf(u.streams, "")
	if len(u.main) == 0 {
		if err := u.join(ctx, policy, settings); err != nil {
			return err
		}
		_, u.main = cutOf(u.streams, "")
	}
	if len(u.main) == 0 {
		u.name = u.newName(policy)
		if u.kind == logdb.KindHistorical && len(u.unknown()) > 0 { // which rows were combined, and how, is not known any more
			u.name = u.freshName(policy)
		}
		opened := u.open(policy)
		if err := u.s.store.Turn(ctx, u.key, nil, opened); err != nil {
			return err
		}
		u.streams = append(u.streams, opened...)
		_, u.main = cutOf(u.streams, "")
	}
	current := u.main[len(u.main)-1]
	policy = keep(current.Policy, policy, settings)
	turn := !current.Policy.SameRules(policy)
	if turn && !current.Policy.SameRows(policy) {
		if apart, err := u.apart(ctx); err != nil {
			return err
		} else if apart {
			if err := u.rename(ctx, policy); err != nil {
				return err
			}
		}
	}
	u.waiting = 0
	for _, name := range cutNames(u.streams) {
		if err := u.decideCut(ctx, name, turn && name == ""); err != nil {
			return err
		}
	}
	if !turn {
		return nil
	}
	if err := u.part(ctx); err != nil {
		return err
	}
	if err := u.named(ctx); err != nil {
		return err
	}
	_, u.main = cutOf(u.streams, "")
	current = u.main[len(u.main)-1]
	current.Closed = u.head.End
	cut, _ := cutOf(u.streams, "")
	opened := u.open(policy, reduce.Widen(cut.Streams, policy)...)
	if err := u.s.store.Turn(ctx, u.key, []*StoredStream{current}, opened); err != nil {
		return err
	}
	u.streams = append(u.streams, opened...)
	_, u.main = cutOf(u.streams, "")
	for _, st := range opened {
		if st.Cut() == "" {
			continue
		}
		if err := u.decideCut(ctx, st.Cut(), false); err != nil {
			return err
		}
	}
	return nil
}

// decideCut decides the positions up to the journal's end in the newest stream of a cut.
func (u *upload) decideCut(ctx context.Context, name string, flush bool) error {
	cut, stored := cutOf(u.streams, name)
	st := stored[len(stored)-1]
	counts := limit.Counts{}
	d := reduce.New(u.kind, cut, u.j, st.State, counts)
	save := func() error {
		out := d.Take()
		if out.Empty() && out.State.Next == st.State.Next && st.End == u.head.End {
			return nil
		}
		if err := u.s.store.Decide(ctx, u.key, st, out, u.head); err != nil {
			return err
		}
		st.State, st.End, st.Chain = out.State, u.head.End, u.head.Chain
		u.j.decided()
		return nil
	}
	next := d.Start()
	for next <= u.head.End {
		entries, err := u.j.Entries(ctx, next, u.j.size)
		if err != nil {
			return err
		}
		if err := u.loadCounts(ctx, name, &st.Policy, entries, counts); err != nil {
			return err
		}
		for i := range entries {
			e := &entries[i]
			if e.Position > u.head.End {
				break
			}
			d.Skip(next, e.Position-1)
			if err := d.Feed(ctx, e); err != nil {
				return fmt.Errorf("decide position %d: %w", e.Position, err)
			}
			next = e.Position + 1
		}
		if len(entries) == 0 || entries[len(entries)-1].Position > u.head.End {
			d.Skip(next, u.head.End)
			next = u.head.End + 1
		}
		if err := save(); err != nil {
			return err
		}
	}
	if flush {
		d.Flush()
	}
	u.waiting += d.Waiting()
	return save()
}

// loadCounts reads the limit counts that the entries may need and counts does not hold yet.
func (u *upload) loadCounts(ctx context.Context, cut string, p *reduce.Policy, entries []logdb.Entry, counts limit.Counts) error {
	windows := p.Limits.Of(u.kind)
	if len(windows) == 0 || len(entries) == 0 {
		return nil
	}
	first, last := entries[0].Time, entries[0].Time
	for _, e := range entries {
		first, last = min(first, e.Time), max(last, e.Time)
		if e.Waveform != nil { // a shortened one starts later
			last = max(last, e.Waveform.End)
		}
	}
	var longest logdb.Millis
	for _, w := range windows {
		longest = max(longest, w.Millis)
	}
	have, err := u.s.store.Counts(ctx, u.key, cut, first-longest, last)
	if err != nil {
		return err
	}
	for k, n := range have {
		if _, ok := counts[k]; !ok {
			counts[k] = n
		}
	}
	return nil
}
