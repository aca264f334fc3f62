package daemon

import (
	"errors"
	"testing"

	"metermanager/logdb/limit"
	"metermanager/service/cloud/ingest"
)

// The numbers of a receiver are kept over a restart; a wrong one changes nothing.
func TestLimitsAreKept(t *testing.T) {
	t.Parallel()
	store := cloudStore(t)
	l, err := openLimits(t.Context(), store, ingest.New(nil, nil, ingest.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.SetLimit(t.Context(), "pq", "7/d"); err != nil {
		t.Fatal(err)
	}
	if err := l.SetLimit(t.Context(), "pq", "many"); !errors.Is(err, limit.ErrSetting) {
		t.Errorf("a wrong value: %v", err)
	}
	again, err := openLimits(t.Context(), store, ingest.New(nil, nil, ingest.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	if got := limit.Text(again.Limits(), "pq"); got != "7/d" {
		t.Errorf("after a restart %q", got)
	}
	if err := again.SetLimit(t.Context(), "pq", limit.Default); err != nil || limit.Text(again.Limits(), "pq") != "10/s 30/min 100/h 200/d" {
		t.Errorf("by itself %q, %v", limit.Text(again.Limits(), "pq"), err)
	}
}
