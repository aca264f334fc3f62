// Package checktest makes a small data folder that holds something of everything: for tests of the care of the data, and
// to freeze what a version of the program wrote.
//
// Owns: the content of that folder.
// Does not own: any rule about it.
// May import: anything below service.
// Start reading at: checktest.go.
package checktest
