package source

import (
	"context"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
)

// remote reads a service or a cloud by its web API.
type remote struct {
	client *client.Client
	login  bool
}

var _ Log = (*remote)(nil)

// Close logs out.
func (r *remote) Close() error {
	defer r.client.Close()
	if !r.login {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return r.client.Logout(ctx)
}

func (r *remote) Meters(ctx context.Context) ([]Meter, error) {
	list, err := r.client.Meters(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Meter, len(list))
	for i, m := range list {
		out[i] = Meter{m.UID, m.Settings, m.LastData}
	}
	sortMeters(out)
	return out, nil
}

func (r *remote) Channels(ctx context.Context, uid logdb.MeterUID) ([]Channel, error) {
	answer, err := r.client.Channels(ctx, uid)
	if err != nil {
		return nil, err
	}
	var out channels
	for _, c := range answer.Channels {
		out.add(c.Key, c.First, c.Last, c.Count)
	}
	return out.sorted(), nil
}

func (r *remote) History(ctx context.Context, uid logdb.MeterUID, q Query) ([]Series, error) {
	known, err := r.Channels(ctx, uid)
	if err != nil {
		return nil, err
	}
	ask := api.HistoryQuery{From: q.First, To: q.Last}
	parts := false
	out := map[logdb.ChannelKey]*Series{}
	for _, key := range q.Channels {
		if c := find(known, key); c != nil { // one that was never recorded has no column
			ask.Channels = append(ask.Channels, key)
			parts = parts || !c.few(q.First, q.Last, q.Parts)
			out[key] = &Series{Channel: key, FirstTime: c.First, LastTime: c.Last}
		}
	}
	if len(ask.Channels) == 0 {
		return nil, nil
	}
	if parts {
		ask.Buckets, ask.Aggs = q.Parts, []string{"min", "mean", "max"}
	}
	for {
		answer, err := r.client.History(ctx, uid, ask)
		if err != nil {
			return nil, err
		}
		take(&answer, out, parts, float64(q.Last-q.First)/float64(max(1, q.Parts)))
		if ask.Cursor = answer.Next; ask.Cursor == "" {
			break
		}
	}
	var list []Series
	for _, key := range ask.Channels {
		list = append(list, *out[key])
	}
	return list, nil
}

// take moves an answer's columns into their series.
func take(answer *api.History, out map[logdb.ChannelKey]*Series, parts bool, step float64) {
	columns := map[logdb.ChannelKey]map[string]int{}
	for i, c := range answer.Columns {
		if columns[c.Key] == nil {
			columns[c.Key] = map[string]int{}
		}
		columns[c.Key][c.Agg] = i
	}
	for key, s := range out {
		by := columns[key]
		if parts {
			low, okLow := by["min"]
			mean, okMean := by["mean"]
			high, okHigh := by["max"]
			if !okLow || !okMean || !okHigh {
				continue
			}
			s.StepMillis = step
			for i, t := range answer.Times { // a value stands in the middle of its part
				s.part(float64(t)+step/2, answer.Values[low][i], answer.Values[mean][i], answer.Values[high][i])
			}
			continue
		}
		for _, col := range by {
			for i, t := range answer.Times {
				if v := answer.Values[col][i]; v == v {
					s.Times, s.Values = append(s.Times, float64(t)), append(s.Values, v)
				}
			}
		}
	}
}

func (r *remote) Events(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis, visit func(Ref, *logdb.Entry) error) error {
	q := api.EventsQuery{Kind: kind, From: first, To: last}
	for {
		list, err := r.client.Events(ctx, uid, q)
		if err != nil {
			return err
		}
		for i := range list.Events {
			e := &list.Events[i]
			if err := visit(Ref{e.ID.Position, e.ID.Stream}, &e.Entry); err != nil {
				return err
			}
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			return nil
		}
	}
}

func (r *remote) Recording(ctx context.Context, uid logdb.MeterUID, ref Ref) (logdb.Entry, error) {
	return r.client.Recording(ctx, uid, api.RecordingID{Position: ref.Position, Stream: ref.Stream})
}

func (r *remote) Week(ctx context.Context, uid logdb.MeterUID, firstDay time.Time, name string) (Week, error) {
	w, err := r.client.EN50160(ctx, uid, firstDay.Format(time.DateOnly), name)
	if err != nil {
		return Week{}, err
	}
	return Week{w.From, w.To, w.Zone, w.Report}, nil
}
