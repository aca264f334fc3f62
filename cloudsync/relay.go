package cloudsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// A node passes on what others sent to it: every stream that it received keeps its name, positions and fates, so that
// a record which reaches a cloud by two ways is one record there. Nothing is decided again, and nothing is kept about
// it here: what is missing is the difference of both sides' sets.

// RelayCache is how far a cloud has come with the streams of one kind that this node received.
type RelayCache struct {
	Streams   int
	Missing   int64 // positions that are decided here and not there
	Lacking   int64 // of these: what this node has no data of (any more); they come by another way
	Decided   int64 // there, of those decided here
	Skipped   int64 // there, of those stored here: it gets them when it asks for them
	Conflicts []string
}

// relayState is the part of a meter's cache that concerns what others sent.
type relayState struct {
	dirty   bool // something came since the last comparison
	recheck time.Time
	kinds   map[logdb.Kind]*RelayCache
	kept    map[keptSum]bool
}

// keptSum is an interval of which the receiver keeps the combined row when it is sent the rows, since that row was changed there: it begins at first.
type keptSum struct {
	kind   logdb.Kind
	stream logdb.StreamID
	first  logdb.Position
}

// passable returns what a relay can say about the positions of a stream: all fates but "held", which is this node's own
// verdict about what it has from elsewhere.
func passable(set *logdb.FateSet) *logdb.FateSet {
	out := &logdb.FateSet{}
	for _, r := range set.Ranges() {
		if r.Fate != logdb.FateHeld {
			out.Put(r)
		}
	}
	return out
}

// Received lists the streams of other journals than this node's own that are held of a meter and kind, oldest first.
func Received(ctx context.Context, logs logdb.Source, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error) {
	all, err := logs.Streams(ctx, meter, kind)
	if errors.Is(err, logdb.ErrUnknownMeter) || errors.Is(err, logdb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the streams: %w", err)
	}
	own := map[logdb.JournalID]bool{}
	for i := range all {
		own[all[i].Stream.Journal] = own[all[i].Stream.Journal] || all[i].Own
	}
	all = slices.DeleteFunc(all, func(s logdb.StreamState) bool { return own[s.Stream.Journal] })
	slices.SortStableFunc(all, func(a, b logdb.StreamState) int { return cmp.Compare(a.Created, b.Created) })
	return all, nil
}

// relay passes on what the receiver lacks of the streams that this node received.
func (u *upload) relay(ctx context.Context) (more bool, err error) {
	if u.dest.OwnOnly {
		return false, nil
	}
	here, err := Received(ctx, u.s.logs, u.key.Meter, u.kind)
	if err != nil || len(here) == 0 {
		return false, err
	}
	if !u.known {
		if err := u.ask(ctx); err != nil {
			return false, err
		}
	}
	u.relayed = &RelayCache{Streams: len(here)}
	full := true
	left := make([]bool, len(here)) // changes whose rows were not there, and may be by now
	for _, last := range []bool{false, true} {
		for i := range here {
			if last && (!left[i] || u.unsure) {
				continue
			}
			left[i], err = u.relayStream(ctx, &here[i], here, last)
			switch {
			case errors.Is(err, errMore):
				full = false
			case errors.Is(err, fault.Conflict), errors.Is(err, fault.Invalid):
				u.conflict(&here[i], err.Error())
			case err != nil:
				return false, err
			}
		}
	}
	for i := range here {
		u.relayed.count(&here[i], u.received(here[i].Stream))
	}
	if full && !u.unsure {
		u.relayed.Lacking = u.relayed.Missing
	}
	return !full || u.unsure, nil
}

