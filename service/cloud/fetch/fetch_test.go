package fetch_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/fetch"
	"metermanager/service/cloud/registry"
)

// memory keeps requests, at most a number of them.
type memory struct {
	requests []fetch.Request
	most     int
}

var errDisk = errors.New("the disk is full")

func (m *memory) CreateFetch(_ context.Context, _ account.Scope, r fetch.Request) error {
	if len(m.requests) == m.most {
		return errDisk
	}
	m.requests = append(m.requests, r)
	return nil
}

func (m *memory) Fetches(context.Context, account.Scope, fetch.Filter) ([]fetch.Request, error) {
	return m.requests, nil
}

func (m *memory) UpdateFetch(context.Context, account.Scope, fetch.Request, string) error { return nil }

// open lets everybody do everything.
type open struct{}

func (open) Access(context.Context, account.Principal, permission.Permission, logdb.MeterUID) (registry.Meter, error) {
	return registry.Meter{}, nil
}

// TestRequestsThatWereStoredWait: of a request for two journals one part cannot be stored. The other waits for the manager,
// and the meter is said to be waited for.
func TestRequestsThatWereStoredWait(t *testing.T) {
	t.Parallel()
	logs := logdbtest.NewModel(logdbtest.Config{})
	for _, digit := range []string{"a", "b"} {
		page := logdb.Page{
			Meter: "m", Kind: logdb.KindPQ, Stream: logdb.StreamID{Journal: logdb.JournalID(strings.Repeat(digit, 32)), Policy: "1"}, JournalEnd: 1,
			Fates: []logdb.FateRange{{First: 1, Last: 1, Fate: logdb.FateSkipped, Reason: "day", FirstTime: 1, LastTime: 1}},
		}
		if _, err := logs.Accept(t.Context(), page, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name          string
		maxOpen, most int
		want          error
		waiting       int
	}{
		{"both fit", 2, 2, nil, 2},
		{"too many are open", 1, 2, fault.Conflict, 1},
		{"the second cannot be stored", 2, 1, errDisk, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			desk, err := fetch.New(t.Context(), &memory{most: tt.most}, logs, open{}, fetch.Config{MaxOpen: tt.maxOpen})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := desk.Create(t.Context(), account.Principal{}, "m", api.FetchQuery{Kind: "pq"}); !errors.Is(err, tt.want) {
				t.Errorf("create: %v, want %v", err, tt.want)
			}
			if n := desk.Waiting("m"); n != tt.waiting {
				t.Errorf("%d requests wait, want %d", n, tt.waiting)
			}
		})
	}
}
