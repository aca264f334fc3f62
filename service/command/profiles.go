package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

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

type draftArgs struct {
	ID     string `json:"id"`
	Picks  string `json:"picks"`
	Vendor string `json:"vendor"`
	Model  string `json:"model"`
	FC     *int   `json:"fc"`
}

func (d discovery) draftProfile(_ context.Context, _ account.Principal, a draftArgs) (api.ProfileDraft, error) {
	fc := 3
	if a.FC != nil {
		fc = *a.FC
	}
	if fc != 3 && fc != 4 {
		return api.ProfileDraft{}, badFC()
	}
	var picks []discover.Pick
	for text := range strings.SplitSeq(a.Picks, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		k, err := discover.ParsePick(text)
		if err != nil {
			return api.ProfileDraft{}, fault.Wrap(fault.Invalid, "One of the values cannot be used.", err).At("picks").WithHint(fmt.Sprintf("%.100s: %v", text, err))
		}
		picks = append(picks, k)
	}
	if len(picks) == 0 {
		return api.ProfileDraft{}, fault.New(fault.Invalid, "A profile holds at least one value.").At("picks").WithHint("Such as readings.voltage.an=0x0BD3:f32:ABCD.")
	}
	data, err := discover.Draft(a.ID, cmp.Or(a.Vendor, "unknown"), cmp.Or(a.Model, "unknown"), byte(fc), picks)
	switch {
	case errors.Is(err, device.ErrProfile):
		f := fault.Wrap(fault.Invalid, "These values make no profile.", err).WithHint(err.Error())
		if strings.Contains(err.Error(), ": id ") {
			f = f.At("id")
		}
		return api.ProfileDraft{}, f
	case err != nil:
		return api.ProfileDraft{}, err
	}
	return api.ProfileDraft{Profile: string(data)}, nil
}
