package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"metermanager/rpc/api"
	"metermanager/service/config"
	"metermanager/service/demo"
)

// historyIn bounds how long a short history may take until it is retrieved and uploaded,
// on a slow machine with other tests beside this one.
const historyIn = 4 * time.Minute

// demonstration is a running demo with its folder.
type demonstration struct {
	*background
	dir string
}

func startDemo(t *testing.T, dir, history string, more ...string) demonstration {
	t.Helper()
	args := append([]string{"demo", "--data", dir, "--listen", freeAddress(t), "--cloud-listen", freeAddress(t), "--history", history}, more...)
	d := demonstration{spawn(t, args...), dir}
	eventually(t, 2*time.Minute, "the demonstration says where to look", func() bool {
		select {
		case <-d.done:
			t.Fatalf("the demonstration ended by itself: %v\n%s", d.err, d.text())
		default:
		}
		return strings.Contains(d.text(), "Stop:")
	})
	return d
}

func (d demonstration) state() demo.State {
	d.t.Helper()
	s, err := demo.ReadState(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// verified waits until the history is in and verify is clean, and returns the report.
func (d demonstration) verified() api.VerifyReport {
	d.t.Helper()
	eventually(d.t, historyIn, "all history is in", func() bool {
		select {
		case <-d.done:
			d.t.Fatalf("the demonstration ended by itself: %v\n%s", d.err, d.text())
		default:
		}
		return strings.Contains(d.text(), "All history is in")
	})
	var report api.VerifyReport
	var last string
	eventually(d.t, 2*time.Minute, "verify is clean", func() bool {
		out, errs, code := tool(d.t, "verify", "--data", d.dir, "--json")
		last = out + errs
		if code == 6 { // a difference does not go away by waiting
			d.t.Fatalf("verify: records differ\n%s", last)
		}
		if code != 0 {
			return false
		}
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			d.t.Fatalf("verify --json printed no report: %v\n%s", err, out)
		}
		return true
	})
	return report
}

// The first thing that anybody does: start it, look, stop it, start it again.
func TestDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a whole demonstration")
	}
	dir := filepath.Join(t.TempDir(), "demo")
	d := startDemo(t, dir, "4d") // more records of one log than verify reads again without --deep
	state := d.state()
	checkDemoFile(t, dir, state)
	report := d.verified()
	if report.Compared == 0 {
		t.Errorf("verify compared nothing: %+v", report)
	}
	if out, errs, code := tool(t, "verify", "--deep", "--data", dir); code != 0 || strings.Contains(out, "only the newest") {
		t.Errorf("verify --deep ends with %d\n%s%s", code, out, errs)
	}
	sameAtBothEnds(t, d)
	recordedIsAnswered(t, d)
	queriesOfTheCommandLine(t, dir)
	importedAndExported(t, dir)
	d.verified() // what was imported is compared too, here and at the cloud

	d.interrupt()
	if d.err != nil {
		t.Errorf("Ctrl-C: the demonstration ended with %v", d.err)
	}
	for _, pid := range pids(state) {
		if alive(pid) {
			t.Errorf("process %d outlived the demonstration", pid)
		}
	}

	before := recordCount(t, report)
	d = startDemo(t, dir, "36h")
	again := d.state()
	if again.Site.APIKey != state.Site.APIKey || again.Cloud.Password != state.Cloud.Password {
		t.Error("the second start made up other secrets")
	}
	if after := d.verified(); recordCount(t, after) < before {
		t.Errorf("the second start compared %d records, the first %d", after.Compared, before)
	}
	d.interrupt()
}

func recordCount(t *testing.T, r api.VerifyReport) int64 {
	t.Helper()
	return r.Compared + r.Skipped
}

func checkDemoFile(t *testing.T, dir string, s demo.State) {
	t.Helper()
	info, err := os.Stat(config.DemoFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("demo.json has mode %v, want 0600", info.Mode().Perm())
	}
	for name, n := range map[string]demo.Node{"site": s.Site, "cloud": s.Cloud} {
		if n.URL == "" || n.User == "" || len(n.Password) < 16 || !strings.HasPrefix(n.APIKey, "mmk_") || n.Data == "" || !alive(n.PID) {
			t.Errorf("%s: %+v is not complete", name, n)
		}
	}
	if len(s.Meters) < 2 {
		t.Errorf("%d meters, want a Shark 200 and a SunSpec meter at least", len(s.Meters))
	}
	for _, m := range s.Meters {
		if !strings.HasPrefix(m.Address, "tcp://127.0.0.1:") || !alive(m.PID) {
			t.Errorf("meter %+v is not complete", m)
		}
	}
}

func pids(s demo.State) []int {
	out := []int{s.Site.PID, s.Cloud.PID}
	for _, m := range s.Meters {
		out = append(out, m.PID)
	}
	return out
}

// alive reports whether a process runs.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	if runtime.GOOS == "windows" {
		return true // found means running
	}
	if p.Signal(syscall.Signal(0)) != nil {
		return false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(text), ") Z ") // a zombie has ended
}

// A power cut at the site in the middle of everything: nothing is lost, nothing doubled.
func TestKilledSite(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a whole demonstration")
	}
	d := startDemo(t, filepath.Join(t.TempDir(), "demo"), "48h")
	for round := range 3 {
		var pid int
		eventually(t, time.Minute, "the site runs", func() bool {
			pid = d.state().Site.PID
			return alive(pid)
		})
		if round > 0 { // let it do something in between
			wait(t, time.Duration(round)*1500*time.Millisecond)
		}
		p, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, "the site was started again", func() bool { return d.state().Site.PID != pid })
	}
	if r := d.verified(); r.Different != 0 || r.Compared == 0 {
		t.Errorf("after three kills: %+v", r)
	}
	d.interrupt()
}

// wait lets the other processes work for a while: there is no event to wait for.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// Children end when the demonstration is killed and cannot tell them.
func TestKilledDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a whole demonstration")
	}
	d := startDemo(t, filepath.Join(t.TempDir(), "demo"), "2h")
	all := pids(d.state())
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-d.done
	eventually(t, 30*time.Second, "the children ended", func() bool {
		for _, pid := range all {
			if alive(pid) {
				return false
			}
		}
		return true
	})
}

// Two demonstrations cannot work in one folder, and say so.
func TestDemoFolderInUse(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a whole demonstration")
	}
	d := startDemo(t, filepath.Join(t.TempDir(), "demo"), "2h")
	out, errs, code := tool(t, "demo", "--data", d.dir, "--listen", freeAddress(t), "--cloud-listen", freeAddress(t))
	if code != 1 || !strings.Contains(out+errs, "works in this") {
		t.Errorf("a second demonstration in one folder: exit code %d\n%s%s", code, out, errs)
	}
	if s := d.state(); !alive(s.Site.PID) {
		t.Error("the second demonstration broke the state of the first")
	}
	d.interrupt()
}
