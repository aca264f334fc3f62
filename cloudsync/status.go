package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/cloudsync/reduce"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// Status returns the state of the sync. It never waits for an upload.
func (s *Service) Status(ctx context.Context) (api.SyncStatus, error) {
	out := api.SyncStatus{State: "off", Queue: []api.SyncAction{}}
	d, err := s.primary(ctx)
	if err != nil && !errors.Is(err, ErrNoDestination) {
		return out, err
	}
	q := s.queue.Status()
	out.Succeeded, out.Failed, out.Skipped = q.Counts.Succeeded, q.Counts.Failed, q.Counts.Skipped
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[string]string{}
	if d != nil {
		out.Enabled, out.Host, out.User, out.Customer = d.conf.Enabled, d.conf.URL(), d.conf.User, d.info.Customer
		if out.Customer == "" {
			out.Customer = d.conf.Customer
		}
		if !d.breaker.last.IsZero() {
			out.LastContact = logdb.MillisOf(d.breaker.last)
		}
		out.LastError, out.Trouble = d.breaker.err, d.breaker.trouble(s.cfg.Now())
		if until := d.breaker.until; s.cfg.Now().Before(until) {
			out.NextTry = logdb.MillisOf(until)
		}
		for uid, m := range d.cache.Meters {
			names[string(uid)] = m.Name
			ms := meterSync(m)
			if ms.Enabled && ms.UploadEnabled {
				out.Pending += ms.Pending
				out.NotCompared += ms.NotCompared
			}
			out.Meters = append(out.Meters, ms)
		}
		slices.SortFunc(out.Meters, func(a, b api.MeterSync) int { return strings.Compare(string(a.UID), string(b.UID)) })
	}
	if q.Current != nil {
		a := pendingAction(*q.Current, names)
		out.Current = &a
		for i := range out.Meters {
			if q.Current.Name == string(ActionUpload) && string(out.Meters[i].UID) == q.Current.Meter {
				out.Meters[i].State = "uploading"
			}
		}
	}
	for _, p := range q.Queue {
		out.Queue = append(out.Queue, pendingAction(p, names))
	}
	switch {
	case d == nil || !d.cache.Enabled:
	case out.Current != nil:
		out.State = "working"
	case out.NextTry != 0:
		out.State = "waiting"
	default:
		out.State = "idle"
	}
	return out, nil
}

func meterSync(m *MeterCache) api.MeterSync {
	out := api.MeterSync{
		UID: m.Config.Meter, Name: m.Name, CloudUID: m.Config.CloudUID,
		Enabled: m.Config.Enabled, UploadEnabled: m.Config.UploadEnabled, LastError: m.LastError,
	}
	if !m.LastUpload.IsZero() {
		out.LastUpload = logdb.MillisOf(m.LastUpload)
	}
	for _, kind := range logdb.Kinds {
		l := m.Logs[kind]
		if l == nil || l.End == 0 {
			continue
		}
		ls := api.LogSync{Kind: kind.String(), Stream: l.Stream, JournalEnd: l.End, Decided: l.Decided, Skipped: l.Skipped, Reduced: l.Reduced}
		if ls.Pending, ls.Compared = l.pending(); !ls.Compared {
			out.NotCompared += int64(l.End)
		}
		out.Pending += ls.Pending
		out.Logs = append(out.Logs, ls)
	}
	switch {
	case !m.Config.Enabled:
		out.State = "disabled"
	case m.Config.Parked != "":
		out.State, out.LastError = "parked", m.Config.Parked
	case m.Config.CloudUID == "":
		out.State = "not_registered"
	case !m.Config.UploadEnabled:
		out.State = "disabled"
	case out.Pending > 0:
		out.State = "waiting"
	case out.NotCompared > 0:
		out.State = "not_compared"
	default:
		out.State = "up_to_date"
	}
	return out
}

