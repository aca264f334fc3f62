package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

const start = logdb.Millis(1_700_000_040_000) // a full minute

func every(step time.Duration, from logdb.Millis, n int) []logdb.Millis {
	var out []logdb.Millis
	for i := range n {
		out = append(out, from+logdb.Millis(i)*logdb.Millis(step.Milliseconds()))
	}
	return out
}

func TestSlowRowsTravelUnchanged(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 500)...)
	s.upload()
	same(t, "values", points(t, cloud.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
	pages := cloud.pages
	s.upload()
	if cloud.pages != pages {
		t.Error("a second upload sent pages although nothing was missing")
	}
	s.rows(0, every(time.Minute, start+500*60_000, 3)...)
	s.restart()
	s.upload()
	same(t, "values", points(t, cloud.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
}

// TestRowsWithoutValues: a row whose values could not be read is sent as it is, so that what a later reading of it gives
// finds it there.
func TestRowsWithoutValues(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Minute, 15 * time.Second} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			s.settings(step)
			row := func(values ...float64) *logdb.Row {
				return &logdb.Row{Channels: channels[:len(values)], Values: values}
			}
			change := func(op logdb.Op, target logdb.Position, row *logdb.Row) {
				s.entries(logdb.KindHistorical, logdb.Entry{Op: op, Target: target, Time: start, Row: row}, logdb.Entry{Op: logdb.OpClose, Time: start})
				s.upload()
			}
			a := s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpAdd, Time: start, Row: row()}, logdb.Entry{Op: logdb.OpClose, Time: start})
			s.upload()
			for _, tt := range []struct {
				name string
				op   logdb.Op
				row  *logdb.Row
				want []float64
			}{
				{"read again", logdb.OpRevise, row(230), []float64{230}},
				{"corrected", logdb.OpRevise, row(231), []float64{231}},
				{"taken back", logdb.OpRevise, row(), nil},
				{"and there again", logdb.OpRevise, row(232), []float64{232}},
				{"withdrawn", logdb.OpWithdraw, nil, nil},
			} {
				change(tt.op, a.First, tt.row)
				var have []float64
				for _, p := range points(t, cloud.store, "cloud-4711", "") {
					have = append(have, p.value)
				}
				if !slices.Equal(have, tt.want) {
					t.Errorf("%s: the cloud has %v, want %v", tt.name, have, tt.want)
				}
				if r := s.verify(); !r.Clean() || r.Compared != int64(len(tt.want)) {
					t.Errorf("%s: verify: %+v", tt.name, r)
				}
			}
		})
	}
}

func TestFastRowsAreReduced(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(15 * time.Second)
	// Minutes end at their full minute: 00:15, :30, :45, 01:00 are one.
	s.rows(0, every(15*time.Second, start+15_000, 4*60)...)
	s.upload()
	got := points(t, cloud.store, "cloud-4711", "")
	raw := points(t, s.logs, meter, "")
	sum := map[logdb.ChannelKey]float64{}
	for _, p := range raw {
		sum[p.channel] += p.value
	}
	// The last minute ends at the last row; two more are open until something lies two intervals beyond.
	if n := len(got) / len(channels); n != 58 {
		t.Fatalf("%d minutes at the cloud, want 58 closed ones", n)
	}
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start + 60*60_000})
	s.upload()
	got = points(t, cloud.store, "cloud-4711", "")
	if n := len(got) / len(channels); n != 60 {
		t.Fatalf("%d minutes after the close, want 60", n)
	}
	for _, p := range got {
		if p.time%60_000 != 0 {
			t.Fatalf("a minute has the time %v", p.time)
		}
		if p.channel == "energy.interval.wh.received" {
			sum[p.channel] -= p.value
		}
	}
	if d := sum["energy.interval.wh.received"]; d > 1e-6 || d < -1e-6 {
		t.Errorf("energy differs by %v Wh", d)
	}
}

