package webapi_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"metermanager/logdb"
)

// unsettled is a log database that cannot read settings while broken says so.
type unsettled struct {
	logdb.Store
	broken *atomic.Bool
}

func (u unsettled) Settings(ctx context.Context, uid logdb.MeterUID) (logdb.Settings, error) {
	if u.broken.Load() {
		return logdb.Settings{}, errors.New("the disk is gone")
	}
	return u.Store.Settings(ctx, uid)
}

// TestHistoryNeedsItsZone: days of the meter's zone are not told as those of UTC, nor values without their marks, because its settings cannot be read just now.
func TestHistoryNeedsItsZone(t *testing.T) {
	t.Parallel()
	s, db, handler := emptyNode(t)
	var broken atomic.Bool
	handler.Logs = unsettled{handler.Logs, &broken}
	s.serve(handler)
	s.populate(db)
	s.ok(s.upload, http.MethodPost, s.meterPath("/logs/historical"), rows(day0, 10))
	for _, path := range []string{"/logs/historical", "/logs/historical?interval=1d"} {
		s.ok(s.reader, http.MethodGet, s.meterPath(path), "")
		broken.Store(true)
		if r := s.call(s.reader, http.MethodGet, s.meterPath(path), ""); r.status != http.StatusInternalServerError {
			t.Errorf("%s: status %d: %s", path, r.status, r.body)
		}
		broken.Store(false)
	}
}
