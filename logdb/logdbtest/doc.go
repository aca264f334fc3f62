// Package logdbtest holds the reference model of replication.md, generators of random
// operations on it, and the conformance suite that every logdb.Store must pass.
//
// Owns: Model (the rules and nothing else, in memory, slow), Run and RunRandom.
// Does not own: the rules themselves (replication.md; where that leaves room, the comments of logdb.Store).
// May import: logdb, logdb/limit, testing.
// Start reading at: model.go (Model), accept.go (the receiver), then suite.go (Run).
package logdbtest
