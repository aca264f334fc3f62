package webapi

import (
	"context"
	"errors"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/audit"
	"metermanager/service/cloud/registry"
)

type poolInput struct {
	PageInput
	UID    logdb.MeterUID `query:"meter_uid" maxLength:"200" doc:"UID of the meter"`
	Make   string         `query:"make" maxLength:"100"`
	Serial string         `query:"serial" maxLength:"100"`
}

func (a *API) pool(ctx context.Context, c caller, in *poolInput) (*api.PoolAnswer, error) {
	after, limit, err := in.after("p")
	if err != nil {
		return nil, err
	}
	list, err := a.Meters.Pool(ctx, c.Principal, registry.PoolQuery{UID: in.UID, Make: in.Make, Serial: in.Serial, After: logdb.MeterUID(after), Limit: limit + 1})
	if err != nil {
		return nil, err
	}
	list, next := pageOf("p", list, limit, func(m registry.Meter) string { return string(m.UID) })
	out := &api.PoolAnswer{Meters: []api.PoolMeter{}, Next: next}
	for _, m := range list {
		out.Meters = append(out.Meters, api.PoolMeter{UID: m.UID, Make: m.Make, Serial: m.Serial, Created: m.Created, Former: string(m.Former)})
	}
	return out, nil
}

type assignMeterInput struct {
	MeterPath
	Body api.AssignMeterRequest
}

func (a *API) assignMeter(ctx context.Context, c caller, in *assignMeterInput) (*api.AssignMeterAnswer, error) {
	out, err := a.assign(ctx, c.Principal, in.UID, in.Body)
	if err != nil {
		return nil, err
	}
	if a.Licences != nil { // a minute later it would be seen anyway
		err = a.Licences.Settle(ctx)
	}
	return out, err
}

func (a *API) assign(ctx context.Context, p account.Principal, uid logdb.MeterUID, b api.AssignMeterRequest) (*api.AssignMeterAnswer, error) {
	if b.Remove {
		claim, err := a.Meters.Release(ctx, p, uid)
		return &api.AssignMeterAnswer{ClaimCode: claim}, err
	}
	var m registry.Meter
	var err error
	if b.CustUID != "" {
		m, err = a.Meters.Assign(ctx, p, uid, account.CustomerID(b.CustUID), b.WithData)
	} else {
		m, err = a.Meters.Claim(ctx, p, uid, b.Claim)
	}
	return &api.AssignMeterAnswer{CustUID: string(m.Customer)}, err
}

type moveMeterInput struct {
	MeterPath
	Body api.MoveMeterRequest
}

func (a *API) moveMeter(ctx context.Context, c caller, in *moveMeterInput) (*api.Meter, error) {
	m, err := a.Meters.Move(ctx, c.Principal, in.UID, account.FacilityID(in.Body.Facility))
	if err != nil {
		return nil, err
	}
	return a.meterDocument(ctx, m)
}

type replaceMeterInput struct {
	MeterPath
	Body api.ReplaceMeterRequest
}

func (a *API) replaceMeter(ctx context.Context, c caller, in *replaceMeterInput) (*api.ReplaceMeterAnswer, error) {
	got, err := a.Meters.Replace(ctx, c.Principal, in.UID, logdb.Settings{Make: in.Body.Make, Model: in.Body.Model, Serial: in.Body.Serial})
	if err != nil {
		return nil, err
	}
	doc, err := a.meterDocument(ctx, got.Meter)
	if err != nil {
		return nil, err
	}
	return &api.ReplaceMeterAnswer{Meter: *doc, APIKey: got.APIKey}, nil
}

type checkLoginInput struct {
	MeterPath
	Body api.CheckLoginRequest
}

// checkLogin answers a meter that asks instead of keeping passwords. Guesses count for the meter's customer, whoever stands before it: were
// they counted for each meter, one customer with many could lock anybody out. At a meter that is nobody's nobody may log in.
func (a *API) checkLogin(ctx context.Context, c caller, in *checkLoginInput) (*api.CheckLoginAnswer, error) {
	m, err := a.Meters.Access(ctx, c.Principal, permission.Upload, in.UID)
	if err != nil {
		return nil, err
	}
	if m.Customer == "" {
		return &api.CheckLoginAnswer{}, nil
	}
	p := c.Principal
	p.Customer = m.Customer
	got, err := a.Accounts.Check(ctx, p, account.Login{User: in.Body.User, Password: in.Body.Password, Address: "meters of " + string(m.Customer)}, func(who account.Principal) error {
		_, err := a.Meters.Access(ctx, who, permission.MetersRead, in.UID)
		return err
	})
	refused := errors.Is(err, fault.Unauthenticated) || errors.Is(err, fault.Forbidden)
	if t := audit.Of(ctx); t != nil {
		word := "yes"
		if refused {
			word = "no"
		}
		t.Say("user", plainText(in.Body.User), "allowed", word)
	}
	if refused {
		return &api.CheckLoginAnswer{}, nil
	} else if err != nil {
		return nil, err
	}
	doc := userDocument(got.User)
	return &api.CheckLoginAnswer{Allowed: true, UserUID: doc.UID, User: doc.Name, Roles: doc.Roles, Permissions: got.Permissions}, nil
}
