// Package api is the wire: the documents of every route, the scanner of uploads, the
// writers of pages and long answers, and the tables of routes and commands.
//
// Owns: JSON shapes, their limits, what is accepted and refused, Operations, Commands.
// Does not own: handlers, storage, credentials, transport.
// May import: logdb and the leaves of rpc (fault, permission).
// Start reading at: operations.go and commands.go (the tables), page.go (uploads).
package api
