package limit

import "strings"

// Who decided that a record is skipped.
const (
	BySender   = "sender"
	ByReceiver = "receiver"
)

// SizeReason is the reason of a record that is larger than any page of the receiver.
const SizeReason = "size"

const receiverMark = ByReceiver + ":"

// Refused is the reason that stands in a set for a record which the receiver's own limits
// skipped: fates of both sides share one set, and people ask which of them it was.
func Refused(reason string) string { return receiverMark + reason }

// Who splits a reason of a set into who decided it and the limit.
func Who(reason string) (by, name string) {
	if name, ok := strings.CutPrefix(reason, receiverMark); ok {
		return ByReceiver, name
	}
	return BySender, reason
}
