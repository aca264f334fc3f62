package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// desk is a fake cloud that keeps requests.
type desk struct {
	*fakeCloud
	requests []api.FetchRequest
}

func (d *desk) OpenRequests(context.Context) (out []api.FetchRequest, err error) {
	err = d.call("requests", func() error {
		for _, r := range d.requests {
			if r.Open() {
				out = append(out, r)
			}
		}
		return nil
	})
	return out, err
}

func (d *desk) ReportRequest(_ context.Context, _ logdb.MeterUID, id string, report api.FetchReport) error {
	return d.call("report", func() error {
		for i := range d.requests {
			if d.requests[i].ID == id {
				d.requests[i].State, d.requests[i].Cannot = report.State, report.Cannot
			}
		}
		return nil
	})
}

// request makes a request as a cloud does: for what its sets say is not there.
func (d *desk) request(t testing.TB, kind logdb.Kind, from, to logdb.Millis, what ...string) {
	t.Helper()
	states, err := d.store.Streams(t.Context(), "cloud-4711", kind)
	if err != nil {
		t.Fatal(err)
	}
	r := api.FetchRequest{
		ID: fmt.Sprint("r", len(d.requests)+1), MeterUID: "cloud-4711", Kind: kind.String(), From: from, To: to, What: what, State: api.FetchQueued,
	}
	for _, st := range states {
		r.Journal = string(st.Stream.Journal)
		var set logdb.FateSet
		for _, f := range st.Fates.Ranges() {
			if f.Fate == logdb.FateStored && slices.Contains(what, api.FetchFull) || f.Fate == logdb.FateSkipped || f.Fate == logdb.FateReduced {
				set.Put(f)
			}
		}
		r.Streams = append(r.Streams, api.FetchWanted{Stream: st.Stream.String(), Positions: set.Ranges()})
	}
	d.requests = append(d.requests, r)
}

// calm ends an interruption.
func (d *desk) calm(t testing.TB) {
	t.Helper()
	d.before, d.after, d.hold = nil, nil, false
	for _, p := range d.held {
		if _, err := d.store.Accept(t.Context(), p, d.limits); err != nil {
			t.Fatal(err)
		}
	}
	d.held = nil
}

func (d *desk) open() int {
	n := 0
	for _, r := range d.requests {
		if r.Open() {
			n++
		}
	}
	return n
}

// newDesk is a site whose cloud keeps requests.
func newDesk(t *testing.T) (*site, *desk) { return newDeskOf(t, modelLogs) }

func newDeskOf(t *testing.T, logs func(testing.TB) logdb.Store) (*site, *desk) {
	t.Helper()
	d := &desk{fakeCloud: newFakeCloud()}
	d.store = logs(t)
	s := newSite(t, logs(t), d.fakeCloud)
	s.others = map[string]cloudsync.Cloud{"cloud.example.net": d}
	s.restart()
	return s, d
}

// fetch asks for requests until none is open, through whatever the network does.
func (s *site) fetch(d *desk) {
	s.t.Helper()
	for range 100 {
		if d.open() == 0 {
			return
		}
		_, err := s.sync.Fetch(s.t.Context())
		if errors.Is(err, runner.ErrStopped) || errors.Is(err, context.Canceled) {
			s.restart()
		} else if err != nil && !errors.Is(err, fault.Unavailable) {
			s.t.Fatalf("fetch: %v", err)
		}
	}
	s.t.Fatalf("the requests do not come to an end: %+v", d.requests)
}

func sag(i int) logdb.Entry {
	return logdb.Entry{Op: logdb.OpAdd, Time: start.Day() + logdb.Millis(i)*300_000, Excursion: &logdb.Excursion{
		DurationSeconds: 0.1, Channel: "readings.voltage.an", Worst: float64(i), WorstPercent: 70, Threshold: 90,
	}}
}

