package sqlite_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
)

// losable is a store in whose archive is a meter, with the hours and its sums as they were, and the path of its first file.
func losable(t *testing.T, p logdb.Page) (s *sqlite.Store, hours []logdb.Millis, before map[string]string, dir string, file logdb.ArchiveFile) {
	t.Helper()
	dir = t.TempDir()
	s = openStore(t, dir)
	accept(t, s, p)
	archiveAll(t, s, "m", logdb.MaxTime)
	for at := day0 - 5*logdb.DayMillis; at < day0+(goneDays+1)*logdb.DayMillis; at += 60 * minute {
		hours = append(hours, at)
	}
	before = answers(t, s, "m", [][]logdb.Millis{hours})
	files, err := s.ArchiveFiles(ctx, "m")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return s, hours, before, dir, files[0]
}

// spoil changes a file by hand, with the store closed meanwhile: nil removes it.
func spoil(t *testing.T, s *sqlite.Store, dir, name string, change func([]byte) []byte) *sqlite.Store {
	t.Helper()
	path := filepath.Join(dir, "archive", filepath.FromSlash(name))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if change == nil {
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, change(data), 0o600)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func sentRows(source string) (logdb.Page, logdb.History) {
	h := mixed(rand.New(rand.NewPCG(7, 7)), day0, 15*minute, 96*goneDays)
	p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Source: source}
	if source == "" {
		for i := range h.Times {
			h.Positions = append(h.Positions, logdb.Position(i+1))
		}
		p.Stream, p.JournalEnd = stream, 1_000_000
	}
	p.Rows = []logdb.History{h}
	return p, h
}

// TestAcceptLoss removes an archive file: until somebody accepts that, it is named as missing; then the sums answer as before, the
// days are said to be lost, and nothing that was there comes a second time.
func TestAcceptLoss(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{"by positions": "", "by contents": "key-1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, h := sentRows(source)
			s, hours, before, dir, file := losable(t, p)
			if _, err := s.AcceptLoss(ctx, file.Name, "ann", "no reason"); !errors.Is(err, logdb.ErrInvalid) {
				t.Errorf("a sound file was given up: %v", err)
			}
			if _, err := s.AcceptLoss(ctx, "m/m_1999-01_1.parquet", "ann", "no reason"); !errors.Is(err, logdb.ErrNotFound) {
				t.Errorf("an unknown file was given up: %v", err)
			}
			s = spoil(t, s, dir, file.Name, nil)
			if faults := sweepAll(t, s); len(faults) != 1 {
				t.Fatalf("before: %v", faults)
			}
			loss, err := s.AcceptLoss(ctx, file.Name, "ann", "disk failed")
			if err != nil || loss.Points != file.Points || loss.First < day0 || loss.Last >= day0+goneDays*logdb.DayMillis || loss.Last <= loss.First || loss.By != "ann" || loss.At == 0 {
				t.Fatalf("lost %+v of %+v, %v", loss, file, err)
			}
			if all, err := s.Losses(ctx, "m"); err != nil || len(all) != 1 || all[0] != loss {
				t.Errorf("listed %+v, %v, want %+v", all, err, loss)
			}
			if all, err := s.Losses(ctx, "other"); err != nil || len(all) != 0 {
				t.Errorf("of another meter: %+v, %v", all, err)
			}
			if faults := sweepAll(t, s); len(faults) != 0 {
				t.Errorf("after: %v", faults)
			}
			audited(t, s, "m")
			after := answers(t, s, "m", [][]logdb.Millis{hours})
			mustBeSame(t, "hours", map[string]string{"b": after["buckets 0"]}, map[string]string{"b": before["buckets 0"]})
			states, err := s.Streams(ctx, "m", logdb.KindHistorical)
			if err != nil {
				t.Fatal(err)
			}
			days, err := s.Digests(ctx, "m", logdb.KindHistorical, states[0].Stream)
			if err != nil {
				t.Fatal(err)
			}
			lost := 0
			for _, d := range days {
				if d.Lost {
					lost++
				}
				if d.Lost == d.Full || d.Full != (d.Data == d.Claim) {
					t.Errorf("%s %s: full %v, lost %v, %d values, claimed %d", d.Channel, d.Day, d.Full, d.Lost, d.Data.Count, d.Claim.Count)
				}
			}
			if lost == 0 {
				t.Error("no day is lost")
			}
			if r := accept(t, s, p); r.Stored != 0 || r.Repeats != len(h.Times) {
				t.Errorf("sent again: %+v", r)
			}
			if moved := archiveAll(t, s, "m", logdb.MaxTime); moved != (logdb.Moved{}) {
				t.Errorf("archived again: %+v", moved)
			}
			if _, err := s.AcceptLoss(ctx, file.Name, "ann", "again"); !errors.Is(err, logdb.ErrNotFound) {
				t.Errorf("given up twice: %v", err)
			}
		})
	}
}

