// Package comtrade reads and writes COMTRADE records: IEEE C37.111-1991, -1999 and -2013
// (IEC 60255-24), as .cfg with .dat, .hdr and .inf or as one .cff.
//
// Owns: the configuration, the data in ASCII, BINARY, BINARY32 and FLOAT32, and the times of records.
// Does not own: what becomes of a recording in the log database.
// May import: logdb/format, logdb/format/charset and the standard library.
// Start reading at: read.go (Codec, Read), config.go, data.go, then write.go (Write).
package comtrade
