// Package sqlite keeps log data in one SQLite file: pages as they come in the head, merged into chunks
// of one series each by a compactor, with an hour tier for long ranges. DESIGN.md tells how.
//
// Owns: the tables of migrations/, the group commit, what is exactly-once, the compactor.
// Does not own: the codec (logdb/chunk), the rules of fates (replication.md, logdb), limits (logdb/limit).
// May import: logdb, logdb/analysis, logdb/chunk, logdb/limit, logdb/sqldb.
// Start reading at: store.go (Open), then writer.go, accept.go, hold.go and series.go.
package sqlite
