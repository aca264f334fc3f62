// Package metermanager is the root of the module; it holds no code but the test of the
// architecture.
//
// Owns: arch_test.go, the table of packages and of what each may import.
// Does not own: any behaviour.
// May import: nothing.
// Start reading at: ARCHITECTURE.md.
package metermanager
