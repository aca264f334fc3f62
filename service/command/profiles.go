package command

import (
	"context"
	"errors"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
	"metermanager/service/field/device"
	"metermanager/service/field/discover"
)

func (d discovery) listProfiles(context.Context, account.Principal, none) ([]api.MeterProfile, error) {
	out := []api.MeterProfile{}
	for _, id := range d.profiles.IDs() {
		if p, ok := d.profiles.Get(id); ok {
			out = append(out, discover.Described(p))
		}
	}
	return out, nil
}

type profileArgs struct {
	Profile string `json:"profile"`
}

func (d discovery) putProfile(_ context.Context, _ account.Principal, a profileArgs) (api.MeterProfile, error) {
	p, err := d.field.KeepProfile(d.folder, []byte(a.Profile))
	switch {
	case errors.Is(err, device.ErrProfile):
		return api.MeterProfile{}, fault.Wrap(fault.Invalid, "This profile is refused.", err).At("profile").WithHint(err.Error())
	case err != nil:
		return api.MeterProfile{}, err
	}
	return discover.Described(p), nil
}
