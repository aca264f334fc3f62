package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"metermanager/cloudsync"
	"metermanager/cloudsync/clouddb"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqldb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/command"
)

// cloud is a receiver over the reference model, which knows one user.
type cloud struct{ *logdbtest.Model }

func (c cloud) Login(_ context.Context, q api.LoginRequest) (api.LoginAnswer, error) {
	if q.User != "engineer" || q.Password != "correct horse" {
		return api.LoginAnswer{}, fault.New(fault.Unauthenticated, "User or password is wrong.")
	}
	return api.LoginAnswer{Token: "tok", User: q.User, Customer: "acme", Permissions: permission.Everything()}, nil
}

func (c cloud) User(context.Context) (api.UserAnswer, error) {
	return api.UserAnswer{User: "engineer", Customer: "acme", Permissions: permission.Everything()}, nil
}

func (c cloud) Register(_ context.Context, q api.RegisterRequest) (api.RegisterAnswer, error) {
	return api.RegisterAnswer{MeterUID: "there", Registered: api.RegisteredNew}, c.Model.PutSettings(context.Background(), "there", q.Settings)
}

func (c cloud) Meters(context.Context) ([]api.Meter, error) {
	return []api.Meter{{UID: "there", Enabled: true, Settings: logdb.Settings{Name: "main"}}}, nil
}

func (c cloud) Marks(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, first, last logdb.Position) (map[logdb.Position]logdb.Mark, error) {
	return logdb.Marks(ctx, c.Model, meter, kind, journal, first, last)
}

func (c cloud) PushPage(ctx context.Context, page *logdb.Page) (api.UploadAnswer, error) {
	r, err := c.Accept(ctx, *page, logdb.DefaultLimits())
	return api.UploadAnswer{Stored: r.Stored, Repeats: r.Repeats, Revised: r.Revised, Skipped: r.Skipped, Refused: r.Refused}, err
}

