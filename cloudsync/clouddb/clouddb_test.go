package clouddb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"metermanager/cloudsync"
	"metermanager/cloudsync/clouddb"
	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/logdb/sqldb"
)

func open(t *testing.T, path string, key byte) *clouddb.Store {
	t.Helper()
	db, err := sqldb.Open(t.Context(), path, sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := clouddb.New(t.Context(), db, clouddb.Config{MasterKey: bytes.Repeat([]byte{key}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDestinationsKeepSecretsSealed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "meta.db")
	s := open(t, path, 1)
	limits := logdb.DefaultLimits()
	d := cloudsync.Destination{
		Name: "cloud", Enabled: true, Host: "cloud.example.net", Port: 8443, RootPath: "mm", Location: "hall", Customer: "acme", User: "engineer",
		Password: "correct-horse", APIKey: "mmk_battery", Token: "staple", Expires: 77, ManualRegister: true, DrainRate: 30,
		Channels: []logdb.ChannelKey{"readings.voltage.an"}, Limits: &limits,
	}
	stored, err := s.PutDestination(t.Context(), d)
	if err != nil || stored.ID == 0 {
		t.Fatalf("%+v, %v", stored, err)
	}
	if _, err := s.PutDestination(t.Context(), cloudsync.Destination{Host: "second"}); err != nil {
		t.Fatal(err)
	}
	stored.Location = "hall 2"
	if _, err := s.PutDestination(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	again := open(t, path, 1)
	list, err := again.Destinations(t.Context())
	if err != nil || len(list) != 2 || fmt.Sprintf("%#v", *list[0].Limits) != fmt.Sprintf("%#v", limits) {
		t.Fatalf("%+v, %v", list, err)
	}
	list[0].Limits = stored.Limits
	if got, want := fmt.Sprintf("%#v", list[0]), fmt.Sprintf("%#v", stored); got != want {
		t.Errorf("read %s, want %s", got, want)
	}
	if text := fmt.Sprint(list[0]); bytes.Contains([]byte(text), []byte("horse")) {
		t.Errorf("printing shows a secret: %s", text)
	}
	if _, err := open(t, path, 2).Destinations(t.Context()); !errors.Is(err, clouddb.ErrSealed) {
		t.Errorf("another master key: %v", err)
	}
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"correct-horse", "mmk_battery", "staple"} {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s stands in the database file", secret)
			}
		}
	}
}

func TestMasterKeyMustHave32Bytes(t *testing.T) {
	t.Parallel()
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := clouddb.New(t.Context(), db, clouddb.Config{MasterKey: []byte("short")}); err == nil {
		t.Error("a short key was taken")
	}
}

func TestMetersAndItems(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "meta.db"), 1)
	d, err := s.PutDestination(t.Context(), cloudsync.Destination{Host: "x"})
	if err != nil {
		t.Fatal(err)
	}
	want := []cloudsync.MeterConfig{
		{Meter: "a", CloudUID: "ca", Enabled: true, UploadEnabled: true, Registered: logdb.DigestOf([]byte("x"))},
		{Meter: "b", Parked: "refused"},
	}
	for _, c := range []cloudsync.MeterConfig{want[1], {Meter: "a"}, want[0]} {
		if err := s.PutMeterConfig(t.Context(), d.ID, c); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.MeterConfigs(t.Context(), d.ID)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"one", "two"} {
		if err := s.PutItem(t.Context(), d.ID, "info", cloudsync.Item{Value: []byte(text), Updated: 5}); err != nil {
			t.Fatal(err)
		}
	}
	items, err := s.Items(t.Context(), d.ID)
	if err != nil || len(items) != 1 || string(items["info"].Value) != "two" || items["info"].Updated != 5 {
		t.Errorf("%v, %v", items, err)
	}
}

const journal = logdb.JournalID("0123456789abcdef0123456789abcdef")

func key(t *testing.T, s *clouddb.Store, j logdb.JournalID) cloudsync.StreamKey {
	t.Helper()
	list, err := s.Destinations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		d, err := s.PutDestination(t.Context(), cloudsync.Destination{Host: "x"})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	return cloudsync.StreamKey{Destination: list[0].ID, Meter: "m", Kind: logdb.KindPQ, Journal: j}
}

func stream(j logdb.JournalID, generation string) *cloudsync.StoredStream {
	st := &cloudsync.StoredStream{}
	st.ID = logdb.StreamID{Journal: j, Policy: generation}
	st.Policy = reduce.Policy{Generation: generation, Limits: logdb.DefaultLimits()}
	return st
}

