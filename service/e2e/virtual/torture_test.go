package virtual_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/service/e2e/virtual"
)

var (
	runs  = flag.Int("torture.n", 0, "how many runs; 0: the fixed seeds of CI")
	first = flag.Uint64("torture.seed", 1, "the first seed")

	shrinking = flag.Duration("torture.shrink", 0, "how long to look which events a failure needs")
)

// template makes the disk that every run begins with.
func template(t *testing.T) (tpl *virtual.Template) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "template")
	synctest.Test(t, func(t *testing.T) {
		var err error
		if tpl, err = virtual.NewTemplate(t.Context(), folder); err != nil {
			t.Fatal(err)
		}
	})
	return tpl
}

func TestTorture(t *testing.T) {
	t.Parallel()
	seeds := fixedSeeds
	if *runs > 0 {
		seeds = nil
		for i := range uint64(*runs) {
			seeds = append(seeds, *first+i)
		}
	}
	if os.Getenv("GOGC") == "" { // with 1000 a run takes an eighth less time, and two or three times the memory
		debug.SetGCPercent(400)
	}
	tpl := template(t)
	var mu sync.Mutex
	var records, values, events, lost, archived, thinned int
	var lasted time.Duration
	t.Run("seed", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				out := play(t, tpl, virtual.NewPlan(seed))
				mu.Lock()
				defer mu.Unlock()
				records, values, events, lost = records+out.Stats.Records, values+out.Stats.Values, events+out.Stats.Events, lost+out.Stats.Lost
				archived, thinned = archived+out.Archived, thinned+out.Thinned
				lasted += out.Virtual
			})
		}
	})
	t.Logf("%d runs, %s of virtual time: %d records of meters at sites, %d values and %d events at clouds, %d lost in meters' memories, %d archive files, %d values let go",
		len(seeds), lasted.Round(time.Hour), records, values, events, lost, archived, thinned)
}

// play plays a plan and fails with what is wrong, after it has looked which of the events are
// needed for that.
func play(t *testing.T, tpl *virtual.Template, plan virtual.Plan) virtual.Outcome {
	t.Helper()
	out := try(t, tpl, plan)
	if len(out.Problems) == 0 {
		return out
	}
	if *shrinking > 0 {
		plan, out = shrink(t, tpl, plan, out)
	}
	for _, p := range out.Problems {
		t.Error(p)
	}
	t.Log(plan)
	for _, line := range out.Trace {
		t.Log(line)
	}
	return out
}

// try plays a plan in a bubble of its own.
func try(t *testing.T, tpl *virtual.Template, plan virtual.Plan) (out virtual.Outcome) {
	t.Helper()
	folder, err := os.MkdirTemp("", "torture-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	synctest.Test(t, func(t *testing.T) {
		out, err = virtual.Run(context.WithoutCancel(t.Context()), plan, tpl, folder)
		if err != nil {
			out.Problems = append(out.Problems, err.Error())
		}
	})
	return out
}

// shrink drops one event after the other while the run still fails, for a bounded time.
func shrink(t *testing.T, tpl *virtual.Template, plan virtual.Plan, out virtual.Outcome) (virtual.Plan, virtual.Outcome) {
	t.Helper()
	end := time.Now().Add(*shrinking)
	for i := 0; i < len(plan.Events) && time.Now().Before(end); {
		smaller := plan
		smaller.Events = slices.Delete(slices.Clone(plan.Events), i, i+1)
		if o := try(t, tpl, smaller); len(o.Problems) > 0 {
			plan, out = smaller, o
		} else {
			i++
		}
	}
	return plan, out
}
