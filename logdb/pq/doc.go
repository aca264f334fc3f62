// Package pq is power-quality analysis: from samples to RMS, events, phasors, harmonics and likely causes; from
// events to tolerance curves, categories, indices and groups; from ten-minute values to EN 50160.
//
// Owns: the arithmetic and its constants, each with its standard; the words of its results.
// Does not own: storage, files, charts, the wire. It says "method after IEC 61000-4-30", never "class A".
// May import: logdb.
// Start reading at: recording.go, then analyse.go.
package pq
