package retrieve_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// systemTape is a meter of which only the system log is read.
type systemTape struct {
	*tape
	t      *testing.T
	store  logdb.Store
	target *retrieve.Target
	log    device.Log
	state  retrieve.LogState
}

func newSystemTape(t *testing.T, capacity int, records ...[]byte) *systemTape {
	p, _ := profiles(t).Get("eig-shark-200")
	log, _ := p.LogOf("system")
	m := &tape{p: p, log: "system", max: capacity, records: records}
	return &systemTape{
		tape: m, t: t, store: logdbtest.NewModel(logdbtest.Config{}), log: log,
		target: &retrieve.Target{UID: uid, Profile: p, Zone: time.UTC, Conn: m, Identity: poll.Identity{Serial: "T1"}},
	}
}

// retrieve reads the log, and once more, which must find nothing.
func (m *systemTape) retrieve() (first retrieve.Outcome) {
	m.t.Helper()
	r := &retrieve.Reader{Store: m.store}
	for i := range 2 {
		out, err := r.Log(m.t.Context(), m.target, m.log, &m.state, true)
		if err != nil {
			m.t.Fatal(err)
		}
		if i == 0 {
			first = out
		} else if out.Records != 0 {
			m.t.Errorf("a further retrieval finds %d records", out.Records)
		}
	}
	return first
}

func (m *systemTape) raws() []logdb.RawRecord {
	m.t.Helper()
	out, err := m.store.LastRaw(m.t.Context(), uid, logdb.KindSystem, m.log.Log, 1000)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

var tapeZero = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

// passwords is a record of the system log; a meter writes two equal ones when a password is given twice in a second.
func passwords(second int) []byte {
	b := device.AppendTStamp(nil, tapeZero.Add(time.Duration(second)*time.Second))
	return append(b, 4, 4, 0, 1, 0, 0, 0, 0)
}

// TestEqualRecordsAtABoundary: where the memory has moved or was reset, a record that equals the last stored one may be
// another one. Taken for it, it would hide what stands before it.
func TestEqualRecordsAtABoundary(t *testing.T) {
	t.Parallel()
	var old, fresh [][]byte
	for i := range 12 {
		old = append(old, passwords(i))
		fresh = append(fresh, passwords(i-3600)) // the clock was set back meanwhile
	}
	x, y := old[11], passwords(60)
	filler := device.AppendFiller(nil, tapeZero.Add(-2*time.Hour), device.SystemRecordSize)
	moved := func(by int, more ...[]byte) [][]byte { return append(slices.Clone(old[by:]), more...) }
	for _, tc := range []struct {
		name     string
		capacity int
		before   [][]byte
		after    [][]byte
		more     [][]byte // what must have been stored after that in addition
		gap      logdb.GapCause
	}{
		{"one more of them, memory full", 12, old, moved(1, x), [][]byte{x}, ""},
		{"one more and another, memory full", 12, old, moved(2, x, y), [][]byte{x, y}, ""},
		{"three more and another, memory full", 12, old, moved(4, x, x, x, y), [][]byte{x, x, x, y}, ""},
		{"two more, memory not full", 40, moved(0), moved(0, x, x), [][]byte{x, x}, ""},
		{"reset, and an equal one where the last one stood", 40, append([][]byte{filler}, old...), slices.Concat([][]byte{filler}, fresh[:11], [][]byte{x, y}),
			slices.Concat(fresh[:11], [][]byte{x, y}), logdb.GapReset},
		{"reset, and an equal one elsewhere", 40, append([][]byte{filler}, old...), slices.Concat([][]byte{filler}, fresh[:4], [][]byte{x, y}),
			slices.Concat(fresh[:4], [][]byte{x, y}), logdb.GapReset},
		{"reset, and three equal ones elsewhere", 40, append([][]byte{filler}, old...), slices.Concat([][]byte{filler}, fresh[:6], old[9:], [][]byte{y}),
			slices.Concat(fresh[:6], old[9:], [][]byte{y}), logdb.GapReset},
		{"reset, and then all the newest ones again", 40, append([][]byte{filler}, old...), slices.Concat([][]byte{filler, y}, old[2:]),
			slices.Concat([][]byte{y}, old[2:]), logdb.GapReset},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newSystemTape(t, tc.capacity, tc.before...)
			if out := m.retrieve(); out.Records != len(old) {
				t.Fatalf("first retrieval %+v, want %d records", out, len(old))
			}
			m.records = tc.after
			if out := m.retrieve(); out.Gap != tc.gap {
				t.Errorf("gap %q, want %q", out.Gap, tc.gap)
			}
			got := m.raws()
			want := slices.Concat(old, tc.more)
			if !slices.EqualFunc(got, want, func(r logdb.RawRecord, b []byte) bool { return bytes.Equal(r.Bytes, b) }) {
				t.Errorf("%d records are stored, the meter wrote %d", len(got), len(want))
				for _, r := range got {
					t.Logf("% x", r.Bytes)
				}
			}
		})
	}
}

