package audit_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"metermanager/service/cloud/audit"
)

func event(action string) audit.Event {
	return audit.Event{Seq: 7, AtMillis: 1772366400123, Customer: "acme", Actor: "user:1", Name: "admin", Address: "192.0.2.7", Request: "r1", Action: action, Target: "m-1",
		Outcome: audit.Done, Details: map[string]string{"name": "zone", "value": "Europe/Berlin"}}
}

func TestChain(t *testing.T) {
	t.Parallel()
	chain := func() []audit.Event {
		list := []audit.Event{event("login"), event("meter.set"), event("logout")}
		before := ""
		for i := range list {
			list[i].Seq = int64(10 * i)
			list[i].Hash = list[i].Chain(before)
			before = list[i].Hash
		}
		return list
	}
	check := func(list []audit.Event) error {
		whole := chain()
		var c audit.Checker
		for _, e := range list {
			if err := c.Add(e); err != nil {
				return err
			}
		}
		return c.End(3, whole[2].Hash)
	}
	if err := check(chain()); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func([]audit.Event) []audit.Event{
		"altered":           func(l []audit.Event) []audit.Event { l[1].Target = "m-2"; return l },
		"a detail altered":  func(l []audit.Event) []audit.Event { l[1].Details["value"] = "UTC"; return l },
		"first removed":     func(l []audit.Event) []audit.Event { return l[1:] },
		"middle removed":    func(l []audit.Event) []audit.Event { return append(l[:1], l[2]) },
		"last removed":      func(l []audit.Event) []audit.Event { return l[:2] },
		"all removed":       func([]audit.Event) []audit.Event { return nil },
		"one put in":        func(l []audit.Event) []audit.Event { return append(l, l[2]) },
		"another order":     func(l []audit.Event) []audit.Event { l[0], l[1] = l[1], l[0]; return l },
		"outcome whitewash": func(l []audit.Event) []audit.Event { l[2].Outcome = audit.Refused; return l },
	} {
		if err := check(change(chain())); !errors.Is(err, audit.ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTrail(t *testing.T) {
	t.Parallel()
	var written []audit.Event
	write := func(e audit.Event) error { written = append(written, e); return nil }
	if err := audit.In(t.Context(), write); err != nil || len(written) != 0 {
		t.Error("a transaction that is nobody's writes an event")
	}
	trail := audit.Begin(audit.Event{Action: "x"})
	ctx := audit.With(context.Background(), trail)
	trail.Describe("meter.set", "m-1", nil)
	trail.Of("acme", "user:1", "admin")
	if err := audit.In(audit.Quiet(ctx), write); err != nil || len(written) != 0 {
		t.Error("a quiet transaction writes an event")
	}
	if err := audit.In(ctx, write); err != nil || len(written) != 1 || written[0].Action != "meter.set" || written[0].Customer != "acme" {
		t.Errorf("%+v, %v", written, err)
	}
	if _, left := trail.End(audit.Done, ""); left {
		t.Error("an event that a transaction wrote is written again")
	}
	if e, left := trail.End(audit.Failed, "full"); !left || e.Outcome != audit.Failed || e.Reason != "full" {
		t.Errorf("a failure after a change: %+v, %v", e, left)
	}
	quiet := audit.Begin(audit.Event{Action: "status"})
	quiet.Skip()
	if _, left := quiet.End(audit.Done, ""); left {
		t.Error("a question leaves an event")
	}
	if _, left := quiet.End(audit.Refused, "forbidden"); !left {
		t.Error("a question that was refused leaves none")
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	p := audit.Product("1.0", "site-1")
	e := event("meter.set")
	if got, want := p.CEF(e), `CEF:0|Meter Manager|metermanager|1.0|meter.set|meter.set done|3|rt=1772366400123 externalId=7 act=meter.set outcome=done suid=user:1 suser=admin src=192.0.2.7 duid=m-1 cs1Label=customer cs1=acme cs2Label=request cs2=r1 msg=name\=zone value\=Europe/Berlin`; got != want {
		t.Errorf("CEF\n%s\nwant\n%s", got, want)
	}
	if got, want := p.Syslog(e), `<110>1 2026-03-01T12:00:00.123Z site-1 metermanager - meter.set [audit@32473 seq="7" customer="acme" actor="user:1" name="admin" address="192.0.2.7" request="r1" action="meter.set" target="m-1" outcome="done" details="name=zone value=Europe/Berlin"] meter.set done`; got != want {
		t.Errorf("syslog\n%s\nwant\n%s", got, want)
	}
	e.Name, e.Action, e.Outcome = "a|b=c\\d\"]\nCEF:0|x", "login\nx", audit.Refused
	for name, line := range map[string]string{"CEF": p.CEF(e), "syslog": p.Syslog(e)} {
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("%s: a name breaks the line: %q", name, line)
		}
	}
	if line := p.CEF(e); !strings.Contains(line, `suser=a|b\=c\\d"]\nCEF:0|x`) {
		t.Errorf("CEF %s", line)
	}
	if line := p.Syslog(e); !strings.HasPrefix(line, "<108>1 ") || !strings.Contains(line, `name="a|b=c\\d\"\] CEF:0|x"`) {
		t.Errorf("syslog %s", line)
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	up := event("register-meter")
	denied := event("register-meter")
	denied.Outcome, denied.Customer = audit.Refused, ""
	for _, c := range []struct {
		view   string
		event  audit.Event
		wanted bool
	}{
		{audit.ViewServer, up, true}, {audit.ViewAdmin, up, false}, {audit.ViewAdmin, denied, true}, {audit.ViewAdmin, event("login"), true},
		{audit.ViewCustomer, up, true}, {audit.ViewCustomer, denied, false},
	} {
		if got := (audit.Filter{View: c.view, Customer: "acme"}).Takes(c.event); got != c.wanted {
			t.Errorf("%s of %s %s: %v", c.view, c.event.Action, c.event.Outcome, got)
		}
	}
}
