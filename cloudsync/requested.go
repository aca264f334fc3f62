package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"metermanager/cloudsync/reduce"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// Wanted says what is to be sent beside what uploads by itself: of records with First <= time < Last.
type Wanted struct {
	Kinds       []logdb.Kind // nil: all
	First, Last logdb.Millis // Last 0: no end
	Skipped     bool         // what limits skipped here or at the cloud, and what is held
	Reduced     bool         // the rows of combined ones
	Full        bool         // recordings that were shortened, whole
	// Only bounds it to positions of streams; nil: all.
	Only map[logdb.StreamID]*logdb.FateSet
}

func (w *Wanted) last() logdb.Millis {
	if w.Last == 0 {
		return logdb.MaxTime + 1
	}
	return w.Last
}

// only returns the positions of a stream that are wanted: also those that were asked for under another name of the journal.
func (w *Wanted) only(id logdb.StreamID) *logdb.FateSet {
	out := &logdb.FateSet{}
	for of, set := range w.Only {
		if !named(of, id) {
			continue
		}
		for _, r := range set.Ranges() {
			out.Put(r)
		}
	}
	return out
}

// named reports whether who asks for positions of a stream asks for those of id: it may have had the journal under another name.
func named(of, id logdb.StreamID) bool {
	return of == id || of.Journal != id.Journal && of.SameRecords(id)
}

// concerns reports whether a range of the receiver's set may hold what is wanted.
func (w *Wanted) concerns(kind logdb.Kind, r logdb.FateRange) bool {
	switch r.Fate {
	case logdb.FateSkipped:
		return w.Skipped && r.LastTime >= w.First && r.FirstTime < w.last()
	case logdb.FateHeld:
		return w.Skipped
	case logdb.FateReduced:
		return w.Reduced && r.LastTime >= w.First && r.FirstTime < w.last()
	case logdb.FateStored:
		return w.Full && kind == logdb.KindWaveform
	}
	return false
}

// Found is what came of a search for what is wanted.
type Found struct {
	Asked  int            // positions that will be sent
	Cannot map[string]int // records that cannot be sent, by reason
}

// UploadRequested sends, beside what is missing, what is wanted of a meter, and returns what was sent and what cannot be.
func (l Link) UploadRequested(ctx context.Context, meter logdb.MeterUID, w Wanted) (Sum, map[string]int, error) {
	if _, err := l.UploadMeter(ctx, meter); err != nil {
		return Sum{}, nil, err
	}
	d, err := l.pick(ctx)
	if err != nil {
		return Sum{}, nil, err
	}
	s := l.service
	a := Action{ActionUpload, d.cache.Destination, meter}
	job := s.action(d, a)
	job.Key, job.Params["requested"] = fmt.Sprintf("%s requested %+v", job.Key, w), "true"
	out := &requestedOut{cannot: map[string]int{}}
	job.Out = out
	job.Do = func(ctx context.Context) (string, error) {
		cloud, conf, err := s.client(d)
		if err != nil {
			return "", err
		}
		meterConf, err := l.Meter(ctx, meter)
		if err != nil {
			return "", err
		}
		kinds := w.Kinds
		if kinds == nil {
			kinds = logdb.Kinds[:]
		}
		for _, kind := range kinds {
			s.forgive(conf.ID)
			var found Found
			err := again(func() (err error) {
				u := s.newUpload(conf, cloud, meterConf, kind, 1<<30)
				defer func() { out.sum.add(u.sum) }()
				found, _, err = u.request(ctx, w)
				return err
			})
			if err != nil {
				return out.sum.String(), err
			}
			for why, n := range found.Cannot {
				out.cannot[why] += n
			}
		}
		if out.sum == (Sum{}) {
			return "", runner.ErrNothing
		}
		return out.sum.String(), nil
	}
	rec, err := d.queue.Do(ctx, job)
	if err != nil { // it may be at work still: out is its own
		return Sum{}, nil, err
	}
	came, ok := rec.Out.(*requestedOut) // of whoever asked first
	if !ok {
		return Sum{}, nil, fmt.Errorf("the action that sends what was requested tells nothing: %v", rec.Result)
	}
	if rec.Outcome == runner.Failed {
		return came.sum, nil, rec.Err
	}
	return came.sum, maps.Clone(came.cannot), nil
}

// requestedOut is what came of a request.
type requestedOut struct {
	sum    Sum
	cannot map[string]int
}

