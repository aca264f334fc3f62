package cloudsync_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
)

// The table of limits as it is printed, a number a line: so many records pass in a span, the next one does not.
var limitTable = []struct {
	kind   logdb.Kind
	window string
	span   logdb.Millis
	most   int
	step   logdb.Millis // between records, so that no shorter span is full
}{
	{logdb.KindWaveform, "second", 1_000, 1, 1},
	{logdb.KindWaveform, "minute", 60_000, 5, 1_000},
	{logdb.KindWaveform, "hour", 3_600_000, 25, 60_000 / 5},
	{logdb.KindWaveform, "day", 86_400_000, 50, 3_600_000 / 25},
	{logdb.KindLimit, "second", 1_000, 2, 1},
	{logdb.KindLimit, "minute", 60_000, 10, 500},
	{logdb.KindLimit, "hour", 3_600_000, 50, 60_000 / 10},
	{logdb.KindLimit, "day", 86_400_000, 100, 3_600_000 / 50},
	{logdb.KindPQ, "second", 1_000, 10, 1},
	{logdb.KindPQ, "minute", 60_000, 30, 100},
	{logdb.KindPQ, "hour", 3_600_000, 100, 60_000 / 30},
	{logdb.KindPQ, "day", 86_400_000, 200, 3_600_000 / 100},
}

// limitedRecord is a record of a kind at a time; recordings have a few samples.
func limitedRecord(kind logdb.Kind, at logdb.Millis) logdb.Entry {
	e := logdb.Entry{Op: logdb.OpAdd, Time: at}
	if kind == logdb.KindWaveform {
		e.Waveform = &logdb.Waveform{End: at + 4, SampleIntervalMillis: 1, TriggerTime: at + 1, FrequencyHz: 50, Channels: []logdb.WaveChannel{{Name: "Ia", Samples: []float64{1, 2, 3, 4}}}}
		return e
	}
	e.Excursion = &logdb.Excursion{DurationSeconds: 1, Channel: "readings.voltage.an", Worst: float64(at % 977)}
	if kind == logdb.KindLimit {
		e.Excursion.LimitID = 1
	}
	return e
}

// Every number of the table, at its exact edge, at the sender (whose cloud has no limits) and at the receiver (whose
// sender has none): n pass, the next one is skipped with that reason; the span that follows begins anew, aligned to UTC;
// a revise takes no slot; sending it all again counts nothing twice.
func TestEveryLimitAtItsEdge(t *testing.T) {
	t.Parallel()
	for _, tt := range limitTable {
		for _, end := range []string{limit.BySender, limit.ByReceiver} {
			t.Run(fmt.Sprintf("%s %d a %s at the %s", tt.kind, tt.most, tt.window, end), func(t *testing.T) {
				t.Parallel()
				cloud := newFakeCloud()
				s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
				if end == limit.BySender {
					cloud.limits = logdb.Limits{}
				} else {
					for _, name := range []string{"waveform", "limits", "pq"} {
						if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+name, "none"); err != nil {
							t.Fatal(err)
						}
					}
				}
				s.settings(time.Minute)
				// The last of a span, then the first of the next one: a span is cut where UTC cuts it, not where records begin.
				begin := start.Floor(86_400_000) + 86_400_000 // of a second, minute, hour and day
				var list []logdb.Entry
				for i := range tt.most {
					list = append(list, limitedRecord(tt.kind, begin+logdb.Millis(i)*tt.step))
				}
				s.entries(tt.kind, list...)
				revise := list[0]
				revise.Op, revise.Target = logdb.OpRevise, 1
				over := limitedRecord(tt.kind, begin+tt.span-1)
				next := limitedRecord(tt.kind, begin+tt.span)
				before := limitedRecord(tt.kind, begin-1)
				s.entries(tt.kind, revise, over, next, before)
				s.upload()
				check := func(when string) {
					t.Helper()
					states, err := cloud.store.Streams(t.Context(), "cloud-4711", tt.kind)
					if err != nil || len(states) != 1 {
						t.Fatalf("%s: %d streams, %v", when, len(states), err)
					}
					fates := &states[0].Fates
					r, _ := fates.At(logdb.Position(tt.most + 2))
					by, reason := limit.Who(r.Reason)
					if r.Fate != logdb.FateSkipped || by != end || reason != tt.window || r.FirstTime != over.Time {
						t.Errorf("%s: the record over the limit is %+v", when, r)
					}
					if n := fates.Count(logdb.FateSkipped); n != 1 {
						t.Errorf("%s: %d records skipped, want 1: %+v", when, n, fates.Ranges())
					}
					if n := len(contents(t, cloud.store, "cloud-4711", tt.kind)); n != tt.most+2 {
						t.Errorf("%s: %d records, want %d", when, n, tt.most+2)
					}
				}
				check("at first")
				cloud.before = nil
				for range 2 { // every page again, in other cuts
					s.restart()
					s.upload()
				}
				check("after replays")
				if r := s.verify(); !r.Clean() || r.Skipped != 1 {
					t.Errorf("verify: %+v", r)
				}
			})
		}
	}
}

