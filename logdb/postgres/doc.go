// Package postgres opens the log store in a PostgreSQL database.
//
// Owns: how the store of logdb/sqlite is opened there, and the tests that hold it to the same rules (DESIGN.md).
// Does not own: the store (logdb/sqlite) and the driver (logdb/sqldb).
// May import: logdb, logdb/archive, logdb/sqldb, logdb/sqlite.
// Start reading at: DESIGN.md, then postgres.go.
package postgres
