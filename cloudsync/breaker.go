package cloudsync

import (
	"time"

	"metermanager/cloudsync/runner"
	"metermanager/rpc/fault"
)

// breakAfter is how many actions in a row must find the cloud unreachable until it is left alone.
const breakAfter = 2

// breaker keeps a cloud that does not answer from being asked again and again: after breakAfter
// failures in a row nothing is sent for a time that doubles up to 15 minutes, then one
// action tries. Its owner guards it.
type breaker struct {
	failures int
	until    time.Time
	last     time.Time // of the last answer
	since    time.Time // of the first failure in a row
	err      string
	do       string // what somebody should do about err
}

func (b *breaker) succeed(now time.Time) { *b = breaker{last: now} }

func (b *breaker) fail(now time.Time, err error, do string, pauses runner.Backoff) {
	if b.failures == 0 {
		b.since = now
	}
	b.failures++
	b.err, b.do = err.Error(), do
	if b.failures >= breakAfter {
		b.until = now.Add(pauses.Pause(b.failures-breakAfter+1, err))
	}
}

// unreachable reports whether err means that the cloud, not the request, was at fault.
func unreachable(err error) bool {
	switch code := fault.CodeOf(err); code {
	case fault.Internal, fault.Full:
		return true
	default:
		return code.Retryable()
	}
}
