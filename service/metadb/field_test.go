package metadb_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"metermanager/logdb/sqldb"
	"metermanager/service/field/retrieve"
	"metermanager/service/metadb"
)

func TestFieldSurvivesARestart(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "meta.db")
	open := func() (*metadb.Field, *sqldb.DB) {
		t.Helper()
		db, err := sqldb.Open(ctx, path, sqldb.Config{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := metadb.OpenField(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		return f, db
	}
	f, db := open()
	m := retrieve.Meter{UID: "u1", Name: "main", Address: "127.0.0.1:502", Unit: 255, Profile: "eig-shark-200", Zone: "Europe/Berlin", Serial: "S1", Enabled: true, RetrieveSeconds: 60, LiveSeconds: 5, LogSeconds: 900, Added: 7, CTFactor: 2, PTFactor: 0.5, Decoded: "as it was"}
	other := retrieve.Meter{UID: "u2", Name: "pv", Address: "127.0.0.1:503", Unit: 1, Profile: "sunspec-3p", Zone: "UTC", Added: 8}
	for _, x := range []retrieve.Meter{other, m} {
		if err := f.PutMeter(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	m.Serial = "S2"
	if err := f.PutMeter(ctx, m); err != nil {
		t.Fatal(err)
	}
	double := other
	double.UID = "u3"
	if err := f.PutMeter(ctx, double); err == nil {
		t.Error("two meters at one address and unit")
	}
	st := retrieve.LogState{Log: "hist1", Next: 7, Used: 9, Max: 10, LastStamp: "0607", SetsDST: true, Records: 12, LastSuccess: 3, LastError: "x", ErrorAt: 4}
	for range 2 {
		if err := f.PutLogState(ctx, "u1", st); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if err := f.AddHistory(ctx, retrieve.HistoryItem{Meter: "u1", Start: 1, Took: 2, Action: "retrieve", Trigger: "user", Records: i}, 3); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	f, db = open()
	defer db.Close()
	if got, err := f.Meters(ctx); err != nil || !reflect.DeepEqual(got, []retrieve.Meter{m, other}) {
		t.Errorf("meters %+v, %v", got, err)
	}
	if got, err := f.LogStates(ctx, "u1"); err != nil || len(got) != 1 || got["hist1"] != st {
		t.Errorf("states %+v, %v", got, err)
	}
	if got, err := f.History(ctx, "u1", 2); err != nil || len(got) != 2 || got[0].Records != 4 {
		t.Errorf("history %+v, %v", got, err)
	}
	if got, err := f.History(ctx, "u1", 0); err != nil || len(got) != 3 {
		t.Errorf("history keeps %d of 3, %v", len(got), err)
	}
	if err := f.DeleteMeter(ctx, "u1"); err != nil {
		t.Fatal(err)
	}
	if got, err := f.LogStates(ctx, "u1"); err != nil || len(got) != 0 {
		t.Errorf("states of a removed meter %+v, %v", got, err)
	}
}
