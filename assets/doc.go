// Package assets holds the files that are built into the programs.
//
// Owns: embedded bytes (meter profiles). Does not own: any logic.
// May import: nothing.
// Start reading at: assets.go.
package assets