func captured(i, samples int) logdb.Entry {
	at := start.Day() + logdb.Millis(i)*300_000
	w := &logdb.Waveform{End: at + logdb.Millis(samples), SampleIntervalMillis: 1, TriggerTime: at + 30, FrequencyHz: 50, Triggers: []string{"Van=Sag_start"}}
	c := logdb.WaveChannel{Name: "Van_Vab"}
	for k := range samples {
		c.Samples = append(c.Samples, float64(i*10+k%9))
	}
	w.Channels = []logdb.WaveChannel{c}
	return logdb.Entry{Op: logdb.OpAdd, Time: at, Waveform: w}
}

// contents lists the digests of all live records of a kind, recordings with their samples.
func contents(t testing.TB, store logdb.Store, uid logdb.MeterUID, kind logdb.Kind) []string {
	t.Helper()
	var out []string
	err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: kind}, func(s logdb.StreamID, e *logdb.Entry) error {
		full := *e
		if kind == logdb.KindWaveform {
			p := e.Position
			if e.Target != 0 {
				p = e.Target
			}
			var err error
			if full, err = store.Recording(t.Context(), uid, s, p); err != nil {
				return err
			}
		}
		out = append(out, full.ContentDigest().String())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// interruptions play a scenario once for every call to the cloud, which is lost, answered into the void, or the
// last thing that the node does before it is killed.
func interruptions(t *testing.T, play func(t *testing.T, interrupt func(s *site, d *desk))) {
	calls := 7
	if testing.Short() {
		calls = 3
	}
	for _, how := range []string{"lost", "unanswered", "killed", "killed and unanswered", "held in a bus"} {
		for n := range calls {
			t.Run(fmt.Sprintf("%s at call %d", how, n), func(t *testing.T) {
				t.Parallel()
				play(t, func(s *site, d *desk) {
					calls := 0
					at := func(do func() error) func(string) error {
						return func(string) error {
							if calls++; calls == n+1 {
								return do()
							}
							return nil
						}
					}
					lost := func() error { return fault.New(fault.Unavailable, "lost") }
					switch how {
					case "lost":
						d.before = at(lost)
					case "unanswered":
						d.after = at(lost)
					case "killed":
						d.before = at(func() error { s.kill(); return lost() })
					case "killed and unanswered":
						d.after = at(func() error { s.kill(); return lost() })
					case "held in a bus":
						d.before = at(func() error { d.hold = true; return nil })
						d.after = func(call string) error {
							if call == "streams" && d.hold {
								d.hold = false
								for _, p := range d.held {
									if _, err := d.store.Accept(t.Context(), p, d.limits); err != nil {
										return err
									}
								}
								d.held = nil
							}
							return nil
						}
					}
				})
			})
		}
	}
}

// B3: 250 sags in a day. The cloud has 200 and knows that 50 were skipped; a request brings them, once, whatever is lost
// on the way.
func TestFetchSkippedEvents(t *testing.T) {
	t.Parallel()
	interruptions(t, func(t *testing.T, interrupt func(*site, *desk)) {
		s, d := newDesk(t)
		s.settings(time.Minute)
		var events []logdb.Entry
		for i := range 250 {
			events = append(events, sag(i))
		}
		s.entries(logdb.KindPQ, events...)
		later := sag(240)
		later.Op, later.Target, later.Excursion.DurationSeconds = logdb.OpRevise, 241, 7
		s.entries(logdb.KindPQ, later)
		s.upload()
		if n := len(contents(t, d.store, "cloud-4711", logdb.KindPQ)); n != 200 {
			t.Fatalf("%d sags at the cloud, want 200", n)
		}
		if r := s.verify(); !r.Clean() || r.Skipped != 51 {
			t.Fatalf("verify before: %+v", r)
		}
		d.request(t, logdb.KindPQ, start.Day()+225*300_000, 0, api.FetchSkipped)
		interrupt(s, d)
		s.fetch(d)
		d.calm(t)
		s.upload()
		if n := len(contents(t, d.store, "cloud-4711", logdb.KindPQ)); n != 225 {
			t.Errorf("%d sags after the first request, want 225", n)
		}
		d.request(t, logdb.KindPQ, 0, 0, api.FetchSkipped)
		d.request(t, logdb.KindPQ, 0, 0, api.FetchSkipped) // twice is once
		s.fetch(d)
		s.upload()
		same(t, "sags", contents(t, d.store, "cloud-4711", logdb.KindPQ), contents(t, s.logs, meter, logdb.KindPQ))
		if r := s.verify(); !r.Clean() || r.Skipped != 0 || r.Compared != 250 {
			t.Errorf("verify after: %+v", r)
		}
	})
}

// aged is a store that let go of the values of rows at some positions.
type aged struct {
	logdb.Store
	gone func(logdb.Position) bool
}

func (a *aged) ReadStream(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, first logdb.Position, max int) (logdb.Page, error) {
	var out []logdb.Entry
	for {
		p, err := a.Store.ReadStream(ctx, uid, kind, stream, first, max)
		if n := len(p.Entries); err != nil || n == 0 || len(out) >= max {
			p.Entries = out
			return p, err
		}
		for _, e := range p.Entries {
			if first = e.Position + 1; len(out) < max && !(e.Op == logdb.OpAdd && a.gone(e.Position)) {
				out = append(out, e)
			}
		}
	}
}

// Rows that were fetched, and let go of here since, cannot be sent again to a receiver that was emptied: it is told so, and no upload
// begins again and again for their sake.
func TestFetchedRowsThatAreGone(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 80)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start + 60*60_000})
	s.upload()
	d.request(t, logdb.KindHistorical, start, start+10*60_000, api.FetchReduced)
	s.fetch(d)
	s.upload()
	if n := len(points(t, d.store, "cloud-4711", "")) / len(channels); n <= 20 {
		t.Fatalf("%d rows at the cloud, want that the rows of some minutes came", n)
	}
	s.logs = &aged{s.logs, func(p logdb.Position) bool { return p <= 24 }}
	d.store = logdbtest.NewModel(logdbtest.Config{})
	s.restart()
	if _, err := s.sync.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.upload()
	states, err := d.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical)
	if err != nil || len(states) != 1 {
		t.Fatalf("%d streams, %v", len(states), err)
	}
	for p := logdb.Position(1); p <= 80; p++ {
		f, ok := states[0].Fates.At(p)
		if gone := p <= 24; !ok || gone != (f.Fate == logdb.FateNotChosen) {
			t.Errorf("position %d: %+v", p, f)
		}
	}
	if r := s.verify(); r.Different != 0 || r.Pending != 0 {
		t.Errorf("verify: %+v", r)
	}
}

