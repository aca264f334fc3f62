// Package daemon is the composition root: it opens what a Meter Manager needs, wires it
// and runs it until its context ends.
//
// Owns: the order of start and stop, health, the words to systemd and Windows.
// Does not own: any rule about meters, logs or people.
// May import: everything below it.
// Start reading at: Run in daemon.go.
package daemon
