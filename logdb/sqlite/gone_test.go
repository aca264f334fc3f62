package sqlite_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
)

const goneDays = 70

// letGo is a store of which the values of the first month are gone, and what its hours were before.
func letGo(t *testing.T) (s *sqlite.Store, h logdb.History, hours []logdb.Millis, before map[string]string, gone logdb.Millis) {
	t.Helper()
	dir := t.TempDir()
	s = openStore(t, dir)
	t.Cleanup(func() { _ = s.Close() })
	h = mixed(rand.New(rand.NewPCG(7, 7)), day0, 15*minute, 96*goneDays)
	for i := range h.Times {
		h.Positions = append(h.Positions, logdb.Position(i+1))
	}
	accept(t, s, logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: 1_000_000})
	archiveAll(t, s, "m", logdb.MaxTime)
	for at := day0 - 5*logdb.DayMillis; at < day0+(goneDays+1)*logdb.DayMillis; at += 60 * minute {
		hours = append(hours, at)
	}
	before = answers(t, s, "m", [][]logdb.Millis{hours})
	dropped, err := s.DropArchive(ctx, "m", logdb.KindHistorical, day0+45*logdb.DayMillis)
	if err != nil || dropped.Files == 0 {
		t.Fatalf("dropped %+v, %v", dropped, err)
	}
	var from, to int64
	if _, err := fmt.Sscanf(ask(t, dir, "SELECT min(day), max(day) FROM gone")[0], "%d:%d", &from, &to); err != nil {
		t.Fatal(err)
	}
	return s, h, hours, before, logdb.Millis(to+28) * logdb.DayMillis
}

