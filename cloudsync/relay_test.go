package cloudsync_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// relay makes a node whose log database is what cloud received, and which uploads to next.
func relay(t testing.TB, from, next *fakeCloud) *site {
	t.Helper()
	name(t, from)
	s := newSite(t, from.store, next)
	s.uid = "cloud-4711"
	return s
}

// name stores the settings of the meter at a cloud.
func name(t testing.TB, cloud *fakeCloud) {
	t.Helper()
	if err := cloud.store.PutSettings(t.Context(), "cloud-4711", logdb.Settings{
		Name: "main", Make: "EIG", Model: "Shark 200", Serial: "4711", Zone: "UTC", LogIntervalsMillis: []int64{60_000, 20_000},
	}); err != nil {
		t.Fatal(err)
	}
}

// lives returns, per kind, what a receiver holds of a meter.
func (f *fakeCloud) lives(t testing.TB) map[logdb.Kind][]string {
	t.Helper()
	w := &world{site: &site{t: t, cloud: f}}
	out := map[logdb.Kind][]string{}
	for _, kind := range logdb.Kinds[1:] {
		for _, j := range f.journals(t, kind) {
			out[kind] = append(out[kind], w.haveEvents(kind, j)...)
		}
	}
	return out
}

func (f *fakeCloud) journals(t testing.TB, kind logdb.Kind) []logdb.JournalID {
	t.Helper()
	states, err := f.store.Streams(t.Context(), "cloud-4711", kind)
	if err != nil {
		return nil
	}
	var out []logdb.JournalID
	for _, s := range states {
		if n := len(out); n == 0 || out[n-1] != s.Stream.Journal {
			out = append(out, s.Stream.Journal)
		}
	}
	return out
}

// sameNodes fails unless two receivers hold the same records under the same names, with the same fates.
func sameNodes(t testing.TB, a, b *fakeCloud) {
	t.Helper()
	for _, kind := range logdb.Kinds {
		var sets [2]map[string]string
		for i, f := range []*fakeCloud{a, b} {
			states, err := f.store.Streams(t.Context(), "cloud-4711", kind)
			if err != nil && len(f.known) > 0 {
				t.Fatal(err)
			}
			sets[i] = map[string]string{}
			for _, st := range states {
				text, err := api.Fates(st.Fates.Ranges()).MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				sets[i][st.Stream.String()] = string(text)
			}
		}
		if len(sets[0]) != len(sets[1]) {
			t.Fatalf("%s: streams %v and %v", kind, sets[0], sets[1])
		}
		for id, set := range sets[0] {
			if sets[1][id] != set {
				t.Fatalf("%s, stream %s: %s at one, %s at the other", kind, id, set, sets[1][id])
			}
		}
		same(t, "records of "+kind.String(), b.lives(t)[kind], a.lives(t)[kind])
	}
	same(t, "values", points(t, b.store, "cloud-4711", ""), points(t, a.store, "cloud-4711", ""))
}

// A record comes to a cloud from its site and by a relay that knows less of the journal, both at the same moment. Who is second is
// refused, asks again and goes on from there, within the same upload.
func TestRelayAndSiteAtTheSameMoment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		relay bool // is first to ask
	}{{"the relay asks first", true}, {"the site asks first", false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			near, far := newFakeCloud(), newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), near)
			s.fill()
			s.upload()
			direct, between := newSite(t, s.logs, far), relay(t, near, far)
			name(t, far)
			direct.rows(0, every(15*time.Second, start+201*15_000, 40)...)
			first, second := direct, between
			if c.relay {
				first, second = between, direct
			}
			crossed := false
			far.before = func(call string) error {
				if call == "push" && !crossed {
					crossed = true
					second.upload()
				}
				return nil
			}
			first.upload()
			if !crossed {
				t.Fatal("the uploads did not cross")
			}
			if r := direct.verify(logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
				t.Errorf("after one upload of each: %+v", r)
			}
			for _, node := range []*site{direct, between} {
				if status, err := node.sync.Status(t.Context()); err != nil || status.Failed > 0 {
					t.Errorf("%d actions failed, %v: %+v", status.Failed, err, node.sync.History(10, "", ""))
				}
			}
			s.upload()
			sameNodes(t, near, far)
		})
	}
}

