package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// maxRanges bounds what one request names.
const maxRanges = 20_000

// query is a checked api.FetchQuery.
type query struct {
	kind     logdb.Kind
	from, to logdb.Millis
	what     []string
	stream   logdb.StreamID
	only     *logdb.FateSet // nil: all positions
	text     string         // equal for equal queries
}

func readQuery(q api.FetchQuery) (*query, error) {
	w := &query{from: q.From, to: q.To, what: q.What}
	var err error
	if w.kind, err = logdb.ParseKind(q.Kind); err != nil {
		return nil, fault.Wrap(fault.Invalid, "The kind is historical, waveform, system, limits or pq.", err).At("kind")
	}
	if q.From < logdb.MinTime || q.To > logdb.MaxTime || q.To != 0 && q.To <= q.From {
		return nil, fault.New(fault.Invalid, "The range must end after it begins.").At("to_ms")
	}
	if len(w.what) == 0 {
		w.what = []string{api.FetchSkipped}
	}
	w.what = slices.Compact(slices.Sorted(slices.Values(w.what)))
	for _, what := range w.what {
		fits := what == api.FetchSkipped || what == api.FetchReduced && w.kind == logdb.KindHistorical || what == api.FetchFull && w.kind == logdb.KindWaveform
		if !fits {
			return nil, fault.New(fault.Invalid, "What is wanted is skipped; of the historical log also reduced, of recordings also full.").At("what")
		}
	}
	if q.Stream != "" {
		if w.stream, err = logdb.ParseStream(q.Stream); err != nil {
			return nil, fault.Wrap(fault.Invalid, "A stream is 32 hex digits, a colon and a policy number.", err).At("stream")
		}
	}
	if len(q.Positions) > 0 {
		if w.stream.IsZero() {
			return nil, fault.New(fault.Invalid, "Positions are those of a stream: say which.").At("stream")
		}
		w.only = &logdb.FateSet{}
		for _, r := range q.Positions {
			if r[0] == 0 || r[1] < r[0] || r[1] > logdb.MaxPosition || len(q.Positions) > maxRanges {
				return nil, fault.New(fault.Invalid, "Positions are ranges [first, last].").At("positions")
			}
			w.only.Put(logdb.FateRange{First: r[0], Last: r[1], Fate: logdb.FateStored})
		}
	}
	q.What = w.what
	text, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("write a request: %w", err)
	}
	w.text = string(text)
	return w, nil
}

func (q *query) last() logdb.Millis {
	if q.to == 0 {
		return logdb.MaxTime + 1
	}
	return q.to
}

func (q *query) wants(f logdb.Fate) bool {
	switch f {
	case logdb.FateSkipped, logdb.FateHeld:
		return slices.Contains(q.what, api.FetchSkipped)
	case logdb.FateReduced:
		return slices.Contains(q.what, api.FetchReduced)
	}
	return false
}

