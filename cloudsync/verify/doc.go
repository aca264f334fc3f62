// Package verify compares what a node recorded with what is held elsewhere: the journal and its
// fates with the receiver's digests, this node's own data with their claims, the meter's memory
// with the journal, each day by day.
//
// Owns: the comparison and its report.
// Does not own: what should be there (reduce), the digests (the stores), the meter (who checks it is asked).
// May import: logdb, rpc/api, cloudsync/reduce.
// Start reading at: verify.go (Run), then cloud.go.
package verify
