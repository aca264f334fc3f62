package device

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"metermanager/logdb"
)

// ErrProfile marks a profile that breaks a rule; it is refused whole.
var ErrProfile = errors.New("invalid meter profile")

// MaxProfileBytes and MaxPoints bound a profile.
const (
	MaxProfileBytes = 1 << 20
	MaxPoints       = 2000
)

// Addr is a zero-based PDU address; JSON holds a number or a string such as "0x03E7".
type Addr uint16

// UnmarshalJSON reads 999, "999" or "0x03E7".
func (a *Addr) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	n, err := strconv.ParseUint(s, 0, 16)
	if err != nil {
		return fmt.Errorf("%w: address %s, want 0 to 65535", ErrProfile, b)
	}
	*a = Addr(n)
	return nil
}

// MarshalJSON writes the hexadecimal form.
func (a Addr) MarshalJSON() ([]byte, error) { return []byte(`"` + a.String() + `"`), nil }

// String returns the form of the manuals, e.g. 0x03E7.
func (a Addr) String() string { return fmt.Sprintf("0x%04X", uint16(a)) }

// Profile describes one type of meter. It is data: see assets/profiles.
type Profile struct {
	Schema      int    `json:"schema"`
	ID          string `json:"id"`
	Vendor      string `json:"vendor"`
	Model       string `json:"model"`
	Source      string `json:"source"`
	Kind        string `json:"kind"` // "registers" or "sunspec"
	AddressBase int    `json:"address_base"`
	// Secondary: the meter gives readings and recordings as they are at its terminals; its energies are primary.
	Secondary  bool     `json:"secondary,omitempty"`
	Defaults   Defaults `json:"defaults"`
	Identify   []Point  `json:"identify"`
	Probe      *Probe   `json:"probe,omitempty"`
	Points     []Point  `json:"points"`
	Barriers   []Addr   `json:"barriers,omitempty"` // no request starts before and ends at or after one
	NoRead     []Hole   `json:"no_read,omitempty"`
	WriteAllow []Addr   `json:"write_allow"`
	Logs       []Log    `json:"logs"`
	Layouts    *Layouts `json:"layouts,omitempty"`
	SunSpec    *SunSpec `json:"sunspec,omitempty"`

	version string
}

// Version tells the text of the profile from every other: records that another version decoded
// may mean something else under this one.
func (p *Profile) Version() string { return p.version }

// Defaults are what holds for every request of a profile.
type Defaults struct {
	FC             byte   `json:"fc"`
	Order          string `json:"order"`
	MaxRegs        int    `json:"max_regs"`
	Gap            int    `json:"gap"`
	TimeoutMS      int    `json:"timeout_ms"`
	RequestDelayMS int    `json:"request_delay_ms"`
	Retries        int    `json:"retries"`
}

// Timeout is how long one answer may take.
func (d Defaults) Timeout() time.Duration { return time.Duration(d.TimeoutMS) * time.Millisecond }

// Hole is a range that must not be read.
type Hole struct {
	First Addr `json:"first"`
	Last  Addr `json:"last"`
}

// Probe is a read that tells this type of meter from others: a number within a range, or a text.
type Probe struct {
	FC        byte     `json:"fc"`
	Addr      Addr     `json:"addr"`
	Type      string   `json:"type"`
	Count     int      `json:"count,omitempty"`
	Scale     float64  `json:"scale,omitempty"`
	Min       *float64 `json:"min,omitempty"`
	Max       *float64 `json:"max,omitempty"`
	Equals    string   `json:"equals,omitempty"`
	Printable bool     `json:"printable,omitempty"`
}

// Log is one log in the meter's memory.
type Log struct {
	Name         string      `json:"name"`
	Kind         string      `json:"kind"`
	Log          logdb.LogNo `json:"log"`
	Family       string      `json:"family"`
	Number       byte        `json:"number"`
	StatusAddr   Addr        `json:"status_addr"`
	Record       string      `json:"record"`
	SettingsAddr Addr        `json:"settings_addr,omitempty"`
	NeedsFC23    bool        `json:"needs_fc23,omitempty"`
	Unverified   bool        `json:"unverified,omitempty"`
	// Ring is where a log of the family eig-ring lies, Samples the memory of a waveform log's samples beside that of its triggers, and
	// SizeAddr where the record size of a historical log is programmed.
	Ring     *RingAddrs `json:"ring,omitempty"`
	Samples  *RingAddrs `json:"samples,omitempty"`
	SizeAddr Addr       `json:"size_addr,omitempty"`
}

// LogKind returns the kind of the log's journal.
func (l Log) LogKind() logdb.Kind {
	k, err := logdb.ParseKind(l.Kind)
	if err != nil {
		return 0
	}
	return k
}

// The names of the record decoders of Log.Record.
const (
	RecordHistory  = "eig-hist"
	RecordAlarm    = "eig-alarm-10"
	RecordPQ       = "eig-pq"
	RecordWaveform = "eig-wave-970"
	RecordSystem   = "eig-system-14"
	RecordIO       = "eig-io-10"

	RecordRingHistory  = "nexus-hist"
	RecordRingLimit    = "nexus-limit-32"
	RecordRingPQ       = "nexus-pq-128"
	RecordRingWaveform = "nexus-wave"
	RecordRingSystem   = "nexus-system-16"
	RecordRingFlicker  = "nexus-flicker-32"
	// RecordRingRaw is a record whose body no document prints: it is kept whole.
	RecordRingRaw = "nexus-raw"
)

