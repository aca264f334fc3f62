package archive

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// partReader reads the columns of one part; after the first error it reads nothing more.
type partReader struct {
	chunks []parquet.ColumnChunk
	n      int
	err    error
}

func (f *File) part(i int) *partReader {
	groups := f.file.RowGroups()
	if i < 0 || i >= len(groups) {
		return &partReader{err: fmt.Errorf("there is no part %d", i)}
	}
	return &partReader{chunks: groups[i].ColumnChunks(), n: int(groups[i].NumRows())}
}

func (r *partReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *partReader) end(part int) error {
	if r.err == nil {
		return nil
	}
	return fmt.Errorf("%w: part %d: %w", chunk.ErrDamaged, part, r.err)
}

// pages visits the pages of a column; first is the index of the first line of each.
func (r *partReader) pages(column int, visit func(first int, p parquet.Page) error) {
	if r.err != nil {
		return
	}
	pages := r.chunks[column].Pages()
	defer func() { _ = pages.Close() }() // it was only read
	at := 0
	for at < r.n {
		p, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.fail(err)
			return
		}
		n := int(p.NumValues())
		if n == 0 || at+n > r.n {
			err = fmt.Errorf("column %d has pages of other lengths", column)
		} else {
			err = visit(at, p)
		}
		parquet.Release(p)
		if err != nil {
			r.fail(err)
			return
		}
		at += n
	}
	if at != r.n {
		r.fail(fmt.Errorf("column %d has %d lines, want %d", column, at, r.n))
	}
}

// int64s visits a column without nulls.
func (r *partReader) int64s(column int, take func(i int, v int64)) {
	r.pages(column, func(first int, p parquet.Page) error {
		if p.NumNulls() > 0 {
			return fmt.Errorf("column %d has empty fields", column)
		}
		data := p.Data()
		values := data.Int64()
		if len(values) != int(p.NumValues()) {
			return fmt.Errorf("column %d ends too early", column)
		}
		for i, v := range values {
			take(first+i, v)
		}
		return nil
	})
}

// values visits any column.
func (r *partReader) values(column int, take func(i int, v parquet.Value)) {
	var buffer [256]parquet.Value
	r.pages(column, func(first int, p parquet.Page) error {
		n := int(p.NumValues())
		if int(p.NumNulls()) == n {
			return nil // as in nearly all parts
		}
		values := p.Values()
		for i := 0; i < n; {
			k, err := values.ReadValues(buffer[:min(len(buffer), n-i)])
			for _, v := range buffer[:k] {
				take(first+i, v)
				i++
			}
			if err != nil && (!errors.Is(err, io.EOF) || i < n) {
				return err
			}
			if k == 0 && i < n {
				return io.ErrUnexpectedEOF
			}
		}
		return nil
	})
}

// constant returns the one value of a column that has the same in every line.
func (r *partReader) constant(column int) (out parquet.Value) {
	seen := false
	r.pages(column, func(first int, p parquet.Page) error {
		if p.NumNulls() > 0 {
			return fmt.Errorf("column %d has empty fields", column)
		}
		v := make([]parquet.Value, 1)
		dictionary := p.Dictionary()
		if dictionary == nil {
			return fmt.Errorf("column %d has no dictionary", column)
		}
		if dictionary.Len() != 1 {
			return fmt.Errorf("column %d has %d values, want one", column, dictionary.Len())
		}
		dictionary.Lookup([]int32{0}, v)
		out, seen = v[0].Clone(), true
		return nil
	})
	if !seen {
		r.fail(fmt.Errorf("column %d is empty", column))
		out = parquet.Int32Value(0)
	}
	return out
}

// series reads the columns that name the series.
func (r *partReader) series() (s Series) {
	stream, log, channel := r.constant(columnStream), r.constant(columnLog), r.constant(columnChannel)
	if r.err != nil {
		return s
	}
	journal, policy, _ := strings.Cut(stream.String(), ":")
	id := logdb.StreamID{Journal: logdb.JournalID(journal), Policy: policy}
	return Series{Stream: id, Log: logdb.LogNo(log.Int32()), Channel: logdb.ChannelKey(channel.String())}
}
