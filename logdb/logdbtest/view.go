package logdbtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"metermanager/logdb"
)

// view is everything that can be seen of one kind of one meter, in a form that two stores can be compared by.
type view struct {
	series  []logdb.Series // ID is the store's own and not compared
	values  map[seriesKey][]value
	buckets map[seriesKey][]logdb.Bucket
	lines   []string // everything else, a line each
	chunked []string // contradictions between two answers of the same store
}

// look says where a view is cut: edges of buckets and ranges, and how many positions or events a page has.
type look struct {
	edges []logdb.Millis
	page  int
}

// seen reads a view from any store.
func seen(ctx context.Context, s logdb.Store, uid logdb.MeterUID, kind logdb.Kind, at look) (*view, error) {
	v := &view{values: map[seriesKey][]value{}, buckets: map[seriesKey][]logdb.Bucket{}}
	steps := []func(context.Context, logdb.Store, logdb.MeterUID, logdb.Kind, look) error{v.seeJournal, v.seeStreams, v.seeChanged}
	if kind == logdb.KindHistorical {
		steps = append(steps, v.seeSeries)
	} else {
		steps = append(steps, v.seeEvents)
	}
	for _, step := range append(steps, v.seeGaps) {
		if err := step(ctx, s, uid, kind, at); err != nil {
			return nil, err
		}
	}
	slices.Sort(v.lines)
	return v, nil
}

func (v *view) line(format string, args ...any) {
	v.lines = append(v.lines, fmt.Sprintf(format, args...))
}

func (v *view) wrong(format string, args ...any) {
	v.chunked = append(v.chunked, fmt.Sprintf(format, args...))
}

func (v *view) seeJournal(ctx context.Context, s logdb.Store, uid logdb.MeterUID, kind logdb.Kind, _ look) error {
	meters, err := s.Meters(ctx)
	if err != nil {
		return fmt.Errorf("meters: %w", err)
	}
	v.line("meters %v", meters)
	settings, err := s.Settings(ctx, uid)
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
		return fmt.Errorf("settings: %w", err)
	}
	v.line("settings known %v: %+v", err == nil, settings)
	head, err := s.Journal(ctx, uid, kind)
	if err != nil && !errors.Is(err, logdb.ErrNotFound) {
		return fmt.Errorf("journal: %w", err)
	}
	v.line("journal %s end %d chain %s", head.ID, head.End, head.Chain)
	for log := range logdb.LogNo(3) {
		raw, err := s.LastRaw(ctx, uid, kind, log, 4)
		if err != nil {
			return fmt.Errorf("last raw: %w", err)
		}
		v.line("last raw of log %d: %v", log, raw)
	}
	open, err := s.OpenStarts(ctx, uid, kind)
	if err != nil {
		return fmt.Errorf("open starts: %w", err)
	}
	for _, o := range open {
		v.line("open log %d start %d event %v raw %x", o.Log, o.Start, o.Event, o.Raw)
	}
	return nil
}

func (v *view) seeStreams(ctx context.Context, s logdb.Store, uid logdb.MeterUID, kind logdb.Kind, at look) error {
	states, err := s.Streams(ctx, uid, kind)
	if err != nil {
		return fmt.Errorf("streams: %w", err)
	}
	for i, st := range states {
		if st.Own != (i == 0 && st.Own) {
			v.wrong("own stream %s does not stand first", st.Stream)
		}
		v.line("stream %s own %v source %q end %d chain %s ends %v", st.Stream, st.Own, st.Source, st.JournalEnd, st.Chain, st.Ends)
		for _, r := range st.Fates.Ranges() {
			for p := r.First; p <= r.Last; p++ {
				v.line("fate %s %6d %s", st.Stream, p, fateText(r))
			}
		}
		if err := v.readStream(ctx, s, uid, kind, st, at); err != nil {
			return err
		}
		digests, err := s.Digests(ctx, uid, kind, st.Stream)
		if err != nil {
			return fmt.Errorf("digests of %s: %w", st.Stream, err)
		}
		if err := v.audit(ctx, s, uid, kind, st.Stream); err != nil {
			return err
		}
		for _, d := range digests {
			if d.Data != d.Claim {
				v.wrong("digest %s log %d %s %s: data %v, claim %v", st.Stream, d.Log, d.Channel, d.Day, d.Data, d.Claim)
			}
			if d.Data.Count != 0 {
				v.line("digest %s log %d %s %s %v full %v", st.Stream, d.Log, d.Channel, d.Day, d.Data, d.Full)
			}
		}
	}
	return nil
}

