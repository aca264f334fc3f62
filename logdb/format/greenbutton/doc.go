// Package greenbutton reads and writes Green Button files: the Atom feeds of interval energy (ESPI, NAESB
// REQ.21) that utilities give to their customers.
//
// Owns: the feed's documents, its codes, local time rules, and what becomes of readings here.
// Does not own: files on disk, the store, the reports of an import.
// May import: logdb, logdb/format, the standard library.
// Start reading at: feed.go (Feed), then read.go (Read) and write.go (Write).
package greenbutton