// search finds, by journal, what is wanted and not here. Of what a sender skipped only positions, and the times of the
// first and last record of a range, are known: the manager knows which of them lie in the range.
func (d *Desk) search(ctx context.Context, meter logdb.MeterUID, q *query) (map[logdb.JournalID][]api.FetchWanted, error) {
	streams, err := d.logs.Streams(ctx, meter, q.kind)
	if err != nil {
		return nil, fmt.Errorf("list the streams: %w", err)
	}
	short, err := d.shortened(ctx, meter, q)
	if err != nil {
		return nil, err
	}
	out := map[logdb.JournalID][]api.FetchWanted{}
	givenUp, err := d.givenUp(ctx, meter, q.kind)
	if err != nil {
		return nil, err
	}
	ranges := 0
	for i := range streams {
		st := &streams[i]
		if st.Own || st.Source != "" || !q.stream.IsZero() && st.Stream != q.stream {
			continue // this node's own journal, or one that no manager keeps
		}
		if q.stream.IsZero() && givenUp[st.Stream.Journal] {
			continue // all of it comes under another name
		}
		var set logdb.FateSet
		for _, r := range st.Fates.Ranges() {
			if !q.wants(r.Fate) || r.Fate != logdb.FateHeld && (r.LastTime < q.from || r.FirstTime >= q.last()) {
				continue
			}
			for _, part := range within(r, q.only) {
				if r.Fate != logdb.FateHeld || !elsewhere(streams, st.Stream, part.First) {
					set.Put(part)
				}
			}
		}
		for _, p := range short[st.Stream] {
			if q.only == nil || q.only.Has(p) {
				set.Put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateStored})
			}
		}
		if set.Len() == 0 {
			continue
		}
		if ranges += len(set.Ranges()); ranges > maxRanges {
			return nil, fault.Newf(fault.TooLarge, "This is more than one request can name (%d ranges of positions).", maxRanges).WithHint("Ask for a shorter range.")
		}
		out[st.Stream.Journal] = append(out[st.Stream.Journal], api.FetchWanted{Stream: st.Stream.String(), Positions: set.Ranges()})
	}
	return out, nil
}

// givenUp returns the names of journals of which all channels come under other names now.
func (d *Desk) givenUp(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) (map[logdb.JournalID]bool, error) {
	if kind != logdb.KindHistorical { // the channels of which are why a journal gets another name
		return nil, nil
	}
	series, err := d.logs.Series(ctx, meter)
	if err != nil {
		return nil, fmt.Errorf("list the channels: %w", err)
	}
	_, newest, err := analysis.Current(ctx, d.logs, meter, series)
	if err != nil {
		return nil, err
	}
	out := map[logdb.JournalID]bool{}
	for _, s := range series {
		out[s.Stream.Journal] = true
	}
	for _, s := range newest {
		delete(out, s.Stream.Journal)
	}
	return out, nil
}

// within returns the parts of r whose positions are in only; nil: r.
func within(r logdb.FateRange, only *logdb.FateSet) []logdb.FateRange {
	if only == nil {
		return []logdb.FateRange{r}
	}
	var out []logdb.FateRange
	for _, o := range only.Ranges() {
		if first, last := max(o.First, r.First), min(o.Last, r.Last); first <= last {
			part := r
			part.First, part.Last = first, last
			out = append(out, part)
		}
	}
	return out
}

// elsewhere reports whether another stream of the same cut has the record of p: then it is held because of that.
func elsewhere(streams []logdb.StreamState, id logdb.StreamID, p logdb.Position) bool {
	for i := range streams {
		if o := &streams[i]; o.Stream != id && o.Stream.SameCut(id) {
			if f, ok := o.Fates.At(p); ok && (f.Fate == logdb.FateStored || f.Fate == logdb.FateReduced) {
				return true
			}
		}
	}
	return false
}

