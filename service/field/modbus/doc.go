// Package modbus carries requests to meters: goburrow's PDU client and packager over a
// transport of our own, so that its faults cannot happen here.
//
// Owns: connections, one owner and queue per endpoint, deadlines, transaction ids, the
// write whitelist, typed errors, counters. Does not own: what registers mean.
// May import: nothing of ours.
// Start reading at: endpoint.go (Endpoint), then conn.go.
package modbus
