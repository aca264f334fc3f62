// Package process is the fault harness with real processes: simulated meters, sites and a
// cloud as children, a fault proxy between each pair, kill -9 at any moment. A seed says what
// happens; at the end nothing may be lost, doubled or wrong.
//
// Owns: the plan of a run, the children, the comparison with what the meter really recorded.
// Does not own: the proxies (faultproxy), the variables of a program built with the tag
// torture (service/torture.go), runs in virtual time (e2e/virtual).
// May import: only tests are here, and may import everything.
// Start reading at: process_test.go, then plan_test.go.
package process
