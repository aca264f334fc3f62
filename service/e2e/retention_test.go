package e2e_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/cloudsync/verify"
	"metermanager/logdb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/service/config"
)

// fillMonths puts many months of a meter into the site's log database: a row every quarter of an hour, a recording every third day.
func fillMonths(t *testing.T, data string, months int) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), config.LogsFile(data), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const uid, quarter = "old-1", logdb.DayMillis / 96
	if err := store.PutSettings(t.Context(), uid, logdb.Settings{Name: "main", Make: "EIG", Model: "Shark 200", Serial: "4711", Zone: "Europe/Berlin"}); err != nil {
		t.Fatal(err)
	}
	h := logdb.History{Channels: []logdb.ChannelKey{"energy.interval.wh.received", "readings.voltage.an"}, Columns: make([][]float64, 2)}
	waves := logdb.Batch{Meter: uid, Kind: logdb.KindWaveform}
	end := logdb.MillisOf(time.Now()).Floor(quarter)
	n := 0
	for at := logdb.MillisOf(time.Now().AddDate(0, -months, 0)).Floor(quarter); at < end; at += quarter {
		h.Times = append(h.Times, at)
		h.Columns[0], h.Columns[1] = append(h.Columns[0], float64(n*7%5000)/10), append(h.Columns[1], 230+float64(n%97)/100)
		if n++; n%(3*96) == 0 {
			c := logdb.WaveChannel{Name: "Van_Vab"}
			for k := range 256 {
				c.Samples = append(c.Samples, math.Round(170*math.Sin(float64(k+n)/10)))
			}
			waves.Entries = append(waves.Entries, logdb.Entry{Op: logdb.OpAdd, Time: at, Waveform: &logdb.Waveform{
				End: at + 255, SampleIntervalMillis: 1, TriggerTime: at + 20, FrequencyHz: 50, Triggers: []string{"Van=Sag_start"}, Channels: []logdb.WaveChannel{c},
			}})
		}
	}
	for _, b := range []logdb.Batch{{Meter: uid, Kind: logdb.KindHistorical, Rows: []logdb.History{h}}, waves} {
		if _, err := store.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// What is asked of a node is answered the same when its old data have moved into the archive, by the program itself, killed on the way.
func TestOldDataMoveIntoTheArchive(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a process, and 30 months of a meter")
	}
	n := newFetchNode(t, "site")
	n.start()
	n.kill()
	fillMonths(t, n.data, 30)
	n.start()
	defer n.kill()
	started := time.Now().UTC()
	ago := func(days int) string { return started.AddDate(0, 0, -days).Format(time.RFC3339) }
	ask := func() (all []string) {
		for _, args := range [][]string{
			{"log", "query", "main", "historical", "--from", ago(800), "--to", ago(700)},
			{"log", "query", "main", "historical", "--from", ago(900), "--to", ago(0), "--interval", "1mo"},
			{"log", "query", "main", "historical", "--from", ago(420), "--to", ago(0), "--interval", "1d"},
			{"log", "query", "main", "waveform", "--from", ago(900), "--to", ago(0)},
		} {
			out, errs, code := tool(t, append(args, "--url", n.url, "--key", n.key, "--json")...)
			if code != 0 {
				t.Fatalf("%s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
			}
			if len(out) < 500 {
				t.Errorf("%s answers %s", strings.Join(args, " "), out)
			}
			all = append(all, out)
		}
		return all
	}
	var ages struct{ Ages map[string]string }
	n.call(&ages, "rpc", "retention.get")
	if ages.Ages["full"] != "6mo" || ages.Ages["archive"] != "forever" {
		t.Errorf("ages %v", ages.Ages)
	}
	before := ask()
	var s api.RetentionStatus
	n.call(&s, "rpc", "retention.run")
	n.kill()
	n.start()
	n.call(&s, "rpc", "retention.run", "wait=true")
	if s.Failed > 0 || len(s.Faults) > 0 || s.Meters == 0 || s.Finished == 0 {
		t.Errorf("status %+v", s)
	}
	kinds := map[string]int{}
	for _, a := range s.Archive {
		kinds[a.Kind] += a.Files
	}
	if kinds["historical"] < 20 || kinds["waveform"] < 25 {
		t.Errorf("files %v", kinds)
	}
	for i, out := range ask() {
		if out != before[i] {
			k := 0
			for k < min(len(out), len(before[i])) && out[k] == before[i][k] {
				k++
			}
			t.Errorf("answer %d is another at byte %d: %.300s\nwas %.300s", i, k, out[max(0, k-60):], before[i][max(0, k-60):])
		}
	}
	n.call(nil, "rpc", "retention.set", "archive", "2y")
	n.call(&s, "rpc", "retention.run", "wait=true")
	if s.Dropped.Files == 0 {
		t.Errorf("nothing was let go: %+v", s)
	}
	if _, _, code := tool(t, "rpc", "retention.set", "full", "1mo", "--url", n.url, "--key", n.key); code == 0 {
		t.Error("values for a month only were allowed")
	}
	loseFile(t, n, ago(0))
}

// loseFile deletes an archive file by hand: check names it, until its loss is accepted; then answers and verify say that it is lost.
func loseFile(t *testing.T, n *fetchNode, until string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.data, "archive", "*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.Contains(f, "waveform") })
	if len(files) < 3 {
		t.Fatalf("%d files of values are left", len(files))
	}
	slices.Sort(files)
	path := files[len(files)-2]
	name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
	lose := []string{"rpc", "retention.lose", name, "disk failed", "--url", n.url, "--key", n.key}
	if _, errs, code := tool(t, lose...); code == 0 || !strings.Contains(errs, "as it was written") {
		t.Errorf("a sound file was given up: exit code %d\n%s", code, errs)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if out, _, code := tool(t, "check", "--url", n.url, "--key", n.key); code != 6 || !strings.Contains(out, name) || !strings.Contains(out, "retention.lose") {
		t.Errorf("check ends with %d\n%s", code, out)
	}
	var loss api.Loss
	n.call(&loss, "rpc", "retention.lose", name, "disk failed")
	if loss.File != name || loss.Lost == 0 || loss.By == "" || loss.Why != "disk failed" || loss.At == 0 {
		t.Errorf("lost %+v", loss)
	}
	var all api.LossesAnswer
	n.call(&all, "rpc", "retention.losses")
	if len(all.Losses) != 1 || all.Losses[0] != loss {
		t.Errorf("losses %+v, want %+v", all, loss)
	}
	if out, errs, code := tool(t, "check", "--url", n.url, "--key", n.key); code != 0 {
		t.Errorf("check ends with %d after the loss was accepted\n%s%s", code, out, errs)
	}
	from, to := loss.First.Time().Format(time.RFC3339), loss.Last.Time().Format(time.RFC3339)
	for _, kind := range []string{"--interval=1d", "--limit=100"} {
		out, errs, code := tool(t, "log", "query", "main", "historical", "--from", from, "--to", until, kind, "--url", n.url, "--key", n.key)
		if code != 0 || !strings.Contains(out, "! In this range values of 1 archive file were lost") {
			t.Errorf("log query %s ends with %d\n%.2000s%s", kind, code, out, errs)
		}
	}
	if out, errs, code := tool(t, "log", "query", "main", "historical", "--from", from, "--to", to, "--interval", "1d", "--json", "--url", n.url, "--key", n.key); code != 0 || !strings.Contains(out, `"lost":1`) {
		t.Errorf("log query --json ends with %d\n%.300s%s", code, out, errs)
	}
	out, errs, code := tool(t, "verify", "--json", "--url", n.url, "--key", n.key)
	var report api.VerifyReport
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("verify ends with %d: %v\n%s%s", code, err, out, errs)
	}
	lost := int64(0)
	for _, d := range report.Days {
		if d.Reason == verify.ReasonLost {
			lost += d.Count
		}
	}
	if code != 0 || lost != loss.Lost {
		t.Errorf("verify ends with %d and says that %d values are lost, want %d", code, lost, loss.Lost)
	}
}
