package correction

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
)

// Meters says who may do what with a meter.
type Meters interface {
	Access(ctx context.Context, p account.Principal, perm permission.Permission, uid logdb.MeterUID) (registry.Meter, error)
}

// Logs is what a correction needs of the log database.
type Logs interface {
	Streams(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error)
	Versions(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, p logdb.Position) ([]logdb.Entry, error)
	Series(ctx context.Context, meter logdb.MeterUID) ([]logdb.Series, error)
	ReadSeries(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error
	ReadStream(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, first logdb.Position, max int) (logdb.Page, error)
	Append(ctx context.Context, b logdb.Batch) (logdb.Appended, error)
	Accept(ctx context.Context, p logdb.Page, limits logdb.Limits) (logdb.Receipt, error)
}

// Config sets a service. The zero value works.
type Config struct {
	Now func() time.Time
	// Changed is told of a meter whose journal has grown.
	Changed func(logdb.MeterUID)
}

// Service corrects records of the journals that this node numbers: its own, and those that it makes for meters that post without positions. A record of another node's journal can only be corrected there: positions are
// given by one node alone (replication.md, 1).
type Service struct {
	meters Meters
	logs   Logs
	cfg    Config
	mu     sync.Mutex // one correction at a time, so that each replaces what it has seen
}

// New returns a service.
func New(meters Meters, logs Logs, cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Changed == nil {
		cfg.Changed = func(logdb.MeterUID) {}
	}
	return &Service{meters: meters, logs: logs, cfg: cfg}
}

// Request is one correction. Exactly one of Values, Withdraw and Restore.
type Request struct {
	Meter logdb.MeterUID
	Kind  logdb.Kind
	// Stream is the journal of the record; zero: this node's own, or the only one that it makes for a source.
	Stream logdb.StreamID
	// Position is that of the record; 0 takes the row of Log at Time, which must be one.
	Position logdb.Position
	Log      logdb.LogNo
	Time     logdb.Millis
	// Values are new values of a historical row; NaN takes a value out of it.
	Values map[logdb.ChannelKey]float64
	// Withdraw takes the record out of every answer.
	Withdraw bool
	// Restore brings back the version at Version; 0 is the original.
	Restore bool
	Version logdb.Position
	Why     string
}

// Version is a record as it was or is.
type Version struct {
	logdb.Entry
	Live bool
}

const maxWhy = 500

// Correct changes a record and returns all its versions.
func (s *Service) Correct(ctx context.Context, p account.Principal, q Request) ([]Version, error) {
	if _, err := s.meters.Access(ctx, p, permission.LogsCorrect, q.Meter); err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.journal(ctx, &q)
	if err != nil {
		return nil, err
	}
	own := j.Stream
	if q.Position == 0 {
		if q.Position, err = s.at(ctx, &q, own); err != nil {
			return nil, err
		}
	}
	versions, err := s.versions(ctx, q.Meter, q.Kind, own, q.Position)
	if err != nil {
		return nil, err
	}
	if err := s.isHeld(ctx, &q, own, &versions[len(versions)-1]); err != nil {
		return nil, err
	}
	e, err := q.entry(versions)
	if err != nil {
		return nil, err
	}
	if e.Waveform != nil { // versions come without samples, and a journal with them
		if e.Waveform, err = s.whole(ctx, &q, own, cmp.Or(q.Version, q.Position)); err != nil {
			return nil, err
		}
	}
	e.By, e.At, e.Why = who(p), logdb.MillisOf(s.cfg.Now()), strings.TrimSpace(q.Why)
	if err := s.write(ctx, &q, j, e); err != nil {
		return nil, fmt.Errorf("store the correction: %w", err)
	}
	s.cfg.Changed(q.Meter)
	return s.versions(ctx, q.Meter, q.Kind, own, q.Position)
}

// isHeld refuses to correct a row of which the values were let go: the correction could not be applied here.
func (s *Service) isHeld(ctx context.Context, q *Request, own logdb.StreamID, live *Version) error {
	if q.Kind != logdb.KindHistorical {
		return nil
	}
	var held bool
	var err error
	if live.Live {
		var rows []logdb.Position
		rows, err = s.rowsAt(ctx, q.Meter, own, live.Log, live.Time)
		held = slices.Contains(rows, q.Position)
	} else { // it has no values that could be looked for
		var page logdb.Page
		page, err = s.logs.ReadStream(ctx, q.Meter, q.Kind, own, q.Position, 1)
		held = slices.ContainsFunc(page.Rows, func(h logdb.History) bool { return slices.Contains(h.Positions, q.Position) }) ||
			slices.ContainsFunc(page.Entries, func(e logdb.Entry) bool { return e.Position == q.Position })
	}
	if err != nil {
		return fmt.Errorf("look for the row: %w", err)
	}
	if !held {
		return fault.New(fault.Conflict, "The values of this row were let go for their age: only sums of them are left, which no correction can change.").At("position").
			WithHint("Correct it where the values are still held, at a cloud for one.")
	}
	return nil
}

// who names the one who corrects: a user, or the key that was used.
func who(p account.Principal) string {
	if p.User != "" {
		return string(p.User)
	}
	return "key " + string(p.Key)
}

func (q *Request) check() error {
	n := 0
	for _, given := range []bool{len(q.Values) > 0, q.Withdraw, q.Restore} {
		if given {
			n++
		}
	}
	switch why := strings.TrimSpace(q.Why); {
	case n != 1:
		return fault.New(fault.Invalid, "A correction gives new values, withdraws the record, or restores a version of it.").At("values")
	case why == "" || len(why) > maxWhy:
		return fault.New(fault.Invalid, "A correction says why, in 1 to 500 bytes.").At("why")
	case len(q.Values) > 0 && q.Kind != logdb.KindHistorical:
		return fault.New(fault.Invalid, "Only historical rows have values that can be corrected; events can be withdrawn and restored.").At("values")
	case q.Version != 0 && !q.Restore:
		return fault.New(fault.Invalid, "A version is named to restore it.").At("version")
	case q.Position == 0 && q.Kind != logdb.KindHistorical:
		return fault.New(fault.Invalid, "An event is named by its position.").At("position")
	case q.Position == 0 && q.Time == 0:
		return fault.New(fault.Invalid, "A row is named by its position, or by its time and log.").At("position")
	}
	return nil
}

// rowsAt returns the positions of the live rows of a log at a time.
func (s *Service) rowsAt(ctx context.Context, meter logdb.MeterUID, own logdb.StreamID, log logdb.LogNo, at logdb.Millis) ([]logdb.Position, error) {
	series, err := s.logs.Series(ctx, meter)
	if err != nil {
		return nil, fmt.Errorf("list the channels: %w", err)
	}
	var ids []logdb.SeriesID
	for _, r := range series {
		if r.Stream.SameCut(own) && r.Log == log {
			ids = append(ids, r.ID)
		}
	}
	var found []logdb.Position
	err = s.logs.ReadSeries(ctx, ids, at, at+1, func(_ logdb.SeriesID, b *logdb.Block) error {
		found = append(found, b.Positions...)
		return nil
	})
	return found, err
}

// at finds the row of a log at a time.
func (s *Service) at(ctx context.Context, q *Request, own logdb.StreamID) (logdb.Position, error) {
	found, err := s.rowsAt(ctx, q.Meter, own, q.Log, q.Time)
	if err != nil {
		return 0, fmt.Errorf("look for the row: %w", err)
	}
	slices.Sort(found)
	switch found = slices.Compact(found); len(found) {
	case 0:
		return 0, fault.New(fault.NotFound, "There is no live row of this log at that time.").At("time")
	case 1:
		return found[0], nil
	}
	return 0, fault.New(fault.Conflict, fmt.Sprintf("%d rows have that time.", len(found))).At("time").
		WithHint(fmt.Sprintf("Name one by its position: %d to %d.", found[0], found[len(found)-1]))
}

// Versions returns the versions of a record, the original first, of any journal that is held here.
func (s *Service) Versions(ctx context.Context, p account.Principal, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, at logdb.Position) ([]Version, error) {
	if _, err := s.meters.Access(ctx, p, permission.LogsRead, meter); err != nil {
		return nil, err
	}
	return s.versions(ctx, meter, kind, stream, at)
}

func (s *Service) versions(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, at logdb.Position) ([]Version, error) {
	list, err := s.logs.Versions(ctx, meter, kind, stream, at)
	if errors.Is(err, logdb.ErrNotFound) {
		return nil, fault.Wrap(fault.NotFound, "There is no such record.", err).At("position")
	} else if err != nil {
		return nil, err
	}
	out := make([]Version, len(list))
	for i := range list {
		out[i] = Version{list[i], i == len(list)-1 && list[i].Op != logdb.OpWithdraw}
	}
	return out, nil
}

// entry makes the journal's entry of a correction.
func (q *Request) entry(versions []Version) (logdb.Entry, error) {
	live, original := &versions[len(versions)-1].Entry, &versions[0].Entry
	if original.Op != logdb.OpAdd {
		return logdb.Entry{}, fault.New(fault.Conflict, "The original of this record is not here.").At("position")
	}
	e := *live
	e.Op, e.Position, e.Target, e.Replaces = logdb.OpRevise, 0, original.Position, live.ContentDigest()
	switch {
	case q.Withdraw && live.Op == logdb.OpWithdraw:
		return e, fault.New(fault.Conflict, "The record is withdrawn already.").At("withdraw")
	case q.Withdraw:
		return logdb.Entry{
			Op: logdb.OpWithdraw, Target: original.Position, Replaces: e.Replaces, Log: live.Log, Run: live.Run, Generation: live.Generation, Time: live.Time,
		}, nil
	case q.Restore:
		return q.restored(e, versions)
	case live.Op == logdb.OpWithdraw:
		return e, fault.New(fault.Conflict, "The record is withdrawn.").At("values").WithHint("Restore it first.")
	}
	row, err := q.row(live.Row)
	e.Row = row
	return e, err
}

// restored takes the content of an older version.
func (q *Request) restored(e logdb.Entry, versions []Version) (logdb.Entry, error) {
	from := &versions[0].Entry
	if q.Version != 0 {
		i := slices.IndexFunc(versions, func(v Version) bool { return v.Position == q.Version && v.Op != logdb.OpWithdraw })
		if i < 0 {
			return e, fault.New(fault.NotFound, "There is no such version that could be restored.").At("version")
		}
		from = &versions[i].Entry
	}
	if live := &versions[len(versions)-1]; live.Live && live.ContentDigest() == from.ContentDigest() {
		return e, fault.New(fault.Conflict, "This is the live version already.").At("version")
	}
	e.Log, e.Run, e.Generation, e.Time = from.Log, from.Run, from.Generation, from.Time
	e.Row, e.System, e.Excursion, e.Waveform = from.Row, from.System, from.Excursion, from.Waveform
	return e, nil
}

// row applies new values to a row.
func (q *Request) row(old *logdb.Row) (*logdb.Row, error) {
	out := &logdb.Row{}
	changed := false
	left := map[logdb.ChannelKey]float64{}
	for k, v := range q.Values {
		if math.IsInf(v, 0) {
			return nil, fault.New(fault.Invalid, "A value must be a number, or null to take it out.").At(string(k))
		}
		left[k] = v
	}
	for i, k := range old.Channels {
		v := old.Values[i]
		if n, ok := left[k]; ok {
			changed = changed || n != v
			v = n
			delete(left, k)
		}
		if !math.IsNaN(v) {
			out.Channels, out.Values = append(out.Channels, k), append(out.Values, v)
		}
	}
	keys := make([]logdb.ChannelKey, 0, len(left))
	for k, v := range left {
		if !math.IsNaN(v) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		out.Channels, out.Values, changed = append(out.Channels, k), append(out.Values, left[k]), true
	}
	switch {
	case !changed:
		return nil, fault.New(fault.Conflict, "The row has these values already.").At("values")
	case len(out.Channels) == 0:
		return nil, fault.New(fault.Invalid, "The row would have no value left.").At("values").WithHint("Withdraw it instead.")
	}
	return out, nil
}

// whole reads a version of a recording with its samples, dead or alive.
func (s *Service) whole(ctx context.Context, q *Request, own logdb.StreamID, p logdb.Position) (*logdb.Waveform, error) {
	page, err := s.logs.ReadStream(ctx, q.Meter, q.Kind, own, p, 1)
	if err != nil {
		return nil, fmt.Errorf("read the samples: %w", err)
	}
	if len(page.Entries) != 1 || page.Entries[0].Position != p || page.Entries[0].Waveform == nil {
		return nil, fault.New(fault.NotFound, "The samples of this version are not here any more.").At("version")
	}
	return page.Entries[0].Waveform, nil
}