// TestLossWithChangesWaiting loses a file while a correction, a withdrawn row and a late row wait to be merged into it: the late row
// counts, and the others stay in the history as not applied.
func TestLossWithChangesWaiting(t *testing.T) {
	t.Parallel()
	p, h := sentRows("")
	s, hours, _, dir, file := losable(t, p)
	sum, n := sumOf(t, s, wh, hours[0], hours[len(hours)-1])
	end := logdb.Position(len(h.Times))
	late := mixed(rand.New(rand.NewPCG(1, 1)), h.Times[10]+minute, minute, 1)
	late.Positions = []logdb.Position{end + 3}
	accept(t, s, logdb.Page{
		Meter: "m", Kind: logdb.KindHistorical, Stream: stream, JournalEnd: 1_000_000, Rows: []logdb.History{late}, Entries: []logdb.Entry{
			{Position: end + 1, Op: logdb.OpRevise, Target: 5, Time: h.Times[4], Replaces: logdb.Digest{1}, Row: &logdb.Row{Channels: []logdb.ChannelKey{wh}, Values: []float64{7000}}},
			{Position: end + 2, Op: logdb.OpWithdraw, Target: 8, Time: h.Times[7], Replaces: logdb.Digest{1}},
		},
	})
	s = spoil(t, s, dir, file.Name, nil)
	if err := s.Compact(ctx, "m"); err == nil {
		t.Fatal("changes were merged into a file that is not there")
	}
	if _, err := s.AcceptLoss(ctx, file.Name, "ann", "disk failed"); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"at once", "merged"} {
		if got, count := sumOf(t, s, wh, hours[0], hours[len(hours)-1]); count != n+1 || got < sum+late.Columns[1][0]-1e-6 || got > sum+late.Columns[1][0]+1e-6 {
			t.Errorf("%s: %v of %d values, want %v of %d", when, got, count, sum+late.Columns[1][0], n+1)
		}
		if all, err := s.NotApplied(ctx, "m", 0, logdb.MaxTime); err != nil || len(all) != 2 {
			t.Errorf("%s: not applied %+v, %v", when, all, err)
		}
		audited(t, s, "m")
		if err := s.Compact(ctx, "m"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLossOfAPart damages one place of a file: what can still be read comes back, is archived anew, and only the rest is lost.
func TestLossOfAPart(t *testing.T) {
	t.Parallel()
	p, _ := sentRows("")
	s, _, before, dir, file := losable(t, p)
	s = spoil(t, s, dir, file.Name, func(b []byte) []byte { b[len(b)/3] ^= 1; return b })
	loss, err := s.AcceptLoss(ctx, file.Name, "ann", "bad sector")
	if err != nil || loss.Points == 0 || loss.Points >= file.Points {
		t.Fatalf("lost %d of %d values, %v", loss.Points, file.Points, err)
	}
	audited(t, s, "m")
	list, err := s.Series(ctx, "m")
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, x := range list {
		values := int64(0)
		err := s.ReadSeries(ctx, []logdb.SeriesID{x.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			values += int64(b.Len())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if values == x.Count {
			whole++
		}
	}
	if whole == 0 || whole == len(list) {
		t.Errorf("%d of %d channels are whole", whole, len(list))
	}
	if before["values 0"] == "" {
		t.Fatal("nothing was compared")
	}
	if faults := sweepAll(t, s); len(faults) != 0 {
		t.Errorf("after: %v", faults)
	}
}

// TestZoneAfterALoss changes the zone of a meter of which some values were lost: the sums of them are made of nothing else any more, and stay.
func TestZoneAfterALoss(t *testing.T) {
	t.Parallel()
	for name, hoursAlone := range map[string]bool{"15 minutes": false, "hours alone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openStore(t, dir)
			const days = 40
			appendRows(t, s, load(rand.New(rand.NewPCG(7, 7)), []logdb.ChannelKey{volts}, day0, minute, 1440*days)) // several chunks a cell
			archiveAll(t, s, "m", logdb.MaxTime)
			files, err := s.ArchiveFiles(ctx, "m")
			if err != nil || len(files) == 0 {
				t.Fatalf("%d files, %v", len(files), err)
			}
			if hoursAlone {
				if err := s.DropTier(ctx, "m", logdb.TierQuarter, logdb.MaxTime); err != nil {
					t.Fatal(err)
				}
			}
			s = spoil(t, s, dir, files[0].Name, func(b []byte) []byte { b[len(b)/3] ^= 1; return b })
			loss, err := s.AcceptLoss(ctx, files[0].Name, "ann", "bad sector")
			if err != nil || loss.Points == 0 || loss.Points >= files[0].Points {
				t.Fatalf("lost %d of %d values, %v", loss.Points, files[0].Points, err)
			}
			sums := func() (out []float64) {
				for at := day0; at < day0+days*logdb.DayMillis; at += logdb.DayMillis {
					sum, _ := sumOf(t, s, volts, at, at+logdb.DayMillis)
					out = append(out, sum)
				}
				return out
			}
			want := sums()
			for _, zone := range []string{"Asia/Kolkata", "Asia/Kathmandu", "UTC"} {
				if err := s.PutSettings(ctx, "m", logdb.Settings{UID: "m", Zone: zone}); err != nil {
					t.Fatal(err)
				}
				for _, when := range []string{"at once", "made anew"} {
					if got := sums(); !slices.Equal(got, want) {
						t.Errorf("%s, %s: the sums of days are %.1f, want %.1f", zone, when, got, want)
					}
					if err := s.Compact(ctx, "m"); err != nil {
						t.Fatal(err)
					}
				}
				audited(t, s, "m")
			}
		})
	}
}

// TestLossOfSamples damages and removes files of recordings: the recordings stay, without the samples that cannot be read.
func TestLossOfSamples(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	for i := range logdb.Millis(9) {
		if _, err := s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindWaveform, Entries: []logdb.Entry{recording(day0+i*8*logdb.DayMillis, 600)}}); err != nil {
			t.Fatal(err)
		}
	}
	want := recordings(t, s)
	cutoff := day0 + 60*logdb.DayMillis
	if _, err := s.ArchiveRecordings(ctx, "m", cutoff); err != nil {
		t.Fatal(err)
	}
	files, err := s.ArchiveFiles(ctx, "m")
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	held := func() (n int) {
		for i, text := range recordings(t, s) {
			if text == want[i] {
				n++
			}
		}
		return n
	}
	s = spoil(t, s, dir, files[0].Name, func(b []byte) []byte { b[len(b)/3] ^= 4; return b })
	loss, err := s.AcceptLoss(ctx, files[0].Name, "ann", "bad sector")
	if err != nil || loss.Points != 1 || held() != 8 {
		t.Errorf("lost %+v, %v; %d recordings are whole, want 8", loss, err, held())
	}
	s = spoil(t, s, dir, files[1].Name, nil)
	more, err := s.AcceptLoss(ctx, files[1].Name, "ann", "removed")
	if err != nil || more.Points < 2 || int64(held()) != 8-more.Points {
		t.Errorf("lost %+v, %v; %d recordings are whole", more, err, held())
	}
	if n := auditedKind(t, s, logdb.KindWaveform); n > 0 {
		t.Errorf("%d findings", n)
	}
	days, err := s.Digests(ctx, "m", logdb.KindWaveform, ownStream(t, s))
	if err != nil {
		t.Fatal(err)
	}
	lost := int64(0)
	for _, d := range days {
		if d.Lost {
			lost++
		}
	}
	if lost != 1+more.Points {
		t.Errorf("%d days are lost, want %d", lost, 1+more.Points)
	}
	if moved, err := s.ArchiveRecordings(ctx, "m", cutoff); err != nil || moved.Files != 1 {
		t.Errorf("what came back was archived again: %+v, %v", moved, err)
	}
	if faults := sweepAll(t, s); len(faults) != 0 {
		t.Errorf("after: %v", faults)
	}
}

func ownStream(t *testing.T, s *sqlite.Store) logdb.StreamID {
	t.Helper()
	states, err := s.Streams(ctx, "m", logdb.KindWaveform)
	if err != nil || len(states) != 1 {
		t.Fatalf("%d streams, %v", len(states), err)
	}
	return states[0].Stream
}
