package command

import (
	"context"
	"os"
	"strconv"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/audit"
)

// AuditStore is what the commands of the audit read.
type AuditStore interface {
	Audit(ctx context.Context, f audit.Filter) ([]audit.Event, error)
	// CheckAudit goes along the chain of one customer, or all, and says what is wrong.
	CheckAudit(ctx context.Context, only *string) (events int64, broken []string, err error)
}

// AuditHandlers are the commands of the audit.
func AuditHandlers(store AuditStore, version string) Handlers {
	c := auditCommands{store, version}
	return Handlers{api.CmdAuditList: Bind(c.list), api.CmdAuditCheck: Bind(c.check)}
}

type auditCommands struct {
	store   AuditStore
	version string
}

type auditArgs struct {
	View    string `json:"view"`
	From    string `json:"from"`
	To      string `json:"to"`
	Actor   string `json:"actor"`
	Action  string `json:"action"`
	Outcome string `json:"outcome"`
	Before  int64  `json:"before"`
	Limit   int    `json:"limit"`
	Format  string `json:"format"`

	Customer string `json:"customer"`
}

var errHeld = fault.New(fault.Forbidden, "This is for users who see all facilities.")

type auditAnswer struct {
	Events []audit.Event `json:"events,omitempty"`
	Lines  []string      `json:"lines,omitempty"` // of the formats cef and syslog
	// Next is what before takes for the next page; absent at the end.
	Next int64 `json:"next,omitempty"`
}

func (c auditCommands) list(ctx context.Context, p account.Principal, a auditArgs) (auditAnswer, error) {
	if p.ByFacility {
		return auditAnswer{}, errHeld
	}
	f := audit.Filter{View: a.View, Actor: a.Actor, Action: a.Action, Outcome: a.Outcome, Before: a.Before, Limit: a.Limit}
	switch {
	case f.View == "" || f.View == audit.ViewCustomer:
		f.View, f.Customer = audit.ViewCustomer, string(p.Customer)
	case f.View != audit.ViewAdmin && f.View != audit.ViewServer:
		return auditAnswer{}, fault.New(fault.Invalid, "A view is customer, admin or server.").At("view")
	case !p.System():
		return auditAnswer{}, fault.New(fault.Forbidden, "This view shows all customers: it is for system administrators.").At("view")
	}
	if a.Customer != "" && f.View != audit.ViewCustomer {
		f.Customer = a.Customer
	}
	if f.Limit == 0 {
		f.Limit = 100
	}
	if f.Limit < 1 || f.Limit > 1000 {
		return auditAnswer{}, fault.New(fault.Invalid, "At most 1 to 1000 events are told at once.").At("limit")
	}
	var err error
	if f.From, err = momentArg("from", a.From); err != nil {
		return auditAnswer{}, err
	}
	if f.To, err = momentArg("to", a.To); err != nil {
		return auditAnswer{}, err
	}
	list, err := c.store.Audit(ctx, f)
	if err != nil {
		return auditAnswer{}, err
	}
	out := auditAnswer{}
	if len(list) == f.Limit {
		out.Next = list[len(list)-1].Seq
	}
	host, _ := os.Hostname() // "-" without one
	product := audit.Product(c.version, host)
	switch a.Format {
	case "", "json":
		out.Events = list
	case "cef":
		for _, e := range list {
			out.Lines = append(out.Lines, product.CEF(e))
		}
	case "syslog":
		for _, e := range list {
			out.Lines = append(out.Lines, product.Syslog(e))
		}
	default:
		return auditAnswer{}, fault.New(fault.Invalid, "A format is json, cef or syslog.").At("format")
	}
	return out, nil
}

// momentArg reads RFC 3339 or ms, 0 for "".
func momentArg(param, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, fault.New(fault.Invalid, "A time is written as 2026-03-01T12:00:00Z, or in ms since 1970.").At(param)
	}
	return t.UnixMilli(), nil
}

type auditChecked struct {
	Events int64    `json:"events"`
	Intact bool     `json:"intact"`
	Broken []string `json:"broken,omitempty"`
}

func (c auditCommands) check(ctx context.Context, p account.Principal, _ none) (auditChecked, error) {
	if p.ByFacility {
		return auditChecked{}, errHeld
	}
	own := string(p.Customer)
	only := &own
	if p.System() {
		only = nil
	}
	n, broken, err := c.store.CheckAudit(ctx, only)
	return auditChecked{n, len(broken) == 0, broken}, err
}
