package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"metermanager/assets"
	"metermanager/cloudsync"
	"metermanager/cloudsync/clouddb"
	"metermanager/logdb"
	"metermanager/rpc/client"
	"metermanager/service/cloud/realtime"
	"metermanager/service/config"
	"metermanager/service/field/device"
	"metermanager/service/field/discover"
	"metermanager/service/field/pickup"
	"metermanager/service/field/retrieve"
	"metermanager/service/metadb"
)

// openSync opens the sync with clouds. Every node has it: a cloud passes on what was sent to it once it is told to whom.
func (n *node) openSync(ctx context.Context) error {
	store, err := clouddb.New(ctx, n.meta, clouddb.Config{MasterKey: n.master})
	if err != nil {
		return fmt.Errorf("open the tables of the cloud sync: %w", err)
	}
	n.care = &care{n: n, decisions: store}
	n.sync = cloudsync.New(n.dial, n.logs, store, n.syncConfig(n.part("cloudsync")))
	return nil
}

// openSite opens the side towards meters; nothing without that role.
func (n *node) openSite(ctx context.Context) error {
	if !n.config.HasRole(config.RoleSite) {
		return nil
	}
	profiles, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		return fmt.Errorf("read the meter profiles: %w", err)
	}
	// Those of the user come on top. One that is refused keeps neither the service nor the others from working.
	if err := profiles.Add(os.DirFS(filepath.Join(n.config.Data, "profiles"))); err != nil {
		n.part("field").Error("leave out meter profiles of the data folder", "err", err)
	}
	state, err := metadb.OpenField(ctx, n.meta)
	if err != nil {
		return fmt.Errorf("open the tables of the meters: %w", err)
	}
	n.field, err = retrieve.New(ctx, n.logs, state, profiles, n.fieldConfig(n.part("field")))
	if err != nil {
		return fmt.Errorf("open the meters: %w", err)
	}
	n.files, err = pickup.New(ctx, n.logs, state, pickup.Config{Password: n.secrets.password, OnNewData: n.sync.Notify, Room: n.disk.take, Now: n.options.Seams.Now, Logger: n.part("files")})
	if err != nil {
		return fmt.Errorf("open the list of watched folders: %w", err)
	}
	n.profiles = profiles
	n.scans = discover.NewRunner(&discover.Scanner{
		Profiles: profiles, Known: n.field.At, Logger: n.part("discovery"), Dial: n.options.Seams.DialMeter,
	}, filepath.Join(n.config.Data, "discovery.json"), n.options.Seams.Now)
	return nil
}

// dial makes the client of a cloud. A login is worth more than a key: it may configure.
func (n *node) dial(d cloudsync.Destination) (cloudsync.Cloud, error) {
	cfg := n.options.Seams.Client
	cfg.Token, cfg.User, cfg.Password = string(d.Token), d.User, string(d.Password)
	cfg.Fingerprint = d.Fingerprint
	cfg.Dial, cfg.Logger = n.options.Seams.DialCloud, n.part("client")
	cfg.OnRequests = func() { n.sync.RequestsWait(d.ID) }
	if cfg.Token == "" && cfg.Password == "" {
		cfg.APIKey = string(d.APIKey)
	}
	return client.New(d.URL(), cfg)
}

// postLive shows what a meter just measured on the board of present values.
func (n *node) postLive(meter logdb.MeterUID, at time.Time, readings []device.Reading) {
	values := make([]realtime.Value, 0, len(readings))
	for _, r := range readings {
		if r.Channel != "" && r.Quality == device.Good {
			values = append(values, realtime.Value{Channel: r.Channel, Value: r.Value})
		}
	}
	if err := n.board.Post(meter, logdb.MillisOf(at), values); err != nil {
		n.part("realtime").Warn("refused a live reading", "meter", string(meter), "err", err)
	}
}