// Two machines with one journal went on in different ways, one sent to a cloud and the other one to the next, and the first cloud passes
// on what it has. Neither cloud was told where the other machine's journal ended: what stands there tells.
func TestRelayBetweenTwoClones(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		first, second int  // rows of each after those that both have
		fast          bool // rows are combined
		turned        bool // the second one's policy changed
	}{
		"the first is longer": {first: 9, second: 5}, "the second is longer": {first: 5, second: 9}, "by many": {first: 200, second: 100}, "one each": {first: 3, second: 2},
		"combined rows": {first: 80, second: 60, fast: true}, "another policy": {first: 40, second: 20, turned: true},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			const shared = "00000000000000000000000000000001"
			near, far := newFakeCloud(), newFakeCloud()
			machine := func(cloud *fakeCloud, n int, step logdb.Millis) *site {
				ids := 0
				s := newSite(t, logdbtest.NewModel(logdbtest.Config{NewJournalID: func() logdb.JournalID {
					ids++ // of one kind after the other
					return logdb.JournalID(fmt.Sprintf("%032d", ids))
				}}), cloud)
				if c.fast {
					s.settings(15 * time.Second)
					s.rows(0, every(15*time.Second, start, 120)...)
					from := start + 30*60_000
					if cloud == far { // it was away for a while
						from += 5*60_000 + 15_000
					}
					s.rows(0, every(15*time.Second, from, n)...)
					return s
				}
				s.settings(time.Minute)
				s.rows(0, every(time.Minute, start, 30)...)
				if c.turned && cloud == far {
					s.upload()
					if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"historical_interval", "2m"); err != nil {
						t.Fatal(err)
					}
				}
				for i := range n { // a row each time, so that the journal ended wherever it may have been asked
					s.rows(0, start+30*60_000+logdb.Millis(i)*step)
				}
				return s
			}
			a, b := machine(near, c.first, 60_000), machine(far, c.second, 121_000)
			for of, s := range []*site{a, b} {
				for i := range []int{c.first, c.second}[of] % 97 {
					s.entries(logdb.KindPQ, sag(2*i+of))
					s.entries(logdb.KindSystem, logdb.Entry{Op: logdb.OpAdd, Time: start, System: &logdb.SystemEvent{Type: 1, Code: int64(of)}})
					at := start + logdb.Millis(i)*3_600_000
					s.entries(logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: at, Waveform: &logdb.Waveform{
						End: at + 1, SampleIntervalMillis: 1, TriggerTime: at + logdb.Millis(of), FrequencyHz: 50, Channels: []logdb.WaveChannel{{Name: "Ia", Samples: []float64{1, 2}}},
					}})
				}
			}
			a.upload()
			b.upload()
			between := relay(t, near, far)
			name(t, far)
			before := points(t, far.store, "cloud-4711", shared)
			between.upload()
			same(t, "what stands there", points(t, far.store, "cloud-4711", shared), before)
			status, err := between.sync.Status(t.Context())
			if err != nil || len(status.Meters) != 1 || len(status.Meters[0].Relayed) != 4 {
				t.Fatalf("%+v, %v", status.Meters, err)
			}
			for _, r := range status.Meters[0].Relayed {
				if len(r.Conflicts) > 0 != (c.first > c.second) { // where nothing is to be sent there is none
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// A change came to the next cloud directly under another policy than to this one, which passes it on: there it is held in the stream
// in which it stands here. Both have it, and verify says so.
func TestVerifyOfAChangeThatIsHeldInASibling(t *testing.T) {
	t.Parallel()
	near, far := newFakeCloud(), newFakeCloud()
	between := relay(t, near, far)
	name(t, far)
	const journal = "11111111111111111111111111111111"
	day := start.Day()
	event := func(op logdb.Op, p, target logdb.Position, at logdb.Millis) logdb.Entry {
		return logdb.Entry{Op: op, Position: p, Target: target, Time: at, Excursion: &logdb.Excursion{Channel: "readings.voltage.an", DurationSeconds: 1, Worst: 200, WorstPercent: 80, Threshold: 90}}
	}
	accept := func(to *fakeCloud, policy string, entries ...logdb.Entry) {
		t.Helper()
		if _, err := to.store.Accept(t.Context(), logdb.Page{
			Meter: "cloud-4711", Kind: logdb.KindPQ, Stream: logdb.StreamID{Journal: journal, Policy: policy}, Entries: entries, JournalEnd: 4,
		}, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	record := event(logdb.OpAdd, 1, 0, day)
	wrong, other, right := event(logdb.OpRevise, 2, 1, day+2*logdb.DayMillis), event(logdb.OpRevise, 3, 1, day+3*logdb.DayMillis), event(logdb.OpRevise, 4, 1, day+2*logdb.DayMillis+1)
	accept(near, "1", record)
	accept(near, "3", wrong, other, right)
	accept(far, "1", record)
	accept(far, "4", right)
	between.upload()
	if r := between.verify(logdb.KindPQ); !r.Clean() || r.Compared != 1 {
		t.Errorf("%+v", r)
	}
	states, err := far.store.Streams(t.Context(), "cloud-4711", logdb.KindPQ)
	if err != nil || len(states) != 3 {
		t.Fatalf("%+v, %v", states, err)
	}
}

// What was sent to one of two clouds came without a chain: that is not known there, and so it is not another one.
func TestRelayOfAnEndWithoutAChain(t *testing.T) {
	t.Parallel()
	for title, chains := range map[string][2]logdb.Digest{"here": {{}, {7}}, "there": {{7}, {}}, "at both": {}} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			near, far := newFakeCloud(), newFakeCloud()
			between := relay(t, near, far)
			name(t, far)
			for i, f := range []*fakeCloud{near, far} {
				e := sag(1)
				e.Position = 1
				if _, err := f.store.Accept(t.Context(), logdb.Page{
					Meter: "cloud-4711", Kind: logdb.KindPQ, Stream: logdb.StreamID{Journal: "44444444444444444444444444444444", Policy: "1"},
					Entries: []logdb.Entry{e}, JournalEnd: 1, Chain: chains[i],
				}, logdb.Limits{}); err != nil {
					t.Fatal(err)
				}
			}
			between.upload()
			if r := between.verify(logdb.KindPQ); !r.Clean() || r.Compared != 1 {
				t.Errorf("%+v", r)
			}
			if status, err := between.sync.Status(t.Context()); err != nil || len(status.Meters[0].Relayed[0].Conflicts) > 0 {
				t.Errorf("%+v, %v", status.Meters, err)
			}
		})
	}
}

// A site sends to a cloud and to the next one at different moments, and then to none: what the next one lacks comes by the relay, though no end
// of the journal was stated to both.
func TestRelayWithoutACommonEnd(t *testing.T) {
	t.Parallel()
	for title, fetched := range map[string]bool{"as it was sent": false, "with rows that one of them asked for": true} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			relayWithoutACommonEnd(t, fetched)
		})
	}
}

