package sqldb

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// Row is a row of a query.
type Row interface{ Scan(dest ...any) error }

// kept are answers of small queries that the connection has asked, each true for as long as nobody has committed anything since: SQLite itself says so
// (PRAGMA data_version, which every other connection's commit changes, those of other processes too), and is asked before each use. So an answer is what
// the query would find, as a page in SQLite's own cache is, which holds by the same number.
type kept struct {
	version int64
	sure    bool // version was looked at in the transaction that runs
	answers map[string]*answer
	bytes   int
	key     []byte
}

// answer is the rows of a query, one after the other.
type answer struct {
	columns int
	cells   []any
}

// The bounds of what a connection keeps: of all answers, after which they are forgotten, and of one.
const (
	mostKept   = 512 << 10
	mostAnswer = 32 << 10
)

// look finds out whether what is kept still holds.
func (r *Reader) look() error {
	var version int64
	err := r.direct("PRAGMA data_version", func(st driver.Stmt) error {
		rows, err := st.(driver.StmtQueryContext).QueryContext(context.Background(), nil)
		if err != nil {
			return err
		}
		var row [1]driver.Value
		err = rows.Next(row[:])
		if err == nil {
			err = assign(&version, row[0])
		}
		return errors.Join(err, rows.Close())
	})
	if err != nil {
		return fmt.Errorf("look for other writers: %w", err)
	}
	if version != r.kept.version || r.kept.answers == nil {
		r.kept.forget()
		r.kept.version = version
	}
	r.kept.sure = true
	return nil
}

func (k *kept) forget() {
	k.answers, k.bytes = map[string]*answer{}, 0
}

// Each visits the rows of a small query, which is asked only if no answer is kept that still holds. Rows hold during the visit only, and visit must not
// change bytes that it gets as sql.RawBytes.
func (r *Reader) Each(visit func(Row) error, query string, args ...any) error {
	key, can := r.kept.keyOf(query, args)
	if known := r.kept.answers[string(key)]; can && known != nil {
		for at := 0; at < len(known.cells); at += known.columns {
			if err := visit(cells(known.cells[at : at+known.columns])); err != nil {
				return err
			}
		}
		return nil
	}
	st, err := r.Stmt(query)
	if err != nil {
		return err
	}
	var name string
	if can {
		name = string(key) // visit may ask something else, which writes its key into the same bytes
	}
	rows, err := st.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	found, size, err := gather(rows, visit)
	if err == nil && can && size <= mostAnswer {
		r.kept.put(name, found, size+len(name))
	}
	return err
}

// gather visits rows and returns their cells, as far as they may be kept.
func gather(rows *sql.Rows, visit func(Row) error) (*answer, int, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, 0, err
	}
	out, size := &answer{columns: len(names)}, 0
	into := make([]any, len(names))
	for rows.Next() {
		row := make(cells, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, 0, err
		}
		if size <= mostAnswer {
			size += row.size()
			out.cells = append(out.cells, row...)
		}
		if err := visit(row); err != nil {
			return nil, 0, err
		}
	}
	return out, size, rows.Err()
}

func (k *kept) put(key string, a *answer, size int) {
	if k.bytes+size > mostKept {
		k.forget()
	}
	k.answers[key] = a
	k.bytes += size
}

// keyOf writes what is asked as a key, which holds until the next; false when no answer may be kept for it.
func (k *kept) keyOf(query string, args []any) ([]byte, bool) {
	if !k.sure {
		return nil, false
	}
	b := append(k.key[:0], query...)
	for _, a := range args {
		b = append(b, 0)
		if named, ok := a.(sql.NamedArg); ok {
			b = append(append(b, named.Name...), '=')
			a = named.Value
		}
		switch v := a.(type) {
		case string:
			b = append(strconv.AppendInt(append(b, 's'), int64(len(v)), 10), ':')
			b = append(b, v...)
		case []byte:
			b = append(strconv.AppendInt(append(b, 'b'), int64(len(v)), 10), ':')
			b = append(b, v...)
		case int64:
			b = strconv.AppendInt(append(b, 'i'), v, 10)
		default:
			v2 := reflect.ValueOf(a)
			switch {
			case v2.CanInt():
				b = strconv.AppendInt(append(b, 'i'), v2.Int(), 10)
			case v2.CanUint():
				b = strconv.AppendUint(append(b, 'i'), v2.Uint(), 10)
			case v2.Kind() == reflect.Bool:
				b = strconv.AppendBool(append(b, 't'), v2.Bool())
			default:
				k.key = b
				return nil, false
			}
		}
	}
	k.key = b
	return b, true
}

// cells are a row as the driver gives it.
type cells []any

// size is about how much memory a row takes.
func (c cells) size() int {
	n := 0
	for _, x := range c {
		n += 24
		switch v := x.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return n
}

// Scan does what that of sql.Rows does, for what SQLite gives.
func (c cells) Scan(dest ...any) error {
	if len(dest) != len(c) {
		return fmt.Errorf("scan %d columns into %d", len(c), len(dest))
	}
	for i, x := range c {
		if err := assign(dest[i], x); err != nil {
			return fmt.Errorf("scan column %d: %w", i, err)
		}
	}
	return nil
}

var errKind = errors.New("the value has another type")

func assign(dest, src any) error {
	switch d := dest.(type) {
	case *int64:
		if v, ok := src.(int64); ok {
			*d = v
			return nil
		}
	case *string:
		if v, ok := src.(string); ok {
			*d = v
			return nil
		}
	case *[]byte:
		if v, ok := src.([]byte); ok || src == nil {
			*d = bytes.Clone(v)
			return nil
		}
	case *sql.RawBytes:
		if v, ok := src.([]byte); ok || src == nil {
			*d = v
			return nil
		}
	case sql.Scanner:
		if v, ok := src.([]byte); ok {
			src = bytes.Clone(v)
		}
		return d.Scan(src)
	}
	return assignKind(dest, src)
}

// assignKind is assign for types that are named otherwise.
func assignKind(dest, src any) error {
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("%w: no place for it", errKind)
	}
	v = v.Elem()
	switch x := src.(type) {
	case int64:
		switch {
		case v.CanInt() && !v.OverflowInt(x):
			v.SetInt(x)
			return nil
		case v.CanUint() && x >= 0 && !v.OverflowUint(uint64(x)):
			v.SetUint(uint64(x))
			return nil
		case v.Type() == reflect.TypeFor[bool]() && (x == 0 || x == 1):
			v.SetBool(x == 1)
			return nil
		}
	case float64:
		if v.CanFloat() {
			v.SetFloat(x)
			return nil
		}
	case string:
		if v.Kind() == reflect.String {
			v.SetString(x)
			return nil
		}
	case []byte:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(bytes.Clone(x))
			return nil
		}
	}
	return fmt.Errorf("%w: %T, not %s", errKind, src, v.Type())
}
