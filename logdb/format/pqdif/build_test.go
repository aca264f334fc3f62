package pqdif_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"hash/adler32"
	"math"
)

// What follows writes PQDIF files for tests: good ones, and ones that lie.

// guid turns the usual form of an identifier into the bytes of a file.
func guid(s string) []byte {
	b, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil {
		panic(err)
	}
	b[0], b[1], b[2], b[3] = b[3], b[2], b[1], b[0]
	b[4], b[5], b[6], b[7] = b[5], b[4], b[7], b[6]
	return b
}

const (
	tailF1C3 = "-f1c3-11cf-9d89-0080c72e70a3"
	tailF5F5 = "-f5f5-11cf-9d89-0080c72e70a3"
	tailF76E = "-f76e-11cf-9d89-0080c72e70a3"
	tailF753 = "-f753-11cf-9d89-0080c72e70a3"
	tailF9C4 = "-f9c4-11cf-9d89-0080c72e70a3"
	tailRMS  = "-b451-11d1-ae17-0060083a2628"
	tailChar = "-2bd0-11d2-ae42-0060083a2628"
)

// el is an element of a collection.
type el struct {
	tag        string
	kind, phys byte
	data       []byte // of the value or values
	count      int32  // of a vector, when it is to lie; 0 tells the truth
	size       int    // of one value
	link       int32  // instead of the true one, when not 0
	children   []el
}

func coll(tag string, children ...el) el { return el{tag: tag, kind: 1, children: children} }

func scalar(tag string, phys byte, data []byte) el {
	return el{tag: tag, kind: 2, phys: phys, data: data, size: len(data)}
}

func u32(tag string, v uint32) el {
	return scalar(tag, 32, binary.LittleEndian.AppendUint32(nil, v))
}

func f64(tag string, v float64) el {
	return scalar(tag, 41, binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
}

func id(tag, value string) el { return scalar(tag, 60, guid(value)) }

func stamp(days uint32, seconds float64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, days), math.Float64bits(seconds))
}

func text(tag, s string) el {
	return el{tag: tag, kind: 3, phys: 10, data: append([]byte(s), 0), size: 1}
}

func doubles(tag string, v ...float64) el {
	e := el{tag: tag, kind: 3, phys: 41, size: 8}
	for _, x := range v {
		e.data = binary.LittleEndian.AppendUint64(e.data, math.Float64bits(x))
	}
	return e
}

func shorts(tag string, v ...int16) el {
	e := el{tag: tag, kind: 3, phys: 21, size: 2}
	for _, x := range v {
		e.data = binary.LittleEndian.AppendUint16(e.data, uint16(x))
	}
	return e
}

func stamps(tag string, list ...[]byte) el {
	return el{tag: tag, kind: 3, phys: 50, size: 12, data: bytes.Join(list, nil)}
}

// body lays out a collection and what hangs on it.
func body(els ...el) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(els)))
	b = append(b, make([]byte, 28*len(els))...)
	return fill(b, 0, els)
}

func fill(b []byte, at int, els []el) []byte {
	for i, e := range els {
		entry := make([]byte, 28)
		copy(entry, guid(e.tag))
		entry[16], entry[17] = e.kind, e.phys
		here := len(b)
		switch {
		case e.kind == 1:
			b = binary.LittleEndian.AppendUint32(b, uint32(len(e.children)))
			b = append(b, make([]byte, 28*len(e.children))...)
			b = fill(b, here, e.children)
		case e.kind == 2 && e.size <= 8:
			entry[18] = 1
			copy(entry[20:], e.data)
		default:
			if e.kind == 3 {
				n := int32(len(e.data) / e.size)
				if e.count != 0 {
					n = e.count
				}
				b = binary.LittleEndian.AppendUint32(b, uint32(n))
			}
			b = append(b, e.data...)
		}
		if entry[18] == 0 {
			link := int32(here)
			if e.link != 0 {
				link = e.link
			}
			binary.LittleEndian.PutUint32(entry[20:], uint32(link))
		}
		copy(b[at+4+28*i:], entry)
	}
	return b
}

// record types by short names.
var recordTypes = map[string]string{
	"container": "89738606" + tailF1C3, "source": "89738619" + tailF1C3, "settings": "b48d858c" + tailF5F5,
	"observation": "8973861a" + tailF1C3, "blank": "89738618" + tailF1C3, "other": "00000000" + tailF1C3,
}

// rec is a record to write.
type rec struct {
	typ  string
	body []byte
	next int32  // instead of the true one, when not 0
	size int32  // of the body, when it is to lie
	sum  uint32 // checksum; 0 is none, 1 the Adler-32 of the stored bytes
}

