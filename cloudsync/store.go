package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// ErrNoDestination is returned for a destination that is not configured.
var ErrNoDestination = errors.New("no such cloud destination")

// ErrNoSuchCloud is the ErrNoDestination of a cloud that was named.
var ErrNoSuchCloud = fmt.Errorf("no cloud of that name: %w", ErrNoDestination)

// DestinationID numbers the clouds that this node uploads to.
type DestinationID int64

// Secret is a password, key or token; it never shows itself.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Destination is one cloud with the credentials of this node there.
type Destination struct {
	ID       DestinationID
	Name     string
	Enabled  bool   // etheria.client~enabled
	Host     string // etheria.client~host; with or without http:// or https://
	Port     int    // etheria.client~port; 0: of the scheme
	RootPath string // etheria.client~rootpath
	Location string // cloud.location
	Customer string // cloud.customer
	User     string // cloud.user.name, etheria.client~user
	Password Secret // cloud.user.pass, etheria.client~password
	APIKey   Secret // cloud.apikey
	Token    Secret // of the last login; preferred to the password while it lasts
	Expires  logdb.Millis
	// Fingerprint is the only certificate that the cloud may have, or that of its authority; "": one that this machine
	// trusts anyway.
	Fingerprint string
	// ManualRegister switches off that meters are registered and upload without being asked.
	ManualRegister bool
	// DrainRate is how many pages a minute of historical data and of waveforms that have waited are sent, each; 0: as
	// many as the cloud takes. The newest rows and other events do not count.
	DrainRate int
	// OwnOnly leaves out what others sent to this node.
	OwnOnly bool
	// Channels are the historical channels to upload; nil means all.
	Channels []logdb.ChannelKey
	// Limits are the limitor's numbers; nil means logdb.DefaultLimits.
	Limits *logdb.Limits
}

// URL returns the address of the cloud, "" without a host. A host without a scheme is spoken to by https.
func (d Destination) URL() string {
	if d.Host == "" {
		return ""
	}
	u := d.Host
	if !strings.Contains(u, "://") {
		u = "https://" + u
	}
	u = strings.TrimRight(u, "/")
	if d.Port != 0 {
		u += ":" + strconv.Itoa(d.Port)
	}
	if root := strings.Trim(d.RootPath, "/"); root != "" {
		u += "/" + root
	}
	return u
}

func (d *Destination) limits() logdb.Limits {
	if d.Limits == nil {
		return logdb.DefaultLimits()
	}
	return *d.Limits
}

// MeterConfig is one meter's settings for one destination.
type MeterConfig struct {
	Meter         logdb.MeterUID
	CloudUID      logdb.MeterUID // cloud.meter.uid; "": not registered
	Enabled       bool           // cloud.meter.enabled
	UploadEnabled bool           // cloud.meter.upload.enabled
	// Registered is the digest of the settings that the cloud was told last.
	Registered logdb.Digest
	// Parked says why the cloud refused the meter or its data as invalid, "" when it did not. It is
	// tried again as rarely as sets are compared.
	Parked string
}

// StoredStream is a stream with the state of its decisions.
type StoredStream struct {
	reduce.Stream
	Row   int64 // of the store
	State reduce.State
	// End and Chain are the journal's when this stream decided last: a journal that does not have
	// that chain there is another one.
	End   logdb.Position
	Chain logdb.Digest
}

// EndedStream is a stream that a destination had and has not any more; others may have it still.
type EndedStream struct {
	ID     logdb.StreamID
	Policy reduce.Policy
	Last   logdb.Position // the journal's end when it decided last
}

// Cut is the part of a stream's name that says which part of the journal it carries.
func (s *StoredStream) Cut() string {
	_, cut, _ := strings.Cut(s.ID.Policy, "+")
	return cut
}

// StreamKey names the streams of one journal for one destination.
type StreamKey struct {
	Destination DestinationID
	Meter       logdb.MeterUID
	Kind        logdb.Kind
	Journal     logdb.JournalID
}

