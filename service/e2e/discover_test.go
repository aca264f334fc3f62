package e2e_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/rpc/api"
	"metermanager/service/field/sim"
)

// TestFindAddAndExamine: an installer looks for meters, adds the one that was found by its number, looks at its registers, and
// is told why a unit does not answer.
func TestFindAddAndExamine(t *testing.T) {
	t.Parallel()
	m, err := sim.New(sim.Config{Seed: 3, Serial: "4711-A", History: time.Hour, Profiles: assets.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	_, port, err := net.SplitHostPort(m.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	site := newFetchNode(t, "site")
	site.start()
	var d api.Discovery
	site.call(&d, "meter", "discover", "127.0.0.1-2", "--port", port)
	if d.State != "done" || d.Addresses != 2 || len(d.Found) != 1 || d.Found[0].Profile != "eig-shark-200" || d.Found[0].Serial != "4711-A" {
		t.Fatalf("found %+v", d)
	}
	var added api.MeterStatus
	site.call(&added, "meter", "add", "main", "--found", "1")
	if added.Serial != "4711-A" || added.Address != m.Addr().String() {
		t.Errorf("added %+v", added)
	}
	site.call(&d, "meter", "discover", "127.0.0.1", "--port", port)
	if len(d.Found) != 0 || d.Skipped != 1 {
		t.Errorf("the address of a meter of the list is scanned: %+v", d)
	}
	site.kill()
	site.start()
	var last api.Discovery
	site.call(&last, "meter", "discover", "--last")
	if last.Started != d.Started || last.Skipped != 1 || last.By == "" || last.By != d.By || last.State != "done" {
		t.Errorf("after a restart the last scan is %+v, want %+v", last, d)
	}
	var r api.Registers
	site.call(&r, "meter", "registers", "main", "--from", "0x03E7", "--count", "4")
	if len(r.Registers) != 4 || r.Registers[0].Addr != 999 || len(r.Registers[0].F32) == 0 || float64(r.Registers[0].F32["ABCD"]) < 200 || float64(r.Registers[0].F32["ABCD"]) > 350 {
		t.Errorf("registers %+v", r)
	}
	if _, errs, code := tool(t, "meter", "registers", "main", "--fc", "4", "--from", "40001", "--url", site.url, "--key", site.key); code != 3 ||
		!strings.Contains(errs, "refuses all of these registers") || !strings.Contains(errs, "holding register 0, read with function 3 from 0 on") {
		t.Errorf("registers that the meter does not have: exit code %d, %s", code, errs)
	}
	var well api.Doctor
	eventually(t, time.Minute, "the meter is read in time", func() bool {
		site.call(&well, "meter", "doctor", "main", "--examine")
		return len(well.Lines) == 1 && len(well.Lines[0].Units) == 1 && well.Lines[0].Units[0].Kept > 0
	})
	u := well.Lines[0].Units[0]
	answers := int64(0)
	for _, c := range u.Traffic.Latencies {
		answers += c.Count
	}
	if !well.Lines[0].Connected || u.Finding.Fault != "none" || well.Examined == nil || well.Examined.Fault != "none" || answers == 0 || u.LastOK == 0 {
		t.Errorf("a meter that is well: %+v, examined %+v", u, well.Examined)
	}
	pickedUp(t, site)
	site.call(nil, "meter", "set", "main", "unit", "9")
	var ill api.Doctor
	site.call(&ill, "meter", "doctor", "main", "--examine")
	if ill.Examined == nil || ill.Examined.Fault != "unit" || !strings.Contains(ill.Examined.Text, "unit 1 does") {
		t.Errorf("a wrong unit: %+v", ill.Examined)
	}
	if _, errs, code := tool(t, "meter", "discover", "10.0.0.0/8", "--url", site.url, "--key", site.key); code != 2 || !strings.Contains(errs, strconv.Itoa(1024)) {
		t.Errorf("a network that is too large: exit code %d, %s", code, errs)
	}
}

// pickedUp has the site take in a file from a watched folder.
func pickedUp(t *testing.T, site *fetchNode) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "load.csv"), []byte("time,P [kW]\n2021-03-01 00:00,1.5\n2021-03-01 00:15,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	site.call(nil, "rpc", "pickup.add", "main", dir, "map=P=import.power", "every_s=5")
	var list struct {
		Folders []struct {
			Taken, Stored int
			LastError     string `json:"last_error"`
		}
	}
	eventually(t, time.Minute, "the file is taken in", func() bool {
		site.call(&list, "rpc", "pickup.list")
		return len(list.Folders) == 1 && list.Folders[0].Taken == 1
	})
	if f := list.Folders[0]; f.Stored != 2 || f.LastError != "" {
		t.Errorf("%+v", f)
	}
	if out, errs, code := tool(t, "log", "query", "main", "--url", site.url, "--key", site.key, "--from", "2021-01-01", "--to", "2022-01-01", "--json"); code != 0 || !strings.Contains(out, "import.power") {
		t.Errorf("its rows are not answered: exit code %d\n%s%s", code, out, errs)
	}
}
