package webapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/audit"
)

// AuditLog is where events of the audit go that no change carries with it.
type AuditLog interface {
	PutAudit(ctx context.Context, e audit.Event) error
	Audit(ctx context.Context, f audit.Filter) ([]audit.Event, error)
}

// traffic are the operations of machines, thousands a day: they leave an event only when they are refused or fail.
var traffic = map[string]bool{api.OpUpload: true, api.OpPush: true, api.OpPostRealtime: true, api.OpReportFetch: true, api.OpPutSettings: true, api.OpOpenFetches: true}

// audited leaves an event of what a request does. What it changes in the databases of the node carries the event in the same
// transaction; the event of what changed nothing there, was refused or failed is stored when it has ended. Questions leave
// one only when they are refused.
func (a *API) audited(op api.Operation, next http.HandlerFunc) http.HandlerFunc {
	if a.Audit == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		trail := audit.Begin(audit.Event{AtMillis: a.cfg.Now().UnixMilli(), Address: host.CountedAddress(r.RemoteAddr), Request: host.RequestID(r.Context()), Action: op.ID, Target: target(op, r)})
		if op.Method == http.MethodGet && op.ID != api.OpBackup || traffic[op.ID] || pages[op.ID] {
			trail.Skip()
		}
		c := &statusWriter{ResponseWriter: w}
		whole := false
		defer func() {
			outcome, reason := outcomeOf(c.status)
			if !whole { // an answer that was cut off
				outcome, reason = audit.Failed, "aborted"
			}
			a.ended(r, op, trail, outcome, reason)
		}()
		next(c, r.WithContext(audit.With(r.Context(), trail)))
		whole = true
	}
}

// target is what a request is about: the first part of its path that varies.
func target(op api.Operation, r *http.Request) string {
	m := pathParam.FindStringSubmatch(op.Path)
	if m == nil || m[1] == "kind" || m[1] == "command" {
		return ""
	}
	return plainText(r.PathValue(m[1]))
}

// ended stores the event of a request that no change has stored.
func (a *API) ended(r *http.Request, op api.Operation, trail *audit.Trail, outcome, reason string) {
	e, left := trail.End(outcome, reason)
	if !left || op.ID == api.OpRegister && outcome == audit.Done || outcome != audit.Done && !a.refusals.take(e.Address, a.cfg.Now()) {
		return // a meter that registers again changes nothing
	}
	if err := a.Audit.PutAudit(context.WithoutCancel(r.Context()), e); err != nil {
		a.log.ErrorContext(r.Context(), "store an audit event", "action", e.Action, "err", err)
	}
}

// Refused leaves an event of a request that the listener refused before anybody was asked who sent it: too often, too large, not
// understood. They are bounded as all refusals are.
func (a *API) Refused(r *http.Request, err error) {
	now := a.cfg.Now()
	address := host.CountedAddress(r.RemoteAddr)
	if a.Audit == nil || !a.refusals.take(address, now) {
		return
	}
	e := audit.Event{
		AtMillis: now.UnixMilli(), Address: address, Request: host.RequestID(r.Context()), Action: "request", Target: plainText(r.Method + " " + r.URL.Path),
		Outcome: audit.Refused, Reason: strconv.Itoa(fault.HTTPStatus(fault.CodeOf(err))),
	}
	if err := a.Audit.PutAudit(context.WithoutCancel(r.Context()), e); err != nil {
		a.log.ErrorContext(r.Context(), "store an audit event", "action", e.Action, "err", err)
	}
}

// outcomeOf tells the outcome of a request by its status.
func outcomeOf(status int) (outcome, reason string) {
	switch {
	case status == 0 || status < 400:
		return audit.Done, ""
	case status >= 500:
		return audit.Failed, strconv.Itoa(status)
	}
	return audit.Refused, strconv.Itoa(status)
}

// who notes whose the event of a request is.
func who(ctx context.Context, p account.Principal) {
	if t := audit.Of(ctx); t != nil && p.Known() {
		t.Of(string(p.Customer), p.Source(), p.Name)
	}
}

// auditCommand says which command a request carries out and with which parameters, none of which is a secret. Commands that only tell
// something leave no event.
func auditCommand(ctx context.Context, name string, body []byte) {
	t := audit.Of(ctx)
	if t == nil {
		return
	}
	c, ok := api.LookupCommand(name)
	if !ok {
		t.Describe("command", "", nil) // the name is whatever somebody sent
		return
	}
	details, target := map[string]string{}, ""
	var given map[string]json.RawMessage
	if json.Unmarshal(body, &given) == nil {
		for _, p := range c.Params {
			raw, ok := given[p.Name]
			switch {
			case !ok:
			case p.Type == api.ParamSecret:
				details[p.Name] = "(secret)"
			case p.Name == "meter":
				target = plain(raw)
			default:
				details[p.Name] = plain(raw)
			}
		}
	}
	t.Describe(name, target, details)
	if c.Permission == permission.RPCRead || c.Permission == permission.Verify || tells[name] {
		t.Skip()
	}
}

// tells are the commands that change nothing, though they need more than the permission to read. The status page gives some of them every
// few seconds.
var tells = map[string]bool{api.CmdAuditList: true, api.CmdAuditCheck: true, api.CmdMeterDoctor: true, api.CmdMeterRegisters: true, api.CmdMeterProfileDraft: true}

// plain is a parameter as text, cut where it is long.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	return plainText(s)
}

func plainText(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}

// refusals bounds how many events of refused requests are stored: whoever guesses passwords must not fill the disk with it.
type refusals struct {
	mu    sync.Mutex
	began time.Time
	by    map[string]int
	all   int
}

// The bounds, each minute.
const (
	refusalsOfOne = 60
	refusalsOfAll = 600
)

func (r *refusals) take(address string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := now.Sub(r.began); age < 0 || age >= time.Minute || r.by == nil {
		r.began, r.by, r.all = now, map[string]int{}, 0
	}
	if r.by[address] >= refusalsOfOne || r.all >= refusalsOfAll {
		return false
	}
	r.by[address]++
	r.all++
	return true
}
