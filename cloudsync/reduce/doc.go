// Package reduce decides what of a journal is uploaded, and makes the pages that carry it:
// it chooses the subset, limits it, reduces fast logs to minutes and cuts pages.
//
// Owns: policies, the fate of every position, the fixed arithmetic of minutes, page cuts.
// Does not own: where journals and fates are kept, the wire, when to send. No clock, no I/O of
// its own: it reads through Journal.
// May import: logdb, logdb/limit.
// Start reading at: policy.go, then decide.go (Decider), then compose.go (Composer).
package reduce
