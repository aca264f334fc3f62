package webapi

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// Cursors are opaque to clients. They hold a place in an order, never a right: what they
// point to is looked up under the caller's own permissions.

func packCursor(kind string, parts ...any) string {
	text := kind
	for _, p := range parts {
		text += "|" + fmt.Sprint(p)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

var errCursor = fault.New(fault.Invalid, "This cursor did not come from an answer of this query.").At("cursor")

func unpackCursor(kind, cursor string, n int) ([]string, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	parts := strings.Split(string(text), "|")
	if err != nil || len(cursor) > 1024 || len(parts) != n+1 || parts[0] != kind {
		return nil, errCursor
	}
	return parts[1:], nil
}

func eventCursor(c logdb.EventCursor) string {
	return packCursor("e", int64(c.Time), c.Stream, uint64(c.Position), uint64(c.Version))
}

func parseEventCursor(cursor string) (logdb.EventCursor, error) {
	parts, err := unpackCursor("e", cursor, 4)
	if err != nil { // older ones told no version
		if parts, err = unpackCursor("e", cursor, 3); err != nil {
			return logdb.EventCursor{}, err
		}
		parts = append(parts, "0")
	}
	t, errTime := parseMillis(parts[0])
	stream, errStream := logdb.ParseStream(parts[1])
	p, errPosition := parsePosition(parts[2])
	version, errVersion := strconv.ParseUint(parts[3], 10, 63)
	if errTime != nil || errStream != nil || errPosition != nil || errVersion != nil {
		return logdb.EventCursor{}, errCursor
	}
	return logdb.EventCursor{Time: t, Stream: stream, Position: p, Version: logdb.Position(version)}, nil
}

func timeCursor(t logdb.Millis) string { return packCursor("t", int64(t)) }

func parseTimeCursor(cursor string) (logdb.Millis, error) {
	parts, err := unpackCursor("t", cursor, 1)
	if err != nil {
		return 0, err
	}
	t, err := parseMillis(parts[0])
	if err != nil {
		return 0, errCursor
	}
	return t, nil
}

func rawCursor(s logdb.StreamID, p logdb.Position) string { return packCursor("r", s, uint64(p)) }

func parseRawCursor(cursor string) (logdb.StreamID, logdb.Position, error) {
	parts, err := unpackCursor("r", cursor, 2)
	if err != nil {
		return logdb.StreamID{}, 0, err
	}
	stream, errStream := logdb.ParseStream(parts[0])
	p, errPosition := parsePosition(parts[1])
	if errStream != nil || stream.IsZero() || errPosition != nil {
		return logdb.StreamID{}, 0, errCursor
	}
	return stream, p, nil
}

func parseMillis(s string) (logdb.Millis, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if t := logdb.Millis(n); err != nil || t < logdb.MinTime || t > logdb.MaxTime {
		return 0, errCursor
	}
	return logdb.Millis(n), nil
}

func parsePosition(s string) (logdb.Position, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 || n > uint64(logdb.MaxPosition) {
		return 0, errCursor
	}
	return logdb.Position(n), nil
}
