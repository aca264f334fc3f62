package retrieve_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// waveTape is a meter whose waveform log holds given records.
type waveTape struct{ tape }

// Do answers function 0x23 with a record in four windows.
func (m *waveTape) Do(ctx context.Context, r modbus.Request) ([]byte, error) {
	if r.FC == modbus.FCReadRepeated {
		rec := bytes.Repeat([]byte{0xFF}, device.WaveRepeats*244)
		copy(rec, m.records[m.index])
		var out []byte
		for part := range slices.Chunk(rec, 244) {
			out = append(out, 0, byte(m.index>>16), byte(m.index>>8), byte(m.index))
			out = append(out, part...)
		}
		m.index++
		return out, nil
	}
	b, err := m.tape.Do(ctx, r)
	if r.FC == 3 && r.Addr == 0xC34F {
		b[3] = device.WaveRepeats
	}
	return b, err
}

// captureOf is a recording of its hour.
func captureOf(n int) [][]byte {
	c := device.Capture{Header: device.WaveHeader{RateCode: 6, Capture: byte(n), LastSample: device.WaveSamples - 1}}
	for i := range c.Header.Calibration {
		c.Header.Calibration[i] = 50000
	}
	for _, id := range []string{"AN", "IA", "BN", "IB", "CN", "IC"} {
		c.Blocks = append(c.Blocks, device.CaptureBlock{ID: id, Samples: make([]int16, device.WaveSamples)})
	}
	return device.CaptureRecords(waveHour(n), c)
}

func waveHour(n int) time.Time { return time.Date(2026, 5, 1, n, 0, 0, 0, time.UTC) }

// TestRestOfACapture: where the supply failed while a capture was written, or the memory begins in the middle of one, what is left of it
// is one unreadable entry with its bytes, and every whole capture behind it is a recording.
func TestRestOfACapture(t *testing.T) {
	t.Parallel()
	p, _ := profiles(t).Get("eig-shark-200")
	log, _ := p.LogOf("waveform")
	filler := [][]byte{device.AppendFiller(nil, waveHour(0), device.WaveRecordSize)}
	erased := slices.Repeat([][]byte{bytes.Repeat([]byte{0xFF}, device.WaveRecordSize)}, 30)
	spoilt := captureOf(2)
	spoilt[7] = bytes.Repeat([]byte{0x55}, device.WaveRecordSize)
	for _, tc := range []struct {
		name  string
		steps [][][]byte // records that are new at each retrieval
		whole []int      // hours of recordings
		rest  []int      // and of unreadable entries
	}{
		{"nothing is torn", [][][]byte{filler, captureOf(1), captureOf(2)}, []int{1, 2}, nil},
		{"the supply failed", [][][]byte{filler, captureOf(1), captureOf(2)[:10], captureOf(3), captureOf(4)}, []int{1, 3, 4}, []int{2}},
		{"twice", [][][]byte{filler, captureOf(1)[:25], captureOf(2)[:1], captureOf(3)}, []int{3}, []int{1, 2}},
		{"the first capture is overwritten in part", [][][]byte{captureOf(1)[18:], captureOf(2), captureOf(3)}, []int{2, 3}, []int{1}},
		{"one record of it is left", [][][]byte{slices.Concat(captureOf(1)[25:], captureOf(2), captureOf(3))}, []int{2, 3}, []int{1}},
		{"and then the slots were erased", [][][]byte{filler, captureOf(1), captureOf(2)[:10], slices.Concat(erased, captureOf(3), captureOf(4))}, []int{1, 3, 4}, []int{2, 2}},
		{"a record is spoilt", [][][]byte{filler, captureOf(1), spoilt, captureOf(3)}, []int{1, 3}, []int{2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := &waveTape{tape{p: p, log: "waveform"}}
			store := logdbtest.NewModel(logdbtest.Config{})
			target := &retrieve.Target{UID: uid, Profile: p, Zone: time.UTC, Conn: m, Identity: poll.Identity{Serial: "T1"}}
			r := &retrieve.Reader{Store: store}
			var st retrieve.LogState
			for _, step := range tc.steps {
				m.records = append(m.records, step...)
				if _, err := r.Log(t.Context(), target, log, &st, true); err != nil {
					t.Fatal(err)
				}
			}
			if got := hoursOf(t, store, false); !slices.Equal(got, tc.whole) {
				t.Errorf("recordings of the hours %v, want %v", got, tc.whole)
			}
			if got := hoursOf(t, store, true); !slices.Equal(got, tc.rest) {
				t.Errorf("unreadable entries of the hours %v, want %v", got, tc.rest)
			}
			raws, err := store.LastRaw(t.Context(), uid, logdb.KindWaveform, log.Log, 100)
			if err != nil {
				t.Fatal(err)
			}
			var kept []byte
			for _, raw := range raws {
				kept = append(kept, raw.Bytes...)
			}
			want := m.records
			if device.IsFiller(want[0]) {
				want = want[1:]
			}
			if !bytes.Equal(kept, slices.Concat(want...)) {
				t.Errorf("%d bytes are kept of %d records", len(kept), len(want))
			}
		})
	}
}

func hoursOf(t *testing.T, store logdb.Store, gaps bool) (out []int) {
	t.Helper()
	err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindWaveform, Gaps: gaps}, func(_ logdb.StreamID, e *logdb.Entry) error {
		out = append(out, e.Time.Time().Add(time.Minute).UTC().Hour()) // a recording begins before its trigger
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMemoryOfNoWholeCaptures: a memory that takes no whole number of captures begins within one as soon as it is full.
func TestMemoryOfNoWholeCaptures(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{History: 20 * 24 * time.Hour, MaxRecords: map[int]int{sim.LogWaveform: 60}})
	for retrieval := 1; retrieval <= 3; retrieval++ {
		s.must("waveform")
		if n := len(s.events(logdb.KindWaveform, false)); n != 2*retrieval {
			t.Errorf("%d recordings after %d retrievals of a memory of two", n, retrieval)
		}
		s.advance(3 * 24 * time.Hour) // more than the memory takes
	}
}
