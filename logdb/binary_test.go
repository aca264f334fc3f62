package logdb_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"metermanager/logdb"
)

// samples returns one entry of each shape.
func samples() map[string]logdb.Entry {
	nan := math.NaN()
	head := func(e logdb.Entry) logdb.Entry {
		e.Position, e.Log, e.Run, e.Generation, e.Time = 7, 3, math.MaxUint32, 2, noon
		return e
	}
	wave := &logdb.Waveform{
		End: noon + 30, SampleIntervalMillis: 0.0651, TriggerTime: noon + 10, FrequencyHz: 59.98,
		RMS: []logdb.NamedValue{{Name: "Van", Value: 119.5}, {Name: "", Value: math.Copysign(0, -1)}}, Triggers: []string{"Van=Sag_start", ""},
		Channels: []logdb.WaveChannel{{Name: "Van_Vab", Samples: []float64{1, -2.5, math.Inf(1)}}, {Name: "Ia", Samples: []float64{}}},
		Digital:  []byte{0, 255, 3},
	}
	short := *wave
	short.Source = &logdb.WaveSource{Start: noon - 5, Samples: 4096, SampleIntervalMillis: 0.03255, Digest: logdb.DigestOf([]byte("full"))}
	return map[string]logdb.Entry{
		"row":       head(logdb.Entry{Op: logdb.OpAdd, Row: &logdb.Row{Channels: []logdb.ChannelKey{"a.b", "c.d"}, Values: []float64{0.1, math.Inf(-1)}}}),
		"empty row": head(logdb.Entry{Op: logdb.OpAdd, Row: &logdb.Row{Channels: []logdb.ChannelKey{}, Values: []float64{}}}),
		"revise":    head(logdb.Entry{Op: logdb.OpRevise, Target: 3, Replaces: logdb.DigestOf(nil), By: "re-decode", At: noon + 1, Why: "Zone geändert", Row: &logdb.Row{Channels: []logdb.ChannelKey{"a.b"}, Values: []float64{5}}}),
		"withdraw":  head(logdb.Entry{Op: logdb.OpWithdraw, Target: 3, Replaces: logdb.DigestOf([]byte{1})}),
		"system":    head(logdb.Entry{Op: logdb.OpAdd, System: &logdb.SystemEvent{Type: 99, Code: -4, Description: "a\x00b"}}),
		"excursion": head(logdb.Entry{Op: logdb.OpAdd, Excursion: &logdb.Excursion{DurationSeconds: nan, Channel: "a.b", LimitID: 4, Type: 1, Worst: nan, WorstPercent: 73.5, Threshold: 108}}),
		"waveform":  head(logdb.Entry{Op: logdb.OpAdd, Waveform: wave}),
		"shortened": head(logdb.Entry{Op: logdb.OpAdd, Waveform: &short}),
		"gap":       head(logdb.Entry{Op: logdb.OpGap, Gap: &logdb.Gap{From: noon - 9, To: noon, Cause: logdb.GapReset, Detail: "why"}}),
		"close":     head(logdb.Entry{Op: logdb.OpClose}),
		"zero":      {},
	}
}

func TestEntryRoundTrip(t *testing.T) {
	t.Parallel()
	for name, e := range samples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := e.AppendBinary([]byte{1, 2})
			if err != nil {
				t.Fatal(err)
			}
			var got logdb.Entry
			if err := got.UnmarshalBinary(data[2:]); err != nil {
				t.Fatal(err)
			}
			if !same(got, e) {
				t.Errorf("got %+v, want %+v", got, e)
			}
			for cut := range len(data) - 2 {
				if err := got.UnmarshalBinary(data[2 : 2+cut]); !errors.Is(err, logdb.ErrInvalid) {
					t.Fatalf("%d of %d bytes: %v", cut, len(data)-2, err)
				}
			}
			if err := got.UnmarshalBinary(append(data[2:], 0)); !errors.Is(err, logdb.ErrInvalid) {
				t.Errorf("a byte too much: %v", err)
			}
		})
	}
}

