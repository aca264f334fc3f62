package command

import (
	"context"

	"metermanager/cloudsync"
	"metermanager/cloudsync/verify"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// fewPending is up to how many waiting positions a verify first sends: records that came in while it ran.
const fewPending = 1000

// VerifyHandlers is the command that compares meter, local database and cloud. meter may be nil.
func VerifyHandlers(sync *cloudsync.Service, logs logdb.Source, meter func(deep bool) verify.MeterChecker) Handlers {
	v := verifyCommand{sync, logs, meter}
	return Handlers{api.CmdVerify: Bind(v.verify)}
}

type verifyCommand struct {
	sync  *cloudsync.Service
	logs  logdb.Source
	meter func(deep bool) verify.MeterChecker
}

type verifyArgs struct {
	Meter string `json:"meter"`
	Kind  string `json:"kind"`
	Deep  bool   `json:"deep"`
	cloudArgs
}

func (v verifyCommand) verify(ctx context.Context, _ account.Principal, a verifyArgs) (api.VerifyReport, error) {
	var cfg verify.Config
	if v.meter != nil {
		cfg.Meter = v.meter(a.Deep)
	}
	if a.Meter != "" {
		uid, err := v.sync.Find(ctx, a.Meter)
		if err != nil {
			return api.VerifyReport{}, err
		}
		cfg.Meters = []logdb.MeterUID{uid}
	}
	if a.Kind != "" {
		kind, err := logdb.ParseKind(a.Kind)
		if err != nil {
			return api.VerifyReport{}, fault.Wrap(fault.Invalid, "There is no such kind of log.", err).At("kind")
		}
		cfg.Kinds = []logdb.Kind{kind}
	}
	names, err := v.clouds(ctx, a.Cloud)
	if err != nil {
		return api.VerifyReport{}, cloudFault(err)
	}
	var report api.VerifyReport
	for i, name := range names {
		part, err := v.with(ctx, name, cfg)
		if err != nil {
			return report, cloudFault(err)
		}
		if i == 0 {
			report = part
		} else {
			report.Add(part)
		}
		cfg.Meter, cfg.CloudOnly = nil, true // the rest was compared with the first
	}
	return report, nil
}

// clouds lists the clouds to compare with: the one that is named, else all that are switched on. Without any, this
// node is compared by itself.
func (v verifyCommand) clouds(ctx context.Context, name string) ([]string, error) {
	if name != "" {
		d, err := v.sync.For(name).Destination(ctx)
		if err == nil && !d.Enabled {
			err = fault.New(fault.Conflict, "The cloud is switched off: nothing can be compared with it.").At("cloud").
				WithHint("Switch it on: rpc cloud.set etheria.client~enabled true cloud=NAME")
		}
		return []string{name}, err
	}
	all, err := v.sync.Clouds(ctx)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, name := range all {
		d, err := v.sync.For(name).Destination(ctx)
		if err == nil && d.Enabled {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		out = append(out, "")
	}
	return out, nil
}

// with compares with one cloud, and once more when it only lacks what came in meanwhile.
func (v verifyCommand) with(ctx context.Context, name string, cfg verify.Config) (api.VerifyReport, error) {
	link := v.sync.For(name)
	client, ok, err := link.Client(ctx)
	if err != nil {
		return api.VerifyReport{}, err
	}
	if ok {
		cfg.Cloud, _ = client.(verify.Cloud)
	}
	cfg.Name = name
	report, err := verify.Run(ctx, link, v.logs, cfg)
	if err != nil || report.Different > 0 || report.Pending == 0 || report.Pending > fewPending {
		return report, err
	}
	var only logdb.MeterUID
	if len(cfg.Meters) == 1 {
		only = cfg.Meters[0]
	}
	if _, err := link.UploadMeter(ctx, only); err != nil {
		return report, nil // it stays pending, which the report says
	}
	return verify.Run(ctx, link, v.logs, cfg)
}
