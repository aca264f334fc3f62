package sqlite_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
)

// recording makes one with two channels, one of which is not decimal, and digital inputs.
func recording(at logdb.Millis, n int) logdb.Entry {
	w := &logdb.Waveform{End: at + logdb.Millis(n), SampleIntervalMillis: 0.39, TriggerTime: at + 10, Channels: []logdb.WaveChannel{{Name: "Van"}, {Name: "Ia"}, {Name: "Ib"}}}
	for i := range n {
		w.Channels[0].Samples = append(w.Channels[0].Samples, math.Round(1700*math.Sin(float64(i)/20))/10)
		w.Channels[1].Samples = append(w.Channels[1].Samples, math.Sin(float64(i)/20))
		w.Digital = append(w.Digital, byte(i/7))
	}
	return logdb.Entry{Op: logdb.OpAdd, Time: at, Waveform: w}
}

// recordings reads all of a meter with their samples.
func recordings(t testing.TB, s *sqlite.Store) (out []string) {
	t.Helper()
	err := s.ReadEvents(ctx, logdb.EventQuery{Meter: "m", Kind: logdb.KindWaveform}, func(id logdb.StreamID, e *logdb.Entry) error {
		full, err := s.Recording(ctx, "m", id, max(e.Target, e.Position))
		if err != nil {
			out = append(out, fmt.Sprint(e.Position, errors.Is(err, logdb.ErrNotFound)))
			return nil
		}
		out = append(out, fmt.Sprint(e.Position, full.ContentDigest(), len(full.Waveform.Channels[1].Samples), len(full.Waveform.Digital)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func auditedKind(t testing.TB, s *sqlite.Store, kind logdb.Kind) (n int) {
	t.Helper()
	states, err := s.Streams(ctx, "m", kind)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range states {
		a, err := s.Audit(ctx, "m", kind, st.Stream)
		if err != nil {
			t.Fatal(err)
		}
		n += len(a.Findings)
		for _, f := range a.Findings {
			t.Logf("found: %+v", f)
		}
	}
	return n
}

// TestRecordingsInTheArchive moves samples to files, adds to a month, tampers, and lets samples go.
func TestRecordingsInTheArchive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	defer func() { _ = s.Close() }()
	add := func(at logdb.Millis) {
		if _, err := s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindWaveform, Entries: []logdb.Entry{recording(at, 600)}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range logdb.Millis(9) {
		add(day0 + i*8*logdb.DayMillis)
	}
	want := recordings(t, s)
	cutoff := day0 + 60*logdb.DayMillis // in January
	moved, err := s.ArchiveRecordings(ctx, "m", cutoff)
	if err != nil || moved.Files != 2 || moved.Points == 0 {
		t.Fatalf("moved %+v, %v", moved, err)
	}
	if got := fmt.Sprint(recordings(t, s)); got != fmt.Sprint(want) {
		t.Errorf("archived:\n%s\nwant\n%s", got, want)
	}
	if n := auditedKind(t, s, logdb.KindWaveform); n > 0 {
		t.Errorf("%d findings", n)
	}
	same(t, s, "m", logdb.KindWaveform)
	if got := ask(t, dir, "SELECT (SELECT count(*) FROM sample), (SELECT count(*) FROM cold)"); got[0] != "3:6" {
		t.Errorf("samples in the database and in files: %s", got[0])
	}
	add(day0 + logdb.DayMillis)
	want = recordings(t, s)
	if moved, err = s.ArchiveRecordings(ctx, "m", cutoff); err != nil || moved.Files != 1 {
		t.Fatalf("moved %+v, %v", moved, err)
	}
	if moved, err = s.ArchiveRecordings(ctx, "m", cutoff); err != nil || moved.Files != 0 {
		t.Fatalf("moved once more %+v, %v", moved, err)
	}
	if got := fmt.Sprint(recordings(t, s)); got != fmt.Sprint(want) {
		t.Errorf("archived again:\n%s\nwant\n%s", got, want)
	}
	files, err := s.ArchiveFiles(ctx, "m")
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	path := filepath.Join(dir, "archive", filepath.FromSlash(files[0].Name))
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte{}, sound...)
	bad[len(bad)/3] ^= 4
	if err := errors.Join(s.Close(), os.WriteFile(path, bad, 0o600)); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	if n := auditedKind(t, s, logdb.KindWaveform); n != 1 {
		t.Errorf("%d findings for one part that was changed by hand", n)
	}
	if err := errors.Join(s.Close(), os.WriteFile(path, sound, 0o600)); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	dropped, err := s.DropArchive(ctx, "m", logdb.KindWaveform, day0+20*logdb.DayMillis)
	if err != nil || dropped.Files != 1 {
		t.Fatalf("dropped %+v, %v", dropped, err)
	}
	gone := 0
	for i, text := range recordings(t, s) {
		if text != want[i] {
			gone++
		}
	}
	if gone != 3 {
		t.Errorf("the samples of %d recordings are gone, want 3", gone)
	}
	if n := auditedKind(t, s, logdb.KindWaveform); n > 0 {
		t.Errorf("%d findings where samples were let go", n)
	}
	states, err := s.Streams(ctx, "m", logdb.KindWaveform)
	if err != nil {
		t.Fatal(err)
	}
	digests, err := s.Digests(ctx, "m", logdb.KindWaveform, states[0].Stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range digests {
		if d.Full != (d.Data == d.Claim) {
			t.Errorf("%s: full %v, data %+v, claim %+v", d.Day, d.Full, d.Data, d.Claim)
		}
	}
	p, err := s.ReadStream(ctx, "m", logdb.KindWaveform, states[0].Stream, 1, 2)
	if err != nil || len(p.Entries) != 2 || len(p.Entries[0].Waveform.Digital) != 600 {
		t.Errorf("a page of %d recordings, %v", len(p.Entries), err)
	}
}