func (c *RelayCache) count(here *logdb.StreamState, there *logdb.FateSet) {
	pass := passable(&here.Fates)
	n := int64(0)
	for _, r := range Missing(pass, there) {
		n += int64(r[1] - r[0] + 1)
	}
	c.Missing += n
	c.Decided += int64(pass.Len()) - n
	held := here.Fates.Ranges()
	for _, r := range there.Ranges() {
		if r.Fate != logdb.FateSkipped {
			continue
		}
		for len(held) > 0 && held[0].Last < r.First {
			held = held[1:]
		}
		for i := 0; i < len(held) && held[i].First <= r.Last; i++ {
			if held[i].Fate == logdb.FateStored {
				c.Skipped += int64(min(held[i].Last, r.Last) - max(held[i].First, r.First) + 1)
			}
		}
	}
}

// conflict notes that a stream is not the one of the same name at the receiver: it is reported and left alone.
func (u *upload) conflict(st *logdb.StreamState, why string) {
	u.relayed.Conflicts = append(u.relayed.Conflicts, fmt.Sprintf("stream %s: %s", st.Stream, why))
	u.s.log.Warn("leave a received stream that contradicts the cloud's", "meter", string(u.key.Meter), "action", "upload",
		"kind", u.kind.String(), "cloud", u.dest.label(), "stream", st.Stream.String(), "why", why)
}

// contradiction says why a stream here cannot be the receiver's of the same journal; own is true when the receiver
// itself keeps that journal, so that nothing of it is sent.
func contradiction(here *logdb.StreamState, there []logdb.StreamState) (why string, own bool) {
	ends := append(logdb.Ends{{Position: here.JournalEnd, Chain: here.Chain}}, here.Ends...)
	for i := range there {
		t := &there[i]
		if t.Stream.Journal != here.Stream.Journal {
			continue
		}
		if t.Own {
			own = true
			if here.JournalEnd > t.JournalEnd {
				why = fmt.Sprintf("the cloud's own journal ends at position %d, what it sent here at %d: it was restored from a backup", t.JournalEnd, here.JournalEnd)
			}
		}
		for _, e := range append(logdb.Ends{{Position: t.JournalEnd, Chain: t.Chain}}, t.Ends...) {
			if ends.Contradict(e.Position, e.Chain) {
				why = fmt.Sprintf("up to position %d the cloud holds other entries under the same name", e.Position)
			}
		}
	}
	return why, own
}

// foreignSource is what foreign is to the own journal: it reports whether the receiver knows more, or something else, of a journal that this node
// makes for a credential than it holds. Then this node was restored from a backup, or a copy of it goes on too.
func (u *upload) foreignSource(ctx context.Context, st *logdb.StreamState) (why string, err error) {
	if short, err := u.writtenShorter(ctx, st.Stream.Journal, st.JournalEnd); short || err != nil {
		return "the cloud makes it too", err
	}
	for i := range u.there {
		t := &u.there[i]
		if t.Stream.Journal.Family() != st.Stream.Journal.Family() {
			continue
		}
		for _, e := range append(logdb.Ends{{Position: t.JournalEnd, Chain: t.Chain}}, t.Ends...) {
			if e.Position == 0 || e.Chain.IsZero() {
				continue
			}
			have, err := u.s.logs.SourceChainAt(ctx, u.key.Meter, u.kind, st.Stream.Journal, e.Position)
			if err != nil && !errors.Is(err, logdb.ErrNotFound) {
				return "", fmt.Errorf("read the chain of journal %s at position %d: %w", st.Stream.Journal, e.Position, err)
			}
			if have != e.Chain {
				return fmt.Sprintf("up to position %d the cloud holds other entries under the same name", e.Position), nil
			}
		}
		if t.Chain.IsZero() && t.JournalEnd > st.JournalEnd {
			return fmt.Sprintf("the cloud knows position %d of a journal that ends here at %d", t.JournalEnd, st.JournalEnd), nil
		}
	}
	return "", nil
}