// The rows of a combined one come with all of them or not at all, and their sum stays.
func TestFetchReducedRows(t *testing.T) {
	t.Parallel()
	interruptions(t, func(t *testing.T, interrupt func(*site, *desk)) {
		s, d := newDesk(t)
		s.cfg.PageBytes = 2000
		s.restart()
		s.settings(15 * time.Second)
		s.rows(0, every(15*time.Second, start+15_000, 38)...)
		h := logdb.Entry{Op: logdb.OpRevise, Target: 38, Time: start + 38*15_000, Row: &logdb.Row{Channels: channels, Values: []float64{1, 2, 3, 4}}}
		s.entries(logdb.KindHistorical, h) // the minute is open: part of the combined row
		s.rows(0, every(15*time.Second, start+15_000+38*15_000, 42)...)
		s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start + 60*60_000})
		s.upload()
		if r := s.verify(); !r.Clean() {
			t.Fatalf("verify before: %+v", r)
		}
		if n := len(points(t, d.store, "cloud-4711", "")) / len(channels); n != 20 {
			t.Fatalf("%d minutes at the cloud, want 20", n)
		}
		d.request(t, logdb.KindHistorical, start+4*60_000, start+6*60_000, api.FetchReduced)
		interrupt(s, d)
		s.fetch(d)
		d.calm(t)
		s.upload()
		if r := s.verify(); !r.Clean() {
			t.Errorf("verify between: %+v", r)
		}
		d.request(t, logdb.KindHistorical, 0, 0, api.FetchReduced)
		s.fetch(d)
		s.upload()
		same(t, "values", points(t, d.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
		// A late row changes what is there, and nothing doubles.
		s.rows(0, start+5*60_000+7_000)
		s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpRevise, Target: 3, Time: start + 45_000, Row: &logdb.Row{Channels: channels, Values: []float64{5, 6, 7, 8}}})
		s.upload()
		energy := func(store logdb.Store, uid logdb.MeterUID) (sum float64) {
			for _, p := range points(t, store, uid, "") {
				if p.channel == "energy.interval.wh.received" {
					sum += p.value
				}
			}
			return sum
		}
		if a, b := energy(d.store, "cloud-4711"), energy(s.logs, meter); math.Abs(a-b) > 1e-6 {
			t.Errorf("energy %v at the cloud, %v at the site", a, b)
		}
		if r := s.verify(); !r.Clean() {
			t.Errorf("verify after: %+v", r)
		}
	})
}

