package command

import (
	"context"
	"errors"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
	"metermanager/service/field/pickup"
)

// RegisteredMeters lists the meters that a caller may see.
type RegisteredMeters interface {
	Meters(ctx context.Context, p account.Principal) ([]registry.Meter, error)
}

// PickupHandlers are the commands of folders and FTP servers whose files go into the logs of meters.
func PickupHandlers(files *pickup.Runner, meters RegisteredMeters) Handlers {
	c := pickups{files, meters}
	return Handlers{api.CmdPickupAdd: Bind(c.add), api.CmdPickupList: Bind(c.list), api.CmdPickupRemove: Bind(c.remove)}
}

type pickups struct {
	files  *pickup.Runner
	meters RegisteredMeters
}

type pickupArgs struct {
	Meter        string `json:"meter"`
	Folder       string `json:"folder"`
	FTP          string `json:"ftp"`
	PasswordFile string `json:"password_file"`
	Zone         string `json:"zone"`
	Map          string `json:"map"`
	Primary      bool   `json:"primary"`
	EveryS       int    `json:"every_s"`
}

func (c pickups) add(ctx context.Context, p account.Principal, a pickupArgs) (pickup.Status, error) {
	m, err := c.meter(ctx, p, a.Meter)
	if err != nil {
		return pickup.Status{}, err
	}
	if a.Zone == "" {
		a.Zone = m.Settings.Zone
	}
	st, err := c.files.Add(ctx, pickup.Folder{
		Meter: m.UID, Path: a.Folder, FTP: a.FTP, PasswordFile: a.PasswordFile, Zone: a.Zone, Map: words(a.Map), Primary: a.Primary, EverySeconds: a.EveryS,
	})
	return st, pickupFault(err)
}

// meter finds a meter by UID, name or serial number among those that the caller may see.
func (c pickups) meter(ctx context.Context, p account.Principal, word string) (registry.Meter, error) {
	list, err := c.meters.Meters(ctx, p)
	if err != nil {
		return registry.Meter{}, err
	}
	var hits []registry.Meter
	for _, m := range list {
		if m.UID == logdb.MeterUID(word) {
			return m, nil
		}
		if m.Settings.Name == word || m.Settings.Serial == word {
			hits = append(hits, m)
		}
	}
	switch len(hits) {
	case 0:
		return registry.Meter{}, fault.Newf(fault.NotFound, "No name, serial number or UID is %q.", word).At("meter")
	case 1:
		return hits[0], nil
	}
	return registry.Meter{}, fault.Newf(fault.Conflict, "%d meters are called %q; say which by its UID.", len(hits), word).At("meter")
}

type pickupList struct {
	Folders []pickup.Status `json:"folders"`
}

func (c pickups) list(context.Context, account.Principal, none) (pickupList, error) {
	return pickupList{c.files.List()}, nil
}

type pickupRemoveArgs struct {
	ID string `json:"id"`
}

func (c pickups) remove(ctx context.Context, _ account.Principal, a pickupRemoveArgs) (pickup.Status, error) {
	st, err := c.files.Remove(ctx, a.ID)
	return st, pickupFault(err)
}

func pickupFault(err error) error {
	switch {
	case errors.Is(err, pickup.ErrInvalid):
		return fault.Wrap(fault.Invalid, "These files cannot be picked up.", err).WithHint(err.Error())
	case errors.Is(err, pickup.ErrNotFound):
		return fault.Wrap(fault.NotFound, "No folder is watched under this id.", err).WithHint("See them: pickup.list")
	}
	return err
}
