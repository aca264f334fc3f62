package metadb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"metermanager/service/cloud/audit"
)

// auditChange stores the event of a request that changes something, in the transaction of the change.
func (c *Cloud) auditChange(ctx context.Context, tx *sql.Tx) error {
	return audit.In(ctx, func(e audit.Event) error { return c.putAudit(ctx, tx, e) })
}

func (c *Cloud) putAudit(ctx context.Context, tx *sql.Tx, e audit.Event) error {
	var count int64
	before := ""
	err := tx.QueryRowContext(ctx, "SELECT count, hash FROM audit_head WHERE customer = ?", e.Customer).Scan(&count, &before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read the end of the audit: %w", err)
	}
	details := ""
	if len(e.Details) > 0 {
		text, err := json.Marshal(e.Details)
		if err != nil {
			return fmt.Errorf("encode an audit event: %w", err)
		}
		details = string(text)
	}
	e.Hash = e.Chain(before)
	if _, err := tx.ExecContext(ctx, `INSERT INTO audit (at_ms, customer, actor, name, address, request_id, action, target, outcome, reason, details, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.AtMillis, e.Customer, e.Actor, e.Name, e.Address, e.Request, e.Action, e.Target, e.Outcome, e.Reason, details, e.Hash); err != nil {
		return fmt.Errorf("store an audit event: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO audit_head (customer, count, hash) VALUES (?, ?, ?) ON CONFLICT (customer) DO UPDATE SET count = excluded.count, hash = excluded.hash",
		e.Customer, count+1, e.Hash); err != nil {
		return fmt.Errorf("move the end of the audit: %w", err)
	}
	return nil
}

// PutAudit stores an event of its own: of what changed nothing here, was refused or failed.
func (c *Cloud) PutAudit(ctx context.Context, e audit.Event) error {
	return c.write(audit.Quiet(ctx), func(tx *sql.Tx) error { return c.putAudit(ctx, tx, e) })
}

const auditColumns = "seq, at_ms, customer, actor, name, address, request_id, action, target, outcome, reason, details, hash"

func scanAudit(rows *sql.Rows) (e audit.Event, err error) {
	details := ""
	err = rows.Scan(&e.Seq, &e.AtMillis, &e.Customer, &e.Actor, &e.Name, &e.Address, &e.Request, &e.Action, &e.Target, &e.Outcome, &e.Reason, &details, &e.Hash)
	if err == nil && details != "" {
		if jerr := json.Unmarshal([]byte(details), &e.Details); jerr != nil {
			e.Details = map[string]string{"unreadable": details} // the chain tells that it was changed
		}
	}
	return e, err
}

// Audit returns the newest events that f takes, newest first.
func (c *Cloud) Audit(ctx context.Context, f audit.Filter) ([]audit.Event, error) {
	where, args := []string{"TRUE"}, []any{}
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if f.Customer != "" || f.View == audit.ViewCustomer {
		and("customer = ?", f.Customer)
	}
	if f.From > 0 {
		and("at_ms >= ?", f.From)
	}
	if f.To > 0 {
		and("at_ms < ?", f.To)
	}
	if f.Actor != "" {
		and("(actor = ? OR name = ?)", f.Actor, f.Actor)
	}
	if f.Action != "" {
		and("(action = ? OR action >= ? AND action < ?)", f.Action, f.Action+".", f.Action+"/") // all that begins with it and a point
	}
	if f.Outcome != "" {
		and("outcome = ?", f.Outcome)
	}
	if f.Before > 0 {
		and("seq < ?", f.Before)
	}
	rows, err := c.db.Read().QueryContext(ctx, "SELECT "+auditColumns+" FROM audit WHERE "+strings.Join(where, " AND ")+" ORDER BY seq DESC", args...)
	if err != nil {
		return nil, fmt.Errorf("read the audit: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	out := []audit.Event{}
	for len(out) < f.Limit && rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return nil, fmt.Errorf("read an audit event: %w", err)
		}
		if f.Takes(e) {
			out = append(out, e)
		}
	}
	return out, rows.Err()
}

// CheckAudit goes along every chain, or that of one customer, and returns how many events there are and what is wrong.
func (c *Cloud) CheckAudit(ctx context.Context, only *string) (events int64, broken []string, err error) {
	condition, args := "TRUE", []any{}
	if only != nil {
		condition, args = "customer = ?", []any{*only}
	}
	type head struct {
		count int64
		hash  string
	}
	heads, checkers, stopped := map[string]head{}, map[string]*audit.Checker{}, map[string]bool{}
	note := func(customer string, err error) {
		if !stopped[customer] { // what follows the first break is broken too
			stopped[customer] = true
			broken = append(broken, fmt.Sprintf("customer %q: %v", customer, err))
		}
	}
	// One read transaction: what is written meanwhile is in neither the events nor the heads.
	tx, err := c.db.Read().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, nil, fmt.Errorf("read the audit: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(ctx, "SELECT customer, count, hash FROM audit_head WHERE "+condition, args...)
	if err != nil {
		return 0, nil, fmt.Errorf("read the ends of the audit: %w", err)
	}
	for rows.Next() {
		var customer string
		var h head
		if err := rows.Scan(&customer, &h.count, &h.hash); err != nil {
			return 0, nil, errors.Join(err, rows.Close())
		}
		heads[customer] = h
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, nil, fmt.Errorf("read the ends of the audit: %w", err)
	}
	rows, err = tx.QueryContext(ctx, "SELECT "+auditColumns+" FROM audit WHERE "+condition+" ORDER BY seq", args...)
	if err != nil {
		return 0, nil, fmt.Errorf("read the audit: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return events, broken, fmt.Errorf("read an audit event: %w", err)
		}
		events++
		if checkers[e.Customer] == nil {
			checkers[e.Customer] = &audit.Checker{}
		}
		if err := checkers[e.Customer].Add(e); err != nil {
			note(e.Customer, err)
		}
	}
	if err := rows.Err(); err != nil {
		return events, broken, fmt.Errorf("read the audit: %w", err)
	}
	for customer := range checkers {
		if _, ok := heads[customer]; !ok {
			note(customer, fmt.Errorf("%w: its end is not noted", audit.ErrBroken))
		}
	}
	for customer, h := range heads {
		k := checkers[customer]
		if k == nil {
			k = &audit.Checker{}
		}
		if err := k.End(h.count, h.hash); err != nil {
			note(customer, err)
		}
	}
	return events, broken, nil
}