func relayWithoutACommonEnd(t *testing.T, fetched bool) {
	near, far := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), near)
	s.fill()
	direct, between := newSite(t, s.logs, far), relay(t, near, far)
	name(t, far)
	direct.upload()
	if fetched { // changes of such rows name another target and another time at the other cloud
		s.upload()
		if _, _, err := s.sync.UploadRequested(t.Context(), meter, cloudsync.Wanted{Reduced: true, First: start, Last: start + 40*60_000}); err != nil {
			t.Fatal(err)
		}
		var changes []logdb.Entry
		for p := logdb.Position(101); p < 141; p += 3 {
			changes = append(changes, logdb.Entry{Op: logdb.OpRevise, Target: p, Time: start + logdb.Millis(p)*15_000, Row: &logdb.Row{Channels: channels, Values: []float64{1, 2, 3, 4}}})
		}
		s.entries(logdb.KindHistorical, changes...)
		s.rows(0, every(15*time.Second, start+100*15_000+7_000, 8)...) // late ones
		direct.upload()
	}
	s.rows(0, every(15*time.Second, start+201*15_000, 40)...)
	s.upload()
	s.rows(0, every(15*time.Second, start+241*15_000, 40)...)
	far.maxRow, far.pages = 3, 0
	far.before = func(call string) error { // one page comes, with the end, and the others do not
		if call == "push" && far.pages > 0 {
			return fault.New(fault.Unavailable, "lost")
		}
		return nil
	}
	_, _ = direct.sync.UploadMeter(t.Context(), direct.uid)
	far.maxRow, far.before = 0, nil
	if far.pages != 1 {
		t.Fatalf("%d pages came", far.pages)
	}
	asked := 0
	far.before = func(call string) error {
		if call == "marks" {
			asked++
		}
		return nil
	}
	between.upload()
	if asked == 0 {
		t.Error("nothing was compared")
	}
	if left := cloudsync.Missing(fatesOf(t, near), fatesOf(t, far)); len(left) > 0 {
		t.Errorf("the next cloud lacks %v", left)
	}
}

