// Package backup writes the whole state of a node into one file, reads it back, and makes a data folder of it.
//
// Owns: the backup file (FORMAT.md), what belongs into it, restoring, putting back copies of an upgrade.
// Does not own: the databases (logdb/sqldb, logdb/sqlite), paths and lock of a data folder (service/config).
// May import: logdb/sqldb, service/check, service/config; klauspost's zstd and age.
// Start reading at: manifest.go, then write.go, read.go and restore.go.
package backup
