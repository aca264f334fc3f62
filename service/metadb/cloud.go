package metadb

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
)

//go:embed cloud/*.sql
var cloudFiles embed.FS

// Cloud keeps the accounts and the meter registry.
type Cloud struct{ db *sqldb.DB }

var (
	_ account.Store  = (*Cloud)(nil)
	_ registry.Store = (*Cloud)(nil)
)

// OpenCloud brings the tables of the cloud side in db up to date.
func OpenCloud(ctx context.Context, db *sqldb.DB) (*Cloud, error) {
	files, err := fs.Sub(cloudFiles, "cloud")
	if err != nil {
		return nil, fmt.Errorf("find the migrations of the cloud side: %w", err)
	}
	if err := db.Migrate(ctx, "cloud", files); err != nil {
		return nil, fmt.Errorf("migrate the cloud side: %w", err)
	}
	c := &Cloud{db}
	db.Last(c.auditChange)
	return c, nil
}

// write runs f in a transaction. A full disk is reported as logdb.ErrFull, the one word for it above
// the databases.
func (c *Cloud) write(ctx context.Context, f func(*sql.Tx) error) error {
	err := c.db.Write(ctx, f)
	if errors.Is(err, sqldb.ErrFull) {
		return fmt.Errorf("%w: %w", logdb.ErrFull, err)
	}
	return err
}

// scopeArgs are the parameters of the scope conditions below, in order.
func scopeArgs(s account.Scope) []any {
	return []any{sql.Named("all", s.All()), sql.Named("customer", string(s.Customer())), sql.Named("meter", string(s.Meter())), sql.Named("limited", string(s.User()))}
}

// inScope is the condition that every statement on customer data carries: rows of the
// scope's customer, or only those of its meter. customer and meter are column names.
func inScope(customer, meter string) string {
	byMeter := "FALSE"
	if meter != "" {
		byMeter = meter + " = @meter"
	}
	return "(@all OR CASE WHEN @meter != '' THEN " + byMeter + " ELSE @customer != '' AND " + customer + " = @customer END)"
}

// atFacility is the condition on meters, beside inScope, of somebody who sees only those of some facilities.
const atFacility = "(@limited = '' OR facility IN (SELECT facility FROM user_facility WHERE user = @limited))"

// nobody stores the empty customer as NULL, so that it can refer to none.
func nobody(c account.CustomerID) sql.NullString {
	return sql.NullString{String: string(c), Valid: c != ""}
}

// taken turns the refusal of a unique index into exists.
func taken(err, exists error) error {
	if sqldb.Exists(err) {
		return fmt.Errorf("%w: %w", exists, err)
	}
	return err
}

// one reports notFound unless a statement changed one row.
func one(res sql.Result, err, notFound error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("count changed rows: %w", err)
	}
	if n == 0 {
		return notFound
	}
	return nil
}

// found turns the absence of a row into notFound.
func found(err, notFound error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return notFound
	}
	return err
}
