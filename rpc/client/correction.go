package client

import (
	"context"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// Versions asks for the versions of a record, the original first.
func (c *Client) Versions(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, id api.RecordingID) (api.VersionsAnswer, error) {
	out := api.VersionsAnswer{MeterUID: meter, Kind: kind.String()}
	var err error
	out.Versions, err = every(ctx, c, escaped("meters", string(meter), "versions", kind.String(), id.String()), nil,
		func(a api.VersionsAnswer) ([]api.RecordVersion, string) { return a.Versions, a.Next })
	return out, err
}

// Correct corrects, withdraws or restores a record and returns all its versions.
func (c *Client) Correct(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, q api.CorrectionRequest) (api.VersionsAnswer, error) {
	body, err := document(q)
	if err != nil {
		return api.VersionsAnswer{}, err
	}
	return ask[api.VersionsAnswer](ctx, c, call{
		class: classPush, method: post, path: escaped("meters", string(meter), "logs", kind.String(), "corrections"), body: body,
	})
}
