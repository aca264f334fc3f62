package load_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/client"
)

// simulators runs meters on ports that follow each other and returns the first port.
func simulators(t *testing.T, program string, meters, hours int) (port int) {
	t.Helper()
	for range 20 {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port = free.Addr().(*net.TCPAddr).Port
		if err := free.Close(); err != nil {
			t.Fatal(err)
		}
		if port+meters > 65535 {
			continue
		}
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "simulate", "--parent", "--meters", fmt.Sprint(meters),
			"--listen", fmt.Sprintf("127.0.0.1:%d", port), "--history", fmt.Sprintf("%dh", hours))
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := stdin.Write([]byte("{}\n")); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 4096)
		n, _ := out.Read(line)
		if strings.Contains(string(line[:n]), "answer") {
			t.Cleanup(func() {
				_ = stdin.Close() // they end with their input
				_ = cmd.Wait()
			})
			return port
		}
		_ = stdin.Close() // a port of the row was taken
		_ = cmd.Wait()
	}
	t.Fatal("no row of free ports")
	return 0
}

// processor is the time that a process took of the processors so far, in hundredths of a second; 0 where the system does not tell.
func processor(pid int) (ticks int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	for _, i := range [...]int{11, 12} { // of the program and of the system on its behalf
		var n int64
		if i < len(fields) {
			_, _ = fmt.Sscan(fields[i], &n)
		}
		ticks += n
	}
	return ticks
}

// TestManyMetersAtOneSite: a site reads many meters, live every 5 s and their logs every minute, and uploads to a cloud, with bounded memory. LOAD_METERS,
// LOAD_METER_HOURS (of history) and LOAD_METER_SECONDS (of watching) set the size.
func TestManyMetersAtOneSite(t *testing.T) {
	meters, hours, seconds := number(t, "LOAD_METERS", 3), number(t, "LOAD_METER_HOURS", 3), number(t, "LOAD_METER_SECONDS", 1)
	program := build(t)
	port := simulators(t, program, meters, hours)
	cloud, _ := startNode(t, program, "cloud")
	ready(t, newClient(t, cloud, adminKey, -1))
	url, pid := startNode(t, program, "site,cloud")
	c := newClient(t, url, adminKey, -1)
	ready(t, c)
	at := strings.LastIndexByte(cloud, ':')
	for _, s := range [][2]string{{"etheria.client~host", cloud[:at]}, {"etheria.client~port", cloud[at+1:]}, {"cloud.apikey", adminKey}, {"etheria.client~enabled", "true"}} {
		if err := c.Call(t.Context(), api.CmdCloudSet, map[string]any{"name": s[0], "value": s[1]}, nil); err != nil {
			t.Fatalf("set %s: %v", s[0], err)
		}
	}
	began := time.Now()
	for i := range meters {
		err := c.Call(t.Context(), api.CmdMeterAdd, map[string]any{
			"name": fmt.Sprint("meter ", i), "address": fmt.Sprintf("tcp://127.0.0.1:%d", port+i), "unit": 1, "profile": "eig-shark-200", "zone": "UTC",
		}, nil)
		if err != nil {
			t.Fatalf("add meter %d: %v", i, err)
		}
	}
	records := waitRetrieved(t, url, meters)
	took := time.Since(began)
	uploaded := waitUploaded(t, c, meters)
	there, before, watched := time.Since(began), processor(pid), time.Now()
	pause(t, time.Duration(seconds)*time.Second)
	share := float64(processor(pid)-before) / time.Since(watched).Seconds() // hundredths a second: percent of one processor
	most := memory(pid)
	if bound := int64(150 << 20); runtime.GOOS == "linux" && (most == 0 || most > bound) {
		t.Errorf("the site took %d MB", most>>20)
	}
	t.Logf("meters: %d with %d h of history, %d records retrieved %s after the first was added, %d positions decided at the cloud after %s; then %.1f %% of one processor over %s; %d MB resident at most",
		meters, hours, records, took.Round(time.Second), uploaded, there.Round(time.Second), share, time.Since(watched).Round(time.Second), most>>20)
}

// waitUploaded waits until the cloud has everything of every meter, and returns how many positions it has decided.
func waitUploaded(t *testing.T, c *client.Client, meters int) (decided int64) {
	t.Helper()
	why := ""
	for range 1200 {
		s, err := c.Status(t.Context())
		switch {
		case err != nil:
			why = err.Error()
		case s.Sync == nil || len(s.Sync.Meters) != meters || s.Sync.Pending > 0 || s.Sync.NotCompared > 0:
			why = fmt.Sprintf("%+v", s.Sync)
		default:
			decided = 0
			for _, m := range s.Sync.Meters {
				for _, l := range m.Logs {
					decided += l.Decided
				}
			}
			if decided > 0 {
				return decided
			}
		}
		pause(t, 500*time.Millisecond)
	}
	t.Fatalf("not uploaded: %s", why)
	return 0
}

// waitRetrieved waits until every log of every meter was read to its end, and returns how many records there were.
func waitRetrieved(t *testing.T, url string, meters int) (records int64) {
	t.Helper()
	c := newClient(t, url, adminKey, -1)
	why := ""
	for range 1200 {
		records, why = 0, ""
		s, err := c.Status(t.Context())
		if err != nil {
			why = err.Error()
		} else if len(s.Meters) != meters {
			why = fmt.Sprintf("%d meters", len(s.Meters))
		}
		for i := 0; why == "" && i < meters; i++ {
			m := &s.Meters[i]
			if m.Doing != "" || m.LastError != "" || len(m.Retrieval) == 0 {
				why = fmt.Sprintf("%s: doing %q, %s", m.Name, m.Doing, m.LastError)
			}
			read := int64(0)
			for _, l := range m.Retrieval {
				if read += l.Read; l.LastError != "" || l.Read+100 < l.Held { // the system log tells of the retrievals themselves
					why = fmt.Sprintf("%s, log %s: %d of %d, %s", m.Name, l.Log, l.Read, l.Held, l.LastError)
				}
			}
			if records += read; read == 0 {
				why = m.Name + ": nothing yet"
			}
		}
		if why == "" {
			return records
		}
		pause(t, 500*time.Millisecond)
	}
	t.Fatalf("the logs were not retrieved: %s", why)
	return 0
}