// fill gives a site some of everything: rows, reduced rows, skipped events, revises, withdraws, a gap.
func (s *site) fill() {
	s.t.Helper()
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 200)...)
	s.entries(logdb.KindHistorical,
		logdb.Entry{Op: logdb.OpRevise, Target: 30, Time: start + 30*15_000, Row: &logdb.Row{Channels: channels, Values: []float64{1, 2, 3, 4}}},
		logdb.Entry{Op: logdb.OpWithdraw, Target: 50, Time: start + 50*15_000},
		logdb.Entry{Op: logdb.OpClose, Time: start})
	var sags []logdb.Entry
	for i := range 60 {
		sags = append(sags, logdb.Entry{Op: logdb.OpAdd, Time: start + logdb.Millis(i)*700, Excursion: &logdb.Excursion{
			DurationSeconds: 0.1, Channel: "readings.voltage.an", Worst: float64(i), WorstPercent: 70, Threshold: 90,
		}})
	}
	s.entries(logdb.KindPQ, sags...)
	x := *sags[0].Excursion
	x.Worst = -1
	s.entries(logdb.KindPQ, logdb.Entry{Op: logdb.OpRevise, Target: 1, Time: start, Excursion: &x}, logdb.Entry{Op: logdb.OpRevise, Target: 60, Time: start, Excursion: &x})
	s.entries(logdb.KindWaveform, logdb.Entry{Op: logdb.OpAdd, Time: start, Waveform: (&world{rng: newRand(1)}).recording(start)})
}

func TestChainPassesEverythingOn(t *testing.T) {
	t.Parallel()
	b, c, last := newFakeCloud(), newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), b)
	s.fill()
	s.upload()
	middle := relay(t, b, c)
	middle.cfg.PageBytes = 2000
	middle.restart()
	middle.upload()
	sameNodes(t, b, c)
	if n := len(points(t, c.store, "cloud-4711", "")); n == 0 || len(c.lives(t)[logdb.KindPQ]) == 0 || len(c.lives(t)[logdb.KindWaveform]) == 0 {
		t.Fatal("nothing came through")
	}
	third := relay(t, c, last)
	third.upload()
	sameNodes(t, b, last)

	// What is new goes the same way, and nothing is sent twice.
	pages := c.pages
	middle.upload()
	if c.pages != pages {
		t.Error("a relay sent pages although nothing was missing")
	}
	s.rows(0, every(15*time.Second, start+600*15_000, 40)...)
	s.upload()
	middle.restart()
	middle.upload()
	third.upload()
	sameNodes(t, b, last)

	// The middle is emptied; the last one has it all, and the middle gets it from the site again.
	b.store, b.known = logdbtest.NewModel(logdbtest.Config{}), map[logdb.MeterUID]bool{}
	if _, err := s.sync.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.upload()
	middle = relay(t, b, c)
	middle.upload()
	sameNodes(t, b, c)
	sameNodes(t, b, last)
	// The last one is emptied.
	last.store, last.known = logdbtest.NewModel(logdbtest.Config{}), map[logdb.MeterUID]bool{}
	if _, err := third.sync.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	third.upload()
	sameNodes(t, b, last)
}

