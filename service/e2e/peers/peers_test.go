//go:build unix

package peers_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"metermanager/logdb/sqlite"
)

// number reads a bound of the run from the environment.
func number(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil || n <= 0 {
		t.Fatalf("%s=%q, want a number above 0", name, os.Getenv(name))
	}
	return n
}

// contender is a database with what was measured of it.
type contender struct {
	name    string
	peer    peer
	ingest  float64 // points a second
	bytes   float64 // a point
	seconds map[string]float64
}

// goal is a line of the table of goals: how much better than a peer.
type goal struct {
	what, peer    string
	goal, stretch float64
	ratio         func(ours, theirs *contender) float64
}

const (
	nameOurs, nameInflux, nameVictoria, nameWide = "Meter Manager", "InfluxDB", "VictoriaMetrics", "PostgreSQL wide"
	rounds                                       = 5
	quickRounds                                  = 51 // of questions below quick: of five such times the middle one is chance
	quick                                        = 20 * time.Millisecond
)

// median asks several times and returns the middle of the times, after one that only warms up.
func median(do func()) float64 {
	begin, rounds := time.Now(), rounds
	if do(); time.Since(begin) < quick {
		rounds = quickRounds
	}
	var all []float64
	for range rounds {
		begin := time.Now()
		do()
		all = append(all, time.Since(begin).Seconds())
	}
	slices.Sort(all)
	return all[rounds/2]
}

func questions(days int) []question {
	hours := max(1, days*24/1000)
	return []question{
		{name: "a: 1 channel, 1 day", channels: 1, days: 1, first: days / 2},
		{name: "b, e: 8 channels, all days, JSON", channels: 8, days: days},
		{name: "c: 32 channels to about 1,000 buckets", channels: channelCount, days: days, step: strconv.Itoa(60 * hours)},
		{name: "c exact: buckets across hours", channels: channelCount, days: days, step: strconv.Itoa(60*hours + 1)},
		{name: "d: last time of each channel", channels: channelCount, days: days, last: true},
	}
}

// TestPeers measures all that are installed, one after the other, each with the same data, and says which goals are met.
func TestPeers(t *testing.T) {
	if os.Getenv("PEERS_METERS") == "" {
		t.Skip("make bench runs this; PEERS_METERS and PEERS_DAYS set the size")
	}
	meters, days := number(t, "PEERS_METERS"), number(t, "PEERS_DAYS")
	var pages []*page
	for m := range meters {
		must(t, makePages(m, days, func(p *page) error { pages = append(pages, p); return nil }))
	}
	points := float64(len(pages)) * rowsOfPage * channelCount
	load := func() string { b, _ := os.ReadFile("/proc/loadavg"); return strings.TrimSpace(string(b)) }
	t.Logf("%d meters, %d days, %d channels at 1 minute: %.1f million points; load of the machine before: %s", meters, days, channelCount, points/1e6, load())
	ours := startManager(t, meters)
	all := []*contender{{name: nameOurs, peer: ours}}
	for name, start := range map[string]func(*testing.T) peer{nameInflux: startInflux, nameVictoria: startVictoria, nameWide: startWide} {
		if p := start(t); p != nil {
			all = append(all, &contender{name: name, peer: p})
		} else {
			t.Logf("%s is not installed: it is left out", name)
		}
	}
	slices.SortFunc(all[1:], func(a, b *contender) int { return strings.Compare(a.name, b.name) })
	for _, c := range all {
		c.ingest = points / c.peer.ingest(t, pages).Seconds()
	}
	pages = nil
	for _, c := range all {
		c.bytes = float64(c.peer.settle(t)) / points
		c.seconds = map[string]float64{}
		c.peer.holds(t, question{channels: channelCount, days: days})
	}
	// Each question goes to all in turn, so that what else the machine does hits them alike.
	for _, q := range questions(days) {
		for _, c := range all {
			c.seconds[q.name] = median(func() { c.peer.ask(t, q) })
		}
	}
	inside := map[string]float64{}
	ours.inside(t, func(s *sqlite.Store) {
		for _, q := range questions(days) {
			inside[q.name] = median(func() { readStore(t, s, ours.uids[0], q) })
		}
	})
	t.Log("\n" + table(all, inside, questions(days)) + "\nload of the machine after: " + load())
	t.Log("\n" + goalTable(all, inside))
}

