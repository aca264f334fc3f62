package daemon

import (
	"context"
	"log/slog"
	"net"
	"os"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb/archive"
	"metermanager/logdb/sqldb"
	"metermanager/rpc/client"
	"metermanager/service/field/retrieve"
)

// Seams replaces what a node takes from its machine: what a test must hold in its hands to
// prove that nothing is lost. The zero value is the machine itself; no setting reaches them.
type Seams struct {
	// VFS is the registered name of the SQLite file layer under both databases.
	VFS string
	// Now is every part's clock.
	Now func() time.Time
	// DialMeter and DialCloud open connections, Listen the port of the web API.
	DialMeter func(ctx context.Context, address string) (net.Conn, error)
	DialCloud func(ctx context.Context, network, address string) (net.Conn, error)
	Listen    func(ctx context.Context, address string) (net.Listener, error)
	// FreeBytes is the room on the disk of a folder.
	FreeBytes func(folder string) (int64, error)
	// PasswordCost is bcrypt's; 0: the usual one.
	PasswordCost int
	// Sync and Field carry intervals and sizes; the parts that a node wires itself are overwritten.
	Sync  cloudsync.Config
	Field retrieve.Config
	// Client carries the waits and repetitions of the client of a cloud.
	Client client.Config
	// CompactEvery is how often the log database looks for pages to merge; 0: the usual.
	CompactEvery time.Duration
	// LookEvery is how often letters and the periods of subscriptions are looked at; 0: the usual.
	LookEvery time.Duration
	// Archive is where files of old data lie; nil: a folder of the data folder. Aging is the clock by which data grow
	// old; nil: Now.
	Archive archive.Files
	Aging   func() time.Time
}

func (n *node) freeBytes() (int64, error) {
	if f := n.options.Seams.FreeBytes; f != nil {
		return f(n.config.Data)
	}
	return freeBytes(n.config.Data)
}

func (n *node) newDiskGuard() *diskGuard {
	g := &diskGuard{
		free: n.freeBytes, folder: n.config.Data, now: n.options.Seams.Now, log: n.part("disk"),
		most: n.config.DataMaxMB << 20, alarm: n.config.DiskAlarmMB << 20, stop: n.config.DiskStopMB << 20,
	}
	if g.now == nil {
		g.now = time.Now
	}
	return g
}

// database is the configuration of one database.
func (n *node) database(part string) sqldb.Config {
	return sqldb.Config{VFS: n.options.Seams.VFS, Now: n.options.Seams.Now, Logger: n.part(part)}
}

// syncConfig is the cloud sync's, with what the node wires itself.
func (n *node) syncConfig(log *slog.Logger) cloudsync.Config {
	c := n.options.Seams.Sync
	c.Found, c.PassOn, c.Instruct = n.registry.NodeMeters, n.desk.PassOn, n.desk.Instruct
	c.Fingerprint = n.fingerprint
	c.Now, c.Logger = n.options.Seams.Now, log
	return c
}

// requestEnded lets the clouds know what became of a request or an instruction that was passed on.
func (n *node) requestEnded() {
	if n.sync != nil { // a node of the role site
		n.sync.RequestEnded()
	}
}

// fieldConfig is the retrieval's, with what the node wires itself.
func (n *node) fieldConfig(log *slog.Logger) retrieve.Config {
	c := n.options.Seams.Field
	c.OnNewData, c.OnMeter, c.OnLive = n.sync.Notify, n.sync.Notify, n.postLive
	c.Room, c.Now, c.Logger = n.disk.take, n.options.Seams.Now, log
	if c.Node == "" {
		c.Node, _ = os.Hostname() // without it, changes say who by kind only
	}
	c.Modbus.Dial, c.Modbus.Now = n.options.Seams.DialMeter, n.options.Seams.Now
	return c
}
