package command

import (
	"cmp"
	"context"
	"slices"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

// Care is how a node looks after its databases.
type Care interface {
	// CheckParts lists the parts of a check, Check carries out one; logdb.ErrNotFound.
	CheckParts(ctx context.Context) ([]string, error)
	Check(ctx context.Context, part string) ([]api.CheckFinding, error)
	// Space measures all meters.
	Space(ctx context.Context) (api.SpaceAnswer, error)
	// Vacuum gives up to so many bytes back to the disk.
	Vacuum(ctx context.Context, bytes int64) (api.VacuumAnswer, error)
}

// CareHandlers are the commands of the care of the data.
func CareHandlers(care Care, meters NodeMeters) Handlers {
	c := careCommands{care, meters}
	return Handlers{api.CmdNodeCheck: Bind(c.check), api.CmdLogSpace: Bind(c.space), api.CmdLogVacuum: Bind(c.vacuum)}
}

type careCommands struct {
	care   Care
	meters NodeMeters
}

type partArgs struct {
	Part string `json:"part"`
}

func (c careCommands) check(ctx context.Context, _ account.Principal, a partArgs) (api.CheckAnswer, error) {
	out := api.CheckAnswer{Findings: []api.CheckFinding{}}
	if a.Part == "" {
		parts, err := c.care.CheckParts(ctx)
		out.Parts = parts
		return out, err
	}
	found, err := c.care.Check(ctx, a.Part)
	out.Findings = append(out.Findings, found...)
	return out, err
}

// space answers for the meters that p may see; what all share is for the owner of the node.
func (c careCommands) space(ctx context.Context, p account.Principal, _ none) (api.SpaceAnswer, error) {
	if err := account.Allow(p, permission.MetersRead, account.Resource{}); err != nil {
		return api.SpaceAnswer{}, err
	}
	seen, err := c.meters.Meters(ctx, p)
	if err != nil {
		return api.SpaceAnswer{}, err
	}
	names := map[logdb.MeterUID]string{}
	for _, m := range seen {
		names[m.UID] = m.Settings.Name
	}
	out, err := c.care.Space(ctx)
	if err != nil {
		return api.SpaceAnswer{}, err
	}
	mine := []api.MeterSpace{}
	for _, m := range out.Meters {
		name, ok := names[m.Meter]
		if !ok && !p.System() {
			continue
		}
		m.Name = name
		mine = append(mine, m)
	}
	slices.SortFunc(mine, func(a, b api.MeterSpace) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Meter, b.Meter))
	})
	if !p.System() {
		return api.SpaceAnswer{Meters: mine}, nil
	}
	out.Meters = mine
	return out, nil
}

type vacuumArgs struct {
	MB int64 `json:"mb"`
}

func (c careCommands) vacuum(ctx context.Context, _ account.Principal, a vacuumArgs) (api.VacuumAnswer, error) {
	switch {
	case a.MB == 0:
		a.MB = 16
	case a.MB < 0 || a.MB > 256:
		return api.VacuumAnswer{}, fault.New(fault.Invalid, "Want 1 to 256 MB for a step.").At("mb")
	}
	return c.care.Vacuum(ctx, a.MB<<20)
}
