package virtual

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/runner"
	"metermanager/logdb/sqldb/simdisk"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
	"metermanager/service/config"
	"metermanager/service/daemon"
	"metermanager/service/field/retrieve"
)

// Key and Password are the credentials of every node.
const (
	Key      = "mmk_00000000000000000000000000000000000000000000"
	User     = "engineer"
	Password = "correct horse battery"
)

// NodeConfig says what a node is.
type NodeConfig struct {
	Host  string   // its name in the network
	Roles []string // site, cloud
	Dir   string   // real folder of what is no database
	Disk  *simdisk.Disk
	// Offset is how wrong the node's clock is.
	Offset time.Duration
	Sync   cloudsync.Config
	Field  retrieve.Config
}

// Node is a Meter Manager that can be killed and started again.
type Node struct {
	net     *Network
	cfg     NodeConfig
	archive *folder

	mu     sync.Mutex
	offset time.Duration
	ahead  time.Duration // of the clock by which data grow old
	told   time.Time     // when what its disk holds was told of the meter; zero: not yet
	lines  []Line
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// Line is one line of a node's log.
type Line struct {
	At           time.Time
	Level, Text  string
	Error, Whole string
}

// NewNode makes a node that does not run yet.
func NewNode(n *Network, cfg NodeConfig) *Node {
	return &Node{net: n, cfg: cfg, archive: newFolder(cfg.Disk), offset: cfg.Offset}
}

// Host returns the node's name in the network.
func (n *Node) Host() string { return n.cfg.Host }

// Address returns where the node serves.
func (n *Node) Address() string { return n.cfg.Host + ":80" }

// Start starts the node: New data folders get a user and a key.
func (n *Node) Start(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	n.mu.Lock()
	n.cancel, n.done, n.err = cancel, done, nil
	n.mu.Unlock()
	go func() {
		defer close(done)
		err := daemon.Run(ctx, n.config(), n.options())
		n.mu.Lock()
		defer n.mu.Unlock()
		n.err = err
	}()
}

func (n *Node) config() config.Config {
	return config.Config{
		Data: filepath.Clean(n.cfg.Dir), Listen: "0.0.0.0:80", InsecureHTTP: true, Roles: n.cfg.Roles, LogLevel: "info",
	}
}

func (n *Node) options() daemon.Options {
	permissions := permission.Of(permission.Upload, permission.MetersRead, permission.MetersManage, permission.LogsRead,
		permission.LogsDelete, permission.RPCRead, permission.RPCControl, permission.Verify, permission.System)
	return daemon.Options{
		Version: "virtual", Log: n, JSONLog: true, Getenv: func(string) string { return "" },
		Bootstrap: daemon.Bootstrap{User: User, Password: Password, Customer: "Acme", APIKey: Key, Permissions: permissions},
		Seams: daemon.Seams{
			VFS: n.cfg.Disk.VFS(), Now: n.Now, PasswordCost: 4, Sync: n.cfg.Sync, Field: n.cfg.Field, CompactEvery: time.Hour, LookEvery: time.Hour,
			DialMeter: func(ctx context.Context, address string) (net.Conn, error) {
				return n.net.Dial(ctx, n.cfg.Host, address)
			},
			DialCloud: func(ctx context.Context, _, address string) (net.Conn, error) {
				return n.net.Dial(ctx, n.cfg.Host, address)
			},
			Listen:    func(context.Context, string) (net.Listener, error) { return n.net.Listen(n.Address()) },
			FreeBytes: n.cfg.Disk.FreeBytes, Archive: n.archive.open(), Aging: n.aging,
		},
	}
}

// Now is the node's clock.
func (n *Node) Now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Add(n.offset)
}

// SetOffset makes the node's clock wrong by d.
func (n *Node) SetOffset(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.offset = d
}

// aging is the clock by which the node's data grow old.
func (n *Node) aging() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Add(n.offset + n.ahead)
}

// SetAhead makes the node's data older by d.
func (n *Node) SetAhead(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ahead = d
}

// SetTold notes that the node was told of the meter just now.
func (n *Node) SetTold() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = time.Now()
}

// Told is since when the node's disk knows of the meter.
func (n *Node) Told() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.told
}

// Running reports whether the node runs.
func (n *Node) Running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.done == nil {
		return false
	}
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// Stop ends the node as an operator does, and returns what it says.
func (n *Node) Stop() error {
	n.mu.Lock()
	cancel, done := n.cancel, n.done
	n.mu.Unlock()
	if done == nil {
		return nil
	}
	cancel()
	<-done
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done = nil
	return n.err
}

// Kill ends the node as a power cut does: first the disk takes nothing more, then its
// connections break. What it says of its end is nobody's concern.
func (n *Node) Kill() error {
	if err := n.cfg.Disk.Crash(); err != nil {
		return fmt.Errorf("crash the disk of %s: %w", n.cfg.Host, err)
	}
	n.Bury()
	return nil
}

// Bury ends the node after its disk has gone.
func (n *Node) Bury() {
	n.archive.crash()
	n.net.Drop(n.cfg.Host)
	_ = n.Stop()
}

// Disk returns the node's disk.
func (n *Node) Disk() *simdisk.Disk { return n.cfg.Disk }

// Write takes lines of the node's log.
func (n *Node) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		var doc struct {
			Level string `json:"level"`
			Msg   string `json:"msg"`
			Err   string `json:"err"`
		}
		if err := json.Unmarshal(line, &doc); err != nil {
			return 0, fmt.Errorf("read a line of the log: %w", err)
		}
		n.mu.Lock()
		n.lines = append(n.lines, Line{time.Now().UTC(), doc.Level, doc.Msg, doc.Err, string(bytes.TrimSpace(line))})
		n.mu.Unlock()
	}
	return len(b), nil
}

// Lines returns the log so far.
func (n *Node) Lines() []Line {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Line(nil), n.lines...)
}

// Client makes a client of the node's web API that no fault touches.
func (n *Node) Client() (*client.Client, error) {
	c, err := client.New("http://"+n.Address(), client.Config{
		APIKey: Key, Retries: -1, HTTP1: true,
		Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			return n.net.Dial(ctx, operator, address)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make a client of %s: %w", n.cfg.Host, err)
	}
	return c, nil
}

// errDown is what Ready returns when the node ended by itself.
var errDown = errors.New("the node ended")

// Ready waits until the node answers.
func (n *Node) Ready(ctx context.Context) error {
	c, err := n.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	for range 600 {
		err = c.Ready(ctx)
		if err == nil {
			return nil
		}
		if !n.Running() {
			n.mu.Lock()
			defer n.mu.Unlock()
			return fmt.Errorf("%s: %w: %w", n.cfg.Host, errDown, n.err)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s does not become ready: %w", n.cfg.Host, err)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Calm are intervals with which virtual days do not need millions of wake-ups.
func Calm() (cloudsync.Config, retrieve.Config) {
	return cloudsync.Config{TickEvery: 10 * time.Minute, SyncEvery: 15 * time.Minute, ScanEvery: 6 * time.Hour, PageBytes: 8 << 10,
			Retry: runner.Backoff{Tries: 2}, Pauses: runner.Backoff{First: 5 * time.Second, Max: 15 * time.Minute}},
		retrieve.Config{Retrieve: time.Hour, System: 2 * time.Hour, Live: 6 * time.Hour, HistoryKeep: 10}
}