// TestFatesInChunks puts random decisions over the borders of chunks and reads the same set again.
func TestFatesInChunks(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	path := filepath.Join(t.TempDir(), "meta.db")
	s := open(t, path, 1)
	k := key(t, s, journal)
	st := stream(journal, "1")
	if err := s.Turn(t.Context(), k, nil, []*cloudsync.StoredStream{st}); err != nil {
		t.Fatal(err)
	}
	var want logdb.FateSet
	p := logdb.Position(1)
	for range 60 {
		var d reduce.Decision
		for range rng.IntN(20) {
			r := logdb.FateRange{First: p, Last: p + logdb.Position(rng.IntN(700))}
			switch rng.IntN(4) {
			case 0:
				r.Fate = logdb.FateStored
			case 1:
				r.Fate, r.Into = logdb.FateReduced, r.Last+1
			case 2:
				r.Fate, r.Reason, r.FirstTime, r.LastTime = logdb.FateSkipped, "day", 1000, 2000
			default:
				r.Fate = logdb.FateNotChosen
			}
			d.Fates.Put(r)
			want.Put(r)
			p = r.Last + 1
		}
		d.State = reduce.State{Next: p, From: p, Logs: map[logdb.LogNo]reduce.LogEnd{3: {Run: 1, Max: 5, Closed: -9, Last: 4}}}
		d.Counts = limit.Counts{{Window: "day", Start: 0}: int(p)}
		d.Changes = []reduce.Change{{Target: p, Position: p + 1}}
		if err := s.Decide(t.Context(), k, st, d, logdb.JournalHead{End: p, Chain: logdb.DigestOf([]byte{byte(p)})}); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, path, 1)
	list, err := again.Streams(t.Context(), k)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d streams, %v", len(list), err)
	}
	got := list[0]
	rules := st.Policy
	rules.Limits = rules.Limits.Only(k.Kind) // those of other kinds stood there once, and are none of a stream's rules
	if got.Fates.Len() != want.Len() || got.End != p || got.Chain != logdb.DigestOf([]byte{byte(p)}) || got.State.Logs[3].Closed != -9 || !got.Policy.SameRules(rules) {
		t.Errorf("read %+v", got.State)
	}
	for q := logdb.Position(1); q < p; q++ {
		a, _ := got.Fates.At(q)
		b, _ := want.At(q)
		if a.Fate != b.Fate || a.Into != b.Into || a.Reason != b.Reason {
			t.Fatalf("position %d is %+v, want %+v", q, a, b)
		}
	}
	counts, err := again.Counts(t.Context(), k, "", 0, 10)
	if err != nil || counts[limit.Key{Window: "day", Start: 0}] != int(p) {
		t.Errorf("counts %v, %v", counts, err)
	}
	changes, err := again.Changes(t.Context(), journal, 1, logdb.MaxPosition)
	if err != nil || len(changes) == 0 || changes[len(changes)-1] != (reduce.Change{Target: p, Position: p + 1}) {
		t.Errorf("changes %v, %v", changes, err)
	}
}

func TestTurnAndDropJournals(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "meta.db"), 1)
	k := key(t, s, journal)
	first, second := stream(journal, "1"), stream(journal, "2")
	first.Fates.Put(logdb.FateRange{First: 1, Last: 9000, Fate: logdb.FateStored})
	if err := s.Turn(t.Context(), k, nil, []*cloudsync.StoredStream{first}); err != nil {
		t.Fatal(err)
	}
	first.Closed = 9000
	if err := s.Turn(t.Context(), k, []*cloudsync.StoredStream{first}, []*cloudsync.StoredStream{second}); err != nil {
		t.Fatal(err)
	}
	list, err := s.Streams(t.Context(), k)
	if err != nil || len(list) != 2 || list[0].Closed != 9000 || list[0].Fates.Len() != 9000 || list[1].Closed != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	other := k
	other.Journal = "ffffffffffffffffffffffffffffffff"
	if err := s.DropJournals(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if list, _ = s.Streams(t.Context(), k); len(list) != 2 {
		t.Error("the journal that is kept was dropped")
	}
	if err := s.DropJournals(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if list, _ = s.Streams(t.Context(), k); len(list) != 0 {
		t.Error("an old journal was kept")
	}
}

// TestDecideIsOneTransaction stops a decision in the middle: nothing of it stays.
func TestDecideIsOneTransaction(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "meta.db"), 1)
	k := key(t, s, journal)
	st := stream(journal, "1")
	if err := s.Turn(t.Context(), k, nil, []*cloudsync.StoredStream{st}); err != nil {
		t.Fatal(err)
	}
	var d reduce.Decision
	d.Fates.Put(logdb.FateRange{First: 1, Last: 5, Fate: logdb.FateStored})
	d.Counts = limit.Counts{{Window: "day"}: 5}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Decide(ctx, k, st, d, logdb.JournalHead{}); err == nil {
		t.Fatal("a cancelled decision succeeded")
	}
	list, err := s.Streams(t.Context(), k)
	if err != nil || list[0].Fates.Len() != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if counts, _ := s.Counts(t.Context(), k, "", 0, 0); len(counts) != 0 {
		t.Errorf("counts %v", counts)
	}
}

// A journal travels to two destinations under two names, each of which begins with its first generation: both are known when they
// have ended.
func TestEndedStreamsOfTwoNames(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "meta.db"), 1)
	named := logdb.JournalID(journal).Named(logdb.DigestOf([]byte("x")))
	want := map[logdb.StreamID]logdb.Position{}
	for i, name := range []logdb.JournalID{journal, named} {
		d, err := s.PutDestination(t.Context(), cloudsync.Destination{Name: string(name), Host: string(name)})
		if err != nil {
			t.Fatal(err)
		}
		k := key(t, s, journal)
		k.Destination = d.ID
		st := stream(name, "1")
		st.End = logdb.Position(10 + i)
		if err := s.Turn(t.Context(), k, nil, []*cloudsync.StoredStream{st}); err != nil {
			t.Fatal(err)
		}
		want[st.ID] = st.End
		st.ID.Journal = logdb.JournalID(journal).Named(logdb.DigestOf([]byte{byte(i)}))
		if err := s.Rename(t.Context(), k, []*cloudsync.StoredStream{st}); err != nil {
			t.Fatal(err)
		}
	}
	ended, err := s.Ended(t.Context(), key(t, s, journal))
	if err != nil {
		t.Fatal(err)
	}
	got := map[logdb.StreamID]logdb.Position{}
	for _, e := range ended {
		got[e.ID] = e.Last
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
