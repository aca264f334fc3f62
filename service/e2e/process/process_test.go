//go:build unix

package process_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/service/e2e/faultproxy"
)

var (
	firstSeed = flag.Uint64("first", 0, "first seed of the runs; 0: the fixed seeds of every test run")
	runs      = flag.Uint64("runs", 1, "with -first: how many seeds")
	keep      = flag.Bool("keep", false, "keep the folders of failed runs")
)

// fixedSeeds are run by every test run: together they hit every kind of fault that is planned.
var fixedSeeds = []uint64{1233, 2842, 81, 340, 276, 2, 3, 87002}

// program is the built metermanager; TestMain sets it.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "metermanager-process-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "metermanager")
	build := exec.Command("go", "build", "-tags", "ci,torture", "-buildvcs=false", "-o", program, "metermanager/service")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// TestProcesses: whatever happens to meter, site, cloud and what lies between them, no record is lost,
// doubled or wrong, and verify says so.
func TestProcesses(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	seeds := fixedSeeds
	if *firstSeed != 0 {
		seeds = nil
		for i := range *runs {
			seeds = append(seeds, *firstSeed+i)
		}
	}
	var clean atomic.Int64
	t.Cleanup(func() { t.Logf("%d of %d runs with real processes were clean", clean.Load(), len(seeds)) })
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			if oneRun(t, newPlan(seed)) {
				clean.Add(1)
			}
		})
	}
}

// TestFixedSeeds: what every test run tries is everything that there is to try.
func TestFixedSeeds(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, seed := range fixedSeeds {
		p := newPlan(seed)
		for _, a := range p.acts {
			seen[a.what+" "+strings.TrimSuffix(a.who, "2")] = true
		}
		for k := range p.web.Weights {
			seen["HTTP "+string(k)] = true
		}
		for k := range p.wire.Weights {
			seen["Modbus "+string(k)] = true
		}
		seen[fmt.Sprint("name ", p.names)], seen[fmt.Sprint("login ", p.login)] = true, true
		seen[fmt.Sprint("chain ", p.chain)], seen[fmt.Sprint("direct ", p.direct)] = true, true
		seen[fmt.Sprint("reduced ", p.interval > 0)] = true
		seen[fmt.Sprint("second ", p.second)], seen[fmt.Sprint("disk ", p.disk)] = true, true
	}
	var want []string
	for _, k := range kinds {
		for who := range strings.FieldsSeq(k.who) {
			want = append(want, k.what+" "+who)
		}
	}
	for _, k := range faultproxy.HTTPKinds {
		want = append(want, "HTTP "+string(k))
	}
	for _, k := range faultproxy.ModbusKinds {
		want = append(want, "Modbus "+string(k))
	}
	for _, x := range append(want, "name true", "login true", "login false", "second true", "disk true", "disk false", "chain true", "direct true", "reduced true") {
		if !seen[x] {
			t.Errorf("no fixed seed has %s", x)
		}
	}
}

func oneRun(t *testing.T, p *plan) bool {
	dir, err := os.MkdirTemp("", fmt.Sprintf("metermanager-run%d-", p.seed))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 8*time.Minute)
	w, err := newWorld(program, dir, p)
	if err != nil {
		t.Fatal(err)
	}
	err = w.run(ctx)
	if err == nil {
		err = w.judge(ctx)
	}
	cancel()
	w.close()
	took := time.Since(w.log.begin).Round(100 * time.Millisecond)
	if err == nil {
		t.Logf("seed %d: clean after %v; %s", p.seed, took, w.found)
		_ = os.RemoveAll(dir)
		return true
	}
	t.Errorf("seed %d, after %v: %v\n\n%s\n%s\n%s\nagain: go test -tags ci ./service/e2e/process -run TestProcesses -first %d -keep\n",
		p.seed, took, err, p, w.log, w.faults(), p.seed)
	if *keep {
		t.Logf("the logs and folders are in %s", dir)
	} else {
		_ = os.RemoveAll(dir)
	}
	return false
}
