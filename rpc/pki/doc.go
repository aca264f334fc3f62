// Package pki gives listeners their certificates and clients their trust.
//
// Owns: the local certificate authority, certificates from files that are read again when they change, fingerprints and
// what a client accepts by one.
// Does not own: where the authority is kept (metadb), listeners (host), who may do what (account).
// May import: the leaves of rpc.
// Start reading at: authority.go (Authority), pin.go (Pin).
package pki
