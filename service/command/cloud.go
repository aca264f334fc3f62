package command

import (
	"context"
	"errors"
	"strings"
	"time"

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
		api.CmdCloudAdd:           Bind(c.add),
		api.CmdCloudList:          Bind(c.list),
		api.CmdCloudRemove:        Bind(c.remove),
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
		api.CmdCloudKeyRotate:     Bind(c.rotateKey),
	}
}

type cloudCommands struct{ sync *cloudsync.Service }

type rotateArgs struct {
	OverlapS *int64 `json:"overlap_s"`
	Cloud    string `json:"cloud"`
}

// rotated tells of a new key everything but its secret, which nobody needs to see.
type rotated struct {
	Key      string `json:"key_id"`
	OverlapS int64  `json:"overlap_s"`
}

func (c cloudCommands) rotateKey(ctx context.Context, _ account.Principal, a rotateArgs) (rotated, error) {
	overlap := int64(24 * 60 * 60)
	if a.OverlapS != nil {
		overlap = *a.OverlapS
	}
	if overlap < 0 || overlap > 30*24*60*60 {
		return rotated{}, fault.New(fault.Invalid, "A replaced key is good for 30 days at most.").At("overlap_s")
	}
	k, err := c.sync.For(a.Cloud).RotateKey(ctx, time.Duration(overlap)*time.Second)
	if err != nil {
		return rotated{}, cloudFault(err)
	}
	return rotated{k.ID, overlap}, nil
}

type none struct{}

// cloudArgs names one of several clouds.
type cloudArgs struct {
	Cloud string `json:"cloud"`
}

type addArgs struct {
	Name   string `json:"name"`
	Host   string `json:"host"`
	APIKey string `json:"apikey"`
}

func (c cloudCommands) add(ctx context.Context, _ account.Principal, a addArgs) (cloudsync.Info, error) {
	if err := c.sync.AddCloud(ctx, a.Name, a.Host, a.APIKey); err != nil {
		return cloudsync.Info{}, cloudFault(err)
	}
	return c.sync.For(a.Name).Info(ctx)
}

func (c cloudCommands) list(ctx context.Context, _ account.Principal, _ none) (api.CloudList, error) {
	out := api.CloudList{Clouds: []api.SyncStatus{}}
	names, err := c.sync.Clouds(ctx)
	if err != nil {
		return out, err
	}
	for _, name := range names {
		status, err := c.sync.For(name).Status(ctx)
		if errors.Is(err, cloudsync.ErrNoDestination) {
			continue // removed meanwhile
		}
		if err != nil {
			return out, err
		}
		status.Meters = nil // cloud.sync.status tells them
		out.Clouds = append(out.Clouds, status)
	}
	return out, nil
}

type removeArgs struct {
	Name string `json:"name"`
}

func (c cloudCommands) remove(ctx context.Context, p account.Principal, a removeArgs) (api.CloudList, error) {
	if err := c.sync.RemoveCloud(ctx, a.Name); err != nil {
		return api.CloudList{}, cloudFault(err)
	}
	return c.list(ctx, p, none{})
}

type meterArgs struct {
	Meter string `json:"meter"`
	cloudArgs
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
	actions, err := c.sync.For(a.Cloud).RegisterMeter(ctx, uid)
	return api.SyncHistory{Actions: actions}, cloudFault(err)
}

type uploadArgs struct {
	Meter     string `json:"meter"`
	Requested bool   `json:"requested"`
	From      string `json:"from"`
	To        string `json:"to"`
	cloudArgs
	Kind string `json:"kind"`
	What string `json:"what"`
}

