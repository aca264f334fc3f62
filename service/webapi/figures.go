package webapi

import (
	"context"
	"net/http"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/metrics"
)

// metrics answers Prometheus. It asks for the permission to see the state of the node from everywhere,
// loopback included: behind a proxy on the same machine every caller comes from there.
func (a *API) metrics(w http.ResponseWriter, r *http.Request, c caller) error {
	status, err := a.Status.NodeStatus(r.Context(), c.Principal)
	if err != nil {
		return err
	}
	t := &metrics.Text{}
	metrics.WriteNode(t, &status)
	node, err := a.Commands.Runs(r.Context(), c.Principal)
	if err != nil {
		return err
	}
	if node { // how the node is used by all is nothing for the customers that are guests on it
		metrics.WriteProcess(t)
		a.requests.Write(t)
		if a.cfg.Figures != nil {
			a.cfg.Figures(t)
		}
	}
	w.Header().Set("Content-Type", metrics.ContentType)
	_, _ = w.Write(t.Bytes()) // a scraper that went away needs no answer
	return nil
}

// measured counts a route's requests.
func (a *API) measured(op api.Operation, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		c := &statusWriter{ResponseWriter: w}
		defer func() {
			if c.status == 0 {
				c.status = http.StatusOK
			}
			a.requests.Observe(op.ID, c.status, time.Since(start))
		}()
		next(c, r)
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (a *API) meterStatus(ctx context.Context, c caller, in *MeterPath) (*api.MeterStatus, error) {
	if _, err := a.Meters.Access(ctx, c.Principal, permission.RPCRead, in.UID); err != nil && !c.System() {
		return nil, err
	}
	out, err := a.Status.MeterStatus(ctx, c.Principal, string(in.UID))
	return &out, err
}

func (a *API) programLog(context.Context, caller, *none) (*api.ProgramLog, error) {
	out := &api.ProgramLog{Lines: []string{}}
	if a.cfg.LogLines != nil {
		out.Lines, out.Total = a.cfg.LogLines()
	}
	return out, nil
}