// A late row travels as a change of the combined one: the rows of that cannot be told apart any more there.
func TestChangedRowsAreNotFetched(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 80)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start + 60*60_000})
	s.rows(0, start+5*60_000+7_000)
	s.upload()
	d.request(t, logdb.KindHistorical, 0, 0, api.FetchReduced)
	s.fetch(d)
	s.upload()
	if c := d.requests[0].Cannot; len(c) != 1 || c[0].Count != 3 {
		t.Errorf("cannot be sent: %+v, want the 3 rows of one minute", c)
	}
	if n := len(points(t, d.store, "cloud-4711", "")) / len(channels); n != 77 {
		t.Errorf("%d rows at the cloud, want 76 and a changed minute", n)
	}
	if r := s.verify(); !r.Clean() {
		t.Errorf("verify: %+v", r)
	}
}

func TestFetchFullRecordings(t *testing.T) {
	t.Parallel()
	interruptions(t, func(t *testing.T, interrupt func(*site, *desk)) {
		s, d := newDesk(t)
		s.settings(time.Minute)
		var list []logdb.Entry
		for i := range 60 {
			list = append(list, captured(i, 100+i%2*3000))
		}
		s.entries(logdb.KindWaveform, list...)
		s.upload()
		if n := len(contents(t, d.store, "cloud-4711", logdb.KindWaveform)); n != 50 {
			t.Fatalf("%d recordings at the cloud, want 50", n)
		}
		if r := s.verify(); !r.Clean() || r.Skipped != 10 {
			t.Fatalf("verify before: %+v", r)
		}
		d.request(t, logdb.KindWaveform, 0, start.Day()+30*300_000, api.FetchFull)
		interrupt(s, d)
		s.fetch(d)
		d.calm(t)
		s.upload()
		if r := s.verify(); !r.Clean() || r.Skipped != 10 {
			t.Errorf("verify between: %+v", r)
		}
		d.request(t, logdb.KindWaveform, 0, 0, api.FetchFull, api.FetchSkipped)
		s.fetch(d)
		s.upload()
		same(t, "recordings", contents(t, d.store, "cloud-4711", logdb.KindWaveform), contents(t, s.logs, meter, logdb.KindWaveform))
		if r := s.verify(); !r.Clean() || r.Skipped != 0 || r.Compared != 60 {
			t.Errorf("verify after: %+v", r)
		}
		// A receiver that was emptied gets all of it again, as it was.
		d.store = logdbtest.NewModel(logdbtest.Config{})
		if _, err := s.sync.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.upload()
		same(t, "recordings again", contents(t, d.store, "cloud-4711", logdb.KindWaveform), contents(t, s.logs, meter, logdb.KindWaveform))
		if r := s.verify(); !r.Clean() {
			t.Errorf("verify of the emptied receiver: %+v", r)
		}
	})
}

// What the receiver's own limits refuse can be fetched like what the sender skipped.
func TestFetchWhatTheReceiverRefused(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	s.settings(time.Minute)
	d.limits.PQ = []logdb.Window{{Name: "day", Millis: logdb.DayMillis, Max: 3}}
	s.entries(logdb.KindPQ, sag(1), sag(2), sag(3), sag(4), sag(5))
	s.upload()
	if r := s.verify(); !r.Clean() || r.Skipped != 2 {
		t.Fatalf("verify before: %+v", r)
	}
	d.request(t, logdb.KindPQ, 0, 0, api.FetchSkipped)
	s.fetch(d)
	s.upload()
	same(t, "sags", contents(t, d.store, "cloud-4711", logdb.KindPQ), contents(t, s.logs, meter, logdb.KindPQ))
	if r := s.verify(); !r.Clean() || r.Skipped != 0 || r.Compared != 5 {
		t.Errorf("verify after: %+v", r)
	}
}

