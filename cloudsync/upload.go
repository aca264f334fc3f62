package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"metermanager/cloudsync/reduce"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// errMore ends an upload that has sent its share, so that other meters get their turn.
var errMore = errors.New("more is to be sent")

// SizeReason is the reason of a record that no page of the receiver can hold.
const SizeReason = "size"

// upload sends one kind of log of one meter to one destination.
type upload struct {
	s     *Service
	dest  Destination
	cloud Cloud
	conf  MeterConfig
	kind  logdb.Kind
	key   StreamKey

	head    logdb.JournalHead
	there   []logdb.StreamState
	streams []*StoredStream // all of the journal
	main    []*StoredStream // of the main cut
	j       *journal
	budget  *int
	unsure  bool // an answer was only a receipt
	waiting int
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
	if u.head, err = u.s.logs.Journal(ctx, u.key.Meter, u.kind); errors.Is(err, logdb.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("read the journal's head: %w", err)
	}
	if err := u.ask(ctx); err != nil {
		return false, err
	}
	if err := u.own(ctx); err != nil {
		return false, err
	}
	if err := u.decide(ctx); err != nil {
		return false, err
	}
	err = u.send(ctx)
	if errors.Is(err, errMore) {
		return true, nil
	}
	return u.unsure, err
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
	return nil
}

// own loads the streams of the journal. A journal that is shorter than, or different from, what the receiver
// or our own records know of it gets a new id first: re-used numbers would be taken for repeats.
func (u *upload) own(ctx context.Context) (err error) {
	u.key.Journal = u.head.ID
	if u.streams, err = u.s.store.Streams(ctx, u.key); err != nil {
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
		u.s.log.Warn("renew a journal that is not the one the cloud knows", "meter", string(u.key.Meter), "action", "upload", "kind", u.kind.String())
		u.key.Journal, u.streams = u.head.ID, nil
	}
	u.j = newJournal(u.s.logs, u.s.store, u.key.Meter, u.kind, u.head.ID)
	return u.s.store.DropJournals(ctx, u.key)
}

