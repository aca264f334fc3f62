package e2e_test

import (
	"cmp"
	"context"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/service/demo"
	"metermanager/service/field/sim"
)

// sameAtBothEnds compares what site and cloud export: the same text, to the last digit. In
// so short a time no limit keeps a PQ event away from the cloud.
func sameAtBothEnds(t *testing.T, d demonstration) {
	t.Helper()
	until := time.Now().Add(-10 * time.Minute).UTC().Format(time.RFC3339) // what comes in just now aside
	for _, kind := range []string{"pq", "waveform"} {
		var files [2]string
		for i, end := range []string{"site", "cloud"} {
			path := filepath.Join(t.TempDir(), end+".csv")
			args := []string{"log", "export", "main-incomer", kind, "--data", d.dir, "--to", until, "--out", path}
			if end == "cloud" {
				args = append(args, "--cloud")
			}
			if out, errs, code := tool(t, args...); code != 0 {
				t.Fatalf("log export at the %s: exit code %d\n%s%s", end, code, out, errs)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[i] = streamName.ReplaceAllString(string(text), "@stream")
		}
		if strings.Count(files[0], "\n") < 2 {
			t.Errorf("%s: the site exported nothing", kind)
		}
		if files[0] != files[1] {
			t.Errorf("%s differs:\nsite\n%s\ncloud\n%s", kind, files[0], files[1])
		}
	}
}

// streamName is how an answer names a stream: the same journal, but each node its own policy.
var streamName = regexp.MustCompile(`@[0-9a-f]{32}:[0-9+]+`)

// historicalLogs are the numbers that the Shark gives its historical logs, in the order in
// which the driver numbers them.
var historicalLogs = []int{sim.LogHist1, sim.LogHist2, sim.LogHist3}

// recordedIsAnswered makes the demonstration's meter a second time (equal seed and start
// give equal records) and compares its memory with the site's journal and with what the
// cloud answers: every record, in order, at its time, every value with the bits that the
// meter holds. What the limits merged (two rows within a minute) is told by the fates.
func recordedIsAnswered(t *testing.T, d demonstration) {
	t.Helper()
	state := d.state()
	i := slices.IndexFunc(state.Meters, func(m demo.Meter) bool { return m.Kind == string(sim.Shark200) })
	if i < 0 {
		t.Fatal("the demonstration has no Shark 200")
	}
	m := state.Meters[i]
	twin := twinOf(t, d.dir, m)
	site, cloud := rowsOf(t, state.Site, m.Name), rowsOf(t, state.Cloud, m.Name)
	total := 0
	for n, number := range historicalLogs {
		total += compareLog(t, logdb.LogNo(n), twin, number, site, cloud)
	}
	if total == 0 {
		t.Error("the meter has recorded nothing")
	}
	t.Logf("%d records of the meter are at the site and at the cloud", total)
}

// twinOf makes the same meter again, from a copy of its state.
func twinOf(t *testing.T, dir string, m demo.Meter) *sim.Meter {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "meters", m.Name+".state"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "twin.state")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	twin, err := sim.New(sim.Config{Kind: sim.Kind(m.Kind), Unit: byte(m.Unit), Seed: m.Seed, Zone: m.Zone, State: file})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Cleanup(func() { _ = twin.Run(ctx) }) // closes its port
	return twin
}

// rows is what a node answers of a meter's historical logs.
type rows struct {
	name      string
	inOrder   map[logdb.LogNo][]logdb.Entry // by position
	at        map[logdb.Position]logdb.Entry
	elsewhere map[logdb.Position]bool // reduced, and what they were reduced into
}

