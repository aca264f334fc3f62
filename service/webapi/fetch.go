package webapi

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/fetch"
)

type createFetchInput struct {
	MeterPath
	Body api.FetchQuery
}

func (a *API) createFetch(ctx context.Context, c caller, in *createFetchInput) (*api.FetchAnswer, error) {
	list, err := a.Fetch.Create(ctx, c.Principal, in.UID, in.Body)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		a.log.InfoContext(ctx, "asked for what was not sent", "meter", string(in.UID), "kind", in.Body.Kind, "count", len(list), "user", string(c.User), "key", string(c.Key))
	}
	return fetchAnswer(list), nil
}

// fetchAnswer lists requests without what they want position by position.
func fetchAnswer(list []fetch.Request) *api.FetchAnswer {
	out := &api.FetchAnswer{Requests: []api.FetchRequest{}}
	for _, r := range list {
		r.Streams = nil
		out.Requests = append(out.Requests, r.FetchRequest)
	}
	return out
}

type listFetchInput struct {
	MeterPath
	ID     string `query:"id" maxLength:"64" doc:"Only the request of this id"`
	Limit  int    `query:"limit" minimum:"0" maximum:"1000" doc:"How many, newest first; 100 without it"`
	Cursor string `query:"cursor" maxLength:"128" doc:"Next of the answer before"`
}

func (a *API) listFetch(ctx context.Context, c caller, in *listFetchInput) (*api.FetchAnswer, error) {
	f := fetch.Filter{ID: in.ID, Limit: in.Limit}
	if f.Limit == 0 {
		f.Limit = 100
	}
	if in.Cursor != "" {
		at, id, ok := strings.Cut(in.Cursor, ".")
		ms, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil || ms <= 0 {
			return nil, errBadCursor
		}
		f.Before, f.BeforeID = logdb.Millis(ms), id
	}
	list, err := a.Fetch.List(ctx, c.Principal, in.UID, f)
	if err != nil {
		return nil, err
	}
	out := fetchAnswer(list)
	if !c.Permissions.Has(permission.RPCControl) { // values may be a meter's passwords: they are for who gives instructions, and for the meter
		for i := range out.Requests {
			r := &out.Requests[i]
			r.Set, r.Args = namesOnly(r.Set), namesOnly(r.Args)
		}
	}
	if n := len(list); n == f.Limit {
		out.Next = strconv.FormatInt(int64(list[n-1].Created), 10) + "." + list[n-1].ID
	}
	return out, nil
}

// namesOnly leaves the values of an instruction out.
func namesOnly(values map[string]string) map[string]string {
	if values == nil {
		return nil
	}
	out := make(map[string]string, len(values))
	for name := range values {
		out[name] = ""
	}
	return out
}

// FetchPath is a meter and a request of a path; huma fills exported parts only.
type FetchPath struct {
	MeterPath
	ID string `path:"request" maxLength:"64" doc:"ID of the request"`
}

func (a *API) cancelFetch(ctx context.Context, c caller, in *FetchPath) (*api.FetchRequest, error) {
	r, err := a.Fetch.Cancel(ctx, c.Principal, in.UID, in.ID)
	if err != nil {
		return nil, err
	}
	r.Streams = nil
	return &r.FetchRequest, nil
}

// openFetches is what a manager polls.
func (a *API) openFetches(ctx context.Context, c caller, in *PageInput) (*api.FetchAnswer, error) {
	list, err := a.Fetch.Open(ctx, c.Principal)
	if err != nil {
		return nil, err
	}
	at, id, limit, err := in.afterTimed("of")
	if err != nil {
		return nil, err
	}
	if in.Cursor != "" { // the newest stand first; the one that the cursor points to may be done by now
		list = slices.DeleteFunc(list, func(r fetch.Request) bool { return r.Created > at || r.Created == at && r.ID >= id })
	}
	list, next := pageOf("of", list, limit, func(r fetch.Request) string { return timed(r.Created, r.ID) })
	out := &api.FetchAnswer{Requests: []api.FetchRequest{}, Next: next}
	for _, r := range list {
		out.Requests = append(out.Requests, r.FetchRequest)
	}
	return out, nil
}

type reportFetchInput struct {
	FetchPath
	Body api.FetchReport
}

func (a *API) reportFetch(ctx context.Context, c caller, in *reportFetchInput) (*api.FetchRequest, error) {
	r, err := a.Fetch.Report(ctx, c.Principal, in.UID, in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	a.log.InfoContext(ctx, "took a manager's report of a request", "meter", string(in.UID), "action", r.State, "count", r.Came, "key", string(c.Key))
	r.Streams = nil
	return &r.FetchRequest, nil
}

// noteWaiting lets the answer to a manager say that requests for a meter wait: it need not ask often.
func (a *API) noteWaiting(c caller, uid logdb.MeterUID) {
	if n := a.Fetch.Waiting(uid); n > 0 {
		c.request.waiting = strconv.Itoa(n)
	}
}

// errBadCursor is told to whom makes up a cursor.
var errBadCursor = fault.New(fault.Invalid, "The cursor is not one that this node gave.").At("cursor")
