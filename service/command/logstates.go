package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
)

// logStates joins what the store, the meter's memory and the clouds tell of each log of a meter.
func (n *Node) logStates(ctx context.Context, uid logdb.MeterUID, field []api.LogStatus) ([]api.LogStatus, error) {
	logs, err := n.logsOf(ctx, uid)
	if err != nil {
		return nil, err
	}
	logs = mergeLogs(logs, field)
	if n.cfg.Progress != nil {
		clouds, err := n.cfg.Progress(ctx, uid)
		if err != nil {
			return nil, fmt.Errorf("ask how far the clouds have come with meter %s: %w", uid, err)
		}
		for i := range logs {
			if kind, err := logdb.ParseKind(logs[i].Kind); err == nil {
				logs[i].Clouds = clouds[kind]
			}
		}
	}
	if n.cfg.Conflicts != nil {
		for i := range logs {
			if kind, err := logdb.ParseKind(logs[i].Kind); err == nil && (i == 0 || logs[i-1].Kind != logs[i].Kind) {
				logs[i].Conflicts = n.cfg.Conflicts(uid, kind)
			}
		}
	}
	return logs, nil
}

// mergeLogs adds what retrieval knows of a log to what the store knows.
func mergeLogs(stored, field []api.LogStatus) []api.LogStatus {
	for _, f := range field {
		i := slices.IndexFunc(stored, func(s api.LogStatus) bool { return s.Kind == f.Kind && s.Log == f.Log })
		if i < 0 {
			stored = append(stored, f)
			continue
		}
		s := &stored[i]
		s.AtMeter, s.Trouble = f.AtMeter, f.Trouble
		if f.LastRead != 0 {
			s.LastRead = f.LastRead
		}
		if m := f.AtMeter; m != nil && m.Behind > 0 && m.Last > s.Last {
			s.LagMS = int64(m.Last - s.Last)
		}
	}
	slices.SortStableFunc(stored, func(a, b api.LogStatus) int {
		ka, _ := logdb.ParseKind(a.Kind) // an unknown one stands first
		kb, _ := logdb.ParseKind(b.Kind)
		return cmp.Or(cmp.Compare(ka, kb), cmp.Compare(a.Log, b.Log))
	})
	return stored
}

// briefGaps is how many gaps of a log stand in the state of the whole node.
const briefGaps = 3

// brief shortens the state of a meter for the state of the whole node.
func brief(m *api.MeterStatus) {
	for i := range m.Logs {
		if g := m.Logs[i].Gaps; g != nil && len(g.Newest) > briefGaps {
			short := *g
			short.Newest = g.Newest[:briefGaps]
			m.Logs[i].Gaps = &short
		}
	}
}

// MeterStatus returns the state of one meter, by UID, name or serial number, with everything that
// is known about its logs.
func (n *Node) MeterStatus(ctx context.Context, p account.Principal, id string) (api.MeterStatus, error) {
	var none api.MeterStatus
	if err := account.Allow(p, permission.RPCRead, account.Resource{}); err != nil {
		return none, err
	}
	if !p.Permissions.Has(permission.MetersRead) {
		return none, fault.New(fault.Forbidden, "Seeing meters needs the permission "+permission.MetersRead.String()+".")
	}
	list, err := n.meters.Meters(ctx, p)
	if err != nil {
		return none, err
	}
	read, err := n.readMeters(ctx)
	if err != nil {
		return none, err
	}
	m, err := findMeter(list, read, p, id)
	if err != nil {
		return none, err
	}
	out, err := n.meter(ctx, m, read)
	if err != nil {
		return out, err
	}
	if n.cfg.Sync != nil {
		sync, err := n.cfg.Sync(ctx)
		if err != nil {
			return out, fmt.Errorf("ask for the state of the cloud sync: %w", err)
		}
		one := api.NodeStatus{Sync: sync, Meters: []api.MeterStatus{out}}
		joinSync(&one)
		out = one.Meters[0]
	}
	return out, nil
}

// findMeter returns the only meter of that UID, name or serial number. Somebody who owns the node
// may also ask for a meter that was never read, which the registry lacks.
func findMeter(list []registry.Meter, read map[logdb.MeterUID]api.MeterStatus, p account.Principal, id string) (registry.Meter, error) {
	if p.System() {
		for uid, m := range read {
			if !slices.ContainsFunc(list, func(x registry.Meter) bool { return x.UID == uid }) {
				list = append(list, registry.Meter{UID: uid, Enabled: true, Settings: logdb.Settings{Name: m.Name, Serial: m.Serial}})
			}
		}
	}
	var hits []registry.Meter
	for _, m := range list {
		if string(m.UID) == id {
			return m, nil
		}
		name, serial := m.Settings.Name, m.Settings.Serial
		if r, ok := read[m.UID]; ok {
			name, serial = cmp.Or(r.Name, name), cmp.Or(r.Serial, serial)
		}
		if name == id || serial == id {
			hits = append(hits, m)
		}
	}
	switch len(hits) {
	case 0:
		return registry.Meter{}, fault.New(fault.NotFound, "There is no such meter.").At("meter").WithHint("metermanager status lists the meters.")
	case 1:
		return hits[0], nil
	}
	return registry.Meter{}, fault.Newf(fault.NotFound, "%d meters are called that.", len(hits)).At("meter").WithHint("Name it by its UID.")
}