func TestEmptiedReceiverGetsEverythingAgain(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 100)...)
	s.upload()
	cloud.store = logdbtest.NewModel(logdbtest.Config{})
	cloud.known = map[logdb.MeterUID]bool{}
	if _, err := s.sync.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.upload()
	same(t, "values", points(t, cloud.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
}

func TestTooLargePagesAreHalved(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	cloud.maxRow = 7
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 100)...)
	s.upload()
	same(t, "values", points(t, cloud.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
}

// A record that no page of the cloud can hold is skipped there with that reason, once, and what follows it travels.
func TestRecordThatNoPageCanHoldIsSkipped(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	cloud.maxSamples = 3
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	large, small := limitedRecord(logdb.KindWaveform, start), limitedRecord(logdb.KindWaveform, start+120_000)
	small.Waveform.Channels[0].Samples = small.Waveform.Channels[0].Samples[:2]
	s.entries(logdb.KindWaveform, large, small)
	for range 2 { // nothing changes the second time
		s.upload()
		states, err := cloud.store.Streams(t.Context(), "cloud-4711", logdb.KindWaveform)
		if err != nil || len(states) != 1 {
			t.Fatalf("%d streams, %v", len(states), err)
		}
		r, _ := states[0].Fates.At(1)
		if r.Fate != logdb.FateSkipped || r.Reason != cloudsync.SizeReason || r.FirstTime != start {
			t.Errorf("the record that is too large is %+v, want it skipped by size", r)
		}
		if n := len(contents(t, cloud.store, "cloud-4711", logdb.KindWaveform)); n != 1 {
			t.Errorf("%d recordings at the cloud, want 1", n)
		}
		if r := s.verify(); !r.Clean() || r.Compared != 1 || r.Skipped != 1 {
			t.Errorf("verify: %+v", r)
		}
	}
}

// A page that was damaged on the way is sent again; one that the cloud refuses as it is waits for people, until the
// cloud has forgotten the meter.
func TestDamagedPagesAreSentAgain(t *testing.T) {
	t.Parallel()
	for code, want := range map[fault.Code]string{fault.Damaged: "not_compared", fault.Unavailable: "not_compared", fault.Invalid: "parked", fault.NotFound: "not_compared"} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			cloud.before = func(call string) error {
				if call == "push" {
					return code
				}
				return nil
			}
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			s.settings(time.Minute)
			s.rows(0, every(time.Minute, start, 10)...)
			if _, err := s.sync.RegisterMeter(t.Context(), meter); err != nil {
				t.Fatal(err)
			}
			if _, err := s.sync.UploadMeter(t.Context(), meter); !errors.Is(err, code) {
				t.Fatalf("upload: %v, want %s", err, code)
			}
			status, err := s.sync.Status(t.Context())
			if err != nil || len(status.Meters) != 1 || status.Meters[0].State != want {
				t.Errorf("%+v, %v, want the meter %s", status.Meters, err, want)
			}
		})
	}
}

func TestReceiptsOnlyAreAskedForLater(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	cloud.hold = true
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 50)...)
	s.upload()
	same(t, "values", points(t, cloud.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
}

// TestClockSetBackWithinAMinute is the case in which buckets per run and the limit of one record a
// minute meet: the first row of the new run lies in the last minute of the old one. Whether the receiver takes it or
// refuses it, the row must be accounted for at both ends.
func TestClockSetBackWithinAMinute(t *testing.T) {
	t.Parallel()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 10)...)
	s.rows(1, every(time.Minute, start+9*60_000+5_000, 10)...)
	s.upload()
	r := s.verify()
	rows := r.Compared/int64(len(channels)) + r.Skipped
	if !r.Clean() || rows != 20 {
		t.Errorf("%d rows accounted for, want 20: %+v", rows, r)
	}
}

// A cloud whose log database is emptied still lists the meter, without its settings: it is told them again.
func TestLostSettingsAreToldAgain(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	cloud.store, cloud.bare = logdbtest.NewModel(logdbtest.Config{}), map[logdb.MeterUID]bool{"cloud-4711": true}
	if _, err := s.sync.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.upload()
	if len(cloud.bare) > 0 {
		t.Error("the cloud was not told the settings again")
	}
}

