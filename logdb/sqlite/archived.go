package sqlite

import (
	"database/sql"
	"fmt"
	"sync"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
)

// storedColumns are what storedChunk scans.
const (
	storedColumns = `c.id, c.t_min, c.t_max, c.crc, c.data, f.name, f.tail, f.tail_crc, a.part, a.first, a.size, a.crc`
	storedTables  = `chunk c LEFT JOIN archived a ON a.chunk = c.id LEFT JOIN archive f ON f.id = a.file`
)

// storedChunk is where the values of a chunk are: in data, or in a part of an archive file when that is empty.
type storedChunk struct {
	id         int64
	tMin, tMax logdb.Millis
	crc        int64
	data       sql.RawBytes
	name       sql.NullString
	tail       [2]sql.NullInt64
	part       [4]sql.NullInt64
}

func (k *storedChunk) scan(rows *sql.Rows) error {
	return rows.Scan(&k.id, &k.tMin, &k.tMax, &k.crc, &k.data, &k.name, &k.tail[0], &k.tail[1], &k.part[0], &k.part[1], &k.part[2], &k.part[3])
}

// points reads the values of a chunk of a series.
func (k *storedChunk) points(c *conn, b *logdb.Block) error {
	return k.values(c, b, false)
}

// pointsIn reads the values of a chunk of a series within a span, and perhaps others.
func (k *storedChunk) pointsIn(c *conn, b *logdb.Block, in span) error {
	if in.first <= k.tMin && in.last > k.tMax {
		return k.points(c, b)
	}
	return k.read(c, func() error { return c.codec.PointsIn(k.data, b, in.first, in.last) },
		func(f *archive.File, part int) error {
			_, err := f.Values(part, b)
			return err
		})
}

// values reads the values of a chunk of a series, if so without positions.
func (k *storedChunk) values(c *conn, b *logdb.Block, unordered bool) error {
	decode := c.codec.Points
	if unordered {
		decode = c.codec.Values
	}
	return k.read(c, func() error { return decode(k.data, b) },
		func(f *archive.File, part int) error {
			_, err := f.Values(part, b)
			return err
		})
}

// marks reads the rows of a chunk of marks.
func (k *storedChunk) marks(c *conn, m *chunk.Marks) error {
	return k.read(c, func() error { return c.codec.Marks(k.data, m) },
		func(f *archive.File, part int) error {
			_, err := f.Rows(part, m)
			return err
		})
}

func (k *storedChunk) read(c *conn, here func() error, there func(*archive.File, int) error) error {
	var err error
	switch {
	case len(k.data) > 0:
		if err = checked(k.data, k.crc); err == nil {
			err = here()
		}
	case !k.name.Valid:
		err = fmt.Errorf("%w: its values are nowhere", chunk.ErrDamaged)
	default:
		p := archive.Part{Index: int(k.part[0].Int64), Offset: k.part[1].Int64, Size: k.part[2].Int64, CRC: uint32(k.part[3].Int64)}
		tail := archive.Tail{Offset: k.tail[0].Int64, CRC: uint32(k.tail[1].Int64)}
		err = c.files.use(k.name.String, tail, func(f *archive.File) error {
			if err := f.Check(p); err != nil {
				return err
			}
			return there(f, p.Index)
		})
	}
	if err != nil {
		return fmt.Errorf("chunk %d of series %d: %w", dayOfChunk(k.id), k.id>>dayBits, err)
	}
	return nil
}

const (
	readChunk  = `SELECT crc, data FROM chunk WHERE id = ?`
	readStored = `SELECT ` + storedColumns + ` FROM ` + storedTables + ` WHERE c.id = ?`
)

// stored finds one chunk and has read take its values.
func (c *conn) stored(id int64, read func(*storedChunk) error) error {
	here := storedChunk{id: id}
	var data []byte
	found, err := c.one([]any{&here.crc, &data}, readChunk, id)
	if err == nil && found && len(data) > 0 { // nearly always
		here.data = data
		return read(&here)
	}
	if err != nil {
		return err
	}
	found = false
	err = c.each(func(rows *sql.Rows) error {
		found = true
		var k storedChunk
		if err := k.scan(rows); err != nil {
			return err
		}
		return read(&k)
	}, readStored, id)
	if err == nil && !found {
		err = fmt.Errorf("chunk %d of series %d: %w", dayOfChunk(id), id>>dayBits, logdb.ErrNotFound)
	}
	return err
}

// points reads the values of the chunk with that id.
func (c *conn) points(id int64, b *logdb.Block) error {
	return c.stored(id, func(k *storedChunk) error { return k.points(c, b) })
}

// marks reads the rows of the chunk with that id.
func (c *conn) marks(id int64, m *chunk.Marks) error {
	return c.stored(id, func(k *storedChunk) error { return k.marks(c, m) })
}

// maxOpen is how many archive files are kept open: their descriptions take some 100 KB each.
const maxOpen = 24

// archiveFiles keeps files open from one read to the next.
type archiveFiles struct {
	files archive.Files
	mu    sync.Mutex
	open  map[string]*openFile
	clock int64
}

type openFile struct {
	file *archive.File
	tail archive.Tail
	refs int
	used int64
	left bool // to be closed when nobody reads it any more
}

// use calls f with the open file of that name.
func (a *archiveFiles) use(name string, tail archive.Tail, f func(*archive.File) error) error {
	o, err := a.take(name, tail)
	if err != nil {
		return err
	}
	defer a.giveBack(o)
	return f(o.file)
}

func (a *archiveFiles) take(name string, tail archive.Tail) (*openFile, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock++
	o := a.open[name]
	if o == nil || o.tail != tail {
		file, err := archive.Open(a.files, name, &tail)
		if err != nil {
			return nil, err
		}
		if o != nil {
			a.leave(name)
		}
		o = &openFile{file: file, tail: tail}
		if a.open == nil {
			a.open = map[string]*openFile{}
		}
		for len(a.open) >= maxOpen {
			a.leave(a.oldest())
		}
		a.open[name] = o
	}
	o.refs++
	o.used = a.clock
	return o, nil
}

func (a *archiveFiles) oldest() (name string) {
	for n, o := range a.open {
		if name == "" || o.used < a.open[name].used {
			name = n
		}
	}
	return name
}

func (a *archiveFiles) leave(name string) {
	o := a.open[name]
	if o == nil {
		return
	}
	delete(a.open, name)
	if o.left = true; o.refs == 0 {
		_ = o.file.Close() // it was only read
	}
}

func (a *archiveFiles) giveBack(o *openFile) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o.refs--; o.left && o.refs == 0 {
		_ = o.file.Close() // it was only read
	}
}

// forget closes a file, so that the next read opens it again, or all files.
func (a *archiveFiles) forget(names ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range names {
		a.leave(name)
	}
}

func (a *archiveFiles) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name := range a.open {
		a.leave(name)
	}
}
