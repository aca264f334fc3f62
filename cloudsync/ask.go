package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"metermanager/cloudsync/reduce"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// Refresh compares both sides now and enqueues what is missing; it returns when the comparison is done.
func (l Link) Refresh(ctx context.Context) (api.SyncAction, error) {
	d, err := l.pick(ctx)
	if err != nil {
		return api.SyncAction{}, err
	}
	s := l.service
	s.retryNow(d, "")
	if err := s.lookOnly(ctx, true); err != nil {
		return api.SyncAction{}, err
	}
	if _, err := s.wait(ctx, d, Action{ActionServerSync, d.id, ""}); err != nil {
		return api.SyncAction{}, err
	}
	rec, err := s.wait(ctx, d, Action{ActionRefreshScan, d.id, ""})
	if err != nil {
		return rec, err
	}
	return rec, s.enqueuePlan(ctx, d)
}

// RegisterMeter registers one meter, or all enabled ones that wait, and returns what was done.
func (l Link) RegisterMeter(ctx context.Context, meter logdb.MeterUID) ([]api.SyncAction, error) {
	if meter != "" {
		if err := l.SetMeter(ctx, meter, SettingMeterEnabled, "true"); err != nil {
			return nil, err
		}
	}
	return l.each(ctx, ActionRegister, meter)
}

// UploadMeter uploads what the cloud is missing of one meter, or of all that upload.
func (l Link) UploadMeter(ctx context.Context, meter logdb.MeterUID) ([]api.SyncAction, error) {
	return l.each(ctx, ActionUpload, meter)
}

func (l Link) each(ctx context.Context, kind ActionKind, meter logdb.MeterUID) ([]api.SyncAction, error) {
	d, err := l.pick(ctx)
	if err != nil {
		return nil, err
	}
	s := l.service
	s.retryNow(d, meter)
	if err := s.lookOnly(ctx, true); err != nil {
		return nil, err
	}
	if err := s.enqueuePlan(ctx, d); err != nil {
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
		rec, err := s.wait(ctx, d, Action{kind, d.id, uid})
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
func (s *Service) wait(ctx context.Context, d *destination, a Action) (api.SyncAction, error) {
	rec, err := d.queue.Do(ctx, s.action(d, a))
	if err != nil {
		return api.SyncAction{}, err
	}
	out := finishedAction(rec, nil)
	if rec.Outcome == runner.Failed {
		return out, rec.Err
	}
	return out, nil
}

// Decisions lists what this node holds of its decisions about a log that is not as it was decided; nil where they are not
// kept so that it can be told.
func (l Link) Decisions(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.Finding, error) {
	auditor, ok := l.service.store.(interface {
		Audit(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.Finding, error)
	})
	if !ok {
		return nil, nil
	}
	return auditor.Audit(ctx, meter, kind)
}

// View returns, for one kind of a meter, the journal with everything decided about it for the cloud: what verify
// compares. ok is false for a meter that does not upload or has no such log.
func (l Link) View(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) (view reduce.View, ok bool, err error) {
	s := l.service
	conf, err := l.Meter(ctx, meter)
	if errors.Is(err, logdb.ErrUnknownMeter) || errors.Is(err, ErrNoDestination) {
		return view, false, nil
	}
	if err != nil {
		return view, false, err
	}
	d, err := l.Destination(ctx)
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
	key := StreamKey{Destination: d.ID, Meter: meter, Kind: kind, Journal: head.ID}
	if key.Destination, err = s.store.Owner(ctx, key); err != nil {
		return view, false, err
	}
	streams, err := s.store.Streams(ctx, key)
	if err != nil {
		return view, false, err
	}
	view = reduce.View{
		Meter: meter, There: conf.CloudUID, Kind: kind, Head: head, Name: nameOf(streams, head.ID),
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

// Relays returns the name of a meter at the cloud to which what others sent of it is passed on; ok is false when it is not.
func (l Link) Relays(ctx context.Context, meter logdb.MeterUID) (there logdb.MeterUID, ok bool, err error) {
	conf, err := l.Meter(ctx, meter)
	if errors.Is(err, logdb.ErrUnknownMeter) || errors.Is(err, ErrNoDestination) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	d, err := l.Destination(ctx)
	return conf.CloudUID, err == nil && !d.OwnOnly && conf.CloudUID != "" && conf.Enabled && conf.UploadEnabled, err
}
