// Package virtual runs whole sites and clouds in one process and in virtual time, breaks what
// can break by a seed, and judges at the end what is left.
//
// Owns: the network in memory, the proxies between nodes, nodes that can be killed and copied, the plan
// of faults of a seed, the run.
// Does not own: the judge (package judge); any part of the product; simulated meters and disks.
// May import: everything.
// Start reading at: torture_test.go, then run.go (Run), faults.go (what may happen).
package virtual