func table(all []*contender, inside map[string]float64, qs []question) string {
	var b strings.Builder
	row := func(what string, cell func(c *contender) string, last string) {
		fmt.Fprintf(&b, "| %s |", what)
		for _, c := range all {
			fmt.Fprintf(&b, " %s |", cell(c))
		}
		fmt.Fprintf(&b, " %s |\n", last)
	}
	row("", func(c *contender) string { return c.name }, "our package, no HTTP")
	row("---", func(*contender) string { return "---" }, "---")
	row("ingest, million points/s", func(c *contender) string { return fmt.Sprintf("%.2f", c.ingest/1e6) }, "")
	row("bytes/point", func(c *contender) string { return fmt.Sprintf("%.2f", c.bytes) }, "")
	for _, q := range qs {
		row(q.name+", ms", func(c *contender) string { return fmt.Sprintf("%.2f", 1000*c.seconds[q.name]) }, fmt.Sprintf("%.2f", 1000*inside[q.name]))
	}
	return b.String()
}

// goals are the last table of the design of the storage, without what it asks of chunks in PostgreSQL.
func goals(inside map[string]float64) []goal {
	faster := func(q string) func(o, p *contender) float64 {
		return func(o, p *contender) float64 { return p.seconds[q] / o.seconds[q] }
	}
	ingest := func(o, p *contender) float64 { return o.ingest / p.ingest }
	smaller := func(o, p *contender) float64 { return p.bytes / o.bytes }
	qs := questions(1)
	a, b, c, exact, d := qs[0].name, qs[1].name, qs[2].name, qs[3].name, qs[4].name
	return []goal{
		{"ingest", nameInflux, 3, 5, ingest}, {"ingest", nameVictoria, 3, 5, ingest}, {"ingest", nameWide, 1, 2, ingest},
		{"bytes/point, how much smaller", nameVictoria, 1 / 1.3, 1 / 1.1, smaller}, {"bytes/point, how much smaller", nameInflux, 1 / 0.3, 0, smaller}, {"bytes/point, how much smaller", nameWide, 1 / 0.1, 0, smaller},
		{a, nameVictoria, 0.8, 1.2, faster(a)}, {a, nameInflux, 2, 3, faster(a)},
		{b, nameInflux, 8, 14, faster(b)}, {b, nameVictoria, 1.7, 3, faster(b)}, {b, nameWide, 2, 4, faster(b)},
		{c, nameInflux, 100, 300, faster(c)}, {c, nameVictoria, 5, 10, faster(c)}, {c, nameWide, 15, 40, faster(c)},
		{exact, nameVictoria, 1.5, 2.5, faster(exact)}, {exact, nameWide, 6, 15, faster(exact)},
		{d, nameVictoria, 30, 0, faster(d)}, {d, nameWide, 1, 0, faster(d)},
		{"raw read without JSON (package)", nameWide, 10, 25, func(_, p *contender) float64 { return p.seconds[b] / inside[b] }},
	}
}

func goalTable(all []*contender, inside map[string]float64) string {
	var out strings.Builder
	out.WriteString("| what | against | times better | goal | stretch | |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, g := range goals(inside) {
		i := slices.IndexFunc(all, func(c *contender) bool { return c.name == g.peer })
		if i < 0 {
			fmt.Fprintf(&out, "| %s | %s | not installed | %.3g | | not measured |\n", g.what, g.peer, g.goal)
			continue
		}
		r := g.ratio(all[0], all[i])
		verdict := fmt.Sprintf("met, %.2f times the goal", r/g.goal)
		if r < g.goal {
			verdict = fmt.Sprintf("**missed**, %.0f %% of the goal", 100*r/g.goal)
		}
		stretch := ""
		if g.stretch > 0 {
			stretch = fmt.Sprintf("%.3g", g.stretch)
			if r >= g.stretch {
				verdict = fmt.Sprintf("met, and %.2f times the stretch", r/g.stretch)
			}
		}
		fmt.Fprintf(&out, "| %s | %s | %.2f | %.3g | %s | %s |\n", g.what, g.peer, r, g.goal, stretch, verdict)
	}
	return out.String()
}
