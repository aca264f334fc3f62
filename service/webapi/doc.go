// Package webapi serves the web API and the status page.
//
// Owns: HTTP handlers, one file per resource: decode, authorize, call, encode.
// Does not own: rules (cloud/*), documents (rpc/api), the listener (rpc/host).
// May import: logdb, rpc/api, rpc/host, service/bus, service/command, cloud/*.
// Start reading at: webapi.go (API), routes.go.
package webapi
