package pqdif

import "math"

// table is a collection whose tags are looked up by name; what has the wrong form becomes a note.
type table struct {
	reader *Reader
	rec    *record
	name   string
	elems  []element
}

// table reads the collection at offset at. Tags that are neither in known nor silent become notes;
// nil asks for no notes.
func (r *Reader) table(rec *record, at int, name string, known map[GUID]bool) (*table, error) {
	elems, err := rec.collection(at)
	if err != nil {
		return nil, err
	}
	t := &table{r, rec, name, elems}
	if known == nil {
		return t, nil
	}
	for i := range elems {
		if _, silent := silentTags[elems[i].tag]; !silent && !known[elems[i].tag] {
			r.notes.add(rec.index, rec.at(elems[i].at), "%s: unknown tag %s", name, elems[i].tag)
		}
	}
	return t, nil
}

// tags makes the set of known tags of a table.
func tags(list ...GUID) map[GUID]bool {
	out := make(map[GUID]bool, len(list))
	for _, g := range list {
		out[g] = true
	}
	return out
}

// find returns the first element with a tag, nil when there is none.
func (t *table) find(tag GUID) *element {
	for i := range t.elems {
		if t.elems[i].tag == tag {
			return &t.elems[i]
		}
	}
	return nil
}

// wrong notes that an element is not what its tag asks for.
func (t *table) wrong(e *element, what, want string) {
	t.reader.notes.add(t.rec.index, t.rec.at(e.at), "%s: %s is %s instead of %s", t.name, what, e.what(), want)
}

func (t *table) text(tag GUID) string {
	e := t.find(tag)
	if e == nil {
		return ""
	}
	s, ok := e.text()
	if !ok {
		t.wrong(e, "a text", "a vector of text")
	}
	return s
}

// number returns a scalar; NaN when it is absent or no number.
func (t *table) number(tag GUID) float64 {
	e := t.find(tag)
	if e == nil {
		return math.NaN()
	}
	v, ok := e.number(0)
	if !ok || e.kind != kindScalar {
		t.wrong(e, "a number", "a scalar number")
		return math.NaN()
	}
	return v
}

// uint returns a whole number that is not negative; absent when there is none.
func (t *table) uint(tag GUID, absent uint32) uint32 {
	v := t.number(tag)
	if !(v >= 0 && v <= math.MaxUint32) {
		return absent
	}
	return uint32(v)
}

func (t *table) guid(tag GUID, what string) (GUID, bool) {
	e := t.find(tag)
	if e == nil {
		return GUID{}, false
	}
	g, ok := e.guid()
	if !ok {
		t.wrong(e, what, "a scalar GUID")
	}
	return g, ok
}

func (t *table) timestamp(tag GUID) (Timestamp, bool) {
	e := t.find(tag)
	if e == nil {
		return Timestamp{}, false
	}
	ts, ok := e.timestamp(0)
	if ok = ok && e.kind == kindScalar; !ok {
		t.wrong(e, "a time", "a scalar time")
		return Timestamp{}, false
	}
	return ts, true
}

// children reads every collection with tag inside the collection that outer names.
func (t *table) children(outer, tag GUID, name string, known map[GUID]bool) ([]*table, error) {
	e := t.find(outer)
	if e == nil {
		return nil, nil
	}
	if e.kind != kindCollection {
		t.wrong(e, "the list of "+name+"s", "a collection")
		return nil, nil
	}
	list, err := t.reader.table(t.rec, e.link, t.name, nil)
	if err != nil {
		return nil, err
	}
	var out []*table
	for i := range list.elems {
		c := &list.elems[i]
		if c.tag != tag {
			t.reader.notes.add(t.rec.index, t.rec.at(c.at), "%s: unknown tag %s in the list of %ss", t.name, c.tag, name)
			continue
		}
		if c.kind != kindCollection {
			list.wrong(c, "a "+name, "a collection")
			continue
		}
		child, err := t.reader.table(t.rec, c.link, name, known)
		if err != nil {
			return nil, err
		}
		out = append(out, child)
	}
	return out, nil
}