// A cloud that was put back to a backup does not know what it was told since. It was started since, and is told again.
func TestSettingsOfARestoredCloudAreToldAgain(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	old := cloud.told["cloud-4711"]
	old.Zone = "Asia/Kathmandu"
	refresh := func(want string) {
		t.Helper()
		if _, err := s.sync.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.upload()
		if got := cloud.told["cloud-4711"]; got.Zone != want {
			t.Errorf("the cloud says %s, want %s", got.Zone, want)
		}
	}
	refresh("UTC")
	cloud.told["cloud-4711"] = old // with the version that it had then
	refresh("Asia/Kathmandu")
	cloud.started = start
	refresh("UTC")
}

// Settings were changed, the cloud took them, and nothing more was heard of it; then they are changed back, to what the cloud had said that it holds.
func TestSettingsThatAreChangedBack(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	zone := func(zone string) {
		settings, err := s.logs.Settings(t.Context(), meter)
		if err != nil {
			t.Fatal(err)
		}
		settings.Zone = zone
		if err := s.logs.PutSettings(t.Context(), meter, settings); err != nil {
			t.Fatal(err)
		}
	}
	zone("Asia/Kathmandu")
	told := false
	cloud.before = func(call string) error {
		if told {
			return fault.New(fault.Unavailable, "no answer")
		}
		told = call == "settings"
		return nil
	}
	_, _ = s.sync.RegisterMeter(t.Context(), s.uid)
	if got := cloud.told["cloud-4711"]; got.Zone != "Asia/Kathmandu" {
		t.Fatalf("the cloud says %s", got.Zone)
	}
	cloud.before = nil
	zone("UTC")
	s.upload()
	if got := cloud.told["cloud-4711"]; got.Zone != "UTC" {
		t.Errorf("the cloud says %s, want UTC", got.Zone)
	}
}

// copies are a cloud and a copy of it, which serve one name for a while.
type copies struct {
	*fakeCloud                           // the cloud, where all logs go
	twin       atomic.Pointer[fakeCloud] // its copy, nil when it is no more
	calls      []string                  // that come to the copy
}

func (c *copies) of(call string) *fakeCloud {
	if twin := c.twin.Load(); twin != nil && slices.Contains(c.calls, call) {
		return twin
	}
	return c.fakeCloud
}

func (c *copies) User(ctx context.Context) (api.UserAnswer, error) { return c.of("user").User(ctx) }

func (c *copies) Meters(ctx context.Context) ([]api.Meter, error) { return c.of("meters").Meters(ctx) }

func (c *copies) Register(ctx context.Context, q api.RegisterRequest) (api.RegisterAnswer, error) {
	return c.of("register").Register(ctx, q)
}

func (c *copies) PutSettings(ctx context.Context, uid logdb.MeterUID, s logdb.Settings) error {
	return c.of("settings").PutSettings(ctx, uid, s)
}

// A copy of a cloud serves its name beside it, and changed settings are told to either, at random. When the copy is gone, the cloud is told
// what it does not know, whoever answered what before.
func TestSettingsToldToACopyOfTheCloud(t *testing.T) {
	t.Parallel()
	all := []string{"user", "meters", "register", "settings"}
	for i := range 1 << len(all) {
		var calls []string
		for k, call := range all {
			if i>>k&1 > 0 {
				calls = append(calls, call)
			}
		}
		t.Run(strings.Join(calls, " "), func(t *testing.T) {
			t.Parallel()
			cloud, twin := newFakeCloud(), newFakeCloud()
			cloud.started, twin.started = start, start+1000
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			s.settings(time.Minute)
			s.rows(0, every(time.Minute, start, 5)...)
			s.upload()
			twin.known, twin.told = maps.Clone(cloud.known), maps.Clone(cloud.told)
			both := &copies{fakeCloud: cloud, calls: calls}
			both.twin.Store(twin)
			s.others["cloud.example.net"] = both
			s.restart()
			now, err := s.logs.Settings(t.Context(), meter)
			if err != nil {
				t.Fatal(err)
			}
			now.Zone = "Asia/Kathmandu"
			if err := s.logs.PutSettings(t.Context(), meter, now); err != nil {
				t.Fatal(err)
			}
			refresh := func() {
				t.Helper()
				if _, err := s.sync.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.upload()
			}
			refresh()
			refresh()
			both.twin.Store(nil)
			refresh()
			refresh()
			if zone := cloud.told["cloud-4711"].Zone; zone != now.Zone {
				t.Errorf("the cloud has zone %s", zone)
			}
		})
	}
}

