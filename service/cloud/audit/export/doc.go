// Package export sends the audit to other programs: files and syslog receivers.
//
// Owns: targets, the form of what is sent, connections, how far each target has come.
// Does not own: the events and their lines (audit), SQL (metadb).
// May import: audit, the fingerprints of rpc/pki.
// Start reading at: export.go (Exporter), worker.go (what becomes of an outage).
package export
