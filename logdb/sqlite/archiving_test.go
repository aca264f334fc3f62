package sqlite_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
	"metermanager/logdb/sqlite"
)

const wh = logdb.ChannelKey("energy.interval.wh.received")

// mixed makes n rows: voltages, whose gaps are absent, interval energies, and doubles that are not decimal.
func mixed(rnd *rand.Rand, first logdb.Millis, step logdb.Millis, n int) logdb.History {
	h := load(rnd, []logdb.ChannelKey{volts, wh, "readings.frequency"}, first, step, n)
	for i := range n {
		h.Columns[1][i] = float64(rnd.IntN(5000)) / 10
		h.Columns[2][i] = math.Sqrt(2 + rnd.Float64())
		if rnd.IntN(50) == 0 {
			h.Columns[0][i] = math.NaN()
		}
	}
	return h
}

func archiveAll(t testing.TB, s *sqlite.Store, uid logdb.MeterUID, before logdb.Millis) logdb.Moved {
	t.Helper()
	moved, err := s.Archive(ctx, uid, before)
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// answers is all that a query can see of a meter, bit for bit, part by part.
func answers(t testing.TB, s *sqlite.Store, uid logdb.MeterUID, edges [][]logdb.Millis) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, err := s.Series(ctx, uid)
	if err != nil {
		t.Fatal(err)
	}
	var ids []logdb.SeriesID
	names := map[logdb.SeriesID]string{}
	for _, x := range list {
		ids = append(ids, x.ID)
		names[x.ID] = fmt.Sprintf("%s log %d of %s", x.Channel, x.Log, x.Stream)
	}
	out["series"] = fmt.Sprint(list)
	for k, e := range edges {
		var raw, buckets strings.Builder
		err := s.ReadSeries(ctx, ids, e[0], e[len(e)-1], func(id logdb.SeriesID, b *logdb.Block) error {
			for i, v := range b.AppendValues(nil) {
				fmt.Fprintf(&raw, "%s %d %d %x\n", names[id], b.Times[i], b.Positions[i], math.Float64bits(v))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.ReadBuckets(ctx, ids, e, func(id logdb.SeriesID, all []logdb.Bucket) error {
			for i, b := range all {
				fmt.Fprintf(&buckets, "%s from %d: %d %x %x %x %x %x %d %d\n", names[id], e[i], b.Count, math.Float64bits(b.Min), math.Float64bits(b.Max),
					math.Float64bits(b.Sum), math.Float64bits(b.First), math.Float64bits(b.Last), b.FirstTime, b.LastTime)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprint("values ", k)], out[fmt.Sprint("buckets ", k)] = raw.String(), buckets.String()
	}
	states, err := s.Streams(ctx, uid, logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range states {
		out["fates "+st.Stream.String()] = fmt.Sprint(st.Fates.Ranges(), st.JournalEnd)
		digests, err := s.Digests(ctx, uid, logdb.KindHistorical, st.Stream)
		if err != nil {
			t.Fatal(err)
		}
		out["digests "+st.Stream.String()] = fmt.Sprint(digests)
		var pages strings.Builder
		for first := logdb.Position(1); ; {
			p, err := s.ReadStream(ctx, uid, logdb.KindHistorical, st.Stream, first, 4000)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Rows)+len(p.Entries)+len(p.Fates) == 0 {
				break
			}
			var all []logdb.Entry
			for _, h := range p.Rows {
				for i := range h.Times {
					all = append(all, h.Entry(i))
				}
			}
			all = append(all, p.Entries...)
			slices.SortFunc(all, func(a, b logdb.Entry) int { return int(a.Position) - int(b.Position) })
			for _, e := range all {
				first = max(first, e.Position+1)
				fmt.Fprintln(&pages, e.Position, e.Op, e.Target, e.Log, e.Time, e.Run, e.Generation, e.ContentDigest())
			}
			for _, f := range p.Fates {
				first = max(first, f.Last+1)
				fmt.Fprintln(&pages, f)
			}
		}
		out["stream "+st.Stream.String()] = pages.String()
	}
	return out
}

func mustBeSame(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for key, w := range want {
		if g := got[key]; g != w {
			n := 0
			for n < len(g) && n < len(w) && g[n] == w[n] {
				n++
			}
			t.Errorf("%s: %s differ at byte %d:\n%.200s\nwant\n%.200s", what, key, n, g[max(0, n-80):], w[max(0, n-80):])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d answers, want %d", what, len(got), len(want))
	}
}

func someEdges(rnd *rand.Rand, first, last logdb.Millis) (out [][]logdb.Millis) {
	for _, step := range []logdb.Millis{7 * minute, 60 * minute, logdb.DayMillis, 31*logdb.DayMillis + minute} {
		e := []logdb.Millis{first - step/3}
		if step < logdb.DayMillis {
			e[0] = first + logdb.Millis(rnd.Int64N(int64(last-first)))
		}
		for len(e) < 200 && e[len(e)-1] < last {
			e = append(e, e[len(e)-1]+step)
		}
		out = append(out, e)
	}
	odd := []logdb.Millis{first}
	for odd[len(odd)-1] < last {
		odd = append(odd, odd[len(odd)-1]+1+logdb.Millis(rnd.Int64N(int64(9*logdb.DayMillis))))
	}
	return append(out, odd)
}

func audited(t testing.TB, s *sqlite.Store, uid logdb.MeterUID) {
	t.Helper()
	states, err := s.Streams(ctx, uid, logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range states {
		a, err := s.Audit(ctx, uid, logdb.KindHistorical, st.Stream)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Findings {
			t.Errorf("found in %s: %+v", st.Stream, f)
		}
	}
}

// TestArchivedAnswersTheSame asks the same before and after each rung of the ladder.
func TestArchivedAnswersTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	defer s.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	const days = 120
	end := day0 + days*logdb.DayMillis
	for d := range days / 10 {
		appendRows(t, s, mixed(rnd, day0+logdb.Millis(d)*10*logdb.DayMillis, 5*minute, 10*288))
	}
	if err := s.Compact(ctx, "m"); err != nil {
		t.Fatal(err)
	}
	edges := someEdges(rnd, day0, end)
	before := answers(t, s, "m", edges)
	audited(t, s, "m")
	cutoff := end - 20*logdb.DayMillis
	moved := archiveAll(t, s, "m", cutoff)
	if moved.Files < 3 || moved.Points < 3*288*60 {
		t.Fatalf("moved %+v", moved)
	}
	if got := ask(t, dir, "SELECT count(*), 0 FROM chunk c JOIN archived a ON a.chunk = c.id JOIN series s ON s.id = c.id >> 24 WHERE s.channel <> 0 AND length(c.data) > 0"); got[0] != "0:0" {
		t.Errorf("%s chunks have their values in the file and in the database", got[0])
	}
	mustBeSame(t, "archived", answers(t, s, "m", edges), before)
	audited(t, s, "m")
	files, err := s.ArchiveFiles(ctx, "m")
	if err != nil || len(files) != moved.Files {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var size, points int64
	for _, f := range files {
		size, points = size+f.Size, points+f.Points
	}
	t.Logf("%d files, %.2f bytes a value", len(files), float64(size)/float64(points))
	if again := archiveAll(t, s, "m", cutoff); again != (logdb.Moved{}) {
		t.Errorf("archived once more: %+v", again)
	}
	for _, tier := range []logdb.Tier{logdb.TierQuarter, logdb.TierHour} {
		if err := s.DropTier(ctx, "m", tier, cutoff); err != nil {
			t.Fatal(err)
		}
		mustBeSame(t, fmt.Sprint("without tier ", tier), answers(t, s, "m", edges), before)
		audited(t, s, "m")
	}
	if got := ask(t, dir, fmt.Sprintf("SELECT (SELECT count(*) FROM quarter WHERE (id & 16777215) + 28 <= %d), (SELECT count(*) FROM roll WHERE (id & 16777215) + 28 <= %d)", cutoff/logdb.DayMillis, cutoff/logdb.DayMillis-40)); got[0] != "0:0" {
		t.Errorf("%s steps of tiers are left", got[0])
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	mustBeSame(t, "opened again", answers(t, s, "m", edges), before)
}

// TestChangesReachTheArchive sends late rows, revises and withdraws to a store with an archive and to one without: they answer the
// same at once, when they are merged, and when they are archived again.
func TestChangesReachTheArchive(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		now := (day0 + 400*logdb.DayMillis).Time()
		dir := t.TempDir()
		open := func(name string) *sqlite.Store {
			folder := filepath.Join(dir, name)
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			s, err := sqlite.Open(ctx, filepath.Join(folder, "logs.db"), sqlite.Config{Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		cold, hot := open("cold"), open("hot")
		both := func(p logdb.Page) {
			a, b := accept(t, cold, p), accept(t, hot, p)
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Fatalf("seed %d: receipts %+v and %+v", seed, a, b)
			}
		}
		h := mixed(rnd, day0, 15*minute, 96*70)
		for i := range h.Times {
			h.Positions = append(h.Positions, logdb.Position(i+1))
		}
		end := logdb.Position(len(h.Times))
		both(logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: 1_000_000})
		archiveAll(t, cold, "m", logdb.MaxTime)
		if err := hot.Compact(ctx, "m"); err != nil {
			t.Fatal(err)
		}
		edges := someEdges(rnd, day0, day0+71*logdb.DayMillis)
		for round := range 3 {
			var entries []logdb.Entry
			for range 1 + rnd.IntN(4) {
				end++
				target := 1 + logdb.Position(rnd.IntN(len(h.Times)))
				e := logdb.Entry{Position: end, Op: logdb.OpRevise, Target: target, Time: h.Times[target-1], Replaces: logdb.Digest{1}, Why: "late",
					Row: &logdb.Row{Channels: []logdb.ChannelKey{volts, wh}, Values: []float64{float64(rnd.IntN(1000)) / 10, float64(rnd.IntN(1000))}}}
				switch rnd.IntN(4) {
				case 0:
					e.Op, e.Row = logdb.OpWithdraw, nil
				case 1:
					e.Time += logdb.Millis(rnd.IntN(40)) * logdb.DayMillis / 7
				}
				entries = append(entries, e)
			}
			late := mixed(rnd, day0+logdb.Millis(rnd.IntN(60))*logdb.DayMillis+3*minute, 13*minute, 5)
			for i := range late.Times {
				late.Positions = append(late.Positions, end+1+logdb.Position(i))
			}
			end += 5
			both(logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{late}, Entries: entries, JournalEnd: 1_000_000})
			what := fmt.Sprintf("seed %d, round %d", seed, round)
			want := answers(t, hot, "m", edges)
			mustBeSame(t, what+", at once", answers(t, cold, "m", edges), want)
			if err := errors.Join(cold.Compact(ctx, "m"), hot.Compact(ctx, "m")); err != nil {
				t.Fatal(err)
			}
			want = answers(t, hot, "m", edges)
			mustBeSame(t, what+", merged", answers(t, cold, "m", edges), want)
			audited(t, cold, "m")
			if round > 0 && seed%2 == 0 {
				continue
			}
			if moved := archiveAll(t, cold, "m", logdb.MaxTime); moved.Files == 0 {
				t.Errorf("%s: nothing was archived again", what)
			}
			mustBeSame(t, what+", archived again", answers(t, cold, "m", edges), want)
			audited(t, cold, "m")
		}
		names, err := cold.ArchiveFolder().List()
		if err != nil {
			t.Fatal(err)
		}
		archiveAll(t, cold, "m", logdb.MaxTime)
		now = now.Add(31 * 24 * time.Hour)
		if faults, err := cold.SweepArchive(ctx); err != nil || len(faults) > 0 {
			t.Fatalf("swept with %v, %v", faults, err)
		}
		left, err := cold.ArchiveFolder().List()
		if err != nil {
			t.Fatal(err)
		}
		files, err := cold.ArchiveFiles(ctx, "m")
		if err != nil || len(left) != len(files) || len(left) >= len(names) {
			t.Errorf("seed %d: %d files before, %d after the sweep, %d in use (%v)", seed, len(names), len(left), len(files), err)
		}
		mustBeSame(t, "swept", answers(t, cold, "m", edges), answers(t, hot, "m", edges))
	}
}

// archived is a store with 60 days of a meter in its archive.
func archived(t testing.TB) (s *sqlite.Store, dir string, files []logdb.ArchiveFile) {
	t.Helper()
	dir = t.TempDir()
	s = openStore(t, dir)
	t.Cleanup(func() { _ = s.Close() })
	appendRows(t, s, mixed(rand.New(rand.NewPCG(3, 4)), day0, 15*minute, 96*60))
	archiveAll(t, s, "m", logdb.MaxTime)
	files, err := s.ArchiveFiles(ctx, "m")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return s, dir, files
}

// TestTamperedArchive changes a file by hand: nothing answers from it any more as if it were whole, and the audit names what is missing.
func TestTamperedArchive(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func([]byte) []byte{
		"a byte":  func(b []byte) []byte { b[len(b)/4] ^= 1; return b },
		"the end": func(b []byte) []byte { return b[:len(b)-10] },
		"all":     func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir, files := archived(t)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "archive", filepath.FromSlash(files[0].Name))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if data = change(data); data == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			s = openStore(t, dir)
			defer s.Close()
			list, err := s.Series(ctx, "m")
			if err != nil {
				t.Fatal(err)
			}
			failed := 0
			for _, x := range list {
				err := s.ReadSeries(ctx, []logdb.SeriesID{x.ID}, 0, logdb.MaxTime, func(logdb.SeriesID, *logdb.Block) error { return nil })
				if err == nil {
					continue
				}
				failed++
				if !errors.Is(err, chunk.ErrDamaged) || !strings.Contains(err.Error(), files[0].Name) || !strings.Contains(err.Error(), "meter m, "+files[0].Month) {
					t.Errorf("%s: %v", x.Channel, err)
				}
			}
			if failed == 0 {
				t.Error("all values are answered")
			}
			states, err := s.Streams(ctx, "m", logdb.KindHistorical)
			if err != nil {
				t.Fatal(err)
			}
			a, err := s.Audit(ctx, "m", logdb.KindHistorical, states[0].Stream)
			if err != nil {
				t.Fatal(err)
			}
			missing := 0
			for _, f := range a.Findings {
				if f.Fault == logdb.FaultMissing && f.Place == logdb.PlaceValue {
					missing++
				}
			}
			if missing < 28 {
				t.Errorf("%d days are named of which values are missing", missing)
			}
			for _, d := range a.Days {
				if !d.Full {
					t.Fatalf("%s %s is said to have been let go", d.Channel, d.Day)
				}
			}
			if faults := sweepAll(t, s); len(faults) != 1 || faults[0].File.Name != files[0].Name {
				t.Errorf("the sweep found %v", faults)
			}
		})
	}
}

// sweepAll sweeps until each file was read from end to end.
func sweepAll(t testing.TB, s *sqlite.Store) (out []logdb.ArchiveFault) {
	t.Helper()
	for range 31 {
		faults, err := s.SweepArchive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(faults) > len(out) {
			out = faults
		}
	}
	return out
}

// TestArchiveCutShort has the power go after each step of archiving, of the files and of the database: nothing is lost, nothing is
// there twice, and the next call ends the work.
func TestArchiveCutShort(t *testing.T) {
	t.Parallel()
	d := newDisk(t, 1)
	files := newCrashFiles()
	machine := &machineDisk{Disk: d, files: files}
	open := func() *sqlite.Store {
		s, err := sqlite.Open(ctx, simulated, sqlite.Config{VFS: d.VFS(), Archive: files, CacheBytes: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	rnd := rand.New(rand.NewPCG(5, 6))
	h := mixed(rnd, day0, 60*minute, 24*62)
	appendRows(t, s, h)
	if err := s.Compact(ctx, "m"); err != nil {
		t.Fatal(err)
	}
	edges := someEdges(rnd, day0, day0+63*logdb.DayMillis)
	crashes, finished := 0, 0
	for n := 0; finished < 2; n++ {
		want := answers(t, s, "m", edges)
		ofFiles := n%2 == 0
		if ofFiles {
			files.last = n / 2
			var once sync.Once
			dead := false
			files.gone = func() { once.Do(func() { dead = true }) }
			files.off = func() bool { return dead }
		} else {
			machine.CrashAfter(int64(1 + n/2))
		}
		_, err := s.Archive(ctx, "m", logdb.MaxTime)
		if err == nil {
			finished++
		} else {
			crashes++
		}
		machine.CrashAfter(0)
		if err := machine.Crash(); err != nil {
			t.Fatal(err)
		}
		_ = s.Close() // its handles are dead
		s = open()
		mustBeSame(t, fmt.Sprint("after step ", n), answers(t, s, "m", edges), want)
		audited(t, s, "m")
		if t.Failed() {
			return
		}
		if _, err := s.Archive(ctx, "m", logdb.MaxTime); err != nil {
			t.Fatalf("after step %d: %v", n, err)
		}
		mustBeSame(t, fmt.Sprint("gone on with after step ", n), answers(t, s, "m", edges), want)
		if t.Failed() {
			return
		}
		// Something late, so that there is work again in every file.
		late := mixed(rnd, day0+logdb.Millis(rnd.IntN(50))*logdb.DayMillis, 17*logdb.DayMillis, 2)
		appendRows(t, s, late)
		// Merged first: sums of doubles may be other bits while some of them wait.
		if err := s.Compact(ctx, "m"); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Close() // its handles may be dead
	t.Logf("the power went %d times", crashes)
	if crashes < 40 {
		t.Errorf("the power went %d times only", crashes)
	}
}

// TestRestoredBeforeArchive puts a copy of the database from before the archive run back: files that it does not know are left
// alone, and their names are not used again.
func TestRestoredBeforeArchive(t *testing.T) {
	t.Parallel()
	dir, old := t.TempDir(), t.TempDir()
	s := openStore(t, dir)
	appendRows(t, s, mixed(rand.New(rand.NewPCG(3, 4)), day0, 15*minute, 96*60))
	if err := errors.Join(s.Compact(ctx, "m"), s.Close()); err != nil {
		t.Fatal(err)
	}
	copyFiles(t, dir, old)
	s = openStore(t, dir)
	want := answers(t, s, "m", someEdges(rand.New(rand.NewPCG(1, 1)), day0, day0+61*logdb.DayMillis))
	archiveAll(t, s, "m", logdb.MaxTime)
	names, err := s.ArchiveFolder().List()
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "archive", filepath.FromSlash(names[0])))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"logs.db", "logs.db-wal", "logs.db-shm"} {
		_ = os.Remove(filepath.Join(dir, name)) // not all are there
	}
	copyFiles(t, old, dir)
	s = openStore(t, dir)
	defer s.Close()
	archiveAll(t, s, "m", logdb.MaxTime)
	sweepAll(t, s)
	mustBeSame(t, "restored", answers(t, s, "m", someEdges(rand.New(rand.NewPCG(1, 1)), day0, day0+61*logdb.DayMillis)), want)
	after, err := os.ReadFile(filepath.Join(dir, "archive", filepath.FromSlash(names[0])))
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("a file that the database does not know was changed: %v", err)
	}
	left, err := s.ArchiveFolder().List()
	if err != nil || len(left) != 2*len(names) {
		t.Errorf("%d files, want %d: %v", len(left), 2*len(names), err)
	}
	for _, name := range left {
		if archive.IsTemporary(name) {
			t.Errorf("%s is left", name)
		}
	}
	if text, err := json.Marshal(left); err != nil || !strings.Contains(string(text), "_2.parquet") {
		t.Errorf("names %s, %v", text, err)
	}
}

// TestZoneChangesAboveTheArchive gives a meter another zone, so that its hour tier has other steps, while its values are in the archive.
func TestZoneChangesAboveTheArchive(t *testing.T) {
	t.Parallel()
	s, _, _ := archived(t)
	rnd := rand.New(rand.NewPCG(8, 8))
	edges := someEdges(rnd, day0, day0+61*logdb.DayMillis)[:4]
	// Only decimal values: sums of doubles are made in other parts by other steps.
	ask := func() map[string]string {
		out := answers(t, s, "m", edges)
		for key, text := range out {
			lines := strings.Split(text, "\n")
			out[key] = strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "readings.frequency") }), "\n")
		}
		return out
	}
	want := ask()
	for _, zone := range []string{"Asia/Kathmandu", "Asia/Kolkata", "Europe/Berlin"} {
		if err := s.PutSettings(ctx, "m", logdb.Settings{UID: "m", Zone: zone}); err != nil {
			t.Fatal(err)
		}
		mustBeSame(t, zone, ask(), want)
		if err := s.Compact(ctx, "m"); err != nil {
			t.Fatal(err)
		}
		mustBeSame(t, zone+", made anew", ask(), want)
		audited(t, s, "m")
	}
}

