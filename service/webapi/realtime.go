package webapi

import (
	"context"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/realtime"
	"metermanager/service/command"
)

func (a *API) realtime(ctx context.Context, c caller, in *MeterPath) (*realtimeAnswer, error) {
	if _, err := a.Meters.Access(ctx, c.Principal, permission.RealtimeRead, in.UID); err != nil {
		return nil, err
	}
	out := &realtimeAnswer{Realtime: api.Realtime{Stale: true, Values: []api.RealtimeValue{}}}
	if s, stale, ok := a.Board.Latest(in.UID); ok {
		out.Realtime = *command.RealtimeOf(s, stale)
	}
	out.MeterUID = in.UID
	for _, s := range a.Board.History(in.UID) {
		out.History = append(out.History, *command.RealtimeOf(s, false))
	}
	return out, nil
}

// realtimeAnswer adds the samples before the present one.
type realtimeAnswer struct {
	api.Realtime
	History []api.Realtime `json:"history,omitempty" doc:"The samples that are kept, oldest first, the present one included"`
}

type postRealtimeInput struct {
	MeterPath
	Body api.Realtime
}

func (a *API) postRealtime(ctx context.Context, c caller, in *postRealtimeInput) (*done, error) {
	if _, err := a.Meters.Access(ctx, c.Principal, permission.RealtimePost, in.UID); err != nil {
		return nil, err
	}
	values := make([]realtime.Value, len(in.Body.Values))
	for i, v := range in.Body.Values {
		values[i] = realtime.Value{Channel: v.Key, Value: float64(v.Value)}
	}
	if err := a.Board.Post(in.UID, in.Body.Time, values); err != nil {
		return nil, err
	}
	return &done{true}, nil
}