func pendingAction(p runner.Pending, names map[string]string) api.SyncAction {
	out := api.SyncAction{
		Action: p.Name, Meter: logdb.MeterUID(p.Meter), Name: names[p.Meter], Parameters: p.Params, Queued: logdb.MillisOf(p.Queued),
	}
	if !p.Started.IsZero() {
		out.Started = logdb.MillisOf(p.Started)
	}
	return out
}

// History returns the last finished actions, newest first: at most limit, of one meter and
// with one result where these are given.
func (s *Service) History(limit int, meter logdb.MeterUID, result string) []api.SyncAction {
	s.mu.Lock()
	names := map[string]string{}
	for _, d := range s.dests {
		for uid, m := range d.cache.Meters {
			names[string(uid)] = m.Name
		}
	}
	s.mu.Unlock()
	out := []api.SyncAction{}
	for _, r := range s.queue.History(0) {
		if meter != "" && r.Meter != string(meter) || result != "" && string(r.Outcome) != result {
			continue
		}
		if limit > 0 && len(out) >= limit {
			break
		}
		out = append(out, finishedAction(r, names))
	}
	return out
}

func finishedAction(r runner.Record, names map[string]string) api.SyncAction {
	out := api.SyncAction{
		Action: r.Name, Meter: logdb.MeterUID(r.Meter), Name: names[r.Meter], Parameters: r.Params,
		Queued: logdb.MillisOf(r.Queued), Started: logdb.MillisOf(r.Started), DurationMS: r.Duration.Milliseconds(),
		Result: string(r.Outcome), Detail: r.Result,
	}
	if r.Outcome == runner.Failed {
		out.Detail, out.Error = "", r.Result
	}
	return out
}

// Info is the answer of cloud.info: the configuration without its secrets, what the cloud said last, the status.
type Info struct {
	Settings map[string]any `json:"settings"`
	Cloud    *CloudInfo     `json:"cloud,omitempty"`
	Status   api.SyncStatus `json:"status"`
}

// Info returns configuration and status.
func (s *Service) Info(ctx context.Context) (Info, error) {
	conf, err := s.Destination(ctx)
	if err != nil {
		return Info{}, err
	}
	status, err := s.Status(ctx)
	if err != nil {
		return Info{}, err
	}
	out := Info{Status: status, Settings: map[string]any{
		SettingLocation: conf.Location, SettingAPIKey: conf.APIKey.String(), SettingCustomer: conf.Customer,
		SettingUser: conf.User, SettingPassword: conf.Password.String(), SettingEnabled: conf.Enabled,
		SettingHost: conf.Host, SettingPort: conf.Port, SettingRootPath: conf.RootPath, SettingAuto: !conf.ManualRegister,
	}}
	if conf.Channels != nil {
		out.Settings[SettingChannels] = conf.Channels
	}
	if d, err := s.primary(ctx); err == nil {
		s.mu.Lock()
		if d.info.Updated != 0 {
			info := d.info
			out.Cloud = &info
		}
		s.mu.Unlock()
	}
	return out, nil
}

// Refresh compares both sides now and enqueues what is missing; it returns when the comparison is done.
func (s *Service) Refresh(ctx context.Context) (api.SyncAction, error) {
	d, err := s.primary(ctx)
	if err != nil {
		return api.SyncAction{}, err
	}
	s.retryNow(d, "")
	if err := s.look(ctx, true); err != nil {
		return api.SyncAction{}, err
	}
	if _, err := s.wait(ctx, Action{ActionServerSync, d.cache.Destination, ""}); err != nil {
		return api.SyncAction{}, err
	}
	rec, err := s.wait(ctx, Action{ActionRefreshScan, d.cache.Destination, ""})
	if err != nil {
		return rec, err
	}
	return rec, s.enqueuePlan(ctx)
}