// renewSource gives a journal that this node makes for a credential another id, under which all that it holds is sent anew: numbers that are used
// again would be taken for repeats.
func (u *upload) renewSource(ctx context.Context, st *logdb.StreamState, why string) error {
	head, err := u.s.logs.RenewSource(ctx, u.key.Meter, u.kind, st.Stream.Journal)
	if errors.Is(err, logdb.ErrNotFound) {
		return errMore // for another cloud, since it was listed
	}
	if err != nil {
		return fmt.Errorf("renew journal %s: %w", st.Stream.Journal, err)
	}
	u.s.log.Warn("renew a journal of a source that is not the one the cloud knows", "meter", string(u.key.Meter), "action", "upload",
		"kind", u.kind.String(), "cloud", u.dest.label(), "stream", st.Stream.String(), "why", why)
	u.sum.Renewed++
	st.Stream = logdb.StreamID{Journal: head.ID, Policy: "0"}
	u.s.NotifyReceived(u.key.Meter) // the other clouds get it too
	return nil
}

// twoCopies says whether the receiver holds something else than this node at the same positions of a journal: two copies of whoever wrote
// it went on under one id, and the one sent here, the other one there. The ends that were stated tell nothing of that, since
// neither node was told the other one's. Where one of both is known to go on from where the other one ends, nothing is compared. Copies that
// are apart by whole intervals of combined rows, in that log alone, are not told from one another.
func (u *upload) twoCopies(ctx context.Context, st *logdb.StreamState, all []logdb.StreamState) (why string, err error) {
	journal := st.Stream.Journal
	there, here := logdb.EndOf(u.there, journal), logdb.EndOf(all, journal)
	if there.Position == 0 || stated(all, journal, there) || stated(u.there, journal, here) || st.Source != "" && !there.Chain.IsZero() {
		return "", nil // the chain of what this node makes for a credential told already, unless it was sent when there was none
	}
	if p := combinedOtherwise(all, u.there, journal); p > 0 {
		return otherRecord(p), nil
	}
	most := logdb.Position(logdb.MarksMost)
	if u.kind == logdb.KindWaveform {
		most = logdb.MarkedRecordingsMax
	}
	both := storedInBoth(all, u.there, journal, most)
	if len(both) == 0 {
		return "", nil
	}
	last := slices.Max(both)
	first := last - min(last, most) + 1
	have, err := logdb.Marks(ctx, u.s.logs, u.key.Meter, u.kind, journal, first, last)
	if err == nil {
		var marks map[logdb.Position]logdb.Mark
		if marks, err = u.cloud.Marks(ctx, u.conf.CloudUID, u.kind, journal, first, last); err == nil {
			combined := combines(all, journal) || combines(u.there, journal)
			for _, p := range both {
				mine, here := have[p]
				mark, there := marks[p]
				if here && there && (mine.Sort != mark.Sort || mine.Time != mark.Time && !combined) {
					return otherRecord(p), nil
				}
			}
			return "", nil
		}
	}
	if code := fault.CodeOf(err); code != fault.Internal && code != fault.NotFound && code != fault.Invalid || ctx.Err() != nil {
		return "", fmt.Errorf("ask what stands at positions %d to %d of journal %s: %w", first, last, journal, err)
	}
	// Damage at one of both sides, or a cloud that does not tell: nothing speaks against it.
	u.s.log.Warn("cannot compare a received journal with the cloud's", "meter", string(u.key.Meter), "action", "upload", "kind", u.kind.String(), "cloud", u.dest.label(), "err", err)
	return "", nil
}

// goesOn says why nothing of a stream may be sent, "" when it may: the journal here is the one that the receiver knows.
func (u *upload) goesOn(ctx context.Context, st *logdb.StreamState, all []logdb.StreamState) (why string, err error) {
	if _, judged := u.seen[st.Stream.Journal.Family()]; judged { // by another stream of it
		return "", nil
	}
	if why, err = u.twoCopies(ctx, st, all); why == "" && err == nil {
		u.sees(st.Stream.Journal)
	}
	return why, err
}

func otherRecord(p logdb.Position) string {
	return fmt.Sprintf("at position %d the cloud holds another record: two copies of a node wrote this journal", p)
}

