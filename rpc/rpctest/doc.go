// Package rpctest helps to test either end of the wire: a cloud that keeps what is pushed
// and misbehaves when told to, and scenarios of requests.
//
// Owns: Cloud, Scenario, Pipes (a listener in memory). Does not own: the rules of storing, which come with the store that it is given.
// May import: logdb, rpc/api, rpc/host and the leaves of rpc.
// Start reading at: cloud.go.
package rpctest