// RegisterMeter registers one meter, or all enabled ones that wait, and returns what was done.
func (s *Service) RegisterMeter(ctx context.Context, meter logdb.MeterUID) ([]api.SyncAction, error) {
	if meter != "" {
		if err := s.SetMeter(ctx, meter, SettingMeterEnabled, "true"); err != nil {
			return nil, err
		}
	}
	return s.each(ctx, ActionRegister, meter)
}

// UploadMeter uploads what the cloud is missing of one meter, or of all that upload.
func (s *Service) UploadMeter(ctx context.Context, meter logdb.MeterUID) ([]api.SyncAction, error) {
	return s.each(ctx, ActionUpload, meter)
}

func (s *Service) each(ctx context.Context, kind ActionKind, meter logdb.MeterUID) ([]api.SyncAction, error) {
	d, err := s.primary(ctx)
	if err != nil {
		return nil, err
	}
	s.retryNow(d, meter)
	if err := s.look(ctx, true); err != nil {
		return nil, err
	}
	meters := []logdb.MeterUID{meter}
	s.mu.Lock()
	if meter == "" {
		meters = meters[:0]
		for uid, m := range d.cache.Meters {
			if m.Config.Enabled && (kind == ActionRegister || m.Config.UploadEnabled) {
				meters = append(meters, uid)
			}
		}
		slices.Sort(meters)
	} else if d.cache.Meters[meter] == nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("%w: %s", logdb.ErrUnknownMeter, meter)
	}
	s.mu.Unlock()
	out := []api.SyncAction{}
	for _, uid := range meters {
		rec, err := s.wait(ctx, Action{kind, d.cache.Destination, uid})
		if err != nil {
			return out, err
		}
		out = append(out, rec)
	}
	return out, nil
}

// retryNow lifts the pauses after failures: somebody asks for it.
func (s *Service) retryNow(d *destination, meter logdb.MeterUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.breaker.until, d.cache.Blocked = time.Time{}, time.Time{}
	for uid, m := range d.cache.Meters {
		if meter == "" || meter == uid {
			m.Retry = time.Time{}
		}
	}
}

// wait executes an action through the queue and returns how it ended.
func (s *Service) wait(ctx context.Context, a Action) (api.SyncAction, error) {
	rec, err := s.queue.Do(ctx, s.action(a))
	if err != nil {
		return api.SyncAction{}, err
	}
	out := finishedAction(rec, nil)
	if rec.Outcome == runner.Failed {
		return out, rec.Err
	}
	return out, nil
}

// View returns, for one kind of a meter, the journal with everything decided about it for the cloud: what verify
// compares. ok is false for a meter that does not upload or has no such log.
func (s *Service) View(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) (view reduce.View, ok bool, err error) {
	conf, err := s.Meter(ctx, meter)
	if errors.Is(err, logdb.ErrUnknownMeter) || errors.Is(err, ErrNoDestination) {
		return view, false, nil
	}
	if err != nil {
		return view, false, err
	}
	d, err := s.Destination(ctx)
	if err != nil {
		return view, false, err
	}
	head, err := s.logs.Journal(ctx, meter, kind)
	if errors.Is(err, logdb.ErrNotFound) {
		return view, false, nil
	}
	if err != nil {
		return view, false, fmt.Errorf("read the journal's head: %w", err)
	}
	streams, err := s.store.Streams(ctx, StreamKey{Destination: d.ID, Meter: meter, Kind: kind, Journal: head.ID})
	if err != nil {
		return view, false, err
	}
	view = reduce.View{
		Meter: meter, There: conf.CloudUID, Kind: kind, Head: head,
		Journal: newJournal(s.logs, s.store, meter, kind, head.ID),
	}
	for _, name := range cutNames(streams) {
		if cut, stored := cutOf(streams, name); len(stored) > 0 {
			cut.Next = stored[len(stored)-1].State.Next
			view.Cuts = append(view.Cuts, cut)
		}
	}
	return view, conf.CloudUID != "" && conf.Enabled && conf.UploadEnabled, nil
}