// TestMarksOfOneSecond: the marks of retrievals repeat themselves within a second. Where the place that was noted is older than
// the store, as after a loss of power, the last ones match there too.
func TestMarksOfOneSecond(t *testing.T) {
	t.Parallel()
	records := [][]byte{passwords(0), passwords(1)}
	for range 30 {
		records = append(records, passwords(60))
	}
	m := newSystemTape(t, 100, records...)
	m.retrieve()
	for _, at := range []uint32{12, 18, 31} {
		m.state.Next = at
		if out := m.retrieve(); out.Records != 0 || out.Gap != "" {
			t.Errorf("noted at %d: %d records are found again, gap %q", at, out.Records, out.Gap)
		}
	}
	if got := len(m.raws()); got != len(records) {
		t.Errorf("%d records are stored, the meter wrote %d", got, len(records))
	}
}

// TestGapEndsAtTheFirstRecordBehindIt: a full memory that was overwritten moves on at any request of the retrieval that
// finds it so. What went before it could be read lies in the gap.
func TestGapEndsAtTheFirstRecordBehindIt(t *testing.T) {
	t.Parallel()
	var all [][]byte
	for i := range 40 {
		all = append(all, passwords(i))
	}
	moved := map[int]bool{}
	for at := range 60 {
		m := newSystemTape(t, 12, all[:12]...)
		m.retrieve()
		m.records = all[20:32]
		requests := 0
		m.before = func() {
			if requests++; requests == at {
				m.records = all[21:33]
			}
		}
		r := &retrieve.Reader{Store: m.store}
		if _, err := r.Log(t.Context(), m.target, m.log, &m.state, true); err != nil {
			t.Fatalf("moved at request %d: %v", at, err)
		}
		m.before = nil
		m.records = all[21:33]
		r = &retrieve.Reader{Store: m.store}
		if _, err := r.Log(t.Context(), m.target, m.log, &m.state, true); err != nil {
			t.Fatal(err)
		}
		raws := m.raws()[12:]
		begin := 32 - 20 - len(raws) + 21
		moved[begin] = true
		for i, raw := range raws {
			if !bytes.Equal(raw.Bytes, all[begin+i]) {
				t.Errorf("moved at request %d: record %d is % x, want % x", at, begin+i, raw.Bytes, all[begin+i])
			}
		}
		var gaps []logdb.Gap
		err := m.store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindSystem, Gaps: true}, func(_ logdb.StreamID, e *logdb.Entry) error {
			gaps = append(gaps, *e.Gap)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(gaps) != 1 || gaps[0].From.Time() != tapeZero.Add(11*time.Second) || gaps[0].To != raws[0].Time || gaps[0].Cause != logdb.GapOverwritten {
			t.Errorf("moved at request %d: gaps %+v, want one up to %v", at, gaps, raws[0].Time)
		}
	}
	if !moved[20] || !moved[21] {
		t.Errorf("the first record that could be read was always the same: %v", moved)
	}
}

// TestStepBackOpensARun: what a meter writes after its clock was set back belongs to another run, also when a later
// retrieval brings it; equal times are no step.
func TestStepBackOpensARun(t *testing.T) {
	t.Parallel()
	m := newSystemTape(t, 40, passwords(0), passwords(10), passwords(10), passwords(-600), passwords(-590))
	m.retrieve()
	m.records = append(m.records, passwords(-580), passwords(-1200))
	m.retrieve()
	m.records = append(m.records, passwords(-1300))
	m.retrieve()
	m.records = append(m.records, passwords(3600))
	m.retrieve()
	var runs []uint32
	for _, r := range m.raws() {
		runs = append(runs, r.Run)
	}
	if want := []uint32{0, 0, 0, 1, 1, 1, 2, 3, 3}; !slices.Equal(runs, want) {
		t.Errorf("runs %d, want %d", runs, want)
	}
}
