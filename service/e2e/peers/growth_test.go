//go:build unix

package peers_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/service/config"
)

// The data of the growth: enough to see what grows, few enough to be made in minutes.
const (
	growthChannels = 8
	growthStep     = 15 * minute
	growthMonth    = 30                              // days
	growthEvents   = 4                               // PQ events of a meter and day
	growthStart    = logdb.Millis(1_733_011_200_000) // 2024-12-01
	growthRounds   = 9
)

// TestGrowth asks the same of a cloud with 1, 10 and 100 meters and 1, 6 and 24 months of each, over HTTP.
func TestGrowth(t *testing.T) {
	if os.Getenv("GROWTH_METERS") == "" {
		t.Skip("make bench runs this; GROWTH_METERS and GROWTH_MONTHS set the sizes")
	}
	meters, months := numbers(t, "GROWTH_METERS"), numbers(t, "GROWTH_MONTHS")
	load := func() string { b, _ := os.ReadFile("/proc/loadavg"); return strings.TrimSpace(string(b)) }
	t.Logf("%d channels at 15 minutes, %d PQ events a day; load of the machine before: %s", growthChannels, growthEvents, load())
	var heads, names []string
	cells := map[string][]string{}
	note := func(name, cell string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		cells[name] = append(cells[name], cell)
	}
	for _, n := range meters {
		m := startManager(t, n+1) // one more, which only takes in
		taker := m.uids[n]
		m.uids = m.uids[:n]
		filled, days := 0, 0
		for _, to := range months {
			heads = append(heads, fmt.Sprintf("%d x %d", n, to))
			m.inside(t, func(s *sqlite.Store) { grow(t, s, m.uids, filled*growthMonth, to*growthMonth) })
			filled = to
			m.stop()
			size := folderBytes(filepath.Dir(config.LogsFile(m.data))) - folderBytes(filepath.Join(m.data, "log"))
			m.start(t)
			points := float64(n) * float64(to*growthMonth) * float64(logdb.DayMillis/growthStep) * growthChannels
			note("million values", fmt.Sprintf("%.2f", points/1e6))
			note("data folder, MB", fmt.Sprintf("%.1f", float64(size)/1e6))
			for _, q := range growthQuestions(m.uids[n/2], to*growthMonth) {
				note(q.name+", ms", fmt.Sprintf("%.2f", 1000*best(func() { fetch(t, "GET", m.url+q.path, key, nil) })))
			}
			note("h: a day of one more meter taken in, ms", fmt.Sprintf("%.2f", 1000*best(func() {
				fetch(t, "POST", m.url+"/api/v1/meters/"+string(taker)+"/logs/historical", key, growthDay(taker, days))
				days++
			})))
		}
		m.stop()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| meters x months | %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat(" --- |", len(heads)+1))
	for _, name := range names {
		fmt.Fprintf(&b, "| %s | %s |\n", name, strings.Join(cells[name], " | "))
	}
	t.Log("\n" + b.String() + "\nload of the machine after: " + load())
}

func numbers(t *testing.T, name string) (out []int) {
	t.Helper()
	for _, word := range strings.Split(os.Getenv(name), ",") {
		n := 0
		if _, err := fmt.Sscan(word, &n); err != nil || n < 1 || len(out) > 0 && n <= out[len(out)-1] {
			t.Fatalf("%s=%q, want numbers above 0 that grow, joined by commas", name, os.Getenv(name))
		}
		out = append(out, n)
	}
	return out
}

// best is the least of several times, after one that only warms up: what else the machine does only adds to it.
func best(do func()) float64 {
	do()
	least := time.Hour
	for range growthRounds {
		begin := time.Now()
		do()
		least = min(least, time.Since(begin))
	}
	return least.Seconds()
}

