package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"metermanager/cloudsync/clouddb"
	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/backup"
	"metermanager/service/check"
	"metermanager/service/command"
	"metermanager/service/dbcopy"
)

// care looks after the databases of a running node.
type care struct {
	n         *node
	decisions *clouddb.Store
	backingUp atomic.Bool
	space     atomic.Pointer[map[logdb.MeterUID]int64] // as measured last
}

// What the logs take is measured for the status so often: it reads the lengths of all rows.
const (
	spaceFirst = 2 * time.Minute
	spaceEvery = 6 * time.Hour
)

// run measures from time to time.
func (c *care) run(ctx context.Context) error {
	timer := time.NewTimer(spaceFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if logs, err := c.n.logs.Space(ctx, nil); err == nil {
			c.note(logs)
		} else if ctx.Err() == nil {
			c.n.part("space").Warn("measure the logs", "err", err)
		}
		timer.Reset(spaceEvery)
	}
}

func (c *care) note(logs []sqlite.LogSpace) {
	out := map[logdb.MeterUID]int64{}
	for _, l := range logs {
		out[l.Meter] += l.Records + l.Tiers + l.Raw + l.Account + l.Archive
	}
	c.space.Store(&out)
}

// spaceOf is what the logs of a meter took when they were measured last.
func (c *care) spaceOf(uid logdb.MeterUID) int64 {
	if m := c.space.Load(); m != nil {
		return (*m)[uid]
	}
	return 0
}

var _ command.Care = (*care)(nil)

// backup writes the whole state of the node. One at a time: each keeps a state of the databases alive.
func (c *care) backup(ctx context.Context, omitKey bool, w io.Writer) (err error) {
	if !c.backingUp.CompareAndSwap(false, true) {
		return fault.New(fault.Conflict, "A backup is being taken just now.").WithHint("Try again when it is done.")
	}
	defer c.backingUp.Store(false)
	var text bytes.Buffer
	if err := c.n.config.Print(&text); err != nil {
		return err
	}
	meta, logs, release, err := c.files(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	_, err = backup.Write(ctx, w, backup.Source{
		Data: c.n.config.Data, Meta: meta, Logs: logs, Config: text.Bytes(),
		Version: c.n.options.Version, Commit: c.n.options.Commit, OmitKey: omitKey, Now: c.n.options.Seams.Now, Logger: c.n.part("backup"),
	})
	return err
}

// files returns the databases as a backup takes them: files. Those of a node on PostgreSQL are written for that, in the data folder, and
// removed by release.
func (c *care) files(ctx context.Context) (meta, logs *sqldb.DB, release func() error, err error) {
	if !c.n.meta.Postgres() {
		return c.n.meta, c.n.logs.Database(), func() error { return nil }, nil
	}
	data := c.n.config.Data
	if err := backup.DropExports(data); err != nil {
		return nil, nil, nil, err
	}
	folder, err := os.MkdirTemp(data, backup.ExportPrefix+"*")
	if err != nil {
		return nil, nil, nil, fmt.Errorf("make a folder for the databases: %w", err)
	}
	files, err := dbcopy.Export(ctx, folder, c.n.meta, c.n.logs.Database())
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("copy the databases out of PostgreSQL: %w", err), os.RemoveAll(folder))
	}
	return files.Meta, files.Logs, func() error { return errors.Join(files.Close(), os.RemoveAll(folder)) }, nil
}

func (c *care) node() check.Node {
	return check.Node{Meta: c.n.meta, Base: c.n.logs.Database(), Logs: c.n.logs, Sync: c.decisions}
}

// CheckParts implements command.Care.
func (c *care) CheckParts(ctx context.Context) ([]string, error) { return c.node().Parts(ctx) }

// Check implements command.Care.
func (c *care) Check(ctx context.Context, part string) ([]api.CheckFinding, error) {
	found, err := c.node().Run(ctx, part)
	if errors.Is(err, check.ErrNoPart) {
		return nil, fmt.Errorf("%w: %w", logdb.ErrNotFound, err)
	}
	if len(found) > 0 {
		c.n.part("check").Error("found damage", "count", len(found), "part", part, "err", found[0].Text)
	}
	return found, err
}

// Space implements command.Care.
func (c *care) Space(ctx context.Context) (api.SpaceAnswer, error) {
	out := api.SpaceAnswer{Meters: []api.MeterSpace{}}
	whole, err := c.n.logs.Database().Space(ctx)
	if err != nil {
		return out, err
	}
	logs, err := c.n.logs.Space(ctx, whole.Tables)
	if err != nil {
		return out, err
	}
	c.note(logs)
	meta, err := c.n.meta.Space(ctx)
	if err != nil {
		return out, err
	}
	out.LogsBytes, out.FreeBytes, out.MetaBytes = whole.FileBytes, whole.FreeBytes, meta.FileBytes
	out.OtherBytes = whole.FileBytes - whole.FreeBytes
	slices.SortFunc(logs, func(a, b sqlite.LogSpace) int { return int(a.Kind) - int(b.Kind) })
	at := map[logdb.MeterUID]int{}
	for _, l := range logs {
		i, ok := at[l.Meter]
		if !ok {
			i = len(out.Meters)
			at[l.Meter] = i
			out.Meters = append(out.Meters, api.MeterSpace{Meter: l.Meter})
		}
		m := &out.Meters[i]
		one := api.LogSpace{Kind: l.Kind.String(), Records: l.Records, Tiers: l.Tiers, Raw: l.Raw, Account: l.Account, Archive: l.Archive}
		m.Logs = append(m.Logs, one)
		m.Bytes += one.Bytes()
		out.OtherBytes -= one.Bytes() - one.Archive
		out.ArchiveBytes += one.Archive
	}
	return out, nil
}

// Vacuum implements command.Care.
func (c *care) Vacuum(ctx context.Context, most int64) (api.VacuumAnswer, error) {
	db := c.n.logs.Database()
	before, _, err := db.FreeBytes(ctx)
	if err != nil {
		return api.VacuumAnswer{}, err
	}
	// Small steps: others write between them.
	const step = 256
	for done := int64(0); done < min(most, before); done += step * 4096 {
		if err := db.Vacuum(ctx, step); err != nil {
			return api.VacuumAnswer{}, err
		}
	}
	after, _, err := db.FreeBytes(ctx)
	return api.VacuumAnswer{GivenBack: max(0, before-after), Free: after}, err
}

// prepareFolder refuses a folder that is not whole and removes what killed backups and restores left.
func prepareFolder(dir string) error {
	if err := backup.CleanUp(dir); err != nil {
		return fmt.Errorf("look into the data folder: %w", err)
	}
	return nil
}

// upgrading is the configuration of a database that may have to be migrated: with the name of this start for its copies,
// and the room on the disk for them.
func (n *node) upgrading(part string) sqldb.Config {
	c := n.database(part)
	c.Upgrade, c.FreeBytes = n.upgrade, func(string) (int64, error) { return n.freeBytes() }
	return c
}
