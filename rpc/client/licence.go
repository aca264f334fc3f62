package client

import (
	"context"
	"net/url"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// SetExpiration sets the date from which a meter cannot be read; "" clears it and disables the meter.
func (c *Client) SetExpiration(ctx context.Context, meter logdb.MeterUID, date string) (api.ExpirationAnswer, error) {
	return tell[api.ExpirationAnswer](ctx, c, call{class: classOnce, method: put, path: escaped("meters", string(meter), "expiration")}, api.ExpirationRequest{Expires: date})
}

// Renewals lists the meters whose licence ends until the end of the next month.
func (c *Client) Renewals(ctx context.Context) ([]api.Renewal, error) {
	return every(ctx, c, escaped("renewals"), nil, func(a api.RenewalsAnswer) ([]api.Renewal, string) { return a.Renewals, a.Next })
}

// Usage returns what customers, or one of them, used in a month ("2026-03") or a year ("2026").
func (c *Client) Usage(ctx context.Context, period, customer string) (api.UsageReport, error) {
	var out api.UsageReport
	for cursor := ""; ; cursor = out.Next {
		q := with(of(customer), cursor)
		page, err := ask[api.UsageReport](ctx, c, call{class: classQuery, method: get, path: escaped("usage", period), query: q})
		switch {
		case err != nil:
			return api.UsageReport{}, err
		case cursor == "":
			out = page
		default:
			out.Join(page)
		}
		if out.Next == "" {
			return out, nil
		}
	}
}

// UsageCSV returns the same as lines for an accounting system.
func (c *Client) UsageCSV(ctx context.Context, period, customer string) ([]byte, error) {
	q := url.Values{"format": {"csv"}}
	if customer != "" {
		q.Set("customer", customer)
	}
	a, err := c.do(ctx, call{class: classQuery, method: get, path: escaped("usage", period), query: q})
	return a.body, err
}

// Extensions lists all extensions, and which of them a customer has; "": the caller's.
func (c *Client) Extensions(ctx context.Context, customer string) ([]api.ExtensionState, error) {
	a, err := ask[api.ExtensionsAnswer](ctx, c, call{class: classQuery, method: get, path: escaped("extensions"), query: of(customer)})
	return a.Extensions, err
}

// SwitchExtension switches an extension of a customer on or off; "": of the caller's.
func (c *Client) SwitchExtension(ctx context.Context, extension api.Extension, on bool, customer string) error {
	_, err := tell[struct{}](ctx, c, call{class: classOnce, method: put, path: escaped("extensions", string(extension))}, api.SwitchRequest{On: on, Customer: customer})
	return err
}

// Licensing returns what the node asks its customers to pay for.
func (c *Client) Licensing(ctx context.Context) (api.Licensing, error) {
	return ask[api.Licensing](ctx, c, call{class: classQuery, method: get, path: escaped("licensing")})
}

// SetLicensing changes it.
func (c *Client) SetLicensing(ctx context.Context, l api.Licensing) error {
	_, err := tell[struct{}](ctx, c, call{class: classOnce, method: put, path: escaped("licensing")}, l)
	return err
}

func of(customer string) url.Values {
	if customer == "" {
		return nil
	}
	return url.Values{"customer": {customer}}
}
