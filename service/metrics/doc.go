// Package metrics writes the figures of a node in Prometheus' text format 0.0.4.
//
// Owns: the names of the metrics, the bound of their number, the format, the counts of requests.
// Does not own: the figures (service/command, service/cloud/ingest), the route (service/webapi).
// May import: rpc/api.
// Start reading at: node.go (WriteNode), then text.go.
package metrics
