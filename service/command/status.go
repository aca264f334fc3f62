package command

import (
	"context"
	"encoding/json"

	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
)

// StatusSource tells the state of the node as p may see it.
type StatusSource interface {
	NodeStatus(ctx context.Context, p account.Principal) (api.NodeStatus, error)
	// MeterStatus tells everything about one meter, by UID, name or serial number.
	MeterStatus(ctx context.Context, p account.Principal, id string) (api.MeterStatus, error)
}

// NodeHandlers are the commands about the node itself.
func NodeHandlers(source StatusSource) Handlers {
	return Handlers{
		api.CmdNodeStatus: func(ctx context.Context, p account.Principal, _ json.RawMessage) (any, error) {
			return source.NodeStatus(ctx, p)
		},
		api.CmdMeterStatus: Bind(func(ctx context.Context, p account.Principal, a meterArgs) (api.MeterStatus, error) {
			return source.MeterStatus(ctx, p, a.Meter)
		}),
	}
}