func (s *Service) newUpload(d Destination, cloud Cloud, meter MeterConfig, kind logdb.Kind, budget int) *upload {
	return &upload{
		s: s, dest: d, cloud: cloud, conf: meter, kind: kind, budget: &budget,
		key: StreamKey{Destination: d.ID, Meter: meter.Meter, Kind: kind},
	}
}

// errRenewed ends a request for records of a journal that was given another id meanwhile: all of it is sent anew under that.
var errRenewed = fault.New(fault.Conflict, "The journal was given another id, since a copy of this node writes under the old one: it is sent anew under that.").
	WithHint("Ask for the records again when they have been uploaded.")

// request finds what is wanted, notes it and sends it. more says that the sending goes on with the next uploads; what
// cannot be sent is known when it has ended.
func (u *upload) request(ctx context.Context, w Wanted) (found Found, more bool, err error) {
	if err = u.look(ctx); errors.Is(err, logdb.ErrNotFound) {
		return found, false, nil
	} else if err != nil {
		return found, false, fmt.Errorf("read the journal's head: %w", err)
	}
	if err := u.ask(ctx); err != nil {
		return found, false, err
	}
	if err := u.takeAlone(ctx); err != nil {
		return found, false, err
	}
	if u.sum.Renewed > 0 {
		return found, false, errRenewed
	}
	if _, err := u.want(ctx, &w); err != nil {
		return found, false, err
	}
	if _, more, err = u.sendAsked(ctx, *u.budget); err != nil || more {
		return found, more, err
	}
	found, err = u.want(ctx, &w)
	return found, found.Asked > 0, err
}

// want notes what is wanted, so that it is sent, whatever happens, and counts what cannot be.
func (u *upload) want(ctx context.Context, w *Wanted) (Found, error) {
	found := Found{Cannot: map[string]int{}}
	for _, name := range cutNames(u.streams) {
		cut, parts := cutOf(u.streams, name)
		also := map[logdb.StreamID]*logdb.FateSet{}
		for _, st := range parts {
			also[st.ID] = &logdb.FateSet{}
		}
		for _, st := range parts {
			x := &search{upload: u, wanted: w, cut: cut, st: st, also: also, there: u.received(st.ID), asked: st.Asked.Clone(), found: &found, buckets: map[logdb.Position]bool{}}
			if err := x.run(ctx); err != nil {
				return found, err
			}
			if sameRanges(&x.asked, &st.Asked) {
				continue
			}
			st.Asked = x.asked
			if err := u.s.store.PutRequested(ctx, st, &logdb.FateSet{}); err != nil {
				return found, err
			}
		}
		for _, st := range parts {
			n := st.Asked.Len()
			for p := range each(also[st.ID]) {
				st.Asked.Put(stored(p))
			}
			if found.Asked += st.Asked.Len() - n; st.Asked.Len() == n {
				continue
			}
			if err := u.s.store.PutRequested(ctx, st, &logdb.FateSet{}); err != nil {
				return found, err
			}
		}
	}
	return found, nil
}

// search looks through one stream for what is wanted.
type search struct {
	*upload
	wanted  *Wanted
	cut     *reduce.Cut
	st      *StoredStream
	there   *logdb.FateSet
	asked   logdb.FateSet
	also    map[logdb.StreamID]*logdb.FateSet // what changes that are asked for are changes of, if limits skipped it
	found   *Found
	buckets map[logdb.Position]bool // looked at
}

