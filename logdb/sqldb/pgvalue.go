package sqldb

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The types of PostgreSQL that parameters and results have.
const (
	oidBool    = 16
	oidBytea   = 17
	oidInt8    = 20
	oidInt2    = 21
	oidInt4    = 23
	oidText    = 25
	oidFloat8  = 701
	oidNumeric = 1700
)

const (
	asText   = 0
	asBinary = 1
)

// declared is the type that a value has by itself. Whether a number or a truth value is asked for decides the statement (SQLite
// has no truth values), so bool is left open, and so is NULL.
func declared(v driver.Value) uint32 {
	switch v.(type) {
	case int64:
		return oidInt8
	case float64:
		return oidFloat8
	case string:
		return oidText
	case []byte:
		return oidBytea
	}
	return 0
}

var errType = errors.New("the value does not fit the type")

// encodeValue writes a value as PostgreSQL wants it in a parameter of a type; nil is NULL.
func encodeValue(v driver.Value, oid uint32) (data []byte, format int16, err error) {
	switch v := v.(type) {
	case nil:
		return nil, asBinary, nil
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		return encodeInteger(n, oid)
	case int64:
		return encodeInteger(v, oid)
	case float64:
		if oid == oidFloat8 {
			return binary.BigEndian.AppendUint64(nil, math.Float64bits(v)), asBinary, nil
		}
	case string:
		if oid != oidBytea {
			return []byte(escapeText(v)), asText, nil
		}
	case []byte:
		if v == nil {
			return nil, asBinary, nil
		}
		if oid == oidBytea {
			return v, asBinary, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: %T for type %d", errType, v, oid)
}

func encodeInteger(n int64, oid uint32) ([]byte, int16, error) {
	switch oid {
	case oidInt8:
		return binary.BigEndian.AppendUint64(nil, uint64(n)), asBinary, nil
	case oidInt4:
		if n == int64(int32(n)) {
			return binary.BigEndian.AppendUint32(nil, uint32(n)), asBinary, nil
		}
	case oidInt2:
		if n == int64(int16(n)) {
			return binary.BigEndian.AppendUint16(nil, uint16(n)), asBinary, nil
		}
	case oidBool:
		if n == 0 || n == 1 {
			return []byte{byte(n)}, asBinary, nil
		}
	case oidFloat8:
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(float64(n))), asBinary, nil
	case oidNumeric:
		return strconv.AppendInt(nil, n, 10), asText, nil
	}
	return nil, 0, fmt.Errorf("%w: %d for type %d", errType, n, oid)
}

// resultFormat is how results of a type are asked for.
func resultFormat(oid uint32) int16 {
	switch oid {
	case oidBool, oidInt2, oidInt4, oidInt8, oidFloat8, oidBytea:
		return asBinary
	}
	return asText
}

// decodeValue reads a result in resultFormat into what SQLite would have given: int64, float64, string or []byte, which
// shares data.
func decodeValue(data []byte, oid uint32) (driver.Value, error) {
	if data == nil {
		return nil, nil
	}
	switch oid {
	case oidBytea:
		return data, nil
	case oidBool:
		if len(data) == 1 {
			return int64(data[0]), nil
		}
	case oidInt2:
		if len(data) == 2 {
			return int64(int16(binary.BigEndian.Uint16(data))), nil
		}
	case oidInt4:
		if len(data) == 4 {
			return int64(int32(binary.BigEndian.Uint32(data))), nil
		}
	case oidInt8:
		if len(data) == 8 {
			return int64(binary.BigEndian.Uint64(data)), nil
		}
	case oidFloat8:
		if len(data) == 8 {
			return math.Float64frombits(binary.BigEndian.Uint64(data)), nil
		}
	case oidNumeric: // a sum of integers
		if n, err := strconv.ParseInt(string(data), 10, 64); err == nil {
			return n, nil
		}
		return strconv.ParseFloat(string(data), 64)
	default:
		return unescapeText(string(data)), nil
	}
	return nil, fmt.Errorf("%w: %d bytes of type %d", errType, len(data), oid)
}

// textEscape begins two hexadecimal digits that stand for a byte which PostgreSQL's text cannot hold: NUL, one that is
// not UTF-8, and textEscape itself. SQLite holds them as they are.
const textEscape = '\x1a'

func escapeText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && strings.IndexByte(s, textEscape) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == 0 || r == textEscape || r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, "%c%02x", textEscape, s[i])
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func unescapeText(s string) string {
	if strings.IndexByte(s, textEscape) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == textEscape && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.WriteByte(c[0])
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
