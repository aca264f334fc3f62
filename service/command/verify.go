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
	client, ok, err := v.sync.Client(ctx)
	if err != nil {
		return api.VerifyReport{}, cloudFault(err)
	}
	if ok {
		cfg.Cloud, _ = client.(verify.Cloud)
	}
	report, err := verify.Run(ctx, v.sync, v.logs, cfg)
	if err != nil || report.Different > 0 || report.Pending == 0 || report.Pending > fewPending {
		return report, cloudFault(err)
	}
	var only logdb.MeterUID
	if len(cfg.Meters) == 1 {
		only = cfg.Meters[0]
	}
	if _, err := v.sync.UploadMeter(ctx, only); err != nil {
		return report, nil // it stays pending, which the report says
	}
	report, err = verify.Run(ctx, v.sync, v.logs, cfg)
	return report, cloudFault(err)
}
