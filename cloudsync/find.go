package cloudsync

import (
	"context"
	"errors"
	"fmt"

	"metermanager/logdb"
)

// Find returns the meter of a UID, serial or name; logdb.ErrUnknownMeter when there is none.
// A text that fits several meters finds none of them.
func (s *Service) Find(ctx context.Context, text string) (logdb.MeterUID, error) {
	all, err := s.logs.Meters(ctx)
	if err != nil {
		return "", fmt.Errorf("list the meters: %w", err)
	}
	var found []logdb.MeterUID
	for _, uid := range all {
		if string(uid) == text {
			return uid, nil
		}
		settings, err := s.logs.Settings(ctx, uid)
		if errors.Is(err, logdb.ErrUnknownMeter) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read the settings of meter %s: %w", uid, err)
		}
		if settings.Serial == text || settings.Name == text {
			found = append(found, uid)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%w: %d meters are called %q", logdb.ErrUnknownMeter, len(found), text)
	}
	return found[0], nil
}

// Client returns the client of the cloud that is configured; ok is false when the sync is switched off.
func (l Link) Client(ctx context.Context) (cloud Cloud, ok bool, err error) {
	s := l.service
	d, err := l.pick(ctx)
	if errors.Is(err, ErrNoDestination) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	enabled := d.cache.Enabled
	s.mu.Unlock()
	if !enabled {
		return nil, false, nil
	}
	cloud, _, err = s.client(d)
	return cloud, err == nil, err
}
