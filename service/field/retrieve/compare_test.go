package retrieve_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

func TestCompareMemoryWithJournal(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 8, History: 30 * time.Hour})
	store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
	m, _ := newManager(t, store, state, retrieve.Config{Live: time.Hour, Retrieve: time.Hour})
	background(t, m.Run)
	if _, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "America/New_York"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Retrieve(t.Context(), "main", 0); err != nil {
		t.Fatal(err)
	}
	for _, k := range logdb.Kinds {
		list, err := m.Compare(t.Context(), "main", k, 5000)
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %v, %v", k, list, err)
		}
		for _, c := range list {
			if len(c.Days) != 0 || c.NotRead != 0 || k == logdb.KindHistorical && c.Compared == 0 {
				t.Errorf("%s: %+v", c.Name, c)
			}
		}
	}
	list, err := m.Compare(t.Context(), "main", logdb.KindHistorical, 50)
	if err != nil || len(list) == 0 || list[0].Compared != 50 || list[0].NotRead < 1000 {
		t.Errorf("the newest 50 records: %+v, %v, want 50 compared and the others not read", list, err)
	}
}

func TestCompareSeesAChangedRecord(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{History: 5 * time.Hour})
	s.must("hist1")
	log, _ := s.profile.LogOf("hist1")
	wrong := &forged{Store: s.store, at: 20}
	r := &retrieve.Reader{Store: wrong, Now: s.now.Now}
	c, err := r.Compare(t.Context(), s.target(), log, s.states["hist1"], 100)
	if err != nil {
		t.Fatal(err)
	}
	if c.Compared != 100 || len(c.Days) != 1 || c.Days[0].Stored != 1 || c.NotRead == 0 {
		t.Errorf("%+v, want one different record of 100", c)
	}
	s.free()
}

// A memory that was reset since the last retrieval has nothing to compare, and must not look compared.
func TestCompareWithAResetMemory(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{History: 5 * time.Hour})
	s.must("hist1")
	if err := s.meter.ResetLog(sim.LogHist1); err != nil {
		t.Fatal(err)
	}
	s.advance(30 * time.Minute)
	log, _ := s.profile.LogOf("hist1")
	r := &retrieve.Reader{Store: s.store, Now: s.now.Now}
	c, err := r.Compare(t.Context(), s.target(), log, s.states["hist1"], 100)
	if err != nil {
		t.Fatal(err)
	}
	if c.Compared != 0 || !c.Apart || c.NotRead < 10 || len(c.Days) != 0 {
		t.Errorf("%+v, want nothing compared and the new records not read", c)
	}
	s.free()
}

// TestCompareTellsWhoCannotBeRead: damage here must not look like a meter that does not answer.
func TestCompareTellsWhoCannotBeRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{History: 5 * time.Hour})
	s.must("hist1")
	log, _ := s.profile.LogOf("hist1")
	r := &retrieve.Reader{Store: &torn{s.store}, Now: s.now.Now}
	if _, err := r.Compare(t.Context(), s.target(), log, s.states["hist1"], 100); !errors.Is(err, retrieve.ErrStored) {
		t.Errorf("%v, want ErrStored", err)
	}
}

// torn is a store whose raw records cannot be read.
type torn struct{ logdb.Store }

func (*torn) LastRaw(context.Context, logdb.MeterUID, logdb.Kind, logdb.LogNo, int) ([]logdb.RawRecord, error) {
	return nil, errors.New("damaged")
}

// forged is a store in which one record has changed.
type forged struct {
	logdb.Store
	at int
}

func (f *forged) LastRaw(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, log logdb.LogNo, n int) ([]logdb.RawRecord, error) {
	out, err := f.Store.LastRaw(ctx, meter, kind, log, n)
	if i := len(out) - f.at; i >= 0 {
		b := bytes.Clone(out[i].Bytes)
		b[9]++
		out[i].Bytes = b
	}
	return out, err
}

// A record that is lost here, or that only the journal holds, is named; the older ones are still compared with their partners.
func TestCompareNamesTheRecord(t *testing.T) {
	t.Parallel()
	for fault, change := range map[logdb.Fault]func([]logdb.RawRecord, int) []logdb.RawRecord{
		logdb.FaultMissing: func(l []logdb.RawRecord, i int) []logdb.RawRecord { return slices.Delete(l, i, i+1) },
		logdb.FaultExtra: func(l []logdb.RawRecord, i int) []logdb.RawRecord {
			x := l[i]
			x.Bytes = bytes.Clone(x.Bytes)
			x.Bytes[9]++
			return slices.Insert(l, i+1, x)
		},
		logdb.FaultAltered: func(l []logdb.RawRecord, i int) []logdb.RawRecord {
			l[i].Bytes = bytes.Clone(l[i].Bytes)
			l[i].Bytes[9]++
			return l
		},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sim.Config{History: 5 * time.Hour})
			s.must("hist1")
			log, _ := s.profile.LogOf("hist1")
			w := &changed{Store: s.store, change: change, at: 20}
			r := &retrieve.Reader{Store: w, Now: s.now.Now}
			c, err := r.Compare(t.Context(), s.target(), log, s.states["hist1"], 100)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Days) != 1 || len(c.Days[0].Records) != 1 {
				t.Fatalf("%+v, want one record", c.Days)
			}
			got := c.Days[0].Records[0]
			if got.Fault != fault || got.Position != w.position || got.Time != w.time {
				t.Errorf("%+v, want %s at position %d, %s", got, fault, w.position, w.time)
			}
			s.free()
		})
	}
}

// changed is a store of which somebody changed the raw records.
type changed struct {
	logdb.Store
	change   func([]logdb.RawRecord, int) []logdb.RawRecord
	at       int
	position logdb.Position
	time     logdb.Millis
}

func (c *changed) LastRaw(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, log logdb.LogNo, n int) ([]logdb.RawRecord, error) {
	out, err := c.Store.LastRaw(ctx, meter, kind, log, n)
	if i := len(out) - c.at; err == nil && i >= 0 {
		before := len(out)
		out = c.change(slices.Clone(out), i)
		if len(out) > before {
			i++
		}
		c.position, c.time = out[i].Position, out[i].Time
	}
	return out, err
}
