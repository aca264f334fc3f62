package pqdif

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// The kinds of elements.
const (
	kindCollection = 1
	kindScalar     = 2
	kindVector     = 3
)

// The physical types that have a meaning of their own here.
const (
	typeChar8     = 10
	typeChar16    = 11
	typeTimestamp = 50
	typeGUID      = 60
)

// typeSizes holds the bytes of one value of each physical type.
var typeSizes = map[byte]int{
	1: 1, 2: 2, 3: 4, typeChar8: 1, typeChar16: 2, 20: 1, 21: 2, 22: 4, 30: 1, 31: 2, 32: 4,
	40: 4, 41: 8, 42: 8, 43: 16, typeTimestamp: 12, typeGUID: 16,
}

// entrySize is the size of an element's entry in its collection.
const entrySize = 28

// element is one tagged value of a record's body.
type element struct {
	tag    GUID
	kind   byte
	phys   byte
	at     int    // of the entry in the body
	link   int    // of a collection
	count  int    // of the values of a vector; 1 for a scalar
	data   []byte // the values
	broken error  // why the values cannot be reached
}

// errBudget ends the reading of a file that would take more memory or time than any true one.
var errBudget = errors.New("the file asks for more than the reader allows")

// collection reads the elements of the collection at offset at of the body.
func (r *record) collection(at int) ([]element, error) {
	if at < 0 || at > len(r.body)-4 {
		return nil, fmt.Errorf("a collection at offset %d of a body of %d bytes", at, len(r.body))
	}
	n := int64(int32(binary.LittleEndian.Uint32(r.body[at:])))
	if n < 0 || n > int64(len(r.body)-at-4)/entrySize {
		return nil, fmt.Errorf("a collection of %d elements at offset %d of a body of %d bytes", n, at, len(r.body))
	}
	if *r.elements -= int(n); *r.elements < 0 {
		return nil, fmt.Errorf("%w: too many elements", errBudget)
	}
	out := make([]element, n)
	for i := range out {
		out[i] = r.element(at + 4 + entrySize*i)
	}
	return out, nil
}

func (r *record) element(at int) element {
	b := r.body[at : at+entrySize]
	e := element{tag: GUID(b[:16]), kind: b[16], phys: b[17], at: at, count: 1}
	link := int64(int32(binary.LittleEndian.Uint32(b[20:])))
	size, known := typeSizes[e.phys]
	switch {
	case e.kind == kindCollection:
		e.link = int(link)
		return e
	case e.kind != kindScalar && e.kind != kindVector:
		e.broken = fmt.Errorf("an element of kind %d", e.kind)
		return e
	case !known:
		e.broken = fmt.Errorf("a value of physical type %d", e.phys)
		return e
	case e.kind == kindScalar && b[18] != 0:
		if size > 8 {
			e.broken = fmt.Errorf("an embedded value of %d bytes", size)
			return e
		}
		e.data = b[20 : 20+size]
		return e
	case e.kind == kindVector:
		if link < 0 || link > int64(len(r.body)-4) {
			e.broken = fmt.Errorf("a vector at offset %d of a body of %d bytes", link, len(r.body))
			return e
		}
		e.count = int(int32(binary.LittleEndian.Uint32(r.body[link:])))
		link += 4
	}
	if link < 0 || e.count < 0 || int64(e.count)*int64(size) > int64(len(r.body))-link {
		e.broken = fmt.Errorf("%d values of %d bytes at offset %d of a body of %d bytes", e.count, size, link, len(r.body))
		return e
	}
	e.data = r.body[link : link+int64(e.count)*int64(size)]
	return e
}

// what describes an element that is not what its tag asks for.
func (e *element) what() string {
	if e.broken != nil {
		return e.broken.Error()
	}
	kind := map[byte]string{kindCollection: "collection", kindScalar: "scalar", kindVector: "vector"}[e.kind]
	typ := "physical type " + fmt.Sprint(e.phys)
	switch e.phys {
	case typeChar8, typeChar16:
		typ = "text"
	case typeTimestamp:
		typ = "times"
	case typeGUID:
		typ = "GUIDs"
	}
	if e.kind == kindCollection {
		return "a collection"
	}
	return fmt.Sprintf("a %s of %s", kind, typ)
}

// number returns value i as a double; ok is false for types that are not numbers. Of a complex
// number it is the magnitude.
func (e *element) number(i int) (v float64, ok bool) {
	size := typeSizes[e.phys]
	if e.broken != nil || size == 0 || (i+1)*size > len(e.data) {
		return 0, false
	}
	b := e.data[i*size:]
	switch e.phys {
	case 1, 30:
		return float64(b[0]), true
	case 2, 31:
		return float64(binary.LittleEndian.Uint16(b)), true
	case 3, 32:
		return float64(binary.LittleEndian.Uint32(b)), true
	case 20:
		return float64(int8(b[0])), true
	case 21:
		return float64(int16(binary.LittleEndian.Uint16(b))), true
	case 22:
		return float64(int32(binary.LittleEndian.Uint32(b))), true
	case 40:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), true
	case 41:
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), true
	case 42:
		return math.Hypot(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))),
			float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4:])))), true
	case 43:
		return math.Hypot(math.Float64frombits(binary.LittleEndian.Uint64(b)),
			math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))), true
	}
	return 0, false
}

// text returns the characters of a vector up to the first NUL. Bytes that are not UTF-8 are read as Latin-1.
func (e *element) text() (string, bool) {
	if e.broken != nil || e.kind != kindVector || e.phys != typeChar8 && e.phys != typeChar16 {
		return "", false
	}
	var s string
	if e.phys == typeChar8 {
		s = textOf(e.data)
	} else {
		s = utf16Text(e.data)
	}
	return strings.TrimSpace(s), true
}

// Timestamp is a moment as it stands in the file: days since 1899-12-30 and seconds, which may pass
// the end of the day. Files say no zone.
type Timestamp struct {
	Days    uint32
	Seconds float64
}

// epochDays is the day number of 1970-01-01.
const epochDays = 25569

// Time returns the moment as if the file's clock were UTC, to the nanosecond; ok is false when it is none.
func (t Timestamp) Time() (moment time.Time, ok bool) {
	if !(math.Abs(t.Seconds) < 1e9) {
		return time.Time{}, false
	}
	whole := math.Floor(t.Seconds)
	nanos := math.Round((t.Seconds - whole) * 1e9)
	return time.Unix((int64(t.Days)-epochDays)*86400+int64(whole), int64(nanos)).UTC(), true
}

// Since returns the seconds from u to t, without what one double would lose of the days.
func (t Timestamp) Since(u Timestamp) float64 {
	return (float64(t.Days)-float64(u.Days))*86400 + (t.Seconds - u.Seconds)
}

func (e *element) timestamp(i int) (Timestamp, bool) {
	if e.broken != nil || e.phys != typeTimestamp || (i+1)*12 > len(e.data) {
		return Timestamp{}, false
	}
	b := e.data[i*12:]
	return Timestamp{binary.LittleEndian.Uint32(b), math.Float64frombits(binary.LittleEndian.Uint64(b[4:]))}, true
}

func (e *element) guid() (GUID, bool) {
	if e.broken != nil || e.kind != kindScalar || e.phys != typeGUID {
		return GUID{}, false
	}
	return GUID(e.data), true
}
