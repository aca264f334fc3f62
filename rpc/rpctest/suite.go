package rpctest

import (
	"math"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// Suite is what every node must do for a client: the same calls with the same answers, whether the node reads meters
// itself, is a cloud, or stands between two.
type Suite struct {
	URL, User, Password string
	// Serial of the meter that the suite registers: another one for each run against the same node.
	Serial string

	c      *client.Client
	meter  logdb.MeterUID
	stream map[logdb.Kind]logdb.StreamID
}

// suiteDay is the first day of the data that the suite uploads, a Monday.
const suiteDay = logdb.Millis(1_767_571_200_000)

// Run runs the suite as tests of t, in order.
func (s *Suite) Run(t *testing.T) {
	t.Helper()
	c, err := client.New(s.URL, client.Config{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.c, s.stream = c, map[logdb.Kind]logdb.StreamID{}
	for _, part := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"login", s.login}, {"register", s.register}, {"upload", s.upload}, {"sets", s.sets}, {"raw", s.raw}, {"aggregated", s.aggregated},
		{"events", s.events}, {"recording", s.recording}, {"digests", s.digests}, {"limit counts", s.limitCounts}, {"realtime", s.realtime},
		{"commands", s.commands}, {"keys", s.keys}, {"errors", s.errors}, {"logout", s.logout},
	} {
		if !t.Run(part.name, part.do) {
			return // what follows needs it
		}
	}
}

// fails reports an error that is not of the code.
func fails(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); err == nil || got != code {
		t.Errorf("%s: %v, want code %s", what, err, code)
	}
}

func (s *Suite) login(t *testing.T) {
	ctx := t.Context()
	if err := s.c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if v, err := s.c.Version(ctx); err != nil || v.Program != "metermanager" {
		t.Errorf("version: %+v, %v", v, err)
	}
	_, err := s.c.Meters(ctx)
	fails(t, "meters without a login", err, fault.Unauthenticated)
	_, err = s.c.Login(ctx, api.LoginRequest{User: s.User, Password: s.Password + "x"})
	fails(t, "a wrong password", err, fault.Unauthenticated)
	if _, err := s.c.Login(ctx, api.LoginRequest{User: s.User, Password: s.Password}); err != nil {
		t.Fatal(err)
	}
	u, err := s.c.User(ctx)
	if err != nil || u.User != s.User || !u.Permissions.Has(permission.Upload) {
		t.Errorf("user: %+v, %v", u, err)
	}
}

func (s *Suite) register(t *testing.T) {
	ctx := t.Context()
	q := api.RegisterRequest{Settings: logdb.Settings{Name: "suite " + s.Serial, Make: "Acme", Serial: s.Serial, Zone: "UTC", LogIntervalsMillis: []int64{900_000}}}
	a, err := s.c.Register(ctx, q)
	if err != nil || a.Registered != api.RegisteredNew || a.MeterUID == "" {
		t.Fatalf("register: %+v, %v", a, err)
	}
	s.meter = a.MeterUID
	b, err := s.c.Register(ctx, q)
	if err != nil || b.Registered != api.RegisteredKnown || b.MeterUID != s.meter {
		t.Errorf("register again: %+v, %v", b, err)
	}
	q.Make = ""
	_, err = s.c.Register(ctx, q)
	fails(t, "register without a make", err, fault.Invalid)
	m, err := s.c.Meter(ctx, s.meter)
	if err != nil || m.Settings.Serial != s.Serial || !m.Enabled {
		t.Errorf("meter: %+v, %v", m, err)
	}
	s.settings(t, m.Settings)
	list, err := s.c.Meters(ctx)
	if err != nil || !slices.ContainsFunc(list, func(m api.Meter) bool { return m.UID == s.meter }) {
		t.Errorf("meters: %+v, %v", list, err)
	}
}

