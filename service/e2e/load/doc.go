// Package load tests what a cloud does under many sites at once, and a site with many meters.
//
// Owns: the load tests (small ones in CI, the full ones by make load).
// Does not own: the bounds that it tries (service/cloud/ingest, rpc/host).
// May import: nothing; its test drives the built program with the client of the web API.
// Start reading at: load_test.go (sites), meters_test.go.
package load
