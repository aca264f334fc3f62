package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// The bounds of an instruction.
const (
	maxInstructed = 100 // settings, or arguments of a command
	maxText       = 500 // of a name or a value
)

// instructs reports whether a query is for the meter itself.
func instructs(q api.FetchQuery) bool {
	return slices.ContainsFunc(q.What, func(w string) bool { return w == api.FetchPost || w == api.FetchSettings || w == api.FetchCommand })
}

// checkInstruction returns the text by which an equal instruction is known.
func checkInstruction(q api.FetchQuery) (string, error) {
	bad := func(at, text string) error { return fault.New(fault.Invalid, text).At(at) }
	if len(q.What) != 1 || q.Stream != "" || len(q.Positions) > 0 {
		return "", bad("what", "An instruction is one of post, settings and command, and names no stream.")
	}
	what := q.What[0]
	if _, err := logdb.ParseKind(q.Kind); (err != nil) == (what == api.FetchPost) {
		return "", bad("kind", "To post needs the kind of a log; settings and commands have none.")
	}
	if q.From < logdb.MinTime || q.To > logdb.MaxTime || q.To != 0 && q.To <= q.From || what != api.FetchPost && (q.From != 0 || q.To != 0) {
		return "", bad("to_ms", "The range to post must end after it begins; settings and commands have none.")
	}
	if what != api.FetchPost && q.IntervalSeconds != 0 || q.IntervalSeconds < 0 {
		return "", bad("interval_s", "An interval is that of rows to post.")
	}
	if (len(q.Set) > 0) != (what == api.FetchSettings) {
		return "", bad("set", "Settings are named in set, and only there.")
	}
	if (q.Command != "") != (what == api.FetchCommand) || q.Command == "" && len(q.Args) > 0 {
		return "", bad("command", "A command is named in command, and only there.")
	}
	for _, m := range [...]map[string]string{q.Set, q.Args} {
		if len(m) > maxInstructed {
			return "", bad("set", fmt.Sprintf("At most %d settings or arguments.", maxInstructed))
		}
		for k, v := range m {
			if k == "" || len(k) > maxText || len(v) > maxText {
				return "", bad("set", fmt.Sprintf("Names and values have at most %d bytes.", maxText))
			}
		}
	}
	text, err := json.Marshal(q)
	if err != nil {
		return "", fmt.Errorf("write an instruction: %w", err)
	}
	return string(text), nil
}

// instruct keeps an instruction until the meter asks for it. A range that is to be posted already is not asked for twice; settings and
// commands are carried out as often as they were given.
func (d *Desk) instruct(ctx context.Context, s account.Scope, meter logdb.MeterUID, q api.FetchQuery, by, origin string) ([]Request, error) {
	text, err := checkInstruction(q)
	if err != nil {
		return nil, err
	}
	d.making.Lock()
	defer d.making.Unlock()
	open, err := d.store.Fetches(ctx, s, Filter{Meter: meter, Open: true})
	if err != nil {
		return nil, fmt.Errorf("list the open requests: %w", err)
	}
	if i := slices.IndexFunc(open, func(r Request) bool { return r.Query == text && r.Origin == origin && q.What[0] == api.FetchPost }); i >= 0 {
		return open[i : i+1], nil
	}
	if len(open) >= d.cfg.MaxOpen {
		return nil, fault.Newf(fault.Conflict, "There are %d open requests for this meter already.", len(open)).
			WithHint("Wait until the meter has carried out some, or cancel what is not wanted any more.")
	}
	r := Request{Origin: origin, Query: text, FetchRequest: api.FetchRequest{
		ID: newID(), MeterUID: meter, Kind: q.Kind, From: q.From, To: q.To, What: q.What, Instruction: q.Instruction,
		State: api.FetchQueued, By: by, Created: d.now(),
	}}
	if err := d.store.CreateFetch(ctx, s, r); err != nil {
		return nil, fmt.Errorf("store an instruction: %w", err)
	}
	return []Request{r}, d.recount(ctx, meter)
}

// takenBack is why a request that was passed on failed.
const takenBack = "it was taken back at the manager"

// Instruct passes on an instruction of the cloud that this node relays to, for a meter that posts here, and tells what became of it once the
// meter has reported.
func (d *Desk) Instruct(ctx context.Context, meter logdb.MeterUID, r api.FetchRequest) (report api.FetchReport, ended bool, err error) {
	known, err := d.store.Fetches(ctx, account.NodeScope(), Filter{Meter: meter, Origin: r.ID})
	if err != nil {
		return report, false, fmt.Errorf("look for an instruction that was passed on: %w", err)
	}
	if len(known) == 0 {
		q := api.FetchQuery{Kind: r.Kind, From: r.From, To: r.To, What: r.What, Instruction: r.Instruction}
		_, err := d.instruct(ctx, account.NodeScope(), meter, q, r.By, r.ID)
		var refused *fault.Error
		if errors.As(err, &refused) && refused.Code == fault.Invalid {
			return api.FetchReport{State: api.FetchFailed, Reason: refused.Message}, true, nil
		}
		return report, false, err
	}
	here := known[0]
	if err := d.look(ctx, &here); err != nil {
		return report, false, err
	}
	switch here.State {
	case api.FetchDone:
		return api.FetchReport{State: api.FetchDone, Result: here.Result, Cannot: here.Cannot}, true, nil
	case api.FetchFailed:
		return api.FetchReport{State: api.FetchFailed, Reason: here.Reason, Result: here.Result, Cannot: here.Cannot}, true, nil
	case api.FetchCanceled:
		return api.FetchReport{State: api.FetchFailed, Reason: takenBack}, true, nil
	case api.FetchTaken:
		return api.FetchReport{State: api.FetchTaken}, false, nil
	}
	return report, false, nil
}
