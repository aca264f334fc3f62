package cloudsync

import (
	"context"
	"fmt"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// keyRotator is a cloud that replaces keys.
type keyRotator interface {
	RotateKey(ctx context.Context, id string, overlap time.Duration) (api.CreateKeyAnswer, error)
}

// RotateKey has the cloud make another upload key in the place of this node's, and uses it from then on. The old one is good for overlap more, so that
// nothing is lost when the new one cannot be stored here; without an overlap, as after a leak, a lost answer costs the key.
func (l Link) RotateKey(ctx context.Context, overlap time.Duration) (api.Key, error) {
	conf, err := l.Destination(ctx)
	if err != nil {
		return api.Key{}, err
	}
	if conf.APIKey == "" {
		return api.Key{}, fault.New(fault.Conflict, "This node has no upload key for the cloud.").WithHint("cloud.set cloud.apikey gives it one.")
	}
	// The key speaks for itself, not the user of this cloud.
	conf.User, conf.Password, conf.Token, conf.Expires = "", "", "", 0
	cloud, err := l.service.dial(conf)
	if err != nil {
		return api.Key{}, err
	}
	rotator, ok := cloud.(keyRotator)
	if !ok {
		return api.Key{}, fault.New(fault.Unavailable, "This cloud does not replace keys.")
	}
	me, err := cloud.User(ctx)
	if err != nil {
		return api.Key{}, fmt.Errorf("ask the cloud for the key's id: %w", err)
	}
	fresh, err := rotator.RotateKey(ctx, me.KeyID, overlap)
	if err != nil {
		return api.Key{}, fmt.Errorf("replace the key at the cloud: %w", err)
	}
	err = l.change(context.WithoutCancel(ctx), func(d *Destination) error {
		if d.APIKey != conf.APIKey {
			return fault.New(fault.Conflict, "The key was changed meanwhile.")
		}
		d.APIKey = Secret(fresh.Secret)
		return nil
	})
	if err != nil {
		return api.Key{}, fmt.Errorf("store the new key: %w", err)
	}
	return fresh.Key, nil
}
