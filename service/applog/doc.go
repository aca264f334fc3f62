// Package applog is the program's own log, bounded on disk, in memory and in repetition.
//
// Owns: the log file with its rotation, the last lines in memory, the damping of lines that repeat.
// Does not own: what is logged, the level and the place of the file (daemon).
// May import: the standard library only.
// Start reading at: applog.go (Open).
package applog