// A receiver shortens recordings, and never reduces: rows that come too fast it skips.
func TestReceiverNeverReduces(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	for name, value := range map[string]string{"historical_interval": "0s", "waveform_samples": "0"} {
		if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+name, value); err != nil {
			t.Fatal(err)
		}
	}
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start, 8)...) // two whole minutes
	s.entries(logdb.KindWaveform, captured(1, 2048), captured(2, 2049))
	s.upload()
	states, err := cloud.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	fates := &states[0].Fates
	if a, b := fates.Count(logdb.FateStored), fates.Count(logdb.FateSkipped); a != 2 || b != 6 || fates.Count(logdb.FateReduced) != 0 {
		t.Errorf("%d rows stored and %d skipped, want one a minute and 6: %+v", a, b, fates.Ranges())
	}
	r, _ := fates.At(2)
	if r.Reason != limit.Refused("minute") {
		t.Errorf("reason %q", r.Reason)
	}
	for p, samples := range map[logdb.Position]int{1: 2048, 2: 2049 - 30 + 20} {
		states, err := cloud.store.Streams(t.Context(), "cloud-4711", logdb.KindWaveform)
		if err != nil {
			t.Fatal(err)
		}
		e, err := cloud.store.Recording(t.Context(), "cloud-4711", states[0].Stream, p)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(e.Waveform.Channels[0].Samples); n != samples || (e.Waveform.Source != nil) != (p == 2) {
			t.Errorf("recording %d has %d samples, want %d", p, n, samples)
		}
	}
	if r := s.verify(logdb.KindWaveform); !r.Clean() || r.Compared != 2 {
		t.Errorf("verify of what the receiver shortened: %+v", r)
	}
}

// A recording with more than 256 samples a cycle is thinned by whoever has that limit, the sender or the receiver.
func TestSamplesPerCycle(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{"by the sender": "default", "by the receiver": "0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"waveform_samples_per_cycle", sent); err != nil {
				t.Fatal(err)
			}
			arrives := 0 // samples of the last recording on the wire
			dial := &watched{cloud, func(p *logdb.Page) {
				for _, e := range p.Entries {
					if e.Waveform != nil {
						arrives = len(e.Waveform.Channels[0].Samples)
					}
				}
			}}
			s.others = map[string]cloudsync.Cloud{"cloud.example.net": dial}
			s.restart()
			s.settings(time.Minute)
			e := captured(1, 3*512)
			e.Waveform.SampleIntervalMillis = 20. / 512
			s.entries(logdb.KindWaveform, e)
			s.upload()
			if want := map[string]int{"default": 3 * 256, "0": 3 * 512}[sent]; arrives != want {
				t.Errorf("%d samples were sent, want %d", arrives, want)
			}
			states, err := cloud.store.Streams(t.Context(), "cloud-4711", logdb.KindWaveform)
			if err != nil {
				t.Fatal(err)
			}
			got, err := cloud.store.Recording(t.Context(), "cloud-4711", states[0].Stream, 1)
			if err != nil {
				t.Fatal(err)
			}
			w := got.Waveform
			if len(w.Channels[0].Samples) != 3*256 || w.SampleIntervalMillis != 20./256 || w.Source == nil || w.Source.Samples != 3*512 {
				t.Errorf("%d samples each %v ms, of %+v; want 768 of 1536", len(w.Channels[0].Samples), w.SampleIntervalMillis, w.Source)
			}
			if r := s.verify(); !r.Clean() {
				t.Errorf("verify: %+v", r)
			}
		})
	}
}

