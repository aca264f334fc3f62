// Package csvlog reads tables of values at times from CSV, with a mapping of columns or by
// looking, and writes them by one convention: UTF-8, commas, decimal points, ISO 8601 times
// with offset, blanks for absent values.
//
// Owns: delimiters, decimal signs, headers, forms of time, columns; the convention of written files.
// Does not own: which records are written, what becomes of those that were read.
// May import: logdb, logdb/format, logdb/format/charset and the standard library.
// Start reading at: mapping.go (Mapping), read.go (Read), then write.go (Writer).
package csvlog
