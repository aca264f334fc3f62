package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/service/bus"
	"metermanager/service/cloud/correction"
	"metermanager/service/cloud/ingest"
	"metermanager/service/cloud/notify"
	"metermanager/service/command"
	"metermanager/service/config"
	"metermanager/service/metrics"
	"metermanager/service/webapi"
)

// openServer wires commands and web API and opens the listener.
func (n *node) openServer(ctx context.Context) error {
	now := n.options.Seams.Now
	stored := bus.NewNotices(func(_ context.Context, s ingest.Stored) {
		n.sync.NotifyReceived(s.Meter) // a relay passes on what it received
	})
	push := ingest.New(n.logs, n.registry, ingest.Config{Stored: stored, Room: n.disk.take, Now: now, Logger: n.part("ingest")})
	own, err := openLimits(ctx, n.store, push)
	if err != nil {
		return fmt.Errorf("open the limits: %w", err)
	}
	state := n.statusConfig()
	state.Home, state.Conflicts = n.home, push.Conflicts
	status := command.NewNode(n.registry, n.logs, n.board, state)
	table, err := command.New(command.Config{Home: n.home, Now: now, Logger: n.part("command")}, append(n.handlers(status), command.LimitHandlers(own), command.RetentionHandlers(n.retention), command.CareHandlers(n.care, n.registry), command.LogHandlers(n.logs, n.registry), command.MailHandlers(n.store))...)
	if err != nil {
		return fmt.Errorf("join the commands: %w", err)
	}
	var uploads webapi.Uploads
	if n.sync != nil {
		uploads = n.sync
	}
	secure, err := n.openTLS(ctx)
	if err != nil {
		return err
	}
	var authority []byte
	if n.authority != nil {
		authority = n.authority.PEM()
	}
	handler, err := webapi.New(webapi.Parts{
		Fetch: n.desk, Uploads: uploads, Accounts: n.accounts, Meters: n.registry, Logs: n.logs, Board: n.board, Commands: table, Status: status,
		Push: push, Audit: n.store, Licences: n.licences, Correct: correction.New(n.registry, n.logs, correction.Config{Now: now, Changed: n.changed}), Backup: n.care.backup,
	}, webapi.Config{
		Figures: func(t *metrics.Text) { writeGate(t, push.Gate()) },
		Version: api.VersionAnswer{Program: "metermanager", Version: n.options.Version, Commit: n.options.Commit, Go: runtime.Version()},
		KeyRate: float64(n.config.KeyRate), KeyBurst: int(n.config.KeyBurst), Queries: int(n.config.Queries), QueryWait: seconds(n.config.QueryWaitS),
		Authority: authority,
		Ready:     n.problems, LogLines: n.program.Lines, Now: now, Logger: n.part("webapi"),
	})
	if err != nil {
		return fmt.Errorf("open the web API: %w", err)
	}
	n.server, err = host.New(ctx, n.config.Listen, byRole(handler, n.config), n.hostConfig(secure, handler.Refused))
	if err != nil {
		return fmt.Errorf("open the web API: %w", err)
	}
	return nil
}

// hostConfig is that of the listener.
func (n *node) hostConfig(secure *tls.Config, refused func(*http.Request, error)) host.Config {
	c := n.config
	return host.Config{
		TLS: secure, Refused: refused, Listen: n.options.Seams.Listen, Now: n.options.Seams.Now, Logger: n.part("host"),
		Rate: float64(c.Rate), Burst: int(c.Burst), Requests: int(c.Requests), WireBytes: c.WireMB << 20, BodyBytes: c.BodyMB << 20,
		ReadTimeout: seconds(c.ReadTimeoutS), WriteTimeout: seconds(c.WriteTimeoutS),
	}
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// writeGate writes how much is being taken in.
func writeGate(t *metrics.Text, s ingest.GateStats) {
	t.One("metermanager_ingest_pages", metrics.Gauge, "Pages that are being read, checked and stored.", float64(s.Pages))
	t.One("metermanager_ingest_bytes", metrics.Gauge, "Memory that these pages take, as estimated from their text.", float64(s.Bytes))
	t.One("metermanager_ingest_waiting", metrics.Gauge, "Pages that wait for their turn.", float64(s.Waiting))
	t.One("metermanager_ingest_admitted_total", metrics.Counter, "Pages that were let in.", float64(s.Admitted))
	t.One("metermanager_ingest_refused_total", metrics.Counter, "Pages that were sent away with a time to come back.", float64(s.Refused))
}

// byRole refuses the uploads of others where the node is no cloud.
func byRole(handler http.Handler, c config.Config) http.Handler {
	if c.HasRole(config.RoleCloud) {
		return handler
	}
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	for _, id := range []string{api.OpUpload, api.OpPush, api.OpRegister} {
		if op, ok := api.Lookup(id); ok {
			mux.HandleFunc(op.Pattern(), func(w http.ResponseWriter, r *http.Request) {
				host.WriteError(w, r, fault.New(fault.Forbidden, "This node takes no uploads.").
					WithHint("It does not have the role cloud (see roles in its configuration)."))
			})
		}
	}
	return mux
}

// statusConfig says what the state of the node is made of.
func (n *node) statusConfig() command.NodeConfig {
	c := command.NodeConfig{
		Version: n.options.Version, Data: n.config.Data, FreeBytes: func(string) (int64, error) { return n.freeBytes() },
		DiskLevel: func() string { level, _ := n.disk.look(); return level }, Warnings: n.warnings, Space: n.care.spaceOf, Now: n.options.Seams.Now, Logger: n.part("status"),
	}
	if n.field != nil {
		c.Field = command.FieldStatus(n.field)
	}
	c.Retention = command.RetentionState(n.retention)
	c.Progress = n.sync.Progress
	c.Sync = func(ctx context.Context) (*api.SyncStatus, error) {
		s, err := n.sync.Status(ctx)
		if n.field == nil && s.Cloud == "" {
			return nil, err // a cloud that passes nothing on
		}
		return &s, err
	}
	return c
}

// stages lists the long-lived parts in the order in which they start.
func (n *node) stages(notifier Notifier) []stage {
	out := []stage{{"log database", n.logs.Run}, {"retention", n.retention.Run}, {"cloud sync", n.sync.Run}}
	if n.field != nil {
		out = append(out, stage{"meters", n.field.Run}, stage{"discovery", n.scans.Run}, stage{"files", n.files.Run})
	}
	return append(out,
		stage{"mail", n.outbox().Run},
		stage{"disk", n.disk.run},
		stage{"space", n.care.run},
		stage{"licences", n.licences.Run},
		stage{"audit export", n.export.Run},
		stage{"web API", n.server.Run},
		stage{"watchdog", func(ctx context.Context) error { return notifier.Watch(ctx, n.alive) }})
}

// outbox sends the letters of the node. Without a mail server they wait.
func (n *node) outbox() *notify.Outbox {
	var sender notify.Sender
	if c := n.config; c.SMTPServer != "" {
		sender = &notify.SMTP{Server: c.SMTPServer, Security: c.SMTPSecurity, User: c.SMTPUser, PasswordFile: c.SMTPPasswordFile, Password: n.secrets.password, From: c.SMTPFrom}
	}
	return notify.New(n.store, n.accounts, sender, notify.Config{Every: n.options.Seams.LookEvery, Now: n.options.Seams.Now, Logger: n.part("mail")})
}

// changed tells the cloud sync that a journal here has grown: the node's own, or one that it makes for who posts to it.
func (n *node) changed(meter logdb.MeterUID) {
	if n.sync != nil {
		n.sync.NotifyReceived(meter)
	}
}
