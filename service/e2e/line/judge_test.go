package line_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/sim"
)

// judge looks at what the site tells while it runs.
type judge struct {
	t       *testing.T
	tellers *teller

	mu   sync.Mutex
	told int
}

// live looks at the present values of a meter without logs: they are not older than the requests of one reading can be.
func (j *judge) live(uid logdb.MeterUID, at time.Time, readings []device.Reading) {
	var unit int
	if _, err := fmt.Sscanf(string(uid), "bus-%d", &unit); err != nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range readings {
		if r.Quality != device.Good {
			continue
		}
		j.told++
		if wrong := j.tellers.check(unit, r.Channel, r.Value, at.Add(-20*time.Second), at); wrong != "" {
			j.t.Errorf("present value at %s: %s", at.Format(time.TimeOnly), wrong)
		}
	}
}

// judge compares what is stored with what the meters hold. calm is when the faults ended, last when the last retrieval began.
func (s *site) judge(calm, last time.Time) (out stats) {
	s.t.Helper()
	clean := s.clean()
	for uid, m := range s.sims {
		p, _ := s.profiles.Get(s.lineOf(uid).profile)
		for _, k := range []logdb.Kind{logdb.KindLimit, logdb.KindPQ, logdb.KindWaveform} {
			out.records += s.sameEvents(uid, k, clean, last)
		}
		for _, l := range p.Logs {
			if l.IsHistory() {
				out.values += s.sameRows(uid, m, l)
			}
			if l.IsHistory() || l.Name == "system" || l.Name == "waveform" || l.Record == device.RecordRingRaw {
				out.records += s.sameRecords(uid, m, l)
			}
		}
	}
	out.values += s.judged.told
	for unit := 1; unit <= units; unit++ {
		values, gaps := s.kept(unit, calm)
		out.values, out.gaps = out.values+values, out.gaps+gaps
	}
	return out
}

func (s *site) lineOf(uid logdb.MeterUID) line {
	for _, l := range lines {
		if strings.HasPrefix(string(uid), l.host+"-") {
			return l
		}
	}
	s.t.Fatalf("nobody is called %s", uid)
	return line{}
}

// numberOf is the meter's number of a log.
var numberOf = map[string]int{
	"hist1": sim.LogHist1, "hist2": sim.LogHist2, "hist3": sim.LogHist3, "waveform": sim.LogWaveform, "system": sim.LogSystem,
	"flicker": sim.LogFlicker, "limit_snapshot": sim.LogLimitSnapshot, "reset": sim.LogReset,
	"digital_input": sim.LogDigitalInput, "digital_input_snapshot": sim.LogDigitalInputSnapshot,
	"digital_output": sim.LogDigitalOutput, "digital_output_snapshot": sim.LogDigitalOutputSnapshot,
}

// sameRecords compares the kept bytes of a log with the meter's memory: all of it, in its order, nothing twice. The system log tells of
// its own retrieval and is ahead.
func (s *site) sameRecords(uid logdb.MeterUID, m *sim.Meter, l device.Log) int {
	s.t.Helper()
	stored, err := s.store.LastRaw(s.t.Context(), uid, l.LogKind(), l.Log, 1<<30)
	if err != nil {
		s.t.Errorf("%s %s: %v", uid, l.Name, err)
		return 0
	}
	var have, want []byte
	must := 0 // bytes that the last retrieval found there
	for _, r := range stored {
		have = append(have, r.Bytes...)
	}
	for r, err := range m.Records(numberOf[l.Name]) {
		if err != nil {
			s.t.Errorf("%s %s: %v", uid, l.Name, err)
			return 0
		}
		if want = append(want, r.Raw...); r.True.Before(time.Now().Add(-time.Minute)) {
			must = len(want)
		}
	}
	if !bytes.HasPrefix(want, have) {
		i := 0
		for i < len(have) && i < len(want) && have[i] == want[i] {
			i++
		}
		s.t.Errorf("%s %s: what is stored differs from the meter's memory at byte %d of %d", uid, l.Name, i, len(want))
	}
	if len(have) < must && l.Name != "system" {
		s.t.Errorf("%s %s: %d bytes are stored, the meter held %d a minute ago", uid, l.Name, len(have), must)
	}
	return len(stored)
}

