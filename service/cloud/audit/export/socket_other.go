//go:build !linux

package export

import "syscall"

// limitUnanswered does nothing where the system has no such limit: a receiver whose network is cut, rather than itself, may lose what was
// on its way then.
func limitUnanswered(string, string, syscall.RawConn) error { return nil }
