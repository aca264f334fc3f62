package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb/postgres"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/host"
	"metermanager/rpc/pki"
	"metermanager/service/applog"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/audit"
	"metermanager/service/cloud/audit/export"
	"metermanager/service/cloud/fetch"
	"metermanager/service/cloud/realtime"
	"metermanager/service/cloud/registry"
	"metermanager/service/cloud/subscription"
	"metermanager/service/config"
	"metermanager/service/field/device"
	"metermanager/service/field/discover"
	"metermanager/service/field/pickup"
	"metermanager/service/field/retrieve"
	"metermanager/service/metadb"
)

// node is everything that a running Meter Manager consists of.
type node struct {
	config   config.Config
	options  Options
	log      *slog.Logger
	stopping atomic.Bool
	closers  []func() error // in the order of opening

	disk      *diskGuard
	program   *applog.Log
	meta      *sqldb.DB
	logs      *sqlite.Store
	master    []byte // seals secrets in the databases
	accounts  *account.Service
	registry  *registry.Registry
	store     *metadb.Cloud
	desk      *fetch.Desk
	board     *realtime.Board
	field     *retrieve.Manager // nil without the role of a site
	scans     *discover.Runner  // as field
	files     *pickup.Runner    // as field
	profiles  *device.Set       // as field
	sync      *cloudsync.Service
	server    *host.Server
	secrets   secrets
	licences  *subscription.Service
	export    *export.Exporter // of the audit
	authority *pki.Authority   // nil: the certificate is another one's, or there is none
	retention *retention
	care      *care
	upgrade   string // names the copies that this start takes before migrations
}

// open opens and wires a node. What was opened is closed again when something fails.
func open(ctx context.Context, c config.Config, o Options, program *applog.Log) (*node, error) {
	n := &node{config: c, options: o, program: program, log: program.Logger()}
	now := time.Now
	if o.Seams.Now != nil {
		now = o.Seams.Now
	}
	n.upgrade = now().UTC().Format("20060102T150405Z")
	n.disk = n.newDiskGuard()
	for _, step := range []func(context.Context) error{n.openFolder, n.openCloudSide, n.openRetention, n.openSync, n.openSite, n.openServer} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

// close closes what was opened, the last first.
func (n *node) close() error {
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		errs = append(errs, n.closers[i]())
	}
	n.closers = nil
	return errors.Join(errs...)
}

// publicURL is where people reach the node.
func (n *node) publicURL() string {
	if n.config.PublicURL != "" {
		return n.config.PublicURL
	}
	return n.config.URL()
}

// home is the customer that runs the node: the oldest; "" before the set-up.
func (n *node) home(ctx context.Context) (account.CustomerID, error) {
	id, err := n.store.FirstCustomer(ctx)
	if errors.Is(err, registry.ErrNotFound) {
		return "", nil
	}
	return id, err
}

// part is the logger of one part.
func (n *node) part(name string) *slog.Logger { return n.log.With("component", name) }

// openFolder opens the data folder with its two databases.
func (n *node) openFolder(ctx context.Context) error {
	dir := n.config.Data
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	unlock, err := config.LockFolder(dir)
	if err != nil {
		return err
	}
	n.closers = append(n.closers, unlock)
	if err := prepareFolder(dir); err != nil {
		return err
	}
	if n.config.Database != "" {
		return n.openPostgres(ctx)
	}
	if n.options.Seams.VFS == "" {
		if err := sqldb.CheckWritable(config.MetaFile(dir), config.LogsFile(dir)); err != nil {
			return err
		}
	}
	meta := n.upgrading("meta")
	meta.CacheBytes = metaCacheBytes
	if n.meta, err = sqldb.Open(ctx, config.MetaFile(dir), meta); err != nil {
		return fmt.Errorf("open the database of meters and users: %w", err)
	}
	n.closers = append(n.closers, n.meta.Close)
	seams := n.options.Seams
	copies := n.upgrading("logs")
	n.logs, err = sqlite.Open(ctx, config.LogsFile(dir), sqlite.Config{
		Upgrade: copies.Upgrade, Beside: []*sqldb.DB{n.meta}, FreeBytes: copies.FreeBytes, VFS: seams.VFS, Now: seams.Now, CompactEvery: seams.CompactEvery, Logger: n.part("logs"),
		Archive: seams.Archive, CacheBytes: n.logsCacheBytes(),
	})
	if err != nil {
		return fmt.Errorf("open the log database: %w", err)
	}
	n.closers = append(n.closers, n.logs.Close)
	// What the sync and the retrieval know fits the journals of the same moment only, so both go back together.
	n.meta.Beside(n.logs.Database())
	return nil
}

