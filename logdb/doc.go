// Package logdb is the vocabulary of everything a meter recorded: journals of
// historical rows, recordings and events, the streams they travel in, the fate of
// every position, and the interfaces of the stores that keep them.
//
// Owns: the types of meter data, their canonical bytes and digests, interval sets.
// Does not own: storage, the wire, clocks, meters. No I/O at all.
// May import: the standard library only.
// Start reading at: journal.go (Entry, History), page.go (Page), then store.go (Store).
package logdb
