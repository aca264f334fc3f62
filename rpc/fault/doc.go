// Package fault is the error that crosses the wire: a code that programs act on, a
// message that may be shown to anybody, and the cause that stays in this process.
//
// Owns: the codes, their HTTP status, the RFC 9457 problem document.
// Does not own: which sentinel of which package means which code (webapi, command).
// May import: the standard library only.
// Start reading at: fault.go (Error, From).
package fault
