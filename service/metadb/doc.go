// Package metadb keeps everything that is not log data: accounts and meters of the cloud
// side, meters and schedules of the field side.
//
// Owns: their SQL, one file per domain, and their migrations.
// Does not own: rules (the domain packages), log data (logdb/sqlite).
// May import: logdb, logdb/sqldb, cloud/*, field/*.
// Start reading at: cloud.go, then cloud/0001_accounts.sql.
package metadb