// What no page can hold is said so; a recording that is skipped comes shortened then.
func TestFetchWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	s.settings(time.Minute)
	var list []logdb.Entry
	for i := range 55 {
		list = append(list, captured(i, 3000))
	}
	s.entries(logdb.KindWaveform, list...)
	s.upload()
	d.maxSamples = 2500
	d.request(t, logdb.KindWaveform, 0, 0, api.FetchFull, api.FetchSkipped)
	s.fetch(d)
	s.upload()
	if n := len(contents(t, d.store, "cloud-4711", logdb.KindWaveform)); n != 55 {
		t.Errorf("%d recordings at the cloud, want 55", n)
	}
	n := 0
	for _, c := range d.requests[0].Cannot {
		n += c.Count
	}
	if n != 55 {
		t.Errorf("cannot be sent: %+v, want all 55", d.requests[0].Cannot)
	}
	if r := s.verify(); !r.Clean() || r.Skipped != 0 || r.Compared != 55 {
		t.Errorf("verify: %+v", r)
	}
}

// A change of a combined row of which a part is gone cannot be sent on request either: it is given up, and uploads go on.
func TestFetchedChangeOfARowThatIsGone(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	d.limits.HistoricalIntervalMillis = 15 * 60_000
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 80)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start + 60*60_000})
	s.upload()
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpRevise, Target: 41, Time: start + 41*15_000, Row: &logdb.Row{Channels: channels, Values: []float64{1, 2, 3, 4}}})
	s.upload()
	s.logs = &aged{s.logs, func(p logdb.Position) bool { return p <= 80 && p != 41 }}
	s.restart()
	d.request(t, logdb.KindHistorical, 0, 0, api.FetchSkipped)
	s.fetch(d)
	if len(d.requests[0].Cannot) == 0 {
		t.Errorf("nothing is said to be gone: %+v", d.requests[0])
	}
	a := s.rows(0, every(15*time.Minute, start+2*3_600_000, 4)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start + 20*60*60_000})
	s.upload()
	states, err := d.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	for p := a.First; p <= a.Last; p++ {
		if f, ok := states[0].Fates.At(p); !ok || f.Fate != logdb.FateStored {
			t.Errorf("position %d, of after the request: %+v", p, f)
		}
	}
}

// A record came along one way, and along another one a cloud that had skipped it tells that its change was skipped: the change is sent.
func TestChangeThatAnotherWaySkipped(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	s.settings(time.Minute)
	s.entries(logdb.KindPQ, sag(1), sag(2))
	s.upload()
	later := sag(1)
	later.Op, later.Target, later.Time = logdb.OpRevise, 1, later.Time+3_600_000
	s.entries(logdb.KindPQ, later)
	states, err := d.store.Streams(t.Context(), "cloud-4711", logdb.KindPQ)
	if err != nil {
		t.Fatal(err)
	}
	head, err := s.logs.Journal(t.Context(), meter, logdb.KindPQ)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.store.Accept(t.Context(), logdb.Page{Meter: "cloud-4711", Kind: logdb.KindPQ, Stream: states[0].Stream, JournalEnd: head.End, Chain: head.Chain, Fates: []logdb.FateRange{
		{First: 3, Last: 3, Fate: logdb.FateSkipped, Reason: "receiver:minute", FirstTime: later.Time, LastTime: later.Time},
	}}, logdb.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.restart()
		s.upload()
	}
	same(t, "sags", contents(t, d.store, "cloud-4711", logdb.KindPQ), contents(t, s.logs, meter, logdb.KindPQ))
	if r := s.verify(); !r.Clean() || r.Skipped != 0 {
		t.Errorf("verify: %+v", r)
	}
}

