package command

import (
	"context"
	"errors"

	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// Limits keeps the numbers of the limitor that are applied to what others upload here.
type Limits interface {
	Limits() logdb.Limits
	SetLimit(ctx context.Context, name, value string) error
}

// LimitHandlers are the commands of a receiver's limits.
func LimitHandlers(l Limits) Handlers {
	c := limitCommands{l}
	return Handlers{api.CmdLimitList: Bind(c.list), api.CmdLimitSet: Bind(c.set)}
}

type limitCommands struct{ limits Limits }

// limitAnswer is the numbers by name, as limit.set takes them.
type limitAnswer struct {
	Limits map[string]string `json:"limits"`
}

func (c limitCommands) list(context.Context, account.Principal, none) (limitAnswer, error) {
	return limitAnswer{limitTexts(c.limits.Limits())}, nil
}

func limitTexts(l logdb.Limits) map[string]string {
	out := map[string]string{}
	for _, name := range limit.Names() {
		out[name] = limit.Text(l, name)
	}
	return out
}

type limitArgs struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (c limitCommands) set(ctx context.Context, p account.Principal, a limitArgs) (limitAnswer, error) {
	err := c.limits.SetLimit(ctx, a.Name, a.Value)
	if errors.Is(err, limit.ErrSetting) {
		return limitAnswer{}, fault.Wrap(fault.Invalid, "That is no limit: "+err.Error()+".", err).At("value").
			WithHint("Numbers of records: 10/s 30/min 100/h 200/d, or none, or default. See: rpc limit.list")
	}
	if err != nil {
		return limitAnswer{}, err
	}
	return c.list(ctx, p, none{})
}
