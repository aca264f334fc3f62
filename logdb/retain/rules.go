package retain

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
)

// Rules are ages in calendar months. The zero of an archive age means for good.
type Rules struct {
	Full     int // values in the database
	Quarter  int // 15-minute tier
	Hour     int // hour tier
	Archive  int // values in archive files; 0: for good
	Waveform int // samples of recordings in the database
	Samples  int // samples of recordings in archive files; 0: for good
}

// Default returns the ages that hold where nobody has set others.
func Default() Rules { return Rules{Full: 6, Quarter: 12, Hour: 24, Waveform: 1} }

const (
	// leastFull is how long values stay in the database at least.
	leastFull = 6
	most      = 1200 // months
)

// ErrRules marks ages that cannot be, or cannot go together.
var ErrRules = errors.New("invalid age")

// Check reports the first age that cannot be.
func (r Rules) Check() error {
	switch {
	case r.Full < leastFull:
		return fmt.Errorf("%w: full is %s, but values stay in the database for at least %s", ErrRules, text(r.Full), text(leastFull))
	case r.Quarter < r.Full:
		return fmt.Errorf("%w: quarter is %s, less than full, which is %s", ErrRules, text(r.Quarter), text(r.Full))
	case r.Hour < r.Quarter:
		return fmt.Errorf("%w: hour is %s, less than quarter, which is %s", ErrRules, text(r.Hour), text(r.Quarter))
	case r.Archive != 0 && r.Archive < r.Full:
		return fmt.Errorf("%w: archive is %s, less than full, which is %s", ErrRules, text(r.Archive), text(r.Full))
	case r.Waveform < 1:
		return fmt.Errorf("%w: waveform is %s, want at least one month", ErrRules, text(r.Waveform))
	case r.Samples != 0 && r.Samples < r.Waveform:
		return fmt.Errorf("%w: samples is %s, less than waveform, which is %s", ErrRules, text(r.Samples), text(r.Waveform))
	}
	for _, age := range []int{r.Hour, r.Archive, r.Samples} {
		if age > most {
			return fmt.Errorf("%w: more than 100 years", ErrRules)
		}
	}
	return nil
}

// Cutoffs are times before which data leave their rung; a zero time lets nothing leave.
type Cutoffs struct {
	Full, Quarter, Hour, Archive, Waveform, Samples logdb.Millis
}

// Cutoffs returns what the ages mean now.
func (r Rules) Cutoffs(now time.Time) Cutoffs {
	return Cutoffs{
		Full: back(now, r.Full), Quarter: back(now, r.Quarter), Hour: back(now, r.Hour), Archive: back(now, r.Archive),
		Waveform: back(now, r.Waveform), Samples: back(now, r.Samples),
	}
}

// back returns the beginning of the UTC day that many months ago, of the last day of a month that is too short.
func back(now time.Time, months int) logdb.Millis {
	if months == 0 {
		return 0
	}
	y, m, d := now.UTC().Date()
	first := time.Date(y, m-time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return max(0, logdb.MillisOf(first.AddDate(0, 0, min(d, last)-1)))
}

// field returns the age of a name.
func (r *Rules) field(name string) *int {
	switch name {
	case "full":
		return &r.Full
	case "quarter":
		return &r.Quarter
	case "hour":
		return &r.Hour
	case "archive":
		return &r.Archive
	case "waveform":
		return &r.Waveform
	case "samples":
		return &r.Samples
	}
	return nil
}

// Names lists the names that Set knows.
func Names() []string { return []string{"full", "quarter", "hour", "archive", "waveform", "samples"} }

// ByDefault is the value that takes an own age back.
const ByDefault = "default"

// Set changes one age: months or years such as 6mo and 2y, forever, or default, which is what by says. The ages as a whole are not
// checked.
func (r *Rules) Set(name, value string, by Rules) error {
	age := r.field(name)
	if age == nil {
		return fmt.Errorf("%w: no age %q, want one of %s", ErrRules, name, strings.Join(Names(), ", "))
	}
	switch value = strings.TrimSpace(value); {
	case value == ByDefault:
		*age = *by.field(name)
	case value == "forever" && (name == "archive" || name == "samples"):
		*age = 0
	default:
		n, err := months(value)
		if err != nil {
			return fmt.Errorf("%w: %s %q, want months or years such as 6mo or 2y", ErrRules, name, value)
		}
		*age = n
	}
	return nil
}

func months(s string) (int, error) {
	number, factor := s, 0
	for unit, n := range map[string]int{"mo": 1, "y": 12} {
		if rest, ok := strings.CutSuffix(s, unit); ok {
			number, factor = rest, n
		}
	}
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || factor == 0 || n < 1 || n > most {
		return 0, ErrRules
	}
	return n * factor, nil
}

// Text returns an age as Set takes it.
func (r Rules) Text(name string) string {
	age := r.field(name)
	if age == nil {
		return ""
	}
	return text(*age)
}

func text(months int) string {
	switch {
	case months == 0:
		return "forever"
	case months%12 == 0:
		return strconv.Itoa(months/12) + "y"
	}
	return strconv.Itoa(months) + "mo"
}
