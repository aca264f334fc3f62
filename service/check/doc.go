// Package check looks for damage in the databases of a node: pages, rows, indexes, checksums, archive files, what stores
// and sync kept apart of what they wrote.
//
// Owns: the parts of a check, how a finding reads and what to do about it.
// Does not own: how a store looks at itself (logdb/sqldb, logdb/sqlite, cloudsync/clouddb).
// May import: logdb/sqldb, logdb/sqlite, cloudsync/clouddb, rpc/api.
// Start reading at: check.go.
package check
