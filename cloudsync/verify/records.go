package verify

import (
	"context"
	"fmt"
	"slices"

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
	bad = bad[:min(len(bad), maxNamed)]
	again := newExpectation(want.view, want.cut, want.sets)
	for _, k := range bad {
		again.wanted[k] = true
	}
	if err := again.read(ctx); err != nil {
		return err
	}
	there := map[key]map[logdb.Position]record{}
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
			}
		}
	}
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
		positions := differing(again.records[k], there[k])
		if len(positions) == 0 {
			continue
		}
		r.report.Different += int64(len(positions)) - d.Records
		d.Records, d.Positions = int64(len(positions)), ranges(positions)
	}
	return nil
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
		put(key{log: e.Log, day: e.Time.Day()}, record{content: e.ContentDigest()})
		return
	}
	for i, c := range e.Row.Channels {
		put(key{e.Log, c, e.Time.Day()}, record{time: e.Time, value: e.Row.Values[i]})
	}
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