// metaCacheBytes is the page cache of the database of meters and users, which is small.
const metaCacheBytes = 16 << 20

// logsCacheBytes is the page cache of the log database. A site may be a small machine, and 50 meters are to fit into 150 MB.
func (n *node) logsCacheBytes() int64 {
	if n.config.HasRole(config.RoleSite) {
		return 32 << 20
	}
	return 64 << 20
}

// openPostgres opens both databases in PostgreSQL; archive files and secrets stay in the data folder.
func (n *node) openPostgres(ctx context.Context) error {
	seams := n.options.Seams
	var err error
	n.meta, err = sqldb.Open(ctx, n.config.Database, sqldb.Config{Part: postgres.MetaPart, Now: seams.Now, Logger: n.part("meta")})
	if err != nil {
		return fmt.Errorf("open the database of meters and users: %w", err)
	}
	n.closers = append(n.closers, n.meta.Close)
	n.logs, err = postgres.Open(ctx, n.config.Database, config.ArchiveFolder(n.config.Data), sqlite.Config{
		Now: seams.Now, CompactEvery: seams.CompactEvery, Logger: n.part("logs"),
	})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, n.logs.Close)
	return nil
}

// openCloudSide opens the side towards people: accounts, registered meters, present values.
func (n *node) openCloudSide(ctx context.Context) error {
	store, err := metadb.OpenCloud(ctx, n.meta)
	if err != nil {
		return fmt.Errorf("open the tables of accounts: %w", err)
	}
	n.store = store
	hasUsers, err := store.HasUsers(ctx)
	if err != nil {
		return fmt.Errorf("look for users: %w", err)
	}
	inData := config.MasterKeyFile(n.config.Data)
	if n.master, err = credentialKey(n.options.Getenv("CREDENTIALS_DIRECTORY"), inData); err != nil {
		return err
	}
	if n.master == nil {
		if n.master, err = masterKey(inData, !hasUsers); err != nil {
			return err
		}
	}
	sealer, err := account.NewSealer(n.master)
	if err != nil {
		return err
	}
	if n.accounts, err = account.New(store, sealer, account.Config{
		BcryptCost: n.options.Seams.PasswordCost, Registration: n.config.Registration, PublicURL: n.publicURL(), Now: n.options.Seams.Now, Logger: n.part("account"),
	}); err != nil {
		return fmt.Errorf("open the accounts: %w", err)
	}
	n.secrets = secrets{store, sealer}
	name, _ := os.Hostname() // "-" without one
	n.export = export.New(store, export.Config{Writer: audit.Product(n.options.Version, name), Folder: config.AuditFolder(n.config.Data), Logger: n.part("audit")})
	if err := n.openLicences(ctx); err != nil {
		return err
	}
	n.registry = registry.New(store, n.logs, n.accounts, registry.Config{LicenceRequired: n.licences.Required, Now: n.options.Seams.Now, Logger: n.part("registry")})
	if n.desk, err = fetch.New(ctx, store, n.logs, n.registry, fetch.Config{Now: n.options.Seams.Now, OnReport: n.requestEnded}); err != nil {
		return fmt.Errorf("open the requests: %w", err)
	}
	n.board = realtime.New(realtime.Config{Now: n.options.Seams.Now})
	return nil
}