// HasMemory reports whether the meter keeps logs of its own.
func (p *Profile) HasMemory() bool { return len(p.Logs) > 0 }

// TellsSerial reports whether the meter's serial number can be read from it.
func (p *Profile) TellsSerial() bool {
	return p.SunSpec != nil || slices.ContainsFunc(p.Identify, func(x Point) bool { return x.Name == "serial" })
}

// LogOf returns the log of that name.
func (p *Profile) LogOf(name string) (Log, bool) {
	i := slices.IndexFunc(p.Logs, func(l Log) bool { return l.Name == name })
	if i < 0 {
		return Log{}, false
	}
	return p.Logs[i], true
}

// PointAt returns the live point that starts at addr.
func (p *Profile) PointAt(addr Addr) (Point, bool) {
	i := slices.IndexFunc(p.Points, func(x Point) bool { return x.Addr == addr })
	if i < 0 {
		return Point{}, false
	}
	return p.Points[i], true
}

// PointOf returns the live point that gives channel.
func (p *Profile) PointOf(channel logdb.ChannelKey) (Point, bool) {
	i := slices.IndexFunc(p.Points, func(x Point) bool { return x.Channel == channel })
	if i < 0 {
		return Point{}, false
	}
	return p.Points[i], true
}

// Unverified lists, for people, what the profile holds by inference and not from a document.
func (p *Profile) Unverified() []string {
	var out []string
	for _, x := range p.Points {
		if x.Unverified {
			out = append(out, "register "+x.Addr.String()+" "+x.Name)
		}
	}
	for _, l := range p.Logs {
		if l.Unverified {
			out = append(out, "log "+l.Name+" address")
		}
	}
	if l := p.Layouts; l != nil && l.Ring != nil {
		out = append(out, l.Ring.unverified()...)
	} else if l != nil {
		for _, u := range []struct {
			name string
			set  bool
		}{
			{"system event names", l.System.Unverified}, {"alarm layout", l.Alarm.Unverified},
			{"PQ record layout", l.PQ.Unverified}, {"waveform scaling and triggers", l.Waveform.Unverified},
		} {
			if u.set {
				out = append(out, u.name)
			}
		}
	}
	return out
}

// UnverifiedChannels lists the channels whose place or scale is held by inference, sorted. A channel that has a verified place beside it is listed all
// the same: which of both a log records is not known.
func (p *Profile) UnverifiedChannels() []logdb.ChannelKey {
	var out []logdb.ChannelKey
	lists := [][]Point{p.Points}
	if p.SunSpec != nil {
		for _, m := range p.SunSpec.Models {
			lists = append(lists, m.Points)
		}
	}
	for _, list := range lists {
		for _, x := range list {
			if x.Unverified && x.Channel != "" {
				out = append(out, x.Channel)
			}
		}
	}
	if p.Layouts != nil && p.Layouts.Ring != nil {
		for _, x := range p.Layouts.Ring.Lines {
			if x.Unverified {
				out = append(out, x.Channel)
			}
		}
		if f := p.Layouts.Ring.Flicker; f != nil && f.Unverified {
			out = append(out, append(slices.Clone(flickerShort), flickerLong...)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Parse reads one profile. Unknown keys are errors.
func Parse(data []byte) (*Profile, error) {
	if len(data) > MaxProfileBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrProfile, len(data), MaxProfileBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var p Profile
	if err := dec.Decode(&p); err != nil {
		if errors.Is(err, ErrProfile) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: text after the profile", ErrProfile)
	}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	p.version = hex.EncodeToString(sum[:6])
	return &p, nil
}

// Set is the profiles that were loaded, by id. It may be used by many goroutines at once.
type Set struct {
	mu   sync.RWMutex
	byID map[string]*Profile
}

// LoadProfiles reads every *.json at the root of fsys. A refused file does not keep the
// others from loading: the set holds the good ones, the error names each bad one.
func LoadProfiles(fsys fs.FS) (*Set, error) {
	s := &Set{byID: map[string]*Profile{}}
	return s, s.Add(fsys)
}

// Add reads the profiles of another folder. One that has the id of a profile which is there already takes its place;
// within a folder no id may stand twice.
func (s *Set) Add(fsys fs.FS) error {
	names, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return fmt.Errorf("list profiles: %w", err)
	}
	var errs []error
	here := map[string]bool{}
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("read profile %s: %w", name, err))
			continue
		}
		p, err := Parse(data)
		if err != nil {
			errs = append(errs, fmt.Errorf("profile %s: %w", path.Base(name), err))
			continue
		}
		if here[p.ID] {
			errs = append(errs, fmt.Errorf("profile %s: %w: id %s stands twice", name, ErrProfile, p.ID))
			continue
		}
		here[p.ID] = true
		s.Put(p)
	}
	return errors.Join(errs...)
}

// Put adds a profile, in the place of one with the same id.
func (s *Set) Put(p *Profile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[p.ID] = p
}

// Get returns the profile of that id.
func (s *Set) Get(id string) (*Profile, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.byID[id]
	return p, ok
}

// IDs lists the profiles, sorted.
func (s *Set) IDs() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]string, 0, len(s.byID))
	for id := range s.byID {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// WriteList returns the exact addresses that may be written.
func (p *Profile) WriteList() []uint16 {
	out := make([]uint16, len(p.WriteAllow))
	for i, a := range p.WriteAllow {
		out[i] = uint16(a)
	}
	return out
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
