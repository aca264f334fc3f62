package retain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/retain"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestCutoffs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		now                    string
		full, quarter, archive string
	}{
		{"2026-11-28T07:30:00Z", "2026-05-28T00:00:00Z", "2025-11-28T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"2026-08-31T00:00:00Z", "2026-02-28T00:00:00Z", "2025-08-31T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"2024-08-31T23:59:59Z", "2024-02-29T00:00:00Z", "2023-08-31T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"2024-02-29T12:00:00+14:00", "2023-08-28T00:00:00Z", "2023-02-28T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"1970-03-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
	} {
		c := retain.Default().Cutoffs(at(tt.now))
		for what, pair := range map[string][2]logdb.Millis{
			"full": {c.Full, logdb.MillisOf(at(tt.full))}, "quarter": {c.Quarter, logdb.MillisOf(at(tt.quarter))}, "archive": {c.Archive, logdb.MillisOf(at(tt.archive))},
		} {
			if pair[0] != pair[1] {
				t.Errorf("at %s: %s before %s, want %s", tt.now, what, pair[0], pair[1])
			}
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	if err := retain.Default().Check(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ name, value, text string }{
		{"full", "7mo", "7mo"}, {"full", " 1y ", "1y"}, {"hour", "36mo", "3y"}, {"archive", "forever", "forever"}, {"archive", "10y", "10y"},
		{"hour", "default", "2y"}, {"samples", "2y", "2y"},
		{"full", "6", ""}, {"full", "mo", ""}, {"full", "-6mo", ""}, {"full", "0mo", ""}, {"full", "6d", ""}, {"full", "forever", ""}, {"night", "6mo", ""}, {"hour", "99999999y", ""},
	} {
		r := retain.Default()
		err := r.Set(tt.name, tt.value, retain.Default())
		if (err == nil) != (tt.text != "") || err != nil && !errors.Is(err, retain.ErrRules) || err == nil && r.Text(tt.name) != tt.text {
			t.Errorf("%s = %q: %v, %q, want %q", tt.name, tt.value, err, r.Text(tt.name), tt.text)
		}
	}
	for _, bad := range []retain.Rules{
		{Full: 5, Quarter: 12, Hour: 24, Waveform: 1}, {Full: 13, Quarter: 12, Hour: 24, Waveform: 1}, {Full: 6, Quarter: 25, Hour: 24, Waveform: 1},
		{Full: 6, Quarter: 12, Hour: 24}, {Full: 6, Quarter: 12, Hour: 24, Waveform: 1, Archive: 5}, {Full: 6, Quarter: 12, Hour: 24, Waveform: 3, Samples: 2},
		{Full: 6, Quarter: 12, Hour: 2400, Waveform: 1},
	} {
		if err := bad.Check(); !errors.Is(err, retain.ErrRules) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// store notes what it is asked for; meters whose UID begins with x fail.
type store struct {
	logdb.Ladder
	meters []logdb.MeterUID
	asked  []string
}

func (s *store) Meters(context.Context) ([]logdb.MeterUID, error) { return s.meters, nil }

func (s *store) note(what string, uid logdb.MeterUID, before logdb.Millis) error {
	s.asked = append(s.asked, fmt.Sprintf("%s %s %s", what, uid, before.Time().Format("2006-01-02")))
	if strings.HasPrefix(string(uid), "x") {
		return errors.New("no luck")
	}
	return nil
}

func (s *store) Archive(_ context.Context, uid logdb.MeterUID, before logdb.Millis) (logdb.Moved, error) {
	return logdb.Moved{Files: 1, Points: 2, Bytes: 3}, s.note("archive", uid, before)
}

func (s *store) ArchiveRecordings(_ context.Context, uid logdb.MeterUID, before logdb.Millis) (logdb.Moved, error) {
	return logdb.Moved{Files: 1}, s.note("recordings", uid, before)
}

func (s *store) DropTier(_ context.Context, uid logdb.MeterUID, tier logdb.Tier, before logdb.Millis) error {
	return s.note(fmt.Sprint("tier ", int(tier)), uid, before)
}

func (s *store) DropArchive(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, before logdb.Millis) (logdb.Moved, error) {
	return logdb.Moved{}, s.note("drop "+kind.String(), uid, before)
}

func (s *store) SweepArchive(context.Context) ([]logdb.ArchiveFault, error) {
	s.asked = append(s.asked, "sweep")
	return []logdb.ArchiveFault{{Err: errors.New("a file is damaged")}}, nil
}

// A pass takes the rungs from the top, for each meter by the ages of its customer, and a meter that fails does not hold up the others.
func TestPass(t *testing.T) {
	t.Parallel()
	s := &store{meters: []logdb.MeterUID{"a", "x", "b"}}
	r := retain.New(s, retain.Config{
		Now: func() time.Time { return at("2026-11-28T07:30:00Z") },
		RulesOf: func(_ context.Context, uid logdb.MeterUID) (retain.Rules, error) {
			rules := retain.Default()
			if uid == "b" {
				rules.Archive, rules.Samples = 36, 12
			}
			return rules, nil
		},
	})
	if err := r.Pass(t.Context()); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("got %v", err)
	}
	want := []string{
		"archive a 2026-05-28", "recordings a 2026-10-28", "tier 1 a 2025-11-28", "tier 2 a 2024-11-28", "drop historical a 1970-01-01", "drop waveform a 1970-01-01",
		"archive x 2026-05-28",
		"archive b 2026-05-28", "recordings b 2026-10-28", "tier 1 b 2025-11-28", "tier 2 b 2024-11-28", "drop historical b 2023-11-28", "drop waveform b 2025-11-28",
		"sweep",
	}
	if !slices.Equal(s.asked, want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(s.asked, "\n"), strings.Join(want, "\n"))
	}
	st := r.Status()
	if st.Running || st.Meters != 3 || st.Failed != 1 || st.Moved != (logdb.Moved{Files: 5, Points: 6, Bytes: 9}) || len(st.Errors) != 1 || len(st.Faults) != 1 || st.Finished == 0 {
		t.Errorf("status %+v", st)
	}
}

// The runner makes passes by itself, sooner when asked.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		r := retain.New(s, retain.Config{Every: 6 * time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		passes := func(after time.Duration) int {
			timer := time.NewTimer(after)
			<-timer.C
			synctest.Wait()
			return len(s.asked)
		}
		if n := passes(9 * time.Minute); n != 0 {
			t.Errorf("%d passes at once", n)
		}
		if n := passes(2 * time.Minute); n != 1 {
			t.Errorf("%d passes after ten minutes", n)
		}
		r.Soon()
		if n := passes(time.Minute); n != 2 {
			t.Errorf("%d passes, one of them was asked for", n)
		}
		if n := passes(13 * time.Hour); n != 4 {
			t.Errorf("%d passes after 13 hours more", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
