package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
	"metermanager/service/command"
)

// newestMeters are what their customer sees: two whose data can be read, one that is not enabled.
type newestMeters struct{}

func (newestMeters) Meters(_ context.Context, p account.Principal) ([]registry.Meter, error) {
	if p.Customer != "ours" {
		return nil, nil
	}
	return []registry.Meter{
		{UID: "1", Customer: "ours", Enabled: true, Readable: true, Settings: logdb.Settings{Name: "incomer", Serial: "77"}},
		{UID: "2", Customer: "ours", Settings: logdb.Settings{Name: "off"}},
		{UID: "3", Customer: "ours", Enabled: true, Readable: true, Settings: logdb.Settings{Name: "feeder"}},
		{UID: "4", Enabled: true, Settings: logdb.Settings{Name: "nobody's"}},
	}, nil
}

type newestSeries struct{}

func (newestSeries) Series(_ context.Context, uid logdb.MeterUID) ([]logdb.Series, error) {
	if uid != "1" {
		return nil, nil
	}
	old, now := oneJournal("00000001"), oneJournal("00000002")
	return []logdb.Series{
		{Channel: "a.x", Log: 1, Count: 2, Last: 50, LastValue: 1.5, Stream: now},
		{Channel: "a.x", Log: 1, Count: 2, Last: 90, LastValue: 9.5, Stream: old},
		{Channel: "a.x", Log: 2, Count: 9, Last: 70, LastValue: 2.5, Stream: now},
		{Channel: "a.y", Log: 1, Count: 1, Last: 60, LastValue: -3, Stream: now},
		{Channel: "a.z", Log: 1},
	}, nil
}

// oneJournal is a stream of a journal that goes under several names.
func oneJournal(name string) logdb.StreamID {
	return logdb.StreamID{Journal: logdb.JournalID("0123456789abcdef01234567" + name), Policy: "1"}
}

// Streams tells that a name was given up, under which a row stands at a time that was put right since.
func (newestSeries) Streams(context.Context, logdb.MeterUID, logdb.Kind) ([]logdb.StreamState, error) {
	out := []logdb.StreamState{{Stream: oneJournal("00000001")}, {Stream: oneJournal("00000002")}}
	for i, last := range []logdb.Position{5, 6} {
		out[i].Fates.Put(logdb.FateRange{First: 1, Last: last, Fate: logdb.FateStored})
	}
	return out, nil
}

func TestLatest(t *testing.T) {
	t.Parallel()
	table, err := command.New(command.Config{}, command.LogHandlers(newestSeries{}, newestMeters{}))
	if err != nil {
		t.Fatal(err)
	}
	reader := account.Principal{User: "r", Customer: "ours", Permissions: permission.Of(permission.RPCRead, permission.LogsRead)}
	stranger, blind := reader, reader
	stranger.Customer, blind.Permissions = "theirs", permission.Of(permission.RPCRead)
	x, y := "{a.x 1970-01-01T00:00:00.070Z 2.5}", "{a.y 1970-01-01T00:00:00.060Z -3}"
	for _, tt := range []struct {
		p          account.Principal
		args, want string
		err        error
	}{
		{reader, `{}`, "[{1 incomer [" + x + " " + y + "]} {3 feeder []}]", nil},
		{reader, `{"channels":"a.y, a.none"}`, "[{1 incomer [" + y + "]} {3 feeder []}]", nil},
		{reader, `{"meter":"77","channels":"a.x"}`, "[{1 incomer [" + x + "]}]", nil},
		{reader, `{"meter":"feeder"}`, "[{3 feeder []}]", nil},
		{reader, `{"meter":"off"}`, "", fault.NotFound},
		{reader, `{"meter":"4"}`, "", fault.NotFound},
		{stranger, `{}`, "[]", nil},
		{stranger, `{"meter":"1"}`, "", fault.NotFound},
		{blind, `{}`, "", fault.Forbidden},
	} {
		got, err := table.Call(t.Context(), tt.p, api.CmdLogLatest, json.RawMessage(tt.args))
		if !errors.Is(err, tt.err) || tt.err == nil && fmt.Sprint(got.(api.LatestAnswer).Meters) != tt.want {
			t.Errorf("%s of %s: %+v, %v; want %s, %v", tt.args, tt.p.Customer, got, err, tt.want, tt.err)
		}
	}
}
