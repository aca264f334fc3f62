package rpctest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

func (s *Suite) realtime(t *testing.T) {
	st, err := s.c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = s.c.PostRealtime(t.Context(), s.meter, api.Realtime{Time: st.Now, Values: []api.RealtimeValue{{Key: suiteChannels[0], Value: 231.5}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.c.Realtime(t.Context(), s.meter)
	if err != nil || len(r.Values) != 1 || r.Values[0].Value != 231.5 || r.Stale {
		t.Errorf("realtime: %+v, %v", r, err)
	}
}

func (s *Suite) commands(t *testing.T) {
	ctx := t.Context()
	var node api.NodeStatus
	if err := s.c.Call(ctx, api.CmdNodeStatus, nil, &node); err != nil || !slices.ContainsFunc(node.Meters, func(m api.MeterStatus) bool { return m.UID == s.meter }) {
		t.Errorf("node.status: %v", err)
	}
	var clouds api.CloudList
	if err := s.c.Call(ctx, api.CmdCloudList, nil, &clouds); err != nil {
		t.Errorf("cloud.list: %v", err)
	}
	var report api.VerifyReport
	if err := s.c.Call(ctx, api.CmdVerify, map[string]any{"meter": "suite " + s.Serial, "kind": "system"}, &report); err != nil || report.Different != 0 {
		t.Errorf("verify: %+v, %v", report, err)
	}
	fails(t, "an unknown command", s.c.Call(ctx, "cloud.explode", nil, nil), fault.NotFound)
	fails(t, "an unknown parameter", s.c.Call(ctx, api.CmdNodeStatus, map[string]any{"nothing": 1}, nil), fault.Invalid)
}

func (s *Suite) keys(t *testing.T) {
	ctx := t.Context()
	k, err := s.c.CreateKey(ctx, api.CreateKeyRequest{Name: "suite " + s.Serial, Permissions: permission.Of(permission.Upload), Meter: s.meter})
	if err != nil || k.Secret == "" {
		t.Fatalf("create: %+v, %v", k, err)
	}
	with, err := client.New(s.URL, client.Config{APIKey: k.Secret, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	page := s.pages()[logdb.KindSystem]
	if _, err := with.PushPage(ctx, page); err != nil {
		t.Errorf("upload with the key: %v", err)
	}
	_, err = with.Events(ctx, s.meter, api.EventsQuery{Kind: logdb.KindSystem})
	fails(t, "read with a key that only uploads", err, fault.Forbidden)
	list, err := s.c.Keys(ctx)
	if err != nil || !slices.ContainsFunc(list, func(o api.Key) bool { return o.ID == k.ID }) {
		t.Errorf("keys: %+v, %v", list, err)
	}
	if err := s.c.RevokeKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	_, err = with.PushPage(ctx, page)
	fails(t, "upload with a revoked key", err, fault.Unauthenticated)
}

func (s *Suite) errors(t *testing.T) {
	ctx := t.Context()
	_, err := s.c.Meter(ctx, "nobody")
	fails(t, "an unknown meter", err, fault.NotFound)
	_, err = s.c.Upload(ctx, s.meter, logdb.KindHistorical, []byte(`{"records": [`))
	fails(t, "half a page", err, fault.Invalid)
	_, err = s.c.History(ctx, s.meter, api.HistoryQuery{Interval: "7x"})
	fails(t, "an unknown interval", err, fault.Invalid)
	_, err = s.c.Digests(ctx, s.meter, logdb.KindPQ, logdb.StreamID{Journal: "00000000000000000000000000000000", Policy: "1"})
	fails(t, "an unknown stream", err, fault.NotFound)
	var known *fault.Error
	if !errors.As(err, &known) || known.Message == "" {
		t.Errorf("an error without words: %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.c.Meters(canceled); err == nil {
		t.Error("a call that was given up has an answer")
	}
}

func (s *Suite) logout(t *testing.T) {
	if err := s.c.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := s.c.Meters(t.Context())
	fails(t, "meters after the logout", err, fault.Unauthenticated)
}