// same is reflect.DeepEqual, but for excursions, whose NaN would differ from themselves.
func same(a, b logdb.Entry) bool {
	if a.Excursion != nil && b.Excursion != nil {
		if !bytes.Equal(a.AppendContent(nil), b.AppendContent(nil)) {
			return false
		}
		a.Excursion, b.Excursion = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

func TestUnmarshalRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	plain := func(run, log byte, rest ...byte) []byte {
		b := append([]byte{1, 1, 1, 0}, make([]byte, 16)...)
		return append(append(b, run, 0, 0, 0, 0, log, 0), rest...)
	}
	var e logdb.Entry
	if err := e.UnmarshalBinary(plain(1, 1, '-')); err != nil || e.Run != 1 || e.Log != 1 {
		t.Fatalf("the plain entry: %v, %+v", err, e)
	}
	big := func(at int) []byte { // a number of more than 32 bits in the place of one byte
		b := plain(1, 1, '-')
		return append(append(append([]byte{}, b[:at]...), 255, 255, 255, 255, 255, 1), b[at+1:]...)
	}
	for name, data := range map[string][]byte{
		"empty": {}, "format": {2, 1}, "run": big(20), "generation": big(21), "log": big(25),
		"tag": plain(0, 0, '?'), "more channels than bytes": plain(0, 0, 'r', 255, 255, 3),
		"a count beyond all memory": plain(0, 0, 'r', 255, 255, 255, 255, 255, 255, 255, 63),
		"more samples than bytes":   plain(0, 0, 'w', 0),
	} {
		if err := e.UnmarshalBinary(data); !errors.Is(err, logdb.ErrInvalid) {
			t.Errorf("%s: %v, %+v", name, err, e)
		}
	}
}

func TestContentIsWhatTheRecordSays(t *testing.T) {
	t.Parallel()
	base := samples()["row"]
	digest := base.ContentDigest()
	same := map[string]func(e *logdb.Entry){
		"position":    func(e *logdb.Entry) { e.Position = 99 },
		"operation":   func(e *logdb.Entry) { e.Op, e.Target = logdb.OpRevise, 5 },
		"run":         func(e *logdb.Entry) { e.Run = 1 },
		"who and why": func(e *logdb.Entry) { e.By, e.Why, e.At = "x", "y", 4 },
		"order of channels": func(e *logdb.Entry) {
			e.Row = &logdb.Row{Channels: []logdb.ChannelKey{"c.d", "a.b"}, Values: []float64{math.Inf(-1), 0.1}}
		},
	}
	for name, change := range same {
		e := base
		change(&e)
		if e.ContentDigest() != digest {
			t.Errorf("%s changes the content", name)
		}
	}
	for name, change := range map[string]func(e *logdb.Entry){
		"log":  func(e *logdb.Entry) { e.Log++ },
		"time": func(e *logdb.Entry) { e.Time++ },
		"channel": func(e *logdb.Entry) {
			e.Row = &logdb.Row{Channels: []logdb.ChannelKey{"a.b", "c.e"}, Values: e.Row.Values}
		},
		"value": func(e *logdb.Entry) { e.Row = &logdb.Row{Channels: e.Row.Channels, Values: []float64{0.1, 0}} },
		"swapped": func(e *logdb.Entry) {
			e.Row = &logdb.Row{Channels: e.Row.Channels, Values: []float64{math.Inf(-1), 0.1}}
		},
		"none": func(e *logdb.Entry) { e.Row = nil },
	} {
		e := base
		change(&e)
		if e.ContentDigest() == digest {
			t.Errorf("another %s leaves the content alike", name)
		}
	}
	seen := map[logdb.Digest]string{}
	for name, e := range samples() {
		e.Op, e.Target, e.Position = logdb.OpAdd, 0, 1
		if other, twice := seen[e.ContentDigest()]; twice && !(name == "close" || name == "withdraw") && !(other == "close" || other == "withdraw") {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[e.ContentDigest()] = name
	}
	// Every NaN is written alike: a payload is no content.
	a, b := samples()["excursion"], samples()["excursion"]
	x := *b.Excursion
	x.Worst = math.Float64frombits(0x7ff8dead0000beef)
	b.Excursion = &x
	if a.ContentDigest() != b.ContentDigest() {
		t.Error("two NaN differ")
	}
}

func TestChainDependsOnAllBefore(t *testing.T) {
	t.Parallel()
	e, other := samples()["system"], samples()["system"]
	zero := logdb.Digest{}
	if e.Chain(zero) != other.Chain(zero) || e.Chain(zero) == e.Chain(e.Chain(zero)) {
		t.Error("the chain does not depend on the entry and what was before alone")
	}
	for name, change := range map[string]func(){
		"position": func() { other.Position++ }, "operation": func() { other.Op = logdb.OpRevise }, "target": func() { other.Target = 1 },
		"content": func() { other.Time++ },
	} {
		other = samples()["system"]
		change()
		if e.Chain(zero) == other.Chain(zero) {
			t.Errorf("another %s gives the same chain", name)
		}
	}
}

func TestDigestText(t *testing.T) {
	t.Parallel()
	d := logdb.DigestOf([]byte("abc"))
	if d.String() != "ba7816bf8f01cfea414140de5dae2223" {
		t.Errorf("digest of abc is %s", d)
	}
	for _, want := range []logdb.Digest{d, {}} {
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		got := logdb.Digest{1}
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%q reads as %s, %v", text, got, err)
		}
	}
	for _, bad := range []string{"0", "zz7816bf8f01cfea414140de5dae2223", "ba7816bf8f01cfea414140de5dae222300"} {
		if err := d.UnmarshalText([]byte(bad)); !errors.Is(err, logdb.ErrInvalid) || !d.IsZero() {
			t.Errorf("%q: %v, %s", bad, err, d)
		}
	}
}
