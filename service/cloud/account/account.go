package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/permission"
)

// Customer is a group of users and meters, isolated from all others. A customer that a user made has that user's id: its object is
// that user's, with more said of it.
type Customer struct {
	ID      CustomerID
	Name    string
	Owner   UserID
	Contact Contact
	// KeyHash finds the customer by its key, SealedKey lets its users see the key again.
	KeyHash   Hash
	SealedKey []byte
	Created   logdb.Millis
}

// Contact is whom to ask at a customer, and where it is.
type Contact struct{ First, Last, Email, Phone, Address string }

// User is somebody who logs in. A user belongs to one customer, or to none: who waits to be let in, or was turned away.
type User struct {
	ID           UserID
	Customer     CustomerID
	Name         string
	PasswordHash []byte
	Permissions  permission.Set // granted besides those of the roles
	Disabled     bool
	Created      logdb.Millis

	Email, First, Last, Phone string
	// Applied is the customer that the user waits for, since AppliedAt.
	Applied   CustomerID
	AppliedAt logdb.Millis
	// ByFacility holds the user to meters of Facilities.
	ByFacility bool
	Facilities []FacilityID
	// Banned keeps a user out as Disabled does, and only the administrator of the system takes it back.
	Banned    logdb.Millis
	BannedWhy string
	LastLogin logdb.Millis

	Owner  bool     // of the customer
	Roles  []RoleID // given, the owner's not among them
	Custom []Role   // those of Roles that people made
}

// Session is a login. Its token is known only to who logged in.
type Session struct {
	Token    Hash
	User     UserID
	Created  logdb.Millis
	Expires  logdb.Millis
	LastUsed logdb.Millis
}

// Key lets a program in: a manager, a meter, a script. It is shown once.
type Key struct {
	ID          KeyID
	Customer    CustomerID
	Name        string
	Hash        Hash
	Permissions permission.Set
	Meter       logdb.MeterUID // "" for all meters of the customer
	CreatedBy   string
	Maker       UserID // who made it; see Service.holds
	Created     logdb.Millis
	LastUsed    logdb.Millis // to the minute
	Revoked     logdb.Millis // 0: valid; in the future: valid until then
}

// Hash is the SHA-256 of a random secret. Secrets of 256 random bits need no slow hash.
type Hash [sha256.Size]byte

// HashOf hashes a secret.
func HashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// The errors of stores.
var (
	// ErrNotFound marks something that is not there, or not in the scope.
	ErrNotFound = errors.New("no such account")
	// ErrExists marks a name or id that is taken.
	ErrExists = errors.New("the account exists already")
	// ErrNoFacility marks a facility that is not there, or not in the scope.
	ErrNoFacility = errors.New("no such facility")
	// ErrLastAdmin marks what would leave the node without an administrator of the system who can log in.
	ErrLastAdmin = errors.New("the last administrator of the system")
	// ErrFull marks a list that takes no more.
	ErrFull = errors.New("too many wait already")
)

