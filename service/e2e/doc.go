// Package e2e tests the whole system from outside: the built program, real processes, real
// sockets, real files.
//
// Owns: the flows of a user (demonstration, command line) and of an accident (kill -9).
// Does not own: anything that a package can test by itself.
// May import: demo (its state file), the simulator (what a meter must have recorded), the
// client of the web API.
// Start reading at: demo_test.go.
package e2e
