// Package charset turns the text of files into UTF-8 when they do not say how it is written.
//
// Owns: the character sets that are known, and the guess.
// Does not own: files, formats.
// May import: the standard library and golang.org/x/text.
// Start reading at: charset.go (Decode).
package charset