// A request names the stream under which the cloud had the rows when somebody asked; meanwhile the journal may go on under another name.
func TestRequestUnderAnotherName(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	s.second("b", newFakeCloud())
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 80)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start + 60*60_000})
	send := func() {
		t.Helper()
		for range 3 {
			s.upload()
			if err := s.both("b"); err != nil {
				t.Fatal(err)
			}
		}
	}
	send()
	d.request(t, logdb.KindHistorical, 0, 0, api.FetchReduced)
	asked := d.requests
	before := asked[0].Journal
	d.requests = nil // it is on its way
	if err := s.sync.For("main").Set(t.Context(), cloudsync.SettingChannels, string(channels[0])+","+string(channels[1])); err != nil {
		t.Fatal(err)
	}
	s.restart()
	send()
	d.requests = asked
	s.fetch(d)
	s.upload()
	series, err := d.store.Series(t.Context(), "cloud-4711")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, one := range series {
		if one.Channel == channels[0] && string(one.Stream.Journal) != before {
			rows += int(one.Count)
		}
	}
	if rows != 80 || len(d.requests[0].Cannot) > 0 {
		t.Errorf("%d rows under the name of now, want all 80; cannot %v", rows, d.requests[0].Cannot)
	}
}

// A request for another node's journal is left to that, or kept for it.
func TestRequestsOfOthers(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	s.settings(time.Minute)
	s.entries(logdb.KindPQ, sag(1))
	s.upload()
	d.requests = []api.FetchRequest{
		{ID: "a", MeterUID: "cloud-4711", Kind: "pq", Journal: "ffffffffffffffffffffffffffffffff", State: api.FetchQueued},
		{ID: "b", MeterUID: "another", Kind: "pq", Journal: string(journalID(t, s.logs, logdb.KindPQ)), State: api.FetchQueued},
	}
	var passed []string
	s.cfg.PassOn = func(_ context.Context, uid logdb.MeterUID, r api.FetchRequest) (api.FetchReport, bool, error) {
		passed = append(passed, string(uid)+" "+r.ID)
		return api.FetchReport{}, true, nil
	}
	s.restart()
	if _, err := s.sync.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.open() != 2 || !slices.Equal(passed, []string{"site-1 a"}) {
		t.Errorf("open %+v, passed on %v", d.requests, passed)
	}
}

// An instruction is passed on to the meter's desk and its report passed back; one for a meter that this node reads itself is refused.
func TestInstructionsArePassedOn(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	s.settings(time.Minute)
	s.upload() // registers the meter
	d.requests = []api.FetchRequest{{ID: "a", MeterUID: "cloud-4711", What: []string{api.FetchCommand}, State: api.FetchQueued}}
	answers := []struct {
		report api.FetchReport
		ended  bool
	}{{}, {api.FetchReport{State: api.FetchTaken}, false}, {api.FetchReport{State: api.FetchDone, Result: "so it is"}, true}}
	asked := 0
	s.cfg.Instruct = func(_ context.Context, uid logdb.MeterUID, r api.FetchRequest) (api.FetchReport, bool, error) {
		if uid != "site-1" || r.ID != "a" {
			t.Errorf("passed on %s for %s", r.ID, uid)
		}
		a := answers[min(asked, len(answers)-1)]
		asked++
		return a.report, a.ended, nil
	}
	s.restart()
	for i, want := range []string{api.FetchQueued, api.FetchTaken, api.FetchDone} {
		if _, err := s.sync.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := d.requests[0].State; got != want {
			t.Errorf("after %d questions it is %s, want %s", i+1, got, want)
		}
	}
	d.requests = append(d.requests, api.FetchRequest{ID: "b", MeterUID: "cloud-4711", What: []string{api.FetchSettings}, State: api.FetchQueued})
	s.entries(logdb.KindPQ, sag(1)) // from now on it is read here
	if _, err := s.sync.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := d.requests[1]; r.State != api.FetchFailed || asked != 3 {
		t.Errorf("an instruction for a meter that is read here: %+v, passed on %d times", r, asked)
	}
}
