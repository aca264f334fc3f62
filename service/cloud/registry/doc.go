// Package registry knows which meters there are, whose they are and who may do what with
// them.
//
// Owns: registration by make and serial, UIDs, association with a customer, enabling.
// Does not own: settings and data (logdb), accounts (cloud/account), SQL (service/metadb).
// May import: logdb, cloud/account and leaves.
// Start reading at: registry.go (Meter, Store), then register.go.
package registry