func (c cloudCommands) upload(ctx context.Context, _ account.Principal, a uploadArgs) (any, error) {
	uid, err := c.find(ctx, a.Meter)
	if err != nil {
		return nil, err
	}
	if !a.Requested {
		actions, err := c.sync.For(a.Cloud).UploadMeter(ctx, uid)
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
	w := cloudsync.Wanted{First: from, Last: to}
	if a.Kind != "" {
		kind, err := logdb.ParseKind(a.Kind)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "The kind is historical, waveform, system, limits or pq.", err).At("kind")
		}
		w.Kinds = []logdb.Kind{kind}
	}
	if a.What == "" {
		a.What = api.FetchSkipped
	}
	for word := range strings.SplitSeq(a.What, ",") {
		switch strings.TrimSpace(word) {
		case api.FetchSkipped:
			w.Skipped = true
		case api.FetchReduced:
			w.Reduced = true
		case api.FetchFull:
			w.Full = true
		default:
			return nil, fault.New(fault.Invalid, "What is wanted is skipped, reduced or full, or several of them joined by commas.").At("what")
		}
	}
	sum, cannot, err := c.sync.For(a.Cloud).UploadRequested(ctx, uid, w)
	return requestedAnswer{sum.Pages, sum.Stored, sum.Repeats, sum.Revised, sum.Skipped, cannot}, cloudFault(err)
}

type requestedAnswer struct {
	Pages   int `json:"pages"`
	Stored  int `json:"stored"`
	Repeats int `json:"repeats"`
	Revised int `json:"revised"`
	Skipped int `json:"skipped"`
	// Cannot counts what cannot be sent, by reason.
	Cannot map[string]int `json:"cannot,omitempty"`
}

func (c cloudCommands) refresh(ctx context.Context, _ account.Principal, a cloudArgs) (api.SyncAction, error) {
	action, err := c.sync.For(a.Cloud).Refresh(ctx)
	return action, cloudFault(err)
}

func (c cloudCommands) info(ctx context.Context, _ account.Principal, a cloudArgs) (cloudsync.Info, error) {
	info, err := c.sync.For(a.Cloud).Info(ctx)
	return info, cloudFault(err)
}

func (c cloudCommands) status(ctx context.Context, _ account.Principal, a cloudArgs) (api.SyncStatus, error) {
	status, err := c.sync.For(a.Cloud).Status(ctx)
	return status, cloudFault(err)
}

type historyArgs struct {
	Limit  int    `json:"limit"`
	Meter  string `json:"meter"`
	Result string `json:"result"`
	cloudArgs
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
	if _, err := c.sync.For(a.Cloud).Status(ctx); err != nil {
		return api.SyncHistory{}, cloudFault(err)
	}
	return api.SyncHistory{Actions: c.sync.For(a.Cloud).History(a.Limit, uid, a.Result)}, nil
}

type userArgs struct {
	User string `json:"user"`
	Pass string `json:"pass"`
	cloudArgs
}

// verifiedUser is a login without its token.
type verifiedUser struct {
	User        string   `json:"user"`
	Customer    string   `json:"customer"`
	Permissions []string `json:"permissions"`
}

func (c cloudCommands) verifyUser(ctx context.Context, _ account.Principal, a userArgs) (verifiedUser, error) {
	answer, err := c.sync.For(a.Cloud).VerifyUser(ctx, a.User, a.Pass)
	return verifiedUser{answer.User, answer.Customer, answer.Permissions.Names()}, cloudFault(err)
}

func (c cloudCommands) enable(ctx context.Context, _ account.Principal, a userArgs) (api.SyncStatus, error) {
	status, err := c.sync.For(a.Cloud).Enable(ctx, a.User, a.Pass)
	return status, cloudFault(err)
}

func (c cloudCommands) disable(ctx context.Context, _ account.Principal, a cloudArgs) (api.SyncStatus, error) {
	if err := c.sync.For(a.Cloud).Disable(ctx); err != nil {
		return api.SyncStatus{}, cloudFault(err)
	}
	return c.sync.For(a.Cloud).Status(ctx)
}

type setArgs struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	cloudArgs
}

func (c cloudCommands) set(ctx context.Context, _ account.Principal, a setArgs) (cloudsync.Info, error) {
	if err := c.sync.For(a.Cloud).Set(ctx, a.Name, a.Value); err != nil {
		return cloudsync.Info{}, cloudFault(err)
	}
	return c.sync.For(a.Cloud).Info(ctx)
}

// SetCloudMeter changes settings of meters for the clouds of sync.
func SetCloudMeter(sync *cloudsync.Service) CloudMeters {
	return func(ctx context.Context, cloud string, meter logdb.MeterUID, name, value string) error {
		return sync.For(cloud).SetMeter(ctx, meter, name, value)
	}
}