// settings changes the settings of the meter and changes them back: what comes once more, late, undoes nothing.
func (s *Suite) settings(t *testing.T, first logdb.Settings) {
	ctx := t.Context()
	version := first.Version
	put := func(zone string) (logdb.Settings, error) {
		now := first
		now.Zone, now.Version = zone, version
		err := s.c.PutSettings(ctx, s.meter, now)
		m, merr := s.c.Meter(ctx, s.meter)
		if merr != nil {
			t.Fatal(merr)
		}
		return m.Settings, err
	}
	other, err := put("Asia/Kathmandu")
	if err != nil || other.Zone != "Asia/Kathmandu" || version == "" || other.Version == version {
		t.Fatalf("other settings: %+v, %v; before they had version %q", other, err, version)
	}
	version = other.Version
	if back, err := put(first.Zone); err != nil || back.Zone != first.Zone || back.Version == version || back.Version == first.Version {
		t.Fatalf("the first settings again: %+v, %v", back, err)
	}
	for _, late := range []string{first.Version, other.Version} {
		version = late
		now, err := put("Asia/Kathmandu")
		fails(t, "settings of who saw version "+late, err, fault.Stale)
		if now.Zone != first.Zone {
			t.Errorf("they changed the zone to %s", now.Zone)
		}
	}
	version = ""
	if now, err := put(first.Zone); err != nil || now.Zone != first.Zone || now.Version == "" {
		t.Errorf("settings of who names no version: %+v, %v", now, err)
	}
}

var suiteChannels = []logdb.ChannelKey{"readings.voltage.an", "energy.interval.wh.received"}

// pages are what the suite uploads: three days of rows, and records of every other kind.
func (s *Suite) pages() map[logdb.Kind]*logdb.Page {
	h := logdb.History{Channels: suiteChannels, Columns: make([][]float64, 2)}
	for i := range 3 * 96 {
		h.Times = append(h.Times, suiteDay+logdb.Millis(i+1)*900_000)
		h.Columns[0] = append(h.Columns[0], 230+float64(i%96)/8)
		h.Columns[1] = append(h.Columns[1], float64(i%10))
	}
	h.Columns[0][5] = math.NaN()
	out := map[logdb.Kind]*logdb.Page{}
	for _, kind := range logdb.Kinds {
		out[kind] = &logdb.Page{Meter: s.meter, Kind: kind}
	}
	out[logdb.KindHistorical].Rows = []logdb.History{h}
	add := func(kind logdb.Kind, e logdb.Entry) {
		e.Op = logdb.OpAdd
		out[kind].Entries = append(out[kind].Entries, e)
	}
	for i := range 3 {
		at := suiteDay + logdb.Millis(i)*3_600_000
		add(logdb.KindSystem, logdb.Entry{Time: at, System: &logdb.SystemEvent{Type: logdb.SystemType(i + 1), Code: int64(i), Description: "suite"}})
		add(logdb.KindLimit, logdb.Entry{Time: at, Excursion: &logdb.Excursion{DurationSeconds: 2, Channel: suiteChannels[0], Worst: 260, WorstPercent: 113, Threshold: 110, LimitID: int64(i + 1)}})
	}
	for i := range 250 { // the cloud's rule: 200 a day
		add(logdb.KindPQ, logdb.Entry{Time: suiteDay + logdb.Millis(i)*300_000, Excursion: &logdb.Excursion{
			DurationSeconds: 0.1, Channel: suiteChannels[0], Worst: float64(i), WorstPercent: 70, Threshold: 90,
		}})
	}
	samples := make([]float64, 512)
	for i := range samples {
		samples[i] = math.Round(325 * math.Sin(float64(i)/8))
	}
	add(logdb.KindWaveform, logdb.Entry{Time: suiteDay + 60_000, Waveform: &logdb.Waveform{
		End: suiteDay + 60_512, SampleIntervalMillis: 1, TriggerTime: suiteDay + 60_100, FrequencyHz: 50,
		Triggers: []string{"Van=Sag_start"}, Channels: []logdb.WaveChannel{{Name: "Van_Vab", Samples: samples}},
	}})
	return out
}