// combines reports whether rows of a journal were combined: then the time at a position depends on the policy, and on who asked for the
// rows themselves.
func combines(streams []logdb.StreamState, journal logdb.JournalID) bool {
	return slices.ContainsFunc(streams, func(st logdb.StreamState) bool {
		return st.Stream.Journal.Family() == journal.Family() && slices.ContainsFunc(st.Fates.Ranges(), func(r logdb.FateRange) bool { return r.Fate == logdb.FateReduced })
	})
}

// combinedOtherwise returns a position that both sides combined into another one by the same policy, which one journal never does; 0: none among
// the last of them.
func combinedOtherwise(here, there []logdb.StreamState, journal logdb.JournalID) logdb.Position {
	for i := range there {
		at := slices.IndexFunc(here, func(o logdb.StreamState) bool { return o.Stream == there[i].Stream && !o.Own })
		if there[i].Own || at < 0 || there[i].Stream.Journal.Family() != journal.Family() {
			continue
		}
		for _, r := range lastRanges(&there[i].Fates) {
			if f, ok := here[at].Fates.At(r.Last); r.Fate == logdb.FateReduced && ok && f.Fate == logdb.FateReduced && f.Into != r.Into {
				return r.Last
			}
		}
	}
	return 0
}

// lastRanges are the ranges of a set in which common positions are looked for.
func lastRanges(set *logdb.FateSet) []logdb.FateRange {
	const most = 4096
	all := set.Ranges()
	return all[max(0, len(all)-most):]
}

// stated reports whether a page stated an end of a journal, as far as that is remembered.
func stated(streams []logdb.StreamState, journal logdb.JournalID, end logdb.End) bool {
	return !end.Chain.IsZero() && slices.ContainsFunc(streams, func(st logdb.StreamState) bool {
		if st.Own || st.Stream.Journal.Family() != journal.Family() {
			return false
		}
		return slices.ContainsFunc(append(logdb.Ends{{Position: st.JournalEnd, Chain: st.Chain}}, st.Ends...), func(e logdb.End) bool { return e == end })
	})
}

// storedInBoth returns the last positions of a journal that are stored at both sides, under any name and policy, within so many positions;
// without those into which others were combined.
func storedInBoth(here, there []logdb.StreamState, journal logdb.JournalID, within logdb.Position) (out []logdb.Position) {
	into := map[logdb.Position]bool{}
	stored := func(streams []logdb.StreamState) (out logdb.FateSet) {
		var all []logdb.FateRange
		for i := range streams {
			if streams[i].Own || streams[i].Stream.Journal.Family() != journal.Family() {
				continue
			}
			for _, r := range lastRanges(&streams[i].Fates) {
				switch r.Fate {
				case logdb.FateStored:
					all = append(all, r)
				case logdb.FateReduced:
					into[r.Into] = true
				}
			}
		}
		slices.SortFunc(all, func(a, b logdb.FateRange) int { return cmp.Compare(a.First, b.First) })
		for _, r := range all {
			if r.First = max(r.First, out.Highest()+1); r.First <= r.Last {
				out.Put(logdb.FateRange{First: r.First, Last: r.Last, Fate: logdb.FateStored})
			}
		}
		return out
	}
	a, b := stored(here), stored(there)
	last := logdb.Position(0)
	for _, r := range slices.Backward(a.Ranges()) {
		p, missing := r.Last, b.Missing(r.First, r.Last)
		for i := len(missing) - 1; i >= 0 && missing[i][1] == p; i-- {
			p = missing[i][0] - 1
		}
		if p >= r.First {
			last = p
			break
		}
	}
	for p := last - min(last, within) + 1; p <= last && last > 0; p++ {
		if a.Has(p) && b.Has(p) && !into[p] {
			out = append(out, p)
		}
	}
	return out
}

