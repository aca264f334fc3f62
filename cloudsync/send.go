package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"metermanager/cloudsync/reduce"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// send uploads what the receiver has not decided, stream by stream: the newest first, then what has waited, of
// which one upload sends a share only, so that the newest of other logs and meters never waits for it. Changes of rows that were not there
// follow them.
func (u *upload) send(ctx context.Context) error {
	for range 2 {
		u.j, u.early = newJournal(u.s.logs, u.s.store, u.key.Meter, u.kind, u.head.ID), 0
		if err := u.sendPart(ctx, true); err != nil {
			return err
		}
		if err := u.sendPart(ctx, false); err != nil || u.early == 0 || u.unsure {
			return err
		}
	}
	u.unsure = true // they wait for what does not come: later
	return nil
}

func (u *upload) sendPart(ctx context.Context, fresh bool) error {
	for _, name := range cutNames(u.streams) {
		cut, _ := cutOf(u.streams, name)
		missing := make([][][2]logdb.Position, len(cut.Streams))
		for i, st := range cut.Streams {
			missing[i] = Missing(&st.Fates, u.received(st.ID))
		}
		from := u.lowest(cut, missing)
		composer := reduce.NewComposer(u.conf.CloudUID, u.kind, cut, u.j, reduce.Config{PageBytes: u.s.cfg.PageBytes, Has: u.has(cut), Skipped: u.skipped(cut)})
		for i, st := range cut.Streams {
			missing := missing[i]
			for _, apart := range []*logdb.FateSet{&st.Asked, &st.Whole} { // they travel on requested pages
				missing = without(missing, apart)
			}
			early, err := u.ahead(ctx, cut, st, missing, from)
			if err != nil {
				return err
			}
			u.early += early.Len()
			missing = without(missing, early)
			old, newest := splitAt(missing, notWithin(&st.Fates, freshFrom(u.kind, u.head.End)))
			part, may := old, u.mayDrain
			if fresh {
				part, may = newest, func() error { return nil }
			}
			err = composer.Pages(ctx, st, part, may, func(page *logdb.Page) error {
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

// lowest returns the first position of a cut of which the receiver lacks something: the record itself (missing, by stream), what it is combined
// into, or the row that was asked for. Only rows are combined.
func (u *upload) lowest(cut *reduce.Cut, missing [][][2]logdb.Position) logdb.Position {
	out := logdb.Position(math.MaxUint64)
	if u.kind != logdb.KindHistorical {
		return out
	}
	for i, st := range cut.Streams {
		if len(missing[i]) > 0 {
			out = min(out, missing[i][0][0])
		}
		if asked := st.Asked.Ranges(); len(asked) > 0 {
			out = min(out, asked[0].First)
		}
		if lost := Missing(&st.Whole, u.received(st.ID)); len(lost) > 0 {
			out = min(out, lost[0][0])
		}
	}
	for _, st := range cut.Streams {
		for _, r := range st.Fates.Ranges() {
			if r.First >= out {
				break
			}
			if r.Fate == logdb.FateReduced && r.Into >= out {
				out = r.First
				break
			}
		}
	}
	return out
}

// ahead returns, of what is missing, the changes of rows, and what came late for an interval, that would come before these. Should the receiver get
// the rows in another form by another way, their sum or one by one, it would take such a change for one of what it has then. No row before
// position from waits.
func (u *upload) ahead(ctx context.Context, cut *reduce.Cut, st *reduce.Stream, missing [][2]logdb.Position, from logdb.Position) (*logdb.FateSet, error) {
	out := &logdb.FateSet{}
	if u.kind != logdb.KindHistorical || len(missing) == 0 {
		return out, nil
	}
	fate := func(p logdb.Position) (logdb.FateRange, bool) {
		for _, o := range cut.Streams {
			if f, ok := u.received(o.ID).At(p); ok {
				return f, true
			}
		}
		return logdb.FateRange{}, false
	}
	waits := func(target logdb.Position) bool {
		f, known := fate(target)
		if slices.ContainsFunc(cut.Streams, func(o *reduce.Stream) bool { return o.AsIs(target) }) {
			return !known || f.Fate == logdb.FateReduced
		}
		at, travels := cut.Row(target)
		if !travels {
			return false
		}
		_, known = fate(at)
		return !known
	}
	var list []logdb.Position
	for _, m := range missing {
		for p := m[0]; p <= m[1]; p++ {
			r, ok := st.Fates.At(p)
			if ok && r.Fate == logdb.FateReduced && r.Into < p && waits(r.Into) {
				list = append(list, p)
			}
			if ok && (r.Fate != logdb.FateReduced || r.Into > p) {
				p = min(r.Last, m[1])
			}
		}
	}
	changes, err := u.s.store.Changes(ctx, u.head.ID, from, missing[len(missing)-1][1])
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		i := sort.Search(len(missing), func(i int) bool { return missing[i][1] >= c.Position })
		if i == len(missing) || missing[i][0] > c.Position {
			continue
		}
		if r, _ := st.Fates.At(c.Position); r.Fate == logdb.FateReduced && r.Into > c.Position {
			continue // it is one of the sum
		}
		if waits(c.Target) {
			list = append(list, c.Position)
		}
	}
	slices.Sort(list)
	for _, p := range list {
		out.Put(stored(p))
	}
	return out, nil
}

// has returns whether the receiver holds what travels at a position of a cut.
func (u *upload) has(cut *reduce.Cut) func(logdb.Position) bool {
	return func(p logdb.Position) bool {
		return slices.ContainsFunc(cut.Streams, func(st *reduce.Stream) bool {
			f, ok := u.received(st.ID).At(p)
			return ok && f.Fate == logdb.FateStored
		})
	}
}

// skipped returns whether the receiver's limits skipped a position of a stream of the cut; nil when they skipped none.
func (u *upload) skipped(cut *reduce.Cut) func(logdb.StreamID, logdb.Position) bool {
	if !slices.ContainsFunc(cut.Streams, func(st *reduce.Stream) bool { return u.received(st.ID).Count(logdb.FateSkipped) > 0 }) {
		return nil
	}
	return func(id logdb.StreamID, p logdb.Position) bool { return isSkipped(u.received(id), p) }
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

// without returns ranges without the positions in set.
func without(ranges [][2]logdb.Position, set *logdb.FateSet) [][2]logdb.Position {
	if set.Len() == 0 {
		return ranges
	}
	var out [][2]logdb.Position
	for _, r := range ranges {
		out = append(out, set.Missing(r[0], r[1])...)
	}
	return out
}

// push sends one page, halves it while the receiver finds it too large, and notes what is decided there now.
func (u *upload) push(ctx context.Context, page *logdb.Page) error {
	answer, err := u.deliver(ctx, page)
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
	u.answered(page, answer)
	return nil
}

// answered notes what is decided at the receiver since it answered a page.
func (u *upload) answered(page *logdb.Page, answer api.UploadAnswer) {
	u.sum.took(answer)
	positions := reduce.Positions(page)
	if counted(answer) == 0 {
		u.unsure = true // a receipt only, or nothing that is counted: the sets will tell
		return
	}
	set := u.received(page.Stream)
	for _, r := range positions.Ranges() {
		set.Put(r)
	}
	for _, r := range answer.Refused {
		set.Put(r)
	}
	if counted(answer) < records(page) {
		u.unsure = true // a revise waits there for its target: it is sent again
	}
}

// deliver sends a page with the end of its journal that was seen at the receiver: who goes on from a copy of the same journal may
// have written there since, and then nothing of the page is taken (fault.Stale).
func (u *upload) deliver(ctx context.Context, page *logdb.Page) (answer api.UploadAnswer, err error) {
	journal := page.Stream.Journal.Family()
	seen := u.seen[journal]
	page.Seen = &seen
	err = runner.Retry(ctx, u.s.retry(), func(ctx context.Context) (err error) {
		answer, err = u.cloud.PushPage(ctx, page)
		return err
	})
	if err != nil {
		return answer, err
	}
	if page.JournalEnd > seen.Position && counted(answer) > 0 { // else perhaps a receipt only
		u.seen[journal] = logdb.End{Position: page.JournalEnd, Chain: page.Chain}
	}
	return answer, nil
}

// sees notes the end of a journal at the receiver, which was found to be an end of the one that is sent.
func (u *upload) sees(journal logdb.JournalID) {
	if u.seen == nil {
		u.seen = map[logdb.JournalID]logdb.End{}
	}
	u.seen[journal.Family()] = logdb.EndOf(u.there, journal)
}

// counted is how many records of a page an answer tells of: none when it is a receipt only.
func counted(answer api.UploadAnswer) int {
	return answer.Stored + answer.Repeats + answer.Revised + answer.Skipped
}

// took adds a page that was answered.
func (s *Sum) took(answer api.UploadAnswer) {
	s.add(Sum{Pages: 1, Stored: answer.Stored, Repeats: answer.Repeats, Revised: answer.Revised, Skipped: answer.Skipped})
}

// records counts what an answer tells of.
func records(page *logdb.Page) int {
	n := len(page.Entries)
	for i := range page.Rows {
		n += page.Rows[i].Len()
	}
	return n
}

// oversize gives the only record of a page that the receiver can never take the fate skipped, there. What is decided
// here stays: another cloud may take it.
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
	small := *page
	small.Rows, small.Entries, small.Fates = nil, nil, []logdb.FateRange{skip}
	return u.push(ctx, &small)
}

// compared notes in l how both sides stand.
func (u *upload) compared(l *LogCache, more bool, now time.Time) {
	*l = LogCache{Journal: l.Journal, End: l.End, Seen: l.Seen, Conflicts: l.Conflicts}
	l.Known, l.ThereJournal, l.ThereEnd, l.Compared = true, u.head.ID, u.head.End, now
	if !u.looked.Before(l.Seen) { // another destination may have renewed it
		l.Journal, l.End = u.head.ID, u.head.End
	}
	for _, st := range u.streams {
		set := u.received(st.ID)
		for _, r := range Missing(&st.Fates, set) {
			l.Missing += int64(r[1] - r[0] + 1)
			l.missingFrom(r[0])
		}
		l.Highest = max(l.Highest, set.Highest())
		l.Decided += int64(set.Len())
		l.Skipped += int64(set.Count(logdb.FateSkipped))
		l.Reduced += int64(set.Count(logdb.FateReduced))
		if !strings.Contains(st.ID.Policy, "+") {
			l.Stream = st.ID.String()
		}
	}
	l.Waiting, l.More = int64(u.waiting), more
	if more {
		l.Recheck, l.Draining = now, !u.unsure
		if u.wait > 0 {
			l.Recheck = now.Add(u.wait)
			time.AfterFunc(u.wait, u.s.poke)
		}
		if u.unsure {
			l.Recheck = now.Add(u.s.cfg.RecheckEvery)
		}
	}
}
