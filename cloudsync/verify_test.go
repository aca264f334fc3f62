package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/verify"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
)

// Digests lets verify ask the fake cloud.
func (f *fakeCloud) Digests(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID) ([]logdb.DayDigest, error) {
	return f.store.Digests(ctx, uid, kind, stream)
}

// HistoryPages and EventPages answer in two parts, the former with the whole stream.
func (f *fakeCloud) HistoryPages(ctx context.Context, uid logdb.MeterUID, q api.HistoryQuery) (api.Pages, error) {
	return f.wholeStream(ctx, uid, logdb.KindHistorical, q.Stream, q.Cursor)
}

func (f *fakeCloud) EventPages(ctx context.Context, uid logdb.MeterUID, q api.EventsQuery) (api.Pages, error) {
	out, err := f.wholeStream(ctx, uid, q.Kind, q.Stream, q.Cursor)
	for i := range out.Pages { // of the range that was asked for
		out.Pages[i].Entries = slices.DeleteFunc(out.Pages[i].Entries, func(e logdb.Entry) bool { return e.Time < q.From || e.Time >= q.To })
	}
	return out, err
}

func (f *fakeCloud) wholeStream(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, cursor string) (api.Pages, error) {
	first, max := logdb.Position(1), 10
	if cursor != "" {
		first, max = 11, 1<<20
	}
	page, err := f.store.ReadStream(ctx, uid, kind, stream, first, max)
	if err != nil {
		return api.Pages{}, err
	}
	out := api.Pages{Meter: uid, Kind: kind, Pages: []logdb.Page{page}}
	if cursor == "" {
		out.Next = "more"
	}
	return out, nil
}

func (s *site) verify(kinds ...logdb.Kind) api.VerifyReport {
	s.t.Helper()
	return s.verifyWith("", kinds...)
}

