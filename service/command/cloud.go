package command

import (
	"context"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// CloudHandlers are the commands of the cloud sync.
func CloudHandlers(sync *cloudsync.Service) Handlers {
	c := cloudCommands{sync}
	return Handlers{
		api.CmdCloudMeterRegister: Bind(c.register),
		api.CmdCloudMeterUpload:   Bind(c.upload),
		api.CmdCloudRefresh:       Bind(c.refresh),
		api.CmdCloudInfo:          Bind(c.info),
		api.CmdCloudSyncStatus:    Bind(c.status),
		api.CmdCloudSyncHistory:   Bind(c.history),
		api.CmdCloudUserVerify:    Bind(c.verifyUser),
		api.CmdCloudEnable:        Bind(c.enable),
		api.CmdCloudDisable:       Bind(c.disable),
		api.CmdCloudSet:           Bind(c.set),
	}
}

type cloudCommands struct{ sync *cloudsync.Service }

type none struct{}

type meterArgs struct {
	Meter string `json:"meter"`
}

// find resolves a name, serial or UID; "" stays "": all meters.
func (c cloudCommands) find(ctx context.Context, text string) (logdb.MeterUID, error) {
	if text == "" {
		return "", nil
	}
	return c.sync.Find(ctx, text)
}

func (c cloudCommands) register(ctx context.Context, _ account.Principal, a meterArgs) (api.SyncHistory, error) {
	uid, err := c.find(ctx, a.Meter)
	if err != nil {
		return api.SyncHistory{}, err
	}
	actions, err := c.sync.RegisterMeter(ctx, uid)
	return api.SyncHistory{Actions: actions}, cloudFault(err)
}

type uploadArgs struct {
	Meter     string `json:"meter"`
	Requested bool   `json:"requested"`
	From      string `json:"from"`
	To        string `json:"to"`
}

func (c cloudCommands) upload(ctx context.Context, _ account.Principal, a uploadArgs) (any, error) {
	uid, err := c.find(ctx, a.Meter)
	if err != nil {
		return nil, err
	}
	if !a.Requested {
		actions, err := c.sync.UploadMeter(ctx, uid)
		return api.SyncHistory{Actions: actions}, cloudFault(err)
	}
	if uid == "" {
		return nil, fault.New(fault.Invalid, "Say which meter: what was skipped is fetched meter by meter.").At("meter")
	}
	from, err := timeArg("from", a.From)
	if err != nil {
		return nil, err
	}
	to, err := timeArg("to", a.To)
	if err != nil {
		return nil, err
	}
	sum, err := c.sync.UploadRequested(ctx, uid, from, to)
	return requestedAnswer{sum.Pages, sum.Stored, sum.Repeats, sum.Revised, sum.Skipped}, cloudFault(err)
}

type requestedAnswer struct {
	Pages   int `json:"pages"`
	Stored  int `json:"stored"`
	Repeats int `json:"repeats"`
	Revised int `json:"revised"`
	Skipped int `json:"skipped"`
}

func (c cloudCommands) refresh(ctx context.Context, _ account.Principal, _ none) (api.SyncAction, error) {
	action, err := c.sync.Refresh(ctx)
	return action, cloudFault(err)
}

func (c cloudCommands) info(ctx context.Context, _ account.Principal, _ none) (cloudsync.Info, error) {
	return c.sync.Info(ctx)
}

func (c cloudCommands) status(ctx context.Context, _ account.Principal, _ none) (api.SyncStatus, error) {
	return c.sync.Status(ctx)
}

type historyArgs struct {
	Limit  int    `json:"limit"`
	Meter  string `json:"meter"`
	Result string `json:"result"`
}

func (c cloudCommands) history(ctx context.Context, _ account.Principal, a historyArgs) (api.SyncHistory, error) {
	uid, err := c.find(ctx, a.Meter)
	if err != nil {
		return api.SyncHistory{}, err
	}
	switch a.Result {
	case "", api.ResultSucceeded, api.ResultFailed, api.ResultSkipped:
	default:
		return api.SyncHistory{}, fault.New(fault.Invalid, "The result is succeeded, failed or skipped.").At("result")
	}
	if a.Limit < 0 {
		return api.SyncHistory{}, fault.New(fault.Invalid, "The limit is a positive number.").At("limit")
	}
	if a.Limit == 0 {
		a.Limit = 100
	}
	return api.SyncHistory{Actions: c.sync.History(a.Limit, uid, a.Result)}, nil
}

type userArgs struct {
	User string `json:"user"`
	Pass string `json:"pass"`
}

// verifiedUser is a login without its token.
type verifiedUser struct {
	User        string   `json:"user"`
	Customer    string   `json:"customer"`
	Permissions []string `json:"permissions"`
}

func (c cloudCommands) verifyUser(ctx context.Context, _ account.Principal, a userArgs) (verifiedUser, error) {
	answer, err := c.sync.VerifyUser(ctx, a.User, a.Pass)
	return verifiedUser{answer.User, answer.Customer, answer.Permissions.Names()}, cloudFault(err)
}

func (c cloudCommands) enable(ctx context.Context, _ account.Principal, a userArgs) (api.SyncStatus, error) {
	status, err := c.sync.Enable(ctx, a.User, a.Pass)
	return status, cloudFault(err)
}

func (c cloudCommands) disable(ctx context.Context, _ account.Principal, _ none) (api.SyncStatus, error) {
	if err := c.sync.Disable(ctx); err != nil {
		return api.SyncStatus{}, err
	}
	return c.sync.Status(ctx)
}

type setArgs struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (c cloudCommands) set(ctx context.Context, _ account.Principal, a setArgs) (cloudsync.Info, error) {
	if err := c.sync.Set(ctx, a.Name, a.Value); err != nil {
		return cloudsync.Info{}, err
	}
	return c.sync.Info(ctx)
}
