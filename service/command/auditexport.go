package command

import (
	"context"
	"time"

	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/audit/export"
)

// AuditExporter sends the audit to other programs.
type AuditExporter interface {
	Add(ctx context.Context, t export.Target, fromStart bool) error
	Remove(ctx context.Context, name string) error
	States(ctx context.Context) ([]export.State, error)
}

// AuditExportHandlers are the commands of the audit's targets.
func AuditExportHandlers(e AuditExporter) Handlers {
	c := auditExport{e}
	return Handlers{api.CmdAuditExportAdd: Bind(c.add), api.CmdAuditExportList: Bind(c.list), api.CmdAuditExportRemove: Bind(c.remove)}
}

type auditExport struct{ exporter AuditExporter }

type auditExportArgs struct {
	Name        string `json:"name"`
	URL         string `json:"url"`
	Format      string `json:"format"`
	View        string `json:"view"`
	CA          string `json:"ca"`
	Fingerprint string `json:"fingerprint"`
	FromStart   bool   `json:"from_start"`
}

type auditTargets struct {
	Targets []auditTarget `json:"targets"`
}

type auditTarget struct {
	Name        string `json:"name"`
	URL         string `json:"url"`
	Format      string `json:"format"`
	View        string `json:"view"`
	CA          string `json:"ca,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	// Received is the number of the last event that it is known to have, Sent of the last one that was written to it.
	Received int64  `json:"received"`
	Sent     int64  `json:"sent"`
	Waiting  int64  `json:"waiting"`
	Trouble  string `json:"trouble,omitempty"`
	// Elsewhere tells that another node before the same database serves it.
	Elsewhere bool       `json:"elsewhere,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
}

func (c auditExport) add(ctx context.Context, _ account.Principal, a auditExportArgs) (auditTargets, error) {
	err := c.exporter.Add(ctx, export.Target{Name: a.Name, URL: a.URL, Format: a.Format, View: a.View, CA: a.CA, Fingerprint: a.Fingerprint}, a.FromStart)
	if err != nil {
		return auditTargets{}, err
	}
	return c.all(ctx)
}

func (c auditExport) list(ctx context.Context, _ account.Principal, _ none) (auditTargets, error) {
	return c.all(ctx)
}

func (c auditExport) remove(ctx context.Context, _ account.Principal, a struct {
	Name string `json:"name"`
}) (auditTargets, error) {
	if err := c.exporter.Remove(ctx, a.Name); err != nil {
		return auditTargets{}, err
	}
	return c.all(ctx)
}

func (c auditExport) all(ctx context.Context) (auditTargets, error) {
	states, err := c.exporter.States(ctx)
	out := auditTargets{Targets: []auditTarget{}}
	for _, s := range states {
		t := auditTarget{
			Name: s.Name, URL: s.URL, Format: s.Format, View: s.View, CA: s.CA, Fingerprint: s.Fingerprint, Received: s.Position, Sent: s.Sent, Waiting: s.Waiting, Trouble: s.Trouble,
		}
		if !s.Since.IsZero() {
			t.Since = &s.Since
		}
		t.Elsewhere = s.Elsewhere
		out.Targets = append(out.Targets, t)
	}
	return out, err
}
