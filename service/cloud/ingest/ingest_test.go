package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/bus"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/ingest"
	"metermanager/service/cloud/registry"
)

// gate lets the meter "m" in and no other.
type gate struct{}

func (gate) Access(_ context.Context, p account.Principal, perm permission.Permission, uid logdb.MeterUID) (registry.Meter, error) {
	if err := account.Allow(p, perm, account.Resource{Customer: "a", Meter: uid}); err != nil {
		return registry.Meter{}, err
	}
	if uid != "m" {
		return registry.Meter{}, fault.New(fault.NotFound, "no")
	}
	return registry.Meter{UID: uid, Customer: "a"}, nil
}

// store remembers the pages that it got and answers with err.
type store struct {
	pages  []logdb.Page
	limits logdb.Limits
	err    error
}

func (s *store) Accept(_ context.Context, p logdb.Page, l logdb.Limits) (logdb.Receipt, error) {
	s.pages, s.limits = append(s.pages, p), l
	return logdb.Receipt{Stored: 2}, s.err
}

var uploader = account.Principal{Key: "k1", Customer: "a", Permissions: permission.Of(permission.Upload)}

func page(n int) logdb.Page {
	h := logdb.History{Channels: []logdb.ChannelKey{"readings.frequency"}, Columns: [][]float64{{}}}
	for i := range n {
		h.Times = append(h.Times, logdb.Millis(1000*i))
		h.Columns[0] = append(h.Columns[0], 50)
	}
	return logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Rows: []logdb.History{h}}
}

func TestPushStoresUnderTheCredential(t *testing.T) {
	t.Parallel()
	var told []ingest.Stored
	s := &store{}
	now := time.UnixMilli(5000)
	in := ingest.New(s, gate{}, ingest.Config{
		Now:    func() time.Time { return now },
		Stored: bus.NewNotices(func(_ context.Context, n ingest.Stored) { told = append(told, n) }),
	})
	forged := page(3)
	forged.Source = "key:somebody else"
	ack, err := in.Push(t.Context(), uploader, forged)
	if err != nil || !ack.Done || ack.Result.Stored != 2 {
		t.Fatalf("Push = %+v, %v", ack, err)
	}
	if got := s.pages[0].Source; got != "key:k1" {
		t.Errorf("source %q, want the credential's", got)
	}
	if fmt.Sprint(s.limits) != fmt.Sprint(logdb.DefaultLimits()) {
		t.Errorf("limits %+v", s.limits)
	}
	if len(told) != 1 || told[0].Last != 2000 || told[0].At != 5000 || in.LastPush("m") != 5000 || in.LastPush("x") != 0 {
		t.Errorf("notices %+v", told)
	}
	positioned := page(1)
	positioned.Stream = logdb.StreamID{Journal: "00112233445566778899aabbccddeeff", Policy: "1"}
	positioned.Source = "forged"
	positioned.Rows[0].Positions, positioned.JournalEnd = []logdb.Position{1}, 1
	if _, err := in.Push(t.Context(), uploader, positioned); err != nil || s.pages[1].Source != "" {
		t.Errorf("a positioned page: %v, source %q", err, s.pages[1].Source)
	}
}

func TestPushRefusals(t *testing.T) {
	t.Parallel()
	bad := page(1)
	bad.Rows[0].Times[0] = -1
	other := page(1)
	other.Meter = "x"
	lists := page(1)
	lists.Rows[0].Columns[0] = append(lists.Rows[0].Columns[0], math.Pi)
	for name, c := range map[string]struct {
		p    account.Principal
		page logdb.Page
		code fault.Code
	}{
		"nobody":          {account.Principal{}, page(1), fault.Unauthenticated},
		"reader":          {account.Principal{Key: "k", Customer: "a", Permissions: permission.Of(permission.LogsRead)}, page(1), fault.Forbidden},
		"other customer":  {account.Principal{Key: "k", Customer: "b", Permissions: permission.Of(permission.Upload)}, page(1), fault.NotFound},
		"unknown meter":   {uploader, other, fault.NotFound},
		"too many":        {uploader, page(11), fault.TooLarge},
		"time":            {uploader, bad, fault.Invalid},
		"uneven columns":  {uploader, lists, fault.Invalid},
		"empty of a kind": {uploader, logdb.Page{Meter: "m"}, fault.Invalid},
	} {
		s := &store{}
		_, err := ingest.New(s, gate{}, ingest.Config{MaxRecords: 10}).Push(t.Context(), c.p, c.page)
		if !errors.Is(err, c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		if len(s.pages) != 0 {
			t.Errorf("%s: the page reached the store", name)
		}
	}
}

func TestErrorsOfTheStoreGetTheirCodes(t *testing.T) {
	t.Parallel()
	for err, code := range map[error]fault.Code{
		logdb.ErrFull: fault.Full, logdb.ErrConflict: fault.Conflict, logdb.ErrStale: fault.Stale, logdb.ErrInvalid: fault.Invalid,
		logdb.ErrUnknownMeter: fault.NotFound, errors.New("secret of the store"): fault.Internal,
	} {
		in := ingest.New(&store{err: err}, gate{}, ingest.Config{})
		_, got := in.Push(t.Context(), uploader, page(1))
		if fault.CodeOf(got) != code || !errors.Is(got, err) {
			t.Errorf("%v becomes %v, want %s", err, got, code)
		}
		if in.LastPush("m") != 0 {
			t.Errorf("%v: a page that failed counts as pushed", err)
		}
	}
}