// TestRelayOfSinglePositions lets the last node of a chain forget rows that were combined on their way, each of which stands
// alone between others: what is sent again fits in one page.
func TestRelayOfSinglePositions(t *testing.T) {
	t.Parallel()
	b, c := newFakeCloud(), newFakeCloud()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "logs.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	b.store = store
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), b)
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 4*1100)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
	s.upload()
	middle := relay(t, b, c)
	middle.upload()
	sameNodes(t, b, c)
	stream := logdb.StreamID{Journal: c.journals(t, logdb.KindHistorical)[0], Policy: "1"}
	if n, err := c.store.Forget(t.Context(), "cloud-4711", logdb.KindHistorical, stream, 0, logdb.MaxTime); err != nil || n < 1100 {
		t.Fatalf("%d forgotten, %v", n, err)
	}
	if _, err := middle.sync.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	pages := c.pages
	middle.upload()
	sameNodes(t, b, c)
	if c.pages != pages+1 {
		t.Errorf("%d pages of %d rows", c.pages-pages, 1100)
	}
	if n := len(points(t, c.store, "cloud-4711", "")); n != 1100*len(channels) {
		t.Errorf("%d values, want %d", n, 1100*len(channels))
	}
}

func TestTwoWaysAreOneRecord(t *testing.T) {
	t.Parallel()
	b, c := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), b)
	s.second("direct", c)
	s.fill()
	s.upload()
	middle := relay(t, b, c)
	middle.upload() // first through the other cloud
	if err := s.both("direct"); err != nil {
		t.Fatal(err)
	}
	s.rows(0, every(15*time.Second, start+600*15_000, 80)...)
	if err := s.both("direct"); err != nil { // now first directly
		t.Fatal(err)
	}
	s.upload()
	middle.upload()
	sameNodes(t, b, c)
	if n := len(c.journals(t, logdb.KindHistorical)); n != 1 {
		t.Errorf("%d journals", n)
	}
}

func TestLoopEnds(t *testing.T) {
	t.Parallel()
	a, b := newFakeCloud(), newFakeCloud()
	s := newSite(t, a.store, b) // a site that is also a cloud
	s.fill()
	s.upload()
	back := relay(t, b, a)
	back.cloud.known["cloud-4711"] = true
	a.store = s.logs
	a.name = meter // at the site the meter has another UID
	back.upload()
	if a.pages != 0 {
		t.Errorf("%d pages of its own journal were sent back to a node", a.pages)
	}
	pages := b.pages
	s.restart()
	s.upload()
	if b.pages != pages {
		t.Errorf("%d pages went round", b.pages-pages)
	}
}

func TestCredentialJournalIsPassedOn(t *testing.T) {
	t.Parallel()
	b, c := newFakeCloud(), newFakeCloud()
	middle := relay(t, b, c)
	push := func(n int) {
		t.Helper()
		page := logdb.Page{Meter: "cloud-4711", Kind: logdb.KindHistorical, Source: "key-7", Rows: []logdb.History{{
			Channels: channels[:1], Times: every(time.Minute, start, n), Columns: [][]float64{make([]float64, n)},
		}}}
		if _, err := b.store.Accept(t.Context(), page, b.limits); err != nil {
			t.Fatal(err)
		}
	}
	push(10)
	middle.upload()
	push(20) // ten are repeats
	middle.restart()
	middle.upload()
	sameNodes(t, b, c)
	if n := len(points(t, c.store, "cloud-4711", "")); n != 20 {
		t.Errorf("%d values, want 20", n)
	}
}

