package charset_test

import (
	"testing"

	"metermanager/logdb/format/charset"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, charset, text, taken string }{
		{"plain", "", "plain", ""},
		{"\xef\xbb\xbfZeit;W", "", "Zeit;W", ""},
		{"\xff\xfeZ\x00\xfc\x00", "", "Zü", ""},
		{"\xfe\xff\x00Z\x00\xfc", "", "Zü", ""},
		{"Esta\xe7\xe3o de Medi\xe7\xe3o", "", "Estação de Medição", "iso-8859-1"},
		{"\xf2\xe5\xf0\xec\xe8\xed\xe0\xeb \xe2\xe5\xf0\xf1\xe8\xff", "", "терминал версия", "windows-1251"},
		{"\xd7\xdd\xc1\xaa\xb2\xee\xb6\xaf\xb1\xa3\xbb\xa4", "", "纵联差动保护", "gb18030"},
		{"caf\xe9", "ISO-8859-1", "café", ""},
		{"\xe9", "utf-8", "\uFFFD", ""},
	} {
		text, taken, err := charset.Decode([]byte(c.in), c.charset)
		if err != nil || text != c.text || taken != c.taken {
			t.Errorf("%q as %q: %q taken as %q, %v", c.in, c.charset, text, taken, err)
		}
	}
	if _, _, err := charset.Decode([]byte("x"), "klingon"); err == nil {
		t.Error("an unknown character set was taken")
	}
}