// suiteCounts is what is stored and skipped of each kind.
var suiteCounts = map[logdb.Kind][2]int{
	logdb.KindHistorical: {288, 0}, logdb.KindWaveform: {1, 0}, logdb.KindSystem: {3, 0}, logdb.KindLimit: {3, 0}, logdb.KindPQ: {200, 50},
}

func (s *Suite) upload(t *testing.T) {
	for kind, page := range s.pages() {
		want := suiteCounts[kind]
		a, err := s.c.PushPage(t.Context(), page)
		if err != nil || a.Stored != want[0] || a.Skipped != want[1] {
			t.Errorf("%s: %+v, %v; want %v", kind, a, err, want)
		}
		a, err = s.c.PushPage(t.Context(), page)
		if err != nil || a.Stored != 0 || a.Repeats != want[0]+want[1] {
			t.Errorf("%s again: %+v, %v; want only repeats", kind, a, err)
		}
	}
}

func (s *Suite) sets(t *testing.T) {
	for kind, want := range suiteCounts {
		states, err := s.c.Streams(t.Context(), s.meter, kind)
		if err != nil || len(states) != 1 {
			t.Fatalf("%s: %+v, %v", kind, states, err)
		}
		st := states[0]
		if st.Own || st.Fates.Count(logdb.FateStored) != want[0] || st.Fates.Count(logdb.FateSkipped) != want[1] || st.Fates.Len() != want[0]+want[1] {
			t.Errorf("%s: %+v, want %v", kind, st.Fates.Ranges(), want)
		}
		s.stream[kind] = st.Stream
		most := logdb.Position(logdb.MarksMost)
		if kind == logdb.KindWaveform {
			most = logdb.MarkedRecordingsMax
		}
		marks, err := s.c.Marks(t.Context(), s.meter, kind, st.Stream.Journal, 1, min(st.Fates.Highest(), most))
		for p := logdb.Position(1); p <= min(st.Fates.Highest(), most); p++ {
			f, _ := st.Fates.At(p)
			if _, marked := marks[p]; err != nil || marked != (f.Fate == logdb.FateStored) {
				t.Fatalf("%s: position %d is %s, marked %v, %v", kind, p, f.Fate, marked, err)
			}
		}
		_, err = s.c.Marks(t.Context(), s.meter, kind, st.Stream.Journal, 1, most+1)
		fails(t, "too many marks at once", err, fault.Invalid)
		_, err = s.c.PushPage(t.Context(), &logdb.Page{Meter: s.meter, Kind: kind, Stream: st.Stream, JournalEnd: st.JournalEnd + 1, Seen: &logdb.End{Position: st.JournalEnd + 2}})
		fails(t, "a page whose sender saw another end of the journal", err, fault.Stale)
	}
}

