package verify

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// maxNamed bounds how many days are read record by record; the others are reported as a whole.
const maxNamed = 20

// record is what two sides compare of one live record.
type record struct {
	time    logdb.Millis
	value   float64
	content logdb.Digest
}

// shortens reports whether o is what a receiver with smaller limits made of the recording e: of the same whole, with every n-th sample
// of a part of it.
func shortens(e, o *logdb.Entry) bool {
	w, s := e.Waveform, o.Waveform
	if w == nil || s == nil || s.Source == nil || len(w.Channels) != len(s.Channels) {
		return false
	}
	if of := s.Source.Digest; of != e.ContentDigest() && (w.Source == nil || of != w.Source.Digest) {
		return false
	}
	if w.TriggerTime != s.TriggerTime || w.FrequencyHz != s.FrequencyHz || !slices.Equal(w.Triggers, s.Triggers) {
		return false
	}
	n := int(math.Round(s.SampleIntervalMillis / w.SampleIntervalMillis))
	if n < 1 || math.Abs(float64(n)*w.SampleIntervalMillis-s.SampleIntervalMillis) > 1e-9*s.SampleIntervalMillis {
		return false
	}
	whole := len(w.Digital)
	for _, c := range w.Channels {
		whole = max(whole, len(c.Samples))
	}
	for first := range whole { // the start is told in milliseconds, between which there may be many samples
		if at := e.Time + logdb.Millis(math.Round(float64(first)*w.SampleIntervalMillis)); at < o.Time-1 || at > o.Time+1 {
			continue
		}
		if samplesFrom(w, s, first, n) {
			return true
		}
	}
	return false
}

// samplesFrom reports whether short has, in each channel, every n-th sample of whole from the first on, and fewer than whole.
func samplesFrom(whole, short *logdb.Waveform, first, n int) bool {
	fewer := len(short.Digital) < len(whole.Digital)
	for c := range whole.Channels {
		w, s := whole.Channels[c].Samples, short.Channels[c].Samples
		if whole.Channels[c].Name != short.Channels[c].Name || len(s) > 0 && first+(len(s)-1)*n >= len(w) {
			return false
		}
		fewer = fewer || len(s) < len(w)
		for i, v := range s {
			if w[first+i*n] != v {
				return false
			}
		}
	}
	for i, v := range short.Digital {
		if first+i*n >= len(whole.Digital) || whole.Digital[first+i*n] != v {
			return false
		}
	}
	return fewer && (len(whole.Digital) > 0) == (len(short.Digital) > 0)
}

func (x *expectation) remember(k key, p logdb.Position, r record, sign int) {
	if !x.wanted[k] {
		return
	}
	if x.records[k] == nil {
		x.records[k] = map[logdb.Position]record{}
	}
	if sign > 0 {
		x.records[k][p] = r
	} else {
		delete(x.records[k], p)
	}
}