func rowsOf(t *testing.T, n demo.Node, name string) rows {
	t.Helper()
	c, err := client.New(n.URL, client.Config{APIKey: n.APIKey})
	if err != nil {
		t.Fatal(err)
	}
	meters, err := c.Meters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(meters, func(m api.Meter) bool { return m.Settings.Name == name })
	if i < 0 {
		t.Fatalf("%s has no meter %s", n.URL, name)
	}
	out := rows{n.URL, map[logdb.LogNo][]logdb.Entry{}, map[logdb.Position]logdb.Entry{}, map[logdb.Position]bool{}}
	query := api.HistoryQuery{Raw: true}
	for {
		answer, err := c.HistoryPages(t.Context(), meters[i].UID, query)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range answer.Pages {
			out.add(&p)
		}
		if answer.Next == "" {
			break
		}
		query.Cursor = answer.Next
	}
	streams, err := c.Streams(t.Context(), meters[i].UID, logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range streams {
		out.merge(&s.Fates)
	}
	for _, list := range out.inOrder {
		slices.SortFunc(list, func(a, b logdb.Entry) int { return cmp.Compare(a.Position, b.Position) })
	}
	return out
}

func (r *rows) add(p *logdb.Page) {
	for _, h := range p.Rows {
		for i := range h.Len() {
			e := h.Entry(i)
			r.inOrder[h.Log] = append(r.inOrder[h.Log], e)
			r.at[e.Position] = e
		}
	}
	for _, e := range p.Entries {
		switch {
		case e.Op == logdb.OpAdd && e.Row != nil:
			r.inOrder[e.Log] = append(r.inOrder[e.Log], e)
			r.at[e.Position] = e
		case e.Op == logdb.OpRevise: // a later row of the same minute went into an earlier one
			r.elsewhere[e.Target], r.elsewhere[e.Position] = true, true
		}
	}
}

// merge notes which positions went into others.
func (r *rows) merge(fates *logdb.FateSet) {
	for _, f := range fates.Ranges() {
		if f.Fate == logdb.FateReduced {
			r.elsewhere[f.Into] = true
			for pos := f.First; pos <= f.Last; pos++ {
				r.elsewhere[pos] = true
			}
		}
	}
}

// compareLog compares one log and returns how many records all three have. The meter goes
// on recording, so it may hold some more by now.
func compareLog(t *testing.T, log logdb.LogNo, twin *sim.Meter, number int, site, cloud rows) int {
	t.Helper()
	n := 0
	for r, err := range twin.Records(number) {
		if err != nil {
			t.Fatal(err)
		}
		if n == len(site.inOrder[log]) {
			if time.Since(r.True) > 20*time.Minute {
				t.Errorf("log %d: the site has %d records, the meter more since %s", log, n, r.True)
			}
			return n
		}
		row := site.inOrder[log][n]
		n++
		if !sameRecord(t, site.name, log, r, row) {
			return n
		}
		there, ok := cloud.at[row.Position]
		switch {
		case cloud.elsewhere[row.Position]:
		case !ok && time.Since(r.True) < 20*time.Minute: // on its way
		case !ok:
			t.Errorf("log %d record %d, position %d, is not at the cloud", log, r.Number, row.Position)
			return n
		case !sameRecord(t, cloud.name, log, r, there):
			return n
		}
	}
	if n < len(site.inOrder[log]) {
		t.Errorf("log %d: the site has %d records, the meter only %d", log, len(site.inOrder[log]), n)
	}
	return n
}

func sameRecord(t *testing.T, who string, log logdb.LogNo, r sim.Record, row logdb.Entry) bool {
	t.Helper()
	if got, want := row.Time.Time(), r.Time.UTC(); !got.Equal(want) {
		t.Errorf("log %d record %d: %s says %s, the meter's clock said %s", log, r.Number, who, got, want)
		return false
	}
	got := map[logdb.ChannelKey]float64{}
	for i, c := range row.Row.Channels {
		got[c] = row.Row.Values[i]
	}
	for _, v := range r.Values {
		if have, ok := got[v.Channel]; !ok || !sameReading(have, v.Value) {
			t.Errorf("log %d record %d: %s says %v for %s, the meter recorded %v", log, r.Number, who, have, v.Channel, v.Value)
			return false
		}
	}
	if len(got) != len(r.Values) {
		t.Errorf("log %d record %d: %s has %d channels, the meter %d", log, r.Number, who, len(got), len(r.Values))
		return false
	}
	return true
}

// sameReading compares an answered value with what the meter holds: readings of 32 bits by
// their bits (the driver keeps the shortest decimal that has them), scaled integers up to
// the last place of the scaling.
func sameReading(answered, recorded float64) bool {
	if float64(float32(recorded)) == recorded {
		return float32(answered) == float32(recorded)
	}
	return math.Abs(answered-recorded) <= 1e-14*math.Abs(recorded)
}
