package source

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/pq"
)

// local reads any logdb.Source in this process: a file, or a log database.
type local struct {
	src   logdb.Source
	close func() error
}

// NewLocal makes a Log of a source of log data; closing closes it, when not nil.
func NewLocal(src logdb.Source, closing func() error) Log { return &local{src, closing} }

var _ Log = (*local)(nil)

func (l *local) Close() error {
	if l.close == nil {
		return nil
	}
	return l.close()
}

func (l *local) Meters(ctx context.Context) ([]Meter, error) {
	ids, err := l.src.Meters(ctx)
	if err != nil {
		return nil, err
	}
	var out []Meter
	for _, uid := range ids {
		s, err := l.settings(ctx, uid)
		if err != nil {
			return nil, err
		}
		out = append(out, Meter{UID: uid, Settings: s})
	}
	sortMeters(out)
	return out, nil
}

func sortMeters(list []Meter) {
	slices.SortStableFunc(list, func(a, b Meter) int {
		return cmp.Compare(strings.ToLower(a.Title()), strings.ToLower(b.Title()))
	})
}

// settings of a meter that has none are empty.
func (l *local) settings(ctx context.Context, uid logdb.MeterUID) (logdb.Settings, error) {
	s, err := l.src.Settings(ctx, uid)
	if isUnknown(err) {
		return logdb.Settings{}, nil
	}
	return s, err
}

func (l *local) Channels(ctx context.Context, uid logdb.MeterUID) ([]Channel, error) {
	list, err := l.src.Series(ctx, uid)
	if isUnknown(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	list, newest, err := analysis.Current(ctx, l.src, uid, list)
	if err != nil {
		return nil, err
	}
	var out channels
	for _, s := range list {
		if !slices.ContainsFunc(newest, func(n logdb.Series) bool { return n.ID == s.ID }) {
			s.Last = s.First
		}
		out.add(s.Channel, s.First, s.Last, s.Count)
	}
	return out.sorted(), nil
}

// channels gathers the series of each channel. Several journals about one meter are alternatives: the longest counts.
type channels []Channel

func (c *channels) add(key logdb.ChannelKey, first, last logdb.Millis, count int64) {
	for i := range *c {
		if x := &(*c)[i]; x.Key == key {
			x.First, x.Last, x.Count = min(x.First, first), max(x.Last, last), max(x.Count, count)
			return
		}
	}
	*c = append(*c, Channel{logdb.LookupChannel(key), first, last, count})
}

func (c channels) sorted() []Channel {
	order := map[logdb.ChannelKey]int{}
	for i, k := range logdb.Catalogue() {
		order[k.Key] = i + 1
	}
	slices.SortStableFunc(c, func(a, b Channel) int {
		x, y := order[a.Key], order[b.Key]
		if x == 0 || y == 0 { // what the catalogue does not know comes last
			return cmp.Or(cmp.Compare(y, x), cmp.Compare(a.Key, b.Key))
		}
		return cmp.Compare(x, y)
	})
	return c
}

func (l *local) History(ctx context.Context, uid logdb.MeterUID, q Query) ([]Series, error) {
	known, err := l.Channels(ctx, uid)
	if err != nil {
		return nil, err
	}
	choice, err := analysis.Choose(ctx, l.src, analysis.Query{Meter: uid, Channels: q.Channels, First: q.First, Last: q.Last})
	if err != nil {
		return nil, err
	}
	out := make([]Series, len(choice.Columns))
	var all []logdb.SeriesID
	parts := false
	for i, c := range choice.Columns {
		out[i].Channel = c.Channel
		if k := find(known, c.Channel); k != nil {
			out[i].FirstTime, out[i].LastTime = k.First, k.Last
			if !k.few(q.First, q.Last, q.Parts) {
				parts = true
				continue
			}
		}
		all = append(all, logdb.SeriesID(i+1))
	}
	if parts {
		if err := l.parts(ctx, choice, q, out); err != nil {
			return nil, err
		}
		return out, nil
	}
	err = choice.ReadSeries(ctx, all, q.First, q.Last, func(id logdb.SeriesID, b *logdb.Block) error {
		s := &out[id-1]
		for _, t := range b.Times {
			s.Times = append(s.Times, float64(t))
		}
		s.Values = b.AppendValues(s.Values)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// parts reads the lowest, mean and highest value of equal parts.
func (l *local) parts(ctx context.Context, choice *analysis.Choice, q Query, out []Series) error {
	edges, err := analysis.Buckets(q.Parts, q.First, q.Last)
	if err != nil {
		return fmt.Errorf("cut the range: %w", err)
	}
	return choice.ReadBuckets(ctx, edges, func(column int, b []logdb.Bucket) error {
		s := &out[column]
		s.StepMillis = float64(q.Last-q.First) / float64(q.Parts)
		for i := range b {
			if b[i].Count > 0 {
				s.part(float64(edges[i]+edges[i+1])/2, b[i].Min, b[i].Mean(), b[i].Max)
			}
		}
		return nil
	})
}

func (s *Series) part(at, low, mean, high float64) {
	if math.IsNaN(mean) {
		return
	}
	s.Times, s.Values = append(s.Times, at), append(s.Values, mean)
	s.Low, s.High = append(s.Low, low), append(s.High, high)
}

func find(list []Channel, key logdb.ChannelKey) *Channel {
	for i := range list {
		if list[i].Key == key {
			return &list[i]
		}
	}
	return nil
}

func (l *local) Events(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis, visit func(Ref, *logdb.Entry) error) error {
	err := l.src.ReadEvents(ctx, logdb.EventQuery{Meter: uid, Kind: kind, First: first, Last: last}, func(s logdb.StreamID, e *logdb.Entry) error {
		return visit(Ref{e.Position, s}, e)
	})
	if isUnknown(err) {
		return nil
	}
	return err
}

func (l *local) Recording(ctx context.Context, uid logdb.MeterUID, ref Ref) (logdb.Entry, error) {
	return l.src.Recording(ctx, uid, ref.Stream, ref.Position)
}

// rules are the sets of limits by the names that the web API has for them.
var rules = map[string]func() pq.Rules{"lv": pq.LowVoltage2010, "mv": pq.MediumVoltage2010, "lv-island": pq.LowVoltageIsland2010}

func (l *local) Week(ctx context.Context, uid logdb.MeterUID, firstDay time.Time, name string) (Week, error) {
	s, err := l.settings(ctx, uid)
	if err != nil {
		return Week{}, err
	}
	from := logdb.MillisOf(firstDay)
	week, err := analysis.EN50160Week(ctx, l.src, uid, s, from)
	if err != nil {
		return Week{}, err
	}
	set := rules[name]
	if set == nil {
		set = pq.LowVoltage2010
	}
	return Week{from, from + 7*logdb.DayMillis, firstDay.Location().String(), pq.Evaluate(week, set())}, nil
}
