// Package load tests what a cloud does under many sites at once.
//
// Owns: the load test (a small one in CI, the full one by make load).
// Does not own: the bounds that it tries (service/cloud/ingest, rpc/host).
// May import: nothing; its test drives the built program with the client of the web API.
// Start reading at: load_test.go.
package load
