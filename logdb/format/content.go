package format

import (
	"time"

	"metermanager/logdb"
)

// Content is what one file, or one set of files that belong together, holds: in the names,
// units and times of the file. History and Entries turn it into log data.
type Content struct {
	Kind    string // the codec's Kind
	Version string // of the format, "" when it has none
	Station string // where it was recorded, as the file says
	Device  string // what recorded it, as the file says
	// Settings are what the file says of the meter; UID stays empty.
	Settings logdb.Settings
	// Start is the first time in the file, Trigger what set the first recording off; zero when
	// the file has none. Their Location is the one in which the file states its times.
	Start, Trigger time.Time
	// Records counts what the format calls a record: samples, lines of data, observations, readings.
	Records int

	Trends     []Trend
	Recordings []Recording
	Events     []Event

	// Files are the names of all files that were read.
	Files []string
	// Notes are texts of the file that belong to no value, such as a header file, by name.
	Notes []Note
	// Assumed says what the file leaves open and how it was read; NotUnderstood what was left
	// out or could not be right. Both are sentences for people, without a final point.
	Assumed, NotUnderstood []string
}

// Note is a named text.
type Note struct {
	Name, Text string
}

// Channel is a quantity as the file names it.
type Channel struct {
	Name  string // as in the file
	Unit  string // as in the file
	Phase string // as in the file
	// Component is the part of the circuit that is measured, as in the file.
	Component string
	// Statistic says what a value is of its interval where a file has several of one channel beside its
	// main one: "min", "max", "p95", ... A key made of the name ends in it.
	Statistic string
	// Key is the channel of the log database; "" when the file does not tell: see KeyOf.
	Key logdb.ChannelKey
	// Factor takes a value to the primary unit of Key (kV to V, Wh to Wh, percent to a fraction);
	// 0 means 1.
	Factor float64
}

// Trend is the values of one channel at times.
type Trend struct {
	Channel
	Log logdb.LogNo
	// Times are in the log database's convention: of interval quantities the end. Trends of
	// one table share the slice.
	Times  []logdb.Millis
	Values []float64 // NaN: absent
}

// Recording is samples of several channels around one event.
type Recording struct {
	Name string
	// Start is the time of offset 0 of Timing, Trigger zero when not stated.
	Start, Trigger time.Time
	Triggers       []string // what set it off, as the file says
	LineHz         float64  // nominal or measured; 0 when not stated
	Channels       []Samples
}

// Samples is one channel of a recording. Either Values or Digital is set.
type Samples struct {
	Channel
	// Timing is shared by channels that were sampled together.
	Timing  *Timing
	Values  []float64 // NaN: missing
	Digital []byte    // 0 and 1
	// Primary multiplies to primary values where Values are secondary ones; 0 or 1: they are primary.
	Primary float64
}

// Len is the number of samples.
func (s *Samples) Len() int { return max(len(s.Values), len(s.Digital)) }

// Event is an event, or a recording, of a kind of log.
type Event struct {
	Kind  logdb.Kind
	Entry logdb.Entry
}
