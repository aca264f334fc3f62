// Package clouddb is the SQL of the cloud sync: destinations with their sealed credentials, the upload
// settings of meters, streams with their fates and limit counts, the info cache.
//
// Owns: the tables of the migrations here, in a database that others may share.
// Does not own: what the values mean (cloudsync, reduce), the database file (logdb/sqldb).
// May import: logdb/sqldb, cloudsync, cloudsync/reduce, logdb.
// Start reading at: clouddb.go, then streams.go.
package clouddb