// relayStream sends what the receiver has not decided of one stream, as it is here. early says that changes are left whose rows were not there; the
// last time these wait only for rows that can be read here.
func (u *upload) relayStream(ctx context.Context, st *logdb.StreamState, all []logdb.StreamState, last bool) (early bool, err error) {
	if st.Source != "" {
		why, err := u.foreignSource(ctx, st)
		if err == nil && why != "" {
			err = u.renewSource(ctx, st, why)
		}
		if err != nil {
			return false, err
		}
	}
	why, own := contradiction(st, u.there)
	if why != "" {
		u.conflict(st, why)
	}
	set := u.received(st.Stream)
	if own { // whoever wrote it has it
		for _, r := range st.Fates.Ranges() {
			set.Put(r)
		}
	}
	missing := Missing(passable(&st.Fates), set)
	if why != "" || own || len(missing) == 0 {
		return false, nil
	}
	why, err = u.goesOn(ctx, st, all)
	switch {
	case err != nil:
		return false, err
	case why != "" && st.Source == "":
		u.conflict(st, why)
		return false, nil
	case why != "":
		if err := u.renewSource(ctx, st, why); err != nil {
			return false, err
		}
		set = u.received(st.Stream) // of the new id
		missing = Missing(passable(&st.Fates), set)
		u.sees(st.Stream.Journal)
	}
	r := newRelayReader(u, st, all)
	r.last = last
	plain, whole, err := r.pick(ctx, missing, set)
	if err != nil {
		return false, err
	}
	for _, m := range plain {
		if err := r.send(ctx, m[0], m[1]); err != nil {
			return false, err
		}
	}
	if err := r.flush(ctx); err != nil {
		return false, err
	}
	if err := r.intervals(ctx, whole); err != nil {
		return false, err
	}
	return r.early, r.changesOfSums(ctx)
}

// before reports whether a change of the row at a position would come to the receiver before that, which is held here: see upload.ahead.
func (r *relayReader) before(ctx context.Context, target logdb.Position) (bool, error) {
	if r.u.kind != logdb.KindHistorical {
		return false, nil
	}
	var here []logdb.StreamID
	for _, o := range append([]*logdb.StreamState{r.stream}, r.cut...) {
		if r.u.received(o.Stream).Has(target) {
			return false, nil
		}
		if f, ok := o.Fates.At(target); ok && f.Fate == logdb.FateStored {
			here = append(here, o.Stream)
		}
	}
	if !r.last {
		return len(here) > 0, nil
	}
	for _, id := range here { // it may have been cleared
		page, err := r.u.s.logs.ReadStream(ctx, r.u.key.Meter, r.u.kind, id, target, 1)
		if err != nil && !errors.Is(err, logdb.ErrNotFound) {
			return false, fmt.Errorf("read position %d of stream %s: %w", target, id, err)
		}
		page.Fates = nil
		if read := reduce.Positions(&page); err == nil && read.Has(target) {
			return true, nil
		}
	}
	return false, nil
}

// relayReader makes pages of what is held of one stream.
type relayReader struct {
	u      *upload
	stream *logdb.StreamState
	cut    []*logdb.StreamState // the others that carry the same part of the journal
	step   int
	max    int
	plain  *logdb.Page
	asked  *logdb.Page // changes of records that limits had skipped: they were fetched on request
	size   int
	last   bool // what was left is tried once more
	early  bool // changes wait until the receiver has their rows
	// changes are the changes that the receiver's limits skipped, by the record that they are of; nil: not looked for yet.
	changes map[logdb.Position][]logdb.Position
	sums    *sumsHere        // nil: not looked for yet
	told    []logdb.Position // sums with which it was told of rows that had been skipped
	ahead   struct {         // read last
		first, last logdb.Position
		held        map[logdb.Position]logdb.Entry
	}
}

func newRelayReader(u *upload, st *logdb.StreamState, all []logdb.StreamState) *relayReader {
	r := &relayReader{u: u, stream: st, step: 1000, max: cmp.Or(max(u.s.cfg.PageBytes, 0), reduce.PageBytes)}
	if u.kind == logdb.KindWaveform {
		r.step = 8
	}
	for i := range all {
		if o := &all[i]; o != st && o.Stream.SameCut(st.Stream) {
			r.cut = append(r.cut, o)
		}
	}
	r.clear()
	return r
}

