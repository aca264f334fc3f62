// Command metermanager is the service, its tools and its demonstration in one program.
//
// Owns: the command line: words, options, tables, exit codes (docs/cli.md).
// Does not own: what the commands do; they call the web API of a running service, or the
// package that does the work.
// May import: daemon, demo, config, the simulator, what "meter test" talks to a meter
// with, and the client of the web API.
// Start reading at: cli.go, the list of commands.
package main
