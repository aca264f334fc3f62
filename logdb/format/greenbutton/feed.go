package greenbutton

import "fmt"

// Feed is what a file holds.
type Feed struct {
	Title         string
	UsagePoints   []UsagePoint
	MeterReadings []MeterReading
	// Types are the reading types of the file, those that no meter reading uses included.
	Types []ReadingType
	// Local is how the meter's site keeps time; nil when the file does not say.
	Local *LocalTime
	// Notes name what was not understood or is not kept.
	Notes []Note
}

// Note names something that was not understood or is not kept, and how often it came.
type Note struct {
	Text  string
	Count int
}

// String prints n for a report.
func (n Note) String() string {
	if n.Count == 1 {
		return n.Text
	}
	return fmt.Sprintf("%s (%d times)", n.Text, n.Count)
}

// UsagePoint is a place where something is delivered.
type UsagePoint struct {
	Href, Title string
	// Kind is the service: 0 electricity, 1 gas, 2 water, ...; -1 when the file does not say.
	Kind int
}

// MeterReading is a series of readings of one type at one usage point.
type MeterReading struct {
	Href, Title string
	UsagePoint  string // its Href; "" when unknown
	// Type is nil when no reading type belongs to it: then the unit of the values is unknown.
	Type     *ReadingType
	Blocks   int
	Readings []Reading

	related []string
}

// Reading is one interval and its value, as it stands in the file.
type Reading struct {
	Start    int64 // seconds since 1970-01-01T00:00:00Z
	Duration int64 // seconds
	Value    int64 // in units of ten to the power of the type's multiplier
}

// ReadingType says what the values of a meter reading are, in the codes of ESPI.
type ReadingType struct {
	Href, Title    string
	Accumulation   int
	Commodity      int
	Flow           int
	IntervalLength int64 // seconds
	Kind           int
	Phase          int
	Multiplier     int
	UnitOfMeasure  int
}

// notes counts equal notes once.
type notes struct {
	list  []Note
	index map[string]int
}

// maxNotes bounds the distinct notes of one file; the last one counts the rest.
const maxNotes = 200

func (n *notes) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if _, ok := n.index[text]; !ok && len(n.list) >= maxNotes-1 {
		text = "more was not understood"
	}
	if i, ok := n.index[text]; ok {
		n.list[i].Count++
		return
	}
	if n.index == nil {
		n.index = map[string]int{}
	}
	n.index[text] = len(n.list)
	n.list = append(n.list, Note{text, 1})
}