// nameRecords finds the positions that differ on the days in bad, where the cloud can be read by day.
func (r *run) nameRecords(ctx context.Context, want *expectation, bad []key) error {
	reader, ok := r.cfg.Cloud.(PageReader)
	if !ok || len(bad) == 0 {
		return nil
	}
	if want.view.Kind != logdb.KindWaveform { // of recordings only their records tell whether the receiver shortened them
		bad = bad[:min(len(bad), maxNamed)]
	}
	again := newExpectation(want.view, want.cut, want.sets)
	for _, k := range bad {
		again.wanted[k] = true
	}
	if err := again.read(ctx); err != nil {
		return err
	}
	there, shortened := map[key]map[logdb.Position]record{}, map[logdb.Position]bool{}
	read := map[logdb.Millis]bool{}
	unread := map[logdb.Millis]error{} // damaged there: what differs is known, which records is not
	for _, k := range bad {
		if read[k.day] {
			continue
		}
		read[k.day] = true
		for _, st := range want.cut.Streams {
			if want.sets[st.ID] == nil {
				continue
			}
			live, err := readDay(ctx, reader, want.view, st.ID, k.day)
			if ctx.Err() != nil {
				return fmt.Errorf("read %v of stream %s at the cloud: %w", k.day, st.ID, err)
			}
			if err != nil {
				unread[k.day] = err
			}
			for p, e := range live {
				note(there, p, &e)
				short, err := again.isShortened(ctx, p, &e)
				if err != nil {
					return err
				}
				if short {
					shortened[p] = true
				}
			}
		}
	}
	same := map[int]bool{} // days that differ by what the receiver shortened alone
	for i := range r.report.Days {
		d := &r.report.Days[i]
		k := key{d.Log, d.Channel, d.Day}
		if d.State != StateDifferent || d.Between != SiteCloud || d.Meter != want.view.Meter || d.Kind != want.view.Kind.String() || !slices.Contains(bad, k) {
			continue
		}
		if err := unread[k.day]; err != nil {
			d.Reason += fmt.Sprintf("; the day cannot be read there to name the records (%v)", err)
			continue
		}
		all := differing(again.records[k], there[k])
		positions := slices.DeleteFunc(slices.Clone(all), func(p logdb.Position) bool { return shortened[p] })
		if len(positions) < len(all) && len(positions) == 0 && d.Here == d.There {
			same[i] = true
			r.report.Different -= d.Count
			r.report.Compared += d.Count
			continue
		}
		if len(positions) == 0 {
			continue
		}
		r.report.Different += int64(len(positions)) - d.Count
		d.Count, d.Positions = int64(len(positions)), ranges(positions)
		for _, p := range positions {
			addRecord(d, compared(p, again.records[k], there[k], k))
		}
	}
	if len(same) > 0 {
		kept := r.report.Days[:0]
		for i := range r.report.Days {
			if !same[i] {
				kept = append(kept, r.report.Days[i])
			}
		}
		r.report.Days = kept
	}
	return nil
}

// compared says how the two sides hold a record.
func compared(p logdb.Position, here, there map[logdb.Position]record, k key) api.VerifyRecord {
	out := api.VerifyRecord{Place: logdb.PlaceEntry, Fault: logdb.FaultAltered, Position: p, Channel: k.channel}
	text := func(r record) string { return "content " + r.content.String() }
	if k.channel != "" {
		out.Place = logdb.PlaceValue
		text = func(r record) string { return strconv.FormatFloat(r.value, 'g', -1, 64) }
	}
	a, has := here[p]
	b, had := there[p]
	if had {
		out.Time, out.There = b.time, text(b)
	} else {
		out.Fault = logdb.FaultExtra
	}
	if has {
		out.Time, out.Here = a.time, text(a)
	} else {
		out.Fault = logdb.FaultMissing
	}
	return out
}

// onlyOnce drops what the cloud's own claims say of days that the comparison reports as well; what they name is kept.
func (r *run) onlyOnce() {
	type line struct {
		kind, stream string
		key          key
	}
	of := func(d *api.VerifyDay) line { return line{d.Kind, d.Stream, key{d.Log, d.Channel, d.Day}} }
	compared := map[line]int{}
	for i := range r.report.Days {
		if d := &r.report.Days[i]; d.Between == SiteCloud && d.State == StateDifferent {
			compared[of(d)] = i
		}
	}
	drop := map[int]bool{}
	for i := range r.report.Days {
		d := &r.report.Days[i]
		at, known := compared[of(d)]
		if !known || d.Between != CloudClaim || len(d.Records) > 0 && d.Records[0].Place != logdb.PlaceValue && d.Records[0].Place != logdb.PlaceEntry {
			continue
		}
		o := &r.report.Days[at]
		listed := map[logdb.Position]bool{}
		for _, x := range o.Records {
			listed[x.Position] = true
		}
		for _, x := range d.Records {
			if !listed[x.Position] {
				addRecord(o, x)
			}
		}
		drop[i] = true
		r.report.Different -= d.Count
	}
	kept := r.report.Days[:0]
	for i := range r.report.Days {
		if !drop[i] {
			kept = append(kept, r.report.Days[i])
		}
	}
	r.report.Days = kept
}