func (x *search) run(ctx context.Context) error {
	set := x.there.Clone() // asking about siblings may move it
	only := x.wanted.only(x.st.ID)
	for _, r := range set.Ranges() {
		if !x.wanted.concerns(x.kind, r) {
			continue
		}
		for p := r.First; p <= r.Last; p++ {
			if x.wanted.Only != nil && !only.Has(p) {
				continue
			}
			if err := x.position(ctx, p, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *search) position(ctx context.Context, p logdb.Position, r logdb.FateRange) error {
	e, err := x.j.Entry(ctx, p)
	if errors.Is(err, logdb.ErrNotFound) {
		x.found.Cannot[reduce.CannotCleared]++
		return nil
	}
	if err != nil {
		return err
	}
	in, err := x.inRange(ctx, &e)
	if err != nil {
		return err
	}
	if !in { // who asks knows ranges of positions that are not sent, with the times of their ends only
		if x.wanted.Only != nil {
			x.found.Cannot[api.FetchOutside]++
		}
		return nil
	}
	x.s.mu.Lock()
	why := x.s.gaveUp[place{x.dest.ID, x.st.ID, p}]
	x.s.mu.Unlock()
	switch {
	case why != "":
		x.found.Cannot[why]++
	case e.Op == logdb.OpSkip:
		x.found.Cannot[reduce.CannotElse]++
	case r.Fate == logdb.FateReduced:
		return x.bucket(ctx, r.Into)
	case r.Fate == logdb.FateHeld && x.sibling(p): // the receiver has it in another stream of the journal
	case r.Fate == logdb.FateStored:
		if x.shortened(&e, p) {
			x.ask(p)
		}
	default:
		x.ask(p)
		return x.record(ctx, &e, p)
	}
	return nil
}

// record asks for the row that e, at p, changes, or came late for, if it was skipped, too: without it the change would stand for it.
func (x *search) record(ctx context.Context, e *logdb.Entry, p logdb.Position) error {
	if x.kind != logdb.KindHistorical {
		return nil
	}
	at := logdb.Position(0)
	if f, _ := x.st.Fates.At(p); f.Fate == logdb.FateReduced && f.Into < p {
		at = f.Into
	} else if e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw {
		carrier, ok, err := x.cut.Carrier(ctx, x.j, e.Target)
		if err != nil || !ok || carrier == p {
			return err
		}
		at = carrier
	}
	if _, of, ok := x.cut.At(at); ok && isSkipped(x.received(of.ID), at) {
		x.also[of.ID].Put(stored(at))
	}
	return nil
}

func (x *search) ask(p logdb.Position) {
	if !x.asked.Has(p) {
		x.found.Asked++
		x.asked.Put(stored(p))
	}
}

// sibling reports whether the receiver has p in another stream of the cut.
func (x *search) sibling(p logdb.Position) bool {
	for _, st := range x.cut.Streams {
		if st.ID == x.st.ID {
			continue
		}
		if f, ok := x.received(st.ID).At(p); ok && (f.Fate == logdb.FateStored || f.Fate == logdb.FateReduced) {
			return true
		}
	}
	return false
}

// inRange reports whether the record that e is a version of lies in the range: the time of any version will do, so
// that a record comes with all its versions.
func (x *search) inRange(ctx context.Context, e *logdb.Entry) (bool, error) {
	in := func(e *logdb.Entry) bool { return e.Time >= x.wanted.First && e.Time < x.wanted.last() }
	if in(e) {
		return true, nil
	}
	target := e.Position
	if e.Target != 0 {
		target = e.Target
		add, err := x.j.Entry(ctx, target)
		if err == nil && in(&add) {
			return true, nil
		}
		if err != nil && !errors.Is(err, logdb.ErrNotFound) {
			return false, err
		}
	}
	changes, err := x.j.Changes(ctx, target)
	if err != nil {
		return false, err
	}
	for _, q := range changes {
		c, err := x.j.Entry(ctx, q)
		if err == nil && in(&c) {
			return true, nil
		}
		if err != nil && !errors.Is(err, logdb.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}

// bucket asks for all rows of the combined one at into.
func (x *search) bucket(ctx context.Context, into logdb.Position) error {
	if x.buckets[into] || x.asked.Has(into) {
		return nil
	}
	x.buckets[into] = true
	g, why, err := x.cut.Bucket(ctx, x.j, into, isSkipped(x.there, into))
	if err != nil {
		return err
	}
	if why != "" {
		x.found.Cannot[why] += x.cut.Combined(into)
		return nil
	}
	for _, p := range g {
		x.ask(p)
	}
	return nil
}

// shortened reports whether the receiver may hold less of a recording than the journal: because this node
// cuts it, or because somebody who sees what is there names it.
func (x *search) shortened(e *logdb.Entry, p logdb.Position) bool {
	if e.Waveform == nil || x.st.Whole.Has(p) {
		return false
	}
	if x.wanted.Only != nil {
		return true
	}
	_, changed := limit.ShortenEntry(e, x.st.Policy.Limits)
	return changed
}

// forgive forgets what could not be sent to a destination: somebody asks again.
func (s *Service) forgive(d DestinationID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.gaveUp {
		if p.destination == d {
			delete(s.gaveUp, p)
		}
	}
}

// cannotList is what cannot be sent as it is reported.
func cannotList(cannot map[string]int) []api.FetchCannot {
	out := []api.FetchCannot{}
	for why, n := range cannot {
		out = append(out, api.FetchCannot{Reason: why, Count: n})
	}
	return out
}