func sumOf(t testing.TB, s *sqlite.Store, key logdb.ChannelKey, edges ...logdb.Millis) (sum float64, n int64) {
	t.Helper()
	list, err := s.Series(ctx, "m")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if x.Channel != key {
			continue
		}
		err := s.ReadBuckets(ctx, []logdb.SeriesID{x.ID}, edges, func(_ logdb.SeriesID, all []logdb.Bucket) error {
			for _, b := range all {
				if b.Count > 0 {
					sum, n = sum+b.Sum, n+b.Count
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return sum, n
}

// TestForgetBesideGone forgets the rows that are still held of a meter, the older of which were let go: its series end where those did.
func TestForgetBesideGone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		drop  []logdb.Tier
		value bool // the newest is known
	}{
		"15 minutes":  {nil, true},
		"hours alone": {[]logdb.Tier{logdb.TierQuarter}, true},
		"rows alone":  {[]logdb.Tier{logdb.TierQuarter, logdb.TierHour}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, h, _, _, end := letGo(t)
			for _, tier := range tt.drop {
				if err := s.DropTier(ctx, "m", tier, logdb.MaxTime); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := s.Forget(ctx, "m", logdb.KindHistorical, stream, 0, logdb.MaxTime); err != nil || n == 0 {
				t.Fatalf("forgot %d rows, %v", n, err)
			}
			last := 0
			for h.Times[last] < end { // the row at the edge stays: it has values of what is gone
				last++
			}
			list, err := s.Series(ctx, "m")
			if err != nil || len(list) != len(h.Channels) {
				t.Fatalf("%d series, %v", len(list), err)
			}
			for _, x := range list {
				i, c := last, slices.Index(h.Channels, x.Channel)
				for tt.value && math.IsNaN(h.Columns[c][i]) {
					i--
				}
				if tt.value && (x.Last != h.Times[i] || x.LastValue != h.Columns[c][i]) || x.First < h.Times[0] || x.First >= h.Times[3] || x.Last < h.Times[last-3] || x.Last > end {
					t.Errorf("%s is from %s to %s, %v, want to %s, %v", x.Channel, x.First, x.Last, x.LastValue, h.Times[i], h.Columns[c][i])
				}
			}
			audited(t, s, "m")
		})
	}
}

// TestGone lets an archive file go: the tiers answer for its hours, raw values are not there, and nothing comes back by itself.
func TestGone(t *testing.T) {
	t.Parallel()
	s, h, hours, before, end := letGo(t)
	after := answers(t, s, "m", [][]logdb.Millis{hours})
	if after["buckets 0"] != before["buckets 0"] {
		mustBeSame(t, "hours", map[string]string{"b": after["buckets 0"]}, map[string]string{"b": before["buckets 0"]})
	}
	if after["values 0"] == before["values 0"] {
		t.Error("all values are still there")
	}
	audited(t, s, "m")
	for range 2 { // it is done with
		if moved := archiveAll(t, s, "m", logdb.MaxTime); moved != (logdb.Moved{}) {
			t.Errorf("archived again: %+v", moved)
		}
		if dropped, err := s.DropArchive(ctx, "m", logdb.KindHistorical, day0+45*logdb.DayMillis); err != nil || dropped != (logdb.Moved{}) {
			t.Errorf("dropped again: %+v, %v", dropped, err)
		}
	}
	days := 0
	digests, err := s.Digests(ctx, "m", logdb.KindHistorical, stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range digests {
		if !d.Full {
			days++
		}
		if d.Full != (d.Data == d.Claim) {
			t.Errorf("%s %s: full %v, %d values, claimed %d", d.Channel, d.Day, d.Full, d.Data.Count, d.Claim.Count)
		}
	}
	if days == 0 {
		t.Error("no day was let go")
	}
	if r := accept(t, s, logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: 1_000_000}); r.Stored != 0 || r.Repeats != len(h.Times) {
		t.Errorf("sent again: %+v", r)
	}
	// Cut anywhere, the parts of a gone cell add up to the same.
	rnd := rand.New(rand.NewPCG(1, 3))
	sum, n := sumOf(t, s, wh, hours[0], hours[len(hours)-1])
	for range 20 {
		edges := []logdb.Millis{hours[0]}
		for edges[len(edges)-1] < hours[len(hours)-1] {
			edges = append(edges, min(hours[len(hours)-1], edges[len(edges)-1]+1+logdb.Millis(rnd.Int64N(int64(logdb.DayMillis)))))
		}
		if got, count := sumOf(t, s, wh, edges...); math.Abs(got-sum) > 1e-6 || count != n {
			t.Errorf("cut in %d parts: %v of %d values, want %v of %d", len(edges), got, count, sum, n)
		}
	}
	if p, err := s.ReadStream(ctx, "m", logdb.KindHistorical, stream, 1, 10); err != nil || len(p.Rows) == 0 || p.Rows[0].Times[0] < end {
		t.Errorf("a page %+v, %v", p.Rows, err)
	}
	if _, err := s.Forget(ctx, "m", logdb.KindHistorical, stream, day0, day0+3*logdb.DayMillis); err != nil {
		t.Error(err)
	}
	if got, count := sumOf(t, s, wh, hours[0], hours[len(hours)-1]); got != sum || count != n {
		t.Errorf("after a forget of what is gone: %v of %d values, want %v of %d", got, count, sum, n)
	}
	if r := accept(t, s, logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: 1_000_000}); r.Stored != 0 {
		t.Errorf("sent again after a forget: %+v", r)
	}
	audited(t, s, "m")
	if err := s.Clear(ctx, "m", logdb.KindHistorical); err != nil {
		t.Fatal(err)
	}
	if _, count := sumOf(t, s, wh, hours[0], hours[len(hours)-1]); count != 0 {
		t.Errorf("%d values after a clear", count)
	}
	audited(t, s, "m")
}

// TestLateForGone sends what concerns values that are gone: a late row is added to the tiers, once; a revise and a withdraw stay in the
// history as not applied.
func TestLateForGone(t *testing.T) {
	t.Parallel()
	s, h, _, _, _ := letGo(t)
	at := h.Times[300]
	hour := []logdb.Millis{at.Floor(60*minute) - 60*minute, at.Floor(60 * minute), at.Floor(60*minute) + 60*minute, at.Floor(60*minute) + 120*minute}
	sum, n := sumOf(t, s, wh, hour...)
	send := func(rows []logdb.History, entries ...logdb.Entry) logdb.Receipt {
		return accept(t, s, logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: stream, Rows: rows, Entries: entries, JournalEnd: 1_000_000})
	}
	check := func(what string, wantSum float64, wantN int64) {
		t.Helper()
		if got, count := sumOf(t, s, wh, hour...); got != wantSum || count != wantN {
			t.Errorf("%s: %v of %d values, want %v of %d", what, got, count, wantSum, wantN)
		}
		audited(t, s, "m")
	}
	tidy := func() {
		if err := s.Compact(ctx, "m"); err != nil {
			t.Fatal(err)
		}
		archiveAll(t, s, "m", logdb.MaxTime)
	}
	late := logdb.History{Channels: []logdb.ChannelKey{wh, volts}, Times: []logdb.Millis{at + minute}, Positions: []logdb.Position{900_000}, Columns: [][]float64{{1000.5}, {230}}}
	if r := send([]logdb.History{late}); r.Stored != 1 {
		t.Errorf("late row: %+v", r)
	}
	check("late", sum+1000.5, n+1)
	tidy()
	check("late and merged", sum+1000.5, n+1)
	if r := send([]logdb.History{late}); r.Stored != 0 {
		t.Errorf("late row again: %+v", r)
	}
	revise := logdb.Entry{Position: 900_001, Op: logdb.OpRevise, Target: 301, Time: at, Replaces: logdb.Digest{1}, Row: &logdb.Row{Channels: []logdb.ChannelKey{wh}, Values: []float64{1e6}}}
	withdraw := logdb.Entry{Position: 900_002, Op: logdb.OpWithdraw, Target: 302, Time: at, Replaces: logdb.Digest{1}}
	again := revise
	again.Position = 900_003
	again.Row = &logdb.Row{Channels: []logdb.ChannelKey{wh}, Values: []float64{2e6}}
	ofLate := revise
	ofLate.Position, ofLate.Target = 900_004, 900_000
	if r := send(nil, revise, withdraw, ofLate); r.Revised != 3 {
		t.Errorf("changes: %+v", r)
	}
	check("changed", sum+1000.5, n+1)
	tidy()
	if r := send(nil, again); r.Revised != 1 {
		t.Errorf("a change once more: %+v", r)
	}
	tidy()
	check("changed and merged", sum+1000.5, n+1)
	marks, err := s.NotApplied(ctx, "m", day0, day0+goneDays*logdb.DayMillis)
	if err != nil || len(marks) != 4 || marks[0].Time != at {
		t.Errorf("marks %+v, %v", marks, err)
	}
	// A late row that is changed before it is merged has never been in the tiers.
	next := late
	next.Times, next.Positions = []logdb.Millis{at + 2*minute}, []logdb.Position{900_010}
	change := revise
	change.Position, change.Target, change.Time, change.Row = 900_011, 900_010, at+2*minute, &logdb.Row{Channels: []logdb.ChannelKey{wh}, Values: []float64{7}}
	send([]logdb.History{next})
	send(nil, change)
	check("late and changed", sum+1007.5, n+2)
	tidy()
	check("late, changed and merged", sum+1007.5, n+2)
	// A channel that had nothing there.
	other := next
	other.Channels, other.Columns = []logdb.ChannelKey{"energy.interval.vah"}, [][]float64{{12.5}}
	other.Times, other.Positions = []logdb.Millis{at + 3*minute}, []logdb.Position{900_015}
	send([]logdb.History{other})
	for _, what := range []string{"new channel", "new channel, merged"} {
		if got, c := sumOf(t, s, "energy.interval.vah", hour...); got != 12.5 || c != 1 {
			t.Errorf("%s: %v of %d", what, got, c)
		}
		audited(t, s, "m")
		tidy()
	}
	// A row that is moved there from where values are held.
	moved := revise
	moved.Position, moved.Target, moved.Row = 900_020, logdb.Position(len(h.Times)), &logdb.Row{Channels: []logdb.ChannelKey{wh}, Values: []float64{11}}
	total, count := sumOf(t, s, wh, day0, day0+(goneDays+1)*logdb.DayMillis)
	last := h.Columns[1][len(h.Times)-1]
	send(nil, moved)
	for _, what := range []string{"moved", "moved and merged"} {
		check(what, sum+1018.5, n+3)
		if got, c := sumOf(t, s, wh, day0, day0+(goneDays+1)*logdb.DayMillis); c != count || math.Abs(got-(total-last+11)) > 1e-6 {
			t.Errorf("%s: all sums up to %v of %d, want %v of %d", what, got, c, total-last+11, count)
		}
		tidy()
	}
}

// TestGoneContents posts pages without positions of what is gone: they are repeats.
func TestGoneContents(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	defer s.Close()
	h := mixed(rand.New(rand.NewPCG(7, 7)), day0, 60*minute, 24*60)
	p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Source: "key-1", Rows: []logdb.History{h}}
	if r := accept(t, s, p); r.Stored != len(h.Times) {
		t.Fatalf("receipt %+v", r)
	}
	archiveAll(t, s, "m", logdb.MaxTime)
	if r := accept(t, s, p); r.Stored != 0 || r.Repeats != len(h.Times) {
		t.Errorf("archived: %+v", r)
	}
	if dropped, err := s.DropArchive(ctx, "m", logdb.KindHistorical, logdb.MaxTime); err != nil || dropped.Files < 2 {
		t.Fatalf("dropped %+v, %v", dropped, err)
	}
	if r := accept(t, s, p); r.Stored != 0 || r.Repeats != len(h.Times) {
		t.Errorf("gone: %+v", r)
	}
}
