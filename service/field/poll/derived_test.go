package poll_test

import (
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/service/field/poll"
)

func TestDerived(t *testing.T) {
	t.Parallel()
	for counter, want := range map[logdb.ChannelKey][]logdb.ChannelKey{
		"energy.total.wh.received": {"energy.interval.wh.received", "demand.max.watts.positive"},
		"energy.total.wh.net":      {"energy.interval.wh.net"},
		"readings.power.watts":     nil,
	} {
		if got := poll.Derived(counter); !slices.Equal(got, want) {
			t.Errorf("of %s are made %q, want %q", counter, got, want)
		}
	}
}
