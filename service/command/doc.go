// Package command carries out RPC commands: the same table serves the web API, the command
// line and the status page.
//
// Owns: the table of handlers, the permission check of each, one log line per command.
// Does not own: what the commands do (cloudsync, field), HTTP (service/webapi).
// May import: rpc, cloud/account, and the packages whose actions the handlers call.
// Start reading at: command.go (Table).
package command
