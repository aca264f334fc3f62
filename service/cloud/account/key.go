package account

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// NewKey says what a key shall be.
type NewKey struct {
	Name        string
	Permissions permission.Set // empty: upload only
	Meter       logdb.MeterUID // "" for all meters of the customer
}

// managesKeys reports whether p may make and revoke keys, which reach all facilities. A meter's key may for its own meter.
func managesKeys(p Principal) error {
	if p.ByFacility {
		return manages(p, permission.UsersManage)
	}
	return Allow(p, permission.UsersManage, Resource{})
}

// CreateKey makes a key of p's customer and returns its secret, which nobody can see again.
func (s *Service) CreateKey(ctx context.Context, p Principal, n NewKey) (Key, string, error) {
	if err := managesKeys(p); err != nil {
		return Key{}, "", err
	}
	if c := utf8.RuneCountInString(n.Name); c < 1 || c > 100 || !utf8.ValidString(n.Name) {
		return Key{}, "", fault.New(fault.Invalid, "A key has a name of 1 to 100 characters.").At("name")
	}
	if n.Permissions == 0 {
		n.Permissions = permission.Of(permission.Upload)
	}
	if err := unknownPermission(n.Permissions); err != nil {
		return Key{}, "", err
	}
	if !p.Permissions.Covers(n.Permissions) {
		return Key{}, "", fault.New(fault.Forbidden, "A key cannot have a permission that you lack.").At("permissions")
	}
	if p.Meter != "" && n.Meter != p.Meter {
		return Key{}, "", fault.New(fault.Forbidden, "A key of one meter can only make keys of that meter.").At("meter_uid")
	}
	k, secret := s.makeKey(p.Customer, n)
	k.CreatedBy, k.Maker = p.Name, p.maker()
	if err := s.store.CreateKey(ctx, p.Scope(), k); err != nil {
		return Key{}, "", fmt.Errorf("store a key: %w", err)
	}
	return k, secret, nil
}

// maker is the user by whose rights the keys that p makes are bound.
func (p Principal) maker() UserID {
	if p.User != "" {
		return p.User
	}
	return p.Maker
}

// unbound is what a key goes on doing without its maker: managers and meters lose no data because somebody leaves.
var unbound = permission.Of(permission.Upload, permission.RealtimePost)

// Holds returns what a key may do now: of more than uploading only what its maker may still do, for the same customer and for all of it. So
// a key that reads stops with the user who is disabled, banned, deleted, moved or held to facilities, at the next request.
func (s *Service) Holds(ctx context.Context, k Key) (permission.Set, error) {
	if k.Maker == "" || unbound.Covers(k.Permissions) {
		return k.Permissions, nil
	}
	u, err := s.store.User(ctx, k.Maker)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, fmt.Errorf("look up who made a key: %w", err)
	}
	may := unbound
	if p := u.principal(); err == nil && !u.Disabled && u.Banned == 0 && !p.ByFacility && (u.Customer == k.Customer || p.Everywhere()) {
		may = may.With(p.Permissions)
	}
	return k.Permissions.Without(permission.Everything().Without(may)), nil
}

// MeterKey makes the credential that a meter gets when it registers. customer may be
// nobody: then the key can upload and nothing else until the meter is claimed. The caller
// stores the key together with the meter.
func (s *Service) MeterKey(customer CustomerID, meter logdb.MeterUID, name string) (Key, string) {
	return s.makeKey(customer, NewKey{Name: name, Permissions: permission.Of(permission.Upload), Meter: meter})
}

func (s *Service) makeKey(customer CustomerID, n NewKey) (Key, string) {
	secret := newSecret(KeyPrefix)
	return Key{
		ID: KeyID(newID()), Customer: customer, Name: n.Name, Hash: HashOf(secret),
		Permissions: n.Permissions, Meter: n.Meter, Created: s.now(),
	}, secret
}

// KeyPlace is the place of a key in the list: the oldest stands first.
type KeyPlace struct {
	Created logdb.Millis
	ID      KeyID
}

// Keys lists so many of the keys that p may manage, without their secrets, behind a place.
func (s *Service) Keys(ctx context.Context, p Principal, after KeyPlace, limit int) ([]Key, error) {
	if err := managesKeys(p); err != nil {
		return nil, err
	}
	keys, err := s.store.Keys(ctx, p.Scope(), s.now(), after, limit)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}

// ended reports whether k is good no more.
func (k Key) ended(now logdb.Millis) bool { return k.Revoked != 0 && now >= k.Revoked }