// watched is a cloud whose pages somebody looks at.
type watched struct {
	*fakeCloud
	look func(*logdb.Page)
}

func (w *watched) PushPage(ctx context.Context, page *logdb.Page) (api.UploadAnswer, error) {
	w.look(page)
	return w.fakeCloud.PushPage(ctx, page)
}

// Log retrieval leaves an event in the meter, which would grow by being read: it is not uploaded, and not counted.
func TestLogRetrievalIsNotUploaded(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"system", "2/d"); err != nil {
		t.Fatal(err)
	}
	s.settings(time.Minute)
	event := func(i int, kind logdb.SystemType) logdb.Entry {
		return logdb.Entry{Op: logdb.OpAdd, Time: start.Day() + logdb.Millis(i), System: &logdb.SystemEvent{Type: kind}}
	}
	s.entries(logdb.KindSystem, event(1, logdb.SystemLogRetrieval), event(2, logdb.SystemPowerUp), event(3, logdb.SystemLogRetrieval),
		event(4, logdb.SystemReset), event(5, logdb.SystemLogRetrieval), event(6, logdb.SystemReset))
	s.upload()
	states, err := cloud.store.Streams(t.Context(), "cloud-4711", logdb.KindSystem)
	if err != nil {
		t.Fatal(err)
	}
	fates := &states[0].Fates
	got := ""
	for p := logdb.Position(1); p <= 6; p++ {
		r, _ := fates.At(p)
		got += r.Fate.String() + " "
	}
	if got != "not_chosen stored not_chosen stored not_chosen skipped " {
		t.Errorf("fates %s", got)
	}
}

// What was decided stays decided: other numbers are for what comes after, and a list tells both.
func TestOtherNumbersLeaveWhatWasDecided(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	set := func(value string) {
		t.Helper()
		if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"pq", value); err != nil {
			t.Fatal(err)
		}
	}
	set("2/d")
	s.entries(logdb.KindPQ, sag(1), sag(2), sag(3))
	s.upload()
	set("5/d")
	s.upload() // the stream turns: what is in the journal by then belongs to the old one
	cloud.limits.PQ = []logdb.Window{{Name: "hour", Millis: 3_600_000, Max: 1}}
	s.entries(logdb.KindPQ, sag(4), sag(5), sag(6), sag(7))
	s.upload()
	if n := len(contents(t, cloud.store, "cloud-4711", logdb.KindPQ)); n != 3 {
		t.Errorf("%d sags at the cloud, want 2 and one of the last four", n)
	}
	parts, err := s.sync.Skipped(t.Context(), meter, logdb.KindPQ)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, p := range parts {
		for _, r := range p.Fates.Ranges() {
			by, reason := limit.Who(r.Reason)
			got += fmt.Sprintf("%d-%d %s %s; ", r.First, r.Last, by, reason)
		}
	}
	if got != "3-3 sender day; 5-6 receiver hour; 7-7 sender day; " && got != "3-3 sender day; 5-7 receiver hour; " {
		t.Errorf("listed: %s", got)
	}
	if r := s.verify(); !r.Clean() || r.Skipped != 4 {
		t.Errorf("verify: %+v", r)
	}
}
