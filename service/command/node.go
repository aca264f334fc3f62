package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/realtime"
	"metermanager/service/cloud/registry"
)

// NodeMeters lists the meters that somebody may see.
type NodeMeters interface {
	Meters(ctx context.Context, p account.Principal) ([]registry.Meter, error)
}

// NodeBoard knows present values.
type NodeBoard interface {
	Latest(meter logdb.MeterUID) (s realtime.Sample, stale, ok bool)
}

// NodeConfig completes a node's status with what only some nodes have. Everything may be
// left out.
type NodeConfig struct {
	Version string
	Data    string // the data folder
	// Home tells which customer runs the node: only it sees what is the node's. nil: there are no others.
	Home func(ctx context.Context) (account.CustomerID, error)
	// Field tells the state of the meters that this node reads itself.
	Field func(ctx context.Context) ([]api.MeterStatus, error)
	// Sync tells the state of the cloud sync; nil when it has none.
	Sync func(ctx context.Context) (*api.SyncStatus, error)
	// Progress tells how far each cloud has come with a meter's logs; nil without a cloud sync.
	Progress func(ctx context.Context, meter logdb.MeterUID) (map[logdb.Kind][]api.LogAtCloud, error)
	// Conflicts tells which pages of a meter were refused here as contradictions; nil: none.
	Conflicts func(meter logdb.MeterUID, kind logdb.Kind) *api.Conflicts
	// Retention tells the state of moving old data into the archive; nil: there is none.
	Retention func(ctx context.Context) (*api.RetentionStatus, error)
	// FreeBytes tells the room left beside a folder.
	FreeBytes func(folder string) (int64, error)
	// DiskLevel tells whether the disk has room: one of the levels of api.DiskStatus.
	DiskLevel func() string
	// Space tells what the logs of a meter take, as it was measured last; 0: not yet. May be nil.
	Space func(meter logdb.MeterUID) int64
	// Warnings tells what else needs somebody's action.
	Warnings func(ctx context.Context) []string
	// Fresh is how long the counts of a meter's logs are taken from memory; 2 s by default.
	Fresh  time.Duration
	Now    func() time.Time
	Logger *slog.Logger
}

// Node puts the state of the node together from its parts.
type Node struct {
	meters  NodeMeters
	logs    logdb.Source
	board   NodeBoard
	cfg     NodeConfig
	started logdb.Millis

	mu    sync.Mutex
	cache map[logdb.MeterUID]cachedLogs
}

type cachedLogs struct {
	at   time.Time
	logs []api.LogStatus
}

var _ StatusSource = (*Node)(nil)

// NewNode returns the status of a node that starts now.
func NewNode(meters NodeMeters, logs logdb.Source, board NodeBoard, cfg NodeConfig) *Node {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Fresh <= 0 {
		cfg.Fresh = 2 * time.Second
	}
	return &Node{meters: meters, logs: logs, board: board, cfg: cfg, started: logdb.MillisOf(cfg.Now()), cache: map[logdb.MeterUID]cachedLogs{}}
}

// NodeStatus returns the state of the node with the meters that p may see.
func (n *Node) NodeStatus(ctx context.Context, p account.Principal) (api.NodeStatus, error) {
	if err := account.Allow(p, permission.RPCRead, account.Resource{}); err != nil {
		return api.NodeStatus{}, err
	}
	out := api.NodeStatus{Version: n.cfg.Version, Started: n.started, Now: logdb.MillisOf(n.cfg.Now()), Meters: []api.MeterStatus{}}
	if p.System() {
		out.Data = n.cfg.Data
		if n.cfg.Retention != nil {
			state, err := n.cfg.Retention(ctx)
			if err != nil {
				return api.NodeStatus{}, fmt.Errorf("ask for the state of the archive: %w", err)
			}
			out.Retention = state
		}
	}
	mine, err := runs(ctx, n.cfg.Home, p)
	if err != nil {
		return api.NodeStatus{}, err
	}
	if mine {
		out.Disk = n.disk()
		if n.cfg.DiskLevel != nil {
			out.Disk.Level = n.cfg.DiskLevel()
		}
	}
	if p.Permissions.Has(permission.MetersRead) {
		if err := n.addMeters(ctx, p, &out); err != nil {
			return api.NodeStatus{}, err
		}
	}
	if !mine {
		return out, nil
	}
	if n.cfg.Sync != nil {
		sync, err := n.cfg.Sync(ctx)
		if err != nil {
			return api.NodeStatus{}, fmt.Errorf("ask for the state of the cloud sync: %w", err)
		}
		out.Sync = sync
		joinSync(&out)
	}
	if n.cfg.Warnings != nil {
		out.Warnings = append(out.Warnings, n.cfg.Warnings(ctx)...)
	}
	return out, nil
}

