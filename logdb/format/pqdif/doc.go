// Package pqdif reads PQDIF files (IEEE 1159.3): trends, recordings and disturbances that power
// quality monitors and their software exchange.
//
// Owns: the container of records, its elements, the tags that matter, series turned into numbers, and what becomes of them here.
// Does not own: files on disk, the store, the reports of an import.
// May import: logdb, logdb/format, the standard library.
// Start reading at: reader.go (Reader), then observation.go (Observation).
package pqdif