// refreshed counts the calls by which settings are told, in some comparisons with a cloud.
func (s *site) refreshed(n int) (registered, told int) {
	s.t.Helper()
	s.cloud.before = func(call string) error {
		switch call {
		case "register":
			registered++
		case "settings":
			told++
		}
		return nil
	}
	for range n {
		if _, err := s.sync.Refresh(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		s.uploadOnly()
	}
	return registered, told
}

// uploadOnly waits for what the plan has found to do.
func (s *site) uploadOnly() {
	s.t.Helper()
	if _, err := s.sync.UploadMeter(s.t.Context(), s.uid); err != nil {
		s.t.Fatal(err)
	}
}

// What a cloud knows of a meter, and its site does not, stays there: it is no reason to tell the settings again.
func TestWhatTheCloudKnowsOfAMeter(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	now := cloud.told["cloud-4711"]
	now.NominalVolts, now.UnverifiedChannels = 230, []logdb.ChannelKey{}
	cloud.told["cloud-4711"] = now
	cloud.started = start
	if registered, told := s.refreshed(4); registered > 1 || told > 0 {
		t.Errorf("registered %d times, told %d times", registered, told)
	}
	if got := cloud.told["cloud-4711"].NominalVolts; got != 230 {
		t.Errorf("the nominal voltage is %v", got)
	}
}

// A cloud that stores settings otherwise than it is told them is not told them for ever.
func TestCloudThatTakesSettingsOtherwise(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	cloud.takes = func(s *logdb.Settings) { s.Zone = "Etc/UTC" }
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	now := cloud.told["cloud-4711"]
	now.Zone = "Etc/UTC"
	cloud.told["cloud-4711"] = now
	cloud.started = start
	if _, told := s.refreshed(20); told == 0 {
		t.Error("it was not told")
	}
	if registered, told := s.refreshed(5); registered+told > 0 {
		t.Errorf("then registered %d times more, and told %d times", registered, told)
	}
}

// again remembers what it was told, and is told it once more, late.
type again struct {
	*fakeCloud
	told []logdb.Settings
}

func (c *again) PutSettings(ctx context.Context, uid logdb.MeterUID, s logdb.Settings) error {
	c.told = append(c.told, s)
	return c.fakeCloud.PutSettings(ctx, uid, s)
}

// Settings are changed and changed back, and then a request of before comes to the cloud once more.
func TestSettingsThatComeOnceMore(t *testing.T) {
	t.Parallel()
	cloud := &again{fakeCloud: newFakeCloud()}
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud.fakeCloud)
	s.others["cloud.example.net"] = cloud
	s.restart()
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	now, err := s.logs.Settings(t.Context(), meter)
	if err != nil {
		t.Fatal(err)
	}
	now.Version = "of this node, which serves its meters too"
	for _, zone := range []string{"Asia/Kathmandu", "UTC"} {
		now.Zone = zone
		if err := s.logs.PutSettings(t.Context(), meter, now); err != nil {
			t.Fatal(err)
		}
		s.upload()
		if got := cloud.fakeCloud.told["cloud-4711"].Zone; got != zone {
			t.Errorf("the cloud has zone %s, want %s", got, zone)
		}
	}
	for _, late := range cloud.told {
		if err := cloud.fakeCloud.PutSettings(t.Context(), "cloud-4711", late); !errors.Is(err, fault.Stale) {
			t.Errorf("zone %s once more: %v", late.Zone, err)
		}
	}
	if got := cloud.fakeCloud.told["cloud-4711"].Zone; got != "UTC" || len(cloud.told) != 2 {
		t.Errorf("the cloud was told %d times, and has zone %s", len(cloud.told), got)
	}
}

