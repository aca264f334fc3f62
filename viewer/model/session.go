package model

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/source"
)

// State is how far something is.
type State uint8

// The states.
const (
	Empty State = iota // nothing was asked for
	Loading
	Ready
	Failed
	Stale // what is shown was read, but reading again did not work
)

// String is the state's word.
func (s State) String() string {
	return [...]string{"empty", "loading", "ready", "failed", "stale"}[min(s, Stale)]
}

// Session is the sources that are open, their meters, and which of them are looked at. It belongs to one goroutine.
type Session struct {
	Sources []*Source
	Range   Range
}

// Source is one source.
type Source struct {
	Target   source.Target
	Title    string
	Kind     string
	Live     bool
	Notes    []string
	State    State
	Err      error
	Meters   []*Meter
	Unfolded bool
	Log      source.Log
}

// Meter is a meter of a source.
type Meter struct {
	source.Meter
	Source   *Source
	Selected bool
}

// FullTitle names the meter, and its source where that is not clear from the name.
func (m *Meter) FullTitle(several bool) string {
	if !several || m.Title() == m.Source.Title {
		return m.Title()
	}
	return m.Title() + " · " + m.Source.Title
}

// Contents is what opening a source gives.
type Contents struct {
	Opened *source.Opened
	Meters []source.Meter
}

// Load opens a target and lists its meters. It may run anywhere.
func Load(ctx context.Context, t source.Target, progress func(done, total int64)) (Contents, error) {
	opened, err := source.Open(ctx, t, progress)
	if err != nil {
		return Contents{}, err
	}
	meters, err := opened.Meters(ctx)
	if err != nil {
		_ = opened.Close()
		return Contents{}, err
	}
	return Contents{opened, meters}, nil
}

// Add puts a source into the list, as one that is loading. A source that is there already is returned again.
func (s *Session) Add(t source.Target) *Source {
	for _, x := range s.Sources {
		if x.Target.Place == t.Place {
			if t.User != "" || t.Key != "" {
				x.Target = t
			}
			x.State = Loading
			return x
		}
	}
	x := &Source{Target: t, Title: t.Title(), State: Loading, Unfolded: true}
	s.Sources = append(s.Sources, x)
	return x
}

// manyMeters is from how many meters on a source does not show all of them at once.
const manyMeters = 16

// Take gives a source its contents. Meters that were selected stay so.
func (s *Session) Take(x *Source, c Contents) {
	was := map[logdb.MeterUID]bool{}
	for _, m := range x.Meters {
		was[m.UID] = m.Selected
	}
	first := x.Log == nil
	if x.Log != nil && x.Log != c.Opened.Log {
		_ = x.Log.Close()
	}
	x.Log, x.Kind, x.Live, x.Notes, x.State, x.Err = c.Opened.Log, c.Opened.Kind, c.Opened.Live, c.Opened.Notes, Ready, nil
	x.Meters = nil
	for i, m := range c.Meters {
		selected, known := was[m.UID]
		if !known {
			selected = first && (len(c.Meters) <= manyMeters || i == 0)
		}
		x.Meters = append(x.Meters, &Meter{m, x, selected})
	}
	if s.Range.Preset == "" {
		s.Range = RangeAll
		if x.Live {
			s.Range = Ranges[2]
		}
	}
}

// Grow takes how far the meters of a source have come, and reports whether one that is looked at has new records.
func (x *Source) Grow(list []source.Meter) bool {
	last := map[logdb.MeterUID]logdb.Millis{}
	for _, m := range list {
		last[m.UID] = m.Last
	}
	grew := false
	for _, m := range x.Meters {
		if l := last[m.UID]; l > m.Last {
			m.Last = l
			grew = grew || m.Selected
		}
	}
	return grew
}

// Fail says why a source could not be opened. What was read before stays, as stale.
func (s *Session) Fail(x *Source, err error) {
	x.Err, x.State = err, Failed
	if x.Log != nil {
		x.State = Stale
	}
}

