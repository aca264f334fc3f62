// Package dbcopy moves the databases of a node between files and PostgreSQL, both ways, and compares what came with what
// was there.
//
// Owns: which databases a node has, the order of the copy, the comparison after it.
// Does not own: tables and rows (logdb/sqldb), digests (the log store), archive files and secrets, which stay in the data folder.
// May import: cloudsync/clouddb, logdb/postgres, logdb/sqldb, logdb/sqlite, service/config, service/metadb.
// Start reading at: dbcopy.go.
package dbcopy
