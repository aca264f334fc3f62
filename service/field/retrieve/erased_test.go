package retrieve_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// TestErasedSlot: a slot that was erased and never written, as when the supply fails just then, is a record that nobody can read once others follow it,
// and keeps none of them. While it is the newest, the log says that something is wrong.
func TestErasedSlot(t *testing.T) {
	t.Parallel()
	p, _ := profiles(t).Get("eig-shark-200")
	log, _ := p.LogOf("system")
	zero := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	rec := func(minute int) []byte {
		return device.AppendSystem(nil, zero.Add(time.Duration(minute)*time.Minute), device.SystemRecord{Group: 1, Event: byte(minute)})
	}
	erased := bytes.Repeat([]byte{0xFF}, device.SystemRecordSize)
	many := func(from, to int) (out [][]byte) {
		for i := from; i < to; i++ {
			out = append(out, rec(i))
		}
		return out
	}
	for _, tc := range []struct {
		name  string
		steps [][][]byte // records that are new at each retrieval
		fails []int      // steps that end with an error
		kept  []int      // minutes of the events
		holes int
	}{
		{"none", [][][]byte{many(1, 3), many(3, 5)}, nil, []int{1, 2, 3, 4}, 0},
		{"with records behind it", [][][]byte{{rec(1), erased, rec(2)}, {rec(3)}}, nil, []int{1, 2, 3}, 1},
		{"several", [][][]byte{{rec(1), erased, erased}, {rec(2), erased, rec(3)}}, []int{0}, []int{1, 2, 3}, 3},
		{"the newest, for some time", [][][]byte{{rec(1)}, {erased}, {}, {rec(2)}}, []int{1, 2}, []int{1, 2}, 1},
		{"the first", [][][]byte{{erased}, {rec(1)}}, []int{0}, []int{1}, 1},
		{"more than a batch", [][][]byte{slices.Concat(many(1, 2), slices.Repeat([][]byte{erased}, 300), many(2, 3))}, nil, []int{1, 2}, 300},
		{"at the end of a batch", [][][]byte{slices.Concat(many(1, 256), [][]byte{erased}, many(256, 260))}, nil, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := &tape{p: p, log: "system", records: [][]byte{device.AppendFiller(nil, zero, device.SystemRecordSize)}}
			store := logdbtest.NewModel(logdbtest.Config{})
			target := &retrieve.Target{UID: uid, Profile: p, Zone: time.UTC, Conn: m, Identity: poll.Identity{Serial: "T1"}}
			r := &retrieve.Reader{Store: store}
			var st retrieve.LogState
			for i, step := range tc.steps {
				m.records = append(m.records, step...)
				_, err := r.Log(t.Context(), target, log, &st, false)
				if failed := err != nil && strings.Contains(st.LastError, "is said to hold"); failed != slices.Contains(tc.fails, i) || !failed && err != nil {
					t.Fatalf("retrieval %d: %v", i, err)
				}
			}
			var minutes []int
			holes := 0
			for _, gaps := range []bool{false, true} {
				err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindSystem, Gaps: gaps}, func(_ logdb.StreamID, e *logdb.Entry) error {
					if e.Gap != nil {
						holes++
						return nil
					}
					minutes = append(minutes, int(e.Time.Time().Sub(zero)/time.Minute))
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			want := tc.kept
			if want == nil {
				for i := 1; i < 260; i++ {
					want = append(want, i)
				}
			}
			if !slices.Equal(minutes, want) || holes != tc.holes {
				t.Errorf("events of the minutes %v and %d unreadable entries, want %v and %d", minutes, holes, want, tc.holes)
			}
		})
	}
}