// Store keeps what must survive a restart. Every method that writes is one transaction.
type Store interface {
	// Destinations lists the destinations by number.
	Destinations(ctx context.Context) ([]Destination, error)
	// PutDestination stores d, with a new number when it has none, and returns it. One for which nothing was decided yet takes up what was
	// decided for a removed one of its address.
	PutDestination(ctx context.Context, d Destination) (Destination, error)
	// DeleteDestination removes a destination with its meters and secrets; what was decided for it stays, see PutDestination.
	DeleteDestination(ctx context.Context, d DestinationID) error
	// MeterConfigs lists the meters of a destination, sorted by UID.
	MeterConfigs(ctx context.Context, d DestinationID) ([]MeterConfig, error)
	// PutMeterConfig stores the settings of one meter.
	PutMeterConfig(ctx context.Context, d DestinationID, c MeterConfig) error
	// Streams returns the streams of a journal in the order in which they were opened.
	Streams(ctx context.Context, k StreamKey) ([]*StoredStream, error)
	// Turn closes the open streams in closed at their Closed position and opens those in opened,
	// giving them their Row. The fates they come with are stored.
	Turn(ctx context.Context, k StreamKey, closed, opened []*StoredStream) error
	// Decide stores a decision of stream s, with the journal's end and chain at that time.
	Decide(ctx context.Context, k StreamKey, s *StoredStream, d reduce.Decision, head logdb.JournalHead) error
	// PutRequested stores the sets Asked, Whole, Fetched and Refused of s as they are, and changes the fates of those in fates.
	PutRequested(ctx context.Context, s *StoredStream, fates *logdb.FateSet) error
	// Owner returns whose streams a destination uses for a journal: its own number unless Share was called.
	Owner(ctx context.Context, k StreamKey) (DestinationID, error)
	// Owners lists the destinations that have streams of their own of a journal.
	Owners(ctx context.Context, k StreamKey) ([]DestinationID, error)
	// Sharers lists the destinations that use the streams of k.Destination, itself aside.
	Sharers(ctx context.Context, k StreamKey) ([]DestinationID, error)
	// Share lets k.Destination, which has none of its own, use the streams of owner.
	Share(ctx context.Context, k StreamKey, owner DestinationID) error
	// Part gives k.Destination, which shares its streams with others, a copy that nobody else uses.
	Part(ctx context.Context, k StreamKey) error
	// Ends lists the journal's ends at the time of the decisions, of all destinations.
	Ends(ctx context.Context, k StreamKey) ([]logdb.End, error)
	// Rename gives the streams of k.Destination, which nobody else uses, the names that they bear in streams. The names of before are ended.
	Rename(ctx context.Context, k StreamKey, streams []*StoredStream) error
	// Ended lists the streams of a journal of which the last destination was removed, or gave them other names.
	Ended(ctx context.Context, k StreamKey) ([]EndedStream, error)
	// Counts returns the limit counts of a cut whose spans begin in [first, last].
	Counts(ctx context.Context, k StreamKey, cut string, first, last logdb.Millis) (limit.Counts, error)
	// Changes returns the revises and withdraws of the targets first to last, by target and position.
	Changes(ctx context.Context, journal logdb.JournalID, first, last logdb.Position) ([]reduce.Change, error)
	// Gone reports whether DropJournals has forgotten the journal: it has another id now, unless the log database is an old one.
	Gone(ctx context.Context, k StreamKey) (bool, error)
	// DropJournals forgets every stream of a meter and kind whose journal is not k.Journal.
	DropJournals(ctx context.Context, k StreamKey) error
	// Items returns the stored parts of the info cache of a destination by name.
	Items(ctx context.Context, d DestinationID) (map[string]Item, error)
	// PutItem stores a part of the info cache.
	PutItem(ctx context.Context, d DestinationID, name string, item Item) error
}

// Item is a part of the info cache with the time at which it was true.
type Item struct {
	Value   []byte
	Updated logdb.Millis
}
