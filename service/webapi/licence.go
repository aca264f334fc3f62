package webapi

import (
	"context"
	"net/http"
	"net/url"
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

func (a *API) renewals(ctx context.Context, c caller, in *PageInput) (*api.RenewalsAnswer, error) {
	s, err := a.licences()
	if err != nil {
		return nil, err
	}
	at, uid, limit, err := in.afterTimed("n")
	if err != nil {
		return nil, err
	}
	list, err := s.Renewals(ctx, c.Principal, subscription.RenewalPlace{Expires: at, Meter: logdb.MeterUID(uid)}, limit+1)
	if err != nil {
		return nil, err
	}
	list, next := pageOf("n", list, limit, func(r api.Renewal) string { return timed(r.Expires, string(r.Meter)) })
	return &api.RenewalsAnswer{Renewals: list, Next: next}, nil
}

var usageParams = append([]param{{"customer", "Id of one customer; all that the caller may see without it"},
	{"format", "csv: lines for an accounting system, all of them; JSON without it"}}, pageParams...)

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
	in, err := pageInput(q)
	if err != nil {
		return err
	}
	after, limit, err := usageAfter(in)
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		report, next, err := s.Report(r.Context(), c.Principal, r.PathValue("period"), account.CustomerID(q.Get("customer")), after, limit)
		switch {
		case err != nil && !first: // a part is out: a cut answer must never be taken for a whole one
			a.log.WarnContext(r.Context(), "cut off a report", "err", err)
			panic(http.ErrAbortHandler)
		case err != nil:
			return err
		case format != "csv":
			if next != nil {
				report.Next = packCursor("g", url.QueryEscape(string(next.Customer)), url.QueryEscape(next.Line))
			}
			return writeJSON(w, http.StatusOK, report)
		case first:
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			w.Header().Set("Content-Disposition", `attachment; filename="usage-`+report.Period+`.csv"`)
		}
		if _, err := w.Write(report.CSV(first)); err != nil || next == nil {
			return nil // a client that went away needs no answer
		}
		after = *next
	}
}

func usageAfter(in PageInput) (after subscription.UsagePlace, limit int, err error) {
	if _, limit, err = (PageInput{Limit: in.Limit}).after("g"); err != nil || in.Cursor == "" {
		return after, limit, err
	}
	parts, err := unpackCursor("g", in.Cursor, 2)
	if err != nil {
		return after, 0, err
	}
	customer, errCustomer := url.QueryUnescape(parts[0])
	line, errLine := url.QueryUnescape(parts[1])
	if errCustomer != nil || errLine != nil {
		return after, 0, errCursor
	}
	return subscription.UsagePlace{Customer: account.CustomerID(customer), Line: line}, limit, nil
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
