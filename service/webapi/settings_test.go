package webapi_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
	"metermanager/service/metadb"
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
	for _, path := range []string{"/logs/historical", "/logs/historical?interval=1d", "/channels"} {
		s.ok(s.reader, http.MethodGet, s.meterPath(path), "")
		broken.Store(true)
		if r := s.call(s.reader, http.MethodGet, s.meterPath(path), ""); r.status != http.StatusInternalServerError {
			t.Errorf("%s: status %d: %s", path, r.status, r.body)
		}
		broken.Store(false)
	}
}

// unlisted is a list of meters that cannot be read after so many looks at a meter.
type unlisted struct {
	registry.Store
	looks *atomic.Int64
}

func (u unlisted) Meter(ctx context.Context, s account.Scope, uid logdb.MeterUID) (registry.Meter, error) {
	if u.looks.Add(-1) < 0 {
		return registry.Meter{}, errors.New("the disk is gone")
	}
	return u.Store.Meter(ctx, s, uid)
}

// TestAccessIsNotGuessed: that the list of meters cannot be read is no reason why a user does not see a meter.
func TestAccessIsNotGuessed(t *testing.T) {
	t.Parallel()
	s, db, handler := emptyNode(t)
	s.serve(handler)
	s.populate(db)
	store, err := metadb.OpenCloud(t.Context(), db)
	must(t, err)
	var looks atomic.Int64
	handler.Meters = registry.New(unlisted{store, &looks}, s.logs, s.accounts, registry.Config{})
	one := s.tenant("one", "limited")
	owner := one.tokens["owner"]
	path := api.Root + "/users/" + s.send(owner, http.StatusOK, http.MethodGet, api.Root+"/user", "")["user_uid"].(string) + "/access?meter_uid=" + string(one.meter)
	for n, want := range []int{500, 500, 500, 200} {
		looks.Store(int64(n))
		if r := s.call(owner, http.MethodGet, path, ""); r.status != want {
			t.Errorf("%d looks at a meter: status %d, want %d: %s", n, r.status, want, r.body)
		}
	}
}
