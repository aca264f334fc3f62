package webapi

import (
	"context"
	"encoding/json"
	"net/http"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

func (a *API) live(context.Context, caller, *none) (*api.HealthAnswer, error) {
	return &api.HealthAnswer{OK: true}, nil
}

// problemSetup stands in /readyz until there is a user; the page looks for it.
const problemSetup = "The node is not set up yet: nobody can log in."

// ready answers for the node: one that waits for its set-up is ready for it, and says so.
func (a *API) ready(ctx context.Context, _ caller, _ *none) (*api.HealthAnswer, error) {
	out := &api.HealthAnswer{OK: true}
	if a.cfg.Ready != nil {
		out.Problems = a.cfg.Ready(ctx)
	}
	if len(out.Problems) > 0 {
		return nil, fault.New(fault.Unavailable, "The node cannot do its work now.").WithHint(out.Problems[0])
	}
	needs, err := a.Accounts.NeedsSetup(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "The node cannot read its database.", err)
	}
	if needs {
		out.Problems = append(out.Problems, problemSetup)
	}
	return out, nil
}

func (a *API) version(context.Context, caller, *none) (*api.VersionAnswer, error) {
	v := a.cfg.Version
	return &v, nil
}

func (a *API) status(w http.ResponseWriter, r *http.Request, c caller) error {
	in, err := pageInput(r.URL.Query())
	if err != nil {
		return err
	}
	out, err := a.Status.NodeStatus(r.Context(), c.Principal)
	if err != nil {
		return err
	}
	// It is one document about the whole node: all its meters without a limit.
	out.Meters, out.Next, err = pageIn(RestInput(in).page(), "ns", out.Meters, func(m api.MeterStatus) string { return string(m.UID) })
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, out)
}

func (a *API) openAPI(w http.ResponseWriter, _ *http.Request, _ caller) error {
	return writeJSON(w, http.StatusOK, a.huma.OpenAPI())
}

// writeJSON sends a document of moderate size.
func writeJSON(w http.ResponseWriter, status int, document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away needs no answer
	return nil
}
