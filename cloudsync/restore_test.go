package cloudsync_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
)

// firstID is the id of the first journal of each restoredLog.
const firstID logdb.JournalID = "11111111111111111111111111111111"

// restoredLog makes an empty log database whose first journal has the id that it had before it was restored. The ids that it
// draws after that are others for each drawn.
func restoredLog(drawn int) logdb.Store {
	ids := 0
	return logdbtest.NewModel(logdbtest.Config{NewJournalID: func() logdb.JournalID {
		if ids++; ids == 1 {
			return firstID
		}
		return logdb.JournalID(fmt.Sprintf("%024d00000000", 10*drawn+ids))
	}})
}

// TestAnIDThatWasGivenUpIsNotUsedAgain: a site finds out that its log database was restored and gives its journal a new
// id. Restored once more, to the time before, it must not go on under the old id at a cloud that was emptied and cannot
// say so: another cloud may know that id with other contents.
func TestAnIDThatWasGivenUpIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	const old = firstID
	cloud := newFakeCloud()
	s := newSite(t, restoredLog(1), cloud)
	s.settings(time.Minute)
	s.rows(0, start, start+60_000, start+120_000)
	s.upload()
	restored := func(drawn int, more ...logdb.Millis) logdb.JournalID {
		s.stop()
		s.logs = restoredLog(drawn)
		s.settings(time.Minute)
		s.rows(0, append([]logdb.Millis{start}, more...)...)
		s.start()
		s.upload()
		return journalID(t, s.logs, logdb.KindHistorical)
	}
	if journalID(t, s.logs, logdb.KindHistorical) != old {
		t.Fatal("the first upload renewed the journal")
	}
	if restored(2, start+61_000) == old {
		t.Fatal("the restored log goes on under an id that the cloud knows with other contents")
	}
	s.cloud = newFakeCloud()
	own := restored(3, start+62_000)
	if own == old {
		t.Error("the id that was given up is used again")
	}
	same(t, "cloud", points(t, s.cloud.store, "cloud-4711", own), points(t, s.logs, meter, own))
}

// The journal gets another id while pages of it are made, since another cloud holds something else under the old one: the records that are not found there
// any more are not called cleared under it. A copy of this node that goes on under that id would find them decided, and never send them.
func TestRenewedWhilePagesAreMade(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, restoredLog(1), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 300)...)
	s.cfg.PageBytes = 2000
	s.restart()
	pushed := 0
	cloud.before = func(call string) error {
		if call == "push" {
			if pushed++; pushed == 2 {
				if _, err := s.logs.RenewJournal(t.Context(), meter, logdb.KindHistorical); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for range 3 {
		s.upload()
	}
	states, err := cloud.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical)
	if err != nil || len(states) != 2 {
		t.Fatalf("%d streams, %v", len(states), err)
	}
	for _, st := range states {
		if n := st.Fates.Count(logdb.FateNotChosen); n > 0 {
			t.Errorf("%d records of %s are called not chosen", n, st.Stream)
		}
	}
	own := journalID(t, s.logs, logdb.KindHistorical)
	if own == firstID {
		t.Fatal("the journal was not renewed")
	}
	same(t, "cloud", points(t, cloud.store, "cloud-4711", own), points(t, s.logs, meter, own))
}

// TestAReceiptIsNotStored: a cloud that only takes pages in says nothing of their records. Until its sets hold them they
// are pending, and they are sent again when what was taken in is lost.
func TestAReceiptIsNotStored(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, start, start+60_000, start+120_000)
	if _, err := s.sync.RegisterMeter(t.Context(), meter); err != nil {
		t.Fatal(err)
	}
	cloud.hold = true
	if _, err := s.sync.UploadMeter(t.Context(), meter); err != nil {
		t.Fatal(err)
	}
	if len(cloud.held) == 0 {
		t.Fatal("no page was sent")
	}
	status, err := s.sync.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status.Pending != 3 {
		t.Errorf("%d records are pending after a receipt, want 3", status.Pending)
	}
	cloud.hold, cloud.held = false, nil // the cloud lost what it had taken in
	s.upload()
	same(t, "cloud", points(t, cloud.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
}

// TestABackupFromBeforeAnotherName puts back a site to a backup of before a cloud was sent the journal under another name, while the
// cloud that knows it under the first name is away: what it records then must not be taken for what stands there under the other.
func TestABackupFromBeforeAnotherName(t *testing.T) {
	t.Parallel()
	const old = firstID
	second := newFakeCloud()
	s := newSite(t, restoredLog(1), newFakeCloud())
	s.second("b", second)
	begin := func() {
		s.settings(time.Minute)
		s.rows(0, every(time.Minute, start, 60)...)
	}
	send := func() {
		t.Helper()
		for range 3 {
			if err := s.both("b"); err != nil {
				t.Fatal(err)
			}
		}
	}
	begin()
	s.upload()
	send()
	s.stop() // which leaves one file
	backup, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	if err := s.sync.For("b").Set(t.Context(), cloudsync.SettingChannels, string(channels[0])); err != nil {
		t.Fatal(err)
	}
	send()
	s.rows(0, every(time.Minute, start+3_600_000, 60)...)
	send()
	if n := len(second.journals(t, logdb.KindHistorical)); n != 2 {
		t.Fatalf("the cloud knows the journal under %d names, want 2", n)
	}
	s.stop()
	if err := os.WriteFile(s.path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	s.logs = restoredLog(2)
	begin()
	s.rows(0, every(time.Minute, start+3_630_000, 20)...)
	s.start()
	send()
	own := journalID(t, s.logs, logdb.KindHistorical)
	if own == old {
		t.Error("the restored log goes on under an id that the cloud knows to a later end under another name")
	}
	same(t, "cloud", points(t, second.store, "cloud-4711", own), points(t, s.logs, meter, own))
}