func TestContradictionIsReportedNotSent(t *testing.T) {
	t.Parallel()
	b, c := newFakeCloud(), newFakeCloud()
	id := func() logdb.JournalID { return "11111111111111111111111111111111" }
	for i, f := range []*fakeCloud{b, c} {
		s := newSite(t, logdbtest.NewModel(logdbtest.Config{NewJournalID: id}), f)
		s.settings(time.Minute)
		s.rows(0, every(time.Minute, start+logdb.Millis(i), 10)...) // not the same
		s.upload()
	}
	middle := relay(t, b, c)
	pages := c.pages
	for range 3 {
		middle.upload()
	}
	status, err := middle.sync.Status(t.Context())
	if err != nil || len(status.Meters[0].Relayed) != 1 || len(status.Meters[0].Relayed[0].Conflicts) != 1 || status.Meters[0].LastError == "" {
		t.Errorf("status: %+v, %v", status.Meters, err)
	}
	if c.pages != pages {
		t.Error("a stream that contradicts the receiver's was sent")
	}
	if status.Meters[0].State == "parked" {
		t.Error("one stream that is in conflict stops the others")
	}
}

func TestOwnOnly(t *testing.T) {
	t.Parallel()
	b, c := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), b)
	s.fill()
	s.upload()
	middle := relay(t, b, c)
	if err := middle.sync.Set(t.Context(), cloudsync.SettingReceived, "false"); err != nil {
		t.Fatal(err)
	}
	middle.upload()
	if c.pages != 0 {
		t.Error("a node that keeps what it received passed it on")
	}
}

func TestVerifyAtRelay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		do      func(s, middle *site, b, c *fakeCloud)
		clean   bool
		pending int64
		want    string // in the reasons
		at      logdb.Position
	}{
		{"all there", func(*site, *site, *fakeCloud, *fakeCloud) {}, true, 0, "", 0},
		{"not passed on yet", func(s, _ *site, _, _ *fakeCloud) {
			s.rows(0, every(time.Minute, start+logdb.DayMillis, 5)...)
			s.restart()
			s.upload()
		}, false, 5, "", 0},
		{"lost at the next cloud", func(_, _ *site, _, c *fakeCloud) {
			c.store = &tampered{Store: c.store, lost: map[logdb.Position]bool{42: true}}
		}, false, 0, "the cloud has lost", 0},
		{"lost at the next cloud with its claim", func(_, _ *site, _, c *fakeCloud) {
			c.store = &tampered{Store: c.store, lost: map[logdb.Position]bool{42: true}, claims: true}
		}, false, 0, "values differ", 42},
		{"lost here", func(_, middle *site, b, _ *fakeCloud) {
			middle.logs = &tampered{Store: b.store, lost: map[logdb.Position]bool{42: true}}
			middle.restart()
		}, false, 0, "this node has lost", 0},
		{"the next cloud knows more by another way", func(s, _ *site, _, c *fakeCloud) {
			s.rows(0, every(time.Minute, start+100*60_000, 5)...)
			s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpWithdraw, Target: 7, Time: start})
			s.restart()
			s.second("direct", c)
			if err := s.both("direct"); err != nil {
				t.Fatal(err)
			}
		}, true, 0, "by another way", 0},
		{"the next cloud is emptied", func(_, _ *site, _, c *fakeCloud) { c.store = logdbtest.NewModel(logdbtest.Config{}) }, false, 100, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, c := newFakeCloud(), newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), b)
			s.settings(time.Minute)
			s.rows(0, every(time.Minute, start, 100)...)
			s.upload()
			middle := relay(t, b, c)
			middle.upload()
			tt.do(s, middle, b, c)
			r := middle.verify()
			if r.Clean() != tt.clean || r.Pending != tt.pending || tt.clean && r.Compared < 90 {
				t.Fatalf("clean %v, %d compared, %d pending: %+v", r.Clean(), r.Compared, r.Pending, r.Days)
			}
			found := tt.want == ""
			for _, d := range r.Days {
				if strings.Contains(d.Reason, tt.want) && (tt.at == 0 || len(d.Positions) == 1 && d.Positions[0].First == tt.at) {
					found = true
				}
			}
			if !found {
				t.Errorf("no reason says %q: %+v", tt.want, r.Days)
			}
		})
	}
}
