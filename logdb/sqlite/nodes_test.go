package sqlite_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/sqlite"
)

// watchedFiles call a test before or after a step, once.
type watchedFiles struct {
	archive.Folder
	creates, removes, renamed func()
}

func once(f *func()) {
	if g := *f; g != nil {
		*f = nil
		g()
	}
}

func (w *watchedFiles) Create(name string) (archive.Sink, error) {
	once(&w.creates)
	return w.Folder.Create(name)
}

func (w *watchedFiles) Remove(name string) error {
	once(&w.removes)
	return w.Folder.Remove(name)
}

func (w *watchedFiles) Rename(from, to string) error {
	err := w.Folder.Rename(from, to)
	once(&w.renamed)
	return err
}

// twoNodes are two stores on one database and one archive folder, with values of two meters.
func twoNodes(t *testing.T) (a, b *sqlite.Store, filesOfA, filesOfB *watchedFiles) {
	t.Helper()
	dir := t.TempDir()
	folder := archive.Folder{Path: filepath.Join(dir, "archive")}
	open := func(files archive.Files) *sqlite.Store {
		s, err := sqlite.Open(ctx, filepath.Join(dir, "logs.db"), sqlite.Config{Archive: files})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	filesOfA, filesOfB = &watchedFiles{Folder: folder}, &watchedFiles{Folder: folder}
	a, b = open(filesOfA), open(filesOfB)
	for _, uid := range []logdb.MeterUID{"m", "m2"} {
		h := load(rand.New(rand.NewPCG(3, 3)), []logdb.ChannelKey{volts}, day0, 60*minute, 24*70)
		if _, err := a.Append(ctx, logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
			t.Fatal(err)
		}
	}
	return a, b, filesOfA, filesOfB
}

// allThere checks that every value is answered, by both nodes, and that the next run ends the work.
func allThere(t *testing.T, nodes ...*sqlite.Store) {
	t.Helper()
	for _, again := range []bool{false, true} {
		for i, s := range nodes {
			if got := len(positionsOf(t, s, "m")); got != 24*70 {
				t.Errorf("node %d answers %d values, want %d", i, got, 24*70)
			}
			audited(t, s, "m")
			if faults := sweepAll(t, s); len(faults) > 0 {
				t.Errorf("node %d found %v", i, faults)
			}
		}
		if !again {
			archiveAll(t, nodes[0], "m", logdb.MaxTime)
		}
	}
}

// TestTwoNodesDiscard has a node take the file of another for one that was left half written, which it verifies at that moment.
func TestTwoNodesDiscard(t *testing.T) {
	t.Parallel()
	a, b, filesOfA, filesOfB := twoNodes(t)
	removes, goOn, ended := make(chan bool), make(chan bool), make(chan bool)
	filesOfB.removes = func() { removes <- true; <-goOn }
	filesOfA.renamed = func() {
		go func() {
			defer close(ended)
			if _, err := b.Archive(ctx, "m", logdb.MaxTime); err != nil {
				t.Logf("the node that discards: %v", err)
			}
		}()
		<-removes
	}
	if _, err := a.Archive(ctx, "m", logdb.MaxTime); err == nil {
		t.Error("a file was counted on that another node removes")
	}
	close(goOn)
	<-ended
	allThere(t, a, b)
}

// TestTwoNodesOfOneName has a node discard what another has only reserved, and write the file of that name: it stays as it was verified.
func TestTwoNodesOfOneName(t *testing.T) {
	t.Parallel()
	a, b, filesOfA, _ := twoNodes(t)
	filesOfA.creates = func() {
		for _, uid := range []logdb.MeterUID{"m2", "m"} { // the first so that the row does not get the same number again
			if moved, err := b.Archive(ctx, uid, logdb.MaxTime); err != nil || moved.Files == 0 {
				t.Errorf("moved %+v, %v", moved, err)
			}
		}
	}
	if _, err := a.Archive(ctx, "m", logdb.MaxTime); err == nil {
		t.Error("two files have one name")
	}
	allThere(t, a, b)
}
