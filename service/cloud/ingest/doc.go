// Package ingest takes pages of log data in: who may send them, what is too much, where
// they go.
//
// Owns: the push path from a credential and a page to a receipt.
// Does not own: parsing (rpc/api), fates and limits of records (logdb stores), HTTP.
// May import: logdb, service/bus, cloud/registry, cloud/account and leaves.
// Start reading at: ingest.go (Service.Push).
package ingest
