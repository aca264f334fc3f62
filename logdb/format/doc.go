// Package format is what all file formats have in common: Content, which a codec makes of a
// file, the log data that follow from it, the report for people, and a logdb.Source over it.
//
// A codec is a leaf package below this one (comtrade, csvlog, ...). It exports Codec() and
// reads a file into a Content in the file's own names, units and times: Trend for values at
// times, Recording for samples, Event for everything else. What it had to take for granted
// goes into Assumed, what it did not understand into NotUnderstood; a file that cannot be
// read at all ends in an *Error that says what, where and what to do.
//
// Owns: Content and its conversion into rows, events and recordings; Codec; Error.
// Does not own: any format, the command line, uploads.
// May import: logdb and the standard library only.
// Start reading at: content.go (Content), codec.go (Codec), then source.go (NewSource).
package format