// newSync returns the commands of a node with one meter that has recorded a few rows.
func newSync(t *testing.T) *command.Table {
	t.Helper()
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := clouddb.New(t.Context(), db, clouddb.Config{MasterKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	logs, there := logdbtest.NewModel(logdbtest.Config{}), cloud{logdbtest.NewModel(logdbtest.Config{})}
	if err := logs.PutSettings(t.Context(), "here", logdb.Settings{Name: "main", Make: "EIG", Serial: "4711", LogIntervalsMillis: []int64{60_000}}); err != nil {
		t.Fatal(err)
	}
	h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Times: []logdb.Millis{60_000, 120_000}, Columns: [][]float64{{230, 231}}}
	if _, err := logs.Append(t.Context(), logdb.Batch{Meter: "here", Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
		t.Fatal(err)
	}
	sync := cloudsync.New(func(cloudsync.Destination) (cloudsync.Cloud, error) { return there, nil }, logs, store, cloudsync.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sync.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	})
	table, err := command.New(command.Config{}, command.CloudHandlers(sync), command.VerifyHandlers(sync, logs, nil))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

var engineer = account.Principal{User: "u1", Customer: "c1", Permissions: permission.Everything()}

// call returns a command's answer as JSON.
func call(t *testing.T, table *command.Table, name, args string) (string, error) {
	t.Helper()
	result, err := table.Call(t.Context(), engineer, name, json.RawMessage(args))
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// TestCloudCommands tells a story: each step's answer must hold a text, or fail with a code.
func TestCloudCommands(t *testing.T) {
	t.Parallel()
	table := newSync(t)
	steps := []struct {
		name, args, want string
		code             fault.Code
	}{
		{api.CmdCloudSyncStatus, `{}`, `"state":"off"`, ""},
		{api.CmdCloudInfo, ``, `"enabled":false`, ""},
		{api.CmdVerify, `{}`, `{"clouds":[],"compared":2`, ""},
		{api.CmdVerify, `{"cloud":"nowhere"}`, "", fault.NotFound},
		{api.CmdCloudEnable, `{"user":"engineer","pass":"correct horse"}`, "", fault.Invalid}, // no host
		{api.CmdCloudRefresh, `{}`, "", fault.Conflict},
		{api.CmdCloudSet, `{"name":"etheria.client~host","value":"cloud.example.net"}`, `"host":"https://cloud.example.net"`, ""},
		{api.CmdCloudSet, `{"name":"etheria.client~port","value":"many"}`, "", fault.Invalid},
		{api.CmdCloudSet, `{"name":"cloud.apikey"}`, "", fault.Invalid},
		{api.CmdCloudUserVerify, `{"user":"engineer","pass":"wrong"}`, "", fault.Forbidden},
		{api.CmdCloudUserVerify, `{"user":"engineer","pass":"correct horse"}`, `"customer":"acme"`, ""},
		{api.CmdCloudEnable, `{"user":"engineer","pass":"correct horse"}`, `"enabled":true`, ""},
		{api.CmdCloudMeterRegister, `{"meter":"main"}`, `"result":"s`, ""},
		{api.CmdCloudMeterUpload, `{"meter":"4711"}`, `"action":"upload"`, ""},
		{api.CmdCloudMeterUpload, `{"meter":"nobody"}`, "", fault.NotFound},
		{api.CmdCloudMeterUpload, `{"requested":true}`, "", fault.Invalid},
		{api.CmdCloudMeterUpload, `{"meter":"main","requested":true,"from":"yesterday"}`, "", fault.Invalid},
		{api.CmdCloudMeterUpload, `{"meter":"main","requested":true,"from":"1970-01-01T00:00:00Z","to":"90000000"}`, `"pages":0`, ""},
		{api.CmdCloudRefresh, `{}`, `0 logs behind`, ""},
		{api.CmdVerify, `{"meter":"main","kind":"historical"}`, `"compared":2,"pending":0,"different":0`, ""},
		{api.CmdVerify, `{"kind":"everything"}`, "", fault.Invalid},
		{api.CmdCloudSyncHistory, `{"limit":1,"meter":"main"}`, `"meter_uid":"here"`, ""},
		{api.CmdCloudSyncHistory, `{"result":"maybe"}`, "", fault.Invalid},
		{api.CmdCloudSyncHistory, `{"limit":-1}`, "", fault.Invalid},
		{api.CmdCloudSyncStatus, `{}`, `"state":"up_to_date"`, ""},
		{api.CmdCloudInfo, `{}`, `"cloud.user.pass":"***"`, ""},
		{api.CmdCloudAdd, `{"name":"backup copy"}`, "", fault.Invalid},
		{api.CmdCloudAdd, `{"name":"main"}`, "", fault.Conflict},
		{api.CmdCloudAdd, `{"name":"backup","host":"http://127.0.0.1:1","apikey":"mmk_x"}`, `"name":"backup"`, ""},
		{api.CmdCloudList, `{}`, `{"clouds":[{"cloud":"main",`, ""},
		{api.CmdCloudMeterRegister, `{"meter":"main","cloud":"backup"}`, `"cloud":"backup"`, ""},
		{api.CmdCloudMeterUpload, `{"cloud":"backup"}`, `"cloud":"backup"`, ""},
		{api.CmdCloudRefresh, `{"cloud":"nowhere"}`, "", fault.NotFound},
		{api.CmdCloudSyncHistory, `{"limit":1,"cloud":"backup"}`, `"cloud":"backup"`, ""},
		{api.CmdCloudSyncStatus, `{}`, `"clouds":[{"cloud":"main"`, ""},
		{api.CmdCloudSyncStatus, `{"cloud":"backup"}`, `{"cloud":"backup","enabled":true`, ""},
		{api.CmdCloudSet, `{"name":"cloud.location","value":"cellar","cloud":"backup"}`, `"cloud.location":"cellar"`, ""},
		{api.CmdCloudInfo, `{}`, `"cloud.location":""`, ""},
		{api.CmdVerify, `{}`, `"compared":4,"pending":0,"different":0`, ""},
		{api.CmdVerify, `{"cloud":"backup"}`, `"compared":2,"pending":0,"different":0`, ""},
		{api.CmdCloudDisable, `{"cloud":"backup"}`, `"enabled":false`, ""},
		{api.CmdVerify, `{}`, `{"clouds":["main"],"compared":2,"pending":0,"different":0`, ""},
		{api.CmdVerify, `{"cloud":"backup"}`, "", fault.Conflict}, // it is switched off
		{api.CmdVerify, `{"cloud":"nowhere"}`, "", fault.NotFound},
		{api.CmdCloudRemove, `{"name":"backup"}`, `{"clouds":[{"cloud":"main"`, ""},
		{api.CmdCloudRemove, `{"name":"backup"}`, "", fault.NotFound},
		{api.CmdCloudSyncStatus, `{"cloud":"backup"}`, "", fault.NotFound},
		{api.CmdCloudDisable, `{}`, `"enabled":false`, ""},
		{api.CmdCloudInfo, `{}`, `"cloud.user.pass":""`, ""},
	}
	for i, step := range steps {
		got, err := call(t, table, step.name, step.args)
		if code := fault.CodeOf(err); code != step.code {
			t.Fatalf("step %d, %s %s: %v, want code %q", i+1, step.name, step.args, err, step.code)
		}
		if !strings.Contains(got, step.want) {
			t.Fatalf("step %d, %s %s: %s, want %s in it", i+1, step.name, step.args, got, step.want)
		}
		if strings.Contains(got, "correct horse") || strings.Contains(got, `"tok"`) {
			t.Errorf("step %d, %s: the answer shows a secret: %s", i+1, step.name, got)
		}
	}
}
