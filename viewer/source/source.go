package source

import (
	"context"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/pq"
)

// Log is what can be read from. Its methods may be called from several goroutines.
type Log interface {
	// Meters lists the meters, by name.
	Meters(ctx context.Context) ([]Meter, error)
	// Channels lists what a meter recorded over time, in the catalogue's order.
	Channels(ctx context.Context, meter logdb.MeterUID) ([]Channel, error)
	// History returns the values of channels in a range: every one where they are few, else the lowest, mean and highest of parts.
	History(ctx context.Context, meter logdb.MeterUID, q Query) ([]Series, error)
	// Events visits the events of a kind with first <= time < last in order of time; last 0 means no end. Recordings come without samples.
	Events(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis, visit func(Ref, *logdb.Entry) error) error
	// Recording returns a recording with its samples.
	Recording(ctx context.Context, meter logdb.MeterUID, ref Ref) (logdb.Entry, error)
	// Week holds a week, by its first day, against EN 50160.
	Week(ctx context.Context, meter logdb.MeterUID, firstDay time.Time, rules string) (Week, error)
	Close() error
}

// Ref finds a record again.
type Ref struct {
	Position logdb.Position
	Stream   logdb.StreamID
}

// Meter is a meter of a source.
type Meter struct {
	UID      logdb.MeterUID
	Settings logdb.Settings
	// Last is the newest time of any record, 0 when it is not known.
	Last logdb.Millis
}

// Title is the name that people know it by.
func (m *Meter) Title() string {
	if m.Settings.Name != "" {
		return m.Settings.Name
	}
	return string(m.UID)
}

// Zone is the zone of the meter's site; UTC when it is not known.
func (m *Meter) Zone() *time.Location {
	if zone, err := time.LoadLocation(m.Settings.Zone); err == nil && m.Settings.Zone != "" {
		return zone
	}
	return time.UTC
}

// Channel is a quantity that was recorded.
type Channel struct {
	logdb.Channel
	First, Last logdb.Millis
	Count       int64
}

// Query asks for channels in [First, Last), in about so many parts.
type Query struct {
	Channels    []logdb.ChannelKey
	First, Last logdb.Millis
	Parts       int
}

// Series is the values of one channel. Times rise and are ms since 1970. Low and High are nil where every value is there.
type Series struct {
	Channel             logdb.ChannelKey
	Times               []float64
	Values, Low, High   []float64
	StepMillis          float64 // of the parts; 0 where every value is there
	FirstTime, LastTime logdb.Millis
}

// Week is a week held against EN 50160.
type Week struct {
	From, To logdb.Millis
	Zone     string
	pq.Report
}

// fewTimes is how many times the number of parts is still few enough to take every value.
const fewTimes = 2

// few says whether a range of a channel holds so few values that all of them can be taken.
func (c *Channel) few(first, last logdb.Millis, parts int) bool {
	span := float64(c.Last - c.First)
	part := float64(min(last, c.Last) - max(first, c.First))
	if part <= 0 || span <= 0 {
		return c.Count <= int64(fewTimes*parts)
	}
	return float64(c.Count)*part/span <= float64(fewTimes*parts)
}
