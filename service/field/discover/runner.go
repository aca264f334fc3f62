package discover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// ErrBusy: one scan at a time.
var ErrBusy = errors.New("a scan is under way")

// The states of a scan.
const (
	StateNone      = "none" // there was none yet
	StateRunning   = "running"
	StateDone      = "done"
	StateCancelled = "cancelled"
	StateFailed    = "failed"
)

// Status is the scan that is under way, or the last one.
type Status struct {
	State    string           `json:"state"`
	Request  Request          `json:"request"`
	By       string           `json:"by,omitempty"` // who asked for it
	Started  logdb.Millis     `json:"started_ms,omitempty"`
	Ended    logdb.Millis     `json:"ended_ms,omitempty"`
	AtMostMS int64            `json:"at_most_ms,omitempty"` // how long it takes when nothing answers
	Progress Progress         `json:"progress"`
	Found    []api.Discovered `json:"found"` // in the order of addresses and units
	Error    string           `json:"error,omitempty"`
}

// Runner carries out one scan at a time and keeps the result of the last one, also over a restart. Run must run.
type Runner struct {
	scanner *Scanner
	file    string // "": the result is not kept
	now     func() time.Time
	orders  chan *Scan

	mu     sync.Mutex
	status Status
	cancel context.CancelFunc // of the scan under way
}

// NewRunner reads the last result from a file, if there is one.
func NewRunner(s *Scanner, file string, now func() time.Time) *Runner {
	if now == nil {
		now = time.Now
	}
	r := &Runner{scanner: s, file: file, now: now, orders: make(chan *Scan), status: Status{State: StateNone, Found: []api.Discovered{}}}
	data, err := os.ReadFile(file)
	var last Status
	switch {
	case errors.Is(err, fs.ErrNotExist), file == "":
		return r
	case err == nil:
		err = json.Unmarshal(data, &last)
	}
	if err != nil {
		s.Logger.Warn("the result of the last scan cannot be read", "err", err)
		return r
	}
	if last.State == StateRunning { // the program ended meanwhile
		last.State = StateCancelled
	}
	if last.Found == nil {
		last.Found = []api.Discovered{}
	}
	r.status = last
	return r
}

// Run carries out what Start orders until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-r.orders:
			r.scan(ctx, s)
		}
	}
}

// Start begins a scan and returns at once.
func (r *Runner) Start(ctx context.Context, q Request, by string) (Status, error) {
	s, err := Plan(q)
	if err != nil {
		return Status{}, err
	}
	r.mu.Lock()
	if r.status.State == StateRunning {
		r.mu.Unlock()
		return Status{}, fmt.Errorf("%w since %s", ErrBusy, r.status.Started)
	}
	before := r.status
	r.status = Status{
		State: StateRunning, Request: q, By: by, Started: logdb.MillisOf(r.now()), AtMostMS: s.AtMost().Milliseconds(),
		Progress: Progress{Addresses: s.Addresses()}, Found: []api.Discovered{},
	}
	out := r.status
	r.mu.Unlock()
	select {
	case r.orders <- s:
		return out, nil
	case <-ctx.Done():
		r.mu.Lock()
		r.status = before
		r.mu.Unlock()
		return Status{}, ctx.Err()
	}
}

// Status returns the scan under way, or the last one.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.status
	out.Found = slices.Clone(out.Found)
	return out
}

// Cancel ends the scan under way; what was found stays.
func (r *Runner) Cancel() Status {
	r.mu.Lock()
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	return r.Status()
}

func (r *Runner) scan(ctx context.Context, s *Scan) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	r.cancel = cancel
	r.mu.Unlock()
	err := r.scanner.Run(ctx, s, func(f api.Discovered) {
		r.mu.Lock()
		defer r.mu.Unlock()
		i, _ := slices.BinarySearchFunc(r.status.Found, f, inOrder)
		r.status.Found = slices.Insert(r.status.Found, i, f)
	}, func(p Progress) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.status.Progress = p
	})
	r.mu.Lock()
	r.cancel = nil
	r.status.Ended = logdb.MillisOf(r.now())
	switch {
	case err == nil:
		r.status.State = StateDone
	case errors.Is(err, context.Canceled):
		r.status.State = StateCancelled
	default:
		r.status.State, r.status.Error = StateFailed, fmt.Sprintf("it took more than %s and was ended", maxTime)
	}
	st := r.status
	r.mu.Unlock()
	r.scanner.Logger.Info("scanned for meters", "by", st.By, "ranges", strings.Join(st.Request.Ranges, ","), "lines", strings.Join(st.Request.Lines, ","),
		"result", st.State, "addresses", st.Progress.Done, "open", st.Progress.Open, "units", st.Progress.Asked, "found", len(st.Found))
	if err := r.keep(st); err != nil {
		r.scanner.Logger.Warn("the result of a scan cannot be kept", "err", err)
	}
}

// inOrder sorts by address, the numbers in it as numbers, then by unit.
func inOrder(a, b api.Discovered) int {
	if c := compareAddresses(a.Address, b.Address); c != 0 {
		return c
	}
	return a.Unit - b.Unit
}

func compareAddresses(a, b string) int {
	for a != "" && b != "" {
		x, y := leadingNumber(a), leadingNumber(b)
		if x != "" && y != "" {
			if len(x) != len(y) {
				return len(x) - len(y)
			}
			if c := strings.Compare(x, y); c != 0 {
				return c
			}
			a, b = a[len(x):], b[len(y):]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func leadingNumber(s string) string {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}

// keep writes the result beside the file and puts it in its place.
func (r *Runner) keep(st Status) error {
	if r.file == "" {
		return nil
	}
	data, err := json.MarshalIndent(st, "", "\t")
	if err != nil {
		return err
	}
	tmp := r.file + ".tmp"
	if err := os.WriteFile(filepath.Clean(tmp), data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, r.file)
}
