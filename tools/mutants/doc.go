// Command mutants breaks the program on purpose, one line at a time, and fails when the tests with their fixed seeds
// do not notice.
//
// Each mutation of the table is applied to a copy of the tree; its tests run until one of them fails. A mutation that
// survives, or whose text is not in the tree any more, makes the command fail.
//
// Owns: the table of mutations, the copy, the report.
// Does not own: the tests.
// May import: the standard library only, so that it builds without any download.
// Start reading at: table.go, then main.go.
package main