// shortened returns the positions of the recordings in the range that are not here in full.
func (d *Desk) shortened(ctx context.Context, meter logdb.MeterUID, q *query) (map[logdb.StreamID][]logdb.Position, error) {
	if q.kind != logdb.KindWaveform || !slices.Contains(q.what, api.FetchFull) {
		return nil, nil
	}
	out := map[logdb.StreamID][]logdb.Position{}
	err := d.logs.ReadEvents(ctx, logdb.EventQuery{Meter: meter, Kind: q.kind, First: q.from, Last: q.to}, func(s logdb.StreamID, e *logdb.Entry) error {
		if e.Waveform != nil && e.Waveform.Source != nil {
			out[s] = append(out[s], e.Position)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the recordings: %w", err)
	}
	return out, nil
}

// came counts what is here now of what was wanted: by the sets, which are right whatever answer was lost.
func (d *Desk) came(ctx context.Context, r *Request) (int, error) {
	if r.Instructs() { // what was in its memory only the meter knows
		return 0, nil
	}
	kind, err := logdb.ParseKind(r.Kind)
	if err != nil {
		return 0, fmt.Errorf("read request %s: %w", r.ID, err)
	}
	streams, err := d.logs.Streams(ctx, r.MeterUID, kind)
	if err != nil {
		return 0, fmt.Errorf("list the streams: %w", err)
	}
	// A shortened recording starts at another time than the whole one: look at all of them.
	short, err := d.shortened(ctx, r.MeterUID, &query{kind: kind, what: r.What})
	if err != nil {
		return 0, err
	}
	list := r.Streams
	if list == nil {
		full, err := d.store.Fetches(ctx, account.NodeScope(), Filter{Meter: r.MeterUID, ID: r.ID, WithStreams: true})
		if err != nil {
			return 0, fmt.Errorf("read request %s: %w", r.ID, err)
		}
		if len(full) == 1 {
			list = full[0].Streams
		}
	}
	givenUp, err := d.givenUp(ctx, r.MeterUID, kind)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, part := range list {
		id, err := logdb.ParseStream(part.Stream)
		if err != nil {
			return 0, fmt.Errorf("read request %s: %w", r.ID, err)
		}
		for _, w := range part.Positions {
			for p := w.First; p <= w.Last; p++ {
				if slices.ContainsFunc(streams, func(s logdb.StreamState) bool {
					if s.Stream != id && (!givenUp[id.Journal] || s.Stream.Journal == id.Journal || !s.Stream.SameRecords(id)) {
						return false
					}
					f, ok := s.Fates.At(p)
					return ok && f.Fate == logdb.FateStored && (w.Fate != logdb.FateStored || !slices.Contains(short[s.Stream], p))
				}) {
					n++
				}
			}
		}
	}
	return n, nil
}

func setOf(list api.Fates) (set logdb.FateSet) {
	for _, f := range list {
		set.Put(f)
	}
	return set
}

// PassOn keeps a request of the cloud that this node relays to, for a journal that somebody else keeps and sends
// here: it waits for that manager. It tells what became of it, ended when there is nothing more to wait for; without a state when
// there is nobody to ask. What is here already, this node can send itself.
func (d *Desk) PassOn(ctx context.Context, meter logdb.MeterUID, r api.FetchRequest) (report api.FetchReport, ended bool, err error) {
	known, err := d.store.Fetches(ctx, account.NodeScope(), Filter{Meter: meter, Origin: r.ID})
	if err != nil {
		return report, false, fmt.Errorf("look for a request that was passed on: %w", err)
	}
	if len(known) > 0 {
		return d.passed(ctx, known)
	}
	w, err := readQuery(api.FetchQuery{Kind: r.Kind, From: r.From, To: r.To, What: r.What})
	if err != nil {
		return report, false, err
	}
	found, err := d.search(ctx, meter, w)
	if err != nil {
		return report, false, err
	}
	mine := map[logdb.JournalID][]api.FetchWanted{}
	for journal, list := range found { // here it may come under another name than there
		if journal.Family() == logdb.JournalID(r.Journal).Family() {
			mine[journal] = list
		}
	}
	_, err = d.create(ctx, account.NodeScope(), meter, w, mine, r.By, r.ID)
	return report, err == nil && len(mine) == 0, err
}

// passed tells what became of requests that were passed on as one.
func (d *Desk) passed(ctx context.Context, known []Request) (report api.FetchReport, ended bool, err error) {
	report.State = api.FetchDone
	for i := range known {
		here := &known[i]
		if err := d.look(ctx, here); err != nil {
			return report, false, err
		}
		switch here.State {
		case api.FetchDone:
			report.Cannot = append(report.Cannot, here.Cannot...)
		case api.FetchFailed:
			report.State, report.Reason = api.FetchFailed, here.Reason
		case api.FetchCanceled:
			report.State, report.Reason = api.FetchFailed, takenBack
		default:
			return api.FetchReport{State: api.FetchTaken}, false, nil
		}
	}
	return report, true, nil
}
