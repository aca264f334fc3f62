package pqdif

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// GUID is an identifier as it stands in the file: the first three fields little endian.
type GUID [16]byte

// String prints g in its usual form, such as 4a111440-e49f-11cf-9900-505144494600.
func (g GUID) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(g[:]),
		binary.LittleEndian.Uint16(g[4:]), binary.LittleEndian.Uint16(g[6:]), g[8:10], g[10:])
}

// mustGUID reads the usual form; it is for constants only.
func mustGUID(s string) GUID {
	b, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil || len(b) != 16 {
		panic("pqdif: malformed identifier " + s)
	}
	var g GUID
	copy(g[:], b)
	g[0], g[1], g[2], g[3] = b[3], b[2], b[1], b[0]
	g[4], g[5], g[6], g[7] = b[5], b[4], b[7], b[6]
	return g
}

// mustGUIDs reads a table of identifiers.
func mustGUIDs(names map[string]string) map[GUID]string {
	out := make(map[GUID]string, len(names))
	for s, name := range names {
		out[mustGUID(s)] = name
	}
	return out
}
