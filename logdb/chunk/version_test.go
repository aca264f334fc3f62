package chunk_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// What version 1 wrote of oldPoints, and of their sums by hours.
const (
	oldChunk = "113c0080a0abfef962c0ee6d000202000100046c3b28b52ffd000095010094028001043cf823fb230c0c0000ff1890fce88f00b98ffdf88f01c98ffe0890fbd8" +
		"8f08000000000000000154160428010c"
	oldRoll = "1480dddb01010f00bcd239020008000080d4610000c09fab030000010002f82300020104030201000201040302010001000080240000010002f8230401060005" +
		"02030401060005020300010002fc23030401060005020304010600050200010002ee8f010004050c0b06030004050c0b0603"
)

func oldPoints() chunk.Points {
	var p chunk.Points
	for i := range 60 {
		p.Times = append(p.Times, logdb.Millis(1_700_000_000_000+i*900_000))
		p.Positions = append(p.Positions, logdb.Position(i+1))
		p.Values = append(p.Values, 230+float64(i*i%7)/10)
	}
	return p
}

// TestOldBlobs reads what version 1 wrote.
func TestOldBlobs(t *testing.T) {
	t.Parallel()
	c, want := newCodec(t), oldPoints()
	data, err := hex.DecodeString(oldChunk)
	if err != nil {
		t.Fatal(err)
	}
	var b logdb.Block
	if err := c.Points(data, &b); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.Times, want.Times) || !slices.Equal(b.Positions, want.Positions) || !sameBits(b.AppendValues(nil), want.Values) {
		t.Error("other points than were written")
	}
	sums := chunk.Roll{Step: 3_600_000, Covers: true}
	sums.RollUp(&b)
	if data, err = hex.DecodeString(oldRoll); err != nil {
		t.Fatal(err)
	}
	var got chunk.Roll
	if err := c.Roll(data, &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Steps, sums.Steps) || !slices.Equal(got.Buckets, sums.Buckets) {
		t.Errorf("sums %+v, want %+v", got.Buckets, sums.Buckets)
	}
	// Version 2 gives the same sums of any steps, in less room.
	again, err := c.AppendRoll(nil, &sums)
	if err != nil || len(again) >= len(data) {
		t.Fatalf("%d bytes in version 2, %d in version 1; %v", len(again), len(data), err)
	}
	var second chunk.Roll
	if err := c.Steps(again, &second); err != nil {
		t.Fatal(err)
	}
	for i := range sums.Steps {
		for j := i + 1; j <= len(sums.Steps); j++ {
			var x, y chunk.Accumulator
			got.AddTo(&x, i, j)
			second.AddTo(&y, i, j)
			if x.Bucket() != y.Bucket() {
				t.Errorf("steps %d to %d: %+v of version 2, %+v of version 1", i, j, y.Bucket(), x.Bucket())
			}
		}
	}
}

// TestClasses writes differences of every length.
func TestClasses(t *testing.T) {
	t.Parallel()
	for bits := range 53 {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			t.Parallel()
			c := newCodec(t)
			rnd := rand.New(rand.NewPCG(uint64(bits), 7))
			p := chunk.Points{}
			for i := range 3000 {
				v := int64(rnd.IntN(3))
				if i%8 == 0 {
					v = rnd.Int64N(1<<bits) - 1<<bits/2
				}
				p.Times, p.Positions, p.Values = append(p.Times, logdb.Millis(i*1000)), append(p.Positions, logdb.Position(i+1)), append(p.Values, float64(v))
			}
			data, err := c.AppendPoints(nil, p)
			if err != nil {
				t.Fatal(err)
			}
			var b logdb.Block
			if err := c.Points(data, &b); err != nil {
				t.Fatal(err)
			}
			if !sameBits(b.AppendValues(nil), p.Values) {
				t.Error("other values than were written")
			}
			certain := bits > 6
			if certain && data[0] != 0x21 {
				t.Errorf("first byte %#x: no classes were written", data[0])
			}
			for range 20 {
				if err := c.Points(data[:rnd.IntN(len(data))], &b); err == nil {
					t.Error("a part was taken for the whole")
				}
			}
			if data[0] -= 0x10; certain && c.Points(data, &b) == nil {
				t.Error("classes were read in version 1")
			}
		})
	}
}