// Store keeps accounts. Every method is one transaction.
type Store interface {
	// Bootstrap creates a customer with its first user and keys, unless there is a user
	// already: then nothing is stored and the error is ErrExists.
	Bootstrap(ctx context.Context, c Customer, u User, keys []Key) error
	HasUsers(ctx context.Context) (bool, error)
	// UserByName and User are what a login and a session need, before there is a scope.
	UserByName(ctx context.Context, name string) (User, error)
	User(ctx context.Context, id UserID) (User, error)
	CreateUser(ctx context.Context, s Scope, u User) error
	SetPassword(ctx context.Context, s Scope, id UserID, hash []byte) error
	// SetDisabled ends the user's sessions too when it disables.
	SetDisabled(ctx context.Context, s Scope, id UserID, disabled bool) error
	// NoteLogin keeps when a user logged in last.
	NoteLogin(ctx context.Context, id UserID, at logdb.Millis) error

	CustomerStore
	UserStore
	RoleStore
	FacilityStore
	JoinStore
	PasswordStore

	CreateSession(ctx context.Context, s Session) error
	Session(ctx context.Context, token Hash) (Session, error)
	TouchSession(ctx context.Context, token Hash, at logdb.Millis) error
	DeleteSession(ctx context.Context, token Hash) error
	// DropSessions removes those that ended before now or were idle since idleSince.
	DropSessions(ctx context.Context, now, idleSince logdb.Millis) error

	CreateKey(ctx context.Context, s Scope, k Key) error
	KeyByHash(ctx context.Context, h Hash) (Key, error)
	Key(ctx context.Context, s Scope, id KeyID) (Key, error)
	// ReplaceKey stores k and ends another key of the scope at a time; own says that this one asked for it. When it is ending already it
	// may do so only if it did so before and that key was never used, which then ends; else ErrExists.
	ReplaceKey(ctx context.Context, s Scope, old KeyID, ends logdb.Millis, k Key, own bool) error
	// Keys lists so many keys of the scope that have not ended at now, behind a place.
	Keys(ctx context.Context, s Scope, now logdb.Millis, after KeyPlace, limit int) ([]Key, error)
	TouchKey(ctx context.Context, id KeyID, at logdb.Millis) error
	RevokeKey(ctx context.Context, s Scope, id KeyID, at logdb.Millis) error
}

// Sealer keeps secrets that must be shown again.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Config sets an account service. The zero value works.
type Config struct {
	// BcryptCost is 12 by default; tests take the lowest, 4.
	BcryptCost int
	// HashParallel is the most password checks at a time, two a core by default.
	HashParallel int
	// SessionLife is how long a login lasts (7 days by default), SessionIdle how long
	// it lasts unused (1 day).
	SessionLife, SessionIdle time.Duration
	// Registration is one of the ways in which people make accounts for themselves; join by default.
	Registration string
	// PublicURL is where people reach the node, for links in letters; without a slash at its end.
	PublicURL string
	Now       func() time.Time
	Logger    *slog.Logger
}

// Service is the rules of accounts.
type Service struct {
	store  Store
	sealer Sealer
	hasher *hasher
	cfg    Config
	byPair *limiter
	byUser *limiter
	byAddr *limiter

	byJoin    *limiter // accounts made from an address
	byLook    *limiter // invitations that are looked at from an address
	byForgot  *limiter // words of forgotten passwords from an address
	byWish    *limiter // the same for one user name
	byInviter *limiter // invitations of a customer

	mu    sync.Mutex
	setup Hash // of the one-time set-up token; zero when there is none
}

// New returns the accounts in store. sealer keeps customer keys readable for their users.
func New(store Store, sealer Sealer, cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.SessionLife <= 0 {
		cfg.SessionLife = 7 * 24 * time.Hour
	}
	if cfg.SessionIdle <= 0 {
		cfg.SessionIdle = 24 * time.Hour
	}
	if cfg.Registration == "" {
		cfg.Registration = RegisterJoin
	}
	h, err := newHasher(cfg.BcryptCost, cfg.HashParallel)
	if err != nil {
		return nil, err
	}
	return &Service{
		store: store, sealer: sealer, hasher: h, cfg: cfg,
		byPair: newLimiter(loginsPerPair), byUser: newLimiter(loginsPerUser), byAddr: newLimiter(loginsPerAddress),
		byJoin: newLimiter(joinsPerAddress), byForgot: newLimiter(forgotPerAddress), byLook: newLimiter(joinsPerAddress), byWish: newLimiter(forgotPerUser), byInviter: newLimiter(invitationsPerCustomer),
	}, nil
}

func (s *Service) now() logdb.Millis { return logdb.MillisOf(s.cfg.Now()) }

// newSecret makes a secret of 256 random bits with a prefix that tells what it is.
func newSecret(prefix string) string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program rather than return an error
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// newID makes a random id, which is no secret.
func newID() string {
	var b [10]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
