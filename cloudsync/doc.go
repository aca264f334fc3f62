// Package cloudsync is this node as a client of a cloud: it registers meters there, uploads
// what the cloud is missing, and keeps what it knows of both sides in a cache.
//
// Owns: the actions register, upload, server sync and refresh scan, when each is wanted, policies and
// their generations, the cloud settings, the status of the sync.
// Does not own: fates and pages (reduce), the queue (runner), SQL (clouddb), the wire (rpc/client).
// May import: logdb, rpc/api, cloudsync/runner, cloudsync/reduce.
// Start reading at: cloudsync.go (Service), then plan.go, upload.go, policy.go.
package cloudsync
