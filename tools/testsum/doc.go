// Command testsum turns the output of "go test -json" into lines for people and the
// count of tests.
//
// Owns: the form of the last line, "N passed, N failed, N skipped".
// Does not own: which tests run (the Makefile).
// May import: the standard library only, so that it builds without any download.
// Start reading at: main.go.
package main
