package metadb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"

	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/fetch"
)

var _ fetch.Store = (*Cloud)(nil)

// fetchInScope is the scope of a request: that of its meter.
var fetchInScope = `EXISTS (SELECT 1 FROM meter m WHERE m.uid = f.meter AND m.removed_ms = 0 AND ` + inScope("m.customer", "m.uid") + `)`

// CreateFetch stores a request for a meter of the scope.
func (c *Cloud) CreateFetch(ctx context.Context, s account.Scope, r fetch.Request) error {
	document, streams, err := fetchTexts(r)
	if err != nil {
		return err
	}
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO fetch_request (id, meter, kind, journal, state, origin, query, streams, document, created_ms)
			SELECT @id, m.uid, @kind, @journal, @state, @origin, @query, @streams, @document, @created FROM meter m WHERE m.uid = @uid AND `+inScope("m.customer", "m.uid"),
			append(scopeArgs(s), sql.Named("id", r.ID), sql.Named("uid", string(r.MeterUID)), sql.Named("kind", r.Kind), sql.Named("journal", r.Journal),
				sql.Named("state", r.State), sql.Named("origin", r.Origin), sql.Named("query", r.Query), sql.Named("streams", streams),
				sql.Named("document", document), sql.Named("created", r.Created))...)
		return one(res, err, fetch.ErrNotFound)
	})
}

// fetchTexts writes what is kept as JSON: what is wanted apart, since it may be long.
func fetchTexts(r fetch.Request) (document, streams string, err error) {
	list := r.Streams
	r.Streams = nil
	a, err := json.Marshal(r.FetchRequest)
	if err != nil {
		return "", "", fmt.Errorf("write a request: %w", err)
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "", "", fmt.Errorf("write a request: %w", err)
	}
	return string(a), string(b), nil
}

// Fetches lists requests for meters of the scope, newest first.
func (c *Cloud) Fetches(ctx context.Context, s account.Scope, f fetch.Filter) (out []fetch.Request, err error) {
	q := `SELECT f.document, CASE WHEN @streams THEN f.streams ELSE 'null' END, f.origin, f.query FROM fetch_request f
		WHERE (@uid = '' OR f.meter = @uid) AND (@id = '' OR f.id = @id) AND (@origin = '' OR f.origin = @origin)
		AND (NOT @open OR f.state IN ('queued', 'taken'))
		AND (@before = 0 OR f.created_ms < @before OR f.created_ms = @before AND f.id < @beforeid) AND ` + fetchInScope + `
		ORDER BY f.created_ms DESC, f.id DESC LIMIT @limit`
	limit := f.Limit
	if limit <= 0 {
		limit = math.MaxInt64
	}
	rows, err := c.db.Read().QueryContext(ctx, q, append(scopeArgs(s), sql.Named("streams", f.WithStreams), sql.Named("uid", string(f.Meter)), sql.Named("id", f.ID),
		sql.Named("origin", f.Origin), sql.Named("open", f.Open), sql.Named("before", f.Before), sql.Named("beforeid", f.BeforeID), sql.Named("limit", limit))...)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		var r fetch.Request
		var document, streams []byte
		if err := rows.Scan(&document, &streams, &r.Origin, &r.Query); err != nil {
			return nil, fmt.Errorf("read a request: %w", err)
		}
		if err := json.Unmarshal(document, &r.FetchRequest); err != nil {
			return nil, fmt.Errorf("read a request: %w", err)
		}
		var list []api.FetchWanted
		if err := json.Unmarshal(streams, &list); err != nil {
			return nil, fmt.Errorf("read what request %s wants: %w", r.ID, err)
		}
		r.Streams = list
		out = append(out, r)
	}
	return out, rows.Err()
}

// UpdateFetch stores the state of a request that is in the state from.
func (c *Cloud) UpdateFetch(ctx context.Context, s account.Scope, r fetch.Request, from string) error {
	document, _, err := fetchTexts(r)
	if err != nil {
		return err
	}
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE fetch_request AS f SET state = @state, document = @document WHERE f.id = @id AND f.state = @from AND `+fetchInScope,
			append(scopeArgs(s), sql.Named("state", r.State), sql.Named("document", document), sql.Named("id", r.ID), sql.Named("from", from))...)
		return one(res, err, fetch.ErrNotFound)
	})
}
