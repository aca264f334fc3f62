// Package rpc holds nothing itself: what goes over the wire lives in its folders.
//
// Owns: the sentence that fault and permission are words that both ends share, api the
// documents, client and host the two ends, rpctest the means to test either.
// Does not own: handlers (service/webapi, service/command), log data (logdb).
// May import: nothing.
// Start reading at: api/operations.go.
package rpc