// audit fails a store that finds something wrong although nobody touched what it wrote.
func (v *view) audit(ctx context.Context, s logdb.Store, uid logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID) error {
	a, ok := s.(logdb.Auditor)
	if !ok {
		return nil
	}
	for _, of := range []logdb.StreamID{stream, {}} {
		found, err := a.Audit(ctx, uid, kind, of)
		if err != nil {
			return fmt.Errorf("audit %s: %w", of, err)
		}
		for _, f := range found.Findings {
			v.wrong("audit of %s: %+v", of, f)
		}
	}
	return nil
}

// fateText leaves out what may differ between equal sets: times are kept per range, and only their day counts.
func fateText(r logdb.FateRange) string {
	switch r.Fate {
	case logdb.FateSkipped:
		return fmt.Sprintf("skipped for %s on %s", r.Reason, r.FirstTime.Day())
	case logdb.FateReduced:
		return fmt.Sprintf("reduced into %d on %s", r.Into, r.FirstTime.Day())
	}
	return r.Fate.String()
}

// readStream reads a whole stream page by page.
func (v *view) readStream(ctx context.Context, s logdb.Store, uid logdb.MeterUID, kind logdb.Kind, st logdb.StreamState, at look) error {
	for first := logdb.Position(1); ; {
		page, err := s.ReadStream(ctx, uid, kind, st.Stream, first, at.page)
		if err != nil {
			return fmt.Errorf("read stream %s from %d: %w", st.Stream, first, err)
		}
		found := positions(&page)
		if len(found) == 0 {
			return nil
		}
		if err := page.Check(); err != nil {
			v.wrong("page of %s from %d: %v", st.Stream, first, err)
		}
		if page.Stream != st.Stream || page.Meter != uid || page.Kind != kind || page.JournalEnd != st.JournalEnd || page.Chain != st.Chain {
			v.wrong("page of %s from %d has the head %s %s %s end %d chain %s, the state says end %d chain %s",
				st.Stream, first, page.Meter, page.Kind, page.Stream, page.JournalEnd, page.Chain, st.JournalEnd, st.Chain)
		}
		if n := held(&page); n > at.page {
			v.wrong("page of %s from %d holds %d entries and ranges, asked for %d", st.Stream, first, n, at.page)
		}
		last := first
		for p, text := range found {
			if p < first {
				v.wrong("page of %s from %d holds position %d", st.Stream, first, p)
			}
			last = max(last, p)
			v.line("entry %s %6d %s", st.Stream, p, text)
		}
		first = last + 1
	}
}

// held counts what takes room in a page.
func held(page *logdb.Page) int { return len(entries(page.Rows, page.Entries)) + len(page.Fates) }

// positions returns what a page says of each of its positions.
func positions(page *logdb.Page) map[logdb.Position]string {
	out := map[logdb.Position]string{}
	for _, e := range entries(page.Rows, page.Entries) {
		out[e.Position] = entryText(&e)
	}
	for _, f := range page.Fates {
		for p := f.First; p <= f.Last; p++ {
			out[p] = fateText(f)
		}
	}
	return out
}

func entryText(e *logdb.Entry) string {
	text := fmt.Sprintf("%s log %d run %d generation %d at %d %s", e.Op, e.Log, e.Run, e.Generation, e.Time, bodyText(e))
	if e.Target != 0 {
		text += fmt.Sprintf(" of %d replacing %s", e.Target, e.Replaces)
	}
	if e.By != "" || e.At != 0 || e.Why != "" {
		text += fmt.Sprintf(" by %q at %d why %q", e.By, e.At, e.Why)
	}
	return text
}

// bodyText is readable for what is short, a digest for the rest.
func bodyText(e *logdb.Entry) string {
	switch {
	case e.Row != nil:
		var b strings.Builder
		for i, c := range e.Row.Channels {
			fmt.Fprintf(&b, " %s=%v", c, e.Row.Values[i])
			if v := e.Row.Values[i]; v == 0 && math.Signbit(v) {
				b.WriteString("(minus)")
			}
		}
		return "row" + b.String()
	case e.System != nil:
		return fmt.Sprintf("system %+v", *e.System)
	case e.Excursion != nil:
		return fmt.Sprintf("event %+v", *e.Excursion)
	case e.Gap != nil:
		return fmt.Sprintf("gap %+v", *e.Gap)
	case e.Waveform != nil:
		return fmt.Sprintf("recording %s of %d channels", e.ContentDigest(), len(e.Waveform.Channels))
	}
	return "-"
}