// grow adds the days from first to before last of all meters, and merges them.
func grow(t *testing.T, s *sqlite.Store, uids []logdb.MeterUID, first, last int) {
	t.Helper()
	const perDay = int(logdb.DayMillis / growthStep)
	for k, uid := range uids {
		rnd := rand.New(rand.NewPCG(uint64(k), uint64(first)))
		h := logdb.History{Channels: channels()[:growthChannels], Columns: make([][]float64, growthChannels)}
		var events []logdb.Entry
		for i := first * perDay; i < last*perDay; i++ {
			at := growthStart + logdb.Millis(i)*growthStep
			h.Times, h.Positions = append(h.Times, at), append(h.Positions, logdb.Position(i+1))
			for c := range h.Columns {
				h.Columns[c] = append(h.Columns[c], float64(1200+rnd.IntN(200))/scaleOf(c))
			}
			if n := len(events); i%(perDay/growthEvents) == 0 {
				events = append(events, logdb.Entry{Position: logdb.Position(first*growthEvents + n + 1), Op: logdb.OpAdd, Time: at, Excursion: &logdb.Excursion{
					DurationSeconds: rnd.Float64(), Channel: "readings.voltage.an", Worst: 80, WorstPercent: 66, Threshold: 108,
				}})
			}
		}
		stream := logdb.StreamID{Journal: logdb.JournalID(fmt.Sprintf("%032x", k+1)), Policy: "1"}
		for _, p := range []logdb.Page{
			{Meter: uid, Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: logdb.Position(last * perDay)},
			{Meter: uid, Kind: logdb.KindPQ, Stream: stream, Entries: events, JournalEnd: logdb.Position(last * growthEvents)},
		} {
			r, err := s.Accept(t.Context(), p, logdb.Limits{})
			must(t, err)
			if r.Stored != len(h.Times) && r.Stored != len(events) {
				t.Fatalf("%s of %s: %+v", p.Kind, uid, r)
			}
		}
		must(t, s.Compact(t.Context(), uid))
	}
}

type growthQuestion struct{ name, path string }

// growthQuestions are about the same meter, its last day or month, or all that there is.
func growthQuestions(uid logdb.MeterUID, days int) []growthQuestion {
	day := func(n int) string { return fmt.Sprint(int64(growthStart + logdb.Millis(n)*logdb.DayMillis)) }
	at := "/api/v1/meters/" + string(uid)
	log := at + "/logs/historical?to=" + day(days) + "&from="
	return []growthQuestion{
		{"a: 1 channel, last day", log + day(days-1) + "&channels=" + string(channels()[0])},
		{"b: 8 channels, last month, every value", log + day(days-growthMonth)},
		{"c: 8 channels, last month, by hours", log + day(days-growthMonth) + "&interval=1h"},
		{"c all: 8 channels, all months, by days", log + day(0) + "&interval=1d"},
		{"c exact: 8 channels, all months, by 25 minutes and an hour", log + day(0) + "&interval=85m"},
		{"d: channels of the meter, with last times", at + "/channels"},
		{"e: PQ events of the last month", at + "/logs/pq?to=" + day(days) + "&from=" + day(days-growthMonth)},
		{"f: newest value of 1 channel of all meters", "/api/v1/latest?channels=" + string(channels()[0])},
		{"g: list of meters", "/api/v1/meters"},
	}
}

// growthDay is one day more of the meter that takes in.
func growthDay(uid logdb.MeterUID, day int) []byte {
	const perDay = int(logdb.DayMillis / growthStep)
	h := logdb.History{Channels: channels()[:growthChannels], Columns: make([][]float64, growthChannels)}
	for i := day * perDay; i < (day+1)*perDay; i++ {
		h.Times, h.Positions = append(h.Times, growthStart+logdb.Millis(i)*growthStep), append(h.Positions, logdb.Position(i+1))
		for c := range h.Columns {
			h.Columns[c] = append(h.Columns[c], float64(i%100+c))
		}
	}
	return api.AppendPage(nil, &logdb.Page{
		Meter: uid, Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: "ffffffffffffffffffffffffffffffff", Policy: "1"}, Rows: []logdb.History{h}, JournalEnd: logdb.Position((day + 1) * perDay),
	}, api.DialectJSON)
}
