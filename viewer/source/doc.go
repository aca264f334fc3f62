// Package source opens what the log viewer looks at: files of others, log database files, services and clouds.
//
// Owns: finding out what a file is, logging in, one way to read for all of them (Log), errors as sentences.
// Does not own: formats and stores, what is shown of the data.
// May import: logdb and its leaves, logdb/sqlite, rpc/api, rpc/client.
// Start reading at: source.go (Log), open.go (Open).
package source
