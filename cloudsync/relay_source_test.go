package cloudsync_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
)

// firstJournal makes a store whose first journal has the id that a copy of it has too. What is drawn later is random.
func firstJournal() logdb.Store {
	made := false
	return logdbtest.NewModel(logdbtest.Config{NewJournalID: func() logdb.JournalID {
		if made {
			return logdb.JournalID(fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()))
		}
		made = true
		return "11111111111111111111111111111111"
	}})
}

// postBare posts minutes of a meter that keeps no journal, a page each.
func postBare(t *testing.T, f *fakeCloud, values ...float64) {
	t.Helper()
	for _, v := range values {
		_, err := f.store.Accept(t.Context(), logdb.Page{Meter: "cloud-4711", Kind: logdb.KindHistorical, Source: "key-7", Rows: []logdb.History{{
			Channels: channels[:1], Times: []logdb.Millis{start + logdb.Millis(v)*60_000}, Columns: [][]float64{{v}},
		}}}, logdb.Limits{})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func numbers(first, last int) (out []float64) {
	for v := first; v <= last; v++ {
		out = append(out, float64(v))
	}
	return out
}

// sourceJournal returns the id of the journal that a cloud makes for the credential.
func sourceJournal(t *testing.T, f *fakeCloud) logdb.JournalID {
	t.Helper()
	states, err := f.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range states {
		if st.Source != "" {
			return st.Stream.Journal
		}
	}
	t.Fatal("no journal of a source")
	return ""
}

// A cloud that makes a journal for a meter which posts without positions, and passes it on, is put back to an older state, and the meter posts
// on: the numbers that the next cloud has already are used again, for other records.
func TestRestoredRelayOfAJournalOfASource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		backup    int     // how many rows it has
		posts     [][]int // first and last of what is posted after the backup came back, with an upload after each
		chainless bool    // the next cloud got them from an older version
		renewed   bool
	}{
		{"compared at once", 10, [][]int{{0, -1}, {21, 25}, {26, 40}}, false, true},
		{"compared while it is shorter", 10, [][]int{{21, 25}, {26, 40}}, false, true},
		{"compared when it is as long", 10, [][]int{{21, 30}}, false, true},
		{"compared when it is longer", 10, [][]int{{21, 40}}, false, true},
		{"sent without chains, compared while it is shorter", 10, [][]int{{21, 25}, {26, 40}}, true, true},
		{"sent without chains, compared when it is longer", 10, [][]int{{21, 40}}, true, true},
		{"a backup of just before", 20, [][]int{{21, 40}}, false, false},
		{"a backup of just before, sent without chains", 20, [][]int{{0, -1}, {21, 40}}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			near, far := newFakeCloud(), newFakeCloud()
			near.store, far.chainless = firstJournal(), c.chainless
			postBare(t, near, numbers(1, 20)...)
			relay(t, near, far).upload()
			old := sourceJournal(t, near)
			far.chainless = false

			near.store = firstJournal()
			postBare(t, near, numbers(1, c.backup)...)
			restored := relay(t, near, far)
			var posted []float64
			for _, p := range c.posts {
				postBare(t, near, numbers(p[0], p[1])...)
				posted = append(posted, numbers(p[0], p[1])...)
				restored.upload()
				now := sourceJournal(t, near)
				same(t, "what the restored cloud has", points(t, far.store, "cloud-4711", now), points(t, near.store, "cloud-4711", now))
			}
			if now := sourceJournal(t, near); (now != old) != c.renewed {
				t.Errorf("the journal has another id: %v", now != old)
			}
			there := map[float64]bool{}
			for _, p := range points(t, far.store, "cloud-4711", "") {
				there[p.value] = true
			}
			for _, v := range append(numbers(1, 20), posted...) {
				if !there[v] {
					t.Errorf("row %g never came", v)
				}
			}
			pages := far.pages
			restored.upload()
			if status, err := restored.sync.Status(t.Context()); err != nil || len(status.Meters[0].Relayed[0].Conflicts) > 0 || far.pages != pages {
				t.Errorf("%d pages more, %v, %+v", far.pages-pages, err, status.Meters)
			}
			if r := restored.verify(logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The next cloud began as a copy of the one that makes the journal, and the meter posts to both.
func TestJournalOfASourceThatACopyWritesToo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		here, there int // rows that each took since
		renewed     bool
	}{{"neither went on", 0, 0, false}, {"the copy did", 0, 3, true}, {"the first one did", 3, 0, true}, {"both did, the copy more", 2, 4, true}, {"both did, the copy less", 4, 2, true}, {"both did", 3, 3, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			near, far := newFakeCloud(), newFakeCloud()
			near.store, far.store = firstJournal(), firstJournal()
			for i, f := range []*fakeCloud{near, far} {
				postBare(t, f, numbers(1, 5)...)
				postBare(t, f, numbers(10*i+11, 10*i+10+[]int{c.here, c.there}[i])...)
			}
			name(t, far)
			old := sourceJournal(t, near)
			between := relay(t, near, far)
			between.upload()
			now := sourceJournal(t, near)
			if (now != old) != c.renewed {
				t.Errorf("the journal has another id: %v", now != old)
			}
			same(t, "what the first one has", points(t, far.store, "cloud-4711", now), points(t, near.store, "cloud-4711", now))
			if own := points(t, far.store, "cloud-4711", sourceJournal(t, far)); len(own) != 5+c.there {
				t.Errorf("the copy has %d rows of its own", len(own))
			}
			if status, err := between.sync.Status(t.Context()); err != nil || len(status.Meters[0].Relayed[0].Conflicts) > 0 {
				t.Errorf("%v, %+v", err, status.Meters)
			}
		})
	}
}

// A journal that is renewed for one cloud reaches the other ones under its new id too.
func TestRenewedJournalOfASourceReachesEveryCloud(t *testing.T) {
	t.Parallel()
	near, far, other := newFakeCloud(), newFakeCloud(), newFakeCloud()
	near.store = firstJournal()
	postBare(t, near, numbers(1, 20)...)
	relay(t, near, far).upload()
	near.store = firstJournal()
	postBare(t, near, numbers(1, 10)...)
	restored := relay(t, near, other)
	restored.upload()
	restored.second("far", far)
	postBare(t, near, numbers(21, 40)...)
	for range 3 {
		for _, cloud := range []string{"far", ""} {
			link := restored.sync.For(cloud)
			if _, err := link.RegisterMeter(t.Context(), restored.uid); err != nil {
				t.Fatal(err)
			}
			if _, err := link.UploadMeter(t.Context(), restored.uid); err != nil {
				t.Fatal(err)
			}
		}
	}
	now := sourceJournal(t, near)
	for name, f := range map[string]*fakeCloud{"the one that knew more": far, "the other one": other} {
		same(t, name, points(t, f.store, "cloud-4711", now), points(t, near.store, "cloud-4711", now))
	}
}