// TestArchivedUnderAnotherZone moves values into the archive while their meter has a zone that needs shorter steps, which is set back
// before the hour tier was made anew: the 15-minute tier must be there all the same.
func TestArchivedUnderAnotherZone(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "logs.db"), sqlite.Config{Archive: newCrashFiles()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	zone := func(name string) {
		t.Helper()
		if err := s.PutSettings(ctx, "m", logdb.Settings{UID: "m", Zone: name}); err != nil {
			t.Fatal(err)
		}
	}
	zone("America/New_York")
	h := mixed(rand.New(rand.NewPCG(4, 4)), day0, 15*minute, 96)
	if _, err := s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(ctx, "m"); err != nil {
		t.Fatal(err)
	}
	zone("Asia/Kathmandu")
	if moved := archiveAll(t, s, "m", logdb.MaxTime); moved.Files == 0 {
		t.Fatalf("moved %+v", moved)
	}
	zone("America/New_York")
	audited(t, s, "m")
	if err := s.Compact(ctx, "m"); err != nil {
		t.Fatal(err)
	}
	audited(t, s, "m")
}

// TestBadDiskDropsNothing has the disk give back other bytes than were written: nothing leaves the database.
func TestBadDiskDropsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := newCrashFiles()
	s, err := sqlite.Open(ctx, filepath.Join(dir, "logs.db"), sqlite.Config{Archive: files})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	appendRows(t, s, mixed(rand.New(rand.NewPCG(3, 4)), day0, 15*minute, 96*60))
	for i := range logdb.Millis(4) {
		if _, err := s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindWaveform, Entries: []logdb.Entry{recording(day0+i*9*logdb.DayMillis, 100)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Compact(ctx, "m"); err != nil {
		t.Fatal(err)
	}
	want := recordings(t, s)
	edges := someEdges(rand.New(rand.NewPCG(1, 1)), day0, day0+61*logdb.DayMillis)
	before := answers(t, s, "m", edges)
	for _, at := range []float64{0.01, 0.3, 0.6, 0.99} {
		files.spoil = func(b []byte) { b[int(at*float64(len(b)))] ^= 8 }
		if _, err := s.Archive(ctx, "m", logdb.MaxTime); !errors.Is(err, chunk.ErrDamaged) {
			t.Errorf("a byte at %v changed: %v", at, err)
		}
		if _, err := s.ArchiveRecordings(ctx, "m", logdb.MaxTime); !errors.Is(err, chunk.ErrDamaged) {
			t.Errorf("a byte at %v of recordings changed: %v", at, err)
		}
	}
	if got := ask(t, dir, "SELECT (SELECT count(*) FROM archived) + (SELECT count(*) FROM cold), (SELECT count(*) FROM chunk WHERE length(data) = 0) + (SELECT count(*) FROM archive)"); got[0] != "0:0" {
		t.Errorf("left: %s", got[0])
	}
	if names, err := files.List(); err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
	mustBeSame(t, "nothing moved", answers(t, s, "m", edges), before)
	files.spoil = nil
	archiveAll(t, s, "m", logdb.MaxTime)
	if moved, err := s.ArchiveRecordings(ctx, "m", logdb.MaxTime); err != nil || moved.Files == 0 {
		t.Errorf("moved %+v, %v", moved, err)
	}
	mustBeSame(t, "moved", answers(t, s, "m", edges), before)
	if got := recordings(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("recordings are others")
	}
}
