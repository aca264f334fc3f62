// Package sqldbtest gives tests a PostgreSQL database of their own.
//
// Owns: the address of the tests' server, which it starts when nobody has; a schema for each test.
// Does not own: how that server is made (tools/postgres.sh).
// May import: the standard library and logdb/sqldb.
// Start reading at: sqldbtest.go (Postgres).
package sqldbtest
