package cloudsync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
)

// Status returns the state of the sync with one cloud. It never waits for an upload. Without a name it is that of the
// first cloud, and lists all of them where there are several.
func (l Link) Status(ctx context.Context) (api.SyncStatus, error) {
	d, err := l.pick(ctx)
	if errors.Is(err, ErrNoDestination) && l.name == "" {
		return api.SyncStatus{State: "off", Queue: []api.SyncAction{}}, nil
	}
	if err != nil {
		return api.SyncStatus{}, err
	}
	s := l.service
	out := s.status(d)
	if all := s.destinations(); l.name == "" && len(all) > 1 {
		for _, d := range all {
			out.Clouds = append(out.Clouds, s.status(d))
		}
	}
	return out, nil
}

// status is the state of one cloud.
func (s *Service) status(d *destination) api.SyncStatus {
	out := api.SyncStatus{Cloud: d.name, State: "off", Queue: []api.SyncAction{}}
	q := d.queue.Status()
	out.Succeeded, out.Failed, out.Skipped = q.Counts.Succeeded, q.Counts.Failed, q.Counts.Skipped
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[string]string{}
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
		ms := meterSync(m, d.cache.Enabled)
		ms.Cloud = d.name
		if ms.State != "disabled" {
			ms.Trouble = logTrouble(d, m, s.cfg.Now())
		}
		if ms.Enabled && ms.UploadEnabled {
			out.Pending += ms.Pending
			out.NotCompared += ms.NotCompared
		}
		out.Meters = append(out.Meters, ms)
	}
	slices.SortFunc(out.Meters, func(a, b api.MeterSync) int { return strings.Compare(string(a.UID), string(b.UID)) })
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
	case !d.cache.Enabled:
	case out.Current != nil:
		out.State = "working"
	case out.NextTry != 0:
		out.State = "waiting"
	default:
		out.State = "idle"
	}
	return out
}

func meterSync(m *MeterCache, enabled bool) api.MeterSync {
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
	for _, kind := range logdb.Kinds {
		if r := m.relay.kinds[kind]; r != nil {
			rs := api.RelaySync{Kind: kind.String(), Streams: r.Streams, Decided: r.Decided, Pending: r.Missing - r.Lacking, Lacking: r.Lacking, Skipped: r.Skipped, Conflicts: r.Conflicts}
			out.Pending += rs.Pending
			out.Relayed = append(out.Relayed, rs)
			if len(r.Conflicts) > 0 && out.LastError == "" {
				out.LastError = r.Conflicts[0]
			}
		}
	}
	switch {
	case !enabled: // and nothing is compared any more
		out.State, out.Pending, out.NotCompared = "disabled", 0, 0
	case !m.Config.Enabled:
		out.State = "disabled"
	case m.Config.Parked != "":
		out.State, out.LastError = "parked", m.Config.Parked
	case m.Config.CloudUID == "":
		out.State = "not_registered"
	case !m.Config.UploadEnabled:
		out.State = "disabled"
	case out.Pending > 0 || m.relay.dirty && len(m.relay.kinds) > 0:
		out.State = "waiting"
	case out.NotCompared > 0 || m.relay.dirty: // nobody knows what it lacks of what others sent to this node
		out.State = "not_compared"
	default:
		out.State = "up_to_date"
	}
	return out
}

func pendingAction(p runner.Pending, names map[string]string) api.SyncAction {
	out := api.SyncAction{
		Cloud: p.Params["cloud"], Action: p.Name, Meter: logdb.MeterUID(p.Meter), Name: names[p.Meter], Parameters: p.Params, Queued: logdb.MillisOf(p.Queued),
	}
	if !p.Started.IsZero() {
		out.Started = logdb.MillisOf(p.Started)
	}
	return out
}

// History returns the last finished actions, newest first: at most limit, of one meter and with one result where these
// are given; of all clouds without a name.
func (l Link) History(limit int, meter logdb.MeterUID, result string) []api.SyncAction {
	s := l.service
	out := []api.SyncAction{}
	for _, d := range s.destinations() {
		if l.name != "" && d.name != l.name {
			continue
		}
		s.mu.Lock()
		names := map[string]string{}
		for uid, m := range d.cache.Meters {
			names[string(uid)] = m.Name
		}
		s.mu.Unlock()
		for _, r := range d.queue.History(0) {
			if meter == "" || r.Meter == string(meter) {
				if result == "" || string(r.Outcome) == result {
					out = append(out, finishedAction(r, names))
				}
			}
		}
	}
	// Each list is in order; equal ends of several clouds stay in the order of the clouds.
	ended := func(a api.SyncAction) int64 { return int64(a.Started) + a.DurationMS }
	if len(s.destinations()) > 1 {
		slices.SortStableFunc(out, func(a, b api.SyncAction) int { return cmp.Compare(ended(b), ended(a)) })
	}
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}

func finishedAction(r runner.Record, names map[string]string) api.SyncAction {
	out := api.SyncAction{
		Cloud: r.Params["cloud"], Action: r.Name, Meter: logdb.MeterUID(r.Meter), Name: names[r.Meter], Parameters: r.Params,
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
	Name     string         `json:"name,omitempty"`
	Settings map[string]any `json:"settings"`
	Cloud    *CloudInfo     `json:"cloud,omitempty"`
	Status   api.SyncStatus `json:"status"`
}

// Info returns configuration and status.
func (l Link) Info(ctx context.Context) (Info, error) {
	conf, err := l.Destination(ctx)
	if err != nil {
		return Info{}, err
	}
	status, err := l.Status(ctx)
	if err != nil {
		return Info{}, err
	}
	out := Info{Name: status.Cloud, Status: status, Settings: map[string]any{
		SettingLocation: conf.Location, SettingAPIKey: conf.APIKey.String(), SettingCustomer: conf.Customer,
		SettingUser: conf.User, SettingPassword: conf.Password.String(), SettingEnabled: conf.Enabled,
		SettingHost: conf.Host, SettingPort: conf.Port, SettingRootPath: conf.RootPath, SettingAuto: !conf.ManualRegister,
		SettingReceived: !conf.OwnOnly, SettingRate: conf.DrainRate, SettingFingerprint: conf.Fingerprint,
	}}
	if conf.Channels != nil {
		out.Settings[SettingChannels] = conf.Channels
	}
	limits := conf.limits()
	for _, name := range limit.Names() {
		out.Settings[SettingLimit+name] = limit.Text(limits, name)
	}
	if d, err := l.pick(ctx); err == nil {
		s := l.service
		s.mu.Lock()
		if d.info.Updated != 0 {
			info := d.info
			out.Cloud = &info
		}
		s.mu.Unlock()
	}
	return out, nil
}
