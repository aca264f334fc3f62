package format

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// source is a Content as log data: one journal a kind, whose name follows from what it holds, so
// that the same file has the same journals wherever it is read.
type source struct {
	meter    logdb.MeterUID
	settings logdb.Settings
	journals map[logdb.Kind]*journal
	series   []series
}

type journal struct {
	stream  logdb.StreamID
	rows    []logdb.History // with positions
	entries []logdb.Entry   // of the other kinds, with positions
	end     logdb.Position
	chain   logdb.Digest
}

// series is one channel of one log in the order of reading.
type series struct {
	head      logdb.Series
	times     []logdb.Millis
	positions []logdb.Position
	values    []float64
}

var _ logdb.Source = (*source)(nil)

// NewSource returns the content as a source of log data of one meter. It keeps what it needs;
// what History and Entries leave out is not in it.
func NewSource(c *Content, meter logdb.MeterUID) logdb.Source {
	s := &source{meter: meter, settings: c.Settings, journals: map[logdb.Kind]*journal{}}
	s.settings.UID = meter
	if s.settings.Name == "" {
		s.settings.Name = cmp.Or(c.Station, c.Device, string(meter))
	}
	for _, kind := range logdb.Kinds {
		j := &journal{}
		if kind == logdb.KindHistorical {
			rows, _ := c.History()
			j.addRows(rows)
		} else {
			entries, _ := c.Entries(kind)
			j.addEntries(entries)
		}
		if j.end == 0 {
			continue
		}
		id := logdb.DigestOf(append([]byte("file "+kind.String()+" "+string(meter)+" "), j.chain[:]...))
		j.stream = logdb.StreamID{Journal: logdb.JournalID(hex.EncodeToString(id[:])), Policy: "0"}
		s.journals[kind] = j
	}
	if j := s.journals[logdb.KindHistorical]; j != nil {
		s.series = index(j)
	}
	return s
}

func (j *journal) addRows(rows []logdb.History) {
	for _, h := range rows {
		h.Positions = make([]logdb.Position, h.Len())
		for i := range h.Positions {
			j.end++
			h.Positions[i] = j.end
			e := h.Entry(i)
			j.chain = e.Chain(j.chain)
		}
		j.rows = append(j.rows, h)
	}
}

func (j *journal) addEntries(entries []logdb.Entry) {
	for _, e := range entries {
		j.end++
		e.Position = j.end
		j.chain = e.Chain(j.chain)
		j.entries = append(j.entries, e)
	}
}

// index makes the series of a journal, each sorted by time and position.
func index(j *journal) []series {
	type key struct {
		log     logdb.LogNo
		channel logdb.ChannelKey
	}
	place := map[key]int{}
	var out []series
	for r := range j.rows {
		h := &j.rows[r]
		for c, ch := range h.Channels {
			k := key{h.Log, ch}
			n, ok := place[k]
			if !ok {
				n = len(out)
				place[k] = n
				out = append(out, series{head: logdb.Series{Stream: j.stream, Log: h.Log, Channel: ch}})
			}
			out[n].add(h, c)
		}
	}
	out = slices.DeleteFunc(out, func(s series) bool { return len(s.times) == 0 })
	slices.SortFunc(out, func(a, b series) int {
		return cmp.Or(cmp.Compare(a.head.Channel, b.head.Channel), cmp.Compare(a.head.Log, b.head.Log))
	})
	for i := range out {
		out[i].close(logdb.SeriesID(i + 1))
	}
	return out
}

func (s *series) add(h *logdb.History, c int) {
	for i, v := range h.Columns[c] {
		if v == v { // absent values are NaN
			s.times, s.positions, s.values = append(s.times, h.Times[i]), append(s.positions, h.Positions[i]), append(s.values, v)
		}
	}
}

func (s *series) close(id logdb.SeriesID) {
	if !slices.IsSorted(s.times) {
		order := make([]int, len(s.times))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.times[a], s.times[b]) })
		s.times, s.positions, s.values = pick(s.times, order), pick(s.positions, order), pick(s.values, order)
	}
	n := len(s.times)
	s.head.ID, s.head.First, s.head.Last = id, s.times[0], s.times[n-1]
	s.head.Count, s.head.LastValue = int64(n), s.values[n-1]
}

func pick[T any](in []T, order []int) []T {
	out := make([]T, len(in))
	for i, k := range order {
		out[i] = in[k]
	}
	return out
}

// Meters implements logdb.Source.
func (s *source) Meters(context.Context) ([]logdb.MeterUID, error) {
	return []logdb.MeterUID{s.meter}, nil
}

// Settings implements logdb.Source.
func (s *source) Settings(_ context.Context, meter logdb.MeterUID) (logdb.Settings, error) {
	if meter != s.meter {
		return logdb.Settings{}, fmt.Errorf("settings of %s in a file of %s: %w", meter, s.meter, logdb.ErrUnknownMeter)
	}
	return s.settings, nil
}

// Series implements logdb.Source.
func (s *source) Series(_ context.Context, meter logdb.MeterUID) ([]logdb.Series, error) {
	if meter != s.meter {
		return nil, nil
	}
	var out []logdb.Series
	for i := range s.series {
		out = append(out, s.series[i].head)
	}
	return out, nil
}

// journal returns the journal of a kind, nil when the file has none.
func (s *source) journal(meter logdb.MeterUID, kind logdb.Kind) *journal {
	if meter != s.meter {
		return nil
	}
	return s.journals[kind]
}

func (s *source) stream(meter logdb.MeterUID, kind logdb.Kind, id logdb.StreamID) (*journal, error) {
	j := s.journal(meter, kind)
	if j == nil || j.stream != id {
		return nil, fmt.Errorf("stream %s of a file: %w", id, logdb.ErrNotFound)
	}
	return j, nil
}
