// Package host serves HTTP: the listener, TLS, what happens to every request before and
// after its handler, and the one writer of errors.
//
// Owns: order of middleware, request ids, sizes, rates and times, compression both ways,
// panics, graceful shutdown.
// Does not own: routes, credentials, documents (webapi, api).
// May import: the leaves of rpc.
// Start reading at: server.go (Server), middleware.go (the order).
package host