// seeSomeSeries compares the series of one, two and many channels with the list of all.
func (v *view) seeSomeSeries(ctx context.Context, s logdb.Store, uid logdb.MeterUID, list []logdb.Series) error {
	f, ok := s.(logdb.SeriesFinder)
	if !ok || len(list) == 0 {
		return nil
	}
	asked := []logdb.ChannelKey{list[len(list)-1].Channel}
	for _, more := range [][]logdb.ChannelKey{nil, {list[0].Channel, list[0].Channel, "not.recorded"}, {"a.a", "a.b", "a.c", "a.d"}} {
		asked = append(asked, more...)
		got, err := f.SeriesOf(ctx, uid, asked)
		if err != nil {
			return fmt.Errorf("series of %s: %w", asked, err)
		}
		want := slices.DeleteFunc(slices.Clone(list), func(x logdb.Series) bool { return !slices.Contains(asked, x.Channel) })
		if !slices.EqualFunc(got, want, func(a, b logdb.Series) bool {
			sameLast := math.Float64bits(a.LastValue) == math.Float64bits(b.LastValue)
			a.LastValue, b.LastValue = 0, 0
			return a == b && sameLast
		}) {
			v.wrong("series of %s are %v, of all these are %v", asked, got, want)
		}
	}
	return nil
}

func (v *view) seeSeries(ctx context.Context, s logdb.Store, uid logdb.MeterUID, _ logdb.Kind, at look) error {
	list, err := s.Series(ctx, uid)
	if err != nil {
		return fmt.Errorf("series: %w", err)
	}
	keys, ids := map[logdb.SeriesID]seriesKey{}, []logdb.SeriesID{}
	for i, sr := range list {
		if i > 0 && cmp.Or(cmp.Compare(list[i-1].Channel, sr.Channel), cmp.Compare(list[i-1].Log, sr.Log)) > 0 {
			v.wrong("series are not ordered by channel and log at %s log %d", sr.Channel, sr.Log)
		}
		if _, twice := keys[sr.ID]; twice {
			v.wrong("series id %d stands for two", sr.ID)
		}
		keys[sr.ID] = seriesKey{uid, sr.Stream, sr.Log, sr.Channel}
		ids = append(ids, sr.ID)
	}
	v.series = list
	if err := v.seeSomeSeries(ctx, s, uid, list); err != nil {
		return err
	}
	slices.Reverse(ids)
	if v.values, err = v.readValues(ctx, s, keys, ids, 0, logdb.MaxTime+1); err != nil {
		return err
	}
	for i := range len(at.edges) - 1 {
		part, err := v.readValues(ctx, s, keys, ids, at.edges[i], at.edges[i+1])
		if err != nil {
			return err
		}
		for _, key := range keys {
			want := slices.DeleteFunc(slices.Clone(v.values[key]), func(x value) bool { return x.time < at.edges[i] || x.time >= at.edges[i+1] })
			if !slices.EqualFunc(part[key], want, sameValue) {
				v.wrong("%s from %d to %d reads %v, of all values these are %v", key.channel, at.edges[i], at.edges[i+1], part[key], want)
			}
		}
	}
	if len(at.edges) < 2 || len(ids) == 0 {
		return nil
	}
	err = s.ReadBuckets(ctx, ids, at.edges, func(id logdb.SeriesID, b []logdb.Bucket) error {
		v.buckets[keys[id]] = slices.Clone(b)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read buckets: %w", err)
	}
	return nil
}

func sameValue(a, b value) bool {
	return a.time == b.time && a.position == b.position && math.Float64bits(a.v) == math.Float64bits(b.v)
}

func (v *view) readValues(ctx context.Context, s logdb.Store, keys map[logdb.SeriesID]seriesKey, ids []logdb.SeriesID, first, last logdb.Millis) (map[seriesKey][]value, error) {
	out := map[seriesKey][]value{}
	next := 0
	err := s.ReadSeries(ctx, ids, first, last, func(id logdb.SeriesID, b *logdb.Block) error {
		for next < len(ids) && ids[next] != id {
			next++
		}
		if next == len(ids) {
			v.wrong("series %d was not asked for, or out of order", id)
		}
		n := len(b.Times)
		if len(b.Positions) != n || len(b.Mantissas) != n {
			return fmt.Errorf("a block of %d times, %d positions and %d mantissas", n, len(b.Positions), len(b.Mantissas))
		}
		for i, x := range b.AppendValues(nil) {
			out[keys[id]] = append(out[keys[id]], value{b.Times[i], b.Positions[i], x})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read series: %w", err)
	}
	for key, values := range out {
		if !slices.IsSortedFunc(values, func(a, b value) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.position, b.position)) }) {
			v.wrong("%s is not in order of (time, position): %v", key.channel, values)
		}
	}
	return out, nil
}
