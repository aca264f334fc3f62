// Package limit is the limiter of what is uploaded: how many records of a log fit a
// span of time, how close together historical rows may lie, and what remains of a
// recording that is too long. It is applied by a sender before it uploads and again by
// a receiver, never to a meter or to a node's own journal.
//
// Owns: the rules of system.md section 4 and their arithmetic. No I/O, no clock, no state of its own.
// Does not own: the numbers (logdb.Limits), the fates that follow (who calls it keeps them).
// May import: logdb.
// Start reading at: window.go (Decide), then pace.go, then waveform.go.
package limit