// Remove closes a source.
func (s *Session) Remove(x *Source) {
	s.Sources = slices.DeleteFunc(s.Sources, func(y *Source) bool { return x == y })
	if x.Log != nil {
		_ = x.Log.Close()
	}
}

// Only selects one meter and no other.
func (s *Session) Only(m *Meter) {
	for _, x := range s.Meters() {
		x.Selected = x == m
	}
}

// Meters lists all meters of all sources.
func (s *Session) Meters() (out []*Meter) {
	for _, x := range s.Sources {
		out = append(out, x.Meters...)
	}
	return out
}

// Selected lists the meters that are looked at.
func (s *Session) Selected() (out []*Meter) {
	for _, m := range s.Meters() {
		if m.Selected {
			out = append(out, m)
		}
	}
	return out
}

// Several reports whether meters of more than one source are looked at.
func Several(meters []*Meter) bool {
	for _, m := range meters {
		if m.Source != meters[0].Source {
			return true
		}
	}
	return false
}

// ZoneOf is the zone of the meters if they share one, else UTC.
func ZoneOf(meters []*Meter) (zone *time.Location, shared bool) {
	for _, m := range meters {
		if zone != nil && zone.String() != m.Zone().String() {
			return time.UTC, false
		}
		zone = m.Zone()
	}
	if zone == nil {
		zone = time.UTC
	}
	return zone, true
}

// TreeRow is a line of the tree: a source, or one of its meters.
type TreeRow struct {
	Source *Source
	Meter  *Meter // nil: the source itself
}

// Tree returns the lines to show. A filter keeps the meters with its text in their name, serial or model, and unfolds their sources.
func (s *Session) Tree(filter string) (out []TreeRow) {
	filter = strings.ToLower(strings.TrimSpace(filter))
	for _, x := range s.Sources {
		start := len(out)
		out = append(out, TreeRow{Source: x})
		for _, m := range x.Meters {
			if filter == "" && x.Unfolded || filter != "" && strings.Contains(strings.ToLower(m.Title()+"\n"+m.Settings.Serial+"\n"+m.Settings.Model+"\n"+string(m.UID)), filter) {
				out = append(out, TreeRow{x, m})
			}
		}
		if filter != "" && len(out) == start+1 && !strings.Contains(strings.ToLower(x.Title), filter) {
			out = out[:start]
		}
	}
	return out
}

// Subtitle says what a source is, and how it is.
func (x *Source) Subtitle() string {
	switch x.State {
	case Loading:
		return "opening …"
	case Failed:
		return "cannot be opened"
	case Stale:
		return x.Kind + " · not reachable, older data shown"
	}
	if n := len(x.Meters); n != 1 {
		return fmt.Sprintf("%s · %d meters", x.Kind, n)
	}
	return x.Kind
}

// Range is the time that is looked at, back from the newest record.
type Range struct {
	Preset      string
	Span        logdb.Millis // 0: everything
	First, Last logdb.Millis // when chosen by hand, Preset "chosen"
}

// Ranges are those to choose from.
var Ranges = []Range{
	{Preset: "24 h", Span: logdb.DayMillis}, {Preset: "7 d", Span: 7 * logdb.DayMillis}, {Preset: "30 d", Span: 30 * logdb.DayMillis},
	{Preset: "90 d", Span: 90 * logdb.DayMillis}, {Preset: "1 y", Span: 365 * logdb.DayMillis}, RangeAll,
}

// RangeAll is everything there is.
var RangeAll = Range{Preset: "all"}

// Bounds are the times [first, last) of a range for meters; last 0 is no end. now bounds what the future cannot have.
func (r Range) Bounds(meters []*Meter, now logdb.Millis) (first, last logdb.Millis) {
	switch {
	case r.Preset == "chosen":
		return r.First, r.Last
	case r.Span == 0:
		return 0, 0
	}
	var newest logdb.Millis
	for _, m := range meters {
		newest = max(newest, m.Last)
	}
	if newest == 0 {
		newest = now
	}
	return newest + 1 - r.Span, newest + 1
}
