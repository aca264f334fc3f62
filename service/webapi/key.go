package webapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

func (a *API) keys(ctx context.Context, c caller, in *PageInput) (*api.KeysAnswer, error) {
	at, id, limit, err := in.afterTimed("k")
	if err != nil {
		return nil, err
	}
	keys, err := a.Accounts.Keys(ctx, c.Principal, account.KeyPlace{Created: at, ID: account.KeyID(id)}, limit+1)
	if err != nil {
		return nil, err
	}
	keys, next := pageOf("k", keys, limit, func(k account.Key) string { return timed(k.Created, string(k.ID)) })
	out := &api.KeysAnswer{Keys: []api.Key{}, Next: next}
	for _, k := range keys {
		doc := keyDocument(k)
		holds, err := a.Accounts.Holds(ctx, k)
		if err != nil {
			return nil, err
		}
		if holds != k.Permissions {
			doc.Holds = &holds
		}
		out.Keys = append(out.Keys, doc)
	}
	return out, nil
}

func keyDocument(k account.Key) api.Key {
	return api.Key{ID: string(k.ID), Name: k.Name, Permissions: k.Permissions, Meter: k.Meter, CreatedBy: k.CreatedBy, Created: k.Created, LastUsed: k.LastUsed, Ends: k.Revoked}
}

type createKeyInput struct{ Body api.CreateKeyRequest }

// Resolve refuses names of permissions that this version does not know.
func (in *createKeyInput) Resolve(huma.Context) []error { return known(in.Body.Permissions) }

func known(s permission.Set) []error {
	if !s.Unknown() {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: "body.permissions", Message: "want permissions out of " + permission.Everything().String()}}
}

func (a *API) createKey(ctx context.Context, c caller, in *createKeyInput) (*api.CreateKeyAnswer, error) {
	if in.Body.Meter != "" {
		if _, err := a.Meters.Access(ctx, c.Principal, permission.UsersManage, in.Body.Meter); err != nil {
			return nil, err
		}
	}
	k, secret, err := a.Accounts.CreateKey(ctx, c.Principal, account.NewKey{
		Name: in.Body.Name, Permissions: in.Body.Permissions, Meter: in.Body.Meter,
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateKeyAnswer{Key: keyDocument(k), Secret: secret}, nil
}

// KeyPath is the key of a path. It is exported since huma fills exported parts only.
type KeyPath struct {
	ID account.KeyID `path:"key_id" maxLength:"64"`
}

func (a *API) revokeKey(ctx context.Context, c caller, in *KeyPath) (*done, error) {
	if err := a.Accounts.RevokeKey(ctx, c.Principal, in.ID); err != nil {
		return nil, err
	}
	return &done{true}, nil
}

type rotateKeyInput struct {
	KeyPath
	Body api.RotateKeyRequest
}

// usualOverlap is how long a replaced key is still good when nobody says.
const usualOverlap = 24 * time.Hour

func (a *API) rotateKey(ctx context.Context, c caller, in *rotateKeyInput) (*api.CreateKeyAnswer, error) {
	overlap := usualOverlap
	if in.Body.OverlapS != nil {
		overlap = time.Duration(*in.Body.OverlapS) * time.Second
	}
	k, secret, err := a.Accounts.RotateKey(ctx, c.Principal, in.ID, overlap)
	if err != nil {
		return nil, err
	}
	return &api.CreateKeyAnswer{Key: keyDocument(k), Secret: secret}, nil
}
