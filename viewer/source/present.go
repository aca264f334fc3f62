package source

import (
	"context"
	"fmt"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// Presenter is a Log of meters that can be asked for their present values.
type Presenter interface {
	Present(ctx context.Context, meter logdb.MeterUID) (Present, error)
}

// Present is the present values of a meter.
type Present struct {
	Time   logdb.Millis
	Values []PresentValue
	// Direct values were read from the meter just now; others are the newest that the service was given.
	Direct bool
	// Stale ones are older than they should be.
	Stale bool
}

// PresentValue is one of them; NaN when the meter does not tell.
type PresentValue struct {
	Channel logdb.Channel
	Value   float64
}

var _ Presenter = (*remote)(nil)

// Present reads the meter through its service. A cloud has no way to the meter, and not everybody may use it: then it is the newest values that
// were posted.
func (r *remote) Present(ctx context.Context, uid logdb.MeterUID) (Present, error) {
	var read struct {
		Time     logdb.Millis `json:"time_ms"`
		Readings []struct {
			Name    string           `json:"name"`
			Channel logdb.ChannelKey `json:"channel"`
			Unit    string           `json:"unit"`
			Value   api.Value        `json:"value"`
		} `json:"readings"`
	}
	err := r.client.Call(ctx, api.CmdMeterRead, map[string]string{"meter": string(uid)}, &read)
	if err == nil {
		out := Present{Time: read.Time, Direct: true}
		for _, v := range read.Readings {
			key := v.Channel
			if key == "" {
				key = logdb.ChannelKey(v.Name)
			}
			out.add(key, v.Unit, float64(v.Value))
		}
		return out, nil
	}
	switch fault.CodeOf(err) {
	case fault.Forbidden, fault.NotFound:
	default:
		return Present{}, fmt.Errorf("read the meter: %w", err)
	}
	now, err := r.client.Realtime(ctx, uid)
	if err != nil {
		return Present{}, fmt.Errorf("ask for the present values: %w", err)
	}
	out := Present{Time: now.Time, Stale: now.Stale}
	for _, v := range now.Values {
		out.add(v.Key, v.Unit, float64(v.Value))
	}
	return out, nil
}

func (p *Present) add(key logdb.ChannelKey, unit string, value float64) {
	c := logdb.LookupChannel(key)
	if unit != "" {
		c.Unit = unit
	}
	p.Values = append(p.Values, PresentValue{c, value})
}