func (r *relayReader) clear() {
	r.plain = &logdb.Page{Meter: r.u.conf.CloudUID, Kind: r.u.kind, Stream: r.stream.Stream}
	r.asked = &logdb.Page{Meter: r.u.conf.CloudUID, Kind: r.u.kind, Stream: r.stream.Stream, Requested: true}
	r.size = 0
}

// send adds what is held of the positions first to last to the pages and sends those that are full.
func (r *relayReader) send(ctx context.Context, first, last logdb.Position) error {
	for first <= last {
		n := min(int(last-first)+1, r.step)
		page, err := r.u.s.logs.ReadStream(ctx, r.u.key.Meter, r.u.kind, r.stream.Stream, first, n)
		if errors.Is(err, logdb.ErrNotFound) {
			return nil // it is gone, so that nothing can be sent of it
		}
		if err != nil {
			return fmt.Errorf("read stream %s from position %d: %w", r.stream.Stream, first, err)
		}
		highest, err := r.add(ctx, &page, last)
		if err != nil || highest == 0 {
			return err
		}
		first = highest + 1
		if r.size >= r.max {
			if err := r.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// add takes over what lies up to last and returns the highest position of it.
func (r *relayReader) add(ctx context.Context, page *logdb.Page, last logdb.Position) (highest logdb.Position, err error) {
	for i := range page.Rows {
		h := &page.Rows[i]
		n, found := slices.BinarySearch(h.Positions, last)
		if found {
			n++
		}
		if n > 0 {
			part := h.Slice(0, n)
			r.plain.AddRows(&part)
			r.size += n * (24 + 20*len(h.Channels))
			for _, p := range part.Positions {
				r.size += r.parts(r.plain, p)
			}
			highest = max(highest, h.Positions[n-1])
		}
	}
	for _, e := range page.Entries {
		if e.Position > last {
			continue
		}
		if f, ok := r.stream.Fates.At(e.Target); ok && f.Fate == logdb.FateReduced && f.Into < e.Position {
			highest = max(highest, e.Position) // it was fetched beside the sum of its row: nobody takes it who has that sum
			continue
		}
		if e.Target != 0 {
			waits, err := r.before(ctx, e.Target)
			if err != nil {
				return 0, err
			}
			if waits {
				r.early = true
				highest = max(highest, e.Position)
				continue
			}
		}
		to := r.plain
		if e.Target != 0 && r.fetched(e.Target) {
			to = r.asked
		}
		to.Entries = append(to.Entries, e)
		r.size += entrySize(&e) + r.parts(to, e.Position)
		highest = max(highest, e.Position)
	}
	for _, f := range page.Fates {
		if f.First > last {
			continue
		}
		f.Last = min(f.Last, last)
		highest = max(highest, f.Last)
		if f.Fate != logdb.FateHeld {
			r.plain.AddFates(f)
			r.size += 64
		}
	}
	for _, p := range []*logdb.Page{r.plain, r.asked} {
		p.JournalEnd, p.Chain = page.JournalEnd, page.Chain
	}
	return highest, nil
}

func entrySize(e *logdb.Entry) int {
	n := 200
	switch {
	case e.Row != nil:
		n += 60 * len(e.Row.Channels)
	case e.Waveform != nil:
		for _, ch := range e.Waveform.Channels {
			n += 20 * len(ch.Samples)
		}
		n += 24 * len(e.Waveform.Digital)
	}
	return n
}

// fetched reports whether the record at target is known and not stored here, so that a change of it which is stored
// was fetched on request.
func (r *relayReader) fetched(target logdb.Position) bool {
	if f, ok := r.stream.Fates.At(target); ok && f.Fate != logdb.FateHeld {
		return f.Fate != logdb.FateStored
	}
	decided := false
	for _, o := range r.cut {
		f, ok := o.Fates.At(target)
		if ok && f.Fate == logdb.FateStored {
			return false
		}
		decided = decided || ok && f.Fate != logdb.FateHeld
	}
	return decided
}

// flush sends the pages that were made.
func (r *relayReader) flush(ctx context.Context) error {
	pages := []*logdb.Page{r.plain, r.asked}
	r.clear()
	for _, p := range pages {
		if len(p.Rows)+len(p.Entries)+len(p.Fates) == 0 {
			continue
		}
		if err := r.sized(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// sized sends a page in parts that are about as large as a page should be.
func (r *relayReader) sized(ctx context.Context, p *logdb.Page) error {
	size := 64 * len(p.Fates)
	for i := range p.Rows {
		size += p.Rows[i].Len() * (24 + 20*len(p.Rows[i].Channels))
	}
	for i := range p.Entries {
		size += entrySize(&p.Entries[i])
	}
	if size > 2*r.max {
		if a, b, ok := reduce.Split(p); ok {
			if err := r.sized(ctx, a); err != nil {
				return err
			}
			return r.sized(ctx, b)
		}
	}
	if *r.u.budget <= 0 {
		return errMore
	}
	*r.u.budget--
	return r.u.push(ctx, p)
}

// noteRelay puts the result of a relay into the cache.
func (s *Service) noteRelay(d *destination, u *upload, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := d.cache.Meters[u.key.Meter]
	if m == nil {
		return
	}
	if u.relayed == nil {
		delete(m.relay.kinds, u.kind)
		return
	}
	if m.relay.kinds == nil {
		m.relay.kinds = map[logdb.Kind]*RelayCache{}
	}
	m.relay.kinds[u.kind] = u.relayed
	if more {
		m.relay.dirty, m.relay.recheck = true, s.now()
		if u.unsure {
			m.relay.recheck = s.now().Add(s.cfg.RecheckEvery)
		}
	}
	if u.sum.Pages > 0 {
		m.LastUpload = s.now()
	}
}

// relayAgain marks a meter whose upload failed before everything was passed on.
func (s *Service) relayAgain(d *destination, meter logdb.MeterUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := d.cache.Meters[meter]; m != nil {
		m.relay.dirty = true
	}
}

// scanRelay marks a meter whose received streams the cloud lacks something of.
func (s *Service) scanRelay(ctx context.Context, d *destination, u *upload) (lacks bool, err error) {
	if u.dest.OwnOnly {
		return false, nil
	}
	here, err := Received(ctx, s.logs, u.key.Meter, u.kind)
	if err != nil || len(here) == 0 {
		return false, err
	}
	if !u.known {
		if err := u.ask(ctx); err != nil {
			return false, err
		}
	}
	now := &RelayCache{Streams: len(here)}
	for i := range here {
		if _, own := contradiction(&here[i], u.there); !own {
			now.count(&here[i], u.received(here[i].Stream))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := d.cache.Meters[u.key.Meter]
	if m == nil {
		return false, nil
	}
	if old := m.relay.kinds[u.kind]; old != nil {
		now.Conflicts, now.Lacking = old.Conflicts, min(old.Lacking, now.Missing)
		lacks = now.Missing < old.Lacking // some of it came by another way: what waited for that may follow
	}
	if m.relay.kinds == nil {
		m.relay.kinds = map[logdb.Kind]*RelayCache{}
	}
	m.relay.kinds[u.kind] = now
	lacks = lacks || now.Missing > now.Lacking
	m.relay.dirty = m.relay.dirty || lacks
	return lacks, nil
}

// NotifyReceived says that others sent data of a meter to this node. It never waits.
func (s *Service) NotifyReceived(meter logdb.MeterUID) {
	s.mu.Lock()
	s.dirty[meter] = true
	for _, d := range s.dests {
		if m := d.cache.Meters[meter]; m != nil {
			m.relay.dirty = true // a meter that is not known yet begins so
		}
	}
	s.mu.Unlock()
	s.poke()
}