// TestChangedSettingsAreTold: what becomes of a meter's settings after its registration reaches the cloud, which cuts days by the zone.
func TestChangedSettingsAreTold(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	now, err := s.logs.Settings(t.Context(), meter)
	if err != nil {
		t.Fatal(err)
	}
	now.Zone, now.Name = "Asia/Kathmandu", "incomer"
	if err := s.logs.PutSettings(t.Context(), meter, now); err != nil {
		t.Fatal(err)
	}
	s.upload()
	if got := cloud.told["cloud-4711"]; got.Zone != now.Zone || got.Name != now.Name {
		t.Errorf("the cloud has %+v, want %+v", got, now)
	}
}

// TestRestoredSettingsAreToldAgain: a node that was put back to a backup believes that the cloud was told what the backup says. Its later life told it
// something else, here another zone, by which the cloud cuts days. It is found out after the start, and once only.
func TestRestoredSettingsAreToldAgain(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	later := cloud.told["cloud-4711"]
	later.Zone = "Asia/Kathmandu"
	cloud.told["cloud-4711"] = later
	s.restart()
	calls := 0
	cloud.before = func(call string) error {
		if call == "settings" {
			calls++
		}
		return nil
	}
	for range 2 {
		if _, err := s.sync.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.upload()
	}
	if zone := cloud.told["cloud-4711"].Zone; zone != "UTC" || calls != 1 {
		t.Errorf("the cloud has zone %s after it was told %d times, want UTC after one", zone, calls)
	}
}

// TestChangesOfRowsThatWereNotChosen: a row has nothing of what is uploaded, and a later reading of it has. That comes, in
// the streams that were there when it was read and in one of channels that were added since, once each.
func TestChangesOfRowsThatWereNotChosen(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Minute, 15 * time.Second} {
		for _, widen := range []bool{false, true} {
			t.Run(fmt.Sprint(step, widen), func(t *testing.T) {
				t.Parallel()
				cloud := newFakeCloud()
				s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
				s.settings(step)
				choose := func(list ...logdb.ChannelKey) {
					t.Helper()
					if err := s.sync.Set(t.Context(), cloudsync.SettingChannels, lists(list...)); err != nil {
						t.Fatal(err)
					}
				}
				choose(channels[0])
				row := func(at logdb.Millis, values map[int]float64) logdb.Entry {
					e := logdb.Entry{Op: logdb.OpAdd, Time: at, Row: &logdb.Row{}}
					for c, key := range channels {
						if v, ok := values[c]; ok {
							e.Row.Channels, e.Row.Values = append(e.Row.Channels, key), append(e.Row.Values, v)
						}
					}
					return e
				}
				change := func(target logdb.Position, values map[int]float64) {
					e := row(start, values)
					e.Op, e.Target = logdb.OpRevise, target
					if values == nil {
						e.Op, e.Row = logdb.OpWithdraw, nil
					}
					s.entries(logdb.KindHistorical, e)
					s.upload()
				}
				first := s.entries(logdb.KindHistorical, row(start, map[int]float64{2: 7}), row(start+300_000, map[int]float64{0: 1, 1: 1})).First
				s.upload()
				if widen {
					choose(channels[0], channels[1])
				}
				for _, tt := range []struct {
					values       map[int]float64 // nil: withdrawn
					narrow, wide []float64
				}{
					{map[int]float64{2: 8}, nil, nil},
					{map[int]float64{0: 230, 2: 8}, []float64{230}, []float64{230}},
					{map[int]float64{0: 231, 1: 5}, []float64{231}, []float64{5, 231}},
					{map[int]float64{1: 6}, nil, []float64{6}},
					{nil, nil, nil},
					{map[int]float64{0: 232, 1: 7}, []float64{232}, []float64{7, 232}},
				} {
					change(first, tt.values)
					want := tt.narrow
					if widen {
						want = tt.wide
					}
					var have []float64
					for _, p := range points(t, cloud.store, "cloud-4711", "") {
						if p.time == start {
							have = append(have, p.value)
						}
					}
					slices.Sort(have)
					if !slices.Equal(have, want) {
						t.Errorf("after %v the cloud has %v, want %v", tt.values, have, want)
					}
					if r := s.verify(); !r.Clean() || r.Compared < int64(len(want)) {
						t.Errorf("after %v: verify: %+v", tt.values, r)
					}
				}
			})
		}
	}
}