// mostOverlap is how long a replaced key can be good.
const mostOverlap = 30 * 24 * time.Hour

// RotateKey makes a key with the rights of another one, which ends when overlap is over. A key may do so with itself; with
// others, who manages keys and has the rights himself. A key that is ending replaces itself again only when it did so itself and the new
// key was not used yet, since its answer was lost: that one ends then. So who found an old key cannot live on by it.
func (s *Service) RotateKey(ctx context.Context, p Principal, id KeyID, overlap time.Duration) (Key, string, error) {
	if !p.Known() {
		return Key{}, "", Allow(p, permission.UsersManage, Resource{})
	}
	own := p.Key != "" && p.Key == id
	if !own {
		if err := managesKeys(p); err != nil {
			return Key{}, "", err
		}
	}
	if overlap < 0 || overlap > mostOverlap {
		return Key{}, "", fault.New(fault.Invalid, "A replaced key is good for 30 days at most.").At("overlap_s")
	}
	old, err := s.store.Key(ctx, p.Scope(), id)
	now := s.now()
	if errors.Is(err, ErrNotFound) || err == nil && old.ended(now) {
		return Key{}, "", fault.New(fault.NotFound, "There is no such key.")
	} else if err != nil {
		return Key{}, "", fmt.Errorf("look up a key: %w", err)
	}
	if !own && !p.Permissions.Covers(old.Permissions) {
		return Key{}, "", fault.New(fault.Forbidden, "This key has a permission that you lack.")
	}
	k, secret := s.makeKey(old.Customer, NewKey{Name: old.Name, Permissions: old.Permissions, Meter: old.Meter})
	k.CreatedBy, k.Maker = p.Name, p.maker() // who replaces somebody else's key takes it over
	if own {
		k.CreatedBy, k.Maker = old.CreatedBy, old.Maker // a meter's own key stays one
	}
	ends := now + logdb.Millis(overlap.Milliseconds())
	say(ctx, "key", string(id), "replaced_by", string(k.ID), "overlap_s", fmt.Sprint(int64(overlap/time.Second)))
	if old.Revoked != 0 {
		ends = min(ends, old.Revoked) // nobody prolongs a key that is ending
	}
	switch err := s.store.ReplaceKey(ctx, p.Scope(), id, ends, k, own); {
	case errors.Is(err, ErrExists):
		return Key{}, "", fault.New(fault.Conflict, "This key was replaced already.").WithHint("Use the new key, or ask who manages keys.")
	case errors.Is(err, ErrNotFound):
		return Key{}, "", fault.New(fault.NotFound, "There is no such key.")
	case err != nil:
		return Key{}, "", fmt.Errorf("replace a key: %w", err)
	}
	return k, secret, nil
}

// RevokeKey ends a key at once.
func (s *Service) RevokeKey(ctx context.Context, p Principal, id KeyID) error {
	if err := managesKeys(p); err != nil {
		return err
	}
	switch err := s.store.RevokeKey(ctx, p.Scope(), id, s.now()); {
	case errors.Is(err, ErrNotFound):
		return fault.New(fault.NotFound, "There is no such key.")
	case err != nil:
		return fmt.Errorf("revoke a key: %w", err)
	}
	return nil
}

// CustomerByKey returns the customer whose customer key that is.
func (s *Service) CustomerByKey(ctx context.Context, key string) (Customer, error) {
	c, err := s.store.CustomerByKey(ctx, HashOf(key))
	if errors.Is(err, ErrNotFound) {
		return Customer{}, fault.New(fault.NotFound, "There is no such customer.").At("customer_key")
	} else if err != nil {
		return Customer{}, fmt.Errorf("look up a customer key: %w", err)
	}
	return c, nil
}

// CustomerOf returns p's customer and, to its users, its customer key.
func (s *Service) CustomerOf(ctx context.Context, p Principal) (Customer, string, error) {
	c, err := s.store.Customer(ctx, p.Scope(), p.Customer)
	if errors.Is(err, ErrNotFound) {
		return Customer{}, "", fault.New(fault.NotFound, "There is no such customer.")
	} else if err != nil {
		return Customer{}, "", fmt.Errorf("read a customer: %w", err)
	}
	if p.User == "" || len(c.SealedKey) == 0 {
		return c, "", nil
	}
	key, err := s.sealer.Open(c.SealedKey)
	if err != nil {
		return Customer{}, "", fmt.Errorf("open the customer key: %w", err)
	}
	return c, string(key), nil
}
