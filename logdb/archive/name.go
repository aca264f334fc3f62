package archive

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
)

// Month counts calendar months in UTC since January 1970.
type Month int

// MonthOf returns the month of t.
func MonthOf(t logdb.Millis) Month {
	at := t.Time()
	return Month((at.Year()-1970)*12 + int(at.Month()) - 1)
}

// String prints a month as 2026-03.
func (m Month) String() string { return m.First().Time().Format("2006-01") }

// First returns when the month begins.
func (m Month) First() logdb.Millis {
	return logdb.MillisOf(time.Date(1970, time.January+time.Month(m), 1, 0, 0, 0, 0, time.UTC))
}

// ParseMonth reads a month as String prints it.
func ParseMonth(s string) (Month, error) {
	at, err := time.Parse("2006-01", s)
	if err != nil || at.Year() < 1970 {
		return 0, fmt.Errorf("%w: month %q, want a form like 2026-03", logdb.ErrInvalid, s)
	}
	return MonthOf(logdb.MillisOf(at)), nil
}

const suffix = ".parquet"

// Name is where the file of a meter, kind and month lies below the archive folder. Each time that it is written anew, the number is
// higher: a file that has its name never changes.
func Name(meter logdb.MeterUID, kind logdb.Kind, m Month, number int) string {
	uid := escape(string(meter))
	return uid + "/" + uid + "_" + m.String() + infix(kind) + "_" + strconv.Itoa(number) + suffix
}

// infix tells files of recordings from those of values.
func infix(kind logdb.Kind) string {
	if kind == logdb.KindHistorical {
		return ""
	}
	return "_" + kind.String()
}

// ParseName reads a name that Name made.
func ParseName(name string) (meter logdb.MeterUID, kind logdb.Kind, m Month, number int, ok bool) {
	folder, base, ok := strings.Cut(name, "/")
	base, isFile := strings.CutSuffix(base, suffix)
	rest, own := strings.CutPrefix(base, folder+"_")
	month, no, two := strings.Cut(rest, "_")
	kind = logdb.KindHistorical
	if plain, recordings := strings.CutPrefix(no, infix(logdb.KindWaveform)[1:]+"_"); recordings {
		kind, no = logdb.KindWaveform, plain
	}
	m, err := ParseMonth(month)
	number, bad := strconv.Atoi(no)
	if !ok || !isFile || !own || !two || err != nil || bad != nil || number < 1 {
		return "", 0, 0, 0, false
	}
	uid, err := unescape(folder)
	return logdb.MeterUID(uid), kind, m, number, err == nil
}

// escape makes a name of a folder of a UID: bytes other than letters, digits and - stand as =XX.
func escape(uid string) string {
	var b strings.Builder
	for i := range len(uid) {
		c := uid[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", strconv.ErrSyntax
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", err
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}
