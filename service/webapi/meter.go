package webapi

import (
	"context"
	"encoding/json"
	"fmt"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/registry"
)

type registerInput struct{ Body api.RegisterRequest }

func (a *API) register(ctx context.Context, c caller, in *registerInput) (*api.RegisterAnswer, error) {
	p := c.Principal
	if !p.Known() && in.Body.APIKey != "" {
		var err error
		if p, err = a.authenticate(ctx, in.Body.APIKey); err != nil {
			return nil, err
		}
	}
	got, err := a.Meters.Register(ctx, p, registry.Registration{
		Settings: in.Body.Settings, Claim: in.Body.Claim, CustomerKey: in.Body.CustomerKey,
	})
	if err != nil {
		return nil, err
	}
	out := &api.RegisterAnswer{
		MeterUID: got.Meter.UID, Registered: api.RegisteredKnown, APIKey: got.APIKey, ClaimCode: got.ClaimCode, Settings: got.Meter.Settings,
		Started: a.started,
	}
	if got.New {
		out.Registered = api.RegisteredNew
	}
	return out, nil
}

func (a *API) meters(ctx context.Context, c caller, in *PageInput) (*api.MetersAnswer, error) {
	after, limit, err := in.after("m")
	if err != nil {
		return nil, err
	}
	list, more, err := a.Meters.MetersAfter(ctx, c.Principal, logdb.MeterUID(after), limit)
	if err != nil {
		return nil, err
	}
	out := &api.MetersAnswer{Meters: []api.Meter{}}
	if more {
		out.Next = nextAfter("m", string(list[len(list)-1].UID))
	}
	for _, m := range list {
		doc, err := a.meterDocument(ctx, m)
		if err != nil {
			return nil, err
		}
		out.Meters = append(out.Meters, *doc)
	}
	return out, nil
}

// MeterPath is the meter of a path. It is exported since huma fills exported parts only.
type MeterPath struct {
	UID logdb.MeterUID `path:"meter_uid" maxLength:"200" doc:"UID of the meter"`
}

func (a *API) meter(ctx context.Context, c caller, in *MeterPath) (*api.Meter, error) {
	m, err := a.Meters.Meter(ctx, c.Principal, in.UID)
	if err != nil {
		return nil, err
	}
	return a.meterDocument(ctx, m)
}

func (a *API) meterDocument(ctx context.Context, m registry.Meter) (*api.Meter, error) {
	out := &api.Meter{
		UID: m.UID, Enabled: m.Enabled, Readable: m.Readable, Expires: m.Expires, Customer: string(m.Customer), Facility: string(m.Facility), Created: m.Created, Settings: m.Settings, LastPush: a.Push.LastPush(m.UID),
	}
	series, err := a.Logs.Series(ctx, m.UID)
	if err != nil {
		return nil, fmt.Errorf("list series of meter %s: %w", m.UID, err)
	}
	if _, series, err = analysis.Current(ctx, a.Logs, m.UID, series); err != nil {
		return nil, err
	}
	for _, s := range series {
		out.LastData = max(out.LastData, s.Last)
	}
	return out, nil
}

func (a *API) removeMeter(ctx context.Context, c caller, in *MeterPath) (*done, error) {
	if err := a.Meters.Remove(ctx, c.Principal, in.UID); err != nil {
		return nil, err
	}
	return &done{true}, nil
}

type settingsInput struct {
	MeterPath
	RawBody []byte
	Body    struct {
		logdb.Settings
		Enabled *bool `json:"enabled,omitempty" doc:"Whether the meter's data can be read; needs meters_manage"`
	}
}

// putSettings changes what the body names: whoever only disables a meter must not move its days
// to another zone.
func (a *API) putSettings(ctx context.Context, c caller, in *settingsInput) (*api.Meter, error) {
	if in.Body.Enabled != nil {
		if _, err := a.Meters.Access(ctx, c.Principal, permission.MetersManage, in.UID); err != nil {
			return nil, err
		}
	}
	m, err := a.Meters.PutSettings(ctx, c.Principal, in.UID, func(s *logdb.Settings) error {
		if err := json.Unmarshal(in.RawBody, s); err != nil {
			return fault.Wrap(fault.Invalid, "The settings cannot be read.", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if in.Body.Enabled != nil {
		if err := a.Meters.SetEnabled(ctx, c.Principal, in.UID, *in.Body.Enabled); err != nil {
			return nil, err
		}
		if a.Licences != nil { // a minute later it would be seen anyway
			if err := a.Licences.Settle(ctx); err != nil {
				return nil, err
			}
		}
		m.Enabled = *in.Body.Enabled
		m.Readable = a.Meters.IsReadable(m)
	}
	return a.meterDocument(ctx, m)
}
