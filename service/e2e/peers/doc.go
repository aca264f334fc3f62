// Package peers measures the log database beside those of others, on one machine and in one run.
//
// Owns: the data, the queries and the table of the comparison. Does not own: our own figures alone (benchmarks of the packages).
// May import: nothing of the module, its tests anything.
// Start reading at: peers_test.go.
package peers
