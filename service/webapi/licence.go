package webapi

import (
	"context"
	"net/http"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/subscription"
)

// paid refuses what belongs to an extension that the caller's customer has not switched on.
func (a *API) paid(op api.Operation, next http.HandlerFunc) http.HandlerFunc {
	e := api.ExtensionOf(op.ID)
	if e == "" || a.Licences == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if err := a.Licences.Uses(r.Context(), callerOf(r.Context()).Principal, e); err != nil {
			a.writeError(w, r, err)
			return
		}
		next(w, r)
	}
}

var errNoLicences = fault.New(fault.Unavailable, "This node has no subscriptions.")

func (a *API) licences() (*subscription.Service, error) {
	if a.Licences == nil {
		return nil, errNoLicences
	}
	return a.Licences, nil
}

type expirationInput struct {
	MeterPath
	Body api.ExpirationRequest
}

func (a *API) setExpiration(ctx context.Context, c caller, in *expirationInput) (*api.ExpirationAnswer, error) {
	s, err := a.licences()
	if err != nil {
		return nil, err
	}
	var expires logdb.Millis
	if text := strings.TrimSpace(in.Body.Expires); text != "" {
		if expires, err = api.ParseTime(text); err != nil {
			return nil, fault.Wrap(fault.Invalid, "The date is a day such as 2027-01-01, RFC 3339, or milliseconds.", err).At("expires")
		}
	}
	got, err := s.SetExpiration(ctx, c.Principal, in.UID, expires)
	if err != nil {
		return nil, err
	}
	return &api.ExpirationAnswer{Expires: got.Expires, Enabled: got.Enabled, ChargeMonths: got.ChargeMonths}, nil
}

func (a *API) renewals(ctx context.Context, c caller, _ *none) (*api.RenewalsAnswer, error) {
	s, err := a.licences()
	if err != nil {
		return nil, err
	}
	list, err := s.Renewals(ctx, c.Principal)
	if err != nil {
		return nil, err
	}
	return &api.RenewalsAnswer{Renewals: list}, nil
}

var usageParams = []param{{"customer", "Id of one customer; all that the caller may see without it"}, {"format", "csv: lines for an accounting system; JSON without it"}}

func (a *API) usage(w http.ResponseWriter, r *http.Request, c caller) error {
	s, err := a.licences()
	if err != nil {
		return err
	}
	q := r.URL.Query()
	format := q.Get("format")
	if format != "" && format != "csv" && format != "json" {
		return fault.New(fault.Invalid, "Want csv or json.").At("format")
	}
	report, err := s.Report(r.Context(), c.Principal, r.PathValue("period"), account.CustomerID(q.Get("customer")))
	if err != nil {
		return err
	}
	if format != "csv" {
		return writeJSON(w, http.StatusOK, report)
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="usage-`+report.Period+`.csv"`)
	_, _ = w.Write(report.CSV()) // a client that went away needs no answer
	return nil
}

type extensionsInput struct {
	Customer string `query:"customer" maxLength:"64" doc:"For system administrators: another customer than the caller's"`
}

func (a *API) extensions(ctx context.Context, c caller, in *extensionsInput) (*api.ExtensionsAnswer, error) {
	s, err := a.licences()
	if err != nil {
		return nil, err
	}
	list, err := s.Extensions(ctx, c.Principal, account.CustomerID(in.Customer))
	if err != nil {
		return nil, err
	}
	return &api.ExtensionsAnswer{Extensions: list}, nil
}

type switchInput struct {
	Extension string `path:"extension" maxLength:"64"`
	Body      api.SwitchRequest
}

func (a *API) switchExtension(ctx context.Context, c caller, in *switchInput) (*done, error) {
	s, err := a.licences()
	if err != nil {
		return nil, err
	}
	if err := s.SwitchExtension(ctx, c.Principal, account.CustomerID(in.Body.Customer), api.Extension(in.Extension), in.Body.On); err != nil {
		return nil, err
	}
	return &done{true}, nil
}

func (a *API) licensing(_ context.Context, _ caller, _ *none) (*api.Licensing, error) {
	s, err := a.licences()
	if err != nil {
		return nil, err
	}
	p := s.Policy()
	return &api.Licensing{Required: p.Required, Billable: append([]api.Extension{}, p.Billable...)}, nil
}

type licensingInput struct{ Body api.Licensing }

func (a *API) setLicensing(ctx context.Context, c caller, in *licensingInput) (*done, error) {
	s, err := a.licences()
	if err != nil {
		return nil, err
	}
	if err := s.SetPolicy(ctx, c.Principal, subscription.Policy{Required: in.Body.Required, Billable: in.Body.Billable}); err != nil {
		return nil, err
	}
	return &done{true}, nil
}
