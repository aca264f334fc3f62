package charset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

var charsets = map[string]encoding.Encoding{
	"utf-8": encoding.Nop, "iso-8859-1": charmap.Windows1252, "windows-1252": charmap.Windows1252,
	"iso-8859-5": charmap.ISO8859_5, "windows-1251": charmap.Windows1251, "koi8-r": charmap.KOI8R, "gb18030": simplifiedchinese.GB18030,
}

// Decode returns b as UTF-8. charset names its character set; "" guesses it, and taken is the guess when b is
// neither ASCII, UTF-8 nor UTF-16 with its mark.
func Decode(b []byte, charset string) (text, taken string, err error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if order := utf16Order(b); order != nil && charset == "" {
		return utf16Text(b[2:], order), "", nil
	}
	if charset == "" {
		if utf8.Valid(b) {
			return string(b), "", nil
		}
		taken = guessCharset(b)
		charset = taken
	}
	set, ok := charsets[strings.ToLower(charset)]
	if !ok {
		return "", "", fmt.Errorf("character set %q, want utf-8, iso-8859-1, iso-8859-5, windows-1251, koi8-r or gb18030", charset)
	}
	out, err := set.NewDecoder().Bytes(b)
	if err != nil {
		return "", "", fmt.Errorf("the text is not %s", charset)
	}
	return strings.ToValidUTF8(string(out), "\uFFFD"), taken, nil
}

// utf16Order reads the mark of UTF-16, nil when there is none.
func utf16Order(b []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return binary.BigEndian
	}
	return nil
}

func utf16Text(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// guessCharset tells apart the three sorts of text that stand in records which are not UTF-8. In Latin text,
// accented letters touch plain ones. Chinese text consists of pairs, and about a third of their bytes lie
// below 0xC0, where Cyrillic text has hardly any.
func guessCharset(b []byte) string {
	runs, touching, high, low, pairs := 0, 0, 0, 0, true
	for i := 0; i < len(b); i++ {
		if b[i] < 0x80 {
			continue
		}
		start := i
		for i < len(b) && b[i] >= 0x80 {
			if b[i] < 0xc0 {
				low++
			}
			high++
			i++
		}
		runs++
		if (i-start)%2 != 0 {
			pairs = false
		}
		if start > 0 && letter(b[start-1]) || i < len(b) && letter(b[i]) {
			touching++
		}
	}
	switch {
	case pairs && low*10 > high:
		return "gb18030"
	case touching*2 >= runs && high < 3*runs:
		return "iso-8859-1"
	}
	return "windows-1251"
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