func (s *Suite) raw(t *testing.T) {
	rows, cursor := 0, ""
	for {
		a, err := s.c.HistoryPages(t.Context(), s.meter, api.HistoryQuery{Stream: s.stream[logdb.KindHistorical], Limit: 100, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for i := range a.Pages {
			p := &a.Pages[i]
			if err := p.Check(); err != nil {
				t.Errorf("a raw page cannot be replayed: %v", err)
			}
			for _, h := range p.Rows {
				rows += h.Len()
			}
			p.Meter = s.meter
			if u, err := s.c.PushPage(t.Context(), p); err != nil || u.Stored != 0 {
				t.Errorf("replayed into the same node: %+v, %v", u, err)
			}
		}
		if cursor = a.Next; cursor == "" {
			break
		}
	}
	if rows != 288 {
		t.Errorf("%d raw rows, want 288", rows)
	}
	h, err := s.c.History(t.Context(), s.meter, api.HistoryQuery{Channels: suiteChannels[:1], From: suiteDay, To: suiteDay + logdb.DayMillis})
	if err != nil || len(h.Times) < 94 || len(h.Columns) != 1 {
		t.Errorf("values: %d rows of %d columns, %v", len(h.Times), len(h.Columns), err)
	}
	ch, err := s.c.Channels(t.Context(), s.meter)
	if err != nil || len(ch.Channels) != 2 {
		t.Errorf("channels: %+v, %v", ch, err)
	}
}

func (s *Suite) aggregated(t *testing.T) {
	h, err := s.c.History(t.Context(), s.meter, api.HistoryQuery{Channels: suiteChannels[1:], From: suiteDay, To: suiteDay + 3*logdb.DayMillis, Interval: "1d", Aggs: []string{"sum"}, Zone: "utc"})
	if err != nil || len(h.Times) != 3 || len(h.Values) == 0 {
		t.Fatalf("days: %+v, %v", h, err)
	}
	total, want := 0.0, 0.0
	for _, values := range h.Values {
		for _, v := range values {
			total += v
		}
	}
	for _, v := range s.pages()[logdb.KindHistorical].Rows[0].Columns[1] {
		want += v
	}
	if total != want {
		t.Errorf("the sum of the days is %v, want %v", total, want)
	}
}

func (s *Suite) events(t *testing.T) {
	for kind, want := range suiteCounts {
		if kind == logdb.KindHistorical {
			continue
		}
		n, cursor := 0, ""
		for {
			a, err := s.c.Events(t.Context(), s.meter, api.EventsQuery{Kind: kind, Limit: 70, Cursor: cursor})
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			n += len(a.Events)
			if cursor = a.Next; cursor == "" {
				break
			}
		}
		if n != want[0] {
			t.Errorf("%s: %d, want %d", kind, n, want[0])
		}
	}
	a, err := s.c.Events(t.Context(), s.meter, api.EventsQuery{Kind: logdb.KindLimit, LimitIDs: []int64{2}})
	if err != nil || len(a.Events) != 1 {
		t.Errorf("limit 2: %d, %v", len(a.Events), err)
	}
	counts, err := s.c.EventCounts(t.Context(), s.meter, api.RangeQuery{From: suiteDay, To: suiteDay + logdb.DayMillis})
	if err != nil || !slices.ContainsFunc(counts, func(c api.EventCount) bool { return c.Kind == "pq" && c.Count == 200 }) {
		t.Errorf("event counts: %+v, %v", counts, err)
	}
}

func (s *Suite) recording(t *testing.T) {
	want := s.pages()[logdb.KindWaveform].Entries[0]
	e, err := s.c.Recording(t.Context(), s.meter, api.RecordingID{Position: 1, Stream: s.stream[logdb.KindWaveform]})
	if err != nil || e.Waveform == nil || !slices.Equal(e.Waveform.Channels[0].Samples, want.Waveform.Channels[0].Samples) {
		t.Errorf("recording: %+v, %v", e, err)
	}
	_, err = s.c.Recording(t.Context(), s.meter, api.RecordingID{Position: 77, Stream: s.stream[logdb.KindWaveform]})
	fails(t, "a recording that is not there", err, fault.NotFound)
}

func (s *Suite) digests(t *testing.T) {
	for kind, id := range s.stream {
		days, err := s.c.Digests(t.Context(), s.meter, kind, id)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		n := int64(0)
		for _, d := range days {
			if d.Data != d.Claim || !d.Full {
				t.Errorf("%s: %+v", kind, d)
			}
			n += d.Data.Count
		}
		want := int64(suiteCounts[kind][0])
		if kind == logdb.KindHistorical {
			want = 2*want - 1 // one value is absent
		}
		if n != want {
			t.Errorf("%s: digests of %d, want %d", kind, n, want)
		}
	}
}

func (s *Suite) limitCounts(t *testing.T) {
	counts, err := s.c.LimitCounts(t.Context(), s.meter, api.RangeQuery{From: suiteDay, To: suiteDay + 2*logdb.DayMillis})
	n := 0
	for _, c := range counts {
		if c.Kind == "pq" && c.Fate == "skipped" {
			n += c.Count
		}
	}
	if err != nil || n != 50 {
		t.Errorf("%d skipped, want 50: %+v, %v", n, counts, err)
	}
}