// foreign reports whether somebody knows more, or something else, of this journal than it holds.
func (u *upload) foreign(ctx context.Context) (bool, error) {
	differs := func(end logdb.Position, chain logdb.Digest) (bool, error) {
		if end == 0 || chain.IsZero() {
			return false, nil
		}
		if end > u.head.End {
			return true, nil
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
	for _, st := range u.streams {
		if st.Fates.Highest() > u.head.End {
			return true, nil
		}
		if bad, err := differs(st.End, st.Chain); bad || err != nil {
			return bad, err
		}
	}
	for _, st := range u.there {
		if st.Stream.Journal != u.head.ID || st.Own {
			continue
		}
		if st.Fates.Highest() > u.head.End || st.JournalEnd > u.head.End {
			return true, nil
		}
		if bad, err := differs(st.JournalEnd, st.Chain); bad || err != nil {
			return bad, err
		}
	}
	return false, nil
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
		opened := u.open(policy, nil, 0)
		if err := u.s.store.Turn(ctx, u.key, nil, opened); err != nil {
			return err
		}
		u.streams = append(u.streams, opened...)
		_, u.main = cutOf(u.streams, "")
	}
	current := u.main[len(u.main)-1]
	policy = keep(current.Policy, policy, settings)
	turn := !current.Policy.SameRules(policy)
	u.waiting = 0
	for _, name := range cutNames(u.streams) {
		if err := u.decideCut(ctx, name, turn && name == ""); err != nil {
			return err
		}
	}
	if !turn {
		return nil
	}
	current.Closed = u.head.End
	var added *reduce.Policy
	if channels, except, ok := current.Policy.Added(policy); ok {
		p := policy
		p.Channels, p.Except = channels, except
		added = &p
	}
	opened := u.open(policy, added, current.Closed)
	if err := u.s.store.Turn(ctx, u.key, []*StoredStream{current}, opened); err != nil {
		return err
	}
	u.streams = append(u.streams, opened...)
	_, u.main = cutOf(u.streams, "")
	if added == nil {
		return nil
	}
	return u.decideCut(ctx, opened[len(opened)-1].Cut(), false)
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

// send uploads what the receiver has not decided, stream by stream.
func (u *upload) send(ctx context.Context) error {
	u.j = newJournal(u.s.logs, u.s.store, u.key.Meter, u.kind, u.head.ID)
	for _, name := range cutNames(u.streams) {
		cut, _ := cutOf(u.streams, name)
		composer := reduce.NewComposer(u.conf.CloudUID, u.kind, cut, u.j, reduce.Config{PageBytes: u.s.cfg.PageBytes})
		for _, st := range cut.Streams {
			missing := Missing(&st.Fates, u.received(st.ID))
			err := composer.Pages(ctx, st, missing, func(page *logdb.Page) error {
				if *u.budget <= 0 {
					return errMore
				}
				*u.budget--
				page.JournalEnd, page.Chain = u.head.End, u.head.Chain
				return u.push(ctx, page)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// received returns the receiver's set of a stream.
func (u *upload) received(id logdb.StreamID) *logdb.FateSet {
	for i := range u.there {
		if u.there[i].Stream == id && !u.there[i].Own {
			return &u.there[i].Fates
		}
	}
	u.there = append(u.there, logdb.StreamState{Stream: id})
	return &u.there[len(u.there)-1].Fates
}

// Missing returns the ranges that here has decided and there has not.
func Missing(here, there *logdb.FateSet) [][2]logdb.Position {
	var out [][2]logdb.Position
	var first, last logdb.Position
	flush := func() {
		if first != 0 {
			out = append(out, there.Missing(first, last)...)
		}
	}
	for _, r := range here.Ranges() {
		if first != 0 && r.First == last+1 {
			last = r.Last
			continue
		}
		flush()
		first, last = r.First, r.Last
	}
	flush()
	return out
}

// push sends one page, halves it while the receiver finds it too large, and notes what is decided there now.
func (u *upload) push(ctx context.Context, page *logdb.Page) error {
	var answer api.UploadAnswer
	err := runner.Retry(ctx, u.s.retry(), func(ctx context.Context) (err error) {
		answer, err = u.cloud.PushPage(ctx, page)
		return err
	})
	switch {
	case errors.Is(err, fault.TooLarge):
		a, b, ok := reduce.Split(page)
		if !ok {
			return u.oversize(ctx, page)
		}
		if err := u.push(ctx, a); err != nil {
			return err
		}
		return u.push(ctx, b)
	case err != nil:
		return fmt.Errorf("send a page of %s: %w", u.kind, err)
	}
	u.sum.add(Sum{Pages: 1, Stored: answer.Stored, Repeats: answer.Repeats, Revised: answer.Revised, Skipped: answer.Skipped})
	positions := reduce.Positions(page)
	if answer.Stored+answer.Repeats+answer.Revised+answer.Skipped == 0 {
		u.unsure = true // a receipt only, or nothing that is counted: the sets will tell
		return nil
	}
	set := u.received(page.Stream)
	for _, r := range positions.Ranges() {
		set.Put(r)
	}
	for _, r := range answer.Refused {
		set.Put(r)
	}
	return nil
}

// oversize gives the only record of a page that the receiver can never take the fate skipped.
func (u *upload) oversize(ctx context.Context, page *logdb.Page) error {
	if len(page.Entries) != 1 && len(page.Rows) != 1 {
		return fmt.Errorf("send a page of one range of fates: %w", fault.TooLarge)
	}
	var p logdb.Position
	var t logdb.Millis
	if len(page.Entries) == 1 {
		p, t = page.Entries[0].Position, page.Entries[0].Time
	} else {
		p, t = page.Rows[0].Positions[0], page.Rows[0].Times[0]
	}
	skip := logdb.FateRange{First: p, Last: p, Fate: logdb.FateSkipped, Reason: SizeReason, FirstTime: t, LastTime: t}
	for _, st := range u.streams {
		if st.ID != page.Stream {
			continue
		}
		d := reduce.Decision{State: st.State}
		d.Fates.Put(skip)
		if err := u.s.store.Decide(ctx, u.key, st, d, u.head); err != nil {
			return err
		}
		st.Fates.Put(skip)
	}
	small := *page
	small.Rows, small.Entries, small.Fates = nil, nil, []logdb.FateRange{skip}
	return u.push(ctx, &small)
}

// compared notes in l how both sides stand.
func (u *upload) compared(l *LogCache, more bool, now time.Time) {
	*l = LogCache{Journal: l.Journal, End: l.End, Seen: l.Seen}
	l.Known, l.ThereJournal, l.ThereEnd, l.Compared = true, u.head.ID, u.head.End, now
	if u.sum.Renewed > 0 {
		l.Journal = u.head.ID
	}
	for _, st := range u.streams {
		set := u.received(st.ID)
		for _, r := range Missing(&st.Fates, set) {
			l.Missing += int64(r[1] - r[0] + 1)
		}
		l.Decided += int64(set.Len())
		l.Skipped += int64(set.Count(logdb.FateSkipped))
		l.Reduced += int64(set.Count(logdb.FateReduced))
		if !strings.Contains(st.ID.Policy, "+") {
			l.Stream = st.ID.String()
		}
	}
	l.Waiting, l.More = int64(u.waiting), more
	if more {
		l.Recheck = now
		if u.unsure {
			l.Recheck = now.Add(u.s.cfg.RecheckEvery)
		}
	}
}
