// Package realtime holds the present values of meters with a short history, in memory.
//
// Owns: the latest values, their history, when they are stale.
// Does not own: logs (logdb), reading meters (field), HTTP, permission (cloud/registry).
// May import: logdb and leaves.
// Start reading at: realtime.go (Board).
package realtime