// file joins records, compressed when deflate says so, but for the container.
func file(deflate bool, recs ...rec) []byte {
	var out []byte
	for i, r := range recs {
		stored := r.body
		if deflate && i > 0 {
			var z bytes.Buffer
			w := zlib.NewWriter(&z)
			if _, err := w.Write(r.body); err != nil {
				panic(err)
			}
			if err := w.Close(); err != nil {
				panic(err)
			}
			stored = z.Bytes()
		}
		next := int32(len(out) + 64 + len(stored))
		if i == len(recs)-1 {
			next = 0
		}
		if r.next != 0 {
			next = r.next
		}
		size := int32(len(stored))
		if r.size != 0 {
			size = r.size
		}
		sum := r.sum
		if sum == 1 {
			sum = adler32.Checksum(stored)
		}
		h := append(guid("4a111440-e49f-11cf-9900-505144494600"), guid(recordTypes[r.typ])...)
		h = binary.LittleEndian.AppendUint32(h, 64)
		h = binary.LittleEndian.AppendUint32(h, uint32(size))
		h = binary.LittleEndian.AppendUint32(h, uint32(next))
		h = binary.LittleEndian.AppendUint32(h, sum)
		out = append(append(append(out, h...), make([]byte, 16)...), stored...)
	}
	return out
}

func container(style, algorithm uint32) rec {
	return rec{typ: "container", body: body(
		el{tag: "89738607" + tailF1C3, kind: 3, phys: 32, size: 4, data: []byte{1, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0}},
		text("89738608"+tailF1C3, "test.pqd"),
		scalar("89738609"+tailF1C3, 50, stamp(45000, 1.5)),
		u32("8973861b"+tailF1C3, style), u32("8973861c"+tailF1C3, algorithm),
	)}
}

// Value types and characteristics by short names.
var valueTags = map[string]string{
	"time": "c690e862-f755-11cf-9d89-0080c72e70a3", "duration": "c690e863-f755-11cf-9d89-0080c72e70a3",
	"val": "67f6af97" + tailF753, "min": "67f6af98" + tailF753, "max": "67f6af99" + tailF753, "avg": "67f6af9a" + tailF753,
}

var typeTags = map[string]string{
	"waveform": "67f6af80" + tailF753, "phasor": "67f6af81" + tailF753, "value log": "67f6af82" + tailF753,
	"histogram": "67f6af87" + tailF753, "magdur": "67f6af8b" + tailF753, "magdurtime": "67f6af8d" + tailF753,
}

// seriesDefn defines a series.
func seriesDefn(value string, unit, storage uint32, nominal float64) el {
	characteristic := "a6b31ae5" + tailRMS
	if value == "time" || value == "duration" {
		characteristic = "a6b31add" + tailRMS
	}
	els := []el{id("b48d859c"+tailF5F5, valueTags[value]), u32("b48d859b"+tailF5F5, unit),
		id("3d786f9e"+tailF76E, characteristic), u32("b48d85a1"+tailF5F5, storage)}
	if nominal != 0 {
		els = append(els, f64("0fa118c8-cb4a-11d2-b30b-fe25cb9a1760", nominal))
	}
	return coll("b48d859a"+tailF5F5, els...)
}

// channelDefn defines a channel.
func channelDefn(name, typ string, phase, measured uint32, series ...el) el {
	return coll("b48d858e"+tailF5F5, text("b48d8590"+tailF5F5, name), u32("b48d8591"+tailF5F5, phase),
		id("b48d8592"+tailF5F5, typeTags[typ]), u32("c690e872-f755-11cf-9d89-0080c72e70a3", measured),
		coll("b48d8598"+tailF5F5, series...))
}

func source(channels ...el) rec {
	return rec{typ: "source", body: body(text("b48d8587"+tailF5F5, "Feeder 7"), text("b48d8585"+tailF5F5, "4711"),
		coll("b48d858d"+tailF5F5, channels...)), sum: 1}
}

func settings(els ...el) rec { return rec{typ: "settings", body: body(els...)} }

// instance is a channel instance with its series instances.
func instance(defn uint32, extra []el, series ...el) el {
	els := append([]el{u32("b48d858f"+tailF5F5, defn)}, extra...)
	return coll("3d786f92"+tailF76E, append(els, coll("3d786f93"+tailF76E, series...))...)
}

// one is a series instance.
func one(els ...el) el { return coll("3d786f94"+tailF76E, els...) }

func values(v ...float64) el { return doubles("3d786f99"+tailF76E, v...) }

func observation(name string, start []byte, extra []el, channels ...el) rec {
	els := append([]el{text("3d786f8a"+tailF76E, name), scalar("3d786f8c"+tailF76E, 50, start)}, extra...)
	return rec{typ: "observation", body: body(append(els, coll("3d786f91"+tailF76E, channels...))...)}
}
