package account

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"metermanager/rpc/fault"
)

func TestChecksBeyondTheBoundAreRefused(t *testing.T) {
	t.Parallel()
	h, err := newHasher(4, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.check(t.Context(), nil, "x"); !errors.Is(err, fault.RateLimited) {
		t.Errorf("a check while all slots are taken: %v, want rate_limited", err)
	}
	<-h.slots
	if ok, err := h.check(t.Context(), nil, "x"); ok || err != nil {
		t.Errorf("a check of nobody = %v, %v; want false", ok, err)
	}
}

func TestLimiterForgetsInTime(t *testing.T) {
	t.Parallel()
	l := newLimiter(rule{burst: 2, step: time.Second})
	now := time.Unix(0, 0)
	for i := range 3 * limiterEntries {
		l.take(fmt.Sprint(i), now)
		if len(l.seen) > limiterEntries {
			t.Fatalf("%d names kept", len(l.seen))
		}
	}
}
