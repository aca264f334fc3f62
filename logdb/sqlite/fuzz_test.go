package sqlite

import (
	"errors"
	"reflect"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
	"metermanager/logdb/limit"
)

// FuzzStored feeds the decoders of everything that is stored with any bytes: an error or a result, no panic. A
// database file may have been handed over by somebody.
func FuzzStored(f *testing.F) {
	codec, err := chunk.New()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = codec.Close() })
	row := &logdb.Row{Channels: []logdb.ChannelKey{"readings.voltage.an", "energy.total.vah"}, Values: []float64{120.25, 1.0 / 3}}
	wave := &logdb.Waveform{SampleIntervalMillis: 0.5, Channels: []logdb.WaveChannel{{Name: "Ia", Samples: []float64{1, 2.5}}}, Digital: []byte{1, 0}}
	for _, e := range []logdb.Entry{
		{Position: 1, Op: logdb.OpAdd, Time: 5, Row: row},
		{Position: 2, Op: logdb.OpRevise, Target: 1, Row: &logdb.Row{}, By: "somebody", Why: "because"},
		{Position: 3, Op: logdb.OpAdd, Waveform: wave},
	} {
		data, samples, err := encodeEntry(codec, &e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(samples)
	}
	f.Add(encodeRaw([]logdb.RawRecord{{Position: 7, Bytes: []byte("abc"), Run: 1, Time: 9}, {Position: 9, Bytes: []byte{}, Generation: 2}}))
	x := extentRow{1, 2, 3, 4, 5, 6.5, limit.Mark{Position: 7, Run: 8, Generation: 9, Time: 10}}
	f.Add(x.append(nil))
	f.Add(appendClaim(nil, &claim{tallies: map[int64]*logdb.Tally{3: {Count: 2, Sum: [2]uint64{4, 5}}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		check := func(err error) {
			if err != nil && !errors.Is(err, chunk.ErrDamaged) {
				t.Errorf("err %v, want ErrDamaged", err)
			}
		}
		var e logdb.Entry
		check(decodeEntry(data, &e))
		check(decodeSamples(codec, data, &logdb.Waveform{Channels: make([]logdb.WaveChannel, 1)}))
		_, err := decodeRaw(data, logdb.Digest{})
		check(err)
		check(readExtent(data, func(extentRow) {}))
		check(readClaim(data, func(int64, logdb.Tally) {}))
		_, err = codec.Bytes(data)
		check(err)
	})
}

// TestStoredForms checks that what is written is read back.
func TestStoredForms(t *testing.T) {
	t.Parallel()
	codec, err := chunk.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = codec.Close() })
	for _, e := range []logdb.Entry{
		{Op: logdb.OpAdd, Log: 3, Run: 1, Generation: 2, Time: 5, Row: &logdb.Row{Channels: []logdb.ChannelKey{"a.b"}, Values: []float64{-1e300}}},
		{Op: logdb.OpRevise, Position: 9, Target: 1, Time: 5, Row: &logdb.Row{}, By: "x", At: 7, Why: "y"},
		{Op: logdb.OpGap, Gap: &logdb.Gap{From: 1, To: 2, Cause: logdb.GapBusy, Detail: "d"}},
		{Op: logdb.OpAdd, Waveform: &logdb.Waveform{
			SampleIntervalMillis: 0.0651, Channels: []logdb.WaveChannel{{Name: "Van", Samples: []float64{0, 1, -1.5}}, {Name: "Ib", Samples: []float64{}}}, Digital: []byte{255, 0, 3},
		}},
	} {
		data, samples, err := encodeEntry(codec, &e)
		if err != nil {
			t.Fatal(err)
		}
		var got logdb.Entry
		if err := decodeEntry(data, &got); err != nil {
			t.Fatal(err)
		}
		if e.Waveform != nil {
			if err := decodeSamples(codec, samples, got.Waveform); err != nil {
				t.Fatal(err)
			}
		}
		if got.ContentDigest() != e.ContentDigest() || got.By != e.By || got.Why != e.Why || got.Target != e.Target {
			t.Errorf("%+v came back as %+v", e, got)
		}
	}
	raw := []logdb.RawRecord{{Position: 7, Bytes: []byte("abc"), Run: 5, Generation: 3, Time: 9}, {Position: 9, Bytes: []byte{1}, Run: 4, Time: 2}}
	got, err := decodeRaw(encodeRaw(raw), logdb.Digest{})
	if err != nil || !reflect.DeepEqual(got, raw) {
		t.Errorf("%+v, %v", got, err)
	}
}
