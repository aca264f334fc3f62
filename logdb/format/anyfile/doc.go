// Package anyfile reads a file of whatever format it is.
//
// Owns: which formats there are, finding the one of a file, what a log takes of its content.
// Does not own: the formats themselves, stores, command lines.
// May import: logdb, logdb/format and the packages below it.
// Start reading at: Read.
package anyfile
