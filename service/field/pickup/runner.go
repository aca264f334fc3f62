package pickup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/anyfile"
)

// The errors of the list.
var (
	ErrInvalid  = errors.New("invalid pickup of files")
	ErrNotFound = errors.New("no such pickup of files")
)

// Folder is a place whose files are about one meter.
type Folder struct {
	ID    string         `json:"id"`
	Meter logdb.MeterUID `json:"meter_uid"`
	// Path is watched: of an FTP server it is where its files are put first, made by itself.
	Path string `json:"folder"`
	// FTP is ftp://user@host:port/folder, "" for none; PasswordFile holds the password of the user.
	FTP          string   `json:"ftp,omitempty"`
	PasswordFile string   `json:"password_file,omitempty"`
	Zone         string   `json:"time_zone,omitempty"` // of times that carry none
	Map          []string `json:"map,omitempty"`       // NAME=KEY: what channels are called here
	Primary      bool     `json:"primary,omitempty"`
	EverySeconds int      `json:"every_s"`
}

// Status is what became of the files of a place since the program was started.
type Status struct {
	Folder
	Looked    logdb.Millis `json:"looked_ms,omitempty"`
	Next      logdb.Millis `json:"next_ms,omitempty"`
	Taken     int64        `json:"taken"`
	Refused   int64        `json:"refused"`
	Stored    int64        `json:"stored"` // records
	Repeats   int64        `json:"repeats"`
	LastFile  string       `json:"last_file,omitempty"`
	LastError string       `json:"last_error,omitempty"`
	ErrorAt   logdb.Millis `json:"error_ms,omitempty"`
}

// State is where the list survives restarts, and which files of an FTP server were fetched.
type State interface {
	Pickups(ctx context.Context) ([]Folder, error)
	PutPickup(ctx context.Context, f Folder) error
	DeletePickup(ctx context.Context, id string) error
	Fetched(ctx context.Context, id string) (map[string]string, error)
	PutFetched(ctx context.Context, id, name, mark string) error
}

// Store takes pages without positions and tells repeats by content.
type Store interface {
	Accept(ctx context.Context, p logdb.Page, limits logdb.Limits) (logdb.Receipt, error)
}

// Config tunes a Runner. The zero value works.
type Config struct {
	// OnNewData is told after records of a meter were stored.
	OnNewData func(logdb.MeterUID)
	// Password returns what the PasswordFile of a folder names; nil: what that file holds.
	Password func(ctx context.Context, place string) (string, error)
	// Settle is how long a file must not have changed before it is taken; 5 s.
	Settle time.Duration
	// Room tells whether there is room for records; nil: always.
	Room   func() error
	Now    func() time.Time
	Logger *slog.Logger
}

// source is who the records come from, to tell repeats: the same file twice, by whatever way.
const source = "files"

// The bounds of how often a place is looked at.
const (
	leastEvery   = 5 * time.Second
	defaultEvery = 30 * time.Second
)

// Runner watches places and takes in what they hold. Run must run.
type Runner struct {
	store Store
	state State
	cfg   Config
	kick  chan struct{}

	mu    sync.Mutex
	list  []*Status
	reads map[string]bool // places that are being looked at

	// Of Run, by place:
	seen   map[string]rests
	listed map[string]rests // at the FTP server
	moved  map[string][]moved
}

