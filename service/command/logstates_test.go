package command_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/realtime"
	"metermanager/service/cloud/registry"
	"metermanager/service/command"
)

const (
	day0   = logdb.Millis(1_772_323_200_000)
	minute = logdb.Millis(60_000)
)

var viewer = account.Principal{User: "u", Customer: "a", Permissions: permission.Of(permission.RPCRead, permission.MetersRead)}

// list is a registry of meters.
type list []registry.Meter

func (l list) Meters(context.Context, account.Principal) ([]registry.Meter, error) { return l, nil }

// bench is a node's status over a store of its own.
type bench struct {
	t     *testing.T
	store *logdbtest.Model
	now   time.Time
	field []api.MeterStatus
	sync  map[logdb.Kind][]api.LogAtCloud
	node  *command.Node
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, store: logdbtest.NewModel(logdbtest.Config{}), now: (day0 + logdb.DayMillis).Time()}
	meters := list{
		{UID: "m1", Enabled: true, Settings: logdb.Settings{Name: "main", Serial: "4711", Zone: "Europe/Berlin"}},
		{UID: "m2", Enabled: true, Settings: logdb.Settings{Name: "twin", Serial: "1"}},
		{UID: "m3", Enabled: true, Settings: logdb.Settings{Name: "twin", Serial: "2"}},
	}
	now := func() time.Time { return b.now }
	b.node = command.NewNode(meters, b.store, realtime.New(realtime.Config{Now: now}), command.NodeConfig{
		Now: now, Fresh: time.Nanosecond,
		Field: func(context.Context) ([]api.MeterStatus, error) { return b.field, nil },
		Progress: func(_ context.Context, uid logdb.MeterUID) (map[logdb.Kind][]api.LogAtCloud, error) {
			if uid != "m1" {
				return nil, nil
			}
			return b.sync, nil
		},
	})
	return b
}

// rows appends one row a minute.
func (b *bench) rows(first logdb.Millis, n int) {
	b.t.Helper()
	h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: [][]float64{nil}}
	for i := range n {
		h.Times = append(h.Times, first+logdb.Millis(i)*minute)
		h.Columns[0] = append(h.Columns[0], 230)
	}
	b.append(logdb.Batch{Meter: "m1", Kind: logdb.KindHistorical, Rows: []logdb.History{h}})
}

func (b *bench) append(batch logdb.Batch) {
	b.t.Helper()
	if _, err := b.store.Append(b.t.Context(), batch); err != nil {
		b.t.Fatal(err)
	}
	b.now = b.now.Add(time.Second)
}

// log returns the status of a log of the main meter.
func (b *bench) log(kind logdb.Kind) api.LogStatus {
	b.t.Helper()
	m, err := b.node.MeterStatus(b.t.Context(), viewer, "main")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, l := range m.Logs {
		if l.Kind == kind.String() {
			return l
		}
	}
	b.t.Fatalf("no %s log in %+v", kind, m)
	return api.LogStatus{}
}

func TestALogFromTheMeterToTheCloud(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows(day0, 100)
	if l := b.log(logdb.KindHistorical); l.Records != 100 || l.First != day0 || l.Last != day0+99*minute || l.AtMeter != nil || l.LagMS != 0 || l.Clouds != nil {
		t.Errorf("stored only: %+v", l)
	}
	looked := logdb.MillisOf(b.now)
	b.field = []api.MeterStatus{{UID: "m1", Name: "main", Logs: []api.LogStatus{
		{Kind: "historical", LastRead: looked, AtMeter: &api.LogAtMeter{Looked: looked, Held: 130, Behind: 30, Last: day0 + 129*minute}, Trouble: &api.Trouble{Text: "t"}},
		{Kind: "pq", AtMeter: &api.LogAtMeter{Looked: looked, Held: 2, Behind: 2, Last: day0}},
	}}}
	b.sync = map[logdb.Kind][]api.LogAtCloud{logdb.KindHistorical: {{Cloud: "a", State: api.CloudNotCompared}, {Cloud: "b", State: api.CloudBehind, Pending: 7}}}
	l := b.log(logdb.KindHistorical)
	if l.AtMeter == nil || l.AtMeter.Behind != 30 || l.LagMS != int64(30*minute) || l.LastRead != looked || l.Trouble == nil || len(l.Clouds) != 2 {
		t.Errorf("with a meter ahead and two clouds: %+v", l)
	}
	if l := b.log(logdb.KindPQ); l.Records != 0 || l.AtMeter.Behind != 2 {
		t.Errorf("a log of which nothing is here yet: %+v", l)
	}
	b.rows(day0+100*minute, 30)
	b.field[0].Logs[0].AtMeter.Behind = 0
	b.now = b.now.Add(48 * time.Hour) // a silent meter: the look stays as old as it is
	if l := b.log(logdb.KindHistorical); l.LagMS != 0 || l.AtMeter.Looked != looked || l.Last != l.AtMeter.Last {
		t.Errorf("caught up, then silent: %+v", l)
	}
}

func TestGapsAreBoundedAndNewestFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows(day0, 1)
	b.now = (day0 + 40*logdb.DayMillis).Time()
	gap := func(from logdb.Millis, cause logdb.GapCause) {
		b.append(logdb.Batch{Meter: "m1", Kind: logdb.KindHistorical, Entries: []logdb.Entry{
			{Op: logdb.OpGap, Time: from, Gap: &logdb.Gap{From: from, To: from + minute, Cause: cause, Detail: "why"}},
		}})
	}
	gap(day0, logdb.GapReset) // too old to be counted
	for i := range 70 {
		gap(day0+20*logdb.DayMillis+logdb.Millis(i)*minute, logdb.GapUnreachable)
	}
	gap(day0+39*logdb.DayMillis, logdb.GapBusy)
	g := b.log(logdb.KindHistorical).Gaps
	if g == nil || g.Count != 71 || len(g.Newest) != 20 {
		t.Fatalf("gaps %+v, want 71 of which 20 are told", g)
	}
	if g.Newest[0].Cause != string(logdb.GapBusy) || g.Newest[1].From != day0+20*logdb.DayMillis+69*minute || g.Newest[0].Detail != "why" {
		t.Errorf("newest: %+v", g.Newest[:2])
	}
	status, err := b.node.NodeStatus(t.Context(), viewer)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range status.Meters {
		for _, l := range m.Logs {
			if l.Gaps != nil && (len(l.Gaps.Newest) != 3 || l.Gaps.Count != 71) {
				t.Errorf("in the state of the node: %+v", l.Gaps)
			}
		}
	}
}

// TestAlternativesAreNotAdded uploads journals of two nodes about one log.
func TestAlternativesAreNotAdded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	page := func(journal string, n int) {
		p := logdb.Page{Meter: "m1", Kind: logdb.KindPQ, Stream: logdb.StreamID{Journal: logdb.JournalID(journal), Policy: "1"}, JournalEnd: logdb.Position(n)}
		for i := range n {
			p.Entries = append(p.Entries, logdb.Entry{
				Op: logdb.OpAdd, Position: logdb.Position(i + 1), Time: day0 + logdb.Millis(i)*minute, Excursion: &logdb.Excursion{Channel: "readings.voltage.an"},
			})
		}
		if _, err := b.store.Accept(t.Context(), p, logdb.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	page("00112233445566778899aabbccddee01", 3)
	page("00112233445566778899aabbccddee02", 8)
	l := b.log(logdb.KindPQ)
	if l.Records != 8 || l.Last != day0+7*minute || len(l.Alternatives) != 1 || l.Alternatives[0].Records != 3 {
		t.Errorf("two journals: %+v", l)
	}
}

func TestMetersAreFoundByWhatPeopleCallThem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for id, want := range map[string]error{"m1": nil, "main": nil, "4711": nil, "2": nil, "twin": fault.NotFound, "nobody": fault.NotFound} {
		if _, err := b.node.MeterStatus(t.Context(), viewer, id); !errors.Is(err, want) && fmt.Sprint(err) != fmt.Sprint(want) {
			t.Errorf("%q: %v, want %v", id, err, want)
		}
	}
	if m, err := b.node.MeterStatus(t.Context(), viewer, "main"); err != nil || m.Zone != "Europe/Berlin" || m.State != "waiting" {
		t.Errorf("%+v, %v", m, err)
	}
	blind := viewer
	blind.Permissions = permission.Of(permission.RPCRead)
	if _, err := b.node.MeterStatus(t.Context(), blind, "main"); !errors.Is(err, fault.Forbidden) {
		t.Errorf("without the permission to see meters: %v", err)
	}
}