// joinSync puts the cloud's side of each meter beside its own.
func joinSync(s *api.NodeStatus) {
	if s.Sync == nil {
		return
	}
	for i := range s.Meters {
		for j := range s.Sync.Meters {
			if s.Sync.Meters[j].UID == s.Meters[i].UID && s.Meters[i].Cloud == nil {
				s.Meters[i].Cloud = &s.Sync.Meters[j]
			}
		}
		for _, c := range s.Sync.Clouds {
			for _, m := range c.Meters {
				if m.UID == s.Meters[i].UID {
					s.Meters[i].Clouds = append(s.Meters[i].Clouds, m)
				}
			}
		}
	}
}

func (n *Node) addMeters(ctx context.Context, p account.Principal, out *api.NodeStatus) error {
	list, err := n.meters.Meters(ctx, p)
	if err != nil {
		return err
	}
	read, err := n.readMeters(ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		one, err := n.meter(ctx, m, read)
		if err != nil {
			return err
		}
		delete(read, m.UID)
		brief(&one)
		out.Meters = append(out.Meters, one)
	}
	// A meter that was added and never read yet has no data, so the registry lacks it.
	if p.System() {
		out.Meters = slices.AppendSeq(out.Meters, maps.Values(read))
	}
	slices.SortFunc(out.Meters, func(a, b api.MeterStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return nil
}

// readMeters tells of the meters that this node reads itself.
func (n *Node) readMeters(ctx context.Context) (map[logdb.MeterUID]api.MeterStatus, error) {
	read := map[logdb.MeterUID]api.MeterStatus{}
	if n.cfg.Field == nil {
		return read, nil
	}
	field, err := n.cfg.Field(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the state of the meters: %w", err)
	}
	for _, m := range field {
		read[m.UID] = m
	}
	return read, nil
}

// recent is how new data must be for a meter that only uploads to count as receiving.
const recent = logdb.Millis(36 * 3600 * 1000)

func (n *Node) meter(ctx context.Context, m registry.Meter, read map[logdb.MeterUID]api.MeterStatus) (_ api.MeterStatus, err error) {
	out, local := read[m.UID]
	out.UID = m.UID
	if out.Name == "" {
		out.Name = m.Settings.Name
	}
	if out.Serial == "" {
		out.Serial = m.Settings.Serial
	}
	if out.Type == "" {
		out.Type = m.Settings.Model
	}
	if out.Profile == "" {
		out.Profile = m.Settings.Profile
	}
	out.Zone = m.Settings.Zone
	if len(out.Unverified) == 0 {
		out.Unverified = m.Settings.Unverified
	}
	if out.Logs, err = n.logStates(ctx, m.UID, out.Logs); err != nil {
		return out, err
	}
	if out.Latest == nil {
		out.Latest = n.latest(m.UID)
	}
	if n.cfg.Space != nil {
		out.SpaceBytes = n.cfg.Space(m.UID)
	}
	if !local || out.State == "" {
		out.State = n.passiveState(m, out)
	}
	return out, nil
}

// passiveState is the state of a meter that this node does not read.
func (n *Node) passiveState(m registry.Meter, s api.MeterStatus) string {
	if !m.Enabled {
		return "disabled"
	}
	newest := logdb.Millis(0)
	for _, l := range s.Logs {
		newest = max(newest, l.Last)
	}
	if newest > 0 && logdb.MillisOf(n.cfg.Now())-newest < recent {
		return "receiving"
	}
	return "waiting"
}

func (n *Node) latest(uid logdb.MeterUID) *api.Realtime {
	s, stale, ok := n.board.Latest(uid)
	if !ok {
		return nil
	}
	return RealtimeOf(s, stale)
}

// RealtimeOf makes the document of a sample.
func RealtimeOf(s realtime.Sample, stale bool) *api.Realtime {
	out := &api.Realtime{Time: s.Time, Received: s.Received, Stale: stale, Values: []api.RealtimeValue{}}
	for _, v := range s.Values {
		out.Values = append(out.Values, api.RealtimeValue{Key: v.Channel, Unit: logdb.LookupChannel(v.Channel).Unit, Value: api.Value(v.Value)})
	}
	return out
}

func (n *Node) disk() api.DiskStatus {
	var d api.DiskStatus
	if n.cfg.Data == "" {
		return d
	}
	err := filepath.WalkDir(n.cfg.Data, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // a temporary file that is gone by now
			return nil
		} else if err != nil {
			return err
		}
		if e.IsDir() && strings.HasPrefix(e.Name(), ".backup-") { // links to files that are counted already
			return fs.SkipDir
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			d.UsedBytes += info.Size()
		}
		return nil
	})
	if err == nil && n.cfg.FreeBytes != nil {
		d.FreeBytes, err = n.cfg.FreeBytes(n.cfg.Data)
	}
	if err != nil {
		n.cfg.Logger.Warn("measure the data folder", "err", err)
	}
	return d
}
