package limit_test

import (
	"testing"

	"metermanager/logdb/limit"
)

func TestWho(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ reason, by, name string }{
		{"day", limit.BySender, "day"},
		{limit.Refused("day"), limit.ByReceiver, "day"},
		{limit.Refused(limit.PaceReason), limit.ByReceiver, "minute"},
		{limit.SizeReason, limit.BySender, "size"},
		{"", limit.BySender, ""},
	} {
		if by, name := limit.Who(tt.reason); by != tt.by || name != tt.name {
			t.Errorf("Who(%q) = %q, %q, want %q, %q", tt.reason, by, name, tt.by, tt.name)
		}
	}
}
