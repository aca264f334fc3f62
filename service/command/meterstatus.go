package command

import (
	"context"
	"math"

	"metermanager/rpc/api"
	"metermanager/service/field/device"
	"metermanager/service/field/retrieve"
)

// FieldStatus tells the state of every meter that field reads, for NodeConfig.Field.
func FieldStatus(field *retrieve.Manager) func(ctx context.Context) ([]api.MeterStatus, error) {
	return func(ctx context.Context) ([]api.MeterStatus, error) {
		list, err := field.List(ctx)
		if err != nil {
			return nil, err
		}
		out := make([]api.MeterStatus, len(list))
		for i, s := range list {
			out[i] = meterStatus(s)
			live, err := field.Latest(string(s.UID))
			if err == nil && live.At > 0 {
				out[i].Latest = latest(live)
			}
		}
		return out, nil
	}
}

// meterStatus puts what the field side knows into the words of the API.
func meterStatus(s retrieve.Status) api.MeterStatus {
	out := api.MeterStatus{
		UID: s.UID, Name: s.Name, Serial: s.Serial, Profile: s.Profile, Address: s.Address, Unit: int(s.Unit),
		LastOK: s.LastSuccess, Next: s.NextDue, Unverified: s.Unverified, ClockDrift: s.DriftMS, Doing: s.Session,
	}
	for _, l := range s.Logs {
		out.Retrieval = append(out.Retrieval, api.LogRetrieval{
			Log: l.Log, Read: int64(min(l.Next, l.Used)), Held: int64(l.Used), Capacity: int64(l.Max), LastError: l.LastError,
		})
	}
	if s.ErrorAt > s.LastSuccess {
		out.LastError, out.ErrorSince = s.LastError, s.ErrorAt
	}
	switch {
	case s.State == "unreachable":
		out.State = "unreachable"
	case !s.Enabled:
		out.State = "paused"
	case s.Action != "":
		out.State = "retrieving"
	case s.State == "starting":
		out.State = "reading"
	default:
		out.State = "idle"
	}
	return out
}

func latest(l retrieve.Live) *api.Realtime {
	out := &api.Realtime{MeterUID: l.Meter, Time: l.At, Values: []api.RealtimeValue{}}
	for _, r := range l.Readings {
		if r.Channel != "" && r.Quality == device.Good && !math.IsNaN(r.Value) {
			out.Values = append(out.Values, api.RealtimeValue{Key: r.Channel, Unit: r.Unit, Value: api.Value(r.Value)})
		}
	}
	return out
}
