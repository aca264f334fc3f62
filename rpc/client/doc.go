// Package client calls another node's web API: a cloud's, a site's, or that of the service
// on this machine.
//
// Owns: typed calls, credentials on the wire, retries inside one call, compression, time
// limits. Its errors are faults: errors.Is(err, fault.NotFound) holds across the wire.
// Does not own: what to send and when (cloudsync), documents (api).
// May import: logdb, rpc/api and the leaves of rpc.
// Start reading at: client.go (Client, do).
package client
