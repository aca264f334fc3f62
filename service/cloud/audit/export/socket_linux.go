package export

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT, which package syscall does not name.
const tcpUserTimeout = 0x12

// limitUnanswered has the system give a connection up when what was sent is not acknowledged in time: well before it would be
// taken for received.
func limitUnanswered(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(writeTimeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