// sameEvents compares events with those of a site that reads the meter itself, without faults, a little later: those that were over long enough before.
func (s *site) sameEvents(uid logdb.MeterUID, kind logdb.Kind, clean logdb.Store, last time.Time) int {
	s.t.Helper()
	read := func(store logdb.Store) (out []logdb.Entry) {
		err := store.ReadEvents(s.t.Context(), logdb.EventQuery{Meter: uid, Kind: kind}, func(_ logdb.StreamID, e *logdb.Entry) error {
			end := e.Time
			switch {
			case e.Waveform != nil:
				end = e.Waveform.End
			case e.Excursion != nil && !math.IsNaN(e.Excursion.DurationSeconds):
				end += logdb.Millis(1000 * e.Excursion.DurationSeconds)
			}
			if end.Time().Before(last.Add(-10 * time.Second)) {
				out = append(out, *e)
			}
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
		return out
	}
	have, want := read(s.store), read(clean)
	if len(have) != len(want) {
		s.t.Errorf("%s: %d events of %s, the meter has %d", uid, len(have), kind, len(want))
		return 0
	}
	for i := range have {
		if have[i].ContentDigest() != want[i].ContentDigest() {
			s.t.Errorf("%s: event %d of %s is %+v, want %+v", uid, i+1, kind, have[i], want[i])
			return 0
		}
	}
	return len(have)
}

// sameRows compares the rows of a historical log with the meter's, value by value.
func (s *site) sameRows(uid logdb.MeterUID, m *sim.Meter, l device.Log) (compared int) {
	s.t.Helper()
	rows := s.rows(uid, l.Log)
	i := 0
	for r, err := range m.Records(numberOf[l.Name]) {
		if err != nil {
			s.t.Fatal(err)
		}
		if i == len(rows) {
			return compared
		}
		row := rows[i]
		i++
		if !row.Time.Time().Equal(r.Time) {
			s.t.Errorf("%s %s: row %d is of %s, want %s", uid, l.Name, i, row.Time.Time(), r.Time)
			return compared
		}
		for _, v := range r.Values {
			c := slices.Index(row.Row.Channels, v.Channel)
			if c < 0 {
				continue // a place in the Nexus' table that the profile does not know
			}
			compared++
			if got := row.Row.Values[c]; math.Abs(got-v.Value) > 1e-6*math.Max(1, math.Abs(v.Value)) {
				s.t.Errorf("%s %s at %s: %s is %v, want %v", uid, l.Name, r.Time.Format(time.DateTime), v.Channel, got, v.Value)
				return compared
			}
		}
	}
	if i < len(rows) {
		s.t.Errorf("%s %s: %d rows, the meter has %d", uid, l.Name, len(rows), i)
	}
	return compared
}

// rows returns the rows of a log in the order of the journal.
func (s *site) rows(uid logdb.MeterUID, log logdb.LogNo) (out []logdb.Entry) {
	s.t.Helper()
	for _, e := range s.stream(uid) {
		if e.Log == log && e.Op == logdb.OpAdd {
			out = append(out, e)
		}
	}
	return out
}

// stream returns what the historical journal of a meter holds, rows one by one, in the order of positions.
func (s *site) stream(uid logdb.MeterUID) (out []logdb.Entry) {
	s.t.Helper()
	head, err := s.store.Journal(s.t.Context(), uid, logdb.KindHistorical)
	if err != nil {
		s.t.Errorf("%s: %v", uid, err)
		return nil
	}
	page, err := s.store.ReadStream(s.t.Context(), uid, logdb.KindHistorical, logdb.StreamID{Journal: head.ID, Policy: "0"}, 1, 1<<20)
	if err != nil {
		s.t.Errorf("%s: %v", uid, err)
		return nil
	}
	for i := range page.Rows {
		for k := range page.Rows[i].Times {
			out = append(out, page.Rows[i].Entry(k))
		}
	}
	out = append(out, page.Entries...)
	slices.SortStableFunc(out, func(a, b logdb.Entry) int { return int(a.Position) - int(b.Position) })
	return out
}

// kept judges the log that the manager keeps for a meter: each minute has a row with values of that moment or stands in a gap; energies of an
// interval are those between two rows; without faults there are rows.
func (s *site) kept(unit int, calm time.Time) (values, gaps int) {
	s.t.Helper()
	uid := logdb.MeterUID(fmt.Sprintf("bus-%d", unit))
	const minute, tolerance = logdb.Millis(60_000), 16 * time.Second
	covered := map[logdb.Millis]string{}
	var begin, end logdb.Millis
	cover := func(from, to logdb.Millis, what string) {
		for at := from; at <= to; at += minute {
			if was := covered[at]; was != "" && (was == "row" || what == "row") {
				s.t.Errorf("%s: %s is covered by a %s and a %s", uid, at, was, what)
			}
			covered[at] = what
			if begin == 0 || at < begin {
				begin = at
			}
			end = max(end, at)
		}
	}
	for _, e := range s.stream(uid) {
		switch {
		case e.Op == logdb.OpGap:
			gaps++
			cover(e.Gap.From.Floor(minute)+minute, e.Gap.To, "gap")
		case e.Op == logdb.OpAdd && e.Row != nil:
			cover(e.Time, e.Time, "row")
			values += len(e.Row.Channels)
			for c, channel := range e.Row.Channels {
				v, at := e.Row.Values[c], e.Time.Time()
				if rest, ok := strings.CutPrefix(string(channel), "energy.interval."); ok {
					if wrong := s.tellers.between(logdb.ChannelKey("energy.total."+rest), v); wrong != "" {
						s.t.Errorf("%s at %s: %s", uid, at.Format(time.TimeOnly), wrong)
					}
				} else if wrong := s.tellers.check(unit, channel, v, at, at.Add(tolerance)); wrong != "" {
					s.t.Errorf("row of %s: %s", at.Format(time.TimeOnly), wrong)
				}
			}
		}
	}
	for at := begin; at <= end; at += minute {
		if covered[at] == "" {
			s.t.Errorf("%s: %s has neither a row nor a gap", uid, at)
		}
	}
	for at := logdb.MillisOf(calm.Add(2 * time.Minute)).Floor(minute); at < logdb.MillisOf(calm.Add(5*time.Minute)); at += minute {
		if covered[at] != "row" {
			s.t.Errorf("%s: %s has no row, long after the faults", uid, at)
		}
	}
	return values, gaps
}
