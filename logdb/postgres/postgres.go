package postgres

import (
	"context"
	"fmt"

	"metermanager/logdb/archive"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
)

// Part is what the schema of the log database is called behind the name that the address gives.
const Part = "logs"

// MetaPart is what the schema of accounts, meters, settings and cloud sync is called.
const MetaPart = "meta"

// Open opens the log database in the PostgreSQL database at address, and creates its tables when they are missing.
// folder is where files of full resolution lie; nodes that share the database must share it. Close must be called.
func Open(ctx context.Context, address, folder string, cfg sqlite.Config) (*sqlite.Store, error) {
	if !sqldb.IsPostgres(address) {
		return nil, fmt.Errorf("open the log database: want the address of a PostgreSQL database, postgres://USER@HOST/DATABASE")
	}
	db, err := sqldb.Open(ctx, address, sqldb.Config{Part: Part, LateErrors: true, Now: cfg.Now, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("open the log database: %w", err)
	}
	if cfg.Archive == nil {
		cfg.Archive = archive.Folder{Path: folder}
	}
	return sqlite.OpenDB(ctx, db, cfg)
}
