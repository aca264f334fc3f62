// Package correction lets people correct records, with who, when and why; the original stays, and comes back.
//
// Owns: which records may be corrected here, and what entry of the journal a correction becomes.
// Does not own: journals and their rules (logdb), who may correct (registry, account).
// May import: logdb, service/cloud/account, service/cloud/registry.
// Start reading at: correction.go.
package correction