func (s *site) verifyWith(cloud string, kinds ...logdb.Kind) api.VerifyReport {
	s.t.Helper()
	report, err := verify.Run(s.t.Context(), s.sync.For(cloud), s.logs, verify.Config{Cloud: s.cloud, Kinds: kinds})
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

// tampered is a store in which somebody deleted or changed records by hand.
type tampered struct {
	logdb.Store
	lost   map[logdb.Position]bool
	claims bool // whoever did it kept the claims in step
	torn   bool // damaged so that it cannot be read as records any more
}

func (m *tampered) ReadStream(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, id logdb.StreamID, first logdb.Position, max int) (logdb.Page, error) {
	if m.torn {
		return logdb.Page{}, errors.New("damaged")
	}
	page, err := m.Store.ReadStream(ctx, uid, kind, id, first, max)
	var rows []logdb.History
	for _, h := range page.Rows {
		for k := range h.Times {
			if !m.lost[h.Positions[k]] {
				rows = append(rows, h.Slice(k, k+1))
			}
		}
	}
	page.Rows = rows
	page.Entries = slices.DeleteFunc(page.Entries, func(e logdb.Entry) bool { return m.lost[e.Position] })
	return page, err
}

func (m *tampered) Digests(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, id logdb.StreamID) ([]logdb.DayDigest, error) {
	days, err := m.Store.Digests(ctx, uid, kind, id)
	if err != nil {
		return nil, err
	}
	series, err := m.Store.Series(ctx, uid)
	if err != nil {
		return nil, err
	}
	for _, s := range series {
		if s.Stream != id {
			continue
		}
		err := m.Store.ReadSeries(ctx, []logdb.SeriesID{s.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			for i, v := range b.AppendValues(nil) {
				for k := range days {
					if d := &days[k]; m.lost[b.Positions[i]] && d.Channel == s.Channel && d.Log == s.Log && d.Day == b.Times[i].Day() {
						d.Data.RemoveValue(b.Positions[i], b.Times[i], v)
						if m.claims {
							d.Claim = d.Data
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return days, nil
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	n := int64(100 * len(channels))
	each := int64(len(channels))
	tests := []struct {
		name    string
		do      func(s *site)
		clean   bool
		pending int64
		between string
		want    func(api.VerifyReport) error
	}{
		{"all there", func(*site) {}, true, 0, "", func(r api.VerifyReport) error {
			if r.Compared != n || len(r.Days) != 0 {
				return fmt.Errorf("compared %d of %d, days %+v", r.Compared, n, r.Days)
			}
			return nil
		}},
		{"not sent yet", func(s *site) { s.rows(0, every(time.Minute, start+7*logdb.DayMillis, 5)...) }, false, 5, "", nil},
		{"a row lost at the cloud", func(s *site) {
			s.cloud.store = &tampered{Store: s.cloud.store, lost: map[logdb.Position]bool{42: true}}
		}, false, 0, verify.SiteCloud, func(r api.VerifyReport) error {
			if r.Different != each || len(r.Days) != int(each) {
				return fmt.Errorf("different %d, days %d", r.Different, len(r.Days))
			}
			for _, d := range r.Days {
				if len(d.Positions) != 1 || d.Positions[0].First != 42 || d.Positions[0].Last != 42 {
					return fmt.Errorf("positions %+v, want 42", d.Positions)
				}
			}
			return nil
		}},
		{"a row lost at the cloud, which cannot read what is left", func(s *site) {
			s.cloud.store = &tampered{Store: s.cloud.store, lost: map[logdb.Position]bool{42: true}, torn: true}
		}, false, 0, verify.SiteCloud, func(r api.VerifyReport) error {
			if r.Different != each || len(r.Days) != int(each) {
				return fmt.Errorf("different %d, days %d", r.Different, len(r.Days))
			}
			if d := r.Days[0]; len(d.Positions) != 0 || !strings.Contains(d.Reason, "cannot be read there") {
				return fmt.Errorf("day %+v, want a reason why no record is named", d)
			}
			return nil
		}},
		{"a row lost at the site", func(s *site) {
			s.logs = &tampered{Store: s.logs, lost: map[logdb.Position]bool{17: true}}
			s.restart()
		}, false, 0, verify.SiteClaim, func(r api.VerifyReport) error {
			both := map[string]int{}
			for _, d := range r.Days {
				both[d.Between]++
			}
			if both[verify.SiteClaim] == 0 || both[verify.SiteCloud] == 0 {
				return fmt.Errorf("found %v, want the site's own claim and the cloud to differ", both)
			}
			return nil
		}},
		{"a row lost at the site, which cannot read its journal", func(s *site) {
			s.logs = &tampered{Store: s.logs, lost: map[logdb.Position]bool{17: true}, torn: true}
			s.restart()
		}, false, 0, verify.SiteClaim, func(r api.VerifyReport) error {
			if d := r.Days[len(r.Days)-1]; d.State != verify.StateNotComparable || !strings.Contains(d.Reason, "damaged") {
				return fmt.Errorf("the last line is %+v, want why the cloud was not compared", d)
			}
			return nil
		}},
		{"the receiver is emptied", func(s *site) { s.cloud.store = logdbtest.NewModel(logdbtest.Config{}) }, false, 100, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
			s.settings(time.Minute)
			s.rows(0, every(time.Minute, start, 100)...)
			s.upload()
			tt.do(s)
			r := s.verify()
			if r.Clean() != tt.clean || r.Pending != tt.pending {
				t.Fatalf("clean %v, pending %d: %+v", r.Clean(), r.Pending, r)
			}
			if tt.between != "" && (len(r.Days) == 0 || r.Days[0].Between != tt.between) {
				t.Errorf("days %+v, want %s first", r.Days, tt.between)
			}
			if tt.want != nil {
				if err := tt.want(r); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// clean fails unless everything the random life recorded is found at the cloud.
func (w *world) clean() {
	w.t.Helper()
	w.cleanWith("")
}

func (w *world) cleanWith(cloud string) {
	w.t.Helper()
	r := w.verifyWith(cloud)
	if !r.Clean() {
		w.t.Fatalf("verify: %d compared, %d pending, %d different; first %+v", r.Compared, r.Pending, r.Different, r.Days[0])
	}
	for _, d := range r.Days {
		if d.State == verify.StateNotComparable && d.Reason != verify.ReasonOpen {
			w.t.Fatalf("not comparable: %+v", d)
		}
	}
	if _, err := w.logs.Journal(w.t.Context(), meter, logdb.KindHistorical); err == nil && r.Compared == 0 && len(w.wantPoints()) > 0 {
		w.t.Fatal("nothing was compared")
	} else if err != nil && !errors.Is(err, logdb.ErrNotFound) {
		w.t.Fatal(err)
	}
}

// A meter that does not upload was compared with no cloud, which the report says.
func TestVerifyOfAMeterThatDoesNotUpload(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 10)...)
	s.upload()
	if err := s.sync.SetMeter(t.Context(), meter, cloudsync.SettingMeterUpload, "false"); err != nil {
		t.Fatal(err)
	}
	s.rows(0, start+10*60_000)
	r := s.verify(logdb.KindHistorical)
	if len(r.Days) != 1 || r.NotComparable != 11 || r.Days[0].Between != verify.SiteCloud || !strings.Contains(r.Days[0].Reason, "does not upload") {
		t.Errorf("%+v", r)
	}
}

// TestVerifyOfASiteAtWork: rows that are retrieved and uploaded between the look at the journal and the one at the cloud are no difference.
func TestVerifyOfASiteAtWork(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	grown := false
	cloud.before = func(call string) error {
		if call == "streams" && !grown {
			grown = true
			s.rows(0, start+5*60_000)
			s.upload()
		}
		return nil
	}
	if r := s.verify(logdb.KindHistorical); !grown || !r.Clean() {
		t.Errorf("%+v, want a clean comparison", r)
	}
}
