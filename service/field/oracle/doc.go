// Package oracle holds tests only: our drivers against Modbus servers of other authors
// (pymodbus, libmodbus, modbus-serial), and our simulated meters read by clients of theirs.
//
// Owns: register images and log sessions written by hand from the manuals, the small programs
// that serve and read them with those libraries. What is not installed is skipped and counted.
// Does not own: any code of the product.
// May import: nothing; its tests anything.
// Start reading at: makes_test.go, then testdata.
package oracle