// New reads the list.
func New(ctx context.Context, store Store, state State, cfg Config) (*Runner, error) {
	if cfg.OnNewData == nil {
		cfg.OnNewData = func(logdb.MeterUID) {}
	}
	if cfg.Room == nil {
		cfg.Room = func() error { return nil }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Settle <= 0 {
		cfg.Settle = 5 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	list, err := state.Pickups(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the list of folders: %w", err)
	}
	r := &Runner{store: store, state: state, cfg: cfg, kick: make(chan struct{}, 1), reads: map[string]bool{}, seen: map[string]rests{}, listed: map[string]rests{}, moved: map[string][]moved{}}
	for _, f := range list {
		r.list = append(r.list, &Status{Folder: f})
	}
	return r, nil
}

// Run looks at every place in its time until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	for {
		next := r.due(ctx)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.kick:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// due looks at the places whose time has come and returns how long it is until the next.
func (r *Runner) due(ctx context.Context) time.Duration {
	r.mu.Lock()
	list := slices.Clone(r.list)
	r.mu.Unlock()
	wait := time.Minute
	for _, st := range list {
		if ctx.Err() != nil {
			return 0
		}
		r.mu.Lock()
		f := st.Folder
		every := time.Duration(f.EverySeconds) * time.Second
		left := st.Next.Time().Sub(r.cfg.Now())
		if left > every { // the clock was set back
			left = 0
		}
		r.mu.Unlock()
		if left <= 0 {
			left = every
			if soon := r.look(ctx, st, f); soon {
				left = min(left, r.cfg.Settle)
			}
		}
		wait = min(wait, left)
	}
	return max(wait, 100*time.Millisecond)
}

// look takes in what a place holds now. It returns whether another look may find more soon.
func (r *Runner) look(ctx context.Context, st *Status, f Folder) (soon bool) {
	soon, err := r.take(ctx, st, f)
	now := logdb.MillisOf(r.cfg.Now())
	next := now + logdb.Millis(f.EverySeconds)*1000
	if soon {
		next = min(next, now+logdb.Millis(r.cfg.Settle.Milliseconds()))
	}
	r.mu.Lock()
	st.Looked, st.Next = now, next
	before := st.LastError
	switch {
	case ctx.Err() != nil:
	case err != nil:
		st.LastError, st.ErrorAt = err.Error(), now
	case st.ErrorAt > 0:
		st.LastError, st.ErrorAt = "", 0
	}
	text := st.LastError
	r.mu.Unlock()
	if text != before && text != "" {
		r.cfg.Logger.Warn("files cannot be picked up", "meter", string(f.Meter), "folder", f.Path, "err", text)
	}
	return soon
}

func (r *Runner) take(ctx context.Context, st *Status, f Folder) (soon bool, err error) {
	if err := r.cfg.Room(); err != nil {
		return false, err
	}
	var fetchErr error
	if f.FTP != "" {
		if err := os.MkdirAll(f.Path, 0o755); err != nil {
			return false, err
		}
		soon, fetchErr = r.fetch(ctx, f) // what was fetched before is taken in all the same
	}
	left, back, backErr := regrown(f.Path, r.moved[f.ID], time.Now(), r.cfg.Now())
	r.moved[f.ID] = left
	for _, name := range back {
		r.cfg.Logger.Info("a file grew after it was read", "meter", string(f.Meter), "file", name)
	}
	list, seen, more, err := candidates(f.Path, r.seen[f.ID], r.cfg.Settle, time.Now())
	if err != nil {
		return soon, errors.Join(fetchErr, backErr, err)
	}
	r.seen[f.ID] = seen
	for _, c := range list {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err := r.file(ctx, st, f, c); err != nil {
			return soon || more, errors.Join(fetchErr, backErr, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return soon || more, errors.Join(fetchErr, backErr)
}

// putAside moves a file that was read, and has it watched.
func (r *Runner) putAside(f Folder, folder string, c candidate) error {
	prefix, err := move(f.Path, filepath.Join(f.Path, folder), c.parts, r.cfg.Now())
	if err != nil {
		return err
	}
	r.moved[f.ID] = append(r.moved[f.ID], moved{c, folder, prefix, time.Now()})
	return nil
}

// file takes in one file. An error means that it stays, to be tried again; a file that cannot be read is put aside.
func (r *Runner) file(ctx context.Context, st *Status, f Folder, c candidate) error {
	if c.quiet < restComes*r.cfg.Settle {
		if open, err := c.openEnded(f.Path); open || err != nil {
			return err
		}
	}
	content, err := f.content(ctx, filepath.Join(f.Path, c.name))
	if c.changed(func(p string) string { return filepath.Join(f.Path, p) }) {
		return nil // while it was read: the next look finds it anew
	}
	var bad *format.Error
	if errors.As(err, &bad) {
		return r.refuse(st, f, c, bad.Error())
	}
	if err != nil {
		return err
	}
	pages, said := anyfile.Pages(content)
	if len(pages) == 0 {
		return r.refuse(st, f, c, strings.Join(said, "; "))
	}
	var sum logdb.Receipt
	for i := range pages {
		pages[i].Meter, pages[i].Source = f.Meter, source
		receipt, err := r.store.Accept(ctx, pages[i], logdb.Limits{})
		if errors.Is(err, logdb.ErrInvalid) {
			return r.refuse(st, f, c, err.Error())
		}
		if err != nil {
			return err
		}
		sum.Stored, sum.Repeats = sum.Stored+receipt.Stored, sum.Repeats+receipt.Repeats
	}
	if err := r.putAside(f, doneFolder, c); err != nil {
		return fmt.Errorf("it is taken in, but cannot be moved to %s: %w", doneFolder, err)
	}
	r.mu.Lock()
	st.Taken, st.LastFile = st.Taken+1, c.name
	st.Stored, st.Repeats = st.Stored+int64(sum.Stored), st.Repeats+int64(sum.Repeats)
	r.mu.Unlock()
	r.cfg.Logger.Info("took in a file", "meter", string(f.Meter), "file", c.name, "count", sum.Stored, "repeats", sum.Repeats)
	if sum.Stored > 0 {
		r.cfg.OnNewData(f.Meter)
	}
	return nil
}

// refuse puts a file aside, with the reason in a file of its own beside it.
func (r *Runner) refuse(st *Status, f Folder, c candidate, why string) error {
	if err := r.putAside(f, refusedFolder, c); err != nil {
		return fmt.Errorf("%s; and it cannot be put aside: %w", why, err)
	}
	if err := os.WriteFile(filepath.Join(f.Path, refusedFolder, c.name+reasonEnd), []byte(why+"\n"), 0o644); err != nil {
		return fmt.Errorf("note why %s was refused: %w", c.name, err)
	}
	r.mu.Lock()
	st.Refused, st.LastFile = st.Refused+1, c.name
	r.mu.Unlock()
	r.cfg.Logger.Warn("refused a file", "meter", string(f.Meter), "file", c.name, "err", why)
	return nil
}

// List returns the places with what became of their files.
func (r *Runner) List() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Status, len(r.list))
	for i, s := range r.list {
		out[i] = *s
	}
	return out
}

// Add puts a place on the list and looks at it at once.
func (r *Runner) Add(ctx context.Context, f Folder) (Status, error) {
	if err := f.check(); err != nil {
		return Status{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.list {
		if o.Path == f.Path {
			return Status{}, fmt.Errorf("%w: %s is watched for meter %s", ErrInvalid, f.Path, o.Meter)
		}
	}
	f.ID = strings.ToLower(rand.Text()[:8])
	if err := r.state.PutPickup(ctx, f); err != nil {
		return Status{}, fmt.Errorf("store the folder: %w", err)
	}
	st := &Status{Folder: f}
	r.list = append(r.list, st)
	r.soon()
	return *st, nil
}

// Remove takes a place off the list. Its files stay.
func (r *Runner) Remove(ctx context.Context, id string) (Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.list, func(s *Status) bool { return s.ID == id })
	if i < 0 {
		return Status{}, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	if err := r.state.DeletePickup(ctx, id); err != nil {
		return Status{}, fmt.Errorf("remove the folder: %w", err)
	}
	out := *r.list[i]
	r.list = slices.Delete(r.list, i, i+1)
	return out, nil
}

func (r *Runner) soon() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

func (f *Folder) check() error {
	if f.EverySeconds == 0 {
		f.EverySeconds = int(defaultEvery / time.Second)
	}
	switch {
	case !filepath.IsAbs(f.Path):
		return fmt.Errorf("%w: folder %q, want a whole path", ErrInvalid, f.Path)
	case f.EverySeconds < int(leastEvery/time.Second) || f.EverySeconds > 86_400:
		return fmt.Errorf("%w: every %d s, want %d to 86400", ErrInvalid, f.EverySeconds, int(leastEvery/time.Second))
	}
	f.Path = filepath.Clean(f.Path)
	if f.Zone != "" {
		if _, err := time.LoadLocation(f.Zone); err != nil || f.Zone == "Local" {
			return fmt.Errorf("%w: time zone %q, want an IANA name such as Europe/Berlin", ErrInvalid, f.Zone)
		}
	}
	for _, x := range f.Map {
		name, key, ok := strings.Cut(x, "=")
		if !ok || name == "" || key == "" {
			return fmt.Errorf("%w: map %q, want NAME=KEY", ErrInvalid, x)
		}
	}
	if f.FTP == "" {
		if info, err := os.Stat(f.Path); err != nil || !info.IsDir() {
			return fmt.Errorf("%w: %s is no folder here", ErrInvalid, f.Path)
		}
		return nil
	}
	u, err := url.Parse(f.FTP)
	if err != nil || u.Scheme != "ftp" || u.Hostname() == "" || u.RawQuery != "" {
		return fmt.Errorf("%w: ftp %q, want ftp://user@host/folder", ErrInvalid, f.FTP)
	}
	if _, has := u.User.Password(); has {
		return fmt.Errorf("%w: the password does not belong into the address, but into a file that only this service may read (password_file)", ErrInvalid)
	}
	return nil
}