// readDay returns the live records of one day of a stream by the position of their add.
func readDay(ctx context.Context, reader PageReader, view reduce.View, stream logdb.StreamID, day logdb.Millis) (map[logdb.Position]logdb.Entry, error) {
	newest, err := readVersions(ctx, reader, view, stream, day)
	for p, e := range newest {
		if e.Op != logdb.OpAdd && e.Op != logdb.OpRevise || e.Time.Day() != day {
			delete(newest, p)
		}
	}
	return newest, err
}

// readVersions returns the newest versions of one day of a stream by the position of their add.
func readVersions(ctx context.Context, reader PageReader, view reduce.View, stream logdb.StreamID, day logdb.Millis) (map[logdb.Position]logdb.Entry, error) {
	newest := map[logdb.Position]logdb.Entry{}
	put := func(e logdb.Entry) {
		p := e.Position
		if e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw {
			p = e.Target
		}
		if old, ok := newest[p]; !ok || old.Position < e.Position {
			newest[p] = e
		}
	}
	cursor := ""
	for {
		var answer api.Pages
		var err error
		if view.Kind == logdb.KindHistorical {
			answer, err = reader.HistoryPages(ctx, view.There, api.HistoryQuery{From: day, To: day + logdb.DayMillis, Stream: stream, Cursor: cursor})
		} else {
			answer, err = reader.EventPages(ctx, view.There, api.EventsQuery{Kind: view.Kind, From: day, To: day + logdb.DayMillis, Stream: stream, Cursor: cursor})
		}
		if err != nil {
			return nil, err
		}
		for _, page := range answer.Pages {
			if page.Stream != stream {
				continue
			}
			for i := range page.Rows {
				for k := range page.Rows[i].Times {
					put(page.Rows[i].Entry(k))
				}
			}
			for _, e := range page.Entries {
				put(e)
			}
		}
		if cursor = answer.Next; cursor == "" {
			break
		}
	}
	return newest, nil
}

// note sorts a live record of the receiver, added at p, into its days.
func note(there map[key]map[logdb.Position]record, p logdb.Position, e *logdb.Entry) {
	put := func(k key, r record) {
		if there[k] == nil {
			there[k] = map[logdb.Position]record{}
		}
		there[k][p] = r
	}
	if e.Row == nil {
		put(key{log: e.Log, day: e.Time.Day()}, record{time: e.Time, content: e.ContentDigest()})
		return
	}
	for i, c := range e.Row.Channels {
		put(key{e.Log, c, e.Time.Day()}, record{time: e.Time, value: e.Row.Values[i]})
	}
}

// isShortened reports whether the receiver holds at p what it shortened of the recording that travelled there.
func (x *expectation) isShortened(ctx context.Context, p logdb.Position, there *logdb.Entry) (bool, error) {
	if there.Waveform == nil || there.Waveform.Source == nil {
		return false, nil
	}
	version, ok := x.versions[p]
	if !ok {
		version = p
	}
	here, live, err := x.compose.Content(ctx, p, version)
	if err != nil || !live {
		return false, err
	}
	return shortens(&here, there), nil
}

// differing returns the positions at which the two sides do not hold the same, rising.
func differing(a, b map[logdb.Position]record) []logdb.Position {
	var out []logdb.Position
	for p, r := range a {
		if o, ok := b[p]; !ok || o != r {
			out = append(out, p)
		}
	}
	for p := range b {
		if _, ok := a[p]; !ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

func ranges(positions []logdb.Position) api.Fates {
	var set logdb.FateSet
	for _, p := range positions {
		set.Put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateStored})
	}
	return api.Fates(set.Ranges())
}
