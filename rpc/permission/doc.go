// Package permission names what a caller may do. Routes and commands declare the
// permission that they need, accounts and keys grant sets of them.
//
// Owns: the names and the set type. Does not own: who has which, and where (account).
// May import: the standard library only.
// Start reading at: permission.go.
package permission
