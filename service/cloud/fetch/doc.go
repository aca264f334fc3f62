// Package fetch keeps the requests for what managers did not send: the cloud cannot call in, so a request waits
// here until the manager that keeps the journal asks for it, sends, and reports. Instructions for meters that only
// call out wait beside them.
//
// Owns: what is asked for (from the sets of this node), the states of requests, what came of them.
// Does not own: how it is sent (cloudsync), how it is stored (logdb), SQL (service/metadb).
// May import: logdb, logdb/analysis, rpc/api, cloud/account, cloud/registry and leaves.
// Start reading at: fetch.go (Desk), then wanted.go.
package fetch
