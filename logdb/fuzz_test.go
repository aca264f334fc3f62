package logdb_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"metermanager/logdb"
)

func FuzzFateSetUnmarshalBinary(f *testing.F) {
	var set logdb.FateSet
	set.Put(logdb.FateRange{First: 1, Last: 9, Fate: logdb.FateStored})
	set.Put(logdb.FateRange{First: 10, Last: 12, Fate: logdb.FateSkipped, Reason: "day", FirstTime: noon, LastTime: noon + 5})
	set.Put(logdb.FateRange{First: 13, Last: 13, Fate: logdb.FateReduced, Into: 20, FirstTime: noon, LastTime: noon})
	set.Put(logdb.FateRange{First: 30, Last: 30, Fate: logdb.FateHeld})
	data, err := set.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{})
	f.Add([]byte{1, 0})
	f.Add([]byte{1, 1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var set, again logdb.FateSet
		if err := set.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, logdb.ErrInvalid) || set.Len() != 0 {
				t.Fatalf("%v with %d positions", err, set.Len())
			}
			return
		}
		last := logdb.Position(0)
		for _, r := range set.Ranges() {
			if r.First <= last || r.Last < r.First || r.Last > logdb.MaxPosition || r.Into > logdb.MaxPosition || r.Count() < 1 {
				t.Fatalf("range %+v after %d", r, last)
			}
			last = r.Last
		}
		out, err := set.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalBinary(out); err != nil || !slices.Equal(again.Ranges(), set.Ranges()) {
			t.Fatalf("%v became %v, %v", set.Ranges(), again.Ranges(), err)
		}
	})
}

func FuzzEntryUnmarshalBinary(f *testing.F) {
	for _, e := range samples() {
		data, err := e.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e, again logdb.Entry
		if err := e.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, logdb.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		out, err := e.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalBinary(out); err != nil {
			t.Fatalf("%+v does not read again: %v", e, err)
		}
		third, _ := again.AppendBinary(nil)
		if !bytes.Equal(out, third) || again.ContentDigest() != e.ContentDigest() {
			t.Fatalf("%+v became %+v", e, again)
		}
		for k := range logdb.Kinds {
			_ = e.Check(logdb.Kinds[k]) // must not panic whatever was read
		}
	})
}

func FuzzParseStream(f *testing.F) {
	for _, s := range []string{"", "0123456789abcdef0123456789abcdef:1", "0123456789abcdef0123456789abcdef:2+1", "0123456789ABCDEF0123456789abcdef:1", ":", "x:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := logdb.ParseStream(text)
		if err != nil {
			if !errors.Is(err, logdb.ErrInvalid) || !id.IsZero() {
				t.Fatalf("%q: %v, %v", text, err, id)
			}
			return
		}
		if id.String() != text || id.IsZero() != (text == "") {
			t.Fatalf("%q reads as %q", text, id)
		}
	})
}

func FuzzNormalizeChannel(f *testing.F) {
	for _, s := range []string{"reading.voltage.an", "readings.voltage.an", "a.b", "a", "a..b", "A.b", ".", "reading.", "energy.interval.wh.received"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		c, err := logdb.NormalizeChannel(key)
		if err != nil {
			if !errors.Is(err, logdb.ErrInvalid) || c != "" {
				t.Fatalf("%q: %v, %q", key, err, c)
			}
			return
		}
		if again, err := logdb.NormalizeChannel(string(c)); err != nil || again != c || len(c) > 96 {
			t.Fatalf("%q became %q, that becomes %q, %v", key, c, again, err)
		}
		if logdb.LookupChannel(c).Key != c {
			t.Fatalf("%q is looked up as another", c)
		}
	})
}
