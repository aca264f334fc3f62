package pqdif_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"metermanager/logdb/format/pqdif"
)

var (
	timeDefn  = seriesDefn("time", 2, 1, 0)
	voltsLog  = channelDefn("V", "value log", 1, 1, timeDefn, seriesDefn("avg", 6, 1, 230))
	share     = []el{u32("8973861f"+tailF1C3, 0), u32("89738620"+tailF1C3, 0)}
	scaleTag  = "3d786f96" + tailF76E
	offsetTag = "3d786f97" + tailF76E
	valuesTag = "3d786f99" + tailF76E
)

// How series are stored, and what becomes of their numbers.
func TestSeries(t *testing.T) {
	t.Parallel()
	setting := func(use string, els ...el) rec {
		return settings(f64("0fa118c3-cb4a-11d2-b30b-fe25cb9a1760", 50), scalar(use+tailF9C4, 3, []byte{1, 0, 0, 0}),
			coll("62f28182"+tailF9C4, coll("3d786f9a"+tailF76E, append([]el{u32("b48d858f"+tailF5F5, 0)}, els...)...)))
	}
	ratios := []el{f64("62f2818a"+tailF9C4, 11000), f64("62f2818b"+tailF9C4, 110)}
	logOf := func(times, vals el) el { return channelDefn("V", "value log", 1, 1, times, vals) }
	plain, scaled, steps := seriesDefn("avg", 6, 1, 0), seriesDefn("avg", 6, 3, 0), seriesDefn("time", 2, 4, 0)
	two := one(values(0, 60))
	tests := []struct {
		name     string
		defn     el
		settings *rec
		series   []el
		times    string
		values   string
	}{
		{"plain", logOf(timeDefn, plain), nil, []el{two, one(values(1, 2))}, "[0 60]", "[1 2]"},
		{"plain ignores a scale", logOf(timeDefn, plain), nil, []el{two, one(values(1, 2), f64(scaleTag, 10), f64(offsetTag, 5))}, "[0 60]", "[1 2]"},
		{"scaled", logOf(timeDefn, scaled), nil, []el{two, one(shorts(valuesTag, 1, -2), f64(scaleTag, 0.5), f64(offsetTag, 100))}, "[0 60]", "[100.5 99]"},
		{"scaled without offset", logOf(timeDefn, scaled), nil, []el{two, one(shorts(valuesTag, 1, 2), f64(scaleTag, 3))}, "[0 60]", "[3 6]"},
		{"increment", logOf(steps, plain), nil, []el{one(values(2, 2, 10, 3, 1)), one(values(1, 2, 3, 4, 5))}, "[0 10 20 21 22]", "[1 2 3 4 5]"},
		{"increment with an offset", logOf(steps, plain), nil, []el{one(values(1, 3, 2), f64(offsetTag, 7)), one(values(1, 2, 3))}, "[7 9 11]", "[1 2 3]"},
		{"times of day", logOf(seriesDefn("time", 1, 1, 0), plain), nil,
			[]el{one(stamps(valuesTag, stamp(45000, 86340), stamp(45000, 86400.25), stamp(45001, 60))), one(values(1, 2, 3))}, "[-60 0.25 60]", "[1 2 3]"},
		{"cycles", logOf(seriesDefn("time", 3, 1, 0), plain), ptr(setting("62f28181")), []el{one(values(0, 25)), one(values(1, 2))}, "[0 0.5]", "[1 2]"},
		{"a transducer", logOf(timeDefn, plain), ptr(setting("62f28181", ratios...)), []el{two, one(values(1, 2))}, "[0 60]", "[100 200]"},
		{"a transducer that is not used", logOf(timeDefn, plain), ptr(setting("62f28180", ratios...)), []el{two, one(values(1, 2))}, "[0 60]", "[1 2]"},
		{"calibration", logOf(timeDefn, plain), ptr(setting("62f28180", f64("62f2818f"+tailF9C4, 2), f64("62f2818e"+tailF9C4, 1))), []el{two, one(values(1, 2))}, "[0 60]", "[3 5]"},
		{"calibration that is not used", logOf(timeDefn, plain), ptr(setting("62f28181", f64("62f2818f"+tailF9C4, 2))), []el{two, one(values(1, 2))}, "[0 60]", "[1 2]"},
		{"fewer series than defined", logOf(timeDefn, plain), nil, []el{two}, "[0 60]", "none"},
		{"an empty series", logOf(timeDefn, plain), nil, []el{two, one(values())}, "[0 60]", "[]"},
	}
	for _, tt := range tests {
		recs := []rec{container(2, 1), source(tt.defn)}
		if tt.settings != nil {
			recs = append(recs, *tt.settings)
		}
		recs = append(recs, observation("o", stamp(45000, 86400), nil, instance(0, nil, tt.series...)))
		_, all := readAll(t, file(true, recs...))
		if len(all) != 1 {
			t.Errorf("%s: %d observations", tt.name, len(all))
			continue
		}
		got := func(j int) string {
			v, err := all[0].Values(0, j)
			if err != nil {
				return "none"
			}
			return fmt.Sprint(v)
		}
		if got(0) != tt.times || got(1) != tt.values {
			t.Errorf("%s: times %s and values %s, want %s and %s", tt.name, got(0), got(1), tt.times, tt.values)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// Shared series take their values, and their scale when they have none of their own, from elsewhere.
func TestShared(t *testing.T) {
	t.Parallel()
	defn := channelDefn("V", "value log", 1, 1, timeDefn, seriesDefn("avg", 6, 3, 0))
	_, all := readAll(t, file(false, container(0, 0), source(defn), observation("o", stamp(45000, 0), nil,
		instance(0, nil, one(values(0, 1)), one(shorts(valuesTag, 1, 2), f64(scaleTag, 10))),
		instance(0, nil, one(share...), one(u32("8973861f"+tailF1C3, 0), u32("89738620"+tailF1C3, 1))),
		instance(0, nil, one(share...), one(u32("8973861f"+tailF1C3, 0), u32("89738620"+tailF1C3, 1), f64(scaleTag, 3))),
		instance(0, nil, one(share...), one(u32("8973861f"+tailF1C3, 9), u32("89738620"+tailF1C3, 1))),
		instance(0, nil, one(share...), one(u32("8973861f"+tailF1C3, 4), u32("89738620"+tailF1C3, 1))),
	)))
	for i, want := range []string{"[10 20] <nil>", "[10 20] <nil>", "[3 6] <nil>", "[] it shares series 1 of channel 9, which is not there", "[] <nil>"} {
		v, err := all[0].Values(i, 1)
		if got := fmt.Sprint(v, " ", err); strings.ReplaceAll(got, "]  ", "] ") != want {
			t.Errorf("channel %d: %s, want %s", i, got, want)
		}
	}
}

// A series that is shared is stored as the one that holds its values.
func TestSharedStorage(t *testing.T) {
	t.Parallel()
	steps := channelDefn("A", "value log", 1, 1, seriesDefn("time", 2, 4, 0), seriesDefn("avg", 6, 1, 0))
	_, all := readAll(t, file(false, container(0, 0), source(steps, voltsLog), observation("o", stamp(45000, 0), nil,
		instance(0, nil, one(values(1, 3, 10)), one(values(1, 2, 3))), instance(1, nil, one(share...), one(values(4, 5, 6))))))
	if v, err := all[0].Values(1, 0); err != nil || fmt.Sprint(v) != "[0 10 20]" {
		t.Errorf("%v, %v", v, err)
	}
}

// Files that lie are named or refused, and end.
func TestLies(t *testing.T) {
	t.Parallel()
	good := observation("good", stamp(45000, 0), nil, instance(0, nil, one(values(0)), one(values(1))))
	src := source(voltsLog)
	lying := func(e el) rec {
		return observation("lying", stamp(45000, 0), nil, instance(0, nil, one(values(0)), one(e)))
	}
	containerSize := int32(len(file(false, container(0, 0))))
	many := values(1)
	many.count = math.MaxInt32
	negative := values(1)
	negative.count = -1
	outside := values(1)
	outside.link = 1 << 30
	endless := coll("3d786f91"+tailF76E, instance(0, nil))
	wrong := good
	wrong.sum = 12345
	for _, tt := range []struct {
		name, want string
		b          []byte
		seen       int
	}{
		{"a loop of records", "the link to the next record leads back to", file(false, container(0, 0), src, rec{typ: "observation", body: good.body, next: containerSize}), 1},
		{"a record that leads to itself", "leads back to", file(false, container(0, 0), rec{typ: "source", body: src.body, next: containerSize}, good), 0},
		{"a link behind the end", "behind the end of the file", file(false, container(0, 0), src, rec{typ: "observation", body: good.body, next: 1 << 30}), 1},
		{"a negative link", "leads to -5", file(false, container(0, 0), src, rec{typ: "observation", body: good.body, next: -5}), 1},
		{"a link into nothing", "no record signature", file(false, container(0, 0), src, rec{typ: "observation", body: good.body, next: 7}), 1},
		{"a body longer than the file", "a body of 1073741824 bytes in a file", file(false, container(0, 0), src, good, rec{typ: "observation", body: good.body, size: 1 << 30}), 1},
		{"a negative body", "a body of -1 bytes", file(false, container(0, 0), src, good, rec{typ: "observation", body: good.body, size: -1}), 1},
		{"too many values", "2147483647 values of 8 bytes", file(false, container(0, 0), src, lying(many)), 1},
		{"less than no values", "-1 values of 8 bytes", file(false, container(0, 0), src, lying(negative)), 1},
		{"values outside", "a vector at offset 1073741824", file(false, container(0, 0), src, lying(outside)), 1},
		{"a collection in itself", "observation: unknown tag 3d786f8c-f76e-11cf-9d89-0080c72e70a3 in the list of channel instances", file(false, container(0, 0), src, rec{typ: "observation", body: selfish(endless)}), 1},
		{"no zlib", "inflate: ", file(false, container(2, 1), rec{typ: "source", body: []byte("no zlib at all")}), 0},
		{"an unknown record", "a record of the unknown type 00000000", file(false, container(0, 0), src, rec{typ: "other", body: []byte{0, 0, 0, 0}}, good), 1},
		{"a second container", "a second container", file(false, container(0, 0), src, container(0, 0), good), 1},
		{"a wrong checksum", "the checksum of a record does not fit", file(false, container(0, 0), src, wrong), 1},
		{"an observation without a source", "no data source stands before it", file(false, container(0, 0), good), 0},
		{"a collection of too many", "a collection of 2147483647 elements at offset 0", file(false, container(0, 0), src, rec{typ: "observation", body: []byte{255, 255, 255, 127, 0}}), 0},
		{"a body without a collection", "a collection at offset 0 of a body of 2 bytes", file(false, container(0, 0), src, rec{typ: "observation", body: []byte{1, 0}}), 0},
		{"an embedded GUID", "the disturbance category is an embedded value of 16 bytes instead of a scalar GUID", file(false, container(0, 0), src,
			observation("o", stamp(45000, 0), []el{scalar("b48d8597"+tailF5F5, 60, []byte{1, 2, 3, 4})})), 1},
		{"no start", "observation: a time is a scalar of physical type 32", file(false, container(0, 0), src, rec{typ: "observation", body: body(u32("3d786f8c"+tailF76E, 1))}), 0},
		{"an undefined channel", "definition 7 of 1", file(false, container(0, 0), src, observation("o", stamp(45000, 0), nil, instance(7, nil))), 1},
		{"an unknown tag", "observation: unknown tag 00000001" + tailF76E, file(false, container(0, 0), src, observation("o", stamp(45000, 0), []el{u32("00000001"+tailF76E, 1)})), 1},
		{"a number as a vector", "a vector of physical type 41 instead of a scalar number", file(false, container(0, 0), src,
			observation("o", stamp(45000, 0), nil, instance(0, []el{doubles("2747d443"+tailChar, 1, 2)}))), 1},
	} {
		_, all := readAll(t, tt.b)
		if said := readAny(tt.b, pqdif.Config{}); len(all) != tt.seen || !strings.Contains(said, tt.want) {
			t.Errorf("%s: %d observations, want %d; %s, want %q", tt.name, len(all), tt.seen, said, tt.want)
		}
	}
}

// selfish returns a body whose inner collection leads back to the outer one.
func selfish(e el) []byte {
	b := body(scalar("3d786f8c"+tailF76E, 50, stamp(45000, 0)), e)
	entry := b[4+28 : 4+56]
	entry[20], entry[21], entry[22], entry[23] = 0, 0, 0, 0
	return b
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		b          []byte
	}{
		{"empty", "ends in the header", nil},
		{"another file", "no record signature but", bytes.Repeat([]byte("x"), 100)},
		{"no container first", "not a container", file(false, source(voltsLog))},
		{"total compression", "compression style 1 with algorithm 1 is not supported", file(false, container(1, 1))},
		{"PKZIP", "compression style 2 with algorithm 64 is not supported", file(false, container(2, 64))},
		{"a container that is cut", "a body of", file(false, container(0, 0))[:100]},
	} {
		_, err := pqdif.NewReader(bytes.NewReader(tt.b), int64(len(tt.b)), pqdif.Config{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// What a file may make the reader do is bounded, whatever it claims.
func TestBounds(t *testing.T) {
	bomb := rec{typ: "source", body: make([]byte, 64<<20)}
	steps := channelDefn("V", "value log", 1, 1, seriesDefn("time", 2, 4, 0), seriesDefn("avg", 6, 1, 0))
	shares := make([]el, 200)
	shares[0] = instance(0, nil, one(values(1, 1_000_000, 1)), one(values(1)))
	for i := 1; i < len(shares); i++ {
		shares[i] = instance(0, nil, one(share...), one(values(1)))
	}
	for _, tt := range []struct {
		name, want string
		b          []byte
	}{
		{"a bomb", "inflate to more than", file(true, container(2, 1), bomb)},
		{"a million steps shared by many", "more than", file(true, container(2, 1), source(steps), observation("o", stamp(45000, 0), nil, shares...))},
		{"two thousand million steps", "steps of one rate", file(true, container(2, 1), source(steps), observation("o", stamp(45000, 0), nil,
			instance(0, nil, one(values(1, 2e9, 1)), one(values(1)))))},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		got := readAny(tt.b, pqdif.Config{MaxRecordBytes: 8 << 20, MaxValues: 4 << 20})
		runtime.ReadMemStats(&after)
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %q", tt.name, got, tt.want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
			t.Errorf("%s: %d bytes were allocated", tt.name, used)
		}
	}
}

// The bounds that a caller sets hold.
func TestConfig(t *testing.T) {
	t.Parallel()
	b := file(false, container(0, 0), source(voltsLog), observation("o", stamp(45000, 0), nil, instance(0, nil, one(values(0, 1)), one(values(1, 2)))))
	for _, tt := range []struct {
		cfg  pqdif.Config
		want string
	}{
		{pqdif.Config{}, "[]"},
		{pqdif.Config{MaxRecordBytes: 300}, "at most 300 are read"},
		{pqdif.Config{MaxElements: 12}, "too many elements"},
		{pqdif.Config{MaxTotalBytes: 400}, "too many bytes in all records"},
		{pqdif.Config{MaxValues: 3}, "more than 3 values"},
	} {
		if got := readAny(b, tt.cfg); !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %s, want %q", tt.cfg, got, tt.want)
		}
	}
}

// readAny reads all it can and returns every complaint.
func readAny(b []byte, cfg pqdif.Config) string {
	r, err := pqdif.NewReader(bytes.NewReader(b), int64(len(b)), cfg)
	if err != nil {
		return err.Error()
	}
	said := ""
	for {
		o, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return said + err.Error()
		}
		for i := range o.Channels {
			for j := range o.Channels[i].Series {
				if _, err := o.Values(i, j); err != nil {
					said += err.Error() + "\n"
				}
			}
		}
	}
	return said + fmt.Sprint(r.Notes())
}

func FuzzReader(f *testing.F) {
	f.Add(file(false, container(0, 0), source(voltsLog), observation("o", stamp(45000, 0), nil, instance(0, nil, one(values(0, 60)), one(values(1, 2))))))
	f.Add(file(true, container(2, 1), source(voltsLog), observation("o", stamp(45000, 0), nil, instance(0, nil, one(share...), one(values(1, 2))))))
	if b := findShared(f, "ieee_example.pqd"); b != nil {
		f.Add(b[:24000])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		readAny(b, pqdif.Config{MaxRecordBytes: 1 << 20, MaxTotalBytes: 4 << 20, MaxElements: 1 << 16, MaxValues: 1 << 16})
	})
}
