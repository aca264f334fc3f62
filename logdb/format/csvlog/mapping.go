package csvlog

import (
	"context"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
)

// Kind is the format's name in reports.
const Kind = "csv"

// Mapping says how a file is to be read. What it leaves open is found by looking at the file.
type Mapping struct {
	// Delimiter stands between cells; 0: comma, semicolon, tab or bar, whichever fits.
	Delimiter rune
	// Decimal is the decimal sign, '.' or ','; 0: the one that fits.
	Decimal rune
	// Header says whether the first line names the columns.
	Header Header
	// Time names the columns that make the time, by name or number from 1; several are joined by a blank.
	Time []string
	// TimeForm is "" (found by looking), "iso", "s", "ms" or "us" (since 1970), or a pattern such as
	// "DD/MM/YYYY hh:mm:ss": YYYY YY MM DD hh mm ss, AM for the half of the day, anything else as it stands.
	TimeForm string
	// Columns lists the columns to read; none: all that hold numbers.
	Columns []Column
	// Others reads the columns that are not listed too.
	Others bool
	// Starts says that a time begins the interval that a value covers; by default it ends it.
	Starts bool
	// Log is the log of the meter that rows belong to.
	Log logdb.LogNo
}

// Column is a column to read.
type Column struct {
	Name string // as in the header, or its number from 1
	Key  logdb.ChannelKey
	Unit string // "": the one in the header
	// Scale multiplies values; 0 means 1.
	Scale float64
}

// Header says whether a file has a line of names.
type Header int

// The headers.
const (
	HeaderAuto Header = iota
	HeaderYes
	HeaderNo
)

// Codec returns the codec of CSV by a mapping.
func Codec(m Mapping) format.Codec {
	return format.Codec{Kind: Kind, Title: "CSV", Sniff: Sniff, Read: func(ctx context.Context, f format.File, o format.Options) (*format.Content, error) {
		return Read(ctx, f, o, m)
	}}
}

// interval is the distance that occurs most often between neighbouring times, 0 when there is none.
func interval(times []logdb.Millis) logdb.Millis {
	counts := map[logdb.Millis]int{}
	var best logdb.Millis
	for i := 1; i < len(times); i++ {
		d := times[i] - times[i-1]
		if d <= 0 {
			continue
		}
		if counts[d]++; counts[d] > counts[best] {
			best = d
		}
		if len(counts) > 10_000 { // no interval at all
			break
		}
	}
	return best
}

// ends returns the end of each interval whose start is given: the next time, unless rows are missing between.
// Days and months have the lengths that the file itself shows.
func ends(times []logdb.Millis) []logdb.Millis {
	step := interval(times)
	out := make([]logdb.Millis, len(times))
	for i := range times {
		out[i] = times[i] + step
		if i+1 < len(times) {
			if d := times[i+1] - times[i]; d > 0 && 2*d < 3*step {
				out[i] = times[i+1]
			}
		}
	}
	return out
}

// dayFirst and monthFirst are the two orders of numbers in a date.
type order int

const (
	dayFirst order = iota
	monthFirst
)

// moment is a time as read: when fixed, with the offset that the file states, else a reading of a wall clock.
type moment struct {
	t     time.Time // in UTC, of the wall clock when it is not fixed
	fixed bool
	zone  *time.Location // of a fixed one
}
